"""Prequential evaluation: each block of a stream is first predicted, then learned (Dawid 1984; Gama et al. 2013)."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse

from recsys_lib import evaluation
from recsys_lib.metrics import accuracy, catalogue, intra_list
from recsys_lib.online.history import History
from recsys_lib.online.stream import Block, Stream
from recsys_lib.topk import TopK, best

DEPTH = 100  # candidates of a re-ranker


@dataclass(frozen=True, repr=False)
class Prequential:
    """What `prequential` found. A period is `every` successive blocks.

    Attributes
    ----------
    periods : DataFrame, one row a period
        `ndcg recall hit_rate ild_<space>` (means over the judged lists), `coverage gini` (of these lists together, over
        the items known at the time), `n_lists`, `n_new` (first-time users, not judged), `n_events`, `start` (seconds).
    per_list : DataFrame, one row a user and block
        `period`, `block`, `user` (row index), and the per-user metrics.
    """

    periods: pd.DataFrame
    per_list: pd.DataFrame

    def bands(self, metric: str, *, n_bootstrap: int = 500, rng=0) -> pd.DataFrame:
        """`value low high`, one row a period: a bootstrap over the period's users."""
        found = {}
        for period, table in self.per_list.groupby("period"):
            values = table.groupby("user")[metric].mean()
            if values.notna().any():
                found[period] = evaluation.confidence_interval(values, n_bootstrap=n_bootstrap, rng=rng)
        return pd.DataFrame.from_dict(found, orient="index", columns=["value", "low", "high"]).rename_axis("period")

    def difference(self, other: Prequential, metric: str = "ndcg", *, n_bootstrap: int = 2000, rng=0):
        """Mean difference to `other` over all lists of the stream, with its 95 % interval over users: an `Interval`.

        Both must have judged the same lists. Whole users are drawn, with all their lists: a user's lists are alike.
        """
        keys = ["block", "user"]
        if not self.per_list[keys].equals(other.per_list[keys]):
            raise ValueError("the two did not judge the same lists: run both on one stream with one setting")
        table = pd.DataFrame({"user": self.per_list["user"], "d": self.per_list[metric] - other.per_list[metric]})
        users = table.groupby("user")["d"].agg(["sum", "count"])
        means = [
            (weights @ users["sum"].to_numpy()) / (weights @ users["count"].to_numpy())
            for weights in evaluation.intervals.resamples(len(users), n_bootstrap, rng)
        ]
        low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
        return evaluation.Interval(float(table["d"].mean()), float(low), float(high))


