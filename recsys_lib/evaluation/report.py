"""evaluate: every default metric of a model's lists, in one report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_lib.interactions import Interactions, check_same_ids
from recsys_lib.metrics import accuracy, catalogue, facets, intra_list, novelty, serendipity
from recsys_lib.metrics.lists import hits
from recsys_lib.topk import TopK

CATALOGUE_METRICS = ("coverage", "exposed_5", "gini", "entropy")


@dataclass(frozen=True, repr=False)
class Report:
    """What `evaluate` found.

    Attributes
    ----------
    summary : pandas.Series
        One value a metric: `ndcg recall precision map mrr hit_rate ild_<space> alpha_ndcg coverage exposed_5 gini
        entropy novelty popularity long_tail calibration serendipity n_users`. Per-user metrics are means over the
        users for whom they are defined; `n_users` counts the users with relevant items.
    per_user : pandas.DataFrame
        One row a user (index = test.user_ids), one column a per-user metric, NaN where it is not defined.
    exposure : (n_items,) int64
        To how many users each item is shown.
    k : int
        The length of the lists that was evaluated.
    """

    summary: pd.Series
    per_user: pd.DataFrame
    exposure: np.ndarray
    k: int

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {self.summary[name]:.4f}" for name in ("ndcg", "coverage") if name in self.summary)
        return f"Report({len(self.per_user):,} users, k={self.k}, {shown}, {len(self.summary)} metrics in .summary)"


def evaluate(
    topk: TopK,
    train: Interactions,
    test: Interactions,
    item_vectors: dict[str, np.ndarray] | None = None,
    *,
    item_facets=None,
    k: int = 10,
) -> Report:
    """Every default metric of the lists `topk`.

    Parameters
    ----------
    topk : TopK
        One list a user, rows in the order of `train.user_ids`; lists shorter than k count as having misses.
    train, test : Interactions
        With the same `user_ids` and `item_ids`. A test cell means relevant; training counts say how popular an
        item is, training cells what the user's history is.
    item_vectors : dict of (n_items, d) arrays, optional
        One intra-list distance a space: {"genre": G, "text": E} gives `ild_genre` and `ild_text`. Give two at
        least, one of them not optimised by the method.
    item_facets : (n_items, n_facets) array, optional
        Genres or the like, above 0 = has it; adds `alpha_ndcg` and `calibration`.
    k : int
        Places of each list that are looked at.

    Raises
    ------
    ValueError
        If ids or rows do not line up, an index is out of range, an item stands twice in a list, or vectors have
        the wrong length or NaN.

    >>> frame = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "b"]})
    >>> train = Interactions.from_frame(frame, item_ids=["a", "b", "c"])
    >>> test = Interactions.from_frame(pd.DataFrame({"user_id": [1, 2], "item_id": ["c", "a"]}), [1, 2], train.item_ids)
    >>> lists = TopK(np.array([[2], [2]]), np.ones((2, 1)))
    >>> evaluate(lists, train, test, k=1).summary[["ndcg", "coverage", "n_users"]].round(4).to_dict()
    {'ndcg': 0.5, 'coverage': 0.3333, 'n_users': 2.0}
    """
    _check_alignment(topk, train, test)
    spaces = _checked_spaces(item_vectors, train.n_items)
    if item_facets is not None:
        item_facets = _checked_vectors(item_facets, train.n_items, "item_facets")
    hit, n_relevant = hits(topk.items, test.matrix, k)
    items = topk.items[:, :k]
    _check_lists(items, train.n_items, test.user_ids)
    counts = np.bincount(train.matrix.indices, minlength=train.n_items)

    columns = accuracy.from_hits(hit, n_relevant, k)
    for name, vectors in spaces.items():
        columns[f"ild_{name}"] = intra_list.ild(items, vectors, k)
    if item_facets is not None:
        columns["alpha_ndcg"] = facets.alpha_ndcg_from_hits(items, hit, test.matrix, item_facets, k)
    columns["novelty"] = novelty.novelty(items, counts, train.n_users, k)
    columns["popularity"] = novelty.popularity(items, counts, train.n_users, k)
    columns["long_tail"] = novelty.long_tail(items, counts, k)
    if item_facets is not None:
        columns["calibration"] = facets.calibration(items, train.matrix, item_facets, k)
    columns["serendipity"] = serendipity.from_hits(items, hit, n_relevant, counts, k)

    per_user = pd.DataFrame(columns, index=test.user_ids, copy=False)
    exposure = catalogue.exposure(items, train.n_items, k)
    return Report(_summary(per_user, exposure, int((n_relevant > 0).sum())), per_user, exposure, k)


def _summary(per_user: pd.DataFrame, exposure: np.ndarray, n_users: int) -> pd.Series:
    means = per_user.mean().to_dict()
    catalogue_values = {
        "coverage": catalogue.exposed_share(exposure, 1),
        "exposed_5": catalogue.exposed_share(exposure, 5),
        "gini": catalogue.gini_of(exposure),
        "entropy": catalogue.entropy_of(exposure),
    }
    before = [
        name for name in means if name not in ("novelty", "popularity", "long_tail", "calibration", "serendipity")
    ]
    after = [name for name in means if name not in before]
    ordered = {name: means[name] for name in before} | catalogue_values | {name: means[name] for name in after}
    return pd.Series(ordered | {"n_users": float(n_users)})


def _check_alignment(topk, train, test) -> None:
    for value, name, kind in ((topk, "topk", TopK), (train, "train", Interactions), (test, "test", Interactions)):
        if not isinstance(value, kind):
            raise ValueError(f"{name} must be {kind.__name__}, not {type(value).__name__}")
    check_same_ids(train, test, "test")
    if len(topk) != train.n_users:
        raise ValueError(
            f"topk has {len(topk)} lists, but there are {train.n_users} users. "
            f"Recommend to all users, in the order of train.user_ids"
        )


def _check_lists(items: np.ndarray, n_items: int, user_ids: pd.Index) -> None:
    # Too large an index was refused by the look-up of hits.
    low = np.argwhere(items < -1)
    if low.size:
        row, place = low[0]
        raise ValueError(
            f"the list of user {user_ids[row]!r} holds the item index {items[row, place]}. "
            f"Use 0 to {n_items - 1}, or -1 to pad"
        )
    ordered = np.sort(items, axis=1)
    twice = np.argwhere((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0))
    if twice.size:
        row, place = twice[0]
        raise ValueError(
            f"the list of user {user_ids[row]!r} holds the item index {ordered[row, place]} twice. "
            f"Keep each item once a list"
        )


def _checked_spaces(item_vectors, n_items: int) -> dict[str, np.ndarray]:
    if item_vectors is None:
        return {}
    if not isinstance(item_vectors, dict):
        raise ValueError(
            f'item_vectors must be a dict of named arrays such as {{"genre": G, "text": E}}, '
            f"not {type(item_vectors).__name__}: the names become ild_<name>"
        )
    return {
        name: _checked_vectors(vectors, n_items, f"item_vectors[{name!r}]") for name, vectors in item_vectors.items()
    }


def _checked_vectors(vectors, n_items: int, name: str) -> np.ndarray:
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or len(vectors) != n_items:
        raise ValueError(f"{name} has the shape {vectors.shape}, but there are {n_items} items: pass one row an item")
    if vectors.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold numbers, not {vectors.dtype}")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size:
        raise ValueError(f"{name} has NaN or infinite values, first in row {bad[0]}. Fill them (0 for unknown)")
    return vectors
