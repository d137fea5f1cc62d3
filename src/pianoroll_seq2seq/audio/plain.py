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
_AT_ONCE = 2**19
"""Frames of a note made at once, so that a very long one does not fill memory."""


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
    levels = np.square(notes.velocity / 127.0, dtype=np.float32)
    drums = np.array([part.drums for part in score.parts], dtype=bool)[notes.part]
    sound = np.zeros(frames, dtype=np.float32)
    release = np.arange(1, round(8 * _RELEASE * sample_rate) + 1)
    fading = (np.exp(-release / (_RELEASE * sample_rate)) * (1 - release / len(release))).astype(np.float32)
    for pitch in np.unique(notes.pitch):
        for drum in (False, True):
            chosen = np.flatnonzero((notes.pitch == pitch) & (drums == drum))
            held = ends[chosen] - starts[chosen]
            for begin in range(0, int(held.max(initial=-len(release))) + len(release), _AT_ONCE):
                count = min(_AT_ONCE, int(held.max()) + len(release) - begin)
                wave = (_drum if drum else _tone)(int(pitch), begin, count, sample_rate)
                for index, length in zip(chosen, held - begin, strict=True):
                    _add(sound, int(starts[index]) + begin, _faded(wave, int(length), fading) * levels[index])
    return sound[:, None]


def _faded(wave: np.ndarray, length: int, fading: np.ndarray) -> np.ndarray:
    """A stretch of a note whose key goes up after so many frames of it, or went up so many before it (below 0)."""
    played = wave[: max(length + len(fading), 0)].copy()
    after = played[max(length, 0) :]
    after *= fading[max(-length, 0) :][: len(after)]
    return played


def _tone(pitch: int, begin: int, count: int, sample_rate: int) -> np.ndarray:
    """A note of a pitch for as long as its key is down, at level 1."""
    time = np.arange(begin, begin + count) / sample_rate
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    wave = np.zeros(count, dtype=np.float32)
    for number, level in enumerate(_OVERTONES, start=1):
        if number * frequency < 0.45 * sample_rate:
            wave += level * np.sin(2 * np.pi * frequency * number * time)
    envelope = np.minimum(time / _ATTACK, 1) * (_SUSTAIN + (1 - _SUSTAIN) * np.exp(-time / _DECAY))
    return (wave * envelope).astype(np.float32)


def _drum(pitch: int, begin: int, count: int, sample_rate: int) -> np.ndarray:
    """A stroke: noise that dies away, the same at every stroke of one drum."""
    time = np.arange(begin, begin + count) / sample_rate
    noise = np.random.default_rng((pitch, begin)).uniform(-1, 1, count)
    return (noise * np.minimum(time / (_ATTACK / 4), 1) * np.exp(-time / _DRUM)).astype(np.float32)


def _add(sound: np.ndarray, start: int, played: np.ndarray) -> None:
    end = min(start + len(played), len(sound))
    if start < end:
        sound[start:end] += played[: end - start]
