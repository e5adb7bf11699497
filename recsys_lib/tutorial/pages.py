"""From an executed notebook or a Markdown file to the parts of a web page: HTML, headings, claims, text to search."""

from __future__ import annotations

import base64
import html
import posixpath
import re
from pathlib import Path

import nbformat
from latex2mathml.converter import convert as to_mathml
from nbconvert.filters import ansi2html
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from recsys_lib.notebook import read_claims, repository
from recsys_lib.paths import repository_root

_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?![\s$])([^$\n]+?)(?<![\s\\])\$(?![\d$])", re.DOTALL)
_BADGE = re.compile(r"^\[!\[[^\]]*\]\([^)]*\)\]\(([^)]*)\)\s*$", re.MULTILINE)


def file_of(address: str) -> str:
    """The page of a file of the repository: `notebooks/solutions/00_x.ipynb` -> "solutions/00_x.html"."""
    folder, stem = posixpath.split(posixpath.splitext(address)[0])
    name = posixpath.basename(folder) if stem == "README" else stem
    return ("solutions/" if folder.endswith("solutions") else "") + f"{name}.html"


def notebook_page(path: Path, address: str, addresses: set[str]) -> dict:
    """The page of an executed notebook; `address` is its place in the repository, `addresses` those with a page."""
    node = nbformat.read(path, as_version=4)
    page = _page(address)
    badge, time = "", ""
    for cell in node.cells:
        if cell.cell_type == "markdown":
            source = cell.source
            if found := _BADGE.search(source):
                badge, source = found.group(1), source.replace(found.group(0), "")
            if found := re.search(r"^\*Time: (.+?)\*$", source, re.MULTILINE):
                time = found.group(1)
            _add_prose(page, source, addresses)
        elif cell.cell_type == "code" and cell.source.strip():
            outputs = _outputs(cell, page)
            page["cells"].append({"kind": "code", "html": _highlight(cell.source), "outputs": outputs})
            page["sections"][-1]["text"].append(cell.source)
    number, _, rest = page["title"].partition(" · ")
    first = next((c["html"] for c in page["cells"] if c["kind"] == "prose"), "")
    paragraphs = re.findall(r"<p>(?!<em>Time)(.+?)</p>", first, re.DOTALL)
    summary = re.sub(r"</?a[^>]*>", "", paragraphs[0]) if paragraphs else ""
    claims = [claim | {"anchor": f"claim-{place}"} for place, claim in enumerate(read_claims(node), 1)]
    names = {"number": number, "name": rest} if rest else {"number": "", "name": page["title"]}
    return page | names | {"summary": summary, "time": time, "badge": badge, "claims": claims}


def document_page(path: Path, address: str, addresses: set[str]) -> dict:
    """The page of a Markdown file."""
    page = _page(address)
    _add_prose(page, path.read_text(encoding="utf-8"), addresses)
    return page | {"number": "", "name": page["title"], "time": "", "badge": "", "claims": []}


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


def data_uri(picture: bytes | None) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode() if picture else ""


def text_of(output) -> str:
    """What an output says in words; "" for a figure."""
    text = output.get("text") if output.output_type == "stream" else output.get("data", {}).get("text/plain")
    text = "".join(text) if isinstance(text, list) else text or ""
    return "" if text.startswith("<Figure size") else text.rstrip("\n")


def _page(address: str) -> dict:
    solution = "/solutions/" in address
    return {
        "address": address,
        "file": file_of(address),
        "solution": solution,
        "root": "../" if solution else "",
        "title": posixpath.basename(address),
        "cells": [],
        "contents": [],
        "sections": [{"heading": "", "anchor": "", "text": []}],
        "n_claims": 0,
    }


def _add_prose(page: dict, source: str, addresses: set[str]) -> None:
    rendered = _links(markdown(source), page, addresses)
    found = re.match(r"\s*<h1[^>]*>(.*?)</h1>", rendered)
    if found and not page["cells"]:
        page["title"], rendered = _plain(found.group(1)), rendered[found.end() :]
    rendered = _anchors(rendered, page["contents"])
    page["cells"].append({"kind": "prose", "html": rendered})
    before, *parts = re.split(r'<h[123] id="([^"]+)">(.*?)</h[123]>', rendered, flags=re.DOTALL)
    page["sections"][-1]["text"].append(_plain(before))
    for anchor, heading, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        page["sections"].append({"heading": _plain(heading), "anchor": anchor, "text": [_plain(text)]})


def _plain(rendered: str) -> str:
    """The words of a piece of HTML, without formulas."""
    return " ".join(html.unescape(re.sub(r"<math.*?</math>|<[^>]+>", " ", rendered, flags=re.DOTALL)).split())


def _anchors(rendered: str, contents: list[dict]) -> str:
    """Give the headings below the title unique ids and note them for the page's table of contents."""

    def heading(match):
        label = _plain(match.group(2))
        anchor = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "section"
        taken = {entry["anchor"] for entry in contents}
        while anchor in taken:
            anchor += "-more"
        contents.append({"anchor": anchor, "label": label, "level": int(match.group(1))})
        return f'<h{match.group(1)} id="{anchor}">{match.group(2)}</h{match.group(1)}>'

    return re.sub(r"<h([123])[^>]*>(.*?)</h\1>", heading, rendered, flags=re.DOTALL)


def _links(rendered: str, page: dict, addresses: set[str]) -> str:
    """Links between files of the repository become links between pages, or to the repository where there is no page."""

    def link(match):
        name, hash_, anchor = match.group(1).partition("#")
        goal = posixpath.normpath(posixpath.join(posixpath.dirname(page["address"]), name))
        if goal in addresses:
            return f'href="{page["root"]}{file_of(goal)}{hash_}{anchor}"'
        root = repository_root()
        if root and not goal.startswith("..") and (root / goal).exists():
            return f'href="{repository()}/blob/main/{goal}{hash_}{anchor}"'
        return match.group(0)

    return re.sub(r'href="(?!https?:|mailto:|#)([^"]+)"', link, rendered)


def _highlight(source: str) -> str:
    return Highlight2HTML(pygments_lexer="ipython3")(source)


def _outputs(cell, page: dict) -> list[dict]:
    """Figures, texts and claims of a cell; claims are numbered through the page, and can be searched."""
    shown = []
    for output in cell.outputs:
        picture = output.get("data", {}).get("image/png")
        if picture:
            uri = data_uri(base64.b64decode(picture))
            shown.append({"kind": "figure", "uri": uri, "alt": _alt(cell.source, page["title"])})
        elif text := text_of(output):
            if "recsys_claim" in output.get("metadata", {}):
                page["n_claims"] += 1
                shown.append({"kind": "claim", "html": ansi2html(text), "anchor": f"claim-{page['n_claims']}"})
                page["sections"][-1]["text"].append(text)
            elif shown and shown[-1]["kind"] == "text":
                shown[-1]["html"] += "\n" + ansi2html(text)
            else:
                shown.append({"kind": "text", "html": ansi2html(text)})
    return shown


def _alt(source: str, title: str) -> str:
    """What a figure shows, in words: the titles and axis names that its cell sets."""
    words = re.findall(r'(?:title|xlabel|ylabel|set_title\(|set_xlabel\(|set_ylabel\()\s*=?\s*f?"([^"]+)"', source)
    return "Figure: " + "; ".join(words or [title])
