"""FeatureIALS: implicit matrix factorisation in which the content is the prior of the factors."""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse

from recsys_lib.models.base import Recommender


class FeatureIALS(Recommender):
    r"""ALS whose factors are drawn to a linear map of the content instead of to 0.

    .. math:: \sum_{u,i} c_{ui} (p_{ui} - x_u^\top y_i)^2 + r \sum_u n_u^\nu |x_u - A^\top f_u|^2
              + r \sum_i n_i^\nu |y_i - B^\top g_i|^2 + m (|A|^2 + |B|^2), \quad c = 1 + \alpha p

    g_i is the item's vector and f_u the mean of the vectors of u's history, so that a content, a user and a
    collaborative term stand side by side, each convex in its block and bounded below. n is the number of interactions
    of the row plus 1 (frequency-scaled regularisation: Rendle et al., RecSys 2022, arXiv:2110.14037). An item without
    interactions gets (G + rI)^-1 r B'g_i with G = X'X: its content's place, shrunk as unseen cells ask for.
    (Feature-aware iALS as in irspack; without vectors it is `ALS`, solved exactly.)

    Parameters
    ----------
    n_factors : int
    regularisation : float
        r, the pull towards the content.
    frequency : float
        nu: 0 pulls all rows alike, 1 more the more interactions they have.
    alpha : float
        Extra confidence of a seen cell.
    map_l2 : float
        m, the ridge of the two maps.
    n_iterations : int
        Rounds of users, their map, items, their map.
    rng : int, numpy Generator or None
        Starting point.

    Attributes
    ----------
    user_factors_, item_factors_ : (n_users, n_factors) and (n_items, n_factors) float64
    user_map_, item_map_ : (d, n_factors) float64, A and B
    """

    def __init__(
        self,
        *,
        n_factors: int = 24,
        regularisation: float = 30.0,
        frequency: float = 0.0,
        alpha: float = 3.0,
        map_l2: float = 300.0,
        n_iterations: int = 12,
        rng=0,
    ):
        self.n_factors, self.regularisation, self.frequency, self.alpha = n_factors, regularisation, frequency, alpha
        self.map_l2, self.n_iterations, self.rng = map_l2, n_iterations, rng

    def _fit(self, train, item_vectors):
        if not (self.n_factors >= 1 and self.regularisation > 0 and self.alpha > 0 and self.map_l2 > 0):
            raise ValueError(
                f"FeatureIALS needs n_factors >= 1 and regularisation, alpha and map_l2 > 0, not {self.n_factors}, "
                f"{self.regularisation}, {self.alpha}, {self.map_l2}"
            )
        if self.n_iterations < 1:
            raise ValueError(f"n_iterations must be at least 1, not {self.n_iterations}")
        if isinstance(item_vectors, dict):
            raise ValueError("FeatureIALS reads one array: call fit(train, item_vectors) with it, not with a dict")
        matrix = (train.matrix > 0).astype(np.float64)
        features = np.zeros((train.n_items, 1)) if item_vectors is None else np.asarray(item_vectors, np.float64)
        sides = [_Side(matrix, self._profiles(matrix, features)), _Side(matrix.T.tocsr(), features)]
        rng = np.random.default_rng(self.rng)
        users, items = sides
        items.factors = rng.normal(0, 1 / self.n_factors, (train.n_items, self.n_factors))
        for side in sides:
            side.map = np.zeros((side.features.shape[1], self.n_factors))
            side.pull = self.regularisation * (np.diff(side.matrix.indptr) + 1.0) ** self.frequency
        for _ in range(self.n_iterations):
            self._solve(users, items)
            self._solve(items, users)
        self.user_factors_, self.item_factors_ = users.factors, items.factors
        self.user_map_, self.item_map_ = users.map, items.map

    @staticmethod
    def _profiles(matrix, features) -> np.ndarray:
        return (matrix @ features) / np.maximum(np.diff(matrix.indptr), 1)[:, None]

    def _solve(self, side: _Side, other: _Side) -> None:
        """The exact minimum over one side's factors, then over its map."""
        prior = side.features @ side.map
        gram = other.factors.T @ other.factors
        factors = np.empty((side.matrix.shape[0], self.n_factors))
        ridge = np.eye(self.n_factors)
        indptr, indices = side.matrix.indptr, side.matrix.indices
        for row in range(len(factors)):
            seen = other.factors[indices[indptr[row] : indptr[row + 1]]]
            left = gram + self.alpha * seen.T @ seen + side.pull[row] * ridge
            factors[row] = linalg.solve(
                left, (1 + self.alpha) * seen.sum(axis=0) + side.pull[row] * prior[row], assume_a="pos"
            )
        side.factors = factors
        weighted = side.features * side.pull[:, None]
        left = weighted.T @ side.features + self.map_l2 * np.eye(side.features.shape[1])
        side.map = linalg.solve(left, weighted.T @ factors, assume_a="pos")

    def score(self, users):
        return (self.user_factors_[users] @ self.item_factors_.T).astype(np.float32)


class _Side:
    """Users or items: the interactions with this side in the rows, its features, factors, map and pulls."""

    def __init__(self, matrix: sparse.csr_matrix, features: np.ndarray):
        self.matrix, self.features = matrix, features
        self.factors = self.map = self.pull = None
