"""complete-journey: a year of supermarket purchases, week by week: what is a live profile worth, and what a refit?

An event is a household's first purchase of a category in a week. Weeks 1 to 16 are training data, 17 to 52 are
predicted one by one, each before it is learned (k = 10). Hyper-parameters are chosen on weeks 13 to 16 after training
on 1 to 12, eight settings a row. Differences are means over all lists, intervals draw whole households.

- "new": categories that the household never bought before. Frozen: weights and histories of week 16. Live profile:
  weights of week 16, histories that go on. Incremental: both go on. The three share one l2, chosen for the frozen one,
  so that what differs is what is learned and nothing else.
- "new, by day": the same, predicted day by day, to see whether weights that are refitted each Sunday are late.
- "repeats": whatever the household buys, known or not. Here it meets its own habits.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache

import numpy as np
import pandas as pd

from recsys_lib import datasets, models
from recsys_lib.encoders import TextEncoder
from recsys_lib.experiments.prequential import figures, over, series
from recsys_lib.interactions import Interactions
from recsys_lib.online import (
    FadingFrequency,
    FadingPopularity,
    IncrementalEASE,
    IncrementalItemKNN,
    LiveProfile,
    Prequential,
    Stream,
    prequential,
)
from recsys_lib.results import Experiment

TRAINING, VALIDATION, LAST = 12, 16, 52  # last week of each part
FROZEN, LIVE, INCREMENTAL, POPULARITY = "EASE, frozen", "EASE, live profile", "EASE, incremental", "popularity"
WEEKLY, OWN = "EASE, refitted weekly", "own frequency"
ROWS = {
    "new": ("random", POPULARITY, "fading popularity", "item-kNN", FROZEN, LIVE, INCREMENTAL),
    "new, by day": (FROZEN, LIVE, WEEKLY, INCREMENTAL),
    "repeats": ("random", POPULARITY, OWN, "fading own frequency", FROZEN, LIVE, INCREMENTAL),
}


class RefittedWeekly(LiveProfile):
    """A live profile whose weights are fitted again when a week is over; a block is a day, and time counts days."""

    def learn(self, users, items, times) -> None:
        super().learn(users, items)
        if times[-1] % 7 == 6:
            self.refit()


@cache
def dataset() -> datasets.Dataset:
    return datasets.load("complete-journey").grouped("category")


@cache
def spaces() -> dict[str, np.ndarray]:
    return {"department": dataset().genre_vectors, "text": TextEncoder().encode(dataset().items["text"])}


@cache
def events(by_day: bool) -> pd.DataFrame:
    """user_id, item_id, timestamp = number of the week, or of the day (seven a week, the first one is Monday)."""
    lines = dataset().interactions
    when = lines["week"]
    if by_day:
        monday = lines["timestamp"].groupby(when).transform("min")  # receipts of a week start within an hour of Monday
        when = 7 * when + ((lines["timestamp"] - monday) // 86_400).clip(0, 6)
    frame = lines[["user_id", "item_id"]].assign(timestamp=when)
    return frame.drop_duplicates().sort_values("timestamp", kind="stable", ignore_index=True)


def build(task: str, name: str, parameters: dict):
    if name == "random":
        return models.Random(rng=0)
    if name in (POPULARITY, "fading popularity"):
        return FadingPopularity(repeats=task == "repeats", **parameters)
    if name in (OWN, "fading own frequency"):
        return FadingFrequency(**parameters)
    if name == "item-kNN":
        return IncrementalItemKNN(k=len(dataset().items), **parameters)
    if name == INCREMENTAL:
        return IncrementalEASE(**parameters)
    kind = RefittedWeekly if name == WEEKLY else LiveProfile
    return kind(models.EASE(**parameters), live=name != FROZEN)


def grid(name: str) -> list[dict]:
    """The settings among which the validation weeks choose."""
    if name in ("random", POPULARITY, OWN):
        return [{}]
    if name.startswith("fading"):
        return [{"half_life": weeks} for weeks in (1, 2, 4, 8, 16, 32, 64, None)]
    if name == "item-kNN":
        return [{"shrinkage": value} for value in (0, 1, 3, 10, 30, 100, 300, 1000)]
    return [{"l2": value} for value in (100, 175, 305, 535, 935, 1635, 2860, 5000)]


def run(task: str, name: str, parameters: dict, until: int, last: int) -> Prequential:
    """Trained on the weeks up to `until`, then tested and learned up to `last`."""
    model, by_day = build(task, name, parameters), task.endswith("by day")
    frame, unit = events(by_day), 7 if by_day else 1
    known = frame[frame["timestamp"] < unit * (until + 1)]
    rest = frame[(frame["timestamp"] >= unit * (until + 1)) & (frame["timestamp"] < unit * (last + 1))]
    ids, items = np.sort(known["user_id"].unique()), dataset().items.index
    train = Interactions.from_frame(known.drop_duplicates(["user_id", "item_id"]), ids, items)
    if isinstance(model, FadingPopularity | FadingFrequency | IncrementalItemKNN):  # sums over repeated events too
        first = known["timestamp"] == known["timestamp"].iloc[0]
        model.fit(Interactions.from_frame(known[first], ids, items))
        for block in Stream(known[~first], ids, items, seconds=1):
            model.learn(block.users, block.items, block.times)
    else:
        model.fit(train)
    stream = Stream(rest, ids, items, seconds=1, start=unit * (until + 1))
    return prequential(model, stream, item_vectors=spaces(), every=unit, repeats=task == "repeats")


@lru_cache(maxsize=8)
def found(task: str, name: str, parameters: str) -> Prequential:
    return run(task, name, json.loads(parameters), VALIDATION, LAST)


def _chosen(task: str, name: str, rows: pd.DataFrame) -> str:
    """The setting that is best on the validation weeks; EASE's other rows take that of the frozen one."""
    if name.startswith("EASE") and (task, name) not in (("new", FROZEN), ("repeats", FROZEN)):
        return _stored(rows, "repeats" if task == "repeats" else "new", FROZEN)
    settings = grid(name)
    if len(settings) == 1:
        return json.dumps(settings[0])
    values = [run(task, name, each, TRAINING, VALIDATION).per_list["ndcg"].mean() for each in settings]
    return json.dumps(settings[int(np.argmax(values))])


