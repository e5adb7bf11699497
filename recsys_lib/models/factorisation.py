"""Factorisations: PureSVD of the interactions (ranking) and BiasedMF of the ratings (rating prediction)."""

from __future__ import annotations

import numba
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from recsys_lib.models.base import Recommender


class PureSVD(Recommender):
    """Truncated SVD of the interaction matrix, missing cells as zeros: x_u V V' (Cremonesi et al., RecSys 2010).

    Parameters
    ----------
    n_factors : int
        Singular vectors kept; at most min(n_users, n_items) - 1 are used.

    Attributes
    ----------
    item_factors_ : (n_items, n_factors) float32, orthonormal columns.
    """

    def __init__(self, *, n_factors: int = 15):
        self.n_factors = n_factors

    def _fit(self, train, item_vectors):
        rank = min(self.n_factors, min(train.matrix.shape) - 1)
        if rank < 1:
            raise ValueError("PureSVD needs n_factors >= 1, and at least two users and two items")
        start = np.ones(min(train.matrix.shape))  # a fixed start makes the solver deterministic
        _, _, right = svds(train.matrix.astype(np.float64), k=rank, v0=start)
        self.item_factors_ = right.T

    def score(self, users):
        return (self.train_.matrix[users].astype(float) @ self.item_factors_ @ self.item_factors_.T).astype(np.float32)


class BiasedMF(Recommender):
    """Matrix factorisation of *ratings* with biases: r_ui ~ mean + b_u + b_i + p_u.q_i (Koren et al. 2009, eq. 4).

    Fitted by alternating ridge regressions whose weight grows with the number of ratings of the row
    (Zhou et al. 2008, weighted-lambda regularisation): deterministic, no learning rate. Predicts ratings;
    as a ranker it is poor, because it only learns from what people chose to rate.

    Parameters
    ----------
    n_factors : int
    regularisation : float
        Weight of |p_u|^2 and |q_i|^2 for each rating.
    bias_regularisation : float
        Ratings' worth of shrinkage of the biases towards 0.
    n_iterations : int
    rng : int, numpy Generator or None
        Starting point.
    """

    def __init__(
        self,
        *,
        n_factors: int = 20,
        regularisation: float = 0.15,
        bias_regularisation: float = 5.0,
        n_iterations: int = 15,
        rng=0,
    ):
        self.n_factors, self.regularisation = n_factors, regularisation
        self.bias_regularisation, self.n_iterations, self.rng = bias_regularisation, n_iterations, rng

    def _fit(self, train, item_vectors):
        if train.ratings is None:
            raise ValueError("BiasedMF learns from ratings, but the data have no column 'rating'. Use ALS instead")
        if not (self.regularisation >= 0 and self.bias_regularisation >= 0):
            raise ValueError(
                f"regularisation and bias_regularisation must not be negative, but are {self.regularisation} and "
                f"{self.bias_regularisation}"
            )
        ratings = train.ratings.astype(np.float64)
        rows = np.repeat(np.arange(train.n_users), np.diff(ratings.indptr))
        self.mean_ = ratings.data.mean()
        self.user_bias_, self.item_bias_ = self._biases(ratings, rows)
        rest = ratings.data - self.mean_ - self.user_bias_[rows] - self.item_bias_[ratings.indices]
        by_user = sparse.csr_matrix((rest, ratings.indices, ratings.indptr), ratings.shape)
        by_item = by_user.T.tocsr()
        rng = np.random.default_rng(self.rng)
        users = np.zeros((train.n_users, self.n_factors))
        items = rng.normal(0, 0.1, (train.n_items, self.n_factors))
        for _ in range(self.n_iterations):
            _ridge_rows(by_user.indptr, by_user.indices, by_user.data, users, items, self.regularisation)
            _ridge_rows(by_item.indptr, by_item.indices, by_item.data, items, users, self.regularisation)
        self.user_factors_, self.item_factors_ = users, items

    def _biases(self, ratings, rows, sweeps: int = 10):
        user_bias, item_bias = np.zeros(ratings.shape[0]), np.zeros(ratings.shape[1])
        n_user = np.bincount(rows, minlength=len(user_bias)) + self.bias_regularisation
        n_item = np.bincount(ratings.indices, minlength=len(item_bias)) + self.bias_regularisation
        centred = ratings.data - self.mean_
        for _ in range(sweeps):
            item_bias = np.bincount(ratings.indices, centred - user_bias[rows], len(item_bias)) / n_item
            user_bias = np.bincount(rows, centred - item_bias[ratings.indices], len(user_bias)) / n_user
        return user_bias, item_bias

    def predict(self, users, items) -> np.ndarray:
        """Ratings of the pairs (users[t], items[t]): (n,) float64, on the scale of the training ratings."""
        users, items = np.asarray(users), np.asarray(items)
        interaction = np.einsum("tf,tf->t", self.user_factors_[users], self.item_factors_[items])
        return self.mean_ + self.user_bias_[users] + self.item_bias_[items] + interaction

    def score(self, users):
        offsets = self.mean_ + self.user_bias_[users][:, None] + self.item_bias_[None, :]
        return (offsets + self.user_factors_[users] @ self.item_factors_.T).astype(np.float32)


@numba.njit(cache=True)
def _ridge_rows(indptr, indices, data, solved, fixed, regularisation):
    """In place: each row of `solved` becomes the ridge solution on its ratings, weight regularisation * count."""
    n_factors = solved.shape[1]
    for row in range(len(indptr) - 1):
        start, stop = indptr[row], indptr[row + 1]
        if start == stop:
            solved[row] = 0
            continue
        features = fixed[indices[start:stop]]
        gram = features.T @ features + regularisation * (stop - start) * np.eye(n_factors)
        solved[row] = np.linalg.solve(gram, features.T @ data[start:stop])
