"""Eras: decades out of a phrase, in English and Chinese, by rules. A number needs no language model."""

from __future__ import annotations

import re

FIRST, LAST = 1930, 1990  # the decades that "before" and "after" reach, where the facets do not say others
OLD = ("1930s", "1940s", "1950s")
WORDS = {
    word: 1900 + 10 * place
    for place, word in enumerate(
        "twenties thirties forties fifties sixties seventies eighties nineties".split(), start=2
    )
}
WORDS |= {"fourties": 1940, "ninties": 1990, "eightees": 1980}
CHINESE = {digit: place for place, digit in enumerate("零一二三四五六七八九")}

_YEAR = r"(?:19|20)\d\d"
_DECADE = (
    rf"(?:(?P<long>(?:19|20)\d0)\s?['’]?s\b|(?<![\d:])['’]?(?P<short>[2-9]0)\s?['’]?s\b"
    rf"|(?:nineteen[- ])?(?P<word>{'|'.join(WORDS)})\b)"
)
_CHINESE = r"(?:(?P<zlong>(?:19|20)\d0)|(?P<zshort>[2-9]0)|(?P<zword>[二三四五六七八九])[十零〇])\s*(?:年代|年初|年末)"
_POINT = rf"(?:{_DECADE}|{_CHINESE}|(?P<year>{_YEAR}))"
_SPAN = (
    rf"{_POINT}\s*(?:to|-|–|—|until|till|through|and|or|&|,|/|到|至|和|或|、|~)\s*(?:the\s+|mid[- ]|early\s+|late\s+)*"
)
_POINTS = re.compile(_POINT, re.IGNORECASE)
_BEFORE = re.compile(
    rf"(?:\b(?:before|pre|prior to|older than|earlier than|up to|until|by)[- ](?:the\s+)?(?P<point>{re.sub(r'P<[a-z]+>', ':', _POINT)})"
    rf"|(?P<point_zh>{re.sub(r'P<[a-z]+>', ':', _POINT)})\s*年?(?:以前|之前|前))",
    re.IGNORECASE,
)
_AFTER = re.compile(
    rf"(?:\b(?:after|since|post|newer than|later than|from)[- ](?:the\s+)?(?P<point>{re.sub(r'P<[a-z]+>', ':', _POINT)})"
    rf"(?P<open>\s+(?:on|onwards?|and later|and newer|or later|or newer|upwards?|\+))?"
    rf"|(?P<point_zh>{re.sub(r'P<[a-z]+>', ':', _POINT)})\s*年?(?:以后|之后|以来|后)(?!辈))",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"(?:\babout|\bset in|\bset during|\btakes? place in|\bplays in|\bplaying in|\bset around|讲|讲述|关于|背景是|发生在|描写)"
    r"\s*(?:[\w'’]+\s+){0,5}(?:early\s+|late\s+|mid[- ]?)?$",
    re.IGNORECASE,
)
_OLD = re.compile(
    r"\b(?:old|older|oldie|oldies|classics?|black[- ]?(?:and|&|n|'n')[- ]?white|b&w|b/w|vintage|golden[- ]age|old[- ]school|old[- ]time|old[- ]fashioned"
    r"|old[- ]timey)\b|老电影|老片|经典|黑白|怀旧|旧片|老的|老点|古早|old片",
    re.IGNORECASE,
)
_NOT_OLD = re.compile(
    r"\b(?:\w+[- ]years?[- ]olds?|\d+\s*(?:yo|y/o)|\w+ (?:yrs?|months?) old|how old|old (?:man|men|woman|lady|friends?|people|folks?|west|dad|mom|mum"
    r"|boy|girl|one|ones|enough|couple|job|son|daughter|house|self|password|account|town|habits?)"
    r"|(?:my|same|years|year|days|good) old|older (?:brother|sister|man|woman|kids?|child|children|people|than))\b|老人|老婆|老公|老师|老板|老是|老爸|老妈",
    re.IGNORECASE,
)
_NEW = re.compile(
    r"\b(?:recent|recently|modern|contemporary|newest|latest|newer|brand[- ]new|new (?:films?|movies?|releases?|ones?|stuff|comed(?:y|ies)|dramas?|thrillers?|horror|action"
    r"|western|westerns|musicals?|cartoons?|animation|animated|sci-?fi)|newly released|new-ish|newish|(?:not )?too old)\b|新片|新电影|最近的|近期|近几年|近年|最新|新一点|新点|现代|新的",
    re.IGNORECASE,
)


