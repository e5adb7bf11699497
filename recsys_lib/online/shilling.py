"""Shilling: fake profiles that push one item, and two looks at newcomers that find them.

Histories here are implicit, sets of items: an attacker cannot lie about ratings, only about what he has had. Attacks
are named after their counterparts for ratings (Lam & Riedl, WWW 2004; Mobasher et al., ACM TOIT 2007). The defence uses
two facts about EASE. Its weights have a zero diagonal, so a history scores each of its own items from the others alone:
items that were put together by chance do not predict one another. And the pushed item must come in many newcomers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from recsys_lib.models.linear import ease_weights

ATTACKS = ("random", "average", "bandwagon", "copy", "focused")
NOISE = "noise"  # the control: as many random profiles that push nothing
N_POPULAR, N_FOCUS = 20, 10  # best known items that bandwagon profiles draw from, and that focused ones consist of


def fake_profiles(kind: str, n: int, target: int, genuine: sparse.csr_matrix, rng=None) -> sparse.csr_matrix:
    """n fake profiles, (n, n_items) float32, each with the `target`.

    Parameters
    ----------
    kind : str
        How the rest of a profile, the filler, is drawn. "random": uniformly. "average": by popularity, the counterpart
        of a filler of average ratings. "bandwagon": half from the N_POPULAR best known items, the rest uniformly.
        "copy": the history of a genuine user. These are as long as a genuine history. "focused": the N_FOCUS best known
        items and nothing else (a segment attack on the largest segment). "noise": as random, and without the target.
    genuine : (n_users, n_items) csr
        What the attacker knows: popularity, lengths of histories, and for "copy" the histories.
    """
    if kind not in (*ATTACKS, NOISE):
        raise ValueError(f"there is no attack {kind!r}. There are: {', '.join((*ATTACKS, NOISE))}")
    rng = np.random.default_rng(rng)
    known = np.bincount(genuine.indices, minlength=genuine.shape[1])
    rows = []
    for user in rng.choice(genuine.shape[0], n):
        history = genuine.indices[genuine.indptr[user] : genuine.indptr[user + 1]]
        filler = _filler(kind, history[history != target], target, known, rng)
        rows.append(filler if kind == NOISE else np.append(filler, target))
    lengths = [len(row) for row in rows]
    cells = (np.ones(sum(lengths), np.float32), (np.repeat(np.arange(n), lengths), np.concatenate(rows)))
    return sparse.csr_matrix(cells, shape=(n, genuine.shape[1]))


def _filler(kind, history, target, known, rng):
    """Items of one profile without the target; `history` is a genuine one, from which it has its length."""
    best = np.argsort(-known, kind="stable")
    best = best[best != target]
    if kind == "copy":
        return history
    if kind == "focused":
        return best[:N_FOCUS]
    half = rng.choice(best[:N_POPULAR], min(len(history) // 2, N_POPULAR), replace=False) if kind == "bandwagon" else []
    weights = known.astype(float) if kind == "average" else np.ones(len(known))
    weights[target] = 0
    weights[half] = 0
    free = rng.choice(len(known), len(history) - len(half), replace=False, p=weights / weights.sum())
    return np.concatenate([np.asarray(half, int), free])


def fit_of_items(rows: sparse.csr_matrix, item_weights: np.ndarray) -> sparse.csr_matrix:
    """How well each item of a history fits the rest of it, on the same cells: the share of other items it outranks.

    The rest of the history scores the item and all items outside the history with EASE's weights: 1 is a perfect fit,
    1/2 chance.
    """
    fit = np.empty(rows.nnz)
    for row in range(rows.shape[0]):
        place = slice(rows.indptr[row], rows.indptr[row + 1])
        items = rows.indices[place]
        weights = item_weights[items]
        scores = weights.sum(axis=0)
        others = np.delete(scores - weights, items, axis=1)  # row i: without item i, whose own column lacks it anyway
        fit[place] = (others < scores[items, None]).mean(axis=1)
    return sparse.csr_matrix((fit, rows.indices, rows.indptr), rows.shape)


def coherence(fit: sparse.csr_matrix, popularity: np.ndarray) -> np.ndarray:
    """(n,): how much better the items of a history fit each other than their popularity says. Low is suspect.

    Mean `fit_of_items` less the mean rank by popularity, 0 to 1: a filler drawn by popularity is as popular as a
    genuine history, but its items do not belong together.
    """
    by_popularity = np.argsort(np.argsort(popularity, kind="stable"), kind="stable") / max(len(popularity) - 1, 1)
    beyond = sparse.csr_matrix((fit.data - by_popularity[fit.indices], fit.indices, fit.indptr), fit.shape)
    return np.asarray(beyond.sum(axis=1)).ravel() / np.maximum(np.diff(fit.indptr), 1)


def surging_items(rows: sparse.csr_matrix, share: np.ndarray, *, level: float = 1e-3, times: float = 2.0) -> np.ndarray:
    """Columns that the newcomers `rows` (n, n_items) have far more often than users had before.

    Parameters
    ----------
    share : (n_items,) share of the users before who had each item.
    level : float
        A binomial test an item; the level is shared between all items (Bonferroni).
    times : float
        And at least so many times as often. An attack's filler makes popular items a little more frequent: that is
        significant soon, and would put every genuine history with a popular item under suspicion.
    """
    n = rows.shape[0]
    counts = np.bincount(rows.indices, minlength=rows.shape[1])
    significant = stats.binom.sf(counts - 1, n, share) < level / rows.shape[1]
    return np.flatnonzero(significant & (counts >= times * n * share))


@dataclass(frozen=True)
class Guard:
    """Looks at newcomers before they are learned from.

    A newcomer is suspect if his history does not hold together, or if it holds a surging item that does not fit it.

    Attributes
    ----------
    item_weights : (n_items, n_items), EASE's, of the users who were there before.
    counts, n_users : how many of these had each item, and how many there are.
    least_coherence, least_fit : what a history, and the surging item in it, must reach.
    """

    item_weights: np.ndarray
    counts: np.ndarray
    n_users: int
    least_coherence: float
    least_fit: float

    @classmethod
    def of(cls, before: sparse.csr_matrix, *, l2: float, refused: float = 0.02, rng=None) -> Guard:
        """A guard who has seen the histories `before`, (n_users, n_items).

        A third of them plays newcomers to the rest: the share `refused` of these would be refused as incoherent, and
        half of their items fit well enough to surge.
        """
        order = np.random.default_rng(rng).permutation(before.shape[0])
        rest, newcomers = before[order[: 2 * len(order) // 3]], before[order[2 * len(order) // 3 :]]
        weights = ease_weights(rest, l2)
        fit = fit_of_items(newcomers, weights)
        coherent = coherence(fit, np.bincount(rest.indices, minlength=rest.shape[1]))
        bounds = (float(np.quantile(coherent, refused)), float(np.median(fit.data)))
        counts = np.bincount(before.indices, minlength=before.shape[1])
        return cls(ease_weights(before, l2), counts, before.shape[0], *bounds)

    def suspects(self, rows: sparse.csr_matrix) -> np.ndarray:
        """(n,) bool for the histories (n, n_items) of newcomers who came at about the same time."""
        share = (self.counts + 1) / (self.n_users + 2)  # Laplace's rule: an item that nobody has had may come
        fit = fit_of_items(rows, self.item_weights)
        found = coherence(fit, self.counts) < self.least_coherence
        of_surging = fit.tocsc()[:, surging_items(rows, share)]
        found[of_surging.indices[of_surging.data < self.least_fit]] = True
        return found


def hit_rate_of(target: int, lists: np.ndarray, train: sparse.csr_matrix) -> float:
    """Share of the users without the target in `train` (n_users, n_items) whose list (n_users, k) shows it."""
    without = np.asarray(train[:, [target]].sum(axis=1)).ravel() == 0
    return float((lists[without] == target).any(axis=1).mean())
