"""The labelled requests of `data/requests`, and how well a reading agrees with their labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys_lib.paths import data_folder

PARTS = ("development", "test")
LABELS = ("genres", "eras", "avoid", "avoid_other", "kind")


def load(part: str) -> pd.DataFrame:
    """The "development" or the "test" half, index `id`: `text`, `language`, and sets in `genres`, `eras`, `avoid`, ...

    Choose whatever there is to choose on the first; `test` is for the last line of a table.
    """
    if part not in PARTS:
        raise ValueError(f"there is no part {part!r} of the requests. There are: {', '.join(PARTS)}")
    frame = pd.read_csv(data_folder() / "requests" / f"{part}.csv", index_col="id", keep_default_na=False)
    for column in LABELS:
        frame[column] = [frozenset(filter(None, cell.split("|"))) for cell in frame[column]]
    return frame


def agreement(requests: pd.DataFrame, wanted, avoided, scored) -> pd.DataFrame:
    """Per request: what was found, what was wrong, what was missed, and whether a refusal was understood.

    Parameters
    ----------
    requests : frame of `load`
    wanted, avoided : sequences of sets of names, one a request
    scored : the names that the labels speak of; others are ignored

    Returns
    -------
    DataFrame with the index of `requests`: `hits`, `wrong`, `missed` (facets, counts); `refusal` is NaN where the
    request refuses nothing, else 1 if exactly the refused genres and decades were recognised as refused and none of
    them as wanted.
    """
    scored, rows = set(scored), []
    for (_, request), want, avoid in zip(requests.iterrows(), wanted, avoided, strict=True):
        truth, want, avoid = (request["genres"] | request["eras"]) & scored, set(want) & scored, set(avoid) & scored
        refused = request["avoid"] & scored
        understood = float(avoid == refused and not want & refused) if "negation" in request["kind"] else np.nan
        rows.append((len(truth & want), len(want - truth), len(truth - want), understood))
    return pd.DataFrame(rows, requests.index, ["hits", "wrong", "missed", "refusal"])


def micro_f1(table: pd.DataFrame) -> float:
    """2 hits / (2 hits + wrong + missed), all requests together (range 0 to 1)."""
    hits, wrong, missed = table[["hits", "wrong", "missed"]].sum()
    return float(2 * hits / (2 * hits + wrong + missed)) if hits + wrong + missed else float("nan")


def micro_f1_interval(table: pd.DataFrame, n_resamples: int = 2_000, rng=0) -> tuple[float, float, float]:
    """(micro-F1, low, high): 95 % percentile bootstrap over requests."""
    rng, counts = np.random.default_rng(rng), table[["hits", "wrong", "missed"]].to_numpy()
    hits, wrong, missed = counts[rng.integers(len(counts), size=(n_resamples, len(counts)))].sum(axis=1).T
    low, high = np.percentile(2 * hits / np.maximum(2 * hits + wrong + missed, 1), [2.5, 97.5])
    return micro_f1(table), float(low), float(high)
