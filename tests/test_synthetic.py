"""The simulated shop: its shares are what they are said to be, and its truth is what the baskets come from."""

import numpy as np
import pytest

from recsys_lib import synthetic


def encode(texts):
    """A vector for each text from its letters: no model."""
    return np.array([[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts], float)


@pytest.fixture(scope="module")
def shop():
    return synthetic.shop(encode, n_users=400, n_items=200, n_dimensions=16, weights=(3, 1, 2), rng=1)


def test_shapes_and_ratings(shop):
    frame = shop.interactions
    assert frame["user_id"].nunique() == 400 and set(frame["item_id"]) <= set(range(200))
    assert not frame.duplicated(["user_id", "item_id"]).any()
    shares = frame["rating"].value_counts(normalize=True).sort_index()
    assert shares.to_numpy() == pytest.approx(synthetic.RATING_SHARES, abs=0.01)
    assert frame.groupby("user_id").size().min() >= 5
    for table in (shop.item_vectors, shop.related_vectors):
        assert table.shape == (200, 16)
        assert np.linalg.norm(table, axis=1) == pytest.approx(np.ones(200), abs=1e-5)


def test_the_planted_weights_are_shares_of_standardised_terms(shop):
    assert shop.weights == pytest.approx([1 / 2, 1 / 6, 1 / 3])
    terms = shop.terms(np.arange(400))
    assert terms.shape == (3, 400, 200)
    assert terms.mean(axis=(1, 2)) == pytest.approx([0, 0, 0], abs=1e-6)
    assert terms.std(axis=(1, 2)) == pytest.approx([1, 1, 1], abs=1e-6)
    utility = shop.utility(np.arange(3))
    by_hand = synthetic.SHARPNESS * np.tensordot(shop.weights, terms[:, :3], axes=1) + shop.popularity
    assert utility == pytest.approx(by_hand)


def test_baskets_and_stars_follow_the_utility(shop):
    utility = shop.utility(np.arange(400))
    frame = shop.interactions
    chosen = utility[frame["user_id"], frame["item_id"]]
    assert chosen.mean() > utility.mean() + utility.std()
    assert np.corrcoef(chosen, frame["rating"])[0, 1] > 0.3


def test_related_items_are_of_the_next_product(shop):
    products = synthetic.PRODUCTS["camping"]
    tents = np.flatnonzero(shop.items["product"] == products[0])
    bags, stoves = (np.flatnonzero(shop.items["product"] == name) for name in products[1:3])
    near, far = ((shop.related_vectors[tents] @ shop.item_vectors[rows].T).mean() for rows in (bags, stoves))
    assert near > far


def test_the_same_seed_makes_the_same_shop(shop):
    again = synthetic.shop(encode, n_users=400, n_items=200, n_dimensions=16, weights=(3, 1, 2), rng=1)
    assert again.interactions.equals(shop.interactions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"weights": (1, 0, 1)}, "three positive"), ({"weights": (1, 1)}, "three positive"), ({"n_items": 60}, "100")],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        synthetic.shop(encode, n_users=50, **arguments)
