"""Drift detectors of `river` behind one small interface, and the measure of what they do.

A detector watches one number a visit. `update(value)` says whether it raises an alarm now; after an alarm it starts
over by itself. What may be watched: a reward (nDCG, the rank of the targets), or something that needs no feedback,
for instance the diversity of the lists.
"""

from __future__ import annotations

import numpy as np
from river import drift as river_drift


class Detector:
    """One of river's detectors: `update(value) -> bool`.

    Attributes
    ----------
    width : int
        Visits that the detector takes for the present regime: ADWIN's window; for Page-Hinkley, those since the last
        alarm.
    """

    def __init__(self, inner):
        self.inner, self._since = inner, 0

    def update(self, value: float) -> bool:
        self.inner.update(value)
        self._since = 0 if self.inner.drift_detected else self._since + 1
        return self.inner.drift_detected

    @property
    def width(self) -> int:
        return int(getattr(self.inner, "width", self._since))


def adwin(delta: float = 0.002) -> Detector:
    """Adaptive windowing (Bifet & Gavalda, SDM 2007): an alarm when two parts of its window differ in mean.

    delta bounds the probability of a false alarm at each test; changes in both directions count.
    """
    return Detector(river_drift.ADWIN(delta=delta))


def page_hinkley(threshold: float, delta: float = 0.005, direction: str = "down") -> Detector:
    """Page-Hinkley test (Page, Biometrika 1954): an alarm when the values have fallen below their running mean.

    threshold: the sum of deviations that is needed; delta: the deviation a visit that is tolerated; direction: "down",
    "up" or "both".
    """
    return Detector(river_drift.PageHinkley(threshold=threshold, delta=delta, mode=direction))


def alarms(detector: Detector, values) -> np.ndarray:
    """The places in `values` at which the detector raises an alarm."""
    return np.flatnonzero([detector.update(value) for value in np.asarray(values, float).tolist()])


def first_alarm(found: np.ndarray, at: int, horizon: int) -> float:
    """Visits from the drift at `at` to the first alarm within `horizon` visits; inf if there is none."""
    after = found[(found >= at) & (found < at + horizon)]
    return float(after[0] - at) if after.size else np.inf
