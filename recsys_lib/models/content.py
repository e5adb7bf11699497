"""Models that read item vectors: a profile, neighbours in the content, linear maps, and a kernel ridge.

All of them score columns without a single interaction, which is what content is for: cold items.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import linalg, sparse

from recsys_lib.models.base import Recommender
from recsys_lib.models.linear import ease_weights, inverse, regularised_gram


class ContentProfile(Recommender):
    """Cosine between an item and the rating-weighted mean of the items of a user's history.

    The oldest content-based recommender (Rocchio 1971; Pazzani & Billsus 2007), and the user vector of AlphaRec
    before anything is learned (Sheng et al., ICLR 2025). Without ratings every item of the history counts 1. Weights
    are positive: an item with one star still pulls, five times less than one with five.
    """

    def _fit(self, train, item_vectors):
        self.item_vectors_ = _unit(_one_array(self, item_vectors))
        history = train.matrix if train.ratings is None else train.ratings
        self.user_vectors_ = _unit(np.asarray(history @ self.item_vectors_))

    def score(self, users):
        # In double precision: equal vectors tie, whatever the batch.
        scores = self.user_vectors_[users].astype(np.float64) @ self.item_vectors_.T.astype(np.float64)
        return scores.astype(np.float32)


class ContentKNN(Recommender):
    """Item-kNN on content: score(u, i) = sum of cos(i, j) over those of i's k nearest known items that u had.

    ItemKNN with the cosine of the items' vectors in place of their co-occurrence; a negative cosine counts 0.
    Neighbours are looked for among items with interactions only, so that a cold item is as well connected as any.

    Parameters
    ----------
    k : int
        Neighbours an item.
    """

    def __init__(self, *, k: int = 50):
        self.k = k

    def _fit(self, train, item_vectors):
        if not self.k >= 1:
            raise ValueError(f"k must be at least 1, not {self.k}")
        vectors = _unit(_one_array(self, item_vectors))
        similar = vectors @ vectors.T
        np.fill_diagonal(similar, 0)
        similar[:, train.item_counts == 0] = 0
        rank = np.argsort(-similar, axis=1, kind="stable")
        np.put_along_axis(similar, rank[:, self.k :], 0, axis=1)
        self.similarity_ = sparse.csr_matrix(np.maximum(similar, 0).T)  # row j: what j in a history says of each i

    def score(self, users):
        return (self.train_.matrix[users] @ self.similarity_).toarray().astype(np.float32, copy=False)


class LinearTextMap(Recommender):
    """The best linear map from what a user had to what he will have, through the items' vectors, in closed form.

    With R the (n_users, n) matrix of the n items that have interactions, F their vectors and A = RF the users' sums
    of vectors: min_W |R - A W F'|^2 + l2 |W|^2, and a score is A_u W f_i, for a cold item too. Its normal equations
    A'A W F'F + l2 W = A'RF are solved through the two d x d eigendecompositions. It is AlphaRec's linear variant
    (Sheng et al., ICLR 2025) with squares in place of the sampled softmax, so that nothing has to be trained.

    Parameters
    ----------
    l2 : float
        Regularisation of W.

    Attributes
    ----------
    weights_ : (d, d) float64, the map W.
    """

    def __init__(self, *, l2: float = 20_000.0):
        self.l2 = l2

    def _fit(self, train, item_vectors):
        if not self.l2 > 0:
            raise ValueError(f"l2 must be positive, not {self.l2}: without it the map has no unique answer")
        vectors = np.asarray(_one_array(self, item_vectors), np.float64)
        known = train.item_counts > 0
        matrix = train.matrix[:, known].astype(np.float64)
        items = vectors[known]
        users = matrix @ items
        user_values, user_basis = np.linalg.eigh(users.T @ users)
        item_values, item_basis = np.linalg.eigh(items.T @ items)
        target = user_basis.T @ (users.T @ (matrix @ items)) @ item_basis
        scale = np.maximum(user_values, 0)[:, None] * np.maximum(item_values, 0)[None, :] + self.l2
        self.weights_ = user_basis @ (target / scale) @ item_basis.T
        self.user_vectors_, self.item_vectors_ = users @ self.weights_, vectors

    def score(self, users):
        return (self.user_vectors_[users] @ self.item_vectors_.T).astype(np.float32)


class L3AE(Recommender):
    """EASE that is pulled towards the item-item weights which the text alone would give.

    min_B |X - XB|^2 + a |B|^2 + b |B - C|^2 with diag B = 0, where C is EASE on the item vectors. With l2 = a + b and
    P = (X'X + l2 I)^-1: B = b PC - P Diag(c) + I off the diagonal, c = (1 + b diag(PC)) / diag(P)
    (L3AE, CIKM 2025, arXiv:2508.13500; lambda_X = a, lambda_E = b. The authors' best a is negative, which is why
    the sum is the parameter here.) The column of an item without interactions is b P C, its text weights drawn
    through the ridge.

    Parameters
    ----------
    l2 : float
        a + b, on the diagonal of X'X.
    text_weight : float
        b, the pull towards C; 0 is EASE.
    text_l2 : float
        Regularisation of C.

    Attributes
    ----------
    item_weights_ : (n_items, n_items) float32, the matrix B.
    """

    def __init__(self, *, l2: float = 500.0, text_weight: float = 150.0, text_l2: float = 10.0):
        self.l2, self.text_weight, self.text_l2 = l2, text_weight, text_l2

    def _fit(self, train, item_vectors):
        if not (self.l2 > 0 and self.text_l2 > 0 and self.text_weight >= 0):
            raise ValueError(
                f"l2 and text_l2 must be positive and text_weight not negative, "
                f"but are {self.l2}, {self.text_l2} and {self.text_weight}"
            )
        precision = inverse(regularised_gram(train.matrix, self.l2))
        pulled = self.text_weight * (precision @ text_weights(_one_array(self, item_vectors), self.text_l2))
        multiplier = (1 + np.diag(pulled)) / np.diag(precision)
        weights = pulled - precision * multiplier
        np.fill_diagonal(weights, 0)
        self.item_weights_ = weights.astype(np.float32)

    def score(self, users):
        return np.asarray(self.train_.matrix[users] @ self.item_weights_, np.float32)


def text_weights(item_vectors, l2: float) -> np.ndarray:
    """EASE on item vectors, (n_items, d) -> (n_items, n_items) float64: which items' vectors make up an item's own.

    The inverse of FF' + l2 I is taken through a d x d matrix (Woodbury): (I - F (l2 I + F'F)^-1 F') / l2.
    """
    vectors = np.asarray(item_vectors, np.float64)
    inner = vectors.T @ vectors
    inner[np.diag_indices_from(inner)] += l2
    precision = vectors @ linalg.solve(inner, vectors.T, assume_a="pos") / -l2
    precision[np.diag_indices_from(precision)] += 1 / l2
    weights = precision / -np.diag(precision)
    np.fill_diagonal(weights, 0)
    return weights


class KernelRidgeContent(Recommender):
    """Kernel ridge regression from an item's content to its column of denoised interactions.

    score(u, i) = Y_u (K + l2 I)^-1 k_i over the items that have interactions, where the kernel is the weighted mean of
    exp(-|x - x'|^2) over the fields of the content, so that text, genre, year and people each have a say, and Y are
    the scores of EASE on those items: the target without its noise, including what each user would have liked.
    (Kernel ridge: Saunders et al. 1998; a mean of kernels: Gönen & Alpaydın 2011.)

    Parameters
    ----------
    field_weights : dict of name -> float, optional
        How much each field of `item_vectors` counts; default 1 each. A field with another name than given here is
        an error, so that a misspelt one cannot vanish.
    linear_fields : sequence of names
        Fields that take the kernel x'y instead: sets, such as who took part, where most pairs share nothing.
    l2 : float
        Ridge on the kernel.
    target_l2 : float
        The l2 of the EASE that makes the target.
    damping : float
        A column of the target is divided by the item's count to this power, so that the few items that everyone
        likes do not fill the regression.
    products : float
        Weight of the squared kernel beside the kernel. The square holds the products of pairs of fields, for
        "this genre in that decade".

    Notes
    -----
    `item_vectors` is one array or a dict of named ones. Distances are taken as the vectors are: scale text vectors to
    length 1 and a year by its bandwidth. A row of zeros stands for "unknown": it is like no other row of its field.

    An item that has interactions is scored as if it were not among them, by the leave-one-out prediction of ridge
    regression, (s - h y) / (1 - h) with h the item's leverage: scores of known and of cold items can then be compared.
    (Only the ridge leaves it out. The other columns of the EASE target have seen it, which moves scores by a few %.)
    """

    def __init__(
        self,
        *,
        field_weights: dict[str, float] | None = None,
        linear_fields: Sequence[str] = (),
        l2: float = 1.0,
        target_l2: float = 100.0,
        damping: float = 0.1,
        products: float = 1.0,
    ):
        self.field_weights, self.linear_fields, self.l2 = field_weights, linear_fields, l2
        self.target_l2, self.damping, self.products = target_l2, damping, products

    def _fit(self, train, item_vectors):
        if not (self.l2 > 0 and self.target_l2 > 0 and self.products >= 0):
            raise ValueError(
                f"l2 and target_l2 must be positive and products not negative, "
                f"but are {self.l2}, {self.target_l2} and {self.products}"
            )
        kernel = self._kernel(item_vectors)
        known = np.flatnonzero(train.item_counts > 0)
        target = ease_weights(train.matrix[:, known], self.target_l2)  # what to hit: the history @ target
        target /= train.item_counts[known] ** self.damping
        ridge = kernel[np.ix_(known, known)]
        ridge[np.diag_indices_from(ridge)] += self.l2
        smoother = linalg.solve(ridge, kernel[known], assume_a="pos")
        leverage = smoother[np.arange(len(known)), known]
        smoother[np.arange(len(known)), known] = 0
        smoother[:, known] /= 1 - leverage
        self.item_weights_ = (target @ smoother).astype(np.float32)
        self.known_ = known

    def _kernel(self, item_vectors) -> np.ndarray:
        if item_vectors is None:
            raise ValueError("KernelRidgeContent reads content: call fit(train, item_vectors)")
        fields = item_vectors if isinstance(item_vectors, dict) else {"item_vectors": item_vectors}
        if not fields:
            raise ValueError("item_vectors is an empty dict: give one field at least")
        weights = dict.fromkeys(fields, 1.0) if self.field_weights is None else self.field_weights
        if set(weights) != set(fields):
            odd = sorted(set(weights) ^ set(fields))
            raise ValueError(f"field_weights and item_vectors must name the same fields; only one has {odd}")
        if unknown := sorted(set(self.linear_fields) - set(fields)):
            raise ValueError(f"linear_fields names {unknown[0]!r}, which is no field of item_vectors")
        if min(weights.values()) < 0 or not sum(weights.values()) > 0:
            raise ValueError(f"field_weights must not be negative nor all 0: {weights}")
        total = sum(weights.values())
        kernel = sum(weight / total * self._field_kernel(name, fields[name]) for name, weight in weights.items())
        return (kernel + self.products * kernel**2) / (1 + self.products)

    def _field_kernel(self, name, vectors) -> np.ndarray:
        if name not in self.linear_fields:
            return rbf_kernel(vectors)
        vectors = np.asarray(vectors, np.float64)
        return vectors @ vectors.T

    def score(self, users):
        return np.asarray(self.train_.matrix[users][:, self.known_] @ self.item_weights_, np.float32)


class ColdStart(Recommender):
    """One list of known and new items: `warm` scores what has interactions, `content` what has none.

    The two speak in different units, and left alone the louder one fills the list. For each user the content's score
    of a new item is placed among its scores of the known items that the user has not had, and takes the warm score
    that stands at this place there (quantile matching). So new items come into a list as often as known items of the
    same standing.

    Parameters
    ----------
    warm, content : Recommender
        Fitted here. `content` must score known items as if they were new, as `KernelRidgeContent` does.
    cold_weight : float
        Factor on the distance between a matched score and the user's lowest: 1 treats new items as known ones, less
        is more careful with them, 0 puts them last.
    """

    def __init__(self, warm: Recommender, content: KernelRidgeContent, *, cold_weight: float = 1.0):
        self.warm, self.content, self.cold_weight = warm, content, cold_weight

    def _fit(self, train, item_vectors):
        if not self.cold_weight >= 0:
            raise ValueError(f"cold_weight must not be negative, but is {self.cold_weight}")
        self.warm.fit(train, item_vectors)
        self.content.fit(train, item_vectors)
        self.cold_ = np.flatnonzero(train.item_counts == 0)

    def score(self, users):
        scores = np.array(self.warm.score(users), np.float32)
        content = np.asarray(self.content.score(users), np.float64)
        known = self.train_.item_counts > 0
        for row, user in enumerate(users):
            unseen = known.copy()
            unseen[self.train_.matrix[user].indices] = False
            new = content[row, self.cold_]
            if unseen.any():
                new = self._matched(new, np.sort(content[row, unseen]), np.sort(scores[row, unseen]).astype(np.float64))
            scores[row, self.cold_] = new
        return scores

    def _matched(self, new, content, warm) -> np.ndarray:
        """Content scores of new items on the warm scale; `content` and `warm` are sorted scores of known items."""
        matched = np.interp(new, content, warm)
        # Above the best known item there is no place to read: go on in the user's mean exchange rate.
        rate = (warm[-1] - warm[0]) / max(content[-1] - content[0], 1e-12)
        matched += rate * np.maximum(new - content[-1], 0)
        return warm[0] + self.cold_weight * (matched - warm[0])


def rbf_kernel(vectors) -> np.ndarray:
    """exp(-|x - x'|^2) for every pair of rows, (n, d) -> (n, n) float64; a row of zeros is like itself only.

    >>> rbf_kernel(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])).round(3)
    array([[1.   , 0.135, 0.   ],
           [0.135, 1.   , 0.   ],
           [0.   , 0.   , 1.   ]])
    """
    vectors = np.asarray(vectors, np.float64)
    squared = (vectors**2).sum(axis=1)
    kernel = np.exp(-np.maximum(squared[:, None] + squared[None, :] - 2 * vectors @ vectors.T, 0))
    unknown = squared == 0
    kernel[unknown] = 0
    kernel[:, unknown] = 0
    kernel[np.diag_indices_from(kernel)] = 1
    return kernel


def _one_array(model, item_vectors) -> np.ndarray:
    if item_vectors is None or isinstance(item_vectors, dict):
        raise ValueError(f"{type(model).__name__} reads content: call fit(train, item_vectors) with one array")
    return np.asarray(item_vectors, np.float32)


def _unit(vectors) -> np.ndarray:
    """Rows scaled to length 1; a row of zeros stays."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
