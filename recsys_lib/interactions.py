"""Interactions: the user-item matrix that models learn from, and the check that stands at the door."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

USER, ITEM, RATING, TIME = "user_id", "item_id", "rating", "timestamp"


def check_frame(frame: pd.DataFrame, *, need_time: bool = False) -> None:
    """Raise a ValueError that names the column (and the first bad row) if `frame` is not a table of interactions.

    A good frame has the columns `user_id`, `item_id`, optionally `rating` (numbers, not negative) and
    `timestamp` (seconds), no missing value in them, and each (user, item) pair once.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"interactions must be a pandas DataFrame, not {type(frame).__name__}")
    required = [USER, ITEM] + ([TIME] if need_time else [])
    missing = [name for name in required if name not in frame.columns]
    if missing:
        raise ValueError(
            f"the interactions lack the column {missing[0]!r}; they have {list(frame.columns)}. Rename or add it"
        )
    if frame.empty:
        raise ValueError("the interactions are empty: there is nothing to learn from. Check the filters before this")
    for name in [column for column in (USER, ITEM, RATING, TIME) if column in frame.columns]:
        bad = np.flatnonzero(frame[name].isna().to_numpy())
        if bad.size:
            raise ValueError(
                f"column {name!r} has {bad.size} missing values, the first in row {bad[0]}. Drop those rows"
            )
    for name in (RATING, TIME):
        if name in frame.columns and not pd.api.types.is_numeric_dtype(frame[name]):
            kind = "seconds as numbers" if name == TIME else "numbers"
            raise ValueError(
                f"column {name!r} must hold {kind}, but its dtype is {frame[name].dtype}. "
                f"Convert it first (pandas.to_numeric, or .astype('int64') // 10**9 for datetimes)"
            )
    for name in (USER, ITEM):
        if pd.api.types.infer_dtype(frame[name]) in ("mixed", "mixed-integer"):
            try:
                np.sort(frame[name].unique())
            except TypeError:
                raise ValueError(
                    f"column {name!r} mixes ids of several types, which have no order. "
                    f"Make them one type: frame[{name!r}].astype(str)"
                ) from None
    if TIME in frame.columns:
        bad = np.flatnonzero(~np.isfinite(frame[TIME].to_numpy(dtype=float)))
        if bad.size:
            raise ValueError(f"column 'timestamp' must be finite; row {bad[0]} is not. Drop such rows")
    if RATING in frame.columns:
        ratings = frame[RATING].to_numpy(dtype=float)
        bad = np.flatnonzero(~np.isfinite(ratings) | (ratings < 0))
        if bad.size:
            raise ValueError(
                f"column 'rating' must be finite and not negative; row {bad[0]} holds {ratings[bad[0]]}. "
                f"Drop or shift such ratings"
            )
    twice = frame.duplicated([USER, ITEM]).to_numpy()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        pair = frame.iloc[row]
        raise ValueError(
            f"{int(twice.sum())} (user_id, item_id) pairs stand more than once, the first in row {row}: "
            f"user {pair[USER]!r}, item {pair[ITEM]!r}. Keep one of each: frame.drop_duplicates(['user_id', 'item_id'])"
        )


