"""The same models in this library and in its peers: quality and speed of fit and lists, on the same splits.

    python tests/benchmarks/models_vs_peers.py            # a quarter of an hour on a busy machine

Both sides get the same cells, the same parameters where the definitions allow it, and one thread, and return ten
unseen films for every user; CPU seconds are counted, and lists are judged by our metrics. The same file is the worker
of every side. What differs between definitions stands in DIFFERS and in the table.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import peers
from scipy import sparse

K = 10
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"), "1"
) | {"LK_NUM_THREADS": "1", "LK_NUM_PROCS": "1"}
L2, NEIGHBOURS = 500.0, 100
FACTORS = {"n_factors": 16, "regularisation": 30.0, "alpha": 3.0, "n_iterations": 15}
SLIM = {"l1": 1.0, "l2": 300.0}
MODELS = {  # (our model, peer) pairs of the table
    "EASE": ("rectools", "lenskit", "cornac"),
    "ItemKNN": ("implicit", "rectools", "lenskit", "recommenders"),  # cornac's predicts ratings
    "ALS": ("implicit", "rectools", "lenskit"),
    "SLIM": ("lenskit",),
}
BARS = {("EASE", "rectools"): 1}  # times faster
DIFFERS = {
    ("EASE", "rectools"): "multiplies by the weights transposed",
    ("ItemKNN", "implicit"): "nearest to the film in the history; ours: to the film to be listed",
    ("ItemKNN", "rectools"): "implicit's",
    ("ItemKNN", "recommenders"): "SAR: Jaccard over all items",
    ("ItemKNN", "lenskit"): "sums over a user's nearest only",
    ("ALS", "lenskit"): "exact solutions instead of conjugate gradients",
    ("SLIM", "lenskit"): "the same objective",
}


def clock(fit, recommend):
    """(fit seconds, recommend seconds, lists) of one run, CPU time."""
    started = time.process_time()
    model = fit()
    fitted = time.process_time()
    items = recommend(model)
    return fitted - started, time.process_time() - fitted, items


def frame(cells: sparse.csr_matrix):
    """A long pandas frame; implicit's environment has no pandas and does not call it."""
    import pandas as pd

    cells = cells.tocoo()
    return pd.DataFrame({"user_id": cells.row, "item_id": cells.col, "weight": 1.0, "datetime": "2000-01-01"})


def as_lists(table, n_users: int, user="user_id", item="item_id") -> np.ndarray:
    """(n_users, K) items of a long frame, in its order, -1 where a list is short."""
    items = np.full((n_users, K), -1, np.int32)
    place = table.groupby(user, sort=False).cumcount().to_numpy()
    kept = place < K
    items[table[user].to_numpy(int)[kept], place[kept]] = table[item].to_numpy(int)[kept]
    return items


def ours(cells):
    import pandas as pd

    from recsys_lib import models
    from recsys_lib.interactions import Interactions

    train = Interactions(cells, pd.RangeIndex(cells.shape[0]), pd.RangeIndex(cells.shape[1]))
    built = {
        "EASE": lambda: models.EASE(l2=L2),
        "ItemKNN": lambda: models.ItemKNN(k=NEIGHBOURS, shrinkage=0.0, weighting="binary"),
        "ALS": lambda: models.ALS(**FACTORS),
        "SLIM": lambda: models.SLIM(**SLIM),
    }
    for build in built.values():  # compiles
        build().fit(Interactions(cells[:50], train.user_ids[:50], train.item_ids)).recommend(k=K)
    return {
        name: lambda build=build: clock(lambda: build().fit(train), lambda model: model.recommend(k=K).items)
        for name, build in built.items()
    }


def implicit(cells):
    from implicit.nearest_neighbours import CosineRecommender

    def run(build):
        def fit():
            model = build()
            model.fit(cells, show_progress=False)
            return model

        return clock(fit, lambda model: model.recommend(np.arange(cells.shape[0]), cells, N=K)[0])

    return {"ItemKNN": lambda: run(lambda: CosineRecommender(K=NEIGHBOURS, num_threads=1)), "ALS": lambda: run(als)}


def als():
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(
        factors=FACTORS["n_factors"],
        regularization=FACTORS["regularisation"],
        alpha=1 + FACTORS["alpha"],  # it takes the confidence of a seen cell itself, we what is added to 1
        iterations=FACTORS["n_iterations"],
        num_threads=1,
        random_state=0,
    )


