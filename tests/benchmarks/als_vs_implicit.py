"""ALS against `implicit`: seconds an iteration and peak memory on a matrix of MovieLens-20M's shape, then quality.

    python tests/benchmarks/als_vs_implicit.py                                                # some minutes
    python tests/benchmarks/als_vs_implicit.py --users 20000 --items 5000 --cells 900000 --rounds 1    # a minute

Both sides have the same cells, factors, confidences (1 + alpha p), regularisation, conjugate-gradient steps (3),
float32 and threads; they run alternately, each in a process of its own. The same file is the worker of both.
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

REGULARISATION, ALPHA = 10.0, 3.0
QUALITY = {"factors": 16, "regularisation": 30.0, "alpha": 3.0, "iterations": 15}  # the library's defaults
SPLITS, STARTS = (0, 1, 2), 5


def matrix(n_users: int, n_items: int, n_cells: int) -> sparse.csr_matrix:
    """Exactly `n_cells` distinct cells, with power laws on both sides like real interactions."""
    rng = np.random.default_rng(0)
    activity = np.cumsum(rng.pareto(1.2, n_users) + 1)
    popularity = np.cumsum(1 / np.arange(1, n_items + 1) ** 0.9)
    keys = np.empty(0, np.int64)
    while len(keys) < n_cells:
        draws = int(1.2 * (n_cells - len(keys))) + 1000
        users = np.searchsorted(activity, rng.random(draws) * activity[-1])
        items = np.searchsorted(popularity, rng.random(draws) * popularity[-1])
        keys = np.unique(np.concatenate([keys, users * n_items + items]))
    keys = rng.permutation(keys)[:n_cells]
    cells = (np.ones(n_cells, np.float32), (keys // n_items, keys % n_items))
    return sparse.csr_matrix(cells, (n_users, n_items))


def ours(n_factors: int, n_threads: int):
    """A function that fits our model and returns the clock's reading after each iteration."""
    import numba
    import pandas as pd

    from recsys_lib.interactions import Interactions
    from recsys_lib.models import ALS

    numba.set_num_threads(n_threads)

    class Timed(ALS):
        def _sweep(self, cells, solved, fixed):
            super()._sweep(cells, solved, fixed)
            self.marks = [*getattr(self, "marks", []), time.perf_counter()]

    def fit(cells, n_iterations):
        train = Interactions(cells, pd.RangeIndex(cells.shape[0]), pd.RangeIndex(cells.shape[1]))
        model = Timed(n_factors=n_factors, regularisation=REGULARISATION, alpha=ALPHA, n_iterations=n_iterations)
        model._fit(train, None)  # without the relevance scale, which the peer does not compute
        return model.marks[1::2]  # an iteration is a sweep over the users and one over the items

    return fit


def implicit(n_factors: int, n_threads: int):
    """The same for the peer."""
    from implicit.cpu.als import AlternatingLeastSquares

    def fit(cells, n_iterations):
        marks = []
        model = AlternatingLeastSquares(
            factors=n_factors,
            regularization=REGULARISATION,
            alpha=1 + ALPHA,  # it takes the confidence of a seen cell itself, we what is added to 1
            iterations=n_iterations,
            num_threads=n_threads,
            random_state=0,
        )
        model.fit(cells, show_progress=False, callback=lambda *_: marks.append(time.perf_counter()))
        return marks

    return fit


def worker(side: str, path: str, n_factors: int, n_iterations: int, n_threads: int) -> None:
    fit = {"ours": ours, "implicit": implicit}[side](n_factors, n_threads)
    cells = sparse.load_npz(path).tocsr()
    fit(cells[:1000], 1)  # compiles, and wakes the threads
    before = peers.peak_memory_gb()
    marks = fit(cells, 1 + n_iterations)  # the first one only starts the clock: transposing is before it
    print(json.dumps({"seconds": np.diff(marks).tolist(), "before": before, "peak": peers.peak_memory_gb()}))


def factors_worker(path: str, target: str) -> None:
    """In the peer's environment: factors from several starting points at the quality setting."""
    from implicit.cpu.als import AlternatingLeastSquares

    cells = sparse.load_npz(path).tocsr()
    found = {}
    for start in range(STARTS):
        model = AlternatingLeastSquares(
            factors=QUALITY["factors"],
            regularization=QUALITY["regularisation"],
            alpha=1 + QUALITY["alpha"],
            iterations=QUALITY["iterations"],
            random_state=start,
        )
        model.fit(cells, show_progress=False)
        found[f"users_{start}"], found[f"items_{start}"] = model.user_factors, model.item_factors
    np.savez(target, **found)
    print(json.dumps({}))


