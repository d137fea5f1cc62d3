"""The plain synthesizer: additive synthesis with a few sine waves for each note, and noise for drums."""

import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq.score import Score

_OVERTONES = (1.0, 0.4, 0.2, 0.1, 0.05, 0.02)
"""Amplitudes of the multiples of a note's frequency."""
_ATTACK = 0.006
"""Seconds until a note reaches its full level; a shorter attack would click."""
_DECAY = 1.5
"""Time constant of the decay while a note is held, in seconds ..."""
_SUSTAIN = 0.3
"""... to this share of the level."""
_RELEASE = 0.06
"""Time constant of the release, in seconds; after eight of them a note is silent."""
_DRUM = 0.04
"""Time constant of a drum's decay, in seconds."""
_CHUNK = 2**19
"""Frames of a note that are computed at once, so that a very long note does not fill the memory."""


def synthesize(score: Score, *, num_frames: int, sample_rate: int) -> Float32[np.ndarray, "num_frames 1"]:
    """Renders a score; every program sounds the same.

    Args:
        score: the notes; equal temperament, A4 (MIDI pitch 69) at 440 Hz.
        num_frames: length of the sound; longer notes are cut off.
        sample_rate: frames per second.
    """
    notes = score.notes
    starts, ends = (
        np.rint(score.tempo.seconds(ticks) * sample_rate).astype(np.int64)
        for ticks in (notes.onset_tick, notes.end_tick)
    )
    levels = np.square(notes.velocity / 127.0, dtype=np.float32)
    drums = np.array([part.drums for part in score.parts], dtype=bool)[notes.part]
    sound = np.zeros(num_frames, dtype=np.float32)
    release = np.arange(1, round(8 * _RELEASE * sample_rate) + 1)
    release_curve = (np.exp(-release / (_RELEASE * sample_rate)) * (1 - release / len(release))).astype(np.float32)
    for pitch in np.unique(notes.pitch):
        for drum in (False, True):
            selected = np.flatnonzero((notes.pitch == pitch) & (drums == drum))
            held = ends[selected] - starts[selected]
            for begin in range(0, int(held.max(initial=-len(release))) + len(release), _CHUNK):
                count = min(_CHUNK, int(held.max()) + len(release) - begin)
                wave = (_drum if drum else _tone)(int(pitch), begin, count, sample_rate)
                for index, length in zip(selected, held - begin, strict=True):
                    _add(
                        sound,
                        int(starts[index]) + begin,
                        _with_release(wave, int(length), release_curve) * levels[index],
                    )
    return sound[:, None]


def _with_release(wave: np.ndarray, length: int, release_curve: np.ndarray) -> np.ndarray:
    """A chunk of a note that is released after ``length`` frames; below 0, the release began before the chunk."""
    chunk = wave[: max(length + len(release_curve), 0)].copy()
    after = chunk[max(length, 0) :]
    after *= release_curve[max(-length, 0) :][: len(after)]
    return chunk


def _tone(pitch: int, begin: int, count: int, sample_rate: int) -> np.ndarray:
    """A held note of a pitch, at level 1."""
    time = np.arange(begin, begin + count) / sample_rate
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    wave = np.zeros(count, dtype=np.float32)
    for number, level in enumerate(_OVERTONES, start=1):
        if number * frequency < 0.45 * sample_rate:
            wave += level * np.sin(2 * np.pi * frequency * number * time)
    envelope = np.minimum(time / _ATTACK, 1) * (_SUSTAIN + (1 - _SUSTAIN) * np.exp(-time / _DECAY))
    return (wave * envelope).astype(np.float32)


def _drum(pitch: int, begin: int, count: int, sample_rate: int) -> np.ndarray:
    """A drum note: decaying noise, the same for each note of one drum."""
    time = np.arange(begin, begin + count) / sample_rate
    noise = np.random.default_rng((pitch, begin)).uniform(-1, 1, count)
    return (noise * np.minimum(time / (_ATTACK / 4), 1) * np.exp(-time / _DRUM)).astype(np.float32)


def _add(sound: np.ndarray, start: int, chunk: np.ndarray) -> None:
    end = min(start + len(chunk), len(sound))
    if start < end:
        sound[start:end] += chunk[: end - start]
