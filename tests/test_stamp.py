"""The repository's address stands in many files and is one: a stamp moves it everywhere, and back."""

import re
import shutil

import nbformat
import pytest

from recsys_lib import notebook
from recsys_lib.paths import repository_root
from recsys_lib.tutorial import execute, stamp

ROOT = repository_root()
PLACES = ("pyproject.toml", "README.md", "README.zh-CN.md", "notebooks", "docs", "data/README.md", "CITATION.cff")


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """What a stamp may change, in a folder of its own."""
    for name in PLACES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    for module in (notebook, execute, stamp):
        monkeypatch.setattr(module, "repository_root", lambda: tmp_path)
    return tmp_path


def texts(folder):
    files = [
        path
        for name in PLACES
        for path in ([folder / name] if (folder / name).is_file() else (folder / name).rglob("*"))
    ]
    return {path.relative_to(folder): path.read_bytes() for path in files if path.is_file()}


def test_a_stamp_moves_every_address_and_back(copy):
    stamp.stamp()
    before, here = texts(copy), notebook.repository().removeprefix("https://github.com/")
    assert stamp.stamp() == []  # nothing is left to do
    assert copy / "pyproject.toml" in stamp.stamp("ann/films.2")
    after = texts(copy)
    assert not [path for path, text in after.items() if here.encode() in text]
    assert sum(b"github.com/ann/films.2" in text for text in after.values()) > 10
    stamp.stamp(here)
    assert texts(copy) == before


def test_only_badge_and_set_up_cell_of_a_notebook_change(copy):
    before = {path: nbformat.read(path, as_version=4) for path in sorted((copy / "notebooks").rglob("*.ipynb"))}
    stamp.stamp("ann/films")
    for path, old in before.items():
        new = nbformat.read(path, as_version=4)
        setup = next(index for index, cell in enumerate(new.cells) if cell.cell_type == "code")
        different = {index for index, (a, b) in enumerate(zip(old.cells, new.cells, strict=True)) if a != b}
        assert setup in different and different <= {0, setup}
        assert old.cells[setup].outputs == new.cells[setup].outputs
        assert "git+https://github.com/ann/films" in new.cells[setup].source
        badges = re.findall(r"github/([^)]*)\)", new.cells[0].source)
        place = path.relative_to(copy).as_posix()
        assert badges == [f"ann/films/blob/main/{place}"]


@pytest.mark.parametrize("name", ["films", "https://github.com/ann/films", "ann/films/more", "ann films", ""])
def test_what_is_no_repository_is_refused(name):
    with pytest.raises(ValueError, match="owner/name"):
        stamp.stamp(name)


@pytest.mark.parametrize("name", stamp.PAGES)
def test_the_readmes_say_where_this_is_and_their_badge_opens_a_notebook(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    (place,) = re.findall(rf"{re.escape(notebook.badge('PLACE').split('](')[2].split('PLACE')[0])}([^)]+)\)", text)
    assert ROOT / place in execute.notebooks()
    assert f"git clone {notebook.repository()} " in text and f"git+{notebook.repository()}`" in text
