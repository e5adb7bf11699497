"""Facets: does a list cover the aspects of the items (genres, brands, topics), and the user's own mix of them?

`item_facets` is an (n_items, n_facets) array. Where a metric needs sets, an entry above 0 means that the item
has the facet; where it needs a mix, the rows are normalised to sum to 1.
"""

from __future__ import annotations

import numpy as np

from recsys_lib.metrics.accuracy import discounts
from recsys_lib.metrics.lists import binary_csr, blocks, cut, hits, list_sums, per_item, ratio


def alpha_ndcg(items, relevant, item_facets, k: int = 10, *, alpha: float = 0.5) -> np.ndarray:
    r"""alpha-nDCG: discounted gain of relevant facets, where seeing a facet again is worth less, (n_users,).

    .. math:: gain_r = rel_r \sum_c J(i_r, c)\, (1 - \alpha)^{n_{c, r-1}}

    with J = 1 if the item has facet c, and n the number of relevant items with that facet at earlier ranks. The
    gains are discounted by 1/log2(r+1), summed over k and divided by the sum of the ideal list. Higher = better.
    alpha = 0 asks for many facets an item and forgives repetition; alpha = 1 pays for a facet once.

    The ideal is made greedily from the user's relevant items (the exact one is NP-hard). Of items with equal gain
    the greedy takes the one whose row of J is lexicographically larger, so it does not depend on how items are
    numbered. Range [0, 1] up to the slack of the greedy: a better list than the ideal gives a little more than 1.
    NaN for users without a relevant item that has a facet.
    Source: Clarke et al. 2008, "Novelty and diversity in information retrieval evaluation".

    >>> from scipy.sparse import csr_matrix
    >>> item_facets = np.array([[1, 0], [1, 0], [0, 1]])
    >>> lists = np.array([[0, 2, 1], [0, 1, 2]])
    >>> alpha_ndcg(lists, csr_matrix(np.ones((2, 3))), item_facets).round(4)
    ...   # ideal 1 + 1/log2(3) + .5/2; the second list has 1 + .5/log2(3) + 1/2
    array([1.    , 0.9652])
    """
    hit, _ = hits(items, relevant, k)
    return alpha_ndcg_from_hits(items, hit, relevant, item_facets, k, alpha=alpha)


def subtopic_recall(items, item_facets, k: int = 10) -> np.ndarray:
    """Share of all facets that at least one item of the list has, (n_users,), in [0, 1], higher = broader.

    An empty list has 0. A facet that no item of the catalogue has still counts in the denominator.
    Source: Zhai, Cohen & Lafferty 2003, "Beyond independent relevance" (S-recall).

    >>> subtopic_recall(np.array([[0, 1], [0, 2]]), np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1]])).round(4)
    array([0.3333, 1.    ])
    """
    items = cut(items, k)
    has = _membership(_facet_table(item_facets, items))
    return (list_sums(items, has) > 0).mean(axis=1)


def facet_entropy(items, item_facets, k: int = 10) -> np.ndarray:
    """Shannon entropy of the facet mix of a list, natural log, (n_users,), in [0, log(n_facets)], higher = more even.

    The mix is the mean of the items' normalised facet rows. NaN if no item of the list has a facet.

    >>> facet_entropy(np.array([[0, 1], [0, 2]]), np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1]])).round(4)
    array([0.    , 1.0397])
    """
    items = cut(items, k)
    mix = _normalised(list_sums(items, _normalised(_facet_table(item_facets, items))))
    return np.where(mix.any(axis=1), np.abs(-(mix * np.log(np.where(mix > 0, mix, 1))).sum(axis=1)), np.nan)


