"""item-tower: does fine-tuning the encoder as an item tower beat the frozen linear map on cold items (notebook 04)?

ML-100K, positives are ratings of 4 and more, 20 % of the items with five positives are held out; lists rank the cold
items only. Every setting is chosen on held-out *warm* items of split 0 (the same cut, applied to its training part)
and kept for the other splits: the linear map takes the best of seven l2; the frozen tower the best of four pairs
(temperature, learning rate of the map); the fine-tuned ones keep that pair and take the best of two learning rates of
the tower; the number of epochs, at most MAX_EPOCHS, is read from each validation curve. The centred cosine has
nothing to choose: the mean of all films is taken out of the frozen vectors, and a person is the mean of what is left
of the films he liked.

Intervals are over users: they say how sure the differences are for these held-out items. How much depends on which
items are held out, the rows of the single splits show. Costs are seconds of processor time, so that other work on the
machine does not count.
"""

from __future__ import annotations

import hashlib
import json
import time
from functools import lru_cache
from itertools import product

import numpy as np
import pandas as pd
import torch

from recsys_lib import assets, datasets, models
from recsys_lib.encoders import TextEncoder
from recsys_lib.encoders.text import PACKAGED
from recsys_lib.evaluation.intervals import percentiles, resamples
from recsys_lib.experiments import cold_items
from recsys_lib.interactions import Interactions
from recsys_lib.metrics import accuracy
from recsys_lib.models.content import LinearTextMap
from recsys_lib.models.two_tower import TwoTower, _ItemTower
from recsys_lib.results import Experiment, source_hash
from recsys_lib.topk import best

SOURCES = ("models/two_tower.py", "models/content.py", "models/base.py", "metrics/accuracy.py", "splits.py")
MAX_EPOCHS = 8
L2 = (300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5)
MAPS = [{"temperature": t, "map_learning_rate": rate} for t, rate in product((0.05, 0.1), (1e-4, 3e-4))]
TOWERS = [{"learning_rate": rate} for rate in (2e-5, 1e-4)]
REFERENCE, CENTRED, FROZEN = "linear map, frozen", "centred cosine, frozen", "tower, frozen"
# row -> its fixed settings; the fine-tuned rows come after the frozen tower, whose map's settings they take over
ROWS = {
    REFERENCE: {},
    CENTRED: {},
    FROZEN: {"trainable_layers": 0},
    "tower, frozen, no log q": {"trainable_layers": 0, "log_q": False},
    "random": {},
    "tower, last 2 layers": {"trainable_layers": 2},
    "tower, all 6 layers": {"trainable_layers": 6},
}
SEEDS = range(3)


@lru_cache(maxsize=1)
def _items():
    items = datasets.load("ml-100k").items
    return items, TextEncoder().encode(items["text"])


def item_vectors(row: str) -> np.ndarray | None:
    """What a row's model is fitted on; None: it reads the texts itself, or nothing."""
    vectors = _items()[1]
    return {REFERENCE: vectors, CENTRED: vectors - vectors.mean(axis=0)}.get(row)


@lru_cache(maxsize=1)
def _all_users():
    return np.sort(datasets.load("ml-100k").interactions["user_id"].unique())


@lru_cache(maxsize=4)
def data(seed: int, *, validation: bool = False):
    """(train, test, cold columns) of item split `seed`, or of the same cut applied to its training part."""
    return cold_items.split(datasets.load("ml-100k"), seed)[int(validation)]


def build(row: str, parameters: dict, seed: int = 0, **more):
    """The unfitted model of a row."""
    if row == REFERENCE:
        return LinearTextMap(**parameters)
    if row == CENTRED:
        return models.ContentProfile()  # scales the vectors to length 1
    if row == "random":
        return models.Random(rng=seed)
    return TwoTower(_items()[0]["text"], rng=seed, **ROWS[row], **parameters, **more)


def ndcg(model, test: Interactions, cold) -> np.ndarray:
    """nDCG@10 of each user among the cold columns, NaN without test items; the model may be in the middle of `fit`."""
    scores = np.full(test.matrix.shape, -np.inf, np.float32)
    scores[:, cold] = model.score(np.arange(test.n_users))[:, cold]
    return accuracy.ndcg(best(scores, 10)[0], test.matrix, 10)


def tune(row: str, shared: dict) -> tuple[float, dict, int]:
    """(validation nDCG, parameters, number of trials): the best on held-out warm items of split 0."""
    train, test, cold = data(0, validation=True)
    trials = []
    if row == REFERENCE:
        for l2 in L2:
            model = build(row, {"l2": l2}).fit(train, _items()[1])
            trials.append((float(np.nanmean(ndcg(model, test, cold))), {"l2": l2}))
    else:
        for candidate in TOWERS if ROWS[row]["trainable_layers"] else MAPS:
            curve, parameters = [], shared | candidate

            def keep(model, curve=curve):
                curve.append(float(np.nanmean(ndcg(model, test, cold))))

            build(row, parameters, epochs=MAX_EPOCHS, after_epoch=keep).fit(train)
            trials.append((max(curve), parameters | {"epochs": int(np.argmax(curve)) + 1}))
    return (*max(trials, key=lambda trial: trial[0]), len(trials))