def prequential(
    model,
    stream: Stream,
    *,
    item_vectors: dict[str, np.ndarray] | None = None,
    k: int = 10,
    every: int = 1,
    repeats: bool = False,
    min_rating: float | None = None,
    only=None,
    rerank=None,
    on_block=None,
    progress=None,
) -> Prequential:
    """Test, then learn, block by block.

    Each user who does something in a block gets a list from the model as it stands before the block; what he then does
    is the answer. Only afterwards does the model learn the block. Users without any past are learned and not judged:
    nobody can know their taste. Users and items that the model does not know have no place in its lists, and that
    counts against it.

    Parameters
    ----------
    model : Recommender
        Fitted. It learns by its `learn(users, items)` or `learn(users, items, times)`; without such a method it is
        judged as it is.
    stream : Stream
        Made with the ids that the model was fitted on, so that indices agree: a ValueError if they do not.
    item_vectors : dict of (n_items, d) arrays
        Spaces of `ild_<name>`, with a row for every item that will come.
    every : int
        Blocks a period of the report. Blocks should be small where users come for one sitting and leave.
    repeats : bool
        False: what a user had before is neither listed nor looked for. True: it is both.
    min_rating : float, optional
        Only events with this rating or more are answers; all are learned, and masked.
    only : callable(History) -> (n_items,) bool, optional
        Rank and look for these items alone; asked before each block with what all users have had so far, for instance
        `lambda had: had.item_counts < 5` for items that are new.
    rerank : callable(TopK) -> TopK, optional
        Makes the lists out of the model's best 100, for instance `lambda found: rerank.mmr(found, vectors, k=10)`.
    on_block : callable(block, judged), optional
        Called with the block and its rows of `per_list` before it is learned: where detectors listen.
    """
    if isinstance(stream, Stream):
        _check_ids(stream, model.train_)
    had = _past(model.train_)
    learn = getattr(model, "learn", None)
    takes_time = learn is not None and "times" in inspect.signature(learn).parameters
    periods: dict[int, _Period] = {}
    for block in progress(stream) if progress else stream:
        period = periods.setdefault(block.number // every, _Period(start=float(block.times[0])))
        users, answers = _answers(block, had, repeats, min_rating, only)
        lists = _lists(model, users, had, repeats, only, k, rerank)
        judged = _judged(users, lists, answers, item_vectors or {}, k)
        judged.insert(0, "block", block.number)
        new_users = np.setdiff1d(block.users, np.flatnonzero(had.lengths))
        period.add(judged, lists, model.train_.n_items, len(block), len(new_users))
        if on_block is not None:
            on_block(block, judged)
        had.learn(block.users, block.items)
        if learn is not None:
            learn(block.users, block.items, *([block.times] if takes_time else []))
    if not periods:
        raise ValueError("the stream is empty: there is nothing to predict")
    per_list = pd.concat([each.table().assign(period=number) for number, each in periods.items()], ignore_index=True)
    summary = pd.DataFrame({number: each.summary(k) for number, each in periods.items()}).T.rename_axis("period")
    return Prequential(summary, per_list)


@dataclass
class _Period:
    """What is gathered over the blocks of one period."""

    start: float
    n_items: int = 0
    n_events: int = 0
    n_new: int = 0
    tables: list[pd.DataFrame] = field(default_factory=list)
    lists: list[np.ndarray] = field(default_factory=list)

    def add(self, judged, lists, n_items, n_events, n_new) -> None:
        self.tables.append(judged)
        self.lists.append(lists)
        self.n_items = n_items
        self.n_events += n_events
        self.n_new += n_new

    def table(self) -> pd.DataFrame:
        return pd.concat(self.tables, ignore_index=True)

    def summary(self, k: int) -> dict[str, float]:
        table, lists = self.table(), np.concatenate(self.lists)
        found = table.drop(columns=["block", "user"]).mean().to_dict()
        found["coverage"] = catalogue.coverage(lists, self.n_items, k)
        found["gini"] = catalogue.gini(lists, self.n_items, k)
        counts = {"n_lists": len(lists), "n_new": self.n_new, "n_events": self.n_events}
        return found | counts | {"start": self.start}


def _check_ids(stream: Stream, train) -> None:
    """The stream's first ids are the model's; who came to the model by `learn` is "new-<index>" there."""
    for name in ("user_ids", "item_ids"):
        known, met = getattr(train, name).tolist(), getattr(stream, name).tolist()
        agree = (each in (other, f"new-{n}") for n, (each, other) in enumerate(zip(known, met, strict=False)))
        if len(met) < len(known) or not all(agree):
            raise ValueError(
                f"the stream's {name} do not begin with the model's, so indices disagree. Build it with the ids of "
                f"the training data: Stream(source, train.user_ids, train.item_ids, ...)"
            )


def _past(train) -> History:
    """A copy of what users had before the stream; rows are replaced when they grow, never changed in place."""
    past = train if isinstance(train, History) else History.of(train)
    return History(list(past.rows), past.user_ids.tolist(), past.item_ids.tolist())


def _answers(block: Block, had: History, repeats: bool, min_rating, only) -> tuple[np.ndarray, sparse.csr_matrix]:
    """The users to be judged, ascending, and (len(users), n_columns) what they do in this block."""
    users, items = block.users, block.items
    if min_rating is not None:
        if block.ratings is None:
            raise ValueError("min_rating needs a stream with ratings")
        users, items = users[block.ratings >= min_rating], items[block.ratings >= min_rating]
    width = max(had.n_items, int(block.items.max()) + 1)
    known = np.zeros(max(had.n_users, int(block.users.max()) + 1), bool)
    known[: had.n_users] = had.lengths > 0
    users, items = users[known[users]], items[known[users]]
    judged = np.unique(users)
    cells = (np.ones(len(users)), (np.searchsorted(judged, users), items))
    answers = sparse.csr_matrix(cells, (len(judged), width))
    if not repeats and len(judged):
        past = had[judged]
        past = sparse.csr_matrix((np.ones(past.nnz), past.indices, past.indptr), past.shape)
        past.resize(answers.shape)
        answers = answers - answers.multiply(past)
    answers = sparse.csr_matrix(answers)
    if only is not None:
        answers.data[~np.pad(only(had), (0, width - had.n_items))[answers.indices]] = 0
    answers.eliminate_zeros()
    answers.data[:] = 1
    some = np.diff(answers.indptr) > 0
    return judged[some], answers[some]


def _lists(model, users: np.ndarray, had: History, repeats: bool, only, k: int, rerank) -> np.ndarray:
    """(len(users), k) lists of the model as it stands; -1 where it knows no user or no further item."""
    lists = np.full((len(users), k), -1, np.int32)
    known = np.flatnonzero(users < model.train_.n_users)
    if not known.size:
        return lists
    scores = np.array(model.score(users[known]), np.float32)
    if not repeats:
        past = had[users[known]][:, : scores.shape[1]]
        scores[np.repeat(np.arange(len(known)), np.diff(past.indptr)), past.indices] = -np.inf
    if only is not None:
        scores[:, ~only(had)[: scores.shape[1]]] = -np.inf
    found = TopK(*best(scores, k if rerank is None else DEPTH), model.scale_)
    lists[known] = (found if rerank is None else rerank(found)).items[:, :k]
    return lists


def _judged(users, lists, answers, item_vectors, k) -> pd.DataFrame:
    columns = {
        "user": users,
        "ndcg": accuracy.ndcg(lists, answers, k),
        "recall": accuracy.recall(lists, answers, k),
        "hit_rate": accuracy.hit_rate(lists, answers, k),
    }
    # Only the listed items' vectors: with small blocks, looking at all of them would be most of the work.
    listed, places = np.unique(lists, return_inverse=True)
    places = places.reshape(lists.shape) - np.sum(listed < 0)
    for name, vectors in item_vectors.items():
        some = np.asarray(vectors)[listed[listed >= 0]]
        columns[f"ild_{name}"] = intra_list.ild(places, some, k) if len(some) else np.nan
    return pd.DataFrame(columns)
