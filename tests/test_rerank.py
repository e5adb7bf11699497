"""Re-ranking: the greedy rules against plain loops, and what every re-ranker promises."""

from itertools import combinations

import numpy as np
import pytest
from rerank_case import FACETS, GREEDY, awkward, call, cosines, draw, facets_of, listed, plain_lists

from recsys_lib import rerank
from recsys_lib.rerank import greedy, inputs
from recsys_lib.topk import TopK

ENGINES = ("numba", "numpy")
SINGLE = (*GREEDY, *FACETS, "swap")  # a user's list does not depend on the other users
ALL = (*SINGLE, "joint", "exposure")
ORDERED = (*GREEDY, *FACETS)  # these can show the order of selection


def same(one, other):
    return np.array_equal(one.items, other.items) and np.array_equal(one.scores, other.scores)


# --- the greedy rules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trade_off", [0.15, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("rule", GREEDY)
def test_greedy_is_the_plain_loop(rule, trade_off):
    candidates, vectors = draw()
    items, scores = candidates.items.copy(), candidates.scores.copy()
    items[5, 13:], scores[5, 13:] = -1, -np.inf
    items[6, 3:], scores[6, 3:] = -1, -np.inf
    vectors[items[7, 2]] = 0
    candidates = TopK(items, scores, candidates.scale)
    expected = plain_lists(rule, candidates, vectors, 8, trade_off)
    for engine in ENGINES:
        lists = getattr(rerank, rule)(candidates, vectors, k=8, trade_off=trade_off, order="selection", engine=engine)
        assert lists.items.tolist() == expected.tolist()


@pytest.mark.parametrize("trade_off", [0.3, 1.0])
def test_dpp_adds_what_the_log_determinant_gains_most(trade_off):
    candidates, vectors = draw()
    lists = rerank.dpp(candidates, vectors, k=6, trade_off=trade_off, order="selection")
    for row in range(len(candidates)):
        items, relevance = listed(candidates, row)
        cosine, chosen = cosines(vectors[items]), [0]

        def worth(places, cosine=cosine, relevance=relevance):
            log_det = np.linalg.slogdet(cosine[np.ix_(places, places)])[1]
            return (1 - trade_off) * relevance[places].sum() + trade_off * log_det

        while len(chosen) < 6:
            rest = [i for i in range(len(items)) if i not in chosen]
            chosen.append(max(rest, key=lambda i: worth([*chosen, i])))
        assert lists.items[row].tolist() == items[chosen].tolist()


