"""Blend: weights that are chosen on held-out interactions, on members whose worth is planted."""

import numpy as np
import pytest
import torch
from content_case import Table, all_scores, dense, interactions, without
from scipy import special

from recsys_lib import metrics, models
from recsys_lib.models import base, blend, probability
from recsys_lib.models.blend import Member, default_members


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)  # compiled re-rankers leave OpenMP with more, which wait for each other in tiny networks


class Clairvoyant(models.Recommender):
    """Knows what will be held out, if it is not in what it is fitted on: the fit must not be the last one."""

    def __init__(self, truth):
        self.truth = truth

    def _fit(self, train, item_vectors):
        self.scores_ = (self.truth - dense(train)).astype(np.float32)

    def score(self, users):
        return self.scores_[users]


@pytest.fixture(scope="module")
def planted():
    """(train, what the users truly want (n_users, n_items), noise of the same shape)."""
    rng = np.random.default_rng(0)
    wanted = rng.normal(size=(150, 3)) @ rng.normal(size=(3, 60))
    taken = rng.random(wanted.shape) < special.expit(1.5 * wanted - 2.5)
    taken[:, :2] = True
    return interactions(taken), wanted, rng.normal(size=wanted.shape)


def by_hand(scores, seen):
    """Mean 0 and deviation 1 over what a user has not had."""
    result = np.empty(scores.shape)
    for row, (own, had) in enumerate(zip(scores.astype(float), seen > 0, strict=True)):
        rest = own[~had]
        result[row] = (own - rest.mean()) / (rest.std() if rest.std() > 0 else 1)
    return result


# --- weights ---------------------------------------------------------------------------------------------------------


def test_a_useless_member_gets_no_weight(planted):
    train, wanted, noise = planted
    tables = {"right": Table(wanted), "Random": models.Random(), "noise": Table(noise), "wrong": Table(-wanted)}
    members = {name: Member(table) for name, table in tables.items()}
    model = models.Blend(members=members).fit(train)
    assert model.weights_.index.tolist() == list(members) and model.weights_.sum() == pytest.approx(1)
    assert model.weights_["right"] > 0.9 and (model.weights_ >= 0).all() and model.weights_["wrong"] == 0
    assert list(model.members_) == [name for name in members if model.weights_[name] > 0]


def test_members_that_are_right_for_half_of_the_users_share_the_weight(planted):
    train, wanted, noise = planted
    even = (np.arange(len(wanted)) % 2 == 0)[:, None]
    members = {
        "even": Member(Table(np.where(even, wanted, noise))),
        "odd": Member(Table(np.where(even, noise, wanted))),
    }
    model = models.Blend(members=members).fit(train)
    assert (model.weights_ > 0.3).all()
    assert model.held_out_.index.tolist() == ["even", "odd", "Blend"]
    assert model.held_out_["Blend"] > model.held_out_[["even", "odd"]].max() + 0.02


def test_select_is_the_plain_loop():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(4, 30, 25)).astype(np.float32)
    relevant = rng.random((30, 25)) < special.expit(2 * scores[1] + scores[2] - 2)
    n_relevant = relevant.sum(axis=1) + rng.integers(0, 3, 30)
    n_relevant[:4], relevant[:4] = 0, False  # nobody can say what is right for these
    ours = blend.select(scores, relevant, n_relevant, n_steps=7, n_bags=5, rng=np.random.default_rng(2))

    def ndcg(total, user):
        gain = sum(relevant[user, i] / np.log2(r + 2) for r, i in enumerate(np.argsort(-total)[:10]))
        return gain / sum(1 / np.log2(r + 2) for r in range(min(10, n_relevant[user])))

    bags, draws = [], np.random.default_rng(2)
    for _ in range(5):
        half = draws.permutation(np.arange(4, 30))[:13]
        chosen, best, best_chosen = [], -1, None
        for _ in range(7):
            values = [np.mean([ndcg(scores[[*chosen, m], user].sum(axis=0), user) for user in half]) for m in range(4)]
            chosen.append(int(np.argmax(values)))
            if max(values) > best:
                best, best_chosen = max(values), list(chosen)
        bags.append([best_chosen.count(m) / len(best_chosen) for m in range(4)])
    assert ours == pytest.approx(np.mean(bags, axis=0))
    assert (ours[[1, 2]] > 0.1).all() and ours.sum() == pytest.approx(1)


