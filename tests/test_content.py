"""Models that read item vectors: against their formulas, against brute force, and on cold items."""

import numpy as np
import pytest
from content_case import COLD, all_scores, dense, interactions, without

from recsys_lib import models
from recsys_lib.models.content import rbf_kernel, text_weights


@pytest.fixture(scope="module")
def train(tiny_train):
    """Binary interactions in which the columns COLD are cold."""
    return without(tiny_train, COLD)


@pytest.fixture(scope="module")
def vectors(tiny_train):
    return np.random.default_rng(5).normal(size=(tiny_train.n_items, 6))


@pytest.fixture(scope="module")
def known(train):
    return np.flatnonzero(train.item_counts > 0)


# --- profile and neighbours ------------------------------------------------------------------------------------

THREE = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])  # unit vectors: east, north, north-east


def test_profile_without_ratings_by_hand():
    model = models.ContentProfile().fit(interactions([[1, 1, 0], [1, 0, 0], [0, 0, 0]]), THREE)
    half = np.sqrt(0.5)
    # user 0 looks north-east, user 1 east, user 2 has no history: 0, not NaN
    assert all_scores(model) == pytest.approx(np.array([[half, half, 1], [1, 0, half], [0, 0, 0]]), abs=1e-6)


def test_profile_weighs_by_rating_by_hand():
    model = models.ContentProfile().fit(interactions([[1, 1, 0]], ratings=[[4, 3, 0]]), THREE)
    # 4 east + 3 north has length 5
    assert all_scores(model)[0] == pytest.approx([0.8, 0.6, 1.4 * np.sqrt(0.5)], abs=1e-6)


def test_profile_does_not_see_the_length_of_the_vectors(train, vectors):
    lengths = np.random.default_rng(0).uniform(0.1, 9, (len(vectors), 1))
    one, other = (models.ContentProfile().fit(train, table) for table in (vectors, vectors * lengths))
    assert all_scores(one) == pytest.approx(all_scores(other), abs=1e-5)


def test_knn_by_hand():
    # Angles 0, 10, 30, 90 and 40 degrees; nobody had the last item, so it may not be a neighbour of anything.
    angles = np.deg2rad([0, 10, 30, 90, 40])
    table = np.column_stack([np.cos(angles), np.sin(angles)])
    model = models.ContentKNN(k=1).fit(interactions([[1, 0, 0, 1, 0], [0, 1, 1, 0, 0]]), table)
    cos = {degrees: np.cos(np.deg2rad(degrees)) for degrees in (10, 20, 60)}
    # The nearest known neighbour of 0 is 1, of 1 is 0, of 2 is 1, of 3 is 2, of the cold 4 is 2.
    expected = [[0, cos[10], 0, 0, 0], [cos[10], 0, cos[20], cos[60], cos[10]]]
    assert all_scores(model) == pytest.approx(np.array(expected), abs=1e-6)


@pytest.mark.parametrize("k", [3, 1000])
def test_knn_against_loops(train, known, vectors, k):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = np.zeros(train.matrix.shape)
    for i in range(train.n_items):
        near = sorted((j for j in known if j != i), key=lambda j: -(unit[i] @ unit[j]))[:k]
        for j in near:
            expected[:, i] += max(unit[i] @ unit[j], 0) * dense(train)[:, j]
    model = models.ContentKNN(k=k).fit(train, vectors)
    assert all_scores(model) == pytest.approx(expected, abs=1e-5)
    assert not model.similarity_[COLD].nnz and model.similarity_[:, COLD].nnz
    assert np.diff(model.similarity_.tocsc().indptr).max() <= k


# --- linear map ------------------------------------------------------------------------------------------------


def map_parts(train, vectors):
    """R, F and A = RF of the known items."""
    warm = train.item_counts > 0
    matrix, items = dense(train)[:, warm], vectors.astype(np.float32).astype(float)[warm]
    return matrix, items, matrix @ items


def test_linear_map_solves_its_normal_equations(train, vectors):
    l2 = 30.0
    weights = models.LinearTextMap(l2=l2).fit(train, vectors).weights_
    matrix, items, users = map_parts(train, vectors)
    right = users.T @ matrix @ items
    residual = users.T @ users @ weights @ items.T @ items + l2 * weights - right
    assert np.abs(residual).max() < 1e-8 * np.abs(right).max()


