"""The contract holds for every committed notebook, and each rule catches the notebook that breaks it."""

import copy
import re
from pathlib import Path

import nbformat
import notebook_contract as contract
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from recsys_lib import notebook
from recsys_lib.tutorial import execute

PATH = Path("notebooks/07_example.ipynb")


@pytest.mark.parametrize("path", execute.notebooks(), ids=execute.name)
def test_committed_notebooks_keep_the_contract(path):
    assert contract.check(nbformat.read(path, as_version=4), path) == []


def shown(text, key, payload):
    return new_output("display_data", data={"text/plain": text}, metadata={key: payload})


@pytest.fixture
def good():
    claim = {"text": "it holds", "value": 1.0, "low": None, "high": None, "status": "held"}
    code = [
        (notebook.setup_cell(), [], []),
        ('DATASET: str = "ml-100k"\nFAST: bool = False', ["parameters"], []),
        (
            "from recsys_lib import metrics\nnotebook.claim('it holds', True)\nnotebook.claim('so does this', True)",
            [],
            [shown("✔", "recsys_claim", claim)],
        ),
        ("notebook.record({'x': 1})", [], [shown("x 1", "recsys_record", {"x": 1.0})]),
    ]
    cells = [
        new_code_cell(s, metadata={"tags": t}, outputs=o, execution_count=n) for n, (s, t, o) in enumerate(code, 1)
    ]
    head = f"# 07 · Example\n\n{notebook.badge(PATH)}\n\n*Time: about 5 seconds.*"
    foot = "## Check your understanding\n\n<details><summary>Answer</summary>yes</details>"
    end = f"## Recap\n\n## Exercises\n\n[solutions](solutions/{PATH.name})"
    prose = [
        new_markdown_cell(text) for text in (head, "## You will learn", "## Before you start", "## Body", foot, end)
    ]
    order = [*prose[:3], cells[0], cells[1], prose[3], cells[2], prose[4], prose[5], cells[3]]
    return new_notebook(cells=order)


def test_the_good_example_is_good(good):
    assert contract.check(good, PATH) == []


def cell(node, part):
    return next(cell for cell in node.cells if part in cell.source)


def drop(node, part):
    node.cells.remove(cell(node, part))


def output(node, made):
    cell(node, "it holds").outputs.append(made)


