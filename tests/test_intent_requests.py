"""The labelled requests: their files, and how agreement is counted, by cases worked out by hand."""

import math

import pandas as pd
import pytest

from recsys_lib.intent import requests
from recsys_lib.intent.facets import vocabulary
from recsys_lib.intent.parser import DECADES

GENRES = {name for name, facet in vocabulary().items() if facet.kind == "genre"}
KINDS = {"plain", "negation", "typo", "indirect", "mood", "era", "off-topic"}


@pytest.fixture(scope="module")
def development():
    return requests.load("development")


def test_development_half(development):
    assert len(development) == 170 and development.index.is_unique and development["text"].is_unique
    assert set(development["language"]) == {"en", "zh", "mixed"}
    assert set().union(*development["kind"]) == KINDS and all(development["kind"])
    assert set().union(*development["genres"]) == GENRES and len(GENRES) == 18
    assert set().union(*development["eras"]) <= set(DECADES)
    assert set().union(*development["avoid"]) <= GENRES | set(DECADES)


def test_labels_agree_with_their_kinds(development):
    for name, row in development.iterrows():
        wanted = row["genres"] | row["eras"]
        assert not wanted & row["avoid"], name
        assert bool(row["avoid"] | row["avoid_other"]) == ("negation" in row["kind"]), name
        assert bool(row["eras"]) == ("era" in row["kind"]), name
        if row["kind"] & {"off-topic", "mood"}:
            assert not wanted, name


def test_there_is_no_third_part():
    with pytest.raises(ValueError, match="no part 'train' of the requests. There are: development, test"):
        requests.load("train")


def frame(*rows):
    """A frame as `load` gives it: (genres, eras, avoid, kind) a row."""
    columns = ["genres", "eras", "avoid", "kind"]
    return pd.DataFrame([tuple(frozenset(cell.split()) for cell in row) for row in rows], columns=columns)


SCORED = ["Horror", "Comedy", "War", "1980s", "1950s"]
CASES = [
    # genres, eras, avoid, kind | found wanted, found avoided | hits, wrong, missed, refusal
    (("Horror", "1980s", "", "era"), ("Horror 1980s", ""), (2, 0, 0, math.nan)),
    (("Horror", "", "", "plain"), ("Comedy War", ""), (0, 2, 1, math.nan)),
    (("Horror Comedy", "", "", "plain"), ("Horror cheerful", "sad"), (1, 0, 1, math.nan)),  # unscored: ignored
    (("", "", "", "mood"), ("", "War"), (0, 0, 0, math.nan)),
    (("Comedy", "", "Horror", "negation"), ("Comedy", "Horror"), (1, 0, 0, 1)),
    (("Comedy", "", "Horror", "negation"), ("Comedy", ""), (1, 0, 0, 0)),  # not understood as refused
    (("Comedy", "", "Horror", "negation"), ("Comedy", "Horror War"), (1, 0, 0, 0)),  # refused too much
    (("Comedy", "", "Horror", "negation"), ("Comedy Horror", "Horror"), (1, 1, 0, 0)),  # refused, and wanted
    (("", "", "Horror 1950s", "negation"), ("", "Horror"), (0, 0, 0, 0)),  # half of it
    (("Comedy", "", "", "negation"), ("Comedy", "gore"), (1, 0, 0, 1)),  # only something unscored is refused
    (("Comedy", "", "", "negation"), ("Comedy", "War"), (1, 0, 0, 0)),
]


@pytest.mark.parametrize("labels, found, counts", CASES)
def test_agreement_of_one(labels, found, counts):
    wanted, avoided = (each.split() for each in found)
    table = requests.agreement(frame(labels), [wanted], [avoided], SCORED)
    assert list(table.columns) == ["hits", "wrong", "missed", "refusal"]
    assert tuple(table.iloc[0]) == pytest.approx(counts, nan_ok=True)


def test_agreement_of_all_is_row_by_row():
    labels, found, counts = zip(*CASES, strict=True)
    wanted, avoided = zip(*((want.split(), avoid.split()) for want, avoid in found), strict=True)
    table = requests.agreement(frame(*labels), wanted, avoided, SCORED)
    assert [tuple(row) for row in table.to_numpy()] == [pytest.approx(row, nan_ok=True) for row in counts]
    assert table["refusal"].mean() == pytest.approx(2 / 7)
    # 9 hits, 3 wrong, 2 missed: 2 * 9 / (2 * 9 + 3 + 2)
    assert requests.micro_f1(table) == pytest.approx(18 / 23)
    with pytest.raises(ValueError):
        requests.agreement(frame(*labels), wanted[1:], avoided, SCORED)


def counts(*rows):
    return pd.DataFrame(rows, columns=["hits", "wrong", "missed"])


def test_micro_f1_by_hand():
    assert requests.micro_f1(counts((1, 0, 0), (0, 1, 1))) == pytest.approx(2 / 4)
    assert requests.micro_f1(counts((0, 0, 0), (3, 0, 0))) == 1
    assert requests.micro_f1(counts((0, 2, 0))) == 0
    assert math.isnan(requests.micro_f1(counts((0, 0, 0))))


def test_interval_of_micro_f1():
    table = counts(*[(1, 0, 0)] * 30, *[(0, 1, 1)] * 10)
    value, low, high = requests.micro_f1_interval(table)
    assert value == requests.micro_f1(table) == pytest.approx(0.75)
    assert 0.55 < low < 0.68 and 0.82 < high < 0.92  # 30 of 40: a standard error of .07
    assert requests.micro_f1_interval(table) == (value, low, high)
    assert requests.micro_f1_interval(table, rng=1) != (value, low, high)
    assert requests.micro_f1_interval(counts(*[(2, 0, 0)] * 5)) == (1, 1, 1)
