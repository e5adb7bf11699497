"""Music in ten moods, synthesised with NumPy: a few seconds at 16 kHz.

A mood is tempo, scale, instruments, drums and noise. The key, the melody, the loudness and the colour of the recording
are drawn at random whatever the mood. A second mood takes the middle of the piece, as long as its share.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

RATE = 16_000  # samples a second
N_SAMPLES = 51_200  # 3.2 s
FADE = 480  # samples over which one mood gives way to the other
CYCLE = 2048  # samples of one period in a wave table
HIGHEST = 7_000  # Hz; partials above would fold back at half the rate


class Instrument(NamedTuple):
    """Partials are amplitudes of the multiples 1, 2, 3, ... of a note's frequency; times in seconds."""

    partials: tuple[float, ...]
    attack: float
    decay: float  # until a note has faded to 1 / e
    vibrato: float = 0.0  # share of the frequency
    drive: float = 0.0  # > 0: distorted


def _saw(n, odd=False, steep=1.0):
    return tuple(0.0 if odd and k % 2 == 0 else k**-steep for k in range(1, n + 1))


INSTRUMENTS = {
    "piano": Instrument((1, 0.6, 0.35, 0.25, 0.12, 0.08, 0.04), 0.005, 0.5),
    "flute": Instrument((1, 0.18, 0.06, 0.02), 0.07, 4.0, vibrato=0.006),
    "strings": Instrument(_saw(12), 0.12, 6.0, vibrato=0.005),
    "staccato": Instrument(_saw(12), 0.01, 0.09),
    "brass": Instrument(_saw(14, steep=0.6), 0.04, 3.0),
    "harp": Instrument((1, 0.5, 0.15, 0.1, 0.03), 0.003, 0.25),
    "bells": Instrument((1, 0, 0, 0.7, 0, 0, 0.35, 0, 0, 0, 0.2), 0.002, 0.9),
    "marimba": Instrument((1, 0, 0, 0.45, 0, 0, 0, 0, 0, 0.1), 0.002, 0.11),
    "chip": Instrument(_saw(15, odd=True), 0.002, 0.3),
    "lead": Instrument(_saw(20, steep=0.7), 0.005, 1.0, drive=4.0),
    "guitar": Instrument(_saw(16, steep=0.8), 0.003, 2.0, drive=12.0),
    "organ": Instrument((1, 0.8, 0.4, 0.6, 0, 0.3, 0, 0.3), 0.02, 20.0),
    "drone": Instrument(_saw(8, steep=1.4), 0.3, 20.0, vibrato=0.003),
    "bass": Instrument((1, 0.7, 0.4, 0.2, 0.1), 0.005, 0.35),
}

MAJOR, MINOR, DORIAN = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10)
PENTATONIC, PHRYGIAN, WHOLE = (0, 2, 4, 7, 9), (0, 1, 3, 5, 7, 8, 10), (0, 2, 4, 6, 8, 10)


class Mood(NamedTuple):
    """What a mood fixes. Voices are (instrument, octave, loudness) or None; drums are eight steps of half a beat."""

    tempo: tuple[int, int]  # beats a minute, from ... to
    scale: tuple[int, ...]  # semitones above the key
    melody: tuple[str, int, float] | None
    steps: float  # notes a beat
    chords: tuple[str, int, float] | None
    bass: tuple[str, int, float] | None = None
    drums: tuple[tuple[str, str], ...] = ()  # (drum, pattern such as "x..x..x.")
    noise: float = 0.0
    echo: float = 0.0  # loudness of the repeats


