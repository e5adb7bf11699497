"""Eras: decades out of a phrase, in English and Chinese, by rules. A number needs no language model."""

from __future__ import annotations

import re

FIRST, LAST = 1930, 1990  # the decades that "before" and "after" reach, where the facets do not say others
OLD = {1930, 1940, 1950}
DIGITS = "二三四五六七八九"  # of Chinese decades
WORDS = {"fourties": 1940, "ninties": 1990, "ninetees": 1990, "eightees": 1980, "sixtees": 1960} | {
    word: 1900 + 10 * place
    for place, word in enumerate(
        "twenties thirties forties fifties sixties seventies eighties nineties".split(), start=2
    )
}


def _any(*patterns: str) -> str:
    return f"(?:{'|'.join(patterns)})"


# A point in time. Patterns have no groups, so that they can be put together.
_POINT = _any(
    r"\b(?:19|20)\d0\s?'?s\b",  # 1980s
    r"(?<![\d:$.])'?\b[2-9]0(?:\s?'?s|ies)\b",  # 80s, '80s, 80's, 80ies
    rf"\b(?:nineteen[- ])?{_any(*WORDS)}\b",
    r"(?:(?:19|20)\d0|(?<!\d)[2-9]0)\s*年代",
    rf"[{DIGITS}][十零〇]\s*年代",
    r"(?<![\d$])(?:19|20)\d\d(?!\d)",  # 1984
    r"(?<!\w)'[3-9]\d(?![\d'])(?!\s?s\b)",  # '84
)
_PART = r"(?:(?:the|early|mid|late|very|about|around|ca\.?|circa)[- ]+)*"  # "the early", before a point

_BEFORE = re.compile(
    _any(
        rf"\b(?:before|pre|prior to|older than|earlier than|up to|until|till|by)[- ]+{_PART}{_POINT}",
        rf"{_POINT} (?:and|or) (?:earlier|older|before)\b",
        rf"{_POINT}\s*年?(?:以前|之前|前(?!后))",
    ),
    re.IGNORECASE,
)
_AFTER = re.compile(
    _any(
        rf"\b(?:after|since|post|newer than|later than|younger than)[- ]+{_PART}{_POINT}",
        rf"\bfrom {_PART}{_POINT} on(?=\s*(?:$|[,.;!?)]|and\b|but\b|please\b))",
        rf"{_POINT}(?:\s?\+|\s(?:onwards?|upwards?|(?:and|or) (?:later|newer|after|onwards?|up)))(?!\w)",
        rf"{_POINT}\s*年?(?:以后|之后|以来|后(?!辈))",
    ),
    re.IGNORECASE,
)
_INCLUSIVE = re.compile(
    r"^(?:since|until|till|up to|by)\b|\b(?:on|onwards?|upwards?|earlier|later|older|newer|up)$|\+$|以来$"
)
_TO = re.compile(rf"\s*年?\s*(?:to|-|–|—|until|till|through|thru|到|至|~)\s*{_PART}", re.IGNORECASE)
_AND = re.compile(rf"\s*and\s*{_PART}", re.IGNORECASE)
_BETWEEN = re.compile(rf"\bbetween\s*{_PART}$", re.IGNORECASE)

# Where a film is set, or when somebody is how old: no era. What stands before the point.
_SETTING = re.compile(
    _any(
        r"(?<!from )(?<!in )\b(?:about|set (?:in|during|around|at)|takes? place (?:in|during)|(?:plays|playing) in)"
        rf"\s(?:(?!(?:from|made|released|shot|filmed|produced)\b)[\w'-]+\s){{0,5}}{_PART}",
        # "a documentary on New York in the"
        rf"\b(?:film|movie|documentary|doc|story|stories) (?:on|of) (?:[\w'-]+ ){{1,4}}in {_PART}",
        rf"\bin (?:my|your|his|her|their|our) {_PART}",  # "a woman in her forties"
        r"(?:讲|讲述|关于|背景是|背景在|发生在|描写|反映)\s*\w{0,6}",
    )
    + "$",
    re.IGNORECASE,
)
_SETTING_AFTER = re.compile(r"\s*(?:为)?背景|\s(?:kids?|child|children|baby|babies)\b", re.IGNORECASE)

