"""The budget rule: how much diversity can be had at a small, stated loss of accuracy, without fooling oneself.

Choosing the trade-off on the users on whom the gain is measured flatters both the gain and the loss. So the
trade-off is chosen on half of the users and measured on the other half, for 50 fixed halvings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_lib.evaluation.intervals import check_same_users, percentiles, resamples
from recsys_lib.evaluation.report import CATALOGUE_METRICS, Report


@dataclass(frozen=True)
class BudgetGain:
    """What `budget_gain` found.

    Attributes
    ----------
    summary : pandas.Series
        `gain_percent low high` (held-out gain of diversity, in % of the baseline, and its interval),
        `loss_percent loss_low loss_high` (the same of the held-out loss of accuracy), `broken_share` (share of
        halvings whose held-out loss exceeds the budget), `kept_share` (share of halvings in which no setting was
        within the budget and the baseline's own lists were kept).
    halvings : pandas.DataFrame
        One row a halving (index = its seed): `setting` (None = the baseline was kept), `gain_percent`, `loss_percent`.
    counts : bool
        Whether the gain counts: the mean held-out loss is within the budget.
    """

    summary: pd.Series
    halvings: pd.DataFrame
    counts: bool


def budget_gain(
    reports: dict,
    baseline: Report,
    metric: str = "ild_text",
    *,
    budget: float = 0.01,
    accuracy: str = "ndcg",
    n_halvings: int = 50,
    n_bootstrap: int = 500,
    confidence: float = 0.95,
    rng=0,
) -> BudgetGain:
    """Held-out gain of `metric` when the trade-off may cost at most `budget` of accuracy on the users who choose it.

    For each halving: on the first half, of the settings whose mean accuracy is at least (1 - budget) of the
    baseline's, take the one with the highest mean `metric` (the baseline itself where none is within the budget);
    on the second half, measure its gain and its loss relative to the baseline. No user's labels choose the
    setting that scores him. A gain counts only if the mean held-out loss is within the budget too, and the share
    of broken halvings belongs in every report (20 to 60 % is usual for a rule that spends all of its budget).

    Parameters
    ----------
    reports : dict of setting -> Report
        For instance {trade_off: report}; equal gains go to the first.
    baseline : Report
        Of the same users, usually trade_off=0 or the tuned relevance model.
    metric : str
        Higher = better. A per-user metric, or a catalogue metric such as `exposed_5`, which belongs to the lists of all
        users together: then only the accuracy is held out, and the interval is that of the choice alone.
    budget : float
        0.01 = 1 % relative loss.
    n_bootstrap : int
        Resamples of users for the interval; each repeats all halvings, and copies of a user stay on one side.
    """
    if not 0 <= budget < 1:
        raise ValueError(f"budget is a relative loss in [0, 1): 0.01 for 1 %, not {budget}")
    names, values, present = paired_columns(reports, baseline, (accuracy, metric))
    choosing = halvings(len(values), n_halvings)
    chosen, gain, loss = _over_halvings(np.ones((1, len(values))), values, present, choosing, budget)
    gain, loss = 100 * gain[0], 100 * loss[0]

    samples = []
    for weights in resamples(len(values), n_bootstrap, rng):
        _, gains, losses = _over_halvings(weights, values, present, choosing, budget)
        samples.append(100 * np.column_stack([gains.mean(axis=1), losses.mean(axis=1)]))
    low, high = percentiles(np.concatenate(samples), confidence)

    settings = [None if setting == len(names) else names[setting] for setting in chosen[0]]
    table = pd.DataFrame({"setting": settings, "gain_percent": gain, "loss_percent": loss}, dtype=object)
    table = table.astype({"gain_percent": float, "loss_percent": float}).rename_axis("seed")
    broken = loss > 100 * budget + 1e-9
    summary = pd.Series(
        {
            "gain_percent": gain.mean(),
            "low": low[0],
            "high": high[0],
            "loss_percent": loss.mean(),
            "loss_low": low[1],
            "loss_high": high[1],
            "broken_share": broken.mean(),
            "kept_share": np.mean(chosen[0] == len(names)),
        }
    )
    return BudgetGain(summary, table, bool(loss.mean() <= 100 * budget + 1e-9))


def within_budget(reports: dict, baseline: Report, metric: str = "ild_text", *, budget: float = 0.01, accuracy="ndcg"):
    """The setting with the highest mean `metric` among those within the budget; None if there is none.

    Give reports of the *validation* split, then evaluate the setting on the test split: the other honest way.
    """
    names, values, present = paired_columns(reports, baseline, (accuracy, metric))
    means = values[present].mean(axis=0).reshape(2, -1)
    chosen = _choose(means[None], budget)[0]
    return None if chosen == len(names) else names[chosen]


def halvings(n_users: int, n_halvings: int = 50) -> np.ndarray:
    """(n_halvings, n_users) bool: the users who choose; the others measure. Halving s is fixed by seed s.

    >>> halvings(6, 2).sum(axis=1)
    array([3, 3])
    """
    if n_users < 2:
        raise ValueError(f"halving needs two users at least, not {n_users}")
    if n_halvings < 1:
        raise ValueError(f"n_halvings must be at least 1, not {n_halvings}")
    masks = np.zeros((n_halvings, n_users), bool)
    for seed in range(n_halvings):
        masks[seed, np.random.default_rng(seed).permutation(n_users)[: n_users // 2]] = True
    return masks


def paired_columns(reports: dict, baseline: Report, metrics) -> tuple[list, np.ndarray, np.ndarray]:
    """The settings' names; (n_users, n_metrics * (n_settings + 1)) values, for each metric the settings and then the
    baseline; and (n_users,) bool: no value is missing (where one is, the user's values are 0).
    """
    check_same_users(reports, baseline)
    tables = [*reports.values(), baseline]
    for metric in metrics:
        for report in tables:
            if metric not in report.per_user.columns and metric not in CATALOGUE_METRICS:
                raise ValueError(
                    f"the metric {metric!r} is not in every report; there are {list(report.per_user.columns)} "
                    f"and {list(CATALOGUE_METRICS)}"
                )
    values = np.column_stack([_column(report, metric) for metric in metrics for report in tables])
    present = ~np.isnan(values).any(axis=1)
    if present.sum() < 2:
        raise ValueError(f"fewer than two users have {' and '.join(metrics)} in every report")
    return list(reports), np.where(present[:, None], values, 0.0), present


def _column(report: Report, metric: str) -> np.ndarray:
    if metric in CATALOGUE_METRICS:
        return np.full(len(report.per_user), report.summary[metric])
    return report.per_user[metric].to_numpy(float)


def _over_halvings(weights, values, present, choosing, budget):
    """(b, n_halvings) choice, held-out relative gain and held-out relative loss for b weightings of the users."""
    shape = (len(weights), len(choosing))
    chosen, gain, loss = np.empty(shape, int), np.empty(shape), np.empty(shape)
    rows = np.arange(len(weights))
    for column, mask in enumerate(choosing):
        chosen[:, column] = picked = _choose(_weighted_means(weights, values, mask & present), budget)
        measured = _weighted_means(weights, values, ~mask & present)
        base = np.where(measured[:, :, -1] != 0, measured[:, :, -1], np.nan)
        loss[:, column] = 1 - measured[rows, 0, picked] / base[:, 0]
        gain[:, column] = measured[rows, 1, picked] / base[:, 1] - 1
    return chosen, gain, loss


def _weighted_means(weights, values, side) -> np.ndarray:
    """(b, 2, n_settings + 1) means over the users of one side."""
    sided = weights[:, side]
    means = (sided @ values[side]) / np.maximum(sided.sum(axis=1, keepdims=True), 1e-300)
    return means.reshape(len(weights), 2, -1)


def _choose(means: np.ndarray, budget: float) -> np.ndarray:
    """(b,) index of the best setting within the budget; the last index (the baseline) where there is none."""
    accuracy, diversity = means[:, 0], means[:, 1]
    allowed = accuracy[:, :-1] >= (1 - budget) * accuracy[:, -1:] - 1e-12
    best = np.where(allowed, diversity[:, :-1], -np.inf).argmax(axis=1)
    return np.where(allowed.any(axis=1), best, diversity.shape[1] - 1)
