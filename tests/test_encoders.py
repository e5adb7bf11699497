"""TextEncoder, on tiny models with random weights that are made here: no network, no asset."""

import copy
import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from recsys_lib.encoders import TextEncoder, pretrained
from recsys_lib.encoders.store import VectorStore, text_key

TEXTS = ["Toy Story (1995). Animation", "Heat (1995). Action", "a", "", "玩具总动员 🎬", "word " * 10_000]
ARCHITECTURES = ("bert", "gpt2", "llama", "xlnet", "t5")
SIZE = 16


def words_tokenizer(*, template: str | None, special: dict):
    """A tokenizer over letters; `template` places special tokens around a text, as in "[CLS] $A [SEP]"."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokens = [*special.values(), *map(chr, range(97, 123)), *"0123456789().", "T", "S", "H", "A", "玩"]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=special["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("."), "isolated")]
    )
    if template:
        names = [part.split(":")[0] for part in template.split() if "$" not in part]
        pairs = [(name, vocabulary[name]) for name in names]
        tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=pairs)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special), len(vocabulary)


def save_tiny(architecture: str, folder) -> str:
    import torch
    import transformers as t

    torch.manual_seed(0)
    special = {"unk_token": "<unk>", "eos_token": "<eos>"}
    if architecture == "bert":
        special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        tokenizer, n_words = words_tokenizer(template="[CLS] $A [SEP]", special=special)
        config = t.BertConfig(vocab_size=n_words, hidden_size=SIZE, num_hidden_layers=2, num_attention_heads=2)
        config.intermediate_size = 32
    elif architecture == "gpt2":  # absolute positions, no token for padding
        tokenizer, n_words = words_tokenizer(template=None, special=special)
        config = t.GPT2Config(vocab_size=n_words, n_embd=SIZE, n_layer=2, n_head=2, n_positions=300)
    elif architecture == "llama":  # no token for padding, and its tokenizer wants it on the left
        tokenizer, n_words = words_tokenizer(template=None, special=special)
        tokenizer.padding_side = "left"
        config = t.LlamaConfig(vocab_size=n_words, hidden_size=SIZE, num_hidden_layers=2, num_attention_heads=2)
        config.intermediate_size, config.num_key_value_heads, config.head_dim = 32, 1, SIZE // 2
    elif architecture == "xlnet":  # padding on the left, [CLS] at the end, token types of its own
        special = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<cls>", "sep_token": "<sep>"}
        tokenizer, n_words = words_tokenizer(template="$A:0 <sep>:0 <cls>:2", special=special)
        tokenizer.padding_side, tokenizer.model_input_names = "left", ["input_ids", "token_type_ids", "attention_mask"]
        config = t.XLNetConfig(vocab_size=n_words, d_model=SIZE, n_layer=2, n_head=2, d_inner=32)
    else:
        special = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>"}
        tokenizer, n_words = words_tokenizer(template="$A </s>", special=special)
        config = t.T5Config(vocab_size=n_words, d_model=SIZE, num_layers=2, num_heads=2, d_kv=8, d_ff=32)
    if architecture != "bert":
        tokenizer.model_input_names = [
            n for n in tokenizer.model_input_names if n != "token_type_ids" or architecture == "xlnet"
        ]
    model = t.AutoModel.from_config(config).eval()
    with torch.no_grad():  # random weights of the usual size leave all texts nearly alike
        for parameter in model.parameters():
            if parameter.ndim > 1 and architecture != "t5":
                parameter.mul_(10)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return {name: save_tiny(name, tmp_path_factory.mktemp(name)) for name in ARCHITECTURES}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def counted(monkeypatch):
    """How many texts each call of the model got."""
    sizes, forward = [], TextEncoder._forward

    def counting(self, tokens, layer):
        sizes.append(len(tokens["input_ids"]))
        return forward(self, tokens, layer)

    monkeypatch.setattr(TextEncoder, "_forward", counting)
    return sizes


def states_alone(folder, text, layer=-1):
    """Hidden states of one text, and its token ids, by transformers alone and without padding."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = (
        AutoTokenizer.from_pretrained(folder),
        AutoModel.from_pretrained(folder, dtype=torch.float32).eval(),
    )
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
    with torch.inference_mode():
        return model(**tokens, output_hidden_states=True).hidden_states[layer][0].numpy(), tokens["input_ids"][0]


