"""training-diversity: a diversity term in the loss, against re-ranking the same model to the same accuracy.

For each term and weight the model is trained with it, and the same model without it is re-ranked by MMR (100
candidates, text vectors). The trade-off of MMR is the one whose validation nDCG is nearest to that of the trained
model, so that both stand at the same loss; test figures are then compared user by user.
"""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np

from recsys_lib import evaluation, models, rerank, results
from recsys_lib.experiments import lambda_beta
from recsys_lib.results import Experiment

TERMS = {
    "dispersion, text": ("dispersion", ("text",), (0.25, 0.5, 1.0, 2.0)),
    "dispersion, text and genre": ("dispersion", ("text", "genre"), (0.25, 0.5, 1.0, 2.0)),
    "facets, genre": ("facets", ("genre",), (0.5, 1.0, 3.0, 10.0)),
    "k-DPP likelihood, text": ("dpp", ("text",), (0.1, 0.3, 1.0, 3.0)),
}
TRADE_OFFS = np.linspace(0, 1, 41)
PLAIN = "none"


@lru_cache(maxsize=2)
def plain(protocol: str, *, validation: bool):
    """100 candidates of the model without a diversity term."""
    train, _, seen = lambda_beta.data(protocol, 0)[int(validation)]
    return fit(protocol, PLAIN, 0.0, validation=validation).recommend(k=100, exclude=seen)


def fit(protocol: str, term: str, weight: float, *, validation: bool) -> models.LambdaBetaRecommender:
    stored = results.load("lambda-beta").set_index(["protocol", "model"])
    parameters = json.loads(json.loads(stored.loc[(protocol, lambda_beta.LEARNED), "parameters"])[0])
    _, spaces = lambda_beta.dataset()
    vectors = {"content": spaces["text"]}
    if term != PLAIN:
        diversity, views, _ = TERMS[term]
        parameters |= {"diversity": diversity, "diversity_weight": weight}
        vectors |= {view: spaces[view] for view in views}
    return models.LambdaBetaRecommender(**parameters).fit(lambda_beta.data(protocol, 0)[int(validation)][0], vectors)


def reranked(protocol: str, trade_off: float, *, validation: bool) -> evaluation.Report:
    dataset, spaces = lambda_beta.dataset()
    train, test, _ = lambda_beta.data(protocol, 0)[int(validation)]
    lists = rerank.mmr(plain(protocol, validation=validation), spaces["text"], k=10, trade_off=trade_off)
    return evaluation.evaluate(lists, train, test, spaces, item_facets=dataset.genre_vectors)


@lru_cache(maxsize=2)
def curve(protocol: str) -> np.ndarray:
    """Validation nDCG at each trade-off of MMR."""
    return np.array([reranked(protocol, t, validation=True).summary["ndcg"] for t in TRADE_OFFS])


def compute(unit, rows):
    protocol, term, weight = unit["protocol"], unit["term"], unit["weight"]
    found = {}
    for validation in (True, False):
        model = fit(protocol, term, weight, validation=validation)
        found[validation] = lambda_beta.report(model, protocol, 0, validation=validation)
    trade_off = float(TRADE_OFFS[np.argmin(np.abs(curve(protocol) - found[True].summary["ndcg"]))])
    other, start = (reranked(protocol, t, validation=False) for t in (trade_off, 0.0))
    row = {"validation_ndcg": found[True].summary["ndcg"], "trade_off": trade_off}
    row |= {figure: float(found[False].summary[figure]) for figure in lambda_beta.FIGURES}
    row |= {f"{figure}_mmr": float(other.summary[figure]) for figure in lambda_beta.FIGURES}
    return (
        row
        | lambda_beta.against([found[False]], [other], "mmr")
        | lambda_beta.against([found[False]], [start], "plain")
    )


def recompute(row):
    model = fit(row["protocol"], row["term"], float(row["weight"]), validation=False)
    summary = lambda_beta.report(model, row["protocol"], 0).summary
    return {figure: float(summary[figure]) for figure in lambda_beta.FIGURES}


UNITS = [
    {"protocol": protocol, "term": term, "weight": weight}
    for protocol in ("A", "Bu")
    for term, weight in [(PLAIN, 0.0), *((name, w) for name, (_, _, grid) in TERMS.items() for w in grid)]
]
EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=UNITS,
    compute=compute,
    recompute=recompute,
    sample=(0,),
    sources=(*lambda_beta.SOURCES, "rerank"),
)
