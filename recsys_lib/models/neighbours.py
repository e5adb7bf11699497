"""Neighbourhood models: UserKNN, ItemKNN and RP3beta, the three ways to count paths of length two and three."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_lib.models.base import BLOCK_CELLS, Recommender

WEIGHTINGS = ("binary", "tfidf", "bm25")


def weight(matrix: sparse.csr_matrix, weighting: str) -> sparse.csr_matrix:
    """Reweight a user-item matrix: (n_users, n_items) -> the same cells, float64.

    `tfidf` multiplies by log(n_users / count of the item); `bm25` also saturates by the length of the
    user's history (k1 = 1.2, b = 0.75; Robertson & Zaragoza 2009). `binary` leaves the values alone.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting must be one of {WEIGHTINGS}, not {weighting!r}")
    weighted = matrix.astype(np.float64)
    if weighting == "binary":
        return weighted
    n_users, n_items = matrix.shape
    count = np.bincount(matrix.indices, minlength=n_items)
    inverse_frequency = np.log(n_users / np.maximum(count, 1)) + (weighting == "bm25") * 1.0
    values = weighted.data
    if weighting == "bm25":
        length = np.diff(matrix.indptr)
        norm = 0.25 + 0.75 * length / max(length.mean(), 1e-12)
        values = values * 2.2 / (values + 1.2 * np.repeat(norm, length))
    return sparse.csr_matrix((values * inverse_frequency[matrix.indices], matrix.indices, matrix.indptr), matrix.shape)


def top_neighbours(left: sparse.csr_matrix, right: sparse.csr_matrix, k: int, adjust) -> sparse.csr_matrix:
    """The k largest entries of each row of left @ right, without the diagonal, in bounded memory.

    `adjust(block, rows)` turns a dense block of products into similarities, in place or not.
    """
    if not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, not {k!r}")
    n_rows, n_columns = left.shape[0], right.shape[1]
    k = min(k, n_columns)
    step = max(1, BLOCK_CELLS // n_columns)
    parts = []
    for start in range(0, n_rows, step):
        rows = np.arange(start, min(start + step, n_rows))
        block = adjust((left[rows] @ right).toarray(), rows)
        block[np.arange(len(rows)), rows] = 0
        # Stable sort of the negated values: ties go to the lower index.
        columns = np.argsort(-block, axis=1, kind="stable")[:, :k] if n_columns <= 5000 else _partition(block, k)
        values = np.take_along_axis(block, columns, axis=1)
        row = np.repeat(np.arange(len(rows)), k)
        keep = values.ravel() > 0
        parts.append(
            sparse.csr_matrix(
                (values.ravel()[keep].astype(np.float32), (row[keep], columns.ravel()[keep])),
                shape=(len(rows), n_columns),
            )
        )
    return sparse.vstack(parts, format="csr")


def _partition(block, k):
    return np.argpartition(-block, k - 1, axis=1)[:, :k]


def _cosine(norms_left, norms_right, shrinkage):
    def adjust(block, rows):
        return block / (norms_left[rows, None] * norms_right[None, :] + shrinkage + 1e-12)

    return adjust


def _norms(matrix):
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())


class ItemKNN(Recommender):
    """Item-based collaborative filtering: score(u, i) = sum over j in u's history of sim(i, j).

    sim is the shrunk cosine of the items' (weighted) user columns, a.b / (|a||b| + shrinkage), kept for the
    k nearest neighbours of each item (Sarwar et al. 2001; shrinkage as in Ferrari Dacrema et al. 2019).

    Parameters
    ----------
    k : int
        Neighbours an item.
    shrinkage : float
        Added to the product of norms; trusts few co-occurrences less.
    weighting : "binary", "tfidf" or "bm25"
    """

    def __init__(self, *, k: int = 200, shrinkage: float = 2.0, weighting: str = "bm25"):
        self.k, self.shrinkage, self.weighting = k, shrinkage, weighting

    def _fit(self, train, item_vectors):
        items = weight(train.matrix, self.weighting).T.tocsr()
        norms = _norms(items)
        similar = top_neighbours(items, items.T.tocsr(), self.k, _cosine(norms, norms, self.shrinkage))
        self.similarity_ = similar.T.tocsr()  # row j: how much the item j in a history speaks for each i

    def score(self, users):
        return (self.train_.matrix[users] @ self.similarity_).toarray().astype(np.float32, copy=False)


class UserKNN(Recommender):
    """User-based collaborative filtering: score(u, i) = sum over the k nearest users v of sim(u, v)^q x_vi.

    sim is the shrunk cosine of the users' (weighted) rows (Herlocker et al. 1999; the exponent q sharpens
    the neighbourhood, Aiolli 2013).

    Parameters
    ----------
    k : int
        Neighbours a user.
    shrinkage : float
    weighting : "binary", "tfidf" or "bm25"
    power : float
        The exponent q.
    """

    def __init__(self, *, k: int = 100, shrinkage: float = 30.0, weighting: str = "bm25", power: float = 1.0):
        self.k, self.shrinkage, self.weighting, self.power = k, shrinkage, weighting, power

    def _fit(self, train, item_vectors):
        rows = weight(train.matrix, self.weighting)
        norms = _norms(rows)
        similar = top_neighbours(rows, rows.T.tocsr(), self.k, _cosine(norms, norms, self.shrinkage))
        similar.data **= self.power
        self.similarity_ = similar

    def score(self, users):
        return (self.similarity_[users] @ self.train_.matrix).toarray().astype(np.float32, copy=False)


class RP3beta(Recommender):
    """A random walk of three steps user -> item -> user -> item, with popular ends damped (Paudel et al. 2017).

    W_ij = sum over users of (x_ui / deg i)^alpha (x_uj / deg u)^alpha / deg(j)^beta, k largest a row;
    score = x_u W.

    Parameters
    ----------
    k : int
        Neighbours an item.
    alpha : float
        Exponent of the transition probabilities.
    beta : float
        Damping of popular items: 0 none, 1 full.
    """

    def __init__(self, *, k: int = 300, alpha: float = 0.6, beta: float = 0.6):
        self.k, self.alpha, self.beta = k, alpha, beta

    def _fit(self, train, item_vectors):
        matrix = train.matrix.astype(np.float64)
        user_degree = np.maximum(np.diff(matrix.indptr), 1)
        item_degree = np.maximum(train.item_counts, 1)
        to_items = sparse.diags(1.0 / user_degree) @ matrix
        to_users = sparse.diags(1.0 / item_degree) @ matrix.T.tocsr()
        to_items.data **= self.alpha
        to_users.data **= self.alpha
        damping = item_degree.astype(float) ** self.beta
        walk = top_neighbours(to_users.tocsr(), to_items.tocsr(), self.k, lambda block, rows: block / damping)
        self.walk_ = walk

    def score(self, users):
        return (self.train_.matrix[users] @ self.walk_).toarray().astype(np.float32, copy=False)
