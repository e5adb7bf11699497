"""Catalogue: how the lists of all users together spread over the items. One float a set of lists.

These belong to the whole set: more users show more items, so compare models on the same users and the same k.
"""

from __future__ import annotations

import numpy as np

from recsys_lib.metrics.lists import cut, first_places


def exposure(items, n_items: int, k: int = 10) -> np.ndarray:
    """(n_items,) int64: to how many users each item is shown in the first k places.

    >>> exposure(np.array([[0, 1], [0, 2], [0, -1]]), n_items=4)
    array([3, 1, 1, 0])
    """
    items = cut(items, k)
    if items.size and items.max() >= n_items:
        raise ValueError(
            f"a list holds the item index {items.max()}, but n_items is {n_items}. Pass the whole catalogue"
        )
    return np.bincount(items[first_places(items)], minlength=n_items)


def coverage(items, n_items: int, k: int = 10) -> float:
    """Share of the catalogue that at least one user is shown, in [0, 1], higher = broader.

    Cheap to game: one slot an item is enough. Read `exposed` and `gini` beside it.

    >>> coverage(np.array([[0, 1], [0, 2], [0, -1]]), n_items=4)
    0.75
    """
    return exposed(items, n_items, k, at_least=1)


def exposed(items, n_items: int, k: int = 10, *, at_least: int = 5) -> float:
    """Share of the catalogue that at least `at_least` users are shown, in [0, 1], higher = broader (`exposed_5`).

    >>> exposed(np.array([[0, 1], [0, 2], [0, -1]]), n_items=4, at_least=3)
    0.25
    """
    return exposed_share(exposure(items, n_items, k), at_least)


def gini(items, n_items: int, k: int = 10) -> float:
    r"""Gini index of the exposure over **all** items of the catalogue, in [0, 1]; 0 = even, 1 = one item has it all.

    .. math:: G = \frac{\sum_{j=1}^{N} (2j - N - 1)\, p_{(j)}}{N - 1}, \quad p \text{ ascending, summing to } 1

    Lower = fairer to the catalogue. Items that are never shown count (leaving them out flatters), and some
    libraries return 1 - G. NaN if nothing is shown; 0 for a catalogue of one item.
    Source: Fleder & Hosanagar 2009; with N - 1 in the denominator as in Shani & Gunawardana 2011.

    >>> gini(np.array([[0], [0], [1], [1]]), n_items=4).__round__(4)   # p = 0, 0, 1/2, 1/2: (1/2 + 3/2) / 3
    0.6667
    """
    return gini_of(exposure(items, n_items, k))


def entropy(items, n_items: int, k: int = 10) -> float:
    """Shannon entropy of the exposure, natural log, in [0, log(n_items)], higher = more even; NaN if nothing is shown.

    >>> entropy(np.array([[0], [0], [1], [1]]), n_items=4).__round__(4)   # log 2
    0.6931
    """
    return entropy_of(exposure(items, n_items, k))


def effective_catalogue_size(items, n_items: int, k: int = 10) -> float:
    """exp(entropy): how many equally shown items would be as even as this, in [1, n_items]; NaN if nothing is shown.

    >>> effective_catalogue_size(np.array([[0], [0], [1], [1]]), n_items=4).__round__(4)
    2.0
    """
    return float(np.exp(entropy(items, n_items, k)))


def exposed_share(counts: np.ndarray, at_least: int) -> float:
    """Share of the items whose exposure count is `at_least` or more."""
    if at_least < 1:
        raise ValueError(f"at_least must be 1 or more users, not {at_least}")
    return float(np.mean(np.asarray(counts) >= at_least))


def gini_of(counts: np.ndarray) -> float:
    """Gini index of non-negative counts (see `gini`)."""
    counts = np.sort(np.asarray(counts, dtype=float))
    n_items = len(counts)
    if counts.sum() == 0:
        return float("nan")
    if n_items == 1:
        return 0.0
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float(weights @ counts / counts.sum() / (n_items - 1))


def entropy_of(counts: np.ndarray) -> float:
    """Shannon entropy of non-negative counts, natural log (see `entropy`)."""
    counts = np.asarray(counts, dtype=float)
    if counts.sum() == 0:
        return float("nan")
    share = counts[counts > 0] / counts.sum()
    return max(0.0, float(-(share * np.log(share)).sum()))
