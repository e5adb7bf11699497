"""reranking: how much diversity the re-rankers buy at a stated loss, on EASE and on the blend, beside pyversity.

A row is one re-ranker on one base (`blend.py` fits them), in one space, with one width of the candidate lists: a curve
of 41 trade-offs (odds t / (1 - t) in equal ratios). Budgets are relative to tuned EASE's nDCG@10 whatever the base, and
again to the base's own; the trade-off is chosen on half of the users and measured on the other (`budget_gain`). The
same curve on the validation part says which method, width and trade-off one would have chosen without the test. The
hypervolume is that of every second point, 21 a method, and its ratio to the area of all five methods of pyversity
together, 105 points. On A a user's figures are averaged over the three splits first.

pyversity gets scores scaled to [0, 1] list by list, and shows its picks in its own order. Its MSD gets 100 candidates,
and in the text of MovieLens-100K also 1,000, of which validation chooses as it does for the library's own; the union of
its five methods gets 100.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from recsys_lib import evaluation, rerank
from recsys_lib.experiments import blend
from recsys_lib.experiments.blend import OWN, PROTOCOLS, REFERENCE
from recsys_lib.experiments.lambda_beta import averaged
from recsys_lib.results import Experiment
from recsys_lib.topk import TopK

CALIBRATED_BASE = "EASE, probability"
WIDEST = 1000
N_POINTS = 41
N_BOOTSTRAP = 200
# the odds t / (1 - t) between which a method's curve runs, from next to nothing to little relevance left
ODDS = {
    "mmr": (0.03, 10),
    "msd": (0.003, 1.5),
    "ssd": (0.03, 10),
    "dpp": (0.01, 3),
    "cover": (0.03, 30),
    "swap": (0.02, 20),
    "xquad": (0.1, 100),
    "pm2": (0.1, 100),
    "calibrated": (0.02, 10),
}
PEER, PEERS = "pyversity msd", "pyversity, all five"
PIPELINES = {  # name -> (its re-ranker, or None for the library's own; the bases that validation can choose from)
    "pyversity's MSD on EASE": (PEER, (REFERENCE,)),
    "ours on EASE": (None, (REFERENCE, CALIBRATED_BASE)),
    "pyversity's MSD on the blend": (PEER, (OWN,)),
    "ours on the blend": (None, (OWN,)),
}
STRATEGIES = ("mmr", "msd", "dpp", "ssd", "cover")
OTHERS = (*(f"ild_{space}" for space in blend.SPACES), "alpha_ndcg", "calibration", "coverage", "exposed_5", "recall")


def trade_offs(method: str, n_points: int = N_POINTS) -> np.ndarray:
    odds = np.geomspace(*ODDS[method], n_points)
    return odds / (1 + odds)


@lru_cache(maxsize=20)
def candidates(base: str, protocol: str, seed: int, validation: bool) -> TopK:
    model = blend.fitted(base, protocol, seed, validation)
    return model.recommend(k=WIDEST, exclude=blend.data(protocol, seed)[int(validation)][2])


def lists(method: str, found: TopK, vectors: np.ndarray, trade_off: float) -> TopK:
    """The re-ranked lists of one setting; a method of the peer is called "pyversity NAME"."""
    if method.startswith("pyversity "):
        return theirs(method.split()[1], found, vectors, trade_off)
    return getattr(rerank, method)(found, vectors, trade_off=trade_off)


def theirs(strategy: str, found: TopK, vectors: np.ndarray, diversity: float, k: int = 10) -> TopK:
    """pyversity's lists, one call a user."""
    from pyversity import diversify

    places = np.empty((len(found), k), np.int64)
    for user in range(len(found)):
        n = int((found.items[user] >= 0).sum())
        scores = found.scores[user, :n]
        scores = (scores - scores[-1]) / max(scores[0] - scores[-1], 1e-12)
        chosen = diversify(vectors[found.items[user, :n]], scores, k, strategy=strategy, diversity=float(diversity))
        places[user] = chosen.indices
    return TopK(np.take_along_axis(found.items, places, 1), np.take_along_axis(found.scores, places, 1), found.scale)


