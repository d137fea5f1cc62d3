"""The plain synthesizer: additive synthesis with a few sine waves for each note, and noise for drums."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq.display.audio.controllers import ChannelCurves, Curve
from pianoroll_seq2seq.score import Score


@dataclass(frozen=True)
class _Timbre:
    """The sound of a group of programs.

    Args:
        overtones: amplitudes of the multiples of a note's frequency.
        sustain: the share of its level to which a held note decays.
    """

    overtones: tuple[float, ...]
    sustain: float


_STRUCK = _Timbre((1.0, 0.4, 0.2, 0.1, 0.05, 0.02), 0.3)
_ORGAN = _Timbre((0.8, 0.6, 0.1, 0.3), 1.0)
_BASS = _Timbre((1.0, 0.6, 0.1), 0.4)
_BOWED = _Timbre((0.7, 0.45, 0.35, 0.25, 0.2, 0.15), 0.9)
_BRASS = _Timbre((0.6, 0.55, 0.5, 0.35, 0.25, 0.15), 0.8)
_PIPE = _Timbre((1.2, 0.15), 0.9)
_TIMBRES = (
    *(_STRUCK, _STRUCK, _ORGAN, _STRUCK, _BASS, _BOWED, _BOWED, _BRASS),
    *(_BRASS, _PIPE, _BRASS, _BOWED, _BOWED, _STRUCK, _STRUCK, _STRUCK),
)
"""The timbre of each family of eight General MIDI programs."""
_DRUMS = -1
_ATTACK = 0.006
"""Seconds until a note reaches its full level; a shorter attack would click."""
_DECAY = 1.5
"""Time constant of the decay while a note is held, in seconds."""
_RELEASE = 0.06
"""Time constant of the release, in seconds; after eight of them a note is silent."""
_DRUM = 0.04
"""Time constant of a drum's decay, in seconds."""
_CHUNK = 2**19
"""Frames of a note that are computed at once, so that a very long note does not fill the memory."""
_NOTHING = ChannelCurves(None, None, None)


