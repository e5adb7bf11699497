"""lambda-beta: the repaired objective on real data, beside EASE, L3AE and iALS, with shuffled text as control.

MovieLens-100K, protocols A (three splits) and Bu (one). Every row is tuned on the validation part of each split with
the same number of trials, refitted, and tested once. Intervals are paired, over users; on A a user's three splits are
averaged first.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache

import numpy as np
import pandas as pd

from recsys_lib import datasets, evaluation, models, results, splits, tuning
from recsys_lib.encoders import TextEncoder
from recsys_lib.experiments import matrices
from recsys_lib.results import Experiment

N_TRIALS = 10
SEEDS = {"A": (0, 1, 2), "Bu": (0,)}
REFERENCE, LEARNED, SHUFFLED = "EASE", "lambda-beta, softmax", "lambda-beta, softmax, shuffled text"
IALS, IALS_SHUFFLED, IALS_ALONE = "feature iALS", "feature iALS, shuffled text", "feature iALS, no text"
# name -> (model, fixed arguments, which text it reads)
MODELS = {
    REFERENCE: ("EASE", {}, None),
    "Random": ("Random", {}, None),
    "Popularity": ("Popularity", {}, None),
    "content profile": ("ContentProfile", {}, "text"),
    "L3AE": ("L3AE", {}, "text"),
    "ALS": ("ALS", {}, None),
    IALS: ("FeatureIALS", {}, "text"),
    IALS_SHUFFLED: ("FeatureIALS", {}, "shuffled"),
    IALS_ALONE: ("FeatureIALS", {}, None),
    LEARNED: ("LambdaBetaRecommender", {}, "text"),
    SHUFFLED: ("LambdaBetaRecommender", {}, "shuffled"),
    "lambda-beta, pairwise": ("LambdaBetaRecommender", {"loss": "pairwise"}, "text"),
    "lambda-beta, squared": ("LambdaBetaRecommender", {"loss": "squared", "temperature": 1.0}, "text"),
}
SPACES = ("genre", "text", "plot")
BASELINES = {REFERENCE: "ease", "content profile": "profile", "L3AE": "l3ae"}
FIGURES = ("ndcg", *(f"ild_{space}" for space in SPACES), "coverage", "exposed_5", "gini", "novelty")
COMPARED = ("ndcg", *(f"ild_{space}" for space in SPACES))


@lru_cache(maxsize=1)
def dataset() -> tuple[datasets.Dataset, dict[str, np.ndarray]]:
    """ML-100K and the spaces in which lists are judged; nothing optimises the plots."""
    found = datasets.load("ml-100k")
    text = TextEncoder().encode(found.items["text"])
    return found, {"genre": found.genre_vectors, "text": text, "plot": datasets.features("ml-100k", "plot")[0]}


@lru_cache(maxsize=4)
def data(protocol: str, seed: int):
    """((train, test, seen), the same inside train for validation)."""
    found, _ = dataset()
    split = splits.protocol(protocol, found.interactions, seed)
    inner = splits.validation(protocol, split, seed)
    return matrices(split, found.items.index), matrices(inner, found.items.index)


def vectors(kind: str | None, seed: int) -> np.ndarray | None:
    """The text vectors, those of a random other film (the control), or None."""
    if kind is None:
        return None
    text = dataset()[1]["text"]
    return text[np.random.default_rng(seed).permutation(len(text))] if kind == "shuffled" else text


def build(name: str, parameters: dict) -> models.Recommender:
    class_name, arguments, _ = MODELS[name]
    return getattr(models, class_name)(**arguments, **parameters)


def report(model, protocol: str, seed: int, *, validation: bool = False) -> evaluation.Report:
    """The report of a fitted model on the test (or validation) part of a split."""
    seen = data(protocol, seed)[int(validation)][2]
    return judge(model.recommend(k=10, exclude=seen), protocol, seed, validation=validation)


def judge(lists, protocol: str, seed: int, *, validation: bool = False) -> evaluation.Report:
    found, spaces = dataset()
    train, test, _ = data(protocol, seed)[int(validation)]
    return evaluation.evaluate(lists, train, test, spaces, item_facets=found.genre_vectors)


def learned_parameters(protocol: str) -> dict:
    """What the stored table holds for the learned model on split 0; the grid and the diversity terms build on it."""
    stored = results.load("lambda-beta").set_index(["protocol", "model"])
    return json.loads(json.loads(stored.loc[(protocol, LEARNED), "parameters"])[0])


@cache
def tested(name: str, protocol: str, seed: int, parameters: str) -> tuple[evaluation.Report, models.Recommender]:
    model = build(name, json.loads(parameters)).fit(data(protocol, seed)[0][0], vectors(MODELS[name][2], seed))
    return report(model, protocol, seed), model


def tuned(name: str, protocol: str, seed: int) -> tuple[str, float]:
    """The best of N_TRIALS parameter sets on the validation part, as JSON, and its value."""
    class_name, arguments, kind = MODELS[name]
    train, validation, seen = data(protocol, seed)[1]
    found = tuning.tune(
        class_name,
        train,
        validation,
        n_trials=N_TRIALS,
        exclude=seen,
        item_vectors=vectors(kind, seed),
        arguments=arguments,
        rng=seed,
    )
    return json.dumps({key: value for key, value in found.parameters.items() if key not in arguments}), found.value


def averaged(reports: list[evaluation.Report]) -> evaluation.Report:
    """One report from those of several splits: a user's figures are averaged over the splits where they exist."""
    together = pd.concat([each.per_user for each in reports])
    per_user = together.groupby(level=0, sort=True).mean()
    summary = pd.concat([each.summary for each in reports], axis=1).mean(axis=1)
    return evaluation.Report(summary, per_user, sum(each.exposure for each in reports), reports[0].k)


