"""LiveProfile: weights of a fitted item-item model, read with histories that go on growing."""

from __future__ import annotations

import numpy as np

from recsys_lib.models.base import Recommender
from recsys_lib.online.history import History


class LiveProfile(Recommender):
    """A model with `item_weights_` (EASE, SLIM, L3AE) whose weights stay as fitted, while users' histories are live.

    What learning costs nothing: the next list already knows what was bought an hour ago, through the weights of last
    month. `refit` is the other half. New items have no weights until then, and who has no history gets what is popular.

    Parameters
    ----------
    model : Recommender
        Fitted here; it must have `item_weights_` (n_items, n_items).
    live : bool
        False: histories stay as they were in `fit` too, the wholly frozen model.
    """

    def __init__(self, model: Recommender, *, live: bool = True):
        self.model, self.live = model, live

    def _fit(self, train, item_vectors):
        self.model.fit(train, item_vectors)
        self._n_known, self._popularity = train.n_items, train.item_counts
        self._item_vectors = item_vectors
        self.history_ = self.train_ = History.of(train)
        self._profile = self.history_ if self.live else History.of(train)

    def score(self, users):
        users = np.asarray(users)
        scores = np.zeros((len(users), self.history_.n_items), np.float32)
        scores[:, : self._n_known] = self._popularity
        known = np.flatnonzero(users < self._profile.n_users)
        rows = self._profile[users[known]][:, : self._n_known].astype(np.float32)
        some = np.diff(rows.indptr) > 0
        scores[known[some], : self._n_known] = rows[some] @ self.model.item_weights_
        return scores

    def learn(self, users, items) -> None:
        """A block of events, in order; the next free index is a new user or a new item."""
        self.history_.learn(users, items)

    def refit(self, item_vectors=None) -> None:
        """Fit the weights again on the histories as they are now; with new items, on new `item_vectors` if any."""
        train = self.history_.to_interactions()
        item_vectors = self._item_vectors if item_vectors is None else item_vectors
        self.model.fit(train, item_vectors)
        self._item_vectors = item_vectors
        self._profile.add_items(train.n_items - self._profile.n_items)
        self._n_known, self._popularity, self.scale_ = train.n_items, train.item_counts, self.model.scale_
