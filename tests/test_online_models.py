"""Live counts, live profiles and fold-in: equal to what is computed from scratch."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recsys_lib import models
from recsys_lib.interactions import Interactions
from recsys_lib.online import FadingFrequency, FadingPopularity, FoldIn, History, IncrementalItemKNN, LiveProfile

N_USERS, N_ITEMS = 40, 25


@pytest.fixture(scope="module")
def events():
    """900 events in the order of time, with repeats; users and items appear in the order of their codes."""
    rng = np.random.default_rng(0)
    users = np.minimum(rng.integers(0, N_USERS, 900), np.arange(900) // 8)
    items = np.minimum(rng.integers(0, N_ITEMS, 900), np.arange(900) // 12)
    return pd.factorize(users)[0], pd.factorize(items)[0], np.sort(rng.random(900) * 1e6)


def trained(events, stop):
    users, items, times = (each[:stop] for each in events)
    frame = pd.DataFrame({"user_id": users, "item_id": items, "timestamp": times})
    frame = frame.drop_duplicates(["user_id", "item_id"])
    return Interactions.from_frame(frame, range(users.max() + 1), range(items.max() + 1))


def learned(model, events, start, sizes=(1, 7, 40)):
    step = 0
    while start < len(events[0]):
        stop = start + sizes[step % len(sizes)]
        part = [each[start:stop] for each in events]
        model.learn(*part) if isinstance(
            model, FadingFrequency | FadingPopularity | IncrementalItemKNN
        ) else model.learn(*part[:2])
        start, step = stop, step + 1
    return model


def test_item_knn_equals_the_batch_model(events):
    everything = trained(events, 900)
    knn = learned(IncrementalItemKNN(k=6, shrinkage=3.0).fit(trained(events, 200)), events, 200)
    batch = models.ItemKNN(k=6, shrinkage=3.0, weighting="binary").fit(everything)
    np.testing.assert_allclose(knn.score(range(N_USERS)), batch.score(range(N_USERS)), rtol=1e-5, atol=1e-6)
    assert (knn.recommend(k=5).items == batch.recommend(k=5).items).all()


def first_events(events, start):
    """Training has each pair once: what counts is its first event there, and every event of the stream."""
    users, items, _ = events
    first = pd.DataFrame({"u": users[:start], "i": items[:start]}).duplicated().to_numpy()
    return np.r_[~first, np.ones(len(users) - start, bool)]


@pytest.mark.parametrize("half_life", [None, 5e4, 2e5])
def test_fading_popularity_equals_the_sum_over_events(events, half_life):
    model = learned(FadingPopularity(half_life=half_life).fit(trained(events, 200)), events, 200)
    _, items, times = (each[first_events(events, 200)] for each in events)
    weights = np.ones(len(times)) if half_life is None else 0.5 ** ((times[-1] - times) / half_life)
    np.testing.assert_allclose(model.counts_, np.bincount(items, weights, N_ITEMS), rtol=1e-12)
    assert (model.score([0, 3]) == model.counts_.astype(np.float32)).all()


@pytest.mark.parametrize("half_life", [None, 1e5])
def test_popularity_of_first_purchases(events, half_life):
    model = learned(FadingPopularity(half_life=half_life, repeats=False).fit(trained(events, 200)), events, 200)
    users, items, times = events
    first = ~pd.DataFrame({"u": users, "i": items}).duplicated().to_numpy()
    weights = np.ones(first.sum()) if half_life is None else 0.5 ** ((times[-1] - times[first]) / half_life)
    np.testing.assert_allclose(model.counts_, np.bincount(items[first], weights, N_ITEMS), rtol=1e-12)
    if half_life is None:
        assert (model.counts_ == trained(events, 900).item_counts).all()


@pytest.mark.parametrize("half_life", [None, 1e5])
def test_own_frequency_equals_the_sum_over_events(events, half_life):
    model = learned(FadingFrequency(half_life=half_life).fit(trained(events, 200)), events, 200)
    users, items, times = (each[first_events(events, 200)] for each in events)
    weights = np.ones(len(times)) if half_life is None else 0.5 ** ((times[-1] - times) / half_life)
    counts = np.zeros((N_USERS, N_ITEMS))
    np.add.at(counts, (users, items), weights)
    np.testing.assert_allclose(model.counts_, counts, rtol=1e-12)
    often = model.recommend([3], k=5, exclude=False).items[0]
    assert (np.diff(counts[3, often]) <= 1e-12).all() and counts[3, often[0]] == counts[3].max()


def test_fading_item_knn_equals_the_sum_over_pairs(events):
    half_life, times = 1e5, events[2]
    model = learned(IncrementalItemKNN(half_life=half_life).fit(trained(events, 200)), events, 200)
    first = {}
    for user, item, time in zip(*events, strict=True):
        first.setdefault((int(user), int(item)), time)
    pairs = np.zeros((N_ITEMS, N_ITEMS))
    for (user, item), time in first.items():
        for (other, second), later in first.items():
            if user == other:
                pairs[item, second] += 0.5 ** ((times[-1] - max(time, later)) / half_life)
    np.testing.assert_allclose(model._pairs, pairs, rtol=1e-11)


def test_live_profile_reads_new_histories_with_old_weights(events):
    train = trained(events, 400)
    live = LiveProfile(models.EASE(l2=10.0)).fit(train)
    frozen = LiveProfile(models.EASE(l2=10.0), live=False).fit(train)
    weights = live.model.item_weights_.copy()
    for model in (live, frozen):
        learned(model, events, 400)
    history = live.history_.to_csr()[:, : train.n_items]
    np.testing.assert_allclose(live.score([0, 5])[:, : train.n_items], history[[0, 5]] @ weights, atol=1e-5)
    np.testing.assert_allclose(frozen.score([0])[:, : train.n_items], train.matrix[[0]] @ weights, atol=1e-5)
    live.refit()
    whole = models.EASE(l2=10.0).fit(trained(events, 900))
    np.testing.assert_allclose(live.model.item_weights_, whole.item_weights_, atol=1e-6)
    assert (live.recommend(k=4).items == whole.recommend(k=4).items).all()


def test_live_profile_is_fitted_again_after_new_items(events):
    train, vectors = trained(events, 100), np.random.default_rng(0).normal(size=(N_ITEMS, 4))
    read = LiveProfile(models.L3AE()).fit(train, vectors[: train.n_items])
    frozen = LiveProfile(models.EASE(l2=10.0), live=False).fit(train)
    for model, item_vectors in ((read, vectors), (frozen, None)):
        learned(model, events, 100)
        model.refit(item_vectors)
        assert model.score([0]).shape == (1, N_ITEMS)
    read.refit()  # on the vectors that it has by now
    whole = models.L3AE().fit(trained(events, 900), vectors)
    np.testing.assert_allclose(read.model.item_weights_, whole.item_weights_, atol=1e-5)
    old = np.pad(train.matrix[[0]].toarray(), ((0, 0), (0, N_ITEMS - train.n_items)))
    np.testing.assert_allclose(frozen.score([0]), old @ frozen.model.item_weights_, atol=1e-5)


def test_who_has_no_history_gets_what_is_popular(events):
    train = trained(events, 100)
    model = LiveProfile(models.EASE(), live=False).fit(train)
    newcomer = train.n_users
    model.learn([newcomer], [0])
    assert (model.score([newcomer])[0] == train.item_counts).all()


def test_fold_in_is_the_minimum_for_users_and_items(events):
    train = trained(events, 500)
    model = learned(FoldIn(models.ALS(n_factors=4, regularisation=2.0)).fit(train), events, 500, sizes=(25,))
    assert model.user_factors_.shape == (N_USERS, 4) and model.als.item_factors_.shape == (N_ITEMS, 4)
    row = model.history_[[3]]
    np.testing.assert_allclose(model.user_factors_[3], model.als.fold_in(row)[0], atol=1e-9)

    def loss(x, fixed, seen):  # of one row, written as in the paper
        confidence = np.where(seen, 1 + model.als.alpha, 1.0)
        return (confidence * (seen - fixed @ x) ** 2).sum() + model.als.regularisation * x @ x

    column = sparse.csr_matrix(np.random.default_rng(0).integers(0, 2, (N_USERS, 1)))
    found = model.als.fold_in_items(column, model.user_factors_)[0]
    seen = column.toarray().ravel().astype(bool)
    best = loss(found, model.user_factors_, seen)
    for _ in range(20):
        assert loss(found + np.random.default_rng(1).normal(0, 0.05, 4), model.user_factors_, seen) > best
    with pytest.raises(ValueError, match="factors of 40 users"):
        model.als.fold_in_items(column[:5], model.user_factors_)


def test_a_new_item_is_folded_in_and_again_when_its_count_has_doubled():
    matrix = sparse.csr_matrix(np.random.default_rng(0).integers(0, 2, (20, 8)), dtype=np.float32)
    model = FoldIn(models.ALS(n_factors=3, regularisation=1.0)).fit(
        Interactions(matrix, pd.RangeIndex(20), pd.RangeIndex(8))
    )
    old = model.als.item_factors_.copy()
    model.learn([0], [8])
    first = model.als.item_factors_[8].copy()
    assert first.any() and (model.als.item_factors_[:8] == old).all()
    model.learn([1, 2], [8, 8])
    assert not np.allclose(model.als.item_factors_[8], first)
    third = model.als.item_factors_[8].copy()
    model.learn([3], [8])
    assert (model.als.item_factors_[8] == third).all()  # four is not twice three
    assert model.recommend([0], k=2).items.shape == (1, 2)


def test_history_grows_and_tells_what_is_new():
    history = History([], [], [])
    assert {u: i.tolist() for u, i in history.learn([0, 1, 0], [0, 1, 1]).items()} == {0: [0, 1], 1: [1]}
    assert {u: i.tolist() for u, i in history.learn([0, 2], [1, 0]).items()} == {0: [], 2: [0]}
    assert history.to_csr().toarray().tolist() == [[1, 1], [0, 1], [1, 0]]
    assert history.item_counts.tolist() == [2, 2] and history.lengths.tolist() == [2, 1, 1]


def test_time_must_not_run_backwards(events):
    model = FadingPopularity(half_life=1e5).fit(trained(events, 200))
    with pytest.raises(ValueError, match="order of time"):
        model.learn([0, 1], [0, 1], [1e9, 1e8])
    with pytest.raises(ValueError, match="older than"):
        model.learn([0], [0], [0.0])
    with pytest.raises(ValueError, match="finite time"):
        model.learn([0], [0])
    with pytest.raises(ValueError, match="half_life must be positive"):
        FadingPopularity(half_life=0).fit(trained(events, 200))
