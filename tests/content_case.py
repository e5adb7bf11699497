"""What the tests of models share: the tiny set with cold columns, and models and shapes that a person can read."""

import numpy as np
from scipy import sparse

from recsys_lib.interactions import Interactions
from recsys_lib.models import Recommender

COLD = [3, 16, 32]  # columns of the tiny set that lose their interactions: one of each taste


def dense(train):
    return train.matrix.toarray().astype(float)


def all_scores(model):
    return model.score(np.arange(model.train_.n_users)).astype(float)


class Table(Recommender):
    """Scores that are given; it learns nothing, and keeps the vectors that it was fitted with."""

    def __init__(self, table):
        self.table = np.asarray(table, np.float32)

    def _fit(self, train, item_vectors):
        self.vectors_ = item_vectors

    def score(self, users):
        return self.table[users]


def interactions(rows, ratings=None):
    """Interactions from a dense table of 0 and 1, and one of ratings."""
    matrix = sparse.csr_matrix(np.array(rows, np.float32))
    if ratings is not None:
        ratings = sparse.csr_matrix(np.array(ratings, np.float32))
    return Interactions(matrix, np.arange(matrix.shape[0]), np.arange(matrix.shape[1]), ratings)


def without(train, columns):
    """The same users and columns, some columns emptied."""
    matrix = train.matrix.toarray()
    matrix[:, columns] = 0
    return Interactions(sparse.csr_matrix(matrix), train.user_ids, train.item_ids)
