"""A plain synthesizer that needs nothing: a few sine waves a note, and noise for drums."""

import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq.score import Score

_OVERTONES = (1.0, 0.4, 0.2, 0.1, 0.05, 0.02)
"""Levels of the multiples of a note's frequency."""
_ATTACK = 0.006
"""Seconds until a note has its full level: softer than a click."""
_DECAY = 1.5
"""Time constant of its fading while the key is down, in seconds ..."""
_SUSTAIN = 0.3
"""... to this share of the level."""
_RELEASE = 0.06
"""Time constant of its fading when the key is up, in seconds; after eight of them it is silent."""
_DRUM = 0.04
"""Time constant of a drum's fading, in seconds."""


def synthesize(score: Score, *, frames: int, sample_rate: int) -> Float32[np.ndarray, "frames 1"]:
    """Plays a score; every program sounds the same.

    Args:
        score: the notes; equal temperament, A4 (MIDI pitch 69) at 440 Hz.
        frames: how long the sound shall be; what lasts longer is cut off.
        sample_rate: frames a second.
    """
    notes = score.notes
    starts, ends = (
        np.rint(score.tempo.seconds(ticks) * sample_rate).astype(np.int64)
        for ticks in (notes.onset_tick, notes.end_tick)
    )
    levels = (notes.velocity / 127.0) ** 2
    drums = np.array([part.drums for part in score.parts], dtype=bool)[notes.part]
    sound = np.zeros(frames, dtype=np.float32)
    release = np.arange(1, round(8 * _RELEASE * sample_rate) + 1)
    fading = np.exp(-release / (_RELEASE * sample_rate)) * (1 - release / len(release))
    for pitch in np.unique(notes.pitch):
        for drum in (False, True):
            chosen = np.flatnonzero((notes.pitch == pitch) & (drums == drum))
            if not len(chosen):
                continue
            longest = int((ends - starts)[chosen].max()) + len(release)
            wave = _drum(int(pitch), longest, sample_rate) if drum else _tone(int(pitch), longest, sample_rate)
            for index in chosen:
                held = int(ends[index] - starts[index])
                played = wave[: held + len(release)] * np.float32(levels[index])
                played[held:] *= fading
                _add(sound, int(starts[index]), played)
    return sound[:, None]


def _tone(pitch: int, count: int, sample_rate: int) -> np.ndarray:
    """A note of a pitch for as long as its key is down, at level 1."""
    time = np.arange(count) / sample_rate
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    wave = np.zeros(count, dtype=np.float32)
    for number, level in enumerate(_OVERTONES, start=1):
        if number * frequency < 0.45 * sample_rate:
            wave += level * np.sin(2 * np.pi * frequency * number * time)
    envelope = np.minimum(time / _ATTACK, 1) * (_SUSTAIN + (1 - _SUSTAIN) * np.exp(-time / _DECAY))
    return (wave * envelope).astype(np.float32)


def _drum(pitch: int, count: int, sample_rate: int) -> np.ndarray:
    """A stroke: noise that dies away, the same at every stroke of one drum."""
    time = np.arange(count) / sample_rate
    noise = np.random.default_rng(pitch).uniform(-1, 1, count)
    return (noise * np.minimum(time / (_ATTACK / 4), 1) * np.exp(-time / _DRUM)).astype(np.float32)


def _add(sound: np.ndarray, start: int, played: np.ndarray) -> None:
    end = min(start + len(played), len(sound))
    if start < end:
        sound[start:end] += played[: end - start]
