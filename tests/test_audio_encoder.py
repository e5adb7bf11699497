"""AudioEncoder: on tiny models with random weights made here; odd clips."""

import os
import subprocess
import sys

import numpy as np
import pytest
from clips import RATE, chord, melody, noise, pluck, seconds
from tiny_models import save_sound

from recsys_lib.encoders import AudioEncoder, sound

pytest.importorskip("librosa")
soundfile = pytest.importorskip("soundfile")

KINDS = ("wav2vec2", "ast")
SHORT = [(chord((200 + 50 * number,), 0.3 + number / 20) * 0.5).astype(np.float32) for number in range(7)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return {kind: save_sound(kind, tmp_path_factory.mktemp(kind)) for kind in KINDS}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def counted(monkeypatch):
    """How many clips each call of the model got."""
    sizes, forward = [], AudioEncoder._forward

    def counting(self, seen):
        sizes.append(len(seen))
        return forward(self, seen)

    monkeypatch.setattr(AudioEncoder, "_forward", counting)
    return sizes


# models of transformers


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_for_a_clip(tiny, kind):
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    vectors = AudioEncoder(tiny[kind], normalise=False).encode(SHORT)
    assert vectors.shape == (7, 16) and vectors.dtype == np.float32 and np.ptp(vectors, axis=0).max() > 0.01
    extractor, model = AutoFeatureExtractor.from_pretrained(tiny[kind]), AutoModel.from_pretrained(tiny[kind]).eval()
    with torch.inference_mode():
        states = model(**extractor(SHORT[1], sampling_rate=RATE, return_tensors="pt")).last_hidden_state[0]
    assert vectors[1] == pytest.approx(states.mean(0).numpy(), abs=1e-5)
    with pytest.raises(ValueError, match="only 'musicnn' has tags"):
        AudioEncoder(tiny[kind]).tags(SHORT)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_do_not_depend_on_the_batch(tiny, kind, cache, monkeypatch):
    together = AudioEncoder(tiny[kind]).encode(SHORT)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    monkeypatch.setenv("RECSYS_CACHE", str(cache / "other"))
    alone = AudioEncoder(tiny[kind], batch_size=1).encode(SHORT[::-1])[::-1]
    assert alone == pytest.approx(together, abs=1e-5)


# the cache


def test_the_second_call_reads_the_cache(tiny, monkeypatch):
    first = AudioEncoder(tiny["ast"]).encode(SHORT)
    monkeypatch.setattr(AudioEncoder, "_load", lambda self: pytest.fail("the model was loaded again"))
    assert (AudioEncoder(tiny["ast"], batch_size=2).encode(SHORT[::-1]) == first[::-1]).all()


def test_a_cache_hit_imports_no_library_for_sound(tiny, tmp_path):
    soundfile.write(tmp_path / "a.wav", SHORT[0], RATE)
    AudioEncoder(tiny["ast"]).encode([tmp_path / "a.wav"])
    code = "import sys; from recsys_lib.encoders import AudioEncoder; AudioEncoder(sys.argv[1]).encode(sys.argv[2:])"
    code += "; assert not {'torch', 'transformers', 'librosa', 'soundfile'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, tiny["ast"], str(tmp_path / "a.wav")], check=True, env=os.environ)


def test_without_librosa_the_error_says_what_to_install(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(ImportError, match="pip install librosa soundfile"):
        AudioEncoder(tiny["ast"]).encode(SHORT)


def test_the_content_counts_and_not_the_name(tiny, tmp_path, counted):
    first, second = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(first, SHORT[0], RATE, subtype="FLOAT")
    second.write_bytes(first.read_bytes())
    encoder = AudioEncoder(tiny["wav2vec2"])
    vectors = encoder.encode([first, str(second), SHORT[0], np.stack([SHORT[0], SHORT[0]])])
    assert sum(counted) == 2 and vectors[1:] == pytest.approx(np.tile(vectors[0], (3, 1)), abs=1e-6)
    soundfile.write(first, SHORT[1], RATE, subtype="FLOAT")
    assert not np.array_equal(encoder.encode([first])[0], vectors[0]) and sum(counted) == 3
    assert not np.array_equal(encoder.encode([SHORT[0]], 8_000)[0], vectors[0]) and sum(counted) == 4


def test_other_settings_are_kept_apart(tiny, counted):
    AudioEncoder(tiny["ast"]).encode(SHORT)
    AudioEncoder(tiny["ast"], dtype="bfloat16").encode(SHORT)
    AudioEncoder(tiny["wav2vec2"]).encode(SHORT)
    assert sum(counted) == 3 * len(SHORT)


def test_a_kill_loses_one_batch_and_a_resume_goes_on(tiny, monkeypatch, counted):
    forward = AudioEncoder._forward

    def killed(self, seen):
        if len(counted) == 2:
            raise KeyboardInterrupt
        return forward(self, seen)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(AudioEncoder, "_forward", killed)
        AudioEncoder(tiny["ast"], batch_size=2).encode(SHORT)
    assert counted == [2, 2]
    seen = []
    wrap = lambda batches: seen.append(len(batches)) or batches  # noqa: E731
    AudioEncoder(tiny["ast"], batch_size=2).encode(SHORT, progress=wrap)
    assert counted == [2, 2, 2, 1] and seen == [2]


# odd clips


def test_mono():
    left, right = chord((200,), 1).astype(np.float32), noise(1, 0).astype(np.float32) * np.float32(0.1)
    assert sound.mono(np.stack([left, right]), 0, RATE, RATE) == pytest.approx((left + right) / 2, abs=1e-6)
    assert sound.mono(left.astype(np.float64), 0, RATE, RATE).dtype == np.float32
    slower = sound.mono(left, 0, RATE, 8_000)
    assert len(slower) == 8_000 and slower[50:-50] == pytest.approx(chord((200,), 1, 8_000)[50:-50], abs=1e-3)
    high = chord((7_000,), 1, 44_100).astype(np.float32)
    assert np.abs(sound.mono(high, 0, 44_100, 8_000)[100:-100]).max() < 0.01  # filtered, and not heard as 1 kHz


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_files_are_read_at_their_own_rate(tmp_path, kind):
    soundfile.write(tmp_path / f"clip.{kind}", melody(1, 22_050), 22_050)
    samples = sound.mono(tmp_path / f"clip.{kind}", 0, None, RATE)
    assert abs(len(samples) - RATE) < 1_000 and samples.dtype == np.float32


HALF = np.full(RATE, 0.5, np.float32)
BAD = {
    "silent": (np.zeros(RATE, np.float32), "clip 1 is silent, and silence has no vector. Leave it out, or mask"),
    "constant": (HALF, "clip 1 is silent"),
    "whisper": (chord((440,), 1) * 1e-6, "clip 1 is silent"),
    "cancelled": (np.stack([SHORT[0], -SHORT[0]]), "clip 1 is silent when its channels are mixed"),
    "milliseconds": (SHORT[0][:80], "clip 1 lasts 0.005 seconds. Give at least 0.1"),
    "empty": (np.zeros(0, np.float32), "clip 1 lasts 0 seconds"),
    "NaN": (np.where(seconds(1) == 0.5, np.nan, 0.1), "clip 1 holds NaN or infinity, first at sample 8000. Repair"),
    "infinity": (np.where(seconds(1) == 0, np.inf, 0.1), "clip 1 holds NaN or infinity, first at sample 0"),
    "16 bits": ((SHORT[0] * 32767).astype(np.int16), "clip 1 is an array of int16.*divide by the full scale, 32768"),
    "16 bits as floats": (SHORT[0] * 32767, "clip 1 reaches 16.*, and full scale is 1: divide by"),
    "channels last": (np.stack([SHORT[0]] * 2, axis=1), r"clip 1 is an array of shape \(4800, 2\).*clip.T"),
    "three dimensions": (np.zeros((1, 1, 9), np.float32), r"shape \(1, 1, 9\)"),
    "no channel": (np.zeros((0, RATE), np.float32), r"shape \(0, 16000\)"),
    "a list": ([0.1, 0.2], "clip 1 is of type list. Give a path or an array of samples"),
    "nothing": (None, "clip 1 is of type NoneType"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arrays(case):
    clip, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        AudioEncoder().encode([SHORT[0], clip])


@pytest.mark.parametrize("rate", [None, 0, -16_000, 16, 44.1, float("nan"), "16000", 16_000.5, 10**9])
def test_bad_rates(rate):
    with pytest.raises(ValueError, match="sample_rate is .*, and clip 0 is an array: give its samples a second"):
        AudioEncoder().encode(SHORT, rate)


def broken(tmp_path):
    """Files that are wrong, by name, and what the error says of them."""
    for kind in ("wav", "flac"):
        soundfile.write(tmp_path / f"whole.{kind}", melody(1), RATE)
        data = (tmp_path / f"whole.{kind}").read_bytes()
        (tmp_path / f"half.{kind}").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "page.mp3").write_bytes(b"<html>404</html>")
    (tmp_path / "headless.raw").write_bytes(b"abcd" * 100)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "short.wav", SHORT[0][:80], RATE)
    soundfile.write(tmp_path / "nan.wav", np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT")
    return {
        "empty.wav": "is an empty file. Fetch it anew",
        "page.mp3": "cannot be decoded: .*leave it out",
        "headless.raw": "cannot be decoded: .*leave it out",
        "half.wav": "breaks off: .*Fetch it anew",
        "half.flac": "cannot be decoded: .*Fetch it anew",
        "silent.wav": "is silent",
        "short.wav": "lasts 0.005 seconds",
        "nan.wav": "holds NaN or infinity, first at sample 0",
    }


def test_broken_files_are_named(tiny, tmp_path):
    encoder = AudioEncoder(tiny["ast"], batch_size=2)
    for name, message in broken(tmp_path).items():
        with pytest.raises(ValueError, match=rf"clip 1 \(.*{name}\) {message}"):
            encoder.encode([tmp_path / "whole.wav", tmp_path / name, SHORT[0]])
    with pytest.raises(FileNotFoundError, match=r"clip 2 \(.*gone.wav\): there is no such file. Correct the path"):
        encoder.encode([*SHORT[:2], tmp_path / "gone.wav"])
    with pytest.raises(ValueError, match=r"clip 0 \(.*\) cannot be read: "):
        encoder.encode([tmp_path])
    assert encoder.encode([tmp_path / "whole.wav", tmp_path / "whole.flac"]).shape == (2, 16)


def test_a_broken_file_is_found_before_the_model_is_loaded(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(AudioEncoder, "_load", lambda self: pytest.fail("the model was loaded"))
    broken(tmp_path)
    for name in ("page.mp3", "half.wav"):
        with pytest.raises(ValueError, match="clip 7"):
            AudioEncoder(tiny["ast"]).encode([*SHORT, tmp_path / name])


def test_the_shortest_clip(tiny):
    tenth = pluck(220, 0.1, 0).astype(np.float32)
    for kind in KINDS:
        assert np.isfinite(AudioEncoder(tiny[kind]).encode([tenth])).all()


def test_bad_input(tmp_path):
    for lone in ("clip.wav", tmp_path / "clip.wav", SHORT[0], np.stack([SHORT[0], SHORT[0]])):
        with pytest.raises(ValueError, match="clips is one clip. Give a list of clips"):
            AudioEncoder().encode(lone)
    with pytest.raises(ValueError, match="there are no clips"):
        AudioEncoder().encode([])
    with pytest.raises(ValueError, match="dtype must be one of float32, bfloat16, not 'int8'"):
        AudioEncoder(dtype="int8")
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        AudioEncoder(batch_size=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="cannot load the model .*neither an asset .musicnn"):
        AudioEncoder(tmp_path / "empty").encode(SHORT)
