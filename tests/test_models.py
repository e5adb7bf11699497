"""Models: against brute force on small matrices, and what all of them promise."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, sparse

from recsys_lib import metrics, models
from recsys_lib.interactions import Interactions
from recsys_lib.models import base, neighbours
from recsys_lib.topk import TopK, best

RANKERS = ("UserKNN", "ItemKNN", "RP3beta", "PureSVD", "ALS", "SLIM", "EASE", "WARPFactorization", "MultVAE")
CONTENT = ("ContentProfile", "ContentKNN", "LinearTextMap", "L3AE", "KernelRidgeContent")  # see test_content.py
RECENT = ("FadingEASE", "SLIT")  # these, WARPFactorization, MultVAE and HitProbability: see test_ranking_models.py
ALL = (*RANKERS, "Random", "Popularity", "BiasedMF", *CONTENT, "ColdStart", *RECENT, "HitProbability", "Blend")


def dense(train):
    return train.matrix.toarray().astype(float)


def fitted(name, train):
    """A model with its default parameters; random item vectors for those that read content."""
    if name == "Blend":  # of two members that are quick to fit
        members = {"EASE": models.blend.Member(models.EASE()), "ItemKNN": models.blend.Member(models.ItemKNN())}
        return models.Blend(members=members).fit(train)
    if name not in (*CONTENT, "ColdStart"):
        return getattr(models, name)(*([models.EASE()] if name == "HitProbability" else [])).fit(train)
    parts = (models.EASE(), models.KernelRidgeContent()) if name == "ColdStart" else ()
    vectors = np.random.default_rng(0).normal(size=(train.n_items, 8)).astype(np.float32)
    return getattr(models, name)(*parts).fit(train, vectors)


def brute_lists(scores, seen, k):
    """Best k unseen columns a row; ties to the lower column: a sort a person can check."""
    lists = []
    for row, masked in zip(scores.astype(np.float32), seen, strict=True):
        order = sorted((column for column in range(len(row)) if not masked[column]), key=lambda c: (-row[c], c))
        lists.append((order + [-1] * k)[:k])
    return np.array(lists)


# --- lists -----------------------------------------------------------------------------------------------------


def test_best_agrees_with_a_plain_sort():
    rng = np.random.default_rng(0)
    scores = rng.integers(-3, 4, (50, 30)).astype(np.float32)  # many ties
    items, values = best(scores, 7)
    assert (items == brute_lists(scores, np.zeros((50, 30), bool), 7)).all()
    assert (values == np.take_along_axis(scores, items, 1)).all()


def test_best_never_lists_nan_or_minus_infinity_and_pads():
    items, values = best(np.array([[np.nan, 1, -np.inf, 2], [np.nan] * 4]), 6)
    assert items.tolist() == [[3, 1, -1, -1, -1, -1], [-1] * 6]
    assert np.isneginf(values[1]).all()


def test_topk_refuses_a_mismatch():
    with pytest.raises(ValueError, match="one shape"):
        TopK(np.zeros((2, 3), int), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="integers"):
        TopK(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="scale"):
        TopK(np.zeros((2, 3), int), np.zeros((2, 3)), scale=0)


@pytest.mark.parametrize("name", ALL)
def test_lists_agree_with_brute_force_on_the_scores(tiny_train, name):
    model = fitted(name, tiny_train)
    scores = model.score(np.arange(tiny_train.n_users))
    assert scores.dtype == np.float32 and scores.shape == tiny_train.matrix.shape
    expected = brute_lists(scores, dense(tiny_train) > 0, 10)
    assert (model.recommend(k=10).items == expected).all()


class Shaped(models.Recommender):
    """Gives scores of the shape that it was built with."""

    def __init__(self, shape):
        self.shape = shape

    def _fit(self, train, item_vectors):
        self.fitted_ = True

    def score(self, users):
        return np.zeros(self.shape)


@pytest.mark.parametrize("shape", [(60, 60), (60, 5), (60,), (1, 40), ()])
def test_scores_of_another_shape_are_refused(tiny_train, shape):
    with pytest.raises(ValueError, match=r"Shaped.score gave the shape .*\(60, 40\)"):
        Shaped(shape).fit(tiny_train)


def test_a_fit_that_fails_leaves_the_model_as_it_was(tiny_train):
    model = models.EASE(l2=0)
    with pytest.raises(ValueError, match="l2"):
        model.fit(tiny_train)
    with pytest.raises(ValueError, match="not fitted"):
        model.recommend()
    model = Shaped((60, 40)).fit(tiny_train)
    before, model.shape = model.train_, (60, 3)
    with pytest.raises(ValueError, match="shape"):
        model.fit(Interactions(tiny_train.matrix[::-1], tiny_train.user_ids[::-1], tiny_train.item_ids))
    assert model.train_ is before and model.shape == (60, 3)


def test_a_model_that_is_not_fitted_says_so_and_can_be_copied(tiny_train):
    model = copy.deepcopy(models.EASE())
    assert not hasattr(model, "train_")
    for ask in (lambda: model.score([0]), lambda: model.scale_, lambda: pickle.loads(pickle.dumps(model)).recommend()):
        with pytest.raises(ValueError, match=r"this EASE is not fitted. Call fit\(train\) first"):
            ask()
    with pytest.raises(AttributeError, match="no attribute 'weights_'"):
        model.fit(tiny_train).weights_  # noqa: B018


@pytest.mark.parametrize("name", ["EASE", "ItemKNN"])
def test_a_user_without_a_history_gets_the_first_columns(tiny_train, name):
    matrix = tiny_train.matrix.tolil()
    matrix[0] = 0
    train = Interactions(matrix.tocsr(), tiny_train.user_ids, tiny_train.item_ids)
    assert getattr(models, name)().fit(train).recommend([0], k=3).items.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("name", ALL)
def test_a_user_gets_the_same_list_alone_and_in_any_batch(tiny_train, name, monkeypatch):
    model = fitted(name, tiny_train)
    together = model.recommend(k=8)
    for user in (0, 7, 59):
        assert (model.recommend([user], k=8).items[0] == together.items[user]).all()
    monkeypatch.setattr(base, "BLOCK_CELLS", 3 * tiny_train.n_items)  # blocks of three users
    assert (model.recommend(k=8).items == together.items).all()


@pytest.mark.parametrize("name", ALL)
def test_recommend_masks_and_subsets(tiny_train, name):
    model = fitted(name, tiny_train)
    seen = dense(tiny_train) > 0
    users = np.arange(tiny_train.n_users)[:, None]
    everything = model.recommend(k=tiny_train.n_items)
    listed = everything.items >= 0
    assert (listed.sum(1) == (~seen).sum(1)).all()  # k > unseen items: the rest is padding
    assert not seen[np.broadcast_to(users, listed.shape)[listed], everything.items[listed]].any()
    assert set(model.recommend(k=5, items=[3, 8]).items.ravel()) <= {3, 8, -1}
    assert (model.recommend(k=tiny_train.n_items, exclude=False).items >= 0).all()


@pytest.mark.parametrize("name", ALL)
def test_fitting_twice_gives_the_same_lists(tiny_train, name):
    one, other = (fitted(name, tiny_train).recommend(k=5) for _ in range(2))
    assert (one.items == other.items).all() and one.scale == other.scale


@pytest.mark.parametrize("name", RANKERS)
def test_every_ranker_finds_the_planted_taste(tiny_train, tiny_test, name):
    def ndcg(model):
        return np.nanmean(metrics.accuracy.ndcg(model.fit(tiny_train).recommend(k=10).items, tiny_test.matrix, k=10))

    small = {
        "PureSVD": {"n_factors": 3},
        "ALS": {"n_factors": 3, "regularisation": 1.0},
        "EASE": {"l2": 30},
        "WARPFactorization": {"n_factors": 16, "epochs": 10},
    }  # for 60 users, not 943
    assert ndcg(getattr(models, name)(**small.get(name, {}))) > 1.15 * ndcg(models.Popularity())


def test_the_relevance_scale_follows_the_scores(tiny_train):
    class Scaled(models.EASE):
        def score(self, users):
            return 7 * super().score(users)

    plain, scaled = models.EASE().fit(tiny_train), Scaled().fit(tiny_train)
    assert scaled.scale_ == pytest.approx(7 * plain.scale_, rel=1e-5)
    assert plain.recommend(k=3).scale == plain.scale_
    assert (plain.recommend(k=3).items == scaled.recommend(k=3).items).all()


# --- each model against its formula ------------------------------------------------------------------------------


def test_ease_minimises_its_loss(tiny_train):
    matrix, l2 = dense(tiny_train), 20.0
    weights = models.EASE(l2=l2).fit(tiny_train).item_weights_.astype(float)
    assert (np.diag(weights) == 0).all()
    gradient = -2 * matrix.T @ (matrix - matrix @ weights) + 2 * l2 * weights
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-4


def test_slim_minimises_its_loss(tiny_train):
    matrix, l1, l2 = dense(tiny_train), 0.7, 5.0
    weights = models.SLIM(l1=l1, l2=l2, tolerance=1e-7, max_sweeps=1000).fit(tiny_train).item_weights_
    assert (weights >= 0).all() and (np.diag(weights) == 0).all()
    for j in (0, 11, 25):  # an independent solver on the same problem: bounded quasi-Newton

        def loss(w, j=j):
            rest = matrix[:, j] - matrix @ w
            return 0.5 * rest @ rest + 0.5 * l2 * w @ w + l1 * w.sum(), -matrix.T @ rest + l2 * w + l1

        bounds = [(0, 0 if i == j else None) for i in range(matrix.shape[1])]
        found = optimize.minimize(loss, np.zeros(matrix.shape[1]), jac=True, bounds=bounds, method="L-BFGS-B")
        assert np.abs(weights[:, j] - found.x).max() < 2e-3


def test_als_reaches_the_stationary_point_of_its_loss(tiny_train):
    model = models.ALS(n_factors=4, regularisation=0.5, alpha=2.0, n_iterations=200).fit(tiny_train)
    seen = dense(tiny_train)
    users, items = model.user_factors_.astype(float), model.item_factors_.astype(float)
    confidence = 1 + 2.0 * seen
    gradient = -(confidence * (seen - users @ items.T)) @ items + 0.5 * users
    assert np.abs(gradient).max() < 2e-2 * np.abs((confidence * seen) @ items).max()


def test_als_fold_in_is_the_closed_form(tiny_train):
    model = models.ALS(n_factors=5, regularisation=0.3, alpha=4.0).fit(tiny_train)
    folded = model.fold_in(tiny_train.matrix)
    items = model.item_factors_.astype(float)
    for user in (0, 13):
        confidence = np.diag(1 + 4.0 * dense(tiny_train)[user])
        expected = np.linalg.solve(
            items.T @ confidence @ items + 0.3 * np.eye(5), items.T @ confidence @ dense(tiny_train)[user]
        )
        assert folded[user] == pytest.approx(expected, abs=1e-10)
    # the trained user factors are the same minimisers, up to the last half sweep of the items
    assert np.corrcoef(folded.ravel(), model.user_factors_.ravel())[0, 1] > 0.999


def test_als_fold_in_serves_a_user_it_has_not_seen(tiny_train):
    model = models.ALS(n_factors=3, regularisation=1.0).fit(tiny_train)
    empty_and_new = sparse.csr_matrix(np.vstack([np.zeros(tiny_train.n_items), np.arange(tiny_train.n_items) % 3 == 0]))
    factors = model.fold_in(empty_and_new)
    assert (factors[0] == 0).all()
    assert (factors[1] @ model.item_factors_.T)[::3].mean() > (factors[1] @ model.item_factors_.T)[1::3].mean()


def test_pure_svd_is_the_projection_on_the_top_singular_vectors(tiny_train):
    model = models.PureSVD(n_factors=5).fit(tiny_train)
    _, _, right = np.linalg.svd(dense(tiny_train), full_matrices=False)
    expected = dense(tiny_train) @ right[:5].T @ right[:5]
    assert model.score(np.arange(tiny_train.n_users)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("weighting", ["binary", "tfidf", "bm25"])
def test_item_knn_against_loops(tiny_train, weighting):
    matrix = neighbours.weight(tiny_train.matrix, weighting).toarray()
    n_items, k, shrinkage = tiny_train.n_items, 6, 2.0
    similarity = np.zeros((n_items, n_items))
    for i in range(n_items):
        row = np.array(
            [
                0
                if i == j
                else matrix[:, i]
                @ matrix[:, j]
                / (np.linalg.norm(matrix[:, i]) * np.linalg.norm(matrix[:, j]) + shrinkage)
                for j in range(n_items)
            ]
        )
        for j in sorted(range(n_items), key=lambda j: (-round(row[j], 9), j))[:k]:  # equals differ by rounding
            similarity[i, j] = row[j]
    expected = dense(tiny_train) @ similarity.T
    model = models.ItemKNN(k=k, shrinkage=shrinkage, weighting=weighting).fit(tiny_train)
    assert model.score(np.arange(tiny_train.n_users)) == pytest.approx(expected, abs=1e-5)


def test_user_knn_against_loops(tiny_train):
    matrix, k, power = dense(tiny_train), 5, 2.0
    expected = np.zeros_like(matrix)
    for u in range(len(matrix)):
        norms = np.linalg.norm(matrix, axis=1)
        row = matrix @ matrix[u] / (norms * norms[u] + 3.0)
        row[u] = 0
        for v in sorted(range(len(matrix)), key=lambda v: (-row[v], v))[:k]:
            expected[u] += row[v] ** power * matrix[v]
    model = models.UserKNN(k=k, shrinkage=3.0, weighting="binary", power=power).fit(tiny_train)
    assert model.score(np.arange(len(matrix))) == pytest.approx(expected, abs=1e-5)


def test_rp3beta_is_the_three_step_walk(tiny_train):
    matrix, alpha, beta = dense(tiny_train), 0.8, 0.4
    to_items = (matrix / matrix.sum(1, keepdims=True)) ** alpha
    to_users = (matrix / np.maximum(matrix.sum(0), 1)).T ** alpha
    walk = to_users @ to_items / matrix.sum(0).clip(1) ** beta
    np.fill_diagonal(walk, 0)
    model = models.RP3beta(k=tiny_train.n_items, alpha=alpha, beta=beta).fit(tiny_train)
    assert model.score(np.arange(len(matrix))) == pytest.approx(matrix @ walk, abs=1e-6)


def test_neighbours_in_blocks_are_the_same(tiny_train, monkeypatch):
    whole = models.ItemKNN().fit(tiny_train).similarity_
    monkeypatch.setattr(neighbours, "BLOCK_CELLS", 2 * tiny_train.n_items)
    assert abs(models.ItemKNN().fit(tiny_train).similarity_ - whole).max() == 0


def test_biased_mf_recovers_planted_ratings():
    rng = np.random.default_rng(0)
    bias_user, bias_item = rng.normal(0, 0.5, 80), rng.normal(0, 0.7, 60)
    taste = rng.normal(0, 0.8, (80, 2)) @ rng.normal(0, 0.8, (2, 60))
    truth = 3 + bias_user[:, None] + bias_item + taste
    cells = pd.DataFrame(
        [(u, i) for u in range(80) for i in range(60) if rng.random() < 0.5], columns=["user_id", "item_id"]
    )
    cells["rating"] = np.clip(truth[cells["user_id"], cells["item_id"]] + rng.normal(0, 0.1, len(cells)), 0, None)
    test = rng.random(len(cells)) < 0.2
    train = Interactions.from_frame(cells[~test], user_ids=range(80), item_ids=range(60))
    held = cells[test]

    def rmse(predicted):
        return np.sqrt(np.mean((predicted - held["rating"]) ** 2))

    model = models.BiasedMF(n_factors=2, regularisation=0.01).fit(train)
    biases = models.BiasedMF(n_factors=2, regularisation=1e6).fit(train)
    assert rmse(biases.predict(held["user_id"], held["item_id"])) < 0.9 * held["rating"].std()
    assert rmse(model.predict(held["user_id"], held["item_id"])) < 0.4 * rmse(
        biases.predict(held["user_id"], held["item_id"])
    )


def test_random_differs_between_users_and_seeds(tiny_train):
    one, other = models.Random(rng=0).fit(tiny_train), models.Random(rng=1).fit(tiny_train)
    assert (one.recommend([0]).items != other.recommend([0]).items).any()
    assert (one.recommend([0], exclude=False).items != one.recommend([1], exclude=False).items).any()


def test_popularity_counts_users(tiny_train):
    assert (models.Popularity().fit(tiny_train).score([0])[0] == dense(tiny_train).sum(0)).all()
