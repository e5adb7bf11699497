"""modalities: what texts and posters add on MovieLens, for films that nobody has rated, for all, and for the tail.

Five splits each. "cold" is the split of `cold_items`: a fifth of the films is ranked, alone, for every user, by a
kernel ridge on the fields in the row's name. "warm" is protocol A of MovieLens-100K and ML1M-R of MovieLens-1M: EASE,
and EASE with a graph a modality (`GraphFusion`); `ndcg_tail` ranks the tail alone, the films outside the smallest set
that holds 80 % of the interactions.

A row is tuned on validation data, and then fitted three times with the parameters that were found: as it is; with its
last modality shuffled among the films that have it (films without a poster are the less known ones, and where there is
none must not be given away); and without its last modality. So what differs is the modality and nothing else: when row
and control were tuned apart, eight trials each, the luck of the draw was larger than what posters do. If the shared
parameters favour anyone, it is the row that they were tuned for. Only EASE, the row without any graph, has its own.
Differences are paired over users, whose figures are averaged over the five splits (and so over five shuffles) first.

Metadata are genre, year, people and language. Texts are what the language model has read: title, title with genres,
plot and names (cold), the first two (warm). Posters are EfficientNet-Lite0's features, reduced.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache

import numpy as np
import pandas as pd

from recsys_lib import datasets, evaluation, fusion, models, splits, tuning
from recsys_lib.experiments import cold_items, matrices
from recsys_lib.metrics import accuracy, intra_list
from recsys_lib.metrics.novelty import tail
from recsys_lib.results import Experiment

N_TRIALS, SEEDS = 8, range(5)
METADATA, TEXTS = cold_items.METADATA, cold_items.TEXTS
COLD = {"metadata": METADATA, "text": TEXTS, "poster": {"poster": 1.0}}  # a modality's fields and their weights
RANDOM, EASE = "random", "EASE"
ROWS = {
    "cold": (
        *(RANDOM, "metadata", "text", "poster", "text + poster"),
        *("metadata + text", "metadata + poster", "metadata + text + poster"),
    ),
    "warm": (EASE, "text", "poster", "text + poster"),
}
PROTOCOLS = {"ml-100k": "A", "ml-1m": "ML1M-R"}
WARM_SPACE = {
    "l2": tuning.LogUniform(30, 5000),
    "pull": tuning.LogUniform(3, 3000),
    "content_l2": tuning.LogUniform(0.3, 100),
}
SPACES = ("text", "poster", "genre")
AS_IT_IS, SHUFFLED, WITHOUT = "as it is", "shuffled", "without"


@cache
def fields(dataset: str) -> dict[str, np.ndarray]:
    """Every field of the items; "text", for the graphs, is the mean of the vectors of title and title with genres."""
    found = cold_items.item_fields(dataset)
    text = found["title"] + found["title_genres"]
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    return found | {"poster": datasets.features(dataset, "poster")[0], "text": text}


def content(name: str, dataset: str, part: str, seed: int, how: str = AS_IT_IS) -> dict[str, np.ndarray]:
    """The fields of a row; "shuffled" and "without" concern the last modality of its name."""
    modalities, every = name.split(" + "), fields(dataset)
    if how == WITHOUT:
        modalities = modalities[:-1]
    elif how == SHUFFLED and modalities[-1] == "poster":
        every = every | {"poster": fusion.shuffled(every["poster"], rng=seed)}
    elif how == SHUFFLED:
        every = cold_items.shuffled_texts(every, seed) | {"text": fusion.shuffled(every["text"], rng=seed)}
    names = [field for each in modalities for field in COLD[each]] if part == "cold" else modalities
    return {field: every[field] for field in names}


@lru_cache(maxsize=5)
def _data(dataset: str, part: str, seed: int):
    """((train, test, columns to rank, what to mask), the same inside train)."""
    found = datasets.load(dataset)
    if part == "cold":
        return tuple((*each, None) for each in cold_items.split(found, seed))
    protocol = PROTOCOLS[dataset]
    split = splits.protocol(protocol, found.interactions, seed)
    parts = (matrices(each, found.items.index) for each in (split, splits.validation(protocol, split, seed)))
    return tuple((train, test, None, seen) for train, test, seen in parts)


def _model(part: str, given: dict):
    """(class, its fixed arguments, what is tuned) for these fields."""
    if part == "warm":
        return (fusion.GraphFusion, {}, WARM_SPACE) if given else (models.EASE, {}, tuning.SPACES["EASE"])
    weights = {field: weight for every in COLD.values() for field, weight in every.items() if field in given}
    arguments = {"field_weights": weights, "linear_fields": [field for field in given if field in cold_items.SETS]}
    return models.KernelRidgeContent, arguments, tuning.SPACES["KernelRidgeContent"]


def _content(name, dataset, part, seed, how=AS_IT_IS):
    return {} if name in (RANDOM, EASE) else content(name, dataset, part, seed, how)


@lru_cache(maxsize=10)
def _parameters(name: str, dataset: str, part: str, seed: int) -> dict:
    if name == RANDOM:
        return {}
    inner, validation, columns, seen = _data(dataset, part, seed)[1]
    given = _content(name, dataset, part, seed)
    build, arguments, space = _model(part, given)

    def value(model):
        lists = model.recommend(k=10, items=columns, exclude=seen)
        return np.nanmean(accuracy.ndcg(lists.items, validation.matrix, k=10))

    settings = {"n_trials": N_TRIALS, "arguments": arguments, "space": space, "rng": seed}
    tuned = tuning.tune(build, inner, validation, item_vectors=given or None, objective=value, **settings)
    return {key: found for key, found in tuned.parameters.items() if key not in arguments}


@lru_cache(maxsize=6)
def _judged(name: str, dataset: str, part: str, chosen: str, how: str = AS_IT_IS) -> pd.DataFrame:
    """Figures of every user, averaged over the splits in which he can be judged: one column a figure."""
    found = []
    for seed, parameters in zip(SEEDS, json.loads(chosen), strict=True):
        train, test, columns, seen = _data(dataset, part, seed)[0]
        given = _content(name, dataset, part, seed, how)
        build, arguments, _ = (models.Random, {}, {}) if name == RANDOM else _model(part, given)
        model = build(**arguments, **parameters).fit(train, given or None)
        lists = model.recommend(k=10, items=columns, exclude=seen).items
        figures = {"ndcg": accuracy.ndcg(lists, test.matrix, 10)}
        if part == "warm":
            in_tail = tail(train.item_counts)
            of_tail = model.recommend(k=10, items=np.flatnonzero(in_tail), exclude=seen).items
            figures["ndcg_tail"] = accuracy.ndcg(of_tail, fusion.without(test, np.flatnonzero(~in_tail)).matrix, 10)
        figures |= {f"ild_{space}": intra_list.ild(lists, fields(dataset)[space], 10) for space in SPACES}
        found.append(pd.DataFrame(figures, index=train.user_ids))
    return pd.concat(found).groupby(level=0).mean()


def compute(unit, rows):
    dataset, part, name = unit["dataset"], unit["part"], unit["model"]
    chosen = json.dumps([_parameters(name, dataset, part, seed) for seed in SEEDS])
    mine = _judged(name, dataset, part, chosen)
    row = {"parameters": chosen, **mine.mean().to_dict(), "n_users": int(mine["ndcg"].notna().sum())}
    others = {}
    if name.endswith(("text", "poster")):
        others[SHUFFLED] = _judged(name, dataset, part, chosen, SHUFFLED)
    if " + " in name:
        others[WITHOUT] = _judged(name, dataset, part, chosen, WITHOUT)
    elif part == "warm" and name != EASE:
        own = rows.loc[rows["dataset"].eq(dataset) & rows["model"].eq(EASE), "parameters"].iloc[0]
        others[WITHOUT] = _judged(EASE, dataset, part, own)
    for what, theirs in others.items():
        for figure in [figure for figure in ("ndcg", "ndcg_tail") if figure in mine]:
            over = evaluation.confidence_interval(mine[figure] - theirs[figure])
            ends = ("", "_low", "_high")
            row |= {f"{figure}_over_{what}{end}": value for end, value in zip(ends, over, strict=True)}
            row[f"{figure}_{what}"] = theirs[figure].mean()
    return row


def recompute(row):
    found = _judged(row["model"], row["dataset"], row["part"], row["parameters"])
    return {figure: float(found[figure].mean()) for figure in found}


EXPERIMENT = Experiment(
    data=("ml-100k", "ml-1m", "all-minilm-l6-v2"),
    units=[
        {"dataset": dataset, "part": part, "model": name}
        for dataset, part, names in (
            ("ml-100k", "cold", ROWS["cold"]),
            ("ml-100k", "warm", ROWS["warm"]),
            ("ml-1m", "cold", ("metadata + text + poster",)),
            ("ml-1m", "warm", ROWS["warm"]),
        )
        for name in names
    ],
    compute=compute,
    recompute=recompute,
    sample=(3,),
    sources=(
        *("fusion/early.py", "fusion/graph.py", "fusion/knockout.py", "fusion/late.py"),
        *("models/base.py", "models/content.py", "models/linear.py", "metrics", "splits.py"),
    ),
)
