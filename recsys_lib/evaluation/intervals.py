"""compare: differences between reports with paired bootstrap intervals; confidence_interval for one mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from recsys_lib.evaluation.report import Report

BLOCK_CELLS = 4_000_000  # resamples x users held at once: 32 MB


class Interval(NamedTuple):
    """A mean and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def compare(
    reports: dict[str, Report],
    baseline: str,
    metrics=None,
    *,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    rng=0,
) -> pd.DataFrame:
    """Differences to a baseline with paired user-bootstrap intervals.

    Parameters
    ----------
    reports : dict of name -> Report
        Of the same users and the same k.
    baseline : str
        The name of the report that the others are compared with.
    metrics : list of str, optional
        Default: every metric that all reports have.
    n_bootstrap : int
        Resamples of users; the same ones serve every model and metric.
    rng : int, Generator or None

    Returns
    -------
    pandas.DataFrame
        Index (model, metric), in the order given. `value` and `difference` (value - the baseline's value) are
        means over the users for whom *both* reports have the metric, `n_users` is their number;
        `relative_percent` is the difference in % of the baseline's value; `low` and `high` bound the difference
        (percentile bootstrap). Multiple comparisons are not corrected for.

    Notes
    -----
    Catalogue metrics (`coverage exposed_5 gini entropy`) have no interval, and NaN stands there. They are
    properties of all lists together, not means over users: a resample with replacement holds only about 63 % of
    the users, shows fewer distinct items than the original, and so its interval would not even contain the value
    that it is meant to surround. Compare them over several splits instead.

    Source: Efron & Tibshirani 1993; Sakai 2006 for evaluation with paired bootstrap tests.
    """
    metrics = _check(reports, baseline, metrics)
    reference = reports[baseline]
    per_user = [metric for metric in metrics if metric in reference.per_user.columns]
    pairs = [(name, metric) for name in reports for metric in per_user]
    rows = {}
    if pairs:
        theirs = np.column_stack([reports[name].per_user[metric].to_numpy(float) for name, metric in pairs])
        ours = np.column_stack([reference.per_user[metric].to_numpy(float) for _, metric in pairs])
        both = ~(np.isnan(theirs) | np.isnan(ours))
        n_both = both.sum(axis=0)
        value, base = (_mean(np.where(both, table, 0.0).sum(axis=0), n_both) for table in (theirs, ours))
        low, high = _bootstrap_means(np.where(both, theirs - ours, 0.0), both, n_bootstrap, confidence, rng)
        for column, pair in enumerate(pairs):
            rows[pair] = (value[column], base[column], low[column], high[column], n_both[column])
    for name in reports:
        for metric in metrics:
            if metric not in per_user:
                numbers = (reports[name].summary[metric], reference.summary[metric], np.nan, np.nan)
                rows[name, metric] = (*numbers, len(reference.per_user))
    index = pd.MultiIndex.from_tuples(
        [(name, metric) for name in reports for metric in metrics], names=["model", "metric"]
    )
    table = pd.DataFrame([rows[pair] for pair in index], index, ["value", "base", "low", "high", "n_users"])
    difference = table["value"] - table["base"]
    relative = 100 * difference / table["base"].abs().where(table["base"] != 0)
    table.insert(1, "difference", difference)
    table.insert(2, "relative_percent", relative)
    return table.drop(columns="base").astype({"n_users": int})


