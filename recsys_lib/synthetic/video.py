"""A simulated video shop with raw files, whose truth is known: what each modality tells, and how much users care.

Every video has four attributes, and each can be perceived in one modality only: the topic in the title and description,
the style in the thumbnail, the mood in the sound, the channel in its logo. Users care for the first three in planted
weights, and not at all for the channel. The shop stands in for nothing real. It is there to ask what real data cannot
answer: does a recommender that reads the raw files find out which modality matters, and how much?
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from recsys_lib.synthetic import draw, files, sound, styles, words

CATEGORIES = {
    "topic": tuple(words.TOPICS),
    "style": tuple(styles.STYLES),
    "mood": tuple(sound.MOODS),
    "channel": tuple(draw.EMBLEMS),
}
WEIGHTS = {"topic": 0.5, "style": 0.3, "mood": 0.2}

FEWEST = 5  # interactions of a user
ACTIVITY = 0.9  # sd of the logarithm of the interactions beyond those
TASTE = 0.25  # concentration of the Dirichlet distribution of tastes: a user likes two or three categories
SHARES = (0.6, 0.9)  # of an item's first category
OPENING, YEAR = 1_700_000_000, 365 * 86_400  # the shop's first second, and seconds
BLOCK = 500  # users at a time


@dataclass(frozen=True)
class VideoShop:
    """What `video_shop` makes: the truth, what users did, and the raw files, which are made when asked for.

    Attributes
    ----------
    items : DataFrame (title, description, true_topic, true_style, true_mood, true_channel), index item_id 0, 1, ...
        The last four name each item's first category; they are the truth, not something that a model may read.
    interactions : DataFrame (user_id, item_id, timestamp in seconds), sorted by user and time
    attributes : {name: (n_items, n_categories) float64}
        Shares of the categories in the order of `CATEGORIES[name]`: a first and a second one, summing to 1.
    tastes : {name: (n_users, n_categories) float64}
        Each user's shares of interest, summing to 1; also for the attribute that has no weight.
    weights : {name: float} of all four attributes, in the units of the noise and the popularity
    popularity : (n_items,) float64, the same for all users
    seed : int, from which the raw files are made
    """

    items: pd.DataFrame
    interactions: pd.DataFrame
    attributes: dict[str, np.ndarray]
    tastes: dict[str, np.ndarray]
    weights: dict[str, float]
    popularity: np.ndarray
    seed: int

    def affinity(self, users) -> np.ndarray:
        """What these users (indices) truly think of every item, without the noise of a choice: (len(users), n_items).

        The weighted sum of the matches of taste and attribute, each with mean 0 and sd 1 over all users and items,
        plus the popularity.
        """
        total = np.tile(self.popularity, (len(users), 1))
        for name, weight in self.weights.items():
            if weight:
                taste, attribute = self.tastes[name], self.attributes[name]
                mean = taste.mean(axis=0) @ attribute.mean(axis=0)
                # the mean of (taste . attribute)^2 over all pairs, without making the pairs
                square = np.sum((taste.T @ taste / len(taste)) * (attribute.T @ attribute / len(attribute)))
                total += weight * (taste[users] @ attribute.T - mean) / np.sqrt(max(square - mean**2, 1e-12))
        return total

    def thumbnail(self, item: int) -> Image.Image:
        """The picture of this item_id: RGB, 160 x 120 pixels."""
        return draw.thumbnail(self._categories("style", item), self._rng("style", item))

    def logo(self, item: int) -> Image.Image:
        """The logo of this item_id's channel: RGB, 64 x 64 pixels."""
        return draw.logo(self._categories("channel", item), self._rng("channel", item))

    def sound(self, item: int) -> tuple[np.ndarray, int]:
        """The music of this item_id: (51200,) float32 samples between -1 and 1, and their rate, 16000 a second."""
        return sound.piece(self._categories("mood", item), self._rng("mood", item)), sound.RATE

    def write(self, folder, items=None, progress=None) -> Path:
        """Write the shop as files to look at and listen to; gives the folder.

        `README.txt`, `items.csv` and `interactions.csv` (always whole), `thumbnails/ID.png`, `logos/ID.png` and
        `sounds/ID.wav` (16 bits). A call that was interrupted can be repeated: files that are there are kept.

        Parameters
        ----------
        folder : path, made if it is not there
        items : item_ids whose pictures and sounds are written, by default all (120 KB each)
        progress : callable, optional
            Wraps the list of items, for instance `notebook.progress`.

        Raises
        ------
        ValueError
            If an item is not in the shop, or the folder holds anything but an earlier output of this same shop.
        """
        items = self.items.index.tolist() if items is None else [self._known(item) for item in items]
        return files.write(self, Path(folder), items, progress)

    def _categories(self, name: str, item: int) -> tuple[str, str, float]:
        return categories(name, self.attributes[name][self._known(item)])

    def _rng(self, name: str, item: int) -> np.random.Generator:
        return item_rng(self.seed, item, name)

    def _known(self, item) -> int:
        if isinstance(item, bool) or not isinstance(item, numbers.Integral) or not 0 <= item < len(self.items):
            raise ValueError(f"there is no item {item!r}: take an item_id from 0 to {len(self.items) - 1}")
        return int(item)


