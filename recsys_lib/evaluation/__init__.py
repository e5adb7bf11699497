"""Evaluation: a report a model, differences with intervals, and the trade-off between accuracy and diversity."""

from recsys_lib.evaluation.budget import BudgetGain, budget_gain, halvings, within_budget
from recsys_lib.evaluation.intervals import Interval, compare, confidence_interval, splits_interval
from recsys_lib.evaluation.report import CATALOGUE_METRICS, Report, evaluate
from recsys_lib.evaluation.significance import holm, sign_flip_test
from recsys_lib.evaluation.tradeoff import frontier, held_out_hypervolume, hypervolume, metric_at

__all__ = [
    "CATALOGUE_METRICS",
    "BudgetGain",
    "Interval",
    "Report",
    "budget_gain",
    "compare",
    "confidence_interval",
    "evaluate",
    "frontier",
    "halvings",
    "held_out_hypervolume",
    "holm",
    "hypervolume",
    "metric_at",
    "sign_flip_test",
    "splits_interval",
    "within_budget",
]
