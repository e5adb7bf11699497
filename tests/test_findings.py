"""The READMEs say what the committed notebooks say: the figures of the findings, and the picture."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from recsys_lib.paths import repository_root
from recsys_lib.tutorial import execute, findings, site

ROOT = repository_root()


@pytest.fixture
def book(tmp_path):
    def shown(text, value, low=None, high=None):
        claim = {"text": text, "value": value, "low": low, "high": high, "status": "held"}
        return new_output("display_data", data={"text/plain": text}, metadata={"recsys_claim": claim})

    record = new_output("display_data", data={"text/plain": "x"}, metadata={"recsys_record": {"ndcg": 0.4814}})
    outputs = [shown("a beats b", -0.01234, -0.02, -0.004), shown("a is fast", 0.5), shown("a is small", 2.0), record]
    nbformat.write(new_notebook(cells=[new_code_cell("x", outputs=outputs)]), tmp_path / "03_x.ipynb")
    return [tmp_path / "03_x.ipynb"]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ('{{ claim("03", "a beats b") }}', "−0.012 [−0.020, −0.004]"),
        ('{{ claim("03", "a is fast", 0, " %", 100) }} of it', "50 % of it"),
        ('{{ record("03", "ndcg", 2) }}', "0.48"),
    ],
)
def test_a_sentence_gets_its_figures(book, tmp_path, monkeypatch, sentence, expected):
    (tmp_path / "t.md").write_text(sentence)
    monkeypatch.setattr(site, "TEMPLATES", tmp_path)
    assert findings.render(book, "t.md") == expected


@pytest.mark.parametrize(("begins", "count"), [("nobody said", 0), ("a is", 2)])
def test_a_claim_that_is_not_there_or_not_one_is_named(book, tmp_path, monkeypatch, begins, count):
    (tmp_path / "t.md").write_text(f'{{{{ claim("03", "{begins}") }}}}')
    monkeypatch.setattr(site, "TEMPLATES", tmp_path)
    with pytest.raises(ValueError, match=f"{count} claims of notebook 03 begin with '{begins}'"):
        findings.render(book, "t.md")


def test_the_readmes_and_their_figure_are_in_step_with_the_committed_notebooks():
    assert [path.name for path in findings.outdated()] == [], "make readme"


def test_both_languages_rest_on_the_same_claims():
    english, chinese = (
        sorted(findings.CALL.findall((site.TEMPLATES / name).read_text(encoding="utf-8")))
        for name in findings.READMES.values()
    )
    assert english == chinese and len(english) >= 20


def test_every_finding_names_a_notebook_that_is_there():
    numbers = {path.name[:2] for path in execute.notebooks()}
    bullets = [line for line in findings.render(execute.notebooks(), "findings.en.md").splitlines() if line[:2] == "- "]
    for bullet in bullets:
        named = set(bullet.rstrip()[:-2].rpartition("(")[2].split(", "))
        assert named and named <= numbers, bullet
