"""Re-rankers against pyversity: are the lists the same, users a second, and (with --scale) memory and cost a user.

    python tests/benchmarks/rerank_vs_pyversity.py               # a few minutes; the first time it encodes item texts
    python tests/benchmarks/rerank_vs_pyversity.py --scale       # ours alone, up to 100,000 users x 1,000 candidates

Candidates are EASE's 100 best films of MovieLens-100K (protocol A, seed 0) and MovieLens-1M, vectors are MiniLM's.
pyversity re-ranks one user a call, from the embeddings and scores of that user's candidates. Both sides have one
thread, and its CPU seconds are counted, so that other programs on the machine do not matter. Ours include the table of
cosines between items; compiling is not in it.

Equal settings. pyversity takes scores as they are, so it gets score / scale. Its `diversity` is our `trade_off` for
MMR, MSD and SSD (with `append_bias` and `normalize_scores` off). Its DPP picks by the largest exp(2 beta z_i) d_i^2,
z the user's standardised scores, beta = (1 - diversity) * scale. The logarithm, 2 beta z_i + log d_i^2, is ours,
(1 - t) r_i + t log d_i^2, divided by t, if r = z and (1 - t) / t = 2 beta: ours gets z as scores, scale 1 and
t = 1 / (1 + 2 beta). One definition differs: pyversity's MMR counts a negative cosine as 0.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import peers

K, N_USERS = 10, 5_000
RULES = ("mmr", "msd", "ssd", "dpp")
DIVERSITIES = (0.1, 0.3, 0.5, 0.7, 0.9)
DPP_SCALES = (1.0, 4.0)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
# our name -> the peer's rule and the bar that the ratio should reach
TIMED = {
    "mmr, NumPy": ("mmr", 14),
    "mmr, numba": ("mmr", 40),
    "msd, NumPy": ("msd", 14),
    "msd, numba": ("msd", 40),
    "ssd, NumPy": ("ssd", 3),
    "ssd, numba": ("ssd", 3),
    "dpp, NumPy": ("dpp", 3),
    "dpp, numba": ("dpp", 3),
    "swap, numba": ("msd", 5),
}


def settings(rule: str) -> list[tuple[float, float, float]]:
    """(diversity, scale, our trade_off) of the compared settings; only DPP has a scale."""
    if rule != "dpp":
        return [(diversity, 1.0, diversity) for diversity in DIVERSITIES]
    return [(each, scale, 1 / (1 + 2 * (1 - each) * scale)) for scale in DPP_SCALES for each in DIVERSITIES]


def stopwatch(call, repeats: int) -> float:
    """The median of the CPU seconds of a call after a first one, which compiles."""
    call()
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        call()
        seconds.append(time.process_time() - started)
    return float(np.median(seconds))


def pyversity_calls() -> dict:
    """In the peer's environment: rule -> function of (embeddings, scores, diversity, scale) of one user."""
    import pyversity

    def dpp(embeddings, scores, diversity, scale):
        return pyversity.dpp(embeddings, scores, K, diversity, scale=scale)

    def ssd(embeddings, scores, diversity, _):
        return pyversity.ssd(embeddings, scores, K, diversity, append_bias=False, normalize_scores=False)

    def plain(rule, embeddings, scores, diversity, _):
        return getattr(pyversity, rule)(embeddings, scores, K, diversity)

    return {"mmr": partial(plain, "mmr"), "msd": partial(plain, "msd"), "ssd": ssd, "dpp": dpp}


def their_picks(path: str, target: str) -> None:
    """In the peer's environment: the picked places of all users at all settings."""
    case, found = np.load(path), {}
    for rule, call in pyversity_calls().items():
        for place, (diversity, scale, _) in enumerate(settings(rule)):
            lists = [
                call(case["vectors"][items], relevance, diversity, scale).indices
                for items, relevance in zip(case["items"], case["relevance"], strict=True)
            ]
            found[f"{rule} {place}"] = np.array(lists)
    np.savez(target, **found)
    print(json.dumps({}))


