"""Re-rankers that know facets: against plain loops, by hand, and on what they are for."""

import numpy as np
import pytest
from content_case import interactions
from rerank_case import awkward, draw, facets_of, listed

from recsys_lib import metrics, rerank
from recsys_lib.rerank import inputs
from recsys_lib.topk import TopK

RULES = ("xquad", "pm2", "calibrated")


def shares(rows):
    rows = np.asarray(rows, float)
    total = rows.sum(axis=-1, keepdims=True)
    return rows / np.where(total > 0, total, 1)


def novelty(rule, p, q, i, chosen, lead):
    """q: (n, n_facets) shares of the candidates, p: what the user wants."""
    facets = range(len(p))
    if rule == "xquad":
        return sum(p[c] * q[i, c] * np.prod([1 - q[j, c] for j in chosen]) for c in facets)
    if rule == "pm2":
        v = [p[c] / (2 * sum(q[j, c] for j in chosen) + 1) for c in facets]
        turn = int(np.argmax(v))
        return sum((lead if c == turn else 1 - lead) * v[c] * q[i, c] for c in facets)
    mean = np.mean([q[j] for j in (*chosen, i)], axis=0)
    return -sum(p[c] * np.log(p[c] / (0.99 * mean[c] + 0.01 * p[c])) for c in facets if p[c] > 0)


def plain(rule, relevance, p, q, k, trade_off, lead=0.8):
    chosen = []
    for _ in range(min(k, len(relevance))):
        best, best_value = None, -np.inf
        for i in range(len(relevance)):
            value = (1 - trade_off) * relevance[i] + trade_off * novelty(rule, p, q, i, chosen, lead)
            if i not in chosen and value > best_value:
                best, best_value = i, value
        chosen.append(best)
    return chosen


@pytest.mark.parametrize("trade_off", [0.3, 0.7, 0.95])
@pytest.mark.parametrize("rule", RULES)
def test_they_are_the_plain_loops(rule, trade_off, monkeypatch):
    candidates, _ = draw()
    items, scores = candidates.items.copy(), candidates.scores.copy()
    for row, length in enumerate((0, 1, 5)):
        scores[row] -= 9  # below what the padding could be thought to be worth
        items[row, length:], scores[row, length:] = -1, -np.inf
    candidates = TopK(items, scores, candidates.scale)
    item_facets, user_facets = facets_of(candidates)
    monkeypatch.setattr(inputs, "BLOCK_CELLS", 400)  # three users at a time
    rerankers = [(getattr(rerank, rule), 0.8)]
    if rule == "pm2":
        rerankers.append((lambda *args, **kwargs: rerank.pm2(*args, lead=0.55, **kwargs), 0.55))
    for reranker, lead in rerankers:
        lists = reranker(candidates, item_facets, user_facets, k=8, trade_off=trade_off, order="selection")
        for row in range(len(candidates)):
            own, relevance = listed(candidates, row)
            picks = plain(rule, relevance, shares(user_facets[row]), shares(item_facets[own]), 8, trade_off, lead)
            assert lists.items[row].tolist() == own[picks].tolist() + [-1] * (8 - len(picks))


def test_user_facets_by_hand():
    train = interactions([[1, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]])
    item_facets = [[1, 0, 0], [1, 3, 0], [0, 0, 2], [0, 0, 0]]  # the last item has no facet
    expected = [[1.25 / 3, 0.75 / 3, 0], [0, 0, 1], [0, 0, 0]]
    assert rerank.user_facets(train, item_facets) == pytest.approx(np.array(expected))
    assert rerank.user_facets(train, 5 * np.array(item_facets)) == pytest.approx(np.array(expected))


def test_a_list_without_relevance_gives_out_places_as_a_parliament_gives_seats():
    # 53, 24 and 23 votes: the quotients 53, 24, 23, 53/3, 53/5, 24/3, 23/3, 53/7 (Sainte-Lague)
    party = np.repeat([0, 1, 2], 8)
    candidates = TopK(np.arange(24)[None], np.zeros((1, 24)))
    lists = rerank.pm2(candidates, np.eye(3)[party], [[53, 24, 23]], k=8, trade_off=1, lead=1, order="selection")
    assert party[lists.items[0]].tolist() == [0, 1, 2, 0, 0, 1, 2, 0]