def decades(text: str, known=None) -> set[str]:
    """The decades that `text` asks for: {"1980s", ...}.

    "80s", "eighties", "1984", "1975 to 1985", "before 1950", "after 1985", "old" (1930s to 1950s), "recent" (1990s,
    or the last decade of `known`), and the Chinese of these. A film's setting ("set in the sixties") is no era.

    Parameters
    ----------
    text : str
    known : sequence of str, optional
        The decades that exist; nothing else is returned, and "before" and "after" end at the first and last one.
    """
    years = sorted(int(name[:4]) for name in known) if known is not None else list(range(FIRST, LAST + 10, 10))
    if not years:
        return set()
    first, last = years[0], years[-1]
    found, rest = set(), text
    for pattern, to_start in ((_BEFORE, True), (_AFTER, False)):
        for match in list(pattern.finditer(rest)):
            point = match["point"] or match["point_zh"]
            if not to_start and match["point"] and match[0].lower().startswith("from") and not match["open"]:
                continue  # "from the 80s" is the 80s
            if _is_setting(rest, match.start()):
                continue
            begin, end = _reach(
                point.strip(), inclusive=bool(re.match(r"(?:since|from|by|until|up)", match[0], re.IGNORECASE))
            )
            found |= set(range(first, end + 1, 10) if to_start else range(begin, last + 1, 10))
            rest = rest[: match.start()] + " " * len(match[0]) + rest[match.end() :]
    found |= _points(rest)
    names = {f"{year}s" for year in found}
    if not names and _OLD.search(_NOT_OLD.sub(" ", rest)):
        names |= set(OLD)
    if not names and _NEW.search(rest):
        names.add(f"{last}s")
    return names & {f"{year}s" for year in years}


def _reach(point: str, inclusive: bool) -> tuple[int, int]:
    """The first decade after a point in time, and the last one before it; a year's own decade counts to both."""
    decade = _decade(_POINTS.search(point))
    if re.fullmatch(_YEAR, point):
        year = int(point)
        return (year if inclusive else year + 1) // 10 * 10, (year if inclusive else year - 1) // 10 * 10
    return (decade, decade) if inclusive else (decade + 10, decade - 10)


def _points(text: str) -> set[int]:
    """Decades named one by one or as a span."""
    found, matches = set(), list(_POINTS.finditer(text))
    for place, match in enumerate(matches):
        if _is_setting(text, match.start()):
            continue
        found.add(_decade(match))
        if place + 1 < len(matches):
            between = text[match.end() : matches[place + 1].start()]
            is_span = re.fullmatch(
                r"\s*年?\s*(?:to|-|–|—|until|till|through|到|至|~|～)\s*(?:the\s+|mid[- ]|early[- ]|late[- ])*",
                between,
                re.IGNORECASE,
            ) or (
                re.fullmatch(r"\s*and\s*(?:the\s+)?", between, re.IGNORECASE)
                and re.search(r"between\s*(?:the\s+)?$", text[: match.start()], re.IGNORECASE)
            )
            if is_span:
                found |= set(range(_decade(match), _decade(matches[place + 1]) + 10, 10))
    return found


def _is_setting(text: str, start: int) -> bool:
    return bool(_SETTING.search(text[:start]))


def _decade(match: re.Match) -> int:
    groups = match.groupdict()
    if groups["long"] or groups["zlong"]:
        return int(groups["long"] or groups["zlong"])
    if groups["short"] or groups["zshort"]:
        return 1900 + int(groups["short"] or groups["zshort"])
    if groups["word"]:
        return WORDS[groups["word"].lower()]
    if groups["zword"]:
        return 1900 + 10 * CHINESE[groups["zword"]]
    return int(groups["year"]) // 10 * 10
