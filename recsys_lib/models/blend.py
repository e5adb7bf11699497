"""Blend: several models in one, their weights chosen where it can be told who is right: on interactions held out."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_lib.models.base import BLOCK_CELLS, Recommender
from recsys_lib.models.content import LinearTextMap
from recsys_lib.models.feature_ials import FeatureIALS
from recsys_lib.models.linear import EASE
from recsys_lib.models.mult_vae import MultVAE
from recsys_lib.models.neighbours import ItemKNN
from recsys_lib.models.probability import (
    DEPTH,
    curve_features,
    fit_curve,
    history_length,
    hold_out,
    probability,
    unseen_rank,
)
from recsys_lib.models.recency import SLIT, FadingEASE
from recsys_lib.models.warp import WARPFactorization
from recsys_lib.topk import best

WIDTH = 200  # items of each user among which the weights are chosen: the best by the members' mean
UNLISTED = -1e6  # the standardised score of a place that no item fills


class Member(NamedTuple):
    """A model of a blend.

    model : unfitted
    reads : name of the array of `item_vectors` that it reads, or None
    everything : whether it learns from all interactions where `min_rating` keeps only some as liked
    """

    model: Recommender
    reads: str | None = None
    everything: bool = False


class Blend(Recommender):
    r"""A weighted mean of models whose scores are standardised user by user, turned into a probability.

    .. math:: s_{ui} = \sum_m w_m \frac{s^m_{ui} - \mathrm{mean}_j\, s^m_{uj}}{\mathrm{std}_j\, s^m_{uj}},
              \qquad j \text{ over what u has not had}

    The weights come from ensemble selection (Caruana et al., ICML 2004): the members are fitted on a part of `train`;
    starting from nothing, the member whose addition raises nDCG@10 on the rest the most is added, again and again, with
    replacement. This is repeated for random halves of the users and the shares are averaged ("bagging", their section
    2.3), which keeps the choice from leaning on few users. Then the members are fitted anew on all of `train`. A member
    that does not help gets the weight 0, so it costs time, not accuracy.

    On the same held-out interactions the curve of `HitProbability` is fitted, and `score` returns P(u takes i): the
    order is that of s, but probabilities can be compared between users and added up, which re-ranking needs.

    Parameters
    ----------
    members : dict of name -> Member, optional
        Default: `default_members`.
    holdout : "random" or "latest"
        What is held out in `fit`: a random quarter of each user's interactions, or the latest fifth. Take "latest"
        where the lists are for tomorrow; it needs timestamps, and adds members that know what came last.
    min_rating : float, optional
        Only interactions with this rating or more are liked: they are what is predicted, and what most members learn
        from. Members that know what came last learn from all of them: a film that disappointed still says where its
        user was. Needs ratings.
    n_steps, n_bags : int
        Additions in one selection, and selections.
    rng : int, numpy Generator or None

    Attributes
    ----------
    weights_ : pandas.Series
        One weight a member, summing to 1.
    curve_ : (5,) coefficients of the probability, see `HitProbability`
    held_out_ : pandas.Series
        nDCG@10 of each member alone and of "Blend" on what was held out in `fit`, among the best WIDTH items.
    members_ : dict of name -> fitted model, those with a weight above 0
    """

    def __init__(
        self,
        *,
        members: dict[str, Member] | None = None,
        holdout: str = "random",
        min_rating: float | None = None,
        n_steps: int = 12,
        n_bags: int = 8,
        rng=0,
    ):
        self.members, self.holdout, self.min_rating = members, holdout, min_rating
        self.n_steps, self.n_bags, self.rng = n_steps, n_bags, rng

    def _fit(self, train, item_vectors):
        if not (self.n_steps >= 1 and self.n_bags >= 1):
            raise ValueError(f"n_steps and n_bags must be at least 1, not {self.n_steps} and {self.n_bags}")
        rng = np.random.default_rng(self.rng)
        vectors = {} if item_vectors is None else item_vectors
        if not isinstance(vectors, dict):
            vectors = {"text": vectors}
        members = default_members(vectors, self.holdout) if self.members is None else self.members
        if not members:
            raise ValueError("members is empty: a blend needs one at least, or None for the default ones")
        for name, member in members.items():
            if not isinstance(member, tuple):
                raise ValueError(
                    f"members[{name!r}] must be a Member, not {type(member).__name__}. Wrap it: Member(model)"
                )
        part, rest = hold_out(train, self.holdout, rng)
        rest = rest if self.min_rating is None else rest.at_least(self.min_rating)
        self.members_ = self._fitted(members, part, vectors)
        scores, relevant = self._candidates(part, rest)
        n_relevant = np.diff(rest.matrix.indptr)
        top = scores[..., :WIDTH], relevant[:, :WIDTH], n_relevant
        weights = select(*top, n_steps=self.n_steps, n_bags=self.n_bags, rng=rng)
        self.weights_ = pd.Series(weights, index=list(members), name="weight")
        total = np.tensordot(weights.astype(np.float32), scores, 1)
        each = dict(zip(members, top[0], strict=True)) | {"Blend": total[:, :WIDTH]}
        values = {name: _ndcg(mine, *top[1:]).mean() for name, mine in each.items()}
        self.held_out_ = pd.Series(values, name="ndcg")
        self.curve_ = _curve(total, relevant, history_length(part))
        chosen = {name: member for name, member in members.items() if self.weights_[name] > 0}
        self.members_ = self._fitted(chosen, train, vectors)

    def _fitted(self, members, train, vectors) -> dict[str, Recommender]:
        liked = train if self.min_rating is None else train.at_least(self.min_rating)
        fitted = {}
        for name, member in members.items():
            model, reads, everything = Member(*member)
            if reads is not None and reads not in vectors:
                raise ValueError(f"the member {name!r} reads item_vectors[{reads!r}], but there are {list(vectors)}")
            taken = None if reads is None else vectors[reads]
            fitted[name] = copy.deepcopy(model).fit(train if everything else liked, taken)
        return fitted

    def _candidates(self, part, rest):
        """(n_members, n_users, DEPTH) float32 standardised scores of each user's best, and which are relevant."""
        width = min(DEPTH, part.n_items)
        scores = np.empty((len(self.members_), part.n_users, width), np.float32)
        relevant = np.empty((part.n_users, width), bool)
        for users in _blocks(part.n_users, part.n_items * len(self.members_)):
            seen = part.matrix[users]
            each = np.stack([_standardised(member, users, seen) for member in self.members_.values()])
            mean = each.mean(axis=0)
            mean[np.repeat(np.arange(len(users)), np.diff(seen.indptr)), seen.indices] = -np.inf
            items, values = best(mean, width)
            place = np.where(items >= 0, items, 0)
            scores[:, users] = np.where(items >= 0, np.take_along_axis(each, place[None], axis=2), UNLISTED)
            relevant[users] = np.take_along_axis(rest.matrix[users].toarray() > 0, place, axis=1) & (items >= 0)
        return scores, relevant

    def score(self, users):
        users = np.atleast_1d(users)
        seen = self.train_.matrix[users]
        total = np.zeros((len(users), self.train_.n_items))
        for name, member in self.members_.items():
            total += self.weights_[name] * _standardised(member, users, seen)
        rank = unseen_rank(total, seen)
        return probability(self.curve_, total, rank, history_length(self.train_)[users][:, None])


