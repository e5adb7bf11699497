"""Swap search, the catalogue's objective and exposure: against their formulas in plain loops."""

from itertools import combinations

import numpy as np
import pytest
from rerank_case import N_ITEMS, awkward, cosines, draw, listed

from recsys_lib import metrics, rerank
from recsys_lib.rerank import inputs
from recsys_lib.topk import TopK

SLACK = 1e-5  # float32 sums, and the least gain for which the search swaps


def worth(places, relevance, cosine, trade_off, k):
    """(1 - t) sum_a gamma_a r_(a) + t ILD, the places sorted by relevance; gamma sums to 1 over k places."""
    gamma = [1 / np.log2(a + 1) for a in range(1, k + 1)]
    places = sorted(places)
    first = sum(gamma[a] * relevance[i] for a, i in enumerate(places)) / sum(gamma)
    pairs = [1 - cosine[i, j] for i, j in combinations(places, 2)]
    return (1 - trade_off) * first + trade_off * (np.mean(pairs) if pairs else 0)


def values(candidates, vectors, lists, trade_off):
    """The objective of each list."""
    total = []
    for row in range(len(candidates)):
        items, relevance = listed(candidates, row)
        places = [items.tolist().index(item) for item in lists.items[row] if item >= 0]
        total.append(worth(places, relevance, cosines(vectors[items]), trade_off, lists.k))
    return np.array(total)


def msd_trade_off(trade_off, k):
    """The t' of msd, which adds k relevances and k (k - 1) / 2 distances, that weighs them as means do with t."""
    distance, relevance = trade_off / (k * (k - 1) / 2), (1 - trade_off) / k
    return distance / (distance + relevance)


# --- swap ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trade_off", [0.2, 0.5, 0.8, 1.0])
def test_swap_is_at_least_as_good_as_greedy_and_no_swap_improves_it(trade_off):
    candidates, vectors = draw(n_lists=20, d=6)
    k = 6
    lists = rerank.swap(candidates, vectors, k=k, trade_off=trade_off)
    mine = values(candidates, vectors, lists, trade_off)
    greedy = rerank.msd(candidates, vectors, k=k, trade_off=msd_trade_off(trade_off, k))
    gain = mine - values(candidates, vectors, greedy, trade_off)
    assert gain.min() >= -SLACK and gain.max() > 1e-3
    assert (mine >= values(candidates, vectors, candidates.head(k), trade_off) - SLACK).all()
    for row in range(len(candidates)):
        items, relevance = listed(candidates, row)
        cosine = cosines(vectors[items])
        chosen = [items.tolist().index(item) for item in lists.items[row]]
        for out in chosen:
            for entering in set(range(len(items))) - set(chosen):
                swapped = [*(i for i in chosen if i != out), entering]
                assert worth(swapped, relevance, cosine, trade_off, k) <= mine[row] + SLACK


@pytest.mark.parametrize("trade_off", [0.3, 0.7])
def test_swap_finds_the_best_set_of_a_small_problem(trade_off):
    found = []
    for seed in range(4):
        candidates, vectors = draw(seed, n_lists=20, width=8, d=4)
        mine = values(candidates, vectors, rerank.swap(candidates, vectors, k=3, trade_off=trade_off), trade_off)
        for row in range(len(candidates)):
            items, relevance = listed(candidates, row)
            cosine = cosines(vectors[items])
            best = max(worth(places, relevance, cosine, trade_off, 3) for places in combinations(range(8), 3))
            assert mine[row] <= best + SLACK
            found.append(mine[row] >= best - SLACK)
    assert np.mean(found) > 0.97


def test_both_starts_of_the_search_are_needed():
    """The better of the two ends is kept: no list is worse than what a search from the top k alone finds."""
    candidates, vectors = draw(n_lists=60, d=4)
    both = values(candidates, vectors, rerank.swap(candidates, vectors, k=6, trade_off=0.7), 0.7)
    alone = values(candidates, vectors, rerank.joint(candidates, vectors, k=6, trade_off=0.7, catalogue=0), 0.7)
    assert (both >= alone - SLACK).all() and (both > alone + SLACK).any()


def test_swap_with_and_without_a_table_and_on_awkward_lists(monkeypatch):
    candidates, vectors = awkward(n_lists=16)
    lists = {k: rerank.swap(candidates, vectors, k=k, trade_off=0.6) for k in (1, 2, 6, 20)}
    assert np.array_equal(lists[1].items, candidates.items[:, :1])
    assert np.array_equal(lists[20].items, candidates.items)
    for k in (2, 6):
        full = np.flatnonzero((candidates.items >= 0).sum(axis=1) >= k)
        part = TopK(candidates.items[full], candidates.scores[full], candidates.scale)
        mine = values(part, vectors, TopK(lists[k].items[full], lists[k].scores[full]), 0.6)
        greedy = rerank.msd(part, vectors, k=k, trade_off=msd_trade_off(0.6, k))
        assert (mine >= values(part, vectors, greedy, 0.6) - SLACK).all()
    monkeypatch.setattr(inputs, "TABLE_CELLS", 0)
    assert all(
        np.array_equal(rerank.swap(candidates, vectors, k=k, trade_off=0.6).items, lists[k].items) for k in lists
    )


