"""What the tests of content models share: the tiny set with cold columns, and shapes that a person can read."""

import numpy as np
from scipy import sparse

from recsys_lib.interactions import Interactions

COLD = [3, 16, 32]  # columns of the tiny set that lose their interactions: one of each taste


def dense(train):
    return train.matrix.toarray().astype(float)


def all_scores(model):
    return model.score(np.arange(model.train_.n_users)).astype(float)


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
