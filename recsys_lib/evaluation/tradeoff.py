"""The trade-off between accuracy and diversity: frontier, and the area under it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys_lib.evaluation.budget import halvings, paired_columns
from recsys_lib.evaluation.intervals import Interval, percentiles, resamples
from recsys_lib.evaluation.report import Report


def frontier(points: pd.DataFrame, accuracy: str, diversity: str) -> pd.DataFrame:
    """The rows that no other row beats in both columns (higher = better), from the most accurate to the most diverse.

    Of rows that are equal in both columns the first is kept. These rows look better than they are where they were
    chosen and measured on the same users: see `held_out_hypervolume`.

    >>> points = pd.DataFrame({"ndcg": [0.3, 0.5, 0.4, 0.35], "ild": [0.9, 0.6, 0.7, 0.65]}, index=list("abcd"))
    >>> list(frontier(points, "ndcg", "ild").index)
    ['b', 'c', 'a']
    """
    for name in (accuracy, diversity):
        if name not in points.columns:
            raise ValueError(f"points has no column {name!r}; it has {list(points.columns)}")
        if points[name].isna().any():
            raise ValueError(f"column {name!r} of points has NaN. Drop those rows")
    ordered = points.sort_values([accuracy, diversity], ascending=False, kind="stable")
    best_before = ordered[diversity].cummax().shift(fill_value=-np.inf)
    return ordered[ordered[diversity] > best_before]


def metric_at(points: pd.DataFrame, level: float, accuracy: str, metric: str) -> float:
    """Any metric of a curve where its accuracy is `level`: linear between the points, in the order of accuracy.

    Below the least accurate point it is that point's; NaN where no point is as accurate as `level`. It describes the
    curve on the users on whom it was measured, and promises nothing about others: see `budget_gain`.

    >>> points = pd.DataFrame({"ndcg": [0.5, 0.4], "ild": [0.6, 0.8]})
    >>> [round(metric_at(points, level, "ndcg", "ild"), 3) for level in (0.45, 0.3, 0.6)]
    [0.7, 0.8, nan]
    """
    ordered = points.sort_values(accuracy, kind="stable")
    return float(np.interp(level, ordered[accuracy], ordered[metric], right=np.nan))


def hypervolume(points, reference) -> float:
    r"""Area that `points` dominate above a reference point, in 2-D, both axes higher = better.

    .. math:: HV = \left| \bigcup_p [r_1, p_1] \times [r_2, p_2] \right|

    0 if no point beats the reference on both axes; adding a point never lowers it. Its unit is the product of the
    two axes' units, so compare only areas above one reference.
    Source: Zitzler & Thiele 1998.

    Parameters
    ----------
    points : (n, 2) array
        Accuracy and diversity of each point.
    reference : pair of floats

    >>> hypervolume([(2, 1), (1, 2), (1, 1)], reference=(0, 0))
    3.0
    """
    points = np.asarray(points, dtype=float)
    reference = np.asarray(reference, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or reference.shape != (2,):
        raise ValueError(f"points must be (n, 2) and reference a pair, not {points.shape} and {reference.shape}")
    if not (np.isfinite(points).all() and np.isfinite(reference).all()):
        raise ValueError("points and reference must be finite. Drop points with NaN")
    return float(_areas(points[None, :, 0] - reference[0], points[None, :, 1] - reference[1])[0])


def held_out_hypervolume(
    reports: dict,
    baseline: Report,
    *,
    against: dict | None = None,
    accuracy: str = "ndcg",
    diversity: str = "ild_text",
    reference_share: float = 0.8,
    n_halvings: int = 50,
    n_bootstrap: int = 500,
    confidence: float = 0.95,
    rng=0,
) -> Interval:
    """Hypervolume of a method's points, chosen on one half of the users and measured on the other.

    On the half that chooses, the points that no other beats are kept; the area is that of the same points on the
    other half, above the reference (`reference_share` x accuracy, diversity) of the baseline on that half. The
    value is the mean over the fixed halvings. The interval is a user bootstrap: a resample gives each user a
    weight, so that copies of a user stay on one side of every halving.

    Parameters
    ----------
    reports : dict of setting -> Report
        The points of one method, for instance 21 trade-offs. To compare methods give them as many points each:
        more points, more area.
    baseline : Report
        The tuned relevance model (EASE on that split), of the same users.
    against : dict of setting -> Report, optional
        The points of a peer: the result is then the ratio of the two areas, with both from the same resamples.

    Returns
    -------
    Interval
        value, low, high; in units of accuracy x diversity, or a ratio.
    """
    measures = [
        _Areas(points, baseline, (accuracy, diversity), reference_share, n_halvings)
        for points in ([reports] if against is None else [reports, against])
    ]

    def value(weights):
        areas = [measure(weights) for measure in measures]
        return areas[0] if against is None else areas[0] / np.where(areas[1] > 0, areas[1], np.nan)

    n_users = len(baseline.per_user)
    samples = np.concatenate([value(weights) for weights in resamples(n_users, n_bootstrap, rng)])
    low, high = percentiles(samples[:, None], confidence)
    return Interval(float(value(np.ones((1, n_users)))[0]), float(low[0]), float(high[0]))


class _Areas:
    """(b, n_users) weightings of the users -> (b,) held-out areas, means over the halvings."""

    def __init__(self, reports, baseline, metrics, reference_share, n_halvings):
        names, self.values, self.present = paired_columns(reports, baseline, metrics)
        self.n_settings, self.reference_share = len(names), reference_share
        self.choosing = halvings(len(self.values), n_halvings)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        result = np.zeros(len(weights))
        for mask in self.choosing:
            means = []
            for side in (mask, ~mask):
                sided = weights * (side & self.present)
                means.append((sided @ self.values) / np.maximum(sided.sum(axis=1, keepdims=True), 1e-300))
            chosen, held_out = (table.reshape(len(weights), 2, self.n_settings + 1) for table in means)
            kept = _not_dominated(chosen[:, 0, :-1], chosen[:, 1, :-1])
            above = held_out[:, 0, :-1] - self.reference_share * held_out[:, 0, -1:]
            beyond = held_out[:, 1, :-1] - held_out[:, 1, -1:]
            result += _areas(np.where(kept, above, 0.0), beyond)
        return result / len(self.choosing)


def _areas(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(s,) areas dominated by s sets of points (s, n) above the origin."""
    inside = (first > 0) & (second > 0)
    first, second = np.where(inside, first, 0.0), np.where(inside, second, 0.0)
    order = np.argsort(-first, axis=1, kind="stable")
    first, second = np.take_along_axis(first, order, 1), np.take_along_axis(second, order, 1)
    height = np.maximum.accumulate(second, axis=1)
    width = first - np.pad(first[:, 1:], ((0, 0), (0, 1)))
    return (width * height).sum(axis=1)


def _not_dominated(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(s, n) bool: no other point of the set is at least as good on both axes and better on one."""
    at_least = (first[:, None] >= first[:, :, None]) & (second[:, None] >= second[:, :, None])
    better = (first[:, None] > first[:, :, None]) | (second[:, None] > second[:, :, None])
    return ~(at_least & better).any(axis=2)
