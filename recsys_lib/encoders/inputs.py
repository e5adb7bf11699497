"""What every encoder asks of its input: a list of items, files that can be read, settings that exist."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np


def check_texts(texts) -> list[str]:
    """The texts as a list of str. ValueError: one that is not a string (its row is named), none at all, a lone str."""
    if isinstance(texts, str):
        raise ValueError("texts is one string. Give a list of strings, [text] for a single one")
    texts = list(texts)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"text {row} is {text!r}, not a string. Use '' where there is no text")
    if not texts:
        raise ValueError("there are no texts to encode")
    return texts


def check_items(items, what: str, is_one) -> list:
    """The items as a list. ValueError: none at all, or one `what` where a list of them belongs (`is_one(items)`)."""
    if is_one(items):
        raise ValueError(f"{what}s is one {what}. Give a list of {what}s, [{what}] for a single one")
    items = list(items)
    if not items:
        raise ValueError(f"there are no {what}s to encode")
    return items


def check_settings(dtype: str, dtypes: tuple[str, ...], **at_least_one: int) -> None:
    """ValueError: a dtype that is not among these, a number below 1."""
    if dtype not in dtypes:
        raise ValueError(f"dtype must be one of {', '.join(dtypes)}, not {dtype!r}")
    for name, value in at_least_one.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")


def is_path(item) -> bool:
    return isinstance(item, (str, os.PathLike))


def named(what: str, row: int, item) -> str:
    """How errors call an item: "image 3 (posters/heat.jpg)"; without the brackets if it is no file."""
    return f"{what} {row} ({os.fspath(item)})" if is_path(item) else f"{what} {row}"


def content(path, name: str) -> bytes:
    """The bytes of a file. FileNotFoundError; ValueError: it is empty, or cannot be read."""
    try:
        found = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{name}: there is no such file. Correct the path, or leave this one out") from None
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}. Give the path of a readable file") from None
    if not found:
        raise ValueError(f"{name} is an empty file. Fetch it anew, or leave this one out")
    return found


def content_key(*parts) -> bytes:
    """16 bytes that stand for a content: bytes, and whatever else decides what is made of them."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
        digest.update(b"\0")
    return digest.digest()[:16]


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; rows of zeros stay."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
