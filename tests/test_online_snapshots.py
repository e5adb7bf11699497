"""Store: nothing that was acknowledged is lost, and what is damaged is told."""

import json
import os
import subprocess
import sys

import numpy as np
import online_crashes
import pytest

from recsys_lib.online import DamagedStore, IncrementalEASE, Store, snapshots


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


def advanced(store, n):
    for _ in range(n):
        store.apply(*online_crashes.change(store.n_changes, store.model))
    return store


def same(one, other):
    assert one.history_.shape == other.history_.shape and one.scale_ == other.scale_
    assert (one.history_.to_csr() != other.history_.to_csr()).nnz == 0
    assert (one.item_weights == other.item_weights).all()  # bit by bit
    assert one._n_pending == other._n_pending
    return True


def uninterrupted(n):
    model = online_crashes.start()
    for number in range(n):
        name, *arguments = online_crashes.change(number, model)
        getattr(model, name)(*arguments)
    return model


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_killed_twenty_times_in_the_middle_it_equals_an_uninterrupted_run(folder):
    command = [sys.executable, online_crashes.__file__, str(folder), "20"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    assert len(found) == 20
    for before, after in zip(found, found[1:], strict=False):
        assert after["resumed"] >= max(before["acknowledged"], before["resumed"])
        # at most the change that was on its way when the signal came
        assert after["resumed"] <= max(before["acknowledged"], before["resumed"]) + 1
    with Store(folder, IncrementalEASE) as store:
        assert store.n_changes >= max(each["acknowledged"] for each in found) > 100
        assert same(advanced(store, 25).model, uninterrupted(store.n_changes))


def test_opened_again_it_goes_on_as_if_nothing_had_happened(folder):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        advanced(store, 30).snapshot()
        advanced(store, 15)
    with Store(folder, IncrementalEASE) as store:
        assert store.n_changes == 45
        assert same(advanced(store, 15).model, uninterrupted(60))


def test_reading_in_between_changes_nothing(folder):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        advanced(store, 5)
        store.model.recommend(k=3), store.model.item_weights, store.model.residual()
        assert same(advanced(store, 20).model, uninterrupted(25))


def test_several_changes_with_one_flush(folder, monkeypatch):
    flushes = []
    sync = os.fsync
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        monkeypatch.setattr(snapshots.os, "fsync", lambda handle: flushes.append(handle) or sync(handle))
        store.apply_all([("learn", [0], [1]), ("add_users", [[1, 2]]), ("add_interactions", 3, [4])])
        assert len(flushes) == 1 and store.n_changes == 3
        weights = store.model.item_weights
    with Store(folder, IncrementalEASE) as store:
        assert (store.model.item_weights == weights).all()


def test_a_log_cut_at_any_byte_loses_only_what_was_cut(folder):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        advanced(store, 3)
        log = folder / "log-000000000000"
        sound = log.stat().st_size
        advanced(store, 1)
    whole = log.read_bytes()
    for length in range(sound, len(whole)):
        log.write_bytes(whole[:length])
        with Store(folder, IncrementalEASE) as store:
            assert store.n_changes == 3
        assert log.stat().st_size == sound  # the torn end is gone, and new records follow the sound ones
    log.write_bytes(whole[:sound] + b"\0" * 100)  # a page that was never filled
    with Store(folder, IncrementalEASE) as store:
        assert same(advanced(store, 1).model, uninterrupted(4))
    assert log.read_bytes() == whole


def test_damage_in_the_middle_is_an_error_and_not_skipped(folder):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        advanced(store, 4)
    log = folder / "log-000000000000"
    whole = log.read_bytes()
    for place in (0, 9, 30):
        log.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedStore, match="damaged at byte 0, and sound records follow"):
            Store(folder, IncrementalEASE)
    assert len(log.read_bytes()) == len(whole)  # and nothing was cut


def test_a_missing_log_is_an_error(folder):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        advanced(store, 4).snapshot()
        advanced(store, 4)
    (folder / "log-000000000000").unlink()
    newest = folder / "snapshot-000000000004"
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(DamagedStore, match="from change 0 to 5"):
        Store(folder, IncrementalEASE)


def test_a_damaged_snapshot_is_made_again_from_the_one_before(folder):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        advanced(store, 10).snapshot()
        advanced(store, 10)
    newest = folder / "snapshot-000000000010"
    newest.write_bytes(newest.read_bytes()[:-100])
    with Store(folder, IncrementalEASE) as store:
        assert same(store.model, uninterrupted(20))
    for path in folder.glob("snapshot-*"):
        path.write_bytes(b"nothing")
    with pytest.raises(DamagedStore, match="no snapshot"):
        Store(folder, IncrementalEASE)


