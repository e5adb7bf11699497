"""leaderboard: every model of the library on one split of each protocol, with N_TRIALS trials each, and what it costs.

Random search on the validation part, the constructor's defaults first; the same number of trials whether a model has
one parameter or seven (Popularity and Random have none, ContentProfile neither: one trial). A model that reads content
has a second row with the films' contents shuffled: another film's text and genres, with the parameters found on the
real ones, so that what differs is the content and nothing else.

Differences are paired over users, with a bootstrap interval and the p of a sign-flip test; `holm` corrects them where
they are read. Costs are CPU seconds of one fit, microseconds a user to rank the whole catalogue, and the size of what
the fitted model holds beside the interactions. No figure of a user is stored: `fitted` makes any row's lists again
from its parameters, in half a minute for the slowest.
"""

from __future__ import annotations

import io
import json
import pickle
import time
from functools import cache, lru_cache

import numpy as np
import pandas as pd

from recsys_lib import evaluation, metrics, models, results, tuning
from recsys_lib.experiments import blend
from recsys_lib.experiments.blend import OWN, REFERENCE
from recsys_lib.interactions import Interactions
from recsys_lib.models.blend import Member, default_members
from recsys_lib.results import Experiment

N_TRIALS = 5
SEED = 0  # of the split and of the search
READS = {
    "L3AE": "text",
    "FeatureIALS": "text",
    "LambdaBetaRecommender": "text",
    "LinearTextMap": "text",
    "ContentProfile": "text",
    "ContentKNN": "text",
    "WARPFactorization": "genre",
    OWN: ("text", "genre"),
}
MODELS = (
    *(REFERENCE, OWN, "FeatureIALS", "L3AE", "ALS", "SLIM", "PureSVD", "RP3beta", "ItemKNN", "UserKNN"),
    *("LambdaBetaRecommender", "MultVAE", "WARPFactorization", "FadingEASE", "SLIT", "BiasedMF"),
    *("LinearTextMap", "ContentKNN", "ContentProfile", "Popularity", "Random"),
)
SHUFFLED = ", shuffled content"
CONTROLS = tuple(f"{name}{SHUFFLED}" for name in (OWN, "FeatureIALS", "L3AE", "WARPFactorization"))
FIGURES = (
    *("ndcg", "recall", "precision", "mrr", "ild_genre", "ild_text", "ild_plot", "alpha_ndcg"),
    *("coverage", "exposed_5", "gini", "novelty", "long_tail", "calibration", "serendipity"),
)
LENGTHS = (5, 20, 50)  # beside 10
BY_LENGTH = ("ndcg", "recall", "ild_text", "ild_genre", "coverage", "exposed_5")
COMPARED = ("ndcg", "recall", "ild_text", "ild_genre")
RARE = 10  # an item with fewer training interactions is a rare one
EPOCHS_1M = 20  # of MultVAE in the blend on MovieLens-1M, as in `blend`


@cache
def parameters_of(name: str, protocol: str) -> str:
    """A model's parameters on a split, as JSON, from the stored table."""
    rows = results.load(table(protocol)).set_index(["protocol", "model"])
    return rows.loc[(protocol, name), "parameters"]


def table(protocol: str) -> str:
    return "leaderboard-ml-1m" if protocol == "ML1M-R" else "leaderboard"


def fixed(name: str, protocol: str) -> dict:
    """Arguments that are not searched: what the protocol says of the task."""
    if name != OWN:
        return {}
    if protocol == "ML1M-R":
        members = default_members(blend.spaces(protocol), "random")
        return {"members": members | {"MultVAE": Member(models.MultVAE(epochs=EPOCHS_1M))}}
    return {"holdout": "latest", "min_rating": 4.0} if protocol == "Bu" else {}


def content(name: str, protocol: str):
    """The item vectors that a model reads; those of another film in a control's row."""
    reads = READS.get(name.removesuffix(SHUFFLED))
    if reads is None:
        return None
    spaces = blend.spaces(protocol)
    order = np.arange(len(spaces["text"]))
    if name.endswith(SHUFFLED):
        order = np.random.default_rng(SEED).permutation(order)
    return spaces[reads][order] if isinstance(reads, str) else {space: spaces[space][order] for space in reads}


def learns_from(name: str, protocol: str, validation: bool) -> Interactions:
    """The training part; the blend gets the low ratings too where a protocol keeps only the high ones."""
    train, _, seen = blend.data(protocol, SEED)[int(validation)]
    return seen if name.startswith(OWN) and protocol == "Bu" else train


@lru_cache(maxsize=24)
def fitted(name: str, protocol: str, parameters: str, validation: bool = False) -> models.Recommender:
    plain = name.removesuffix(SHUFFLED)
    model = getattr(models, plain)(**fixed(plain, protocol), **json.loads(parameters))
    return model.fit(learns_from(name, protocol, validation), content(name, protocol))


def tuned(name: str, protocol: str) -> dict:
    """The best of N_TRIALS parameter sets on the validation part, as a row's columns."""
    _, validation, seen = blend.data(protocol, SEED)[1]
    arguments = fixed(name, protocol)
    found = tuning.tune(
        name,
        learns_from(name, protocol, True),
        validation,
        n_trials=N_TRIALS,
        item_vectors=content(name, protocol),
        arguments=arguments,
        exclude=seen,
        rng=SEED,
    )
    searched = {key: value for key, value in found.parameters.items() if key not in arguments}
    return {
        "parameters": json.dumps(searched),
        "n_trials": len(found.trials),
        "validation_value": found.value,
        "tuning_seconds": found.trials["seconds"].sum(),
    }


