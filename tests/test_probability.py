"""Hit probabilities: a model's order is kept, and what is promised is what comes true."""

import numpy as np
import pytest
from content_case import Table, all_scores, dense, interactions, without
from scipy import special
from sklearn.linear_model import LogisticRegression

from recsys_lib import models
from recsys_lib.models import probability


def planted(n_users=300, n_items=60, seed=0):
    """(scores, train, test): what a user takes follows the scores; a random quarter of it is the test."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n_users, 3)) @ rng.normal(size=(3, n_items)) + rng.normal(size=n_items)
    taken = rng.random(scores.shape) < special.expit(1.2 * scores - 3)
    taken[:, 0] = True
    train, test = probability.hold_out(interactions(taken), "random", rng)
    return scores - scores.min(), train, test


@pytest.mark.parametrize(
    "model",
    [models.EASE(l2=30), models.Popularity(), models.Random(), Table(-planted()[0]), Table(np.zeros((300, 60)))],
    ids=["EASE", "Popularity", "Random", "wrong", "all the same"],
)
def test_probabilities_keep_the_order_of_the_lists(model):
    train = planted()[1]
    wrapped = models.HitProbability(model).fit(train)
    lists, inner = wrapped.recommend(k=60), wrapped.model_.recommend(k=60)
    assert np.array_equal(lists.items, inner.items)
    listed = lists.scores[lists.items >= 0]
    assert listed.min() >= 0 and listed.max() <= 1


@pytest.mark.parametrize("factor", [8, 7])
def test_probabilities_do_not_change_with_the_unit_of_the_scores(factor):
    scores, train, _ = planted()
    plain, scaled = (models.HitProbability(Table(f * scores)).fit(train) for f in (1, factor))
    assert np.array_equal(plain.recommend(k=20).items, scaled.recommend(k=20).items)
    assert all_scores(scaled) == pytest.approx(all_scores(plain), rel=0 if factor == 8 else 2e-3, abs=0)


def test_probabilities_are_the_rates_of_what_is_planted():
    scores, train, test = planted(n_users=500)
    unseen = dense(train) == 0
    chances, hit = all_scores(models.HitProbability(Table(scores)).fit(train))[unseen], dense(test)[unseen]
    fifths = np.array_split(np.argsort(chances), 5)
    rates = np.array([(chances[part].mean(), hit[part].mean()) for part in fifths])
    assert rates[:, 0] == pytest.approx(rates[:, 1], abs=0.01, rel=0.15)
    assert rates[4, 1] > 5 * rates[2, 1]


def test_the_model_is_fitted_on_everything_in_the_end(tiny_train):
    model = models.HitProbability(models.EASE(l2=30)).fit(tiny_train)
    assert model.model_.train_ is tiny_train
    assert np.array_equal(model.model_.item_weights_, models.EASE(l2=30).fit(tiny_train).item_weights_)
    again = models.HitProbability(models.EASE(l2=30)).fit(tiny_train)
    other = models.HitProbability(models.EASE(l2=30), rng=1).fit(tiny_train)
    assert np.array_equal(model.curve_, again.curve_) and not np.array_equal(model.curve_, other.curve_)
    vectors = np.random.default_rng(0).normal(size=(tiny_train.n_items, 4))
    assert models.HitProbability(models.ContentProfile()).fit(tiny_train, vectors).recommend(k=3).items.min() >= 0


# --- the curve -------------------------------------------------------------------------------------------------------


def curve_data(truth, m=30_000, seed=1):
    rng = np.random.default_rng(seed)
    units, rank, length = rng.gamma(2, 0.4, m), rng.integers(1, 200, m), rng.integers(0, 80, m)
    features = probability.curve_features(units, rank, length)
    return features, rng.random(m) < special.expit(features @ truth)


def test_the_curve_is_a_logistic_regression():
    truth = np.array([-1.0, 0.6, 0.5, 0.4, -0.3])
    features, hits = curve_data(truth)
    curve = probability.fit_curve(features, hits)
    free = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(features[:, 1:], hits)
    assert curve == pytest.approx([*free.intercept_, *free.coef_[0]], abs=5e-3)
    assert curve == pytest.approx(truth, abs=0.3)
    few, few_hits = curve_data(truth, 200, seed=3)  # where the ridge is felt: half the squares of standardised weights
    spread = few[:, 1:].std(axis=0)
    ridge = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(few[:, 1:] / spread, few_hits)
    assert (ridge.coef_[0, :3] > 0).all()
    assert probability.fit_curve(few, few_hits)[1:] * spread == pytest.approx(ridge.coef_[0], abs=1e-4)


def test_the_curve_never_falls_with_score_or_rank():
    truth = np.array([-1.0, -0.3, 0.9, -0.4, -0.3])
    features, hits = curve_data(truth)
    curve = probability.fit_curve(features, hits)
    assert curve[1] == 0 and curve[3] == pytest.approx(probability.FLATTEST) and curve[2] > 0 and curve[4] < 0
    rest = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(features[:, [2, 4]], hits)
    assert curve[[0, 2, 4]] == pytest.approx([*rest.intercept_, *rest.coef_[0]], abs=0.02)


def test_features_and_probability_by_hand():
    curve = np.array([-1.0, 0.5, 0.7, 0.3, 0.2])
    units, rank = np.array([[2.0, 0.5, -3.0]]), np.array([[1, 2, 7]])
    expected = [
        -1 + 0.5 * 2 + 0.7 * np.log(2) - 0 + 0.2 * np.log(9),
        -1 + 0.5 * 0.5 + 0.7 * np.log(0.5) - 0.3 * np.log(2) + 0.2 * np.log(9),
        -1 - 0.5 * 3 + 0.7 * np.log(0.01) - 0.3 * np.log(7) + 0.2 * np.log(9),
    ]
    assert probability.curve_features(units, rank, np.array([[9]]))[0] @ curve == pytest.approx(expected)
    ours = probability.probability(curve, units, rank, np.array([[9]]))
    assert ours.dtype == np.float32 and ours[0] == pytest.approx(special.expit(expected), rel=1e-6)
    nobody = probability.probability(curve, units, rank, np.array([[0]]))  # no history: log 1
    assert nobody[0, 0] == pytest.approx(special.expit(0.7 * np.log(2)))
    assert probability.curve_features(units, rank, np.array([[0]]))[0, :, 4].tolist() == [0, 0, 0]


def test_unseen_rank_by_hand():
    train = interactions([[0, 1, 0, 0, 0], [0, 0, 0, 1, 1]])
    scores = np.array([[1.0, 9, 3, 3, 2], [5, 4, 3, 2, 1]])
    # row 0: item 1 is seen and pushes nobody down; of the equal items 2 and 3 the lower column is first
    assert probability.unseen_rank(scores, train.matrix).tolist() == [[4, 1, 1, 2, 3], [1, 2, 3, 4, 4]]


@pytest.mark.parametrize("how", ["random", "latest"])
def test_hold_out_parts_the_interactions(tiny_train, how):
    part, rest = probability.hold_out(tiny_train, how, np.random.default_rng(0))
    assert part.matrix.shape == rest.matrix.shape == tiny_train.matrix.shape
    assert ((part.matrix + rest.matrix) != tiny_train.matrix).nnz == 0
    lengths = probability.history_length(tiny_train)
    share = 0.25 if how == "random" else 0.2
    assert (probability.history_length(rest) == np.ceil(np.round(share * lengths, 9))).all()
    for cells in ("ratings", "timestamps"):
        both = getattr(part, cells).toarray() + getattr(rest, cells).toarray()
        assert np.array_equal(both, getattr(tiny_train, cells).toarray())
    if how == "latest":
        for user in range(tiny_train.n_users):
            assert part.timestamps[user].data.max() <= rest.timestamps[user].data.min()
    else:
        other = probability.hold_out(tiny_train, how, np.random.default_rng(1))[0]
        assert (other.matrix != part.matrix).nnz > 0


@pytest.mark.parametrize(
    ("holdout", "message"),
    [("last", "holdout must be 'random' or 'latest', not 'last'"), ("latest", "'latest' needs timestamps")],
)
def test_bad_input(tiny_train, holdout, message):
    with pytest.raises(ValueError, match=message):
        models.HitProbability(models.EASE(), holdout=holdout).fit(without(tiny_train, []))
