"""Random lists and plain-Python references that the tests of the metrics share. Slow, short, and read by eye."""

import math

import numpy as np
from scipy import sparse

ACCURACY = ("ndcg", "recall", "precision", "average_precision", "reciprocal_rank", "hit_rate")


def random_case(seed, *, n_users=40, n_items=30, width=7, d=4, n_facets=5):
    """Lists with padding, users without relevant items, items without facets, zero vectors, unseen items."""
    rng = np.random.default_rng(seed)
    items = np.full((n_users, width), -1)
    for user in range(n_users):
        size = rng.integers(0, width + 1)
        items[user, :size] = rng.permutation(n_items)[:size]
    relevant = sparse.csr_matrix(rng.random((n_users, n_items)) < rng.choice([0, 0.1, 0.4], size=(n_users, 1)))
    vectors = rng.normal(size=(n_items, d))
    vectors[rng.random(n_items) < 0.2] = 0
    facets = (rng.random((n_items, n_facets)) < 0.35).astype(float)
    counts = rng.integers(0, 9, size=n_items)
    return items, relevant, vectors, facets, counts


def listed(row, k):
    return [int(item) for item in row[:k] if item >= 0]


def relevant_of(relevant, user):
    return set(np.flatnonzero(relevant[user].toarray()[0]).tolist())


def slots(row, k):
    """The first k places; a place that does not exist is empty."""
    return [int(item) for item in row[:k]] + [-1] * (k - len(row[:k]))


def accuracy_of(row, wanted, k):
    if not wanted:
        return dict.fromkeys(ACCURACY, math.nan)
    hit = [item in wanted for item in slots(row, k)]
    ranks = [rank for rank in range(1, k + 1) if hit[rank - 1]]
    best = min(k, len(wanted))
    return {
        "ndcg": sum(1 / math.log2(r + 1) for r in ranks) / sum(1 / math.log2(r + 1) for r in range(1, best + 1)),
        "recall": len(ranks) / len(wanted),
        "precision": len(ranks) / k,
        "average_precision": sum((place + 1) / rank for place, rank in enumerate(ranks)) / best,
        "reciprocal_rank": 1 / ranks[0] if ranks else 0.0,
        "hit_rate": 1.0 if ranks else 0.0,
    }


def cosine(a, b, vectors):
    if a == b:
        return 1.0
    x, y = vectors[a], vectors[b]
    lengths = math.sqrt(float(x @ x)) * math.sqrt(float(y @ y))
    return float(x @ y) / lengths if lengths else 0.0


def pair_mean(row, k, vectors, of_distance):
    own = listed(row, k)
    pairs = [(a, b) for place, a in enumerate(own) for b in own[place + 1 :]]
    return sum(of_distance(1 - cosine(a, b, vectors)) for a, b in pairs) / len(pairs) if pairs else math.nan


def alpha_dcg_of(row, wanted, facets, k, alpha):
    seen = [0] * facets.shape[1]
    total = 0.0
    for rank, item in enumerate(slots(row, k), start=1):
        if item in wanted:
            own = np.flatnonzero(facets[item]).tolist()
            total += sum((1 - alpha) ** seen[c] for c in own) / math.log2(rank + 1)
            for c in own:
                seen[c] += 1
    return total


def greedy_ideal_list(wanted, facets, k, alpha):
    """Largest gain first; of equal gains the row of facets that is lexicographically larger."""
    seen = [0] * facets.shape[1]
    left, chosen = sorted(wanted), []
    while left and len(chosen) < k:

        def key(item):
            return sum((1 - alpha) ** seen[c] for c in np.flatnonzero(facets[item])), tuple(facets[item])

        best = max(left, key=key)
        left.remove(best)
        chosen.append(best)
        for c in np.flatnonzero(facets[best]):
            seen[c] += 1
    return chosen
