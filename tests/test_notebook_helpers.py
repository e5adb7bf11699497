"""The helpers of the notebooks, without a kernel: what they show, what they keep for machines, what they refuse."""

import ast
import importlib.metadata
import re
import sys
from types import SimpleNamespace

import IPython
import IPython.display
import nbformat
import numpy as np
import pandas as pd
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import recsys_lib
from recsys_lib import notebook, plotting
from recsys_lib.paths import repository_root


@pytest.fixture
def shown(monkeypatch):
    """The outputs that the helpers display, as a notebook would store them."""
    outputs = []

    def display(data, *, raw, metadata):
        assert raw and set(data) == {"text/plain"}
        outputs.append(new_output("display_data", data=data, metadata=metadata))

    monkeypatch.setattr(IPython.display, "display", display)
    return outputs


@pytest.fixture
def parameters(monkeypatch):
    """The variables of a running notebook."""
    variables = {}
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(user_ns=variables))
    return variables


def text(output):
    return output.data["text/plain"]


def made_of(outputs):
    return new_notebook(cells=[new_markdown_cell("prose"), new_code_cell("x", outputs=outputs)])


def test_repository_stands_once_in_pyproject():
    project = (repository_root() / "pyproject.toml").read_text(encoding="utf-8")
    assert project.count(notebook.repository()) == 1
    assert re.fullmatch(r"https://github\.com/[^/\s]+/[^/\s]+", notebook.repository())


def test_repository_of_an_installed_package_comes_from_its_metadata(monkeypatch):
    monkeypatch.setattr(notebook, "repository_root", lambda: None)
    links = SimpleNamespace(
        get_all=lambda key: ["Changelog, https://example.org/c", "Repository, https://github.com/a/b"]
    )
    monkeypatch.setattr(notebook, "metadata", lambda name: links)
    assert notebook.repository() == "https://github.com/a/b"


def test_badge_and_setup_cell_follow_the_repository(monkeypatch):
    monkeypatch.setattr(notebook, "repository", lambda: "https://github.com/a/b")
    link = "https://colab.research.google.com/github/a/b/blob/main/notebooks/00_x.ipynb"
    assert re.fullmatch(r"\[!\[.+\]\(https://\S+\.svg\)\]\((.+)\)", notebook.badge("notebooks/00_x.ipynb"))[1] == link
    assert '"recsys-lib[colab] @ git+https://github.com/a/b" {keep}\n' in notebook.setup_cell()


def test_setup_cell_is_python_and_installs_only_where_the_library_is_missing():
    source = TransformerManager().transform_cell(notebook.setup_cell())
    (attempt, call) = ast.parse(source).body
    assert isinstance(attempt, ast.Try) and ast.unparse(attempt.body[0]) == "from recsys_lib import notebook"
    assert [ast.unparse(handler.type) for handler in attempt.handlers] == ["ModuleNotFoundError"]
    assert ast.unparse(call) == "notebook.setup()"


def test_setup_cell_tells_pip_the_torch_and_numpy_that_are_there(monkeypatch):
    there = {"torch": "2.9.0+cu126", "numpy": "2.0.2", "pandas": "2.2.2"}
    found = [SimpleNamespace(name=name, version=version) for name, version in there.items()]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: found)
    lines = notebook.setup_cell().splitlines()
    install = next(line for line in lines if "%pip" in line)
    variables = {}
    exec("\n".join(line.strip() for line in lines[3 : lines.index(install)]), variables)
    assert variables["keep"] == "torch==2.9.0+cu126 numpy==2.0.2"
    assert install.endswith(" {keep}") and not re.search(r"--(upgrade|force|ignore-installed)|-U\b", install)


def test_setup_prints_versions_and_device(capsys):
    notebook.setup()
    out, err = capsys.readouterr()
    assert f"recsys_lib {recsys_lib.__version__} on Python {sys.version_info.major}." in out
    assert f"numpy {np.__version__}" in out and "transformers " in out and "missing" not in out
    assert f"device: {notebook.device()}" in out and err == ""


def test_a_package_that_is_not_there_is_called_missing():
    assert notebook._version("no-package-of-this-name") == "missing"


def test_a_claim_that_holds_shows_its_evidence_and_keeps_plain_numbers(shown):
    notebook.claim("a beats b", np.bool_(True), np.float32(0.5), (np.float64(0.25), 1))
    (output,) = shown
    assert text(output) == "✔ a beats b: 0.5 [0.25, 1]"
    expected = {"text": "a beats b", "value": 0.5, "low": 0.25, "high": 1, "status": "held"}
    assert output.metadata == {"recsys_claim": expected}
    assert type(output.metadata["recsys_claim"]["value"]) is float
    nbformat.validate(made_of(shown))


@pytest.mark.parametrize("ends", [[0.25, 1], np.array([0.25, 1]), pd.Series({"low": 0.25, "high": 1})], ids=type)
def test_the_interval_of_a_claim_is_any_sequence_of_two(shown, ends):
    notebook.claim("a beats b", True, 0.5, ends)
    assert text(shown[0]) == "✔ a beats b: 0.5 [0.25, 1]"
    nbformat.validate(made_of(shown))
    for bad in ((0.5, 0.25, 1), [], np.ones(3)):
        with pytest.raises(ValueError, match=r"interval of a claim is \(low, high\)"):
            notebook.claim("a beats b", True, 0.5, bad)


