"""Tuning: random search on a validation split, with one budget for every model."""

from __future__ import annotations

import inspect
import time
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from recsys_lib import metrics, models
from recsys_lib.interactions import Interactions, check_same_ids


@dataclass(frozen=True)
class LogUniform:
    """Values between `low` and `high`, uniform in the logarithm; whole numbers if `integer`."""

    low: float
    high: float
    integer: bool = False

    def draw(self, rng):
        value = float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        return round(value) if self.integer else float(f"{value:.3g}")


@dataclass(frozen=True)
class Uniform:
    """Values between `low` and `high`."""

    low: float
    high: float

    def draw(self, rng):
        return float(f"{rng.uniform(self.low, self.high):.3g}")


@dataclass(frozen=True)
class Choice:
    """One of `values`."""

    values: tuple

    def draw(self, rng):
        return self.values[rng.integers(len(self.values))]


_NEIGHBOURS = {
    "k": LogUniform(10, 1000, integer=True),
    "shrinkage": LogUniform(0.1, 300),
    "weighting": Choice(("binary", "tfidf", "bm25")),
}

# What is searched for each model of `recsys_lib.models`; a model without an entry has nothing to tune.
SPACES: dict[str, dict] = {
    "UserKNN": {**_NEIGHBOURS, "power": Uniform(0.5, 3)},
    "ItemKNN": _NEIGHBOURS,
    "RP3beta": {"k": LogUniform(10, 1000, integer=True), "alpha": Uniform(0.3, 1.6), "beta": Uniform(0, 1)},
    "PureSVD": {"n_factors": LogUniform(5, 150, integer=True)},
    "ALS": {
        "n_factors": LogUniform(8, 64, integer=True),
        "regularisation": LogUniform(0.1, 300),
        "alpha": LogUniform(0.3, 30),
    },
    "SLIM": {"l1": LogUniform(0.1, 20), "l2": LogUniform(10, 1000)},
    "EASE": {"l2": LogUniform(30, 5000)},
    "BiasedMF": {
        "n_factors": LogUniform(2, 64, integer=True),
        "regularisation": LogUniform(0.05, 0.5),
        "bias_regularisation": LogUniform(0.5, 30),
    },
    "FeatureIALS": {
        "n_factors": LogUniform(12, 64, integer=True),
        "regularisation": LogUniform(5, 60),
        "frequency": Uniform(0, 0.4),
        "alpha": LogUniform(0.5, 10),
        "map_l2": LogUniform(1, 3000),
    },
    "LambdaBetaRecommender": {
        "n_factors": LogUniform(24, 128, integer=True),
        "neighbours": LogUniform(8, 120, integer=True),
        "epochs": LogUniform(15, 50, integer=True),
        "learning_rate": LogUniform(1e-3, 6e-3),
        "dropout": Uniform(0.3, 0.7),
        "weight_decay": LogUniform(0.01, 2),
        "temperature": LogUniform(0.06, 0.3),
    },
    "MultVAE": {
        "n_factors": LogUniform(16, 64, integer=True),
        "n_hidden": LogUniform(150, 500, integer=True),
        "kl_weight": Uniform(0.1, 1),
        "dropout": Uniform(0.2, 0.7),
        "epochs": LogUniform(20, 80, integer=True),
    },
    "WARPFactorization": {
        "n_factors": LogUniform(16, 64, integer=True),
        "epochs": LogUniform(10, 50, integer=True),
        "learning_rate": LogUniform(0.02, 0.1),
        "item_l2": LogUniform(1e-6, 1e-3),
    },
    "FadingEASE": {"l2": LogUniform(30, 5000), "half_life": LogUniform(2, 200)},
    "SLIT": {"l2": LogUniform(100, 10_000), "half_life": LogUniform(2, 50)},
    "Blend": {"n_steps": LogUniform(6, 24, integer=True), "n_bags": LogUniform(4, 16, integer=True)},
    "ContentKNN": {"k": LogUniform(5, 500, integer=True)},
    "LinearTextMap": {"l2": LogUniform(10, 100_000)},
    "L3AE": {"l2": LogUniform(30, 5000), "text_weight": LogUniform(3, 3000), "text_l2": LogUniform(0.3, 100)},
    "KernelRidgeContent": {
        "l2": LogUniform(0.2, 3),
        "target_l2": LogUniform(30, 1000),
        "damping": Uniform(0, 0.4),
        "products": Choice((0.0, 1.0)),
    },
}


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes
    ----------
    model : str
    parameters : dict
        The best trial's arguments, for `model_class(**parameters)`.
    value : float
        Its value on the validation set.
    trials : DataFrame
        Every trial in the order it was made: parameters, `value`, `seconds` (fit + judge).
    model_class : type
        The class behind the name.
    """

    model: str
    parameters: dict
    value: float
    trials: pd.DataFrame
    model_class: type[models.Recommender] = field(repr=False)

    def build(self) -> models.Recommender:
        """A fresh, unfitted model with the best parameters."""
        return self.model_class(**self.parameters)


def trials(model: str, n_trials: int, rng=0, space: dict | None = None) -> list[dict]:
    """The parameter sets that a search tries: the constructor's defaults first, then random draws."""
    if n_trials < 1:
        raise ValueError(f"n_trials must be at least 1, not {n_trials}")
    space = SPACES.get(model, {}) if space is None else space
    rng = np.random.default_rng(rng)
    drawn = [{name: draw.draw(rng) for name, draw in space.items()} for _ in range(n_trials - 1)]
    return [{}, *drawn] if space else [{}]


