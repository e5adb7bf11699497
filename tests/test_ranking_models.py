"""WARP, MultVAE and models of recency: against their formulas, and on planted problems."""

import numpy as np
import pandas as pd
import pytest
import torch
from content_case import COLD, all_scores, dense, interactions, without
from scipy import special

from recsys_lib import models
from recsys_lib.interactions import Interactions
from recsys_lib.models import recency, warp


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)  # compiled re-rankers leave OpenMP with more, which wait for each other in tiny networks


def timed(rows):
    """Interactions from (user, item, second)."""
    return Interactions.from_frame(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]))


# --- WARP ------------------------------------------------------------------------------------------------------------


def plain_epoch(order, draws, seen, features, users, user_squares, shared, squares, rate, user_l2, item_l2):
    """The docstring's rule, one interaction after the other, in float64; `seen` (n_users, n_items) 0 and 1."""
    n_items, cells, n_steps = len(features), np.argwhere(seen), 0
    for cell in order:
        u, i = cells[cell]
        for n, j in enumerate(draws[cell], start=1):
            liked, other, taste = features[i] @ shared, features[j] @ shared, users[u].copy()
            if seen[u, j] or taste @ other <= taste @ liked - 1:
                continue
            length = np.log(max(1, (n_items - 1) // n))
            gradient = length * (other - liked) + user_l2 * taste
            gradient[-1] = 0  # the last column of a user is the 1 that reads the bias
            users[u] -= rate * gradient / np.sqrt(user_squares[u])
            user_squares[u] += gradient**2
            for item, sign in ((i, -1), (j, 1)):
                for f in np.flatnonzero(features[item]):
                    gradient = sign * length * features[item, f] * taste + item_l2 * shared[f]
                    shared[f] -= rate * gradient / np.sqrt(squares[f])
                    squares[f] += gradient**2
            n_steps += 1
            break
    return n_steps


@pytest.mark.parametrize("item_vectors", [None, [[1, 0], [1, 1], [0, 0], [0, -2], [1, 0], [3, 1], [0, 1], [0, 0]]])
def test_an_epoch_of_warp_is_the_plain_loop(item_vectors, monkeypatch):
    rows = np.random.default_rng(0).random((6, 8)) < 0.4
    rows[3] = [1, 1, 1, 1, 1, 1, 1, 0]  # only one item to draw: some interactions find no violator
    train, seen, compiled = interactions(rows), [], warp._epoch

    def recorded(*arguments):
        seen.append([np.array(a, np.float64 if a.dtype.kind == "f" else int) for a in map(np.asarray, arguments)])
        compiled(*arguments)
        seen.append([np.array(a, float) for a in arguments[8:12]])

    monkeypatch.setattr(warp, "_epoch", recorded)
    settings = {"n_factors": 3, "epochs": 3, "learning_rate": 0.9, "max_draws": 8, "user_l2": 0.02, "item_l2": 0.03}
    model = models.WARPFactorization(**settings, rng=5).fit(train, item_vectors)
    own = np.hstack([np.eye(8), np.zeros((8, 0)) if item_vectors is None else np.array(item_vectors, float)])
    features = own / np.abs(own).sum(axis=1, keepdims=True)
    assert (seen[0][8][:, -1] == 1).all() and (seen[0][10][:, -1] == 0).all()  # users read the bias, which starts at 0
    steps = 0
    for before, after in zip(seen[::2], seen[1::2], strict=True):
        state = before[8:12]
        steps += plain_epoch(before[0], before[1], dense(train) > 0, features, *state, 0.9, 0.02, 0.03)
        for mine, theirs in zip(state, after, strict=True):
            assert theirs == pytest.approx(mine, rel=1e-5, abs=1e-4)
    assert 0 < steps < 3 * train.matrix.nnz  # steps were made, and not every interaction found a violator
    users, shared = seen[-1][0], seen[-1][2]
    expected = users @ (features @ shared).T
    assert all_scores(model) == pytest.approx(expected, abs=1e-4)
    assert all_scores(model) == pytest.approx(
        model.user_factors_ @ model.item_factors_.T + model.item_biases_, abs=1e-5
    )


def test_items_that_nobody_had_are_scored_by_what_they_share(tiny, tiny_train):
    train = without(tiny_train, COLD)
    genres = tiny.genre_vectors.copy()
    genres[COLD[1]] = genres[COLD[0]]  # the third one is of another genre
    scores = all_scores(models.WARPFactorization(n_factors=8).fit(train, genres))[:, COLD]
    alike, unlike = np.corrcoef(scores.T)[0, 1:]
    assert alike > 0.8 and alike > unlike + 0.5


def test_the_seed_decides_warp(tiny_train):
    one, again, other = (all_scores(models.WARPFactorization(epochs=3, rng=rng).fit(tiny_train)) for rng in (1, 1, 2))
    assert np.array_equal(one, again) and not np.allclose(one, other)


# --- MultVAE ---------------------------------------------------------------------------------------------------------


def initial(model, train):
    """The networks' (weight, bias) tables at the start, and one batch's dropped-out input and noise."""
    inputs = dense(train) / np.maximum(np.linalg.norm(dense(train), axis=1, keepdims=True), 1e-12)
    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.default_rng(model.rng).integers(2**31)))
        networks = model._networks(torch.nn, train.n_items)
        rows = torch.randperm(train.n_users)
        hidden = torch.nn.functional.dropout(torch.tensor(inputs, dtype=torch.float32)[rows], model.dropout)
        noise = torch.randn(train.n_users, model.n_factors).numpy().astype(float)
    layers = [
        (layer.weight.detach().numpy().astype(float), layer.bias.detach().numpy().astype(float))
        for network in networks
        for layer in (network[0], network[2])
    ]
    return layers, rows.numpy(), inputs, hidden.numpy().astype(float), noise


