"""literature: both camps of a published table on MovieLens-100K, ours beside them, on splits that are NOT the same.

The table: IDSNR, MovieLens, in the material of Shehzad, Ferrari Dacrema & Jannach (SIGIR 2025, arXiv:2501.10143). Their
split came as a binary file with the code of IDS4NR (Qian et al., TKDE 2022) whose text does not say how it was made; it
is not redistributed here. Known of it: 943 users, 1,682 films, all 100,000 ratings count as interactions, every user is
tested. Two protocols that the text supports stand in for it, a fifth of each user's ratings at random (R20) and the
last fifth by time (T20). The published recall of EASE lies between theirs, its coverage does not: no figure of one is a
target on another. What can be asked on each is the same question: at the recall of tuned EASE on that split, how much
of the catalogue is shown?

Definitions are theirs: recall and precision per user, coverage@10 = share of all films that occur in any list,
novelty@10 = sum over a list of -log2(share of the training interactions) / number of films, mean over users.

A row is a published one, a model as it comes, or a model with exposures spread by `rerank.joint` at one of nine
weights; `chosen` marks the weight that validation chooses: most coverage at a recall of at least EASE's there.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache

import numpy as np

from recsys_lib import datasets, evaluation, models, rerank, splits, tuning
from recsys_lib.encoders import TextEncoder
from recsys_lib.experiments import blend, matrices
from recsys_lib.results import Experiment
from recsys_lib.topk import TopK

PUBLISHED = {  # recall, coverage, novelty at 10; the last two are the intent-aware models
    "TopPop": (0.087, 0.040, 0.046),
    "ItemKNN": (0.141, 0.080, 0.048),
    "UserKNN": (0.110, 0.055, 0.047),
    "P3alpha": (0.162, 0.153, 0.049),
    "RP3beta": (0.174, 0.220, 0.050),
    "EASE": (0.185, 0.250, 0.050),
    "IDS4NR, NCF": (0.138, 0.539, 0.060),
    "IDS4NR, LFM": (0.138, 0.486, 0.062),
}
SPLITS = ("R20", "T20")
N_TRIALS = 5
MODELS = ("EASE", "Popularity", "ItemKNN", "UserKNN", "RP3beta", "Blend")
SPREAD = ("EASE", "Blend")
WEIGHTS = tuple(float(f"{weight:.3g}") for weight in np.geomspace(0.003, 0.3, 9))
WIDTH = 1000
FIGURES = ("recall", "precision", "ndcg", "coverage", "exposed_5")


@lru_cache(maxsize=1)
def dataset():
    found = datasets.load("ml-100k")
    return found, {"text": TextEncoder().encode(found.items["text"]), "genre": found.genre_vectors}


def split_of(name: str, frame) -> splits.Split:
    return splits.random_per_user(frame, test_share=0.2) if name == "R20" else splits.temporal_per_user(frame)


@lru_cache(maxsize=2)
def data(name: str):
    """((train, test, seen), the same inside train for validation)."""
    found, _ = dataset()
    split = split_of(name, found.interactions)
    return tuple(matrices(each, found.items.index) for each in (split, split_of(name, split.train)))


@cache
def parameters(name: str, split: str) -> str:
    if name == "Blend":  # it chooses its weights inside fit
        return json.dumps({"holdout": "latest" if split == "T20" else "random"})
    train, validation, _ = data(split)[1]
    return json.dumps(tuning.tune(name, train, validation, n_trials=N_TRIALS).parameters)


@lru_cache(maxsize=8)
def candidates(name: str, split: str, chosen: str, validation: bool) -> TopK:
    model = getattr(models, name)(**json.loads(chosen))
    model.fit(data(split)[int(validation)][0], dataset()[1] if name == "Blend" else None)
    return model.recommend(k=WIDTH)


@cache
def report(name: str, split: str, chosen: str, weight: float, validation: bool = False) -> evaluation.Report:
    """Of the model's lists, exposures spread with `weight` (0: as they come)."""
    train, test, _ = data(split)[int(validation)]
    return evaluation.evaluate(lists(name, split, chosen, weight, validation), train, test)


def lists(name: str, split: str, chosen: str, weight: float, validation: bool) -> TopK:
    found = candidates(name, split, chosen, validation)
    return rerank.joint(found, catalogue=weight) if weight else found.head(10)


def novelty(items: np.ndarray, item_counts: np.ndarray) -> float:
    """Theirs: mean over lists of the sum of -log2(count / all interactions), divided by the number of items.

    Films without an interaction do not occur in their training matrix; here they count as having one.
    """
    share = np.maximum(item_counts, 1) / item_counts.sum()
    return float(-np.log2(share)[items].sum(axis=1).mean() / len(item_counts))


def compute(unit, rows):
    split, name, weight = unit.values()
    if split == "published":
        return dict(zip(("recall", "coverage", "novelty"), PUBLISHED[name], strict=True))
    chosen = parameters(name, split)
    row = {"parameters": chosen, "n_trials": 0 if name == "Blend" else len(tuning.trials(name, N_TRIALS))}
    row |= figures(name, split, chosen, weight)
    ease = parameters("EASE", split)
    pair = {"theirs": report(name, split, chosen, weight), "ours": report("EASE", split, ease, 0)}
    found = evaluation.compare(pair, "ours", ["recall"]).loc[("theirs", "recall")]
    row |= {f"recall_{end}": found[end] for end in ("difference", "low", "high")}
    if name in SPREAD:
        floor = report("EASE", split, ease, 0, True).summary["recall"]
        tried = {each: report(name, split, chosen, each, True).summary for each in (0, *WEIGHTS)}
        kept = {each: found["coverage"] for each, found in tried.items() if found["recall"] >= floor}
        row["chosen"] = int(bool(kept) and weight == max(kept, key=kept.get))
    return row


def figures(name: str, split: str, chosen: str, weight: float) -> dict[str, float]:
    summary = report(name, split, chosen, weight).summary
    shown = lists(name, split, chosen, weight, False)
    row = {figure: float(summary[figure]) for figure in FIGURES}
    return row | {"novelty": novelty(shown.items, data(split)[0][0].item_counts)}


def recompute(row):
    return figures(row["model"], row["split"], row["parameters"], float(row["weight"]))


EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=[
        *({"split": "published", "model": name, "weight": 0.0} for name in PUBLISHED),
        *({"split": split, "model": name, "weight": 0.0} for split in SPLITS for name in MODELS),
        *(
            {"split": split, "model": name, "weight": weight}
            for split in SPLITS
            for name in SPREAD
            for weight in WEIGHTS
        ),
    ],
    compute=compute,
    recompute=recompute,
    sample=(8, 20),
    sources=(*blend.SOURCES, "rerank"),
)
