"""ColdStart: known and cold items in one list, neither of them louder than its due."""

import numpy as np
import pytest
from content_case import COLD, all_scores, dense, interactions, without

from recsys_lib import models


@pytest.fixture(scope="module")
def train(tiny_train):
    """The tiny set with the columns COLD emptied."""
    return without(tiny_train, COLD)


@pytest.fixture(scope="module")
def vectors(tiny_train):
    return np.random.default_rng(5).normal(size=(tiny_train.n_items, 6))


@pytest.fixture(scope="module")
def known(train):
    return np.flatnonzero(train.item_counts > 0)


class Given(models.Recommender):
    """Scores that a test chooses."""

    def __init__(self, scores):
        self.given = np.asarray(scores, np.float32)

    def _fit(self, train, item_vectors):
        pass

    def score(self, users):
        return self.given[users]


def test_cold_start_by_hand():
    # Items 0 to 3 are known, 0 is in the history; 4 to 7 are cold.
    train = interactions([[1, 0, 0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0, 0, 0]])
    warm = [[9, 1, 5, 3, 0, 0, 0, 0]] * 2
    content = [[50, 10, 30, 20, 35, 5, 25, 30]] * 2
    model = models.ColdStart(Given(warm), Given(content)).fit(train, np.ones((8, 1)))
    # Unseen known items stand at 10, 20, 30 in content and at 1, 3, 5 in the warm scores.
    # 35 lies beyond the best, by 5 at the exchange rate of 4 / 20; below the worst there is nothing to tell apart.
    assert all_scores(model)[0].tolist() == [9, 1, 5, 3, 6, 1, 4, 5]
    careful = models.ColdStart(Given(warm), Given(content), cold_weight=0.5).fit(train, np.ones((8, 1)))
    assert all_scores(careful)[0].tolist() == [9, 1, 5, 3, 3.5, 1, 2.5, 3]


def cold_start(train, vectors, **arguments):
    content = models.KernelRidgeContent(target_l2=12)
    return models.ColdStart(models.EASE(l2=25), content, **arguments).fit(train, 0.4 * vectors)


def test_cold_start_leaves_warm_scores_alone(train, vectors, known):
    model = cold_start(train, vectors, cold_weight=0.3)
    assert (all_scores(model)[:, known] == all_scores(models.EASE(l2=25).fit(train))[:, known]).all()


def test_the_best_cold_item_stands_with_the_best_unseen_warm_one(train, vectors, known):
    model = cold_start(train, vectors, cold_weight=0.5)
    scores, content = all_scores(model), all_scores(model.content)
    unseen = (dense(train) == 0) & np.isin(np.arange(train.n_items), known)
    highest = np.where(unseen, content, -np.inf).max(axis=1)
    best_warm = np.where(unseen, scores, -np.inf).max(axis=1)
    worst_warm = np.where(unseen, scores, np.inf).min(axis=1)
    users, places = np.nonzero(content[:, COLD] >= highest[:, None])
    assert len(users) > 3
    halfway = worst_warm + 0.5 * (best_warm - worst_warm)
    assert (scores[:, COLD][users, places] >= halfway[users] - 1e-6).all()


def test_cold_start_keeps_the_order_of_the_cold_items(train, vectors):
    model = cold_start(train, vectors)
    order = np.argsort(all_scores(model.content)[:, COLD], axis=1)
    matched = np.take_along_axis(all_scores(model)[:, COLD], order, axis=1)
    assert (np.diff(matched, axis=1) >= 0).all()
    assert (np.diff(matched, axis=1) > 0).mean() > 0.9  # below the worst known item they tie


def test_only_the_order_of_the_content_scores_and_their_spacing_count(train, vectors):
    class Louder(models.KernelRidgeContent):
        def score(self, users):
            return 1000 * super().score(users) + 7

    louder = models.ColdStart(models.EASE(l2=25), Louder(target_l2=12)).fit(train, 0.4 * vectors)
    assert all_scores(louder) == pytest.approx(all_scores(cold_start(train, vectors)), abs=1e-3)


def test_exchangeable_cold_items_come_at_their_share():
    """Cold columns that are as good as the others fill the lists as often as their number says."""
    rng = np.random.default_rng(0)
    n_users, n_items, n_cold = 400, 150, 40
    seen = rng.random((n_users, n_items)) < 0.1
    seen[:, :n_cold] = False
    train = interactions(seen.astype(float))
    warm = np.exp(rng.normal(size=(n_users, n_items)))
    warm[:, :n_cold] = 0  # what EASE knows of them
    content = 30 * rng.normal(size=(n_users, n_items)) - 5
    model = models.ColdStart(Given(warm), Given(content)).fit(train, np.ones((n_items, 1)))
    share = (model.recommend(k=10).items < n_cold).mean()
    expected = np.mean(n_cold / (n_items - seen.sum(axis=1)))
    assert share == pytest.approx(expected, abs=0.03)
    alone = Given(warm).fit(train).recommend(k=10).items
    assert not (alone < n_cold).any()  # unmatched, they would vanish


def test_cold_items_come_as_often_as_one_who_knows_the_tastes_would_list_them():
    """With models that learn: tastes decide who has what, vectors tell what an item is, a quarter of them is cold."""
    rng = np.random.default_rng(1)
    n_users, n_items = 200, 100
    tastes, table = rng.normal(size=(n_users, 3)), rng.normal(size=(n_items, 3))
    odds = 1.5 * tastes @ table.T - 3
    chosen = rng.random((n_users, n_items)) < 1 / (1 + np.exp(-odds))
    cold = np.arange(n_items) % 4 == 0
    seen = chosen & ~cold
    train = interactions(seen.astype(float))
    model = models.ColdStart(models.EASE(l2=20), models.KernelRidgeContent(target_l2=20)).fit(train, 0.5 * table)
    lists = model.recommend(k=10).items
    # Their share is above a quarter: the best of the others are in the histories already.
    ideal = np.argsort(np.where(seen, np.inf, -odds), axis=1)[:, :10]
    assert cold[lists].mean() == pytest.approx(cold[ideal].mean(), abs=0.08)
    users, listed = np.repeat(np.arange(n_users), 10), lists.ravel()
    assert chosen[users, listed][cold[listed]].mean() > 2 * chosen[:, cold].mean()  # and they are the right ones


def test_a_user_who_had_every_known_item_still_gets_a_list():
    train = interactions([[1, 1, 0], [1, 0, 0]])
    model = models.ColdStart(models.EASE(l2=1), models.KernelRidgeContent()).fit(train, np.eye(3))
    assert model.recommend([0], k=2).items.tolist() == [[2, -1]]


def test_without_cold_items_cold_start_is_the_warm_model(tiny_train, vectors):
    model = models.ColdStart(models.EASE(), models.KernelRidgeContent()).fit(tiny_train, vectors)
    assert (all_scores(model) == all_scores(models.EASE().fit(tiny_train))).all()