def test_its_ndcg_is_the_metric():
    rng = np.random.default_rng(3)
    for width in (30, 6):
        scores, relevant = rng.normal(size=(20, width)), rng.random((20, width)) < 0.2
        known = relevant.any(axis=1)
        lists = np.argsort(-scores, axis=1)
        ours = blend._ndcg(scores, relevant, relevant.sum(axis=1))
        assert ours == pytest.approx(metrics.accuracy.ndcg(lists, relevant, k=min(10, width))[known])
        more = blend._ndcg(scores, relevant, relevant.sum(axis=1) + 40)  # most of the relevant items are not listed
        assert more[known] == pytest.approx(
            ours * [metrics.accuracy.discounts(min(10, width, n)).sum() for n in relevant.sum(axis=1)[known]]
            / metrics.accuracy.discounts(min(10, width)).sum()
        )  # fmt: skip


def test_the_held_out_figures_are_of_the_held_out_part(planted):
    train, wanted, noise = planted
    members = {"right": Member(Table(wanted)), "weak": Member(Table(wanted + 2 * noise)), "noise": Member(Table(noise))}
    model = models.Blend(members=members, rng=4).fit(train)
    part, rest = probability.hold_out(train, "random", np.random.default_rng(4))
    tables = {name: by_hand(member.model.table, dense(part)) for name, member in members.items()}
    tables["Blend"] = sum(model.weights_[name] * table for name, table in list(tables.items()))
    for name, table in tables.items():
        lists = np.argsort(-np.where(dense(part) > 0, -np.inf, table), axis=1)
        assert model.held_out_[name] == pytest.approx(np.nanmean(metrics.accuracy.ndcg(lists, rest.matrix)))


def test_the_curve_is_fitted_on_the_held_out_part(planted):
    train, wanted, noise = planted
    members = {"right": Member(Table(wanted)), "weak": Member(Table(wanted + noise))}
    model = models.Blend(members=members, rng=4).fit(train)
    part, rest = probability.hold_out(train, "random", np.random.default_rng(4))
    total = sum(model.weights_[name] * by_hand(member.model.table, dense(part)) for name, member in members.items())
    unseen = dense(part) == 0
    rank = probability.unseen_rank(total, part.matrix)
    features = probability.curve_features(total, rank, probability.history_length(part)[:, None])
    assert model.curve_ == pytest.approx(probability.fit_curve(features[unseen], dense(rest)[unseen] > 0), abs=0.02)


# --- scores ----------------------------------------------------------------------------------------------------------


def test_the_score_is_the_probability_of_the_weighted_sum(planted):
    train, wanted, noise = planted
    flat = np.where((np.arange(len(wanted)) == 3)[:, None], 7.0, noise + wanted)  # all the same for user 3
    members = {"right": Member(Table(100 * wanted + 5)), "flat": Member(Table(flat))}
    model = models.Blend(members=members).fit(train)
    assert (model.weights_ > 0).all()
    total = sum(model.weights_[name] * by_hand(member.model.table, dense(train)) for name, member in members.items())
    rank = probability.unseen_rank(total, train.matrix)
    length = dense(train).sum(axis=1, keepdims=True)
    expected = special.expit(probability.curve_features(total, rank, length) @ model.curve_)
    assert all_scores(model) == pytest.approx(expected, rel=1e-4)
    order = np.argsort(-np.where(dense(train) > 0, -np.inf, total), axis=1, kind="stable")[:, :20]
    assert np.array_equal(model.recommend(k=20).items, order)