def test_a_crash_while_a_snapshot_is_written_leaves_the_old_one(folder, monkeypatch):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        advanced(store, 6)

        def crash(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(snapshots.os, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            store.snapshot()
        monkeypatch.undo()
    assert list(folder.glob("*.part"))
    with Store(folder, IncrementalEASE) as store:
        assert same(store.model, uninterrupted(6))
    assert not list(folder.glob("*.part"))


def test_old_snapshots_and_logs_go(folder):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        for _ in range(3):
            advanced(store, 2).snapshot()
    assert sorted(path.name for path in folder.glob("[sl]*-*")) == [
        *("log-000000000004", "log-000000000006", "snapshot-000000000004", "snapshot-000000000006")
    ]


def test_a_forgotten_user_can_be_erased_from_the_disk(folder):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        store.apply("add_users", [[3, 4]], ["somebody"])
        store.apply("add_interactions", 60, [77])
        store.apply("forget", 60)
        assert any(b"[77]" in path.read_bytes() for path in folder.iterdir())  # the log still tells
        store.apply("refresh")
        store.snapshot(erase=True)
    assert not any(b"[77]" in path.read_bytes() for path in folder.iterdir())
    assert len(list(folder.glob("snapshot-*"))) == len(list(folder.glob("log-*"))) == 1


def test_a_refused_change_is_not_logged_and_those_before_it_are(folder):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        with pytest.raises(ValueError, match="no user 999"):
            store.apply_all([("learn", [0], [1]), ("forget", 999), ("learn", [0], [2])])
        assert store.n_changes == 1
        with pytest.raises(ValueError, match="'score' is no change"):
            store.apply("score", [0])
    with Store(folder, IncrementalEASE) as store:
        assert store.n_changes == 1


@pytest.mark.parametrize(
    "change", [("add_users", [[0, 1]], 7), ("add_users", [[0], [1]], ["one"]), ("add_items", 2, ["one"])]
)
def test_ids_that_do_not_fit_are_refused_and_the_store_goes_on(folder, change):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        advanced(store, 5)
        with pytest.raises(ValueError, match="_ids "):
            store.apply(*change)
        assert same(advanced(store, 5).model, uninterrupted(10))  # pending changes stand as they did
    with Store(folder, IncrementalEASE) as store:
        assert same(store.model, uninterrupted(10))


@pytest.mark.parametrize("failure", [TypeError, np.linalg.LinAlgError])
def test_a_change_that_fails_midway_stops_the_store(folder, monkeypatch, failure):
    def fail(*_):
        raise failure

    with Store(folder, IncrementalEASE, online_crashes.start()) as store:
        monkeypatch.setattr(store.model, "_change", fail)
        with pytest.raises(failure):
            store.apply_all([("add_items", 1), ("add_users", [[90]])])
        monkeypatch.undo()
        for call in (lambda: store.apply("add_interactions", 60, [1]), store.snapshot):
            with pytest.raises(RuntimeError, match="open it again"):
                call()
    with Store(folder, IncrementalEASE) as store:
        assert store.model.history_.shape == (60, 91)  # what was made before it is kept


def test_a_failed_write_stops_the_store(folder, monkeypatch):
    with Store(folder, IncrementalEASE, online_crashes.start()) as store:

        def full(_):
            raise OSError("no space left")

        monkeypatch.setattr(snapshots.os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            store.apply("learn", [0], [1])
        monkeypatch.undo()
        with pytest.raises(RuntimeError, match="open it again"):
            store.apply("learn", [0], [1])


@pytest.mark.skipif(snapshots.fcntl is None, reason="needs POSIX locks")
def test_a_second_writer_is_kept_away(folder):
    with Store(folder, IncrementalEASE, online_crashes.start()):
        with pytest.raises(RuntimeError, match="another process"):
            Store(folder, IncrementalEASE)


def test_a_store_starts_from_a_model_once(folder):
    with pytest.raises(ValueError, match="give the fitted model"):
        Store(folder, IncrementalEASE)
    Store(folder, IncrementalEASE, online_crashes.start()).close()
    with pytest.raises(ValueError, match="holds a state already"):
        Store(folder, IncrementalEASE, online_crashes.start())
