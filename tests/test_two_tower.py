"""TwoTower, on a tiny BERT with random weights that is made here: no network, no asset."""

import subprocess
import sys

import numpy as np
import pytest
from tiny_models import save_bert

from recsys_lib.interactions import Interactions
from recsys_lib.models.two_tower import TwoTower, _ItemTower, _Pairs

N_USERS, N_ITEMS, COLD = 60, 24, (0, 1)  # even columns are about the sea, odd ones about the moon


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("bert"), words=("sea", "moon"), n_layers=3)


@pytest.fixture(scope="module")
def texts():
    return [f"{'moon' if item % 2 else 'sea'} {'abcdefghijkl'[item // 2]}{item}" for item in range(N_ITEMS)]


@pytest.fixture(scope="module")
def train():
    """Even users had even items, odd users odd ones; low columns are popular; columns 0 and 1 are cold."""
    rng = np.random.default_rng(0)
    same = np.arange(N_USERS)[:, None] % 2 == np.arange(N_ITEMS) % 2
    matrix = (rng.random((N_USERS, N_ITEMS)) < 0.9 / (1 + np.arange(N_ITEMS) / 6)) & same
    matrix[:, list(COLD)] = False
    return _interactions(matrix)


def _interactions(matrix):
    import pandas as pd

    rows, columns = np.nonzero(matrix)
    frame = pd.DataFrame({"user_id": rows, "item_id": columns})
    return Interactions.from_frame(frame, range(matrix.shape[0]), range(matrix.shape[1]))


@pytest.fixture
def small(tiny_bert, texts):
    """TwoTower with sizes for the toy set."""
    return lambda **changes: TwoTower(
        **{"item_texts": texts, "name_or_path": tiny_bert, "batch_size": 16, "users_per_item": 4, "epochs": 2} | changes
    )


def test_before_the_first_step_it_is_a_cosine_profile(small, train, texts, tiny_bert, tmp_path, monkeypatch):
    from recsys_lib.encoders import TextEncoder

    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path))
    vectors = TextEncoder(tiny_bert).encode(texts)
    model = small(trainable_layers=1, learning_rate=0.0, map_learning_rate=0.0, temperature=0.5).fit(train)
    assert model.item_vectors_ == pytest.approx(vectors, abs=1e-5)
    matrix = train.matrix.toarray()
    profiles = matrix @ vectors / np.maximum(matrix.sum(1), 1)[:, None]
    assert model.score(np.arange(N_USERS)) == pytest.approx(profiles @ vectors.T / 0.5, abs=1e-4)


@pytest.mark.parametrize("log_q", [True, False])
def test_the_loss_is_the_one_of_the_docstring(small, train, texts, tiny_bert, log_q):
    import torch

    tower, pairs = _ItemTower(tiny_bert, 0, texts), _Pairs(train)
    user_map = torch.nn.Linear(16, 16)
    table = tower.encode_all()
    items, users = pairs.draw(6, 3, np.random.default_rng(1))
    items[1], users[1] = items[0], users[0][::-1]  # an item drawn twice
    model = small(log_q=log_q, temperature=0.3)
    loss = model._loss((items, users), pairs, tower, user_map, table.clone()).item()

    weight, bias = user_map.weight.detach().numpy(), user_map.bias.detach().numpy()
    matrix, vectors, q = train.matrix.toarray(), table.numpy(), train.item_counts / train.matrix.nnz
    expected = []
    for column, positive in enumerate(items):
        for user in users[column]:
            others = [item for item in np.flatnonzero(matrix[user]) if item != positive]
            profile = vectors[others].mean(0) if others else np.zeros(16)
            logits = vectors[items] @ (weight @ profile + bias) / 0.3 - (np.log(q[items]) if log_q else 0)
            counted = [place for place, item in enumerate(items) if place == column or not matrix[user, item]]
            expected.append(np.log(np.exp(logits[counted]).sum()) - logits[column])
    assert loss == pytest.approx(np.mean(expected), abs=1e-5)


def test_pairs_are_drawn_as_often_as_they_should(train):
    pairs = _Pairs(train)
    items, users = pairs.draw(20_000, 2, np.random.default_rng(0))
    cells = np.zeros((N_USERS, N_ITEMS))
    np.add.at(cells, (users.ravel(), np.repeat(items, 2)), 1)
    matrix = train.matrix.toarray()
    assert cells[matrix == 0].sum() == 0
    expected = 40_000 / train.matrix.nnz  # each interaction equally often
    assert cells[matrix > 0].min() > 0.6 * expected and cells[matrix > 0].max() < 1.4 * expected
    assert pairs.share.sum() == pytest.approx(1)


