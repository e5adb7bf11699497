"""Intra-list and facet metrics against hand-made numbers and plain-Python references."""

import math

import numpy as np
import pytest
from metric_cases import alpha_dcg_of, cosine, greedy_ideal_list, listed, pair_mean, random_case, relevant_of
from scipy import sparse

from recsys_lib.metrics import facets, intra_list, lists


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_ild_equals_the_pair_loop(k):
    for seed in range(3):
        items, _, vectors, *_ = random_case(seed)
        expected = [pair_mean(row, k, vectors, lambda distance: distance) for row in items]
        np.testing.assert_allclose(intra_list.ild(items, vectors, k), expected, atol=1e-12)


def test_ild_is_the_identity_of_the_mean_vector_for_unit_vectors():
    rng = np.random.default_rng(0)
    unit = rng.normal(size=(9, 5))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    items = np.array([rng.permutation(9)[:6] for _ in range(20)])
    identity = 6 / 5 * (1 - (unit[items].mean(axis=1) ** 2).sum(axis=1))
    np.testing.assert_allclose(intra_list.ild(items, unit, 6), identity, rtol=1e-12)


def test_ild_of_duplicates_zero_vectors_and_short_lists():
    vectors = np.array([[1.0, 0], [0, 0], [0, 0], [-1, 0]])
    values = intra_list.ild(np.array([[0, 0], [1, 1], [1, 2], [0, 3], [1, -1], [-1, -1]]), vectors)
    np.testing.assert_array_equal(values[:4], [0, 0, 1, 2])  # the same; the same unknown; two unknown; opposite
    assert np.isnan(values[4:]).all()
    # Three times the same unknown item beside a known one: 3 of 6 pairs are at distance 0.
    assert intra_list.ild(np.array([[1, 0, 1, 1]]), vectors)[0] == 0.5


@pytest.mark.parametrize("metric", ["ild", "gaussian_ild", "vendi_score", "log_det"])
def test_vectors_must_be_finite(metric):
    vectors = np.ones((4, 2), np.float32)
    vectors[2, 1] = np.nan
    with pytest.raises(ValueError, match="item_vectors has NaN or infinite values, first in row 2"):
        getattr(intra_list, metric)(np.array([[0, 1]]), vectors)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_facets_must_be_finite(bad):
    item_facets = np.array([[1, 0], [bad, 1], [0, 1]])
    with pytest.raises(ValueError, match="item_facets has NaN or infinite values, first in row 1"):
        facets.alpha_ndcg(np.array([[0, 1]]), sparse.csr_matrix(np.ones((1, 3))), item_facets)


def test_ild_of_equal_vectors_is_never_below_zero():
    vectors = np.repeat(np.random.default_rng(0).normal(size=(50, 1, 7)), 5, axis=1).reshape(250, 7)
    values = intra_list.ild(np.arange(250).reshape(50, 5), vectors)
    assert (values >= 0).all() and values.max() < 1e-14


def test_ild_ignores_the_length_of_vectors_even_extreme_ones():
    vectors = np.random.default_rng(0).normal(size=(6, 3))
    scales = np.array([1e-200, 1e200, 1, 3, 1e-3, 1e5])[:, None]
    items = np.array([[0, 1, 2, 3, 4, 5]])
    np.testing.assert_allclose(intra_list.ild(items, vectors * scales), intra_list.ild(items, vectors), rtol=1e-12)


