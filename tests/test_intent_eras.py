"""Eras: decades out of phrases, in English and Chinese."""

import pytest

from recsys_lib.intent.eras import decades

OLD, ALL = {"1930s", "1940s", "1950s"}, {f"{year}s" for year in range(1930, 2000, 10)}


def span(first, last):
    return {f"{year}s" for year in range(first, last + 1, 10)}


POINTS = [
    ("80s comedies", {"1980s"}),
    ("80's comedies", {"1980s"}),
    ("the '80s", {"1980s"}),
    ("comedies of the 1980s", {"1980s"}),
    ("1980's", {"1980s"}),
    ("the eighties", {"1980s"}),
    ("THE EIGHTIES", {"1980s"}),
    ("nineteen-fifties melodrama", {"1950s"}),
    ("a film of 1984", {"1980s"}),
    ("mid-80s teen film", {"1980s"}),
    ("early sixties", {"1960s"}),
    ("70s and 90s", {"1970s", "1990s"}),
    ("thirties or fifties", {"1930s", "1950s"}),
    ("from the 60s", {"1960s"}),
    ("dated 2005", set()),  # the catalogue ends before
    ("1920s", set()),
    ("80 films", set()),
    ("room 101", set()),
    ("at 8:30s sharp", set()),
    ("2 hours", set()),
    ("", set()),
    ("'72", {"1970s"}),
    ("the best of ’68", {"1960s"}),
    ("rock 'n' roll, size '38s", set()),
    ("in the eightees", {"1980s"}),
    ("a budget of $1990", set()),
    ("八十年代的", {"1980s"}),
    ("80年代", {"1980s"}),
    ("1980年代", {"1980s"}),
    ("九零年代", {"1990s"}),
    ("1962年的片子", {"1960s"}),
    ("70 年代", {"1970s"}),
    ("90年代初", {"1990s"}),
]

SPANS = [
    ("1975 to 1985", span(1970, 1980)),
    ("1951-1979", span(1950, 1970)),
    ("1950s–1970s", span(1950, 1970)),
    ("from the forties to the sixties", span(1940, 1960)),
    ("between 1944 and 1961", span(1940, 1960)),
    ("between the 50s and the 80s", span(1950, 1980)),
    ("from the 50s through the 70s", span(1950, 1970)),
    ("1950年到1970年", span(1950, 1970)),
    ("五十年代到七十年代", span(1950, 1970)),
    ("60年代至80年代", span(1960, 1980)),
    ("80-90s", span(1980, 1990)),
    ("70s/80s", span(1970, 1980)),
    ("mid 60s to early 80s", span(1960, 1980)),
    ("五六十年代", span(1950, 1960)),
    ("七、八十年代", span(1970, 1980)),
    ("七八九十年代", span(1970, 1990)),
    ("8090年代", span(1980, 1990)),
    ("1944 and 1961", {"1940s", "1960s"}),  # two years, not what lies between
]

BOUNDS = [
    ("before 1950", span(1930, 1940)),
    ("before 1955", span(1930, 1950)),  # the year's own decade has years before it
    ("before the seventies", span(1930, 1960)),
    ("pre-1960", span(1930, 1950)),
    ("older than 1970", span(1930, 1960)),
    ("earlier than the 40s", span(1930, 1930)),
    ("until 1960", span(1930, 1960)),
    ("up to the 50s", span(1930, 1950)),
    ("after 1985", span(1980, 1990)),
    ("after 1979", span(1980, 1990)),  # not one year of the seventies
    ("after the seventies", span(1980, 1990)),
    ("since 1980", span(1980, 1990)),
    ("since the 70s", span(1970, 1990)),
    ("post-1975", span(1970, 1990)),
    ("newer than 1989", span(1990, 1990)),
    ("later than the sixties", span(1970, 1990)),
    ("from 1982 onwards", span(1980, 1990)),
    ("from the 70s on", span(1970, 1990)),
    ("from the seventies onwards", span(1970, 1990)),
    ("1980 or later", span(1980, 1990)),
    ("1980+", span(1980, 1990)),
    ("1960 or older", span(1930, 1960)),
    ("from the early 60s on, please", span(1960, 1990)),
    ("from the 80s on a rainy day", {"1980s"}),
    ("before '55", span(1930, 1950)),
    ("before 1930", set()),
    ("after 2000", set()),
    ("1960年以前的", span(1930, 1950)),
    ("1975年以后", span(1970, 1990)),
    ("八十年代以后", span(1990, 1990)),
    ("70年代之前", span(1930, 1960)),
    ("1985年之后", span(1980, 1990)),
]

