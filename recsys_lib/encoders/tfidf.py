"""TfidfEncoder: the baseline that every pretrained encoder has to beat, behind the same call."""

from __future__ import annotations

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from recsys_lib.encoders.inputs import check_texts


class TfidfEncoder:
    """Words weighted by how often they stand in a text and how rare they are elsewhere, as dense unit rows.

    The value of a word before the row is scaled to length 1 is (1 + log tf) (1 + log((1 + n) / (1 + df))).
    Source: scikit-learn's `TfidfVectorizer`, with sublinear tf (Manning, Raghavan & Schütze 2008, 6.4.1).

    Parameters
    ----------
    **options
        Any of `TfidfVectorizer`. Defaults that differ from its own: sublinear_tf=True, min_df=2 (a word of one
        text says nothing about another).

    >>> TfidfEncoder().encode(["a blue car", "a red car", "red red", "none"]).round(3)    # columns: car, red
    array([[1.   , 0.   ],
           [0.707, 0.707],
           [0.   , 1.   ],
           [0.   , 0.   ]], dtype=float32)
    """

    def __init__(self, **options):
        self._vectorizer = TfidfVectorizer(**{"sublinear_tf": True, "min_df": 2, "dtype": np.float32, **options})

    def fit(self, texts) -> TfidfEncoder:
        """Learn the vocabulary and how rare each word is. ValueError if no word is left, or a text is no string."""
        texts = check_texts(texts)
        try:
            self._vectorizer.fit(texts)
        except ValueError as error:
            raise ValueError(
                f"no word can be used: {str(error).splitlines()[0]} Give more texts, or TfidfEncoder(min_df=1)"
            ) from error
        return self

    @property
    def words(self) -> np.ndarray:
        """The vocabulary, one word a column of `encode`."""
        return self._vectorizer.get_feature_names_out()

    def encode(self, texts, *, progress=None, keep: bool = True) -> np.ndarray:
        """Encode `texts`: (n_texts, n_words) float32, unit rows; a row of zeros where no word is known.

        Fits on these texts if `fit` was not called before. `progress` and `keep` are taken, and not needed (nothing
        is ever written to the disk), so that this encoder can stand where a `TextEncoder` stands.
        """
        texts = check_texts(texts)
        if not hasattr(self._vectorizer, "vocabulary_"):
            self.fit(texts)
        return self._vectorizer.transform(texts).toarray()