BROKEN = {
    "never executed": (lambda n: cell(n, "it holds").update(execution_count=None), "cell 6 was never executed"),
    "out of order": (lambda n: cell(n, "it holds").update(execution_count=9), r"cell 6 .*out of order"),
    "an error": (
        lambda n: output(n, new_output("error", ename="KeyError", evalue="x", traceback=[])),
        "cell 6 .*KeyError",
    ),
    "stderr": (lambda n: output(n, new_output("stream", name="stderr", text="noise")), "cell 6 wrote on stderr"),
    "a warning": (lambda n: output(n, new_output("stream", name="stdout", text="x.py:1: FutureWarning: y")), "warning"),
    "html": (lambda n: output(n, new_output("display_data", data={"text/html": "<b>"})), "text/html"),
    "widget state": (lambda n: n.metadata.update(widgets={}), "widget state"),
    "a path in an output": (
        lambda n: output(n, new_output("stream", name="stdout", text="saved to /home/ann/x.csv")),
        "machine path: /home/ann",
    ),
    "a path in a cell": (
        lambda n: cell(n, "it holds").update(
            source="from recsys_lib import x\nopen('C:\\\\data')\nnotebook.claim(1)\nnotebook.claim(2)"
        ),
        "machine path",
    ),
    "the same id twice": (lambda n: n.cells[1].update(id=n.cells[0].id), "no id of its own"),
    "an empty cell": (lambda n: n.cells.insert(1, new_markdown_cell("")), "cell 1 is empty"),
    "another setup": (lambda n: cell(n, "notebook.setup()").update(source="import recsys_lib"), "setup_cell"),
    "no parameters": (lambda n: cell(n, "FAST").metadata.update(tags=[]), "0 cells are tagged"),
    "no FAST": (lambda n: cell(n, "FAST").update(source='DATASET: str = "ml-100k"'), "FAST"),
    "code in the parameters": (
        lambda n: cell(n, "FAST").update(source="FAST: bool = False\nprint(1)"),
        "more than plain",
    ),
    "no number in the title": (lambda n: n.cells[0].update(source=n.cells[0].source.replace("07 · ", "")), "title"),
    "another notebook's badge": (
        lambda n: n.cells[0].update(source=n.cells[0].source.replace("07_example.ipynb", "08_x.ipynb")),
        "badge",
    ),
    "no time": (lambda n: n.cells[0].update(source=n.cells[0].source.split("*Time")[0]), "Time"),
    "a second title": (lambda n: n.cells.insert(4, new_markdown_cell("# Again")), "second title"),
    "no recap": (lambda n: n.cells[8].update(source=n.cells[8].source.replace("## Recap", "")), '"Recap" is missing'),
    "sections swapped": (lambda n: n.cells.insert(1, n.cells.pop(2)), "comes before"),
    "answers not folded": (lambda n: cell(n, "## Check").update(source="## Check your understanding"), "folded"),
    "no solutions": (
        lambda n: n.cells[8].update(source="## Recap\n\n## Exercises"),
        "does not link solutions/07_example.ipynb",
    ),
    "no record": (lambda n: drop(n, "notebook.record"), "notebook.record"),
    "a record that never ran": (lambda n: cell(n, "notebook.record").update(outputs=[]), "nothing was recorded"),
    "one claim": (
        lambda n: cell(n, "it holds").update(source="import recsys_lib\nnotebook.claim('a', True)"),
        "only 1 claims",
    ),
    "an untested claim": (
        lambda n: output(n, shown("○", "recsys_claim", {"text": "big", "status": "not tested"})),
        "not tested: big",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_notebook_is_caught(good, name):
    change, message = BROKEN[name]
    node = copy.deepcopy(good)
    change(node)
    problems = contract.check(node, PATH)
    assert problems
    assert any(re.search(message, problem) for problem in problems), problems


def test_a_heavy_file(tmp_path):
    heavy = tmp_path / "x.ipynb"
    heavy.write_text("x" * (contract.SIZE_LIMIT + 1))
    assert "limit" in contract.size(heavy)[0]


def run(tmp_path, *sources):
    node = new_notebook(cells=[new_code_cell(source) for source in sources])
    node.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(node, tmp_path / "x.ipynb")
    return execute.execute(tmp_path / "x.ipynb", tmp_path / "out" / "x.ipynb", fast=False)


def test_a_false_claim_stops_the_notebook_and_writes_nothing(tmp_path):
    result = run(
        tmp_path, "FAST: bool = False", "from recsys_lib import notebook\nnotebook.claim('pigs fly', 1 > 2, 0.0)"
    )
    assert result.node is None and "this does not hold: pigs fly" in result.error
    assert list((tmp_path / "out").rglob("*.ipynb")) == []


def test_claims_and_records_can_be_read_from_an_executed_notebook(tmp_path):
    source = """
from recsys_lib import notebook
import numpy as np
notebook.claim("two is more than one", np.bool_(2 > 1), np.float64(2), (1.5, 2.5))
notebook.claim("only at full size", False, needs_default=True)
notebook.record({"two": np.int64(2), "x_seconds": 1.5})
"""
    result = run(tmp_path, "FAST: bool = True", source)
    assert result.error == ""
    held, untested = notebook.read_claims(result.node)
    assert held == {"text": "two is more than one", "value": 2.0, "low": 1.5, "high": 2.5, "status": "held"}
    assert untested["status"] == "not tested"
    assert notebook.read_record(result.node) == {"two": 2.0, "x_seconds": 1.5}


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: notebook.claim("x", "yes"), TypeError),
        (lambda: notebook.claim("x", True, float("nan")), notebook.ClaimFailed),
        (lambda: notebook.claim("x", True, 1.0, (0.0, float("nan"))), notebook.ClaimFailed),
        (lambda: notebook.claim("x", False), notebook.ClaimFailed),
        (lambda: notebook.record({"x": float("inf")}), ValueError),
        (lambda: notebook.record({"x": "1"}), ValueError),
    ],
)
def test_bad_claims_and_records(call, error):
    with pytest.raises(error):
        call()


def test_compare_metrics():
    expected = {"a": 1.0, "near_zero": 0.001, "fit_seconds": 3.0, "gone": 1.0}
    recorded = {"a": 1.019, "near_zero": 0.0025, "fit_seconds": 30.0, "new": 1.0}
    assert execute.compare_metrics(recorded, expected) == [
        "gone was not recorded",
        "new is not among the expected metrics (make expected)",
    ]
    assert execute.compare_metrics({"a": 1.021}, {"a": 1.0}) == ["a is 1.021, expected 1"]
    assert execute.compare_metrics({"a": 0.0041}, {"a": 0.002}) == ["a is 0.0041, expected 0.002"]
