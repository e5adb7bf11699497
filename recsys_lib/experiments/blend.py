"""blend: the relevance model worth diversifying, beside tuned EASE, its own members, and itself with shuffled content.

MovieLens-100K on protocols A (three splits) and Bu, MovieLens-1M on ML1M-R. EASE is tuned on the validation part of
each split (10 trials); the blend and its members are taken as they come, for the blend chooses its weights inside
`fit`, on interactions that it holds out of the training part. Intervals are paired, over users; on A a user's splits
are averaged first. The re-ranking experiments build on the models of this one.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache

import numpy as np

from recsys_lib import datasets, evaluation, models, results, splits, tuning
from recsys_lib.encoders import TextEncoder
from recsys_lib.experiments import matrices
from recsys_lib.experiments.lambda_beta import averaged
from recsys_lib.models.blend import Member, default_members
from recsys_lib.results import Experiment

N_TRIALS = 10
PROTOCOLS = {"A": ("ml-100k", (0, 1, 2)), "Bu": ("ml-100k", (0,)), "ML1M-R": ("ml-1m", (0,))}
REFERENCE, OWN, SHUFFLED, UNORDERED = "EASE", "Blend", "Blend, shuffled content", "Blend, order not used"
MODELS = {
    "A": (REFERENCE, "Popularity", "FeatureIALS", "WARPFactorization", "MultVAE", OWN, SHUFFLED),
    "Bu": (
        *(REFERENCE, "Popularity", "FeatureIALS", "WARPFactorization", "MultVAE", "FadingEASE"),
        *(OWN, UNORDERED, SHUFFLED),
    ),
    "ML1M-R": (REFERENCE, "Popularity", OWN),
}
READS = {"FeatureIALS": "text", "WARPFactorization": "genre"}
SPACES = ("genre", "text", "plot")
FIGURES = ("ndcg", "recall", *(f"ild_{space}" for space in SPACES), "coverage", "exposed_5", "gini", "novelty")


@lru_cache(maxsize=2)
def dataset(name: str) -> tuple[datasets.Dataset, dict[str, np.ndarray]]:
    """A data set and the spaces in which lists are judged; nothing optimises the plots."""
    found = datasets.load(name)
    text = TextEncoder().encode(found.items["text"])
    return found, {"genre": found.genre_vectors, "text": text, "plot": datasets.features(name, "plot")[0]}


@lru_cache(maxsize=4)
def data(protocol: str, seed: int):
    """((train, test, seen), the same inside train for validation)."""
    found, _ = dataset(PROTOCOLS[protocol][0])
    split = splits.protocol(protocol, found.interactions, seed)
    inner = splits.validation(protocol, split, seed)
    return matrices(split, found.items.index), matrices(inner, found.items.index)


def spaces(protocol: str) -> dict[str, np.ndarray]:
    return dataset(PROTOCOLS[protocol][0])[1]


@cache
def tuned_l2(protocol: str, seed: int) -> float:
    """EASE's regularisation: stored, or the best of N_TRIALS on the validation part."""
    if results.path("blend").is_file():
        rows = results.load("blend").set_index(["protocol", "model"])
        if (protocol, REFERENCE) in rows.index:
            return json.loads(rows.loc[(protocol, REFERENCE), "parameters"])[PROTOCOLS[protocol][1].index(seed)]
    train, validation, seen = data(protocol, seed)[1]
    found = tuning.tune("EASE", train, validation, n_trials=N_TRIALS, exclude=seen, rng=seed)
    return found.parameters.get("l2", models.EASE().l2)


def build(name: str, protocol: str, seed: int) -> models.Recommender:
    holdout = "latest" if protocol == "Bu" else "random"
    if name == REFERENCE:
        return models.EASE(l2=tuned_l2(protocol, seed))
    if name == "EASE, probability":
        return models.HitProbability(models.EASE(l2=tuned_l2(protocol, seed)), holdout=holdout)
    if name == OWN and protocol == "ML1M-R":  # six times the users: fewer passes over them
        members = default_members(spaces(protocol), "random") | {"MultVAE": Member(models.MultVAE(epochs=20))}
        return models.Blend(members=members)
    if name in (OWN, SHUFFLED):
        return models.Blend(holdout=holdout, min_rating=4.0 if protocol == "Bu" else None)
    if name == UNORDERED:
        return models.Blend(holdout="random")
    return getattr(models, name)()


