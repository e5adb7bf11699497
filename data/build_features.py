"""Build the small derived features in data/features/ from raw texts that may not be redistributed.

    python data/build_features.py --raw FOLDER               builds every file of both MovieLens sets
    python data/build_features.py --raw FOLDER --only plot   builds one field
    python data/build_features.py --shop                     builds those of the simulated video shop

FOLDER holds `ml-100k_plots.csv` and `ml-1m_plots.csv` with the columns movie_id, title ("Title (Year)"), plot_omdb,
language, director, actors, as in OMDb's answers to the films' IMDb ids; and, for "poster", a folder `posters` of images
named by MovieLens-1M's movie_id, to which both sets are joined by title and year. What is written:

- plot: the plot read by the text encoder, reduced to 128 dimensions;
- names: the names of director and leading actors read by the text encoder, reduced to 128 dimensions;
- people: which director and actors an item has, as numbers without names, of people with two items or more;
- language: which languages a film has, as numbers, of languages with five items or more;
- poster: the poster as EfficientNet-Lite0 sees it, reduced to 128 dimensions.

Of the shop (`recsys_lib.synthetic.video_shop`, 1,000 videos): text, thumbnail, logo and sound, as MiniLM,
EfficientNet-Lite0 and musicnn take them, reduced to 128 dimensions.

Vectors are float16 rows of length 1. `index.csv` says of each file what it holds, how it was made, and its sha256.
To remove a feature, delete its file and its line there; to rebuild it, run the command above.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD

from recsys_lib import datasets, notebook, synthetic
from recsys_lib.encoders import AudioEncoder, ImageEncoder, TextEncoder

N_DIMENSIONS = 128
FOLDER = Path(__file__).parent / "features"
FIELDS = ("plot", "names", "people", "language", "poster")
READ_BY = {
    **dict.fromkeys(("plot", "names", "text"), "all-minilm-l6-v2"),
    **dict.fromkeys(("poster", "thumbnail", "logo"), "efficientnet-lite0"),
    "sound": "musicnn",
}
ORIGIN = {
    "plot": "OMDb plot summaries (CC BY-NC 4.0)",
    "names": "names of director and leading actors, from OMDb",
    "people": "director and leading actors, from OMDb",
    "language": "languages, from OMDb",
    "poster": "film posters (copyrighted; only these numbers are kept)",
    **dict.fromkeys(("text", "thumbnail", "logo", "sound"), "simulated videos (recsys_lib.synthetic)"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Build data/features from raw texts.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--raw", type=Path, help="folder with ml-100k_plots.csv and ml-1m_plots.csv")
    source.add_argument("--shop", action="store_true", help="the simulated video shop")
    parser.add_argument("--only", choices=FIELDS, help="with --raw: build this field only")
    arguments = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    if arguments.shop:
        return build_shop()
    for name in ("ml-100k", "ml-1m"):
        raw = read(arguments.raw / f"{name}_plots.csv", datasets.load(name))
        for field in [arguments.only] if arguments.only else FIELDS:
            if field == "poster":
                arrays = vectors(posters(arguments.raw, datasets.load(name)), ImageEncoder())
            elif field in READ_BY:
                arrays = vectors(raw[field], TextEncoder())
            else:
                arrays = sets(raw[field], field)
            write(name, field, raw.index, arrays)


def build_shop() -> None:
    shop = synthetic.video_shop(n_users=100)  # the items are the same whatever the users
    items = shop.items.index.tolist()
    every = notebook.progress
    for field, encoded in (
        ("text", lambda: TextEncoder().encode(shop.items["title"] + ". " + shop.items["description"], progress=every)),
        ("thumbnail", lambda: ImageEncoder().encode([shop.thumbnail(item) for item in items], progress=every)),
        ("logo", lambda: ImageEncoder().encode([shop.logo(item) for item in items], progress=every)),
        ("sound", lambda: AudioEncoder().encode([shop.sound(item)[0] for item in items], progress=every)),
    ):
        write("video-shop", field, shop.items.index, reduced(encoded(), np.ones(len(items), bool)))


def read(path: Path, dataset: datasets.Dataset) -> pd.DataFrame:
    """The raw texts in the order of `dataset.items`, joined by title and year; '' where there are none."""
    if not path.is_file():
        raise SystemExit(f"{path} is not there. --raw must name a folder with the raw files (see the top of this file)")
    table = pd.read_csv(path, dtype=str, keep_default_na=False).replace("N/A", "")
    missing = {"movie_id", "title", "plot_omdb", "language", "director", "actors"} - set(table.columns)
    if missing:
        raise SystemExit(f"{path} lacks the columns {sorted(missing)}")
    # MovieLens-100K counts items as the raw file does; the carrier of MovieLens-1M calls an item "Title (Year)".
    by_number = pd.api.types.is_integer_dtype(dataset.items.index)
    table.index = table["movie_id"].astype(int) if by_number else table["title"]
    unmatched = dataset.items.index.difference(table.index)
    print(f"{dataset.name}: {len(unmatched)} of {len(dataset.items)} items have no raw text: {list(unmatched)[:5]}")
    table = table.reindex(dataset.items.index, fill_value="")
    people = table["director"] + ", " + table["actors"]
    return pd.DataFrame(
        {
            "plot": table["plot_omdb"],
            "names": [", ".join(split(names)) for names in people],
            "people": people,
            "language": table["language"],
        }
    )


def posters(folder: Path, dataset: datasets.Dataset) -> pd.Series:
    """The path of each item's poster in the order of `dataset.items`, joined by title and year; '' where none is."""
    films = pd.read_csv(folder / "ml-1m_plots.csv", dtype=str, keep_default_na=False)
    files = {path.stem: str(path) for path in sorted((folder / "posters").glob("*.jpg"))}
    if not files:
        raise SystemExit(f"{folder / 'posters'} holds no .jpg file")
    by_title = dict(zip(films["title"].map(joined), films["movie_id"].map(files), strict=True))
    titles = dataset.items["title"] + " (" + dataset.items["year"].astype(str) + ")"
    found = titles.map(joined).map(by_title).fillna("")
    unmatched = titles[~titles.map(joined).isin(by_title)]
    print(f"{dataset.name}: {(found != '').sum()} of {len(found)} items have a poster; {len(unmatched)} titles are not")
    print(f"  among the films with posters' titles, such as {list(unmatched)[:3]}")
    return found