def test_the_correction_keeps_popularity(small, train):
    """s estimates log p(i | u) with log q and log p(i | u) / p(i) without: one unit of log popularity apart."""
    sea = np.arange(2, N_ITEMS, 2)
    slope = {}
    for log_q in (True, False):
        model = small(trainable_layers=0, epochs=60, map_learning_rate=1e-2, temperature=0.2, log_q=log_q).fit(train)
        score = model.score(np.arange(0, N_USERS, 2))[:, sea].mean(axis=0)
        slope[log_q] = np.polyfit(np.log(train.item_counts[sea]), score, 1)[0]
    assert slope[True] - slope[False] == pytest.approx(1, abs=0.5)


def test_cold_items_go_to_the_right_users(small, train):
    model = small(epochs=12, learning_rate=1e-3, map_learning_rate=3e-3).fit(train)
    top = model.recommend(k=1, items=COLD).items[:, 0]
    has_history = np.diff(train.matrix.indptr) > 0
    assert (top == np.arange(N_USERS) % 2)[has_history].mean() > 0.9
    assert model.losses_[-1] < model.losses_[0]


def test_only_the_chosen_layers_learn(tiny_bert, texts, train, small):
    layer = sum(value.numel() for value in _ItemTower(tiny_bert, 1, texts).trainable)
    assert sum(value.numel() for value in _ItemTower(tiny_bert, 3, texts).trainable) == 3 * layer
    frozen = small(trainable_layers=0).fit(train)
    assert frozen.n_trainable_ == 16 * 16 + 16
    assert small(trainable_layers=2).fit(train).n_trainable_ == frozen.n_trainable_ + 2 * layer
    assert (frozen.item_vectors_ == _ItemTower(tiny_bert, 0, texts).encode_all().numpy()).all()


def test_the_same_rng_gives_the_same_model_and_leaves_torch_alone(small, train):
    import torch

    state = torch.random.get_rng_state()
    first, again, other = (small(rng=rng).fit(train) for rng in (3, 3, 4))
    assert (torch.random.get_rng_state() == state).all()
    users = np.arange(N_USERS)
    assert (first.score(users) == again.score(users)).all()
    assert (first.score(users) != other.score(users)).any()
    assert first.score(users).dtype == np.float32
    assert first.score([7])[0] == pytest.approx(first.score(users)[7], abs=1e-5)


def test_after_epoch_sees_a_model_that_scores(small, train):
    seen = []
    small(epochs=3, after_epoch=lambda model: seen.append(model.score([0]).shape)).fit(train)
    assert seen == [(1, N_ITEMS)] * 3


def test_texts_and_histories_that_are_short(small, train, texts, tiny_bert):
    vectors = _ItemTower(tiny_bert, 0, ["", "sea", "玩具总动员 🎬", "moon " * 5000]).encode_all().numpy()
    assert np.isfinite(vectors).all() and np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    matrix = train.matrix.toarray() > 0
    matrix[0], matrix[1] = False, False
    matrix[1, 5] = True  # one user with nothing, one with a single item: without his positive he has nothing either
    assert np.isfinite(small().fit(_interactions(matrix)).score(np.arange(N_USERS))).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item_texts": ["sea"] * 5}, "5 item_texts, but 24 items"),
        ({"item_texts": ["sea", float("nan")] + ["moon"] * 22}, "text 1 is nan"),
        ({"trainable_layers": 4}, "between 0 and 3"),
        ({"trainable_layers": -1}, "between 0 and 3"),
        ({"batch_size": 1}, "batch_size must be a whole number of at least 2"),
        ({"users_per_item": 0}, "users_per_item"),
        ({"epochs": 0}, "epochs"),
        ({"temperature": 0}, "temperature must be positive"),
    ],
)
def test_bad_input(small, train, changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes).fit(train)


def test_importing_it_does_not_import_torch():
    code = "import sys, recsys_lib.models.two_tower; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_difference_of_the_stored_experiment_is_a_paired_mean_over_users_and_splits():
    from recsys_lib import evaluation
    from recsys_lib.experiments.item_tower import difference

    rng = np.random.default_rng(0)
    these, those = rng.random((50, 2)), rng.random((50, 2))
    these[3, 0] = those[3, 0] = np.nan  # a user whom the first split does not test
    one = evaluation.confidence_interval((these - those)[:, 1])
    assert difference(these[:, 1:], those[:, 1:]) == pytest.approx(tuple(one))
    value, low, high = difference(these, those)
    assert value == pytest.approx(np.nanmean(these - those, axis=0).mean())
    assert low < value < high and high - low < one.high - one.low
