"""cf-baselines: every collaborative model of notebook 02, tuned with one budget, on protocol A (three seeds) and Bu."""

from __future__ import annotations

import json
import time
from functools import lru_cache

import numpy as np
from sklearn.metrics import root_mean_squared_error

from recsys_lib import datasets, evaluation, models, splits, tuning
from recsys_lib.encoders import TextEncoder
from recsys_lib.experiments import matrices
from recsys_lib.interactions import Interactions
from recsys_lib.results import Experiment

N_TRIALS = 20
# EASE first: the others are compared with it. BiasedMF twice: tuned for what it predicts, and for ranking.
FOR_RANKING = "BiasedMF, tuned for nDCG"
MODELS = (
    "EASE",
    "SLIM",
    "ALS",
    "PureSVD",
    "RP3beta",
    "ItemKNN",
    "UserKNN",
    "BiasedMF",
    FOR_RANKING,
    "Popularity",
    "Random",
)
SPLITS = (("A", 0), ("A", 1), ("A", 2), ("Bu", 0))
FIGURES = ("ndcg", "recall", "ild_genre", "ild_text", "coverage", "exposed_5", "gini", "novelty")


@lru_cache(maxsize=1)
def _dataset():
    dataset = datasets.load("ml-100k")
    return dataset, {"genre": dataset.genre_vectors, "text": TextEncoder().encode(dataset.items["text"])}


@lru_cache(maxsize=2)
def _data(protocol, seed):
    dataset, _ = _dataset()
    split = splits.protocol(protocol, dataset.interactions, seed)
    inner = splits.validation(protocol, split, seed)
    return matrices(split, dataset.items.index), matrices(inner, dataset.items.index)


def _report(model, protocol, seed):
    (train, test, seen), _ = _data(protocol, seed)
    dataset, vectors = _dataset()
    started = time.perf_counter()
    model.fit(train)
    fitted = time.perf_counter()
    lists = model.recommend(k=10, exclude=seen)
    seconds = {"fit_seconds": fitted - started, "recommend_seconds": time.perf_counter() - fitted}
    return evaluation.evaluate(lists, train, test, vectors, item_facets=dataset.genre_vectors), seconds


@lru_cache(maxsize=1)
def _baseline(parameters, protocol, seed):
    return _report(models.EASE(**json.loads(parameters)), protocol, seed)[0]


def rmse(model, test: Interactions) -> float:
    """RMSE of a fitted rating model on the ratings of `test`, its predictions clipped to the stars that there are."""
    rows = np.repeat(np.arange(test.n_users), np.diff(test.ratings.indptr))
    return root_mean_squared_error(test.ratings.data, np.clip(model.predict(rows, test.ratings.indices), 1, 5))


def compute(unit, rows):
    name, protocol, seed = unit["model"], unit["protocol"], unit["seed"]
    _, (train, validation, seen) = _data(protocol, seed)
    objective = (lambda model: -rmse(model, validation)) if name == "BiasedMF" else None
    class_name = name.split(",")[0]
    tuned = tuning.tune(class_name, train, validation, n_trials=N_TRIALS, exclude=seen, objective=objective, rng=seed)
    model = tuned.build()
    report, seconds = _report(model, protocol, seed)
    parameters = json.dumps(tuned.parameters)
    if name == "EASE":  # the first unit of each split: what the others are compared with
        ease = parameters
    else:
        same = (rows["model"] == "EASE") & (rows["protocol"] == protocol) & (rows["seed"] == seed)
        ease = rows.loc[same, "parameters"].iloc[0]
    reports = {name: report, "baseline": _baseline(ease, protocol, seed)}
    against = evaluation.compare(reports, "baseline", metrics=["ndcg"]).loc[name, "ndcg"]
    return {
        "parameters": parameters,
        "n_trials": len(tuned.trials),
        "validation_value": tuned.value,
        **report.summary.to_dict(),
        "ndcg_minus_ease": against["difference"],
        "low": against["low"],
        "high": against["high"],
        "rmse": rmse(model, _data(protocol, seed)[0][1]) if class_name == "BiasedMF" else np.nan,
        "tuning_seconds": tuned.trials["seconds"].sum(),
        **seconds,
    }


def recompute(row):
    model = getattr(models, row["model"].split(",")[0])(**json.loads(row["parameters"]))
    summary = _report(model, row["protocol"], int(row["seed"]))[0].summary
    return {figure: float(summary[figure]) for figure in FIGURES}


UNITS = [{"protocol": protocol, "seed": seed, "model": model} for protocol, seed in SPLITS for model in MODELS]
EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=UNITS,
    compute=compute,
    recompute=recompute,
    sample=(0, 5, 31),
    sources=(
        "models/als.py",
        "models/base.py",
        "models/factorisation.py",
        "models/linear.py",
        "models/neighbours.py",
        "models/simple.py",
        "metrics",
        "splits.py",
    ),
)
