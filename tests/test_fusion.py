"""Fusion: what each way of it promises, on a small world in which it is known what users want."""

import numpy as np
import pandas as pd
import pytest

from recsys_lib import fusion, metrics, models
from recsys_lib.fusion.early import shares_of
from recsys_lib.fusion.late import without
from recsys_lib.interactions import Interactions


def world(n_users=400, n_items=120, *, wanted=("text", "image"), weights=(0.8, 0.6), rng=0):
    """Users want what is in the text and, less, what is in the image; nobody cares about the sound.

    The last 30 items are cold: their interactions are the test. Vectors have a large common mean, as networks' have.
    """
    rng = np.random.default_rng(rng)
    hidden = {name: rng.normal(size=(n_items, 6)) for name in ("text", "image", "sound")}
    vectors = {
        name: values @ rng.normal(size=(6, size)) + 5 * rng.normal(size=size)
        for (name, values), size in zip(hidden.items(), (40, 12, 20), strict=True)
    }
    match = sum(w * rng.normal(size=(n_users, 6)) @ hidden[name].T for name, w in zip(wanted, weights, strict=True))
    order = np.argsort(-(match + rng.gumbel(size=match.shape)), axis=1)[:, :24]
    frame = pd.DataFrame({"user_id": np.repeat(np.arange(n_users), 24), "item_id": order.ravel()})
    every, cold = np.arange(n_items), np.arange(n_items - 30, n_items)
    parts = (frame[~frame["item_id"].isin(cold)], frame[frame["item_id"].isin(cold)])
    train, test = (Interactions.from_frame(part, np.arange(n_users), every) for part in parts)
    return train, test, cold, vectors


def judged(model, train, test, cold, vectors):
    lists = model.fit(train, vectors).recommend(k=10, items=cold)
    return metrics.accuracy.ndcg(lists.items, test.matrix, 10)


def early(train, test, cold, vectors):
    return judged(models.LinearTextMap(l2=500), train, test, cold, fusion.concatenate(vectors))


GATED = {"epochs": 15, "n_dimensions": 16, "batch_size": 64, "learning_rate": 0.003}
MODELS = {
    "late": lambda: fusion.LateFusion(models.LinearTextMap(l2=500)),
    "graph": fusion.GraphFusion,
    "gated": lambda: fusion.GatedFusion(**GATED),
}


# --- early -----------------------------------------------------------------------------------------------------------


def test_a_dot_product_is_the_weighted_mean_of_the_cosines():
    *_, vectors = world()
    weights = {"text": 3.0, "image": 1.0, "sound": 0.0}
    fused = fusion.concatenate(vectors, weights)
    centred = {name: values - values.mean(axis=0) for name, values in vectors.items()}
    unit = {name: values / np.linalg.norm(values, axis=1, keepdims=True) for name, values in centred.items()}
    expected = 0.75 * unit["text"] @ unit["text"].T + 0.25 * unit["image"] @ unit["image"].T
    assert fused.shape == (120, 72) and fused.dtype == np.float32
    assert fused @ fused.T == pytest.approx(expected, abs=1e-5)


def test_a_missing_row_is_zero_and_moves_no_mean():
    rng = np.random.default_rng(0)
    vectors = rng.normal(3, 1, (10, 4))
    vectors[2] = vectors[7] = 0
    found = fusion.block(vectors)
    assert not found[[2, 7]].any()
    there = np.setdiff1d(np.arange(10), [2, 7])
    assert found[there] == pytest.approx(fusion.block(vectors[there]), abs=1e-6)
    assert np.linalg.norm(found[there], axis=1) == pytest.approx(np.ones(8), abs=1e-5)
    assert not fusion.block(np.zeros((3, 2))).any()


def test_the_projection_finds_what_users_want():
    train, test, cold, vectors = world()
    projection = fusion.Projection(12).fit(train, vectors)
    shares = projection.shares_
    # weights of .8 and .6 are .64 and .36 of the variance
    assert shares == pytest.approx({"text": 0.64, "image": 0.36, "sound": 0.0}, abs=0.04)
    assert sum(shares.values()) == pytest.approx(1)
    mapped = projection.transform(vectors)
    assert mapped.shape == (120, 12)
    plain = judged(models.ContentProfile(), train, test, cold, fusion.concatenate(vectors))
    shaped = judged(models.ContentProfile(), train, test, cold, mapped)
    assert np.nanmean(shaped) > np.nanmean(plain) + 0.02


def test_the_projection_takes_a_generator():
    train, _, _, vectors = world()
    one, two, other = (
        fusion.Projection(4, rng=rng).fit(train, vectors)
        for rng in (np.random.default_rng(1), np.random.default_rng(1), None)
    )
    assert np.array_equal(one.weights_, two.weights_) and other.weights_.shape == one.weights_.shape


# --- all ways --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_all_modalities_beat_each_one(name):
    train, test, cold, vectors = world()
    fused = np.nanmean(judged(MODELS[name](), train, test, cold, vectors))
    alone = {each: np.nanmean(judged(MODELS[name](), train, test, cold, {each: vectors[each]})) for each in vectors}
    assert fused > max(alone.values()) + 0.02 and alone["text"] > alone["sound"] + 0.05