def their_seconds(path: str) -> None:
    """In the peer's environment: seconds for all users, with and without looking their embeddings up."""
    case, seconds, alone = np.load(path), {}, {}
    vectors, users = case["vectors"], list(zip(case["items"], case["relevance"], strict=True))
    for rule, call in pyversity_calls().items():
        started, without = time.process_time(), 0.0
        for items, relevance in users:
            embeddings = vectors[items]
            looked_up = time.process_time()
            call(embeddings, relevance, 0.5, 1.0)
            without += time.process_time() - looked_up
        seconds[rule], alone[rule] = time.process_time() - started, without
    print(json.dumps({"seconds": seconds, "without look-up": alone}))


def our_seconds(path: str, repeats: int) -> None:
    from recsys_lib import rerank
    from recsys_lib.topk import TopK

    case, seconds = np.load(path), {}
    candidates, vectors = TopK(case["items"], case["relevance"]), case["vectors"]
    for name in TIMED:
        rule, engine = name.lower().split(", ")
        call = partial(getattr(rerank, rule), candidates, vectors, k=K)
        seconds[name] = stopwatch(call if rule == "swap" else partial(call, engine=engine), repeats)
    print(json.dumps({"seconds": seconds}))


def movielens(name: str, protocol: str) -> dict[str, np.ndarray]:
    """EASE's 100 best of each user, scores in relevance units, and MiniLM's vectors of all films."""
    from recsys_lib import datasets, models, splits
    from recsys_lib.encoders import TextEncoder
    from recsys_lib.interactions import Interactions

    dataset = datasets.load(name)
    split = splits.protocol(protocol, dataset.interactions, 0)
    train = Interactions.from_frame(split.train, item_ids=dataset.items.index)
    lists = models.EASE().fit(train).recommend(k=100)
    relevance = lists.scores / np.float32(lists.scale)
    return {"items": lists.items, "relevance": relevance, "vectors": TextEncoder().encode(dataset.items["text"])}


def random_case(*, signed: bool) -> dict[str, np.ndarray]:
    """1,000 users x 100 of 2,000 items with Gaussian vectors, or their absolute values (no cosine below 0)."""
    rng = np.random.default_rng(0)
    items = np.array([rng.permutation(2_000)[:100] for _ in range(1_000)], np.int32)
    relevance = -np.sort(-rng.gamma(2, 1, items.shape), axis=1).astype(np.float32)
    vectors = rng.standard_normal((2_000, 64), np.float32)
    return {"items": items, "relevance": relevance, "vectors": vectors if signed else np.abs(vectors)}


def standardised(scores: np.ndarray) -> np.ndarray:
    """Each user's scores as pyversity's DPP standardises them."""
    spread = scores.std(axis=1, keepdims=True) + np.finfo(np.float32).eps
    return (scores - scores.mean(axis=1, keepdims=True)) / spread


def advantage(rule: str, relevance, unit, trade_off: float, ours, theirs) -> float:
    """By how much our pick beats theirs on the rule's own objective, in float64, at the first place where they part."""
    place = int((ours != theirs).argmax())
    span = unit[ours[:place]]
    cosines = unit @ span.T
    if rule in ("ssd", "dpp"):
        basis = np.linalg.qr(span.T)[0]
        left = np.maximum(1 - ((unit @ basis) ** 2).sum(axis=1), 0)
        novelty = np.sqrt(left) if rule == "ssd" else np.log(left + 1e-12)
    else:
        novelty = -cosines.max(axis=1) if rule == "mmr" else (1 - cosines).sum(axis=1)
    value = (1 - trade_off) * relevance.astype(float) + trade_off * novelty
    return float(value[ours[place]] - value[theirs[place]])


