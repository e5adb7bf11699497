"""The simulated video shop: each attribute shows in one modality only, and users care for it as much as planted."""

import re
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import chi2_contingency, f_oneway
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recsys_lib import splits, synthetic
from recsys_lib.interactions import Interactions, check_frame
from recsys_lib.metrics import accuracy
from recsys_lib.synthetic import draw, sound, styles, words
from recsys_lib.topk import best

NAMES = ("topic", "style", "mood", "channel")


@pytest.fixture(scope="module")
def shop():
    return synthetic.video_shop(300, 1500, rng=1)


def small(**changes):
    return synthetic.video_shop(**{"n_items": 20, "n_users": 30, "interactions_per_user": 6, **changes})


# ---- what it holds


def test_shapes_and_documented_columns(shop):
    truth = [f"true_{name}" for name in NAMES]
    assert list(shop.items.columns) == ["title", "description", *truth]
    assert shop.items.index.equals(pd.RangeIndex(300, name="item_id"))
    for name in NAMES:
        n_categories = len(synthetic.CATEGORIES[name])
        assert 8 <= n_categories <= 12
        assert shop.attributes[name].shape == (300, n_categories) and shop.tastes[name].shape == (1500, n_categories)
        for table in (shop.attributes[name], shop.tastes[name]):
            assert (table >= 0).all() and table.sum(axis=1) == pytest.approx(np.ones(len(table)))
        assert ((shop.attributes[name] > 0).sum(axis=1) == 2).all()
        assert shop.attributes[name].max(axis=1).min() >= 0.6
        first = np.array(synthetic.CATEGORIES[name])[shop.attributes[name].argmax(axis=1)]
        assert (shop.items[f"true_{name}"] == first).all()
    assert shop.weights == {"topic": 0.5, "style": 0.3, "mood": 0.2, "channel": 0.0}
    assert shop.affinity([3, 5]).shape == (2, 300)


def test_interactions_are_clean_skewed_and_in_order(shop):
    frame = shop.interactions
    check_frame(frame, need_time=True)
    assert list(frame.columns) == ["user_id", "item_id", "timestamp"]
    counts = frame.groupby("user_id").size()
    assert len(counts) == 1500 and counts.min() >= 5 and counts.max() <= 150
    assert counts.mean() == pytest.approx(20, rel=0.1) and counts.median() < 0.85 * counts.mean()
    assert frame["user_id"].is_monotonic_increasing
    steps = np.diff(frame["timestamp"])[np.diff(frame["user_id"]) == 0]
    assert (steps > 0).all()


def test_early_and_late_choices_are_alike(shop):
    """Else a split by time would test on what users like least."""
    frame, place = shop.interactions, shop.interactions.groupby("user_id").cumcount()
    affinity = shop.affinity(np.arange(1500))[frame["user_id"], frame["item_id"]]
    within = affinity - pd.Series(affinity).groupby(frame["user_id"].to_numpy()).transform("mean")
    share = place / frame.groupby("user_id")["item_id"].transform("size")
    assert abs(np.corrcoef(within, share)[0, 1]) < 0.02


def test_affinity_is_the_weighted_sum_of_standardised_matches(shop):
    total = np.tile(shop.popularity, (1500, 1))
    for name, weight in shop.weights.items():
        match = shop.tastes[name] @ shop.attributes[name].T
        total += weight * (match - match.mean()) / match.std()
    assert shop.affinity(np.arange(1500)) == pytest.approx(total)
    assert shop.affinity([7]) == pytest.approx(total[[7]])


def test_attributes_are_independent_of_each_other_and_of_popularity():
    shop = small(n_items=3000)
    first = shop.items[[f"true_{name}" for name in NAMES]]
    chances = [chi2_contingency(pd.crosstab(first[a], first[b])).pvalue for a in first for b in first if a < b] + [
        f_oneway(*(shop.popularity[rows] for rows in first.groupby(name).indices.values())).pvalue for name in first
    ]
    assert len(chances) == 10 and min(chances) > 0.01
    shares = np.array([shop.attributes[name].max(axis=1) for name in NAMES])
    correlations = np.corrcoef(np.vstack((shares, shop.popularity)))[np.triu_indices(5, 1)]
    assert np.abs(correlations).max() < 0.06  # three standard errors of a correlation of 3,000 pairs


# ---- the same again


