"""How much faster is the default report than a plain per-user Python loop, and is its cost per list flat?

    python tests/benchmarks/metrics_vs_loop.py                    # MovieLens-100K's shape, then up to 100,000 lists
    python tests/benchmarks/metrics_vs_loop.py --sizes 943 10000

Prints one Markdown table. The loop is what one writes first: for each user, sets for the hits, NumPy for the
vectors of one list (which is kinder to the loop than pure Python). Before anything is timed, both must give the
same values. Times are the best of `--repeats` interleaved runs; only ratios mean something on a shared machine.
The last column is the report's cost a list relative to that at the smallest size: 1 or less = flat.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import pandas as pd
from scipy import sparse

from recsys_lib.evaluation import evaluate
from recsys_lib.interactions import Interactions
from recsys_lib.topk import TopK


def make_case(n_users, *, n_items, n_facets, d_text, n_train, n_test, k, rng):
    """Lists, train and test of the given shape: skewed item popularity, no item twice in a list or in both sets."""
    rng = np.random.default_rng(rng)
    popularity = 1 / np.arange(1, n_items + 1) ** 0.8
    share = np.log(popularity / popularity.sum())
    train, test, lists = [], [], np.empty((n_users, k), np.int32)
    for user in range(n_users):
        # The Gumbel trick: the largest of noisy log-shares are a draw without replacement.
        order = np.argsort(-(share + rng.gumbel(size=n_items)))
        a, b = rng.poisson(n_train) + 1, rng.poisson(n_test) + 1
        train.append(order[:a])
        test.append(order[a : a + b])
        hits = rng.random(k) < 0.2
        lists[user] = np.where(hits, order[a : a + k], order[-k:])
    item_ids = pd.RangeIndex(n_items)
    pieces = [_interactions(cells, n_users, item_ids) for cells in (train, test)]
    facets = (rng.random((n_items, n_facets)) < 1.7 / n_facets).astype(float)
    facets[np.arange(n_items), rng.integers(n_facets, size=n_items)] = 1
    text = rng.normal(size=(n_items, d_text)).astype(np.float32)
    return TopK(lists, np.zeros(lists.shape, np.float32)), *pieces, {"genre": facets, "text": text}, facets


def _interactions(cells, n_users, item_ids):
    rows = np.repeat(np.arange(n_users), [len(columns) for columns in cells])
    columns = np.concatenate(cells)
    matrix = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (n_users, len(item_ids)))
    matrix.sort_indices()
    return Interactions(matrix, pd.RangeIndex(n_users), item_ids)


def loop_report(topk, train, test, spaces, facets, k=10, alpha=0.5):
    """The default report by a loop over users; a dict of means."""
    n_users, n_items = train.matrix.shape
    counts = np.bincount(train.matrix.indices, minlength=n_items)
    unit = {name: vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for name, vectors in spaces.items()}
    mixes = facets / facets.sum(axis=1, keepdims=True)
    order = np.argsort(-counts, kind="stable")
    head = counts[order[np.searchsorted(np.cumsum(counts[order]), 0.8 * counts.sum() * (1 - 1e-12))]]
    ranks = {count: rank for rank, count in enumerate(sorted(set(counts[counts > 0].tolist()), reverse=True))}
    names = "ndcg recall precision map mrr hit_rate alpha_ndcg novelty popularity long_tail calibration serendipity"
    values = {name: [] for name in [*names.split(), *(f"ild_{name}" for name in spaces)]}
    exposure = np.zeros(n_items)
    for user in range(n_users):
        recommended = [int(item) for item in topk.items[user, :k] if item >= 0]
        relevant = set(test.matrix.indices[test.matrix.indptr[user] : test.matrix.indptr[user + 1]].tolist())
        history = train.matrix.indices[train.matrix.indptr[user] : train.matrix.indptr[user + 1]]
        for item in recommended:
            exposure[item] += 1
        if relevant:
            found = [item in relevant for item in recommended]
            best = min(k, len(relevant))
            gain = sum(1 / math.log2(rank + 2) for rank, hit in enumerate(found) if hit)
            values["ndcg"].append(gain / sum(1 / math.log2(rank + 2) for rank in range(best)))
            values["recall"].append(sum(found) / len(relevant))
            values["precision"].append(sum(found) / k)
            values["map"].append(sum(sum(found[: r + 1]) / (r + 1) for r, hit in enumerate(found) if hit) / best)
            values["mrr"].append(next((1 / (rank + 1) for rank, hit in enumerate(found) if hit), 0.0))
            values["hit_rate"].append(float(any(found)))
            surprise = 0.0
            for rank, (item, hit) in enumerate(zip(recommended, found, strict=True)):
                expected = (n_items - ranks[counts[item]]) / n_items if counts[item] else 0.0
                surprise += hit * max((n_items - rank) / n_items - expected, 0.0)
            values["serendipity"].append(surprise / k)
            ideal = _greedy_ideal(sorted(relevant), facets, k, alpha)
            values["alpha_ndcg"].append(_alpha_dcg(recommended, found, facets, alpha) / ideal)
        for name, vectors in unit.items():
            own = vectors[recommended]
            size = len(recommended)
            values[f"ild_{name}"].append(1 - ((own @ own.T).sum() - size) / (size * (size - 1)))
        values["novelty"].append(-np.mean(np.log2(np.maximum(counts[recommended], 1) / n_users)))
        values["popularity"].append(np.mean(counts[recommended]) / n_users)
        values["long_tail"].append(np.mean(counts[recommended] < head))
        wanted, offered = mixes[history].mean(axis=0), mixes[recommended].mean(axis=0)
        offered = 0.99 * offered + 0.01 * wanted
        own = wanted > 0
        values["calibration"].append((wanted[own] * np.log(wanted[own] / offered[own])).sum())
    report = {name: float(np.mean(numbers)) for name, numbers in values.items()}
    share = exposure[exposure > 0] / exposure.sum()
    position = np.arange(1, n_items + 1)
    report["coverage"] = float(np.mean(exposure > 0))
    report["exposed_5"] = float(np.mean(exposure >= 5))
    weights = 2 * position - n_items - 1
    report["gini"] = float((weights * np.sort(exposure)).sum() / exposure.sum() / (n_items - 1))
    report["entropy"] = float(-(share * np.log(share)).sum())
    return report


def _alpha_dcg(recommended, found, facets, alpha):
    fresh = np.ones(facets.shape[1])
    total = 0.0
    for rank, (item, hit) in enumerate(zip(recommended, found, strict=True)):
        if hit:
            total += (facets[item] * fresh).sum() / math.log2(rank + 2)
            fresh *= 1 - alpha * facets[item]
    return total


def _greedy_ideal(relevant, facets, k, alpha):
    relevant = sorted(relevant, key=lambda item: tuple(-facets[item]))
    fresh = np.ones(facets.shape[1])
    total = 0.0
    for rank in range(min(k, len(relevant))):
        gains = facets[relevant] @ fresh
        best = int(np.argmax(gains))
        total += gains[best] / math.log2(rank + 2)
        fresh *= 1 - alpha * facets[relevant.pop(best)]
    return total


def best_times(functions, repeats):
    """The least seconds of each function over interleaved runs, so that a busy moment hits all of them."""
    best = [math.inf] * len(functions)
    for _ in range(repeats):
        for place, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[place] = min(best[place], time.perf_counter() - start)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[943, 1000, 10_000, 100_000], help="numbers of lists")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--loop-limit", type=int, default=10_000, help="above so many lists the loop is not run")
    parser.add_argument("--n-items", type=int, default=1682)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    shape = {"n_items": options.n_items, "n_facets": 19, "d_text": 384, "n_train": 79, "n_test": 25, "k": 10}
    print(f"Lists of 10, {shape['n_items']:,} items, 19 facets, spaces of 19 and 384 dimensions.\n")
    print("| lists | report, s | loop, s | report / loop | report, µs a list | relative to the first row |")
    print("|--:|--:|--:|--:|--:|--:|")
    first = None
    for size in options.sizes:
        topk, train, test, spaces, facets = make_case(size, rng=options.seed, **shape)

        def report(case=(topk, train, test, spaces), facets=facets):
            return evaluate(*case, item_facets=facets)

        def loop(case=(topk, train, test, spaces, facets)):
            return loop_report(*case)

        with_loop = size <= options.loop_limit
        if with_loop:
            summary, expected = report().summary, loop()
            for name, value in expected.items():
                assert math.isclose(summary[name], value, rel_tol=1e-5), f"{name}: {summary[name]} and {value}"
        repeats = options.repeats if size < 50_000 else 2
        seconds = best_times([report, loop] if with_loop else [report], repeats)
        a_list = seconds[0] / size
        first = first or a_list
        against = f"{seconds[1]:.3f} | {seconds[0] / seconds[1]:.3f}" if with_loop else "not run | not run"
        print(f"| {size:,} | {seconds[0]:.4f} | {against} | {1e6 * a_list:.1f} | {a_list / first:.2f} |", flush=True)


if __name__ == "__main__":
    main()
