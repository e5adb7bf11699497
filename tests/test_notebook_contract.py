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
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4////fwAJ+wP9KobjigAAAABJRU5ErkJggg=="  # one pixel


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
            [shown("✔", "recsys_claim", claim), shown("✔", "recsys_claim", {**claim, "text": "so does this"})],
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


def figure():
    return new_output("display_data", data={"image/png": DOT, "text/plain": "<Figure size 1x1>"})


def says(node, text):
    """Let the claims' cell print `text`."""
    output(node, new_output("stream", name="stdout", text=text))


BROKEN = {
    "never executed": (lambda n: cell(n, "it holds").update(execution_count=None), "cell 6 was never executed"),
    "out of order": (lambda n: cell(n, "it holds").update(execution_count=9), r"cell 6 .*out of order"),
    "an error": (
        lambda n: output(n, new_output("error", ename="KeyError", evalue="x", traceback=[])),
        "cell 6 .*KeyError",
    ),
    "stderr": (lambda n: output(n, new_output("stream", name="stderr", text="noise")), "cell 6 wrote on stderr"),
    "a warning": (lambda n: says(n, "x.py:1: FutureWarning: y"), "cell 6 shows a warning"),
    "a logged warning": (lambda n: says(n, "WARNING:root:slow"), "cell 6 shows a warning"),
    "html": (lambda n: output(n, new_output("display_data", data={"text/html": "<b>"})), "text/html"),
    "widget state": (lambda n: n.metadata.update(widgets={}), "widget state"),
    "a path in an output": (lambda n: says(n, "saved to /home/ann/x.csv"), "cell 6 .*machine path: /home/ann"),
    "a path on a Mac": (lambda n: says(n, "'/Users/ann/x.csv'"), "cell 6 .*machine path: /Users/ann"),
    "a temporary file": (lambda n: says(n, "in /tmp/x1"), "cell 6 .*machine path: /tmp/x1"),
    "a path of root": (lambda n: says(n, "in /root/.cache"), "cell 6 .*machine path: /root/.cache"),
    "a path as an address": (lambda n: says(n, "file:///home/ann/x"), "cell 6 .*machine path: /home/ann"),
    "a drive": (lambda n: says(n, "in C:/Users/ann"), "cell 6 .*machine path: /Users/ann"),
    "an installed package": (lambda n: says(n, "lib/site-packages/x.py"), "cell 6 .*site-packages"),
    "a path in prose": (lambda n: n.cells[1].update(source="## You will learn\n\nsee /opt/x"), "cell 1 .*path: /opt/x"),
    "a path in the metadata": (
        lambda n: n.metadata.update(papermill={"input_path": "/home/ann/x.ipynb"}),
        "the metadata hold a machine path: /home/ann",
    ),
    "a path in a cell's metadata": (
        lambda n: cell(n, "it holds").metadata.update(source="/home/ann/x"),
        "cell 6 .*machine path: /home/ann",
    ),
    "a path in a cell": (
        lambda n: cell(n, "it holds").update(
            source="from recsys_lib import x\nopen('C:\\\\data')\nnotebook.claim(1)\nnotebook.claim(2)"
        ),
        r"cell 6 .*machine path: C:\\\\data",
    ),
    "the same id twice": (lambda n: n.cells[1].update(id=n.cells[0].id), "no id of its own"),
    "an empty cell": (lambda n: n.cells.insert(1, new_markdown_cell("")), "cell 1 is empty"),
    "another setup": (lambda n: cell(n, "notebook.setup()").update(source="import recsys_lib"), "setup_cell"),
    "no parameters": (lambda n: cell(n, "FAST").metadata.update(tags=[]), "0 cells are tagged"),
    "two cells of parameters": (
        lambda n: cell(n, "it holds").metadata.update(tags=["parameters"]),
        "2 cells are tagged",
    ),
    "a computed parameter": (
        lambda n: cell(n, "FAST").update(source="FAST: bool = False\nSEED: int = max(1, 2)"),
        "cell 4 .*more than plain annotations: SEED",
    ),
    "a parameter without its type": (
        lambda n: cell(n, "FAST").update(source="FAST: bool = False\nSEED = 1"),
        "cell 4 .*more than plain annotations: SEED",
    ),
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
    "setup too early": (
        lambda n: n.cells.insert(2, n.cells.pop(3)),
        r'"setup cell" \(cell 2\) comes before "Before you start" \(cell 3\)',
    ),
    "a record before the end": (
        lambda n: n.cells.insert(8, n.cells.pop(9)),
        r'"record cell" \(cell 8\) comes before "Exercises" \(cell 9\)',
    ),
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
    "claims in a comment": (
        lambda n: cell(n, "it holds").update(
            source="import recsys_lib\nnotebook.claim('a', True)  # notebook.claim('b', True)"
        ),
        "only 1 claims",
    ),
    "claims for the full size only": (
        lambda n: cell(n, "it holds").update(
            source="import recsys_lib\nnotebook.claim('a', True)\nnotebook.claim('b', True, needs_default=True)"
        ),
        "only 1 claims",
    ),
    "a claim that left no output": (lambda n: cell(n, "it holds").outputs.pop(), "2 claims .* the outputs hold 1"),
    "a cell that is not Python": (lambda n: cell(n, "it holds").update(source="recsys_lib is"), "cell 6 is not Python"),
    "the library is not used": (
        lambda n: [c.update(source=c.source.replace("recsys_lib", "other")) for c in n.cells if c.cell_type == "code"],
        "never imported",
    ),
    "a figure right below its heading": (
        lambda n: output(n, figure()),
        "cell 6 shows a figure that no prose introduces",
    ),
    "prose that belongs to the section before": (
        lambda n: (output(n, figure()), n.cells[5].update(source="Words.\n\n## Body\n\n### Part")),
        "cell 6 shows a figure that no prose introduces",
    ),
    "no code at all": (
        lambda n: n.update(cells=[c for c in n.cells if c.cell_type == "markdown"]),
        "no code cell",
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


@pytest.mark.parametrize(
    "change",
    [
        lambda n: (output(n, figure()), n.cells[5].update(source="## Body\n\nWhat to look for.")),
        lambda n: (output(n, figure()), n.cells[5].update(source="## Body\n\nWhat.\n\n### Part")),
        lambda n: says(n, "see https://example.org/home/x/usr/y, 1/opt, RMSE:\\nlow, and/or a ratio of 3/4"),
        lambda n: cell(n, "FAST").update(
            source='# GPU: SEEDS = 10\nFAST: bool = False\nSEEDS: list[int] = [0, -1]\nNAME: str | None = "a"'
        ),
        lambda n: cell(n, "it holds").update(source="%matplotlib inline\n" + cell(n, "it holds").source),
    ],
    ids=["introduced figure", "prose above a part", "web addresses", "plain parameters", "a magic"],
)
def test_what_the_contract_allows(good, change):
    change(good)
    assert contract.check(good, PATH) == []


@pytest.fixture
def solution():
    path = PATH.parent / "solutions" / PATH.name
    sources = [notebook.setup_cell(), "FAST: bool = False", "print(1)"]
    cells = [new_code_cell(source, execution_count=number) for number, source in enumerate(sources, 1)]
    cells[1].metadata.tags = ["parameters"]
    head = f"# Solutions to 07 · Example\n\n{notebook.badge(path)}\n\n[back](../{PATH.name})"
    return new_notebook(cells=[new_markdown_cell(head), *cells]), path


def test_a_good_solution_is_good(solution):
    assert contract.check(*solution) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n.cells[0].update(source="# Answers\n\n(../07_example.ipynb)"), "cell 0 has no title"),
        (lambda n: n.cells[0].update(source="# Solutions to 07 · Example"), "cell 0 does not link its notebook"),
        (
            lambda n: n.cells[0].update(source=n.cells[0].source.replace("/solutions/", "/")),
            "cell 0 has no Colab badge",
        ),
        (lambda n: n.cells[1].update(source="import recsys_lib"), "setup_cell"),
        (lambda n: n.cells[2].metadata.update(tags=[]), "0 cells are tagged"),
        (lambda n: n.cells[3].update(execution_count=None), "cell 3 was never executed"),
        (
            lambda n: n.cells[3].outputs.append(new_output("stream", name="stderr", text="x")),
            "cell 3 wrote on stderr",
        ),
    ],
)
def test_each_broken_solution_is_caught(solution, change, message):
    node, path = solution
    change(node)
    problems = contract.check(node, path)
    assert any(re.search(message, problem) for problem in problems), problems


