"""VectorStore: vectors on disk by the content that they belong to, safe against a kill and against two writers."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from pathlib import Path

import numpy as np

from recsys_lib import assets

_AT_ONCE = 500  # keys a query; SQLite takes at least 999


def text_key(text: str) -> bytes:
    """16 bytes that stand for a text."""
    return hashlib.sha256(text.encode()).digest()[:16]


def vectors_file(name_or_path: str, settings: list) -> Path:
    """Where the vectors of a model with these settings are kept; the settings hold the model's identity."""
    digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]
    name = re.sub(r"[^\w.-]", "-", name_or_path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1])[:40]
    return assets.cache_folder() / "vectors" / f"{name}-{digest}.sqlite"


def through_store(path: Path, keys: list[bytes], prepare, progress=None) -> np.ndarray:
    """(n_keys, n_states, d): what the file holds is read, the rest is computed, and stored batch by batch.

    Parameters
    ----------
    prepare : callable
        Gets one row number for each key that is missing, and gives (batches, compute): a list of arrays of places
        in these rows, and a function from such an array to a matrix (n_states, d) a place.
    progress : callable, optional
        Wraps the list of batches.
    """
    with VectorStore(path) as store:
        known = store.read(keys)
        first = {key: row for row, key in reversed(list(enumerate(keys))) if key not in known}
        missing = sorted(first, key=first.get)
        if missing:
            batches, compute = prepare([first[key] for key in missing])
            for places in progress(batches) if progress else batches:
                computed = dict(zip([missing[place] for place in places], compute(places), strict=True))
                store.write(computed)
                known.update(computed)
    return np.stack([known[key] for key in keys])


def computed(n_rows: int, prepare, progress=None) -> np.ndarray:
    """(n_rows, n_states, d) as `through_store` gives it, computed anew and kept nowhere."""
    batches, compute = prepare(range(n_rows))
    found = {}
    for places in progress(batches) if progress else batches:
        found.update(zip(places.tolist(), compute(places), strict=True))
    return np.stack([found[row] for row in range(n_rows)])


class VectorStore:
    """One SQLite file of float32 matrices (n_states, d), one a key. A context manager; a `write` is a transaction.

    A process that is killed loses what it had not yet written, and two processes that write at once wait for
    each other. ValueError if the file is no such store.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._run("PRAGMA synchronous = NORMAL")
        self._run("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, width INTEGER, numbers BLOB)")

    def __enter__(self) -> VectorStore:
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def read(self, keys) -> dict[bytes, np.ndarray]:
        """What is here, (n_states, d) by key; a key that is not here is left out."""
        keys, found = list(dict.fromkeys(keys)), []
        for start in range(0, len(keys), _AT_ONCE):
            part = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            found += self._run(f"SELECT key, width, numbers FROM vectors WHERE key IN ({marks})", part)
        return {key: np.frombuffer(numbers, np.float32).reshape(-1, width) for key, width, numbers in found}

    def write(self, matrices: dict[bytes, np.ndarray]) -> None:
        """Keep a (n_states, d) matrix a key; a key that is here already keeps its own."""
        rows = [(key, matrix.shape[1], matrix.astype(np.float32).tobytes()) for key, matrix in matrices.items()]
        self._run("BEGIN IMMEDIATE")  # takes the lock now: a later upgrade could find it taken and fail
        try:
            self._file.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", rows)
        except BaseException:
            self._run("ROLLBACK")
            raise
        self._run("COMMIT")

    def _run(self, command: str, values=()):
        try:
            return self._file.execute(command, values).fetchall()
        except sqlite3.OperationalError:  # locked for a minute, disk full, read-only: its message says it
            raise
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"cannot use the vectors in {self._path}: {error}. Delete that file to start anew"
            ) from error