def agreement(title: str, case: dict, interpreter: Path, folder: Path) -> list[str]:
    """Rows of the table of equal lists, one a rule."""
    from recsys_lib import rerank
    from recsys_lib.topk import TopK

    np.savez(folder / "case.npz", **case)
    peers.run(interpreter, Path(__file__), "--picks", folder / "case.npz", folder / "picks.npz", **ONE_THREAD)
    theirs, rows = np.load(folder / "picks.npz"), []
    unit = case["vectors"].astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for rule in RULES:
        relevance = standardised(case["relevance"]) if rule == "dpp" else case["relevance"]
        candidates, same, gaps = TopK(case["items"], relevance), [], []
        for place, (_, _, trade_off) in enumerate(settings(rule)):
            lists = getattr(rerank, rule)(candidates, case["vectors"], k=K, trade_off=trade_off, order="selection")
            their_picks = theirs[f"{rule} {place}"]
            equal = (lists.items == np.take_along_axis(case["items"], their_picks, 1)).all(axis=1)
            same.append(equal.mean())
            for user in np.flatnonzero(~equal):
                picks = (case["items"][user] == lists.items[user][:, None]).argmax(axis=1)
                of_user = relevance[user], unit[case["items"][user]], trade_off
                gaps.append(advantage(rule, *of_user, picks, their_picks[user]))
        n_lists = len(case["items"]) * len(settings(rule))
        range_ = f"{min(gaps):+.1e} to {max(gaps):+.1e}" if gaps else ""
        shares = f"{100 * np.mean(same):.2f} | {100 * min(same):.2f}"
        rows.append(f"| {title} | {rule} | {n_lists:,} | {shares} | {len(gaps)} | {range_} |")
    return rows


def throughput(title: str, case: dict, interpreter: Path, folder: Path, rounds: int, repeats: int) -> tuple[list, list]:
    """Rows of the table of users a second, one a re-ranker and engine, and of the table of all peers."""
    np.savez(folder / "case.npz", **case)
    ours, theirs, alone = [], [], []
    for _ in range(rounds):
        path = folder / "case.npz"
        ours.append(peers.run(sys.executable, Path(__file__), "--ours", path, repeats, **ONE_THREAD)["seconds"])
        found = peers.run(interpreter, Path(__file__), "--theirs", path, **ONE_THREAD)
        theirs.append(found["seconds"])
        alone.append(found["without look-up"])
    rows, summary, n_users = [], [], len(case["items"])
    data = f"{title}, {n_users:,} users, {len(np.unique(case['items'])):,} films"
    for name, (rule, bar) in TIMED.items():
        own = np.array([each[name] for each in ours])
        other, without = (np.array([each[rule] for each in found]) for found in (theirs, alone))
        ratios = [np.median(found / own) for found in (other, without)]
        speeds = " | ".join(f"{n_users / np.median(seconds):,.0f}" for seconds in (own, other))
        rows.append(f"| {data} | {name} | {rule} | {speeds} | **{ratios[0]:.1f}** | {ratios[1]:.1f} | {bar} |")
        summary.append((f"re-ranking, {name}", title, f"pyversity {rule}", "", "", float(ratios[0]), bar))
    return rows, summary


