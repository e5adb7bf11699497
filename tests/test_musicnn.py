"""musicnn: its checkpoint, front end and network, against TensorFlow's graph and the code of its package."""

import ast
import types
from pathlib import Path

import numpy as np
import pytest
from clips import RATE, chord, clips, pluck

from recsys_lib import assets
from recsys_lib.encoders import AudioEncoder, sound

librosa = pytest.importorskip("librosa")
soundfile = pytest.importorskip("soundfile")

MADE = clips()
SHORT = [(chord((200 + 50 * number,), 0.5) * 0.5).astype(np.float32) for number in range(3)]


@pytest.fixture(scope="module")
def packaged():
    """The folder of the packaged weights, in the user's own cache."""
    return assets.fetch("musicnn")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def musicnn(packaged, monkeypatch):
    """An encoder with the packaged model from the user's cache, its vectors in an empty one."""
    monkeypatch.setattr(assets, "fetch", lambda name: packaged)
    return AudioEncoder


@pytest.fixture(scope="module")
def network(packaged):
    from recsys_lib.encoders import musicnn

    return musicnn.load(packaged)


@pytest.fixture(scope="module")
def reference():
    return dict(np.load(Path(__file__).parent / "fixtures" / "musicnn_reference.npz"))


@pytest.mark.data
@pytest.mark.parametrize("number", range(len(MADE)), ids=list(MADE))
def test_the_network_is_tensorflows(network, reference, number):
    import torch

    from recsys_lib.encoders import musicnn

    name, (samples, rate) = list(MADE.items())[number]
    assert reference["names"][number] == name
    patches = musicnn.patches(sound.mono(samples, 0, rate, RATE))
    assert patches.mean(axis=(0, 1)) == pytest.approx(reference["spectra"][number], abs=1e-3)
    mine = reference["owner"] == number
    with torch.inference_mode():
        penultimate = network(torch.from_numpy(patches))
        logits = network.tags(penultimate)
    assert penultimate.numpy() == pytest.approx(reference["penultimate"][mine], abs=1e-3)
    assert logits.numpy() == pytest.approx(reference["logits"][mine], abs=1e-3)


@pytest.mark.data
def test_vectors_and_tags_are_means_over_patches(musicnn, reference):
    samples, rate = MADE["seven seconds"]
    mine = reference["owner"] == list(MADE).index("seven seconds")
    assert mine.sum() == 2
    vectors = musicnn(normalise=False).encode([samples], rate)
    assert vectors.shape == (1, 200) and vectors.dtype == np.float32
    assert vectors[0] == pytest.approx(reference["penultimate"][mine].mean(axis=0), abs=1e-3)
    tags = musicnn().tags([samples], rate)
    assert tags.shape == (1, 50) and tags.dtype == np.float32
    assert tags[0] == pytest.approx((1 / (1 + np.exp(-reference["logits"][mine]))).mean(axis=0), abs=1e-3)
    units = musicnn().encode([samples], rate)
    assert units == pytest.approx(vectors / np.linalg.norm(vectors), abs=1e-6)


@pytest.mark.data
@pytest.mark.parametrize("name", ["plucked strings", "quiet noise", "seven seconds"])
def test_the_front_end_is_the_packages(packaged, name):
    """Its `batch_data`, taken out of the file that also imports TensorFlow, with librosa's default of its time.

    Today's NumPy takes its logarithm in half precision, whose steps are 0.002 to 0.004 here.
    """
    from recsys_lib.encoders import musicnn

    source = ast.parse((packaged / "extractor.py").read_text(encoding="utf-8"))
    source.body = [part for part in source.body if getattr(part, "name", "") == "batch_data"]
    samples = MADE[name][0] * np.float32(0.1)  # its logarithm overflows when it is louder
    feature = types.SimpleNamespace(
        melspectrogram=lambda **options: librosa.feature.melspectrogram(**options, pad_mode="reflect")
    )
    theirs = types.SimpleNamespace(feature=feature, load=lambda file, sr: (file, sr))
    settings = types.SimpleNamespace(SR=RATE, FFT_HOP=256, FFT_SIZE=512, N_MELS=96)
    scope = {"np": np, "librosa": theirs, "config": settings}
    exec(compile(source, "batch_data", "exec"), scope)
    batch, _ = scope["batch_data"](samples, 187, 187)
    ours = musicnn.patches(samples)
    assert ours.shape == batch.shape and ours.dtype == np.float32
    assert np.abs(ours - batch).max() < 5e-3
    assert np.abs(ours - batch).mean() < 5e-4


def test_patches():
    from recsys_lib.encoders import musicnn

    assert musicnn.patches(MADE["sine chord"][0]).shape == (1, 187, 96)
    assert musicnn.patches(chord((440,), 6).astype(np.float32)).shape == (2, 187, 96)
    assert musicnn.patches(chord((440,), 5.9).astype(np.float32)).shape == (1, 187, 96)
    second = MADE["one second"][0]
    (repeated,) = musicnn.patches(second)  # 63 frames
    assert (repeated[:63] == repeated[63:126]).all() and (repeated[:61] == repeated[126:]).all()
    powers = (10 ** repeated.astype(float) - 1) / 10_000
    powers = powers[powers > 0.01]  # the logarithm keeps their rounding to half precision
    assert len(powers) > 500 and (np.abs(powers.astype(np.float16) / powers - 1) < 2e-5).all()
    loud = musicnn.patches(np.sign(chord((100,))).astype(np.float32) * sound.LOUDEST)
    assert np.isfinite(loud).all() and loud.max() > 6


