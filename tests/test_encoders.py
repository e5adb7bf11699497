"""TextEncoder, on a tiny BERT with random weights that is made here: no network, no asset."""

import numpy as np
import pytest

from recsys_lib.encoders import TextEncoder

TEXTS = ["Toy Story (1995). Animation", "Heat (1995). Action", "a", "", "玩具总动员 🎬", "word " * 400]


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory):
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    letters = [chr(code) for code in range(97, 123)] + list("0123456789().")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + letter for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path))
    return tmp_path


def test_vectors_do_not_depend_on_the_batch(tiny_bert, cache, tmp_path, monkeypatch):
    together = TextEncoder(tiny_bert, batch_size=6).encode(TEXTS)
    assert together.shape == (6, 16) and together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "other"))
    alone = TextEncoder(tiny_bert, batch_size=1).encode(TEXTS)
    assert alone == pytest.approx(together, abs=1e-5)


def test_pooling_is_the_mean_over_real_tokens(tiny_bert, cache):
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(tiny_bert), AutoModel.from_pretrained(tiny_bert).eval()
    with torch.inference_mode():  # one text alone has no padding: a plain mean
        expected = model(**tokenizer(TEXTS[1], return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
    assert TextEncoder(tiny_bert, normalise=False).encode(TEXTS)[1] == pytest.approx(expected, abs=1e-5)


def test_the_second_call_reads_the_cache(tiny_bert, cache, monkeypatch):
    first = TextEncoder(tiny_bert).encode(TEXTS)
    monkeypatch.setattr(TextEncoder, "_load", lambda self: pytest.fail("the model was loaded again"))
    assert (TextEncoder(tiny_bert).encode(TEXTS) == first).all()
    with pytest.raises(pytest.fail.Exception):
        TextEncoder(tiny_bert, normalise=False).encode(TEXTS)  # other settings: another key


def test_bad_texts():
    with pytest.raises(ValueError, match="text 1 is nan"):
        TextEncoder().encode(["a", float("nan")])
    with pytest.raises(ValueError, match="no texts"):
        TextEncoder().encode([])
