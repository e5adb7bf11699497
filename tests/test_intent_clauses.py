"""Clauses: what is wanted and what is refused, in English and Chinese, and what only sounds like a refusal."""

import pytest
from intent_case import Every, Mute

from recsys_lib.intent import IntentParser, spelling, vocabulary
from recsys_lib.intent.clauses import MAX_WORDS, Clause, clauses, clean
from recsys_lib.intent.parser import DECADES

LABELLED = {name for name, facet in vocabulary().items() if facet.kind == "genre"} | set(DECADES)

# text, wanted, refused: genres by their first letters where that is clear
REFUSALS = [
    ("no horror", "", "Horror"),
    ("please, no more musicals", "", "Musical"),
    ("not another war movie", "", "War"),
    ("without any romance", "", "Romance"),
    ("anything but westerns", "", "Western"),
    ("everything except cartoons", "", "Animation"),
    ("all but fantasy", "", "Fantasy"),
    ("a comedy minus the romance", "Comedy", "Romance"),
    ("sci-fi sans horror", "Sci-Fi", "Horror"),
    ("I don't want a documentary", "", "Documentary"),
    ("I do not want a documentary", "", "Documentary"),
    ("i dont want a documentary", "", "Documentary"),
    ("We can't stand musicals", "", "Musical"),
    ("cannot stand musicals", "", "Musical"),
    ("my wife hates thrillers", "", "Thriller"),
    ("I despise romance", "", "Romance"),
    ("I'm sick and tired of crime", "", "Crime"),
    ("fed up with sci-fi", "", "Sci-Fi"),
    ("enough of war films for this month", "", "War"),
    ("had my fill of westerns", "", "Western"),
    ("I'm so over film noir", "", "Film-Noir"),
    ("stop recommending animation", "", "Animation"),
    ("quit showing me romance", "", "Romance"),
    ("steer clear of horror", "", "Horror"),
    ("spare me the drama", "", "Drama"),
    ("skip the musicals", "", "Musical"),
    ("hold the romance", "", "Romance"),
    ("leave the horror out", "", "Horror"),
    ("I'm allergic to romance", "", "Romance"),
    ("I'm scared of horror films", "", "Horror"),
    ("not a fan of mysteries", "", "Mystery"),
    ("I'm not in the mood for drama", "", "Drama"),
    ("hardly any action", "", "Action"),
    ("as little romance as possible", "", "Romance"),
    ("too much drama lately", "", "Drama"),
    ("the last thing I need is a tragedy or a drama", "", "Drama"),
    ("nothing scary", "", "Horror"),
    ("nothing too scary", "", "Horror"),
    ("not too scary", "", "Horror"),
    ("never again a musical", "", "Musical"),
    ("I no longer enjoy westerns", "", "Western"),
    ("if I see one more romance I will scream", "", "Romance"),
    ("❌ horror", "", "Horror"),
    ("a drama instead of a comedy", "Drama", "Comedy"),
    ("rather than action, a mystery", "Mystery", "Action"),
    ("nobody here wants horror", "", "Horror"),
    ("more mystery, less action", "Mystery", "Action"),
    ("I don't care for musicals", "", "Musical"),
    ("nothing from the 80s", "", "1980s"),
    ("no movies older than 1960", "", "1930s 1940s 1950s"),
    ("nothing after 1979", "", "1980s 1990s"),
    ("a western, but nothing in black and white", "Western", "1930s 1940s 1950s"),
    # 中文
    ("不要恐怖片", "", "Horror"),
    ("别给我推荐爱情片了", "", "Romance"),
    ("不想看战争片", "", "War"),
    ("除了歌舞片都行", "", "Musical"),
    ("讨厌动作片", "", "Action"),
    ("我对科幻片不感兴趣", "", "Sci-Fi"),
    ("拒绝剧情片", "", "Drama"),
    ("怕看鬼片", "", "Horror"),
    ("没有爱情的动作片", "", "Romance Action"),  # its scope is the phrase: a known weakness
    ("不要80年代的", "", "1980s"),
    ("动作片里不要有爱情", "Action", "Romance"),
]

