"""Stream: events in the order of time, from a frame or from any live source, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_lib.interactions import ITEM, RATING, TIME, USER

FIELDS = (USER, ITEM, TIME, RATING)


@dataclass(frozen=True)
class Block:
    """Successive events of a stream.

    Attributes
    ----------
    number : int
        0, 1, ... in the order of the stream; with blocks by time, empty ones are skipped and leave gaps.
    users, items : (n,) int64
        Row and column indices; the next free index is someone (or something) new.
    times : (n,) float64, seconds, not falling
    ratings : (n,) float64 or None
    """

    number: int
    users: np.ndarray
    items: np.ndarray
    times: np.ndarray
    ratings: np.ndarray | None

    def __len__(self) -> int:
        return len(self.users)


class Stream:
    """Blocks of events, with indices in place of ids. Iterate over it: each `Block` is what happened next.

    Parameters
    ----------
    source : DataFrame, or an iterable of events
        Columns (or keys of each event, a dict) `user_id`, `item_id`, `timestamp` in seconds, and perhaps `rating`, in
        the order of time. An event may also be a tuple in this order. A generator is read only as far as its blocks
        are asked for, so that it may be live and endless. A frame can be read again and again, all else once.
    user_ids, item_ids : sequence, optional
        Ids that are known already, as a model's rows and columns (`train.user_ids`). New ones get the next index.
    size : int, optional
        Events a block. Or:
    seconds : float, optional
        Length of a block in time, counted from `start` (default: the first event).

    Attributes
    ----------
    user_ids, item_ids : pandas.Index
        All ids met so far: position = index.

    Raises
    ------
    ValueError
        At the first event that is out of order, lacks a field, has an unknown one, or a time that is no finite number.
        A frame is checked at once, a live source as it comes. Also if a source that is no frame is read again.
    """

    def __init__(self, source, user_ids=(), item_ids=(), *, size=None, seconds=None, start=None):
        if (size is None) == (seconds is None):
            raise ValueError("give either size (events a block) or seconds (time a block)")
        length = seconds if size is None else size
        if not length > 0 or (size is not None and size != int(size)):
            raise ValueError(f"a block holds a whole number of events, or lasts longer than 0 s, but not {length}")
        self._size, self._seconds, self._start = size, seconds, start
        self._users, self._items = (
            {each: code for code, each in enumerate(pd.Index(ids).tolist())} for ids in (user_ids, item_ids)
        )
        self._events = list(_frame_events(source)) if isinstance(source, pd.DataFrame) else _live_events(source)
        self._was_read = False

    @property
    def user_ids(self) -> pd.Index:
        return pd.Index(list(self._users), name=USER)

    @property
    def item_ids(self) -> pd.Index:
        return pd.Index(list(self._items), name=ITEM)

    def __iter__(self) -> Iterator[Block]:
        if self._was_read:
            raise ValueError("this stream was read already: make a new one, or make it of a DataFrame")
        number, waiting, start = 0, [], self._start
        for event in self._events:
            if self._seconds is not None:
                start = event[2] if start is None else start
                if event[2] < start:
                    raise ValueError(f"the first event is at {event[2]}, before start={start}")
                now = int((event[2] - start) // self._seconds)
                if waiting and now != number:
                    yield self._block(number, waiting)
                    waiting = []
                number = now
            waiting.append(event)
            if len(waiting) == self._size:
                yield self._block(number, waiting)
                number, waiting = number + 1, []
        self._was_read = not isinstance(self._events, list)
        if waiting:
            yield self._block(number, waiting)

    def _block(self, number: int, events: list[tuple]) -> Block:
        users = [self._users.setdefault(event[0], len(self._users)) for event in events]
        items = [self._items.setdefault(event[1], len(self._items)) for event in events]
        ratings = [event[3] for event in events]
        return Block(
            number,
            np.array(users, np.int64),
            np.array(items, np.int64),
            np.array([event[2] for event in events], float),
            None if None in ratings else np.array(ratings, float),
        )


def _frame_events(frame: pd.DataFrame) -> Iterator[tuple]:
    """(user, item, time, rating or None), after one look at the whole frame."""
    _check_fields(frame.columns, "the frame")
    for name in (name for name in FIELDS if name in frame.columns):
        bad = np.flatnonzero(frame[name].isna().to_numpy())
        if bad.size:
            raise ValueError(f"column {name!r} has {bad.size} missing values, first in row {bad[0]}. Drop those rows")
    for name in (name for name in (TIME, RATING) if name in frame.columns):
        if not pd.api.types.is_numeric_dtype(frame[name]):
            kind = "seconds as numbers" if name == TIME else "numbers"
            raise ValueError(
                f"column {name!r} must hold {kind}, but its dtype is {frame[name].dtype}. Convert it first"
            )
        bad = np.flatnonzero(~np.isfinite(frame[name].to_numpy(float)))
        if bad.size:
            raise ValueError(f"column {name!r} must be finite; row {bad[0]} is not. Drop such rows")
    times = frame[TIME].to_numpy(float)
    back = np.flatnonzero(np.diff(times) < 0)
    if back.size:
        row = back[0] + 1
        raise ValueError(
            f"the events are not in the order of time: row {row} is at {times[row]}, after one at {times[row - 1]}. "
            f"Sort them first: frame.sort_values('timestamp', kind='stable')"
        )
    ratings = frame[RATING].tolist() if RATING in frame.columns else [None] * len(frame)
    return zip(frame[USER].tolist(), frame[ITEM].tolist(), times.tolist(), ratings, strict=True)


def _live_events(source: Iterable) -> Iterator[tuple]:
    before = -np.inf
    for row, event in enumerate(source):
        if isinstance(event, dict):
            _check_fields(event, f"event {row}")
            event = tuple(event.get(name) for name in FIELDS)
        if not isinstance(event, tuple) or not 3 <= len(event) <= 4:
            raise ValueError(
                f"event {row} must be a dict or a tuple of {', '.join(FIELDS[:3])}[, rating], not {event!r}"
            )
        user, item, time, rating = (*event, None)[:4]
        if any(_missing(each) for each in (user, item)):
            raise ValueError(f"event {row} lacks its user_id or item_id: {event!r}")
        if not isinstance(time, int | float | np.number) or not np.isfinite(time):
            raise ValueError(f"event {row} has the timestamp {time!r}: it must be finite seconds")
        if time < before:
            raise ValueError(
                f"event {row} is at {time}, after one at {before}: a stream must come in the order of time"
            )
        before = time
        yield user, item, float(time), rating


def _check_fields(names, what: str) -> None:
    for name in FIELDS[:3]:
        if name not in names:
            raise ValueError(f"{what} lacks {name!r}; it has {list(names)}. Rename or add it")
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        raise ValueError(f"{what} has the unknown column {unknown[0]!r}. Keep {', '.join(FIELDS)} only")


def _missing(value) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))
