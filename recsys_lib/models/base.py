"""Recommender: what every model has in common. A model says how it fits and how it scores; lists come from here."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_lib.interactions import Interactions
from recsys_lib.topk import TopK, best

BLOCK_CELLS = 4_000_000  # scores held at once by `recommend`: 16 MB of float32 and 32 MB of sort keys
SCALE_USERS, SCALE_DEPTH = 500, 100


class NotFitted(ValueError, AttributeError):
    """What a model learns in `fit` was asked for before."""


class Recommender:
    """Base of the models: `fit` on interactions, `score` every item for some users, `recommend` the best.

    A model implements `_fit(train, item_vectors)` and `score(users)`.

    Attributes
    ----------
    train_ : Interactions
        What the model was fitted on.
    scale_ : float
        One relevance unit: the mean distance between a training user's best and 100th best unseen score.
        It follows the scores when they are multiplied by a constant, so a re-ranker that divides by it makes
        the same lists.
    """

    def fit(self, train: Interactions, item_vectors=None) -> Recommender:
        """Fit on `train`; `item_vectors` is an (n_items, d) array, or a dict of them, for models that read content."""
        if not isinstance(train, Interactions):
            raise ValueError(
                f"fit takes Interactions, not {type(train).__name__}. Build them: Interactions.from_frame(frame)"
            )
        if train.matrix.nnz == 0:
            raise ValueError("the training interactions are empty: no cell is set. Check the filters before this")
        if not np.isfinite(train.matrix.data).all() or train.matrix.data.min() < 0:
            raise ValueError("the training matrix holds negative or non-finite values. Use 0 and 1, or confidences")
        self._check_vectors(item_vectors, train.n_items)
        before = self.__dict__.copy()
        try:
            self.train_ = train
            self._fit(train, item_vectors)
            self.scale_ = self._relevance_scale()
        except BaseException:  # also Ctrl+C: a model is what it was before, never half of each
            self.__dict__ = before
            raise
        return self

    def __getattr__(self, name):
        if name.endswith("_") and not name.startswith("_") and "train_" not in self.__dict__:
            raise NotFitted(f"this {type(self).__name__} is not fitted. Call fit(train) first")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def _fit(self, train: Interactions, item_vectors) -> None:
        raise TypeError(f"{type(self).__name__} does not say how it fits: implement _fit(train, item_vectors)")

    def score(self, users) -> np.ndarray:
        """Scores of every item: (len(users), n_items) float32 for the row indices `users`."""
        raise TypeError(f"{type(self).__name__} does not say how it scores: implement score(users)")

    def recommend(self, users=None, k: int = 10, exclude=None, items=None, *, progress=None) -> TopK:
        """The k best items of each user, in blocks of users so that memory stays bounded.

        Ties go to the lower column. For a user with an empty history all scores of EASE, ItemKNN and the like are 0, so
        he gets the columns 0, 1, 2 ...: recommend what `Popularity` does to such users.

        Parameters
        ----------
        users : sequence of row indices, optional
            Default: every training user.
        exclude : Interactions or False, optional
            What must not be recommended: the training matrix by default, False for nothing.
        items : sequence of column indices, optional
            Rank among these only, for instance the cold items.
        progress : callable, optional
            Wraps the list of blocks, for instance `notebook.progress`.
        """
        n_users, n_items = self.train_.matrix.shape
        users = np.arange(n_users) if users is None else _indices(users, n_users, "users")
        if not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"k must be a whole number of at least 1, not {k!r}")
        masked = self._mask(exclude)
        barred = None
        if items is not None:
            barred = np.ones(n_items, bool)
            barred[_indices(items, n_items, "items")] = False
        list_items = np.empty((len(users), k), np.int32)
        list_scores = np.empty((len(users), k), np.float32)
        step = max(1, BLOCK_CELLS // n_items)
        starts = range(0, len(users), step)
        for start in progress(starts) if progress else starts:
            block = users[start : start + step]
            scores = np.array(self.score(block), np.float32)
            if scores.shape != (len(block), n_items):
                raise ValueError(
                    f"{type(self).__name__}.score gave the shape {scores.shape}. It must give one row a user and one "
                    f"column an item: {(len(block), n_items)}"
                )
            if masked is not None:
                seen = masked[block]
                scores[np.repeat(np.arange(len(block)), np.diff(seen.indptr)), seen.indices] = -np.inf
            if barred is not None:
                scores[:, barred] = -np.inf
            list_items[start : start + step], list_scores[start : start + step] = best(scores, k)
        return TopK(list_items, list_scores, self.scale_)

    def _mask(self, exclude) -> sparse.csr_matrix | None:
        if exclude is False:
            return None
        if exclude is None or exclude is True:
            return self.train_.matrix
        if not isinstance(exclude, Interactions):
            raise ValueError("exclude takes Interactions (what to mask), or False to mask nothing")
        if not (exclude.user_ids.equals(self.train_.user_ids) and exclude.item_ids.equals(self.train_.item_ids)):
            raise ValueError(
                "exclude has other user_ids or item_ids than the training data. "
                "Build it with user_ids=train.user_ids, item_ids=train.item_ids"
            )
        return exclude.matrix

    def _relevance_scale(self) -> float:
        n_users = self.train_.n_users
        sample = np.unique(np.linspace(0, n_users - 1, min(n_users, SCALE_USERS)).astype(int))
        self.scale_ = 1.0  # `recommend` carries it; it is replaced below
        scores = self.recommend(sample, k=min(SCALE_DEPTH, self.train_.n_items)).scores.astype(float)
        length = np.isfinite(scores).sum(axis=1)
        scores, length = scores[length > 0], length[length > 0]
        spread = scores[:, 0] - scores[np.arange(len(scores)), length - 1]
        return float(spread.mean()) if spread.size and spread.mean() > 0 else 1.0

    @staticmethod
    def _check_vectors(item_vectors, n_items: int) -> None:
        if item_vectors is None:
            return
        named = item_vectors if isinstance(item_vectors, dict) else {"item_vectors": item_vectors}
        for name, vectors in named.items():
            vectors = np.asarray(vectors)
            if vectors.ndim != 2 or len(vectors) != n_items:
                raise ValueError(
                    f"{name} has the shape {vectors.shape}, but there are {n_items} items: pass one row an item"
                )
            if vectors.dtype.kind not in "fiub":
                raise ValueError(f"{name} must hold numbers, not {vectors.dtype}. Encode text first")
            bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
            if bad.size:
                raise ValueError(f"{name} has NaN or infinite values, first in row {bad[0]}. Fill them (0 for unknown)")


def _indices(values, size: int, what: str) -> np.ndarray:
    indices = np.atleast_1d(np.asarray(values))
    if indices.size == 0:
        return indices.astype(int)
    if not np.issubdtype(indices.dtype, np.integer):
        raise ValueError(
            f"{what} must be row or column indices (integers), not {indices.dtype}. Look ids up with Index.get_indexer"
        )
    bad = indices[(indices < 0) | (indices >= size)]
    if bad.size:
        raise ValueError(f"{what} holds the index {bad[0]}, but there are only {size}: use 0 to {size - 1}")
    return indices