def rectools(cells):
    from implicit.nearest_neighbours import CosineRecommender
    from rectools.dataset import Dataset
    from rectools.models import EASEModel, ImplicitALSWrapperModel, ImplicitItemKNNWrapperModel

    dataset = Dataset.construct(frame(cells))
    users = np.unique(cells.nonzero()[0])

    def run(model):
        def recommend(fitted):
            return fitted.recommend(users=users, dataset=dataset, k=K, filter_viewed=True)

        fit, listed, table = clock(lambda: model.fit(dataset), recommend)
        return fit, listed, as_lists(table, cells.shape[0])

    return {
        "EASE": lambda: run(EASEModel(regularization=L2)),
        "ItemKNN": lambda: run(ImplicitItemKNNWrapperModel(CosineRecommender(K=NEIGHBOURS, num_threads=1))),
        "ALS": lambda: run(ImplicitALSWrapperModel(als())),
    }


def lenskit(cells):
    import torch
    from lenskit.als import ImplicitMFScorer
    from lenskit.batch import recommend
    from lenskit.data import from_interactions_df
    from lenskit.knn import EASEScorer, ItemKNNScorer, SLIMScorer
    from lenskit.pipeline import topn_pipeline

    torch.set_num_threads(1)
    dataset = from_interactions_df(frame(cells)[["user_id", "item_id"]])
    users = np.unique(cells.nonzero()[0])

    def run(scorer):
        def fit():
            pipeline = topn_pipeline(scorer)
            pipeline.train(dataset)
            return pipeline

        fitted, listed, found = clock(fit, lambda pipeline: recommend(pipeline, users, K, n_jobs=1))
        table = found.to_df()
        return fitted, listed, as_lists(table, cells.shape[0])

    neighbours = {"max_nbrs": NEIGHBOURS, "min_nbrs": 1, "save_nbrs": NEIGHBOURS, "feedback": "implicit"}
    factors = {"embedding_size": FACTORS["n_factors"], "epochs": FACTORS["n_iterations"]}
    factors |= {"regularization": FACTORS["regularisation"], "weight": FACTORS["alpha"]}
    return {
        "EASE": lambda: run(EASEScorer(regularization=L2)),
        "ItemKNN": lambda: run(ItemKNNScorer(**neighbours)),
        "ALS": lambda: run(ImplicitMFScorer(**factors)),
        "SLIM": lambda: run(SLIMScorer(l1_reg=SLIM["l1"], l2_reg=SLIM["l2"])),
    }


def cornac(cells):
    from cornac.data import Dataset
    from cornac.models import EASE

    rows, columns = cells.nonzero()
    dataset = Dataset.from_uir(zip(rows.tolist(), columns.tolist(), np.ones(len(rows)).tolist(), strict=True), seed=0)
    item_ids, users = np.array(list(dataset.iid_map)), dataset.uid_map

    def recommend(model):
        items = np.full((cells.shape[0], K), -1, np.int32)
        seen = dataset.csr_matrix
        for user, row in users.items():
            scores = np.array(model.score(row), float).ravel()
            scores[seen[row].indices] = -np.inf
            best = np.argpartition(-scores, K)[:K]
            items[user] = item_ids[best[np.argsort(-scores[best], kind="stable")]]
        return items

    def run(model):
        return clock(lambda: model.fit(dataset), recommend)

    return {"EASE": lambda: run(EASE(lamb=L2, posB=False, verbose=False))}


def recommenders(cells):
    from recommenders.models.sar import SAR

    table = frame(cells).rename(columns={"weight": "rating"})[["user_id", "item_id", "rating"]]
    names = {"col_user": "user_id", "col_item": "item_id", "col_rating": "rating"}

    def run():
        def fit():
            model = SAR(**names, similarity_type="jaccard", timedecay_formula=False)
            model.fit(table)
            return model

        def recommend(model):
            return model.recommend_k_items(table[["user_id"]].drop_duplicates(), top_k=K, remove_seen=True)

        fitted, listed, found = clock(fit, recommend)
        found = found.sort_values(["user_id", "prediction"], ascending=[True, False], kind="stable")
        return fitted, listed, as_lists(found, cells.shape[0])

    return {"ItemKNN": run}


def worker(side: str, path: str, target: str, names: list[str]) -> None:
    runs = globals()[side](sparse.load_npz(path).tocsr())
    found, seconds = {}, {}
    for name in names:
        fit, listed, items = runs[name]()
        seconds[name], found[name] = (fit, listed), items
    np.savez(target, **found)
    print(json.dumps(seconds))


def split(name: str, protocol: str):
    from recsys_lib import datasets, splits
    from recsys_lib.experiments import matrices

    found = datasets.load(name)
    return matrices(splits.protocol(protocol, found.interactions, 0), found.items.index)