def _stored(rows: pd.DataFrame, task: str, name: str) -> str:
    return rows.loc[rows["task"].eq(task) & rows["model"].eq(name), "parameters"].iloc[0]


def compute(unit, rows):
    task, name = unit["task"], unit["model"]
    chosen = _chosen(task, name, rows)
    mine = found(task, name, chosen)
    row = {"parameters": chosen, **figures(mine)}
    before = ROWS[task][: ROWS[task].index(name)]
    others = {POPULARITY: "popularity", FROZEN: "frozen", LIVE: "live", WEEKLY: "weekly", OWN: "own"}
    for other in (other for other in others if other in before):
        row |= over(mine, found(task, other, _stored(rows, task, other)), others[other])
    return row | series(mine, ("ndcg", "ild_department", "ild_text", "coverage", "gini"))


def recompute(row):
    again = figures(found(row["task"], row["model"], row["parameters"]))
    return {name: again[name] for name in ("ndcg", "recall", "ild_department", "ild_text", "coverage", "gini")}


EXPERIMENT = Experiment(
    data=("complete-journey", "all-minilm-l6-v2"),
    units=[{"task": task, "model": name} for task, names in ROWS.items() for name in names],
    compute=compute,
    recompute=recompute,
    sample=(6,),
    sources=(
        *(f"online/{name}.py" for name in ("counts", "ease", "history", "prequential", "profile", "stream")),
        *("models/base.py", "models/linear.py", "metrics"),
    ),
)
