"""The notebook contract: each check takes a notebook and returns what is wrong with it, in words that name the cell."""

from __future__ import annotations

import re
from pathlib import Path

from recsys_lib import notebook as helpers

SECTIONS = ("You will learn", "Before you start", "Check your understanding", "Recap", "Exercises")
MACHINE_PATH = re.compile(
    r"(?<![\w.:/])(?:/(?:home|root|tmp|Users|work|mnt|opt|var|usr)/[\w.-]+|[A-Z]:\\\\?\w+)|site-packages"
)
WARNING = re.compile(r"\b\w*Warning:|\bDeprecat")
SIZE_LIMIT = 500_000


def check(node, path: Path) -> list[str]:
    """Every rule that applies to the notebook at `path` (solutions have fewer)."""
    rules = [executed, outputs, clean, cells, setup, parameters]
    rules += (
        [solution_title] if path.parent.name == "solutions" else [title, sections, exercises, recorded, claims, figures]
    )
    return [problem for rule in rules for problem in rule(node, path)] + size(path)


def size(path: Path) -> list[str]:
    if path.is_file() and path.stat().st_size > SIZE_LIMIT:
        return [f"the file has {path.stat().st_size / 1000:.0f} kB, the limit is {SIZE_LIMIT / 1000:.0f}"]
    return []


def executed(node, path) -> list[str]:
    """Every code cell was run, from top to bottom, in one session."""
    problems = []
    for number, (index, cell) in enumerate(_code(node), 1):
        if cell.execution_count is None:
            problems.append(f"cell {index} was never executed")
        elif cell.execution_count != number:
            problems.append(
                f"cell {index} was executed out of order: In[{cell.execution_count}] instead of In[{number}]"
            )
    return problems


def outputs(node, path) -> list[str]:
    """Text and PNG only; no error, nothing on stderr, no warning."""
    problems = []
    for index, cell in _code(node):
        for output in cell.outputs:
            if output.output_type == "error":
                problems.append(f"cell {index} holds an error: {output.ename}")
            elif output.output_type == "stream" and output.name != "stdout":
                problems.append(f"cell {index} wrote on {output.name}")
            elif kinds := set(output.get("data", {})) - {"text/plain", "image/png"}:
                problems.append(f"cell {index} has an output of the kind {sorted(kinds)[0]}")
            if WARNING.search(_text(output)):
                problems.append(f"cell {index} shows a warning")
    return problems


def clean(node, path) -> list[str]:
    """No widget state, no path of the machine that ran it."""
    problems = ["the metadata hold widget state"] if "widgets" in node.metadata else []
    for index, cell in enumerate(node.cells):
        texts = [cell.source, *(_text(output) for output in cell.get("outputs", []))]
        for text in texts:
            if found := MACHINE_PATH.search(text):
                problems.append(f"cell {index} holds a machine path: {found.group(0)}")
    return problems


def cells(node, path) -> list[str]:
    """Cell ids are there and unique, no code cell is empty, and the library is used."""
    ids = [cell.get("id") for cell in node.cells]
    problems = [
        f"cell {index} has no id of its own" for index, name in enumerate(ids) if not name or ids.count(name) > 1
    ]
    problems += [f"cell {index} is empty" for index, cell in enumerate(node.cells) if not cell.source.strip()]
    if not any("recsys_lib" in cell.source for _, cell in _code(node)):
        problems.append("recsys_lib is never imported")
    return problems


def setup(node, path) -> list[str]:
    first = next(_code(node), (None, None))[1]
    expected = helpers.setup_cell()
    return (
        [] if first is not None and first.source == expected else ["the first code cell is not notebook.setup_cell()"]
    )


