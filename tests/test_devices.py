"""Where a model and its inputs lie. The meta device, and a tensor that NumPy cannot reach, stand for a GPU."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recsys_lib import adversarial, notebook, training
from recsys_lib.models.rating import BERTRecommender, load_tokenizer
from recsys_lib.tokens import tokenise


class OnGPU(torch.Tensor):
    """Computes as any tensor and, like one on a GPU, goes to NumPy only by way of `.cpu()`."""

    def cpu(self):
        return self.as_subclass(torch.Tensor)

    def numpy(self, **_):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


class Encoder(torch.nn.Module):
    """A BERT reduced to what it asks of its inputs (the real one looks into them, which nothing on `meta` allows)."""

    def __init__(self, size):
        super().__init__()
        self.words = torch.nn.Embedding(200, size)

    def get_input_embeddings(self):
        return self.words

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None):
        states = self.words(input_ids) if inputs_embeds is None else inputs_embeds
        assert states.device == attention_mask.device == self.words.weight.device
        return SimpleNamespace(last_hidden_state=states)


def elsewhere(tiny_bert, **options):
    model = BERTRecommender(tiny_bert, **options)
    model.encoder = Encoder(model.encoder.config.hidden_size)
    return model.to("meta")


@pytest.fixture
def batch(tiny_bert):
    examples = tokenise(load_tokenizer(tiny_bert), ["nice", "a poor film", "lovely"], [4, 2, 5], max_length=12)
    return examples.batch(range(3))


@pytest.mark.parametrize("head", ["softmax", "regression", "ordinal"])
def test_a_batch_goes_to_where_the_model_is(tiny_bert, batch, head):
    model = elsewhere(tiny_bert, head=head, user_size=3)
    output = model(**batch, users=torch.zeros(3, 3))
    assert output.logits.device.type == output.loss.device.type == "meta"


def test_so_do_the_words_that_an_attack_moves(tiny_bert, batch):
    model = elsewhere(tiny_bert)
    assert adversarial.attacked(model, batch, 0.1).device.type == "meta"
    words = adversarial.word_embeddings(model, batch["input_ids"])
    noise = adversarial.perturbation(words, batch["attention_mask"], None, 0.1)
    assert words.device.type == noise.device.type == "meta" and noise.shape == words.shape


@pytest.mark.parametrize("head", ["softmax", "regression", "ordinal"])
def test_logits_on_a_gpu_become_stars(tiny_bert, head):
    model = BERTRecommender(tiny_bert, head=head)
    logits = torch.randn(4, {"softmax": 5, "regression": 1, "ordinal": 4}[head])
    there = logits.as_subclass(OnGPU)
    with pytest.raises(TypeError, match="to numpy"):
        np.asarray(there)
    for name in ("expected_rating", "predicted_stars"):
        np.testing.assert_array_equal(getattr(model, name)(there), getattr(model, name)(logits))


@pytest.mark.parametrize(
    ("capability", "half"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_half_precision_is_what_the_gpu_computes_in(monkeypatch, capability, half):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)  # so says a T4 as well
    assert training._half() == half


def test_a_checkpoint_of_any_device_is_read_on_the_cpu(tiny_bert, tmp_path, monkeypatch):
    read, places = torch.load, []
    monkeypatch.setattr(torch, "load", lambda *given, **how: places.append(how["map_location"]) or read(*given, **how))
    examples = tokenise(load_tokenizer(tiny_bert), ["nice", "poor"], [4, 2], max_length=12)
    for _ in range(2):
        model, settings = BERTRecommender(tiny_bert), training.Settings(epochs=1, batch_size=1)
        training.train(model, examples, examples, settings, folder=tmp_path, device="cpu:0")
    assert places == ["cpu"]


@pytest.mark.parametrize("there", ["/proc/driver/nvidia/version", "/dev/dxg", "/dev/kfd"])
def test_the_device_that_is_printed_is_the_one_that_is_used(monkeypatch, there):
    monkeypatch.setattr(notebook, "Path", lambda place: type("P", (), {"exists": lambda _: place == there})())
    monkeypatch.setattr(notebook.sys, "platform", "linux")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    assert notebook.device() == "a GPU"