def measured(interpreter, side: str, folder: Path, names: list[str], test, rounds: int) -> dict:
    """model -> (median fit seconds, median recommend seconds, nDCG@10)."""
    from recsys_lib import metrics

    seconds = []
    for _ in range(rounds):
        arguments = ("--worker", side, folder / "train.npz", folder / "lists.npz", *names)
        seconds.append(peers.run(interpreter, Path(__file__), *arguments, **ONE_THREAD))
    lists = np.load(folder / "lists.npz")
    found = {}
    for name in names:
        fit, listed = np.median([each[name] for each in seconds], axis=0)
        found[name] = fit, listed, float(np.nanmean(metrics.accuracy.ndcg(lists[name], test.matrix, k=K)))
    return found


def transposed_ease(train, test) -> float:
    """nDCG@10 of EASE with its weights transposed: divided by the diagonal of the seen film, not of the listed."""
    from recsys_lib import metrics, models

    model = models.EASE(l2=L2).fit(train)
    model.item_weights_ = np.ascontiguousarray(model.item_weights_.T)
    return float(np.nanmean(metrics.accuracy.ndcg(model.recommend(k=K).items, test.matrix, k=K)))


def rows_of(title: str, data, rounds: int, models: dict) -> tuple[list[str], list[tuple], str]:
    """Rows of the section's table, of the table of all peers, and what explains RecTools' EASE."""
    train, test, _ = data
    rows, summary, sides = [], [], sorted({peer for of_model in models.values() for peer in of_model})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sparse.save_npz(folder / "train.npz", train.matrix.astype(np.float32))
        own = measured(sys.executable, "ours", folder, list(models), test, rounds)
        theirs = {}
        for side in sides:
            names = [model for model in models if side in models[model]]
            theirs[side] = measured(peers.python(side), side, folder, names, test, rounds)
    for model, of_model in models.items():
        for side in of_model:
            (fit, listed, ndcg), (their_fit, their_listed, their_ndcg) = own[model], theirs[side][model]
            ratio = (fit + listed) / (their_fit + their_listed)
            rows.append(
                f"| {title} | {model} | {side} | {ndcg:.4f} | {their_ndcg:.4f} | {fit:.2f} + {listed:.2f} | "
                f"{their_fit:.2f} + {their_listed:.2f} | **{ratio:.2f}** | {DIFFERS.get((model, side), '')} |"
            )
            quality = f"nDCG {ndcg:.4f}", f"{their_ndcg:.4f}"
            summary.append((f"{model}, fit and lists", title, side, *quality, 1 / ratio, BARS.get((model, side), "")))
            print(rows[-1], flush=True)
    return rows, summary, f"{title} {transposed_ease(train, test):.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side, the median counts")
    parser.add_argument("--small", action="store_true", help="MovieLens-100K only")
    arguments = parser.parse_args()
    rows, summary, transposed = rows_of("MovieLens-100K, A", split("ml-100k", "A"), arguments.rounds, MODELS)
    if not arguments.small:
        large = {name: [peer for peer in MODELS[name] if peer != "recommenders"] for name in ("EASE", "ItemKNN", "ALS")}
        more = rows_of("MovieLens-1M, ML1M-R", split("ml-1m", "ML1M-R"), 1, large)
        rows, summary, transposed = rows + more[0], summary + more[1], f"{transposed}, {more[2]}"
    sides = sorted({peer for of_model in MODELS.values() for peer in of_model})
    text = f"EASE l2 {L2:g}; {NEIGHBOURS} neighbours, cosine, no shrinkage; ALS {FACTORS}; SLIM {SLIM}. One thread.\n"
    text += f"Ours: {peers.versions(sys.executable, 'numpy', 'numba')}. Peers: "
    text += "; ".join(peers.versions(peers.python(side), side, "numpy") for side in sides) + ".\n\n"
    head = (
        "data",
        "model",
        "peer",
        "nDCG@10, ours",
        "peer's",
        "CPU s, fit + lists, ours",
        "peer's",
        "ratio",
        "differs",
    )
    text += "\n".join([f"| {' | '.join(head)} |", "|---|---|---|--:|--:|--:|--:|--:|---|", *rows])
    text += f"\n\nRatio: ours / theirs, below 1 we are faster. Medians of {arguments.rounds} runs (MovieLens-1M: one)."
    text += f" nDCG@10 of our EASE with its weights transposed, which is RecTools' EASE: {transposed}."
    peers.publish("Models against peers", text, write=not arguments.small, summary=summary)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:5], sys.argv[5:])
    else:
        main()
