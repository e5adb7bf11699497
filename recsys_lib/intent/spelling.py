"""Spelling: words that nobody uses, mended into the words of the vocabulary that they nearly are."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache

from recsys_lib import assets

CLOSE = 0.78  # difflib's ratio: 2 x matching letters / letters of both
MIN_LETTERS = 4


@cache
def known_words() -> frozenset[str]:
    """English words as the packaged tokenizer's vocabulary holds them: a word in it is not misspelt."""
    lines = (assets.fetch("all-minilm-l6-v2") / "vocab.txt").read_text(encoding="utf-8").split("\n")
    return frozenset(word for word in lines if word.isalpha())


def mended(text: str, words: frozenset[str]) -> str:
    """`text` with unknown English words replaced by their nearest in `words`, where one is near enough.

    "horor" becomes "horror". A known word, or one with a known stem, stays what it is, and so does Chinese.
    """

    def mend(match):
        word = match[0].lower()
        if len(word) < MIN_LETTERS or word in words or _is_known(word):
            return match[0]
        turned = [other for other in words if other[0] == word[0] and sorted(other) == sorted(word)]
        near = turned or get_close_matches(word, words, n=1, cutoff=CLOSE)
        return near[0] if near else match[0]

    return re.sub(r"[A-Za-z]+", mend, text)


def _is_known(word: str) -> bool:
    known = known_words()
    stems = [word]
    for ending, back in (
        ("s", ""),
        ("es", ""),
        ("ies", "y"),
        ("ed", ""),
        ("ed", "e"),
        ("ing", ""),
        ("ing", "e"),
        ("er", ""),
        ("ish", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stems.append(word[: len(word) - len(ending)] + back)
    return any(stem in known for stem in stems)
