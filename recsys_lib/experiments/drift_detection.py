"""drift-detection: how often, how fast and how falsely detectors cry, on streams whose drift is known.

ADWIN and Page-Hinkley watch one of three figures of a model that does not learn (so that the harm lasts): nDCG, the
rank of the targets, or the diversity of the lists, which needs no feedback. Nine settings each are tried on development
streams (users and seeds of their own); the one is taken that is fastest within the budget of false alarms. Evaluation:
50 streams a kind and severity, twice as many without a drift.

Delays are in visits, from the first visit that the drift can touch; a stream without an alarm within HORIZON visits
counts as infinite in medians, and as HORIZON in the means by which settings are chosen.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

from recsys_lib.experiments.drift_world import CELLS, DEVELOPMENT, EVALUATION, NONE, bootstrap, similarity, stream
from recsys_lib.online import detectors, policies
from recsys_lib.results import Experiment

N_STREAMS = {DEVELOPMENT: 6, EVALUATION: 50}
N_QUIET = {DEVELOPMENT: 30, EVALUATION: 100}  # streams without a drift
HORIZON, BUDGET = 4_000, 0.5  # visits; false alarms per 10,000 visits
ADWIN, PAGE_HINKLEY = "ADWIN", "Page-Hinkley"
SETTINGS = {
    ADWIN: [(delta,) for delta in (0.002, 0.02, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.999)],
    PAGE_HINKLEY: [(s, d) for d, sums in ((0.005, (8, 12, 20)), (0.01, (5, 8, 12)), (0.02, (3, 5, 8))) for s in sums],
}
EVERY = "all drifts"


def detector(name: str, signal: str, setting: tuple) -> detectors.Detector:
    if name == ADWIN:
        return detectors.adwin(*setting)
    # Accuracy falls in a drift. Diversity rises, as contexts stop making sense to the old weights.
    return detectors.page_hinkley(*setting, direction="up" if signal == "ild" else "down")


@lru_cache(maxsize=1)
def _figures(part: str, kind: str, severity: float) -> list[tuple[int | None, np.ndarray]]:
    """(where the drift begins, (n, 3) figures of the model that does not learn), a stream each."""
    found = []
    for seed in range(N_QUIET[part] if kind == NONE else N_STREAMS[part]):
        before, visits = stream(part, kind, severity, seed)
        found.append((visits.at, policies.follow(policies.Static(), before, visits, similarity()).figures.astype("f4")))
    return found


@cache
def _development() -> list[tuple[int | None, np.ndarray]]:
    return [each for cell in CELLS for each in _figures(DEVELOPMENT, *cell)]


def _judged(streams, name: str, signal: str, setting: tuple) -> dict:
    """Figures of one detector on some streams; alarms before the drift are false."""
    column = policies.SIGNALS.index(signal)
    delays, false = [], []
    for at, figures in streams:
        found = detectors.alarms(detector(name, signal, setting), figures[:, column])
        end = len(figures) if at is None else at
        false.append((np.sum(found < end), end))
        if at is not None:
            delays.append(detectors.first_alarm(found, at, HORIZON))
    row = {}

    def add(figure, values, statistic):
        ends = (figure, f"{figure}_low", f"{figure}_high")
        row.update(zip(ends, bootstrap(values, statistic), strict=True))

    add("false_alarms", false, lambda pairs: 1e4 * pairs[:, 0].sum() / pairs[:, 1].sum())
    if delays:
        add("detected", np.isfinite(delays), np.mean)
        add("median_delay", delays, lambda values: np.quantile(values, 0.5, method="higher"))
        add("mean_delay", np.minimum(delays, HORIZON), np.mean)
    return row


def chosen(rows, name: str, signal: str) -> tuple:
    """The setting with the smallest mean delay on development streams among those within the budget."""
    tried = rows[rows["part"].eq(DEVELOPMENT) & rows["detector"].eq(name) & rows["signal"].eq(signal)]
    within = tried[tried["false_alarms"] <= BUDGET]
    return SETTINGS[name][int(within.loc[within["mean_delay"].idxmin(), "setting"])]


def compute(unit, rows):
    name, signal = unit["detector"], unit["signal"]
    if unit["part"] == DEVELOPMENT:
        setting = SETTINGS[name][unit["setting"]]
        quiet = [each for each in _development() if each[0] is None]
        found = _judged([each for each in _development() if each[0] is not None], name, signal, setting)
        found |= _judged(quiet, name, signal, setting)
        return {"parameters": " ".join(map(str, setting)), **found}
    setting, streams = chosen(rows, name, signal), _figures(EVALUATION, unit["kind"], unit["severity"])
    column = policies.SIGNALS.index(signal)
    fall = [f[at : at + HORIZON, column].mean() - f[:at, column].mean() for at, f in streams if at is not None]
    found = {"change_of_signal": float(np.mean(fall))} if fall else {}
    return {"parameters": " ".join(map(str, setting)), **found, **_judged(streams, name, signal, setting)}


def recompute(row):
    setting = tuple(float(value) for value in row["parameters"].split())
    streams = _figures(row["part"], row["kind"], row["severity"])
    found = _judged(streams, row["detector"], row["signal"], setting)
    return {figure: found[figure] for figure in ("detected", "median_delay", "mean_delay")}


PAIRS = [(name, signal) for name in SETTINGS for signal in policies.SIGNALS]
EXPERIMENT = Experiment(
    data=("ml-1m",),
    units=[
        {"part": DEVELOPMENT, "kind": EVERY, "severity": 0.0, "detector": name, "signal": signal, "setting": place}
        for name, signal in PAIRS
        for place in range(len(SETTINGS[name]))
    ]
    + [
        {"part": EVALUATION, "kind": kind, "severity": severity, "detector": name, "signal": signal, "setting": -1}
        for kind, severity in CELLS
        for name, signal in PAIRS
    ],
    compute=compute,
    recompute=recompute,
    sample=(61,),
    sources=("online/detectors.py", "online/drift.py", "online/policies.py", "models/linear.py"),
)
