r"""Re-rankers that know what a list should be about: facets of the items (genres), and what of each a user wants.

q_ic is the share of facet c in item i (a row of `item_facets` divided by its sum), p_c what the user wants of c (a row
of `user_facets` divided by its sum). Each re-ranker picks k times the candidate with the largest
(1 - t) r_i + t novelty_i(S), r = score / scale:

==========  ==========================================================================  =============================
xquad       sum_c p_c q_ic prod over j in S of (1 - q_jc)                               Santos et al., WWW 2010
pm2         sum_c w_c v_c q_ic with v_c = p_c / (2 s_c + 1), s_c = sum over S of q_jc   Dang & Croft, SIGIR 2012
calibrated  -KL(p | .99 mean q of S and i + .01 p)                                      Steck, RecSys 2018, eq. 3, 5
==========  ==========================================================================  =============================

xQuAD asks for each facet, and the more of it is shown the less it asks; PM-2 gives out places as a parliament's seats
are given to parties (Sainte-Lague), with w_c = `lead` for the facet whose turn it is (the largest v) and 1 - `lead` for
the others; calibration wants the list's shares to be the user's.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from recsys_lib.interactions import Interactions
from recsys_lib.rerank.inputs import as_shown, block_of, blocks, check, checked_rows
from recsys_lib.topk import TopK

MIX = 0.01  # how much of p is mixed into a list's shares, so that a missing facet costs a finite amount


def user_facets(train: Interactions, item_facets) -> np.ndarray:
    """(n_users, n_facets): the mean shares of the facets in each user's history, p(c | u)."""
    shares = _shares(np.asarray(item_facets))
    return np.asarray((train.matrix > 0).astype(float) @ shares) / np.maximum(np.diff(train.matrix.indptr), 1)[:, None]


def xquad(candidates: TopK, item_facets, user_facets, k: int = 10, trade_off: float = 0.5, order="relevance") -> TopK:
    """Explicit query aspect diversification: each facet the user wants, asked until it has been shown.

    Parameters
    ----------
    candidates, k, trade_off, order : as in `mmr`
    item_facets : (n_items, n_facets) array, not negative; a row of zeros has no facet
    user_facets : (n_lists, n_facets) array, not negative, one row a list of `candidates`; see `rerank.user_facets`

    Source: Santos, Macdonald & Ounis, WWW 2010, eq. 2 to 7, with q for the probability that an item is about a facet.
    """
    return _greedy(_XQuAD, candidates, item_facets, user_facets, k, trade_off, order)


def pm2(
    candidates: TopK,
    item_facets,
    user_facets,
    k: int = 10,
    trade_off: float = 0.5,
    order="relevance",
    lead: float = 0.8,
) -> TopK:
    """Proportionality: places are given to facets as seats are given to parties. Arguments as in `xquad`.

    `lead` is the paper's lambda, what the facet whose turn it is counts against all others; relevance is added, as in
    the other re-rankers. Source: Dang & Croft, SIGIR 2012, algorithm 1.
    """
    if not 0 <= lead <= 1:
        raise ValueError(f"lead must lie between 0 and 1, not {lead}")
    return _greedy(partial(_PM2, lead=lead), candidates, item_facets, user_facets, k, trade_off, order)


def calibrated(
    candidates: TopK, item_facets, user_facets, k: int = 10, trade_off: float = 0.5, order="relevance"
) -> TopK:
    """Calibration: the list's shares of facets shall be the user's. Arguments as in `xquad`.

    Source: Steck, RecSys 2018, eq. 3 and 5; greedy as in his section 4.
    """
    return _greedy(_Calibrated, candidates, item_facets, user_facets, k, trade_off, order)


def _greedy(method, candidates, item_facets, wanted, k, trade_off, order) -> TopK:
    check(candidates, k, trade_off, order)
    shares = _shares(checked_rows(item_facets, candidates, "item_facets"))
    wanted = np.asarray(wanted, float)
    if wanted.shape != (len(candidates), shares.shape[1]):
        raise ValueError(
            f"user_facets must have one row a list and one column a facet, {(len(candidates), shares.shape[1])}, "
            f"not {wanted.shape}"
        )
    wanted = _shares(wanted, "user_facets")
    if trade_off == 0:
        return candidates.head(k)
    shares = np.vstack([shares, np.zeros(shares.shape[1])])  # the last row is the padding's
    picks = np.empty((len(candidates), k), np.int32)
    for rows in blocks(candidates, shares.shape[1]):
        items, relevance = block_of(candidates, rows)
        state = method(shares[items], wanted[rows])
        free, everyone = items >= 0, np.arange(len(items))
        left = np.ones(items.shape, bool)
        for place in range(k):
            value = (1 - trade_off) * np.where(items >= 0, relevance, 0) + trade_off * state.novelty(place)
            pick = np.where(free, value, -np.inf).argmax(axis=1)
            empty = ~free.any(axis=1)  # only padding is left: it keeps its order
            pick[empty] = left[empty].argmax(axis=1)
            picks[rows.start : rows.start + len(items), place] = pick
            free[everyone, pick] = left[everyone, pick] = False
            state.add(state.shares[everyone, pick])
    return as_shown(candidates, picks, order)


class _XQuAD:
    def __init__(self, shares, wanted):
        self.shares, self.asked = shares, wanted.copy()

    def novelty(self, place):
        return np.einsum("ncf,nf->nc", self.shares, self.asked)

    def add(self, picked):
        self.asked *= 1 - picked


class _PM2:
    def __init__(self, shares, wanted, lead):
        self.shares, self.wanted, self.lead, self.seats = shares, wanted, lead, np.zeros_like(wanted)

    def novelty(self, place):
        quotient = self.wanted / (2 * self.seats + 1)
        weight = np.full_like(quotient, 1 - self.lead)
        np.put_along_axis(weight, quotient.argmax(axis=1)[:, None], self.lead, axis=1)
        return np.einsum("ncf,nf->nc", self.shares, weight * quotient)

    def add(self, picked):
        self.seats += picked


class _Calibrated:
    def __init__(self, shares, wanted):
        self.shares, self.wanted, self.shown = shares, wanted, np.zeros_like(wanted)

    def novelty(self, place):
        total = np.empty(self.shares.shape[:2])
        for user in range(len(total)):  # one user at a time: the logarithms of a block would not fit the cache
            wants = self.wanted[user] > 0
            p = self.wanted[user, wants]
            mean = (self.shown[user, wants] + self.shares[user][:, wants]) / (place + 1)
            total[user] = (p * np.log((1 - MIX) * mean + MIX * p)).sum(axis=1) - (p * np.log(p)).sum()
        return total

    def add(self, picked):
        self.shown += picked


def _shares(values: np.ndarray, name: str = "item_facets") -> np.ndarray:
    values = np.asarray(values, float)
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"{name} must be finite and not negative")
    total = values.sum(axis=1, keepdims=True)
    return values / np.where(total > 0, total, 1)