def test_linear_map_agrees_with_a_plain_solve(train, vectors):
    l2 = 5.0
    matrix, items, users = map_parts(train, vectors)
    system = np.kron(users.T @ users, items.T @ items) + l2 * np.eye(36)  # for vec(W), row by row
    plain = np.linalg.solve(system, (users.T @ matrix @ items).ravel()).reshape(6, 6)
    weights = models.LinearTextMap(l2=l2).fit(train, vectors).weights_
    assert weights == pytest.approx(plain, rel=1e-7, abs=1e-12)

    def loss(table):
        return ((matrix - users @ table @ items.T) ** 2).sum() + l2 * (table**2).sum()

    for row, column in ((0, 0), (2, 5), (5, 1)):  # no direction goes down
        step = np.zeros((6, 6))
        step[row, column] = 1e-4 * np.abs(weights).max()
        assert loss(weights + step) > loss(weights) and loss(weights - step) > loss(weights)


def test_linear_map_scores_a_cold_item_by_its_vector(train, vectors):
    model = models.LinearTextMap(l2=20).fit(train, vectors)
    *_, users = map_parts(train, vectors)
    expected = users @ model.weights_ @ vectors.astype(np.float32).astype(float).T
    assert all_scores(model)[:, COLD] == pytest.approx(expected[:, COLD], rel=1e-5, abs=1e-7)
    assert np.abs(expected[:, COLD]).max() > 0.01


def test_cold_columns_do_not_change_the_linear_map(train, vectors):
    other = vectors.copy()
    other[COLD] = 100
    one, another = (models.LinearTextMap(l2=20).fit(train, table) for table in (vectors, other))
    assert (one.weights_ == another.weights_).all()


def test_a_rotation_of_the_vectors_changes_no_score(train, vectors):
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))
    one, another = (models.LinearTextMap(l2=20).fit(train, table) for table in (vectors, vectors @ rotation))
    assert all_scores(one) == pytest.approx(all_scores(another), abs=1e-5)


# --- EASE with text --------------------------------------------------------------------------------------------


def test_text_weights_are_ease_on_the_transposed_vectors():
    table = np.random.default_rng(2).uniform(size=(30, 7)).astype(np.float32)  # EASE takes no negative cells
    ease = models.EASE(l2=0.8).fit(interactions(table.T)).item_weights_
    assert text_weights(table, 0.8) == pytest.approx(ease, abs=1e-5)


@pytest.mark.parametrize("shape", [(30, 7), (12, 40)])
def test_text_weights_through_the_small_inverse(shape):
    table, l2 = np.random.default_rng(2).normal(size=shape), 0.8
    precision = np.linalg.inv(table @ table.T + l2 * np.eye(len(table)))
    plain = -precision / np.diag(precision)
    np.fill_diagonal(plain, 0)
    assert text_weights(table, l2) == pytest.approx(plain, abs=1e-10)


def test_l3ae_without_pull_is_ease(train, vectors):
    ease = models.EASE(l2=25).fit(train)
    model = models.L3AE(l2=25, text_weight=0).fit(train, vectors)
    assert model.item_weights_ == pytest.approx(ease.item_weights_, rel=1e-6, abs=0)
    assert (model.recommend(k=10).items == ease.recommend(k=10).items).all()


@pytest.mark.parametrize("pull", [8.0, 25.0, 40.0])  # the last one is a negative ridge, l2 - pull = -15
def test_l3ae_minimises_its_loss(train, vectors, pull):
    matrix, ridge = dense(train), 25 - pull
    goal = text_weights(vectors.astype(np.float32), 2.0)
    weights = models.L3AE(l2=25, text_weight=pull, text_l2=2).fit(train, vectors).item_weights_.astype(float)
    assert (np.diag(weights) == 0).all()
    gradient = -2 * matrix.T @ (matrix - matrix @ weights) + 2 * ridge * weights + 2 * pull * (weights - goal)
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-4

    def loss(table):
        fit = ((matrix - matrix @ table) ** 2).sum()
        return fit + ridge * (table**2).sum() + pull * ((table - goal) ** 2).sum()

    rng = np.random.default_rng(3)
    for _ in range(20):
        step = rng.normal(size=weights.shape) * 0.01
        np.fill_diagonal(step, 0)
        assert loss(weights + step) > loss(weights)


