"""Catalogue, novelty and serendipity metrics against hand-made numbers and loops."""

import math

import numpy as np
import pytest
from metric_cases import listed, random_case, relevant_of, slots
from scipy import sparse

from recsys_lib.metrics import catalogue, novelty, serendipity


def test_gini_of_even_exposure_is_0_and_of_one_item_is_1():
    assert catalogue.gini(np.arange(6).reshape(6, 1), 6) == pytest.approx(0, abs=1e-15)
    assert catalogue.gini(np.zeros((6, 1), int), 6) == pytest.approx(1)
    assert catalogue.gini_of([7]) == 0.0


def test_gini_counts_items_that_are_never_shown():
    items = np.arange(4).reshape(4, 1)
    assert catalogue.gini(items, 4) == pytest.approx(0, abs=1e-15)
    assert catalogue.gini(items, 400) > 0.98


def test_gini_equals_the_mean_absolute_difference():
    counts = np.random.default_rng(0).integers(0, 20, size=17)
    n = len(counts)
    pairs = sum(abs(int(a) - int(b)) for a in counts for b in counts)
    assert catalogue.gini_of(counts) == pytest.approx(pairs / (2 * n * counts.sum()) * n / (n - 1))


def test_catalogue_metrics_equal_a_loop():
    items, *_ = random_case(0)
    k, n_items = 4, 30
    shown = [0] * n_items
    for row in items:
        for item in set(listed(row, k)):
            shown[item] += 1
    assert catalogue.exposure(items, n_items, k).tolist() == shown
    assert catalogue.coverage(items, n_items, k) == sum(count > 0 for count in shown) / n_items
    assert catalogue.exposed(items, n_items, k) == sum(count >= 5 for count in shown) / n_items
    entropy = -sum(count / sum(shown) * math.log(count / sum(shown)) for count in shown if count)
    assert catalogue.entropy(items, n_items, k) == pytest.approx(entropy)
    assert catalogue.effective_catalogue_size(items, n_items, k) == pytest.approx(math.exp(entropy))


def test_a_user_who_is_shown_an_item_twice_counts_once():
    assert catalogue.exposure(np.array([[1, 1, 0]]), 2).tolist() == [1, 1]


def test_nothing_shown():
    nothing = np.full((3, 2), -1)
    assert catalogue.coverage(nothing, 5) == 0.0
    assert math.isnan(catalogue.gini(nothing, 5)) and math.isnan(catalogue.entropy(nothing, 5))


def test_novelty_and_popularity_equal_a_loop():
    items, _, _, _, counts = random_case(1)
    novel, popular = novelty.novelty(items, counts, 10, 5), novelty.popularity(items, counts, 10, 5)
    for user, row in enumerate(items):
        own = listed(row, 5)
        if not own:
            assert np.isnan(novel[user]) and np.isnan(popular[user])
            continue
        assert novel[user] == pytest.approx(-sum(math.log2(max(counts[item], 1) / 10) for item in own) / len(own))
        assert popular[user] == pytest.approx(sum(counts[item] / 10 for item in own) / len(own))


def test_the_tail_starts_after_80_percent_of_the_interactions():
    assert novelty.tail([50, 30, 10, 10]).tolist() == [False, False, True, True]  # 80 of 100 are reached exactly
    assert novelty.tail([50, 29, 11, 10]).tolist() == [False, False, False, True]
    assert novelty.tail([1, 1, 1, 1, 0]).tolist() == [False] * 4 + [True]  # equal counts stay together
    # .55 * 100 is 55.00000000000001 to a computer, and 55 of 100 reach it all the same.
    assert novelty.tail([55, 25, 20], head_share=0.55).tolist() == [False, True, True]
    assert novelty.tail([3, 9, 1], head_share=1.0).tolist() == [False, False, False]
    values = novelty.long_tail(np.array([[0, 2], [2, 3], [-1, -1]]), [50, 30, 10, 10])
    assert values[:2].tolist() == [0.5, 1.0] and np.isnan(values[2])


def test_serendipity_equals_a_loop():
    items, relevant, _, _, counts = random_case(2)
    n_items, k = len(counts), 6
    values = serendipity.serendipity(items, relevant, counts, k)
    distinct = sorted({int(count) for count in counts if count}, reverse=True)
    for user, row in enumerate(items):
        wanted = relevant_of(relevant, user)
        if not wanted:
            assert np.isnan(values[user])
            continue
        total = 0.0
        for rank, item in enumerate(slots(row, k), start=1):
            if item in wanted:
                popularity_rank = distinct.index(counts[item]) + 1 if counts[item] else None
                expected = (n_items + 1 - popularity_rank) / n_items if popularity_rank else 0.0
                total += max((n_items + 1 - rank) / n_items - expected, 0.0)
        assert values[user] == pytest.approx(total / k)


def test_serendipity_reproduces_the_worked_example_of_its_source():
    # The docstring of rectools.metrics.Serendipity: users u1, u2 and u4 at k = 1 and k = 2. u1's list is
    # (i1, i2), u2's is (i2, i3), u4's is (i2, i3); i1 was taken by three users before, i2 by two.
    items = np.array([[0, 1], [1, 2], [1, 2]])
    relevant = sparse.csr_matrix([[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 0]])
    np.testing.assert_allclose(serendipity.serendipity(items, relevant, [3, 2, 0, 0], 1), [0, 0.25, 0.25])
    np.testing.assert_allclose(serendipity.serendipity(items, relevant, [3, 2, 0, 0], 2), [0, 0.5, 0.125])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: catalogue.coverage(np.array([[5]]), 5), "item index 5, but n_items is 5"),
        (lambda: catalogue.exposed(np.array([[0]]), 5, at_least=0), "at_least must be 1 or more"),
        (lambda: novelty.novelty(np.array([[0]]), [9], 5), "n_train_users is 5, but item_counts goes up to 9"),
        (lambda: novelty.long_tail(np.array([[0]]), [0, 0]), "item_counts has no interaction"),
        (lambda: novelty.long_tail(np.array([[0]]), [1, 0], head_share=0), "head_share must lie in"),
        (lambda: novelty.popularity(np.array([[3]]), [1, 0], 5), "item index 3, but item_counts has only 2 rows"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
