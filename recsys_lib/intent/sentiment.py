"""Sentiment: how a request is said, from a lexicon (TextBlob's, De Smedt & Daelemans 2012), in English."""

from __future__ import annotations

from functools import cache


@cache
def _analyser():
    from textblob.en.sentiments import PatternAnalyzer  # imports NLTK: half a second, not before it is needed

    return PatternAnalyzer()


def polarity(text: str) -> float:
    """From -1 (only words of dislike) to 1 (only words of praise); 0 where no word is in the lexicon.

    Leave out words that name a facet first: "scary" is what a lover of horror asks for, and the lexicon counts it as a
    complaint.
    """
    return float(_analyser().analyze(text).polarity) if text.strip() else 0.0