def test_an_interval_is_drawn_where_it_is():
    table = pd.DataFrame({"value": [0.9, 0.2], "low": [0.1, 0.0], "high": [0.3, 0.5]}, index=["outside", "inside"])
    ax = plotting.intervals(table, ax=Figure().subplots())
    (bars,) = ax.collections
    assert np.array(bars.get_segments())[:, :, 0] == pytest.approx(table[["low", "high"]].to_numpy())
    points = next(line for line in ax.lines if line.get_marker() == "o")
    assert points.get_xdata().tolist() == [0.9, 0.2] and points.get_ydata().tolist() == [1, 0]


def test_a_claim_needs_no_figure(shown):
    notebook.claim("it holds", True)
    assert text(shown[0]) == "✔ it holds"
    assert shown[0].metadata["recsys_claim"]["value"] is None


def test_a_false_claim_tells_its_text_and_figures_and_shows_nothing(shown):
    with pytest.raises(notebook.ClaimFailed, match=r"does not hold: pigs fly: 0\.5 \[0\.25, 0\.75\]"):
        notebook.claim("pigs fly", False, 0.5, (0.25, 0.75))
    assert shown == []
    assert issubclass(notebook.ClaimFailed, AssertionError)


@pytest.mark.parametrize("evidence", [(np.nan, None), (1.0, (np.nan, 2.0)), (1.0, (0.0, np.nan)), (None, (np.nan, 1))])
def test_a_claim_on_nan_does_not_hold(shown, evidence):
    with pytest.raises(notebook.ClaimFailed):
        notebook.claim("x", True, *evidence)
    assert shown == []


@pytest.mark.parametrize("condition", ["yes", 1, 0, None, [True], np.array([True, True]), np.float64(1)], ids=repr)
def test_only_true_and_false_are_conditions(shown, condition):
    with pytest.raises(TypeError, match="must be True or False"):
        notebook.claim("x", condition)
    assert shown == []


def test_in_fast_a_claim_for_the_full_size_is_not_tested_whatever_it_says(shown, parameters):
    parameters["FAST"] = True
    for condition in (True, False):
        notebook.claim("big", condition, np.nan, needs_default=True)
    assert [text(output) for output in shown] == ["○ big: not tested in FAST"] * 2
    assert {output.metadata["recsys_claim"]["status"] for output in shown} == {"not tested"}


def test_in_fast_the_other_claims_are_tested(shown, parameters):
    parameters["FAST"] = True
    notebook.claim("small", True)
    assert text(shown[0]) == "✔ small"
    with pytest.raises(notebook.ClaimFailed):
        notebook.claim("small", False)


@pytest.mark.parametrize("variables", [{}, {"FAST": False}])
def test_at_full_size_every_claim_is_tested(shown, parameters, variables):
    parameters.update(variables)
    with pytest.raises(notebook.ClaimFailed):
        notebook.claim("big", False, needs_default=True)
    notebook.claim("big", True, needs_default=True)
    assert shown[0].metadata["recsys_claim"]["status"] == "held"


def test_outside_a_notebook_nothing_is_fast(monkeypatch):
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    assert notebook.fast() is False


def test_record_shows_aligned_figures_and_keeps_them_unrounded(shown):
    notebook.record({"ndcg": 0.123456789, "users": np.int64(1234567), "fit_seconds": 123.456})
    assert text(shown[0]).splitlines() == [
        "ndcg         0.1235",
        "users        1,234,567",
        "fit_seconds  123.5",
    ]
    kept = shown[0].metadata["recsys_record"]
    assert kept == {"ndcg": 0.123456789, "users": 1234567.0, "fit_seconds": 123.456}
    assert {type(figure) for figure in kept.values()} == {float}


@pytest.mark.parametrize("figure", [np.nan, np.inf, -np.inf, "1", None, [1.0], np.array([1.0])], ids=repr)
def test_record_refuses_what_is_not_a_finite_number_and_names_it(shown, figure):
    with pytest.raises(ValueError, match="finite numbers, but 'bad' is"):
        notebook.record({"good": 1.0, "bad": figure})
    assert shown == []


def test_records_are_read_back_and_the_last_one_wins(shown):
    notebook.record({"a": 1, "b": 2})
    notebook.record({"b": 3})
    assert notebook.read_record(made_of(shown)) == {"a": 1.0, "b": 3.0}


def test_claims_are_read_back_in_order(shown, parameters):
    parameters["FAST"] = True
    notebook.claim("one", True, 1.0)
    notebook.claim("two", True, needs_default=True)
    node = nbformat.reads(nbformat.writes(made_of(shown)), as_version=4)
    claims = notebook.read_claims(node)
    assert [(claim["text"], claim["status"]) for claim in claims] == [("one", "held"), ("two", "not tested")]


def test_a_notebook_that_never_ran_has_neither():
    node = new_notebook(cells=[new_markdown_cell("# Title"), new_code_cell("notebook.record({'x': 1})")])
    assert notebook.read_record(node) == {} and notebook.read_claims(node) == []


def test_other_outputs_are_not_read():
    outputs = [
        new_output("stream", name="stdout", text="recsys_record"),
        new_output("display_data", data={"text/plain": "x"}),
        new_output("error", ename="E", evalue="", traceback=[]),
    ]
    assert notebook.read_record(made_of(outputs)) == {} and notebook.read_claims(made_of(outputs)) == []


def test_progress_yields_everything_and_leaves_nothing_where_nobody_watches(capsys, monkeypatch):
    monkeypatch.setenv("RECSYS_HEADLESS", "1")
    assert list(notebook.progress(range(3), "working")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_progress_shows_what_it_does_to_a_reader(capsys, monkeypatch):
    monkeypatch.delenv("RECSYS_HEADLESS", raising=False)
    assert list(notebook.progress(iter(range(3)), "working", total=3)) == [0, 1, 2]
    out, err = capsys.readouterr()
    assert out == "" and "working" in err and "/3" in err
