"""Evidence: what in a clause speaks for a facet. Words that name it or hint at it, and the encoder's cosine."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from recsys_lib.intent.facets import Facet

WINDOWS = (2, 3, 5, 8)  # words in a phrase that the encoder is asked about, beside the whole clause
AGE = re.compile(
    r"\b(?:[1-9]|1[0-2]|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve) ?"
    r"(?:(?:years?|yrs?) olds?|y ?os?)\b"
)
AGE_ZH = re.compile(r"(?<![\d一二三四五六七八九十])(?:[1-9]|1[0-2]|[一二两三四五六七八九十]|十[一二])岁")
CHINESE = re.compile(r"[\u3400-\u9fff]")


class Words:
    """Finds facets' names and hints in text.

    Parameters
    ----------
    facets : facets that have names, in the order of the columns that `count` returns
    """

    def __init__(self, facets: list[Facet]):
        self._names = [_pattern(facet.names, facet.names_zh) for facet in facets]
        self._hints = [_pattern(facet.hints, facet.hints_zh) for facet in facets]

    def count(self, text: str) -> np.ndarray:
        """(n_facets, 2): different names and different hints of each facet in the text.

        A word inside a longer one of another facet is not meant: "murder" in "murder mystery", "war" in "star wars".
        """
        plain = _plain(text)
        spans = [[_spans(pattern, plain) for pattern in pair] for pair in zip(self._names, self._hints, strict=True)]
        found = np.zeros((len(spans), 2))
        for row, own in enumerate(spans):
            others = [span for place, pair in enumerate(spans) if place != row for kind in pair for span in kind]
            for column, kind in enumerate(own):
                meant = [span for span in kind if not _inside(span, others)]
                found[row, column] = len({_stem(plain[start:end]) for start, end in meant})
        return found

    def masked(self, text: str) -> str:
        """The text without any facet's name or hint: what is left says how it was said."""
        plain = _plain(text)
        for pattern in [*self._names, *self._hints]:
            plain = pattern.sub(" ", plain) if pattern else plain
        return plain


def phrases(text: str) -> list[str]:
    """A clause and the windows of two to eight words in it: what the encoder compares with the prompts."""
    words = text.split()
    found = {" ".join(words): None} if words else {}
    for size in WINDOWS:
        for start in range(len(words) - size + 1):
            found[" ".join(words[start : start + size])] = None
    return list(found)


def single_words(facets: list[Facet]) -> frozenset[str]:
    """Every English word of four letters or more in the facets' names and hints: what spelling is mended into."""
    said = " ".join(_plain(name) for facet in facets for name in (*facet.names, *facet.hints))
    return frozenset(word for word in re.findall(r"[a-z]+", said) if len(word) >= 4)


def is_chinese(text: str) -> bool:
    """Whether a text has more Chinese characters than Latin words."""
    return len(CHINESE.findall(text)) > len(re.findall(r"[A-Za-z]+", text))


def _plain(text: str) -> str:
    """Lower case, no hyphens or apostrophes; a child's age is a word ("young child", 幼儿)."""
    plain = re.sub(r"\s+", " ", re.sub(r"[-_/'\"]", " ", text.lower().replace("'s ", " "))).strip()
    return AGE_ZH.sub("幼儿", AGE.sub("young child", plain))


def _spans(pattern: re.Pattern | None, text: str) -> list[tuple[int, int]]:
    return [match.span() for match in pattern.finditer(text)] if pattern else []


def _inside(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    """Whether a longer one of the others contains the span."""
    start, end = span
    return any(a <= start and end <= b and b - a > end - start for a, b in others)


def _stem(word: str) -> str:
    word = word.strip()
    return word[:-3] + "y" if word.endswith("ies") else word.rstrip("s")


@lru_cache(maxsize=256)
def _pattern(names: tuple[str, ...], names_zh: tuple[str, ...]) -> re.Pattern | None:
    english = [_with_plural(re.escape(_plain(name))) for name in names]
    parts = [rf"(?<![a-z0-9])(?:{'|'.join(sorted(english, key=len, reverse=True))})(?![a-z0-9])"] if english else []
    parts += [re.escape(name) for name in names_zh]
    return re.compile("|".join(parts)) if parts else None


def _with_plural(word: str) -> str:
    for ending, both in (("y", "(?:ys?|ies)"), ("f", "(?:fs?|ves)"), ("man", "m[ae]n")):
        if word.endswith(ending):
            return word[: -len(ending)] + both
    return word + "(?:s|es)?"
