"""ALS for implicit feedback: weighted matrix factorisation with confidences, one least-squares problem a row."""

from __future__ import annotations

import numba
import numpy as np
from scipy import sparse

from recsys_lib.models.base import Recommender


class ALS(Recommender):
    """min over X, Y of sum_ui c_ui (p_ui - x_u.y_i)^2 + regularisation (|X|^2 + |Y|^2), p = 1[seen], c = 1 + alpha p.

    Hu, Koren & Volinsky, ICDM 2008, eq. 3. A sweep improves each row by a few steps of conjugate gradient
    from where it stands (Takacs et al., RecSys 2011), which costs f^2 + f * (interactions of the row) a step
    instead of a solve; `fold_in` gives the exact minimum (eq. 4) for new rows.

    Parameters
    ----------
    n_factors : int
    regularisation : float
    alpha : float
        Extra confidence of a seen cell.
    n_iterations : int
        Sweeps over users and items.
    rng : int, numpy Generator or None
        Starting point.

    Attributes
    ----------
    user_factors_ : (n_users, n_factors) float32
    item_factors_ : (n_items, n_factors) float32
    """

    def __init__(
        self, *, n_factors: int = 16, regularisation: float = 30.0, alpha: float = 3.0, n_iterations: int = 15, rng=0
    ):
        self.n_factors, self.regularisation, self.alpha = n_factors, regularisation, alpha
        self.n_iterations, self.rng = n_iterations, rng

    def _fit(self, train, item_vectors):
        if self.n_factors < 1 or self.regularisation < 0 or self.alpha <= 0:
            raise ValueError(
                f"ALS needs n_factors >= 1, regularisation >= 0 and alpha > 0, not "
                f"{self.n_factors}, {self.regularisation}, {self.alpha}"
            )
        rng = np.random.default_rng(self.rng)
        by_user = train.matrix
        by_item = by_user.T.tocsr()
        users = (rng.random((train.n_users, self.n_factors), np.float32) - 0.5) / self.n_factors
        items = (rng.random((train.n_items, self.n_factors), np.float32) - 0.5) / self.n_factors
        for _ in range(self.n_iterations):
            self._sweep(by_user, users, items)
            self._sweep(by_item, items, users)
        self.user_factors_, self.item_factors_ = users, items

    def _sweep(self, matrix: sparse.csr_matrix, solved: np.ndarray, fixed: np.ndarray) -> None:
        gram = fixed.T @ fixed + np.float32(self.regularisation) * np.eye(self.n_factors, dtype=np.float32)
        _conjugate_gradient(matrix.indptr, matrix.indices, np.float32(self.alpha), solved, fixed, gram, 3)

    def fold_in(self, matrix: sparse.csr_matrix) -> np.ndarray:
        """Factors of new users by the closed form: (n, n_items) interactions -> (n, n_factors) float64.

        x_u = (Y'Y + alpha sum_i y_i y_i' + regularisation I)^-1 (1 + alpha) sum_i y_i   (Hu et al., eq. 4)
        """
        matrix = sparse.csr_matrix(matrix)
        if matrix.shape[1] != len(self.item_factors_):
            raise ValueError(
                f"the new rows have {matrix.shape[1]} columns, but the model knows {len(self.item_factors_)} items"
            )
        return self._solve(matrix, self.item_factors_)

    def fold_in_items(self, matrix: sparse.csc_matrix, user_factors=None) -> np.ndarray:
        """Factors of new items, the same with the sides exchanged (eq. 5): (n_users, n) -> (n, n_factors) float64.

        user_factors : (n_users, n_factors), if the rows are not (only) those of the training users.
        """
        users = self.user_factors_ if user_factors is None else np.asarray(user_factors)
        if matrix.shape[0] != len(users):
            raise ValueError(
                f"the new columns have {matrix.shape[0]} rows, but there are factors of {len(users)} users"
            )
        return self._solve(sparse.csr_matrix(matrix.T), users)

    def _solve(self, matrix: sparse.csr_matrix, fixed: np.ndarray) -> np.ndarray:
        fixed = fixed.astype(np.float64)
        gram = fixed.T @ fixed + self.regularisation * np.eye(self.n_factors)
        factors = np.zeros((matrix.shape[0], self.n_factors))
        for row in range(matrix.shape[0]):
            seen = fixed[matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]]
            factors[row] = np.linalg.solve(gram + self.alpha * seen.T @ seen, (1 + self.alpha) * seen.sum(axis=0))
        return factors

    def score(self, users):
        # In float64, so that a user's rounded scores do not depend on the batch that the product was made in.
        return (self.user_factors_[users].astype(float) @ self.item_factors_.T.astype(float)).astype(np.float32)


@numba.njit(parallel=True, fastmath=True, cache=True)
def _conjugate_gradient(indptr, indices, alpha, solved, fixed, gram, n_steps):
    """In place: a few steps on (gram + alpha sum_i y_i y_i') x = (1 + alpha) sum_i y_i for each row x of `solved`."""
    n_factors = solved.shape[1]
    for row in numba.prange(len(indptr) - 1):
        x = solved[row]
        if indptr[row] == indptr[row + 1]:
            x[:] = 0
            continue
        residual = -(gram @ x)
        for position in range(indptr[row], indptr[row + 1]):
            y = fixed[indices[position]]
            dot = np.float32(0)
            for f in range(n_factors):
                dot += y[f] * x[f]
            coefficient = (1 + alpha) - alpha * dot
            for f in range(n_factors):
                residual[f] += coefficient * y[f]
        direction = residual.copy()
        product = np.empty_like(x)
        energy = np.float32(0)
        for f in range(n_factors):
            energy += residual[f] * residual[f]
        for _ in range(n_steps):
            if energy < 1e-20:
                break
            for f in range(n_factors):
                total = np.float32(0)
                for g in range(n_factors):
                    total += gram[f, g] * direction[g]
                product[f] = total
            for position in range(indptr[row], indptr[row + 1]):
                y = fixed[indices[position]]
                dot = np.float32(0)
                for f in range(n_factors):
                    dot += y[f] * direction[f]
                dot *= alpha
                for f in range(n_factors):
                    product[f] += dot * y[f]
            curvature = np.float32(0)
            for f in range(n_factors):
                curvature += direction[f] * product[f]
            length = energy / curvature
            new_energy = np.float32(0)
            for f in range(n_factors):
                x[f] += length * direction[f]
                residual[f] -= length * product[f]
                new_energy += residual[f] * residual[f]
            ratio = new_energy / energy
            for f in range(n_factors):
                direction[f] = residual[f] + ratio * direction[f]
            energy = new_energy
