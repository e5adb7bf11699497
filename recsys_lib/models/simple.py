"""The two rows that every table needs: Random and Popularity."""

from __future__ import annotations

import numpy as np

from recsys_lib.models.base import Recommender


class Random(Recommender):
    """Uniform scores, one stream a user: a user gets the same list alone or in any batch.

    Parameters
    ----------
    rng : int, numpy Generator or None
    """

    def __init__(self, *, rng=0):
        self.rng = rng

    def _fit(self, train, item_vectors):
        self.seed_ = int(np.random.default_rng(self.rng).integers(2**32))

    def score(self, users):
        n_items = self.train_.n_items
        rows = [np.random.default_rng([self.seed_, int(user)]).random(n_items, np.float32) for user in users]
        return np.array(rows, np.float32).reshape(len(users), n_items)


class Popularity(Recommender):
    """The number of training users who had the item, the same for everyone."""

    def _fit(self, train, item_vectors):
        self.counts_ = train.item_counts.astype(np.float32)

    def score(self, users):
        return np.tile(self.counts_, (len(users), 1))