def through(layers, values):
    (first, shift), (second, other_shift) = layers
    return np.tanh(values @ first.T + shift) @ second.T + other_shift


def test_the_first_loss_of_the_vae_is_the_formula(tiny_train):
    settings = {"n_factors": 4, "n_hidden": 20, "kl_weight": 0.8, "dropout": 0.4, "rng": 3}
    model = models.MultVAE(epochs=4, batch_size=tiny_train.n_users, **settings).fit(tiny_train)
    layers, rows, _, hidden, noise = initial(model, tiny_train)
    mean, log_variance = np.split(through(layers[:2], hidden), 2, axis=1)
    decoded = through(layers[2:], mean + np.exp(log_variance / 2) * noise)
    log_shares = decoded - special.logsumexp(decoded, axis=1, keepdims=True)
    likelihood = (dense(tiny_train)[rows] * log_shares).sum(axis=1)
    # KL(N(m, v) | N(0, 1)) = (m^2 + v - 1 - log v) / 2; gamma has made the first of four steps
    divergence = ((mean**2 + np.exp(log_variance) - 1 - log_variance) / 2).sum(axis=1)
    assert model.losses_[0] == pytest.approx((0.2 * divergence - likelihood).mean(), rel=1e-5)
    assert divergence.mean() > 0.1 and len(model.losses_) == 4


def test_the_vae_scores_with_the_decoder_at_the_mean(tiny_train):
    # a step so small that the networks stay as they were made
    model = models.MultVAE(n_factors=4, n_hidden=20, epochs=1, learning_rate=1e-12).fit(tiny_train)
    layers, _, inputs, _, _ = initial(model, tiny_train)
    mean = through(layers[:2], inputs)[:, :4]
    assert all_scores(model) == pytest.approx(through(layers[2:], mean), abs=1e-5)


@pytest.mark.parametrize("heavy", [{"kl_weight": 100.0}, {"weight_decay": 10.0}])
def test_a_heavy_penalty_leaves_nothing_of_the_user(tiny_train, heavy):
    settings = {"n_factors": 4, "n_hidden": 20, "kl_weight": 0.0, "learning_rate": 1e-2}
    free, tied = (all_scores(models.MultVAE(**settings | more).fit(tiny_train)) for more in ({}, heavy))
    assert tied.std(axis=0).mean() < 0.05 * free.std(axis=0).mean()


def test_the_vae_counts_what_a_user_had_once(tiny_train):
    confident = Interactions(tiny_train.matrix * 3, tiny_train.user_ids, tiny_train.item_ids)
    one, three = (all_scores(models.MultVAE(epochs=2).fit(train)) for train in (tiny_train, confident))
    assert np.array_equal(one, three)


def test_the_vae_has_its_own_random_state(tiny_train):
    scores = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        scores.append(all_scores(models.MultVAE(epochs=2, rng=1).fit(tiny_train)))
        assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(*scores)
    assert not np.allclose(scores[0], all_scores(models.MultVAE(epochs=2, rng=2).fit(tiny_train)))


# --- a history that fades --------------------------------------------------------------------------------------------