@cache
def report(name: str, protocol: str, parameters: str) -> evaluation.Report:
    seen = blend.data(protocol, SEED)[0][2]
    return blend.judge(fitted(name, protocol, parameters).recommend(k=10, exclude=seen), protocol, SEED)


def compute(unit, rows):
    protocol, name = unit["protocol"], unit["model"]
    stored = rows[rows["protocol"] == protocol].set_index("model") if len(rows) else pd.DataFrame()
    plain = name.removesuffix(SHUFFLED)
    if name == plain:
        row = tuned(name, protocol)
    else:
        row = {"parameters": stored.loc[plain, "parameters"], "n_trials": 0}
    parameters = row["parameters"]
    fit = fit_cost(name, protocol, parameters)
    own = report(name, protocol, parameters)
    row |= {figure: own.summary[figure] for figure in FIGURES} | by_length(name, protocol, parameters)
    row |= segments(name, protocol, parameters)
    reference = parameters if name == REFERENCE else stored.loc[REFERENCE, "parameters"]
    row |= against(own, report(REFERENCE, protocol, reference), COMPARED, "minus_ease")
    if name != plain:  # content minus shuffled content
        row |= against(report(plain, protocol, parameters), own, ("ndcg",), "of_content")
    return row | fit


def against(theirs, ours, figures, ending: str) -> dict[str, float]:
    """Differences theirs - ours with 95 % intervals and the p of a sign-flip test, not corrected."""
    row = {}
    compared = evaluation.compare({"theirs": theirs, "ours": ours}, "ours", list(figures)).loc["theirs"]
    for figure in figures:
        name = f"{figure}_{ending}"
        found = compared.loc[figure]
        row |= {name: found["difference"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
        row[f"{name}_p"] = evaluation.sign_flip_test(theirs.per_user[figure], ours.per_user[figure])
    return row


def by_length(name: str, protocol: str, parameters: str) -> dict[str, float]:
    """How the main figures change with the length of the lists."""
    train, test, seen = blend.data(protocol, SEED)[0]
    lists = fitted(name, protocol, parameters).recommend(k=max(LENGTHS), exclude=seen)
    spaces = {space: blend.spaces(protocol)[space] for space in ("text", "genre")}
    found = {k: evaluation.evaluate(lists, train, test, spaces, k=k).summary for k in LENGTHS}
    return {f"{figure}_at_{k}": found[k][figure] for k in LENGTHS for figure in BY_LENGTH}


def segments(name: str, protocol: str, parameters: str) -> dict[str, float]:
    """Who is served: light and heavy users (thirds by training interactions), tail items, rare items.

    The recall of a segment of items is pooled: hits among them / test interactions with them, over all users.
    """
    train, test, seen = blend.data(protocol, SEED)[0]
    per_user = report(name, protocol, parameters).per_user["ndcg"].to_numpy()
    n_train = np.diff(train.matrix.indptr)
    low, high = np.quantile(n_train[~np.isnan(per_user)], [1 / 3, 2 / 3])
    row = {"ndcg_light": np.nanmean(per_user[n_train <= low]), "ndcg_heavy": np.nanmean(per_user[n_train > high])}
    items = fitted(name, protocol, parameters).recommend(k=10, exclude=seen).items
    listed = np.zeros(test.matrix.shape, bool)
    np.put_along_axis(listed, np.maximum(items, 0), items >= 0, axis=1)
    relevant = test.matrix.toarray() > 0
    counts = train.item_counts
    for segment, chosen in (("tail", metrics.novelty.tail(counts)), ("rare", counts < RARE)):
        row[f"recall_{segment}"] = (listed & relevant)[:, chosen].sum() / max(relevant[:, chosen].sum(), 1)
    return row


def fit_cost(name: str, protocol: str, parameters: str) -> dict[str, float]:
    """CPU seconds of a fit, microseconds a user of CPU time to rank all items, MB of the model without the data."""
    content(name, protocol), learns_from(name, protocol, False)  # loading is not in it
    started = time.process_time()
    model = fitted(name, protocol, parameters)
    seconds = time.process_time() - started
    seen = blend.data(protocol, SEED)[0][2]
    started = time.process_time()
    lists = model.recommend(k=10, exclude=seen)
    return {
        "fit_seconds": seconds,
        "recommend_us": 1e6 * (time.process_time() - started) / len(lists),
        "size_mb": megabytes(model),
    }


def megabytes(model: models.Recommender) -> float:
    """What the model holds, pickled, without the interactions that it was fitted on."""

    class WithoutData(pickle.Pickler):
        def persistent_id(self, held):
            return "interactions" if isinstance(held, Interactions) else None

    buffer = io.BytesIO()
    WithoutData(buffer, pickle.HIGHEST_PROTOCOL).dump(model)
    return buffer.tell() / 2**20


def recompute(row):
    summary = report(row["model"], row["protocol"], row["parameters"]).summary
    return {figure: float(summary[figure]) for figure in FIGURES}


SOURCES = (
    *blend.SOURCES,
    "models/als.py",
    "models/factorisation.py",
    "models/lambda_beta.py",
    "models/list_losses.py",
)
EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=[{"protocol": protocol, "model": name} for protocol in ("A", "Bu") for name in (*MODELS, *CONTROLS)],
    compute=compute,
    recompute=recompute,
    sample=(0, 4, 25),
    sources=SOURCES,
)