def test_the_same_seed_makes_the_same_shop_and_another_seed_another():
    one, again, other = small(rng=4), small(rng=np.random.default_rng(4)), small(rng=5)
    assert one.items.equals(again.items) and one.interactions.equals(again.interactions)
    assert _bytes(one, 3) == _bytes(again, 3)
    assert not one.items.equals(other.items) and not one.interactions.equals(other.interactions)
    assert all(a != b for a, b in zip(_bytes(one, 3), _bytes(other, 3), strict=True))
    assert small(rng=None).seed != small(rng=None).seed


def test_an_item_depends_on_the_seed_and_its_id_only():
    few, many = small(), small(n_items=40, n_users=50, weights={"mood": 1.0})
    assert few.items.equals(many.items.head(20))
    assert few.popularity == pytest.approx(many.popularity[:20])
    alone = _bytes(few, 11)
    for item in range(20):
        few.thumbnail(item), few.logo(item), few.sound(item)
    assert _bytes(few, 11) == alone == _bytes(many, 11)


def test_items_of_the_same_categories_look_and_sound_different():
    shop = small()
    alike = replace(shop, attributes={name: np.tile(table[0], (20, 1)) for name, table in shop.attributes.items()})
    assert len({rendered for item in range(20) for rendered in _bytes(alike, item)}) == 60


def _bytes(shop, item):
    return shop.thumbnail(item).tobytes(), shop.logo(item).tobytes(), shop.sound(item)[0].tobytes()


# ---- raw files


def test_every_category_can_be_rendered_in_both_places():
    for first, second in zip(styles.STYLES, np.roll(list(styles.STYLES), 1), strict=True):
        for seed in range(3):
            picture = draw.thumbnail((first, second, 0.7), np.random.default_rng(seed))
            assert picture.mode == "RGB" and picture.size == (160, 120)
            assert np.asarray(picture).std() > 3
    for first, second in zip(draw.EMBLEMS, np.roll(list(draw.EMBLEMS), 1), strict=True):
        picture = draw.logo((first, second, 0.7), np.random.default_rng(0))
        assert picture.mode == "RGB" and picture.size == (64, 64)
    for first, second in zip(sound.MOODS, np.roll(list(sound.MOODS), 1), strict=True):
        samples = sound.piece((first, second, 0.7), np.random.default_rng(0))
        assert samples.dtype == np.float32 and 3 <= len(samples) / sound.RATE <= 4
        assert np.isfinite(samples).all() and 0.4 < np.abs(samples).max() <= 1
        tenths = np.array_split(samples, 10)
        assert min(np.sqrt(np.mean(part**2)) for part in tenths) > 0.002  # silent nowhere


def test_the_share_is_the_share_of_the_picture_the_sentences_and_the_time():
    areas = [np.mean(np.asarray(draw._window(0.3, np.random.default_rng(seed))[0])) / 255 for seed in range(30)]
    assert np.min(areas) > 0.27 and np.max(areas) < 0.33
    tomatoes = words.TOPICS["gardening"][0].split("; ") + words.TOPICS["gardening"][1].split("; ")
    rng, found = np.random.default_rng(0), 0
    for _ in range(300):
        _, description = words.title_and_description(("cooking", "gardening", 0.7), rng)
        found += sum(phrase.lower() in description.lower() for phrase in tomatoes)
    assert found / 300 / words.N_SENTENCES == pytest.approx(0.3, abs=0.03)
    # furious is loud where calm is soft: a piece of both differs from a calm one in its middle only
    at = {other: sound._play_both("calm", other, 0.7, np.random.default_rng(3)) for other in ("dark", "furious")}
    differs = np.flatnonzero(at["dark"] != at["furious"])
    assert (differs[-1] - differs[0]) / sound.N_SAMPLES == pytest.approx(0.3, abs=0.01)
    assert differs[0] == pytest.approx(sound.N_SAMPLES - differs[-1], abs=5)


def test_texts_do_not_name_the_other_attributes():
    every = [*words.TITLES, *words.SENTENCES, *words.SMALL_TALK, *words.NAMES]
    every += [phrase for pair in words.TOPICS.values() for phrases in pair for phrase in phrases.split("; ")]
    spoken = set(re.findall("[a-z]+", " ".join(every).lower()))
    assert not spoken & {name.lower() for key in ("style", "mood", "channel") for name in synthetic.CATEGORIES[key]}
    for things, deeds in words.TOPICS.values():
        assert len(set(things.split("; "))) == 30 and len(set(deeds.split("; "))) == 15


