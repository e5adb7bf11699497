"""two-stage: a boosted ranker over the candidates of several models, with and without context, and what context adds.

The industry's usual shape. Stage one: six quick models score everything; the 100 films of each user with the best mean
of standardised scores are the candidates. Stage two: gradient-boosted trees (scikit-learn) say which of them will be
taken. The trees are trained inside the training part: the models are fitted on most of it, the labels are what was
held out (a random quarter, or the latest fifth where the protocol predicts the future); then the models are fitted
anew on all of it and the trees rank their candidates.

Rows: the first stage as it comes; trees that read the scores alone; trees that read the context too; and trees that
read another user's and another film's context, which have as many columns and know nothing. Context: how popular the
film is, lately too, its year and mean rating, how long it had been around when the user was last seen; the user's
history length, mean rating, age, gender and occupation. One setting of the trees for all rows: beside each score its
rank in the user's list, and the chance may only rise with either; without that the trees that read scores alone fall
below the first stage (seen on A's split 1, which is not reported).
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import pairwise

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from recsys_lib import models
from recsys_lib.experiments import blend
from recsys_lib.experiments.blend import OWN, REFERENCE
from recsys_lib.experiments.leaderboard import FIGURES, against
from recsys_lib.interactions import Interactions
from recsys_lib.models.blend import _standardised
from recsys_lib.models.probability import hold_out
from recsys_lib.results import Experiment
from recsys_lib.topk import TopK, best

SEED, WIDTH = 0, 100
LATELY = 30 * 86_400  # seconds
MEMBERS = {  # name -> (model, the item vectors that it reads, whether it learns from the low ratings too)
    "EASE": (models.EASE(), None, False),
    "ItemKNN": (models.ItemKNN(), None, False),
    "PureSVD": (models.PureSVD(), None, False),
    "FeatureIALS": (models.FeatureIALS(), "text", False),
    "LinearTextMap": (models.LinearTextMap(), "text", False),
    "FadingEASE": (models.FadingEASE(half_life=10), None, True),
}
TREES = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 15, "min_samples_leaf": 100, "l2_regularization": 1}
N_RISING = 2 * (len(MEMBERS) + 1)  # each score and their mean, and the rank of each from the end of the list
FIRST, SCORES, CONTEXT, NOISE = "first stage", "scores", "scores and context", "scores and shuffled context"


def liked(protocol: str, train: Interactions) -> Interactions:
    return train.at_least(4.0) if protocol == "Bu" else train


@lru_cache(maxsize=4)
def stage_one(protocol: str, inner: bool):
    """(items (n_users, WIDTH) with -1 where there is none, scores (n_users, WIDTH, n_members), what was learned from).

    `inner`: from the part of the training data that leaves the labels of stage two out.
    """
    known = blend.data(protocol, SEED)[0][2]
    if inner:
        known = held_out(protocol)[0]
    scores = []
    for model, reads, everything in MEMBERS.values():
        vectors = None if reads is None else blend.spaces(protocol)[reads]
        model.fit(known if everything else liked(protocol, known), vectors)
        scores.append(_standardised(model, np.arange(known.n_users), known.matrix).astype(np.float32))
    scores = np.stack(scores, axis=2)
    mean = scores.mean(axis=2)
    mean[known.matrix.nonzero()] = -np.inf
    items, _ = best(mean, WIDTH)
    return items, np.take_along_axis(scores, np.maximum(items, 0)[:, :, None], axis=1), known


@cache
def held_out(protocol: str) -> tuple[Interactions, Interactions]:
    how = "latest" if protocol == "Bu" else "random"
    return hold_out(blend.data(protocol, SEED)[0][2], how, np.random.default_rng(SEED))


def context(protocol: str, known: Interactions) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(n_items, 4) of the films, (n_users, 5) of the users, and when each film came and each user was last seen."""
    dataset = blend.dataset(blend.PROTOCOLS[protocol][0])[0]
    times, ratings = known.timestamps.tocsc(), known.ratings.tocsc()
    counts = known.item_counts
    first = np.array([times.data[start:stop].min(initial=np.inf) for start, stop in pairwise(times.indptr)])
    lately = np.bincount(
        known.matrix.indices[known.timestamps.data > known.timestamps.data.max() - LATELY], minlength=known.n_items
    )
    year = dataset.items["year"].astype(float).to_numpy()
    films = np.column_stack([np.log1p(counts), np.log1p(lately), year, _mean(ratings)])
    per_user = known.timestamps
    last = np.array([per_user.data[start:stop].max() for start, stop in pairwise(per_user.indptr)])
    # hold_out gives positions instead of ids; the rows are the same users
    people = dataset.users.loc[blend.data(protocol, SEED)[0][0].user_ids]
    categories = [pd.factorize(people[column], sort=True)[0] for column in ("gender", "occupation")]
    length = np.diff(known.matrix.indptr)
    users = np.column_stack([length, _mean(known.ratings), people["age"].astype(float), *categories])
    return films, users, first, last


