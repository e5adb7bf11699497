"""Models that are sums over events: popularity, own frequency, item-kNN; live, with old events fading if one wants."""

from __future__ import annotations

import numpy as np

from recsys_lib.models.base import Recommender
from recsys_lib.online.history import History


class _Fading(Recommender):
    """What they share: a clock, and sums in which an event counts 0.5 ^ (its age / half_life).

    All terms of such a sum fade alike, so it is enough to multiply it by 0.5 ^ (time passed / half_life) when new
    events come: no event is looked at twice.
    """

    def __init__(self, *, half_life: float | None = None):
        self.half_life = half_life

    def _fit(self, train, item_vectors):
        if self.half_life is not None and not self.half_life > 0:
            raise ValueError(f"half_life must be positive seconds, or None for no fading, not {self.half_life}")
        self.history_ = self.train_ = History.of(train)
        self.history_.rows = [(items[:0], values[:0]) for items, values in self.history_.rows]
        self.now_ = None
        self._begin()
        users = np.repeat(np.arange(train.n_users), np.diff(train.matrix.indptr))
        if train.timestamps is None:
            if self.half_life is not None:
                raise ValueError("fading needs timestamps: build the interactions from a frame with that column")
            self.learn(users, train.matrix.indices)
            return
        order = np.argsort(train.timestamps.data, kind="stable")
        self.learn(users[order], train.matrix.indices[order], train.timestamps.data[order])

    def learn(self, users, items, times=None) -> None:
        """A block of events, in the order of time (seconds; only needed if old events fade)."""
        if len(users) == 0:
            return
        users, items = np.asarray(users, np.int64), np.asarray(items, np.int64)
        weights = self._pass_time(len(users), times)
        old = self.history_.n_items
        self.history_.make_room(users, items)
        self._grow(self.history_.n_items - old)
        self._count(users, items, weights)

    def _pass_time(self, n: int, times) -> np.ndarray:
        """Fade the sums to the last of `times`; what each event counts for then."""
        if self.half_life is None:
            return np.ones(n)
        times = np.asarray(times, float)
        if times.shape != (n,) or not np.isfinite(times).all():
            raise ValueError("with a half_life every event needs a finite time")
        if (np.diff(times) < 0).any() or (self.now_ is not None and times[0] < self.now_):
            raise ValueError("the events are not in the order of time, or older than what was learned already")
        self._fade(1.0 if self.now_ is None else 0.5 ** ((times[-1] - self.now_) / self.half_life))
        self.now_ = float(times[-1])
        return 0.5 ** ((self.now_ - times) / self.half_life)


class FadingPopularity(_Fading):
    """How often each item was had, recent events counting more: sum over events of 0.5 ^ (age / half_life).

    Parameters
    ----------
    half_life : float or None
        Seconds after which an event counts half; None: for ever.
    repeats : bool
        True: every event counts. False: only a user's first event with an item, what newcomers to an item are; with
        `half_life=None` this is `models.Popularity`.

    Attributes
    ----------
    counts_ : (n_items,) float64, as of `now_`, the time of the last event
    """

    def __init__(self, *, half_life: float | None = None, repeats: bool = True):
        super().__init__(half_life=half_life)
        self.repeats = repeats

    def _begin(self):
        self.counts_ = np.zeros(self.history_.n_items)

    def _grow(self, n):
        self.counts_ = np.pad(self.counts_, (0, n))

    def _fade(self, factor):
        self.counts_ *= factor

    def _count(self, users, items, weights):
        added = self.history_.learn(users, items)
        if not self.repeats:
            cells = _first_events(users, items, weights, added, len(self.counts_))
            items, weights = (np.concatenate(parts) for parts in zip(*(each[1:] for each in cells), strict=True))
        self.counts_ += np.bincount(items, weights, len(self.counts_))

    def score(self, users):
        return np.tile(self.counts_.astype(np.float32), (len(users), 1))


