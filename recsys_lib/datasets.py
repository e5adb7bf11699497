"""Datasets: real interactions with items and users, ready after one call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from recsys_lib import assets
from recsys_lib.paths import data_folder


@dataclass(frozen=True)
class Dataset:
    """Interactions, items and users of one data set.

    Attributes
    ----------
    name : str
    interactions : DataFrame
        `user_id`, `item_id`, `rating`, `timestamp` (seconds), one row a rating. Purchases repeat; they have no
        rating, but `basket_id`, `week`, `quantity` and `sales_value`.
    items : DataFrame, index `item_id`
        `title`, `year` (Int64, missing where unknown), `genres` (tuple of str), `text` = "title (year). genres".
        Its rows are the columns of every matrix and the rows of every item vector. Products have their department as
        genre, and their `category`.
    users : DataFrame, index `user_id`
    licence : str
    """

    name: str
    interactions: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    licence: str

    @property
    def genre_names(self) -> list[str]:
        """Genres in alphabetical order; "unknown" is no genre."""
        return sorted({genre for genres in self.items["genres"] for genre in genres} - {"unknown"})

    @property
    def genre_vectors(self) -> np.ndarray:
        """(n_items, n_genres) float32 of 0 and 1; an item whose genre is unknown has a row of zeros."""
        names = self.genre_names
        column = {name: index for index, name in enumerate(names)}
        vectors = np.zeros((len(self.items), len(names)), np.float32)
        for row, genres in enumerate(self.items["genres"]):
            vectors[row, [column[genre] for genre in genres if genre in column]] = 1
        return vectors

    @property
    def duplicate_titles(self) -> pd.DataFrame:
        """Items that share title and year with an earlier item: one film under two ids."""
        return self.items[self.items.duplicated(["title", "year"])]

    def grouped(self, column: str) -> Dataset:
        """The same events with the values of a column of `items` as items, such as a product's "category".

        Events of items without such a value are left out. The genres of a group are those of its items, most frequent
        first; its text is "title. genres".
        """
        groups = self.items[column].dropna()
        events = self.interactions.assign(item_id=self.interactions["item_id"].map(groups))
        events = events[events["item_id"].notna()].reset_index(drop=True)
        of_group = self.items.loc[groups.index, "genres"].explode().groupby(groups, sort=True)
        items = pd.DataFrame({"genres": of_group.agg(lambda genres: tuple(genres.value_counts().index))})
        items = items.loc[items.index.isin(events["item_id"])].rename_axis("item_id")
        items.insert(0, "title", items.index)
        items.insert(1, "year", pd.array([pd.NA] * len(items), dtype="Int64"))
        items["text"] = [
            f"{title}. {', '.join(genres)}".lower()
            for title, genres in zip(items["title"], items["genres"], strict=True)
        ]
        return Dataset(f"{self.name} by {column}", events, items, self.users, self.licence)

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name}: {len(self.interactions):,} interactions, {len(self.users):,} users, "
            f"{len(self.items):,} items)"
        )


def load(name: str) -> Dataset:
    """Load "ml-100k", "ml-1m", "complete-journey" (purchases) or, for unit tests only, "synthetic-tiny".

    The first call of a real set downloads it (see `recsys_lib.assets`).
    """
    loaders = {
        "ml-100k": _movielens_100k,
        "ml-1m": _movielens_1m,
        "complete-journey": _complete_journey,
        "synthetic-tiny": _synthetic_tiny,
    }
    if name not in loaders:
        raise ValueError(f"there is no data set {name!r}. There are: {', '.join(loaders)}")
    return loaders[name]()


def reviews(name: str = "womens-clothing") -> pd.DataFrame:
    """Texts with stars whose authors are not known: no `Dataset`, because nothing in them is personal.

    Returns
    -------
    DataFrame, one row a review in the source's order: `text` (title and review in one string), `rating` (1 to 5),
    `item_id`, `age` of the author in years, `department`. Reviews without any text, and repeats of a text that
    stands further up, are left out.
    """
    if name != "womens-clothing":
        raise ValueError(f"there are no reviews {name!r}. There are: womens-clothing")
    table = pd.read_parquet(assets.fetch(name) / "WomensClothingE-CommerceReviews.parquet.brotli")
    title, body = (table[column].fillna("").str.strip() for column in ("Title", "Review Text"))
    title = title.where(title.str.endswith((".", "!", "?")) | (title == ""), title + ".")
    frame = pd.DataFrame(
        {
            "text": (title + " " + body).str.strip(),
            "rating": table["Rating"],
            "item_id": table["Clothing ID"],
            "age": table["Age"],
            "department": table["Department Name"].fillna("unknown"),
        }
    )
    return frame[(frame["text"] != "") & ~frame["text"].duplicated()].reset_index(drop=True)


def features(name: str, field: str) -> tuple[np.ndarray, np.ndarray]:
    """Derived features of a data set's items: (vectors (n_items, d) float32, mask (n_items,) bool).

    Rows follow `Dataset.items` and have length 1; rows outside the mask are unknown, and 0.

    - "plot": the film's plot as the text encoder reads it, 128 dimensions;
    - "names": the names of director and leading actors as the text encoder reads them, 128 dimensions;
    - "people": which people took part, weighted by inverse document frequency;
    - "language": which languages are spoken;
    - "poster": the film's poster as the image encoder sees it, 128 dimensions.

    The raw texts are not part of this repository: see data/README.md, and `data/build_features.py` for how the files
    were made. Titles and genres are always there: `TextEncoder().encode(dataset.items["title"])`.
    """
    folder = data_folder() / "features"
    known = sorted(path.stem for path in folder.glob("*.npz"))
    if f"{name}-{field}" not in known:
        raise ValueError(
            f"there is no feature {field!r} of {name!r}. There are (data set-field): {', '.join(known)}. "
            f"Titles and genres are encoded live: TextEncoder().encode(dataset.items['text'])"
        )
    with np.load(folder / f"{name}-{field}.npz") as stored:
        mask = stored["mask"]
        if "vectors" in stored:
            return stored["vectors"].astype(np.float32), mask
        cells = np.ones(len(stored["indices"]), np.float32), stored["indices"], stored["indptr"]
        members = sparse.csr_matrix(cells, shape=(len(mask), int(stored["n_columns"]))).toarray()
    if field == "people":  # someone who is in few films says more about them
        members *= np.log(len(members) / members.sum(axis=0)) + 1
    return members / np.maximum(np.linalg.norm(members, axis=1, keepdims=True), 1e-12), mask


def read_features(path, item_ids) -> tuple[np.ndarray, np.ndarray]:
    """Vectors that others have published as JSON: (vectors (n_items, d) float32, mask (n_items,) bool).

    A file is one object, `{"1": [0.1, ...], "2": [...]}`, from item ids to vectors. `path` is such a file or a folder
    of them, as M3L-10M and M3L-20M come: text, poster, sound and video of the trailer of MovieLens-10M's and -20M's
    films by twelve encoders, a folder an encoder, a file a film (Spillo et al. 2026, arXiv:2602.15505,
    zenodo.org/records/18499145). Rows follow `item_ids`; items without a vector are 0 and outside the mask; ids that
    nobody asked for are left out.

    Raises
    ------
    ValueError
        If a file is no such object, vectors differ in length, an id comes twice, or no id is among `item_ids`.
    """
    path, row = Path(path), {str(item): number for number, item in enumerate(item_ids)}
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path} holds no .json file. Give the folder of one encoder, such as 1_text_feat/minilm")
    vectors, mask = None, np.zeros(len(row), bool)
    for file in files:
        found = _read_vectors(file)
        for item in found.keys() & row.keys():
            if vectors is None:
                vectors = np.zeros((len(row), len(found[item])), np.float32)
            if len(found[item]) != vectors.shape[1] or mask[row[item]]:
                what = "comes twice" if mask[row[item]] else f"has {len(found[item])} numbers, not {vectors.shape[1]}"
                raise ValueError(f"{file}: the vector of item {item!r} {what}. Do not mix encoders in a folder")
            vectors[row[item]], mask[row[item]] = found[item], True
    if vectors is None:
        raise ValueError(f"none of the {len(row)} item ids is in {path}. Its ids are MovieLens's own, as strings")
    return vectors, mask


def _read_vectors(file: Path) -> dict[str, np.ndarray]:
    try:
        found = json.loads(file.read_text("utf-8"))
        vectors = {item: np.asarray(values, np.float32) for item, values in found.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f'{file} is not of the form {{"item id": [numbers], ...}}: {error}') from None
    for item, values in vectors.items():
        if values.ndim != 1 or not values.size or not np.isfinite(values).all():
            raise ValueError(f"{file}: the vector of item {item!r} is not a list of finite numbers")
    return vectors


def _movielens_100k() -> Dataset:
    folder = assets.fetch("ml-100k")
    items = _table(folder / "ml-100k.item")
    items = items.rename(columns={"movie_title": "title", "release_year": "year", "class": "genres"})
    items["item_id"] = items["item_id"].astype(int)
    users = _table(folder / "ml-100k.user")
    users["user_id"] = users["user_id"].astype(int)
    interactions = _table(folder / "ml-100k.inter").astype({"user_id": int, "item_id": int})
    return _movielens("ml-100k", interactions, items, users)


def _movielens_1m() -> Dataset:
    folder = assets.fetch("ml-1m")
    items = _table(folder / "ml-1m.item")
    items = items.rename(columns={"movie_title": "title", "release_year": "year", "genre": "genres"})
    return _movielens("ml-1m", _table(folder / "ml-1m.inter"), items, _table(folder / "ml-1m.user"))


def _table(path) -> pd.DataFrame:
    """Read a RecBole table: tab-separated, "name:type" in the header."""
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3, encoding="utf-8")
    return frame.rename(columns=lambda column: column.split(":")[0])


def _movielens(name, interactions, items, users) -> Dataset:
    interactions["rating"] = interactions["rating"].astype(float)
    interactions["timestamp"] = interactions["timestamp"].astype(float).astype(np.int64)
    interactions = interactions.sort_values(["user_id", "timestamp", "item_id"], ignore_index=True)
    items["year"] = pd.to_numeric(items["year"], errors="coerce").astype("Int64")
    items["genres"] = [tuple(genres.split()) for genres in items["genres"]]
    items["text"] = [
        f"{title}{'' if pd.isna(year) else f' ({year})'}. {', '.join(genres)}"
        for title, year, genres in zip(items["title"], items["year"], items["genres"], strict=True)
    ]
    return Dataset(
        name,
        interactions[["user_id", "item_id", "rating", "timestamp"]],
        items.set_index("item_id").sort_index()[["title", "year", "genres", "text"]],
        users.set_index("user_id").sort_index(),
        assets.registry()[name]["licence"],
    )


def _complete_journey() -> Dataset:
    """Supermarket purchases: users are households, items are products, an event is a line of a receipt."""
    folder = assets.fetch("complete-journey")
    lines = pd.read_parquet(folder / "transactions.parquet")
    lines = lines.rename(columns={"household_id": "user_id", "product_id": "item_id"})
    lines["timestamp"] = lines["transaction_timestamp"].astype("datetime64[s]").astype(np.int64)
    lines = lines.sort_values(["user_id", "timestamp", "item_id"], kind="stable", ignore_index=True)
    products = pd.read_parquet(folder / "products.parquet").set_index("product_id")
    products = products.reindex(products.index.union(lines["item_id"].unique()))  # some were bought and are not listed
    names = [products[column].fillna("unknown") for column in ("product_type", "product_category", "department")]
    texts = [f"{kind}. {category}, {department}" for kind, category, department in zip(*names, strict=True)]
    columns = {"title": names[0], "year": pd.NA, "genres": [(department,) for department in names[2]], "text": texts}
    items = pd.DataFrame(columns | {"category": products["product_category"]}, products.index).rename_axis("item_id")
    items = items.astype({"year": "Int64"}).assign(text=items["text"].str.lower())
    known = pd.read_parquet(folder / "demographics.parquet").rename(columns={"household_id": "user_id"})
    users = known.set_index("user_id").reindex(np.sort(lines["user_id"].unique()))
    columns = ["user_id", "item_id", "timestamp", "basket_id", "week", "quantity", "sales_value"]
    licence = assets.registry()["complete-journey"]["licence"]
    return Dataset("complete-journey", lines[columns], items, users, licence)


def _synthetic_tiny() -> Dataset:
    """60 users, 40 items, three planted tastes: deterministic, for unit tests, never for results."""
    rng = np.random.default_rng(0)
    n_users, n_items, tastes = 60, 40, ("Comedy", "Drama", "Horror")
    genre_of = np.arange(n_items) % 3
    rows = []
    for user in range(n_users):
        odds = np.where(genre_of == user % 3, 6.0, 1.0) / (1 + np.arange(n_items) / 10)
        chosen = rng.choice(n_items, size=int(rng.integers(6, 20)), replace=False, p=odds / odds.sum())
        for when, item in enumerate(chosen):
            liked = genre_of[item] == user % 3
            rows.append((user + 1, item + 1, float(rng.integers(3, 6) if liked else rng.integers(1, 5)), 1000 * when))
    genres = [(tastes[g],) if i % 7 else (tastes[g], tastes[(g + 1) % 3]) for i, g in enumerate(genre_of)]
    items = pd.DataFrame(
        {
            "title": [f"Film {i + 1}" for i in range(n_items)],
            "year": pd.array(1980 + np.arange(n_items) % 20, dtype="Int64"),
            "genres": genres,
        },
        index=pd.RangeIndex(1, n_items + 1, name="item_id"),
    )
    items["text"] = [
        f"{t} ({y}). {', '.join(g)}" for t, y, g in zip(items["title"], items["year"], genres, strict=True)
    ]
    users = pd.DataFrame({"age": 20 + np.arange(n_users)}, index=pd.RangeIndex(1, n_users + 1, name="user_id"))
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    return Dataset("synthetic-tiny", interactions, items, users, "made by this library; MIT")
