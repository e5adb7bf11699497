"""Errands: what is no request for a film is told from what is one, and moves nothing."""

import numpy as np
import pandas as pd
import pytest
from intent_case import Every

from recsys_lib.intent import Facet, IntentParser, requests, spelling, vocabulary
from recsys_lib.intent.errands import Errands
from recsys_lib.intent.facets import request_words
from recsys_lib.intent.parser import DECADES
from recsys_lib.paths import data_folder


class Compass:
    """Errands point north, what has "horror" in it east, all else between them, nearer to the east."""

    def encode(self, texts, keep=True):
        errands = {*request_words()["errand"]["prompts"], "war: what's the weather", "my horror of a printer"}
        angles = np.array([1.5 if text in errands else 0.0 if "horror" in text else 0.5 for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@pytest.fixture
def no_typos(monkeypatch):
    monkeypatch.setattr(spelling, "known_words", Every)


def test_what_an_errand_is():
    errands = Errands(Compass(), ["a horror film"], reads_chinese=False)
    texts = ["war: what's the weather", "a comedy", "a war film: what's the weather", "", "恐怖故事", "明天天气怎么样"]
    assert errands.among(texts).tolist() == [True, False, False, False, False, True]
    assert errands.among([]).tolist() == []
    # cosines: 1 with an errand against cos 1 with a wish; cos 1 against 1
    assert errands.margins(texts[:2]) == pytest.approx([1 - np.cos(1), np.cos(1) - 1])


def test_an_errand_wants_and_refuses_nothing(no_typos):
    parser = IntentParser(Compass())
    found = parser.parse("war: what's the weather")
    assert found.errand and not found.says_anything and set(found.facets.values()) == {0.0}
    assert found.keywords == () and found.sentiment == 0 and found.text == "war: what's the weather"
    assert not parser.parse("a war film").errand and parser.parse("a war film").wanted == ("War",)


def test_facets_of_another_trade_have_no_errands(no_typos):
    weather = Facet("weather", "topic", names=("weather",), prompts=("horror",))
    for facets, is_errand in ((["War"], True), (["War", "1980s", "1880s"], True), (["War", weather], False)):
        assert IntentParser(Compass(), facets).parse("war: what's the weather").errand == is_errand


@pytest.mark.data
def test_errands_move_no_list_and_wishes_are_no_errands():
    parser = IntentParser()
    labelled = {name for name, facet in vocabulary().items() if facet.kind == "genre"} | set(DECADES)
    errands = pd.read_csv(data_folder() / "requests" / "errands.csv")["text"]
    moved = [
        text for text, found in zip(errands, parser.parse_many(errands), strict=True) if {*found.wanted} & labelled
    ]
    assert len(moved) <= 0.05 * len(errands), moved
    development = requests.load("development")
    wishes = development[[not kind & {"off-topic"} for kind in development["kind"]]]
    taken = [
        text for text, found in zip(wishes["text"], parser.parse_many(wishes["text"]), strict=True) if found.errand
    ]
    assert len(taken) <= 0.02 * len(wishes), taken
