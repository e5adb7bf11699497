"""Tokenised texts with their stars, and batches of texts of similar length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

POOL = 50  # batches whose texts are sorted by length together: little padding, and the order stays random


@dataclass(frozen=True)
class Examples:
    """Tokenised texts with their labels, made by `tokenise`.

    Attributes
    ----------
    token_ids : list of lists of int, cut at the maximal length
    labels : (n,) int64, stars minus one; None where only predictions are wanted
    users : (n, user_size) float32 or None
    padding_id : int
    """

    token_ids: list
    labels: np.ndarray | None
    users: np.ndarray | None
    padding_id: int

    def __len__(self) -> int:
        return len(self.token_ids)

    @property
    def stars(self) -> np.ndarray:
        return self.labels + 1

    def batch(self, rows, device="cpu") -> dict[str, Tensor]:
        """The tensors of some rows, padded to the longest text among them."""
        texts = [self.token_ids[row] for row in rows]
        ids = np.full((len(texts), max(map(len, texts))), self.padding_id)
        mask = np.zeros(ids.shape, np.int64)
        for place, text in enumerate(texts):
            ids[place, : len(text)] = text
            mask[place, : len(text)] = 1
        found = {"input_ids": ids, "attention_mask": mask}
        if self.labels is not None:
            found["labels"] = self.labels[rows]
        if self.users is not None:
            found["users"] = self.users[rows]
        return {name: torch.as_tensor(value).to(device) for name, value in found.items()}

    def batches(self, batch_size: int, rng=None) -> Iterator[np.ndarray]:
        """Rows of batches of texts of similar length; with `rng` in random order, else longest first."""
        lengths = np.array([len(text) for text in self.token_ids])
        if rng is None:
            order = np.argsort(-lengths, kind="stable")
            yield from (order[start : start + batch_size] for start in range(0, len(order), batch_size))
            return
        order = rng.permutation(len(lengths))
        groups = []
        for start in range(0, len(order), POOL * batch_size):
            pool = order[start : start + POOL * batch_size]
            pool = pool[np.argsort(-lengths[pool], kind="stable")]
            groups += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
        yield from (groups[place] for place in rng.permutation(len(groups)))


def tokenise(tokenizer, texts, ratings=None, *, users=None, max_length: int = 96, n_levels: int = 5) -> Examples:
    """Texts and stars as the loop wants them.

    An empty text is allowed: its special tokens are left, and the prediction is the one for no text at all. A text
    longer than `max_length` tokens is cut.

    Parameters
    ----------
    tokenizer : of the encoder, `models.rating.load_tokenizer()`
    texts : sequence of str
    ratings : sequence of 1 … n_levels stars, optional
    users : (n, user_size) array, optional

    Raises
    ------
    ValueError
        For a text that is not a string, stars that are no whole number between 1 and n_levels, other lengths.
    """
    texts = list(texts)
    if not texts:
        raise ValueError("there are no texts")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"text {row} is {text!r}, not a string. Use '' where there is no text")
    labels = None
    if ratings is not None:
        ratings = np.asarray(ratings, dtype=float)
        if ratings.shape != (len(texts),):
            raise ValueError(f"there are {len(texts)} texts, but ratings of the shape {ratings.shape}")
        wrong = ~np.isin(ratings, np.arange(1, n_levels + 1))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"rating {row} is {ratings[row]:g}, but stars are whole numbers from 1 to {n_levels}. "
                f"Leave that row out, or pass other n_levels"
            )
        labels = ratings.astype(np.int64) - 1
    if users is not None:
        users = np.asarray(users, np.float32)
        if users.ndim != 2 or len(users) != len(texts) or not np.isfinite(users).all():
            raise ValueError(f"users must be a finite ({len(texts)}, user_size) array, not one of shape {users.shape}")
    ids = tokenizer(texts, truncation=True, max_length=max_length, padding=False)["input_ids"]
    return Examples(ids, labels, users, tokenizer.pad_token_id or 0)