def test_the_linked_solutions_must_exist(good, tmp_path):
    path = tmp_path / PATH.name
    nbformat.write(good, path)
    assert contract.check(good, path) == [f"solutions/{PATH.name} does not exist"]
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / PATH.name).touch()
    assert contract.exercises(good, path) == []


def test_every_rule_has_a_notebook_that_breaks_it(good):
    caught = set()
    for name in BROKEN.keys() - {"no code at all"}:
        node = copy.deepcopy(good)
        BROKEN[name][0](node)
        caught |= {rule for rule in [*contract.COMMON, *contract.LESSON] if rule(node, PATH)}
    assert caught == {*contract.COMMON, *contract.LESSON}


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


def test_a_refreshed_notebook_keeps_the_contract(good, tmp_path):
    path = tmp_path / PATH.name
    nbformat.write(good, path)
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / PATH.name).touch()
    node = copy.deepcopy(good)  # as papermill leaves it
    node.metadata.update(papermill={"input_path": "/home/ann/x.ipynb"}, widgets={})
    node.cells.insert(5, new_code_cell("FAST = True", metadata={"tags": ["injected-parameters"]}))
    for each in node.cells:
        each.metadata.papermill = {"duration": 1.0}
    html = {"text/html": "<b>", "text/plain": "b"}
    output(node, new_output("execute_result", data=html, execution_count=3))
    output(node, figure())
    node.cells[6].source = "## Body\n\nWhat to look for."
    cell(node, "notebook.record").outputs = [shown("x 2", "recsys_record", {"x": 2.0})]
    assert execute.refresh(path, execute.Run(path, 1.0, node)) == ["x is 2, expected 1"]
    refreshed = nbformat.read(path, as_version=4)
    assert contract.check(refreshed, path) == []
    assert all(set(each.metadata) <= {"tags"} for each in refreshed.cells)
    (stored,) = [o.data["image/png"] for c in refreshed.cells for o in c.get("outputs", []) if "image/png" in o.data]
    assert stored != DOT and execute.with_palette(stored) == stored  # a palette, and nothing more to gain
    assert len(refreshed.cells) == len(good.cells)
    assert list(tmp_path.glob("*.part")) == []


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
