"""Adaptation policies: when to learn from a stream of visits, and from which of them.

All policies keep EASE's weights B for one catalogue and differ in how these follow the stream. Visits come in blocks:
a block is recommended to and judged with the weights as they are, and only then learned (test, then learn).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numba
import numpy as np
import pandas as pd
from scipy import sparse

from recsys_lib.interactions import Interactions
from recsys_lib.models.linear import inverse
from recsys_lib.online.detectors import adwin
from recsys_lib.online.drift import N_CONTEXT, Visits
from recsys_lib.online.ease import IncrementalEASE
from recsys_lib.online.history import NO_ITEMS, NO_VALUES

BLOCK, K = 50, 10
SIGNALS = ("ndcg", "rank", "ild")


class Static:
    """Learns before the stream, and never again."""

    def __init__(self, *, l2: float = 150.0):
        self.l2 = l2
        self.n_refits = 0

    def start(self, log: np.ndarray, n_items: int) -> None:
        """Fit on the visits before the stream, (n, visit length)."""
        self.n_items = n_items
        self._refit(gram(log, n_items))
        self.n_refits = 0  # every policy makes this one

    def learn(self, log: np.ndarray, figures: np.ndarray) -> None:
        """`log`: all visits until now, the block that was judged last; `figures`: (block, 3) of it, see `judge`."""

    def _refit(self, counts: np.ndarray) -> None:
        counts[np.diag_indices_from(counts)] += self.l2
        self._set(inverse(counts))
        self.n_refits += 1

    def _set(self, inverse_gram: np.ndarray) -> None:
        self.weights = (inverse_gram / -np.diag(inverse_gram)).astype(np.float32)
        np.fill_diagonal(self.weights, 0)


class Periodic(Static):
    """Refits every `period` visits, on the last `window` of them."""

    def __init__(self, *, period: int, window: int, l2: float = 150.0):
        super().__init__(l2=l2)
        self.period, self.window = period, window

    def start(self, log, n_items):
        super().start(log, n_items)
        self.first = len(log)

    def learn(self, log, figures):
        if (len(log) - self.first) % self.period < BLOCK:
            self._refit(gram(log[-self.window :], self.n_items))


class _Window(IncrementalEASE):
    """Forgets many at once: one change of rank n costs much less than n of rank one."""

    def forget_all(self, users) -> None:
        self._replace({self.history_.check_user(user): (NO_ITEMS, NO_VALUES) for user in users})


class Incremental(Static):
    """`IncrementalEASE`: adds every block, and with a `window` forgets the visits that leave it.

    The result is what a refit on those visits gives, after every block.
    """

    def __init__(self, *, window: int | None = None, l2: float = 150.0):
        super().__init__(l2=l2)
        self.window = window

    def start(self, log, n_items):
        self.n_refits = 0
        kept = log if self.window is None else log[-self.window :]
        self.model = _Window(l2=self.l2).fit(interactions(kept, n_items))
        self.weights = self.model.item_weights.astype(np.float32)
        self.oldest = 0

    def learn(self, log, figures):
        self.model.add_users(interactions(log[-BLOCK:], self.model.train_.n_items).matrix)
        if self.window is not None:
            surplus = self.model.train_.n_users - self.window
            self.model.forget_all(range(self.oldest, surplus))
            self.oldest = max(self.oldest, surplus)
        self.weights = self.model.item_weights.astype(np.float32)


class Triggered(Static):
    """Refits when a detector says that its own lists have become worse, and a few times after.

    ADWIN's window is what it takes for one regime: at an alarm these are the visits since the change. They count in
    full, the `window` visits before them with `old_weight`. As the new regime's visits are few at first, the refit is
    repeated whenever they have grown by `growth`, until they fill the window.
    """

    def __init__(
        self,
        *,
        delta: float,
        signal: str = "rank",
        window: int = 5_000,
        old_weight: float = 0.35,
        growth: float = 2.0,
        l2: float = 150.0,
    ):
        super().__init__(l2=l2)
        self.delta, self.column, self.window = delta, SIGNALS.index(signal), window
        self.old_weight, self.growth = old_weight, growth

    def start(self, log, n_items):
        super().start(log, n_items)
        self.detector = adwin(self.delta)
        self.n_new, self.next_refit = 0, np.inf
        self.alarms = []

    def learn(self, log, figures):
        self.n_new += len(figures)
        for place, value in enumerate(figures[:, self.column].tolist()):
            if self.detector.update(value):
                self.n_new = self.detector.width + len(figures) - 1 - place
                self.next_refit = self.n_new
                self.alarms.append(len(log) - len(figures) + place)
        if self.n_new >= self.next_refit:
            new = min(self.n_new, len(log))
            counts = gram(log[-new:][-self.window :], self.n_items)
            counts += self.old_weight * gram(log[max(0, len(log) - new - self.window) : len(log) - new], self.n_items)
            self._refit(counts)
            self.next_refit = self.growth * self.n_new if self.n_new < self.window else np.inf


@dataclass(frozen=True)
class Followed:
    """What a policy did on a stream: figures (n, 3) in the order of SIGNALS, lists (n, K), and what it cost."""

    figures: np.ndarray
    lists: np.ndarray
    n_refits: int
    seconds: float


def follow(policy: Static, before: Visits, stream: Visits, similarity: np.ndarray) -> Followed:
    """Test, then learn, block by block.

    Parameters
    ----------
    before : Visits that the policy is fitted on.
    similarity : (n_items, n_items) float32, cosines of the items, for ILD.

    Returns
    -------
    Followed
        `seconds` are CPU seconds spent on learning and on watching; making and judging the lists is not counted.
    """
    log = np.concatenate([before.items, stream.items])
    figures, lists = np.empty((len(stream), 3)), np.empty((len(stream), K), np.int32)
    policy.start(before.items, len(similarity))
    seconds = 0.0
    for start in range(0, len(stream), BLOCK):
        rows = slice(start, start + BLOCK)
        judge(stream.items[rows], policy.weights, similarity, figures[rows], lists[rows])
        began = time.process_time()
        policy.learn(log[: len(before) + start + BLOCK], figures[rows])
        seconds += time.process_time() - began
    return Followed(figures, lists, policy.n_refits, seconds)


@numba.njit(cache=True)
def judge(visits, weights, similarity, figures, lists):
    """Score a visit's context, and write its list and the figures of SIGNALS.

    ndcg: nDCG@K of the targets. rank: the mean share of the other unseen items that a target is ranked above, 1/2 for
    a random order. ild: mean 1 - similarity of the pairs of the list; it takes no targets.
    """
    n_items = len(weights)
    for row in range(len(visits)):
        context, targets = visits[row, :N_CONTEXT], visits[row, N_CONTEXT:]
        scores = np.zeros(n_items, np.float32)
        for item in context:
            scores += weights[item]
        scores[context] = -np.inf
        gain, ideal, rank = 0.0, 0.0, 0.0
        for place, target in enumerate(targets):
            above = 0
            for item in range(n_items):
                above += scores[item] > scores[target] or (scores[item] == scores[target] and item < target)
            ideal += 1 / np.log2(place + 2)
            rank += 1 - above / (n_items - N_CONTEXT - 1)
            if above < K:
                gain += 1 / np.log2(above + 2)
        best = np.full(K, -np.inf, np.float32)
        for item in range(n_items):
            score = scores[item]
            if score > best[K - 1]:
                place = K - 1
                while place > 0 and score > best[place - 1]:
                    best[place] = best[place - 1]
                    lists[row, place] = lists[row, place - 1]
                    place -= 1
                best[place] = score
                lists[row, place] = item
        alike = 0.0
        for i in range(K):
            for j in range(i):
                alike += similarity[lists[row, i], lists[row, j]]
        figures[row, 0] = gain / ideal
        figures[row, 1] = rank / len(targets)
        figures[row, 2] = 1 - alike / (K * (K - 1) / 2)


@numba.njit(cache=True)
def gram(visits, n_items):
    """X'X of visits (n, visit length) as a binary matrix: (n_items, n_items) float64."""
    result = np.zeros((n_items, n_items))
    for row in range(len(visits)):
        for first in visits[row]:
            for second in visits[row]:
                result[first, second] += 1
    return result


def interactions(visits: np.ndarray, n_items: int) -> Interactions:
    """Visits (n, visit length) as users of their own."""
    n, length = visits.shape
    cells = (np.ones(visits.size, np.float32), np.sort(visits, axis=1).ravel(), np.arange(0, visits.size + 1, length))
    return Interactions(sparse.csr_matrix(cells, shape=(n, n_items)), pd.RangeIndex(n), pd.RangeIndex(n_items))
