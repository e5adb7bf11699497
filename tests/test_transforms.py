"""Transforms of encoded vectors: properties that a person can check."""

import numpy as np
import pytest

from recsys_lib.encoders.transforms import RemoveTopComponents, Whiten, anisotropy


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((6, 6)) * [5, 3, 1, 1, 0.5, 0.2]
    return (rng.standard_normal((200, 6)) @ mixing.T + 4).astype(np.float32)


@pytest.mark.parametrize("n_components", [None, 3])
def test_whitened_vectors_have_the_identity_as_covariance(vectors, n_components):
    whitened = Whiten(n_components, epsilon=0).fit_transform(vectors)
    assert whitened.dtype == np.float32 and whitened.shape == (200, n_components or 6)
    assert whitened.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert np.cov(whitened.T) == pytest.approx(np.eye(n_components or 6), abs=1e-4)


def test_whitening_keeps_mahalanobis_distances(vectors):
    whitened = Whiten(epsilon=0).fit_transform(vectors).astype(float)
    difference = vectors[0].astype(float) - vectors[1]
    expected = difference @ np.linalg.inv(np.cov(vectors.T)) @ difference
    assert np.square(whitened[0] - whitened[1]).sum() == pytest.approx(expected, rel=1e-4)


def test_epsilon_holds_small_directions_back():
    flat = np.random.default_rng(0).standard_normal((50, 2)) * [1, 1e-6]
    variances = Whiten(epsilon=1e-3).fit_transform(flat).var(axis=0)
    assert variances[0] > 0.9 and variances[1] < 1e-6
    fewer_than_dimensions = np.random.default_rng(0).standard_normal((5, 10))
    assert np.isfinite(Whiten().fit_transform(fewer_than_dimensions)).all()
    with pytest.raises(ValueError, match="no variance"):
        Whiten(epsilon=0).fit(fewer_than_dimensions)


def test_the_top_direction_is_gone_and_nothing_else(vectors):
    removed = RemoveTopComponents(2).fit_transform(vectors)
    assert removed.shape == vectors.shape and removed.dtype == np.float32
    before, after = (np.linalg.eigvalsh(np.cov(each.T))[::-1] for each in (vectors, removed))
    assert after[:4] == pytest.approx(before[2:], rel=1e-3) and after[4:] == pytest.approx(0, abs=1e-4)
    assert RemoveTopComponents(0).fit_transform(vectors) == pytest.approx(vectors - vectors.mean(axis=0), abs=1e-4)


def test_new_vectors_are_judged_by_the_fitted_ones(vectors):
    for transform in (Whiten(3), RemoveTopComponents(1)):
        fitted = transform.fit(vectors)
        assert fitted.transform(vectors[:7]) == pytest.approx(fitted.transform(vectors)[:7], abs=1e-5)


def test_anisotropy_is_the_mean_cosine_of_pairs(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    expected = (cosines.sum() - np.trace(cosines)) / (200 * 199)
    assert anisotropy(vectors) == pytest.approx(expected, abs=1e-5)
    assert anisotropy(np.vstack([vectors, np.zeros((5, 6))])) == pytest.approx(expected, abs=1e-5)
    assert np.isnan(anisotropy(vectors[:1])) and anisotropy([[1, 0], [-1, 0]]) == -1
    assert abs(anisotropy(RemoveTopComponents(1).fit_transform(vectors))) < anisotropy(vectors)


@pytest.mark.parametrize("transform", [Whiten(), RemoveTopComponents()])
def test_bad_input(transform, vectors):
    with pytest.raises(ValueError, match="not fitted"):
        transform.transform(vectors)
    holed = vectors.copy()
    holed[3, 1] = np.nan
    with pytest.raises(ValueError, match="row 3"):
        transform.fit(holed)
    with pytest.raises(ValueError, match="at least 2"):
        transform.fit(vectors[:1])
    with pytest.raises(ValueError, match="all vectors are the same"):
        transform.fit(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"shape \(6,\)"):
        transform.fit(vectors[0])
    with pytest.raises(ValueError, match="5 dimensions"):
        transform.fit(vectors).transform(vectors[:, :5])


def test_bad_settings(vectors):
    with pytest.raises(ValueError, match="only 6"):
        Whiten(7).fit(vectors)
    with pytest.raises(ValueError, match="only 6"):
        RemoveTopComponents(7).fit(vectors)
    for make in (lambda: Whiten(0), lambda: Whiten(epsilon=-1), lambda: RemoveTopComponents(-1)):
        with pytest.raises(ValueError):
            make()
