"""IncrementalL3AE: equal to a refit of L3AE after every kind of change, and a new item is listed by its text."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recsys_lib import models
from recsys_lib.interactions import Interactions
from recsys_lib.models.content import text_weights
from recsys_lib.models.linear import inverse, regularised_gram
from recsys_lib.online import IncrementalEASE, IncrementalL3AE, Store

SETTINGS = {"l2": 20.0, "text_weight": 6.0, "text_l2": 2.0}


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    cells = rng.random((70, 40)) < 0.15
    cells[:, 39] = False
    matrix = sparse.csr_matrix(cells.astype(np.float32))
    vectors = rng.normal(size=(40, 5))
    train = Interactions(matrix, pd.RangeIndex(70), pd.RangeIndex(40))
    return IncrementalL3AE(**SETTINGS).fit(train, vectors)


def refit(model):
    """The formula of `models.L3AE`, in float64."""
    precision = inverse(regularised_gram(model.history_.to_csr(), model.l2))
    pulled = model.text_weight * (precision @ text_weights(model._vectors, model.text_l2))
    weights = pulled - precision * ((1 + np.diag(pulled)) / np.diag(precision))
    np.fill_diagonal(weights, 0)
    return weights


def test_fitted_it_is_l3ae(model):
    batch = models.L3AE(**SETTINGS).fit(model.history_.to_interactions(), model._vectors.astype(np.float32))
    np.testing.assert_allclose(model.item_weights, batch.item_weights_, atol=1e-5)
    np.testing.assert_allclose(model.item_weights, refit(model), atol=1e-12)
    np.testing.assert_allclose(model.score([1, 2]), model.history_[[1, 2]] @ refit(model), atol=1e-6)


def test_it_stays_so_through_mixed_changes(model):
    rng = np.random.default_rng(1)
    for step in range(300):
        user, size = int(rng.integers(model.history_.n_users)), model.history_.n_items
        if step % 6 == 0:
            model.add_users([rng.integers(size, size=5)])
        elif step % 6 == 1 and len(model.history_.rows[user][0]):
            model.remove_interactions(user, model.history_.rows[user][0][:1])
        elif step % 60 == 2:
            model.add_items(1, vectors=rng.normal(size=(1, 5)))
        elif step % 50 == 3:
            model.forget(user)
        else:
            model.learn([user, 0], rng.integers(size, size=2))
    np.testing.assert_allclose(model.item_weights, refit(model), atol=1e-11)
    model.fade(0.5)
    np.testing.assert_allclose(model.item_weights, refit(model), atol=1e-12)


def test_without_text_it_is_ease(model):
    model.text_weight = 0.0
    ease = IncrementalEASE(l2=20.0).fit(model.history_.to_interactions())
    np.testing.assert_allclose(model.item_weights, ease.item_weights, atol=1e-14)


def test_a_new_item_is_scored_like_its_twin_in_text(model):
    twin = 3
    assert not IncrementalEASE(l2=20.0).fit(model.history_.to_interactions()).item_weights[:, 39].any()
    assert model.item_weights[:, 39].any()
    new = model.add_items(1, vectors=model._vectors[[twin]])[0]
    fans = [user for user in range(70) if twin in model.history_.rows[user][0]]
    scores = model.score(range(70))[:, new]
    assert scores[fans].mean() > np.delete(scores, fans).mean()
    model.learn([0, 1, 2], [new] * 3)
    np.testing.assert_allclose(model.item_weights, refit(model), atol=1e-12)


def test_it_is_kept_on_disk(model, tmp_path):
    with Store(tmp_path, IncrementalL3AE, model) as store:
        store.apply("learn", [0, 1], [2, 3])
        store.snapshot()
        store.apply("add_items", 1, None, model._vectors[:1])
        store.apply("learn", [5], [40])
        weights = store.model.item_weights
    with Store(tmp_path, IncrementalL3AE) as store:
        assert (store.model.item_weights == weights).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.add_items(1), "new items need vectors"),
        (lambda m: m.add_items(2, vectors=np.zeros((1, 5))), r"shape \(2, 5\)"),
        (lambda m: m.add_items(1, vectors=np.full((1, 5), np.nan)), "finite"),
        (lambda m: m.add_items(1, [3], np.ones((1, 5))), "item_ids holds 3, which is taken"),
        (lambda m: m.learn([0], [40]), "without a vector"),
        (lambda m: IncrementalL3AE().fit(m.history_.to_interactions()), "reads content"),
        (lambda m: IncrementalL3AE(l2=1, text_weight=2).fit(m.history_.to_interactions(), m._vectors), "between 0"),
    ],
)
def test_bad_calls_are_refused_and_leave_everything_as_it_was(model, call, message):
    before, vectors = model.item_weights, model._vectors
    with pytest.raises(ValueError, match=message):
        call(model)
    assert (model.item_weights == before).all() and model._vectors is vectors
