"""movielens-stream: MovieLens-100K in the order of its timestamps: accuracy, diversity and coverage, period by period.

The first half of the ratings is training data; the second half is predicted and learned in blocks of 25 ratings, since
people come for one sitting: what a block predicts is what somebody who is there rates next. Periods have 5,000 ratings.
Hyper-parameters are chosen on the fifth tenth after training on the first four, eight settings a row. Differences are
means over all lists, intervals draw whole users.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache, partial

import numpy as np
import pandas as pd

from recsys_lib import datasets, models, rerank
from recsys_lib.encoders import TextEncoder
from recsys_lib.experiments.prequential import figures, over, series
from recsys_lib.interactions import Interactions
from recsys_lib.online import (
    FadingPopularity,
    FoldIn,
    IncrementalEASE,
    LiveProfile,
    Prequential,
    Stream,
    prequential,
)
from recsys_lib.results import Experiment

SIZE, EVERY, DAY = 25, 200, 86_400
FROZEN, LIVE, INCREMENTAL, POPULARITY = "EASE, frozen", "EASE, live profile", "EASE, incremental", "popularity"
DIVERSE = "EASE, incremental, re-ranked"
ROWS = (
    *("random", POPULARITY, "fading popularity", "ALS, folded in"),
    *(FROZEN, LIVE, INCREMENTAL, DIVERSE),
)
TRADE_OFF = 0.2
SPACES = ("text", "genre")


@cache
def dataset() -> datasets.Dataset:
    return datasets.load("ml-100k")


@cache
def spaces() -> dict[str, np.ndarray]:
    return {"text": TextEncoder().encode(dataset().items["text"]), "genre": dataset().genre_vectors}


@cache
def events() -> pd.DataFrame:
    frame = dataset().interactions[["user_id", "item_id", "timestamp"]]
    return frame.sort_values(["timestamp", "user_id", "item_id"], ignore_index=True)


def build(name: str, parameters: dict):
    if name in (INCREMENTAL, DIVERSE):
        return IncrementalEASE(**parameters)
    if name in (FROZEN, LIVE):
        return LiveProfile(models.EASE(**parameters), live=name == LIVE)
    if name == "ALS, folded in":
        return FoldIn(models.ALS(**parameters))
    return models.Random(rng=0) if name == "random" else FadingPopularity(**parameters)


def grid(name: str) -> list[dict]:
    """The settings among which the validation part chooses."""
    if name in ("random", POPULARITY):
        return [{}]
    if name == "fading popularity":
        return [{"half_life": days * DAY} for days in (0.25, 0.5, 1, 2, 4, 8, 32, 128)]
    if name == "ALS, folded in":
        return [{"regularisation": value} for value in (10, 30, 100, 200, 400, 800, 1600, 3200)]
    return [{"l2": value} for value in (200, 500, 1000, 2000, 4000, 8000, 16_000, 32_000)]


def run(name: str, parameters: dict, start: float, stop: float) -> Prequential:
    """Trained on the ratings up to the share `start`, then tested and learned up to `stop`."""
    cut, end = (int(share * len(events())) for share in (start, stop))
    known, rest = events()[:cut], events()[cut:end]
    train = Interactions.from_frame(known, item_ids=dataset().items.index)
    stream = Stream(rest, train.user_ids, train.item_ids, size=SIZE)
    settings = {"item_vectors": spaces(), "every": EVERY}
    if name == DIVERSE:
        settings["rerank"] = partial(rerank.msd, item_vectors=spaces()["text"], k=10, trade_off=TRADE_OFF)
    return prequential(build(name, parameters).fit(train), stream, **settings)


@lru_cache(maxsize=8)
def found(name: str, parameters: str) -> Prequential:
    return run(name, json.loads(parameters), 0.5, 1.0)


def _chosen(name: str, rows: pd.DataFrame) -> str:
    """The setting that is best on the validation part; EASE's rows share the one that is best for the live profile."""
    if name in (LIVE, INCREMENTAL, DIVERSE):
        return _stored(rows, FROZEN)
    settings = grid(name)
    if len(settings) == 1:
        return json.dumps(settings[0])
    values = [run(LIVE if name == FROZEN else name, each, 0.4, 0.5).per_list["ndcg"].mean() for each in settings]
    return json.dumps(settings[int(np.argmax(values))])


def _stored(rows: pd.DataFrame, name: str) -> str:
    return rows.loc[rows["model"].eq(name), "parameters"].iloc[0]


def compute(unit, rows):
    name = unit["model"]
    chosen = _chosen(name, rows)
    mine = found(name, chosen)
    row = {"parameters": chosen, **figures(mine)}
    others = {POPULARITY: "popularity", FROZEN: "frozen", LIVE: "live", INCREMENTAL: "incremental"}
    for other in (other for other in others if other in ROWS[: ROWS.index(name)]):
        for metric in ("ndcg", "ild_text", "ild_genre"):
            row |= over(mine, found(other, _stored(rows, other)), others[other], metric)
    return row | series(mine, ("ndcg", "ild_text", "ild_genre", "coverage", "gini"))


def recompute(row):
    again = figures(found(row["model"], row["parameters"]))
    return {name: again[name] for name in ("ndcg", "recall", "ild_text", "ild_genre", "coverage", "gini")}


EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=[{"model": name} for name in ROWS],
    compute=compute,
    recompute=recompute,
    sample=(4,),
    sources=(
        *(f"online/{name}.py" for name in ("counts", "ease", "fold_in", "history", "prequential", "profile", "stream")),
        *("models/als.py", "models/base.py", "models/linear.py", "rerank", "metrics"),
    ),
)
