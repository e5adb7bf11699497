"""Diversity inside one list, measured between the items' vectors. Higher is more diverse.

All four compare directions (cosines). A vector of zeros, for instance an item whose genre is unknown, has
cosine 0 with every other item: it counts as unlike everything. An item that stands twice is like itself.
A list says little about diversity in the space that a re-ranker optimised: read two spaces.
"""

from __future__ import annotations

import numpy as np

from recsys_lib.metrics.lists import blocks, cut, list_sums, per_item, ratio


def ild(items, item_vectors, k: int = 10) -> np.ndarray:
    r"""Intra-list distance: the mean of 1 - cosine over the pairs of a list, (n_users,).

    .. math:: ILD = \frac{2}{m(m-1)} \sum_{a<b} (1 - \cos(e_a, e_b))

    with m the number of items in the list. Range [0, m/(m-1)]; NaN for fewer than two items.

    No pair is visited: with unit vectors, the pairs' cosines are in the squared length of their sum,
    :math:`\|\sum e\|^2 = m + 2\sum_{a<b}\cos`, hence :math:`ILD = \frac{m}{m-1}(1 - \|\bar e\|^2)`, which
    costs O(k d) a list instead of O(k^2 d).
    Source: Smyth & McClave 2001; Ziegler et al. 2005 ("intra-list similarity").

    Parameters
    ----------
    items : (n_users, width) int
    item_vectors : (n_items, d) float
        Any length: they are normalised here.

    >>> item_vectors = np.array([[1, 0], [0, 2], [3, 0], [0, 0]])
    >>> ild(np.array([[0, 1, 2], [0, 2, -1], [0, 3, -1], [0, -1, -1]]), item_vectors).round(4)   # (1 + 0 + 1) / 3
    array([0.6667, 0.    , 1.    ,    nan])
    """
    items = cut(items, k)
    unit = unit_rows(per_item(item_vectors, items, "item_vectors"))
    known = unit.any(axis=1)
    size = (items >= 0).sum(axis=1)
    squared = np.empty(len(items))
    for rows in blocks(len(items), unit.shape[1]):
        sums = list_sums(items[rows], unit)
        squared[rows] = np.einsum("ud,ud->u", sums, sums)
    n_known = np.where(items >= 0, known[items], False).sum(axis=1)
    cosines = (squared - n_known) / 2 + _repeated_unknown_pairs(items, known)
    pairs = size * (size - 1) / 2
    return np.maximum(1 - ratio(cosines, pairs), 0.0)  # rounding can leave -1e-16 for equal vectors


def gaussian_ild(items, item_vectors, k: int = 10, *, bandwidth: float = 0.5) -> np.ndarray:
    r"""Gaussian intra-list distance: the mean of 1 - exp(-d^2 / 2s^2) over the pairs, d = 1 - cosine, (n_users,).

    Range [0, 1); NaN for fewer than two items. A large bandwidth s makes it proportional to the mean of d^2;
    a small one asks only whether any two items are (nearly) the same: near-duplicates cost the most, and what
    is already far apart cannot make up for them.
    Source: after Ohsaka & Togashi 2023, "A critical reexamination of intra-list distance and dispersion",
    where the bandwidth leads from ILD to dispersion (the smallest distance in the list).

    >>> item_vectors = np.array([[1, 0], [0, 1], [1, 0]])
    >>> gaussian_ild(np.array([[0, 1], [0, 2]]), item_vectors, bandwidth=1.0).round(4)   # 1 - exp(-1/2)
    array([0.3935, 0.    ])
    """
    if not bandwidth > 0:
        raise ValueError(f"bandwidth must be positive, not {bandwidth}")

    def of_kernel(kernel, filled):
        unlike = 1 - np.exp(-((1 - kernel) ** 2) / (2 * bandwidth**2))
        pairs = filled[:, :, None] & filled[:, None, :]
        size = filled.sum(axis=1)
        # The diagonal adds 0: an item is at distance 0 from itself.
        return ratio((unlike * pairs).sum(axis=(1, 2)), size * (size - 1))

    return _by_kernel(items, item_vectors, k, of_kernel)