def video_shop(
    n_items: int = 1_000,
    n_users: int = 10_000,
    *,
    weights: dict[str, float] = WEIGHTS,
    interactions_per_user: float = 20.0,
    noise: float = 0.4,
    popularity: float = 0.4,
    rng=0,
) -> VideoShop:
    """Simulate a shop of videos: what users want is made of topic, style and mood in known shares.

    Each user has a taste for every attribute. How much he likes an item is the weighted sum of how well its attributes
    match his tastes (standardised), plus the item's popularity. He watches a number of items that is skewed over users
    (log-normal, at least 5), drawn without replacement with odds exp(affinity / noise) (Gumbel top-k), in random order.
    An item depends on the seed and its item_id only: it is the same in a smaller or larger shop.

    Parameters
    ----------
    n_items, n_users : int
    weights : {name: number}, not negative
        How much users care for "topic", "style", "mood" and "channel"; an attribute that is not named has weight 0.
    interactions_per_user : float
        The mean, from 5 to half the items; nobody watches more than half of them.
    noise : float
        Scale of the Gumbel noise of a choice, in the units of the weights.
    popularity : float
        Standard deviation of the items' popularity, in the units of the weights.

    Raises
    ------
    ValueError
        If an argument is out of its range, or `weights` names an attribute that there is not.
    """
    weights = _checked_weights(weights)
    _check_sizes(n_items, n_users, interactions_per_user)
    if not 0 < noise < np.inf:
        raise ValueError(f"noise must be a number above 0, not {noise}. Take a small one for choices without chance")
    if not 0 <= popularity < np.inf:
        raise ValueError(f"popularity must be a number of at least 0, not {popularity}. Take 0 for none")
    rng = np.random.default_rng(rng)
    seed = int(rng.integers(2**62))
    items, attributes, scores = _items(n_items, seed)
    tastes = {name: rng.dirichlet(np.full(len(known), TASTE), n_users) for name, known in CATEGORIES.items()}
    made = VideoShop(items, pd.DataFrame(), attributes, tastes, weights, popularity * scores, seed)
    return replace(made, interactions=_interactions(made, n_users, interactions_per_user, noise, rng))


def categories(name: str, shares: np.ndarray) -> tuple[str, str, float]:
    """An item's first and second category and the share of the first, from its row of `attributes[name]`."""
    second, first = np.argsort(shares, kind="stable")[-2:]
    return CATEGORIES[name][first], CATEGORIES[name][second], float(shares[first])


def item_rng(seed: int, item: int, purpose: str) -> np.random.Generator:
    """The generator of one item and one purpose ("topic", "style", "mood", "channel", or "item")."""
    return np.random.default_rng([seed, item, ["item", *CATEGORIES].index(purpose)])


def _items(n_items: int, seed: int) -> tuple[pd.DataFrame, dict[str, np.ndarray], np.ndarray]:
    """The frame, the attributes and a standard normal popularity, item by item: independent of one another."""
    attributes = {name: np.zeros((n_items, len(known))) for name, known in CATEGORIES.items()}
    rows, popularity = [], np.empty(n_items)
    for item in range(n_items):
        rng = item_rng(seed, item, "item")
        popularity[item] = rng.standard_normal()
        chosen = {}
        for name, known in CATEGORIES.items():
            first, second = rng.choice(len(known), 2, replace=False)
            attributes[name][item, first] = share = rng.uniform(*SHARES)
            attributes[name][item, second] = 1 - share
            chosen[f"true_{name}"] = known[first]
        topics = categories("topic", attributes["topic"][item])
        title, description = words.title_and_description(topics, item_rng(seed, item, "topic"))
        rows.append({"title": title, "description": description, **chosen})
    return pd.DataFrame(rows).rename_axis("item_id"), attributes, popularity


def _interactions(made: VideoShop, n_users: int, mean: float, noise: float, rng) -> pd.DataFrame:
    """What users watched and when, block by block of users, so that memory stays small."""
    n_items = len(made.items)
    beyond = rng.lognormal(-(ACTIVITY**2) / 2, ACTIVITY, n_users) * (mean - FEWEST)
    counts = np.minimum(FEWEST + np.round(beyond).astype(int), n_items // 2)
    watched = []
    for start in range(0, n_users, BLOCK):
        users = np.arange(start, min(start + BLOCK, n_users))
        affinity = made.affinity(users)
        order = np.argsort(-(affinity / noise + rng.gumbel(size=affinity.shape)), axis=1, kind="stable")
        # the best liked come first in `order`: shuffled, so that early and late interactions are alike
        watched += [rng.permutation(order[row, : counts[user]]) for row, user in enumerate(users)]
    users = np.repeat(np.arange(n_users), counts)
    # a user comes in the first half of the year and stays for about a quarter
    clock = np.cumsum(1 + rng.exponential(YEAR / 4 / counts[users]).astype(np.int64))
    first = np.cumsum(counts) - counts
    when = OPENING + (rng.integers(0, YEAR // 2, n_users) - clock[first])[users] + clock
    return pd.DataFrame({"user_id": users, "item_id": np.concatenate(watched), "timestamp": when})


def _checked_weights(weights: dict[str, float]) -> dict[str, float]:
    unknown = [name for name in weights if name not in CATEGORIES]
    if unknown:
        raise ValueError(f"weights names {unknown[0]!r}, which is no attribute. There are: {', '.join(CATEGORIES)}")
    for name, weight in weights.items():
        if not (np.isfinite(weight) and weight >= 0):
            raise ValueError(f"weights must be numbers that are not negative, but {name!r} is {weight}. Take 0 or more")
    return {name: float(weights.get(name, 0.0)) for name in CATEGORIES}


def _check_sizes(n_items, n_users, interactions_per_user) -> None:
    for name, value in (("n_items", n_items), ("n_users", n_users)):
        if not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    if not FEWEST <= interactions_per_user <= n_items / 2:
        raise ValueError(
            f"interactions_per_user must lie between {FEWEST} and n_items / 2 = {n_items / 2:g}, "
            f"not {interactions_per_user}. Change it, or make more items"
        )
