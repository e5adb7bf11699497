"""TopK: ranked lists for many users, the currency between models, re-rankers and metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TopK:
    """One ranked list a row.

    Attributes
    ----------
    items : (n, k) int32
        Column indices of the items, best first; -1 pads a list that is shorter than k.
    scores : (n, k) float32
        The model's scores of these items; -inf on the padding.
    scale : float
        One relevance unit of the model that made the lists (see `Recommender.scale_`); re-rankers divide by it.
    """

    items: np.ndarray
    scores: np.ndarray
    scale: float = 1.0

    def __post_init__(self):
        items, scores = np.asarray(self.items), np.asarray(self.scores)
        if items.ndim != 2 or items.shape != scores.shape:
            raise ValueError(
                f"items and scores must be two tables of one shape (n, k), not {items.shape} and {scores.shape}"
            )
        if not np.issubdtype(items.dtype, np.integer):
            raise ValueError(f"items must hold integers (column indices), not {items.dtype}")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale must be a positive number, not {self.scale}")
        object.__setattr__(self, "items", items.astype(np.int32, copy=False))
        object.__setattr__(self, "scores", scores.astype(np.float32, copy=False))

    @property
    def k(self) -> int:
        return self.items.shape[1]

    def __len__(self) -> int:
        return len(self.items)

    def head(self, k: int) -> TopK:
        """The first k places of each list."""
        return TopK(self.items[:, :k], self.scores[:, :k], self.scale)


def best(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best columns of each row: (n, k) items and scores, best first.

    Ties go to the lower column, whatever the batch. -inf marks what must not be listed, NaN never wins a
    place; both leave -1 with the score -inf where fewer than k columns are left.

    >>> best(np.array([[1.0, 3.0, 3.0, np.nan, -np.inf]]), k=4)[0]
    array([[ 1,  2,  0, -1]], dtype=int32)
    """
    scores = np.asarray(scores, dtype=np.float32)
    n_rows, n_columns = scores.shape
    width = min(k, n_columns)
    # One sortable integer a cell: the bits of a float32, made monotone, then the column. Keys are distinct,
    # so that a partition has one answer and ties cannot depend on the machine.
    bits = (np.where(np.isnan(scores), -np.inf, scores) + np.float32(0)).view(np.int32)
    monotone = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64)
    keys = (monotone << 32) | (n_columns - 1 - np.arange(n_columns))
    if width < n_columns:
        keys = np.partition(keys, n_columns - width, axis=1)[:, n_columns - width :]
    keys = -np.sort(-keys, axis=1)
    items = (n_columns - 1 - (keys & 0xFFFFFFFF)).astype(np.int32)
    values = np.take_along_axis(scores, items, axis=1)
    unlisted = ~(values > -np.inf)
    items[unlisted], values[unlisted] = -1, -np.inf
    if width < k:
        items = np.pad(items, ((0, 0), (0, k - width)), constant_values=-1)
        values = np.pad(values, ((0, 0), (0, k - width)), constant_values=-np.inf)
    return items, values