def calibration(items, train, item_facets, k: int = 10, *, alpha: float = 0.01) -> np.ndarray:
    r"""Miscalibration: how far the facet mix of the list is from that of the user's history, (n_users,).

    .. math:: C_{KL} = \sum_c p_c \log \frac{p_c}{\tilde q_c}, \quad \tilde q = (1 - \alpha) q + \alpha p

    p is the mean of the normalised facet rows of the items that the user had in training, q the same of the list;
    items without facets are left out of both. Range [0, -log alpha] (natural log), **0 = same mix, lower = better
    calibrated**. A list without any facet gets the worst value; NaN for users without facets in their history.
    Source: Steck 2018, "Calibrated recommendations".

    Parameters
    ----------
    train : scipy.sparse matrix, (n_users, n_items)
        Nonzero = the user had the item.

    >>> from scipy.sparse import csr_matrix
    >>> history = csr_matrix([[1, 0, 1, 0], [1, 0, 1, 0]])
    >>> item_facets = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    >>> calibration(np.array([[1, 3], [1, -1]]), history, item_facets).round(4)   # .5 log(.5/.995) + .5 log(.5/.005)
    array([0.    , 1.9585])
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}: at 0 a missing facet costs infinity")
    items = cut(items, k)
    mixes = _normalised(_facet_table(item_facets, items))
    train = binary_csr(train, len(items), "train")
    if len(mixes) != train.shape[1]:
        raise ValueError(f"item_facets has {len(mixes)} rows, but train has {train.shape[1]} columns")
    wanted = _normalised(_history_sums(train, mixes))
    offered = (1 - alpha) * _normalised(list_sums(items, mixes)) + alpha * wanted
    present = wanted > 0
    terms = np.where(present, wanted * np.log(np.where(present, wanted, 1) / np.where(present, offered, 1)), 0.0)
    return np.where(present.any(axis=1), np.maximum(terms.sum(axis=1), 0.0), np.nan)


def alpha_ndcg_from_hits(items, hit, relevant, item_facets, k: int, *, alpha: float = 0.5) -> np.ndarray:
    """`alpha_ndcg` from a look-up that is already there (`lists.hits`)."""
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in [0, 1], not {alpha}")
    items = cut(items, k)
    relevant = binary_csr(relevant, len(items), "relevant")
    has = _membership(_facet_table(item_facets, items))
    if len(has) != relevant.shape[1]:
        raise ValueError(f"item_facets has {len(has)} rows, but relevant has {relevant.shape[1]} columns")
    gained = np.zeros(len(items))
    for rows in blocks(len(items), has.shape[1]):
        fresh = np.ones((len(items[rows]), has.shape[1]))
        for rank, discount in enumerate(discounts(items.shape[1])):
            gain = has[items[rows, rank]] * hit[rows, rank, None]
            gained[rows] += discount * (gain * fresh).sum(axis=1)
            fresh *= 1 - alpha * gain
    return ratio(gained, _greedy_ideal(relevant, has, k, alpha))


def _greedy_ideal(relevant, has, k, alpha) -> np.ndarray:
    """(n_users,) discounted gain of the greedy list of each user's relevant items."""
    # Items with the same facets are interchangeable: number the patterns, larger rows first, so that argmax,
    # which takes the first of equals, follows the tie rule.
    patterns, pattern = np.unique(-has, axis=0, return_inverse=True)
    n_patterns, n_facets = patterns.shape
    useful = has.any(axis=1)[relevant.indices]
    users = np.repeat(np.arange(relevant.shape[0]), np.diff(relevant.indptr))[useful]
    keys = np.sort(users.astype(np.int64) * n_patterns + pattern.reshape(-1)[relevant.indices[useful]])
    users, pattern = keys // n_patterns, keys % n_patterns
    table = np.vstack([-patterns, np.zeros((1, n_facets))])  # the last row pads users with fewer items

    sizes = np.bincount(users, minlength=relevant.shape[0])
    starts = np.concatenate(([0], np.cumsum(sizes)))
    ideal = np.zeros(relevant.shape[0])
    order = np.argsort(sizes, kind="stable")[::-1]  # users of like size share a block: little padding
    done, n_useful = 0, int((sizes > 0).sum())
    while done < n_useful:
        width = sizes[order[done]]
        block = order[done : min(n_useful, done + max(1, _IDEAL_CELLS // (width * n_facets)))]
        done += len(block)
        place = starts[block, None] + np.arange(width)
        inside = np.arange(width) < sizes[block, None]
        chosen = np.where(inside, pattern[np.minimum(place, len(pattern) - 1)], n_patterns)
        ideal[block] = _greedy_gains(table[chosen], k, alpha)
    return ideal


def _greedy_gains(candidates: np.ndarray, k: int, alpha: float) -> np.ndarray:
    """(b,) discounted gain of the greedy choice among `candidates` (b, width, n_facets), rows of zeros pad."""
    n_users, width, n_facets = candidates.shape
    fresh = np.ones((n_users, n_facets))
    taken = np.zeros((n_users, width), bool)
    everyone = np.arange(n_users)
    total = np.zeros(n_users)
    for discount in discounts(min(k, width)):
        gains = np.einsum("urc,uc->ur", candidates, fresh)
        gains[taken] = -1.0
        best = gains.argmax(axis=1)
        taken[everyone, best] = True
        total += discount * np.maximum(gains[everyone, best], 0.0)
        fresh *= 1 - alpha * candidates[everyone, best]
    return total


_IDEAL_CELLS = 250_000  # candidates x facets of a block of the greedy ideal: 2 MB, which stays in the cache


def _facet_table(item_facets, items: np.ndarray) -> np.ndarray:
    item_facets = per_item(item_facets, items, "item_facets")
    if item_facets.ndim != 2 or item_facets.shape[1] == 0:
        raise ValueError(
            f"item_facets must be a table (n_items, n_facets) with one facet at least, not of shape {item_facets.shape}"
        )
    if item_facets.min(initial=0) < 0:
        raise ValueError("item_facets holds negative values. Pass 0 for 'has it not', above 0 for 'has it'")
    return item_facets


def _membership(item_facets) -> np.ndarray:
    return (item_facets > 0).astype(float)


def _normalised(rows) -> np.ndarray:
    rows = np.asarray(rows, dtype=float)
    total = rows.sum(axis=1, keepdims=True)
    return rows / np.where(total > 0, total, 1)


def _history_sums(train, mixes) -> np.ndarray:
    ones = train if (train.data == 1).all() else (train != 0)
    return ones.astype(float) @ mixes
