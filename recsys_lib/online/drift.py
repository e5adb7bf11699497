"""Drift whose truth is known: visits of real users in a stationary stream, into which a change is injected.

A visit is a sample of the films that a real user liked: a context that the recommender sees, and targets that it has to
guess. Users and films are drawn at random and independently for every visit, so without an injection nothing changes
over time, and every alarm is false. The changes are ours. From a moment on the audiences of some films trade places
with those of films that are as popular: what a user would have picked as film a he now picks as film pi(a). How often
each film is picked hardly changes; who picks it together with what does. A popularity attack adds visits of bots.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recsys_lib.interactions import Interactions

KINDS = ("sudden", "gradual", "recurring", "popularity attack")
N_CONTEXT, N_TARGETS = 15, 5
BAND = 10  # films that may trade places: neighbours in popularity
RAMP, SEASON = 2_000, 1_500  # visits that a gradual drift takes; visits between the changes of a recurring one


@dataclass(frozen=True)
class Visits:
    """A stream of visits.

    Attributes
    ----------
    items : (n, N_CONTEXT + N_TARGETS) int32, the context first; no item twice in a row.
    genuine : (n,) bool, False for a bot's visit.
    changed : (n,) bool, whether the visit follows the new tastes.
    at : int or None, the first visit that the injection can touch.
    """

    items: np.ndarray
    genuine: np.ndarray
    changed: np.ndarray
    at: int | None = None

    def __len__(self) -> int:
        return len(self.items)


def draw_visits(liked: Interactions, n: int, rng=None) -> Visits:
    """n independent visits: a user, uniformly, and a random sample of his items, without replacement.

    Every user in `liked` needs N_CONTEXT + N_TARGETS items.
    """
    rng = np.random.default_rng(rng)
    matrix, size = liked.matrix, N_CONTEXT + N_TARGETS
    lengths = np.diff(matrix.indptr)
    if lengths.min() < size:
        row = int(lengths.argmin())
        raise ValueError(
            f"user {liked.user_ids[row]!r} has {lengths[row]} items, but a visit takes {size}. Drop users with fewer"
        )
    items = np.empty((n, size), np.int32)
    users = rng.integers(liked.n_users, size=n)
    for start in range(0, n, 1_000):
        rows = users[start : start + 1_000]
        keys = rng.random((len(rows), lengths[rows].max()))
        keys[np.arange(keys.shape[1]) >= lengths[rows][:, None]] = 2.0
        places = np.argsort(keys, axis=1)[:, :size]
        items[start : start + 1_000] = matrix.indices[matrix.indptr[rows][:, None] + places]
    return Visits(items, np.ones(n, bool), np.zeros(n, bool))


def traded_places(popularity: np.ndarray, share: float, rng=None) -> np.ndarray:
    """pi, (n_items,): a random `share` of the items trade places with others of their popularity band.

    Items are put in order of popularity and cut into bands of BAND. The chosen ones of a band are moved in a cycle, so
    each of them moves (unless it is the only one chosen); the others stay.
    """
    rng = np.random.default_rng(rng)
    result = np.arange(len(popularity))
    order = np.argsort(-np.asarray(popularity), kind="stable")
    for start in range(0, len(order), BAND):
        band = order[start : start + BAND]
        chosen = rng.permutation(band[rng.random(len(band)) < share])
        result[chosen] = np.roll(chosen, 1)
    return result


def inject(visits: Visits, kind: str, severity: float, at: int, popularity: np.ndarray, rng=None) -> Visits:
    """The same stream with a drift from visit `at` on.

    Parameters
    ----------
    kind : str
        "sudden": all later visits follow the new tastes. "gradual": more and more do, all after RAMP visits.
        "recurring": new and old tastes take turns, SEASON visits each. "popularity attack": bots come; their
        context is drawn by popularity, their targets are N_TARGETS films of the less popular half, always the same.
    severity : float
        The share of films that trade places; in an attack, the share of visits that are bots'.
    popularity : (n_items,) how often each item is picked.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no drift {kind!r}. There are: {', '.join(KINDS)}")
    if not 0 < severity <= 1 or not 0 <= at < len(visits):
        raise ValueError(f"severity must lie in (0, 1] and at in the stream, but they are {severity} and {at}")
    rng = np.random.default_rng(rng)
    since = np.arange(len(visits)) - at
    if kind == "popularity attack":
        return _attacked(visits, (since >= 0) & (rng.random(len(visits)) < severity), at, popularity, rng)
    moved = traded_places(popularity, severity, rng)
    shares = {"sudden": since >= 0, "gradual": since / RAMP, "recurring": (since >= 0) & (since // SEASON % 2 == 0)}
    changed = rng.random(len(visits)) < shares[kind]
    return replace(visits, items=np.where(changed[:, None], moved[visits.items], visits.items), changed=changed, at=at)


def _attacked(visits, bots, at, popularity, rng):
    pushed = rng.permutation(np.argsort(popularity, kind="stable")[: len(popularity) // 2])[:N_TARGETS]
    # Gumbel's trick: the largest of log p + noise are a sample without replacement in proportion to p.
    weight = np.log(np.maximum(popularity, 1e-12)) + rng.gumbel(size=(bots.sum(), len(popularity)))
    weight[:, pushed] = -np.inf
    items = visits.items.copy()
    items[bots, :N_CONTEXT] = np.argsort(-weight, axis=1)[:, :N_CONTEXT]
    items[bots, N_CONTEXT:] = pushed
    return replace(visits, items=items, genuine=~bots, at=at)
