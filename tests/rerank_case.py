"""What the tests of re-rankers share: candidates with all that is awkward in them, the greedy rules in plain loops."""

import numpy as np

from recsys_lib import rerank
from recsys_lib.topk import TopK

GREEDY = ("mmr", "msd", "ssd", "dpp")
FACETS = ("xquad", "pm2", "calibrated")
N_ITEMS, N_FACETS = 50, 6


def draw(seed=1, *, n_lists=12, width=20, d=24, scale=1.7):
    """(candidates, item vectors): random lists, best first, with scores of both signs and all items different."""
    rng = np.random.default_rng(seed)
    items = np.array([rng.permutation(N_ITEMS)[:width] for _ in range(n_lists)])
    scores = -np.sort(-rng.normal(size=(n_lists, width)), axis=1)
    return TopK(items, scores, scale), rng.normal(size=(N_ITEMS, d))


def awkward(seed=2, **sizes):
    """Short and empty lists, a list of the unwanted, equal scores, zero vectors and the same vector twice."""
    candidates, vectors = draw(seed, **sizes)
    items, scores = candidates.items.copy(), candidates.scores.copy()
    scores = np.round(scores, 1)  # many are equal now
    vectors[[3, 4]] = 0
    vectors[9], vectors[30] = vectors[8], 4 * vectors[8]
    for row, length in enumerate((0, 1, 2, 5)):
        items[row, length:], scores[row, length:] = -1, -np.inf
    scores[5] -= 9
    items[5, 9:], scores[5, 9:] = -1, -np.inf
    items[4, :6] = 8, 9, 3, 30, 4, 7
    items[4, 6:], scores[4, 6:] = -1, -np.inf
    return TopK(items, scores, candidates.scale), vectors


def facets_of(candidates, seed=3):
    """(item facets, user facets): some items without a facet, one user who wants none."""
    rng = np.random.default_rng(seed)
    items = (rng.random((N_ITEMS, N_FACETS)) < 0.3) * rng.integers(1, 4, (N_ITEMS, N_FACETS))
    users = rng.gamma(0.5, size=(len(candidates), N_FACETS)) * (rng.random((len(candidates), N_FACETS)) < 0.7)
    users[-1:] = 0
    return items, users


def call(name, candidates, vectors, **arguments):
    """Any re-ranker by its name, on the same candidates; those that read facets get the facets of `facets_of`."""
    if name in FACETS:
        return getattr(rerank, name)(candidates, *facets_of(candidates), **arguments)
    if name == "exposure":
        return rerank.exposure(candidates, **arguments)
    return getattr(rerank, name)(candidates, vectors, **arguments)


def cosines(vectors):
    """(n, n) float64; a zero vector is unlike everything but itself."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length > 0, length, 1)
    table = unit @ unit.T
    np.fill_diagonal(table, 1)
    return table


def listed(candidates, row):
    """(items, relevance) of one list without its padding."""
    n = (candidates.items[row] >= 0).sum()
    return candidates.items[row, :n], candidates.scores[row, :n].astype(float) / candidates.scale


def left_over(cosine, i, chosen):
    """d_i^2: what the span of the chosen ones does not explain of item i."""
    if not chosen:
        return 1.0
    among, towards = cosine[np.ix_(chosen, chosen)], cosine[i, chosen]
    return cosine[i, i] - towards @ np.linalg.pinv(among, rcond=1e-9, hermitian=True) @ towards


def novelty(rule, cosine, i, chosen, floor):
    if rule == "mmr":
        return -max(cosine[i, j] for j in chosen)
    if rule == "msd":
        return sum(1 - cosine[i, j] for j in chosen)
    left = max(left_over(cosine, i, chosen), floor)
    return np.sqrt(left) if rule == "ssd" else np.log(left)


def plain_greedy(rule, relevance, cosine, k, trade_off, floor=1e-12):
    """Places of the picks, in the order of selection."""
    chosen = []
    for _ in range(min(k, len(relevance))):
        best, best_value = None, -np.inf
        for i in range(len(relevance)):
            if i in chosen:
                continue
            value = relevance[i]
            if chosen:
                value = (1 - trade_off) * value + trade_off * novelty(rule, cosine, i, chosen, floor)
            if value > best_value:
                best, best_value = i, value
        chosen.append(best)
    return chosen


def plain_lists(rule, candidates, vectors, k, trade_off, **arguments):
    """(n, k) items in the order of selection, -1 behind them."""
    lists = np.full((len(candidates), k), -1)
    for row in range(len(candidates)):
        items, relevance = listed(candidates, row)
        if len(items):
            picks = plain_greedy(rule, relevance, cosines(vectors[items]), k, trade_off, **arguments)
            lists[row, : len(picks)] = items[picks]
    return lists
