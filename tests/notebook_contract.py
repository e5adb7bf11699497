"""The notebook contract: each check takes a notebook and returns what is wrong with it, in words that name the cell."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

from recsys_lib import notebook as helpers

SECTIONS = ("You will learn", "Before you start", "Check your understanding", "Recap", "Exercises")
# The look-behind spares addresses on the web (https://example.org/home/x); file:// and C:/ are no such addresses.
MACHINE_PATH = re.compile(
    r"(?:(?<![\w.:/])|(?<=file://)|(?<=\b[A-Za-z]:))/(?:home|root|tmp|Users|work|mnt|opt|private|var|usr)/[\w.-]+"
    r"|\b[C-Hc-h]:\\{1,2}\w{2,}|(?:site|dist)-packages"
)
WARNING = re.compile(r"\b\w*Warning:|\bWARNING\b|\bDeprecat")
SIZE_LIMIT = 500_000


def check(node, path: Path) -> list[str]:
    """Every rule that applies to the notebook at `path` (solutions have fewer)."""
    if not list(_code(node)):
        return ["the notebook has no code cell"]
    rules = [*COMMON, *(SOLUTION if path.parent.name == "solutions" else LESSON)]
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
    """No widget state, no path of the machine that ran it, neither in a cell nor in what a tool left beside it."""
    problems = ["the metadata hold widget state"] if "widgets" in node.metadata else []
    if found := MACHINE_PATH.search(json.dumps(node.metadata)):
        problems.append(f"the metadata hold a machine path: {found.group(0)}")
    for index, cell in enumerate(node.cells):
        texts = [cell.source, json.dumps(cell.metadata)]
        for output in cell.get("outputs", []):
            texts += [_text(output), json.dumps(output.get("metadata", {}))]
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
        if line.strip() and not line.startswith("#") and not _is_plain(line):
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
    if helpers.badge(f"notebooks/solutions/{path.name}") not in first:
        problems.append("cell 0 has no Colab badge of these solutions (notebook.badge)")
    return problems + ([] if f"../{path.name})" in first else ["cell 0 does not link its notebook"])


def sections(node, path) -> list[str]:
    """The sections of the contract, in their order, around setup, parameters and body."""
    marks = {}
    for index, cell in enumerate(node.cells):
        for heading in re.findall(r"^## (.+?)\s*$", _prose(cell), re.MULTILINE):
            marks.setdefault(heading, index)
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            marks["parameters"] = index
    code = [index for index, _ in _code(node)]
    marks["setup cell"], marks["record cell"] = code[0], code[-1]
    order = [*SECTIONS[:2], "setup cell", "parameters", *SECTIONS[2:], "record cell"]
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
    calls, problems = [], []
    for index, cell in _code(node):
        try:
            calls += _claim_calls(cell.source)
        except SyntaxError as error:
            problems.append(f"cell {index} is not Python: {error.msg}")
    fast = sum("needs_default" not in {keyword.arg for keyword in call.keywords} for call in calls)
    if fast < 2:
        problems.append(f"only {fast} claims are tested in FAST, two are needed")
    made = helpers.read_claims(node)
    if len(made) < len(calls):
        problems.append(f"{len(calls)} claims stand in the cells, but the outputs hold {len(made)}")
    return problems + [f"the claim was not tested: {claim['text']}" for claim in made if claim["status"] != "held"]


def figures(node, path) -> list[str]:
    """A figure is introduced: there is prose in its section, above it."""
    problems, prose = [], False
    for index, cell in enumerate(node.cells):
        if cell.cell_type == "markdown":
            parts = re.split(r"^#{1,2} .*$", cell.source, flags=re.MULTILINE)
            # A new section starts without prose; the headings inside one are no prose either.
            says = bool(re.sub(r"^#+ .*$", "", parts[-1], flags=re.MULTILINE).strip())
            prose = says or (prose and len(parts) == 1)
        elif any("image/png" in output.get("data", {}) for output in cell.outputs) and not prose:
            problems.append(f"cell {index} shows a figure that no prose introduces")
    return problems


def _code(node):
    return ((index, cell) for index, cell in enumerate(node.cells) if cell.cell_type == "code")


def _claim_calls(source: str) -> list[ast.Call]:
    """The calls of notebook.claim in a cell, magics allowed; a comment or a string that mentions one is none."""
    tree = ast.parse(TransformerManager().transform_cell(source))
    return [
        call for call in ast.walk(tree) if isinstance(call, ast.Call) and ast.unparse(call.func) == "notebook.claim"
    ]


def _is_plain(line: str) -> bool:
    """Whether a line is `NAME: type = literal`."""
    try:
        (statement,) = ast.parse(line).body
        ast.literal_eval(statement.value)
    except (SyntaxError, ValueError, AttributeError):
        return False
    return isinstance(statement, ast.AnnAssign) and re.fullmatch(r"[A-Z][A-Z_0-9]*", statement.target.id) is not None


def _prose(cell) -> str:
    return cell.source if cell.cell_type == "markdown" else ""


def _text(output) -> str:
    text = output.get("text", "") or output.get("data", {}).get("text/plain", "")
    return "".join(text)


COMMON = (executed, outputs, clean, cells, setup, parameters)
LESSON = (title, sections, exercises, recorded, claims, figures)
SOLUTION = (solution_title,)