def confidence_interval(values, *, n_bootstrap: int = 2000, confidence: float = 0.95, rng=0) -> Interval:
    """The mean of `values` (one number a user; NaN is left out) with its percentile bootstrap interval.

    >>> confidence_interval([0.5, 0.5, np.nan, 0.5])
    Interval(value=0.5, low=0.5, high=0.5)
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1:
        raise ValueError(f"values must hold one number a user, not a table of shape {values.shape}")
    values = values[~np.isnan(values)]
    if values.size == 0:
        raise ValueError("values must hold at least one number that is not NaN")
    low, high = _bootstrap_means(values[:, None], np.ones((len(values), 1), bool), n_bootstrap, confidence, rng)
    return Interval(float(values.mean()), float(low[0]), float(high[0]))


def splits_interval(values, *, test_share: float, confidence: float = 0.95) -> Interval:
    """The mean of one difference a split, with a t interval that knows that random splits overlap.

    Their training sets share most of their rows, so the values are not independent and the usual variance of a mean
    is too small. It is multiplied by 1 + n test_share / (1 - test_share) for n splits (Nadeau & Bengio, Machine
    Learning 52, 2003, eq. 9).

    >>> np.round(splits_interval([0.1, 0.2, 0.3], test_share=0.2), 4)  # 0.2 -+ 4.303 * sqrt((1/3 + 1/4) * 0.01)
    array([ 0.2   , -0.1286,  0.5286])
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
        raise ValueError("values must hold one finite number a split, for two splits or more")
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must lie between 0 and 1, not {test_share}")
    check_confidence(confidence)
    variance = (1 / values.size + test_share / (1 - test_share)) * values.var(ddof=1)
    half = stats.t.ppf((1 + confidence) / 2, values.size - 1) * np.sqrt(variance)
    return Interval(float(values.mean()), float(values.mean() - half), float(values.mean() + half))


def resamples(n_users: int, n_bootstrap: int, rng) -> Iterator[np.ndarray]:
    """Blocks (b, n_users) of how often each user was drawn in b resamples with replacement; n_bootstrap rows in all."""
    if n_bootstrap < 1:
        raise ValueError(f"n_bootstrap must be at least 1, not {n_bootstrap}")
    rng = np.random.default_rng(rng)
    step = max(1, BLOCK_CELLS // n_users)
    for start in range(0, n_bootstrap, step):
        size = min(step, n_bootstrap - start)
        draws = rng.integers(n_users, size=(size, n_users)) + n_users * np.arange(size)[:, None]
        yield np.bincount(draws.ravel(), minlength=size * n_users).reshape(size, n_users).astype(float)


def percentiles(samples: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """The two ends, along the first axis, between which the share `confidence` of the samples lies; NaN is left out."""
    check_confidence(confidence)
    outside = 50 * (1 - confidence)
    undefined = np.isnan(samples).all(axis=0)
    low, high = np.nanpercentile(np.where(undefined, 0.0, samples), [outside, 100 - outside], axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}: 0.95 for 95 %")


def check_same_users(reports: dict, baseline: Report) -> None:
    """Raise a ValueError if a report has other users or another k than the baseline."""
    if not reports:
        raise ValueError("reports is empty: there is nothing to compare")
    for name, report in reports.items():
        if not isinstance(report, Report):
            raise ValueError(f"reports[{name!r}] must be a Report, not {type(report).__name__}. Make it with evaluate")
        if not report.per_user.index.equals(baseline.per_user.index):
            raise ValueError(f"report {name!r} has other users than the baseline. Evaluate all models on one split")
        if report.k != baseline.k:
            raise ValueError(f"report {name!r} has k={report.k}, the baseline k={baseline.k}. Evaluate with one k")


def _bootstrap_means(values, present, n_bootstrap, confidence, rng) -> tuple[np.ndarray, np.ndarray]:
    """Interval ends (n_columns,) of the column means of `values` (n_users, n_columns, 0 where absent)."""
    present = present.astype(float)
    means = []
    for weights in resamples(len(values), n_bootstrap, rng):
        means.append(_mean(weights @ values, weights @ present))
    return percentiles(np.concatenate(means), confidence)


def _mean(total, count) -> np.ndarray:
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=np.asarray(count) > 0)


def _check(reports, baseline, metrics) -> list[str]:
    if baseline not in reports:
        raise ValueError(f"the baseline {baseline!r} is not among the reports {list(reports)}")
    check_same_users(reports, reports[baseline])
    shared = [
        metric
        for metric in reports[baseline].summary.index
        if metric != "n_users" and all(metric in report.summary.index for report in reports.values())
    ]
    if metrics is None:
        return shared
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    unknown = [metric for metric in metrics if metric not in shared]
    if unknown:
        raise ValueError(f"not every report has the metric {unknown[0]!r}; they share {shared}")
    return metrics
