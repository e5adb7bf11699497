"""cold-items: films that nobody has rated yet, ranked by what is known of them, with and without the language model.

A fifth of the films with five or more ratings of at least 4 is taken out of the training data (seeds 0-7) and ranked,
alone, for every user. Hyper-parameters are chosen by holding out a fifth of the remaining, warm films in the same way.

The form of the kernel (which fields with which weights, x'y for sets, the damping of the target) was not chosen so: it
was settled in sight of the splits of MovieLens-100K. All kernels share it, the controls too, so that their differences
are fair; as a check, the rows that the argument rests on are repeated on eight more splits that nobody had looked at.
"""

from __future__ import annotations

import json
import time
from functools import lru_cache

import numpy as np
import pandas as pd

from recsys_lib import datasets, evaluation, metrics, models, splits, tuning
from recsys_lib.encoders import RemoveTopComponents, TextEncoder, TfidfEncoder
from recsys_lib.interactions import Interactions
from recsys_lib.results import Experiment
from recsys_lib.topk import TopK, best

N_TRIALS = 8
SEEDS, FRESH_SEEDS = range(8), range(8, 16)
YEAR_BANDWIDTH = 8  # films eight years apart are exp(-1/2) alike
METADATA = {"genre": 1.0, "year": 1.0, "people": 1.0, "language": 0.5}
TEXTS = {"title": 1.0, "title_genres": 1.0, "plot": 0.5, "names": 0.5}  # what the language model has read
SETS = ("people", "language")

# name -> (model, its item vectors: the name of one field, or the fields of a kernel with their weights)
REFERENCE, FULL, SHUFFLED = "kernel: metadata + TF-IDF", "kernel: metadata + text", "kernel: metadata + shuffled text"
NOT_PERSONAL, ORACLE = "kernel, the same list for all", "popularity (an oracle)"
MODELS = {
    REFERENCE: ("KernelRidgeContent", {**METADATA, "tfidf": 1.0}),
    "random": ("Random", None),
    ORACLE: (None, None),
    "genre, cosine": ("ContentProfile", "genre"),
    "text, cosine": ("ContentProfile", "title_genres"),
    "genre, centred cosine": ("ContentProfile", "genre_centred"),
    "text, centred cosine": ("ContentProfile", "title_genres_centred"),
    "text, neighbours": ("ContentKNN", "title_genres"),
    "genre, linear map": ("LinearTextMap", "genre"),
    "TF-IDF, linear map": ("LinearTextMap", "tfidf"),
    "text, linear map": ("LinearTextMap", "title_genres"),
    "text, L3AE": ("L3AE", "title_genres"),
    "kernel: metadata": ("KernelRidgeContent", METADATA),
    "kernel: text": ("KernelRidgeContent", TEXTS),
    "kernel: metadata + titles": ("KernelRidgeContent", {**METADATA, "title": 1.0, "title_genres": 1.0}),
    FULL: ("KernelRidgeContent", {**METADATA, **TEXTS}),
    SHUFFLED: ("KernelRidgeContent", {**METADATA, **TEXTS}),
    NOT_PERSONAL: ("KernelRidgeContent", {**METADATA, **TEXTS}),
}


# The larger set takes ten times as long a fit: it has the rows that the argument needs.
ON_BOTH = (
    REFERENCE,
    "random",
    ORACLE,
    "genre, linear map",
    "text, cosine",
    "text, centred cosine",
    "text, linear map",
    "kernel: metadata",
    FULL,
    SHUFFLED,
    NOT_PERSONAL,
)
ON_FRESH = tuple(name for name in ON_BOTH if name not in ("random", ORACLE, NOT_PERSONAL))


@lru_cache(maxsize=2)
def item_fields(name: str) -> dict[str, np.ndarray]:
    """Every field of content of a MovieLens set, rows in the order of `Dataset.items`."""
    dataset = datasets.load(name)
    encoder = TextEncoder()
    genre = dataset.genre_vectors
    genre = genre / np.maximum(np.linalg.norm(genre, axis=1, keepdims=True), 1e-12)
    year = dataset.items["year"].astype(float).fillna(0).to_numpy(np.float32)
    texts = encoder.encode(dataset.items["text"])
    return {
        "title": encoder.encode(dataset.items["title"]),
        "title_genres": texts,
        "title_genres_centred": RemoveTopComponents(0).fit_transform(texts),
        "tfidf": TfidfEncoder().encode(dataset.items["text"]),
        "genre": genre,
        "genre_centred": RemoveTopComponents(0).fit_transform(genre),
        "year": year[:, None] / (YEAR_BANDWIDTH * np.sqrt(2)),
        **{field: datasets.features(name, field)[0] for field in ("plot", "names", "people", "language")},
    }


def shuffled_texts(fields: dict[str, np.ndarray], rng=0) -> dict[str, np.ndarray]:
    """The control: what the language model read, but of another film (one permutation for all its fields)."""
    order = np.random.default_rng(rng).permutation(len(fields["title"]))
    return {**fields, **{field: fields[field][order] for field in TEXTS}}


def split(dataset: datasets.Dataset, seed: int):
    """(train, test, cold columns) and the same once more inside train, for tuning."""
    high = dataset.interactions[dataset.interactions["rating"] >= 4]
    outer = splits.cold_items(high, share=0.2, min_interactions=5, rng=seed)
    inner = splits.cold_items(outer.train, share=0.2, min_interactions=5, rng=seed)
    return _matrices(outer, dataset.items.index), _matrices(inner, dataset.items.index)


