"""Seconds per ALS iteration and peak memory against `implicit`, alternated; a matrix of MovieLens-20M's shape.

The same file is the worker of both sides: `als_vs_implicit.py --worker ours|implicit matrix.npz factors iterations`.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import sparse

REGULARISATION, ALPHA = 10.0, 3.0


def matrix(n_users: int, n_items: int, n_cells: int) -> sparse.csr_matrix:
    """Power laws on both sides, like real interactions; about `n_cells` cells after duplicates are merged."""
    rng = np.random.default_rng(0)
    activity = rng.pareto(1.2, n_users) + 1
    popularity = 1 / np.arange(1, n_items + 1) ** 0.9
    draws = int(n_cells * 1.35)
    users = rng.choice(n_users, draws, p=activity / activity.sum())
    items = rng.choice(n_items, draws, p=popularity / popularity.sum())
    made = sparse.csr_matrix((np.ones(draws, np.float32), (users, items)), (n_users, n_items))
    made.data[:] = 1
    return made


def ours(cells, n_factors, n_iterations):
    import pandas as pd

    from recsys_lib.interactions import Interactions
    from recsys_lib.models import ALS

    def fit(matrix, iterations):
        train = Interactions(matrix, pd.RangeIndex(matrix.shape[0]), pd.RangeIndex(matrix.shape[1]))
        model = ALS(n_factors=n_factors, regularisation=REGULARISATION, alpha=ALPHA, n_iterations=iterations)
        started = time.perf_counter()
        model._fit(train, None)  # without the relevance scale, which the peer does not compute
        return time.perf_counter() - started

    return fit


def implicit(cells, n_factors, n_iterations):
    from implicit.cpu.als import AlternatingLeastSquares

    def fit(matrix, iterations):
        # c = 1 + alpha p in our words; implicit takes the confidences themselves and counts 1 for the rest
        confidence = matrix * np.float32(1 + ALPHA)
        model = AlternatingLeastSquares(
            factors=n_factors, regularization=REGULARISATION, alpha=1.0, iterations=iterations, random_state=0
        )
        started = time.perf_counter()
        model.fit(confidence, show_progress=False)
        return time.perf_counter() - started

    return fit


def worker(side: str, path: str, n_factors: int, n_iterations: int) -> None:
    cells = sparse.load_npz(path).tocsr()
    fit = {"ours": ours, "implicit": implicit}[side](cells, n_factors, n_iterations)
    fit(cells[:1000], 1)  # compiles, and wakes the threads
    one = fit(cells, 1)  # transposing and starting points are in both; the difference is the iterations
    many = fit(cells, 1 + n_iterations)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "linux" else 2**30)
    print(json.dumps({"seconds": (many - one) / n_iterations, "gb": memory}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=138_000)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--cells", type=int, default=11_000_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    import peers

    cells = matrix(arguments.users, arguments.items, arguments.cells)
    shape = f"{cells.shape[0]:,} x {cells.shape[1]:,}, {cells.nnz:,} cells, {arguments.factors} factors"
    runs = {"ours": [], "implicit": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "matrix.npz"
        sparse.save_npz(path, cells, compressed=False)
        for _ in range(arguments.rounds):
            for side, interpreter in (("ours", sys.executable), ("implicit", peers.python("implicit"))):
                found = peers.run(
                    interpreter, Path(__file__), "--worker", side, path, arguments.factors, arguments.iterations
                )
                runs[side].append(found)
                print(f"{side}: {found['seconds']:.2f} s an iteration, peak {found['gb']:.2f} GB", flush=True)
    ratio = np.median([a["seconds"] / b["seconds"] for a, b in zip(runs["ours"], runs["implicit"], strict=True)])
    rows = [
        f"| {side} | {np.median([run['seconds'] for run in found]):.2f} | {max(run['gb'] for run in found):.2f} |"
        for side, found in runs.items()
    ]
    table = "\n".join(["| | seconds an iteration (median) | peak memory of the process, GB |", "|---|--:|--:|", *rows])
    pins = ", ".join(peers.PINS["implicit"])
    text = f"{shape}; {pins}, conjugate gradient on both sides.\n\n{table}\n\n"
    text += f"Ratio ours / implicit: **{ratio:.2f}** (median of {arguments.rounds} pairs)."
    peers.publish("ALS against implicit", text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
