"""TfidfEncoder: the same call as TextEncoder, over scikit-learn's TfidfVectorizer."""

import numpy as np
import pytest
from intent_case import Every

from recsys_lib.encoders import TfidfEncoder
from recsys_lib.intent import IntentParser, spelling, vocabulary

TEXTS = ["toy story animation", "heat action", "toy soldiers action", "unique"]


def test_unit_rows_and_zeros_where_no_word_is_known():
    vectors = TfidfEncoder().encode(TEXTS)
    assert vectors.dtype == np.float32 and vectors.shape == (4, 2)  # action, toy
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 0])


def test_the_fitted_vocabulary_is_kept():
    encoder = TfidfEncoder(min_df=1).fit(TEXTS)
    vectors = encoder.encode(["heat", "unseen words", "", "玩具 🎬"])
    assert vectors.shape == (4, len(encoder.words))
    assert encoder.words[vectors[0].argmax()] == "heat" and not vectors[1:].any()


def test_a_common_word_weighs_less_than_a_rare_one():
    encoder = TfidfEncoder(min_df=1)
    vectors = encoder.encode(["action heat", "action", "action drama"])
    assert vectors[0, list(encoder.words).index("heat")] > vectors[0, list(encoder.words).index("action")]


def test_it_stands_where_a_text_encoder_stands(monkeypatch):
    monkeypatch.setattr(spelling, "known_words", Every)  # the word list comes with a pretrained encoder's weights
    facets = ["Comedy", "Action"]
    texts = [prompt for name in facets for prompt in vocabulary()[name].prompts]
    intent = IntentParser(TfidfEncoder(min_df=1).fit(texts), facets).parse("something funny")
    assert intent.facets["Comedy"] > intent.facets["Action"]


@pytest.mark.parametrize(
    "texts, message",
    [([], "no texts"), (["a", None], "text 1 is None"), ("a text", "one string"), (["a", "b"], "min_df=1")],
)
def test_bad_input(texts, message):
    with pytest.raises(ValueError, match=message):
        TfidfEncoder().encode(texts)
