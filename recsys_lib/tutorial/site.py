"""The tutorial as a web site: every executed notebook a page, formulas as MathML, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import html
import os
import re
import shutil
import tempfile
from pathlib import Path

import jinja2
import nbformat
from latex2mathml.converter import convert as to_mathml
from nbconvert.filters import ansi2html
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from pygments.formatters import HtmlFormatter

from recsys_lib.notebook import read_claims, repository

TEMPLATES = Path(__file__).parent / "templates"
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?![\s$])([^$\n]+?)(?<![\s\\])\$(?![\d$])", re.DOTALL)


class SiteError(ValueError):
    """A page links to something that the site does not hold."""


def build(notebooks: list[Path], target: Path) -> Path:
    """Render executed notebooks into the folder `target` and return its index.html.

    The site is made beside `target` and moved into its place when it is whole and its links hold.

    Raises
    ------
    SiteError
        If a page links to a file or an anchor that is not there.
    """
    pages = [_page(path) for path in notebooks]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".site-") as scratch:
        folder = Path(scratch) / "site"
        (folder / "solutions").mkdir(parents=True)
        shutil.copy(TEMPLATES / "style.css", folder / "style.css")
        highlight = HtmlFormatter(style="default").get_style_defs(".highlight")
        dark = HtmlFormatter(style="monokai").get_style_defs(".highlight")
        (folder / "code.css").write_text(
            f"{highlight}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n", encoding="utf-8"
        )
        main = [page for page in pages if not page["solution"]]
        common = {"pages": main, "repository": repository()}
        for page in pages:
            place = main.index(page) if page in main else None
            around = {
                "previous": main[place - 1] if place else None,
                "following": main[place + 1] if place is not None and place + 1 < len(main) else None,
                "root": "../" if page["solution"] else "",
            }
            text = environment.get_template("page.html").render(page=page, **around, **common)
            (folder / page["file"]).write_text(text, encoding="utf-8")
        front = environment.get_template("index.html").render(
            figure=_data_uri(headline_figure(notebooks)), table=headline(notebooks), root="", page=None, **common
        )
        (folder / "index.html").write_text(front, encoding="utf-8")
        check_links(folder)
        if target.exists():
            shutil.rmtree(target)
        os.replace(folder, target)
    return target / "index.html"


def headline(notebooks: list[Path]) -> str:
    """The text output of the first cell tagged `headline-table`; "" if there is none."""
    return next((_text(output) for output in _tagged(notebooks, "headline-table") if _text(output)), "")


def headline_figure(notebooks: list[Path]) -> bytes | None:
    """The picture of the first cell tagged `headline-figure`, as PNG."""
    pictures = (output.get("data", {}).get("image/png") for output in _tagged(notebooks, "headline-figure"))
    return next((base64.b64decode(picture) for picture in pictures if picture), None)


def check_links(folder: Path) -> None:
    """Raise SiteError at the first internal link of the site that leads nowhere, or resource that is not local."""
    pages = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*.html")}
    for path, text in pages.items():
        for resource in re.findall(r'(?:src|<link[^>]+href)="([^"]+)"', text):
            if resource.startswith(("http:", "https:", "//")):
                raise SiteError(f"{path.name} loads {resource[:80]} from elsewhere")
        for link in re.findall(r'href="([^"]+)"', text):
            if link.startswith(("http:", "https:", "mailto:")):
                continue
            name, _, anchor = html.unescape(link).partition("#")
            goal = (path.parent / name).resolve() if name else path.resolve()
            there = {page.resolve(): content for page, content in pages.items()}
            if not goal.is_file():
                raise SiteError(f"{path.name} links to {link}, which is not in the site")
            if anchor and f'id="{anchor}"' not in there.get(goal, ""):
                raise SiteError(f"{path.name} links to {link}, but there is no such heading")


def markdown(text: str) -> str:
    """Markdown with TeX formulas -> HTML with MathML; dollars in code and in prices are left alone."""
    formulas: list[str] = []

    def keep(match):
        display = match.group(1) is not None
        formulas.append(to_mathml((match.group(1) or match.group(2)).strip(), display="block" if display else "inline"))
        return f"MATH{len(formulas) - 1}HTAM"

    parts = _CODE.split(text)
    parts[::2] = [_FORMULA.sub(keep, part) for part in parts[::2]]
    rendered = markdown2html_mistune("".join(parts))
    rendered = re.sub(r"MATH(\d+)HTAM", lambda match: formulas[int(match.group(1))], rendered)
    rendered = re.sub(r'<a class="anchor-link"[^>]*>.*?</a>', "", rendered)
    return re.sub(r"<table>(.*?)</table>", r'<div class="wide"><table>\1</table></div>', rendered, flags=re.DOTALL)


def _page(path: Path) -> dict:
    node = nbformat.read(path, as_version=4)
    solution = path.parent.name == "solutions"
    cells, contents, title, badge, time = [], [], path.stem, "", ""
    for cell in node.cells:
        if cell.cell_type == "markdown":
            source = cell.source
            if found := re.search(r"^\[!\[[^\]]*\]\([^)]*\)\]\(([^)]*)\)\s*$", source, re.MULTILINE):
                badge, source = found.group(1), source.replace(found.group(0), "")
            if found := re.search(r"^\*Time: (.+?)\*$", source, re.MULTILINE):
                time = found.group(1)
            rendered = _anchors(_links(markdown(source)), contents)
            if found := re.search(r"<h1[^>]*>(.*?)</h1>", rendered):
                title = html.unescape(re.sub("<[^>]+>", "", found.group(1)))
            cells.append({"kind": "prose", "html": rendered})
        elif cell.cell_type == "code" and cell.source.strip():
            cells.append({"kind": "code", "html": _highlight(cell.source), "outputs": _outputs(cell, title)})
    number, _, rest = title.partition(" · ")
    first = next((c["html"] for c in cells if c["kind"] == "prose"), "")
    paragraphs = re.findall(r"<p>(?!<em>Time)(.+?)</p>", first, re.DOTALL)
    return {
        "file": ("solutions/" if solution else "") + f"{path.stem}.html",
        "solution": solution,
        "title": title,
        "number": number if rest else "",
        "name": rest or title,
        "summary": re.sub(r"</?a[^>]*>", "", paragraphs[0]) if paragraphs else "",
        "time": time,
        "badge": badge,
        "cells": cells,
        "contents": contents,
        "claims": read_claims(node),
    }


def _anchors(rendered: str, contents: list[dict]) -> str:
    """Give second-level headings unique ids and note them for the page's table of contents."""

    def heading(match):
        label = re.sub("<[^>]+>", "", match.group(2))
        anchor = re.sub(r"[^a-z0-9]+", "-", html.unescape(label).lower()).strip("-") or "section"
        taken = {entry["anchor"] for entry in contents}
        while anchor in taken:
            anchor += "-more"
        contents.append({"anchor": anchor, "label": html.unescape(label), "level": int(match.group(1))})
        return f'<h{match.group(1)} id="{anchor}">{match.group(2)}</h{match.group(1)}>'

    return re.sub(r"<h([23])[^>]*>(.*?)</h\1>", heading, rendered, flags=re.DOTALL)


