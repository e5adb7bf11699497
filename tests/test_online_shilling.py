"""Shilling: the attacks are what they say, the guard finds fakes and spares genuine histories, forgetting is exact."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recsys_lib.interactions import Interactions
from recsys_lib.models.linear import ease_weights
from recsys_lib.online import IncrementalEASE, shilling

N_USERS, N_ITEMS, TARGET = 400, 120, 7


@pytest.fixture(scope="module")
def genuine():
    """Four groups, each with its quarter of the items; popularity falls within a quarter; the target is rare."""
    rng = np.random.default_rng(0)
    own = np.arange(N_USERS)[:, None] % 4 == np.arange(N_ITEMS) % 4
    popularity = 1 - np.arange(N_ITEMS) / (1.4 * N_ITEMS)
    chance = np.where(own, 0.75, 0.05) * popularity
    chance[:, TARGET] = 0.01
    return sparse.csr_matrix((rng.random((N_USERS, N_ITEMS)) < chance).astype(np.float32))


@pytest.fixture(scope="module")
def guard(genuine):
    return shilling.Guard.of(genuine[:300], l2=50.0, refused=0.02, rng=0)


@pytest.mark.parametrize("attack", shilling.ATTACKS)
def test_fake_profiles_hold_the_target_and_are_as_long_as_they_should_be(genuine, attack):
    rows = shilling.fake_profiles(attack, 200, TARGET, genuine, 1)
    lengths = np.diff(rows.indptr)
    assert (rows[:, [TARGET]].toarray() == 1).all() and set(rows.data) == {1.0}
    if attack == "focused":
        assert (lengths == shilling.N_FOCUS + 1).all()
    else:
        assert abs(lengths.mean() - np.diff(genuine.indptr).mean() - 1) < 1.5


def test_fillers_are_drawn_as_their_names_say(genuine):
    known = np.bincount(genuine.indices, minlength=N_ITEMS)
    mean = {}
    for attack in (*shilling.ATTACKS, shilling.NOISE):
        rows = shilling.fake_profiles(attack, 300, TARGET, genuine, 1).toarray()
        rows[:, TARGET] = 0
        mean[attack] = (rows @ known).sum() / rows.sum()
    uniform, by_popularity = np.delete(known, TARGET).mean(), (known**2).sum() / known.sum()
    assert mean["random"] == pytest.approx(uniform, rel=0.05) and mean["noise"] == pytest.approx(uniform, rel=0.05)
    assert mean["copy"] == pytest.approx(by_popularity, rel=0.05)
    assert uniform < mean["average"] <= 1.05 * by_popularity < mean["bandwagon"] * 1.3 < mean["focused"] * 1.3
    assert shilling.fake_profiles("noise", 300, TARGET, genuine, 1)[:, [TARGET]].sum() < 150  # by chance only


def test_an_unknown_attack_is_refused(genuine):
    with pytest.raises(ValueError, match="there is no attack 'loud'"):
        shilling.fake_profiles("loud", 3, TARGET, genuine)


def test_fit_is_the_share_of_other_items_that_an_item_outranks(genuine):
    weights = ease_weights(genuine, 50.0)
    rows = genuine[:3]
    fit = shilling.fit_of_items(rows, weights)
    for row in range(3):
        items = rows[row].indices
        others = np.setdiff1d(np.arange(N_ITEMS), items)
        for item in items[:4]:
            scores = weights[np.setdiff1d(items, [item])].sum(axis=0)  # the item itself does not speak
            assert fit[row, item] == pytest.approx(np.mean(scores[others] < scores[item]))


def test_genuine_histories_cohere_and_those_put_together_by_popularity_do_not(genuine):
    weights, known = ease_weights(genuine[:300], 50.0), np.bincount(genuine[:300].indices, minlength=N_ITEMS)
    fakes = shilling.fake_profiles("average", 100, TARGET, genuine, 2)
    real, fake = (shilling.coherence(shilling.fit_of_items(rows, weights), known) for rows in (genuine[300:], fakes))
    assert np.median(fake) < np.quantile(real, 0.1)


def test_only_a_pushed_item_surges(genuine):
    share = (np.bincount(genuine[:300].indices, minlength=N_ITEMS) + 1) / 302
    assert shilling.surging_items(genuine[300:], share).size == 0
    fakes = shilling.fake_profiles("copy", 30, TARGET, genuine, 3)
    assert shilling.surging_items(sparse.vstack([genuine[300:], fakes]).tocsr(), share).tolist() == [TARGET]


@pytest.mark.parametrize("attack", ["random", "average", "bandwagon", "focused"])
def test_the_guard_finds_fakes_and_spares_genuine_newcomers(genuine, guard, attack):
    fakes = shilling.fake_profiles(attack, 15, TARGET, genuine, 4)
    found = guard.suspects(sparse.vstack([genuine[300:], fakes]).tocsr())
    assert found[100:].mean() > 0.8 and found[:100].mean() < 0.15
    assert guard.suspects(genuine[300:]).mean() < 0.1


def test_forgetting_what_was_suspected_leaves_no_trace(genuine, guard):
    fakes = shilling.fake_profiles("focused", 40, TARGET, genuine, 5)
    before = Interactions(genuine, pd.RangeIndex(N_USERS), pd.RangeIndex(N_ITEMS))
    model = IncrementalEASE(l2=50.0).fit(before)
    clean = model.item_weights
    arrived = model.add_users(fakes)
    assert np.abs(model.item_weights - clean).max() > 1e-3
    for row in arrived:
        model.forget(row)
    assert np.abs(model.item_weights - clean).max() < 1e-9


def test_hit_rate_counts_users_who_lack_the_target():
    train = sparse.csr_matrix(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32))
    lists = np.array([[1, 2], [0, 2], [1, -1]])
    assert shilling.hit_rate_of(0, lists, train) == 0.5