@pytest.mark.data
def test_tags_are_sensible(musicnn):
    encoder = musicnn()
    best = {}
    for name in ("flute-like", "plucked strings", "drums", "speech-like", "loud noise"):
        samples, rate = MADE[name]
        best[name] = [encoder.tag_names[tag] for tag in np.argsort(-encoder.tags([samples], rate)[0])]
    assert best["flute-like"][0] == "flute"
    assert {"guitar", "harp"} <= set(best["plucked strings"][:3])
    assert {"beat", "beats", "drums", "techno"} <= set(best["drums"][:6])
    assert {"male", "male vocal", "male voice"} <= set(best["speech-like"][:4])
    assert {"loud", "fast"} == set(best["loud noise"][:2])


@pytest.mark.data
def test_tag_names_are_the_packages(packaged):
    source = ast.parse((packaged / "configuration.py").read_text(encoding="utf-8"))
    names = {part.targets[0].id: part.value for part in source.body if isinstance(part, ast.Assign)}
    assert AudioEncoder().tag_names == ast.literal_eval(names["MTT_LABELS"])


@pytest.mark.data
def test_musicnns_vectors_do_not_depend_on_the_batch(musicnn, cache, monkeypatch):
    signals = [MADE[name][0] for name in ("seven seconds", "one second", "drums")]
    together = musicnn().encode(signals)
    monkeypatch.setenv("RECSYS_CACHE", str(cache / "other"))
    assert musicnn(batch_size=1).encode(signals[::-1])[::-1] == pytest.approx(together, abs=1e-5)
    monkeypatch.setenv("RECSYS_CACHE", str(cache / "third"))
    bfloat16 = musicnn(dtype="bfloat16").encode(signals)
    assert (together * bfloat16).sum(axis=1).min() > 0.99 and not np.array_equal(together, bfloat16)


@pytest.mark.data
def test_tags_come_with_the_vectors(musicnn, monkeypatch):
    musicnn().encode(SHORT)
    monkeypatch.setattr(AudioEncoder, "_load", lambda self: pytest.fail("the model was loaded again"))
    tags = musicnn(normalise=False).tags(SHORT)
    assert ((tags > 0) & (tags < 1)).all()


@pytest.mark.data
def test_other_rates_and_channels_sound_the_same(musicnn, tmp_path):
    def note(rate):  # nothing above 4 kHz
        return (sum(chord((220 * k,), 3, rate) / k for k in range(1, 8)) * 0.2).astype(np.float32)

    encoder = musicnn()
    plain = encoder.encode([note(RATE)])[0]
    assert encoder.encode([note(44_100)], 44_100)[0] @ plain > 0.99
    assert encoder.encode([note(8_000)], 8_000)[0] @ plain > 0.95  # its anti-aliasing filter takes the top away
    assert encoder.encode([note(44_100)], 16_000)[0] @ plain < 0.95  # the rate counts
    stereo = np.stack([note(44_100), note(44_100)])
    soundfile.write(tmp_path / "stereo.flac", stereo.T, 44_100)
    vectors = encoder.encode([tmp_path / "stereo.flac", str(tmp_path / "stereo.flac")], 8_000)  # the file has its own
    assert vectors @ plain == pytest.approx(1, abs=0.01) and (vectors[0] == vectors[1]).all()


@pytest.mark.data
def test_the_checkpoints_reader(packaged, tmp_path):
    from recsys_lib.encoders.tensorflow_checkpoint import read_checkpoint

    prefix = f"{packaged}/MTT_musicnn/"
    tensors = read_checkpoint(prefix)
    assert tensors["conv2d/kernel"].shape == (7, 38, 1, 204) and tensors["dense_1/bias"].shape == (50,)
    assert tensors["beta1_power"].shape == () and tensors["beta1_power"].dtype == np.float32
    assert (tensors["batch_normalization/moving_variance"] > 0).all()
    index = (packaged / "MTT_musicnn" / ".index").read_bytes()
    numbers = (packaged / "MTT_musicnn" / ".data-00000-of-00001").read_bytes()
    total = sum(tensor.nbytes for tensor in tensors.values())
    assert total == len(numbers)  # nothing left out
    (tmp_path / ".data-00000-of-00001").write_bytes(numbers)
    for wrong in (index[:100], index[:-8] + b"\0" * 8, b""):
        (tmp_path / ".index").write_bytes(wrong)
        with pytest.raises(ValueError, match="no index of a TensorFlow checkpoint"):
            read_checkpoint(f"{tmp_path}/")


@pytest.mark.data
def test_the_shortest_clip_of_musicnn(musicnn):
    assert np.isfinite(musicnn().encode([pluck(220, 0.1, 0).astype(np.float32)])).all()
