"""Clauses: which parts of a request say what is wanted and which what is refused. Rules, in English and Chinese.

A word of refusal ("no", "tired of", 不要) turns what follows it, to the end of its phrase, a list of refused things
included; some stand behind what they refuse ("westerns bore me", 看腻了). What only sounds like one ("not bad", "can't
get enough of", 看不腻) is recognised first. The words are in `recsys_lib.intent.refusals`. NegEx (Chapman et al. 2001)
does this for medical reports.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from recsys_lib.intent import refusals as words

MAX_WORDS = 200  # of a longer request the beginning is read


@dataclass(frozen=True)
class Clause:
    text: str
    refused: bool = False


_FULL = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}
_SENTENCE = re.compile(r"[.!?;:\n。！？；：…]+(?!\d)|\s+[-–—]+\s+|—+|[()（）\[\]【】]")
_COMMA = re.compile(r"[,，、]|\s/\s")
_LIST = re.compile(r"\b(?:or|nor|and|&)\b|或者|或|和|以及|还有|跟|与", re.IGNORECASE)
_OPENS = re.compile(  # what a sentence of its own begins with
    r"^\s*(?:(?:an?|the|some|something|any|more|one|i|i'?m|i'?d|i'?ve|we|he|she|they|you|my|our|it|it'?s|this|that|there"
    r"|please|thanks?|just|only|but|so|then|because|maybe|perhaps|preferably|ideally|otherwise|with|about|from|for|if|in"
    r"|give|show|find|let|want|need|like|love|prefer|make|try|set|surprise|looking|got|is|are|can|could|would|do|does"
    r"|how|what|who)\b|[我想要来给有求换请但只就都陪帮看]|最好|推荐|不过|其他|什么|随便|适合|可以|还是)",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """Compatibility forms folded, tags, control and invisible characters away, blanks single, 200 words at most.

    A tag is dropped, what stands between tags stays: to a reader of wishes it is one more sentence.
    """
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)  # a terminal's colours
    text = re.sub(r"<[^<>]{0,200}>", ". ", text)
    text = "".join(
        " " if char != "\n" and char.isspace() else char
        for char in text
        if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    text = re.sub(r"\s*\n\s*", "\n", text)
    text = text.replace("’", "'").replace("‘", "'").replace("`", "'").replace("´", "'")
    pieces = re.findall(r"[^\S\n]*(?:[\u3400-\u9fff]|[^\s\u3400-\u9fff]+)\n*", text)
    return re.sub(r"[^\S\n]+", " ", "".join(pieces[:MAX_WORDS])).strip()


def clauses(text: str) -> list[Clause]:
    """The request in pieces, each wanted or refused; `text` is clean."""
    found = []
    for sentence in _SENTENCE.split(_rewritten(text)):
        _sentence(sentence, found)
    pieces = (Clause(re.sub(r"[\s_]+", " ", clause.text).strip(), clause.refused) for clause in found)
    return [clause for clause in pieces if re.search(r"\w", clause.text)]


def _rewritten(text: str) -> str:
    """The request with refusals in their plain form, and a blank ("_") for what only sounds like one."""
    text = words.CROSSES.sub(" no ", text)
    text = words.CONTRACTION.sub(lambda match: f"{_FULL.get(match[1], match[1]) if match[1] else 'can'} not", text)
    text = words.NOT_AGAIN.sub(" ", words.ANSWER.sub(" no thanks. ", text))
    for pattern in words.COMPARED:
        text = pattern.sub(r"\g<wanted> instead of", text)
    text = words.COMPARED_ZH.sub(r"不要\1，", text)
    text = words.NOBODY_WANTS.sub("not", text)
    return words.HARMLESS.sub("_", words.ABSENT.sub("_", text))


def _sentence(sentence: str, found: list[Clause]) -> None:
    parts = _COMMA.split(sentence)
    refusing = refused_before = False
    start = len(found)
    for place, part in enumerate(parts):
        if not part.strip():
            continue
        if refused_before and (same := words.SAME.search(part)):
            found.append(Clause(part[same.end() :], True))
            continue
        forward, reach = _first(part)
        backward = words.BACKWARD.search(part)
        if refusing and not forward and not backward and _continues(parts, place):
            kept, rest = _until_turn(part)
            found.append(Clause(kept, True))
            if rest:
                found.append(Clause(rest))
                refusing = False
            continue
        refusing = refused_before = False
        if backward and _refuses(part, forward, backward):
            if words.ALL_OF_THEM.search(part) and all(map(_is_bare, parts[:place])):
                found[start:] = [Clause(each.text, True) for each in found[start:]]
            found.append(Clause(part[: backward.start()], True))
            refused_before = True
            _sentence(part[backward.end() :], found)
            continue
        if not forward:
            found.append(Clause(part))
            continue
        found.append(Clause(part[: forward.start()]))
        kept, rest = reach(part[forward.end() :])
        found.append(Clause(kept, True))
        refusing, refused_before = _says_something(kept) and not rest, True
        if rest:
            _sentence(rest, found)


def _first(part: str):
    """The first word of refusal that points forward, and what it reaches: (match or None, function)."""
    kinds = ((words.ONE_WORD, _one_word), (words.UP_TO_DE, _up_to_de), (words.FORWARD, _until_turn))
    found = [(match, reach) for pattern, reach in kinds if (match := pattern.search(part))]
    return min(found, key=lambda each: each[0].start()) if found else (None, None)


def _refuses(part: str, forward, backward) -> bool:
    """Whether a word that points backward has something before it that no earlier word of refusal takes."""
    before = part[: backward.start()]
    earlier = forward and forward.start() < backward.start() and _says_something(part[: forward.start()])
    return _says_something(before) and not earlier


def _one_word(part: str) -> tuple[str, str]:
    match = re.match(r"\s*[\w'-]+", part)
    return (match[0], part[match.end() :]) if match else (part, "")


def _up_to_de(part: str) -> tuple[str, str]:
    kept, _, rest = part.partition("的")
    return kept, rest


def _until_turn(part: str) -> tuple[str, str]:
    """What a refusal reaches, and what comes after the word that ends it."""
    turn = next(
        (match for match in words.TURN.finditer(part) if match.start() > 0 and _says_something(part[: match.start()])),
        None,
    )
    return (part[: turn.start()], part[turn.end() :]) if turn else (part, "")


def _continues(parts: list[str], place: int) -> bool:
    """Whether a part goes on with the list of refused things, and the list is closed."""
    return _is_bare(parts[place]) and any(_LIST.search(later) for later in parts[place : place + 3])


def _is_bare(part: str) -> bool:
    """Whether a part is an item of a list: short, and no sentence of its own."""
    short = len(re.findall(r"[a-z']+|[\u3400-\u9fff]{2}", part, re.IGNORECASE)) <= 5
    return short and not _OPENS.search(part)


def _says_something(text: str) -> bool:
    return bool(
        re.search(
            r"[a-z]{3}|[\u3400-\u9fff]{2}",
            re.sub(r"\b(?:the|and|but|with|too|very|really|please|some|any|that|this)\b", "", text),
            re.IGNORECASE,
        )
    )