def test_a_user_alone_has_the_same_scores(tiny_train, monkeypatch):
    members = {"EASE": Member(models.EASE(l2=30)), "SVD": Member(models.PureSVD(n_factors=3))}
    model = models.Blend(members=members).fit(tiny_train)
    assert (model.weights_ > 0).all()
    scores = model.score(np.arange(tiny_train.n_users))
    for user in (0, 17, 59):
        assert np.array_equal(model.score([user])[0], scores[user]) and np.array_equal(
            model.score(user), scores[[user]]
        )
    monkeypatch.setattr(blend, "BLOCK_CELLS", 500)  # the candidates of a few users at a time, in fit
    monkeypatch.setattr(base, "BLOCK_CELLS", 200)
    again = models.Blend(members=members).fit(tiny_train)
    assert again.weights_.equals(model.weights_)
    assert np.array_equal(again.recommend().items, model.recommend().items)


def test_the_unit_of_a_member_does_not_matter(planted):
    train, wanted, noise = planted
    weights = []
    for factor, shift in ((1, 0), (1000, -4)):
        members = {"right": Member(Table(wanted)), "weak": Member(Table(factor * (wanted + 2 * noise) + shift))}
        weights.append(models.Blend(members=members).fit(train).weights_)
    assert weights[0].to_numpy() == pytest.approx(weights[1].to_numpy())


def test_the_members_are_fitted_anew_on_everything(planted):
    train, wanted, _ = planted
    truth = dense(train)
    members = {"EASE": Member(models.EASE(l2=30)), "clairvoyant": Member(Clairvoyant(truth))}
    model = models.Blend(members=members).fit(train)
    for member in model.members_.values():
        assert member.train_ is train
    assert model.weights_["clairvoyant"] > 0.5 and not model.members_["clairvoyant"].scores_.any()
    assert not hasattr(members["clairvoyant"].model, "train_")  # what was passed stays unfitted


def test_the_seed_decides(planted):
    train, wanted, noise = planted
    members = {"weak": Member(Table(wanted + 2 * noise)), "other": Member(Table(wanted - 2 * noise))}
    one, again, other = (models.Blend(members=members, n_bags=2, rng=rng).fit(train) for rng in (0, 0, 5))
    assert one.weights_.equals(again.weights_) and np.array_equal(one.curve_, again.curve_)
    assert not one.held_out_.equals(other.held_out_)


# --- what the members read -------------------------------------------------------------------------------------------


def test_members_read_their_own_vectors(tiny_train):
    rng = np.random.default_rng(0)
    vectors = {"text": rng.normal(size=(tiny_train.n_items, 4)), "genre": rng.normal(size=(tiny_train.n_items, 2))}
    table = rng.normal(size=tiny_train.matrix.shape)
    members = {"a": Member(Table(table), "text"), "b": Member(Table(-table), "genre"), "c": Member(Table(table[::-1]))}
    model = models.Blend(members=members, n_steps=1, n_bags=60).fit(tiny_train, vectors)
    assert (model.weights_ > 0).all()
    read = {name: member.vectors_ for name, member in model.members_.items()}
    assert read["a"] is vectors["text"] and read["b"] is vectors["genre"] and read["c"] is None
    alone = models.Blend(members={"a": (Table(table), "text")}).fit(
        tiny_train, vectors["text"]
    )  # one array is the text
    assert alone.members_["a"].vectors_ is vectors["text"]


def test_default_members():
    plain = default_members({}, "random")
    assert list(plain) == ["EASE", "ItemKNN", "FeatureIALS", "WARPFactorization", "MultVAE"]
    assert all(member.reads is None for member in plain.values())
    full = default_members({"text": None, "genre": None, "poster": None}, "latest")
    recent = ["FadingEASE, 3", "FadingEASE, 10", "SLIT"]
    assert list(full) == [*plain, "LinearTextMap", *recent]
    read = {"FeatureIALS": "text", "WARPFactorization": "genre", "LinearTextMap": "text"}
    assert {name: member.reads for name, member in full.items() if member.reads} == read
    assert [name for name, member in full.items() if member.everything] == recent
    assert [full[name].model.half_life for name in recent[:2]] == [3, 10]