class FadingFrequency(_Fading):
    """How often the user himself had each item, recent events counting more; ties go to what is popular.

    Where things are bought again and again this is the rule to beat ("personal top frequency", Hu et al., SIGIR 2020,
    arXiv:2006.00556). With `exclude=False` it lists nothing new before it has run out of what is known; by default
    `recommend` masks what is known, and what is popular remains.

    Parameters
    ----------
    half_life : float or None
        Seconds after which an event counts half; None: for ever.

    Attributes
    ----------
    counts_ : (n_users, n_items) float64, dense: for catalogues of hundreds
    """

    def _begin(self):
        self.counts_ = np.zeros(self.history_.shape)

    def _grow(self, n):
        self.counts_ = np.pad(self.counts_, ((0, self.history_.n_users - len(self.counts_)), (0, n)))

    def _fade(self, factor):
        self.counts_ *= factor

    def _count(self, users, items, weights):
        self.history_.learn(users, items)
        np.add.at(self.counts_, (users, items), weights)

    def score(self, users):
        popular = self.counts_.sum(axis=0)
        return (self.counts_[users] + 1e-3 * popular / max(popular.max(), 1e-300)).astype(np.float32)


class IncrementalItemKNN(_Fading):
    """Item-kNN whose counts follow each event: C_ij = number of users with both, sim = C_ij / (sqrt(C_ii C_jj) + s).

    A new item j in a history adds 1 to C_ij for every i in it: as much work as the history is long. With a half-life
    a pair counts from the moment when it is complete, and fades like everything. Without one it equals
    `models.ItemKNN(weighting="binary")` exactly. (BM25 and TF-IDF weights depend on all users at once: they are not
    sums over events.)

    Parameters
    ----------
    k : int
        Neighbours an item. They are looked for when scores are asked for after something was learned.
    shrinkage : float
    half_life : float or None
        Seconds after which a pair counts half; None: for ever.
    """

    def __init__(self, *, k: int = 200, shrinkage: float = 2.0, half_life: float | None = None):
        super().__init__(half_life=half_life)
        self.k, self.shrinkage = k, shrinkage

    def _begin(self):
        self._pairs, self._similarity = np.zeros((self.history_.n_items,) * 2), None

    def _grow(self, n):
        self._pairs = np.pad(self._pairs, ((0, n), (0, n))) if n else self._pairs

    def _fade(self, factor):
        self._pairs *= factor

    def _count(self, users, items, weights):
        self._similarity = None
        added = self.history_.learn(users, items)
        for user, new, weight in _first_events(users, items, weights, added, self.history_.n_items):
            old = np.setdiff1d(self.history_.rows[user][0], new, assume_unique=True)
            self._pairs[np.ix_(new, old)] += weight[:, None]
            self._pairs[np.ix_(old, new)] += weight
            self._pairs[np.ix_(new, new)] += np.maximum.outer(weight, weight)  # complete with the later one

    @property
    def similarity_(self) -> np.ndarray:
        """(n_items, n_items) float32; column i holds the k nearest items of i."""
        if self._similarity is None:
            norms = np.sqrt(np.diag(self._pairs))
            similar = self._pairs / (norms[:, None] * norms[None, :] + self.shrinkage + 1e-12)
            np.fill_diagonal(similar, 0)
            if self.k < len(similar):
                far = np.argsort(-similar, axis=1, kind="stable")[:, self.k :]
                np.put_along_axis(similar, far, 0, axis=1)
            self._similarity = similar.T.astype(np.float32)
        return self._similarity

    def score(self, users):
        return np.asarray(self.history_[users].astype(np.float32) @ self.similarity_)


def _first_events(users, items, weights, added: dict, n_items: int) -> list[tuple]:
    """(user, his new items, weights of their first events) of a block, for `added` as `History.learn` returns it."""
    cells, first = np.unique(users * n_items + items, return_index=True)
    return [
        (user, new, weights[first[np.searchsorted(cells, user * n_items + new.astype(np.int64))]])
        for user, new in added.items()
    ]