def quality(interpreter: Path, folder: Path) -> str:
    """A table: nDCG@10 of both on MovieLens-100K, protocol A, over splits and starting points."""
    from recsys_lib import datasets, splits
    from recsys_lib.evaluation import evaluate
    from recsys_lib.interactions import Interactions
    from recsys_lib.models import ALS

    dataset = datasets.load("ml-100k")
    rows, differences = [], []
    for seed in SPLITS:
        split = splits.protocol("A", dataset.interactions, seed)
        train = Interactions.from_frame(split.train, item_ids=dataset.items.index)
        test = Interactions.from_frame(split.test, train.user_ids, dataset.items.index)
        sparse.save_npz(folder / "train.npz", train.matrix)
        arguments = ("--factors-of", folder / "train.npz", folder / "factors.npz")
        peers.run(interpreter, Path(__file__), *arguments, OPENBLAS_NUM_THREADS="1")
        theirs = np.load(folder / "factors.npz")
        values = {"ours": [], "implicit": []}
        for start in range(STARTS):
            model = ALS(
                n_factors=QUALITY["factors"],
                regularisation=QUALITY["regularisation"],
                alpha=QUALITY["alpha"],
                n_iterations=QUALITY["iterations"],
                rng=start,
            ).fit(train)
            values["ours"].append(evaluate(model.recommend(), train, test).summary["ndcg"])
            model.user_factors_, model.item_factors_ = theirs[f"users_{start}"], theirs[f"items_{start}"]
            values["implicit"].append(evaluate(model.recommend(), train, test).summary["ndcg"])
        means = {side: np.mean(found) for side, found in values.items()}
        spread = {side: np.std(found, ddof=1) for side, found in values.items()}
        differences.append(means["ours"] - means["implicit"])
        cells = [f"{means[side]:.4f} ± {spread[side]:.4f}" for side in values]
        rows.append(f"| {seed} | {cells[0]} | {cells[1]} | {differences[-1]:+.4f} |")
    setting = ", ".join(f"{name} {value:g}" for name, value in QUALITY.items())
    head = f"nDCG@10 on MovieLens-100K, protocol A, {setting}; mean ± standard deviation over {STARTS} starting points:"
    table = "\n".join(["| split | ours | implicit | difference |", "|--:|--:|--:|--:|", *rows])
    return f"{head}\n\n{table}\n\nMean difference: **{np.mean(differences):+.4f}**."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=138_000)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--cells", type=int, default=11_000_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=5, help="timed in each process")
    parser.add_argument("--rounds", type=int, default=3, help="processes a side, alternated")
    parser.add_argument("--threads", type=int, default=None, help="both sides; default: all cores")
    arguments = parser.parse_args()
    import numba

    n_threads = arguments.threads or numba.config.NUMBA_NUM_THREADS
    interpreters = {"ours": sys.executable, "implicit": peers.python("implicit")}
    runs = {"ours": [], "implicit": []}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "matrix.npz"
        cells = matrix(arguments.users, arguments.items, arguments.cells)
        shape = f"{cells.shape[0]:,} x {cells.shape[1]:,}, {cells.nnz:,} cells, {arguments.factors} factors"
        sparse.save_npz(path, cells, compressed=False)
        del cells
        for _ in range(arguments.rounds):
            for side, interpreter in interpreters.items():
                # implicit asks for it: its own threads and those of OpenBLAS get in each other's way
                blas = {"OPENBLAS_NUM_THREADS": "1"} if side == "implicit" else {}
                settings = (side, path, arguments.factors, arguments.iterations, n_threads)
                found = peers.run(interpreter, Path(__file__), "--worker", *settings, **blas)
                runs[side].append(found)
                seconds = np.median(found["seconds"])
                print(f"{side}: {seconds:.2f} s an iteration, peak {found['peak']:.2f} GB", flush=True)
        qualities = quality(interpreters["implicit"], Path(name))
    medians = {side: [np.median(run["seconds"]) for run in found] for side, found in runs.items()}
    ratio = np.median(np.divide(medians["ours"], medians["implicit"]))
    rows = []
    for side, found in runs.items():
        seconds = np.concatenate([run["seconds"] for run in found])
        memory = [max(run[key] for run in found) for key in ("before", "peak")]
        spread = f"{np.median(seconds):.2f} | {seconds.min():.2f} - {seconds.max():.2f}"
        rows.append(f"| {side} | {spread} | {memory[0]:.2f} | {memory[1]:.2f} |")
    head = "| | seconds an iteration (median) | range | GB before the fit | GB peak |\n|---|--:|--:|--:|--:|"
    their_versions = peers.versions(interpreters["implicit"], "implicit", "numpy", "scipy")
    our_versions = peers.versions(sys.executable, "numpy", "numba")
    text = f"{shape}, {n_threads} threads, float32, 3 steps of conjugate gradient on both sides.\n"
    text += f"Ours: {our_versions}. Peer: {their_versions}.\n\n{head}\n" + "\n".join(rows)
    text += f"\n\nRatio ours / implicit: **{ratio:.2f}** (median of {arguments.rounds} alternated pairs)."
    sizes = ("users", "items", "cells", "factors", "threads")
    default = all(getattr(arguments, size) == parser.get_default(size) for size in sizes)
    row = ("ALS, an iteration", f"{arguments.cells:,} cells", "implicit", "", "", float(1 / ratio), "")
    peers.publish("ALS against implicit", f"{text}\n\n{qualities}", write=default, summary=[row])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))
    elif sys.argv[1:2] == ["--factors-of"]:
        factors_worker(*sys.argv[2:4])
    else:
        main()
