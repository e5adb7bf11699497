"""The default report against RecTools on EASE's lists for MovieLens-100K: seconds, and the values side by side.

    python tests/benchmarks/metrics_vs_rectools.py               # a minute; the first time it encodes the item texts

Both sides start from what their API takes and time one call: `evaluate` (matrices, all default metrics, two
spaces) and `calc_metrics` (frames of integer ids, the metrics that RecTools has, one space). They alternate. A
metric whose definition is the same on both sides must have the same value, or the script stops.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import peers

K = 10
# name of RecTools' metric here -> (name in our report, what differs; empty = the same definition)
PAIRS = {
    "nDCG, divide_by_achievable": ("ndcg", ""),
    "nDCG, its default": ("ndcg", "its ideal always has k relevant items, ours min(k, relevant)"),
    "recall": ("recall", ""),
    "precision": ("precision", ""),
    "MAP, its default": ("map", "divides by all relevant items, ours by min(k, relevant)"),
    "MAP, divide_by_k": ("map", "divides by k, ours by min(k, relevant)"),
    "MRR": ("mrr", ""),
    "hit rate": ("hit_rate", ""),
    "ILD of genres, Hamming": ("ild_genre", "counts differing genres, ours is 1 - cosine"),
    "ILD of genres, 1 - cosine": ("ild_genre", ""),
    "catalogue coverage": ("coverage", ""),
    "novelty (MIUF)": ("novelty", ""),
    "popularity": ("popularity", "a count of users, ours a share of them"),
    "serendipity": ("serendipity", ""),
}
UNTIMED = ("nDCG, its default", "MAP, divide_by_k", "ILD of genres, 1 - cosine")  # a second variant of a metric


def rectools_side(folder: Path, repeats: int) -> None:
    """In the peer's environment: seconds of `calc_metrics` and the values, as a JSON line."""
    from rectools import metrics as m
    from rectools.metrics.distances import PairwiseDistanceCalculator

    class Cosine(PairwiseDistanceCalculator):
        def __init__(self, vectors):
            length = np.linalg.norm(vectors, axis=1, keepdims=True)
            self.unit = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)

        def _get_distances_for_item_pairs(self, items_0, items_1):
            return 1 - (self.unit[items_0] * self.unit[items_1]).sum(axis=1)

    reco, test, train = (pd.read_csv(folder / f"{name}.csv") for name in ("reco", "test", "train"))
    genres = pd.read_csv(folder / "genres.csv", index_col=0)
    hamming, cosine = m.PairwiseHammingDistanceCalculator(genres), Cosine(genres.to_numpy(float))
    metrics = {
        "nDCG, divide_by_achievable": m.NDCG(k=K, divide_by_achievable=True),
        "nDCG, its default": m.NDCG(k=K),
        "recall": m.Recall(k=K),
        "precision": m.Precision(k=K),
        "MAP, its default": m.MAP(k=K),
        "MAP, divide_by_k": m.MAP(k=K, divide_by_k=True),
        "MRR": m.MRR(k=K),
        "hit rate": m.HitRate(k=K),
        "ILD of genres, Hamming": m.IntraListDiversity(k=K, distance_calculator=hamming),
        "ILD of genres, 1 - cosine": m.IntraListDiversity(k=K, distance_calculator=cosine),
        "catalogue coverage": m.CatalogCoverage(k=K, normalize=True),
        "novelty (MIUF)": m.MeanInvUserFreq(k=K),
        "popularity": m.AvgRecPopularity(k=K),
        "serendipity": m.Serendipity(k=K),
    }
    catalogue = np.arange(len(genres))
    values = m.calc_metrics(metrics, reco, test, train, catalogue)
    timed = {name: metric for name, metric in metrics.items() if name not in UNTIMED}
    seconds = stopwatch(lambda: m.calc_metrics(timed, reco, test, train, catalogue), repeats)
    print(json.dumps({"seconds": seconds, "values": {name: float(value) for name, value in values.items()}}))


def stopwatch(call, repeats: int) -> list[float]:
    """Seconds of each call after a first one that is not counted."""
    call()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def frame(matrix) -> pd.DataFrame:
    """Interactions in RecTools' columns; its ids are our rows and columns."""
    cells = matrix.tocoo()
    return pd.DataFrame({"user_id": cells.row, "item_id": cells.col, "weight": 1, "datetime": "2000-01-01"})