# Words for old and new stand for an era where they speak of films, not of a man, a house or York.
_FILMS = _any(
    *("films?", "movies?", "pictures?", "flicks?", "cinema", "hollywood", "stuff", "ones?", "releases?", "classics?"),
    *("gems?", "titles?", "hits?", "cartoons?", "comed(?:y|ies)", "dramas?", "thrillers?", "horrors?", "westerns?"),
    *("musicals?", "animation", "animated", "anime", "sci[- ]?fi", "science fiction", "noirs?", "romances?", "crime"),
    *("rom-?coms?", "documentar(?:y|ies)", "docs?", "myster(?:y|ies)", "whodunn?its?", "fantasy", "adventures?"),
    *("action", "disney", "片"),
)
_SOMETHING = _any(  # before a word for old that stands alone: "something old"
    r"^|[,;:.!?]|\b(?:something|anything|nothing|everything|stuff|ones?|it|it's|films?|movies?|and|but|or|not|no|than|more",
    r"make it|preferably|ideally|maybe|perhaps|rather)",
)
_VERY = r"\s*(?:(?:a bit|a little|very|really|quite|rather|fairly|pretty|slightly|too|so|more|properly|truly)\s+)*"
_ALONE = (
    r"(?=\s*(?:$|[,;:.!?)]|(?:and|but|or|please|pls|though|then|if|for|with|from|in|maybe|perhaps|tonight|is|are)\b))"
)


def _of_films(words: str, always: str, chinese: str, also_alone: str = "") -> re.Pattern:
    """A pattern of words for old or new: `words` before a word for films, `also_alone` by themselves as well."""
    patterns = [rf"\b{words}(?:[- ][\w'-]+){{0,2}}?[- ]{_FILMS}\b", rf"\b{always}\b", chinese]
    if also_alone:
        patterns.append(rf"{_SOMETHING}{_VERY}{also_alone}{_ALONE}")
    return re.compile(_any(*patterns), re.IGNORECASE)


_AGED = r"(?:old(?:er|est|ish)?|old[- ]?(?:school|time|timey|fashioned)|vintage)"
_FRESH = r"(?:new(?:er|est|ish|-ish)?|brand[- ]new|recent|modern|contemporary|latest|current|present[- ]day)"
_OLD = _of_films(
    _AGED,
    _any(
        *("oldies?", "classics?", "golden[- ](?:age|oldies)", "the older the better"),
        *("black[- ]?(?:and|&|n|'n'?)[- ]?white", "b ?& ?w", "b/w"),
    ),
    r"老电影|老片|老的|老一?点|旧片|旧电影|经典|黑白(?!无常|两道|分明|颠倒)|怀旧|古早|复古|老港片|old\s?片"
    r"|老(?!人|婆|公|师|板|是|爸|妈|家|外|友|朋|少|想|觉|看|总|爱|喜)[\u4e00-\u9fff]{1,4}片",
    _AGED,
)
_NEW = _of_films(
    rf"{_FRESH}(?! (?:york|orleans|zealand|year|england|jersey|world|wave|age|kid))",
    _any(
        *("(?:newly|recently) (?:released|made)", "just (?:came|come) out", "(?:last|past) (?:few years|decade)"),
        *("the newer the better", "from this decade", r"the (?:latest|newest)(?=\W*$)"),
    ),
    r"新片|新电影|新出的|新上映|刚上映|新一?点|新的|较新|最新|近期|近年|近几年|这几年|现代(?!舞|人|化|汽车)"
    r"|最近(?:几年|出|上映|的(?!\w{0,4}(?:院|店|站|馆|地铁)))",
    r"(?:newer|newish|new-ish|recent|modern|contemporary|brand[- ]new)",
)
_NEITHER = re.compile(
    _any(
        r"\b(?:good old(?![- ]fashioned)|same old|young and old|old and young|my old school)\b",
        r"\b(?:modern|instant) classics?\b",
        r"\b(?:old|new)(?:er)? ?(?:or|and|/) ?(?:old|new)(?:er)?\b",
        r"\bold (?:m[ae]n|wom[ae]n|people|lady|folks?|west|friends?)\b",
        r"新老|新旧|老老实实",
    ),
    re.IGNORECASE,
)


