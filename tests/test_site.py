"""The site: formulas as MathML, nothing from elsewhere, links that hold, every claim in one place, and a search."""

import json
import shutil
import subprocess

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from recsys_lib import notebook
from recsys_lib.tutorial import pages, site

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


def test_formulas_become_mathml_and_other_dollars_stay():
    rendered = pages.markdown("With $x_i^2$ and\n\n$$\\sum_{i<j} a_{ij}$$\n\nit costs $5 or $7, see `$HOME`.")
    assert rendered.count("<math") == 2 and 'display="block"' in rendered
    assert "$5 or $7" in rendered and "$HOME" in rendered
    assert "x_i" not in rendered and "\\sum" not in rendered


def test_markdown_does_not_touch_the_inside_of_a_formula():
    assert "<em>" not in pages.markdown("$a_1 * b_2 * c_3$ and $d_4$")


def write(folder, name, *cells):
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=list(cells)), folder / name)
    return folder / name


@pytest.fixture
def book(tmp_path):
    badge = notebook.badge("notebooks/00_first.ipynb")
    head = f"# 00 · First\n\n{badge}\n\n*Time: a second.*\n\nAbout it.\n\n## Part\n\n[next](01_second.ipynb)"
    claim = {"text": "water is wet", "value": 0.5, "low": 0.4, "high": 0.6, "status": "held"}
    figure = new_output("display_data", data={"image/png": PIXEL, "text/plain": "<Figure size 1x1>"})
    table = new_output("execute_result", data={"text/plain": "   ndcg\na   0.5"}, execution_count=2)
    board = new_output("stream", name="stdout", text="the winner is b")
    said = new_output("display_data", data={"text/plain": "✔ water is wet"}, metadata={"recsys_claim": claim})
    one = write(
        tmp_path / "nb",
        "00_first.ipynb",
        new_markdown_cell(head),
        new_code_cell('ax.set_title("How wet?")', metadata={"tags": ["headline-figure"]}, outputs=[figure]),
        new_code_cell("table", metadata={"tags": ["headline-table"]}, outputs=[table]),
        new_code_cell("claim()", outputs=[said]),
        new_code_cell("board", metadata={"tags": ["leaderboard-table"]}, outputs=[board]),
    )
    two = write(
        tmp_path / "nb", "01_second.ipynb", new_markdown_cell("# 01 · Second\n\nMore. [s](solutions/01_second.ipynb)")
    )
    three = write(
        tmp_path / "nb" / "solutions", "01_second.ipynb", new_markdown_cell("# Solutions\n\n[back](../01_second.ipynb)")
    )
    return [one, two, three]


@pytest.fixture
def documents(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "words.md").write_text(
        "# Words 词\n\n| a | b |\n|---|---|\n| 多样性 | [00](../notebooks/00_first.ipynb) |\n"
    )
    return [tmp_path / "docs" / "words.md"]


def read(folder, name):
    return (folder / name).read_text(encoding="utf-8")


def test_front_page(book, tmp_path):
    index = site.build(book, tmp_path / "site", findings="- found $x$ and **this**")
    front = index.read_text(encoding="utf-8")
    assert PIXEL in front and "ndcg" in front and "<strong>this</strong>" in front and "<math" in front
    assert "the winner is b" in front
    assert '<a href="claims.html">1 claims' in front and 'href="00_first.html"' in front


def test_pages_and_the_way_from_one_to_the_next(book, tmp_path):
    site.build(book, tmp_path / "site")
    page = read(tmp_path / "site", "00_first.html")
    assert page.count("<h1") == 1 and "<h1>00 · First</h1>" in page and 'id="part"' in page
    assert 'href="01_second.html">01 · Second →' in page and 'alt="Figure: How wet?"' in page
    assert 'href="00_first.html">← 00 · First' in read(tmp_path / "site", "01_second.html")
    assert "colab-badge.svg" not in page and "Open in Colab" in page
    assert 'href="../01_second.html"' in read(tmp_path / "site", "solutions/01_second.html")


def test_a_later_title_is_a_heading_and_not_the_title(tmp_path):
    one = write(tmp_path, "00_x.ipynb", new_markdown_cell("# 00 · X\n\nA."), new_markdown_cell("b\n\n# Part two\n\nC."))
    site.build([one], tmp_path / "site")
    page = read(tmp_path / "site", "00_x.html")
    assert "<title>00 · X</title>" in page and '<a href="#part-two">' in page


def test_every_claim_leads_to_its_cell(book, tmp_path):
    site.build(book, tmp_path / "site")
    claims = read(tmp_path / "site", "claims.html")
    assert '<a href="00_first.html#claim-1">water is wet</a>' in claims and "[0.4, 0.6]" in claims
    assert '<pre class="claim" id="claim-1">' in read(tmp_path / "site", "00_first.html")


def test_documents_are_pages_and_link_to_notebooks(book, documents, tmp_path):
    site.build(book, tmp_path / "site", documents)
    assert 'href="00_first.html">00</a>' in read(tmp_path / "site", "words.html")
    assert 'href="../words.html">Words 词</a>' in read(tmp_path / "site", "solutions/01_second.html")


def test_a_file_without_a_page_is_linked_in_the_repository(book, tmp_path):
    node = nbformat.read(book[0], as_version=4)
    node.cells.append(new_markdown_cell("[terms](../data/README.md#x)"))
    nbformat.write(node, book[0])
    site.build(book, tmp_path / "site")
    assert f'href="{notebook.repository()}/blob/main/data/README.md#x"' in read(tmp_path / "site", "00_first.html")


def test_the_search_index_holds_every_section_with_its_place(book, documents, tmp_path):
    site.build(book, tmp_path / "site", documents)
    script = read(tmp_path / "site", "search-index.js")
    rows = json.loads(script.removeprefix("const SEARCH = ").removesuffix(";\n"))
    by_place = {(file, anchor): (title, heading, text) for file, title, heading, anchor, text in rows}
    assert by_place["00_first.html", "part"][:2] == ("00 · First", "Part")
    assert "water is wet" in by_place["00_first.html", "part"][2] and "claim()" in by_place["00_first.html", "part"][2]
    assert "多样性" in by_place["words.html", ""][2] and ("solutions/01_second.html", "") in by_place


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize(("query", "expected"), [("WET+water", "00_first.html#part"), ("多样性", "words.html")])
def test_the_search_works_from_a_folder(book, documents, tmp_path, query, expected):
    address = site.build(book, tmp_path / "site", documents).with_name("search.html").as_uri() + f"?q={query}"
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = ["chromium", *options, "--virtual-time-budget=5000", "--dump-dom", address]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert f'<li><a href="{expected}">' in found and "<mark>" in found and "1 sections" in found


def test_a_second_build_replaces_the_first(book, tmp_path):
    site.build(book, tmp_path / "site")
    (tmp_path / "site" / "old.html").write_text("old")
    site.build(book, tmp_path / "site")
    assert not (tmp_path / "site" / "old.html").exists()


@pytest.mark.parametrize(
    "link", ["[x](99_missing.ipynb)", "[x](01_second.ipynb#nowhere)", "![x](https://example.org/a.png)"]
)
def test_a_broken_link_or_foreign_resource_is_refused_and_leaves_the_old_site(book, tmp_path, link):
    index = site.build(book, tmp_path / "site")
    node = nbformat.read(book[0], as_version=4)
    node.cells.append(new_markdown_cell(link))
    nbformat.write(node, book[0])
    with pytest.raises(site.SiteError):
        site.build(book, tmp_path / "site")
    assert index.is_file()
