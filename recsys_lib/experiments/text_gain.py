"""text-gain: what item texts add to EASE on warm items, against shuffled texts, from dense to sparse training data.

EASE, L3AE with the texts' vectors and L3AE with the same vectors of other items, each tuned with one budget on
validation data. Protocols A (five seeds), Bu and ML1M-R (five seeds) with all training rows; protocol A again with a
share of each user's training rows (five seeds), the others neither known to the model nor in its lists.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd

from recsys_lib import datasets, evaluation, models, splits, tuning
from recsys_lib.encoders import TextEncoder
from recsys_lib.experiments import matrices
from recsys_lib.results import Experiment

N_TRIALS = {"A": 10, "Bu": 10, "ML1M-R": 4}
SHARES = (0.05, 0.1, 0.25, 0.5)
EASE, SHUFFLED, TEXT = MODELS = ("EASE", "L3AE, shuffled text", "L3AE, text")
SETTINGS = [
    *[("A", 1.0, seed) for seed in range(5)],
    ("Bu", 1.0, 0),
    *[("A", share, seed) for share in SHARES for seed in range(5)],
    *[("ML1M-R", 1.0, seed) for seed in range(5)],
]


@lru_cache(maxsize=1)
def _dataset(name):
    dataset = datasets.load(name)
    return dataset, TextEncoder().encode(dataset.items["text"])


def thin(split: splits.Split, share: float, seed: int) -> splits.Split:
    """The split with a random share of each user's training rows, one at least; the test stays whole."""
    if share == 1.0:
        return split
    kept = splits.random_per_user(split.train, test_share=1 - share, rng=seed).train
    return splits.Split(kept, split.test)


def data(protocol: str, share: float, seed: int):
    """(train, test, seen) of a setting."""
    return _data(protocol, share, seed)[0]


@lru_cache(maxsize=1)
def _data(protocol, share, seed):
    dataset, _ = _dataset("ml-1m" if protocol == "ML1M-R" else "ml-100k")
    whole = splits.protocol(protocol, dataset.interactions, seed)
    split = thin(whole, share, seed)
    inner = splits.validation(protocol, split, seed)
    # what was thinned out cannot be in a test: a place in a list that it took would be lost for every model
    before, after = (part.seen.set_index(["user_id", "item_id"]).index for part in (whole, split))
    removed = whole.seen[~before.isin(after)]
    masked = [replace(part, seen=pd.concat([part.seen, removed])) for part in (split, inner)]
    return tuple(matrices(part, dataset.items.index) for part in masked)


def _vectors(name, protocol, seed):
    if name == EASE:
        return None
    _, vectors = _dataset("ml-1m" if protocol == "ML1M-R" else "ml-100k")
    return np.random.default_rng(seed).permutation(vectors) if name == SHUFFLED else vectors


def fit(name: str, protocol: str, share: float, seed: int, parameters: str):
    """The model of a stored row."""
    model = getattr(models, name.split(",")[0])(**json.loads(parameters))
    return model.fit(data(protocol, share, seed)[0], _vectors(name, protocol, seed))


@lru_cache(maxsize=3)
def _report(name, protocol, share, seed, parameters):
    train, test, seen = data(protocol, share, seed)
    lists = fit(name, protocol, share, seed, parameters).recommend(k=10, exclude=seen)
    return evaluation.evaluate(lists, train, test)


def compute(unit, rows):
    name, protocol, share, seed = unit["model"], unit["protocol"], unit["share"], unit["seed"]
    (train, *_), (inner, validation, seen) = _data(protocol, share, seed)
    tuned = tuning.tune(
        name.split(",")[0],
        inner,
        validation,
        n_trials=N_TRIALS[protocol],
        item_vectors=_vectors(name, protocol, seed),
        exclude=seen,
        rng=seed,
    )
    parameters = {name: json.dumps(tuned.parameters)}
    for other in MODELS[: MODELS.index(name)]:
        same = rows["model"].eq(other) & rows["protocol"].eq(protocol) & rows["share"].eq(share)
        parameters[other] = rows.loc[same & rows["seed"].eq(seed), "parameters"].iloc[0]
    reports = {other: _report(other, protocol, share, seed, stored) for other, stored in parameters.items()}
    row = {
        "parameters": parameters[name],
        "validation_value": tuned.value,
        "rows_per_user": train.matrix.nnz / train.n_users,
        **{figure: reports[name].summary[figure] for figure in ("ndcg", "coverage", "n_users")},
    }
    for label, other in (("ease", EASE), ("shuffled", SHUFFLED)):
        figures = ("difference", "low", "high")
        against = dict.fromkeys(figures, np.nan)
        if other in reports:
            against = evaluation.compare(reports, other, metrics=["ndcg"]).loc[name, "ndcg"]
        row |= {f"{label}_{figure}": against[figure] for figure in figures}
    return row


def recompute(row):
    key = (row["model"], row["protocol"], float(row["share"]), int(row["seed"]), row["parameters"])
    summary = _report(*key).summary
    return {figure: float(summary[figure]) for figure in ("ndcg", "coverage")}


UNITS = [
    {"protocol": protocol, "share": share, "seed": seed, "model": name}
    for protocol, share, seed in SETTINGS
    for name in MODELS
]
EXPERIMENT = Experiment(
    data=("ml-100k", "ml-1m", "all-minilm-l6-v2"),
    units=UNITS,
    compute=compute,
    recompute=recompute,
    sample=(2, 17, 20),
    sources=("models/base.py", "models/content.py", "models/linear.py", "metrics/accuracy.py", "splits.py"),
)
