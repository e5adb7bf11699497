"""Evidence: what in a clause speaks for a facet. Words that name it or hint at it, and the encoder's cosine."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from recsys_lib.intent.facets import Facet

WINDOWS = (2, 3, 5, 8)  # words in a phrase that the encoder is asked about, beside the whole clause
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
        """(n_facets, 2): different names and different hints of each facet in the text."""
        plain = _plain(text)
        found = [
            [len({_stem(match) for match in pattern.findall(plain)}) if pattern else 0 for pattern in pair]
            for pair in zip(self._names, self._hints, strict=True)
        ]
        return np.array(found, float).reshape(-1, 2)

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
    return re.sub(r"\s+", " ", re.sub(r"[-_/'\"]", " ", text.lower().replace("'s ", " "))).strip()


def _stem(word: str) -> str:
    word = word.strip()
    return word[:-3] + "y" if word.endswith("ies") else word.rstrip("s")


@lru_cache(maxsize=256)
def _pattern(names: tuple[str, ...], names_zh: tuple[str, ...]) -> re.Pattern | None:
    english = []
    for name in names:
        plain = re.escape(_plain(name))
        english.append(plain[:-1] + "(?:ys?|ies)" if plain.endswith("y") else plain + "(?:s|es)?")
    parts = [rf"(?<![a-z0-9])(?:{'|'.join(sorted(english, key=len, reverse=True))})(?![a-z0-9])"] if english else []
    parts += [re.escape(name) for name in names_zh]
    return re.compile("|".join(parts)) if parts else None
