"""leaderboard-reranking: every re-ranker on the models that rank well, one setting each, chosen on the validation part.

The setting is the one with the most of what the re-ranker aims at (`AIMS`) whose nDCG@10 on the validation part is at
least 99 % of the model's own there; the same number of settings for each, odds of the trade-off in equal ratios. "kept"
says that none was: then the model's own lists stand in the row. WIDTH candidates, and for two models and two
re-rankers also fewer and more. Differences are those to the model's own lists and to EASE's.
"""

from __future__ import annotations

import time
from functools import cache, lru_cache

import numpy as np

from recsys_lib import evaluation, rerank
from recsys_lib.experiments import blend, leaderboard
from recsys_lib.experiments.blend import OWN, REFERENCE
from recsys_lib.experiments.leaderboard import FIGURES, SEED, against, parameters_of
from recsys_lib.results import Experiment
from recsys_lib.topk import TopK

WIDTH, WIDTHS = 100, (20, 50, 200, 500, 1000)
N_SETTINGS, BUDGET = 9, 0.01
MODELS = (
    *(REFERENCE, OWN, "FeatureIALS", "L3AE", "ALS", "SLIM", "PureSVD", "RP3beta", "ItemKNN", "UserKNN"),
    *("LambdaBetaRecommender", "MultVAE", "WARPFactorization"),
)
# re-ranker -> (figure that it aims at, ends of its settings: odds of a trade-off, or weights of the exposures)
AIMS = {
    "mmr, text": ("ild_text", 0.03, 10),
    "mmr, genre": ("ild_genre", 0.03, 10),
    "msd, text": ("ild_text", 0.003, 1.5),
    "msd, genre": ("ild_genre", 0.003, 1.5),
    "ssd, text": ("ild_text", 0.03, 10),
    "dpp, text": ("ild_text", 0.01, 3),
    "swap, text": ("ild_text", 0.02, 20),
    "swap, genre": ("ild_genre", 0.02, 20),
    "xquad": ("alpha_ndcg", 0.1, 100),
    "pm2": ("alpha_ndcg", 0.1, 100),
    "calibrated": ("calibration", 0.02, 10),
    "exposure": ("exposed_5", 0.003, 0.6),
    "joint": ("exposed_5", 0.003, 0.6),
}
LOWER_IS_BETTER = ("calibration",)


def settings(method: str) -> np.ndarray:
    _, low, high = AIMS[method]
    odds = np.geomspace(low, high, N_SETTINGS)
    return odds if method == "joint" else odds / (1 + odds)


def lists(method: str, found: TopK, protocol: str, setting: float, validation: bool) -> TopK:
    name, _, space = method.partition(", ")
    if name in ("xquad", "pm2", "calibrated"):
        genres = blend.spaces(protocol)["genre"]
        wanted = rerank.user_facets(blend.data(protocol, SEED)[int(validation)][0], genres)
        return getattr(rerank, name)(found, genres, wanted, trade_off=setting)
    if name == "exposure":
        return rerank.exposure(found, trade_off=setting)
    if name == "joint":
        return rerank.joint(found, catalogue=setting, target=5)
    return getattr(rerank, name)(found, blend.spaces(protocol)[space], trade_off=setting)


@lru_cache(maxsize=4)
def candidates(model: str, protocol: str, validation: bool) -> TopK:
    chosen = parameters_of(model, protocol)
    seen = blend.data(protocol, SEED)[int(validation)][2]
    return leaderboard.fitted(model, protocol, chosen, validation).recommend(k=max(WIDTHS), exclude=seen)


def cut(found: TopK, width: int) -> TopK:
    return TopK(found.items[:, :width], found.scores[:, :width], found.scale)


@cache
def own(model: str, protocol: str, validation: bool) -> evaluation.Report:
    return blend.judge(candidates(model, protocol, validation).head(10), protocol, SEED, validation=validation)


def chosen_setting(model: str, protocol: str, method: str, width: int) -> float:
    """By the validation part; nan where every setting costs more than the budget."""
    found, aim = cut(candidates(model, protocol, True), width), AIMS[method][0]
    floor = (1 - BUDGET) * own(model, protocol, True).summary["ndcg"]
    best, most = np.nan, -np.inf
    for setting in settings(method):
        shown = lists(method, found, protocol, setting, True)
        summary = blend.judge(shown, protocol, SEED, validation=True).summary
        value = -summary[aim] if aim in LOWER_IS_BETTER else summary[aim]
        if summary["ndcg"] >= floor and value > most:
            best, most = setting, value
    return best


def tested(model: str, protocol: str, method: str, width: int, setting: float) -> tuple[evaluation.Report, float]:
    """The report on the test part and CPU microseconds a user."""
    if np.isnan(setting):
        return own(model, protocol, False), 0.0
    found = cut(candidates(model, protocol, False), width)
    started = time.process_time()
    shown = lists(method, found, protocol, setting, False)
    cost = 1e6 * (time.process_time() - started) / len(shown)
    return blend.judge(shown, protocol, SEED), cost


def compute(unit, rows):
    protocol, model, method, width = unit.values()
    setting = chosen_setting(model, protocol, method, width)
    report, cost = tested(model, protocol, method, width, setting)
    row = {"setting": setting, "aim": AIMS[method][0], "kept": int(np.isnan(setting)), "n_settings": N_SETTINGS}
    row |= {figure: report.summary[figure] for figure in FIGURES}
    for figure in ("ndcg", "ild_text", "ild_genre", "alpha_ndcg", "exposed_5"):
        base = own(model, protocol, False).summary[figure]
        row[f"{figure}_change"] = 100 * (report.summary[figure] / base - 1)
    row |= against(report, own(model, protocol, False), ("ndcg",), "minus_own")
    row |= against(report, own(REFERENCE, protocol, False), ("ndcg",), "minus_ease")
    return row | {"rerank_us": cost}


def recompute(row):
    report, _ = tested(row["model"], row["protocol"], row["method"], int(row["width"]), float(row["setting"]))
    return {figure: float(report.summary[figure]) for figure in FIGURES}


def units(protocol: str) -> list[dict]:
    every = [(model, method, WIDTH) for model in MODELS for method in AIMS]
    every += [(m, method, width) for m in (REFERENCE, OWN) for method in ("msd, text", "joint") for width in WIDTHS]
    return [dict(zip(("protocol", "model", "method", "width"), (protocol, *each), strict=True)) for each in every]


EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=[*units("A"), *units("Bu")],
    compute=compute,
    recompute=recompute,
    sample=(0, 8),
    sources=(*leaderboard.SOURCES, "rerank"),
)
