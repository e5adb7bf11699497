"""Store: an online model on disk. What was acknowledged survives a crash at any moment, kill -9 included."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows: keeping a second writer away is left to the operator
    fcntl = None

MAGIC = b"RSLG"
HEADER = struct.Struct("<4sQII")  # magic, number of the change, bytes of the body, crc32 of the body
CHECK = struct.Struct("<I")  # crc32 of the header
CHANGES = ("learn", "add_users", "add_interactions", "remove_interactions", "add_items", "forget", "fade", "refresh")


class DamagedStore(RuntimeError):
    """What lies on the disk is not what was written, and not just the torn end of a crash."""


class Store:
    """A model, its last snapshot, and a log of every change since then.

    A change is made in memory, written to the log, flushed to the disk (fsync), and only then acknowledged: `apply`
    returns. Opening the store again loads the snapshot and makes the logged changes anew, in the same order with the
    same arithmetic: the state is equal bit by bit (on the same machine, with the same libraries and number of threads).
    A record that a crash cut off was not acknowledged; it is dropped. A damaged record with sound ones behind it is an
    error, never skipped.

    A snapshot is written beside the old one, flushed, and moved into place in one step; a new log begins with it.
    The snapshot before the last, and the log that leads on from it, are kept: if the last is found damaged, it is
    made again from those two.

    Parameters
    ----------
    folder : path
        Created if needed. One process at a time may have it open.
    model : IncrementalEASE, optional
        The fitted model that a new store starts from.
    kind : class
        What to restore: has `state()` and `restore(meta, arrays)`.

    Attributes
    ----------
    model : the live model; read from it as you like, change it through `apply` only
    n_changes : int, changes acknowledged since the beginning
    """

    def __init__(self, folder, kind, model=None):
        self.folder, self._kind = Path(folder), kind
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.folder / "lock", "w")
        if fcntl:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RuntimeError(f"another process has the store {self.folder.name!r} open") from None
        self._broken, self._log = False, None
        if not self._numbers("snapshot"):
            if model is None:
                raise ValueError(f"{self.folder.name!r} holds no snapshot yet: give the fitted model to start from")
            self.model, self.n_changes = model, 0
            self.snapshot()
        elif model is not None:
            raise ValueError(
                f"{self.folder.name!r} holds a state already: open it without a model, or use a new folder"
            )
        else:
            self._resume()

    # --- changing -----------------------------------------------------------------------------------------------

    def apply(self, change: str, *arguments):
        """Make one change, for instance `apply("learn", users, items)`, and return when it is safe on the disk."""
        return self.apply_all([(change, *arguments)])[0]

    def apply_all(self, changes: list[tuple]) -> list:
        """Several changes with one flush: as safe, and many times faster than one by one."""
        self._check_sound()
        records, results = [], []
        try:
            for change, *arguments in changes:
                arguments = json.loads(json.dumps(arguments, default=_plain))  # what a replay will see
                try:
                    results.append(self._make(change, arguments))
                except BaseException as error:  # a plain ValueError refuses a change before it is begun
                    self._broken = type(error) is not ValueError
                    raise
                records.append(_record(self.n_changes + len(records) + 1, [change, *arguments]))
        finally:  # what was made is kept, also if a later change is refused
            self._append(records)
        return results

    def _check_sound(self) -> None:
        if self._broken:
            raise RuntimeError(
                "an earlier change or write failed, so memory and disk differ: close the store and open it again"
            )

    def _make(self, change: str, arguments: list):
        if change not in CHANGES or not hasattr(self.model, change):
            raise ValueError(f"{change!r} is no change of {type(self.model).__name__}. There are: {', '.join(CHANGES)}")
        return getattr(self.model, change)(*arguments)

    def _append(self, records: list[bytes]) -> None:
        try:
            self._log.write(b"".join(records))
            self._log.flush()
            os.fsync(self._log.fileno())
        except BaseException:
            self._broken = True
            raise
        self.n_changes += len(records)

    def snapshot(self, *, erase: bool = False) -> None:
        """Write the whole state, so that opening need not replay what came before.

        erase: also delete the older snapshot and log. After `forget` the user's events still stand in them; with
        `apply("refresh")` before and `erase=True` here, nothing of him is left in this folder.
        """
        self._check_sound()
        _write(self._path("snapshot", self.n_changes), _packed(*self.model.state()))
        if self._log:
            self._log.close()
        self._log = open(self._path("log", self.n_changes), "ab")
        os.fsync(self._log.fileno())
        _sync_folder(self.folder)
        keep = self._numbers("snapshot")[-1:] if erase else self._numbers("snapshot")[-2:]
        for kind in ("snapshot", "log"):
            for number in self._numbers(kind):
                if number < keep[0]:
                    self._path(kind, number).unlink()

    def close(self) -> None:
        self._log.close()
        self._lock.close()  # releases the lock

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # --- resuming -----------------------------------------------------------------------------------------------

    def _resume(self) -> None:
        damaged = []
        for number in reversed(self._numbers("snapshot")):
            try:
                self.model = self._kind.restore(*_unpacked(self._path("snapshot", number).read_bytes()))
                break
            except DamagedStore:
                damaged.append(number)
        else:
            raise DamagedStore(f"no snapshot of {self.folder.name!r} is sound. Restore the folder from a copy")
        self.n_changes = number
        logs = [each for each in self._numbers("log") if each >= number]
        for each in logs:
            self._replay(each, last=each == logs[-1])
        for each in damaged:
            self._path("snapshot", each).unlink()
        for leftover in self.folder.glob("*.part"):
            leftover.unlink()
        self._log = open(self._path("log", logs[-1] if logs else self.n_changes), "ab")
        if damaged:
            self.snapshot()

    def _replay(self, number: int, *, last: bool) -> None:
        path = self._path("log", number)
        records, end = _records(path.read_bytes(), path.name)
        for count, (change, *arguments) in records:
            if count != self.n_changes + 1:
                raise DamagedStore(f"{path.name} goes from change {self.n_changes} to {count}: a part is missing")
            self._make(change, arguments)
            self.n_changes = count
        if end < path.stat().st_size:
            if not last:
                raise DamagedStore(f"{path.name} ends in a damaged record, but a later log exists")
            with open(path, "r+b") as log:
                log.truncate(end)
                os.fsync(log.fileno())

    def _path(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number:012d}"

    def _numbers(self, kind: str) -> list[int]:
        return sorted(int(path.name.split("-")[1]) for path in self.folder.glob(f"{kind}-" + "[0-9]" * 12))


def _record(count: int, content: list) -> bytes:
    body = json.dumps(content, separators=(",", ":")).encode()
    header = HEADER.pack(MAGIC, count, len(body), zlib.crc32(body))
    return header + CHECK.pack(zlib.crc32(header)) + body


def _records(data: bytes, name: str) -> tuple[list[tuple[int, list]], int]:
    """The sound records of a log and where they end; what is behind is the torn end of a crash, or an error."""
    found, place = [], 0
    while (record := _read(data, place)) is not None:
        count, content, place = record
        found.append((count, content))
    later = data.find(MAGIC, place + 1)
    while later >= 0:
        if _read(data, later) is not None:
            raise DamagedStore(f"{name} is damaged at byte {place}, and sound records follow. Restore it from a copy")
        later = data.find(MAGIC, later + 1)
    return found, place


def _read(data: bytes, place: int) -> tuple[int, list, int] | None:
    start = place + HEADER.size + CHECK.size
    if len(data) < start:
        return None
    header = data[place : place + HEADER.size]
    magic, count, length, checksum = HEADER.unpack(header)
    if magic != MAGIC or CHECK.unpack(data[start - CHECK.size : start])[0] != zlib.crc32(header):
        return None
    body = data[start : start + length]
    if len(body) < length or zlib.crc32(body) != checksum:
        return None
    return count, json.loads(body), start + length


def _packed(meta: dict, arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, meta=np.frombuffer(json.dumps(meta, default=_plain).encode(), np.uint8), **arrays)
    return hashlib.sha256(file.getvalue()).digest() + file.getvalue()


def _unpacked(data: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise DamagedStore("the snapshot's checksum is wrong")
    with np.load(io.BytesIO(data[32:])) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return json.loads(arrays.pop("meta").tobytes()), arrays


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing: a temporary file, flushed, then moved into place, then the folder flushed."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows cannot open a folder; its file system orders a rename itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(value):
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(
        f"a change takes numbers and lists, not {type(value).__name__}: a csr matrix goes as lists of columns"
    )