def vendi_score(items, item_vectors, k: int = 10) -> np.ndarray:
    r"""Vendi score: the effective number of different items in a list, (n_users,).

    .. math:: \exp\left(-\sum_j \lambda_j \log \lambda_j\right), \quad \lambda = eig(K / m), \; K = cosines

    Range [1, m]: 1 if all items are the same, m if all are orthogonal. NaN for an empty list.
    Source: Friedman & Dieng 2023, "The Vendi score" (arXiv 2210.02410).

    >>> item_vectors = np.array([[1, 0], [0, 1], [1, 0]])
    >>> vendi_score(np.array([[0, 1], [0, 2]]), item_vectors).round(4)
    array([2., 1.])
    """

    def of_kernel(kernel, filled):
        size = filled.sum(axis=1)
        share = np.maximum(np.linalg.eigvalsh(kernel), 0) / np.maximum(size, 1)[:, None]
        entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=1)
        return np.where(size > 0, np.exp(entropy), np.nan)

    return _by_kernel(items, item_vectors, k, of_kernel)


def log_det(items, item_vectors, k: int = 10, *, alpha: float = 1.0) -> np.ndarray:
    r"""Log-determinant :math:`\log\det(I + \alpha K)` of the cosine kernel K of a list, natural log, (n_users,).

    Range [log(1 + alpha m), m log(1 + alpha)]: the lower end if all items are the same, the upper end if all are
    orthogonal. NaN for an empty list. The I keeps it finite where items repeat or m > d, and makes it monotone
    and submodular in the list; plain log det K is at most 0, and -inf for two equal items.
    Source: Kulesza & Taskar 2012, "Determinantal point processes for machine learning".

    >>> item_vectors = np.array([[1, 0], [0, 1], [1, 0]])
    >>> log_det(np.array([[0, 1], [0, 2]]), item_vectors).round(4)   # log 4 and log 3
    array([1.3863, 1.0986])
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be positive, not {alpha}")

    def of_kernel(kernel, filled):
        value = np.linalg.slogdet(np.eye(kernel.shape[1]) + alpha * kernel)[1]
        return np.where(filled.any(axis=1), value, np.nan)

    return _by_kernel(items, item_vectors, k, of_kernel)


def unit_rows(vectors) -> np.ndarray:
    """Rows divided by their Euclidean length, (n, d) float64; rows of zeros stay zero."""
    vectors = np.asarray(vectors, dtype=float)
    if vectors.ndim != 2:
        raise ValueError(f"vectors must be a table (n_items, d), not {vectors.ndim}-dimensional")
    # Dividing by the largest entry first keeps the squares of very small or large numbers in range.
    largest = np.abs(vectors).max(axis=1, initial=0.0, keepdims=True)
    scaled = vectors / np.where(largest > 0, largest, 1)
    length = np.sqrt(np.einsum("nd,nd->n", scaled, scaled))[:, None]
    return scaled / np.where(length > 0, length, 1)


def _by_kernel(items, item_vectors, k, of_kernel) -> np.ndarray:
    """`of_kernel(kernel (b, k, k), filled (b, k)) -> (b,)` in blocks of users; empty places are zeros in the kernel."""
    items = cut(items, k)
    unit = unit_rows(per_item(item_vectors, items, "item_vectors"))
    result = np.empty(len(items))
    for rows in blocks(len(items), items.shape[1] * (unit.shape[1] + items.shape[1])):
        block = items[rows]
        filled = block >= 0
        vectors = unit[block] * filled[:, :, None]
        kernel = vectors @ vectors.transpose(0, 2, 1)
        # Exactly 1 for an item with itself, also where its vector is zero.
        same = (block[:, :, None] == block[:, None, :]) & filled[:, :, None]
        kernel[same] = 1.0
        result[rows] = of_kernel(kernel, filled)
    return result


def _repeated_unknown_pairs(items: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(n_users,) pairs of places that hold the same item with a zero vector: their cosine is 1, not 0."""
    pairs = np.zeros(len(items))
    unknown = np.where(items >= 0, ~known[items], False)
    rows = np.flatnonzero(unknown.sum(axis=1) > 1)
    if rows.size:
        ordered = np.sort(np.where(unknown[rows], items[rows], -1), axis=1)
        for gap in range(1, items.shape[1]):
            pairs[rows] += ((ordered[:, gap:] == ordered[:, :-gap]) & (ordered[:, gap:] >= 0)).sum(axis=1)
    return pairs
