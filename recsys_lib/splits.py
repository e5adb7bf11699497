"""Splits: train and test frames without leaks, and the named protocols that every table of the tutorial uses."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_lib.interactions import check_frame


@dataclass(frozen=True)
class Split:
    """Disjoint train and test frames.

    Attributes
    ----------
    train, test : DataFrame
    seen : DataFrame
        What the user is known to have had before the test: train, and where a protocol keeps only high ratings
        in train, the low ones too. Mask these in `recommend`; split them again for validation.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    seen: pd.DataFrame = None

    def __post_init__(self):
        if self.seen is None:
            object.__setattr__(self, "seen", self.train)

    def __repr__(self) -> str:
        return (
            f"Split(train {len(self.train):,} rows of {self.train['user_id'].nunique():,} users, "
            f"test {len(self.test):,} rows of {self.test['user_id'].nunique():,} users)"
        )


def random_per_user(frame: pd.DataFrame, *, test_share: float = 0.25, rounding: str = "ceil", rng=0) -> Split:
    """Each user's rows in random order; the first `rounding(test_share * n)` are the test, at least one row stays.

    Users are visited in the order of their ids and their rows in the order of `item_id`, so the split does not
    depend on the order of the frame. rounding: "ceil", "floor" or "round" (notebook 01 shows what it moves).
    """
    check_frame(frame)
    rng = np.random.default_rng(rng)
    ordered = frame.sort_values(["user_id", "item_id"], ignore_index=True)
    in_test = np.zeros(len(ordered), bool)
    for start, stop in _users(ordered):
        n_test = _test_size(stop - start, test_share, rounding)
        in_test[start + rng.permutation(stop - start)[:n_test]] = True
    return _split(ordered, in_test)


def temporal_per_user(
    frame: pd.DataFrame, *, test_share: float = 0.2, rounding: str = "ceil", ties: str = "item_id"
) -> Split:
    """Each user's last `rounding(test_share * n)` rows by time are the test.

    ties: rows of one second are ordered by "item_id" (the default), by "reversed_item_id", or left as they stand
    in the frame ("frame"). MovieLens has many such rows; notebook 01 measures what the choice moves.
    Users do not share a clock: one user's test may lie before another's train (see `temporal_global`).
    """
    check_frame(frame, need_time=True)
    if ties not in ("item_id", "reversed_item_id", "frame"):
        raise ValueError(f"ties must be 'item_id', 'reversed_item_id' or 'frame', not {ties!r}")
    keys = ["user_id", "timestamp"] + ([] if ties == "frame" else ["item_id"])
    ascending = [True, True] + ([] if ties == "frame" else [ties == "item_id"])
    ordered = frame.sort_values(keys, ascending=ascending, kind="stable", ignore_index=True)
    in_test = np.zeros(len(ordered), bool)
    for start, stop in _users(ordered):
        in_test[stop - _test_size(stop - start, test_share, rounding) : stop] = True
    return _split(ordered, in_test)


def leave_last_out(frame: pd.DataFrame, *, n_test: int = 1) -> Split:
    """Each user's last `n_test` rows by (timestamp, item_id) are the test; users with no more stay in train."""
    check_frame(frame, need_time=True)
    if n_test < 1:
        raise ValueError(f"n_test must be at least 1, not {n_test}")
    ordered = frame.sort_values(["user_id", "timestamp", "item_id"], ignore_index=True)
    in_test = np.zeros(len(ordered), bool)
    for start, stop in _users(ordered):
        if stop - start > n_test:
            in_test[stop - n_test : stop] = True
    return _split(ordered, in_test)


def temporal_global(frame: pd.DataFrame, *, test_share: float = 0.2) -> Split:
    """Cut all rows at one moment: what happened at or after it is the test, and nothing of the future is in train.

    The test keeps only users that train knows. Warns with their number when fewer than 20 % of all users can be
    evaluated: ML-100K leaves about a hundred.
    """
    check_frame(frame, need_time=True)
    _check_share(test_share)
    ordered = frame.sort_values(["timestamp", "user_id", "item_id"], ignore_index=True)
    cut = ordered["timestamp"].iloc[min(len(ordered) - 1, _whole(math.floor, len(ordered) * (1 - test_share)))]
    train, test = ordered[ordered["timestamp"] < cut], ordered[ordered["timestamp"] >= cut]
    if train.empty:
        raise ValueError("every row is at or after the cut: the timestamps do not spread. Use another split")
    test = test[test["user_id"].isin(train["user_id"].unique())]
    n_known, n_users = test["user_id"].nunique(), ordered["user_id"].nunique()
    if n_known < 0.2 * n_users:
        warnings.warn(
            f"only {n_known} of {n_users} users have rows on both sides of the cut and can be evaluated: "
            f"small effects cannot be seen. Consider temporal_per_user",
            stacklevel=2,
        )
    return Split(train.reset_index(drop=True), test.reset_index(drop=True))


