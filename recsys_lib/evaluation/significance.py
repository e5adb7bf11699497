"""Tests of many differences at once: a paired permutation test a pair, and Holm's correction for all of them."""

from __future__ import annotations

import numpy as np

BLOCK_CELLS = 4_000_000  # signs x users held at once: 32 MB


def sign_flip_test(theirs, ours, *, n_flips: int = 10_000, rng=0) -> float:
    """Two-sided p of "the mean difference is 0", from random signs of the users' differences.

    If neither side is better, a user's difference is as likely to have the other sign. p is the share of random signs
    whose mean is as far from 0 as the observed one; the observed signs count as one of them, so the least p is
    1 / (n_flips + 1). Users whose value is NaN on a side are left out.

    Parameters
    ----------
    theirs, ours : (n_users,) arrays
    n_flips : int
    rng : int, Generator or None

    Source: Fisher 1935; for retrieval Smucker, Allan & Carterette, CIKM 2007.

    >>> sign_flip_test([0.0, 0.0, 0.5], [0.0, 0.0, 0.5])
    1.0
    """
    theirs, ours = np.asarray(theirs, dtype=float), np.asarray(ours, dtype=float)
    if theirs.ndim != 1 or theirs.shape != ours.shape:
        raise ValueError(f"theirs and ours must hold one number a user each, not {theirs.shape} and {ours.shape}")
    difference = theirs - ours
    difference = difference[~np.isnan(difference)]
    if difference.size < 2:
        raise ValueError("fewer than two users have a value on both sides")
    rng = np.random.default_rng(rng)
    least = abs(difference.sum()) * (1 - 1e-12)  # a hair below: the same sum in another order is as far from 0
    step, as_far = max(1, BLOCK_CELLS // difference.size), 0
    for start in range(0, n_flips, step):
        signs = rng.integers(2, size=(min(step, n_flips - start), difference.size), dtype=np.int8)
        as_far += int((np.abs((2.0 * signs - 1) @ difference) >= least).sum())
    return (1 + as_far) / (1 + n_flips)


def holm(p_values) -> np.ndarray:
    """p values corrected for their number: those below 0.05 are, all together, wrong with a chance of at most 0.05.

    The i-th smallest of m is multiplied by m - i + 1, never falls below a smaller one's, and is at most 1. It holds
    whatever the tests have to do with one another. Source: Holm, Scandinavian Journal of Statistics 6, 1979.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p_values = np.asarray(p_values, dtype=float)
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError("p_values must be a list of numbers between 0 and 1")
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected
