"""The glossary and the reading list keep pace with the notebooks that they speak of."""

import re

import nbformat
import pytest

from recsys_lib.paths import repository_root
from recsys_lib.tutorial import execute

ROOT = repository_root()
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ENTRIES = [
    (term, chinese, re.findall(r"\(\.\./(notebooks/\S+?)\)", place))
    for term, chinese, _, place in re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", GLOSSARY, re.MULTILINE)
    if place != "notebook"
]


def words(path):
    """Prose, code and outputs of a notebook, in small letters and without stars."""
    cells = nbformat.read(ROOT / path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    return "\n".join([cell.source for cell in cells] + shown).lower().replace("*", "")


def test_the_glossary_has_entries():
    assert len(ENTRIES) > 50 and len({term for term, _, _ in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize(("term", "chinese", "places"), ENTRIES, ids=[term for term, _, _ in ENTRIES])
def test_a_term_is_used_in_the_notebook_that_introduces_it(term, chinese, places):
    assert places and re.search("[\u4e00-\u9fff]|[A-Z]", chinese)
    for place in places:
        text = words(place)
        missing = [word for word in term.split(", ") if word.lower() not in text]
        assert not missing, f"{place} does not say {missing}"


@pytest.mark.parametrize("name", ["docs/glossary.md", "docs/reading.md"])
def test_links_hold_and_every_notebook_is_spoken_of(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).is_file()] == []
    lessons = {path.name for path in execute.notebooks() if path.parent.name != "solutions"}
    assert lessons == {link.rpartition("/")[2] for link in links if link.endswith(".ipynb")}
