"""Properties that must hold for any lists: ranges, permutations of users and items, padding, short lists."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys_lib.metrics import accuracy, catalogue, facets, intra_list, novelty, serendipity

N_ITEMS, N_FACETS, N_TRAIN_USERS = 8, 3, 9

# Every per-user metric as f(case, k), with the range that its docstring promises for m filled places.
PER_USER = {
    "ndcg": (lambda c, k: accuracy.ndcg(c.items, c.relevant, k), lambda m, k: (0, 1)),
    "recall": (lambda c, k: accuracy.recall(c.items, c.relevant, k), lambda m, k: (0, 1)),
    "precision": (lambda c, k: accuracy.precision(c.items, c.relevant, k), lambda m, k: (0, 1)),
    "map": (lambda c, k: accuracy.average_precision(c.items, c.relevant, k), lambda m, k: (0, 1)),
    "mrr": (lambda c, k: accuracy.reciprocal_rank(c.items, c.relevant, k), lambda m, k: (0, 1)),
    "hit_rate": (lambda c, k: accuracy.hit_rate(c.items, c.relevant, k), lambda m, k: (0, 1)),
    "ild": (lambda c, k: intra_list.ild(c.items, c.vectors, k), lambda m, k: (0, m / max(m - 1, 1))),
    "gaussian_ild": (lambda c, k: intra_list.gaussian_ild(c.items, c.vectors, k), lambda m, k: (0, 1)),
    "vendi_score": (lambda c, k: intra_list.vendi_score(c.items, c.vectors, k), lambda m, k: (1, m)),
    "log_det": (
        lambda c, k: intra_list.log_det(c.items, c.vectors, k),
        lambda m, k: (math.log1p(m), m * math.log(2)),
    ),
    "alpha_ndcg": (lambda c, k: facets.alpha_ndcg(c.items, c.relevant, c.facets, k), lambda m, k: (0, math.e)),
    "subtopic_recall": (lambda c, k: facets.subtopic_recall(c.items, c.facets, k), lambda m, k: (0, 1)),
    "facet_entropy": (lambda c, k: facets.facet_entropy(c.items, c.facets, k), lambda m, k: (0, math.log(N_FACETS))),
    "calibration": (
        lambda c, k: facets.calibration(c.items, c.train, c.facets, k),
        lambda m, k: (0, -math.log(0.01)),
    ),
    "novelty": (
        lambda c, k: novelty.novelty(c.items, c.counts, N_TRAIN_USERS, k),
        lambda m, k: (0, math.log2(N_TRAIN_USERS)),
    ),
    "popularity": (lambda c, k: novelty.popularity(c.items, c.counts, N_TRAIN_USERS, k), lambda m, k: (0, 1)),
    "long_tail": (lambda c, k: novelty.long_tail(c.items, c.counts, k), lambda m, k: (0, 1)),
    "serendipity": (
        lambda c, k: serendipity.serendipity(c.items, c.relevant, c.counts, k),
        lambda m, k: (0, 1),
    ),
}
CATALOGUE = {
    "coverage": lambda items, k: catalogue.coverage(items, N_ITEMS, k),
    "exposed": lambda items, k: catalogue.exposed(items, N_ITEMS, k, at_least=2),
    "gini": lambda items, k: catalogue.gini(items, N_ITEMS, k),
    "entropy": lambda items, k: catalogue.entropy(items, N_ITEMS, k),
    "effective_catalogue_size": lambda items, k: catalogue.effective_catalogue_size(items, N_ITEMS, k),
}
RELEVANCE_AWARE = ["ndcg", "recall", "precision", "map", "mrr", "hit_rate", "alpha_ndcg", "serendipity"]


class Case:
    def __init__(self, items, relevant, train, vectors, item_facets, counts):
        self.items, self.vectors, self.facets, self.counts = items, vectors, item_facets, counts
        self.relevant, self.train = sparse.csr_matrix(relevant), sparse.csr_matrix(train)

    def users(self, order):
        picked = self.relevant[order], self.train[order]
        return Case(self.items[order], *picked, self.vectors, self.facets, self.counts)

    def with_items(self, items):
        return Case(items, self.relevant, self.train, self.vectors, self.facets, self.counts)

    def relabelled(self, new_index):
        """Item i becomes new_index[i]."""
        old = np.argsort(new_index)
        items = np.where(self.items >= 0, new_index[self.items], -1)
        return Case(
            items, self.relevant[:, old], self.train[:, old], self.vectors[old], self.facets[old], self.counts[old]
        )


@st.composite
def cases(draw, with_duplicates=False):
    n_users, width = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    items = np.full((n_users, width), -1)
    for user in range(n_users):
        size = draw(st.integers(0, width))
        items[user, :size] = rng.choice(N_ITEMS, size=size, replace=with_duplicates)
    # Small integers make ties, equal vectors, zero vectors and items without facets likely.
    vectors = rng.integers(-1, 2, size=(N_ITEMS, 2)).astype(float)
    item_facets = (rng.random((N_ITEMS, N_FACETS)) < 0.4).astype(float)
    relevant, train = rng.random((2, n_users, N_ITEMS)) < rng.choice([0.0, 0.3, 1.0], size=(2, n_users, 1))
    counts = rng.integers(0, 5, size=N_ITEMS)
    counts[rng.integers(N_ITEMS)] += 1
    return Case(items, relevant, train, vectors, item_facets, counts)


ks = st.integers(1, 9)
per_user = pytest.mark.parametrize("name", PER_USER)


@per_user
@settings(max_examples=40, deadline=None)
@given(case=cases(with_duplicates=True), k=ks)
def test_values_lie_in_the_promised_range_or_are_nan(name, case, k):
    metric, bounds = PER_USER[name]
    values = metric(case, k)
    assert values.shape == (len(case.items),) and values.dtype == np.float64
    for user, value in enumerate(values):
        low, high = bounds(int((case.items[user, :k] >= 0).sum()), k)
        assert math.isnan(value) or low - 1e-9 <= value <= high + 1e-9


@per_user
@settings(max_examples=25, deadline=None)
@given(case=cases(), k=ks, data=st.data())
def test_a_permutation_of_users_permutes_the_values_and_users_do_not_see_each_other(name, case, k, data):
    metric = PER_USER[name][0]
    order = np.array(data.draw(st.permutations(range(len(case.items)))))
    np.testing.assert_allclose(metric(case.users(order), k), metric(case, k)[order], atol=1e-12)
    alone = metric(case.users(order[:1]), k)
    np.testing.assert_allclose(alone, metric(case, k)[order[:1]], atol=1e-12)


@per_user
@settings(max_examples=25, deadline=None)
@given(case=cases(), k=ks, data=st.data())
def test_the_numbering_of_items_does_not_matter(name, case, k, data):
    metric = PER_USER[name][0]
    new_index = np.array(data.draw(st.permutations(range(N_ITEMS))))
    np.testing.assert_allclose(metric(case.relabelled(new_index), k), metric(case, k), atol=1e-12)


@per_user
@settings(max_examples=25, deadline=None)
@given(case=cases(), k=ks, more=st.integers(1, 4))
def test_more_padding_changes_nothing(name, case, k, more):
    metric = PER_USER[name][0]
    padded = case.with_items(np.pad(case.items, ((0, 0), (0, more)), constant_values=-1))
    np.testing.assert_allclose(metric(padded, k), metric(case, k), atol=1e-12)


@pytest.mark.parametrize("name", [*RELEVANCE_AWARE, "subtopic_recall", "coverage", "exposed"])
@settings(max_examples=40, deadline=None)
@given(case=cases(), k=ks, data=st.data())
def test_emptying_a_place_never_helps(name, case, k, data):
    place = data.draw(st.integers(0, case.items.shape[1] - 1))
    emptied = case.items.copy()
    emptied[:, place] = -1
    if name in CATALOGUE:
        assert CATALOGUE[name](emptied, k) <= CATALOGUE[name](case.items, k)
        return
    metric = PER_USER[name][0]
    before, after = metric(case, k), metric(case.with_items(emptied), k)
    np.testing.assert_array_equal(np.isnan(before), np.isnan(after))
    # For alpha-nDCG too: what later items gain by being fresh again was worth more at the earlier rank.
    assert not (after > before + 1e-12).any()


@pytest.mark.parametrize("name", CATALOGUE)
@settings(max_examples=40, deadline=None)
@given(case=cases(), k=ks, data=st.data())
def test_catalogue_metrics_ignore_the_order_of_users_and_the_numbering_of_items(name, case, k, data):
    metric = CATALOGUE[name]
    value = metric(case.items, k)
    assert math.isnan(value) or -1e-12 <= value <= max(1.0, N_ITEMS) + 1e-9
    order = data.draw(st.permutations(range(len(case.items))))
    new_index = np.array(data.draw(st.permutations(range(N_ITEMS))))
    np.testing.assert_allclose(metric(case.items[list(order)], k), value, rtol=1e-12)
    np.testing.assert_allclose(metric(case.relabelled(new_index).items, k), value, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(case=cases(), k=ks)
def test_the_order_inside_a_list_matters_only_to_ranked_metrics(case, k):
    backwards = case.with_items(case.items[:, ::-1])
    width = case.items.shape[1]
    for name in "recall precision hit_rate ild subtopic_recall facet_entropy calibration novelty".split():
        metric = PER_USER[name][0]
        np.testing.assert_allclose(metric(backwards, width + k), metric(case, width + k), atol=1e-12)
