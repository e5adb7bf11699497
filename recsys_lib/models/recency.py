"""FadingEASE: EASE that believes a user's last interactions more than the first."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_lib.interactions import Interactions
from recsys_lib.models.linear import EASE


class FadingEASE(EASE):
    """EASE with the weights of always, read with a history that fades: each interaction counts half of what it would
    if `half_life` fewer had come after it.

    The closed-form weights ask who goes with whom in a whole history; only the question is put with today in mind (the
    history weights of session-kNN, Garg et al., SIGIR 2019, and of SLIST, Choi et al., WWW 2021, on EASE). Interactions
    of one second fade alike, so that no order is read into ties.

    Parameters
    ----------
    l2 : float
    half_life : float
        In interactions of the user.

    Attributes
    ----------
    item_weights_ : (n_items, n_items) float32
    history_ : (n_users, n_items) csr float32, the faded histories
    """

    def __init__(self, *, l2: float = 300.0, half_life: float = 5.0):
        super().__init__(l2=l2)
        self.half_life = half_life

    def _fit(self, train, item_vectors):
        if not self.half_life > 0:
            raise ValueError(f"half_life must be positive, not {self.half_life}")
        super()._fit(train, item_vectors)
        self.history_ = faded(train, self.half_life)

    def score(self, users):
        return np.asarray(self.history_[users] @ self.item_weights_, np.float32)


def faded(train: Interactions, half_life: float) -> sparse.csr_matrix:
    """The training matrix with 0.5 ^ (later interactions of the user / half_life) in its cells."""
    if train.timestamps is None:
        raise ValueError("a fading history needs timestamps: build the interactions from a frame with that column")
    times, indptr = train.timestamps.data, train.timestamps.indptr
    later = np.empty(len(times))
    for row in range(train.n_users):
        mine = times[indptr[row] : indptr[row + 1]]
        later[indptr[row] : indptr[row + 1]] = len(mine) - np.searchsorted(np.sort(mine), mine, side="right")
    weights = (0.5 ** (later / half_life)).astype(np.float32)
    return sparse.csr_matrix((weights, train.matrix.indices, indptr), train.matrix.shape)
