"""lambda-beta-grid: what lambda and beta do to accuracy and diversity when they are set by hand, on validation data.

The other parameters are those that lambda-beta found for the same split. One row more has both weights learned.
"""

from __future__ import annotations

from recsys_lib import models
from recsys_lib.experiments import lambda_beta
from recsys_lib.results import Experiment

WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
PROTOCOLS = ("A", "Bu")


def fit(protocol: str, user_weight: float, related_weight: float) -> models.LambdaBetaRecommender:
    """On the inner training part of split 0; negative weights: learned."""
    parameters = lambda_beta.learned_parameters(protocol)
    if user_weight >= 0:
        parameters |= {"user_weight": user_weight, "related_weight": related_weight}
    train = lambda_beta.data(protocol, 0)[1][0]
    return models.LambdaBetaRecommender(**parameters).fit(train, lambda_beta.vectors("text", 0))


def measure(row) -> dict[str, float]:
    model = fit(row["protocol"], float(row["lambda"]), float(row["beta"]))
    summary = lambda_beta.report(model, row["protocol"], 0, validation=True).summary
    figures = {figure: float(summary[figure]) for figure in lambda_beta.FIGURES}
    return figures | {"fitted_lambda": model.lambda_, "fitted_beta": model.beta_}


def compute(unit, rows):
    return measure(unit)


def recompute(row):
    return {figure: value for figure, value in measure(row).items() if figure in lambda_beta.FIGURES}


UNITS = [
    {"protocol": protocol, "lambda": user_weight, "beta": related_weight}
    for protocol in PROTOCOLS
    for user_weight, related_weight in [(w, v) for w in WEIGHTS for v in WEIGHTS] + [(-1.0, -1.0)]
]
EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=UNITS,
    compute=compute,
    recompute=recompute,
    sample=(0,),
    sources=lambda_beta.SOURCES,
)
