"""Keywords: the phrases of a request that say most of it, by the sentence encoder (KeyBERT, Grootendorst 2020)."""

from __future__ import annotations

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

SAID_OF_ALL = (
    "film",
    "films",
    "movie",
    "movies",
    "watch",
    "want",
    "like",
    "looking",
    "something",
    "please",
    "recommend",
    "tonight",
    "ve",
    "ll",
    "don",
    "picture",
)


def candidates(clauses: list[str]) -> list[str]:
    """Phrases of one to three Latin words without stop words, none of them across clauses, in alphabetical order."""
    words = CountVectorizer(
        ngram_range=(1, 3), stop_words=_stop_words(), token_pattern=r"\b[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ'-]+\b"
    )
    try:
        return sorted(words.fit(clauses).vocabulary_)
    except ValueError:  # only stop words
        return []


def keywords(clauses: list[str], encode, n: int = 4, trade_off: float = 0.4) -> list[str]:
    """The `n` phrases that are most like the text and least like each other (MMR on cosines); no two share a word.

    Parameters
    ----------
    clauses : list of str
        The text in pieces that no phrase crosses.
    encode : callable
        (list of texts) -> (n_texts, d) unit vectors.
    trade_off : float
        0 looks at likeness to the text only, 1 at unlikeness to the phrases that are chosen already.
    """
    phrases = candidates(clauses)
    if not phrases:
        return []
    vectors, words = encode([" ".join(clauses), *phrases]), [set(phrase.split()) for phrase in phrases]
    likeness, between = vectors[1:] @ vectors[0], vectors[1:] @ vectors[1:].T
    chosen, free = [], np.ones(len(phrases), bool)
    while free.any() and len(chosen) < n:
        nearest = between[:, chosen].max(axis=1) if chosen else 0
        pick = int(np.where(free, (1 - trade_off) * likeness - trade_off * nearest, -np.inf).argmax())
        chosen.append(pick)
        free &= [not words[pick] & other for other in words]
    return [phrases[place] for place in chosen]


def _stop_words() -> list[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return sorted({*ENGLISH_STOP_WORDS, *SAID_OF_ALL})
