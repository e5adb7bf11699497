"""leaderboard-hypervolume: the area under our best pipeline beside that of every peer pipeline, and their ratio.

A peer pipeline is a tuned model that peer libraries have, re-ranked by pyversity: all five of its methods with 21
settings each, 105 points together, 100 candidates. Ours is 21 points: the blend and one of our re-rankers, the one
with the largest area on the validation part. All points are read above one reference, (.8 nDCG@10, ILD) of tuned EASE,
and measured on users who did not choose them (`held_out_hypervolume`). Parameters are those of the leaderboard. The
peers' rows are fitted by this library's models, which `tests/benchmarks` compares with the peers' own.
"""

from __future__ import annotations

from functools import lru_cache

from recsys_lib import evaluation
from recsys_lib.experiments import blend, leaderboard
from recsys_lib.experiments.blend import OWN, REFERENCE
from recsys_lib.experiments.leaderboard import SEED
from recsys_lib.experiments.leaderboard_reranking import candidates, cut, own
from recsys_lib.experiments.reranking import STRATEGIES, WIDEST, lists, trade_offs
from recsys_lib.results import Experiment

OURS = [("swap", 100), ("swap", WIDEST), ("msd", WIDEST)]
PEERS = (REFERENCE, "ALS", "SLIM", "ItemKNN", "MultVAE")
N_POINTS, N_BOOTSTRAP = 21, 500


@lru_cache(maxsize=8)
def curve(protocol: str, model: str, space: str, methods: tuple, width: int, validation: bool) -> dict:
    """(method, trade-off) -> report, N_POINTS a method."""
    found, vectors = cut(candidates(model, protocol, validation), width), blend.spaces(protocol)[space]
    return {
        (method, t): blend.judge(lists(method, found, vectors, t), protocol, SEED, validation=validation)
        for method in methods
        for t in trade_offs(method.split()[-1], N_POINTS)
    }


@lru_cache(maxsize=8)
def ours(protocol: str, space: str) -> tuple[tuple[str, int], dict]:
    """The re-ranker and width with the largest area on the validation part, and its points on the test part."""
    reference = own(REFERENCE, protocol, True)

    def area(pipeline) -> float:
        method, width = pipeline
        points = curve(protocol, OWN, space, (method,), width, True)
        metric = f"ild_{space}"
        return evaluation.held_out_hypervolume(points, reference, diversity=metric, n_bootstrap=1).value

    method, width = max(OURS, key=area)
    return (method, width), curve(protocol, OWN, space, (method,), width, False)


def compute(unit, rows):
    protocol, space, pipeline = unit.values()
    (method, width), best = ours(protocol, space)
    reference = own(REFERENCE, protocol, False)
    options = {"diversity": f"ild_{space}", "n_bootstrap": N_BOOTSTRAP}
    if pipeline == "ours":
        area = evaluation.held_out_hypervolume(best, reference, **options)
        return {"method": method, "width": width, "n_points": len(best)} | named("area", area)
    theirs = curve(protocol, pipeline, space, tuple(f"pyversity {name}" for name in STRATEGIES), 100, False)
    area = evaluation.held_out_hypervolume(theirs, reference, **options)
    ratio = evaluation.held_out_hypervolume(best, reference, against=theirs, **options)
    row = {"method": "pyversity, all five", "width": 100, "n_points": len(theirs)}
    return row | named("area", area) | named("ratio_of_ours", ratio)


def named(name: str, found: evaluation.Interval) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def recompute(row):
    """Ours, its method taken as stored."""
    protocol, space = row["protocol"], row["space"]
    points = curve(protocol, OWN, space, (row["method"],), int(row["width"]), False)
    options = {"diversity": f"ild_{space}", "n_bootstrap": 1}
    return {"area": evaluation.held_out_hypervolume(points, own(REFERENCE, protocol, False), **options).value}


def units(protocol: str) -> list[dict]:
    return [
        {"protocol": protocol, "space": space, "pipeline": pipeline}
        for space in ("text", "genre")
        for pipeline in ("ours", *PEERS)
    ]


EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=[*units("A"), *units("Bu")],
    compute=compute,
    recompute=recompute,
    sample=(0,),
    sources=(*leaderboard.SOURCES, "rerank"),
)
