"""Clips of sound made on the spot, the same ones every time: (samples, samples a second) by name.

They are what `musicnn_reference.npz` was computed from: whoever changes one makes that file anew.
"""

import numpy as np
from scipy.signal import lfilter

RATE = 16_000


def seconds(duration: float, rate: int = RATE) -> np.ndarray:
    return np.arange(int(duration * rate)) / rate


def noise(duration: float, seed: int, rate: int = RATE) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(int(duration * rate))


def chord(pitches, duration: float = 3, rate: int = RATE) -> np.ndarray:
    t = seconds(duration, rate)
    return sum(np.sin(2 * np.pi * pitch * t) for pitch in pitches) / len(pitches)


def pluck(pitch: float, duration: float, seed: int, rate: int = RATE) -> np.ndarray:
    """A plucked string: noise that runs around a loop and loses its high parts. Karplus & Strong 1983."""
    length = round(rate / pitch)
    burst = np.zeros(int(duration * rate))
    burst[:length] = np.random.default_rng(seed).uniform(-1, 1, length)
    loop = np.zeros(length + 2)
    loop[0], loop[-2:] = 1, -0.498
    return lfilter([1], loop, burst)


def melody(duration: float = 3, rate: int = RATE) -> np.ndarray:
    """Plucked strings one after the other, four a second."""
    out = np.zeros(int(duration * rate))
    for number, start in enumerate(np.arange(0, duration, 0.25)):
        note = pluck((196, 247, 294, 392, 330, 247)[number % 6], min(1.5, duration - start), number, rate)
        first = int(start * rate)
        out[first : first + len(note)] += note[: len(out) - first]
    return out / np.abs(out).max() * 0.7


def drums(duration: float = 3) -> np.ndarray:
    """Two beats a second: bass drum on the beat, snare between, hi-hat on every half."""
    out = np.zeros(int(duration * RATE))
    t = seconds(0.25)
    kick = np.sin(2 * np.pi * (50 * t + 4 * (1 - np.exp(-30 * t)))) * np.exp(-12 * t)
    snare = noise(0.25, 1) * np.exp(-25 * t) * 0.4
    hat = np.diff(noise(0.25, 2), prepend=0) * np.exp(-80 * t) * 0.2
    for number in range(int(duration * 4)):
        first = number * RATE // 4
        for sound, every, offset in ((kick, 2, 0), (snare, 4, 2), (hat, 1, 0)):
            if number % every == offset:
                out[first : first + len(t)] += sound
    return out / np.abs(out).max() * 0.9


def speech() -> np.ndarray:
    """A buzz at the pitch of a voice through three resonances that change with each vowel."""
    out = []
    for number, formants in enumerate(((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))):
        t = seconds(0.75)
        buzz = np.diff(np.floor(np.cumsum(110 + 15 * np.sin(2 * np.pi * 3 * t + number)) / RATE), prepend=0)
        for formant in formants:
            radius, angle = np.exp(-np.pi * 80 / RATE), 2 * np.pi * formant / RATE
            buzz = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], buzz)
        out.append(buzz / np.abs(buzz).max() * np.sin(np.pi * t / 0.75))
    return np.concatenate(out) * 0.6


def clips() -> dict[str, tuple[np.ndarray, int]]:
    t = seconds(3)
    clicks, one_click = np.zeros(len(t)), np.zeros(len(t))
    clicks[:: RATE // 3], one_click[RATE] = 0.9, 0.9
    flute = np.sin(2 * np.pi * 660 * t + 2 * np.sin(2 * np.pi * 5 * t)) * 0.4 + noise(3, 3) * 0.01
    strings = sum(np.sin(2 * np.pi * 220 * k * t + np.sin(2 * np.pi * 5.5 * t)) / k for k in range(1, 12)) * 0.25
    found = {
        "sine chord": (chord((262, 330, 392)) * 0.5, RATE),
        "plucked strings": (melody(), RATE),
        "drums": (drums(), RATE),
        "sweep": (np.sin(2 * np.pi * (50 * t + 1200 * t**2)) * 0.8, RATE),
        "clicks": (clicks, RATE),
        "speech-like": (speech(), RATE),
        "quiet noise": (noise(3, 4) * 1e-3, RATE),
        "loud noise": (np.clip(noise(3, 5) * 0.5, -1, 1), RATE),
        "click in silence": (one_click, RATE),
        "flute-like": (flute, RATE),
        "bowed strings": (strings, RATE),
        "8 kHz": (melody(rate=8_000), 8_000),
        "44.1 kHz": (chord((440, 554, 659), rate=44_100) * 0.3, 44_100),
        "stereo": (np.stack([chord((196, 247, 294)) * 0.4, drums()]), RATE),
        "one second": (pluck(220, 1, 6) * 0.8, RATE),
        "seven seconds": (np.concatenate([melody(4), drums(3)]), RATE),
    }
    return {name: (samples.astype(np.float32), rate) for name, (samples, rate) in found.items()}
