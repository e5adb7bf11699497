"""Novelty: how well known are the items of a list? All three read only the training counts, not the test set.

The mean is over the filled places; an empty list gives NaN. Random lists are very novel: read accuracy beside it.
"""

from __future__ import annotations

import numpy as np

from recsys_lib.metrics.lists import cut, list_means, per_item


def novelty(items, item_counts, n_train_users: int, k: int = 10) -> np.ndarray:
    r"""Mean inverse user frequency of a list, in bits, (n_users,).

    .. math:: -\frac{1}{m} \sum_{i \in L} \log_2 \frac{\max(c_i, 1)}{n}

    with c_i the number of training users who had item i, n the number of training users. Range [0, log2 n],
    higher = less known. The floor of one user keeps items without interactions finite.
    Source: Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma" (self-information); MIUF in RecTools.

    >>> novelty(np.array([[0, 1], [2, -1]]), item_counts=[8, 2, 0], n_train_users=8)   # (0 + 2) / 2, log2(8 / 1)
    array([1., 3.])
    """
    items = cut(items, k)
    counts = per_item(item_counts, items, "item_counts")
    if n_train_users < 1 or counts.max(initial=0) > n_train_users:
        raise ValueError(
            f"n_train_users is {n_train_users}, but item_counts goes up to {counts.max(initial=0)}. "
            f"Pass the number of users that the counts come from"
        )
    return list_means(items, -np.log2(np.maximum(counts, 1) / n_train_users))


def popularity(items, item_counts, n_train_users: int, k: int = 10) -> np.ndarray:
    """Average recommendation popularity: mean share of training users who had the items, (n_users,).

    Range [0, 1], higher = more mainstream. It is the mean training count (ARP) divided by the number of training
    users, so that data sets can be compared.
    Source: Abdollahpouri et al. 2019, "Managing popularity bias in recommender systems".

    >>> popularity(np.array([[0, 1], [2, -1]]), item_counts=[8, 2, 0], n_train_users=8)
    array([0.625, 0.   ])
    """
    items = cut(items, k)
    return list_means(items, per_item(item_counts, items, "item_counts") / n_train_users)


def long_tail(items, item_counts, k: int = 10, *, head_share: float = 0.8) -> np.ndarray:
    """Share of a list that is long tail, (n_users,), in [0, 1], higher = more of it.

    The tail is every item outside the head; the head is the smallest set of most popular items that holds
    `head_share` (80 %) of the training interactions. Items with as many interactions as the last one of the head
    belong to the head too, so that the split does not depend on how items are numbered.
    Source: Abdollahpouri et al. 2019 (APLT).

    >>> long_tail(np.array([[0, 1], [1, 2], [2, 3]]), item_counts=[6, 2, 1, 1])   # the head is {0, 1}: 8 of 10
    array([0. , 0.5, 1. ])
    """
    items = cut(items, k)
    return list_means(items, tail(per_item(item_counts, items, "item_counts"), head_share).astype(float))


def tail(item_counts, head_share: float = 0.8) -> np.ndarray:
    """(n_items,) bool: the item is outside the head (see `long_tail`)."""
    counts = np.asarray(item_counts)
    if not 0 < head_share <= 1:
        raise ValueError(f"head_share must lie in (0, 1], not {head_share}")
    if counts.sum() <= 0:
        raise ValueError("item_counts has no interaction: there is no head. Pass the counts of the training set")
    descending = -np.sort(-counts)
    held = np.cumsum(descending)
    # A hair below, because .8 * 10 interactions must count as reached by 8 of them.
    last = np.searchsorted(held, head_share * held[-1] * (1 - 1e-12))
    return counts < descending[last]
