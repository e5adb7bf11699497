"""Assets: verified, atomic, clear when something is wrong. A small wheel made here stands in for the real ones."""

import hashlib
import sys
import zipfile

import pytest

from recsys_lib import assets


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror folder with one wheel, a registry that pins it, and an empty cache."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    wheel = folder / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("toy/data/a.txt", "alpha")
        archive.writestr("toy/data/deep/b.txt", "beta")
        archive.writestr("toy/other.txt", "not wanted")
    entry = {
        "package": "toy",
        "version": "1.0",
        "file": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "size": wheel.stat().st_size,
        "folder": "toy/data",
    }
    monkeypatch.setattr(assets, "registry", lambda: {"toy": entry})
    monkeypatch.setenv("RECSYS_MIRROR", str(folder))
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    return wheel, entry


def leftovers(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_fetch_unpacks_the_folder_once(mirror):
    folder = assets.fetch("toy")
    assert (folder / "a.txt").read_text() == "alpha"
    assert (folder / "deep" / "b.txt").read_text() == "beta"
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "deep"]
    mirror[0].unlink()  # the second call must not need the wheel
    assert assets.fetch("toy") == folder


def test_a_changed_wheel_is_refused_and_leaves_nothing(mirror, tmp_path):
    wheel, _ = mirror
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(assets.AssetError, match="sha256"):
        assets.fetch("toy")
    assert leftovers(tmp_path) == []


def test_a_mirror_without_the_wheel_says_which_file_is_missing(mirror):
    mirror[0].unlink()
    with pytest.raises(assets.AssetError, match=r"toy-1\.0-py3-none-any\.whl"):
        assets.fetch("toy")


def test_an_interruption_leaves_nothing(mirror, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(assets.shutil, "copyfileobj", stop)
    with pytest.raises(KeyboardInterrupt):
        assets.fetch("toy")
    assert leftovers(tmp_path) == []
    monkeypatch.undo()


def test_a_failed_download_names_the_offline_remedy(mirror, tmp_path, monkeypatch):
    monkeypatch.delenv("RECSYS_MIRROR")
    # pip with an index that is an empty folder: what a machine without a network sees
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(assets.AssetError, match="RECSYS_MIRROR") as error:
        assets.fetch("toy")
    assert "toy-1.0-py3-none-any.whl" in str(error.value)
    assert leftovers(tmp_path) == []


def test_pip_is_the_transport(mirror, monkeypatch):
    """The same wheel, but found by pip itself in a folder that stands for an index."""
    wheel, entry = mirror
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
        archive.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("toy-1.0.dist-info/RECORD", "")
    entry["sha256"] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.delenv("RECSYS_MIRROR")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    assert (assets.fetch("toy") / "a.txt").read_text() == "alpha"
    assert "toy" not in sys.modules


def test_a_member_that_climbs_out_is_refused(mirror, tmp_path):
    wheel, entry = mirror
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("toy/data/../../../escaped.txt", "out")
    entry["sha256"] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with pytest.raises(assets.AssetError, match="unsafe"):
        assets.fetch("toy")
    assert not list(tmp_path.rglob("escaped.txt"))


def test_unknown_name():
    with pytest.raises(ValueError, match="ml-100k"):
        assets.fetch("no-such-asset")


def test_every_pinned_asset_is_complete():
    for name, entry in assets.registry().items():
        assert set(entry) == {
            "what",
            "package",
            "version",
            "file",
            "sha256",
            "size",
            "folder",
            "licence",
            "homepage",
        }, name
        assert len(entry["sha256"]) == 64 and entry["file"].endswith(".whl") and entry["version"] in entry["file"]
