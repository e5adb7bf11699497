"""From scores to probabilities: how likely is it that a user takes what stands at this place of this list?

A re-ranker weighs relevance against diversity item by item and user by user, so it needs to know what a score is worth.
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
from scipy import optimize, special

from recsys_lib import splits
from recsys_lib.interactions import ITEM, RATING, TIME, USER, Interactions
from recsys_lib.models.base import Recommender

DEPTH = 1000  # places of the held-out lists that the curve is fitted on
LEAST = 0.01  # units of relevance below which scores are not told apart
FLATTEST = 1e-3  # the least a_3: where nothing can be learned, P still falls from rank to rank, as the scores do


class HitProbability(Recommender):
    r"""Any model, with its scores turned into the probability that the user takes the item.

    .. math:: P = \sigma(a_0 + a_1 s + a_2 \log s - a_3 \log r + a_4 \log n_u)

    where s is the score in units of the model's scale, r the item's rank among what the user has not had, and n_u the
    length of the history: Platt scaling (1999) with what else is known. It is fitted by maximum likelihood on the lists
    of a first fit that has not seen a part of `train`; a_1, a_2 >= 0 and a_3 > 0, so that no list changes its order.
    Then the model is fitted on all of `train`.

    Parameters
    ----------
    model : an unfitted Recommender
    holdout : "random" or "latest"
        The part: a random quarter of each user's interactions, or the latest fifth (needs timestamps).
    rng : int, Generator or None

    Attributes
    ----------
    model_ : the fitted model
    curve_ : (5,) a_0 to a_4
    """

    def __init__(self, model: Recommender, *, holdout: str = "random", rng=0):
        self.model, self.holdout, self.rng = model, holdout, rng

    def _fit(self, train, item_vectors):
        part, rest = hold_out(train, self.holdout, np.random.default_rng(self.rng))
        first = copy.deepcopy(self.model).fit(part, item_vectors)
        lists = first.recommend(k=min(DEPTH, train.n_items))
        listed = lists.items >= 0
        hits = np.take_along_axis(rest.matrix.toarray() > 0, np.where(listed, lists.items, 0), axis=1)
        units = np.where(listed, lists.scores, 0) / first.scale_
        rank = np.broadcast_to(np.arange(1, lists.k + 1), units.shape)
        features = curve_features(units, rank, history_length(part)[:, None])
        self.curve_ = fit_curve(features[listed], hits[listed])
        self.model_ = copy.deepcopy(self.model).fit(train, item_vectors)

    def score(self, users):
        scores = np.asarray(self.model_.score(users), np.float64)
        rank = unseen_rank(scores, self.train_.matrix[users])
        return probability(self.curve_, scores / self.model_.scale_, rank, history_length(self.train_)[users][:, None])


def hold_out(train: Interactions, how: str, rng) -> tuple[Interactions, Interactions]:
    """`train` in two parts with the same rows and columns: most of it, and a random quarter or the latest fifth."""
    if how not in ("random", "latest"):
        raise ValueError(f"holdout must be 'random' or 'latest', not {how!r}")
    rows = np.repeat(np.arange(train.n_users), np.diff(train.matrix.indptr))
    frame = pd.DataFrame({USER: rows, ITEM: train.matrix.indices})
    for name, cells in ((RATING, train.ratings), (TIME, train.timestamps)):
        if cells is not None:
            frame[name] = cells.data
    if how == "latest" and train.timestamps is None:
        raise ValueError("holdout='latest' needs timestamps: build the interactions from a frame with that column")
    split = splits.random_per_user(frame, rng=rng) if how == "random" else splits.temporal_per_user(frame)
    users, items = np.arange(train.n_users), np.arange(train.n_items)
    return tuple(Interactions.from_frame(part, users, items) for part in (split.train, split.test))


def history_length(train: Interactions) -> np.ndarray:
    return np.diff(train.matrix.indptr)


def unseen_rank(scores: np.ndarray, seen) -> np.ndarray:
    """1 + the number of unseen items with a higher score, for each cell of (n, n_items) scores; ties by column."""
    unseen = np.ones(scores.shape, bool)
    unseen[np.repeat(np.arange(len(scores)), np.diff(seen.indptr)), seen.indices] = False
    order = np.argsort(-scores, axis=1, kind="stable")
    above = np.cumsum(np.take_along_axis(unseen, order, 1), axis=1) - np.take_along_axis(unseen, order, 1)
    rank = np.empty(scores.shape, np.int64)
    np.put_along_axis(rank, order, above + 1, axis=1)
    return rank


def curve_features(units, rank, length) -> np.ndarray:
    """(..., 5): 1, s, log s, -log r, log n."""
    columns = np.ones_like(units), units, np.log(np.maximum(units, LEAST)), -np.log(rank), np.log(np.maximum(length, 1))
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def fit_curve(features: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Maximum likelihood, (m, 5) -> (5,), with a slight ridge; those of score and rank are kept at 0 or above."""
    centre = features.mean(axis=0) * [0, 1, 1, 1, 1]
    spread = np.maximum(features.std(axis=0), 1e-6)
    spread[0] = 1
    table, target = (features - centre) / spread, hits.astype(float)

    def loss(weights):
        logit = table @ weights
        value = np.logaddexp(0, logit).sum() - logit[hits].sum()
        gradient = table.T @ (special.expit(logit) - target)
        return value + 0.5 * (weights[1:] ** 2).sum(), gradient + np.r_[0, weights[1:]]

    bounds = [(None, None), (0, None), (0, None), (FLATTEST * spread[3], None), (None, None)]
    start = np.r_[special.logit(np.clip(target.mean(), 1e-6, 0.5)), 0, 0, bounds[3][0], 0]
    weights = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x / spread
    weights[0] -= centre @ weights
    return weights


def probability(curve: np.ndarray, units, rank, length) -> np.ndarray:
    """P of each cell, float32, computed without the (..., 5) table of `curve_features`."""
    logit = curve[0] + curve[1] * units + curve[2] * np.log(np.maximum(units, LEAST))
    return special.expit(logit - curve[3] * np.log(rank) + curve[4] * np.log(np.maximum(length, 1))).astype(np.float32)
