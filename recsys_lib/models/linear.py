"""Item-item linear models: EASE in closed form, SLIM by coordinate descent. Both predict X from X."""

from __future__ import annotations

import numba
import numpy as np
from scipy import linalg, sparse

from recsys_lib.models.base import Recommender


def inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric positive definite float matrix (n, n) by Cholesky, half the work of a general one."""
    factor, info = linalg.lapack.get_lapack_funcs("potrf", (matrix,))(matrix, lower=True)
    if info == 0:
        result, info = linalg.lapack.get_lapack_funcs("potri", (factor,))(factor, lower=True)
    if info != 0:
        raise ValueError("the matrix is not positive definite: raise the L2 regularisation (l2 > 0)")
    lower = np.tril(result, -1)
    return lower + lower.T + np.diag(np.diag(result))


def regularised_gram(matrix: sparse.csr_matrix, l2: float) -> np.ndarray:
    """X'X + l2 I of a sparse (n_users, n_items) matrix: (n_items, n_items) float64."""
    matrix = matrix.astype(np.float64)
    gram = (matrix.T @ matrix).toarray()
    gram[np.diag_indices_from(gram)] += l2
    return gram


def ease_weights(matrix: sparse.csr_matrix, l2: float) -> np.ndarray:
    """EASE's item-item weights of a sparse (n_users, n_items) matrix: (n_items, n_items) float64, zero diagonal."""
    weights = inverse(regularised_gram(matrix, l2))
    weights /= -np.diag(weights)
    np.fill_diagonal(weights, 0)
    return weights


class EASE(Recommender):
    """Embarrassingly shallow autoencoder: min_B |X - XB|^2 + l2 |B|^2 with diag B = 0 (Steck, WWW 2019, eq. 8).

    With P = (X'X + l2 I)^-1 the answer is B_ij = -P_ij / P_jj off the diagonal.

    Parameters
    ----------
    l2 : float
        Regularisation; larger values pull the lists towards popular items.

    Attributes
    ----------
    item_weights_ : (n_items, n_items) float32, the matrix B.
    """

    def __init__(self, *, l2: float = 500.0):
        self.l2 = l2

    def _fit(self, train, item_vectors):
        if not self.l2 > 0:
            raise ValueError(f"l2 must be positive, not {self.l2}: without it X'X has no inverse")
        self.item_weights_ = ease_weights(train.matrix, self.l2).astype(np.float32)

    def score(self, users):
        return np.asarray(self.train_.matrix[users] @ self.item_weights_, np.float32)


class SLIM(Recommender):
    """Sparse linear method: column by column min_w 1/2 |x_j - Xw|^2 + l2/2 |w|^2 + l1 |w|_1, w >= 0, w_j = 0.

    Ning & Karypis, ICDM 2011, eq. 4; solved by coordinate descent on the Gram matrix (Friedman et al. 2010,
    covariance updates), the columns in parallel.

    Parameters
    ----------
    l1, l2 : float
        l1 sets how sparse the weights are, l2 how small.
    tolerance : float
        A column is done when a full sweep moves no weight by more than this.
    max_sweeps : int

    Attributes
    ----------
    item_weights_ : (n_items, n_items) float32, non-negative, zero diagonal.
    """

    def __init__(self, *, l1: float = 1.0, l2: float = 300.0, tolerance: float = 1e-4, max_sweeps: int = 100):
        self.l1, self.l2, self.tolerance, self.max_sweeps = l1, l2, tolerance, max_sweeps

    def _fit(self, train, item_vectors):
        if not (self.l1 >= 0 and self.l2 >= 0 and self.l1 + self.l2 > 0):
            raise ValueError(f"l1 and l2 must not be negative nor both 0, but are {self.l1} and {self.l2}")
        if self.max_sweeps < 1:
            raise ValueError(f"max_sweeps must be at least 1, not {self.max_sweeps}")
        matrix = train.matrix.astype(np.float32)
        gram = np.ascontiguousarray((matrix.T @ matrix).toarray())
        self.item_weights_ = _slim_columns(gram, self.l1, self.l2, self.tolerance, self.max_sweeps).T.copy()

    def score(self, users):
        return np.asarray(self.train_.matrix[users] @ self.item_weights_, np.float32)


@numba.njit(parallel=True, fastmath=True, cache=True)
def _slim_columns(gram, l1, l2, tolerance, max_sweeps):
    n_items = gram.shape[0]
    columns = np.zeros((n_items, n_items), np.float32)  # row j holds the weights of column j: contiguous
    for j in numba.prange(n_items):
        weights = columns[j]
        residual = gram[j].copy()  # x_i'(x_j - Xw) for every i
        active = np.empty(n_items, np.int64)
        n_active = 0
        for i in range(n_items):
            if i != j and gram[i, j] > l1:  # w >= 0 and G >= 0: no other item can ever enter
                active[n_active] = i
                n_active += 1
        only_support = False
        for _ in range(max_sweeps):
            largest = np.float32(0)
            for a in range(n_active):
                i = active[a]
                old = weights[i]
                if only_support and old == 0:
                    continue
                new = (residual[i] + gram[i, i] * old - l1) / (gram[i, i] + l2)
                if new < 0:
                    new = 0.0
                change = np.float32(new) - old
                if change != 0:
                    weights[i] = np.float32(new)
                    residual -= change * gram[i]
                    largest = max(largest, abs(change))
            if largest < tolerance:
                if not only_support:
                    break
                only_support = False  # the support has settled: one full sweep decides
            else:
                only_support = True
    return columns
