"""What the tutorial has found, in sentences whose figures are claims of executed notebooks, for README and site."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import jinja2
import nbformat

from recsys_lib.notebook import read_claims, read_record
from recsys_lib.paths import repository_root
from recsys_lib.tutorial import execute, site

CALL = re.compile(r"\{\{ (.+?) \}\}")
READMES = {"README.md": "findings.en.md", "README.zh-CN.md": "findings.zh.md"}
_BLOCK = re.compile(r"(<!-- findings: .*? -->\n\n).*?(\n<!-- /findings -->)", re.DOTALL)


def render(notebooks: list[Path], template: str) -> str:
    """A template with every `claim("03", "how its text begins")` and `record("03", "its name")` replaced by figures.

    Both take `digits` after the point, `claim` also a `unit` and a factor `times`; it reads "5.1 % [3.7, 6.2]".

    Raises
    ------
    ValueError
        If no claim of that notebook, or more than one, begins so.
    """
    nodes = {path.stem[:2]: nbformat.read(path, as_version=4) for path in notebooks if path.parent.name != "solutions"}
    claims = {number: read_claims(node) for number, node in nodes.items()}

    def claim(notebook: str, begins: str, digits: int = 3, unit: str = "", times: float = 1) -> str:
        found = [claim for claim in claims.get(notebook, []) if claim["text"].startswith(begins)]
        if len(found) != 1:
            raise ValueError(f"{template}: {len(found)} claims of notebook {notebook} begin with {begins!r}, not one")
        value, low, high = (
            None if found[0][key] is None else times * found[0][key] for key in ("value", "low", "high")
        )
        interval = "" if low is None else f" [{low:.{digits}f}, {high:.{digits}f}]"
        return f"{value:.{digits}f}{unit}{interval}".replace("-", "−")

    def record(notebook: str, name: str, digits: int = 3) -> str:
        return f"{read_record(nodes[notebook])[name]:.{digits}f}"

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(site.TEMPLATES), keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(template).render(claim=claim, record=record)


def update() -> list[Path]:
    """Bring the READMEs' findings and their figure into step with the committed notebooks; returns what changed."""
    changed = outdated()
    for path, content in changed.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return list(changed)


def outdated() -> dict[Path, bytes]:
    """The files that are not in step, with what should be in them."""
    root, notebooks = repository_root(), execute.notebooks()
    wanted = {root / "notebooks" / "images" / "headline.png": site.headline_figure(notebooks)}
    for name, template in READMES.items():
        text = (root / name).read_text(encoding="utf-8")
        said = render(notebooks, template)
        said = _wrap(said) if name == "README.md" else said  # Chinese is not broken at spaces
        wanted[root / name] = _BLOCK.sub(lambda m, said=said: m[1] + said + m[2], text).encode()
    return {path: content for path, content in wanted.items() if not path.is_file() or path.read_bytes() != content}


def _wrap(text: str) -> str:
    """A bullet or a paragraph a line -> lines of at most 120 characters, as the README's other prose."""

    def fill(line):
        indent = "  " if line.startswith("- ") else ""
        return textwrap.fill(line, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)

    return "".join(fill(line) + "\n" for line in text.splitlines())
