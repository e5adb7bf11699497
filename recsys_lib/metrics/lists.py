"""What the metric families share: cutting lists, finding hits, and sums over the items of a list."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

BLOCK_CELLS = 1_000_000  # numbers held at once by a metric that needs a row of d numbers a user: 8 MB of float64


def cut(items, k: int) -> np.ndarray:
    """The first k places of each list, (n_users, <= k) integers; a clear error if `items` is not a table of lists."""
    items = np.asarray(items)
    if items.ndim != 2 or not np.issubdtype(items.dtype, np.integer):
        raise ValueError(
            f"items must be a table (n_users, places) of integer column indices, "
            f"not {items.ndim}-dimensional {items.dtype}. Pass TopK.items"
        )
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, not {k!r}")
    return items[:, :k]


def binary_csr(matrix, n_users: int, what: str) -> sparse.csr_matrix:
    """`matrix` as a csr matrix with sorted, unique columns and no stored zeros; its rows must be the lists' users."""
    matrix = sparse.csr_matrix(matrix)
    if matrix.shape[0] != n_users:
        raise ValueError(
            f"{what} has {matrix.shape[0]} rows, but there are {n_users} lists. Pass one row a list, in the same order"
        )
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    if not matrix.data.all():
        matrix = matrix.copy()
        matrix.eliminate_zeros()
    return matrix


def per_item(values, items: np.ndarray, what: str) -> np.ndarray:
    """`values` as an array whose rows are items, checked to be finite and to reach the largest index in `items`."""
    values = np.asarray(values)
    if items.size and items.max() >= len(values):
        raise ValueError(
            f"a list holds the item index {items.max()}, but {what} has only {len(values)} rows. Pass one row an item"
        )
    if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
        row = np.argwhere(~finite)[0, 0]
        raise ValueError(f"{what} has NaN or infinite values, first in row {row}. Fill them (0 for unknown)")
    return values


def first_places(items: np.ndarray) -> np.ndarray:
    """(n_users, k) bool: the place is filled, and the item does not stand earlier in the same list."""
    filled = items >= 0
    ordered = np.sort(items, axis=1)
    repeated = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    for row in np.flatnonzero(repeated):  # rare: `evaluate` refuses such lists
        first = np.unique(items[row], return_index=True)[1]
        filled[row] &= np.isin(np.arange(items.shape[1]), first)
    return filled


def hits(items, relevant, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Which places hold a relevant item, and how many relevant items each user has.

    Parameters
    ----------
    items : (n_users, width) int
        Lists, best first, -1 pads.
    relevant : scipy.sparse matrix, (n_users, n_items)
        Nonzero = relevant.

    Returns
    -------
    hit : (n_users, <= k) bool
        An item that stands twice in a list is a hit at its first place only.
    n_relevant : (n_users,) int64
    """
    items = cut(items, k)
    relevant = binary_csr(relevant, len(items), "relevant")
    n_users, n_items = relevant.shape
    if items.size and items.max() >= n_items:
        raise ValueError(f"a list holds the item index {items.max()}, but relevant has only {n_items} columns")
    n_relevant = np.diff(relevant.indptr).astype(np.int64)
    hit = first_places(items)
    # Cells of a canonical csr matrix are sorted by (row, column), so that one binary search finds all hits.
    cells = np.repeat(np.arange(n_users, dtype=np.int64) * n_items, n_relevant) + relevant.indices
    wanted = (np.arange(n_users, dtype=np.int64)[:, None] * n_items + items)[hit]
    place = np.searchsorted(cells, wanted)
    found = place < len(cells)
    found[found] = cells[place[found]] == wanted[found]
    hit[hit] = found
    return hit, n_relevant


def list_sums(items: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(n_users, d) sums of the rows of `table` (n_items, d) over the filled places of each list."""
    filled = items >= 0
    ends = np.concatenate(([0], np.cumsum(filled.sum(axis=1))))
    columns = items[filled]
    chooser = sparse.csr_matrix(
        (np.ones(len(columns), table.dtype), columns, ends), shape=(len(items), len(table)), copy=False
    )
    return chooser @ table


def list_means(items: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n_users,) mean of `values` (n_items,) over the filled places of each list; NaN for an empty list."""
    filled = items >= 0
    return ratio(np.where(filled, values[items], 0.0).sum(axis=1), filled.sum(axis=1))


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """numerator / denominator, NaN where the denominator is 0."""
    numerator = np.asarray(numerator, float)
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=np.asarray(denominator) != 0)


def blocks(n_rows: int, cells_a_row: int) -> Iterator[slice]:
    """Slices over the users so that about BLOCK_CELLS numbers are held at once."""
    step = max(1, BLOCK_CELLS // max(1, cells_a_row))
    for start in range(0, n_rows, step):
        yield slice(start, start + step)
