"""Accuracy metrics against hand-made numbers and a plain-Python reference."""

import numpy as np
import pytest
from metric_cases import ACCURACY, accuracy_of, random_case, relevant_of
from scipy import sparse

from recsys_lib.metrics import accuracy
from recsys_lib.metrics.lists import first_places, hits


@pytest.mark.parametrize("name", ACCURACY)
@pytest.mark.parametrize("k", [1, 3, 7, 12])
def test_equals_the_plain_python_reference(name, k):
    for seed in range(3):
        items, relevant, *_ = random_case(seed)
        expected = [accuracy_of(row, relevant_of(relevant, user), k)[name] for user, row in enumerate(items)]
        np.testing.assert_allclose(getattr(accuracy, name)(items, relevant, k), expected, rtol=1e-12)


def test_by_hand():
    relevant = sparse.csr_matrix([[1, 1, 1, 0, 0]])
    items = np.array([[3, 0, 4, 1]])  # hits at ranks 2 and 4
    assert accuracy.ndcg(items, relevant, 4)[0] == pytest.approx(
        (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3) + 0.5)
    )
    assert accuracy.recall(items, relevant, 4)[0] == pytest.approx(2 / 3)
    assert accuracy.precision(items, relevant, 4)[0] == 0.5
    assert accuracy.average_precision(items, relevant, 4)[0] == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert accuracy.reciprocal_rank(items, relevant, 4)[0] == 0.5
    assert accuracy.hit_rate(items, relevant, 1)[0] == 0.0


def test_a_perfect_short_list_reaches_one_with_fewer_relevant_items_than_k():
    relevant = sparse.csr_matrix([[1, 1, 0, 0]])
    items = np.array([[1, 0, -1]])
    for name in ("ndcg", "recall", "average_precision", "reciprocal_rank", "hit_rate"):
        assert getattr(accuracy, name)(items, relevant, 10)[0] == 1.0
    assert accuracy.precision(items, relevant, 10)[0] == 0.2


@pytest.mark.parametrize("name", ACCURACY)
def test_users_without_relevant_items_are_nan_and_an_empty_list_is_zero(name):
    relevant = sparse.csr_matrix([[0, 0], [1, 0]])
    values = getattr(accuracy, name)(np.full((2, 3), -1), relevant, 3)
    assert np.isnan(values[0]) and values[1] == 0.0


def test_a_repeated_item_is_a_hit_only_once():
    relevant = sparse.csr_matrix([[1, 0, 1]])
    items = np.array([[0, 0, 1]])
    assert accuracy.recall(items, relevant, 3)[0] == 0.5
    assert first_places(np.array([[2, 2, -1, -1, 0, 2]])).tolist() == [[True, False, False, False, True, False]]


def test_stored_zeros_and_unsorted_columns_do_not_count_or_confuse():
    matrix = sparse.csr_matrix(([1.0, 0.0, 2.0], [2, 1, 0], [0, 3]), shape=(1, 3))
    hit, n_relevant = hits(np.array([[1, 0, 2]]), matrix, 3)
    assert hit.tolist() == [[False, True, True]] and n_relevant.tolist() == [2]
    assert matrix.nnz == 3 and matrix.indices.tolist() == [2, 1, 0]  # the caller's matrix is untouched


def test_an_item_never_hits_in_the_next_users_row():
    relevant = sparse.csr_matrix([[0, 0, 0, 1], [1, 0, 0, 0]])
    assert not hits(np.array([[0], [3]]), relevant, 1)[0].any()


def test_empty_relevance_and_no_users():
    assert np.isnan(accuracy.ndcg(np.array([[0]]), sparse.csr_matrix((1, 2)), 1)).all()
    assert accuracy.ndcg(np.empty((0, 3), int), sparse.csr_matrix((0, 2)), 3).shape == (0,)


@pytest.mark.parametrize(
    ("items", "relevant", "k", "message"),
    [
        ([0, 1], np.ones((1, 2)), 1, "items must be a table"),
        ([[0.0, 1.0]], np.ones((1, 2)), 1, "integer column indices"),
        ([[0, 1]], np.ones((1, 2)), 0, "k must be a whole number"),
        ([[0, 1]], np.ones((1, 2)), 2.5, "k must be a whole number"),
        ([[0, 1]], np.ones((2, 2)), 1, "relevant has 2 rows, but there are 1 lists"),
        ([[0, 2]], np.ones((1, 2)), 2, "item index 2, but relevant has only 2 columns"),
    ],
)
def test_bad_input_is_named(items, relevant, k, message):
    with pytest.raises(ValueError, match=message):
        accuracy.ndcg(items, sparse.csr_matrix(relevant), k)
