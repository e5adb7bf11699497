"""FoldIn: a factor model that takes in new users, new histories and new items without another sweep."""

from __future__ import annotations

import numpy as np

from recsys_lib.models.als import ALS
from recsys_lib.models.base import Recommender
from recsys_lib.online.history import History


class FoldIn(Recommender):
    """ALS whose rows follow the stream: a user's factors are solved anew when his history has grown, the items' stay.

    Exact as far as it goes: x_u is the minimum for this history and these item factors (Hu et al. 2008, eq. 4). What
    drifts are the item factors, which a refit would move. A new item gets its factors from the users who had it, by the
    same formula with the sides exchanged (`ALS.fold_in_items`), and again whenever its count has doubled: while it is
    new, each user says a lot.

    Parameters
    ----------
    als : ALS
        Fitted here.
    """

    def __init__(self, als: ALS):
        self.als = als

    def _fit(self, train, item_vectors):
        self.als.fit(train)
        self.history_ = self.train_ = History.of(train)
        self.user_factors_ = self.als.fold_in(train.matrix)
        self._n_fitted = train.n_items
        self._folded_at = np.zeros(0, np.int64)  # how many users a new item had when its factors were solved

    def learn(self, users, items) -> None:
        """A block of events, in order; the next free index is a new user or a new item."""
        changed = np.array(sorted(self.history_.learn(users, items)), np.int64)
        self._fold_in_items()
        new = self.history_.n_users - len(self.user_factors_)
        self.user_factors_ = np.pad(self.user_factors_, ((0, new), (0, 0)))
        self.user_factors_[changed] = self.als.fold_in(self.history_[changed])

    def _fold_in_items(self) -> None:
        n_new = self.history_.n_items - self._n_fitted
        self._folded_at = np.pad(self._folded_at, (0, n_new - len(self._folded_at)))
        if not n_new:
            return
        counts = self.history_.item_counts[self._n_fitted :]
        due = np.flatnonzero(counts >= np.maximum(2 * self._folded_at, 1))
        grown = np.zeros((n_new, self.als.n_factors), np.float32)
        grown[: len(self.als.item_factors_) - self._n_fitted] = self.als.item_factors_[self._n_fitted :]
        if due.size:
            known = self.history_[np.arange(len(self.user_factors_))].tocsc()
            columns = known[:, self._n_fitted + due]
            grown[due] = self.als.fold_in_items(columns, self.user_factors_)
            self._folded_at[due] = counts[due]
        self.als.item_factors_ = np.vstack([self.als.item_factors_[: self._n_fitted], grown])

    def score(self, users):
        return (self.user_factors_[users] @ self.als.item_factors_.T.astype(float)).astype(np.float32)