@pytest.mark.parametrize("trade_off", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("rule", ["ssd", "dpp"])
def test_beyond_the_span_of_the_vectors_relevance_decides(rule, trade_off):
    # Films of the same genres are one vector, and five dimensions are spanned after five picks; what rounding leaves
    # of the others must not be blown up from pick to pick.
    vectors = (np.random.default_rng(5).random((50, 5)) < 0.5).astype(float)
    for k, sizes in ((15, {}), (40, {"width": 50, "n_lists": 4})):
        candidates, _ = draw(4, **sizes)
        expected = plain_lists(rule, candidates, vectors, k, trade_off, floor=float(greedy.FLOOR))
        for engine in ENGINES:
            settings = {"k": k, "trade_off": trade_off, "order": "selection", "engine": engine}
            with np.errstate(over="raise", invalid="raise"):
                lists = getattr(rerank, rule)(candidates, vectors, **settings)
            assert lists.items.tolist() == expected.tolist()


def test_what_rounding_leaves_of_a_spanned_item_is_below_the_floor(monkeypatch):
    vectors = (np.random.default_rng(51).random((50, 18)) < 0.5).astype(float)  # of 60 seeds the one that leaves most
    candidates, _ = draw(51, width=50, n_lists=4)
    left, novelty = [], greedy._novelty
    monkeypatch.setattr(greedy, "_novelty", lambda rule, state: left.append(state.copy()) or novelty(rule, state))
    lists = rerank.dpp(candidates, vectors, k=30, trade_off=0.9, order="selection", engine="numpy")
    for items, picks, rest in zip(candidates.items, lists.items, left[-1], strict=True):
        span = np.linalg.pinv(vectors[picks[:29]]) @ vectors[picks[:29]]
        spanned = np.allclose(vectors[items] @ span, vectors[items])
        assert spanned and np.abs(rest).max() < greedy.FLOOR / 2


@pytest.mark.parametrize("rule", ["msd", "dpp"])
def test_greedy_beside_the_best_set(rule):
    ratios = []
    for seed in range(5):
        candidates, vectors = draw(seed, n_lists=6, width=8, d=64)
        positive = TopK(candidates.items, candidates.scores - candidates.scores.min())  # as the proof wants it
        lists = getattr(rerank, rule)(positive, vectors, k=4, trade_off=0.6)
        for row in range(len(candidates)):
            items, relevance = listed(positive, row)
            cosine = cosines(vectors[items])
            distance = 1 - cosine
            # within a factor of 2 of each other, so that no detour is shorter: a metric, as the proof wants it
            assert distance.max() <= 2 * distance[~np.eye(8, dtype=bool)].min()

            def worth(places, cosine=cosine, relevance=relevance, distance=distance):
                within = np.ix_(places, places)
                spread = distance[within].sum() / 2 if rule == "msd" else np.linalg.slogdet(cosine[within])[1]
                return 0.4 * relevance[list(places)].sum() + 0.6 * spread

            mine = worth([items.tolist().index(item) for item in lists.items[row]])
            best = max(worth(places) for places in combinations(range(8), 4))
            assert mine <= best + 1e-6
            ratios.append(mine / best)
    # Half is what Borodin et al. (PODS 2012) prove for a greedy of this kind; what is typical is another matter.
    assert min(ratios) >= 0.5 and np.mean(ratios) > 0.99


@pytest.mark.parametrize("k", [1, 6, 20])
@pytest.mark.parametrize("rule", GREEDY)
def test_the_engines_and_both_ways_to_the_cosines_agree(rule, k, monkeypatch):
    candidates, vectors = awkward()
    for trade_off in (0.2, 0.8, 1.0):
        lists = {}
        for cells in (inputs.TABLE_CELLS, 0):
            with monkeypatch.context() as patch:
                patch.setattr(inputs, "TABLE_CELLS", cells)
                assert (inputs.cosines(candidates, vectors, k).table.size > 0) == (cells > 0 and k > 1)
                for engine in ENGINES:
                    lists[cells, engine] = getattr(rerank, rule)(
                        candidates, vectors, k=k, trade_off=trade_off, order="selection", engine=engine
                    )
        first = next(iter(lists.values()))
        assert all(same(first, other) for other in lists.values())


@pytest.mark.parametrize("rule", GREEDY)
def test_one_candidate(rule):
    candidates, vectors = draw(width=1)
    for engine in ENGINES:
        lists = getattr(rerank, rule)(candidates, vectors, k=1, trade_off=0.7, engine=engine)
        assert same(lists, candidates)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", GREEDY)
def test_of_equals_the_first_is_taken(rule, engine):
    items = np.array([[7, 2, 9, 4, 0, 5], [0, 1, 2, 3, 4, 5]])
    candidates = TopK(items, np.zeros(items.shape))
    lists = getattr(rerank, rule)(candidates, np.ones((10, 3)), k=4, order="selection", engine=engine)
    assert lists.items.tolist() == items[:, :4].tolist()
    vectors = np.eye(10)
    vectors[2], vectors[3] = vectors[0], vectors[1]  # 0 and 2, 1 and 3 are twins
    lists = getattr(rerank, rule)(candidates, vectors, k=4, trade_off=1.0, order="selection", engine=engine)
    assert lists.items[1].tolist() == [0, 1, 4, 5]


@pytest.mark.parametrize("cells", [inputs.TABLE_CELLS, 0])
def test_rounding_does_not_decide_between_equals(cells, monkeypatch):
    # nineteen vectors whose cosine with the first one is 1/2, with the same coordinates in another order
    rng = np.random.default_rng(0)
    aside = rng.normal(size=24)
    aside -= aside.mean()
    half = 0.5 / np.sqrt(24) + np.sqrt(0.75) * aside / np.linalg.norm(aside)
    vectors = np.vstack([np.ones(24), [rng.permutation(half) for _ in range(19)]])
    candidates = TopK(np.array([[0, *(1 + rng.permutation(19))] for _ in range(12)]), np.zeros((12, 20)))
    monkeypatch.setattr(inputs, "TABLE_CELLS", cells)
    for rule in GREEDY:
        for engine in ENGINES:
            lists = call(rule, candidates, vectors, k=2, trade_off=1.0, engine=engine)
            assert np.array_equal(lists.items, candidates.items[:, :2])


def test_length_does_not_matter_and_a_zero_vector_is_unlike_everything():
    candidates, vectors = draw()
    stretched = vectors * np.random.default_rng(0).choice([0.25, 0.5, 2, 64], (len(vectors), 1))
    for rule in GREEDY:
        assert same(call(rule, candidates, vectors), call(rule, candidates, stretched))
        for factor in (1e-30, 1e30):  # whose squares are no float32
            assert same(call(rule, candidates, vectors), call(rule, candidates, vectors * factor))
    # 1 and 2 point the same way, 3 has no direction: it is as far from both as an orthogonal item would be
    near = np.array([[1, 0], [1, 0], [0, 0], [3, 1]])
    few = TopK(np.arange(4)[None], np.zeros((1, 4)))
    for rule in GREEDY:
        assert call(rule, few, near, k=2, order="selection").items.tolist() == [[0, 2]]


# --- what all of them promise ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SINGLE)
def test_a_user_gets_the_same_list_alone_and_in_any_batch(name, monkeypatch):
    candidates, vectors = draw()
    wanted = facets_of(candidates)

    def lists(rows):
        part = TopK(candidates.items[rows], candidates.scores[rows], candidates.scale)
        if name in FACETS:
            return getattr(rerank, name)(part, wanted[0], wanted[1][rows], k=6, trade_off=0.6)
        return call(name, part, vectors, k=6, trade_off=0.6)

    whole = lists(slice(None))
    assert all(np.array_equal(lists([row]).items[0], whole.items[row]) for row in range(len(candidates)))
    assert np.array_equal(lists([4, 2, 9]).items, whole.items[[4, 2, 9]])
    for cells in (1, 50):  # one user, and two of twelve
        monkeypatch.setattr(inputs, "BLOCK_CELLS", cells)
        assert same(lists(slice(None)), whole)
        if name in GREEDY:
            assert same(call(name, candidates, vectors, k=6, trade_off=0.6, engine="numpy"), whole)


@pytest.mark.parametrize("factor", [2, 8, 3.7])
@pytest.mark.parametrize("name", ALL)
def test_lists_do_not_change_with_the_unit_of_the_scores(name, factor):
    candidates, vectors = draw()
    scaled = TopK(candidates.items, candidates.scores * np.float32(factor), candidates.scale * factor)
    lists, again = (call(name, each, vectors, trade_off=0.4) for each in (candidates, scaled))
    assert np.array_equal(lists.items, again.items)
    assert again.scores == pytest.approx(lists.scores * factor) and again.scale == scaled.scale
    other = TopK(candidates.items, candidates.scores, candidates.scale * 9)  # and the scale is read at all
    assert not np.array_equal(call(name, other, vectors, trade_off=0.4).items, lists.items)


@pytest.mark.parametrize("name", ALL)
def test_trade_off_0_is_the_top_k_and_1_ignores_relevance(name):
    candidates, vectors = awkward()
    if name != "joint":
        assert same(call(name, candidates, vectors, k=5, trade_off=0), candidates.head(5))
    candidates, vectors = draw()
    steep = TopK(candidates.items, np.broadcast_to(-np.arange(20.0) * 40, candidates.scores.shape))
    if name in ("joint", "swap"):  # what they start from and how they show it is by relevance
        return
    lists, again = (call(name, each, vectors, k=6, trade_off=1) for each in (candidates, steep))
    assert np.array_equal(lists.items, again.items)
    assert not np.array_equal(call(name, steep, vectors, k=6, trade_off=0.5).items, again.items)


@pytest.mark.parametrize("name", ALL)
def test_every_list_is_clean(name):
    """Nothing twice, padding at the end, the candidates' own scores, best first."""
    candidates, vectors = awkward()
    for arguments in ({"k": 6, "trade_off": 0.7}, {"k": 20, "trade_off": 0.4}):
        lists = call(name, candidates, vectors, **arguments)
        assert lists.items.shape == (12, arguments["k"]) and lists.scale == candidates.scale
        for row in range(len(candidates)):
            items, _ = listed(candidates, row)
            n = min(arguments["k"], len(items))
            assert (lists.items[row, n:] == -1).all() and np.isneginf(lists.scores[row, n:]).all()
            shown = lists.items[row, :n].tolist()
            assert len(set(shown)) == n and set(shown) <= set(items.tolist())
            places = [items.tolist().index(item) for item in shown]
            assert places == sorted(places)
            assert (lists.scores[row, :n] == candidates.scores[row, places]).all()


@pytest.mark.parametrize("name", ORDERED)
def test_the_order_of_selection_is_the_same_set(name):
    candidates, vectors = awkward()
    shown, picked = (call(name, candidates, vectors, k=7, order=order) for order in ("relevance", "selection"))
    assert np.array_equal(np.sort(shown.items, axis=1), np.sort(picked.items, axis=1))
    assert not np.array_equal(shown.items, picked.items)
    for lists in (shown, picked):
        for row in range(5):
            n = min(7, (candidates.items[row] >= 0).sum())
            assert (lists.items[row, n:] == -1).all() and (lists.items[row, :n] >= 0).all()


@pytest.mark.parametrize("name", ALL)
def test_no_lists_give_no_lists(name):
    nothing = TopK(np.zeros((0, 20), int), np.zeros((0, 20)))
    assert call(name, nothing, np.ones((50, 3)), k=4).items.shape == (0, 4)


def test_all_are_exported():
    assert sorted(rerank.__all__) == sorted([*ALL, "user_facets"])


# --- bad input -------------------------------------------------------------------------------------------------------


def spoilt(row, place, value):
    candidates, _ = draw()
    scores = candidates.scores.copy()
    scores[row, place] = value
    return TopK(candidates.items, scores, candidates.scale)


BAD = {
    "no TopK": ({"candidates": np.zeros((3, 4), int)}, ALL, "must be a TopK, not ndarray"),
    "trade_off above 1": ({"trade_off": 1.2}, ALL, "trade_off.*between 0.*1.2"),
    "trade_off below 0": ({"trade_off": -0.1}, ALL, "trade_off.*-0.1"),
    "trade_off NaN": ({"trade_off": np.nan}, ALL, "trade_off.*nan"),
    "k of 0": ({"k": 0}, ALL, "k must be a whole number between 1 and the 20 candidates, not 0"),
    "half a k": ({"k": 2.5}, ALL, "whole number.*not 2.5"),
    "a truth for k": ({"k": True}, ALL, "whole number.*not True"),
    "k beyond the candidates": ({"k": 21}, ALL, "20 candidates, not 21"),
    "order": ({"order": "score"}, ORDERED, "order.*'selection', not 'score'"),
    "engine": ({"engine": "torch"}, GREEDY, "engine.*'numpy', not 'torch'"),
    "unsorted candidates": ({"candidates": spoilt(3, 7, 99)}, ALL, "best first.*row 3"),
    "NaN first": ({"candidates": spoilt(2, 0, np.nan)}, ALL, "without NaN.*row 2"),
    "NaN within": ({"candidates": spoilt(2, 9, np.nan)}, ALL, "without NaN.*row 2"),
    "NaN last": ({"candidates": spoilt(11, 19, np.nan)}, ALL, "without NaN.*row 11"),
    "NaN vectors": ({"vectors": np.full((50, 2), np.nan)}, (*GREEDY, "swap", "joint"), "item_vectors.*finite"),
    "a vector too few": ({"vectors": np.ones((49, 2))}, (*GREEDY, "swap", "joint"), "item_vectors has only 49 rows"),
    "one vector": ({"vectors": np.ones(50)}, (*GREEDY, "swap", "joint"), "item_vectors must be an .*table"),
    "words": ({"vectors": np.full((50, 2), "a")}, (*GREEDY, "swap", "joint"), "item_vectors.*numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    arguments, names, message = BAD[case]
    candidates, vectors = draw()
    good = {"candidates": candidates, "vectors": vectors}
    wanted = facets_of(candidates)
    for name in names:
        both = good | arguments
        lists, table = both.pop("candidates"), both.pop("vectors")
        with pytest.raises(ValueError, match=message):
            if name in FACETS:
                getattr(rerank, name)(lists, *wanted, **both)
            else:
                call(name, lists, table, **both)


def test_bad_input_names_the_row_in_any_block(monkeypatch):
    monkeypatch.setattr(inputs, "BLOCK_CELLS", 60)
    with pytest.raises(ValueError, match="the scores of row 11 are not"):
        rerank.mmr(spoilt(11, 19, np.nan), draw()[1])