# ---- the truth is visible where it should be, and nowhere else


def _image_features(picture):
    """Counts of the steps from one pixel to the next, fine and coarse, and the mean colour: no trained network."""
    features = [np.asarray(picture, float).mean(axis=(0, 1)) / 255]
    for size in (picture.size, (picture.width // 4, picture.height // 4)):
        grey = np.asarray(picture.convert("L").resize(size, Image.Resampling.BOX), float)
        for axis in (0, 1):
            steps = np.abs(np.diff(grey, axis=axis)).ravel()
            features.append(np.log1p(np.histogram(steps, (0, 0.5, 1.5, 3, 6, 12, 25, 50, 256))[0]))
    return np.concatenate(features)


def _sound_features(samples):
    """Mean and sd over time of the logarithm of the spectrum, in 40 bands, and of the loudness."""
    frames = samples[: len(samples) // 512 * 512].reshape(-1, 512) * np.hanning(512)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    edges = np.unique(np.geomspace(2, 257, 41).astype(int))
    bands = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-4)
    return np.concatenate((bands.mean(axis=0), bands.std(axis=0), np.abs(np.diff(bands, axis=0)).mean(axis=0)))


def _shape_features(picture):
    """The emblem's ink, whatever the colours: does a pixel differ from the corner?"""
    colours = np.asarray(picture.resize((16, 16), Image.Resampling.BOX), float)
    return (np.abs(colours - colours[0, 0]).sum(axis=2) > 40).astype(float).ravel()


@pytest.mark.parametrize(
    ("visible", "features", "at_least"),
    [
        ("topic", None, 0.8),
        ("style", lambda shop, item: _image_features(shop.thumbnail(item)), 0.7),
        ("mood", lambda shop, item: _sound_features(shop.sound(item)[0]), 0.7),
        ("channel", lambda shop, item: _shape_features(shop.logo(item)), 0.8),
    ],
)
def test_each_modality_tells_one_attribute(shop, visible, features, at_least):
    if features is None:
        texts = shop.items["title"] + ". " + shop.items["description"]
        vectors = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform(texts).toarray()
    else:
        vectors = np.array([features(shop, item) for item in shop.items.index])
    accuracies = _probe(vectors, shop)
    assert accuracies.pop(visible) >= at_least
    # 300 items: three standard errors of a guess among eight are .057
    assert max(accuracies.values()) <= 1 / 8 + 0.06, accuracies


def _probe(vectors, shop) -> dict[str, float]:
    """How often a linear model of the vectors names an item's first category: accuracy in 5 folds."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=200))
    return {name: cross_val_score(model, vectors, shop.items[f"true_{name}"], cv=5).mean() for name in NAMES}


@pytest.mark.data
def test_a_sentence_encoder_reads_the_topic_where_a_bag_of_words_has_not_seen_the_words(shop):
    from recsys_lib.encoders import TextEncoder

    texts = (shop.items["title"] + ". " + shop.items["description"]).tolist()
    sentences = TextEncoder().encode(texts)
    accuracies = _probe(sentences, shop)
    assert accuracies.pop("topic") > 0.8 and max(accuracies.values()) <= 1 / 8 + 0.06
    bag = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform(texts).toarray()
    truth = shop.attributes["topic"] @ shop.attributes["topic"].T
    pairs = np.triu_indices(300, 1)
    graded = [np.corrcoef((vectors @ vectors.T)[pairs], truth[pairs])[0, 1] for vectors in (sentences, bag)]
    assert graded[0] > graded[1] + 0.1


# ---- the oracle


def oracle(shop, split, score=None, among=None) -> float:
    """nDCG@10 of ranking by the true affinity, or by another score of (users) -> (len(users), n_items)."""
    users = np.arange(len(shop.tastes["topic"]))
    train, test = (
        Interactions.from_frame(frame, user_ids=users, item_ids=shop.items.index) for frame in (split.train, split.test)
    )
    scores = np.array((score or shop.affinity)(users), float)
    scores[train.matrix.toarray() > 0] = -np.inf
    if among is not None:
        scores[:, ~among] = -np.inf
    return float(np.nanmean(accuracy.ndcg(best(scores, 10)[0], test.matrix)))


def shuffled(shop, name):
    order = np.random.default_rng(0).permutation(len(shop.items))
    return replace(shop, attributes={**shop.attributes, name: shop.attributes[name][order]})


@pytest.mark.parametrize("kind", ["warm", "cold"])
def test_every_planted_modality_counts_in_the_planted_order(shop, kind):
    if kind == "warm":
        split, among = splits.random_per_user(shop.interactions, rng=0), None
    else:
        split = splits.cold_items(shop.interactions, rng=0)
        among = shop.items.index.isin(split.test["item_id"])
    whole = oracle(shop, split, among=among)
    popular = oracle(shop, split, lambda users: np.tile(shop.popularity, (len(users), 1)), among)
    random = oracle(shop, split, lambda users: np.random.default_rng(0).random((len(users), 300)), among)
    assert whole > 1.5 * popular and popular > 1.5 * random
    drops = [whole - oracle(shuffled(shop, name), split, among=among) for name in NAMES]
    assert drops[0] > drops[1] > drops[2] > 0.01 and drops[3] == 0
    # three beat the best pair, and the best pair beats the best single one
    pair = oracle(replace(shop, weights={**shop.weights, "mood": 0.0}), split, among=among)
    single = oracle(replace(shop, weights={"topic": 1.0}), split, among=among)
    assert whole > pair + 0.01 and pair > single + 0.01


def test_without_weight_an_attribute_does_not_count():
    shop = synthetic.video_shop(200, 400, weights={"style": 0.5, "channel": 0.4}, rng=2)
    split = splits.random_per_user(shop.interactions, rng=0)
    whole = oracle(shop, split)
    drops = {name: whole - oracle(shuffled(shop, name), split) for name in NAMES}
    assert drops["topic"] == drops["mood"] == 0
    assert drops["style"] > 0.05 and drops["channel"] > 0.05


def test_noise_hides_and_popularity_gathers():
    clear, noisy = (synthetic.video_shop(200, 300, noise=noise, rng=2) for noise in (0.1, 2.0))
    tops = [oracle(shop, splits.random_per_user(shop.interactions, rng=0)) for shop in (clear, noisy)]
    assert tops[0] > tops[1] + 0.2
    flat, steep = (synthetic.video_shop(200, 300, popularity=sd, rng=2) for sd in (0.0, 1.0))
    most = [shop.interactions["item_id"].value_counts().iloc[:10].sum() for shop in (flat, steep)]
    assert most[1] > 1.5 * most[0]
    assert (flat.popularity == 0).all()


# ---- bad input, and the price


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_items": 0}, "n_items must be a whole number of at least 1, not 0"),
        ({"n_items": 20.5}, "n_items must be a whole number"),
        ({"n_users": 0}, "n_users must be a whole number of at least 1, not 0"),
        ({"weights": {"topic": -0.1}}, "weights .* 'topic' is -0.1. Take 0 or more"),
        ({"weights": {"mood": float("nan")}}, "weights .* 'mood' is nan"),
        ({"weights": {"smell": 1.0}}, "weights names 'smell'.* There are: topic, style, mood, channel"),
        ({"interactions_per_user": 11}, "interactions_per_user .* n_items / 2 = 10, not 11.*make more items"),
        ({"interactions_per_user": 4}, "interactions_per_user must lie between 5"),
        ({"noise": 0.0}, "noise must be a number above 0, not 0.0"),
        ({"popularity": -1.0}, "popularity must be a number of at least 0, not -1.0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        small(**arguments)


@pytest.mark.parametrize("item", [20, -1, 1.5, "3", True])
def test_an_unknown_item_is_named(item, tmp_path):
    shop = small()
    calls = [shop.thumbnail, shop.logo, shop.sound, lambda one: shop.write(tmp_path / "new", items=[one])]
    for call in calls:
        with pytest.raises(ValueError, match=f"there is no item {item!r}: take an item_id from 0 to 19"):
            call(item)
    assert not (tmp_path / "new").exists()


def test_ten_thousand_users_take_seconds_and_less_than_a_gigabyte():
    tracemalloc.start()
    started = time.process_time()
    shop = synthetic.video_shop()
    seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(shop.items) == 1000 and shop.interactions["user_id"].nunique() == 10_000
    assert seconds < 60 and peak < 1e9
