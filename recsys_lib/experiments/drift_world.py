"""What the drift experiments share: the films, two halves of the users, streams by seed, and intervals over streams."""

from __future__ import annotations

from functools import cache

import numpy as np

from recsys_lib import datasets
from recsys_lib.interactions import Interactions
from recsys_lib.metrics.intra_list import unit_rows
from recsys_lib.online import drift

DATASET, N_ITEMS, MIN_RATING = "ml-1m", 500, 4
N_BEFORE, N_STREAM = 5_000, 8_000  # visits that models are fitted on, and visits in a stream
EARLIEST, LATEST = 2_000, 3_000  # the drift begins between these visits, at random
DEVELOPMENT, EVALUATION = "development", "evaluation"
NONE = "none"
SEVERITIES = {
    "sudden": (0.2, 0.5, 1.0),
    "gradual": (0.2, 0.5, 1.0),
    "recurring": (0.2, 0.5, 1.0),
    "popularity attack": (0.05, 0.1, 0.2),
}
CELLS = [(kind, severity) for kind, severities in SEVERITIES.items() for severity in severities] + [(NONE, 0.0)]


@cache
def _films() -> tuple[Interactions, np.ndarray]:
    """The likes (ratings of 4 and 5) of the most liked films by users with enough of them, and the films' genres."""
    found = datasets.load(DATASET)
    likes = found.interactions[found.interactions["rating"] >= MIN_RATING]
    films = likes["item_id"].value_counts().index[:N_ITEMS]
    likes = likes[likes["item_id"].isin(films)]
    enough = likes["user_id"].value_counts() >= drift.N_CONTEXT + drift.N_TARGETS + 5
    likes = likes[likes["user_id"].isin(enough.index[enough])]
    liked = Interactions.from_frame(likes)
    return liked, found.genre_vectors[found.items.index.get_indexer(liked.item_ids)]


@cache
def liked(part: str) -> Interactions:
    """The likes of one half of the users: what is tuned on one half is measured on the other."""
    whole, _ = _films()
    rows = np.random.default_rng(0).permutation(whole.n_users)
    half = np.sort(rows[: len(rows) // 2] if part == DEVELOPMENT else rows[len(rows) // 2 :])
    return Interactions(whole.matrix[half], whole.user_ids[half], whole.item_ids)


@cache
def similarity() -> np.ndarray:
    """(N_ITEMS, N_ITEMS) float32: cosines of the films' genres."""
    unit = unit_rows(_films()[1])
    return (unit @ unit.T).astype(np.float32)


def stream(part: str, kind: str, severity: float, seed: int) -> tuple[drift.Visits, drift.Visits]:
    """(the visits before, the stream); every (part, kind, severity, seed) has its own visits and its own drift."""
    users = liked(part)
    rng = np.random.default_rng([part == EVALUATION, CELLS.index((kind, severity)), seed])
    before, visits = (drift.draw_visits(users, n, rng) for n in (N_BEFORE, N_STREAM))
    at = int(rng.integers(EARLIEST, LATEST))
    if kind == NONE:
        return before, visits
    return before, drift.inject(visits, kind, severity, at, users.item_counts, rng)


def bootstrap(values, statistic, *, n_bootstrap: int = 1000) -> tuple[float, float, float]:
    """`statistic` of the values (n_streams, ...) and its 95 % percentile interval over streams."""
    values = np.asarray(values, float)
    draws = np.random.default_rng(0).integers(len(values), size=(n_bootstrap, len(values)))
    # "lower" and "higher": an infinite delay must not be averaged into a finite one.
    found = [statistic(values[draw]) for draw in draws]
    low, high = np.quantile(found, 0.025, method="lower"), np.quantile(found, 0.975, method="higher")
    return float(statistic(values)), float(low), float(high)
