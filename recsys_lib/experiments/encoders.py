"""encoders: which vectors of a film carry over to films that nobody has rated? One linear map, many encoders.

The protocol of cold-items on MovieLens-100K (seeds 0-7); `LinearTextMap` on the vectors of one encoder at a time, its
one parameter chosen by holding out warm films. What is read is "title (year). genres" unless the name says otherwise.
"""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np

from recsys_lib import datasets, evaluation, metrics, models, tuning
from recsys_lib.encoders import RemoveTopComponents, TextEncoder, TfidfEncoder, Whiten
from recsys_lib.experiments.cold_items import SEEDS, split
from recsys_lib.results import Experiment

N_TRIALS = 8
SMOLLM = "smollm2-135m-instruct"
REFERENCE = "MiniLM"
LAYERS = tuple(f"MiniLM, layer {layer}" for layer in range(6))
ENCODERS = (
    REFERENCE,
    *LAYERS,
    "MiniLM, first token",
    "MiniLM, last token",
    "MiniLM, bfloat16",
    "MiniLM, int8",
    "MiniLM, without 3 top components",
    "MiniLM, whitened",
    "MiniLM, title only",
    "MiniLM, plot only",
    "MiniLM, names only",
    "SmolLM2, mean",
    "SmolLM2, last token",
    "TF-IDF",
    "genres, one-hot",
)


@lru_cache(maxsize=1)
def dataset():
    return datasets.load("ml-100k")


@lru_cache(maxsize=4)
def vectors(name: str) -> np.ndarray:
    """(n_items, d) float32, the vectors of an encoder of the table."""
    items = dataset().items
    kind, _, detail = name.partition(", ")
    if name == "genres, one-hot":
        return dataset().genre_vectors
    if kind == "TF-IDF":
        return TfidfEncoder().encode(items["text"])
    if detail in ("plot only", "names only"):
        return datasets.features("ml-100k", detail.split()[0])[0]
    options = {"pooling": {"last token": "last", "first token": "cls"}.get(detail, "mean")}
    if detail.startswith("layer"):
        options["layer"] = int(detail.split()[1])
    if detail in ("bfloat16", "int8"):
        options["dtype"] = detail
    encoder = TextEncoder(SMOLLM, **options) if kind == "SmolLM2" else TextEncoder(**options)
    encoded = encoder.encode(items["title" if detail == "title only" else "text"])
    if detail == "whitened":
        return _unit(Whiten(epsilon=1e-3).fit_transform(encoded))
    if detail.startswith("without"):
        return _unit(RemoveTopComponents(3).fit_transform(encoded))
    return encoded


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@lru_cache(maxsize=len(SEEDS))
def _data(seed):
    return split(dataset(), seed)


def ndcg(model, test, cold) -> np.ndarray:
    return metrics.accuracy.ndcg(model.recommend(k=10, items=cold).items, test.matrix, k=10)


@lru_cache(maxsize=32)
def _found(name, seed, parameters):
    (train, test, cold), _ = _data(seed)
    return ndcg(models.LinearTextMap(**json.loads(parameters)).fit(train, vectors(name)), test, cold)


def compute(unit, rows):
    name, seed = unit["encoder"], unit["seed"]
    _, (inner, validation, inner_cold) = _data(seed)
    tuned = tuning.tune(
        "LinearTextMap",
        inner,
        validation,
        n_trials=N_TRIALS,
        item_vectors=vectors(name),
        objective=lambda model: np.nanmean(ndcg(model, validation, inner_cold)),
        rng=seed,
    )
    stored = json.dumps(tuned.parameters)
    reference = stored
    if name != REFERENCE:
        same = (rows["encoder"] == REFERENCE) & (rows["seed"] == seed)
        reference = rows.loc[same, "parameters"].iloc[0]
    found = _found(name, seed, stored)
    against = evaluation.confidence_interval(found - _found(REFERENCE, seed, reference))
    return {
        "parameters": stored,
        "ndcg": np.nanmean(found),
        "minus_minilm": against.value,
        "low": against.low,
        "high": against.high,
        "dimensions": vectors(name).shape[1],
    }


def recompute(row):
    return {"ndcg": float(np.nanmean(_found(row["encoder"], int(row["seed"]), row["parameters"])))}


EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2", SMOLLM),
    units=[{"encoder": name, "seed": seed} for name in ENCODERS for seed in SEEDS],
    compute=compute,
    recompute=recompute,
    sample=(3, 146, 153),
    sources=("models/base.py", "models/content.py", "metrics/accuracy.py", "splits.py"),
)