LISTS = [
    ("no horror, war or crime", "", "Horror War Crime"),
    ("no horror or war", "", "Horror War"),
    ("I hate westerns, war movies, and musicals", "", "Western War Musical"),
    ("neither romance nor drama", "", "Romance Drama"),
    ("nothing scary, romantic or musical, a comedy please", "Comedy", "Horror Romance Musical"),
    ("no horror, a comedy or a drama", "Comedy Drama", "Horror"),
    ("no, a comedy or a drama", "Comedy Drama", ""),
    ("no horror, no war, no romance", "", "Horror War Romance"),
    ("no horror and a happy western", "Western", "Horror"),
    ("不要恐怖片、战争片和犯罪片", "", "Horror War Crime"),
    ("恐怖片、战争片都不要", "", "War Horror"),
    ("horror, war films, and musicals are not for me", "", "Horror War Musical"),
    ("a comedy, and westerns bore me", "Comedy", "Western"),
    ("不要恐怖片不要喜剧", "", "Horror Comedy"),
]

BEHIND = [
    ("westerns bore me", "", "Western"),
    ("romance is not my thing", "", "Romance"),
    ("musicals aren't for me", "", "Musical"),
    ("horror is out of the question", "", "Horror"),
    ("horror gives me nightmares", "", "Horror"),
    ("dramas put me to sleep", "", "Drama"),
    ("war films get on my nerves, so do westerns", "", "War Western"),
    ("crime yes, romance no", "Crime", "Romance"),
    ("horror? no thanks. a comedy", "Comedy", "Horror"),
    ("Westerns? Absolutely not. Drama? Maybe.", "Drama", "Western"),
    ("horror: no", "", "Horror"),
    ("horror ❌", "", "Horror"),
    ("horror is too scary for me", "", "Horror"),
    ("I could do without musicals", "", "Musical"),
    ("romance I could do without", "", "Romance"),
    ("drama is fine, romance is not", "Drama", "Romance"),
    ("musicals are dreadful", "", "Musical"),
    ("war films excluded", "", "War"),
    ("爱情片看腻了", "", "Romance"),
    ("动作片看多了，来点喜剧", "Comedy", "Action"),
    ("恐怖片就算了", "", "Horror"),
    ("恐怖片我不敢看", "", "Horror"),
    ("战争片太沉重了，换个喜剧", "Comedy", "War"),
    ("西部片？不要。", "", "Western"),
    ("科幻片没意思", "", "Sci-Fi"),
    ("horror 达咩", "", "Horror"),
]

CONTRAST = [
    ("not a comedy but a drama", "Drama", "Comedy"),
    ("no comedy, just horror", "Horror", "Comedy"),
    ("I'd rather have a western than a musical", "Western", "Musical"),
    ("rather a western", "Western", ""),
    ("I prefer crime over romance", "Crime", "Romance"),
    ("I prefer mysteries to musicals", "Mystery", "Musical"),
    ("comedy over drama any day", "Comedy", "Drama"),
    ("hate musicals love westerns", "Western", "Musical"),
    ("no horror please find me a thriller", "Thriller", "Horror"),
    ("a not too scary comedy", "Comedy", "Horror"),
    ("some non-romantic comedy", "Comedy", "Romance"),
    ("不是喜剧，是剧情片", "Drama", "Comedy"),
    ("不要喜剧，要恐怖片", "Horror", "Comedy"),
    ("不要爱情片，想看悬疑片", "Mystery", "Romance"),
    ("不太吓人的喜剧", "Comedy", "Horror"),
    ("不要太恐怖的悬疑片", "Mystery", "Horror"),
    ("horror 不要，comedy 可以", "Comedy", "Horror"),
]

