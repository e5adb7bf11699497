"""Frontier, hypervolume and the budget rule: geometry by hand, and no user chooses the setting that scores him."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_lib.evaluation import (
    Report,
    budget_gain,
    frontier,
    halvings,
    held_out_hypervolume,
    hypervolume,
    within_budget,
)

points_of = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


def report_of(ndcg, ild):
    per_user = pd.DataFrame({"ndcg": ndcg, "ild_text": ild}, dtype=float)
    return Report(per_user.mean(), per_user, np.zeros(3, int), 10)


def trade_offs(n_users=200, seed=0, n_settings=11, noise=0.02):
    """Settings that buy diversity with accuracy, with noise a user: {trade_off: report}, baseline."""
    rng = np.random.default_rng(seed)
    ndcg, ild = rng.uniform(0.2, 0.8, n_users), rng.uniform(0.4, 0.9, n_users)
    reports = {}
    for t in np.linspace(0, 1, n_settings):
        own = noise if t > 0 else 0.0
        reports[round(float(t), 2)] = report_of(
            ndcg * (1 - 0.2 * t**2) + rng.normal(scale=own + 1e-15, size=n_users),
            ild * (1 + 0.3 * t) + rng.normal(scale=own + 1e-15, size=n_users),
        )
    return reports, report_of(ndcg, ild)


# ---- frontier and hypervolume


@settings(max_examples=100, deadline=None)
@given(points=points_of)
def test_frontier_is_what_nothing_dominates(points):
    frame = pd.DataFrame(points, columns=["a", "d"])
    kept = frontier(frame, "a", "d")
    beaten = [
        any(x >= a and y >= d and (x, y) != (a, d) for x, y in points) for a, d in points
    ]  # a point that another equals or beats
    assert set(map(tuple, kept.to_numpy())) == {point for point, bad in zip(points, beaten, strict=True) if not bad}
    assert not kept.duplicated().any()
    assert kept["a"].is_monotonic_decreasing and kept["d"].is_monotonic_increasing
    assert frame.loc[kept.index].equals(kept)


@settings(max_examples=100, deadline=None)
@given(points=points_of, other=st.tuples(st.integers(0, 5), st.integers(0, 5)))
def test_hypervolume_counts_the_dominated_unit_squares(points, other):
    squares = {(x, y) for a, d in points for x in range(1, a) for y in range(1, d)}
    area = hypervolume(points, (1, 1))
    assert area == pytest.approx(len(squares))
    assert hypervolume([*points, other], (1, 1)) >= area - 1e-12
    assert hypervolume(frontier(pd.DataFrame(points, columns=["a", "d"]), "a", "d"), (1, 1)) == pytest.approx(area)


def test_a_point_that_misses_the_reference_on_one_axis_adds_nothing():
    assert hypervolume([(5, 0.5), (0.5, 5)], (1, 1)) == 0.0
    assert hypervolume([(5, 0.5), (2, 2)], (1, 1)) == 1.0


def test_held_out_hypervolume_without_noise_is_the_hypervolume():
    rng = np.random.default_rng(0)
    ndcg = np.tile(rng.uniform(0.2, 0.8, 1), 60)  # all users alike: every half is the whole
    reports = {t: report_of(ndcg * (1 - 0.3 * t), ndcg * 0 + 0.5 + 0.2 * t) for t in (0.25, 0.5, 1.0)}
    baseline = report_of(ndcg, ndcg * 0 + 0.5)
    points = [(report.summary["ndcg"], report.summary["ild_text"]) for report in reports.values()]
    expected = hypervolume(points, (0.8 * baseline.summary["ndcg"], 0.5))
    interval = held_out_hypervolume(reports, baseline, n_halvings=5, n_bootstrap=20)
    np.testing.assert_allclose(interval, [expected] * 3)


def test_held_out_hypervolume_does_not_reward_picking_the_luckiest_of_many_noisy_points():
    rng = np.random.default_rng(1)
    baseline = report_of(np.full(60, 0.5), np.full(60, 0.5))
    # No setting does anything: 21 times pure noise around the baseline's point.
    lucky = {t: report_of(rng.normal(0.5, 0.2, 60), rng.normal(0.5, 0.2, 60)) for t in range(21)}
    naive = hypervolume([(r.summary["ndcg"], r.summary["ild_text"]) for r in lucky.values()], (0.4, 0.5))
    held_out = held_out_hypervolume(lucky, baseline, n_bootstrap=20)
    assert held_out.value < 0.75 * naive


def test_held_out_hypervolume_equals_a_loop_over_halvings_and_leaves_out_users_without_a_value():
    reports, baseline = trade_offs(n_users=41, noise=0.2)
    for report in (reports[0.3], baseline):
        report.per_user.loc[[2, 8], "ndcg"] = np.nan
    value = held_out_hypervolume(reports, baseline, n_halvings=6, n_bootstrap=2).value
    areas = []
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(41)
        choose, measure = (half[~np.isin(half, [2, 8])] for half in (order[:20], order[20:]))
        rows = {t: report.per_user.loc[choose].mean() for t, report in reports.items()}
        kept = frontier(pd.DataFrame(rows).T, "ndcg", "ild_text").index
        assert 1 < len(kept) < len(reports)
        base = baseline.per_user.loc[measure].mean()
        points = [reports[t].per_user.loc[measure].mean() for t in kept]
        areas.append(hypervolume(points, (0.8 * base["ndcg"], base["ild_text"])))
    assert value == pytest.approx(np.mean(areas))


def test_held_out_hypervolume_has_an_interval_around_its_value_and_repeats():
    reports, baseline = trade_offs()
    first = held_out_hypervolume(reports, baseline, n_halvings=10, n_bootstrap=60)
    assert first.low < first.value < first.high
    assert first == held_out_hypervolume(reports, baseline, n_halvings=10, n_bootstrap=60)


# ---- the budget rule


def test_halvings_are_fixed_even_and_different():
    masks = halvings(101)
    assert masks.shape == (50, 101) and (masks.sum(axis=1) == 50).all()
    np.testing.assert_array_equal(masks[:7], halvings(101, 7))
    assert len({mask.tobytes() for mask in masks}) == 50
    expected = np.zeros(101, bool)
    expected[np.random.default_rng(3).permutation(101)[:50]] = True
    np.testing.assert_array_equal(masks[3], expected)


def test_the_budget_rule_equals_a_loop_over_halvings():
    reports, baseline = trade_offs(n_users=61)
    result = budget_gain(reports, baseline, budget=0.01, n_bootstrap=5)
    for seed in range(50):
        order = np.random.default_rng(seed).permutation(61)
        choose, measure = order[:30], order[30:]
        base = baseline.per_user
        allowed = {
            t: report.per_user["ild_text"].iloc[choose].mean()
            for t, report in reports.items()
            if report.per_user["ndcg"].iloc[choose].mean() >= 0.99 * base["ndcg"].iloc[choose].mean()
        }
        best = max(allowed, key=allowed.get)
        own = reports[best].per_user
        row = result.halvings.loc[seed]
        assert row["setting"] == best
        gain = 100 * (own["ild_text"].iloc[measure].mean() / base["ild_text"].iloc[measure].mean() - 1)
        loss = 100 * (1 - own["ndcg"].iloc[measure].mean() / base["ndcg"].iloc[measure].mean())
        assert row["gain_percent"] == pytest.approx(gain) and row["loss_percent"] == pytest.approx(loss)
    assert result.summary["gain_percent"] == pytest.approx(result.halvings["gain_percent"].mean())
    assert result.summary["loss_percent"] == pytest.approx(result.halvings["loss_percent"].mean())
    assert result.summary["broken_share"] == (result.halvings["loss_percent"] > 1).mean()
    assert result.summary["low"] < result.summary["gain_percent"] < result.summary["high"]


def test_no_user_chooses_the_setting_that_scores_him():
    reports, baseline = trade_offs(n_users=40)
    result = budget_gain(reports, baseline, n_bootstrap=5)
    user = 7
    measured = ~halvings(40)[:, user]
    # Make one setting look perfect for this user, and every other one ruinous, far beyond what a mean can hide.
    biased = {}
    for t, report in reports.items():
        per_user = report.per_user.copy()
        per_user.loc[user] = [1000.0, 1000.0] if t == 1.0 else [-1000.0, -1000.0]
        biased[t] = dataclasses.replace(report, per_user=per_user)
    changed = budget_gain(biased, baseline, n_bootstrap=5)
    before, after = result.halvings, changed.halvings
    assert 10 < measured.sum() < 40
    assert (before["setting"][measured] == after["setting"][measured]).all()
    assert (after["setting"][~measured] == 1.0).all()  # the bias is strong enough to choose, where he may
    assert (before["gain_percent"][measured] != after["gain_percent"][measured]).all()  # and he is scored


def test_settings_beyond_the_budget_are_not_chosen_and_the_baseline_is_the_way_out():
    baseline = report_of(np.full(20, 0.5), np.full(20, 0.5))
    ruinous = {1.0: report_of(np.full(20, 0.25), np.full(20, 0.9))}
    result = budget_gain(ruinous, baseline, n_bootstrap=5)
    assert result.halvings["setting"].isna().all() and result.summary["kept_share"] == 1.0
    assert (result.summary[["gain_percent", "low", "high", "loss_percent", "broken_share"]] == 0).all()
    assert within_budget(ruinous, baseline) is None
    allowed = budget_gain(ruinous, baseline, budget=0.5, n_bootstrap=5)
    assert allowed.summary["gain_percent"] == pytest.approx(80) and allowed.summary["loss_percent"] == pytest.approx(50)
    assert allowed.counts and allowed.summary["broken_share"] == 0.0  # a loss of exactly the budget is within it


def test_a_gain_whose_held_out_loss_breaks_the_budget_does_not_count():
    rng = np.random.default_rng(0)
    baseline = report_of(np.full(30, 0.5), np.full(30, 0.5))
    # All settings lose exactly 5 % over all users; noise makes some look free on the half that chooses.
    noise = rng.normal(scale=0.09, size=(15, 30))
    noise -= noise.mean(axis=1, keepdims=True)
    noisy = {t: report_of(0.475 + noise[t], np.full(30, 0.6)) for t in range(15)}
    result = budget_gain(noisy, baseline, n_bootstrap=5)
    assert result.summary["kept_share"] < 0.5
    assert 1 < result.summary["loss_percent"] < 10 and result.summary["broken_share"] > 0.5 and not result.counts


def test_within_budget_takes_the_most_diverse_allowed_setting():
    baseline = report_of([0.5, 0.5], [0.5, 0.5])
    reports = {
        "free": report_of([0.5, 0.5], [0.55, 0.55]),
        "cheap": report_of([0.496, 0.496], [0.6, 0.6]),
        "dear": report_of([0.49, 0.49], [0.9, 0.9]),
    }
    assert within_budget(reports, baseline) == "cheap"
    assert within_budget(reports, baseline, budget=0.0) == "free"
    assert within_budget(reports, baseline, budget=0.05) == "dear"


def test_users_without_a_value_are_left_out_everywhere_and_do_not_move_the_halves():
    reports, baseline = trade_offs(n_users=50)
    gone = np.arange(5)

    def without(report):
        per_user = report.per_user.copy()
        per_user.loc[gone, "ndcg"] = np.nan
        return dataclasses.replace(report, per_user=per_user)

    one = {t: without(report) if t == 0.5 else report for t, report in reports.items()}
    every = {t: without(report) for t, report in reports.items()}
    results = [budget_gain(one, baseline, n_bootstrap=5), budget_gain(every, without(baseline), n_bootstrap=5)]
    pd.testing.assert_frame_equal(results[0].halvings, results[1].halvings)
    with_all = budget_gain(reports, baseline, n_bootstrap=5)
    assert not results[0].halvings["gain_percent"].equals(with_all.halvings["gain_percent"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r, b: budget_gain(r, b, budget=1), "budget is a relative loss"),
        (lambda r, b: budget_gain(r, b, "ild_genre"), "'ild_genre' is not in every report"),
        (lambda r, b: budget_gain({}, b), "reports is empty"),
        (lambda r, b: budget_gain(r, report_of([1.0], [1.0])), "other users"),
        (lambda r, b: budget_gain({0: report_of([1.0], [1.0])}, report_of([1.0], [1.0])), "fewer than two users"),
        (lambda r, b: halvings(1), "two users at least"),
        (lambda r, b: halvings(5, 0), "n_halvings must be at least 1"),
        (lambda r, b: frontier(pd.DataFrame({"a": [1.0]}), "a", "d"), "no column 'd'"),
        (lambda r, b: frontier(pd.DataFrame({"a": [1.0, None], "d": 1}), "a", "d"), "column 'a' of points has NaN"),
        (lambda r, b: hypervolume([1, 2], (0, 0)), r"points must be \(n, 2\)"),
        (lambda r, b: hypervolume([(1, np.nan)], (0, 0)), "must be finite"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(*trade_offs(n_users=10))
