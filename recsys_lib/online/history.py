"""History: who had what, as a matrix whose rows can change: what online models keep in place of `Interactions`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from recsys_lib.interactions import Interactions

NO_ITEMS, NO_VALUES = np.empty(0, np.int32), np.empty(0)


class History:
    """A user-item matrix of rows that grow, shrink and fade.

    It has the attributes of `Interactions` that recommenders read (`matrix`, `n_users`, `n_items`, `user_ids`,
    `item_ids`, `item_counts`), and `history[users]` is a csr matrix of these rows, float64, columns sorted.

    Parameters
    ----------
    rows : list of (items (m,) int32 ascending, values (m,) float64)
    user_ids, item_ids : list
        The ids behind rows and columns.
    """

    def __init__(self, rows: list[tuple[np.ndarray, np.ndarray]], user_ids: list, item_ids: list):
        self.rows, self._user_ids, self._item_ids = rows, user_ids, item_ids

    @classmethod
    def of(cls, train: Interactions) -> History:
        """The rows of a training matrix."""
        return cls(_split(train.matrix), train.user_ids.tolist(), train.item_ids.tolist())

    def __getitem__(self, users) -> sparse.csr_matrix:
        return stack([self.rows[user] for user in np.atleast_1d(users)], self.n_items)

    @property
    def matrix(self) -> History:
        return self

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self._item_ids)

    @property
    def n_users(self) -> int:
        return len(self.rows)

    @property
    def n_items(self) -> int:
        return len(self._item_ids)

    @property
    def user_ids(self) -> pd.Index:
        return pd.Index(self._user_ids, name="user_id")

    @property
    def item_ids(self) -> pd.Index:
        return pd.Index(self._item_ids, name="item_id")

    @property
    def lengths(self) -> np.ndarray:
        """(n_users,) int64: how many items each user has."""
        return np.array([len(items) for items, _ in self.rows], np.int64)

    @property
    def item_counts(self) -> np.ndarray:
        """(n_items,) int64: how many users have each item."""
        items = [items for items, _ in self.rows]
        return np.bincount(np.concatenate(items or [NO_ITEMS]), minlength=self.n_items)

    def to_csr(self) -> sparse.csr_matrix:
        return self[np.arange(self.n_users)] if self.rows else sparse.csr_matrix(self.shape)

    def to_interactions(self) -> Interactions:
        """The same cells as 1, for `Recommender.fit`."""
        matrix = self.to_csr().astype(np.float32)
        matrix.data[:] = 1
        return Interactions(matrix, self.user_ids, self.item_ids)

    def check_items(self, items) -> np.ndarray:
        """Distinct column indices, ascending int32; a ValueError if one is no column."""
        found = np.unique(np.atleast_1d(np.asarray(items)))
        if found.size == 0:
            return NO_ITEMS
        if not np.issubdtype(found.dtype, np.integer):
            raise ValueError(f"items must be column indices (integers), not {found.dtype}")
        if found[0] < 0 or found[-1] >= self.n_items:
            bad = found[0] if found[0] < 0 else found[-1]
            raise ValueError(f"items holds the index {bad}, but there are {self.n_items} items: add_items first")
        return found.astype(np.int32)

    def check_user(self, user) -> int:
        if not isinstance(user, int | np.integer) or not 0 <= user < self.n_users:
            raise ValueError(f"there is no user {user!r}: rows are 0 to {self.n_users - 1}; add_users makes new ones")
        return int(user)

    def with_items(self, user: int, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the row of `user` would be with `items` at value 1; nothing is changed."""
        old, values = self.rows[user]
        place = np.searchsorted(old, items)
        known = np.zeros(len(items), bool)
        inside = place < len(old)
        known[inside] = old[place[inside]] == items[inside]
        if known.all() and (values[place] == 1).all():
            return self.rows[user]
        values = values.copy()
        values[place[known]] = 1.0
        both = np.concatenate([old, items[~known]])
        order = np.argsort(both, kind="stable")
        return both[order], np.concatenate([values, np.ones(len(both) - len(old))])[order]

    def without_items(self, user: int, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the row of `user` would be without `items`; a ValueError if it lacks one of them."""
        old, values = self.rows[user]
        missing = np.setdiff1d(items, old)
        if missing.size:
            raise ValueError(f"user {user} does not have the item {missing[0]}: there is nothing to remove")
        keep = ~np.isin(old, items)
        return old[keep], values[keep]

    def add_rows(self, rows, user_ids=None) -> None:
        ids = _new_ids(self._user_ids, len(rows), user_ids, "user_ids")
        self.rows.extend(rows)
        self._user_ids.extend(ids)

    def add_items(self, n: int, item_ids=None) -> None:
        self._item_ids.extend(_new_ids(self._item_ids, n, item_ids, "item_ids"))

    def check_codes(self, users, items) -> tuple[int, int]:
        """How many new users and new items a block of events brings; a ValueError if an index is skipped."""
        users, items = np.asarray(users), np.asarray(items)
        if users.shape != items.shape or users.ndim != 1:
            raise ValueError(f"users and items must be two lists of one length, not {users.shape} and {items.shape}")
        new = []
        for codes, size, what in ((users, self.n_users, "users"), (items, self.n_items, "items")):
            if codes.size and (not np.issubdtype(codes.dtype, np.integer) or codes.min() < 0):
                raise ValueError(f"{what} must be row or column indices: integers from 0")
            fresh = np.unique(codes[codes >= size])
            if not np.array_equal(fresh, np.arange(size, size + len(fresh))):
                raise ValueError(
                    f"{what} holds the index {fresh[-1]}, but the next free one is {size}: none may be skipped"
                )
            new.append(len(fresh))
        return new[0], new[1]

    def make_room(self, users, items) -> None:
        """Empty rows and columns for what a block of events brings for the first time."""
        new_users, new_items = self.check_codes(users, items)
        self.add_rows([(NO_ITEMS, NO_VALUES)] * new_users)
        self.add_items(new_items)

    def grown(self, users, items) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """user -> what his row would be after a block of events for which there is room; nothing is changed."""
        cells = np.unique(np.asarray(users, np.int64) * self.n_items + np.asarray(items, np.int64))
        users, items = np.divmod(cells, self.n_items)
        distinct, starts = np.unique(users, return_index=True)
        groups = np.split(items.astype(np.int32), starts[1:])
        return {user: self.with_items(user, group) for user, group in zip(distinct.tolist(), groups, strict=True)}

    def learn(self, users, items) -> dict[int, np.ndarray]:
        """Put a block of events into the rows, making room. Returns what is new: user -> items."""
        self.make_room(users, items)
        rows = self.grown(users, items)
        added = {}
        for user, row in rows.items():
            old, self.rows[user] = self.rows[user], row
            added[user] = NO_ITEMS if row is old else np.setdiff1d(row[0], old[0], assume_unique=True)
        return added

    def state(self) -> tuple[dict, dict[str, np.ndarray]]:
        """(what JSON takes, arrays), for `History.restore`."""
        matrix = self.to_csr()
        arrays = {"indptr": matrix.indptr, "indices": matrix.indices, "values": matrix.data}
        return {"user_ids": self._user_ids, "item_ids": self._item_ids}, arrays

    @classmethod
    def restore(cls, meta: dict, arrays: dict[str, np.ndarray]) -> History:
        shape = len(meta["user_ids"]), len(meta["item_ids"])
        matrix = sparse.csr_matrix((arrays["values"], arrays["indices"], arrays["indptr"]), shape)
        return cls(_split(matrix), list(meta["user_ids"]), list(meta["item_ids"]))


def stack(rows: list[tuple[np.ndarray, np.ndarray]], n_items: int) -> sparse.csr_matrix:
    """Rows (items, values) as one csr matrix (len(rows), n_items) float64."""
    indptr = np.concatenate(([0], np.cumsum([len(items) for items, _ in rows], dtype=np.int64)))
    items = np.concatenate([items for items, _ in rows] or [NO_ITEMS])
    values = np.concatenate([values for _, values in rows] or [NO_VALUES])
    return sparse.csr_matrix((values, items, indptr.astype(np.int32)), (len(rows), n_items))


def _new_ids(known: list, n: int, ids, name: str) -> list:
    """The ids of n new rows or columns; a ValueError unless there is one for each, that nothing else has."""
    if ids is None:
        return [f"new-{place}" for place in range(len(known), len(known) + n)]
    try:
        ids = list(ids)
        distinct = set(ids)
    except TypeError:
        raise ValueError(f"{name} must be a list of numbers or strings, not {ids!r}") from None
    if len(ids) != n:
        raise ValueError(f"{name} holds {len(ids)} ids, but {n} are needed: give one for each new row or column")
    if len(distinct) < n or not distinct.isdisjoint(known):
        bad = next(each for place, each in enumerate(ids) if each in known or each in ids[:place])
        raise ValueError(f"{name} holds {bad!r}, which is taken already: each id must be new")
    return ids


def _split(matrix: sparse.csr_matrix) -> list[tuple[np.ndarray, np.ndarray]]:
    matrix = sparse.csr_matrix(matrix, dtype=np.float64, copy=True)
    matrix.sum_duplicates()  # sorts too
    matrix.eliminate_zeros()
    ends = zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)
    return [(matrix.indices[a:b].astype(np.int32), matrix.data[a:b].copy()) for a, b in ends]


def checked_rows(matrix, n_items: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of new users: from a csr matrix (n, n_items), or from a list with each user's column indices."""
    if not sparse.issparse(matrix):
        lists = [np.unique(np.asarray(items, np.int64)) for items in matrix]
        indptr = np.concatenate(([0], np.cumsum([len(items) for items in lists], dtype=np.int64)))
        columns = np.concatenate(lists or [np.empty(0, np.int64)])
        if columns.size and (columns.min() < 0 or columns.max() >= n_items):
            raise ValueError(f"a new user has an item outside 0 to {n_items - 1}: add_items first")
        matrix = sparse.csr_matrix((np.ones(len(columns)), columns, indptr), (len(lists), n_items))
    if matrix.shape[1] != n_items:
        raise ValueError(f"the new rows have {matrix.shape[1]} columns, but there are {n_items} items: add_items first")
    if not np.isfinite(matrix.data).all() or (matrix.nnz and matrix.data.min() < 0):
        raise ValueError("the new rows hold negative or non-finite values. Use 0 and 1, or confidences")
    return _split(matrix)