WORDS = [
    ("an old film", OLD),
    ("old movies", OLD),
    ("classic musicals", OLD),
    ("the classics", OLD),
    ("black and white mystery", OLD),
    ("black-and-white", OLD),
    ("b&w", OLD),
    ("vintage", OLD),
    ("golden age hollywood", OLD),
    ("old-school", OLD),
    ("经典老电影", OLD),
    ("黑白片", OLD),
    ("老片", OLD),
    ("怀旧", OLD),
    ("old French films", OLD),
    ("old gangster movies", OLD),
    ("something old", OLD),
    ("something really old, please", OLD),
    ("older and slower", OLD),
    ("the older the better", OLD),
    ("an old-fashioned romance", OLD),
    ("老西部片", OLD),
    ("老港片", OLD),
    ("something more recent", {"1990s"}),
    ("a recent French drama", {"1990s"}),
    ("from the last few years", {"1990s"}),
    ("现代战争片", {"1990s"}),
    ("刚上映的", {"1990s"}),
    ("a modern film about an old house", {"1990s"}),
    ("recent animation", {"1990s"}),
    ("modern sci fi", {"1990s"}),
    ("contemporary drama", {"1990s"}),
    ("a new comedy", {"1990s"}),
    ("brand new", {"1990s"}),
    ("the latest", {"1990s"}),
    ("新片", {"1990s"}),
    ("最新的科幻", {"1990s"}),
    ("近几年的", {"1990s"}),
    ("old 80s movies", {"1980s"}),  # a decade says it better
    ("something older, forties maybe", {"1940s"}),
]

FALSE_FRIENDS = [
    "an old man and a boy",
    "an old sheriff comes out of retirement",
    "an old house on a hill",
    "two old rivals",
    "a very old secret",
    "old or new, I do not mind",
    "for young and old",
    "a film for the new year",
    "a new York film",
    "I recently broke up",
    "a modern-day Romeo",
    "modern art",
    "my latest obsession",
    "a new kid in town",
    "a woman in her forties",
    "新老都行",
    "最近的电影院",
    "老想看恐怖片",
    "老看爱情片",
    "黑白两道",
    "the old woman next door",
    "my old friend",
    "old people",
    "old enough to watch it",
    "the old west",
    "my six year old",
    "a six-year-old girl",
    "6 years old",
    "he is 8 yo",
    "for a five year old boy",
    "my son is 9 yrs old",
    "how old is she",
    "my older brother",
    "older kids",
    "good old fun",
    "same old same old",
    "set in New York",
    "New Orleans",
    "a new friend",
    "happy new year",
    "brave new world",
    "老人",
    "我老婆",
    "老公喜欢",
    "老师讲课",
    "老板",
    "老是看",
    "新娘",
    "纽约新闻",
]

SETTINGS = [
    "a film about the sixties",
    "set in the 1940s",
    "set in the early seventies",
    "a drama set during the 1930s",
    "it takes place in 1968",
    "a documentary on New York in the 70s",
    "六十年代为背景",
    "讲二战后四十年代上海的",
    "about a family in the fifties",
    "关于六十年代的",
    "讲述80年代的故事",
    "背景是1930年代",
    "发生在四十年代",
]


@pytest.mark.parametrize("text, expected", POINTS + SPANS + BOUNDS + WORDS)
def test_decades(text, expected):
    assert decades(text) == expected


@pytest.mark.parametrize("text", FALSE_FRIENDS + SETTINGS)
def test_what_only_looks_like_an_era(text):
    assert decades(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "a comedy from the 80s about the sixties",
        "set in the sixties, made in the 80s",
        "a film about dragons from the 80s",
        "from about 1985",
    ],
)
def test_a_setting_does_not_hide_the_era(text):
    assert decades(text) == {"1980s"}


def test_only_decades_that_exist_and_bounds_end_at_them():
    known = ["1960s", "1970s", "2000s", "2010s"]
    assert decades("80s", known) == set()
    assert decades("before 1975", known) == {"1960s", "1970s"}
    assert decades("after the seventies", known) == {"2000s", "2010s"}
    assert decades("something recent", known) == {"2010s"}
    assert decades("2004", known) == {"2000s"}
    assert decades("80s, 1984, old or recent", []) == decades("80s", ()) == set()
    assert decades("1930 to 1990s") == ALL
