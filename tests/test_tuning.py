"""Tuning: one budget, reproducible, blind to the test, and the best trial is the one that is returned."""

import numpy as np
import pytest

from recsys_lib import models, tuning
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


def test_no_trials():
    with pytest.raises(ValueError, match="n_trials"):
        tuning.trials("EASE", 0)