# --- the catalogue's objective ---------------------------------------------------------------------------------------


def paid(lists, target):
    shown = metrics.catalogue.exposure(lists.items, N_ITEMS, lists.k)
    return (np.log(1 + shown) if target is None else np.minimum(shown, target) / target).sum()


@pytest.mark.parametrize("target", [None, 3])
@pytest.mark.parametrize("trade_off", [0.0, 0.5])
def test_the_joint_objective_never_falls(target, trade_off):
    candidates, vectors = draw(n_lists=30, d=6)
    settings = {"k": 5, "trade_off": trade_off, "catalogue": 0.3, "target": target, "rng": 4}
    lists = [candidates.head(5), *(rerank.joint(candidates, vectors, n_passes=n, **settings) for n in (1, 2, 3, 30))]
    totals = [values(candidates, vectors, each, trade_off).sum() + 0.3 * paid(each, target) for each in lists]
    assert totals[1] > totals[0] + 0.1
    assert all(after >= before - 30 * SLACK for before, after in zip(totals, totals[1:], strict=False))
    # at the end no single list can be improved by a swap, the others' exposures given
    final = lists[-1]
    for row in range(len(candidates)):
        own = TopK(candidates.items[[row]], candidates.scores[[row]], candidates.scale)
        before = values(own, vectors, TopK(final.items[[row]], final.scores[[row]]), trade_off)[0] + 0.3 * paid(
            final, target
        )
        for place in range(5):
            for entering in set(candidates.items[row].tolist()) - set(final.items[row].tolist()):
                items = final.items.copy()
                items[row, place] = entering
                swapped = TopK(items, final.scores)
                after = values(own, vectors, TopK(items[[row]], final.scores[[row]]), trade_off)[0]
                assert after + 0.3 * paid(swapped, target) <= before + SLACK


def test_without_weights_joint_is_the_top_k():
    candidates, vectors = awkward()
    for table in (None, vectors):
        lists = rerank.joint(candidates, table, k=6, trade_off=0, catalogue=0)
        assert np.array_equal(lists.items, candidates.items[:, :6])
    assert not np.array_equal(rerank.joint(candidates, k=6).items, candidates.items[:, :6])


def test_the_logarithm_buys_coverage_and_a_target_buys_showings():
    rng = np.random.default_rng(8)
    merit = rng.gumbel(size=(60, N_ITEMS)) + np.linspace(8, 0, N_ITEMS)  # everybody gets the same few items first
    items = np.argsort(-merit, axis=1)[:, :30]
    candidates = TopK(items, np.take_along_axis(merit, items, 1))

    def look(lists):
        coverage = metrics.catalogue.coverage(lists.items, N_ITEMS, 5)
        return lists.scores.mean(), coverage, metrics.catalogue.exposed(lists.items, N_ITEMS, 5, at_least=5)

    none, logarithm = look(candidates.head(5)), look(rerank.joint(candidates, k=5, catalogue=1.0))
    mild, strong = (look(rerank.joint(candidates, k=5, catalogue=w, target=5)) for w in (1.0, 2.0))
    assert none[0] > mild[0] > logarithm[0] > strong[0]
    assert mild[2] > logarithm[2] > none[2]  # more items reach five users, at less loss
    assert logarithm[1] > strong[1] > none[1]  # more items reach anyone, at less loss


def test_the_order_of_the_users_is_drawn():
    candidates, vectors = draw(n_lists=30)
    for reranker in (
        lambda rng: rerank.joint(candidates, vectors, rng=rng),
        lambda rng: rerank.exposure(candidates, rng=rng),
    ):
        one, again, generator, other = (reranker(rng).items for rng in (1, 1, np.random.default_rng(1), 2))
        assert np.array_equal(one, again) and np.array_equal(one, generator) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"catalogue": -0.1}, "catalogue must not be negative"),
        ({"catalogue": np.nan}, "catalogue must not be negative.*nan"),
        ({"n_passes": 0}, "n_passes and target must be at least 1"),
        ({"target": 0}, "n_passes and target must be at least 1"),
        ({"trade_off": 0.5}, "trade_off above 0 needs item_vectors"),
    ],
)
def test_joint_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        rerank.joint(draw()[0], **arguments)


# --- exposure --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trade_off", [0.2, 0.7, 1.0])
def test_exposure_is_the_plain_loop(trade_off):
    candidates, _ = awkward(n_lists=40)
    lists = rerank.exposure(candidates, k=6, trade_off=trade_off, rng=11)
    shown = dict.fromkeys(range(N_ITEMS), 0)
    for row in np.random.default_rng(11).permutation(40):
        items, relevance = listed(candidates, row)
        value = [
            (1 - trade_off) * r - trade_off * np.log(1 + shown[i])
            for i, r in zip(items.tolist(), relevance, strict=True)
        ]
        places = sorted(sorted(range(len(items)), key=lambda i: (-round(value[i], 5), i))[:6])
        chosen = items[places].tolist()
        assert lists.items[row].tolist() == chosen + [-1] * (6 - len(chosen))
        for item in chosen:
            shown[item] += 1
