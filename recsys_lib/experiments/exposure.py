"""exposure: how much of the catalogue can be shown, to how many users, at a stated loss; and diverse lists beside it.

A row is one way of spreading exposure on one base, as a curve of 21 weights. The weight is chosen on half of the users
(most `exposed_5` within the loss of nDCG@10, relative to tuned EASE) and the loss is measured on the other half;
catalogue figures belong to the lists of all users. "joint" spans a grid of distances and weights and takes the most
diverse setting whose coverage is at least FLOOR, which needs no labels.

For the setting chosen most often the promoted places are judged: items that the base's own first ten did not hold. Are
they better than chance? Two chances: any of the user's candidates, and the same items given to users at random.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from recsys_lib import evaluation, rerank
from recsys_lib.experiments import blend
from recsys_lib.experiments.blend import OWN, PROTOCOLS, REFERENCE
from recsys_lib.experiments.lambda_beta import averaged
from recsys_lib.experiments.reranking import CALIBRATED_BASE, before, candidates
from recsys_lib.results import Experiment
from recsys_lib.topk import TopK

N_BOOTSTRAP = 200
FLOOR = {"A": 0.55, "Bu": 0.6, "ML1M-R": 0.55}
WEIGHTS = np.geomspace(0.003, 0.6, 21)
DISCOUNTS = np.linspace(0.02, 0.6, 21)
GRID = [(t, w) for t in (0.1, 0.2, 0.25, 0.3, 0.35, 0.4) for w in np.geomspace(0.004, 0.1, 8).tolist()]
SETTINGS = {
    "popularity discount": list(DISCOUNTS),
    "online": list(WEIGHTS / (1 + WEIGHTS)),
    "ascent, log": list(WEIGHTS),
    "ascent, to five": list(WEIGHTS),
    "joint, text": GRID,
    "joint, genre": GRID,
}


def lists(method: str, setting, found: TopK, protocol: str, seed: int) -> TopK:
    if method == "popularity discount":
        return discounted(found, blend.data(protocol, seed)[0][0].item_counts, setting)
    if method == "online":
        return rerank.exposure(found, trade_off=setting)
    if method.startswith("ascent"):
        return rerank.joint(found, catalogue=setting, target=5 if method.endswith("five") else None)
    vectors = blend.spaces(protocol)[method.split()[-1]]
    return rerank.joint(found, vectors, trade_off=setting[0], catalogue=setting[1])


def discounted(found: TopK, counts: np.ndarray, power: float, k: int = 10) -> TopK:
    """The oldest trick: the score divided by popularity ^ power, before the best k are taken."""
    floor = np.where(found.items >= 0, np.maximum(found.scores, 1e-6), 0)
    merit = floor / np.maximum(counts[found.items], 1) ** power
    places = np.argsort(np.where(found.items >= 0, -merit, np.inf), axis=1, kind="stable")[:, :k]
    places = np.sort(places, axis=1)
    return TopK(np.take_along_axis(found.items, places, 1), np.take_along_axis(found.scores, places, 1), found.scale)


@lru_cache(maxsize=2)
def curve(protocol: str, base: str, method: str) -> dict:
    """setting -> (report averaged over the splits, lists of each split)."""
    found = {}
    for setting in SETTINGS[method]:
        shown = _shown(protocol, base, method, setting)
        reports = [blend.judge(each, protocol, seed) for each, seed in zip(shown, _seeds(protocol), strict=True)]
        found[setting] = averaged(reports), shown
    return found


def compute(unit, rows):
    protocol, base, method = unit.values()
    every = curve(protocol, base, method)
    reports = {setting: report for setting, (report, _) in every.items()}
    ease = before(protocol, REFERENCE)
    metric = "exposed_5"
    if method.startswith("joint"):
        metric = f"ild_{method.split()[-1]}"
        reports = {setting: each for setting, each in reports.items() if each.summary["coverage"] >= FLOOR[protocol]}
    row = {"metric": metric}
    for percent in (1, 3):
        gain = evaluation.budget_gain(reports, ease, metric, budget=percent / 100, n_bootstrap=N_BOOTSTRAP)
        row |= {f"{name}_{percent}": float(gain.summary[f"{name}_percent"]) for name in ("gain", "loss")}
        row[f"broken_{percent}"] = float(gain.summary["broken_share"])
        chosen = [ease if setting is None else reports[setting] for setting in gain.halvings["setting"]]
        for name in ("coverage", "exposed_5", "gini", "recall", "ild_text", "ild_genre", "ild_plot"):
            row[f"{name}_{percent}"] = float(np.mean([each.summary[name] for each in chosen]))
        if percent == 1:
            settings = gain.halvings["setting"].dropna()
            setting = settings.mode()[0] if len(settings) else list(reports)[0]
            row |= {"setting": str(setting)} | _promoted(protocol, base, every[setting][1])
    row["ndcg_at_coverage_90"] = _best(reports, "ndcg", lambda each: each.summary["coverage"] >= 0.9)
    row["coverage_at_recall"] = _best(
        reports, "coverage", lambda each: each.summary["recall"] >= ease.summary["recall"]
    )
    row |= {"ndcg_ease": ease.summary["ndcg"], "recall_ease": ease.summary["recall"]}
    return row


def _seeds(protocol: str) -> tuple[int, ...]:
    return PROTOCOLS[protocol][1]


def _shown(protocol: str, base: str, method: str, setting) -> list[TopK]:
    """The lists of each split."""
    return [
        lists(method, setting, candidates(base, protocol, seed, False), protocol, seed) for seed in _seeds(protocol)
    ]


def _best(reports: dict, figure: str, condition) -> float:
    """The largest `figure` among the settings that meet the condition, nan if none does."""
    return max((each.summary[figure] for each in reports.values() if condition(each)), default=np.nan)


def _promoted(protocol: str, base: str, shown: list[TopK]) -> dict[str, float]:
    """Precision of the promoted places beside two kinds of chance, with intervals of the differences over users."""
    counts = []  # a user's promoted places, hits among them, and hits that chance would have
    for seed, new in zip(_seeds(protocol), shown, strict=True):
        train, test, seen = blend.data(protocol, seed)[0]
        relevant, pool = test.matrix.toarray() > 0, candidates(base, protocol, seed, False)
        rows = np.arange(len(new))[:, None]
        promoted = (new.items >= 0) & ~(new.items[:, :, None] == pool.items[:, None, :10]).any(axis=2)
        hit = relevant[rows, new.items] & promoted
        rest = pool.items[:, 10:]
        by_user = ((relevant[rows, rest] & (rest >= 0)).sum(axis=1) / (rest >= 0).sum(axis=1))[:, None]
        eligible = len(new) - np.asarray((seen.matrix > 0).sum(axis=0)).ravel()
        by_item = relevant.sum(axis=0) / np.maximum(eligible, 1)
        n_promoted = promoted.sum(axis=1)
        chance = (by_item[new.items] * promoted).sum(axis=1)
        counts.append(np.column_stack([n_promoted, hit.sum(axis=1), n_promoted * by_user[:, 0], chance]))
    places, hits, any_candidate, same_items = np.mean(counts, axis=0).T
    row = {"promoted": places.mean(), "promoted_precision": hits.sum() / places.sum()}
    for name, expected in (("candidates", any_candidate), ("items", same_items)):
        found = evaluation.confidence_interval((hits - expected) / places.mean(), n_bootstrap=N_BOOTSTRAP)
        row[f"chance_{name}"] = expected.sum() / places.sum()
        row |= {f"over_{name}": found.value, f"over_{name}_low": found.low, f"over_{name}_high": found.high}
    return {name: float(value) for name, value in row.items()}


def recompute(row):
    """The setting chosen at 1 %, again."""
    protocol, base, method = row["protocol"], row["base"], row["method"]
    setting = next(each for each in SETTINGS[method] if str(each) == row["setting"])
    return {
        "promoted_precision": _promoted(protocol, base, _shown(protocol, base, method, setting))["promoted_precision"]
    }


EXPERIMENT = Experiment(
    data=("ml-100k", "ml-1m", "all-minilm-l6-v2"),
    units=[
        {"protocol": protocol, "base": base, "method": method}
        for protocol in PROTOCOLS
        for base in ((REFERENCE, OWN) if protocol == "ML1M-R" else (REFERENCE, CALIBRATED_BASE, OWN))
        for method in SETTINGS
    ],
    compute=compute,
    recompute=recompute,
    sample=(1,),
    sources=(*blend.SOURCES, "rerank"),
)
