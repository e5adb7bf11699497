"""drift: adaptation policies on streams whose drift is known, by quality and by cost.

Development streams (users and seeds of their own) fix the settings:
- sliding window: the window with the best nDCG after the drift; the next two have the same;
- periodic: the longest period that keeps 95 % of what the sliding window gains over static;
- drift-triggered: what gains most at no more than a fifth of the periodic policy's refits. ADWIN watches the rank of
  the targets in the policy's own lists, with the delta of drift-detection.

Evaluation: 17 streams a kind and severity, so 51 a kind. Figures are over genuine visits from the first that the drift
can touch; without a drift, over the whole stream. `seconds` are CPU seconds a stream for learning and watching.
`per_stream` keeps the nDCG of each stream for paired intervals; curves are means by PERIOD visits around the drift.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from recsys_lib import results
from recsys_lib.experiments import drift_detection
from recsys_lib.experiments.drift_world import (
    CELLS,
    DEVELOPMENT,
    EARLIEST,
    EVALUATION,
    N_ITEMS,
    bootstrap,
    similarity,
    stream,
)
from recsys_lib.online import drift, policies
from recsys_lib.results import Experiment

N_STREAMS = {DEVELOPMENT: 3, EVALUATION: 17}
STATIC, PERIODIC, INCREMENTAL = "static", "periodic", "incremental"
SLIDING, TRIGGERED = "sliding window", "drift-triggered"
POLICIES = (STATIC, PERIODIC, INCREMENTAL, SLIDING, TRIGGERED)
SETTINGS = {  # what is tried on development streams, in units of visits where they are visits
    STATIC: [{}],
    SLIDING: [{"window": window} for window in (3_000, 5_000, 8_000)],
    PERIODIC: [{"period": period} for period in (250, 500, 1000, 2000, 4000)],
    TRIGGERED: [{"old_weight": weight, "growth": growth} for weight in (0.2, 0.35, 0.5) for growth in (1.5, 2.0, 3.0)],
}
SHARE_KEPT, SHARE_OF_REFITS = 0.95, 0.2
PERIOD = 250  # visits a point of a curve
CURVE = range(-EARLIEST // PERIOD, 5_000 // PERIOD)  # points before and after the drift
EVERY = "sudden, gradual, recurring"


def policy(name: str, setting: dict) -> policies.Static:
    builds = {STATIC: policies.Static, PERIODIC: policies.Periodic, TRIGGERED: policies.Triggered}
    return builds.get(name, policies.Incremental)(**setting)


@lru_cache(maxsize=1)
def _streams(part: str, kind: str, severity: float) -> list[tuple[drift.Visits, drift.Visits]]:
    cells = CELLS[:9] if kind == EVERY else [(kind, severity)]
    return [stream(part, *cell, seed) for cell in cells for seed in range(N_STREAMS[part])]


def _followed(name: str, setting: dict, streams) -> list[tuple[drift.Visits, policies.Followed]]:
    return [
        (visits, policies.follow(policy(name, setting), before, visits, similarity())) for before, visits in streams
    ]


def _after(visits: drift.Visits, followed: policies.Followed) -> np.ndarray:
    """(2,): nDCG and ILD of the genuine visits since the drift began."""
    start = visits.at or 0
    return followed.figures[start:][visits.genuine[start:]][:, [0, 2]].mean(axis=0)


def _curves(runs) -> dict:
    """nDCG, ILD and coverage of the genuine visits by PERIOD around the drift, means over streams."""
    points = np.full((len(runs), len(CURVE), 3), np.nan)
    for row, (visits, followed) in enumerate(runs):
        for column, point in enumerate(CURVE):
            start = (EARLIEST if visits.at is None else visits.at) + point * PERIOD
            rows = np.arange(start, start + PERIOD)
            rows = rows[visits.genuine[rows]]
            shown = np.unique(followed.lists[rows]).size / N_ITEMS
            points[row, column] = *followed.figures[rows][:, [0, 2]].mean(axis=0), shown
    names = ("curve_ndcg", "curve_ild", "curve_coverage")
    return {name: " ".join(f"{value:.5f}" for value in points[:, :, i].mean(axis=0)) for i, name in enumerate(names)}


def _row(runs) -> dict:
    after = np.array([_after(*run) for run in runs])
    row = {"n_streams": len(runs)}
    for column, figure in enumerate(("ndcg", "ild")):
        ends = (figure, f"{figure}_low", f"{figure}_high")
        row |= dict(zip(ends, bootstrap(after[:, column], np.mean), strict=True))
    row |= {"refits": np.mean([followed.n_refits for _, followed in runs])}
    row |= {"seconds": np.mean([followed.seconds for _, followed in runs])}
    return row | {"per_stream": " ".join(f"{value:.6f}" for value in after[:, 0])}


def _pushed(visits: drift.Visits, followed: policies.Followed) -> float:
    """The share of genuine visits since the attack whose list shows a pushed film."""
    pushed = visits.items[np.flatnonzero(~visits.genuine)[0], drift.N_CONTEXT :]
    lists = followed.lists[visits.at :][visits.genuine[visits.at :]]
    return float(np.isin(lists, pushed).any(axis=1).mean())


def setting_of(parameters: str) -> dict:
    """What `parameters` of a row says, as arguments: "period=250 window=5000"."""
    pairs = (pair.split("=") for pair in str(parameters).split() if "=" in pair)
    return {name: float(value) if "." in value else int(value) for name, value in pairs}


def chosen(rows, name: str) -> dict:
    """The setting that the rule of this module takes from the development rows, without the shared window."""
    if name in (STATIC, INCREMENTAL):
        return {}
    tried = rows[rows["part"].eq(DEVELOPMENT)]
    static, sliding, periodic, triggered = (
        tried[tried["policy"].eq(each)].sort_values("setting") for each in (STATIC, SLIDING, PERIODIC, TRIGGERED)
    )
    if name == SLIDING:
        return SETTINGS[SLIDING][int(sliding["ndcg"].to_numpy().argmax())]
    least = static["ndcg"].item() + SHARE_KEPT * (sliding["ndcg"].max() - static["ndcg"].item())
    enough = np.flatnonzero(periodic["ndcg"] >= least)
    period = int(enough[-1]) if enough.size else 0  # they are in order, the shortest first
    if name == PERIODIC:
        return SETTINGS[PERIODIC][period]
    affordable = triggered["refits"] <= SHARE_OF_REFITS * periodic["refits"].iloc[period]
    best = triggered["ndcg"].where(affordable, -np.inf).to_numpy().argmax()
    return SETTINGS[TRIGGERED][int(best)]


def compute(unit, rows):
    name, part = unit["policy"], unit["part"]
    setting = SETTINGS[name][unit["setting"]] if part == DEVELOPMENT else chosen(rows, name)
    if name in (PERIODIC, TRIGGERED):
        setting = {**setting, **chosen(rows, SLIDING)}
    if name == TRIGGERED:
        (delta,) = drift_detection.chosen(results.load("drift-detection"), drift_detection.ADWIN, "rank")
        setting = {"delta": delta, **setting}
    runs = _followed(name, setting, _streams(part, unit["kind"], unit["severity"]))
    row = {"parameters": " ".join(f"{key}={value}" for key, value in setting.items()) or "-", **_row(runs)}
    if part == EVALUATION:
        row |= _curves(runs)
    if unit["kind"] == "popularity attack":
        row["pushed"] = np.mean([_pushed(*run) for run in runs])
    return row


def recompute(row):
    streams = _streams(row["part"], row["kind"], row["severity"])
    found = _row(_followed(row["policy"], setting_of(row["parameters"]), streams))
    return {figure: found[figure] for figure in ("ndcg", "ild", "refits")}


EXPERIMENT = Experiment(
    data=("ml-1m",),
    units=[
        {"part": DEVELOPMENT, "kind": EVERY, "severity": 0.0, "policy": name, "setting": place}
        for name, settings in SETTINGS.items()
        for place in range(len(settings))
    ]
    + [
        {"part": EVALUATION, "kind": kind, "severity": severity, "policy": name, "setting": -1}
        for kind, severity in CELLS
        for name in POLICIES
    ],
    compute=compute,
    recompute=recompute,
    sample=(22,),
    sources=drift_detection.EXPERIMENT.sources,  # that IncrementalEASE equals a refit is tested
)