def _mean(cells) -> np.ndarray:
    """The mean of each row (csr) or column (csc); NaN where there is nothing."""
    n = np.diff(cells.indptr)
    sums = np.add.reduceat(np.r_[cells.data, 0.0], cells.indptr[:-1]) * (n > 0)
    return np.divide(sums, n, out=np.full(len(n), np.nan), where=n > 0)


def table(protocol: str, inner: bool, variant: str) -> np.ndarray:
    """(n_users * WIDTH, n_columns) what the trees read, scores and ranks first; NaN where it is unknown."""
    items, scores, known = stage_one(protocol, inner)
    scores = np.concatenate([scores, scores.mean(axis=2, keepdims=True)], axis=2)
    columns = [scores, scores.argsort(axis=1).argsort(axis=1)]
    if variant != SCORES:
        films, users, first, last = context(protocol, known)
        if variant == NOISE:  # the same other user and other film in training and in use
            rng = np.random.default_rng(SEED)
            of_film, of_user = rng.permutation(len(films)), rng.permutation(len(users))
            films, first, users, last = films[of_film], first[of_film], users[of_user], last[of_user]
        age = (last[:, None] - first[items]) / 86_400
        columns += [films[items], np.repeat(users[:, None], WIDTH, axis=1)]
        columns += [np.where(np.isfinite(age), age, np.nan)[:, :, None]]
    return np.concatenate(columns, axis=2).reshape(items.size, -1)


def lists(protocol: str, variant: str) -> TopK:
    items, scores, _ = stage_one(protocol, False)
    if variant == FIRST:
        return TopK(items, np.where(items >= 0, scores.mean(axis=2), -np.inf)).head(10)
    inner = stage_one(protocol, True)[0]
    relevant = liked(protocol, held_out(protocol)[1]).matrix.toarray() > 0
    labels, listed = np.take_along_axis(relevant, np.maximum(inner, 0), axis=1).ravel(), inner.ravel() >= 0
    read = table(protocol, True, variant)
    rising = (np.arange(read.shape[1]) < N_RISING).astype(int)
    trees = HistGradientBoostingClassifier(**TREES, monotonic_cst=rising, random_state=SEED)
    trees.fit(read[listed], labels[listed])
    chance = trees.predict_proba(table(protocol, False, variant))[:, 1].reshape(items.shape)
    chance = np.where(items >= 0, chance, -np.inf)
    order = np.argsort(-chance, axis=1, kind="stable")[:, :10]
    return TopK(np.take_along_axis(items, order, 1), np.take_along_axis(chance, order, 1))


@cache
def report(protocol: str, variant: str):
    if variant in (REFERENCE, OWN):
        seen = blend.data(protocol, SEED)[0][2]
        return blend.judge(blend.fitted(variant, protocol, SEED).recommend(k=10, exclude=seen), protocol, SEED)
    return blend.judge(lists(protocol, variant), protocol, SEED)


def compute(unit, rows):
    protocol, variant = unit.values()
    own = report(protocol, variant)
    row = {figure: float(own.summary[figure]) for figure in FIGURES}
    others = {REFERENCE: "minus_ease", SCORES: "minus_scores", NOISE: "minus_shuffled", OWN: "minus_blend"}
    for other, ending in others.items():
        row |= against(own, report(protocol, other), ("ndcg",), ending)
    return row


def recompute(row):
    summary = report(row["protocol"], row["variant"]).summary
    return {figure: float(summary[figure]) for figure in FIGURES}


EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=[
        {"protocol": protocol, "variant": variant}
        for protocol in ("A", "Bu")
        for variant in (REFERENCE, FIRST, SCORES, CONTEXT, NOISE, OWN)
    ],
    compute=compute,
    recompute=recompute,
    sample=(3,),
    sources=blend.SOURCES,
)