MOODS = {
    "calm": Mood((58, 72), MAJOR, ("harp", 5, 0.8), 1, ("flute", 4, 0.35), echo=0.3),
    "joyful": Mood(
        (125, 145), MAJOR, ("piano", 5, 0.8), 2, ("piano", 4, 0.4), ("bass", 2, 0.6),
        (("kick", "x...x..."), ("clap", "..x...x."), ("hat", ".x.x.x.x")),
    ),
    "sad": Mood((54, 68), MINOR, ("strings", 4, 0.7), 0.75, ("piano", 3, 0.6), echo=0.25),
    "tense": Mood((120, 140), PHRYGIAN, ("staccato", 4, 0.8), 4, ("strings", 5, 0.25), drums=(("tom", "x.......",),)),
    "epic": Mood(
        (84, 100), MINOR, ("brass", 4, 0.8), 1, ("brass", 3, 0.6), ("drone", 2, 0.6),
        (("tom", "x..x..xx"), ("cymbal", "x......."),), echo=0.3,
    ),
    "dark": Mood(
        (50, 60), PHRYGIAN, None, 1, ("drone", 2, 1.0), ("drone", 1, 0.8), (("kick", "x......."),), noise=0.25,
    ),
    "dreamy": Mood((70, 84), WHOLE, ("bells", 5, 0.6), 1.5, ("organ", 4, 0.3), echo=0.5),
    "funky": Mood(
        (100, 114), DORIAN, ("chip", 4, 0.3), 1, None, ("bass", 2, 1.0),
        (("kick", "x..x..x."), ("snare", "..x...x."), ("hat", "xxxxxxxx")),
    ),
    "furious": Mood(
        (160, 180), PHRYGIAN, ("lead", 4, 0.5), 2, ("guitar", 3, 0.8), ("guitar", 2, 0.6),
        (("kick", "xxxxxxxx"), ("snare", "..x...x."), ("cymbal", "x...x...")), noise=0.05,
    ),
    "playful": Mood(
        (140, 165), PENTATONIC, ("marimba", 5, 1.0), 2, None, ("staccato", 3, 0.4), (("wood", "x..x.x.."),),
    ),
}  # fmt: skip


def piece(moods: tuple[str, str, float], rng: np.random.Generator) -> np.ndarray:
    """(51200,) float32 at 16 kHz: 3.2 seconds, each a multiple of 1/32767, so that 16 bits hold them exactly.

    moods: the first, the second and the share of the first, which is its share of the time.
    """
    sound = _recorded(_play_both(*moods, rng), rng)
    sound *= rng.uniform(0.5, 0.95) / np.abs(sound).max()
    return (np.round(sound * 32767) / 32767).astype(np.float32)


def _play_both(first: str, second: str, share: float, rng) -> np.ndarray:
    """The first mood, and in the middle, in the same key, the second."""
    key, middle = rng.integers(-5, 7), int(N_SAMPLES * (1 - share))
    start = (N_SAMPLES - middle) // 2
    sound = _play(MOODS[first], N_SAMPLES, key, rng)
    fade = np.clip(np.minimum(np.arange(middle), np.arange(middle)[::-1]) / FADE, 0, 1)
    between = slice(start, start + middle)
    sound[between] = (1 - fade) * sound[between] + fade * _play(MOODS[second], middle, key, rng)
    return sound


def _recorded(sound: np.ndarray, rng) -> np.ndarray:
    """With hiss, through a microphone of its own colour: else a mean spectrum would tell the mood."""
    sound = sound + rng.uniform(0.005, 0.03) * rng.standard_normal(N_SAMPLES)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(N_SAMPLES, 1 / RATE), 40) / 640)
    decibels = rng.uniform(-4, 4) * octaves
    for _ in range(3):
        decibels += rng.uniform(-9, 9) * np.exp(-((octaves - rng.uniform(-3, 3.5)) ** 2))
    return np.fft.irfft(np.fft.rfft(sound) * 10 ** (decibels / 20), N_SAMPLES)


def _play(mood: Mood, n: int, key: int, rng) -> np.ndarray:
    """n samples of one mood, in the given key, at a mean square of 1."""
    out = np.zeros(n + RATE)
    beat = RATE * 60 / rng.uniform(*mood.tempo)
    if mood.melody:
        _melody(out, n, mood, key, beat, rng)
    bar = 4 * beat
    for begin in np.arange(0, n, bar):
        degree = (0, 3, 4, 5)[rng.integers(4)] if begin else 0
        if mood.chords:
            for step in (0, 2, 4):
                _note(out, begin, min(bar, n - begin), mood.chords, key, mood.scale, degree + step, rng)
        if mood.bass:
            for place in np.arange(begin, min(begin + bar, n), beat / 2 if mood.bass[0] == "bass" else bar):
                _note(out, place, min(bar, n - place), mood.bass, key, mood.scale, degree, rng)
        for drum, pattern in mood.drums:
            for step in (step for step, hit in enumerate(pattern) if hit == "x"):
                _hit(out, begin + step * beat / 2, drum, rng)
    out = out[:n]
    if mood.noise:
        out += mood.noise * np.convolve(rng.standard_normal(n), np.full(8, 0.35), mode="same")
    for repeat in range(1, 4 if mood.echo else 0):
        delay = int(repeat * 0.11 * RATE)
        if delay < n:
            out[delay:] += mood.echo**repeat * out[: n - delay]
    return out / np.sqrt(np.mean(out**2))