def test_xquad_asks_for_a_facet_until_it_is_shown():
    item_facets = [[1, 0], [1, 0], [1, 1], [0, 1]]
    candidates = TopK(np.arange(4)[None], np.zeros((1, 4)))
    for wanted, expected in (([[2, 1]], [0, 3, 1, 2]), ([[1, 2]], [3, 0, 1, 2]), ([[3, 0]], [0, 1, 2, 3])):
        lists = rerank.xquad(candidates, item_facets, wanted, k=4, trade_off=1, order="selection")
        assert lists.items[0].tolist() == expected


def test_calibration_moves_the_lists_towards_the_history():
    candidates, _ = draw(n_lists=60)
    rng = np.random.default_rng(0)
    item_facets, _ = facets_of(candidates)
    train = interactions(rng.random((60, 50)) < 0.2)
    wanted = rerank.user_facets(train, item_facets)
    kl = {
        t: metrics.facets.calibration(
            rerank.calibrated(candidates, item_facets, wanted, k=6, trade_off=t).items, train.matrix, item_facets, k=6
        )
        for t in (0, 0.5, 1)
    }
    assert np.mean(kl[1] < kl[0]) > 0.95 and kl[1].mean() < kl[0.5].mean() < kl[0].mean()


def test_who_wants_nothing_gets_the_most_relevant():
    candidates, _ = draw()
    item_facets, user_facets = facets_of(candidates)
    for rule in RULES:
        lists = getattr(rerank, rule)(candidates, item_facets, np.zeros_like(user_facets), k=6, trade_off=0.8)
        assert np.array_equal(lists.items, candidates.items[:, :6])


def test_only_the_shares_count():
    candidates, _ = awkward()
    item_facets, user_facets = facets_of(candidates)
    for rule in RULES:
        lists = getattr(rerank, rule)(candidates, item_facets, user_facets, k=6)
        longer = getattr(rerank, rule)(candidates, 4 * item_facets, 0.5 * user_facets, k=6)
        assert np.array_equal(lists.items, longer.items)


BAD = {
    "a row too few": (lambda i, u: (i, u[:-1]), r"one row a list and one column a facet, \(12, 6\), not \(11, 6\)"),
    "a facet too few": (lambda i, u: (i, u[:, :-1]), r"one column a facet, \(12, 6\), not \(12, 5\)"),
    "one user's facets": (lambda i, u: (i, u[0]), r"user_facets.*not \(6,\)"),
    "negative wish": (lambda i, u: (i, u - 0.5), "user_facets must be finite and not negative"),
    "NaN wish": (lambda i, u: (i, u * np.nan), "user_facets must be finite and not negative"),
    "negative facet": (lambda i, u: (i - 1, u), "item_facets must be finite and not negative"),
    "NaN facet": (lambda i, u: (i * np.nan, u), "item_facets must be an .*table of finite numbers"),
    "few items": (lambda i, u: (i[:20], u), "item_facets has only 20 rows"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", BAD)
def test_bad_facets(case, rule):
    change, message = BAD[case]
    candidates, _ = draw()
    for trade_off in (0, 0.5):
        with pytest.raises(ValueError, match=message):
            getattr(rerank, rule)(candidates, *change(*facets_of(candidates)), trade_off=trade_off)


@pytest.mark.parametrize("lead", [-0.1, 1.5, np.nan])
def test_bad_lead(lead):
    candidates, _ = draw()
    with pytest.raises(ValueError, match="lead must lie between 0 and 1"):
        rerank.pm2(candidates, *facets_of(candidates), lead=lead)


def test_user_facets_refuses_negative_facets():
    train = interactions([[1, 1]])
    with pytest.raises(ValueError, match="item_facets must be finite and not negative"):
        rerank.user_facets(train, [[1, -1], [0, 1]])