def measure(row: str, parameters: dict, seed: int) -> tuple[np.ndarray, int]:
    """nDCG@10 of each of all users on split `seed` (NaN: nothing to test), and the number of trained parameters."""
    train, test, cold = data(seed)
    model = build(row, parameters, seed).fit(train, item_vectors(row))
    of_user = pd.Series(ndcg(model, test, cold), train.user_ids).reindex(_all_users()).to_numpy()
    return of_user, model.weights_.size if row == REFERENCE else getattr(model, "n_trainable_", 0)


def measured(row: str, parameters: dict, seed: int) -> tuple[np.ndarray, int]:
    """`measure`, kept in the cache folder: the differences need the users of other rows."""
    key = hashlib.sha256(json.dumps([row, parameters, seed, _sources()]).encode()).hexdigest()[:24]
    path = assets.cache_folder() / "item-tower" / f"{key}.npz"
    if not path.is_file():
        of_user, n_trainable = measure(row, parameters, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, of_user=of_user, n_trainable=n_trainable)
    with np.load(path) as kept:
        return kept["of_user"], int(kept["n_trainable"])


@lru_cache(maxsize=1)
def _sources() -> str:
    return source_hash(SOURCES)


@lru_cache(maxsize=1)
def encoding_seconds() -> float:
    """Processor seconds of encoding all texts once: the same whichever layers have been fine-tuned."""
    tower = _ItemTower(PACKAGED, 0, list(_items()[0]["text"]))
    started = time.process_time()
    tower.encode_all()
    return time.process_time() - started


@lru_cache(maxsize=len(ROWS))
def fitting_seconds(row: str, parameters: str) -> float:
    """Processor seconds of one fit, encoding included; one epoch is timed and multiplied. `parameters` is JSON."""
    if row == "random":
        return 0.0
    settings = json.loads(parameters)
    epochs = settings.pop("epochs", 1)
    solved = row in (REFERENCE, CENTRED)  # no epochs
    model = build(row, settings) if solved else build(row, settings, epochs=1)
    started = time.process_time()
    model.fit(data(0)[0], item_vectors(row))
    seconds = time.process_time() - started
    if solved:
        return encoding_seconds() + seconds
    return encoding_seconds() + epochs * (seconds - encoding_seconds())


def difference(these: np.ndarray, those: np.ndarray) -> tuple[float, float, float]:
    """Mean of these - those, (n_users, n_splits) each, over users, then splits; and its interval over users."""
    differences = these - those
    present = ~np.isnan(differences)
    filled = np.where(present, differences, 0.0)
    samples = [((draws @ filled) / (draws @ present)).mean(axis=1) for draws in resamples(len(filled), 2000, 0)]
    low, high = percentiles(np.concatenate(samples), 0.95)
    return float(np.nanmean(differences, axis=0).mean()), float(low), float(high)


def compute(unit, rows):
    row, run = unit["model"], unit["run"]
    chosen = {}  # what tuning on split 0 has settled so far
    for _, done in rows[rows["run"] == "split 0"].iterrows() if len(rows) else ():
        chosen[done["model"]] = (done["validation_ndcg"], json.loads(done["parameters"]), done["n_trials"])
    if row not in chosen:
        chosen[row] = (np.nan, {}, 0) if row in (CENTRED, "random") else tune(row, _shared(row, chosen))
    seeds = SEEDS if run == "mean" else (int(run.split()[1]),)

    def table(name):
        return np.column_stack([measured(name, chosen[name][1], seed)[0] for seed in seeds])

    value, parameters, n_trials = chosen[row]
    result = {"parameters": json.dumps(parameters), "validation_ndcg": value, "n_trials": n_trials}
    result["n_trainable"] = measured(row, parameters, seeds[0])[1]
    result["ndcg"] = float(np.nanmean(table(row), axis=0).mean())
    result["minus_linear"], result["low"], result["high"] = difference(table(row), table(REFERENCE))
    centred = np.column_stack([measured(CENTRED, {}, seed)[0] for seed in seeds])
    result["minus_centred"], result["centred_low"], result["centred_high"] = difference(table(row), centred)
    if FROZEN in chosen:
        frozen = difference(table(row), table(FROZEN))
        result["minus_frozen"], result["frozen_low"], result["frozen_high"] = frozen
    result["fitting_seconds"] = fitting_seconds(row, result["parameters"])
    return {**result, "encoding_seconds": encoding_seconds(), "threads": torch.get_num_threads()}


def _shared(row: str, chosen: dict) -> dict:
    """What a fine-tuned row takes over from the frozen tower: all but the number of epochs."""
    if not ROWS[row].get("trainable_layers"):
        return {}
    return {name: value for name, value in chosen[FROZEN][1].items() if name != "epochs"}


def recompute(row):
    of_user, _ = measure(row["model"], json.loads(row["parameters"]), int(row["run"].split()[1]))
    return {"ndcg": float(np.nanmean(of_user))}


UNITS = [{"model": row, "run": run} for row in ROWS for run in (*(f"split {seed}" for seed in SEEDS), "mean")]
EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=UNITS,
    compute=compute,
    recompute=recompute,
    sample=(0, 5, 9),  # a split of each of the three frozen rows: seconds
    sources=SOURCES,
)