def _links(rendered: str) -> str:
    """Links between notebooks become links between pages."""
    return re.sub(
        r'href="(?!https?:)([^"#]+)\.ipynb(#[^"]*)?"', lambda m: f'href="{m.group(1)}.html{m.group(2) or ""}"', rendered
    )


def _highlight(source: str) -> str:
    return Highlight2HTML(pygments_lexer="ipython3")(source)


def _outputs(cell, title: str) -> list[dict]:
    shown = []
    for output in cell.outputs:
        picture = output.get("data", {}).get("image/png")
        if picture:
            shown.append(
                {"kind": "figure", "uri": _data_uri(base64.b64decode(picture)), "alt": _alt(cell.source, title)}
            )
        elif text := _text(output):
            kind = "claim" if "recsys_claim" in output.get("metadata", {}) else "text"
            if kind == "text" and shown and shown[-1]["kind"] == "text":
                shown[-1]["html"] += "\n" + ansi2html(text)
            else:
                shown.append({"kind": kind, "html": ansi2html(text)})
    return shown


def _alt(source: str, title: str) -> str:
    """What a figure shows, in words: the titles and axis names that its cell sets."""
    words = re.findall(r'(?:title|xlabel|ylabel|set_title\(|set_xlabel\(|set_ylabel\()\s*=?\s*f?"([^"]+)"', source)
    return "Figure: " + "; ".join(words or [title])


def _text(output) -> str:
    text = output.get("text") if output.output_type == "stream" else output.get("data", {}).get("text/plain")
    text = "".join(text) if isinstance(text, list) else text or ""
    return "" if text.startswith("<Figure size") else text.rstrip("\n")


def _tagged(notebooks, tag):
    for path in notebooks:
        for cell in nbformat.read(path, as_version=4).cells:
            if tag in cell.metadata.get("tags", []):
                yield from cell.get("outputs", [])


def _data_uri(picture: bytes | None) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode() if picture else ""
