"""IncrementalEASE: equal to a full refit after every kind of change, alone and mixed."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recsys_lib import models
from recsys_lib.interactions import Interactions
from recsys_lib.models.linear import ease_weights
from recsys_lib.online import IncrementalEASE
from recsys_lib.online.ease import BLOCK

L2 = 20.0


def drawn(n_users, n_items, rng, density=0.15):
    matrix = sparse.csr_matrix((rng.random((n_users, n_items)) < density).astype(np.float32))
    return Interactions(matrix, pd.RangeIndex(n_users), pd.RangeIndex(n_items))


@pytest.fixture
def model():
    return IncrementalEASE(l2=L2).fit(drawn(80, 50, np.random.default_rng(0)))


def refit(model):
    return ease_weights(model.history_.to_csr(), model.l2)


def equal(model, tolerance=1e-12):
    np.testing.assert_allclose(model.item_weights, refit(model), atol=tolerance)
    return True


def test_fitted_it_is_ease(model):
    ease = models.EASE(l2=L2).fit(model.history_.to_interactions())
    np.testing.assert_allclose(model.item_weights, ease.item_weights_, atol=1e-6)
    assert (model.recommend().items == ease.recommend().items).all()
    assert model.scale_ == pytest.approx(ease.scale_, rel=1e-5)


def test_new_users_at_once_and_one_by_one(model):
    rows = drawn(BLOCK + 30, 50, np.random.default_rng(1)).matrix
    assert model.add_users(rows[:-5]).tolist() == list(range(80, 80 + BLOCK + 25))
    assert equal(model)
    for row in rows[-5:]:
        model.add_users(row)
    assert model.history_.n_users == 80 + BLOCK + 30 and equal(model)


def test_new_users_as_lists(model):
    model.add_users([[3, 1, 3], []])
    assert model.history_.rows[80][0].tolist() == [1, 3] and model.history_.rows[81][0].size == 0
    assert equal(model)


def test_scores_do_not_wait_for_pending_changes(model):
    model.add_users([[0, 7, 9]])
    assert model._n_pending == 1
    scores = model.score([80, 3])
    np.testing.assert_allclose(scores, model.history_[[80, 3]] @ refit(model), atol=1e-6)
    assert model._n_pending == 1  # reading does not multiply out


def test_a_known_user_gains_loses_and_is_forgotten(model):
    user = 7
    before = model.item_weights
    new = np.setdiff1d(np.arange(50), model.history_.rows[user][0])[:3]
    model.add_interactions(user, new)
    assert equal(model) and not np.allclose(model.item_weights, before)
    model.remove_interactions(user, new)
    np.testing.assert_allclose(model.item_weights, before, atol=1e-13)
    model.forget(user)
    others = sparse.csr_matrix(np.delete(model.history_.to_csr().toarray(), user, axis=0))
    np.testing.assert_allclose(model.item_weights, ease_weights(others, L2), atol=1e-12)
    assert model.recommend([user], k=3).items.shape == (1, 3)


def test_what_was_had_already_changes_nothing(model):
    before = model.item_weights
    model.add_interactions(4, model.history_.rows[4][0])
    model.learn([4, 4], model.history_.rows[4][0][:2])
    assert (model.item_weights == before).all()


def test_new_items(model):
    before = model.item_weights
    assert model.add_items(2).tolist() == [50, 51]
    assert model.history_.shape == (80, 52) and equal(model)
    np.testing.assert_allclose(model.item_weights[:50, :50], before, atol=1e-15)
    assert (model.item_weights[:, 50:] == 0).all()  # nobody had them: no weight
    model.add_interactions(3, [50])
    assert equal(model) and model.item_weights[:, 50].any()


def test_a_block_of_events_with_new_users_and_items(model):
    model.learn([5, 80, 5, 81, 80, 5], [50, 3, 2, 51, 50, 50])
    assert model.history_.shape == (82, 52)
    assert model.history_.rows[80][0].tolist() == [3, 50]
    assert equal(model)
    one = IncrementalEASE(l2=L2).fit(drawn(80, 50, np.random.default_rng(0)))
    for user, item in zip([5, 80, 5, 81, 80, 5], [50, 3, 2, 51, 50, 50], strict=True):
        one.learn([user], [item])
    np.testing.assert_allclose(one.item_weights, model.item_weights, atol=1e-13)


def test_fading_is_the_refit_of_the_faded_matrix(model):
    model.fade(0.25)
    assert model.history_.rows[0][1].tolist() == [0.5] * len(model.history_.rows[0][0])
    assert equal(model)
    model.add_interactions(0, [int(model.history_.rows[0][0][0])])  # had again: fresh
    assert model.history_.rows[0][1][0] == 1 and equal(model)


def test_confidences(model):
    model.add_users(sparse.csr_matrix(np.random.default_rng(2).random((3, 50))))
    assert equal(model)


def test_many_mixed_changes_stay_equal_and_symmetric():
    rng = np.random.default_rng(3)
    model = IncrementalEASE(l2=5.0).fit(drawn(60, 40, rng))
    for step in range(1500):
        kind, user = rng.integers(5), int(rng.integers(model.history_.n_users))
        had = model.history_.rows[user][0]
        if kind == 0:
            model.add_users([rng.permutation(40)[: rng.integers(1, 9)]])
        elif kind == 1 and len(had):
            model.remove_interactions(user, rng.choice(had, 1))
        elif kind == 2 and step % 3 == 0:
            model.forget(user)
        elif kind == 3 and step % 100 == 0:
            model.add_items(1)
        else:
            model.add_interactions(user, rng.integers(model.history_.n_items, size=2))
    assert equal(model, 1e-10)
    assert abs(model._precision - model._precision.T).max() < 1e-12
    assert model.residual() < 1e-10
    model.refresh()
    assert model.residual() < 1e-13


def test_residual_sees_a_wrong_inverse(model):
    model._precision[3, 4] += 1e-6
    assert model.residual() > 1e-7


def test_state_comes_back_bit_by_bit(model):
    model.add_users([[1, 2], [3]])
    again = IncrementalEASE.restore(*model.state())
    for each in (model, again):
        each.learn([0, 82], [50, 4])
    assert (again.item_weights == model.item_weights).all()
    assert (again.recommend().items == model.recommend().items).all() and again.scale_ == model.scale_


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.add_users(sparse.csr_matrix((1, 49))), "49 columns, but there are 50 items"),
        (lambda m: m.add_users([[50]]), "outside 0 to 49"),
        (lambda m: m.add_users(sparse.csr_matrix(-np.eye(1, 50))), "negative"),
        (lambda m: m.add_interactions(80, [1]), "no user 80"),
        (lambda m: m.add_interactions(0, [50]), "index 50, but there are 50 items"),
        (lambda m: m.add_interactions(0, [0.5]), "integers"),
        (lambda m: m.remove_interactions(0, np.setdiff1d(range(50), m.history_.rows[0][0])[:1]), "nothing to remove"),
        (lambda m: m.forget(-1), "no user -1"),
        (lambda m: m.add_users([[0, 1], [2]], ["one"]), "user_ids holds 1 ids, but 2 are needed"),
        (lambda m: m.add_users([[0]], [1]), "user_ids holds 1, which is taken"),
        (lambda m: m.add_users([[0], [1]], ["a", "a"]), "user_ids holds 'a', which is taken"),
        (lambda m: m.add_users([[0]], 7), "user_ids must be a list"),
        (lambda m: m.add_items(2, ["one"]), "item_ids holds 1 ids, but 2 are needed"),
        (lambda m: m.add_items(1, [1]), "item_ids holds 1, which is taken"),
        (lambda m: m.add_items(0), "at least 1"),
        (lambda m: m.fade(0), "above 0"),
        (lambda m: m.learn([82], [0]), "next free one is 80"),
        (lambda m: m.learn([0], [-1]), "integers from 0"),
        (lambda m: m.learn([0, 1], [0]), "one length"),
        (lambda m: IncrementalEASE(l2=0).fit(drawn(5, 5, np.random.default_rng(0), 0.5)), "l2 must be positive"),
    ],
)
def test_a_bad_change_is_refused_and_leaves_everything_as_it_was(model, call, message):
    before, shape = model.item_weights, model.history_.shape
    with pytest.raises(ValueError, match=message):
        call(model)
    assert model.history_.shape == shape and (model.item_weights == before).all()