def test_l3ae_scores_cold_columns_through_their_text(train, vectors, known):
    model = models.L3AE(l2=25, text_weight=10, text_l2=2).fit(train, vectors)
    matrix = dense(train)[:, known]
    goal = text_weights(vectors.astype(np.float32), 2.0)[np.ix_(known, COLD)]
    # A cold column is 0 in X: what is left of the loss is |X b|^2 + a |b|^2 + b |b - c|^2, a ridge around its text.
    plain = matrix @ np.linalg.solve(matrix.T @ matrix + 25 * np.eye(len(known)), 10 * goal)
    assert all_scores(model)[:, COLD] == pytest.approx(plain, abs=1e-5)
    assert np.abs(plain).max() > 0.01
    without_text = models.L3AE(l2=25, text_weight=0).fit(train, vectors)
    assert (all_scores(without_text)[:, COLD] == 0).all()


# --- kernel ridge ----------------------------------------------------------------------------------------------


def loop_kernel(table):
    n = len(table)
    kernel = np.eye(n)
    for i in range(n):
        for j in range(n):
            if i != j and table[i].any() and table[j].any():
                kernel[i, j] = np.exp(-((table[i] - table[j]) ** 2).sum())
    return kernel


def ridge_target(train, known, target_l2, damping):
    """Y: EASE's scores of the known items, each divided by its count to the power of the damping."""
    matrix = dense(train)[:, known]
    precision = np.linalg.inv(matrix.T @ matrix + target_l2 * np.eye(len(known)))
    ease = -precision / np.diag(precision)
    np.fill_diagonal(ease, 0)
    return matrix @ ease / train.item_counts[known] ** damping


def test_rbf_kernel_against_loops(vectors):
    table = 0.4 * vectors
    table[[3, 9]] = 0  # unknown: like themselves only, not like each other
    kernel = rbf_kernel(table)
    assert kernel == pytest.approx(loop_kernel(table), abs=1e-12)
    assert kernel[3, 9] == 0 and kernel[3, 3] == 1
    assert np.linalg.eigvalsh(kernel).min() > -1e-12


def test_rbf_kernel_keeps_its_digits_far_from_the_origin():
    years = np.array([[1990.0], [1990.5], [1998.0]])
    assert rbf_kernel(years)[0, 1:] == pytest.approx(np.exp([-0.25, -64.0]), rel=1e-6)


@pytest.mark.parametrize("damping", [0.0, 0.3])
@pytest.mark.parametrize("products", [0.0, 1.0])
def test_kernel_ridge_scores_cold_items_by_the_formula(train, vectors, known, damping, products):
    table = 0.4 * vectors
    model = models.KernelRidgeContent(l2=0.7, target_l2=12, damping=damping, products=products)
    model.fit(train, table)
    kernel = loop_kernel(table)
    kernel = (kernel + products * kernel**2) / (1 + products)
    ridge = kernel[np.ix_(known, known)] + 0.7 * np.eye(len(known))
    expected = ridge_target(train, known, 12, damping) @ np.linalg.solve(ridge, kernel[np.ix_(known, COLD)])
    assert all_scores(model)[:, COLD] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_kernel_ridge_scores_a_known_item_as_if_the_ridge_had_not_had_it(train, vectors, known):
    table = 0.4 * vectors
    model = models.KernelRidgeContent(l2=0.7, target_l2=12, damping=0.2, products=0).fit(train, table)
    kernel, target = loop_kernel(table), ridge_target(train, known, 12, 0.2)
    scores = all_scores(model)
    for place in (0, 7, len(known) - 1):
        rest = np.delete(known, place)
        ridge = kernel[np.ix_(rest, rest)] + 0.7 * np.eye(len(rest))
        expected = np.delete(target, place, axis=1) @ np.linalg.solve(ridge, kernel[rest, known[place]])
        assert scores[:, known[place]] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_kernel_ridge_mixes_named_fields(train, vectors, known):
    fields = {"text": 0.4 * vectors, "people": np.abs(vectors[:, :3])}
    arguments = {"l2": 0.7, "target_l2": 12, "damping": 0, "products": 0}
    weights = {"text": 3.0, "people": 1.0}
    model = models.KernelRidgeContent(field_weights=weights, linear_fields=("people",), **arguments).fit(train, fields)
    kernel = 0.75 * loop_kernel(fields["text"]) + 0.25 * fields["people"] @ fields["people"].T
    assert np.linalg.eigvalsh(kernel).min() > -1e-10
    ridge = kernel[np.ix_(known, known)] + 0.7 * np.eye(len(known))
    expected = ridge_target(train, known, 12, 0) @ np.linalg.solve(ridge, kernel[np.ix_(known, COLD)])
    assert all_scores(model)[:, COLD] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_one_array_is_a_dict_of_one(train, vectors):
    one = models.KernelRidgeContent().fit(train, vectors)
    other = models.KernelRidgeContent().fit(train, {"text": vectors})
    ten = models.KernelRidgeContent(field_weights={"text": 10}).fit(train, {"text": vectors})  # only ratios count
    assert (all_scores(one) == all_scores(other)).all() and (all_scores(one) == all_scores(ten)).all()


