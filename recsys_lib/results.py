"""Stored results: experiments that take minutes are run once, kept as CSV, and checked by recomputing a sample.

    python -m recsys_lib.results                 lists the experiments
    python -m recsys_lib.results cf-baselines    runs what is missing or out of date, row by row, and can be interrupted
    python -m recsys_lib.results --all           the same for every experiment
    python -m recsys_lib.results cf-baselines --check    recomputes a fixed sample and compares
    python -m recsys_lib.results cf-baselines --confirm  the same; if it agrees, the table says that it was confirmed

An experiment is a list of units (the keys of its rows), a function that computes one row, and one that recomputes
the figures of a stored row from its stored parameters, which is cheap because nothing is tuned again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from recsys_lib import assets
from recsys_lib.paths import data_folder

EXPERIMENTS = {
    "blend": "recsys_lib.experiments.blend",
    "cf-baselines": "recsys_lib.experiments.cf_baselines",
    "cold-items": "recsys_lib.experiments.cold_items",
    "complete-journey": "recsys_lib.experiments.complete_journey",
    "drift-detection": "recsys_lib.experiments.drift_detection",
    "drift": "recsys_lib.experiments.drift",  # reads the settings of the row above
    "encoders": "recsys_lib.experiments.encoders",
    "exposure": "recsys_lib.experiments.exposure",
    "fine-tuning": "recsys_lib.experiments.fine_tuning",
    "intent-llm": "recsys_lib.experiments.intent_llm",
    "item-tower": "recsys_lib.experiments.item_tower",
    "lambda-beta": "recsys_lib.experiments.lambda_beta",
    "lambda-beta-grid": "recsys_lib.experiments.lambda_beta_grid",
    "leaderboard": "recsys_lib.experiments.leaderboard",
    "leaderboard-ml-1m": "recsys_lib.experiments.leaderboard_ml_1m",  # the three below read the parameters of these two
    "leaderboard-hypervolume": "recsys_lib.experiments.leaderboard_hypervolume",
    "leaderboard-hypervolume-ml-1m": "recsys_lib.experiments.leaderboard_hypervolume_ml_1m",
    "leaderboard-reranking": "recsys_lib.experiments.leaderboard_reranking",
    "literature": "recsys_lib.experiments.literature",
    "llm-reranking": "recsys_lib.experiments.llm_reranking",
    "modalities": "recsys_lib.experiments.modalities",
    "movielens-stream": "recsys_lib.experiments.movielens_stream",
    "new-items": "recsys_lib.experiments.new_items",
    "reranking": "recsys_lib.experiments.reranking",
    "reranking-ml-1m": "recsys_lib.experiments.reranking_ml_1m",
    "shilling": "recsys_lib.experiments.shilling",
    "text-gain": "recsys_lib.experiments.text_gain",
    "training-diversity": "recsys_lib.experiments.training_diversity",
    "two-stage": "recsys_lib.experiments.two_stage",
}
PACKAGES = ("numpy", "scipy", "torch", "transformers")  # whose versions are stamped on each row
TOLERANCE = 0.02


@dataclass(frozen=True)
class Experiment:
    """What `run` needs to know.

    Attributes
    ----------
    data : names of the assets that it reads
    units : the keys of the rows, in the order in which they are computed
    compute : (unit, rows so far) -> the row's other columns
    recompute : stored row -> {column: figure} to be compared with the stored ones
    sample : positions of the rows that `check` recomputes
    sources : files and folders of the library whose bytes decide the figures: models, re-rankers, metrics, splits
    """

    data: tuple[str, ...]
    units: list[dict]
    compute: Callable[[dict, pd.DataFrame], dict]
    recompute: Callable[[pd.Series], dict]
    sample: tuple[int, ...]
    sources: tuple[str, ...]


def experiment(name: str) -> Experiment:
    if name not in EXPERIMENTS:
        raise ValueError(f"there is no experiment {name!r}. There are: {', '.join(EXPERIMENTS)}")
    return importlib.import_module(EXPERIMENTS[name]).EXPERIMENT


def path(name: str) -> Path:
    return data_folder() / "results" / f"{name}.csv"


def source_hash(sources: tuple[str, ...]) -> str:
    """One hash over files and folders, given relative to the library."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sources:
        found = [package / source] if source.endswith(".py") else sorted((package / source).rglob("*.py"))
        if not found or not found[0].is_file():
            raise FileNotFoundError(f"an experiment names the source {source!r}, which is not there")
        for file in found:
            digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def is_current(name: str) -> bool:
    """Whether the stored rows were made, or confirmed by their sample, by the sources as they are now."""
    return bool(_current(load(name), source_hash(experiment(name).sources)).all())


def _current(rows: pd.DataFrame, sources: str) -> pd.Series:
    return rows.reindex(columns=["sources", "confirmed"]).eq(sources).any(axis=1)


def load(name: str) -> pd.DataFrame:
    """The stored rows of an experiment."""
    if not path(name).is_file():
        raise FileNotFoundError(f"no stored result {name!r} yet. Make it: python -m recsys_lib.results {name}")
    return pd.read_csv(path(name))


