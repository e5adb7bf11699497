"""modalities: what texts and posters add on MovieLens, for films that nobody has rated, for all, and for the tail.

Five splits each. "cold" is the split of `cold_items`: a fifth of the films is ranked, alone, for every user, by a
kernel ridge on the fields in the row's name. "warm" is protocol A of MovieLens-100K: EASE, and EASE with a
graph a modality (`GraphFusion`); `ndcg_tail` ranks the tail alone, the films outside the smallest set that holds 80 %
of the interactions. Every row is tuned on validation data with the same number of trials, its control too.

The control of a modality is the same model with that modality's rows shuffled, among the films that have it: films
without a poster are the less known ones, and where there is none must not be given away. The `over` columns are a
row's paired difference to its control, and to the row with that modality left out ("base"), over users, whose figures
are averaged over the five splits first.

Texts are what the language model has read: title, title with genres, plot, names (cold), the first two (warm). They
hold the genre words, as the metadata do. Posters are EfficientNet-Lite0's features, reduced.
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
POSTER = {"poster": 1.0}
COLD = {  # name -> the fields of the kernel and their weights
    "text": TEXTS,
    "poster": POSTER,
    "text + poster": {**TEXTS, **POSTER},
    "metadata": METADATA,
    "metadata + text": {**METADATA, **TEXTS},
    "metadata + poster": {**METADATA, **POSTER},
    "metadata + text + poster": {**METADATA, **TEXTS, **POSTER},
}
WARM = {"EASE": (), "text": ("text",), "poster": ("poster",), "text + poster": ("text", "poster")}
WARM_SPACE = {
    "l2": tuning.LogUniform(30, 5000),
    "pull": tuning.LogUniform(3, 3000),
    "content_l2": tuning.LogUniform(0.3, 100),
}
# row -> the row with one modality less
BASES = {
    "cold": {
        "metadata + text": "metadata",
        "metadata + poster": "metadata",
        "text + poster": "text",
        "metadata + text + poster": "metadata + text",
    },
    "warm": {"text": "EASE", "poster": "EASE", "text + poster": "text"},
}
SPACES = ("text", "poster", "genre")
# row -> its control, in which one modality is shuffled; a control comes before the row that it is for
CONTROLS = {
    "text": "text, shuffled",
    "poster": "poster, shuffled",
    "metadata + poster": "metadata + poster, shuffled",
    "text + poster": "text + poster, shuffled",
    "metadata + text": "metadata + text, shuffled",
    "metadata + text + poster": "metadata + text + poster, shuffled",
}
PROTOCOL = {"ml-100k": "A", "ml-1m": "ML1M-R"}


@cache
def fields(dataset: str) -> dict[str, np.ndarray]:
    """Every modality of the items; "text" for the graphs is the mean of the vectors of title and title with genres."""
    found = cold_items.item_fields(dataset)
    text = found["title"] + found["title_genres"]
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    return found | {"poster": datasets.features(dataset, "poster")[0], "text": text}


def content(name: str, dataset: str, seed: int, part: str) -> dict[str, np.ndarray]:
    """The modalities of a row; in a control the last modality of its name tells of other films."""
    plain, every = name.removesuffix(", shuffled"), fields(dataset)
    if plain != name and plain.endswith("poster"):
        every = every | {"poster": fusion.shuffled(every["poster"], rng=seed)}
    elif plain != name:
        every = cold_items.shuffled_texts(every, seed) | {"text": fusion.shuffled(every["text"], rng=seed)}
    return {field: every[field] for field in (COLD if part == "cold" else WARM)[plain]}


@lru_cache(maxsize=2)
def _data(dataset: str, seed: int, part: str):
    """((train, test, columns to rank, what to mask), the same inside train)."""
    if part == "cold":
        return tuple((*each, None) for each in cold_items.split(datasets.load(dataset), seed))
    found = datasets.load(dataset)
    split = splits.protocol(PROTOCOL[dataset], found.interactions, seed)
    inner = splits.validation(PROTOCOL[dataset], split, seed)
    parts = (matrices(each, found.items.index) for each in (split, inner))
    return tuple((train, test, None, seen) for train, test, seen in parts)


def _model(name: str, part: str):
    """(class, its fixed arguments, what is tuned)."""
    name = name.removesuffix(", shuffled")
    if part == "cold":
        sets = [field for field in COLD[name] if field in cold_items.SETS]
        arguments = {"field_weights": COLD[name], "linear_fields": sets}
        return "KernelRidgeContent", arguments, tuning.SPACES["KernelRidgeContent"]
    if name == "EASE":
        return "EASE", {}, tuning.SPACES["EASE"]
    return fusion.GraphFusion, {}, WARM_SPACE


@lru_cache(maxsize=40)
def _parameters(name: str, dataset: str, part: str, seed: int) -> dict:
    inner, validation, columns, seen = _data(dataset, seed, part)[1]
    build, arguments, space = _model(name, part)
    settings = {"n_trials": N_TRIALS, "arguments": arguments, "space": space, "rng": seed}
    vectors = content(name, dataset, seed, part) or None

    def value(model):
        lists = model.recommend(k=10, items=columns, exclude=seen)
        return np.nanmean(accuracy.ndcg(lists.items, validation.matrix, k=10))

    tuned = tuning.tune(build, inner, validation, item_vectors=vectors, objective=value, **settings)
    return {key: found for key, found in tuned.parameters.items() if key not in arguments}


@lru_cache(maxsize=4)
def _judged(name: str, dataset: str, part: str, chosen: str) -> pd.DataFrame:
    """Figures of every user, averaged over the splits in which he can be judged: one column a figure."""
    found = []
    for seed, parameters in zip(SEEDS, json.loads(chosen), strict=True):
        train, test, columns, seen = _data(dataset, seed, part)[0]
        build, arguments, _ = _model(name, part)
        build = build if isinstance(build, type) else getattr(models, build)
        model = build(**arguments, **parameters).fit(train, content(name, dataset, seed, part) or None)
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
    chosen = {name: json.dumps([_parameters(name, dataset, part, seed) for seed in SEEDS])}
    mine = _judged(name, dataset, part, chosen[name])
    row = {"parameters": chosen[name], **mine.mean().to_dict(), "n_users": int(mine["ndcg"].notna().sum())}
    for label, other in (("control", CONTROLS.get(name)), ("base", BASES[part].get(name))):
        if other is None:
            continue
        same = (rows["dataset"] == dataset) & (rows["part"] == part) & (rows["model"] == other)
        theirs = _judged(other, dataset, part, rows.loc[same, "parameters"].iloc[0])
        for figure in ("ndcg", *(["ndcg_tail"] if part == "warm" else [])):
            over = evaluation.confidence_interval(mine[figure] - theirs[figure])
            row |= dict(
                zip((f"{figure}_over_{label}", f"{figure}_{label}_low", f"{figure}_{label}_high"), over, strict=True)
            )
    return row


def recompute(row):
    found = _judged(row["model"], row["dataset"], row["part"], row["parameters"])
    return {figure: float(found[figure].mean()) for figure in found}


def _units(dataset: str, part: str, names) -> list[dict]:
    """Every row after its control, and after the row that it is compared with."""
    ordered = []
    for name in names:
        ordered += [other for other in (CONTROLS.get(name), name) if other is not None]
    return [{"dataset": dataset, "part": part, "model": name} for name in ordered]


EXPERIMENT = Experiment(
    data=("ml-100k", "ml-1m", "all-minilm-l6-v2"),
    units=[
        *_units("ml-100k", "cold", COLD),
        *_units("ml-100k", "warm", WARM),
        *_units("ml-1m", "cold", ("metadata", "metadata + text", "metadata + text + poster")),
    ],
    compute=compute,
    recompute=recompute,
    sample=(3,),
    sources=(
        *("fusion/early.py", "fusion/graph.py", "fusion/knockout.py", "fusion/late.py"),
        *("models/base.py", "models/content.py", "models/linear.py", "metrics", "splits.py"),
    ),
)