def test_timestamps_are_on_the_cells_of_the_matrix():
    frame = pd.DataFrame(
        {"user_id": [2, 1, 1, 2], "item_id": ["b", "c", "a", "a"], "rating": [3.0, 4, 5, 1], "timestamp": [7, 0, 9, 5]}
    )
    train = Interactions.from_frame(frame)
    assert train.timestamps.toarray().tolist() == [[9, 0, 0], [5, 7, 0]] and train.timestamps.nnz == 4
    for cells in (train.timestamps, train.ratings):
        assert np.array_equal(cells.indices, train.matrix.indices)
        assert np.array_equal(cells.indptr, train.matrix.indptr)
    assert train.timestamps.dtype == np.float64
    assert Interactions.from_frame(frame.assign(timestamp=1.5e9 + frame["timestamp"])).timestamps[0, 2] == 1.5e9
    assert Interactions.from_frame(frame, min_rating=4).timestamps.data.tolist() == [9, 0]
    assert Interactions.from_frame(frame.drop(columns="timestamp")).timestamps is None


def test_at_least_keeps_the_cells_that_were_liked():
    frame = pd.DataFrame(
        {"user_id": [2, 1, 1, 3], "item_id": ["b", "c", "a", "a"], "rating": [3.0, 4, 5, 1], "timestamp": [7, 0, 9, 5]}
    )
    whole = Interactions.from_frame(frame)
    liked = whole.at_least(4)
    assert liked.matrix.toarray().tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert liked.timestamps.toarray()[0].tolist() == [9, 0, 0] and liked.timestamps.nnz == 2
    assert liked.ratings.data.tolist() == [5, 4] and liked.user_ids is whole.user_ids
    assert whole.at_least(3.5).matrix.nnz == 2 and whole.at_least(3).matrix.nnz == 3
    assert Interactions.from_frame(frame.drop(columns="timestamp")).at_least(4).timestamps is None
    with pytest.raises(ValueError, match="at_least needs ratings"):
        Interactions.from_frame(frame.drop(columns="rating")).at_least(4)


def test_faded_by_hand():
    # user 0: item 2, then 0 and 3 in one second, then 1; user 1: one interaction at second 0
    train = timed([(0, 0, 50), (0, 1, 90), (0, 2, 0), (0, 3, 50), (1, 1, 0)])
    expected = [[0.5**0.5, 1, 0.5**1.5, 0.5**0.5], [0, 1, 0, 0]]
    assert recency.faded(train, half_life=2).toarray() == pytest.approx(np.array(expected))


def test_fading_ease_reads_a_faded_history_with_the_weights_of_ease(tiny_train):
    plain = models.EASE(l2=30).fit(tiny_train)
    fading = models.FadingEASE(l2=30, half_life=2).fit(tiny_train)
    assert np.array_equal(fading.item_weights_, plain.item_weights_)
    expected = recency.faded(tiny_train, 2).toarray() @ plain.item_weights_
    assert all_scores(fading) == pytest.approx(expected, abs=1e-6)
    assert not np.allclose(all_scores(fading), all_scores(plain), atol=1e-3)
    slow = models.FadingEASE(l2=30, half_life=1e9).fit(tiny_train)
    assert all_scores(slow) == pytest.approx(all_scores(plain), abs=1e-6)


def test_fading_ease_follows_a_user_whose_taste_has_changed():
    # sixty users like the first or the last ten items, thirty go from one half to the other
    rng = np.random.default_rng(0)
    rows = []
    for user in range(90):
        halves = [np.flatnonzero(rng.random(10) < 0.6), 10 + np.flatnonzero(rng.random(10) < 0.6)][:: 1 - user % 2 * 2]
        history = halves[-1] if user < 60 else np.concatenate(halves)
        rows += [(user, item, when) for when, item in enumerate(history)]
    now = (np.arange(60, 90) % 2 == 0)[:, None]  # who likes the last ten now
    fading, always = (
        ((model.fit(timed(rows)).recommend(range(60, 90), k=3).items >= 10) == now).mean()
        for model in (models.FadingEASE(l2=10, half_life=2), models.EASE(l2=10))
    )
    assert fading > 0.8 and always < 0.7


# --- transitions -----------------------------------------------------------------------------------------------------


def plain_moments(history, n_items, half_life):
    """(past, future) of one user's [(second, item)], a row for every second in which something happened."""
    pasts, futures = [], []
    for now in sorted({time for time, _ in history}):
        past, future = np.zeros(n_items), np.zeros(n_items)
        for time, item in history:
            between = sum(min(time, now) < other <= now if time <= now else now < other < time for other, _ in history)
            (past if time <= now else future)[item] = 0.5 ** (between / half_life)
        pasts.append(past)
        futures.append(future)
    return pasts, futures


def histories(rng, n_users, n_items, longest, seconds):
    chosen = [rng.permutation(n_items)[: rng.integers(1, longest)] for _ in range(n_users)]
    return [list(zip(rng.integers(0, seconds, len(items)).tolist(), items.tolist(), strict=True)) for items in chosen]