def default_members(vectors: dict, holdout: str) -> dict[str, Member]:
    """Models that err in different ways: item-item, factors with text and with genres, an autoencoder, text alone.

    Those that read content read "text" and "genre" of `vectors` where they are there.
    """
    text, genre = (name if name in vectors else None for name in ("text", "genre"))
    members = {
        "EASE": Member(EASE()),
        "ItemKNN": Member(ItemKNN()),
        "FeatureIALS": Member(FeatureIALS(), text),
        "WARPFactorization": Member(WARPFactorization(), genre),
        "MultVAE": Member(MultVAE()),
    }
    if text:
        members["LinearTextMap"] = Member(LinearTextMap(), text)
    if holdout == "latest":
        members["FadingEASE, 3"] = Member(FadingEASE(half_life=3), everything=True)
        members["FadingEASE, 10"] = Member(FadingEASE(half_life=10), everything=True)
        members["SLIT"] = Member(SLIT(), everything=True)
    return members


def select(scores, relevant, n_relevant, *, n_steps: int, n_bags: int, rng) -> np.ndarray:
    """Weights (n_members,) that sum to 1, by bagged ensemble selection for nDCG@10.

    `scores` are (n_members, n_users, width), `relevant` (n_users, width) bool, `n_relevant` (n_users,) all that the
    user has, within the width or not.
    """
    testable = np.flatnonzero(n_relevant > 0)
    weights = np.zeros(len(scores))
    for _ in range(n_bags):
        users = np.sort(rng.permutation(testable)[: max(1, len(testable) // 2)])
        mine, theirs, sizes = scores[:, users], relevant[users], n_relevant[users]
        total, counts, best_value, best_counts = np.zeros_like(mine[0]), np.zeros(len(scores)), -1.0, None
        for _ in range(n_steps):
            values = [_ndcg(total + each, theirs, sizes).mean() for each in mine]
            added = int(np.argmax(values))
            total, counts[added] = total + mine[added], counts[added] + 1
            if values[added] > best_value:
                best_value, best_counts = values[added], counts.copy()
        weights += best_counts / best_counts.sum()
    return weights / n_bags


def _curve(scores, relevant, length) -> np.ndarray:
    """The curve of `HitProbability` for the blended (n_users, DEPTH) scores."""
    order = np.argsort(-scores, axis=1, kind="stable")
    scores, hits = np.take_along_axis(scores, order, 1), np.take_along_axis(relevant, order, 1)
    listed = scores > UNLISTED / 2
    rank = np.broadcast_to(np.arange(1, scores.shape[1] + 1), scores.shape)
    features = curve_features(np.where(listed, scores, 0).astype(float), rank, length[:, None])
    return fit_curve(features[listed], hits[listed])


def _ndcg(scores, relevant, n_relevant, k: int = 10) -> np.ndarray:
    """nDCG@k of the users who have anything relevant, from scores and relevance of the same (n_users, width) items."""
    known = n_relevant > 0
    scores, relevant, n_relevant = scores[known], relevant[known], n_relevant[known]
    k = min(k, scores.shape[1])
    top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable")
    hit = np.take_along_axis(relevant, np.take_along_axis(top, order, 1), 1)
    discount = 1 / np.log2(np.arange(2, k + 2))
    return hit @ discount / np.cumsum(discount)[np.minimum(n_relevant, k) - 1]


def _standardised(member: Recommender, users, seen) -> np.ndarray:
    """(len(users), n_items): mean 0 and deviation 1 over what the users have not had; `seen` are their rows."""
    scores = np.asarray(member.score(users), np.float64)
    unseen = np.ones(scores.shape)
    unseen[np.repeat(np.arange(len(scores)), np.diff(seen.indptr)), seen.indices] = 0
    size = np.maximum(unseen.sum(axis=1, keepdims=True), 1)
    mean = (scores * unseen).sum(axis=1, keepdims=True) / size
    scores -= mean
    deviation = np.sqrt((scores**2 * unseen).sum(axis=1, keepdims=True) / size)
    return scores / np.where(deviation > 0, deviation, 1)


def _blocks(n_users: int, cells_a_user: int):
    step = max(1, BLOCK_CELLS // cells_a_user)
    return (np.arange(start, min(start + step, n_users)) for start in range(0, n_users, step))