@pytest.fixture(scope="module")
def packaged():
    """Folders of the two packaged models, in the user's own cache."""
    return {name: pretrained.model_folder(name) for name in pretrained.ASSETS}


@pytest.mark.data
@pytest.mark.parametrize("name, d, n_states", [("all-minilm-l6-v2", 384, 7), ("smollm2-135m-instruct", 576, 31)])
def test_the_packaged_models(packaged, name, d, n_states):
    encoder = TextEncoder(packaged[name], normalise=False)
    layers = encoder.encode_layers(TEXTS[:2])
    assert layers.shape == (n_states, 2, d)
    assert encoder.encode(TEXTS[:2]) == pytest.approx(layers[-1], abs=1e-5, rel=1e-4)
    for row in (0, 1):
        states, _ = states_alone(packaged[name], TEXTS[row])
        assert layers[-1, row] == pytest.approx(states.mean(axis=0), abs=1e-5, rel=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_vectors_do_not_depend_on_the_batch(tiny, architecture, pooling, tmp_path, monkeypatch):
    together = TextEncoder(tiny[architecture], pooling=pooling, batch_size=6).encode(TEXTS)
    assert together.shape == (6, SIZE) and together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "other"))
    alone = TextEncoder(tiny[architecture], pooling=pooling, batch_size=1).encode(TEXTS)
    assert alone == pytest.approx(together, abs=1e-5)
    assert not np.allclose(together[0], together[1], atol=0.01)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pooling_is_over_real_tokens(tiny, architecture):
    folder, row = tiny[architecture], 1
    states, ids = states_alone(folder, TEXTS[row])
    mean = TextEncoder(folder, normalise=False).encode(TEXTS)[row]
    last = TextEncoder(folder, normalise=False, pooling="last").encode(TEXTS)[row]
    assert mean == pytest.approx(states.mean(axis=0), abs=1e-5, rel=1e-5)
    assert last == pytest.approx(states[-1], abs=1e-5, rel=1e-5)
    assert len(ids) > 5 and not np.allclose(mean, last, atol=0.01)


def test_cls_pooling_finds_the_token_at_either_end(tiny):
    for architecture, place in (("bert", 0), ("xlnet", -1)):
        states, ids = states_alone(tiny[architecture], TEXTS[1])
        vector = TextEncoder(tiny[architecture], normalise=False, pooling="cls").encode(TEXTS)[1]
        assert vector == pytest.approx(states[place], abs=1e-5, rel=1e-5)
    with pytest.raises(ValueError, match="no .CLS. token: take pooling='mean' or pooling='last'"):
        TextEncoder(tiny["gpt2"], pooling="cls").encode(TEXTS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layers(tiny, architecture, counted):
    folder = tiny[architecture]
    layers = TextEncoder(folder, normalise=False).encode_layers(TEXTS)
    assert layers.shape == (3, 6, SIZE) and sum(counted) == len(TEXTS)
    for layer in (0, 1, 2, -1):
        states, _ = states_alone(folder, TEXTS[0], layer)
        assert layers[layer, 0] == pytest.approx(states.mean(axis=0), abs=1e-5, rel=1e-5)
        single = TextEncoder(folder, normalise=False, layer=layer).encode(TEXTS)
        assert single == pytest.approx(layers[layer], abs=1e-5, rel=1e-5)
    with pytest.raises(ValueError, match="between 0 and 2 in this model, not 3"):
        TextEncoder(folder, layer=3).encode(TEXTS)


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_smaller_numbers_stay_close(tiny, architecture, dtype):
    exact = TextEncoder(tiny[architecture]).encode(TEXTS)
    vectors = TextEncoder(tiny[architecture], dtype=dtype).encode(TEXTS)
    assert (exact * vectors).sum(axis=1).min() > 0.99
    assert vectors.dtype == np.float32 and not np.array_equal(exact, vectors)


@pytest.mark.parametrize("activation, n_fused", [("gelu", 2), ("gelu_new", 0), ("relu", 0)])
def test_onednn_gives_the_vectors_of_transformers(tmp_path, activation, n_fused):
    import torch
    import transformers

    from recsys_lib.encoders.cpu_linear import OneDNNLinear

    folder = save_tiny("bert", tmp_path / "model")
    transformers.BertConfig.from_pretrained(folder, hidden_act=activation).save_pretrained(folder)
    encoder = TextEncoder(folder, pooling="cls", normalise=False, device="cpu")
    vectors = encoder.encode(TEXTS, keep=False)
    layers = [each for each in encoder._model.modules() if isinstance(each, OneDNNLinear)]
    if OneDNNLinear.works_here():
        assert len(layers) > 2 and sum(layer.activation[0] == "gelu" for layer in layers) == n_fused
    copied, pickled = copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))
    for other in (copied, pickled):
        assert np.array_equal(other.encode(TEXTS, keep=False), vectors)
    plain, tokenizer = transformers.AutoModel.from_pretrained(folder).eval(), encoder._tokenizer
    for text, vector in zip(TEXTS, vectors, strict=True):
        with torch.inference_mode():
            tokens = tokenizer(text, truncation=True, max_length=encoder.max_length, return_tensors="pt")
            assert plain(**tokens).last_hidden_state[0, 0].numpy() == pytest.approx(vector, abs=1e-5)


