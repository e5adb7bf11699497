"""Sound of any kind to one channel at one rate, or an error that names the row and the file."""

from __future__ import annotations

import os

import numpy as np

from recsys_lib.encoders.inputs import content, content_key, is_path, named

SHORTEST = 0.1  # seconds
SILENCE = 1e-5  # of full scale, -100 dB
LOUDEST = 4  # times full scale: peaks a little over 1 are usual, thousands are whole numbers
MOST_CHANNELS = 32


def is_clip(item) -> bool:
    """Whether this is one clip: a path or an array, also a two-dimensional one."""
    return is_path(item) or isinstance(item, np.ndarray)


def key(clip, row: int, sample_rate) -> bytes:
    """16 bytes that stand for what is heard: the content of a file, the mixed samples and the rate of an array."""
    name = named("clip", row, clip)
    if is_path(clip):
        return content_key("file", content(clip, name))
    samples = _from_array(clip, sample_rate, name)
    return content_key("samples", int(sample_rate), samples.tobytes())


def look(clip, row: int) -> None:
    """The errors of `mono` that a look at the beginning of a file is enough for."""
    if is_path(clip):
        _read(clip, named("clip", row, clip), only_look=True)


def mono(clip, row: int, sample_rate, rate: int) -> np.ndarray:
    """The clip's channels averaged, at `rate` samples a second: (n_samples,) float32.

    Parameters
    ----------
    clip : path or array
        A file that libsndfile reads (WAV, FLAC, OGG, MP3 and more), with its own rate. Or an array of floats from -1
        to 1: (n_samples,) or (n_channels, n_samples), at `sample_rate`.
    row : int
        Its place in the list, for errors.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a file is empty, cannot be decoded or, as WAV and FLAC, breaks off (of MP3 and OGG, which do not say how
        long they are, what there is counts); if an array has another dtype or shape or `sample_rate` is no rate;
        if samples are NaN, infinite or beyond 4; if the clip is shorter than 0.1 seconds or silent.
    """
    name = named("clip", row, clip)
    if is_path(clip):
        samples, sample_rate = _read(clip, name)
    else:
        samples = _from_array(clip, sample_rate, name)
    if sample_rate == rate:
        return samples
    return libraries()[0].resample(samples, orig_sr=int(sample_rate), target_sr=rate)


def libraries():
    """librosa and soundfile, which only sound needs. ImportError with the command that installs them."""
    try:
        import librosa
        import soundfile
    except ModuleNotFoundError as error:
        raise ImportError(f"sound needs {error.name}, which is not installed: pip install librosa soundfile") from None
    return librosa, soundfile


def _read(path, name: str, only_look: bool = False):
    """The mixed samples and the rate of a file."""
    data = content(path, name)
    if data[:4] == b"RIFF" and data[4:8] != b"\xff" * 4 and int.from_bytes(data[4:8], "little") + 7 > len(data):
        raise ValueError(f"{name} breaks off: a WAV file says how long it is. Fetch it anew, or leave it out")
    soundfile = libraries()[1]
    try:
        if only_look:
            return soundfile.info(os.fspath(path))
        channels, rate = soundfile.read(os.fspath(path), dtype="float32", always_2d=True)
    except Exception as error:  # soundfile's own, and TypeError for a file without a header
        reason = str(error).rsplit(": ", 1)[-1].rstrip(".")
        raise ValueError(
            f"{name} cannot be decoded: {reason}. Fetch it anew, save it as WAV, FLAC or MP3, or leave it out"
        ) from None
    return _mixed(channels.T, rate, name), rate


def _from_array(clip, sample_rate, name: str) -> np.ndarray:
    if not isinstance(clip, np.ndarray):
        raise ValueError(f"{name} is of type {type(clip).__name__}. Give a path or an array of samples")
    number = isinstance(sample_rate, (int, float, np.integer, np.floating))
    if not (number and 1000 <= sample_rate <= 1_000_000 and sample_rate == int(sample_rate)):
        raise ValueError(
            f"sample_rate is {sample_rate!r}, and {name} is an array: give its samples a second, as 16000 or 44100"
        )
    if clip.dtype.kind != "f":
        raise ValueError(
            f"{name} is an array of {clip.dtype}, and samples are floats from -1 to 1: "
            "divide by the full scale, 32768 for 16 bits"
        )
    if clip.ndim not in (1, 2) or (clip.ndim == 2 and not 1 <= len(clip) <= MOST_CHANNELS):
        raise ValueError(
            f"{name} is an array of shape {clip.shape}. Give (n_samples,) or (n_channels, n_samples): "
            "channels come first, so that clip.T may be meant"
        )
    return _mixed(np.atleast_2d(clip), sample_rate, name)


def _mixed(channels: np.ndarray, rate: int, name: str) -> np.ndarray:
    """(n_channels, n_samples) to their mean, (n_samples,) float32, if there is something to hear."""
    seconds = channels.shape[1] / rate
    if seconds < SHORTEST:
        raise ValueError(f"{name} lasts {seconds:.3g} seconds. Give at least {SHORTEST}, or leave it out")
    bad = np.flatnonzero(~np.isfinite(channels).all(axis=0))
    if len(bad):
        raise ValueError(f"{name} holds NaN or infinity, first at sample {bad[0]}. Repair it, or leave it out")
    peak = np.abs(channels).max()
    if peak > LOUDEST:
        raise ValueError(f"{name} reaches {peak:.6g}, and full scale is 1: divide by the full scale, 32768 for 16 bits")
    samples = channels.mean(axis=0, dtype=np.float64).astype(np.float32)
    if np.ptp(samples) < SILENCE:
        mixed = " when its channels are mixed" if len(channels) > 1 else ""
        raise ValueError(f"{name} is silent{mixed}, and silence has no vector. Leave it out, or mask its row")
    return samples