@lru_cache(maxsize=6)
def curve(protocol: str, base: str, space: str, method: str, width: int, validation: bool = False) -> dict:
    """trade-off -> report; for the union of the peer's methods (strategy, diversity) -> report, 21 points each."""
    if method == PEERS:
        every = [(f"pyversity {name}", t) for name in STRATEGIES for t in trade_offs(name, 21)]
    else:
        every = [(method, t) for t in trade_offs(method.split()[-1])]
    found = {}
    for each, trade_off in every:
        reports = []
        for seed in PROTOCOLS[protocol][1]:
            top = candidates(base, protocol, seed, validation)
            top = TopK(top.items[:, :width], top.scores[:, :width], top.scale)
            shown = lists(each, top, blend.spaces(protocol)[space], trade_off)
            reports.append(blend.judge(shown, protocol, seed, validation=validation))
        found[(each, trade_off) if method == PEERS else trade_off] = averaged(reports)
    return found


@lru_cache(maxsize=12)
def before(protocol: str, base: str, validation: bool = False) -> evaluation.Report:
    """The base's lists as they are."""
    found = []
    for seed in PROTOCOLS[protocol][1]:
        top = candidates(base, protocol, seed, validation).head(10)
        found.append(blend.judge(top, protocol, seed, validation=validation))
    return averaged(found)


def compute(unit, rows):
    protocol, base, space, method, width = unit.values()
    metric = f"ild_{space}"
    test = curve(protocol, base, space, method, width)
    ease, own = before(protocol, REFERENCE), before(protocol, base)
    row = {"ndcg": own.summary["ndcg"], "ndcg_ease": ease.summary["ndcg"]}
    for percent in (1, 3):
        options = {"budget": percent / 100, "n_bootstrap": N_BOOTSTRAP}
        gain = evaluation.budget_gain(test, ease, metric, **options)
        row |= _named(gain.summary, f"{percent}")
        row |= {f"{name}_{percent}": value for name, value in _aside(test, ease, gain.halvings["setting"]).items()}
        row |= _named(evaluation.budget_gain(test, own, metric, **options).summary, f"own_{percent}")
        if method != PEERS:
            row |= _by_validation(unit, test, ease, metric, percent)
    points = test if method == PEERS else dict(list(test.items())[::2])
    options = {"diversity": metric, "n_bootstrap": N_BOOTSTRAP}
    row |= _interval("hypervolume", evaluation.held_out_hypervolume(points, ease, **options))
    if not method.startswith("pyversity"):
        for name, their_base in (("ratio_ease", REFERENCE), ("ratio_base", base)):
            if their_base in (REFERENCE, OWN) and protocol != "ML1M-R":
                peers = curve(protocol, their_base, space, PEERS, 100)
                row |= _interval(name, evaluation.held_out_hypervolume(points, ease, against=peers, **options))
    return row


def _named(summary, ending: str) -> dict[str, float]:
    names = {"gain_percent": "gain", "low": "low", "high": "high", "loss_percent": "loss", "broken_share": "broken"}
    return {f"{short}_{ending}": float(summary[name]) for name, short in names.items()}


def _interval(name: str, found) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _aside(reports: dict, ease, settings) -> dict[str, float]:
    """What else changes at the chosen settings, in % of EASE's lists, and the catalogue figures as they are."""
    chosen = [ease if setting is None else reports[setting] for setting in settings]
    means = {name: float(np.mean([each.summary[name] for each in chosen])) for name in OTHERS}
    changes = {f"{name}_change": 100 * (means[name] / ease.summary[name] - 1) for name in OTHERS}
    return changes | {name: means[name] for name in ("coverage", "exposed_5")}