def test_int8_does_not_depend_on_the_batch(tiny, tmp_path, monkeypatch):
    together = TextEncoder(tiny["bert"], dtype="int8").encode(TEXTS)
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "other"))
    alone = TextEncoder(tiny["bert"], dtype="int8", batch_size=1).encode(TEXTS)
    assert alone == pytest.approx(together, abs=5e-3)  # rounding to 8 bits turns 1e-7 into one step now and then


def test_the_second_call_reads_the_cache(tiny, monkeypatch):
    first = TextEncoder(tiny["bert"]).encode(TEXTS)
    monkeypatch.setattr(TextEncoder, "_load", lambda self: pytest.fail("the model was loaded again"))
    assert (TextEncoder(tiny["bert"]).encode(TEXTS) == first).all()
    assert (TextEncoder(tiny["bert"], batch_size=2).encode(TEXTS[::-1]) == first[::-1]).all()


def test_a_cache_hit_does_not_import_torch(tiny):
    TextEncoder(tiny["bert"]).encode(TEXTS[:2])
    code = "import sys; from recsys_lib.encoders import TextEncoder; TextEncoder(sys.argv[1]).encode(sys.argv[2:])"
    code += "; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, tiny["bert"], *TEXTS[:2]], check=True, env=os.environ)


@pytest.mark.parametrize(
    "setting",
    [{"pooling": "last"}, {"normalise": False}, {"layer": 1}, {"max_length": 8}, {"dtype": "bfloat16"}],
    ids=str,
)
def test_other_settings_are_kept_apart(tiny, setting, counted):
    TextEncoder(tiny["bert"]).encode(TEXTS)
    counted.clear()
    TextEncoder(tiny["bert"], **setting).encode(TEXTS)
    assert sum(counted) == len(TEXTS)


def test_another_model_in_the_same_folder_is_kept_apart(tmp_path, counted):
    folder = save_tiny("bert", tmp_path / "model")
    TextEncoder(folder).encode(TEXTS)
    save_tiny("bert", tmp_path / "model")
    TextEncoder(folder).encode(TEXTS)
    assert sum(counted) == 2 * len(TEXTS)


def test_only_new_texts_are_encoded_and_each_once(tiny, counted):
    texts = [f"title {number}" for number in range(40)]
    before = TextEncoder(tiny["bert"]).encode(texts)
    counted.clear()
    vectors = TextEncoder(tiny["bert"]).encode(["new one", *texts, "new two", "new one"])
    assert sum(counted) == 2 and (vectors[1:41] == before).all() and (vectors[0] == vectors[-1]).all()


