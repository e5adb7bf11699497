"""The article's λ/β objective as it stands, and the closed forms on the way from it to a model that works.

Everything here is NumPy on small arrays: notebook 05 derives it, the tests hold every formula against finite
differences and autograd. What is worth recommending with is `FeatureIALS` and `LambdaBetaRecommender`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class ArticleObjective:
    r"""The last formula of the article's section 4.3, with its two free indices read as sums.

    .. math:: J = \sum_{u,i} y_{ui} E_i^\top X_u + \lambda \sum_{u,i} y_{ui} X_u^\top X_u
              + \beta \sum_{u,i} Y_i^\top X_u

    Attributes
    ----------
    ratings : sparse (n_users, n_items), y; not negative
    user_weight : float, lambda
    related_weight : float, beta
    """

    ratings: sparse.csr_matrix
    user_weight: float = 0.5
    related_weight: float = 0.5

    def value(self, users, items, related) -> float:
        """J of user vectors X (n_users, d), item vectors E and related-item vectors Y (n_items, d)."""
        content = np.sum((self.ratings @ items) * users)
        own = self.user_weight * np.sum(self._user_mass()[:, None] * users**2)
        return float(content + own + self.related_weight * related.sum(axis=0) @ users.sum(axis=0))

    def gradients(self, users, items, related) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """dJ/dX, dJ/dE, dJ/dY, with the shapes of the arguments."""
        of_users = self.ratings @ items + 2 * self.user_weight * self._user_mass()[:, None] * users
        of_users = of_users + self.related_weight * related.sum(axis=0)
        of_related = np.tile(self.related_weight * users.sum(axis=0), (len(related), 1))
        return of_users, self.ratings.T @ users, of_related

    def bound(self) -> float:
        """What J cannot exceed while all vectors have length 1 (beta >= 0), and reaches when all of them are equal."""
        n_users, n_items = self.ratings.shape
        return float((1 + self.user_weight) * self.ratings.sum() + self.related_weight * n_users * n_items)

    def ascend(self, users, items, related, free=("items", "related", "users")) -> Iterator[tuple[np.ndarray, ...]]:
        """Maximise J on the unit sphere, one block after the other, for ever; yields (X, E, Y) after each round.

        J is linear in each block there (the lambda term is constant), and a linear form is largest in its own
        direction: e_i = nrm(sum_u y_ui x_u), y_i = nrm(sum_u x_u), x_u = nrm(sum_i y_ui e_i + beta sum_i y_i).
        A vector whose direction is 0, such as that of an item without ratings, stays where it is. Only the blocks
        named in `free` move.
        """
        if unknown := set(free) - {"users", "items", "related"}:
            raise ValueError(f"free names {sorted(unknown)[0]!r}. The blocks are users, items and related")
        while True:
            if "items" in free:
                items = _towards(self.ratings.T @ users, items)
            if "related" in free:
                related = _towards(np.tile(self.related_weight * users.sum(axis=0), (len(related), 1)), related)
            if "users" in free:
                users = _towards(self.ratings @ items + self.related_weight * related.sum(axis=0), users)
            yield users, items, related

    def _user_mass(self) -> np.ndarray:
        return np.asarray(self.ratings.sum(axis=1)).ravel()


def _towards(direction: np.ndarray, old: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    return np.where(length > 1e-12, direction / np.maximum(length, 1e-12), old)


def sphere(shape: tuple[int, int], rng=0) -> np.ndarray:
    """Random unit vectors, one a row, float64."""
    drawn = np.random.default_rng(rng).standard_normal(shape)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def mean_cosine(vectors) -> float:
    """Mean cosine over pairs of different rows of unit vectors, through |sum|^2 instead of the pairs; ILD is 1 - it.

    >>> mean_cosine(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).round(4)
    np.float64(0.3333)
    """
    n = len(vectors)
    return (np.sum(vectors.sum(axis=0) ** 2) - n) / (n * (n - 1))


def ridge_users(ratings, items, related, related_weight: float, penalty) -> np.ndarray:
    """The user vectors that maximise J once lambda has the sign of a penalty: (n_users, d), unique.

    argmax over X of sum_ui y_ui e_i.x_u + beta sum_ui y_i.x_u - 1/2 sum_u mu_u |x_u|^2 is
    x_u = (sum_i y_ui e_i + beta sum_i y_i) / mu_u. With beta = 0 and mu_u = sum_i y_ui it is the rating-weighted mean
    of the items' vectors, `ContentProfile`. `penalty` is mu: a positive number, or one a user.
    """
    penalty = np.broadcast_to(np.asarray(penalty, float), ratings.shape[0])
    if not (penalty > 0).all():
        raise ValueError("penalty must be positive for every user: without it the objective has no maximum")
    return (ratings @ items + related_weight * related.sum(axis=0)) / penalty[:, None]


def softmax_loss(users, items, weights, temperature: float) -> tuple[float, np.ndarray, np.ndarray]:
    r"""The content term with its missing denominator: L = - sum_ui w_ui log softmax_i(cos(x_u, e_i) / tau).

    Returns the loss and its gradients to the unnormalised vectors, (n_users, d) and (n_items, d); with h = x / |x| and
    W_u = sum_i w_ui,
    :math:`\nabla_{x_u} L = \frac{1}{\tau |x_u|} (I - h h^\top) \sum_i (W_u P_{ui} - w_{ui}) \hat e_i`,
    and the same with the roles exchanged for items. `weights` is sparse or dense (n_users, n_items), not negative.
    """
    weights = weights.toarray() if sparse.issparse(weights) else np.asarray(weights, float)
    user_length = np.linalg.norm(users, axis=1, keepdims=True)
    item_length = np.linalg.norm(items, axis=1, keepdims=True)
    x, e = users / user_length, items / item_length
    log_shares = log_softmax(x @ e.T / temperature)
    pull = weights.sum(axis=1, keepdims=True) * np.exp(log_shares) - weights  # dL / d(cos / tau)
    of_users, of_items = pull @ e, pull.T @ x
    of_users -= x * np.sum(of_users * x, axis=1, keepdims=True)
    of_items -= e * np.sum(of_items * e, axis=1, keepdims=True)
    loss = -float(np.sum(weights * log_shares))
    return loss, of_users / (temperature * user_length), of_items / (temperature * item_length)


def mixture_loss(terms, weights, logits, temperature: float) -> tuple[float, np.ndarray]:
    r"""The softmax loss as a function of the weights of the terms: s_ui = sum_k softmax(omega)_k s^k_ui / tau.

    `terms` is (n_terms, n_users, n_items), `logits` omega (n_terms,). Returns the loss and dL / d omega: with
    :math:`g_k = \frac1\tau \sum_{ui} (W_u P_{ui} - w_{ui}) s^k_{ui}` the gradient to the weights w, it is
    :math:`w_k (g_k - \sum_l w_l g_l)`.
    """
    weights = weights.toarray() if sparse.issparse(weights) else np.asarray(weights, float)
    shares = np.exp(log_softmax(np.asarray(logits, float)[None])[0])
    log_shares = log_softmax(np.tensordot(shares, terms, axes=1) / temperature)
    pull = weights.sum(axis=1, keepdims=True) * np.exp(log_shares) - weights
    slope = np.tensordot(terms, pull, axes=([1, 2], [0, 1])) / temperature
    return -float(np.sum(weights * log_shares)), shares * (slope - shares @ slope)


def log_det(vectors, ridge: float) -> tuple[float, np.ndarray]:
    """log det(VV' + ridge I) of (k, d) vectors and its gradient to V, 2 (VV' + ridge I)^-1 V: what spreads a list."""
    kernel = vectors @ vectors.T + ridge * np.eye(len(vectors))
    return float(np.linalg.slogdet(kernel)[1]), 2 * np.linalg.solve(kernel, vectors)


def log_softmax(scores) -> np.ndarray:
    """Row-wise, without overflow."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