@pytest.mark.parametrize("name", MODELS)
def test_one_modality_that_is_missing_everywhere_changes_little(name):
    train, test, cold, vectors = world()
    fused = np.nanmean(judged(MODELS[name](), train, test, cold, vectors))
    less = judged(MODELS[name](), train, test, cold, vectors | {"sound": np.zeros_like(vectors["sound"])})
    assert np.nanmean(less) > fused - 0.02


@pytest.mark.parametrize("name", MODELS)
def test_items_without_their_image_are_ranked_by_their_text(name):
    train, test, cold, vectors = world()
    image = vectors["image"].copy()
    image[::2] = 0
    model = MODELS[name]()
    values = np.nanmean(judged(model, train, test, cold, vectors | {"image": image}))
    random = np.nanmean(judged(models.Random(), train, test, cold, None))
    assert values > random + 0.1 and np.isfinite(model.score([0, 1])).all()


@pytest.mark.parametrize("name", MODELS)
def test_fits_are_repeatable_and_leave_their_input_alone(name):
    train, _, _, vectors = world()
    kept = {each: values.copy() for each, values in vectors.items()}
    scores = [MODELS[name]().fit(train, vectors).score([0, 5]) for _ in range(2)]
    assert np.array_equal(*scores) and scores[0].shape == (2, 120) and scores[0].dtype == np.float32
    assert all(np.array_equal(kept[each], vectors[each]) for each in vectors)


# --- late, graph, gated ----------------------------------------------------------------------------------------------


def test_late_weights_order_as_planted():
    train, _, _, vectors = world()
    weights = fusion.LateFusion(models.LinearTextMap(l2=500)).fit(train, vectors).weights_
    assert weights["text"] > weights["image"] > weights["sound"] and weights.sum() == pytest.approx(1)
    assert weights["sound"] < 0.1


def test_late_scores_are_the_weighted_standardised_sum():
    train, _, _, vectors = world()
    model = fusion.LateFusion(models.LinearTextMap(l2=500)).fit(train, vectors)
    expected = 0
    for name in vectors:
        if model.weights_[name] > 0:
            scores = models.LinearTextMap(l2=500).fit(train, fusion.block(vectors[name])).score([3, 4])
            standard = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
            expected = expected + model.weights_[name] * standard
    assert model.score([3, 4]) == pytest.approx(expected, abs=1e-4)


def test_without_takes_out_columns_only():
    train, *_ = world()
    less = without(train, np.array([0, 7]))
    dense = train.matrix.toarray()
    dense[:, [0, 7]] = 0
    assert np.array_equal(less.matrix.toarray(), dense) and less.item_counts[[0, 7]].sum() == 0
    assert less.item_ids is train.item_ids and train.item_counts[0] > 0


def test_the_graph_of_one_modality_is_l3ae():
    train, _, _, vectors = world()
    mine = fusion.GraphFusion(l2=80, pull=30, content_l2=3).fit(train, {"text": vectors["text"]})
    theirs = models.L3AE(l2=80, text_weight=30, text_l2=3).fit(train, fusion.block(vectors["text"]))
    assert mine.item_weights_ == pytest.approx(theirs.item_weights_, abs=1e-6)
    ease = fusion.GraphFusion(l2=80, pull=0).fit(train, vectors)
    assert ease.item_weights_ == pytest.approx(models.EASE(l2=80).fit(train).item_weights_, abs=1e-6)


def test_graph_weights_choose_the_modality():
    train, _, _, vectors = world()
    only = fusion.GraphFusion({"text": 2.0, "image": 0.0, "sound": 0.0}).fit(train, vectors)
    alone = fusion.GraphFusion().fit(train, {"text": vectors["text"]})
    assert only.item_weights_ == pytest.approx(alone.item_weights_, abs=1e-7)


def test_gates_are_shares_of_what_an_item_has():
    train, _, _, vectors = world()
    image, sound = vectors["image"].copy(), vectors["sound"].copy()
    image[3] = sound[3] = sound[4] = 0
    text = vectors["text"].copy()
    text[9] = image[9] = sound[9] = 0
    model = fusion.GatedFusion(**GATED).fit(train, {"text": text, "image": image, "sound": sound})
    assert model.names_ == ["text", "image", "sound"] and model.gates_.shape == (120, 3)
    assert model.gates_[3].tolist() == [1, 0, 0] and model.gates_[4, 2] == 0 and not model.gates_[9].any()
    assert np.delete(model.gates_, 9, axis=0).sum(axis=1) == pytest.approx(np.ones(119), abs=1e-5)
    assert not model.item_vectors_[9].any() and np.isfinite(model.losses_).all()
    assert model.losses_[-1] < model.losses_[0]


def test_training_does_not_see_the_cold_items():
    train, _, cold, vectors = world()
    moved = {name: values.copy() for name, values in vectors.items()}
    for values in moved.values():
        values[cold] = values[cold[::-1]]  # the same rows, so that the mean stays where it is
    users = [fusion.GatedFusion(**GATED).fit(train, each).user_vectors_ for each in (vectors, moved)]
    assert users[0] == pytest.approx(users[1], abs=1e-3)


