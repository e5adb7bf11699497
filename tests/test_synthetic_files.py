"""The simulated video shop on disk: files that open again, a writing that goes on, and folders that are left alone."""

import wave

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recsys_lib import synthetic


def small(rng=0):
    return synthetic.video_shop(20, 30, interactions_per_user=6, rng=rng)


def test_files_open_again_and_equal_what_was_rendered(tmp_path):
    shop, seen = small(), []
    folder = shop.write(tmp_path / "a" / "shop", items=[2, 19], progress=lambda items: seen.extend(items) or items)
    assert seen == [2, 19]
    assert sorted(path.name for path in (folder / "thumbnails").iterdir()) == ["19.png", "2.png"]
    items = pd.read_csv(folder / "items.csv", index_col="item_id")
    assert items.equals(shop.items) and pd.read_csv(folder / "interactions.csv").equals(shop.interactions)
    for item in (2, 19):
        for name in ("thumbnail", "logo"):
            with Image.open(folder / f"{name}s" / f"{item}.png") as picture:
                assert picture.mode == "RGB" and picture.tobytes() == getattr(shop, name)(item).tobytes()
        samples, rate = shop.sound(item)
        with wave.open(str(folder / "sounds" / f"{item}.wav")) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (rate, 1, 2)
            read = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert np.array_equal((read / 32767).astype(np.float32), samples)
    readme = (folder / "README.txt").read_text()
    assert "synthetic" in readme and "Nothing here is real" in readme and str(shop.seed) in readme


def test_an_interrupted_writing_goes_on(tmp_path, monkeypatch):
    shop = small()

    def interrupted(items):
        yield items[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shop.write(tmp_path, progress=interrupted)
    kept = tmp_path / "thumbnails" / "0.png"
    kept.write_bytes(b"finished before")
    shop.write(tmp_path, items=[0, 1])
    assert kept.read_bytes() == b"finished before"
    # a crash in the middle of a file leaves nothing under its final name
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="full"):
        shop.write(tmp_path, items=[2])
    monkeypatch.undo()
    assert not (tmp_path / "thumbnails" / "2.png").exists()
    shop.write(tmp_path)
    for name in ("thumbnails", "logos", "sounds"):
        assert len(list((tmp_path / name).iterdir())) == 20
    assert not list(tmp_path.rglob("*.part"))


def test_a_crash_over_the_first_file_can_be_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="full"):
        small().write(tmp_path, items=[])
    monkeypatch.undo()
    small().write(tmp_path, items=[])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.txt", "interactions.csv", "items.csv"]


def test_other_peoples_folders_are_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match="folder .* Name an empty or a new folder"):
        small().write(tmp_path, items=[0])
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(ValueError, match="folder .* Name an empty or a new folder"):
        small().write(tmp_path / "letter.txt", items=[0])
    (tmp_path / "shop").mkdir()
    small(rng=0).write(tmp_path / "shop", items=[])
    with pytest.raises(ValueError, match="something else than this shop"):
        small(rng=1).write(tmp_path / "shop", items=[])