def compare(rounds: int, repeats: int) -> None:
    interpreter = peers.python("pyversity")
    small, large = movielens("ml-100k", "A"), movielens("ml-1m", "ML1M-R")
    rng = np.random.default_rng(0)
    n_rows = len(small["items"])
    users = np.concatenate([rng.permutation(n_rows) for _ in range(-(-N_USERS // n_rows))])[:N_USERS]
    repeated = small | {key: small[key][users] for key in ("items", "relevance")}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        equal = agreement("MovieLens-100K", small, interpreter, folder)
        equal += agreement("random, no cosine below 0", random_case(signed=False), interpreter, folder)
        equal += agreement("random, cosines of both signs", random_case(signed=True), interpreter, folder)
        speeds, summary = throughput("MovieLens-100K", repeated, interpreter, folder, rounds, repeats)
        more = throughput("MovieLens-1M", large, interpreter, folder, rounds, repeats)
        speeds, summary = speeds + more[0], summary + more[1]
    own_versions = peers.versions(sys.executable, "numpy", "numba")
    their_versions = peers.versions(interpreter, "pyversity", "numpy")
    text = f"EASE's 100 candidates -> {K}, MiniLM vectors. Ours: {own_versions}. Peer: {their_versions}.\n\n"
    text += "One thread, CPU seconds; ours with the table of cosines between items, trade_off 0.5.\n\n"
    head = ("data", "ours", "pyversity", "users a second, ours", "pyversity", "times faster", "without look-up", "bar")
    text += "\n".join([f"| {' | '.join(head)} |", "|---|---|---|--:|--:|--:|--:|--:|", *speeds])
    text += f"\n\nMedians of {rounds} alternated rounds; ours is the median of {repeats} calls in each.\n\n"
    head = ("data", "rule", "lists", "identical, %", "at the worst setting", "differ", "ours better by, objective")
    text += "\n".join([f"| {' | '.join(head)} |", "|---|---|--:|--:|--:|--:|--:|", *equal])
    dpp = f"DPP: each with scale {' and '.join(f'{scale:g}' for scale in DPP_SCALES)}"
    text += f"\n\nOrder of selection; diversity {', '.join(map(str, DIVERSITIES))} ({dpp})."
    peers.publish("Re-ranking against pyversity", text, summary=summary)


def synthetic(n_users: int, n_candidates: int, n_items: int):
    """Candidates and unit vectors in place, without large temporaries; n_items must be prime: steps then never meet."""
    from recsys_lib.topk import TopK

    rng = np.random.default_rng(0)
    items, scores = np.empty((n_users, n_candidates), np.int32), np.empty((n_users, n_candidates), np.float32)
    for start in range(0, n_users, 1000):
        rows = slice(start, start + 1000)
        first, step = rng.integers(n_items, size=(len(items[rows]), 1)), rng.integers(1, n_items, (len(items[rows]), 1))
        items[rows] = (first + step * np.arange(n_candidates)) % n_items
        scores[rows] = -np.sort(-rng.random(items[rows].shape, np.float32), axis=1)
    vectors = rng.standard_normal((n_items, 384), np.float32)
    for row in vectors:
        row /= np.linalg.norm(row)
    return TopK(items, scores, 0.3), vectors


def large_run(method: str, n_users: int, n_candidates: int, n_items: int) -> None:
    """Seconds and memory of one call on synthetic candidates."""
    from recsys_lib import rerank
    from recsys_lib.topk import TopK

    candidates, vectors = synthetic(n_users, n_candidates, n_items)
    call = getattr(rerank, method)
    call(TopK(candidates.items[:10], candidates.scores[:10], candidates.scale), vectors, k=K)
    before, started = peers.peak_memory_gb(), time.process_time()
    call(candidates, vectors, k=K)
    print(json.dumps({"seconds": time.process_time() - started, "before": before, "peak": peers.peak_memory_gb()}))


def scale() -> None:
    rows = []
    for n_candidates, n_items, sizes in (
        (100, 1_699, (1_000, 10_000, 100_000)),
        (1_000, 4_999, (1_000, 10_000, 100_000)),
        (1_000, 100_003, (10_000, 100_000)),
    ):
        for method in ("msd", "swap"):
            for n_users in sizes:
                settings = (method, n_users, n_candidates, n_items)
                found = peers.run(sys.executable, Path(__file__), "--large", *settings, **ONE_THREAD)
                cost = f"{found['seconds']:.2f} | {1e6 * found['seconds'] / n_users:.1f}"
                memory = f"{found['before']:.2f} | {found['peak']:.2f}"
                rows.append(f"| {n_items:,} | {n_candidates:,} | {method} | {n_users:,} | {cost} | {memory} |")
                print(rows[-1], flush=True)
    text = f"Random unit vectors in 384 dimensions, scores of random size, -> {K}, numba, one thread, CPU seconds.\n"
    text += f"{peers.versions(sys.executable, 'numpy', 'numba')}. Each row is a process of its own.\n\n"
    head = ("items", "candidates", "re-ranker", "users", "seconds", "µs a user", "GB before", "GB peak")
    text += "\n".join([f"| {' | '.join(head)} |", "|--:|--:|---|--:|--:|--:|--:|--:|", *rows])
    peers.publish("Re-ranking at scale", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes a side, alternated")
    parser.add_argument("--repeats", type=int, default=7, help="timed calls of ours a round")
    parser.add_argument("--scale", action="store_true", help="only ours: memory and cost a user")
    arguments = parser.parse_args()
    if arguments.scale:
        scale()
    else:
        compare(arguments.rounds, arguments.repeats)


if __name__ == "__main__":
    workers = {"--picks": their_picks, "--theirs": their_seconds}
    if sys.argv[1:2] == ["--ours"]:
        our_seconds(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1:2] == ["--large"]:
        large_run(sys.argv[2], *map(int, sys.argv[3:6]))
    elif sys.argv[1:2] and sys.argv[1] in workers:
        workers[sys.argv[1]](*sys.argv[2:])
    else:
        main()