def _melody(out, n, mood, key, beat, rng) -> None:
    """A walk over the scale; every so often a rest."""
    degree, step = int(rng.integers(0, len(mood.scale))), beat / mood.steps
    for place in np.arange(0, n, step):
        degree = int(np.clip(degree + rng.integers(-2, 3), -3, len(mood.scale) + 3))
        if place == 0 or rng.random() < 0.88:
            _note(out, place, step * 1.05, mood.melody, key, mood.scale, degree, rng)


def _note(out, place, length, voice, key, scale, degree, rng) -> None:
    name, octave, loudness = voice
    instrument = INSTRUMENTS[name]
    semitones = 12 * (octave + 1 + degree // len(scale)) + scale[degree % len(scale)] + key - 69
    frequency = 440 * 2 ** (semitones / 12)
    start, n = int(place), min(int(length) + int(0.05 * RATE), len(out) - int(place))
    if n < 2:
        return
    time = np.arange(n) / RATE
    phase = frequency * time
    if instrument.vibrato:
        phase = phase + instrument.vibrato * frequency / (2 * np.pi * 5.5) * np.sin(2 * np.pi * 5.5 * time)
    phase = phase + rng.random()
    heard = max(1, min(len(instrument.partials), int(HIGHEST / frequency)))
    wave = _table(instrument.partials, heard)[(phase * CYCLE).astype(np.int64) & (CYCLE - 1)]
    if instrument.drive:
        wave = np.tanh(instrument.drive * wave) / np.tanh(instrument.drive)
    envelope = np.minimum(time / instrument.attack, 1) * np.exp(-time / instrument.decay)
    release = min(n, int(0.05 * RATE))
    envelope[n - release :] *= np.linspace(1, 0, release)
    out[start : start + n] += loudness * rng.uniform(0.8, 1.0) * envelope * wave


@lru_cache
def _table(partials: tuple[float, ...], n: int) -> np.ndarray:
    """One period of the first n partials."""
    multiples = np.arange(1, n + 1)[:, None]
    wave = np.array(partials[:n]) @ np.sin(2 * np.pi * multiples * np.arange(CYCLE) / CYCLE)
    return wave / np.sqrt(np.mean(wave**2)) / 2


def _hit(out, place, drum, rng) -> None:
    """One stroke: a falling tone, noise, or both."""
    low, high, fall, tone, noise, decay, bright = DRUMS[drum]
    n = min(int(5 * decay * RATE), len(out) - int(place))
    if n < 2:
        return
    time = np.arange(n) / RATE
    pitch = low + (high - low) * np.exp(-time / fall)
    stroke = tone * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)
    if noise:
        hiss = rng.standard_normal(n + 1)
        stroke = stroke + noise * (np.diff(hiss) if bright else hiss[1:])
    out[int(place) : int(place) + n] += rng.uniform(0.8, 1.0) * np.exp(-time / decay) * stroke


# drum -> (lowest and highest pitch in Hz, seconds of the fall, loudness of tone and noise, seconds of decay, bright?)
DRUMS = {
    "kick": (45, 160, 0.03, 1.5, 0.0, 0.12, False),
    "tom": (75, 140, 0.08, 1.4, 0.05, 0.25, False),
    "snare": (180, 240, 0.03, 0.4, 0.5, 0.08, False),
    "clap": (200, 200, 0.03, 0.0, 0.5, 0.05, False),
    "hat": (0, 0, 0.01, 0.0, 0.25, 0.025, True),
    "cymbal": (0, 0, 0.01, 0.0, 0.2, 0.4, True),
    "wood": (800, 900, 0.01, 0.7, 0.0, 0.03, False),
}
