"""WARPFactorization: factors trained for the top of the list, in which items share what they have in common."""

from __future__ import annotations

import numba
import numpy as np
from scipy import sparse

from recsys_lib.models.base import Recommender


class WARPFactorization(Recommender):
    r"""Matrix factorisation whose items share the factors of their features, with the WARP ranking loss.

    .. math:: s_{ui} = x_u^\top y_i + b_i, \quad (y_i, b_i) = \sum_{f \in F_i} w_{if} (e_f, b_f)

    F_i holds the item itself and the columns where its row of `item_vectors` is not 0 (genres, for instance); the
    weights of a row sum to 1 (Kula, CBRecSys 2015, arXiv:1507.08439). For each interaction, unseen items are drawn
    until one of them comes within a margin of 1 of the seen item; the step is then log((n_items - 1) / draws) long: a
    violator that is found at once says that many items stand above the seen one (WARP: Weston, Bengio & Usunier,
    IJCAI 2011). AdaGrad on each number; one thread, so that a seed gives the same model everywhere.

    Parameters
    ----------
    n_factors : int
    epochs : int
        Passes over all interactions.
    learning_rate : float
        Of AdaGrad.
    max_draws : int
        Draws before an interaction is left alone.
    user_l2, item_l2 : float
        Weight decay of the user factors and of the features' factors and biases, in each step that touches them.
    rng : int, numpy Generator or None

    Attributes
    ----------
    user_factors_ : (n_users, n_factors) float32
    item_factors_ : (n_items, n_factors) float32, y; `item_biases_` : (n_items,) float32
    """

    def __init__(
        self,
        *,
        n_factors: int = 32,
        epochs: int = 30,
        learning_rate: float = 0.05,
        max_draws: int = 10,
        user_l2: float = 0.0,
        item_l2: float = 0.0,
        rng=0,
    ):
        self.n_factors, self.epochs, self.learning_rate = n_factors, epochs, learning_rate
        self.max_draws, self.user_l2, self.item_l2, self.rng = max_draws, user_l2, item_l2, rng

    def _fit(self, train, item_vectors):
        for name in ("n_factors", "epochs", "max_draws"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be a whole number of at least 1, not {getattr(self, name)}")
        if not (self.learning_rate > 0 and self.user_l2 >= 0 and self.item_l2 >= 0):
            raise ValueError(
                f"learning_rate must be positive and user_l2 and item_l2 not negative, but are {self.learning_rate}, "
                f"{self.user_l2} and {self.item_l2}"
            )
        if isinstance(item_vectors, dict):
            raise ValueError(
                "WARPFactorization reads one array: call fit(train, item_vectors) with it, not with a dict"
            )
        features = _features(train.n_items, item_vectors)
        rng = np.random.default_rng(self.rng)
        matrix = train.matrix if train.matrix.has_sorted_indices else train.matrix.sorted_indices()
        users = _start(rng, train.n_users, self.n_factors)
        shared = _start(rng, features.shape[1], self.n_factors)
        shared[:, -1] = 0  # the last column is the bias
        users[:, -1] = 1
        state = users, np.ones_like(users), shared, np.ones_like(shared)
        rows = np.repeat(np.arange(train.n_users, dtype=np.int32), np.diff(matrix.indptr))
        for _ in range(self.epochs):
            _epoch(
                rng.permutation(matrix.nnz),
                rng.integers(train.n_items, size=(matrix.nnz, self.max_draws), dtype=np.int32),
                rows,
                matrix.indices,
                matrix.indptr,
                features.indices,
                features.indptr,
                features.data,
                *state,
                np.float32(self.learning_rate),
                np.float32(self.user_l2),
                np.float32(self.item_l2),
            )
        items = np.asarray(features @ shared, np.float32)
        self.user_factors_ = users[:, :-1].copy()
        self.item_factors_, self.item_biases_ = items[:, :-1].copy(), items[:, -1].copy()

    def score(self, users):
        products = self.user_factors_[users].astype(float) @ self.item_factors_.T.astype(float)
        return (products + self.item_biases_).astype(np.float32)


def _features(n_items: int, item_vectors) -> sparse.csr_matrix:
    """(n_items, n_items + d) rows that sum to 1 in absolute value: the item itself, then its features."""
    blocks = [sparse.identity(n_items, np.float32, format="csr")]
    if item_vectors is not None:
        blocks.append(sparse.csr_matrix(np.asarray(item_vectors, np.float32)))
    stacked = sparse.hstack(blocks, format="csr", dtype=np.float32)
    stacked.data /= np.repeat(np.asarray(abs(stacked).sum(axis=1)).ravel(), np.diff(stacked.indptr))
    return stacked


def _start(rng, n_rows: int, n_factors: int) -> np.ndarray:
    """Small random factors and one more column."""
    factors = (rng.random((n_rows, n_factors + 1), np.float32) - 0.5) / n_factors
    return factors.astype(np.float32)


@numba.njit(cache=True)
def _represent(item, indices, indptr, data, shared, out):
    out[:] = 0
    for place in range(indptr[item], indptr[item + 1]):
        row, weight = shared[indices[place]], data[place]
        for f in range(len(out)):
            out[f] += weight * row[f]


@numba.njit(cache=True)
def _dot(a, b):
    total = np.float32(0)
    for f in range(len(a)):
        total += a[f] * b[f]
    return total


@numba.njit(cache=True)
def _step(item, sign, loss, user, indices, indptr, data, shared, squares, rate, l2):
    """AdaGrad on the features of one item; the gradient of the score is the user's vector (1 for the bias)."""
    for place in range(indptr[item], indptr[item + 1]):
        feature, weight = indices[place], data[place]
        for f in range(len(user)):
            gradient = loss * sign * weight * user[f] + l2 * shared[feature, f]
            shared[feature, f] -= rate / np.sqrt(squares[feature, f]) * gradient
            squares[feature, f] += gradient * gradient


@numba.njit(cache=True)
def _epoch(
    order, draws, rows, columns, indptr, f_indices, f_indptr, f_data, users, user_squares, shared, squares, rate,
    user_l2, item_l2,
):  # fmt: skip
    n_items, width = len(f_indptr) - 1, users.shape[1]
    liked, other, before = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    for cell in order:
        u, i = rows[cell], columns[cell]
        _represent(i, f_indices, f_indptr, f_data, shared, liked)
        high = _dot(users[u], liked)
        seen = columns[indptr[u] : indptr[u + 1]]
        for draw in range(1, draws.shape[1] + 1):
            j = draws[cell, draw - 1]
            place = np.searchsorted(seen, j)
            if place < len(seen) and seen[place] == j:
                continue
            _represent(j, f_indices, f_indptr, f_data, shared, other)
            if _dot(users[u], other) <= high - 1:
                continue
            loss = np.float32(np.log(max(1.0, (n_items - 1) // draw)))
            before[:] = users[u]
            for f in range(width - 1):
                gradient = loss * (other[f] - liked[f]) + user_l2 * users[u, f]
                users[u, f] -= rate / np.sqrt(user_squares[u, f]) * gradient
                user_squares[u, f] += gradient * gradient
            _step(i, -1, loss, before, f_indices, f_indptr, f_data, shared, squares, rate, item_l2)
            _step(j, 1, loss, before, f_indices, f_indptr, f_data, shared, squares, rate, item_l2)
            break
