"""Stored results: resumed row by row, redone when the sources change, and checked by recomputing."""

import pytest

from recsys_lib import assets, results


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """An experiment of three rows that counts how often each was computed."""
    calls = []

    def compute(unit, rows):
        if unit["n"] == toy_state.get("break"):
            raise KeyboardInterrupt
        calls.append(unit["n"])
        return {"square": unit["n"] ** 2, "before": len(rows)}

    toy_state = {}
    spec = results.Experiment(
        data=("ml-100k",),
        units=[{"n": n} for n in (1, 2, 3)],
        compute=compute,
        recompute=lambda row: {"square": row["n"] ** 2},
        sample=(0, 2),
        sources=("splits.py",),
    )
    monkeypatch.setattr(results, "experiment", lambda name: spec)
    monkeypatch.setattr(results, "path", lambda name: tmp_path / f"{name}.csv")
    return calls, toy_state


def test_run_writes_every_row_with_its_origin(toy):
    table = results.run("toy")
    assert table["square"].tolist() == [1, 4, 9]
    assert set(table["sources"]) == {results.source_hash(("splits.py",))}
    assert table["data_sha256"][0] == assets.registry()["ml-100k"]["sha256"][:12]
    assert "these sources" in results.label("toy")


def test_an_interrupted_run_goes_on_where_it_stopped(toy):
    calls, state = toy
    state["break"] = 3
    with pytest.raises(KeyboardInterrupt):
        results.run("toy")
    with pytest.raises(FileNotFoundError):  # two rows of three are no table
        results.load("toy")
    state.clear()
    assert results.run("toy")["n"].tolist() == [1, 2, 3]
    assert calls == [1, 2, 3] and [file.name for file in results.path("toy").parent.iterdir()] == ["toy.csv"]


def test_a_run_that_was_killed_before_its_last_step_is_finished(toy):
    calls, _ = toy
    results.run("toy")
    results.path("toy").rename(results.path("toy").with_suffix(".csv.part"))
    assert results.run("toy")["n"].tolist() == [1, 2, 3] and calls == [1, 2, 3]
    assert [file.name for file in results.path("toy").parent.iterdir()] == ["toy.csv"]


def test_an_interrupted_renewal_leaves_the_old_table(toy, monkeypatch):
    calls, state = toy
    before = results.run("toy")
    monkeypatch.setattr(results, "source_hash", lambda sources: "changed")
    state["break"] = 3
    with pytest.raises(KeyboardInterrupt):
        results.run("toy")
    assert results.load("toy").equals(before) and "earlier sources" in results.label("toy")
    state.clear()
    assert set(results.run("toy")["sources"]) == {"changed"}
    assert calls == [1, 2, 3, 1, 2, 3]


def test_other_sources_make_the_rows_anew(toy, monkeypatch):
    calls, _ = toy
    results.run("toy")
    results.run("toy")
    assert calls == [1, 2, 3]
    monkeypatch.setattr(results, "source_hash", lambda sources: "changed")
    assert "earlier sources" in results.label("toy")
    results.run("toy")
    assert calls == [1, 2, 3, 1, 2, 3]


def test_a_sample_that_agrees_confirms_the_table(toy, monkeypatch):
    calls, _ = toy
    made_by = set(results.run("toy")["sources"])
    monkeypatch.setattr(results, "source_hash", lambda sources: "changed")
    assert not results.is_current("toy")
    results.confirm("toy")
    assert results.is_current("toy") and "a sample confirmed by these" in results.label("toy")
    assert set(results.run("toy")["sources"]) == made_by and calls == [1, 2, 3]


@pytest.mark.parametrize("value", [10.0, float("nan")])
def test_a_sample_that_disagrees_confirms_nothing(toy, monkeypatch, value):
    results.run("toy")
    stored = results.load("toy")
    stored["square"] = [1, 4, value]
    stored.to_csv(results.path("toy"), index=False)
    monkeypatch.setattr(results, "source_hash", lambda sources: "changed")
    assert len(results.disagreeing(results.confirm("toy"))) == 1
    assert not results.is_current("toy")


def test_all_with_check_runs_nothing(toy, monkeypatch):
    calls, _ = toy
    results.run("toy")
    monkeypatch.setattr(results, "EXPERIMENTS", {"toy": ""})
    monkeypatch.setattr("sys.argv", ["results", "--all", "--check", "--fresh"])
    assert results.main() == 0 and calls == [1, 2, 3]


def test_check_finds_a_figure_that_no_longer_holds(toy):
    results.run("toy")
    assert (results.check("toy")["difference"] == 0).all()
    stored = results.load("toy")
    stored["square"] = [1, 4, 10]
    stored.to_csv(results.path("toy"), index=False)
    assert (results.check("toy")["difference"] > results.TOLERANCE).tolist() == [False, True]


def test_a_missing_table_names_the_command(toy):
    with pytest.raises(FileNotFoundError, match=r"python -m recsys_lib\.results toy"):
        results.load("toy")


def test_unknown_experiment():
    with pytest.raises(ValueError, match="cf-baselines"):
        results.experiment("nothing")


def test_the_source_hash_sees_a_change(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "x.py").write_text("a")
    (tmp_path / "splits.py").write_text("a")
    monkeypatch.setattr(results, "__file__", str(tmp_path / "results.py"))
    before = results.source_hash(("models", "splits.py"))
    assert results.source_hash(("models", "splits.py")) == before
    (tmp_path / "models" / "x.py").write_text("b")
    assert results.source_hash(("models", "splits.py")) != before
    with pytest.raises(FileNotFoundError, match="nothing.py"):
        results.source_hash(("nothing.py",))


@pytest.mark.data
@pytest.mark.parametrize("name", results.EXPERIMENTS)
def test_stored_results_hold(name):
    """Rows made or confirmed by these very sources are taken as they are; else a fixed sample must agree within 2 %."""
    stored = results.load(name)
    assert len(stored) == len(results.experiment(name).units)
    if not results.is_current(name):
        wrong = results.disagreeing(results.check(name))
        assert wrong.empty, f"run python -m recsys_lib.results {name}:\n{wrong.to_string()}"
    if "ndcg" in stored:
        published = stored["split"] == "published" if name == "literature" else False  # a paper's rows have no nDCG
        assert (stored["ndcg"].notna() | published).all()
