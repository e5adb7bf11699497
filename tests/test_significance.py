"""Sign-flip test and Holm's correction: against enumeration, by hand, and under a true null hypothesis."""

from itertools import product

import numpy as np
import pytest

from recsys_lib import evaluation
from recsys_lib.evaluation import significance


def test_p_is_the_share_of_all_sign_patterns():
    difference = np.random.default_rng(0).normal(0.2, 1, 8)
    patterns = np.array(list(product((-1, 1), repeat=8))) @ difference
    exact = np.mean(np.abs(patterns) >= abs(difference.sum()) - 1e-12)
    assert 0.02 < exact < 0.98
    assert evaluation.sign_flip_test(difference, np.zeros(8), n_flips=40_000) == pytest.approx(exact, abs=0.012)


def test_p_is_symmetric_and_does_not_depend_on_the_unit():
    rng = np.random.default_rng(1)
    theirs, ours = rng.random(200), rng.random(200)
    p = evaluation.sign_flip_test(theirs, ours)
    assert evaluation.sign_flip_test(ours, theirs) == p == evaluation.sign_flip_test(8 * theirs, 8 * ours)


def test_p_is_uniform_where_there_is_no_difference_and_least_where_it_is_large():
    rng = np.random.default_rng(2)
    found = [evaluation.sign_flip_test(rng.random(60), rng.random(60), n_flips=500, rng=rng) for _ in range(300)]
    assert 0.02 < np.mean(np.array(found) <= 0.05) < 0.09 and 0.42 < np.mean(found) < 0.58
    assert evaluation.sign_flip_test(np.ones(60), np.zeros(60), n_flips=999) == 1 / 1000


def test_users_without_a_value_are_left_out(monkeypatch):
    theirs, ours = np.array([0.5, 0.7, np.nan, 0.9]), np.array([0.1, 0.2, 0.3, np.nan])
    assert evaluation.sign_flip_test(theirs, ours) == pytest.approx(0.5, abs=0.02)  # of 4 patterns 2 are as far from 0
    with pytest.raises(ValueError, match="fewer than two users"):
        evaluation.sign_flip_test(theirs[1:], ours[1:])
    monkeypatch.setattr(significance, "BLOCK_CELLS", 7)  # draws in several blocks are still as many draws
    assert evaluation.sign_flip_test(theirs, ours) == pytest.approx(0.5, abs=0.02)


def test_both_sides_must_have_the_same_users():
    for theirs, ours in ((np.ones(3), np.ones((3, 1))), (np.ones((3, 1)), np.ones((3, 1))), (np.ones(3), np.ones(1))):
        with pytest.raises(ValueError, match="one number a user"):
            evaluation.sign_flip_test(theirs, ours)


def test_holm_by_hand():
    # ordered .005 .01 .03 .04 times 4 3 2 1 = .02 .03 .06 .04, and no value below a smaller p's
    assert evaluation.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert evaluation.holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert evaluation.holm([]).tolist() == []
    with pytest.raises(ValueError, match="between 0 and 1"):
        evaluation.holm([0.5, np.nan])


def test_holm_keeps_the_chance_of_any_error():
    rng = np.random.default_rng(3)
    wrong = [(evaluation.holm(rng.random(20)) < 0.05).any() for _ in range(2000)]
    assert np.mean(wrong) < 0.065
