"""new-items: films that enter a running stream, scored by their text until people have them.

MovieLens-100K in the order of time. A fifth of the films that have five or more ratings is taken out of the training
half (five draws), and enters when the stream begins. Blocks of 50 ratings of the next fifth of the data are predicted
and learned. Ranked and looked for are these films alone: all of them, those that fewer than five people have had so
far, or those that nobody has had. Hyper-parameters are chosen on the tenth before the stream with a draw of its own,
eight settings a row, judged on all new films. The control has the texts of other films (one permutation a draw).
"""

from __future__ import annotations

import json
from functools import cache, lru_cache

import numpy as np
import pandas as pd

from recsys_lib import models, splits
from recsys_lib.experiments.movielens_stream import dataset, events, spaces
from recsys_lib.experiments.prequential import figures, over
from recsys_lib.interactions import Interactions
from recsys_lib.online import FadingPopularity, IncrementalEASE, IncrementalL3AE, Prequential, Stream, prequential
from recsys_lib.results import Experiment

SIZE = 50
SEEDS, TUNING_SEEDS = range(5), (100,)
SLICES = {"all": None, "fewer than 5": 5, "nobody": 1}
POPULARITY, EASE, TEXT, SHUFFLED = "popularity", "EASE, incremental", "EASE with texts", "EASE with shuffled texts"
ROWS = ("random", POPULARITY, EASE, SHUFFLED, TEXT)


@cache
def vectors() -> np.ndarray:
    """MiniLM's vectors of title, year and genres, without the mean direction that all of them share."""
    centred = spaces()["text"] - spaces()["text"].mean(axis=0)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def build(name: str, parameters: dict):
    if name in (TEXT, SHUFFLED):
        return IncrementalL3AE(**parameters)
    if name == EASE:
        return IncrementalEASE(**parameters)
    return models.Random(rng=0) if name == "random" else FadingPopularity()


def grid(name: str) -> list[dict]:
    """Eight settings; with texts, two of l2 and four of how much of it pulls towards them."""
    if name in ("random", POPULARITY):
        return [{}]
    if name == EASE:
        return [{"l2": l2} for l2 in (200, 500, 1000, 2000, 4000, 8000, 16_000, 32_000)]
    return [{"l2": l2, "text_weight": share * l2} for l2 in (1000, 4000) for share in (0.03, 0.1, 0.3, 0.7)]


def run(name: str, parameters: dict, part: str, seed: int, start: float, stop: float) -> Prequential:
    cut, end = (int(share * len(events())) for share in (start, stop))
    split = splits.cold_items(events()[:cut], share=0.2, min_interactions=5, rng=seed)
    train = Interactions.from_frame(split.train, item_ids=dataset().items.index)
    new = np.isin(train.item_ids, split.test["item_id"].unique())
    model, texts = build(name, parameters), vectors()
    if name == SHUFFLED:
        texts = texts[np.random.default_rng(seed).permutation(len(texts))]
    model.fit(train, texts)
    limit = SLICES[part]

    def only(had):
        return new if limit is None else new & (had.item_counts < limit)

    stream = Stream(events()[cut:end], train.user_ids, train.item_ids, size=SIZE)
    return prequential(model, stream, item_vectors=spaces(), only=only, every=40)


@lru_cache(maxsize=8)
def found(name: str, parameters: str, part: str) -> Prequential:
    """The runs of all draws as one; a user is the same in each, so that intervals draw him with all his lists."""
    runs = [run(name, json.loads(parameters), part, seed, 0.5, 0.7) for seed in SEEDS]
    lists = [each.per_list.assign(block=each.per_list["block"] + 10_000 * seed) for seed, each in enumerate(runs)]
    return Prequential(pd.concat([each.periods for each in runs]), pd.concat(lists, ignore_index=True))


def _chosen(name: str, part: str, rows: pd.DataFrame) -> str:
    """Chosen on all new films; the control has the setting that is best for the true texts."""
    if part != "all":
        return _stored(rows, name)
    if name == TEXT:
        return _stored(rows, SHUFFLED)
    settings = grid(name)
    if len(settings) == 1:
        return json.dumps(settings[0])
    values = [
        np.mean(
            [
                run(TEXT if name == SHUFFLED else name, each, part, seed, 0.4, 0.5).per_list["ndcg"].mean()
                for seed in TUNING_SEEDS
            ]
        )
        for each in settings
    ]
    return json.dumps(settings[int(np.argmax(values))])


def _stored(rows: pd.DataFrame, name: str) -> str:
    return rows.loc[rows["part"].eq("all") & rows["model"].eq(name), "parameters"].iloc[0]


def compute(unit, rows):
    name, part = unit["model"], unit["part"]
    chosen = _chosen(name, part, rows)
    mine = found(name, chosen, part)
    row = {"parameters": chosen, **figures(mine)}
    others = {POPULARITY: "popularity", EASE: "ease", SHUFFLED: "shuffled"}
    for other in (other for other in others if other in ROWS[: ROWS.index(name)]):
        row |= over(mine, found(other, _stored(rows, other), part), others[other])
    return row


def recompute(row):
    again = figures(found(row["model"], row["parameters"], row["part"]))
    return {name: again[name] for name in ("ndcg", "recall", "ild_text", "ild_genre")}


EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=[{"part": part, "model": name} for part in SLICES for name in ROWS],
    compute=compute,
    recompute=recompute,
    sample=(12,),
    sources=(
        *(f"online/{name}.py" for name in ("counts", "ease", "history", "new_items", "prequential", "stream")),
        *("models/base.py", "models/content.py", "models/linear.py", "metrics", "splits.py"),
    ),
)
