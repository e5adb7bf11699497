"""IncrementalL3AE: exact updates with a text prior, so that an item can be recommended before anybody has had it."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from recsys_lib.online.ease import IncrementalEASE


class IncrementalL3AE(IncrementalEASE):
    """L3AE (`models.L3AE`) kept equal to a full refit, as `IncrementalEASE` keeps EASE.

    min_B |X - XB|^2 + (l2 - b) |B|^2 + b |B - C|^2, diag B = 0, with C the weights that the texts alone would give: the
    ridge pulls the weights towards C instead of 0. Off the diagonal B = b PC - P Diag(c), c = (1 + b diag PC) / diag P
    (arXiv:2508.13500). A new item's column is all text; as people come to have it, their part of P takes over, without
    a threshold and without a second model.

    Live, it takes two things besides EASE's. C is of low rank off its diagonal, C = FW - Diag(FW) with F the item
    vectors (n_items, d), so that a user's xP C costs 2 n_items d. And diag(PC) moves with P: each pending u'v takes
    u * (vC) from it, which costs the same.

    Parameters
    ----------
    l2 : float
        The whole ridge.
    text_weight : float
        b, between 0 (EASE) and l2. Small values let the people speak first.
    text_l2 : float
        Regularisation of C.
    """

    def __init__(self, *, l2: float = 500.0, text_weight: float = 30.0, text_l2: float = 10.0):
        super().__init__(l2=l2)
        self.text_weight, self.text_l2 = text_weight, text_l2

    def _fit(self, train, item_vectors):
        if item_vectors is None or isinstance(item_vectors, dict):
            raise ValueError("IncrementalL3AE reads content: call fit(train, item_vectors) with one array")
        if not (0 <= self.text_weight <= self.l2 and self.text_l2 > 0):
            raise ValueError(
                f"text_weight must lie between 0 and l2, and text_l2 be positive, but they are {self.text_weight} "
                f"(l2 {self.l2}) and {self.text_l2}"
            )
        self._vectors = np.asarray(item_vectors, np.float64)
        super()._fit(train, item_vectors)

    def add_items(self, n: int = 1, item_ids=None, vectors=None) -> np.ndarray:
        """n new items with their vectors (n, d), a list of lists or an array: they can be recommended at once.

        C is made again, because an item's text weights depend on which other items there are: n_items d^2.
        """
        vectors = np.asarray([] if vectors is None else vectors, np.float64)
        if vectors.shape != (n, self._vectors.shape[1]) or not np.isfinite(vectors).all():
            raise ValueError(f"new items need vectors: finite, of the shape ({n}, {self._vectors.shape[1]})")
        known, self._vectors = self._vectors, np.vstack([self._vectors, vectors])
        try:
            return super().add_items(n, item_ids)
        except ValueError:
            self._vectors = known
            raise

    def learn(self, users, items) -> None:
        """A block of events, in order. New items must have been added with their vectors before."""
        if self.history_.check_codes(users, items)[1]:
            raise ValueError("an event has an item without a vector: add_items(n, vectors=...) first")
        super().learn(users, items)

    def _times_text(self, rows: np.ndarray) -> np.ndarray:
        """rows @ C for (m, n_items) rows."""
        return (rows @ self._vectors) @ self._text - rows * self._text_diagonal

    def _read_diagonal(self) -> None:
        super()._read_diagonal()
        vectors = self._vectors
        inner = vectors.T @ vectors
        inner[np.diag_indices_from(inner)] += self.text_l2
        reach = linalg.solve(inner, vectors.T, assume_a="pos")  # W before its columns are divided by A's diagonal
        self._text = reach / (1 - np.einsum("id,di->i", vectors, reach))
        self._text_diagonal = np.einsum("id,di->i", vectors, self._text)
        self._pulled = np.einsum("id,di->i", self._precision @ vectors, self._text)
        self._pulled -= self._diagonal * self._text_diagonal

    def _move_diagonal(self, left, right) -> None:
        super()._move_diagonal(left, right)
        self._pulled -= np.einsum("ij,ij->j", left, self._times_text(right))

    def _weigh(self, product):
        multiplier = (1 + self.text_weight * self._pulled) / self._diagonal
        return self.text_weight * self._times_text(product) - product * multiplier

    def state(self) -> tuple[dict, dict[str, np.ndarray]]:
        meta, arrays = super().state()
        meta |= {"text_weight": self.text_weight, "text_l2": self.text_l2}
        names = ("vectors", "text", "text_diagonal", "pulled")
        return meta, arrays | {name: getattr(self, f"_{name}") for name in names}

    @classmethod
    def restore(cls, meta, arrays) -> IncrementalL3AE:
        model = super().restore(meta, arrays)
        model.text_weight, model.text_l2 = meta["text_weight"], meta["text_l2"]
        for name in ("vectors", "text", "text_diagonal", "pulled"):
            setattr(model, f"_{name}", arrays[name].copy())
        return model