def value_rows(summary: pd.Series, theirs: dict) -> list[str]:
    """The table of values; AssertionError if a metric with the same definition has another value."""
    rows = []
    for name, (own_name, difference) in PAIRS.items():
        own, value = summary[own_name], theirs[name]
        if not difference:
            assert math.isclose(own, value, rel_tol=1e-5), f"{name}: ours {own}, RecTools {value}"
        rows.append(f"| {name} | {own:.4f} | {value:.4f} | {difference or 'the same'} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15, help="timed calls a round and side")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    from recsys_lib import datasets, models, splits
    from recsys_lib.encoders.text import TextEncoder
    from recsys_lib.evaluation import evaluate
    from recsys_lib.interactions import Interactions

    dataset = datasets.load("ml-100k")
    split = splits.protocol("A", dataset.interactions, 0)
    train = Interactions.from_frame(split.train, item_ids=dataset.items.index)
    test = Interactions.from_frame(split.test, train.user_ids, dataset.items.index)
    lists = models.EASE().fit(train).recommend(k=K)
    genres = dataset.genre_vectors
    spaces = {"genre": genres, "text": TextEncoder().encode(dataset.items["text"])}
    report = evaluate(lists, train, test, spaces, item_facets=genres, k=K)
    reco = pd.DataFrame(
        {
            "user_id": np.repeat(np.arange(len(lists)), K),
            "item_id": lists.items.ravel(),
            "rank": np.tile(np.arange(1, K + 1), len(lists)),
        }
    )
    interpreter = peers.python("rectools")
    seconds = {"whole": [], "genre only": [], "RecTools": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for key, table in (("reco", reco), ("test", frame(test.matrix)), ("train", frame(train.matrix))):
            table.to_csv(folder / f"{key}.csv", index=False)
        pd.DataFrame(genres.astype(int)).to_csv(folder / "genres.csv")
        for _ in range(arguments.rounds):
            for key, used in (("whole", spaces), ("genre only", {"genre": genres})):
                call = partial(evaluate, lists, train, test, used, item_facets=genres, k=K)
                seconds[key].append(np.median(stopwatch(call, arguments.repeats)))
            found = peers.run(interpreter, Path(__file__), "--worker", folder, arguments.repeats)
            seconds["RecTools"].append(np.median(found["seconds"]))
    theirs = np.array(seconds["RecTools"])
    timed = len(PAIRS) - len(UNTIMED)
    what = {
        "whole": f"ours, the default report: {len(report.summary)} figures, genre and text space, facet metrics",
        "genre only": "ours, without the text space (RecTools has the genre space only)",
        "RecTools": f"RecTools, {timed} metrics",
    }
    costs = [
        f"| {what[key]} | {1000 * np.median(own):.1f} | {np.median(own / theirs):.3f} |" for key, own in seconds.items()
    ]
    table = "\n".join(["| | ms a call (median) | relative to RecTools |", "|---|--:|--:|", *costs])
    values = "\n".join(
        [
            "| metric | ours | RecTools | definition |",
            "|---|--:|--:|---|",
            *value_rows(report.summary, found["values"]),
        ]
    )
    own_versions = peers.versions(sys.executable, "numpy", "pandas", "numba")
    their_versions = peers.versions(interpreter, "rectools", "numpy", "pandas")
    text = f"EASE's lists on MovieLens-100K, protocol A, seed 0, {len(lists)} x {K}.\n"
    text += (
        f"Ours: {own_versions}. Peer: {their_versions}.\n\n{table}\n\nMedians of {arguments.rounds} alternated rounds "
    )
    text += f"of {arguments.repeats} calls. Not timed, for their values only: {'; '.join(UNTIMED)}.\n\n{values}"
    faster = float(np.median(theirs / np.array(seconds["whole"])))
    row = ("metrics, our default report", "MovieLens-100K, A", "rectools", "equal", "", faster, 5)
    peers.publish("Metrics against RecTools", text, summary=[row])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        rectools_side(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
