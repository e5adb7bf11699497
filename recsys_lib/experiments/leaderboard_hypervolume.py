"""leaderboard-hypervolume: the area under our best pipeline beside that of every peer pipeline, and their ratio.

A peer pipeline is a tuned model that peer libraries have, re-ranked by pyversity: all five of its methods with 21
settings each, 105 points together, 100 candidates. Ours is 21 points: the blend and one of our re-rankers, its width
and the ends of its settings those with the largest area on the validation part. All points are read above one
reference, (.8 nDCG@10, ILD) of tuned EASE, and measured on users who did not choose them (`held_out_hypervolume`).
Parameters are those of the leaderboard. The peers' models are this library's; `tests/benchmarks` compares them with
the peers' own.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from recsys_lib import evaluation
from recsys_lib.experiments import blend, leaderboard
from recsys_lib.experiments.blend import OWN, REFERENCE
from recsys_lib.experiments.leaderboard import SEED
from recsys_lib.experiments.leaderboard_reranking import candidates, cut, own
from recsys_lib.experiments.reranking import STRATEGIES, WIDEST, lists, trade_offs
from recsys_lib.results import Experiment

# re-ranker, width, odds between which its settings lie
OURS = [
    ("swap", 100, (0.02, 20)),
    *(("swap", WIDEST, ends) for ends in ((0.02, 20), (0.05, 3), (0.1, 2))),
    *(("msd", WIDEST, ends) for ends in ((0.003, 1.5), (0.01, 0.5))),
]
PEERS = (REFERENCE, "ALS", "SLIM")
N_POINTS, N_BOOTSTRAP = 21, 500


def peers(protocol: str, model: str, space: str) -> dict:
    """(pyversity's method, setting) -> report on the test part, N_POINTS a method."""
    found, vectors = cut(candidates(model, protocol, False), 100), blend.spaces(protocol)[space]
    return {
        (name, t): blend.judge(lists(f"pyversity {name}", found, vectors, t), protocol, SEED)
        for name in STRATEGIES
        for t in trade_offs(name, N_POINTS)
    }


def points(protocol: str, space: str, pipeline: tuple, validation: bool) -> dict:
    """Our N_POINTS reports of one (re-ranker, width, ends of the odds)."""
    method, width, ends = pipeline
    found, vectors = cut(candidates(OWN, protocol, validation), width), blend.spaces(protocol)[space]
    odds = np.geomspace(*ends, N_POINTS)
    return {
        t: blend.judge(lists(method, found, vectors, t), protocol, SEED, validation=validation)
        for t in odds / (1 + odds)
    }


@lru_cache(maxsize=2)
def ours(protocol: str, space: str) -> tuple[tuple, dict]:
    """The pipeline of OURS with the largest area on the validation part, and its points on the test part."""
    reference = own(REFERENCE, protocol, True)

    def area(pipeline) -> float:
        found, metric = points(protocol, space, pipeline, True), f"ild_{space}"
        return evaluation.held_out_hypervolume(found, reference, diversity=metric, n_bootstrap=1).value

    best = max(OURS, key=area)
    return best, points(protocol, space, best, False)


def compute(unit, rows):
    protocol, space, pipeline = unit.values()
    (method, width, ends), best = ours(protocol, space)
    reference = own(REFERENCE, protocol, False)
    options = {"diversity": f"ild_{space}", "n_bootstrap": N_BOOTSTRAP}
    if pipeline == "ours":
        area = evaluation.held_out_hypervolume(best, reference, **options)
        row = {"method": method, "width": width, "first_odds": ends[0], "last_odds": ends[1], "n_points": len(best)}
        return row | named("area", area)
    theirs = peers(protocol, pipeline, space)
    area = evaluation.held_out_hypervolume(theirs, reference, **options)
    ratio = evaluation.held_out_hypervolume(best, reference, against=theirs, **options)
    row = {"method": "pyversity, all five", "width": 100, "n_points": len(theirs)}
    return row | named("area", area) | named("ratio_of_ours", ratio)


def named(name: str, found: evaluation.Interval) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def recompute(row):
    """Ours, its re-ranker, width and ends taken as stored."""
    protocol, space = row["protocol"], row["space"]
    pipeline = row["method"], int(row["width"]), (row["first_odds"], row["last_odds"])
    found, reference = points(protocol, space, pipeline, False), own(REFERENCE, protocol, False)
    return {"area": evaluation.held_out_hypervolume(found, reference, diversity=f"ild_{space}", n_bootstrap=1).value}


def units(protocol: str) -> list[dict]:
    return [
        {"protocol": protocol, "space": space, "pipeline": pipeline}
        for space in ("text", "genre")
        for pipeline in ("ours", *PEERS)
    ]


EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2"),
    units=units("A"),
    compute=compute,
    recompute=recompute,
    sample=(0,),
    sources=(*leaderboard.SOURCES, "rerank"),
)
