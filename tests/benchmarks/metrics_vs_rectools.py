"""The default report against RecTools on EASE's lists for MovieLens-100K: seconds, and values side by side."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

K, REPEATS = 10, 15


def rectools_side(folder: Path) -> None:
    """In the peer's environment: median seconds of calc_metrics and the values."""
    from rectools.metrics import (
        MAP,
        MRR,
        AvgRecPopularity,
        CatalogCoverage,
        HitRate,
        IntraListDiversity,
        MeanInvUserFreq,
        PairwiseHammingDistanceCalculator,
        Precision,
        Recall,
        Serendipity,
        calc_metrics,
    )
    from rectools.metrics.ranking import NDCG

    reco, test, train = (pd.read_csv(folder / f"{name}.csv") for name in ("reco", "test", "train"))
    genres = pd.read_csv(folder / "genres.csv", index_col=0)
    metrics = {
        "ndcg": NDCG(k=K, divide_by_achievable=True),
        "ndcg (its default)": NDCG(k=K),
        "recall": Recall(k=K),
        "precision": Precision(k=K),
        "map": MAP(k=K),
        "mrr": MRR(k=K),
        "hit_rate": HitRate(k=K),
        "ild_genre": IntraListDiversity(k=K, distance_calculator=PairwiseHammingDistanceCalculator(genres)),
        "coverage": CatalogCoverage(k=K, normalize=True),
        "novelty": MeanInvUserFreq(k=K),
        "popularity": AvgRecPopularity(k=K),
        "serendipity": Serendipity(k=K),
    }
    catalog = np.arange(len(genres))
    seconds = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        values = calc_metrics(metrics, reco, test, train, catalog)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": float(np.median(seconds[1:])), "values": {k: float(v) for k, v in values.items()}}))


def main() -> None:
    import peers

    from recsys_lib import datasets, evaluation, models, splits
    from recsys_lib.interactions import Interactions

    dataset = datasets.load("ml-100k")
    split = splits.protocol("A", dataset.interactions, 0)
    train = Interactions.from_frame(split.train, item_ids=dataset.items.index)
    test = Interactions.from_frame(split.test, train.user_ids, dataset.items.index)
    lists = models.EASE().fit(train).recommend(k=K)
    spaces = {"genre": dataset.genre_vectors}

    def pairs(matrix):
        cells = matrix.tocoo()
        return pd.DataFrame({"user_id": cells.row, "item_id": cells.col, "weight": 1, "datetime": "2000-01-01"})

    rank = np.tile(np.arange(1, K + 1), len(lists))
    users = np.repeat(np.arange(len(lists)), K)
    reco = pd.DataFrame({"user_id": users, "item_id": lists.items.ravel(), "rank": rank})
    seconds = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        report = evaluation.evaluate(lists, train, test, spaces, item_facets=dataset.genre_vectors, k=K)
        seconds.append(time.perf_counter() - started)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for key, frame in (("reco", reco), ("test", pairs(test.matrix)), ("train", pairs(train.matrix))):
            frame.to_csv(folder / f"{key}.csv", index=False)
        pd.DataFrame(dataset.genre_vectors.astype(int)).to_csv(folder / "genres.csv")
        theirs = peers.run(peers.python("rectools"), Path(__file__), "--worker", folder)
    ours = float(np.median(seconds[1:]))
    rows = [
        f"| {name} | {report.summary[name]:.4f} | {value:.4f} |"
        if name in report.summary
        else f"| {name} | | {value:.4f} |"
        for name, value in theirs["values"].items()
    ]
    text = f"""{peers.PINS["rectools"][0]}; EASE's lists on MovieLens-100K, protocol A, {len(lists)} x {K}.

Ours, the whole default report ({len(report.summary)} figures, facet metrics included): {1000 * ours:.1f} ms.
RecTools, the {len(theirs["values"])} metrics below: {1000 * theirs["seconds"]:.1f} ms.
Ratio ours / RecTools: **{ours / theirs["seconds"]:.3f}** (medians of {REPEATS}).

| metric | ours | RecTools |
|---|--:|--:|
{chr(10).join(rows)}

Definitions that differ: its default nDCG divides by an ideal of k places; its MAP divides by all relevant items,
ours by min(k, relevant); its ILD is the mean Hamming distance, ours 1 - cosine; its popularity is a count, ours a
share of users."""
    peers.publish("Metrics against RecTools", text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        rectools_side(Path(sys.argv[2]))
    else:
        main()