TRAPS = [
    ("not only horror but also comedy", "Horror Comedy"),
    ("not bad, that western, one more please", "Western"),
    ("why not a musical", "Musical"),
    ("why don't we watch a western", "Western"),
    ("can't get enough of horror", "Horror"),
    ("I never get tired of musicals", "Musical"),
    ("nothing beats a good western", "Western"),
    ("there's nothing like a good mystery", "Mystery"),
    ("nothing says summer like a good adventure", "Adventure"),
    ("you can't go wrong with a thriller", "Thriller"),
    ("I can't live without sci-fi", "Sci-Fi"),
    ("I wouldn't mind a romance", "Romance"),
    ("wouldn't say no to a comedy", "Comedy"),
    ("don't you have a western?", "Western"),
    ("isn't there a good war film?", "War"),
    ("I haven't seen a western in years", "Western"),
    ("I've never seen a film noir", "Film-Noir"),
    ("no doubt a comedy", "Comedy"),
    ("no matter what, a comedy", "Comedy"),
    ("no idea, perhaps a thriller", "Thriller"),
    ("if not now, when? a western", "Western"),
    ("I don't mind horror", "Horror"),
    ("I don't hate romance at all", "Romance"),
    ("I used to hate westerns, now I love them", "Western"),
    ("I hate it when a horror film is short", "Horror"),
    ("never too late for a musical", "Musical"),
    ("not gonna lie, I love romance", "Romance"),
    ("I can't stop watching film noir", "Film-Noir"),
    ("I never watch horror alone, so we are four", "Horror"),
    ("lesser-known westerns", "Western"),
    ("less known westerns", "Western"),
    ("without a doubt a western", "Western"),
    ("a horror film that gives me nightmares", "Horror"),
    ("a thriller to pass the time", "Thriller"),
    ("is there a free western", "Western"),
    ("I am not picky, a western will do", "Western"),
    ("more than one western", "Western"),
    ("the kids are asleep, horror time", "Horror"),
    ("last but not least a comedy", "Comedy"),
    ("apart from horror I also like war films", "Horror War"),
    ("no country for old men, that kind of western", "Western"),
    ("一部不错的恐怖片", "Horror"),
    ("何不来部喜剧", "Comedy"),
    ("有没有好看的西部片", "Western"),
    ("有没推荐的战争片", "War"),
    ("科幻片看不够", "Sci-Fi"),
    ("特别想看爱情片", "Romance"),
    ("我没看过西部片", "Western"),
    ("不知道看什么，喜剧吧", "Comedy"),
    ("能不能推荐部动画片", "Animation"),
    ("不管新旧，恐怖片就行", "Horror"),
    ("无厘头喜剧", "Comedy"),
    ("非常好看的战争片", "War"),
    ("可怕的恐怖片", "Horror"),
    ("不怕恐怖片", "Horror"),
    ("除了喜剧我还喜欢恐怖片", "Comedy Horror"),
    ("不如看部喜剧", "Comedy"),
    ("改编的科幻片", "Sci-Fi"),
    ("不是喜剧就是动作片", "Comedy Action"),
]


@pytest.fixture(scope="module")
def parser():
    return IntentParser(Mute())


@pytest.fixture(autouse=True)
def no_typos(monkeypatch):
    monkeypatch.setattr(spelling, "known_words", Every)


def read(parser, text):
    intent = parser.parse(text)
    return {name for name in intent.wanted if name in LABELLED}, {name for name in intent.avoid if name in LABELLED}


@pytest.mark.parametrize("text, wanted, refused", REFUSALS + LISTS + BEHIND + CONTRAST)
def test_refused(parser, text, wanted, refused):
    assert read(parser, text) == (set(wanted.split()), set(refused.split()))


@pytest.mark.parametrize("text, wanted", TRAPS)
def test_what_only_sounds_like_a_refusal(parser, text, wanted):
    assert read(parser, text) == (set(wanted.split()), set())


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        ("?!", []),
        ("horror", [Clause("horror")]),
        ("a comedy, no gore", [Clause("a comedy"), Clause("gore", True)]),
        ("no gore but a comedy", [Clause("gore", True), Clause("a comedy")]),
        ("westerns bore me. Horror!", [Clause("westerns", True), Clause("Horror")]),
        ("not only gore", [Clause("gore")]),
    ],
)
def test_pieces(text, expected):
    assert clauses(text) == expected


def test_clean():
    assert clean("  two \t words\r\n\r\n next \u00a0 line ") == "two words\nnext line"
    assert clean("<b>bold</b>, a < b") == ". bold. , a < b"
    assert clean("ﬁlm ｎｏｉｒ ’80s") == "film noir '80s"
    assert clean("a\u200bb\x07c\ud800d\ue000e") == "abcde"
    assert clean("word " * 500) == " ".join(["word"] * MAX_WORDS) and clean("字" * 500) == "字" * MAX_WORDS
    assert clean("horror \n war\x0bcomedy\x85drama\u2028end") == "horror\nwar comedy drama end"


@pytest.mark.parametrize(
    "text", ["no " * 200, "no, " * 200, "not not not " * 60, "不要" * 100, "，" * 200, "no but " * 100]
)
def test_refusals_without_end_are_read(text):
    assert all(isinstance(each, Clause) for each in clauses(clean(text)))
