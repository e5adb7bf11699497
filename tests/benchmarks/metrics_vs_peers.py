"""The metrics of ranx and of recommenders beside ours, on EASE's lists for MovieLens-100K: values and CPU seconds.

    python tests/benchmarks/metrics_vs_peers.py         # two minutes

As in metrics_vs_rectools.py: each side times one call from what its API takes, and where the definition is the same
the script stops if the values differ. Ours is the whole default report, and beside it the same figures alone.
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
import peers

K = 10
# peer -> its metric -> (ours, what differs; empty = the same definition)
PAIRS = {
    "ranx": {
        "ndcg@10": ("ndcg", ""),
        "recall@10": ("recall", ""),
        "precision@10": ("precision", ""),
        "mrr@10": ("mrr", ""),
        "hit_rate@10": ("hit_rate", ""),
        "map@10": ("map", "divides by all relevant items, ours by min(k, relevant)"),
    },
    "recommenders": {
        "ndcg_at_k": ("ndcg", ""),
        "recall_at_k": ("recall", ""),
        "precision_at_k": ("precision", ""),
        "map_at_k": ("map", ""),
        "catalog_coverage": ("coverage", "share of the films that were trained on, ours of all"),
        "novelty": ("novelty", "weighted by how often a film is shown, from shares of interactions"),
        "diversity": ("ild_genre", "of co-occurrence in training, not of genres"),
    },
}


def stopwatch(call, repeats: int) -> float:
    """Median CPU seconds of a call, after one that is not counted."""
    call()
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        call()
        seconds.append(time.process_time() - started)
    return float(np.median(seconds))


def ranx(folder: Path, repeats: int):
    import pandas as pd
    from ranx import Qrels, Run, evaluate

    reco, test = (pd.read_csv(folder / f"{name}.csv") for name in ("reco", "test"))
    for table in (reco, test):
        for name in ("user_id", "item_id"):
            table[name] = table[name].astype(str).astype(object)
    qrels = Qrels.from_df(test.assign(score=1), "user_id", "item_id", "score")
    run = Run.from_df(reco.assign(score=1.0 / reco["rank"]), "user_id", "item_id", "score")
    call = partial(evaluate, qrels, run, list(PAIRS["ranx"]), make_comparable=True)
    return {name: float(value) for name, value in call().items()}, stopwatch(call, repeats)


def recommenders(folder: Path, repeats: int):
    import pandas as pd
    from recommenders.evaluation import python_evaluation as evaluation

    reco, test, train = (pd.read_csv(folder / f"{name}.csv") for name in ("reco", "test", "train"))
    names = {"col_user": "user_id", "col_item": "item_id"}
    accuracy = names | {"col_prediction": "prediction", "k": K, "relevancy_method": "top_k"}
    reco = reco.assign(prediction=1.0 / reco["rank"])[["user_id", "item_id", "prediction"]]
    test = test.assign(rating=1.0)[["user_id", "item_id", "rating"]]
    train, shown = train[["user_id", "item_id"]], reco[["user_id", "item_id"]]

    def call():
        found = {}
        for name in PAIRS["recommenders"]:
            function = getattr(evaluation, name)
            if name.endswith("_at_k"):
                found[name] = function(test, reco, col_rating="rating", **accuracy)
            else:
                found[name] = function(train, shown, **names)
        return found

    return {name: float(value) for name, value in call().items()}, stopwatch(call, repeats)


def worker(side: str, folder: str, repeats: str) -> None:
    values, seconds = globals()[side](Path(folder), int(repeats))
    print(json.dumps({"values": values, "seconds": seconds}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="timed calls of each side")
    arguments = parser.parse_args()

    import pandas as pd
    from metrics_vs_rectools import frame
    from models_vs_peers import ONE_THREAD, split

    from recsys_lib import datasets, evaluation, models
    from recsys_lib.encoders.text import TextEncoder

    train, test, _ = split("ml-100k", "A")
    dataset = datasets.load("ml-100k")
    lists = models.EASE().fit(train).recommend(k=K)
    genres = dataset.genre_vectors
    spaces = {"genre": genres, "text": TextEncoder().encode(dataset.items["text"])}
    summary = evaluation.evaluate(lists, train, test, spaces, item_facets=genres).summary
    whole = stopwatch(partial(evaluation.evaluate, lists, train, test, spaces, item_facets=genres), arguments.repeats)
    plain = stopwatch(partial(evaluation.evaluate, lists, train, test), arguments.repeats)
    reco = pd.DataFrame(
        {
            "user_id": np.repeat(np.arange(len(lists)), K),
            "item_id": lists.items.ravel(),
            "rank": np.tile(np.arange(1, K + 1), len(lists)),
        }
    )
    rows, costs, overview = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for key, table in (("reco", reco), ("test", frame(test.matrix)), ("train", frame(train.matrix))):
            table.to_csv(folder / f"{key}.csv", index=False)
        for side, pairs in PAIRS.items():
            found = peers.run(
                peers.python(side), Path(__file__), "--worker", side, folder, arguments.repeats, **ONE_THREAD
            )
            for metric, (own_name, differs) in pairs.items():
                own, value = summary[own_name], found["values"][metric]
                if not differs:
                    assert math.isclose(own, value, rel_tol=1e-5), f"{side} {metric}: ours {own}, theirs {value}"
                rows.append(f"| {side} | {metric} | {own:.4f} | {value:.4f} | {differs or 'the same'} |")
            for what, own_seconds in (("our default report", whole), ("ours without spaces and facets", plain)):
                row = (f"metrics, {what}", "MovieLens-100K, A", side, "equal", "", found["seconds"] / own_seconds, "")
                overview.append(row)
            ratios = " | ".join(f"{found['seconds'] / each:.1f}" for each in (whole, plain))
            costs.append(f"| {side}, {len(pairs)} metrics | {1000 * found['seconds']:.1f} | {ratios} |")
    versions = "; ".join(peers.versions(peers.python(side), side, "numpy") for side in PAIRS)
    text = f"EASE's lists on MovieLens-100K, protocol A, seed 0, {len(lists)} x {K}. One thread, CPU time.\n"
    text += f"Ours: {peers.versions(sys.executable, 'numpy', 'numba')}. Peers: {versions}.\n\n"
    text += f"Ours: {1000 * whole:.1f} ms for the default report, {len(summary)} figures with two spaces and facets; "
    text += f"{1000 * plain:.1f} ms without spaces and facets.\n\n"
    head = ("peer", "ms a call", "times faster, our default report", "without spaces and facets")
    text += "\n".join([f"| {' | '.join(head)} |", "|---|--:|--:|--:|", *costs])
    text += "\n\n| peer | metric | ours | theirs | definition |\n|---|---|--:|--:|---|\n" + "\n".join(rows)
    peers.publish("Metrics against ranx and recommenders", text, summary=overview)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:5])
    else:
        main()