def test_the_moments_of_slit_are_the_plain_loops():
    rng = np.random.default_rng(3)
    for half_life, longest, slack in ((2.5, 12, 1e-12), (1.0, 30, 1 / 32)):  # the second one sees the cut at 1 / 32
        told = histories(rng, 15, 30, longest, 18)
        train = timed([(user, item, time) for user, own in enumerate(told) for time, item in own])
        columns = train.item_ids.to_numpy()
        pairs = [plain_moments(own, 30, half_life) for own in told]
        for ours, side in zip(recency._moments(train, half_life), (0, 1), strict=True):
            plain = np.concatenate([pair[side] for pair in pairs])[:, columns]
            assert np.abs(ours.toarray() - plain).max() <= slack
            assert np.array_equal(ours.toarray() > 0, plain > slack)


def test_slit_minimises_its_loss(tiny_train):
    model = models.SLIT(l2=20, half_life=3).fit(tiny_train)
    past, future = (part.toarray() for part in recency._moments(tiny_train, 3))
    weights = model.item_weights_.astype(float)
    gradient = past.T @ (past @ weights - future) + 20 * weights
    assert np.abs(gradient).max() < 1e-3 * np.abs(past.T @ future).max()
    assert all_scores(model) == pytest.approx(recency.faded(tiny_train, 3).toarray() @ weights, abs=1e-5)


def test_slit_knows_what_follows_and_ease_does_not():
    # whoever has item i goes on to i + 1, from a start of his own
    rows = [(user, (user + step) % 30, step) for user in range(120) for step in range(8)]
    following = (np.arange(120) + 8) % 30
    slit, ease = (
        (model.fit(timed(rows)).recommend(k=1).items[:, 0] == following).mean()
        for model in (models.SLIT(l2=10, half_life=2), models.EASE(l2=10))
    )
    assert slit == 1 and ease < 0.7


# --- bad input -------------------------------------------------------------------------------------------------------

BAD = {
    "WARP, no factors": (lambda t: models.WARPFactorization(n_factors=0).fit(t), "n_factors.*at least 1, not 0"),
    "WARP, no epochs": (lambda t: models.WARPFactorization(epochs=0).fit(t), "epochs.*at least 1"),
    "WARP, no draws": (lambda t: models.WARPFactorization(max_draws=0).fit(t), "max_draws.*at least 1"),
    "WARP, rate": (lambda t: models.WARPFactorization(learning_rate=0).fit(t), "learning_rate must be positive"),
    "WARP, l2": (lambda t: models.WARPFactorization(item_l2=-1).fit(t), "item_l2 not negative"),
    "WARP, user l2": (lambda t: models.WARPFactorization(user_l2=-1).fit(t), "user_l2 and item_l2 not negative"),
    "WARP, a dict": (lambda t: models.WARPFactorization().fit(t, {"genre": np.ones((t.n_items, 2))}), "one array"),
    "VAE, no factors": (lambda t: models.MultVAE(n_factors=0).fit(t), "n_factors.*at least 1, not 0"),
    "VAE, no batch": (lambda t: models.MultVAE(batch_size=0).fit(t), "batch_size.*at least 1"),
    "VAE, no epochs": (lambda t: models.MultVAE(epochs=0).fit(t), "epochs.*at least 1"),
    "VAE, dropout": (lambda t: models.MultVAE(dropout=1.0).fit(t), r"dropout must lie in \[0, 1\).*1.0"),
    "VAE, divergence": (lambda t: models.MultVAE(kl_weight=-0.1).fit(t), "kl_weight.*not be negative.*-0.1"),
    "VAE, rate": (lambda t: models.MultVAE(learning_rate=np.nan).fit(t), "learning_rate must be positive.*nan"),
    "VAE, decay": (lambda t: models.MultVAE(weight_decay=-1).fit(t), "weight_decay must not be negative"),
    "half-life": (lambda t: models.FadingEASE(half_life=0).fit(t), "half_life must be positive, not 0"),
    "fading, l2": (lambda t: models.FadingEASE(l2=0).fit(t), "l2 must be positive"),
    "transitions, half-life": (lambda t: models.SLIT(half_life=0).fit(t), "half_life must be positive.* 0"),
    "transitions, l2": (lambda t: models.SLIT(l2=0).fit(t), "l2 and half_life must be positive, not 0"),
    "transitions without time": (lambda t: models.SLIT().fit(without(t, [])), "needs timestamps"),
    "fading without time": (lambda t: models.FadingEASE().fit(without(t, [])), "needs timestamps"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(tiny_train, name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call(tiny_train)
