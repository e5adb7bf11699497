"""A simulated shop whose truth is known: what people want is made of text, style and accessories, in given shares.

It stands in for nothing real. It is there to ask a question that real data cannot answer: does a model find the
weights of the three terms that made the data?
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

# department -> products; the next product of a department is bought together with the one before it
PRODUCTS = {
    "camping": ("tent", "sleeping bag", "camping stove", "lantern", "folding chair"),
    "kitchen": ("frying pan", "chef's knife", "mixing bowl", "coffee maker", "baking tray"),
    "garden": ("lawn mower", "rake", "watering can", "flower pot", "garden hose"),
    "music": ("acoustic guitar", "music stand", "keyboard piano", "microphone", "drum kit"),
    "office": ("desk lamp", "office chair", "notebook", "fountain pen", "filing cabinet"),
    "sport": ("running shoes", "yoga mat", "tennis racket", "football", "water bottle"),
    "winter": ("ski jacket", "snow boots", "wool scarf", "ski goggles", "thermal gloves"),
    "nursery": ("pram", "baby blanket", "teddy bear", "night light", "picture book"),
    "cycling": ("mountain bike", "bike helmet", "bike lock", "cycling jersey", "tyre pump"),
    "bathroom": ("bath towel", "shower curtain", "soap dish", "hair dryer", "laundry basket"),
}
QUALITIES = (
    "light",
    "sturdy",
    "handmade",
    "foldable",
    "classic",
    "modern",
    "compact",
    "premium",
    "simple",
    "colourful",
)
MATERIALS = ("wooden", "steel", "cotton", "recycled", "leather", "bamboo", "aluminium", "ceramic")
OCCASIONS = ("beginners", "travel", "small flats", "families", "gifts", "every day", "professionals", "the weekend")
RATING_SHARES = (0.06, 0.11, 0.22, 0.34, 0.27)  # of 1 ... 5 stars


@dataclass(frozen=True)
class Shop:
    """What `shop` makes.

    Attributes
    ----------
    interactions : DataFrame (user_id, item_id, rating 1 ... 5)
    items : DataFrame (department, product, text), index item_id
    item_vectors : (n_items, d) float32 unit vectors E of the descriptions
    related_vectors : (n_items, d) float32 unit vectors Y, the mean of what is bought together with each item
    weights : (3,) the planted weights of content, user and related term, summing to 1
    terms : callable, users (indices) -> (3, len(users), n_items), the true terms, each with mean 0 and sd 1
    popularity : (n_items,) the same for everyone, added to the terms
    """

    interactions: pd.DataFrame
    items: pd.DataFrame
    item_vectors: np.ndarray
    related_vectors: np.ndarray
    weights: np.ndarray
    terms: Callable
    popularity: np.ndarray

    def utility(self, users) -> np.ndarray:
        """What each of these users truly thinks of every item, without the noise of a single choice."""
        return np.tensordot(self.weights, self.terms(users), axes=1) * SHARPNESS + self.popularity


SHARPNESS = 4.0  # how much a user's own taste counts against the noise of a choice, whose sd is 1.28 (Gumbel)


def catalogue(n_items: int, rng=0) -> pd.DataFrame:
    """Products with made-up descriptions: department, product and text; index item_id."""
    rng = np.random.default_rng(rng)
    kinds = [(department, product) for department, products in PRODUCTS.items() for product in products]
    rows = []
    for item in range(n_items):
        department, product = kinds[item % len(kinds)]
        quality, material, occasion = (rng.choice(words) for words in (QUALITIES, MATERIALS, OCCASIONS))
        rows.append((department, product, f"A {quality} {material} {product} for {occasion}. {department.title()}."))
    return pd.DataFrame(rows, columns=["department", "product", "text"]).rename_axis("item_id")


def shop(
    encode: Callable,
    *,
    n_users: int = 10_000,
    n_items: int = 1_000,
    n_dimensions: int = 200,
    weights=(0.5, 0.2, 0.3),
    mean_basket: float = 20.0,
    n_styles: int = 8,
    rng=0,
) -> Shop:
    """Simulate the shop of the article's case study (section 4.3): 1,000 items, 10,000 users, 200 dimensions.

    Each user likes a few items' kind (content: the cosine between the item's text and the mean of theirs), has a
    style that no text tells (user: the cosine of two random vectors), and buys what goes with what he likes (related:
    the cosine between his taste and the mean of the item's accessories). The utility is the weighted sum of the three,
    standardised, plus popularity; a basket is drawn from its softmax without replacement (Gumbel), and stars are its
    noisy quantiles.

    Parameters
    ----------
    encode : callable, list of texts -> (n, d) vectors, for instance `TextEncoder().encode`
        They are reduced to `n_dimensions` by PCA.
    weights : three positive numbers: content, user, related
    mean_basket : float
        Items a user, Poisson, at least 5.
    """
    weights = np.asarray(weights, float)
    if weights.shape != (3,) or not (weights > 0).all():
        raise ValueError(f"weights must be three positive numbers (content, user, related), not {weights.tolist()}")
    if n_items < 2 * sum(map(len, PRODUCTS.values())):
        raise ValueError(f"n_items must be at least {2 * sum(map(len, PRODUCTS.values()))}: two of each product")
    rng = np.random.default_rng(rng)
    items = catalogue(n_items, rng)
    item_vectors = _reduced(np.asarray(encode(list(items["text"])), np.float64), n_dimensions)
    related = _related(items, item_vectors, rng)
    liked = rng.integers(0, n_items, (n_users, 3))
    taste = _unit(item_vectors[liked].sum(axis=1))
    user_style, item_style = (_unit(rng.standard_normal((n, n_styles))) for n in (n_users, n_items))
    popularity = rng.normal(0, 0.7, n_items)
    pairs = ((taste, item_vectors), (user_style, item_style), (taste, related))
    sample = rng.choice(n_users, min(n_users, 1000), replace=False)
    scales = [((u[sample] @ i.T).mean(), (u[sample] @ i.T).std()) for u, i in pairs]

    def terms(users):
        return np.stack([(u[users] @ i.T - mean) / sd for (u, i), (mean, sd) in zip(pairs, scales, strict=True)])

    shares = weights / weights.sum()
    made = Shop(
        pd.DataFrame(), items, item_vectors.astype(np.float32), related.astype(np.float32), shares, terms, popularity
    )
    basket = np.minimum(np.maximum(rng.poisson(mean_basket, n_users), 5), n_items // 2)
    frames = []
    for block in np.array_split(np.arange(n_users), max(1, n_users // 500)):
        utility = made.utility(block)
        order = np.argsort(-(utility + rng.gumbel(size=utility.shape)), axis=1)
        for row, user in enumerate(block):
            chosen = order[row, : basket[user]]
            frames.append((np.full(len(chosen), user), chosen, utility[row, chosen] + rng.normal(0, 1, len(chosen))))
    user_id, item_id, felt = (np.concatenate(parts) for parts in zip(*frames, strict=True))
    cuts = np.quantile(felt, np.cumsum(RATING_SHARES)[:-1])
    interactions = pd.DataFrame({"user_id": user_id, "item_id": item_id, "rating": 1 + np.searchsorted(cuts, felt)})
    return replace(made, interactions=interactions)


def _related(items: pd.DataFrame, vectors: np.ndarray, rng, n: int = 5) -> np.ndarray:
    """Mean vector of n items of the next product of the same department, one row an item."""
    following = {
        product: products[(place + 1) % len(products)]
        for products in PRODUCTS.values()
        for place, product in enumerate(products)
    }
    rows = {product: np.flatnonzero(items["product"] == product) for product in following}
    bought = np.array([rng.choice(rows[following[product]], n) for product in items["product"]])
    return _unit(vectors[bought].sum(axis=1))


def _reduced(vectors: np.ndarray, n_dimensions: int) -> np.ndarray:
    centred = vectors - vectors.mean(axis=0)
    _, _, basis = np.linalg.svd(centred, full_matrices=False)
    return _unit(centred @ basis[:n_dimensions].T)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
