"""The repository's address, wherever it stands: pyproject, READMEs, Colab badges and the cells that install it."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from recsys_lib import notebook
from recsys_lib.paths import repository_root
from recsys_lib.tutorial import execute

PROJECT, PAGES = "pyproject.toml", ("README.md", "README.zh-CN.md")


def stamp(owner_and_name: str | None = None) -> list[Path]:
    """Put the address `github.com/owner/name` everywhere; returns the files that changed.

    Notebooks get the set-up cell and the badge that `recsys_lib.notebook` makes now; their outputs stay as they are.
    None keeps pyproject's address, and only brings notebooks that have fallen behind into step.

    Raises
    ------
    ValueError
        If it is not of the form owner/name.
    """
    root = repository_root()
    before = notebook.repository().removeprefix("https://github.com/")
    after = before if owner_and_name is None else owner_and_name
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", after):
        raise ValueError(f"a repository is called owner/name, but this is {after!r}")
    changed = []
    for path in [root / name for name in (PROJECT, *PAGES)]:  # pyproject first: the cells below are made from it
        text = path.read_text(encoding="utf-8")
        changed += _write(
            path, text, re.sub(rf"(github(?:\.com)?/){re.escape(before)}(?![\w-])", rf"\g<1>{after}", text)
        )
    for path in execute.notebooks():
        node = nbformat.read(path, as_version=4)
        next(cell for cell in node.cells if cell.cell_type == "code").source = notebook.setup_cell()
        badge = notebook.badge(path.relative_to(root))
        node.cells[0].source = re.sub(
            r"\[!\[[^]]*\]\([^)]*colab-badge\.svg\)\]\([^)]*\)", lambda _, badge=badge: badge, node.cells[0].source
        )
        changed += _write(path, path.read_text(encoding="utf-8"), nbformat.writes(node) + "\n")
    return changed


def _write(path: Path, before: str, after: str) -> list[Path]:
    if before == after:
        return []
    path.write_text(after, encoding="utf-8")
    return [path]