def test_blocks_do_not_change_the_result(monkeypatch):
    items, relevant, vectors, item_facets, _ = random_case(1)

    def everything():
        return [
            intra_list.ild(items, vectors),
            intra_list.gaussian_ild(items, vectors),
            intra_list.vendi_score(items, vectors),
            facets.alpha_ndcg(items, relevant, item_facets),
        ]

    whole = everything()
    monkeypatch.setattr(lists, "BLOCK_CELLS", 50)
    monkeypatch.setattr(facets, "_IDEAL_CELLS", 50)
    for got, expected in zip(everything(), whole, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("bandwidth", [0.1, 0.5, 3.0])
def test_gaussian_ild_equals_the_pair_loop(bandwidth):
    items, _, vectors, *_ = random_case(2)
    expected = [pair_mean(row, 6, vectors, lambda d: 1 - math.exp(-(d**2) / (2 * bandwidth**2))) for row in items]
    np.testing.assert_allclose(intra_list.gaussian_ild(items, vectors, 6, bandwidth=bandwidth), expected, atol=1e-12)


def test_vendi_score_and_log_det_equal_dense_linear_algebra():
    items, _, vectors, *_ = random_case(3)
    vendi, determinant = intra_list.vendi_score(items, vectors, 5), intra_list.log_det(items, vectors, 5, alpha=2.0)
    for user, row in enumerate(items):
        own = listed(row, 5)
        if not own:
            assert np.isnan(vendi[user]) and np.isnan(determinant[user])
            continue
        kernel = np.array([[cosine(a, b, vectors) for b in own] for a in own])
        eigenvalues = np.linalg.eigvalsh(kernel / len(own))
        entropy = -sum(value * math.log(value) for value in eigenvalues if value > 1e-14)
        assert vendi[user] == pytest.approx(math.exp(entropy), rel=1e-9)
        assert determinant[user] == pytest.approx(math.log(np.linalg.det(np.eye(len(own)) + 2 * kernel)), rel=1e-9)


def test_vendi_score_and_log_det_reach_the_ends_of_their_ranges():
    items = np.array([[0, 1, 2], [3, 3, 3]])
    vectors = np.vstack([np.eye(3), np.zeros(3)])  # the last item is unknown, but like itself
    np.testing.assert_allclose(intra_list.vendi_score(items, vectors), [3, 1])
    np.testing.assert_allclose(intra_list.log_det(items, vectors), [3 * np.log(2), np.log(4)])


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("k", [1, 4, 12])
def test_alpha_ndcg_equals_the_plain_python_reference(alpha, k):
    for seed in range(3):
        items, relevant, _, item_facets, _ = random_case(seed)
        values = facets.alpha_ndcg(items, relevant, item_facets, k, alpha=alpha)
        for user, row in enumerate(items):
            wanted = relevant_of(relevant, user)
            ideal = alpha_dcg_of(greedy_ideal_list(wanted, item_facets, k, alpha), wanted, item_facets, k, alpha)
            if ideal == 0:
                assert np.isnan(values[user])
            else:
                expected = alpha_dcg_of(row, wanted, item_facets, k, alpha) / ideal
                assert values[user] == pytest.approx(expected, abs=1e-12)


def test_alpha_ndcg_of_the_greedy_ideal_is_one():
    _, relevant, _, item_facets, _ = random_case(5)
    ideal = np.full((relevant.shape[0], 8), -1)
    for user in range(relevant.shape[0]):
        own = greedy_ideal_list(relevant_of(relevant, user), item_facets, 8, 0.5)
        ideal[user, : len(own)] = own
    values = facets.alpha_ndcg(ideal, relevant, item_facets, 8)
    assert np.isfinite(values).sum() > 10
    np.testing.assert_allclose(values[np.isfinite(values)], 1.0, rtol=1e-12)


def test_alpha_ndcg_pays_for_relevant_items_only_and_less_for_a_repeated_facet():
    item_facets = np.array([[1, 0], [1, 0], [0, 1], [1, 1]])
    relevant = sparse.csr_matrix([[1, 1, 1, 0]])
    repeated, varied, irrelevant = (
        facets.alpha_ndcg(np.array([row]), relevant, item_facets, 2)[0] for row in ([0, 1], [0, 2], [3, -1])
    )
    assert varied == 1.0 and irrelevant == 0.0
    assert repeated == pytest.approx((1 + 0.5 / np.log2(3)) / (1 + 1 / np.log2(3)))


def test_subtopic_recall_and_facet_entropy_by_hand():
    item_facets = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]])
    items = np.array([[0, 1, -1], [2, -1, -1], [0, 3, 2]])
    np.testing.assert_array_equal(facets.subtopic_recall(items, item_facets), [0.5, 0, 0.75])
    entropy = facets.facet_entropy(items, item_facets)
    assert entropy[0] == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert np.isnan(entropy[1])
    assert entropy[2] == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(4))  # the item without facets is left out


def test_calibration_equals_a_loop():
    items, history, _, item_facets, _ = random_case(4)
    values = facets.calibration(items, history, item_facets, 6)

    def mix(own):
        rows = [item_facets[item] / item_facets[item].sum() for item in own if item_facets[item].sum()]
        return np.mean(rows, axis=0) if rows else np.zeros(item_facets.shape[1])

    for user, row in enumerate(items):
        p, q = mix(sorted(relevant_of(history, user))), mix(listed(row, 6))
        smoothed = 0.99 * q + 0.01 * p
        expected = sum(p[c] * math.log(p[c] / smoothed[c]) for c in range(len(p)) if p[c] > 0)
        if p.any():
            assert values[user] == pytest.approx(expected, abs=1e-12)
        else:
            assert np.isnan(values[user])


def test_calibration_does_not_weigh_the_history_by_its_values_and_is_worst_for_an_empty_list():
    item_facets = np.array([[1, 0], [0, 1]])
    items = np.array([[0, 1], [-1, -1]])
    values = facets.calibration(items, sparse.csr_matrix([[1.0, 5.0], [2.0, 0.0]]), item_facets)
    np.testing.assert_allclose(values, [0, -np.log(0.01)], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda items, m: intra_list.ild(items, np.ones((2, 3))), "item index 2, but item_vectors has only 2 rows"),
        (lambda items, m: intra_list.gaussian_ild(items, np.eye(3), bandwidth=0), "bandwidth must be positive"),
        (lambda items, m: intra_list.log_det(items, np.eye(3), alpha=-1), "alpha must be positive"),
        (lambda items, m: facets.alpha_ndcg(items, m, np.eye(3), alpha=2), "alpha must lie in"),
        (lambda items, m: facets.alpha_ndcg(items, m, np.eye(4)), "item_facets has 4 rows"),
        (lambda items, m: facets.alpha_ndcg(items, m, np.ones(3)), "item_facets must be a table"),
        (lambda items, m: facets.subtopic_recall(items, np.ones((3, 0))), r"item_facets must be a table .* \(3, 0\)"),
        (lambda items, m: facets.facet_entropy(items, np.ones(3)), "item_facets must be a table"),
        (lambda items, m: facets.facet_entropy(items, -np.eye(3)), "item_facets holds negative values"),
        (lambda items, m: facets.calibration(items, m, np.eye(3), alpha=0), "alpha must lie between"),
        (lambda items, m: facets.calibration(items, m, np.eye(4)), "item_facets has 4 rows, but train has 3 columns"),
        (lambda items, m: facets.calibration(items, m[:0], np.eye(3)), "train has 0 rows"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.array([[0, 2]]), sparse.csr_matrix(np.ones((1, 3))))
