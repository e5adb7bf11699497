"""Late fusion: one model a modality, their scores added up."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
from scipy import sparse

from recsys_lib.fusion.early import block, checked
from recsys_lib.interactions import Interactions
from recsys_lib.models.base import Recommender
from recsys_lib.models.blend import select
from recsys_lib.models.content import LinearTextMap

SELECT_USERS = 2000  # users by whom the weights are chosen


class LateFusion(Recommender):
    r"""A weighted sum of models that read one modality each, standardised user by user.

    .. math:: s_{ui} = \sum_m w_m \frac{s^m_{ui} - \mathrm{mean}_j s^m_{uj}}{\mathrm{std}_j s^m_{uj}}, \quad
              w_m \ge 0, \; \sum_m w_m = 1

    The weights are chosen inside `fit`, where it can be told who is right: `holdout` of the items are taken out of the
    training data, the members are fitted on the others and rank the held-out items, and bagged ensemble selection
    (see `models.Blend`) picks the weights for nDCG@10 among them. Then the members are fitted on everything. So the
    weights say what a modality is worth for items that nobody has met yet.

    Parameters
    ----------
    member : Recommender, optional
        Copied for each modality; must score items without interactions from one array. Default: `LinearTextMap`.
    holdout : float
        Share of the items with interactions that are held out to choose the weights.
    rng : int, numpy Generator or None

    Attributes
    ----------
    weights_ : pandas.Series, one weight a modality, summing to 1
    members_ : dict of name -> fitted model, those with a weight above 0
    """

    def __init__(self, member: Recommender | None = None, *, holdout: float = 0.2, rng=0):
        self.member, self.holdout, self.rng = member, holdout, rng

    def _fit(self, train, item_vectors):
        if not 0 < self.holdout < 1:
            raise ValueError(f"holdout must lie between 0 and 1, not {self.holdout}")
        rng = np.random.default_rng(self.rng)
        blocks = {name: block(values) for name, values in checked(item_vectors).items()}
        known = np.flatnonzero(train.item_counts > 0)
        held = np.sort(rng.permutation(known)[: max(1, round(self.holdout * len(known)))])
        part, rest = without(train, held), train.matrix[:, held]
        users = np.flatnonzero((np.diff(part.matrix.indptr) > 0) & (np.diff(rest.indptr) > 0))
        users = np.sort(rng.permutation(users)[:SELECT_USERS])
        if not users.size:
            raise ValueError("no user has interactions on both sides of the held-out items: there is too little data")
        scores = [_standardised(member.score(users)[:, held]) for member in self._fitted(part, blocks).values()]
        relevant = rest[users].toarray() > 0
        weights = select(np.stack(scores), relevant, relevant.sum(axis=1), n_steps=20, n_bags=10, rng=rng)
        self.weights_ = pd.Series(weights, index=list(blocks), name="weight")
        self.members_ = self._fitted(train, {name: blocks[name] for name in blocks if self.weights_[name] > 0})

    def _fitted(self, train, blocks) -> dict[str, Recommender]:
        member = LinearTextMap() if self.member is None else self.member
        return {name: copy.deepcopy(member).fit(train, values) for name, values in blocks.items()}

    def score(self, users):
        members = self.members_.items()
        return sum(np.float32(self.weights_[name]) * _standardised(each.score(users)) for name, each in members)


def without(train: Interactions, items: np.ndarray) -> Interactions:
    """The same rows and columns, but without the interactions of some columns."""
    kept = train.matrix @ sparse.diags_array((~np.isin(np.arange(train.n_items), items)).astype(train.matrix.dtype))
    kept = sparse.csr_matrix(kept)
    kept.eliminate_zeros()
    return Interactions(kept, train.user_ids, train.item_ids)


def _standardised(scores) -> np.ndarray:
    deviation = scores.std(axis=1, keepdims=True)
    return ((scores - scores.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1)).astype(np.float32)