@pytest.mark.parametrize("holdout", ["random", "latest"])
def test_the_default_blend_beats_popularity(tiny, tiny_train, tiny_test, holdout):
    vectors = {"text": np.random.default_rng(0).normal(size=(tiny_train.n_items, 4)), "genre": tiny.genre_vectors}
    model = models.Blend(holdout=holdout, n_bags=3).fit(tiny_train, vectors)
    ours, theirs = (
        np.nanmean(metrics.accuracy.ndcg(m.recommend(k=10).items, tiny_test.matrix))
        for m in (model, models.Popularity().fit(tiny_train))
    )
    assert ours > 1.15 * theirs and model.weights_.sum() == pytest.approx(1)


def test_what_is_not_liked_is_not_predicted(tiny_train):
    members = {
        "liked": Member(Table(np.random.default_rng(0).normal(size=tiny_train.matrix.shape))),
        "all": Member(Table(np.random.default_rng(1).normal(size=tiny_train.matrix.shape)), everything=True),
    }
    model = models.Blend(members=members, min_rating=4, n_steps=1, n_bags=60).fit(tiny_train)
    assert (model.weights_ > 0).all()
    assert model.members_["all"].train_ is tiny_train
    assert (model.members_["liked"].train_.matrix != tiny_train.at_least(4).matrix).nnz == 0
    seen = dense(tiny_train) > 0  # disliked films are not recommended again
    items = model.recommend(k=tiny_train.n_items).items
    assert not any(seen[user, items[user][items[user] >= 0]].any() for user in range(tiny_train.n_users))
    part, rest = probability.hold_out(tiny_train, "random", np.random.default_rng(0))
    table = by_hand(members["all"].model.table, dense(part))
    lists = np.argsort(-np.where(dense(part) > 0, -np.inf, table), axis=1)
    expected = np.nanmean(metrics.accuracy.ndcg(lists, rest.at_least(4).matrix))
    assert model.held_out_["all"] == pytest.approx(expected)


# --- bad input -------------------------------------------------------------------------------------------------------

EASE = {"EASE": Member(models.EASE(l2=30))}
BAD = {
    "missing vectors": (
        lambda t: models.Blend(members={"map": Member(models.LinearTextMap(), "plot")}).fit(
            t, {"text": np.ones((t.n_items, 2))}
        ),
        r"'map' reads item_vectors\['plot'\], but there are \['text'\]",
    ),
    "no vectors": (
        lambda t: models.Blend(members={"map": Member(models.LinearTextMap(), "text")}).fit(t),
        r"'map' reads item_vectors\['text'\], but there are \[\]",
    ),
    "no members": (lambda t: models.Blend(members={}).fit(t), "members"),
    "no steps": (lambda t: models.Blend(members=EASE, n_steps=0).fit(t), "n_steps and n_bags.*at least 1, not 0 and 8"),
    "no bags": (lambda t: models.Blend(members=EASE, n_bags=0).fit(t), "not 12 and 0"),
    "holdout": (lambda t: models.Blend(members=EASE, holdout="last").fit(t), "'random' or 'latest', not 'last'"),
    "latest without time": (
        lambda t: models.Blend(members=EASE, holdout="latest").fit(without(t, [])),
        "'latest' needs timestamps",
    ),
    "liked without ratings": (
        lambda t: models.Blend(members=EASE, min_rating=4).fit(without(t, [])),
        "needs ratings",
    ),
    "short vectors": (lambda t: models.Blend().fit(t, {"text": np.ones((3, 2))}), r"text has the shape \(3, 2\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(tiny_train, name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call(tiny_train)