@dataclass(frozen=True)
class Interactions:
    """A sparse user-item matrix with the ids of its rows and columns.

    Attributes
    ----------
    matrix : scipy.sparse.csr_matrix, (n_users, n_items) float32
        1 where the user has interacted with the item; each cell once, column indices sorted within a row.
    user_ids, item_ids : pandas.Index
        The id behind each row and each column.
    ratings, timestamps : scipy.sparse.csr_matrix or None
        The ratings (float32) and the seconds (float64) on the same cells; None where the data have none.

    Raises
    ------
    ValueError
        If a matrix is not csr, holds a cell twice, or does not fit the ids or the other matrices.
    """

    matrix: sparse.csr_matrix
    user_ids: pd.Index
    item_ids: pd.Index
    ratings: sparse.csr_matrix | None = None
    timestamps: sparse.csr_matrix | None = None

    def __post_init__(self):
        shape = (len(self.user_ids), len(self.item_ids))
        for name in ("matrix", "ratings", "timestamps"):
            cells = getattr(self, name)
            if cells is None and name != "matrix":
                continue
            if not sparse.issparse(cells) or cells.format != "csr":
                kind = f"{cells.format} matrix" if sparse.issparse(cells) else type(cells).__name__
                raise ValueError(f"{name} must be a csr matrix, not a {kind}. Convert it: sparse.csr_matrix({name})")
            if cells.shape != shape:
                raise ValueError(
                    f"{name} has the shape {cells.shape}, but there are {shape[0]} user_ids and {shape[1]} item_ids. "
                    f"Pass one id a row and one a column"
                )
            if not (cells.has_canonical_format or cells.sorted_indices().has_canonical_format):
                raise ValueError(f"{name} holds a cell more than once. Add them up: {name}.sum_duplicates()")
            if not all(np.array_equal(getattr(cells, a), getattr(self.matrix, a)) for a in ("indptr", "indices")):
                raise ValueError(f"{name} has other cells than matrix. Pass a value for each cell, in the same order")

    @classmethod
    def from_frame(cls, frame, user_ids=None, item_ids=None, min_rating=None) -> Interactions:
        """Build from a frame with `user_id`, `item_id` and optionally `rating` and `timestamp`.

        Parameters
        ----------
        user_ids, item_ids : sequence of unique ids, optional
            The rows and columns, in this order; by default the sorted ids of the frame. Pass the training
            set's `user_ids` and `dataset.items.index` so that train, test and item vectors line up.
        min_rating : float, optional
            Keep only cells with at least this rating.

        Raises
        ------
        ValueError
            If the frame is not clean (see `check_frame`), holds ids that are not among those given, or
            nothing is left after `min_rating`.
        """
        check_frame(frame)
        users = _ids(frame[USER], user_ids, "user")
        items = _ids(frame[ITEM], item_ids, "item")
        if min_rating is not None:
            if RATING not in frame.columns:
                raise ValueError("min_rating was given, but the interactions have no column 'rating'. Leave it out")
            frame = frame[frame[RATING] >= min_rating]
            if frame.empty:
                raise ValueError(f"no interaction has a rating of {min_rating} or more. Lower min_rating")
        rows = _codes(frame[USER], users, "user")
        columns = _codes(frame[ITEM], items, "item")
        shape = (len(users), len(items))
        matrix = sparse.csr_matrix((np.ones(len(frame), np.float32), (rows, columns)), shape=shape)
        matrix.sort_indices()
        order = np.lexsort((columns, rows))

        def on_the_cells(name, dtype):
            # Zero is a legal value but would vanish from a sparse matrix that is built by summing: assign
            # the data in the order of `matrix` instead.
            if name not in frame.columns:
                return None
            data = frame[name].to_numpy(dtype=dtype)[order]
            return sparse.csr_matrix((data, matrix.indices.copy(), matrix.indptr.copy()), shape)

        return cls(matrix, users, items, on_the_cells(RATING, np.float32), on_the_cells(TIME, np.float64))

    def at_least(self, rating: float) -> Interactions:
        """The cells with this rating or a higher one, with the same rows and columns."""
        if self.ratings is None:
            raise ValueError("at_least needs ratings: build the interactions from a frame with the column 'rating'")
        keep = self.ratings.data >= rating
        rows = np.repeat(np.arange(self.n_users), np.diff(self.matrix.indptr))[keep]
        indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=self.n_users))))

        def kept(values):
            if values is None:
                return None
            return sparse.csr_matrix((values.data[keep], self.matrix.indices[keep], indptr.copy()), self.matrix.shape)

        return Interactions(kept(self.matrix), self.user_ids, self.item_ids, kept(self.ratings), kept(self.timestamps))

    @property
    def n_users(self) -> int:
        return self.matrix.shape[0]

    @property
    def n_items(self) -> int:
        return self.matrix.shape[1]

    @property
    def item_counts(self) -> np.ndarray:
        """(n_items,) int64: how many users had each item."""
        return np.bincount(self.matrix.indices, minlength=self.n_items)

    def __repr__(self) -> str:
        cells = self.n_users * self.n_items
        return (
            f"Interactions({self.n_users:,} users x {self.n_items:,} items, {self.matrix.nnz:,} cells, "
            f"density {self.matrix.nnz / cells:.2%})"
        )


def check_same_ids(train: Interactions, other: Interactions, name: str) -> None:
    """Raise a ValueError that names the first difference if `other` has other rows or columns than `train`."""
    for what in ("user_ids", "item_ids"):
        ours, theirs = getattr(train, what), getattr(other, what)
        if ours.equals(theirs):
            continue
        if len(ours) != len(theirs):
            difference = f"{len(ours)} and {len(theirs)} of them"
        else:
            place = next(row for row in range(len(ours)) if ours[row] != theirs[row])
            difference = f"at position {place}, {ours[place]!r} and {theirs[place]!r}"
        raise ValueError(
            f"train.{what} and {name}.{what} differ: {difference}. "
            f"Build {name} with Interactions.from_frame(..., user_ids=train.user_ids, item_ids=train.item_ids)"
        )


def _ids(column: pd.Series, given, what: str) -> pd.Index:
    if given is None:
        return pd.Index(np.sort(column.unique()), name=f"{what}_id")
    ids = pd.Index(given, name=f"{what}_id")
    if not ids.is_unique:
        raise ValueError(f"{what}_ids holds {ids[ids.duplicated()][0]!r} twice. Pass each id once")
    return ids


def _codes(column: pd.Series, ids: pd.Index, what: str) -> np.ndarray:
    codes = ids.get_indexer(column)
    unknown = np.flatnonzero(codes < 0)
    if unknown.size:
        raise ValueError(
            f"{unknown.size} interactions have a {what}_id that is not among {what}_ids, "
            f"the first is {column.iloc[unknown[0]]!r}. Drop them, or pass {what}_ids that contain it"
        )
    return codes
