"""What every text encoder asks of its input."""

from __future__ import annotations


def check_texts(texts) -> list[str]:
    """The texts as a list of str. ValueError: one that is not a string (its row is named), none at all, a lone str."""
    if isinstance(texts, str):
        raise ValueError("texts is one string. Give a list of strings, [text] for a single one")
    texts = list(texts)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"text {row} is {text!r}, not a string. Use '' where there is no text")
    if not texts:
        raise ValueError("there are no texts to encode")
    return texts
