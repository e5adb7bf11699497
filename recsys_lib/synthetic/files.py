"""The video shop on disk: tables, pictures and sounds that people can open."""

from __future__ import annotations

import hashlib
import io
import os
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from recsys_lib import __version__

TABLES = ("items", "interactions")
PART = ".part"  # what the names of unfinished files end in

README = """A synthetic video shop
======================

Nothing here is real: no video, no person, no channel. Everything was made by recsys_lib {version},
synthetic.video_shop, with the seed {seed}.

items.csv         {n_items} videos. title and description are what a model may read; the columns true_topic, true_style,
                  true_mood and true_channel are the truth that a model should find out.
interactions.csv  who watched what and when (seconds).
thumbnails/       ID.png, drawn with Pillow: they show the style and nothing else of the truth.
sounds/           ID.wav, synthesised with NumPy, 16 bits, 16000 samples a second: they let hear the mood.
logos/            ID.png: the channel.

The topic can be read in the texts only. A user likes a video by how well its attributes match his tastes, weighted
{weights},
plus its popularity and noise.

sha256 of items.csv         {items}
sha256 of interactions.csv  {interactions}
"""


def write(shop, folder: Path, items: list[int], progress: Callable | None) -> Path:
    """See `VideoShop.write`."""
    tables = {
        f"{name}.csv": getattr(shop, name).to_csv(index=name == "items", lineterminator="\n").encode()
        for name in TABLES
    }
    readme = _readme(shop, tables).encode()
    _claim(folder, readme)
    for name, content in tables.items():
        _keep_or_make(folder / name, lambda content=content: content)
    for item in progress(items) if progress else items:
        _keep_or_make(folder / "thumbnails" / f"{item}.png", lambda item=item: _png(shop.thumbnail(item)))
        _keep_or_make(folder / "logos" / f"{item}.png", lambda item=item: _png(shop.logo(item)))
        _keep_or_make(folder / "sounds" / f"{item}.wav", lambda item=item: _wav(*shop.sound(item)))
    return folder


def _readme(shop, tables: dict[str, bytes]) -> str:
    digests = {name: hashlib.sha256(tables[f"{name}.csv"]).hexdigest() for name in TABLES}
    weights = ", ".join(f"{name} {weight:g}" for name, weight in shop.weights.items())
    return README.format(version=__version__, seed=shop.seed, n_items=len(shop.items), weights=weights, **digests)


def _claim(folder: Path, readme: bytes) -> None:
    """Only an empty folder, or one whose README says that it is this same shop, is written to."""
    mark = folder / "README.txt"
    if mark.is_file() and mark.read_bytes() == readme:
        return
    if folder.exists() and (not folder.is_dir() or any(path.name != mark.name + PART for path in folder.iterdir())):
        raise ValueError(f"folder {str(folder)!r} holds something else than this shop. Name an empty or a new folder")
    _keep_or_make(mark, lambda: readme)


def _keep_or_make(path: Path, content: Callable[[], bytes]) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Moved into place when whole: what bears a final name is finished, whenever the call was interrupted.
    unfinished = path.with_name(path.name + PART)
    unfinished.write_bytes(content())
    os.replace(unfinished, path)


def _png(picture) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def _wav(samples: np.ndarray, rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(samples.astype(np.float64) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
