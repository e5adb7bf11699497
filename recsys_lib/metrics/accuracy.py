"""Accuracy: does the list hold what the user then chose? Binary relevance; every metric lies in [0, 1], 1 is best.

Users with nothing relevant get NaN: whatever the list, there is nothing to be right about. A place that is
empty (-1, or a list that is shorter than k) is a miss.
"""

from __future__ import annotations

import numpy as np

from recsys_lib.metrics.lists import hits, ratio


def ndcg(items, relevant, k: int = 10) -> np.ndarray:
    r"""Normalised discounted cumulative gain, (n_users,).

    .. math:: nDCG@k = \frac{\sum_{r=1}^{k} rel_r / \log_2(r+1)}{\sum_{r=1}^{\min(k, |R|)} 1 / \log_2(r+1)}

    Gain 1, and the ideal is what *this* user could get: min(k, number of relevant items) hits at the top.
    Libraries that divide by k hits print lower numbers for the same lists.
    Source: Järvelin & Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques".

    >>> from scipy.sparse import csr_matrix
    >>> relevant = csr_matrix([[1, 0, 1, 0], [0, 0, 0, 0]])
    >>> ndcg(np.array([[0, 1, 2], [0, 1, 2]]), relevant, k=3).round(4)   # (1 + 1/2) / (1 + 1/log2(3))
    array([0.9197,    nan])
    """
    return _ndcg(*hits(items, relevant, k), k)


def recall(items, relevant, k: int = 10) -> np.ndarray:
    """Hits among the first k / number of relevant items, (n_users,).

    >>> from scipy.sparse import csr_matrix
    >>> recall(np.array([[0, 1, 2]]), csr_matrix([[1, 0, 1, 1]]), k=2).round(4)
    array([0.3333])
    """
    hit, n_relevant = hits(items, relevant, k)
    return ratio(hit.sum(axis=1), n_relevant)


def precision(items, relevant, k: int = 10) -> np.ndarray:
    """Hits among the first k / k, (n_users,). The divisor is k also where the list is shorter.

    >>> from scipy.sparse import csr_matrix
    >>> precision(np.array([[0, 1, -1, -1]]), csr_matrix([[1, 0, 1, 1]]), k=4)
    array([0.25])
    """
    return _precision(*hits(items, relevant, k), k)


def average_precision(items, relevant, k: int = 10) -> np.ndarray:
    r"""Average precision, (n_users,); its mean over users is MAP (`map` in a report).

    .. math:: AP@k = \frac{1}{\min(k, |R|)} \sum_{r=1}^{k} P@r \cdot rel_r

    Libraries divide by |R|, by min(k, |R|) or by the number of hits; ours is the second, so that 1 can be reached.

    >>> from scipy.sparse import csr_matrix
    >>> average_precision(np.array([[0, 1, 2]]), csr_matrix([[1, 0, 1, 0]]), k=3).round(4)   # (1/1 + 2/3) / 2
    array([0.8333])
    """
    return _average_precision(*hits(items, relevant, k), k)


def reciprocal_rank(items, relevant, k: int = 10) -> np.ndarray:
    """1 / rank of the first hit, 0 without a hit in the first k places, (n_users,); its mean is MRR (`mrr`).

    >>> from scipy.sparse import csr_matrix
    >>> reciprocal_rank(np.array([[1, 0, 2]]), csr_matrix([[1, 0, 1, 0]]), k=3)
    array([0.5])
    """
    return _reciprocal_rank(*hits(items, relevant, k), k)


def hit_rate(items, relevant, k: int = 10) -> np.ndarray:
    """1 if at least one of the first k places is a hit, else 0, (n_users,).

    >>> from scipy.sparse import csr_matrix
    >>> hit_rate(np.array([[1, 3, 2], [1, 3, 2]]), csr_matrix([[1, 0, 1, 0], [1, 0, 0, 0]]), k=3)
    array([1., 0.])
    """
    return _hit_rate(*hits(items, relevant, k), k)


def from_hits(hit: np.ndarray, n_relevant: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """All six from one look-up (`lists.hits`), under the names that a report gives them."""
    return {
        "ndcg": _ndcg(hit, n_relevant, k),
        "recall": ratio(hit.sum(axis=1), n_relevant),
        "precision": _precision(hit, n_relevant, k),
        "map": _average_precision(hit, n_relevant, k),
        "mrr": _reciprocal_rank(hit, n_relevant, k),
        "hit_rate": _hit_rate(hit, n_relevant, k),
    }


def discounts(k: int) -> np.ndarray:
    """(k,) weights 1 / log2(rank + 1) of the ranks 1 to k."""
    return 1.0 / np.log2(np.arange(2, k + 2))


def _ndcg(hit, n_relevant, k):
    ideal = np.concatenate(([0.0], np.cumsum(discounts(k))))[np.minimum(n_relevant, k)]
    return ratio(hit @ discounts(hit.shape[1]), ideal)


def _precision(hit, n_relevant, k):
    return np.where(n_relevant > 0, hit.sum(axis=1) / k, np.nan)


def _average_precision(hit, n_relevant, k):
    precision_at_rank = np.cumsum(hit, axis=1) / np.arange(1, hit.shape[1] + 1)
    return ratio((precision_at_rank * hit).sum(axis=1), np.minimum(n_relevant, k))


def _reciprocal_rank(hit, n_relevant, k):
    first = (hit / np.arange(1, hit.shape[1] + 1)).max(axis=1, initial=0.0)
    return np.where(n_relevant > 0, first, np.nan)


def _hit_rate(hit, n_relevant, k):
    return np.where(n_relevant > 0, hit.any(axis=1), np.nan)
