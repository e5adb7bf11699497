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
from recsys_lib.rerank.inputs import Cosines, as_shown, block_of, blocks, check, cosines, on_grid
from recsys_lib.topk import TopK

FLOOR = np.float32(1e-6)  # d^2 of an item that lies in the span of S
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
    if trade_off == 0:
        return candidates.head(k)
    picks = np.empty((len(candidates), k), np.int32)
    width = 1 if engine == "numba" or similar.table.size else similar.unit.shape[1]
    for rows in blocks(candidates, width):
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
    merit = (1 - trade_off) * np.where(np.isfinite(relevance), relevance, 0)
    merit[np.isneginf(relevance)] = -np.inf
    state = np.full(codes.shape, {"mmr": -np.inf, "msd": 0.0}.get(rule, 1.0), np.float32)
    spanned = np.zeros((k, *codes.shape), np.float32) if rule in ("ssd", "dpp") else None
    vectors = None if similar.table.size else similar.unit[codes]
    free = np.ones(codes.shape, bool)
    picks = np.empty((len(codes), k), np.int32)
    for place in range(k):
        value = relevance if place == 0 else merit + trade_off * _novelty(rule, state)
        value = np.where(free, value, -np.inf)
        pick = value.argmax(axis=1)
        # argmax over -inf alone answers 0, which may be taken: the first free place is meant then
        stuck = np.isneginf(value[everyone, pick])
        pick[stuck] = free[stuck].argmax(axis=1)
        picks[:, place], free[everyone, pick] = pick, False
        if vectors is None:
            row = similar.table[codes[everyone, pick][:, None], codes]
        else:
            row = on_grid(np.einsum("ncd,nd->nc", vectors, vectors[everyone, pick]))
        if rule == "mmr":
            np.maximum(state, row, out=state)
        elif rule == "msd":
            state += 1 - row
        else:
            left = np.sqrt(np.maximum(state[everyone, pick], FLOOR))
            known = np.einsum("pnc,pn->nc", spanned[:place], spanned[:place, everyone, pick])
            spanned[place] = (row - known) / left[:, None]
            state -= spanned[place] ** 2
    return picks


def _novelty(rule: str, state: np.ndarray) -> np.ndarray:
    if rule == "mmr":
        return -state
    if rule == "msd":
        return state
    left = np.maximum(state, FLOOR)
    return np.sqrt(left) if rule == "ssd" else np.log(left)