def test_an_attack_raises_scores_and_adversarial_training_blunts_it():
    train, _, cold, vectors = world()
    blocks = {name: fusion.block(values) for name, values in vectors.items()}
    noise = np.random.default_rng(0).normal(size=blocks["text"].shape)
    noise *= 0.5 / np.linalg.norm(noise, axis=1, keepdims=True)
    noise[np.setdiff1d(np.arange(120), cold)] = 0
    rise = {}
    for size in (0.0, 0.5):
        model = fusion.GatedFusion(**GATED, adversarial=size).fit(train, vectors)
        moved = model.attacked(vectors, "text", cold, 0.5)
        length = np.linalg.norm(moved - blocks["text"], axis=1)
        assert length[cold] == pytest.approx(np.full(30, 0.5), abs=1e-4) and not np.delete(length, cold).any()
        texts = blocks["text"], moved, (blocks["text"] + noise).astype(np.float32)
        before, attacked, random = (model.score_of(blocks | {"text": text})[:, cold].mean() for text in texts)
        assert model.score_of(blocks) == pytest.approx(model.score(np.arange(400)), abs=1e-4)
        assert attacked > before + 3 * abs(random - before)
        rise[size] = attacked - before
    assert rise[0.5] < rise[0.0]


# --- knockout --------------------------------------------------------------------------------------------------------


def test_shuffled_moves_rows_among_those_that_are_there():
    vectors = np.arange(1.0, 41).reshape(20, 2)
    vectors[[3, 11]] = 0
    found = fusion.shuffled(vectors, 1)
    assert not found[[3, 11]].any() and sorted(map(tuple, found)) == sorted(map(tuple, vectors))
    assert not np.array_equal(found, vectors) and vectors[0].tolist() == [1, 2]


def test_knockout_costs_where_users_care_and_nothing_where_they_do_not():
    train, test, cold, vectors = world()
    asked = []

    def judge(given):
        asked.append(given)
        return early(train, test, cold, given)

    table = fusion.knockout(judge, vectors, n_shuffles=2)
    assert len(asked) == 7 and table.index.tolist() == ["text", "image", "sound"]
    assert (table.loc[["text", "image"], "low"] > 0).all()
    assert table.loc["sound", "low"] < 0.005 and abs(table.loc["sound", "cost"]) < 0.01
    assert table.loc["text", "cost"] > table.loc["image", "cost"]
    assert table["cost"].tolist() == pytest.approx((table["value"] - table["shuffled"]).tolist())
    for given, changed in zip(asked[1:], ["text", "text", "image", "image", "sound", "sound"], strict=True):
        assert [name for name in vectors if not np.array_equal(given[name], vectors[name])] == [changed]


# --- bad input -------------------------------------------------------------------------------------------------------


def spoilt(**changes):
    return world()[3] | changes


@pytest.mark.parametrize(
    "vectors, message",
    [
        (None, "dict of arrays"),
        (np.ones((120, 3)), "dict of arrays"),
        ({}, "dict of arrays"),
        (spoilt(image=np.ones(120)), "image must be an .*table"),
        (spoilt(image=np.ones((119, 3))), "119 rows"),
        (spoilt(image=np.full((120, 3), np.nan)), "image has NaN.*row 0"),
    ],
)
def test_bad_modalities(vectors, message):
    train, *_ = world()
    with pytest.raises(ValueError, match=message):
        fusion.concatenate(vectors)
    for build in MODELS.values():
        with pytest.raises(ValueError):
            build().fit(train, vectors)


def test_bad_settings():
    train, _, _, vectors = world()
    for weights, message in (
        ({"text": 1.0}, "image"),
        ({"text": 1.0, "image": -1.0, "sound": 1.0}, "not be negative"),
        ({"text": 0.0, "image": 0.0, "sound": 0.0}, "nor all 0"),
        ({"text": 1.0, "image": np.nan, "sound": 1.0}, "weights"),
    ):
        with pytest.raises(ValueError, match=message):
            shares_of(vectors, weights)
    for model, message in (
        (fusion.LateFusion(holdout=1.0), "holdout.*1.0"),
        (fusion.GraphFusion(l2=0), "l2.*0"),
        (fusion.GraphFusion(pull=-1), "pull.*-1"),
        (fusion.GatedFusion(epochs=0), "epochs.*0"),
        (fusion.GatedFusion(modality_dropout=1.0), "modality_dropout"),
        (fusion.GatedFusion(temperature=0), "temperature"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(train, vectors)
    with pytest.raises(ValueError, match="n_dimensions"):
        fusion.Projection(500).fit(train, vectors)
    with pytest.raises(ValueError, match="119 rows"):
        fusion.Projection(4).fit(train, {"text": np.ones((119, 3))})
    with pytest.raises(ValueError, match="n_shuffles"):
        fusion.knockout(lambda given: np.ones(3), vectors, n_shuffles=0)
