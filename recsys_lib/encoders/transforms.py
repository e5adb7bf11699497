"""What is done to encoded vectors afterwards: whitening, removal of the common directions, and how narrow they are.

Encoders put their vectors into a narrow cone (they are anisotropic): any two texts have a high cosine, and what
tells them apart is in the rest. All have `fit`, `transform` and `fit_transform`; `PCA`, the plain reduction of
dimensions, is scikit-learn's own.
"""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

__all__ = ["PCA", "RemoveTopComponents", "Whiten", "anisotropy"]


class Whiten:
    r"""Vectors with mean 0 and the identity as covariance, along the principal components, float32.

    .. math:: z = \Lambda^{-1/2} U^\top (x - \mu), \quad \Sigma = U \Lambda U^\top

    Parameters
    ----------
    n_components : int, optional
        Keep the components with the most variance; all of them if None.
    epsilon : float
        Added to each variance, as a share of the largest: directions with hardly any variance hold noise, which
        whitening would blow up to the size of the rest. 0 whitens exactly.

    Source: Su et al. 2021, "Whitening sentence representations for better semantics and faster retrieval".

    >>> vectors = np.array([[1, 0], [-1, 0], [0, 3], [0, -3]])      # standard deviations sqrt(2 / 3) and sqrt(6)
    >>> whitened = Whiten(epsilon=0).fit_transform(vectors)
    >>> np.cov(whitened.T).round(4) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """

    def __init__(self, n_components: int | None = None, *, epsilon: float = 1e-5):
        if n_components is not None and n_components < 1:
            raise ValueError(f"n_components must be at least 1, or None for all, not {n_components}")
        if not epsilon >= 0:
            raise ValueError(f"epsilon must not be negative, and it is {epsilon}")
        self.n_components, self.epsilon = n_components, epsilon

    def fit(self, vectors) -> Whiten:
        """Learn the mean and the components from (n, d) vectors.

        ValueError: fewer than two vectors, NaN, n_components > d, or (with epsilon=0) a direction without variance.
        """
        vectors = _checked(vectors)
        d = vectors.shape[1]
        n_components = d if self.n_components is None else self.n_components
        if n_components > d:
            raise ValueError(f"n_components is {n_components}, and the vectors have only {d} dimensions")
        self.mean_, directions, variances = _principal(vectors)
        variances = variances[:n_components] + self.epsilon * variances[0]
        if not variances[-1] > variances[0] * 1e-12:
            raise ValueError(
                "some of these directions have no variance, and cannot be scaled to 1: take fewer n_components, "
                "more vectors, or epsilon > 0"
            )
        self.components_ = directions[:n_components] / np.sqrt(variances)[:, None]
        return self

    def transform(self, vectors) -> np.ndarray:
        """(n, d) to (n, n_components) float32."""
        vectors = _like_fitted(self, vectors)
        return ((vectors - self.mean_) @ self.components_.T).astype(np.float32)

    def fit_transform(self, vectors) -> np.ndarray:
        """`fit(vectors).transform(vectors)`."""
        return self.fit(vectors).transform(vectors)


class RemoveTopComponents:
    r"""All-but-the-top: the mean and the `n` directions with the most variance taken out, (n, d) float32.

    .. math:: z = (x - \mu) - \sum_{j \le n} u_j u_j^\top (x - \mu)

    These directions carry what all texts share (length, frequent words, and for item texts the genre formula).
    The authors advise n = d / 100. n = 0 only centres.
    Source: Mu & Viswanath 2018, "All-but-the-top: simple and effective postprocessing for word representations".

    >>> vectors = np.array([[1, 0], [-1, 0], [0, 3], [0, -3]])
    >>> RemoveTopComponents(1).fit_transform(vectors) + 0.0
    array([[ 1.,  0.],
           [-1.,  0.],
           [ 0.,  0.],
           [ 0.,  0.]], dtype=float32)
    """

    def __init__(self, n: int = 1):
        if n < 0:
            raise ValueError(f"n must not be negative, and it is {n}")
        self.n = n

    def fit(self, vectors) -> RemoveTopComponents:
        """Learn the mean and the directions. ValueError: fewer than two vectors, NaN, or n > d."""
        vectors = _checked(vectors)
        if self.n > vectors.shape[1]:
            raise ValueError(f"n is {self.n}, and the vectors have only {vectors.shape[1]} dimensions")
        self.mean_, directions, _ = _principal(vectors)
        self.components_ = directions[: self.n]
        return self

    def transform(self, vectors) -> np.ndarray:
        """(n, d) to (n, d) float32."""
        centred = _like_fitted(self, vectors) - self.mean_
        return (centred - centred @ self.components_.T @ self.components_).astype(np.float32)

    def fit_transform(self, vectors) -> np.ndarray:
        """`fit(vectors).transform(vectors)`."""
        return self.fit(vectors).transform(vectors)


def anisotropy(vectors) -> float:
    r"""The mean cosine of all pairs of different rows: 0 if they point everywhere, 1 if all point one way.

    .. math:: \frac{\|\sum_a \hat x_a\|^2 - n}{n (n - 1)}

    Range [-1/(n-1), 1]. A row of zeros has no direction and is left out; NaN for fewer than two others.
    Source: Ethayarajh 2019, "How contextual are contextualized word representations?", the baseline of section 3.

    >>> anisotropy([[1, 0], [2, 0], [0, 1]])           # cosines 1, 0, 0
    0.3333333333333333
    """
    vectors = _checked(vectors, at_least=0)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors[length[:, 0] > 0] / length[length > 0][:, None]
    n = len(unit)
    return float((np.square(unit.sum(axis=0)).sum() - n) / (n * (n - 1))) if n > 1 else float("nan")


def _principal(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean (d,), the principal directions as rows (d, d), and their variances (d,), the largest first."""
    mean = vectors.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov((vectors - mean).T).reshape(len(mean), -1))
    if not variances[-1] > 0:
        raise ValueError("all vectors are the same: there is no direction to learn")
    directions = directions[:, ::-1].T
    # An eigenvector's sign is arbitrary: the largest entry is made positive, so that every machine agrees.
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    return mean, directions * np.sign(largest), np.maximum(variances[::-1], 0)


def _checked(vectors, at_least: int = 2) -> np.ndarray:
    vectors = np.asarray(vectors, float)
    if vectors.ndim != 2:
        raise ValueError(f"vectors must be a table with a row an item, (n, d), and have the shape {vectors.shape}")
    if len(vectors) < at_least:
        raise ValueError(f"at least {at_least} vectors are needed, and there are {len(vectors)}")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ValueError(f"row {bad[0]} of the vectors holds NaN or infinity. Leave such rows out, or put zeros there")
    return vectors


def _like_fitted(transform, vectors) -> np.ndarray:
    if not hasattr(transform, "mean_"):
        raise ValueError(f"this {type(transform).__name__} is not fitted: call fit(vectors) first")
    vectors = _checked(vectors, at_least=0)
    if vectors.shape[1] != len(transform.mean_):
        raise ValueError(f"the vectors have {vectors.shape[1]} dimensions; fit saw {len(transform.mean_)}")
    return vectors
