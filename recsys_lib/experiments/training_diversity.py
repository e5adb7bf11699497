"""training-diversity: a diversity term in the loss, against re-ranking the same model to the same accuracy.

For each term and weight the model is trained with it; the same model without it is re-ranked by MMR (100 candidates) on
the views that the term sees. Of MMR's curve the two neighbouring trade-offs are taken between which the trained model's
nDCG lies, and mixed so that the means agree: that is what a re-ranker reaches at the same loss. Diversity is then
compared user by user. The match is made on the test users themselves, for both sides alike: it describes two curves and
selects nothing.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from recsys_lib import evaluation, models, rerank
from recsys_lib.experiments import lambda_beta
from recsys_lib.metrics import intra_list
from recsys_lib.results import Experiment

TERMS = {
    "dispersion, text": ("dispersion", ("text",), (0.25, 0.5, 1.0, 2.0)),
    "dispersion, text and genre": ("dispersion", ("text", "genre"), (0.25, 0.5, 1.0, 2.0)),
    "facets, genre": ("facets", ("genre",), (0.5, 1.0, 3.0, 10.0)),
    "k-DPP likelihood, text": ("dpp", ("text",), (0.1, 0.3, 1.0, 3.0)),
    "k-DPP likelihood, no similarity": ("dpp", ("alone",), (1.0, 3.0)),  # the control: all pairs are equally alike
}
TRADE_OFFS = np.linspace(0, 1, 41)
PLAIN = "none"
FIGURES = (*lambda_beta.FIGURES, "alpha_ndcg")
COMPARED = (*(f"ild_{space}" for space in lambda_beta.SPACES), "alpha_ndcg")


def fit(protocol: str, term: str, weight: float) -> models.LambdaBetaRecommender:
    """On the training part of split 0, with the parameters that lambda-beta found there."""
    parameters = lambda_beta.learned_parameters(protocol)
    _, spaces = lambda_beta.dataset()
    spaces = spaces | {"alone": np.eye(len(spaces["text"]), dtype=np.float32)}
    vectors = {"content": spaces["text"]}
    if term != PLAIN:
        diversity, views, _ = TERMS[term]
        parameters |= {"diversity": diversity, "diversity_weight": weight}
        vectors |= {view: spaces[view] for view in views}
    return models.LambdaBetaRecommender(**parameters).fit(lambda_beta.data(protocol, 0)[0][0], vectors)


@lru_cache(maxsize=8)
def curve(protocol: str, views: tuple[str, ...]) -> list[evaluation.Report]:
    """The model without a diversity term, re-ranked by MMR on the views at every trade-off."""
    _, spaces = lambda_beta.dataset()
    candidates = fit(protocol, PLAIN, 0.0).recommend(k=100, exclude=lambda_beta.data(protocol, 0)[0][2])
    vectors = np.hstack([intra_list.unit_rows(spaces[view]) for view in views])
    return [lambda_beta.judge(rerank.mmr(candidates, vectors, k=10, trade_off=t), protocol, 0) for t in TRADE_OFFS]


def at_accuracy(reports: list[evaluation.Report], ndcg: float) -> tuple[int, float]:
    """(place, share): the curve last passes `ndcg` between `place` and the next report, whose weight is `share`.

    Place 0 if the curve never is as accurate: then both differences, in accuracy and in diversity, speak for training.
    """
    values = np.array([each.summary["ndcg"] for each in reports])
    reached = np.flatnonzero(values >= ndcg)
    if not reached.size or reached[-1] == len(values) - 1:
        return (0, 0.0) if not reached.size else (len(values) - 1, 0.0)
    place = int(reached[-1])
    return place, float((values[place] - ndcg) / (values[place] - values[place + 1]))


def compute(unit, rows):
    protocol, term, weight = unit["protocol"], unit["term"], unit["weight"]
    trained = lambda_beta.report(fit(protocol, term, weight), protocol, 0)
    reports = curve(protocol, ("text",) if term == PLAIN or "alone" in TERMS[term][1] else TERMS[term][1])
    place, share = at_accuracy(reports, trained.summary["ndcg"])
    row = {"trade_off": float(TRADE_OFFS[place]), "mixed_in": share}
    row |= {figure: float(trained.summary[figure]) for figure in FIGURES}
    pair = reports[place], reports[min(place + 1, len(reports) - 1)]
    for figure in FIGURES:
        row[f"{figure}_mmr"] = (1 - share) * pair[0].summary[figure] + share * pair[1].summary[figure]
    for figure in COMPARED:
        mixed = (1 - share) * pair[0].per_user[figure] + share * pair[1].per_user[figure]
        found = evaluation.confidence_interval(trained.per_user[figure] - mixed)
        row[f"{figure}_minus_mmr"], row[f"{figure}_low_mmr"], row[f"{figure}_high_mmr"] = found
    return row | lambda_beta.against([trained], [reports[0]], "plain")


def recompute(row):
    model = fit(row["protocol"], row["term"], float(row["weight"]))
    summary = lambda_beta.report(model, row["protocol"], 0).summary
    return {figure: float(summary[figure]) for figure in FIGURES}


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
