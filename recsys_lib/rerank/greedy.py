r"""Four greedy re-rankers that differ in one thing: what they call novel.

Each picks k times the candidate with the largest

.. math:: (1 - t)\, r_i + t \, \mathrm{novelty}_i(S), \qquad r_i = \mathrm{score}_i / \mathrm{scale}

and adds it to S. With c the cosine and d^2 what is left of item i's unit vector once the span of S is taken out:

======  =====================================  ==========================================================
mmr     -max over j in S of c_ij               Carbonell & Goldstein, SIGIR 1998
msd     sum over j in S of (1 - c_ij)          max-sum diversification: Gollapudi & Sharma, WWW 2009, eq. 3
ssd     d_i                                    sliding spectrum decomposition: Huang et al., KDD 2021, eq. 12
dpp     log d_i^2                              fast greedy MAP of a DPP: Chen, Zhang & Zhou, NeurIPS 2018
======  =====================================  ==========================================================

The first pick is always the most relevant candidate. A zero vector is unlike everything: cosine 0, d = 1.
"""

from __future__ import annotations

import numpy as np

from recsys_lib.rerank import compiled
from recsys_lib.rerank.compiled import FLOOR
from recsys_lib.rerank.inputs import Cosines, as_shown, block_of, blocks, check, cosines, on_grid
from recsys_lib.topk import TopK

RULES = ("mmr", "msd", "ssd", "dpp")


def mmr(candidates: TopK, item_vectors, k: int = 10, trade_off: float = 0.5, order="relevance", engine="numba") -> TopK:
    """Maximal marginal relevance: an item is novel if even the most similar pick is unlike it.

    Parameters
    ----------
    candidates : TopK
        Longer lists, best first; `candidates.scale` puts every model's scores on one scale.
    item_vectors : (n_items, d) array
        Of any length; a zero vector has cosine 0 with everything.
    k : int
    trade_off : float in [0, 1]
        t: 0 returns the candidates' first k as they stand, 1 ignores relevance.
    order : "relevance" or "selection"
        How the chosen set is shown: by the candidates' order (a user reads from the top, so this is free accuracy),
        or in the order in which the items were picked.
    engine : "numba" or "numpy"
        Compiled, or the plain reference; the lists are the same.

    Raises
    ------
    ValueError
        If `trade_off`, `order`, `k`, the candidates or the vectors are out of range.

    Source: Carbonell & Goldstein, SIGIR 1998.
    """
    return _greedy("mmr", candidates, item_vectors, k, trade_off, order, engine)


def msd(candidates: TopK, item_vectors, k: int = 10, trade_off: float = 0.5, order="relevance", engine="numba") -> TopK:
    """Max-sum diversification: an item is as novel as it is far from all picks together. Arguments as in `mmr`.

    Greedy on (1 - t) sum_i r_i + t sum_{i<j} (1 - c_ij). Source: Gollapudi & Sharma, WWW 2009, eq. 3.
    """
    return _greedy("msd", candidates, item_vectors, k, trade_off, order, engine)


def ssd(candidates: TopK, item_vectors, k: int = 10, trade_off: float = 0.5, order="relevance", engine="numba") -> TopK:
    """Spectrum decomposition: an item is as novel as the length of it that no pick can explain. Arguments as in `mmr`.

    The window of the paper is the list itself. Source: Huang et al., KDD 2021 (arXiv:2107.05204), eq. 12.
    """
    return _greedy("ssd", candidates, item_vectors, k, trade_off, order, engine)


def dpp(candidates: TopK, item_vectors, k: int = 10, trade_off: float = 0.5, order="relevance", engine="numba") -> TopK:
    """Determinantal point process: greedy on (1 - t) sum_i r_i + t log det C_S. Arguments as in `mmr`.

    C_S are the cosines of the picks; log det grows by log d_i^2 when i is added (Cholesky). Source: Chen, Zhang & Zhou,
    NeurIPS 2018 (arXiv:1709.05135), algorithm 1.
    """
    return _greedy("dpp", candidates, item_vectors, k, trade_off, order, engine)


def _greedy(rule, candidates, item_vectors, k, trade_off, order, engine) -> TopK:
    check(candidates, k, trade_off, order)
    if engine not in ("numba", "numpy"):
        raise ValueError(f"engine must be 'numba' or 'numpy', not {engine!r}")
    similar = cosines(candidates, item_vectors, k)
    if trade_off == 0 or not len(similar.unit):  # nothing but padding
        return candidates.head(k)
    picks = np.empty((len(candidates), k), np.int32)
    for rows in blocks(candidates):
        items, relevance = block_of(candidates, rows)
        codes = similar.code[items]
        if engine == "numba":
            arguments = RULES.index(rule), codes, relevance, similar.unit, similar.table, k, np.float32(trade_off)
            picks[rows] = compiled.greedy(*arguments)
        else:
            picks[rows] = _plain(rule, codes, relevance, similar, k, np.float32(trade_off))
    return as_shown(candidates, picks, order)


def _plain(rule: str, codes, relevance, similar: Cosines, k: int, trade_off) -> np.ndarray:
    """Places of the picks (n, k) in the order of selection, for all users at once; padding is picked last."""
    everyone = np.arange(len(codes))
    merit = np.full_like(relevance, -np.inf)
    np.multiply(1 - trade_off, relevance, out=merit, where=relevance > -np.inf)
    state = np.full(codes.shape, {"mmr": -np.inf, "msd": 0.0}.get(rule, 1.0), np.float32)
    spanned = np.zeros((k, *codes.shape), np.float32) if rule in ("ssd", "dpp") else None
    picks = np.zeros((len(codes), k), np.int32)  # the first pick is the first candidate
    for place in range(k):
        if place > 0:
            value = merit + trade_off * _novelty(rule, state)
            pick = value.argmax(axis=1)
            picks[:, place] = np.where(value[everyone, pick] > -np.inf, pick, place)  # else only padding is left
        pick = picks[:, place]
        merit[everyone, pick] = -np.inf
        if place == k - 1:
            break
        row = _cosines_with(codes[everyone, pick], codes, similar)
        if rule == "mmr":
            np.maximum(state, row, out=state)
        elif rule == "msd":
            state += 1 - row
        else:
            for before in spanned[:place]:
                row -= before[everyone, pick][:, None] * before
            # a pick that lies in the span adds nothing to it
            left = state[everyone, pick]
            spanned[place] = row / np.sqrt(np.where(left > FLOOR, left, np.inf))[:, None]
            state -= spanned[place] ** 2
    return picks


def _cosines_with(code, codes, similar: Cosines) -> np.ndarray:
    """(n, c) cosines of one item a user with that user's candidates."""
    if similar.table.size:
        return similar.table.take(code[:, None] * len(similar.table) + codes, mode="wrap")
    pairs = zip(codes, similar.unit[code], strict=True)
    return on_grid(np.array([np.einsum("cd,d->c", similar.unit[own], vector) for own, vector in pairs]))


def _novelty(rule: str, state: np.ndarray) -> np.ndarray:
    if rule == "mmr":
        return -state
    if rule == "msd":
        return state
    left = np.maximum(state, FLOOR)
    return np.sqrt(left) if rule == "ssd" else np.log(left)
