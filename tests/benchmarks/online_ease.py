"""Exact updates of EASE: blocks and single changes against a NumPy outer product and a full refit; 10,000 mixed ones.

    python tests/benchmarks/online_ease.py                  # two minutes on an idle core
    python tests/benchmarks/online_ease.py --items 400 --changes 1000 --rounds 1   # a small run: seconds

At 1,700 items, one thread. The outer product is what one writes first: P -= outer(Px, Px) / (1 + x'Px) for one new
user, P in float64, x dense. A block is one call of `add_users` with 64 rows; "single" is 64 calls with one row each,
"interaction" 64 calls of `add_interactions` for known users (rank two). All are timed until every change is multiplied
out, so that holding changes back is no gain. Rounds are interleaved, ratios are taken within a round, then the median.
Then 10,000 mixed changes in one model, and its weights against those of a refit on the rows that are left.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import peers
import scipy
from scipy import linalg, sparse

from recsys_lib.interactions import Interactions
from recsys_lib.models import EASE
from recsys_lib.models.linear import ease_weights
from recsys_lib.online import IncrementalEASE
from recsys_lib.online.ease import BLOCK

L2, BATCH = 500.0, 64
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
BARS = {"block of 64": 10, "single": 3, "interaction": 3}


def drawn(n_users: int, n_items: int, rng) -> Interactions:
    """MovieLens-100K's shape: about 80 items a user, popularity falling as a power law."""
    share = 1 / np.arange(1, n_items + 1) ** 0.8
    lengths = np.minimum(rng.geometric(1 / 80, n_users) + 5, n_items // 2)
    rows = [rng.choice(n_items, length, replace=False, p=share / share.sum()) for length in lengths]
    cells = (np.ones(lengths.sum(), np.float32), (np.repeat(np.arange(n_users), lengths), np.concatenate(rows)))
    matrix = sparse.csr_matrix(cells, (n_users, n_items))
    return Interactions(matrix, pd.RangeIndex(n_users), pd.RangeIndex(n_items))


def seconds(call, *arguments) -> float:
    """CPU seconds of a call; there is one thread, so that other programs on the machine matter less."""
    started = time.process_time()
    call(*arguments)
    return time.process_time() - started


def one_round(model: IncrementalEASE, precision: np.ndarray, rng) -> dict[str, float]:
    """Changes a second of each way."""
    rows = drawn(BATCH, model.history_.n_items, rng).matrix
    dense = rows.toarray().astype(float)
    known = rng.integers(model.history_.n_users, size=BATCH)
    items = rng.integers(model.history_.n_items, size=BATCH)

    def outer():
        for x in dense:
            column = precision @ x
            np.subtract(precision, np.outer(column, column) / (1 + x @ column), out=precision)

    def ger():
        for x in dense:
            column = precision @ x
            linalg.blas.dger(-1 / (1 + x @ column), column, column, a=precision.T, overwrite_a=True)

    def block():
        model.add_users(rows)
        model._multiply_out()

    def single():
        for row in range(BATCH):
            model.add_users(rows[row])
        model._multiply_out()

    def interaction():
        for user, item in zip(known, items, strict=True):
            model.add_interactions(user, [item])
        model._multiply_out()

    train = model.history_.to_csr()
    return {
        "NumPy outer product": BATCH / seconds(outer),
        "BLAS dger in place": BATCH / seconds(ger),
        "block of 64": BATCH / seconds(block),
        "single": BATCH / seconds(single),
        "interaction": BATCH / seconds(interaction),
        "refit": 1 / seconds(lambda: ease_weights(train, L2)),
    }


def reading(model: IncrementalEASE, repeats: int) -> list[str]:
    """Table rows: ms of one user's scores and list, with no change, half a block and a whole one pending."""
    ease, lines = EASE(l2=L2).fit(model.history_.to_interactions()), []
    weights, histories = model.item_weights, ease.train_.matrix.astype(np.float64)
    rows = drawn(BATCH, model.history_.n_items, np.random.default_rng(1)).matrix
    users = np.random.default_rng(2).integers(ease.train_.n_users, size=repeats)
    ways = {
        "row x B, float64": lambda user: histories[[user]] @ weights,
        "EASE.score": lambda user: ease.score([user]),
        "score": lambda user: model.score([user]),
        "EASE.recommend": lambda user: ease.recommend([user]),
        "recommend": lambda user: model.recommend([user]),
    }
    for pending in (0, BLOCK // 2, BLOCK - 1):
        model._multiply_out()
        if pending:
            model.add_users(rows[:pending])
        spent = pd.DataFrame([{name: seconds(way, user) for name, way in ways.items()} for user in users]).median()
        ratios = [
            spent["score"] / spent["row x B, float64"],
            spent["score"] / spent["EASE.score"],
            spent["recommend"] / spent["EASE.recommend"],
        ]
        lines.append(
            f"| {pending} | {1000 * spent['score']:.3f} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |"
        )
    return lines


def mixed(n_items: int, n_changes: int, rng) -> tuple[IncrementalEASE, float, dict[str, int]]:
    """(the model, seconds, how often each kind of change was made)."""
    model, counts = IncrementalEASE(l2=L2).fit(drawn(943, n_items, rng)), {}
    names = ("add_users", "add_interactions", "remove_interactions", "forget", "learn", "add_items")
    kinds = rng.choice(names, n_changes, p=(0.2, 0.4, 0.2, 0.04, 0.158, 0.002))
    started = time.process_time()
    for kind in kinds:
        user = int(rng.integers(model.history_.n_users))
        size, had = model.history_.n_items, model.history_.rows[user][0]
        if kind == "add_users":
            model.add_users([rng.integers(size, size=80)])
        elif kind == "remove_interactions" and len(had):
            model.remove_interactions(user, rng.choice(had, 1))
        elif kind == "forget":
            model.forget(user)
        elif kind == "learn":
            model.learn(rng.integers(model.history_.n_users, size=20), rng.integers(size, size=20))
        elif kind == "add_items":
            model.add_items(1)
        else:
            kind = "add_interactions"
            model.add_interactions(user, rng.integers(size, size=1))
        counts[str(kind)] = counts.get(str(kind), 0) + 1
    return model, time.process_time() - started, counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1700)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    model = IncrementalEASE(l2=L2).fit(drawn(943, options.items, rng))
    precision = model._now()
    one_round(model, precision, rng)  # warm up
    rounds = pd.DataFrame([one_round(model, precision, rng) for _ in range(options.rounds)])
    ratios = rounds.div(rounds["NumPy outer product"], axis=0)
    lines = [
        f"{options.items:,} items, 943 users and more, float64, CPU seconds of one thread; NumPy {np.__version__}, "
        f"SciPy {scipy.__version__}; medians of {options.rounds} interleaved rounds.",
        "",
        "| way | changes a second | times the outer product, median (range) | bar |",
        "|---|--:|--:|--:|",
    ]
    for name in rounds:
        ratio = ratios[name]
        shown = f"{ratio.median():.3g} ({ratio.min():.3g} to {ratio.max():.3g})"
        lines.append(f"| {name} | {rounds[name].median():,.3g} | {shown} | {BARS.get(name, '')} |")
    lines += [
        "",
        "| changes pending | scores of one user, ms | times a row x a stored float64 B | times `EASE.score` (float32) "
        "| `recommend`, times EASE's |",
        "|--:|--:|--:|--:|--:|",
        *reading(model, 400),
    ]
    changed, spent, counts = mixed(options.items, options.changes, rng)
    refit = ease_weights(changed.history_.to_csr(), L2)
    away, largest = abs(changed.item_weights - refit).max(), abs(refit).max()
    named = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
    lines += [
        "",
        f"{options.changes:,} mixed changes ({named}) in {spent:.0f} s, {options.changes / spent:,.0f} a second: "
        f"the weights are at most {away:.1e} from those of a refit (largest weight {largest:.2f}; bar 1e-9), P at most "
        f"{abs(changed._now() - changed._now().T).max():.1e} from symmetric, residual {changed.residual():.1e}.",
    ]
    default = (options.items, options.changes) == (1700, 10_000)
    peers.publish("Exact incremental EASE", "\n".join(lines), write=default)


if __name__ == "__main__":
    if all(os.environ.get(name) == "1" for name in ONE_THREAD):
        main()
    else:  # threads are counted when NumPy is loaded: once more, with one
        sys.exit(subprocess.run([sys.executable, *sys.argv], env={**os.environ, **ONE_THREAD}).returncode)
