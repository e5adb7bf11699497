"""Item-item models that know what came last: EASE with a fading history, and transitions from past to future."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_lib.interactions import Interactions
from recsys_lib.models.base import Recommender
from recsys_lib.models.linear import EASE, inverse


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


class SLIT(Recommender):
    """Linear transitions: which items follow on which, min_B sum over moments |future - past B|^2 + l2 |B|^2.

    Every moment of every history is a row: what came before fades into the past, what comes after into the future, each
    with the same half-life. Interactions of one second are one moment, so that no order is read into ties.
    (Session-aware linear item transition model: Choi et al., WWW 2021, arXiv:2103.16104, eq. 9.)

    Parameters
    ----------
    l2 : float
    half_life : float
        In interactions of the user, towards the past and towards the future.

    Attributes
    ----------
    item_weights_ : (n_items, n_items) float32, row = past, column = future
    history_ : (n_users, n_items) csr float32, the faded histories
    """

    def __init__(self, *, l2: float = 1000.0, half_life: float = 4.0):
        self.l2, self.half_life = l2, half_life

    def _fit(self, train, item_vectors):
        if not (self.l2 > 0 and self.half_life > 0):
            raise ValueError(f"l2 and half_life must be positive, not {self.l2} and {self.half_life}")
        self.history_ = faded(train, self.half_life)
        past, future = _moments(train, self.half_life)
        gram = (past.T @ past).toarray()
        gram[np.diag_indices_from(gram)] += self.l2
        self.item_weights_ = (inverse(gram) @ (past.T @ future).toarray()).astype(np.float32)

    def score(self, users):
        return np.asarray(self.history_[users] @ self.item_weights_, np.float32)


def _moments(train: Interactions, half_life: float) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """(n_moments, n_items) faded pasts and futures, for every second in which a user did something."""
    users = np.repeat(np.arange(train.n_users), np.diff(train.matrix.indptr))
    order = np.lexsort((train.timestamps.data, users))
    users, times, items = users[order], train.timestamps.data[order], train.matrix.indices[order]
    n = len(users)
    new = np.r_[True, (users[1:] != users[:-1]) | (times[1:] != times[:-1])]
    first = np.flatnonzero(new)  # each moment's first row, and the row behind its last
    behind = np.r_[first[1:], n]
    moment = np.cumsum(new) - 1
    start, stop = np.searchsorted(users, users), np.searchsorted(users, users, side="right")
    last = behind - 1
    reach = int(np.ceil(5 * half_life))  # what is farther counts less than 1/32
    cells = {"past": [], "future": []}
    for distance in range(reach + int((behind - first).max()) - 1):  # so that no moment is cut in two
        row = last - distance
        near = np.flatnonzero(row >= start[last])
        age = behind[near] - behind[moment[row[near]]]
        cells["past"].append((near, items[row[near]], age))
        row = behind + distance
        near = np.flatnonzero(row < stop[last])
        lead = first[moment[row[near]]] - behind[near]
        cells["future"].append((near, items[row[near]], lead))
    tables = []
    for parts in cells.values():
        rows, columns, distances = (np.concatenate(part) for part in zip(*parts, strict=True))
        near = distances < reach
        weights = 0.5 ** (distances[near] / half_life)
        tables.append(sparse.csr_matrix((weights, (rows[near], columns[near])), (len(first), train.n_items)))
    return tuple(tables)