def cold_items(frame: pd.DataFrame, *, share: float = 0.2, min_interactions: int = 5, rng=0) -> Split:
    """All rows of a random `share` of the items (of those with at least `min_interactions` rows) are the test."""
    check_frame(frame)
    _check_share(share)
    counts = frame["item_id"].value_counts()
    eligible = np.sort(counts.index[counts >= min_interactions].to_numpy())
    n_cold = round(share * len(eligible))
    if n_cold == 0:
        raise ValueError(
            f"{len(eligible)} items have {min_interactions} or more rows: none can be held out. Lower min_interactions"
        )
    cold = np.random.default_rng(rng).permutation(eligible)[:n_cold]
    ordered = frame.sort_values(["user_id", "item_id"], ignore_index=True)
    return _split(ordered, ordered["item_id"].isin(cold).to_numpy())


PROTOCOLS = ("A", "Bu", "ML1M-R")


def protocol(name: str, frame: pd.DataFrame, seed: int = 0) -> Split:
    """The named protocols of this tutorial.

    - "A": random per user, test = ceil(.25 n), every rating is relevant.
    - "Bu": temporal per user by (timestamp, item_id), test = the last ceil(.2 n) of all ratings; then train and test
      keep ratings of 4 and more, while `seen` keeps every rated train item. No randomness: `seed` changes nothing.
    - "ML1M-R": ratings of 4 and more, then random per user with test = ceil(.2 n).
    """
    if name in ("Bu", "ML1M-R"):
        check_frame(frame)
        if "rating" not in frame.columns:
            raise ValueError(f"protocol {name!r} keeps ratings of 4 and more: it needs the column 'rating'. Use 'A'")
    if name == "A":
        return random_per_user(frame, test_share=0.25, rng=seed)
    if name == "Bu":
        whole = temporal_per_user(frame, test_share=0.2)
        train, test = (part[part["rating"] >= 4].reset_index(drop=True) for part in (whole.train, whole.test))
        # A user without any high rating in train has nothing to be modelled from: he is not tested.
        test = test[test["user_id"].isin(train["user_id"].unique())].reset_index(drop=True)
        if train.empty or test.empty:
            part = "train" if train.empty else "test"
            raise ValueError(
                f"protocol 'Bu': no rating of 4 or more is left in {part}. Rescale the ratings, or use 'A'"
            )
        return Split(train, test, whole.train[whole.train["user_id"].isin(train["user_id"].unique())])
    if name == "ML1M-R":
        return random_per_user(frame[frame["rating"] >= 4], test_share=0.2, rng=seed)
    raise ValueError(f"there is no protocol {name!r}. There are: {', '.join(PROTOCOLS)}")


def validation(name: str, split: Split, seed: int = 0) -> Split:
    """The same protocol applied once more to what is known before the test: for tuning, never touching `split.test`."""
    return protocol(name, split.seen, seed)


def _users(ordered: pd.DataFrame):
    """(start, stop) of each user's run of rows."""
    ids = ordered["user_id"].to_numpy()
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    return zip(starts, np.r_[starts[1:], len(ids)], strict=True)


def _test_size(n: int, share: float, rounding: str) -> int:
    _check_share(share)
    rounders = {"ceil": math.ceil, "floor": math.floor, "round": round}
    if rounding not in rounders:
        raise ValueError(f"rounding must be 'ceil', 'floor' or 'round', not {rounding!r}")
    return min(_whole(rounders[rounding], share * n), n - 1)


def _whole(rounder, size: float) -> int:
    return rounder(round(size, 9))  # round(…, 9) keeps .2 * 35 = 7.000000000000001 from becoming 8


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise ValueError(f"a share must lie between 0 and 1, not {share}")


def _split(ordered: pd.DataFrame, in_test: np.ndarray) -> Split:
    if not in_test.any():
        raise ValueError("the test set would be empty: every user has too few rows for this split")
    return Split(ordered[~in_test].reset_index(drop=True), ordered[in_test].reset_index(drop=True))
