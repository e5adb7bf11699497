"""Maximal marginal relevance: the oldest diverse re-ranker, and still hard to beat."""

from __future__ import annotations

import numpy as np

from recsys_lib.topk import TopK

BLOCK_CELLS = 8_000_000  # candidate vector entries held at once: 32 MB of float32


def mmr(
    candidates: TopK, item_vectors: np.ndarray, k: int = 10, trade_off: float = 0.5, order: str = "relevance"
) -> TopK:
    """Pick k of the candidates, each time the one that is relevant and unlike what was picked before.

    step: argmax over i not in S of (1 - t) score_i / scale - t max_{j in S} cos(i, j)      (Carbonell & Goldstein 1998)

    Parameters
    ----------
    candidates : TopK
        Longer lists, best first; `candidates.scale` puts every model's scores on one scale.
    item_vectors : (n_items, d) array
        A zero vector has cosine 0 with everything.
    k : int
    trade_off : float in [0, 1]
        t: 0 returns the candidates' first k as they stand, 1 ignores relevance.
    order : "relevance" or "selection"
        How the chosen set is shown: by the candidates' order (a user reads from the top, so this is free accuracy),
        or in the order in which the items were picked.

    Raises
    ------
    ValueError
        If `trade_off`, `order`, `k` or the vectors are out of range.
    """
    vectors = np.asarray(item_vectors, np.float32)
    if not 0 <= trade_off <= 1:
        raise ValueError(f"trade_off must lie between 0 (relevance) and 1 (diversity), not {trade_off}")
    if order not in ("relevance", "selection"):
        raise ValueError(f"order must be 'relevance' or 'selection', not {order!r}")
    if not 1 <= k <= candidates.k:
        raise ValueError(f"k must lie between 1 and the {candidates.k} candidates, not {k}")
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError("item_vectors must be an (n_items, d) table of finite numbers")
    if candidates.items.size and candidates.items.max() >= len(vectors):
        raise ValueError(f"candidates name item {candidates.items.max()}, but there are only {len(vectors)} vectors")
    if trade_off == 0:
        return candidates.head(k)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length > 0, length, 1)
    picks = np.empty((len(candidates), k), np.int64)
    step = max(1, BLOCK_CELLS // (candidates.k * vectors.shape[1]))
    for start in range(0, len(candidates), step):
        block = slice(start, start + step)
        relevance = candidates.scores[block] / np.float32(candidates.scale)
        picks[block] = _pick(candidates.items[block], relevance, unit, k, np.float32(trade_off))
    if order == "relevance":
        picks.sort(axis=1)
    return TopK(
        np.take_along_axis(candidates.items, picks, 1),
        np.take_along_axis(candidates.scores, picks, 1),
        candidates.scale,
    )


def _pick(items, relevance, unit, k, trade_off):
    """Positions of the picks in the order of selection: (n, k). Padding (-1) is picked last, in its own order."""
    rows, listed = np.arange(len(items)), items >= 0
    vectors = unit[np.where(listed, items, 0)]
    merit = (1 - trade_off) * np.where(listed, relevance, 0)
    merit[~listed] = -np.inf
    nearest = np.full(items.shape, -np.inf, np.float32)  # cosine with the most similar pick so far
    picks = np.empty((len(items), k), np.int64)
    taken = np.zeros(items.shape, bool)
    for place in range(k):
        value = merit if place == 0 else merit - trade_off * nearest
        value = np.where(taken, -np.inf, value)
        pick = value.argmax(axis=1)
        # argmax over -inf alone answers 0, which may be taken: the first free place is meant then
        stuck = np.isneginf(value[rows, pick])
        pick[stuck] = (~taken[stuck]).argmax(axis=1)
        picks[:, place], taken[rows, pick] = pick, True
        nearest = np.maximum(nearest, np.einsum("ncd,nd->nc", vectors, vectors[rows, pick]))
    return picks
