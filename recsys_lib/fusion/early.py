"""Early fusion: one vector an item, made of all its modalities before any model sees it."""

from __future__ import annotations

import numpy as np

from recsys_lib.interactions import Interactions


def block(vectors) -> np.ndarray:
    """One modality made comparable: centred over the rows that are there, each of length 1, (n_items, d) float32.

    A pretrained network's vectors share a large mean, which says nothing about an item and drowns what does. A row of
    zeros is a missing one and stays so: at the mean, it pulls nowhere.

    >>> block([[3.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    array([[ 1.,  0.],
           [-1.,  0.],
           [ 0.,  0.]], dtype=float32)
    """
    vectors = np.asarray(vectors, np.float64)
    there = vectors.any(axis=1)
    centred = np.where(there[:, None], vectors - vectors[there].mean(axis=0) if there.any() else 0, 0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return (centred / np.where(length > 1e-12, length, 1)).astype(np.float32)


def concatenate(vectors: dict[str, np.ndarray], weights: dict[str, float] | None = None) -> np.ndarray:
    """Modalities side by side, each as `block` makes it and times the root of its weight: (n_items, sum of d) float32.

    A dot product of two rows is the weighted mean of their cosines in each modality, so that 2,000 dimensions of one
    do not outvote 100 of another, and a re-ranker that reads these vectors mixes the modalities' kernels.

    Parameters
    ----------
    vectors : dict of name -> (n_items, d) array
        Each with its own d; a row of zeros where an item lacks the modality.
    weights : dict of name -> float, optional
        Not negative; they are divided by their sum. Default: equal.

    Raises
    ------
    ValueError
        If there is no modality, they count different items, hold NaN, or the weights do not fit.
    """
    shares = shares_of(checked(vectors), weights)
    return np.concatenate([np.sqrt(np.float32(shares[name])) * block(vectors[name]) for name in vectors], axis=1)


def checked(vectors) -> dict[str, np.ndarray]:
    """The modalities as they are, or a ValueError that says what is wrong with them."""
    if not isinstance(vectors, dict) or not vectors:
        raise ValueError('the modalities must be a dict of arrays, such as {"text": ..., "image": ...}')
    n_items = None
    for name, values in vectors.items():
        values = np.asarray(values)
        if values.ndim != 2 or values.dtype.kind not in "fiub":
            raise ValueError(f"{name} must be an (n_items, d) table of numbers, not of shape {values.shape}")
        if n_items not in (None, len(values)):
            raise ValueError(f"{name} has {len(values)} rows, but the modality before it {n_items}: one row an item")
        n_items = len(values)
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if bad.size:
            raise ValueError(f"{name} has NaN or infinite values, first in row {bad[0]}. Fill them (0 for missing)")
    return vectors


def shares_of(vectors: dict, weights: dict[str, float] | None) -> dict[str, float]:
    """Weights of the modalities that sum to 1."""
    weights = dict.fromkeys(vectors, 1.0) if weights is None else weights
    if odd := sorted(set(weights) ^ set(vectors)):
        raise ValueError(f"weights and modalities must have the same names; only one of them has {odd}")
    total = sum(weights.values())
    if not (min(weights.values()) >= 0 and 0 < total < np.inf):
        raise ValueError(f"weights must not be negative nor all 0: {weights}")
    return {name: weights[name] / total for name in vectors}


class Projection:
    """A learned shared space: the linear map of all modalities that comes closest to where the users put the items.

    The target are the `n_dimensions` leading directions of the training matrix, whose rows are divided by the root of
    the user's count, so that each user has one vote; each item's place there is scaled to length 1. Ridge regression
    maps the concatenated modalities to it; its strength is chosen by exact leave-one-out error over the items. (The
    idea of attribute-to-factor maps: Gantner et al., ICDM 2010.) Items without interactions are mapped like all others.

    Parameters
    ----------
    n_dimensions : int
    rng : int, numpy Generator or None
        Start of the truncated SVD.

    Attributes
    ----------
    shares_ : dict of name -> float
        Which part of the mapped vectors' variance each modality brings; the parts sum to 1. Where modalities say the
        same, ridge divides it between them.
    l2_ : float, the chosen strength
    """

    def __init__(self, n_dimensions: int = 64, *, rng=0):
        self.n_dimensions, self.rng = n_dimensions, rng

    def fit(self, train: Interactions, vectors: dict[str, np.ndarray]) -> Projection:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.linear_model import RidgeCV

        fused, known = concatenate(vectors), train.item_counts > 0
        if len(fused) != train.n_items:
            raise ValueError(f"the modalities have {len(fused)} rows, but there are {train.n_items} items")
        if not 1 <= self.n_dimensions < min(train.matrix.shape):
            raise ValueError(f"n_dimensions must lie between 1 and the smaller side of {train.matrix.shape}")
        votes = train.matrix.multiply(1 / np.sqrt(np.maximum(np.diff(train.matrix.indptr), 1))[:, None]).T.tocsr()
        seed = int(self.rng.integers(2**31)) if isinstance(self.rng, np.random.Generator) else self.rng
        place = TruncatedSVD(self.n_dimensions, random_state=seed).fit_transform(votes[known].astype(float))
        place /= np.maximum(np.linalg.norm(place, axis=1, keepdims=True), 1e-12)
        ridge = RidgeCV(alphas=np.geomspace(0.01, 1000, 16)).fit(fused[known], place)
        self.l2_, self.weights_, self._sizes = float(ridge.alpha_), ridge.coef_.T, {}
        parts = {name: part.var(axis=0).sum() for name, part in self._parts(vectors).items()}
        self.shares_ = {name: float(part / sum(parts.values())) for name, part in parts.items()}
        return self

    def _parts(self, vectors) -> dict[str, np.ndarray]:
        """What each modality adds to the mapped vectors."""
        fused, parts, start = concatenate(vectors), {}, 0
        for name, values in vectors.items():
            end = start + np.shape(values)[1]
            parts[name] = fused[:, start:end] @ self.weights_[start:end]
            start = end
        return parts

    def transform(self, vectors: dict[str, np.ndarray]) -> np.ndarray:
        """(n_items, n_dimensions) float32 of the same modalities, in the same order, of these or other items."""
        return concatenate(vectors).astype(np.float32) @ self.weights_.astype(np.float32)
