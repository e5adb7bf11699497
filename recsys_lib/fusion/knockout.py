"""The test that a claim about a modality has to pass: what is lost when that modality tells of other items."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from recsys_lib.evaluation import confidence_interval
from recsys_lib.fusion.early import checked


def shuffled(vectors, rng=0) -> np.ndarray:
    """The rows of one modality in random order, among the items that have it.

    Rows of zeros, the items without, stay where they are: which items lack a poster tells how popular they are, and
    a control must not lose that as well.
    """
    vectors = np.array(vectors)
    there = np.flatnonzero(vectors.any(axis=1))
    vectors[there] = vectors[np.random.default_rng(rng).permutation(there)]
    return vectors


def knockout(
    judge: Callable[[dict[str, np.ndarray]], np.ndarray],
    vectors: dict[str, np.ndarray],
    *,
    n_shuffles: int = 3,
    rng=0,
    progress=None,
) -> pd.DataFrame:
    """What each modality is worth to a whole pipeline: its figure with the modality, and with it shuffled.

    A model with one modality less is no control: it has fewer parameters, another scale and other regularisation. Here
    everything stays, tuning and fitting included, but the modality's rows belong to other items.

    Parameters
    ----------
    judge : callable
        Takes a dict of modalities, fits and ranks from scratch, and returns one figure a user (n_users,), NaN for
        users who cannot be judged.
    vectors : dict of name -> (n_items, d) array
    n_shuffles : int
        Permutations a modality; a user's figures are averaged over them.
    progress : callable, optional
        Wraps the list of (modality, permutation).

    Returns
    -------
    DataFrame, one row a modality: `value` (all modalities in place), `shuffled`, `cost` (value - shuffled) with its
    paired 95 % interval over users, `low` and `high`.
    """
    if n_shuffles < 1:
        raise ValueError(f"n_shuffles must be at least 1, not {n_shuffles}")
    whole = np.asarray(judge(checked(vectors)), float)
    seeds = np.random.default_rng(rng).integers(2**31, size=n_shuffles)
    runs = [(name, int(seed)) for name in vectors for seed in seeds]
    found = {name: [] for name in vectors}
    for name, seed in progress(runs) if progress else runs:
        found[name].append(np.asarray(judge(vectors | {name: shuffled(vectors[name], seed)}), float))
    table = {}
    for name, values in found.items():
        without = np.mean(values, axis=0)
        cost = confidence_interval(whole - without)
        table[name] = {"value": np.nanmean(whole), "shuffled": np.nanmean(without), "cost": cost.value}
        table[name] |= {"low": cost.low, "high": cost.high}
    return pd.DataFrame(table).T.rename_axis("modality")