def label(name: str) -> str:
    """One line that says where the stored table comes from; notebooks print it above the table."""
    rows = load(name)
    if rows["sources"].eq(source_hash(experiment(name).sources)).all():
        origin = "these sources"
    elif is_current(name):
        origin = "earlier sources, a sample confirmed by these"
    else:
        origin = "earlier sources (a sample is recomputed by the tests)"
    return (
        f"stored result, {len(rows)} rows, made with {rows['versions'].iloc[0]} and {origin}; "
        f"to make it again: python -m recsys_lib.results {name}"
    )


def run(name: str, *, fresh: bool = False) -> pd.DataFrame:
    """Compute the rows that are missing or were made by other sources.

    Each row is kept in a file beside the table at once, and the table is replaced when all rows are there: what was
    interrupted goes on, and the table is never a part of one.
    """
    spec, keys = experiment(name), list(experiment(name).units[0])
    stamp = {
        "sources": source_hash(spec.sources),
        "data_sha256": " ".join(assets.registry()[asset]["sha256"][:12] for asset in spec.data),
        "versions": ", ".join(f"{name} {version(name).split('+')[0]}" for name in PACKAGES),
    }
    unfinished = path(name).with_suffix(".csv.part")
    found = [pd.read_csv(file) for file in (unfinished, path(name)) if file.is_file() and not fresh]
    kept = pd.concat(found, ignore_index=True) if found else pd.DataFrame()
    if len(kept):
        kept = kept[_current(kept, stamp["sources"]) & (kept["data_sha256"] == stamp["data_sha256"])]
        kept = kept.drop_duplicates(keys)
    done = {tuple(row) for row in kept[keys].to_numpy().tolist()} if len(kept) else set()
    missing = [unit for unit in spec.units if tuple(unit.values()) not in done]
    with tqdm(missing, desc=name, unit="row") as bar:  # tqdm prints the time left
        for unit in bar:
            bar.set_postfix_str(" ".join(str(value) for value in unit.values()))
            row = {**unit, **spec.compute(unit, kept), **stamp}
            kept = pd.concat([kept, pd.DataFrame([row])], ignore_index=True)
            _write(kept, spec, keys, unfinished)
    if missing or unfinished.is_file():  # also if it was killed just before this line
        _write(kept, spec, keys, path(name))
        unfinished.unlink(missing_ok=True)
    return load(name)


def check(name: str) -> pd.DataFrame:
    """Recompute the experiment's fixed sample: a frame of stored and recomputed figures and how far they are apart."""
    spec, rows = experiment(name), load(name)
    table = []
    for position in spec.sample:
        row = rows.iloc[position]
        for column, value in spec.recompute(row).items():
            table.append(
                {
                    "row": " ".join(str(row[key]) for key in spec.units[0]),
                    "figure": column,
                    "stored": row[column],
                    "recomputed": value,
                    "difference": abs(value - row[column]) / max(abs(row[column]), 1e-12),
                }
            )
    return pd.DataFrame(table)


def disagreeing(table: pd.DataFrame) -> pd.DataFrame:
    """The figures of `check` that are not within TOLERANCE; one that is missing on one side is among them."""
    missing_on_both = table["stored"].isna() & table["recomputed"].isna()
    return table[~(table["difference"] <= TOLERANCE) & ~missing_on_both]


def confirm(name: str) -> pd.DataFrame:
    """`check`; if every figure agrees, the table notes that these sources reproduce its sample."""
    table = check(name)
    if disagreeing(table).empty:
        spec = experiment(name)
        rows = load(name).assign(confirmed=source_hash(spec.sources))
        _write(rows, spec, list(spec.units[0]), path(name))
    return table


def _write(rows: pd.DataFrame, spec: Experiment, keys: list[str], target: Path) -> None:
    order = {tuple(unit.values()): place for place, unit in enumerate(spec.units)}
    rank = [order.get(tuple(row), len(order)) for row in rows[keys].to_numpy().tolist()]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=target.parent, suffix=".part", delete=False, newline="") as file:
        rows.iloc[np.argsort(rank, kind="stable")].to_csv(file, index=False, float_format="%.6g")
    os.chmod(file.name, 0o644)
    os.replace(file.name, target)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m recsys_lib.results", description="Run or check stored results.")
    parser.add_argument("name", nargs="?", choices=list(EXPERIMENTS))
    parser.add_argument("--all", action="store_true", help="run every experiment, one after the other")
    parser.add_argument("--check", action="store_true", help="recompute a fixed sample and compare")
    parser.add_argument("--confirm", action="store_true", help="the same, and note in the table that it agrees")
    parser.add_argument("--fresh", action="store_true", help="forget what is stored and compute every row")
    arguments = parser.parse_args()
    names = list(EXPERIMENTS) if arguments.all else [arguments.name]
    if names == [None]:
        print("\n".join(f"{name:20s} {'stored' if path(name).is_file() else 'not yet'}" for name in EXPERIMENTS))
        return 0
    n_wrong = 0
    for name in names:
        if arguments.check or arguments.confirm:
            table = (confirm if arguments.confirm else check)(name)
            print(table.to_string(index=False))
            n_wrong += len(disagreeing(table))
        else:
            run(name, fresh=arguments.fresh)
            print(f"wrote {path(name).name}")
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
