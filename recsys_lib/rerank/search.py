"""Local search on what a list is worth as it will be read, for one list at a time or for the whole catalogue."""

from __future__ import annotations

import numpy as np

from recsys_lib.rerank import compiled
from recsys_lib.rerank.inputs import as_shown, block_of, blocks, check, cosines
from recsys_lib.topk import TopK


def swap(candidates: TopK, item_vectors, k: int = 10, trade_off: float = 0.5) -> TopK:
    r"""Swap one item at a time as long as the list gets better; greedy picks can be regretted.

    .. math:: \max_S\; (1 - t) \sum_a \gamma_a r_{(a)} + t \, \mathrm{ILD}(S), \quad
              \gamma_a \propto 1 / \log_2(a + 1), \; \sum_a \gamma_a = 1

    with the list sorted by relevance, so that the first term is what nDCG counts and the second is the metric itself.
    Two searches, from the most relevant items and from the greedy set, take the best swap until none helps; the better
    end is kept. The result is at least as good as greedy's on this objective, and no single swap improves it.
    (Local search for max-sum diversification: Borodin et al., PODS 2012, section 5.)

    Parameters
    ----------
    candidates, item_vectors, k, trade_off : as in `mmr`; here r and ILD are both means over the list.

    Returns
    -------
    TopK, best first.
    """
    check(candidates, k, trade_off)
    similar = cosines(candidates, item_vectors, k)
    if trade_off == 0:
        return candidates.head(k)
    picks = np.empty((len(candidates), k), np.int32)
    for rows in blocks(candidates):
        items, relevance = block_of(candidates, rows)
        arguments = similar.code[items], relevance, similar.unit, similar.table, discounts(k), np.float32(trade_off)
        picks[rows] = compiled.search(*arguments)
    return as_shown(candidates, picks, "relevance")


def joint(
    candidates: TopK,
    item_vectors=None,
    k: int = 10,
    trade_off: float = 0.0,
    catalogue: float = 0.1,
    *,
    target: int | None = None,
    n_passes: int = 3,
    rng=0,
) -> TopK:
    r"""Lists that are good singly and show the catalogue together: `swap`'s objective and a concave sum of exposures.

    .. math:: \max\; \sum_u \Big[(1 - t) \sum_a \gamma_a r_{u(a)} + t\,\mathrm{ILD}(S_u)\Big]
              + w \sum_i g(e_i), \quad e_i = |\{u : i \in S_u\}|

    g(e) = log(1 + e) pays most for the first showing of an item (the fifth is worth a quarter of it), and so buys
    coverage; g(e) = min(e, target) / target pays for each showing alike until `target` users see the item, and so buys
    `exposed_5` where the target is 5. Coordinate ascent: users in random order; each list is taken out of the
    exposures, improved by swaps that see them, and put back, so that the objective never falls. A list depends on
    the others' lists: here a user's list is not the same alone and in a batch.

    Parameters
    ----------
    item_vectors : (n_items, d) array, optional
        May be None if `trade_off` is 0.
    catalogue : float
        w, the weight of the exposures; 0 gives `swap`'s search from the most relevant items alone.
    target : int, optional
        Showings after which an item needs no more; None takes the logarithm.
    n_passes : int
    rng : int, Generator or None
        The order of the users.
    """
    check(candidates, k, trade_off)
    if not (catalogue >= 0 and n_passes >= 1 and (target is None or target >= 1)):
        raise ValueError(
            f"catalogue must not be negative, n_passes and target must be at least 1, but they are {catalogue}, "
            f"{n_passes} and {target}"
        )
    if item_vectors is None:
        if trade_off > 0:
            raise ValueError("trade_off above 0 needs item_vectors: without them there is no distance")
        item_vectors = np.zeros((candidates.items.max(initial=0) + 1, 1))
    rng = np.random.default_rng(rng)
    similar = cosines(candidates, item_vectors, k)
    items, relevance = block_of(candidates, slice(None))
    codes = similar.code[items]
    picks = np.tile(np.arange(k, dtype=np.int32), (len(items), 1))
    first = items[:, :k]
    exposure = np.bincount(first[first >= 0], minlength=len(similar.code))
    counts = np.arange(len(items) + 1)
    gains = np.log((counts + 2) / (counts + 1)) if target is None else np.where(counts < target, 1 / target, 0.0)
    for _ in range(n_passes):
        order = rng.permutation(len(items))
        compiled.ascend(
            order, items, codes, relevance, similar.unit, similar.table, discounts(k), np.float32(trade_off),
            (catalogue * gains).astype(np.float32), exposure, picks,
        )  # fmt: skip
    return as_shown(candidates, picks, "relevance")


def exposure(candidates: TopK, k: int = 10, trade_off: float = 0.5, *, rng=0) -> TopK:
    """One pass over the users in random order; each gets the k best by (1 - t) r_i - t log(1 + e_i).

    e_i counts the lists so far that show i: what can be done online, when users come one after the other and no list
    can be taken back.

    Parameters
    ----------
    candidates, k, trade_off : as in `mmr`
    rng : int, Generator or None
        The order of the users.
    """
    check(candidates, k, trade_off)
    if trade_off == 0:
        return candidates.head(k)
    items, relevance = candidates.items, candidates.scores / np.float32(candidates.scale)
    shown = np.zeros(items.max(initial=0) + 2)  # the last one counts the padding
    picks = np.empty((len(items), k), np.int64)
    for user in np.random.default_rng(rng).permutation(len(items)):
        merit = (1 - trade_off) * np.where(items[user] >= 0, relevance[user], 0)
        value = merit - trade_off * np.log1p(shown[items[user]])
        value[items[user] < 0] = -np.inf
        picks[user] = np.argsort(-value, kind="stable")[:k]
        shown[items[user, picks[user]]] += 1
    return as_shown(candidates, picks, "relevance")


def discounts(k: int) -> np.ndarray:
    """(k,) float32 weights of the places, as in nDCG, summing to 1."""
    weights = 1 / np.log2(np.arange(2, k + 2))
    return (weights / weights.sum()).astype(np.float32)