def parameters(node, path) -> list[str]:
    tagged = [(index, cell) for index, cell in _code(node) if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        return [f"{len(tagged)} cells are tagged parameters instead of one"]
    index, cell = tagged[0]
    problems = []
    if not re.search(r"^FAST: bool = False", cell.source, re.MULTILINE):
        problems.append(f"cell {index} (parameters) does not set FAST: bool = False")
    for line in cell.source.splitlines():
        if line.strip() and not line.startswith("#") and not re.match(r"[A-Z_0-9]+: [\w\[\], |]+ = ", line):
            problems.append(f"cell {index} (parameters) has more than plain annotations: {line}")
    return problems


def title(node, path) -> list[str]:
    """One H1 that starts with the number, the Colab badge of this very file, and a measured time."""
    first = node.cells[0].source
    number = path.stem[:2]
    problems = []
    if not re.match(rf"# {number} · .+", first):
        problems.append(f'cell 0 does not start with the title "# {number} · …"')
    if helpers.badge(f"notebooks/{path.name}") not in first:
        problems.append("cell 0 has no Colab badge of this notebook (notebook.badge)")
    if not re.search(r"^\*Time: .*(second|minute)", first, re.MULTILINE):
        problems.append('cell 0 has no line "*Time: …*"')
    others = [index for index, cell in enumerate(node.cells) if index and re.match("# ", _prose(cell))]
    return problems + [f"cell {index} is a second title" for index in others]


def solution_title(node, path) -> list[str]:
    first = node.cells[0].source
    problems = (
        [] if first.startswith(f"# Solutions to {path.stem[:2]} · ") else ["cell 0 has no title of its solutions"]
    )
    return problems + ([] if f"../{path.name}" in first else ["cell 0 does not link its notebook"])


def sections(node, path) -> list[str]:
    """The sections of the contract, in their order, around setup, parameters and body."""
    marks = {}
    for index, cell in enumerate(node.cells):
        for heading in re.findall(r"^## (.+?)\s*$", _prose(cell), re.MULTILINE):
            marks.setdefault(heading, index)
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            marks["parameters"] = index
    order = [*SECTIONS[:2], "parameters", *SECTIONS[2:]]
    problems = [f'the section "{name}" is missing' for name in order if name not in marks]
    places = [(marks[name], name) for name in order if name in marks]
    for (place, name), (following, after) in zip(places, places[1:], strict=False):
        if place > following:
            problems.append(f'"{after}" (cell {following}) comes before "{name}" (cell {place})')
    understanding = marks.get("Check your understanding")
    if understanding is not None and "<details>" not in node.cells[understanding].source:
        problems.append(f"cell {understanding}: the questions have no folded answers (<details>)")
    return problems


def exercises(node, path) -> list[str]:
    link = f"solutions/{path.name}"
    text = "\n".join(_prose(cell) for cell in node.cells if "## Exercises" in _prose(cell))
    if f"({link})" not in text:
        return [f"the section Exercises does not link {link}"]
    return [] if (path.parent / link).is_file() or not path.is_file() else [f"{link} does not exist"]


def recorded(node, path) -> list[str]:
    last = list(_code(node))[-1]
    problems = (
        []
        if "notebook.record(" in last[1].source
        else [f"the last code cell ({last[0]}) does not call notebook.record"]
    )
    return problems if helpers.read_record(node) else [*problems, "nothing was recorded"]


def claims(node, path) -> list[str]:
    """At least two claims are tested in FAST, and all are tested in the committed outputs."""
    source = "\n".join(cell.source for _, cell in _code(node))
    fast = source.count("notebook.claim(") - source.count("needs_default=True")
    problems = [] if fast >= 2 else [f"only {max(fast, 0)} claims are tested in FAST, two are needed"]
    untested = [claim["text"] for claim in helpers.read_claims(node) if claim["status"] != "held"]
    return problems + [f"the claim was not tested: {text}" for text in untested]


def figures(node, path) -> list[str]:
    """A figure is introduced: there is prose in its section, above it."""
    problems, prose = [], False
    for index, cell in enumerate(node.cells):
        if cell.cell_type == "markdown":
            prose = True
        elif any("image/png" in output.get("data", {}) for output in cell.outputs) and not prose:
            problems.append(f"cell {index} shows a figure that no prose introduces")
    return problems


def _code(node):
    return ((index, cell) for index, cell in enumerate(node.cells) if cell.cell_type == "code")


def _prose(cell) -> str:
    return cell.source if cell.cell_type == "markdown" else ""


def _text(output) -> str:
    text = output.get("text", "") or output.get("data", {}).get("text/plain", "")
    return "".join(text)