def test_a_field_of_weight_0_says_nothing(train, vectors):
    noise = np.random.default_rng(9).normal(size=(train.n_items, 2))
    one = models.KernelRidgeContent(field_weights={"text": 1}).fit(train, {"text": vectors})
    other = models.KernelRidgeContent(field_weights={"text": 1, "noise": 0}).fit(
        train, {"text": vectors, "noise": noise}
    )
    assert all_scores(one) == pytest.approx(all_scores(other), abs=1e-7)


def test_cold_items_of_a_users_taste_come_first(train, tiny):
    """The planted taste is found again for items that nobody had, by every model that reads content."""
    noise = np.random.default_rng(0).normal(0, 0.2, (train.n_items, 3))
    table = np.eye(3)[np.arange(train.n_items) % 3] + noise
    taste = np.arange(train.n_users) % 3
    for name, parameters in {
        "ContentProfile": {},
        "ContentKNN": {"k": 10},
        "LinearTextMap": {"l2": 30},
        "L3AE": {"l2": 30, "text_weight": 30, "text_l2": 1},
        "KernelRidgeContent": {"target_l2": 30},
    }.items():
        model = getattr(models, name)(**parameters).fit(train, table)
        first = model.recommend(k=1, items=COLD).items[:, 0]
        assert np.mean(first % 3 == taste) > 0.7, name


# --- what all of them promise ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ContentProfile", "ContentKNN", "LinearTextMap", "L3AE", "KernelRidgeContent"])
def test_items_with_equal_vectors_tie_alike_alone_and_in_any_batch(train, name):
    table = np.eye(3)[np.arange(train.n_items) % 3] + 0.1  # three kinds of items: nearly every place is a tie
    model = getattr(models, name)().fit(train, table)
    together = model.recommend(k=8, items=COLD + [0, 1, 2]).items
    for user in range(0, train.n_users, 7):
        assert (model.recommend([user], k=8, items=COLD + [0, 1, 2]).items[0] == together[user]).all()


@pytest.mark.parametrize("name", ["ContentProfile", "ContentKNN"])
def test_lists_do_not_depend_on_the_unit_of_the_vectors(train, vectors, name):
    one, other = (getattr(models, name)().fit(train, factor * vectors).recommend(k=5) for factor in (1, 8))
    assert (one.items == other.items).all()


def test_lists_of_the_linear_map_follow_its_ridge_when_the_vectors_are_scaled(train, vectors):
    # |W|^2 shrinks with the fourth power of the vectors' length
    one = models.LinearTextMap(l2=10).fit(train, vectors).recommend(k=5)
    other = models.LinearTextMap(l2=10 * 2**4).fit(train, 2 * vectors).recommend(k=5)
    assert (one.items == other.items).all() and one.scale == pytest.approx(other.scale)


@pytest.mark.parametrize("name", ["ContentProfile", "ContentKNN", "LinearTextMap", "L3AE", "KernelRidgeContent"])
def test_zero_vectors_are_allowed(train, vectors, name):
    table = vectors.copy()
    table[[0, COLD[0]]] = 0
    assert np.isfinite(all_scores(getattr(models, name)().fit(train, table))).all()