def decades(text: str, known=None) -> set[str]:
    """The decades that `text` asks for: {"1980s", ...}.

    "80s", "eighties", "1984", "1975 to 1985", "before 1950", "after 1985", "old" (1930s to 1950s), "recent" (1990s,
    or the last decade of `known`), and the Chinese of these. A film's setting ("set in the sixties") is no era, and
    where a decade is named, "old" and "recent" say nothing more.

    Parameters
    ----------
    text : str
    known : sequence of str, optional
        The decades that exist; nothing else is returned, and "before" and "after" end at the first and last one.
    """
    years = sorted(int(name[:4]) for name in known) if known is not None else list(range(FIRST, LAST + 10, 10))
    if not years:
        return set()
    found, rest = _bounds(_single_decades(text.replace("’", "'")), years[0], years[-1])
    found |= _points(rest)
    rest = _NEITHER.sub(" _ ", rest)
    if not found and _OLD.search(rest):
        found = OLD
    elif not found and _NEW.search(rest):
        found = {years[-1]}
    return {f"{year}s" for year in found & set(years)}


def _single_decades(text: str) -> str:
    """五六十年代 and "80-90s" with each decade written out."""
    text = re.sub(rf"([{DIGITS}])[、,，]?(?=(?:[{DIGITS}][、,，]?)*[{DIGITS}]十年代)", r"\1十年代、", text)
    text = re.sub(r"(?<!\d)([2-9]0)(?=\s?[-–/&]\s?'?[2-9]0\s?'?s\b)", r"\1s", text)
    return re.sub(r"(?<!\d)([2-9]0)(?=[-–/、]?[2-9]0年代)", r"\1年代", text)


def _bounds(text: str, first: int, last: int) -> tuple[set[int], str]:
    """Decades before and after a point, and the text without these phrases."""
    found = set()
    for pattern in (_BEFORE, _AFTER):
        for match in list(pattern.finditer(text)):
            if _is_setting(text, match):
                continue
            begin, end = _reach(match[0])
            found |= set(range(first, end + 1, 10) if pattern is _BEFORE else range(begin, last + 1, 10))
            text = text[: match.start()] + " " * len(match[0]) + text[match.end() :]
    return found, text


def _reach(phrase: str) -> tuple[int, int]:
    """The first decade after a phrase's point in time, and the last one before it; a year counts its own to both."""
    point = re.search(_POINT, phrase, re.IGNORECASE)[0]
    decade, inclusive = _decade(point), bool(_INCLUSIVE.search(phrase.lower()))
    if re.fullmatch(r"\d{4}|'\d\d", point):
        year = int(point) if point.isdigit() else 1900 + int(point[1:])
        return (year if inclusive else year + 1) // 10 * 10, (year if inclusive else year - 1) // 10 * 10
    return (decade, decade) if inclusive else (decade + 10, decade - 10)


def _points(text: str) -> set[int]:
    """Decades named one by one or as a span."""
    found, matches = set(), list(re.finditer(_POINT, text, re.IGNORECASE))
    for place, match in enumerate(matches):
        if _is_setting(text, match):
            continue
        found.add(_decade(match[0]))
        if place + 1 < len(matches):
            between = text[match.end() : matches[place + 1].start()]
            if _TO.fullmatch(between) or (_AND.fullmatch(between) and _BETWEEN.search(text[: match.start()])):
                found |= set(range(_decade(match[0]), _decade(matches[place + 1][0]) + 10, 10))
    return found


def _is_setting(text: str, match: re.Match) -> bool:
    return bool(_SETTING.search(text[: match.start()]) or _SETTING_AFTER.match(text[match.end() :]))


def _decade(point: str) -> int:
    """The first year of a point's decade."""
    if digits := re.search(r"\d+", point):
        number = int(digits[0])
        return (number if number >= 1900 else 1900 + number) // 10 * 10
    if word := re.search(_any(*WORDS), point.lower()):
        return WORDS[word[0]]
    return 1920 + 10 * DIGITS.index(point.strip()[0])