def test_a_kill_loses_one_batch_and_a_resume_goes_on(tiny, monkeypatch, counted):
    texts = [f"title {number}" for number in range(40)]
    forward = TextEncoder._forward

    def killed(self, tokens, layer):
        if len(counted) == 2:
            raise KeyboardInterrupt
        return forward(self, tokens, layer)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TextEncoder, "_forward", killed)
        TextEncoder(tiny["bert"], batch_size=8).encode(texts)
    assert counted == [8, 8]
    resumed = TextEncoder(tiny["bert"], batch_size=8).encode(texts)
    assert counted == [8] * 5
    monkeypatch.setenv("RECSYS_CACHE", os.environ["RECSYS_CACHE"] + "/other")
    assert resumed == pytest.approx(TextEncoder(tiny["bert"]).encode(texts), abs=1e-5)


def test_four_writers_at_once(cache):
    def write(writer):
        with VectorStore(cache / "vectors.sqlite") as store:  # a connection each, as in processes of their own
            for number in range(50):
                store.write({text_key(f"text {number}"): np.full((2, 3), number), bytes([writer]): np.ones((1, 3))})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with VectorStore(cache / "vectors.sqlite") as store:
        found = store.read([text_key(f"text {number}") for number in range(51)])
        assert len(found) == 50 and (found[text_key("text 7")] == np.full((2, 3), 7)).all()
        assert len(store.read([bytes([writer]) for writer in range(4)])) == 4


def test_a_damaged_store_is_named(tiny, cache):
    TextEncoder(tiny["bert"]).encode(TEXTS)
    (file,) = (cache / "vectors").glob("*.sqlite")
    file.write_bytes(b"not a database" * 500)
    with pytest.raises(ValueError, match=f"{file.name}.*Delete that file"):
        TextEncoder(tiny["bert"]).encode(TEXTS)


def test_batches_hold_texts_of_a_length(tiny):
    texts = ["a" * length for length in range(1, 101)]
    encoder = TextEncoder(tiny["bert"], batch_size=10)
    encoder._load()
    tokens = encoder._tokenise(texts)
    lengths = np.array([len(ids) for ids in tokens["input_ids"]])
    batches = encoder._batches(tokens)
    assert sorted(np.concatenate(batches)) == list(range(100)) and max(map(len, batches)) <= 10
    assert all(len(rows) * lengths[rows].max() <= 1024 for rows in batches)
    assert sum(len(rows) * lengths[rows].max() for rows in batches) < 1.1 * lengths.sum()


def test_progress_wraps_what_is_computed(tiny):
    seen = []
    wrap = lambda batches: seen.append(len(batches)) or batches  # noqa: E731
    TextEncoder(tiny["bert"], batch_size=2).encode(TEXTS, progress=wrap)
    TextEncoder(tiny["bert"], batch_size=2).encode(TEXTS, progress=wrap)
    assert seen == [3]


@pytest.mark.parametrize("missing", ["no/such-model", "no_such_folder/model", "not a name!", "/no/such/folder"])
def test_a_wrong_model_id_offline(missing, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"cannot load the model '.*Check the spelling.*needs the network once"):
        TextEncoder(missing).encode(["a"])
    assert time.perf_counter() - started < 30


def test_bad_input(tiny):
    with pytest.raises(ValueError, match="text 1 is nan"):
        TextEncoder().encode(["a", float("nan")])
    with pytest.raises(ValueError, match="text 0 is None"):
        TextEncoder().encode([None])
    with pytest.raises(ValueError, match="no texts"):
        TextEncoder().encode([])
    with pytest.raises(ValueError, match="one string"):
        TextEncoder().encode("a title")
    with pytest.raises(ValueError, match="pooling must be one of mean, cls, last, not 'max'"):
        TextEncoder(pooling="max")
    with pytest.raises(ValueError, match="dtype must be one of float32, bfloat16, int8, not 'float16'"):
        TextEncoder(dtype="float16")
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        TextEncoder(batch_size=0)
    with pytest.raises(ValueError, match="max_length must be more than 2"):
        TextEncoder(tiny["bert"], max_length=2).encode(["a"])
    with pytest.raises(ValueError, match="int8 works on the CPU only"):
        TextEncoder(tiny["bert"], dtype="int8", device="cuda").encode(["a"])
    with pytest.raises(ValueError, match="XLNet does not compute in bfloat16"):
        TextEncoder(tiny["xlnet"], dtype="bfloat16").encode(["a"])
    with pytest.raises(ValueError, match="no nn.Linear"):
        TextEncoder(tiny["gpt2"], dtype="int8").encode(["a"])
