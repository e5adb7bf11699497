"""Errands: sentences that are no request for a film ("what's the weather"), so that no list moves because of them."""

from __future__ import annotations

import re

import numpy as np

from recsys_lib.intent import evidence
from recsys_lib.intent.facets import request_words

NEARER = 0.0  # by how much a sentence has to be nearer to an errand than to every wish


class Errands:
    """Tells errands from wishes: by words in Chinese, else by the encoder, unless the sentence speaks of films.

    A sentence is an errand if its cosine with one of the vocabulary's errands is larger by `NEARER` than with every
    wish and every prompt of a facet. Chosen on `development.csv` and `errands.csv`.
    """

    def __init__(self, encoder, prompts: list[str], reads_chinese: bool):
        wish, errand = request_words()["wish"], request_words()["errand"]
        self._encoder, self._reads_chinese = encoder, reads_chinese
        self._wishes, self._errands = [*wish["prompts"], *prompts], errand["prompts"]
        self._film = re.compile(
            rf"\b(?:{'|'.join(wish['words'])})(?:s|es|ed|ing)?\b|{'|'.join(wish['words_zh'])}", re.IGNORECASE
        )
        self._chinese = re.compile("|".join(errand["words_zh"]))

    def among(self, texts: list[str]) -> np.ndarray:
        """(n_texts,) bool."""
        found = np.zeros(len(texts), bool)
        asked = []
        for row, text in enumerate(texts):
            if not text or self._film.search(text):
                continue
            if evidence.is_chinese(text) and not self._reads_chinese:
                found[row] = bool(self._chinese.search(text))
            else:
                asked.append(row)
        if asked:
            found[asked] = self.margins([texts[row] for row in asked]) > NEARER
        return found

    def margins(self, texts: list[str]) -> np.ndarray:
        """(n_texts,) how much nearer each text is to an errand than to a wish."""
        vectors = self._encoder.encode(texts, keep=False)
        errands, wishes = (self._encoder.encode(prompts) for prompts in (self._errands, self._wishes))
        return (vectors @ errands.T).max(axis=1) - (vectors @ wishes.T).max(axis=1)
