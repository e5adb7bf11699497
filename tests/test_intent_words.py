"""Words: facets' names and hints in a text, phrases for the encoder, and spelling."""

import pytest

from recsys_lib.intent import Facet, spelling, vocabulary
from recsys_lib.intent.evidence import Words, is_chinese, phrases, single_words
from recsys_lib.intent.spelling import mended

GENRES = [facet for facet in vocabulary().values() if facet.kind == "genre"]


def found(text):
    """(named, hinted at): genres by name."""
    counts = Words(GENRES).count(text)
    return tuple({facet.name for facet, row in zip(GENRES, counts, strict=True) if row[kind]} for kind in (0, 1))


@pytest.mark.parametrize(
    "text, named, hinted",
    [
        ("mysteries with witches", "Mystery", "Fantasy"),
        ("thieves", "", "Crime"),
        ("hitmen", "", "Crime"),
        ("tear-jerker", "Drama", ""),
        ("tear jerkers", "Drama", ""),
        ("whodunits", "Mystery", ""),
        ("kid's", "Children's", ""),
        ("the warden's wardrobe", "", ""),
        ("superwar", "", ""),
        ("战争与和平", "War", ""),
        # a word inside a longer one of another facet is not meant
        ("star wars", "", "Sci-Fi"),
        ("a murder mystery", "Mystery", ""),
        ("a buddy cop film", "", "Action"),
        ("成龙的片子", "", "Action"),
        ("civil war", "War", "War"),  # of its own facet it is
        ("a romantic comedy", "Comedy Romance", ""),
        # ages of children
        ("my 7yo", "", "Children's"),
        ("for a six-year-old", "", "Children's"),
        ("twins, 4 yrs old", "", "Children's"),
        ("eleven year olds", "", "Children's"),
        ("a 45-year-old", "", ""),
        ("a hundred years old", "", ""),
        ("五岁的小明", "", "Children's"),
        ("十二岁", "", "Children's"),
        ("三十五岁", "", ""),
        ("35岁", "", ""),
    ],
)
def test_what_is_found(text, named, hinted):
    assert found(text) == (set(named.split()), set(hinted.split()))


@pytest.mark.parametrize(
    "text",
    [
        "book a table for tonight",
        "my android phone",
        "how much space is left on the disk",
        "will it rain in the future",
        "I need to figure out my taxes",
        "a bloody good time",
        "what a fun day",
        "the whole gang is coming",
        "we fight a lot, I have a crush",
        "fish tank, battle of wits",
        "passionate about gardens",
        "给我讲个笑话",
        "未来几天的天气",
        "恐龙",
    ],
)
def test_everyday_words_hint_at_nothing(text):
    assert found(text) == (set(), set())


def test_counts_are_of_different_words():
    words = Words([Facet("Horror", names=("scary", "horror"), hints=("ghost",), names_zh=("恐怖",))])
    assert words.count("scary, scary, ghosts and a ghost").tolist() == [[1, 1]]
    assert words.count("scary horror 恐怖").tolist() == [[3, 0]]
    assert Words([Facet("empty")]).count("empty").tolist() == [[0, 0]] and Words([]).count("horror").shape == (0, 2)
    assert words.masked("a scary film with a ghost").split() == ["a", "film", "with", "a"]


def test_phrases():
    assert phrases("") == phrases("  ") == []
    assert phrases("one") == ["one"] and phrases("one  two") == ["one two"]
    found = phrases("a b c d e f g h i")
    assert found[0] == "a b c d e f g h i" and len(found) == len(set(found)) == 1 + 8 + 7 + 5 + 2
    assert "b c d e f" in found and "a b c d" not in found


def test_languages():
    assert is_chinese("恐怖片") and is_chinese("看 horror 片吧") and not is_chinese("想看 a horror film")
    assert not is_chinese("horror") and not is_chinese("")


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(
        spelling, "known_words", lambda: frozenset("modern house watch bake dish fly form care host".split())
    )


VOCABULARY = frozenset({"ghost", "horror", "western", "comedy", "musical", "crime", "from", "romance"})


@pytest.mark.parametrize(
    "text, expected",
    [
        ("horor", "horror"),
        ("HORROR Horrorr", "HORROR horror"),
        ("a westren, a comdey", "a western, a comedy"),
        ("cmoedy", "comedy"),  # letters in another order
        ("crmie", "crime"),
        ("codyme", "comedy"),
        ("hosts", "hosts"),  # near "ghost", but its stem is known
        ("mirror", "mirror"),  # not near enough to "horror"
        ("modern", "modern"),  # near "western", but known
        ("houses watched baked dishes flies baker", "houses watched baked dishes flies baker"),  # known stems
        ("frm", "frm"),  # too short to say
        ("zebra", "zebra"),  # near to nothing
        ("恐怖 musicl", "恐怖 musical"),
        ("form", "form"),  # the letters of "from", but known
        ("", ""),
    ],
)
def test_spelling(known, text, expected):
    assert mended(text, VOCABULARY) == expected


def test_what_is_mended_into():
    found = single_words([Facet("Film-Noir", names=("film-noir",), hints=("the end", "gumshoe"))])
    assert found == {"film", "noir", "gumshoe"}
