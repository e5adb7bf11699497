"""What every re-ranker shares: checks at the door, relevance in units, cosines of candidates, the list as shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from recsys_lib.rerank.compiled import GRID
from recsys_lib.topk import TopK

BLOCK_CELLS = 200_000  # candidates of a block of users: 0.8 MB a float32 table, so that it stays in a cache
TABLE_CELLS = 25_000_000  # the largest table of cosines that is made: 100 MB, 5,000 items


@dataclass(frozen=True)
class Cosines:
    """Cosines between the items that occur among the candidates, from a table where it pays, else from their vectors.

    Attributes
    ----------
    code : (n_items,) int32
        The row of an item in the others; -1 for items that are no candidates.
    unit : (n, d) float32
        Vectors of length 1, or 0.
    table : (n, n) float32, or (0, 0) where the cosines are computed when they are asked for
    """

    code: np.ndarray
    unit: np.ndarray
    table: np.ndarray


def check(candidates: TopK, k: int, trade_off: float, order: str = "relevance") -> None:
    if not isinstance(candidates, TopK):
        raise ValueError(f"candidates must be a TopK, not {type(candidates).__name__}. Make it: model.recommend(k=100)")
    if not 0 <= trade_off <= 1:
        raise ValueError(f"trade_off must lie between 0 (relevance) and 1 (diversity), not {trade_off}")
    if order not in ("relevance", "selection"):
        raise ValueError(f"order must be 'relevance' or 'selection', not {order!r}")
    if isinstance(k, bool) or not isinstance(k, Integral) or not 1 <= k <= candidates.k:
        raise ValueError(f"k must be a whole number between 1 and the {candidates.k} candidates, not {k!r}")
    for rows in blocks(candidates):
        scores = candidates.scores[rows]
        with np.errstate(invalid="ignore"):
            # one look at the differences finds NaN, and lists that are not best first; padding (-inf) stays at the end
            falling, finite = scores[:, 1:] <= scores[:, :-1], scores[:, 0] < np.inf
        if not (falling.all() and finite.all()):
            row = rows.start + int((~falling.all(axis=1) | ~finite).argmax())
            raise ValueError(
                f"candidates must be best first and without NaN or infinity, but the scores of row {row} are not"
            )


def checked_rows(values, candidates: TopK, name: str) -> np.ndarray:
    """One finite row an item, or a ValueError."""
    values = np.asarray(values)
    if values.ndim != 2 or values.dtype.kind not in "fiub" or not np.isfinite(values).all():
        raise ValueError(f"{name} must be an (n_items, d) table of finite numbers")
    if candidates.items.size and candidates.items.max() >= len(values):
        raise ValueError(f"candidates name item {candidates.items.max()}, but {name} has only {len(values)} rows")
    return values


def cosines(candidates: TopK, item_vectors, k: int) -> Cosines:
    vectors = checked_rows(item_vectors, candidates, "item_vectors")
    used = np.zeros(len(vectors) + 1, bool)
    for rows in blocks(candidates):
        used |= np.bincount(candidates.items[rows].ravel() + 1, minlength=len(used)) > 0
    used = used[1:]  # the first one is the padding's
    code = np.where(used, np.cumsum(used) - 1, -1).astype(np.int32)
    unit = vectors[used].astype(float)  # the squares of a float32 may leave its range
    length = np.linalg.norm(unit, axis=1, keepdims=True)
    unit = (unit / np.where(length > 0, length, 1)).astype(np.float32)
    # A table costs n^2 products, its absence k a candidate.
    n = len(unit)
    pays = n * n <= min(TABLE_CELLS, 4 * k * candidates.items.size)
    return Cosines(code, unit, on_grid(unit @ unit.T) if pays else np.zeros((0, 0), np.float32))


def on_grid(values: np.ndarray) -> np.ndarray:
    values *= GRID
    np.rint(values, out=values)
    values /= GRID
    return values


def blocks(candidates: TopK, cells_a_candidate: int = 1) -> Iterator[slice]:
    step = max(1, BLOCK_CELLS // (candidates.k * cells_a_candidate))
    return (slice(start, start + step) for start in range(0, len(candidates), step))


def block_of(candidates: TopK, rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """(items, relevance in units of the model's scale) of some users; padding has the relevance -inf."""
    items = candidates.items[rows]
    relevance = candidates.scores[rows] / np.float32(candidates.scale)
    return items, np.where(items >= 0, relevance, np.float32(-np.inf))


def as_shown(candidates: TopK, picks: np.ndarray, order: str) -> TopK:
    """The picked places (n, k) as lists: by the candidates' order, or as they were picked."""
    if order == "relevance":
        picks = np.sort(picks, axis=1)
    items = np.take_along_axis(candidates.items, picks, 1)
    return TopK(items, np.take_along_axis(candidates.scores, picks, 1), candidates.scale)