def joined(title: str) -> str:
    """A title with its year as it is compared: letters and digits."""
    return re.sub(r"[^a-z0-9]+", "", title.lower())


def split(names: str) -> list[str]:
    """The distinct names of a comma-separated list, in its order."""
    return list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))


def vectors(raw: pd.Series, encoder) -> dict[str, np.ndarray]:
    """Encoded, reduced by truncated SVD, length 1; a row of zeros where there is nothing ('')."""
    known = (raw != "").to_numpy()
    return reduced(encoder.encode(list(raw[known]), progress=notebook.progress), known)


def reduced(encoded: np.ndarray, known: np.ndarray) -> dict[str, np.ndarray]:
    """The vectors of the known rows, reduced by truncated SVD, as float16 rows of length 1 among rows of zeros."""
    svd = TruncatedSVD(N_DIMENSIONS, random_state=0)
    shorter = svd.fit_transform(encoded)
    rows = np.zeros((len(known), N_DIMENSIONS), np.float16)
    rows[known] = shorter / np.linalg.norm(shorter, axis=1, keepdims=True)
    return {"vectors": rows, "mask": known, "kept": np.float32(svd.explained_variance_ratio_.sum())}


def sets(lists: pd.Series, field: str) -> dict[str, np.ndarray]:
    """Which members each row has, as sorted numbers (CSR); members of too few rows are dropped, names forgotten."""
    rows = [split(names) for names in lists]
    counts = Counter(name for row in rows for name in row)
    # Numbers follow frequency, then a hash: the order of a column says nothing about a name.
    kept = [name for name in counts if counts[name] >= (2 if field == "people" else 5)]
    kept.sort(key=lambda name: (-counts[name], hashlib.sha256(name.encode()).hexdigest()))
    number = {name: column for column, name in enumerate(kept)}
    members = [sorted(number[name] for name in row if name in number) for row in rows]
    return {
        "indices": np.array([column for row in members for column in row], np.int16),
        "indptr": np.cumsum([0] + [len(row) for row in members]).astype(np.int32),
        "mask": np.array([bool(row) for row in members]),
        "n_columns": np.int32(len(kept)),
    }


def write(name: str, field: str, item_ids: pd.Index, arrays: dict[str, np.ndarray]) -> None:
    path = FOLDER / f"{name}-{field}.npz"
    np.savez_compressed(path, item_ids=item_ids.to_numpy().astype(str), **arrays)
    width = int(arrays["n_columns"]) if "n_columns" in arrays else N_DIMENSIONS
    line = {
        "file": path.name,
        "items": len(item_ids),
        "known": int(arrays["mask"].sum()),
        "columns": width,
        "variance_kept": round(float(arrays["kept"]), 3) if "kept" in arrays else 1.0,
        "derived_from": ORIGIN[field],
        "made_with": f"{READ_BY[field]}, truncated SVD" if field in READ_BY else "data/build_features.py",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    index = FOLDER / "index.csv"
    lines = pd.read_csv(index).to_dict("records") if index.is_file() else []
    lines = [other for other in lines if other["file"] != path.name] + [line]
    pd.DataFrame(sorted(lines, key=lambda entry: entry["file"])).to_csv(index, index=False)
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, {line['known']} items known")


if __name__ == "__main__":
    main()
