"""Serendipity: relevant, and not what everybody is shown anyway."""

from __future__ import annotations

import numpy as np

from recsys_lib.metrics.lists import cut, hits, per_item


def serendipity(items, relevant, item_counts, k: int = 10) -> np.ndarray:
    r"""Serendipity against the popularity list, (n_users,).

    .. math:: \frac{1}{k} \sum_{r=1}^{k} \max(p(r) - p_{pop}(i_r), 0) \cdot rel_r

    with p(r) = (N + 1 - r) / N for rank r in the user's list, the same with the popularity rank of the item for
    p_pop (1 = most popular; items with equal counts share a rank and the next count gets the next number), and
    p_pop = 0 for items without training interactions. N is the number of items. Range [0, 1), higher = better. NaN
    for users with nothing relevant, as in the accuracy metrics (RecTools gives them 0); a list shorter than k is
    divided by k all the same (RecTools divides by its length).

    This is the definition of RecTools, and it is a choice: the other one in use, of the recommenders project, is
    (1 - mean similarity to the history) x relevance, and so depends on an item space, which a re-ranker may have
    optimised. This one needs counts only. Because counts tie, popularity ranks end long before N and most
    items have p_pop near 1: values are small, and only comparable on the same data.

    >>> from scipy.sparse import csr_matrix
    >>> items = np.array([[1, 2], [0, 1], [2, 3]])
    >>> relevant = csr_matrix([[1, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]])
    >>> serendipity(items, relevant, item_counts=[9, 5, 0, 1], k=2)   # (1 - 3/4 + 3/4 - 0) / 2, and (0 + 0) / 2
    array([0.5, 0. , nan])
    """
    hit, n_relevant = hits(items, relevant, k)
    return from_hits(items, hit, n_relevant, item_counts, k)


def from_hits(items, hit: np.ndarray, n_relevant: np.ndarray, item_counts, k: int) -> np.ndarray:
    """`serendipity` from a look-up that is already there (`lists.hits`)."""
    items = cut(items, k)
    counts = per_item(item_counts, items, "item_counts")
    n_items = len(counts)
    expected = np.zeros(n_items)
    seen = counts > 0
    distinct, rank = np.unique(-counts[seen], return_inverse=True)
    expected[seen] = (n_items - rank.reshape(-1)) / n_items
    offered = (n_items - np.arange(items.shape[1])) / n_items
    surprise = np.maximum(offered - expected[items], 0.0) * hit
    return np.where(n_relevant > 0, surprise.sum(axis=1) / k, np.nan)