def tune(
    model: str | type[models.Recommender],
    train: Interactions,
    validation: Interactions,
    *,
    n_trials: int = 20,
    item_vectors=None,
    arguments: dict | None = None,
    exclude: Interactions | None = None,
    k: int = 10,
    objective=None,
    space: dict | None = None,
    rng=0,
    progress=None,
) -> Tuned:
    """Random search: fit on `train`, judge on `validation`, keep the parameters with the best value.

    Parameters
    ----------
    model : str or class
        A name in `recsys_lib.models`, for instance "EASE"; or a Recommender's class, with a `space`.
    train, validation : Interactions
        With the same rows and columns. The test set has no place here.
    item_vectors : array or dict of arrays, optional
        For models that read content.
    arguments : dict, optional
        Arguments of the constructor that are fixed; what is named here is not searched.
    exclude : Interactions, optional
        What to mask in the lists (default: train).
    objective : callable, optional
        (fitted model) -> a number, larger is better. Default: mean nDCG@k of the lists against `validation`.
    space : dict, optional
        Parameter -> distribution; default `SPACES[model]`.
    progress : callable, optional
        Wraps the list of trials, for instance `notebook.progress`.
    """
    build = model if isinstance(model, type) else getattr(models, str(model), None)
    if not (isinstance(build, type) and issubclass(build, models.Recommender) and build is not models.Recommender):
        raise ValueError(
            f"there is no model {model!r} in recsys_lib.models. Pass such a name, or a Recommender's class"
        )
    check_same_ids(train, validation, "validation")
    model = build.__name__
    if objective is None:

        def objective(fitted):
            lists = fitted.recommend(k=k, exclude=exclude)
            return np.nanmean(metrics.accuracy.ndcg(lists.items, validation.matrix, k=k))

    fixed = arguments or {}
    space = SPACES.get(model, {}) if space is None else space
    space = {name: values for name, values in space.items() if name not in fixed}
    tried = [{**fixed, **drawn} for drawn in trials(model, n_trials, rng, space)]
    for parameters in tried:
        try:
            inspect.signature(build).bind(**parameters)
        except TypeError as error:
            raise ValueError(
                f"{model} cannot be built from {parameters}: {error}. Check arguments and space"
            ) from error
    rows = []
    for parameters in progress(tried) if progress else tried:
        started = time.perf_counter()
        value = float(objective(build(**parameters).fit(train, item_vectors)))
        searched = {name: parameter for name, parameter in parameters.items() if name not in fixed}
        rows.append({**searched, "value": value, "seconds": time.perf_counter() - started})
    table = pd.DataFrame(rows)
    if table["value"].isna().all():
        raise ValueError(
            f"every trial of {model} has the value NaN. Check that validation holds what can be recommended"
        )
    best = int(np.nanargmax(table["value"].to_numpy()))
    return Tuned(model, tried[best], float(table["value"][best]), table, build)
