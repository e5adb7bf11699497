"""The site: formulas as MathML, nothing from elsewhere, links that hold, claims and headline on the front page."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from recsys_lib import notebook
from recsys_lib.tutorial import site

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


def test_formulas_become_mathml_and_other_dollars_stay():
    rendered = site.markdown("With $x_i^2$ and\n\n$$\\sum_{i<j} a_{ij}$$\n\nit costs $5 or $7, see `$HOME`.")
    assert rendered.count("<math") == 2 and 'display="block"' in rendered
    assert "$5 or $7" in rendered and "$HOME" in rendered
    assert "x_i" not in rendered and "\\sum" not in rendered


def test_markdown_does_not_touch_the_inside_of_a_formula():
    assert "<em>" not in site.markdown("$a_1 * b_2 * c_3$ and $d_4$")


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
    said = new_output("display_data", data={"text/plain": "✔ water is wet"}, metadata={"recsys_claim": claim})
    one = write(
        tmp_path / "nb",
        "00_first.ipynb",
        new_markdown_cell(head),
        new_code_cell('ax.set_title("How wet?")', metadata={"tags": ["headline-figure"]}, outputs=[figure]),
        new_code_cell("table", metadata={"tags": ["headline-table"]}, outputs=[table]),
        new_code_cell("claim()", outputs=[said]),
    )
    two = write(
        tmp_path / "nb", "01_second.ipynb", new_markdown_cell("# 01 · Second\n\nMore. [s](solutions/01_second.ipynb)")
    )
    three = write(
        tmp_path / "nb" / "solutions", "01_second.ipynb", new_markdown_cell("# Solutions\n\n[back](../01_second.ipynb)")
    )
    return [one, two, three]


def test_pages_front_page_and_navigation(book, tmp_path):
    index = site.build(book, tmp_path / "site")
    front = index.read_text(encoding="utf-8")
    assert "water is wet" in front and "[0.4, 0.6]" in front and PIXEL in front and "ndcg" in front
    page = (tmp_path / "site" / "00_first.html").read_text(encoding="utf-8")
    assert 'href="01_second.html"' in page and 'id="part"' in page and 'alt="Figure: How wet?"' in page
    assert "colab-badge.svg" not in page and "Open in Colab" in page
    assert (tmp_path / "site" / "solutions" / "01_second.html").is_file()


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