@lru_cache(maxsize=20)
def fitted(name: str, protocol: str, seed: int, validation: bool = False) -> models.Recommender:
    vectors = {space: spaces(protocol)[space] for space in ("text", "genre")}
    if name == SHUFFLED:
        other = np.random.default_rng(seed).permutation(len(vectors["text"]))
        vectors = {space: values[other] for space, values in vectors.items()}
    reads = vectors if name in (OWN, SHUFFLED, UNORDERED) else vectors.get(READS.get(name))
    train, _, seen = data(protocol, seed)[int(validation)]
    model = build(name, protocol, seed)
    return model.fit(seen if getattr(model, "min_rating", None) else train, reads)


def judge(lists, protocol: str, seed: int, *, validation: bool = False) -> evaluation.Report:
    train, test, _ = data(protocol, seed)[int(validation)]
    facets = dataset(PROTOCOLS[protocol][0])[0].genre_vectors
    return evaluation.evaluate(lists, train, test, spaces(protocol), item_facets=facets)


@cache
def reports(name: str, protocol: str, validation: bool = False) -> list[evaluation.Report]:
    """Of the lists before any re-ranking, one a split."""
    found = []
    for seed in PROTOCOLS[protocol][1]:
        model = fitted(name, protocol, seed, validation)
        lists = model.recommend(k=10, exclude=data(protocol, seed)[int(validation)][2])
        found.append(judge(lists, protocol, seed, validation=validation))
    return found


def compute(unit, rows):
    name, protocol = unit["model"], unit["protocol"]
    row = {"parameters": ""}
    if name == REFERENCE:
        row["parameters"] = json.dumps([tuned_l2(protocol, seed) for seed in PROTOCOLS[protocol][1]])
    row["weights"] = ""
    if name in (OWN, SHUFFLED, UNORDERED):
        weights = [fitted(name, protocol, seed).weights_ for seed in PROTOCOLS[protocol][1]]
        row["weights"] = json.dumps((sum(weights) / len(weights)).round(3).to_dict())
    row |= figures(reports(name, protocol))
    if name in (REFERENCE, OWN):  # a lead is no constant: budgets relative to EASE rest on it
        row["ndcg_validation"] = figures(reports(name, protocol, True))["ndcg"]
    compared = {"ndcg": REFERENCE} | (
        {"ndcg_shuffled": SHUFFLED} if name == OWN and SHUFFLED in MODELS[protocol] else {}
    )
    for column, other in compared.items():
        pair = {"theirs": averaged(reports(name, protocol)), "ours": averaged(reports(other, protocol))}
        table = evaluation.compare(pair, "ours", ["ndcg"]).loc[("theirs", "ndcg")]
        row |= {f"{column}_{end}": table[end] for end in ("difference", "low", "high")}
    return row


def figures(found: list[evaluation.Report]) -> dict[str, float]:
    return {figure: float(np.mean([each.summary[figure] for each in found])) for figure in FIGURES}


def recompute(row):
    return figures(reports(row["model"], row["protocol"]))


SOURCES = (
    "models/base.py",
    "models/blend.py",
    "models/content.py",
    "models/feature_ials.py",
    "models/linear.py",
    "models/mult_vae.py",
    "models/neighbours.py",
    "models/probability.py",
    "models/recency.py",
    "models/simple.py",
    "models/warp.py",
    "metrics",
    "splits.py",
)
EXPERIMENT = Experiment(
    data=("ml-100k", "ml-1m", "all-minilm-l6-v2"),
    units=[{"protocol": protocol, "model": name} for protocol, names in MODELS.items() for name in names],
    compute=compute,
    recompute=recompute,
    sample=(0, 12),
    sources=SOURCES,
)