def _by_validation(unit, test, ease, metric, percent) -> dict[str, float]:
    """The gain on the validation part, and what the setting that was chosen there does on the test part."""
    protocol, base, space, method, width = unit.values()
    reports, theirs = curve(protocol, base, space, method, width, True), before(protocol, REFERENCE, True)
    gain = evaluation.budget_gain(reports, theirs, metric, budget=percent / 100, n_bootstrap=1)
    setting = evaluation.within_budget(reports, theirs, metric, budget=percent / 100)
    tested = ease if setting is None else test[setting]
    return {
        f"gain_validation_{percent}": float(gain.summary["gain_percent"]),
        f"loss_validation_{percent}": float(gain.summary["loss_percent"]),
        f"setting_{percent}": np.nan if setting is None else setting,
        f"gain_chosen_{percent}": 100 * (tested.summary[metric] / ease.summary[metric] - 1),
        f"loss_chosen_{percent}": 100 * (1 - tested.summary["ndcg"] / ease.summary["ndcg"]),
    }


def recompute(row):
    """The setting that validation chose, on the test part again."""
    protocol, base, space, method = (row[key] for key in ("protocol", "base", "space", "method"))
    ease = before(protocol, REFERENCE)
    found = []
    for seed in PROTOCOLS[protocol][1]:
        top = candidates(base, protocol, seed, False)
        top = TopK(top.items[:, : int(row["width"])], top.scores[:, : int(row["width"])], top.scale)
        shown = lists(method, top, blend.spaces(protocol)[space], float(row["setting_3"]))
        found.append(blend.judge(shown, protocol, seed))
    report, metric = averaged(found), f"ild_{space}"
    return {
        "ndcg": before(protocol, base).summary["ndcg"],
        "gain_chosen_3": 100 * (report.summary[metric] / ease.summary[metric] - 1),
    }


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One stored row a (protocol, space, budget in %, pipeline): that with the highest gain on the validation part.

    The names of columns lose the budget at their end, so that `gain`, `loss` and so on are those at the row's budget.
    """
    found = {}
    for (protocol, space), group in rows.groupby(["protocol", "space"], sort=False):
        for percent, other in ((1, 3), (3, 1)):
            for name, (method, bases) in PIPELINES.items():
                right = group["method"].eq(method) if method else ~group["method"].str.startswith("pyversity")
                fitting = group[right & group["base"].isin(bases)]
                row = fitting.loc[fitting[f"gain_validation_{percent}"].idxmax()].filter(regex=f"(?<!_{other})$")
                found[protocol, space, percent, name] = row.set_axis(row.index.str.removesuffix(f"_{percent}"))
    return pd.DataFrame(found).T.rename_axis(["protocol", "space", "budget", "pipeline"]).infer_objects()


def units(protocol: str, methods: dict[str, list[tuple[str, int]]]) -> list[dict]:
    """Every base with its (method, width)s, in the text and in the genres."""
    return [
        {"protocol": protocol, "base": base, "space": space, "method": method, "width": width}
        for space in ("text", "genre")
        for base, every in methods.items()
        for method, width in every
    ]


SEARCHES = [("swap", 100), ("swap", WIDEST)]
METHODS = {
    REFERENCE: [(PEERS, 100), (PEER, 100), ("msd", 100), *SEARCHES],
    CALIBRATED_BASE: SEARCHES,
    OWN: [(PEERS, 100), (PEER, 100), ("msd", 100), *SEARCHES],
}
# in the text, where width matters: is it the wide lists, or what is done with them?
WIDE = [(PEER, WIDEST), ("msd", WIDEST)]
EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=[
        *(unit for protocol in ("A", "Bu") for unit in units(protocol, METHODS)),
        *(
            unit
            for protocol in ("A", "Bu")
            for unit in units(protocol, {REFERENCE: WIDE, OWN: WIDE})
            if unit["space"] == "text"
        ),
    ],
    compute=compute,
    recompute=recompute,
    sample=(2, 4),
    sources=(*blend.SOURCES, "rerank"),
)
