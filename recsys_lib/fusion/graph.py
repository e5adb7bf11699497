"""Graph fusion: an item-item graph a modality, their mean drawn into EASE in closed form."""

from __future__ import annotations

import numpy as np

from recsys_lib.fusion.early import block, checked, shares_of
from recsys_lib.models.base import Recommender
from recsys_lib.models.content import text_weights
from recsys_lib.models.linear import inverse, regularised_gram


class GraphFusion(Recommender):
    r"""EASE that is pulled towards a weighted mean of what each modality alone would say of two items.

    .. math:: \min_B |X - XB|^2 + a |B|^2 + b \Big|B - \sum_m w_m C_m\Big|^2, \quad \mathrm{diag}\,B = 0

    C_m is EASE on the modality's vectors: which items' vectors make up an item's own. With one modality it is L3AE
    (CIKM 2025, arXiv:2508.13500), whose closed form it shares. An item that lacks a modality has no edges in that
    graph: its row and column of C_m are 0, and it keeps those of the others. An item without interactions is connected
    by its content alone.

    Parameters
    ----------
    weights : dict of name -> float, optional
        w, divided by their sum. Default: equal.
    l2 : float
        a + b, on the diagonal of X'X.
    pull : float
        b, the pull towards the graphs; 0 is EASE.
    content_l2 : float
        Regularisation of each C_m.

    Attributes
    ----------
    item_weights_ : (n_items, n_items) float32, the matrix B
    """

    def __init__(
        self,
        weights: dict[str, float] | None = None,
        *,
        l2: float = 500.0,
        pull: float = 150.0,
        content_l2: float = 10.0,
    ):
        self.weights, self.l2, self.pull, self.content_l2 = weights, l2, pull, content_l2

    def _fit(self, train, item_vectors):
        if not (self.l2 > 0 and self.content_l2 > 0 and self.pull >= 0):
            raise ValueError(
                f"l2 and content_l2 must be positive and pull not negative, but are {self.l2}, {self.content_l2} "
                f"and {self.pull}"
            )
        shares = shares_of(checked(item_vectors), self.weights)
        graph = sum(shares[name] * text_weights(block(item_vectors[name]), self.content_l2) for name in shares)
        precision = inverse(regularised_gram(train.matrix, self.l2))
        pulled = self.pull * (precision @ graph)
        weights = pulled - precision * ((1 + np.diag(pulled)) / np.diag(precision))
        np.fill_diagonal(weights, 0)
        self.item_weights_ = weights.astype(np.float32)

    def score(self, users):
        return np.asarray(self.train_.matrix[users] @ self.item_weights_, np.float32)