def against(theirs: list, ours: list, prefix: str) -> dict[str, float]:
    """Mean differences theirs - ours of the compared figures, with 95 % paired intervals over users."""
    table = evaluation.compare(
        {"theirs": averaged(theirs), "ours": averaged(ours)}, "ours", metrics=list(COMPARED)
    ).loc["theirs"]
    row = {}
    for figure in COMPARED:
        row[f"{figure}_minus_{prefix}"] = table.loc[figure, "difference"]
        row[f"{figure}_low_{prefix}"], row[f"{figure}_high_{prefix}"] = table.loc[figure, ["low", "high"]]
    return row


def compute(unit, rows):
    name, protocol = unit["model"], unit["protocol"]
    found = [tuned(name, protocol, seed) for seed in SEEDS[protocol]]
    chosen = [parameters for parameters, _ in found]
    reports = _reports(name, protocol, chosen)
    row = {"parameters": json.dumps(chosen), "validation_value": float(np.mean([value for _, value in found]))}
    row |= {figure: float(np.mean([each.summary[figure] for each in reports])) for figure in FIGURES}
    done = set(rows.loc[rows["protocol"] == protocol, "model"]) if len(rows) else set()
    for other, column in BASELINES.items():  # a row that comes before a baseline is not compared with it
        if other in done | {name}:
            row |= against(reports, reports if other == name else _stored(rows, protocol, other), column)
    for control, of in ((SHUFFLED, LEARNED), (IALS_SHUFFLED, IALS)):
        if name == control:  # text minus shuffled text stands in the control's row, with its sign turned
            row |= against(_stored(rows, protocol, of), reports, "shuffled")
    if MODELS[name][0] == "LambdaBetaRecommender":
        fitted = [tested(name, protocol, seed, each)[1] for seed, each in zip(SEEDS[protocol], chosen, strict=True)]
        row["lambda"], row["beta"] = (float(np.mean([getattr(m, key) for m in fitted])) for key in ("lambda_", "beta_"))
        shares = np.mean([m.contributions() / m.contributions().sum() for m in fitted], axis=0)
        row |= dict(zip(("share_content", "share_user", "share_related"), shares, strict=True))
    return row


def _reports(name, protocol, chosen) -> list[evaluation.Report]:
    return [tested(name, protocol, seed, each)[0] for seed, each in zip(SEEDS[protocol], chosen, strict=True)]


def _stored(rows, protocol, name) -> list[evaluation.Report]:
    same = (rows["model"] == name) & (rows["protocol"] == protocol)
    return _reports(name, protocol, json.loads(rows.loc[same, "parameters"].iloc[0]))


def recompute(row):
    reports = _reports(row["model"], row["protocol"], json.loads(row["parameters"]))
    return {figure: float(np.mean([each.summary[figure] for each in reports])) for figure in FIGURES}


UNITS = [{"protocol": protocol, "model": name} for protocol in SEEDS for name in MODELS]
SOURCES = (
    "models/als.py",
    "models/base.py",
    "models/content.py",
    "models/feature_ials.py",
    "models/lambda_beta.py",
    "models/linear.py",
    "models/list_losses.py",
    "models/simple.py",
    "metrics",
    "splits.py",
)
EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=UNITS,
    compute=compute,
    recompute=recompute,
    sample=(0, 6, 19),  # EASE, and feature iALS on both protocols: seconds
    sources=SOURCES,
)
