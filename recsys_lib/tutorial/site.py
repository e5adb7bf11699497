"""The tutorial as a web site: notebooks, documents, claims and a search, with nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import jinja2
import nbformat
from pygments.formatters import HtmlFormatter

from recsys_lib.notebook import repository
from recsys_lib.tutorial import pages
from recsys_lib.tutorial.execute import name

TEMPLATES = Path(__file__).parent / "templates"


class SiteError(ValueError):
    """A page links to something that the site does not hold."""


def build(notebooks: list[Path], target: Path, documents: list[Path] = (), findings: str = "") -> Path:
    """Render executed notebooks into the folder `target` and return its index.html.

    The site is made beside `target` and moved into its place when it is whole and its links hold.

    Parameters
    ----------
    documents : Markdown files that get a page each, in a folder of the repository such as docs/ or data/.
    findings : Markdown for the front page.

    Raises
    ------
    SiteError
        If a page links to a file or an anchor that is not there.
    """
    addresses = {f"notebooks/{name(path)}.ipynb": path for path in notebooks}
    addresses |= {f"{path.parent.name}/{path.name}": path for path in documents}
    made = []
    for address, path in addresses.items():
        make = pages.notebook_page if path.suffix == ".ipynb" else pages.document_page
        made.append(make(path, address, set(addresses)))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".site-") as scratch:
        folder = Path(scratch) / "site"
        (folder / "solutions").mkdir(parents=True)
        _static(folder)
        _write_pages(folder, made, notebooks, findings)
        (folder / "search-index.js").write_text(f"const SEARCH = {_search_index(made)};\n", encoding="utf-8")
        check_links(folder)
        if target.exists():
            shutil.rmtree(target)
        os.replace(folder, target)
    return target / "index.html"


def headline(notebooks: list[Path], tag: str = "headline-table") -> str:
    """The first text output of a cell with this tag; "" if there is none."""
    texts = (pages.text_of(output) for output in _tagged(notebooks, tag))
    return next((text for text in texts if text), "")


def headline_figure(notebooks: list[Path]) -> bytes | None:
    """The picture of the first cell tagged `headline-figure`, as PNG."""
    pictures = (output.get("data", {}).get("image/png") for output in _tagged(notebooks, "headline-figure"))
    return next((base64.b64decode(picture) for picture in pictures if picture), None)


def check_links(folder: Path) -> None:
    """Raise SiteError at the first internal link of the site that leads nowhere, or resource that is not local."""
    texts = {path.resolve(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.html"))}
    for path, text in texts.items():
        for resource in re.findall(r'(?:src|<link[^>]+href)="([^"]+)"', text):
            if resource.startswith(("http:", "https:", "//")):
                raise SiteError(f"{path.name} loads {resource[:80]} from elsewhere")
        for link in re.findall(r'(?:href|action)="([^"]+)"', text):
            if link.startswith(("http:", "https:", "mailto:")):
                continue
            file, _, anchor = html.unescape(link).partition("#")
            goal = (path.parent / file).resolve() if file else path
            if not goal.is_file():
                raise SiteError(f"{path.name} links to {link}, which is not in the site")
            if anchor and f'id="{anchor}"' not in texts.get(goal, ""):
                raise SiteError(f"{path.name} links to {link}, but there is no such heading")


def _static(folder: Path) -> None:
    for file in ("style.css", "search.js"):
        shutil.copy(TEMPLATES / file, folder / file)
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("default", "monokai"))
    code = f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
    (folder / "code.css").write_text(code, encoding="utf-8")


def _write_pages(folder: Path, made: list[dict], notebooks: list[Path], findings: str) -> None:
    lessons = [page for page in made if page["address"].startswith("notebooks/") and not page["solution"]]
    documents = [page for page in made if not page["address"].startswith("notebooks/")]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    common = {"lessons": lessons, "documents": documents, "repository": repository()}

    def write(template: str, file: str, **values) -> None:
        text = environment.get_template(template).render({"file": file, "root": ""} | common | values)
        (folder / file).write_text(text, encoding="utf-8")

    for page in made:
        place = lessons.index(page) if page in lessons else None
        previous = lessons[place - 1] if place else None
        following = lessons[place + 1] if place is not None and place + 1 < len(lessons) else None
        write("page.html", page["file"], page=page, previous=previous, following=following, root=page["root"])
    figure = pages.data_uri(headline_figure(notebooks))
    tables = {"table": headline(notebooks), "leaderboard": headline(notebooks, "leaderboard-table")}
    write("index.html", "index.html", figure=figure, findings=pages.markdown(findings), **tables)
    write("claims.html", "claims.html")
    write("search.html", "search.html")


def _search_index(made: list[dict]) -> str:
    """Every section of every page as [file, page's title, heading, anchor, text], for search.js."""
    rows = [
        [
            page["file"],
            page["title"],
            section["heading"],
            section["anchor"],
            " ".join("\n".join(section["text"]).split()),
        ]
        for page in made
        for section in page["sections"]
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def _tagged(notebooks, tag):
    for path in notebooks:
        for cell in nbformat.read(path, as_version=4).cells:
            if tag in cell.metadata.get("tags", []):
                yield from cell.get("outputs", [])