def _matrices(parts: splits.Split, items: pd.Index):
    train = Interactions.from_frame(parts.train, item_ids=items)
    test = Interactions.from_frame(parts.test[parts.test["user_id"].isin(train.user_ids)], train.user_ids, items)
    return train, test, np.flatnonzero(test.item_counts > 0)


@lru_cache(maxsize=1)
def _data(name: str, seed: int):
    return split(datasets.load(name), seed)


def content(name: str, dataset: str, seed: int):
    """(item vectors, constructor arguments) of a row of MODELS."""
    fields = item_fields(dataset)
    if name == SHUFFLED:
        fields = shuffled_texts(fields, seed)
    chosen = MODELS[name][1]
    if isinstance(chosen, dict):
        sets = [field for field in chosen if field in SETS]
        return {field: fields[field] for field in chosen}, {"field_weights": chosen, "linear_fields": sets}
    return (fields[chosen] if chosen else None), {}


def cold_lists(name: str, model, test: Interactions, cold: np.ndarray) -> TopK:
    """Ten cold items for every user: the model's, or of one of the two rows that know no user."""
    if name in (ORACLE, NOT_PERSONAL):
        score = test.item_counts if name == ORACLE else model.score(np.arange(test.n_users)).mean(axis=0)
        items, scores = best(np.tile(score[cold].astype(np.float32), (test.n_users, 1)), 10)
        return TopK(cold[items].astype(np.int32), scores)
    return model.recommend(k=10, items=cold)


def ndcg(name: str, model, test: Interactions, cold: np.ndarray) -> np.ndarray:
    return metrics.accuracy.ndcg(cold_lists(name, model, test, cold).items, test.matrix, k=10)


def fit(name: str, dataset: str, seed: int, parameters: dict):
    """A model of the table with its stored parameters, fitted on the warm items of a split."""
    if name == ORACLE:
        return None
    vectors, arguments = content(name, dataset, seed)
    model = getattr(models, MODELS[name][0])(**arguments, **parameters)
    return model.fit(_data(dataset, seed)[0][0], vectors)


@lru_cache(maxsize=1)
def _reference(dataset, seed, parameters):
    _, test, cold = _data(dataset, seed)[0]
    return ndcg(REFERENCE, fit(REFERENCE, dataset, seed, json.loads(parameters)), test, cold)


def compute(unit, rows):
    name, dataset, seed = unit["model"], unit["dataset"], unit["seed"]
    (_, test, cold), (inner, validation, inner_cold) = _data(dataset, seed)
    parameters, value = {}, np.nan
    if name == NOT_PERSONAL:  # what FULL found, averaged over the users
        parameters = json.loads(_stored(rows, dataset, seed, FULL))
    elif MODELS[name][0] in tuning.SPACES:
        vectors, arguments = content(name, dataset, seed)
        tuned = tuning.tune(
            MODELS[name][0],
            inner,
            validation,
            n_trials=N_TRIALS,
            item_vectors=vectors,
            arguments=arguments,
            objective=lambda model: np.nanmean(ndcg(name, model, validation, inner_cold)),
            rng=seed,
        )
        parameters = {key: found for key, found in tuned.parameters.items() if key not in arguments}
        value = tuned.value
    started = time.perf_counter()
    model = fit(name, dataset, seed, parameters)
    seconds = time.perf_counter() - started
    found = ndcg(name, model, test, cold)
    stored = json.dumps(parameters)
    reference = _reference(dataset, seed, stored if name == REFERENCE else _stored(rows, dataset, seed, REFERENCE))
    difference = evaluation.confidence_interval(found - reference)
    return {
        "parameters": stored,
        "validation_value": value,
        "ndcg": np.nanmean(found),
        "minus_reference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "n_users": int((~np.isnan(found)).sum()),
        "n_cold": len(cold),
        "fit_seconds": seconds,
    }


def _stored(rows, dataset, seed, name):
    same = (rows["dataset"] == dataset) & (rows["seed"] == seed) & (rows["model"] == name)
    return rows.loc[same, "parameters"].iloc[0]


def recompute(row):
    dataset, seed = row["dataset"], int(row["seed"])
    _, test, cold = _data(dataset, seed)[0]
    model = fit(row["model"], dataset, seed, json.loads(row["parameters"]))
    return {"ndcg": float(np.nanmean(ndcg(row["model"], model, test, cold)))}


UNITS = [
    {"dataset": dataset, "seed": seed, "model": name}
    for dataset in ("ml-100k", "ml-1m")
    for seed in SEEDS
    for name in MODELS
    if dataset == "ml-100k" or name in ON_BOTH
]
UNITS += [{"dataset": "ml-100k", "seed": seed, "model": name} for seed in FRESH_SEEDS for name in ON_FRESH]
EXPERIMENT = Experiment(
    data=("ml-100k", "ml-1m", "all-minilm-l6-v2"),
    units=UNITS,
    compute=compute,
    recompute=recompute,
    sample=(6, 10, 15, 33),
    sources=("models/base.py", "models/content.py", "models/linear.py", "metrics/accuracy.py", "splits.py"),
)