def synthesize(
    score: Score,
    *,
    num_frames: int,
    sample_rate: int,
    curves: Mapping[int, ChannelCurves] = {},
    mono: bool = True,
) -> Float32[np.ndarray, "num_frames channels"]:
    """Renders a score. Programs sound in six ways: struck or plucked, organ, bass, bowed, brass and reed, or pipe.

    Args:
        score: the notes and the programs of their parts; equal temperament, A4 (MIDI pitch 69) at 440 Hz.
        num_frames: length of the sound; longer notes are cut off.
        sample_rate: frames per second.
        curves: volume, pan and pitch bend of the channels of the parts, where they change.
        mono: whether to leave out the pan. Sound without pan has one channel anyway.
    """
    panned = not mono and any(its.pan is not None for its in curves.values())
    sound = np.zeros((num_frames, 2 if panned else 1), dtype=np.float32)
    notes = score.notes
    starts, ends = (
        np.rint(score.tempo.seconds(ticks) * sample_rate).astype(np.int64)
        for ticks in (notes.onset_tick, notes.end_tick)
    )
    levels = np.square(notes.velocity / 127.0, dtype=np.float32)
    release = np.arange(1, round(8 * _RELEASE * sample_rate) + 1)
    release_curve = (np.exp(-release / (_RELEASE * sample_rate)) * (1 - release / len(release))).astype(np.float32)
    by_part = [_NOTHING if part.channel is None else curves.get(part.channel, _NOTHING) for part in score.parts]
    timbres = [_DRUMS if part.drums else _TIMBRES.index(_TIMBRES[part.program // 8]) for part in score.parts]
    timbre = np.array(timbres, dtype=np.int64)[notes.part]
    bent = np.array([its.bend is not None for its in by_part], dtype=bool)[notes.part] & (timbre != _DRUMS)

    def add(note: int, begin: int, wave: np.ndarray) -> None:
        """Adds a chunk of a held note, from frame ``begin`` of the note on."""
        chunk = _with_release(wave, int(ends[note] - starts[note]) - begin, release_curve) * levels[note]
        _add(sound, int(starts[note]) + begin, chunk, by_part[notes.part[note]])

    for pitch, kind in sorted(set(zip(notes.pitch.tolist(), timbre.tolist(), strict=True))):
        selected = np.flatnonzero((notes.pitch == pitch) & (timbre == kind) & ~bent)
        longest = int((ends - starts)[selected].max(initial=-len(release))) + len(release)
        for begin in range(0, longest, _CHUNK):
            count = min(_CHUNK, longest - begin)
            if kind == _DRUMS:
                wave = _drum(pitch, begin, count, sample_rate)
            else:
                wave = _tone(pitch, begin, count, sample_rate, _TIMBRES[kind])
            for note in selected.tolist():
                add(note, begin, wave)
    for note in np.flatnonzero(bent).tolist():
        bend, held = by_part[notes.part[note]].bend, int(ends[note] - starts[note])
        assert bend is not None
        for begin, wave in _bent_tone(
            *(int(notes.pitch[note]), int(starts[note]), held + len(release), sample_rate, bend),
            timbre=_TIMBRES[int(timbre[note])],
        ):
            add(note, begin, wave)
    return sound


def _with_release(wave: np.ndarray, length: int, release_curve: np.ndarray) -> np.ndarray:
    """A chunk of a note that is released after ``length`` frames; below 0, the release began before the chunk."""
    chunk = wave[: max(length + len(release_curve), 0)].copy()
    after = chunk[max(length, 0) :]
    after *= release_curve[max(-length, 0) :][: len(after)]
    return chunk


def _tone(pitch: int, begin: int, count: int, sample_rate: int, timbre: _Timbre) -> np.ndarray:
    """A held note of a pitch, at level 1."""
    time = np.arange(begin, begin + count) / sample_rate
    frequency = _hertz(pitch)
    wave = np.zeros(count, dtype=np.float32)
    for number, level in enumerate(timbre.overtones, start=1):
        if number * frequency < 0.45 * sample_rate:
            wave += level * np.sin(2 * np.pi * frequency * number * time)
    tone: np.ndarray = (wave * _envelope(time, timbre)).astype(np.float32)
    return tone


def _bent_tone(
    pitch: int, start: int, count: int, sample_rate: int, bend: Curve, *, timbre: _Timbre
) -> Iterator[tuple[int, Float32[np.ndarray, " frames"]]]:
    """Chunks of a held note whose frequency changes, each with the frame of the note at which it begins."""
    cycles = 0.0
    for begin in range(0, count, _CHUNK):
        size = min(_CHUNK, count - begin)
        frequency = np.broadcast_to(_hertz(pitch) * bend.over(start + begin, size), size)
        phase = cycles + np.append(0, np.cumsum(frequency / sample_rate))
        wave = np.zeros(size, dtype=np.float32)
        for number, level in enumerate(timbre.overtones, start=1):
            if number * frequency.max() < 0.45 * sample_rate:
                wave += level * np.sin(2 * np.pi * number * phase[:-1])
        cycles = phase[-1] % 1
        yield begin, (wave * _envelope(np.arange(begin, begin + size) / sample_rate, timbre)).astype(np.float32)


def _hertz(pitch: int) -> float:
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def _envelope(time: np.ndarray, timbre: _Timbre) -> np.ndarray:
    """The level of a held note, at seconds from its onset."""
    decay = timbre.sustain + (1 - timbre.sustain) * np.exp(-time / _DECAY)
    envelope: np.ndarray = np.minimum(time / _ATTACK, 1) * decay
    return envelope


def _drum(pitch: int, begin: int, count: int, sample_rate: int) -> np.ndarray:
    """A drum note: decaying noise, the same for each note of one drum."""
    time = np.arange(begin, begin + count) / sample_rate
    noise = np.random.default_rng((pitch, begin)).uniform(-1, 1, count)
    return (noise * np.minimum(time / (_ATTACK / 4), 1) * np.exp(-time / _DRUM)).astype(np.float32)


def _add(sound: np.ndarray, start: int, chunk: np.ndarray, its: ChannelCurves) -> None:
    """Adds a chunk of a note at a frame, with the gain of its channel, and its pan if the sound has two channels."""
    end = min(start + len(chunk), len(sound))
    if start >= end:
        return
    chunk = chunk[: end - start]
    if its.gain is not None:
        chunk = (chunk * its.gain.over(start, len(chunk))).astype(np.float32)
    if sound.shape[1] == 1:
        sound[start:end, 0] += chunk
        return
    angle = np.pi / 2 * (np.array([0.5]) if its.pan is None else its.pan.over(start, len(chunk)))
    for side, share in enumerate((np.cos(angle), np.sin(angle))):  # equal power; in the middle as loud as in mono
        sound[start:end, side] += (np.sqrt(2) * share * chunk).astype(np.float32)
