"""Steering: a list follows what was asked for, as closely as one wants, and keeps what the user is like.

The relevance of a candidate gains relevance units for its fit, and what is refused is left out. The control `surprise`
goes from 0, "exactly what I asked", to 1, "surprise me": the fit counts for less, and variety (MSD on `item_vectors`,
notebook 06) for more. Where a request says nothing, nothing changes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys_lib import rerank
from recsys_lib.intent.parser import Intent
from recsys_lib.topk import TopK

MOST = 10.0  # relevance units that a full fit is worth at `surprise` 0: more than lies between any two candidates
MIDDLE = 0.5  # and in the middle of the control; (1 - s) / s of that elsewhere
SURPRISE = 0.5  # the trade-off of MSD at the end of the control
DEPTH = 100  # candidates that compete for variety


def item_facets(items: pd.DataFrame, names) -> np.ndarray:
    """(n_items, n_names) float32 of 0 and 1: which of the named genres and decades each item has.

    Parameters
    ----------
    items : DataFrame with `genres` (tuples of names) and `year`, as `Dataset.items`
    names : facets; one that the catalogue does not label (a mood, a topic) has a column of zeros
    """
    column = {name: place for place, name in enumerate(names)}
    facets = np.zeros((len(items), len(column)), np.float32)
    for row, (genres, year) in enumerate(zip(items["genres"], items["year"], strict=True)):
        decade = () if pd.isna(year) else (f"{int(year) // 10 * 10}s",)
        facets[row, [column[name] for name in (*genres, *decade) if name in column]] = 1
    return facets


def fit(intent: Intent, facets: np.ndarray, names) -> np.ndarray:
    """(n_items,) from 0 to 1: how well each item does what was asked; refused items have -inf.

    The share of the wanted genres that the item has (weighted by their probabilities) times whether its decade is one
    of the wanted ones. A film has one decade and several genres: of decades one is enough.

    Parameters
    ----------
    facets : (n_items, n_names) of 0 and 1, see `item_facets`
    names : what the columns stand for
    """
    weight = np.array([intent.facets.get(name, 0.0) if name in intent.wanted else 0.0 for name in names])
    labelled, is_era = facets.any(axis=0), np.array([_is_decade(name) for name in names])
    value = np.ones(len(facets))
    if (genres := weight * (~is_era & labelled)).any():
        value *= facets @ genres / genres.sum()
    if (decades := weight * (is_era & labelled)).any():
        value *= facets @ decades > 0
    if not weight[labelled].any():
        value[:] = 0.0
    refused = np.isin(names, intent.avoid)
    return np.where(facets[:, refused].any(axis=1), -np.inf, value)


def steer(
    candidates: TopK, intents, facets: np.ndarray, names, item_vectors=None, k: int = 10, surprise: float = 0.0
) -> TopK:
    """The k best of each list of candidates, given what each was asked.

    Parameters
    ----------
    candidates : TopK
        One list a request, long enough to hold what might be asked for: all items, if one can.
    intents : sequence of Intent, one a list
    facets, names : see `fit`
    item_vectors : (n_items, d), optional
        The space of variety; needed where `surprise` is above 0.
    surprise : float from 0 to 1

    Returns
    -------
    TopK. A list whose request says nothing (no genre, decade or refusal) is the candidates' first k at `surprise` 0.
    """
    if len(intents) != len(candidates):
        raise ValueError(f"there are {len(candidates)} lists, but {len(intents)} intents: pass one a list")
    if not 0 <= surprise <= 1:
        raise ValueError(f"surprise must lie between 0 and 1, not {surprise}")
    if surprise > 0 and item_vectors is None:
        raise ValueError("surprise above 0 needs item_vectors: the space in which a list is to be varied")
    value = candidates.scores.astype(float).copy()
    bonus = candidates.scale * (min(MOST, MIDDLE * (1 - surprise) / surprise) if surprise else MOST)
    fits = {}
    for row, intent in enumerate(intents):
        if intent.says_anything:
            if id(intent) not in fits:
                fits[id(intent)] = fit(intent, facets, names)
            found = fits[id(intent)][candidates.items[row]]
            value[row] += np.where(np.isneginf(found), -np.inf, bonus * np.maximum(found, 0))
    value[candidates.items < 0] = -np.inf
    depth = min(max(DEPTH, k) if surprise else k, value.shape[1])
    order = np.argsort(-value, axis=1, kind="stable")[:, :depth]
    scores = np.take_along_axis(value, order, axis=1).astype(np.float32)
    items = np.where(np.isneginf(scores), -1, np.take_along_axis(candidates.items, order, axis=1)).astype(np.int32)
    steered = TopK(items, scores, candidates.scale)
    return rerank.msd(steered, item_vectors, k, trade_off=SURPRISE * surprise) if surprise else steered


def mixed(user_facets: np.ndarray, intents, names, weight: float) -> np.ndarray:
    """(n_lists, n_names): (1 - weight) p(facet | user) + weight p(facet | request), for `rerank.xquad`, `calibrated`.

    p(facet | request) are the intent's probabilities of what is wanted, divided by their sum; a request that wants
    nothing leaves the user's own. What is refused has 0.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must lie between 0 and 1, not {weight}")
    users = np.asarray(user_facets, float)
    users = users / np.maximum(users.sum(axis=1, keepdims=True), 1e-12)
    asked = np.array([[each.facets.get(name, 0.0) * (name in each.wanted) for name in names] for each in intents])
    total = asked.sum(axis=1, keepdims=True)
    found = np.where(total > 0, (1 - weight) * users + weight * asked / np.maximum(total, 1e-12), users)
    return found * np.array([[name not in each.avoid for name in names] for each in intents])


def _is_decade(name: str) -> bool:
    return len(name) == 5 and name[:4].isdigit() and name.endswith("s")
