"""Tuning: one budget, reproducible, blind to the test, and the best trial is the one that is returned."""

import numpy as np
import pytest

from recsys_lib import models, tuning
from recsys_lib.interactions import Interactions
from recsys_lib.metrics import accuracy


def test_the_budget_is_the_number_of_trials_and_defaults_come_first(tiny_train, tiny_test):
    tuned = tuning.tune("EASE", tiny_train, tiny_test, n_trials=6)
    assert len(tuned.trials) == 6
    assert np.isnan(tuned.trials["l2"].iloc[0])
    assert tuned.trials["value"].max() == tuned.value


def test_the_returned_parameters_reproduce_the_value(tiny_train, tiny_test):
    tuned = tuning.tune("ItemKNN", tiny_train, tiny_test, n_trials=8, rng=2)
    lists = tuned.build().fit(tiny_train).recommend(k=10)
    assert np.nanmean(accuracy.ndcg(lists.items, tiny_test.matrix, k=10)) == tuned.value


def test_trials_are_reproducible_and_depend_on_the_seed():
    assert tuning.trials("ALS", 5, rng=1) == tuning.trials("ALS", 5, rng=1)
    assert tuning.trials("ALS", 5, rng=1) != tuning.trials("ALS", 5, rng=2)


def test_a_model_without_a_space_is_tried_once():
    assert tuning.trials("Popularity", 20) == [{}]


@pytest.mark.parametrize("name", tuning.SPACES)
def test_every_space_fits_its_constructor(name):
    for parameters in tuning.trials(name, 10):
        getattr(models, name)(**parameters)


def test_draws_stay_in_their_range():
    rng = np.random.default_rng(0)
    values = [tuning.LogUniform(1, 100).draw(rng) for _ in range(300)]
    assert 1 <= min(values) < 2 and 50 < max(values) <= 100
    assert 0.35 < np.mean(np.array(values) < 10) < 0.65  # uniform in the logarithm: half below the geometric middle
    assert all(isinstance(tuning.LogUniform(1, 100, integer=True).draw(rng), int) for _ in range(5))


def test_item_vectors_reach_every_trial(tiny_train, tiny_test):
    vectors = np.random.default_rng(0).normal(size=(tiny_train.n_items, 4))
    tuned = tuning.tune("LinearTextMap", tiny_train, tiny_test, n_trials=3, item_vectors=vectors)
    lists = tuned.build().fit(tiny_train, vectors).recommend(k=10)
    assert np.nanmean(accuracy.ndcg(lists.items, tiny_test.matrix, k=10)) == tuned.value
    with pytest.raises(ValueError, match="item_vectors"):
        tuning.tune("LinearTextMap", tiny_train, tiny_test, n_trials=1)


def test_fixed_arguments_reach_the_model_and_are_no_column_of_the_trials(tiny_train, tiny_test):
    fields = {"text": np.random.default_rng(0).normal(size=(tiny_train.n_items, 4)), "year": np.ones((40, 1))}
    fixed = {"field_weights": {"text": 1.0, "year": 0.5}, "linear_fields": ("year",)}
    built = []

    def objective(model):
        built.append((model.field_weights, model.linear_fields))
        return model.l2

    tuned = tuning.tune(
        "KernelRidgeContent",
        tiny_train,
        tiny_test,
        n_trials=4,
        item_vectors=fields,
        arguments=fixed,
        objective=objective,
        rng=1,
    )
    assert built == [(fixed["field_weights"], ("year",))] * 4
    assert set(tuned.trials) == {*tuning.SPACES["KernelRidgeContent"], "value", "seconds"}
    assert tuned.parameters.items() >= fixed.items() and tuned.build().field_weights == fixed["field_weights"]
    assert tuned.value == tuned.trials["value"].max() == tuned.build().l2


def test_what_is_fixed_is_not_searched(tiny_train, tiny_test):
    tuned = tuning.tune("ItemKNN", tiny_train, tiny_test, n_trials=4, arguments={"k": 7})
    assert tuned.parameters["k"] == 7 and "k" not in tuned.trials and "shrinkage" in tuned.trials


def test_the_class_that_was_tuned_is_the_class_that_is_built(tiny_train, tiny_test):
    class EASE(models.EASE):
        pass

    tuned = tuning.tune(EASE, tiny_train, tiny_test, n_trials=2)
    assert type(tuned.build()) is EASE and tuned.model == "EASE"


def test_a_trial_without_a_value_does_not_win(tiny_train, tiny_test):
    values = iter([np.nan, 0.1, 0.3, np.nan])
    tuned = tuning.tune("EASE", tiny_train, tiny_test, n_trials=4, objective=lambda model: next(values))
    assert tuned.value == 0.3 and tuned.parameters == {"l2": tuned.trials["l2"][2]}
    with pytest.raises(ValueError, match="every trial of EASE.*NaN"):
        tuning.tune("EASE", tiny_train, tiny_test, n_trials=2, objective=lambda model: np.nan)


def test_validation_must_have_the_ids_of_train(tiny, tiny_split, tiny_train):
    reversed_ = Interactions.from_frame(tiny_split.test, tiny_train.user_ids, tiny.items.index[::-1])
    with pytest.raises(ValueError, match="train.item_ids and validation.item_ids differ: at position 0"):
        tuning.tune("EASE", tiny_train, reversed_, n_trials=1)


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("TopK", {}, "no model 'TopK'"),
        ("Recommender", {}, "no model 'Recommender'"),
        (dict, {}, "Recommender's class"),
        ("HitProbability", {}, "HitProbability cannot be built.*'model'"),
        ("EASE", {"space": {"k": tuning.Choice((1,))}}, "EASE cannot be built.*'k'"),
    ],
)
def test_what_cannot_be_tuned(tiny_train, tiny_test, model, settings, message):
    with pytest.raises(ValueError, match=message):
        tuning.tune(model, tiny_train, tiny_test, n_trials=2, **settings)


def test_a_model_around_a_model_is_tuned_with_it_as_an_argument(tiny_train, tiny_test):
    tuned = tuning.tune("HitProbability", tiny_train, tiny_test, arguments={"model": models.Popularity()})
    assert len(tuned.trials) == 1 and isinstance(tuned.build().model, models.Popularity)


def test_no_trials():
    with pytest.raises(ValueError, match="n_trials"):
        tuning.trials("EASE", 0)
