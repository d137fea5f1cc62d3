"""Facts about a MIDI file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
from pianoroll_seq2seq.cli.grid_fits import Onsets, Rhythm, rhythm_of
from pianoroll_seq2seq.errors import LimitError, MidiError
from pianoroll_seq2seq.midi_io import MidiNotes, read_notes
from pianoroll_seq2seq.midi_io.channels import drums_by_message
from pianoroll_seq2seq.midi_io.container import open_container
from pianoroll_seq2seq.midi_io.message_list import last_tick
from pianoroll_seq2seq.midi_io.source import NamedBytes
from pianoroll_seq2seq.musicxml import midi_bytes_of
from pianoroll_seq2seq.parts import DRUM_CHANNEL
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import MAX_TICK

_MANY_TEMPI = 50
_FAST_BPM, _SLOW_BPM = 400.0, 15.0
_LONG_SILENCE_SECONDS = 10.0
_STRAY_SECONDS = 60.0


@dataclass(frozen=True)
class PartFacts:
    """The notes of a track on one channel with one program."""

    track: int | None
    """Index of the track in the file, from 0."""
    channel: int | None
    """0..15; 9 is the drums, unless the file says otherwise."""
    program: int
    """General MIDI program, 0..127."""
    name: str
    drums: bool
    notes: int
    lowest: int | None
    """The lowest MIDI pitch; None without notes."""
    highest: int | None


@dataclass(frozen=True)
class FileFacts:
    """The contents of a file."""

    path: str
    seconds: float
    """The end of the music: of its last note, or of the silence after it that our own files mark."""
    beats: float
    ticks_per_beat: int
    notes: int
    """Number of notes, with drums."""
    tempi: tuple[tuple[float, float], ...]
    """The start of each tempo in seconds, and its beats per minute."""
    rhythm: Rhythm
    parts: tuple[PartFacts, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Inspected:
    """The facts of a file, with the arrays that a summary of many files needs."""

    facts: FileFacts
    pitches: Int64[np.ndarray, "128"]
    """Number of notes of each MIDI pitch, without drums."""
    onsets: Onsets


def inspect_file(path: Path, label: str, *, with_ends: bool = False) -> Inspected:
    """Reads a file. A damaged one is read up to the damage, which is one of its problems.

    Args:
        path: the file.
        label: the name to report it under.
        with_ends: whether to compare the ends of the tracks with that of the music, which takes longer than reading.

    Raises:
        MidiError: nothing in the file can be read.
    """
    problems: list[str] = []
    data, name = midi_bytes_of(path, DEFAULT_LIMITS)  # once: a pipe cannot be read again
    try:
        found = read_notes(NamedBytes(data, name))
        score = found.score()
    except LimitError:
        raise
    except MidiError as error:
        try:
            found = read_notes(NamedBytes(data, name), on_damage="salvage")
            score = found.score()
        except MidiError:
            raise error from None
        problems.append(f"damaged: {error}")
    tones = score.without_drums().notes
    tempi = tuple(
        (round(float(seconds), 3), round(60e6 / us_per_beat, 3))
        for seconds, (_, us_per_beat) in zip(
            score.tempo.seconds(np.array([tick for tick, _ in score.tempo.changes])), score.tempo.changes, strict=True
        )
    )
    onsets = Onsets.of(tones.onset_tick, score.tempo, with_drums=score.notes.onset_tick)
    facts = FileFacts(
        path=label,
        seconds=round(score.end_seconds, 3),
        beats=round(score.num_ticks / score.ticks_per_beat, 3),
        ticks_per_beat=score.ticks_per_beat,
        notes=len(score.notes),
        tempi=tempi,
        rhythm=rhythm_of(onsets),
        parts=_parts(score),
        problems=(
            *problems,
            *_drums(data, score),
            *_problems(score, tempi),
            *(_late_ends(data, found, score) if with_ends else ()),
        ),
    )
    return Inspected(facts, np.bincount(tones.pitch, minlength=128), onsets)


def _parts(score: Score) -> tuple[PartFacts, ...]:
    found = []
    for part, notes in zip(score.parts, score.notes.by_part(len(score.parts)), strict=True):
        pitch = notes.pitch
        lowest, highest = (int(pitch.min()), int(pitch.max())) if len(pitch) else (None, None)
        found.append(
            PartFacts(part.track, part.channel, part.program, part.name, part.drums, len(pitch), lowest, highest)
        )
    return tuple(found)


def _drums(data: bytes, score: Score) -> list[str]:
    """The channels that messages of the file make drums, and a channel 10 that they make none."""
    if all(part.drums == (part.channel == DRUM_CHANNEL) for part in score.parts):
        return []
    causes = drums_by_message(data, open_container(data, score.name, salvage=True).spans)
    return [
        f"{'no drums' if channel == DRUM_CHANNEL else 'drums'} on channel {channel + 1} ({channel} counted from 0), "
        f"by {cause}"
        for channel, cause in causes.items()
    ]


def _late_ends(data: bytes, found: MidiNotes, score: Score) -> list[str]:
    tick = found.last_tick
    if tick is None:
        tick = last_tick(data, open_container(data, found.label, salvage=True).spans)
    tick = min(tick, MAX_TICK)
    seconds = float(score.tempo.seconds(np.array([tick]))[0]) - score.end_seconds
    if seconds <= _LONG_SILENCE_SECONDS:
        return []
    return [f"{seconds:.0f} s of silence after the music, up to the end of the last track, which is left out"]


def _problems(score: Score, tempi: Sequence[tuple[float, float]]) -> list[str]:
    """What may surprise in training."""
    notes, tones = score.notes, score.without_drums().notes
    if not len(notes):
        return ["no notes"]
    if not len(tones):
        return ["nothing but drums, which are left out without --drums"]
    found = []
    fast, slow = max(bpm for _, bpm in tempi), min(bpm for _, bpm in tempi)
    if fast > _FAST_BPM or slow < _SLOW_BPM:
        found.append(f"a tempo of {fast if fast > _FAST_BPM else slow:g} BPM")
    if len(tempi) > _MANY_TEMPI:
        found.append(f"{len(tempi)} tempi, which a grid in beats ignores; a grid in seconds follows them")
    starts, ends = (np.sort(score.tempo.seconds(ticks)) for ticks in (tones.onset_tick, tones.end_tick))
    if starts[0] > _LONG_SILENCE_SECONDS:
        found.append(f"{starts[0]:.0f} s of silence before the first note")
    most = ends[int(0.99 * (len(ends) - 1))]
    if ends[-1] - most > _STRAY_SECONDS:
        found.append(f"stray notes: the last ends at {ends[-1]:.0f} s, but 99 % end by {most:.0f} s")
    nothing = int((tones.end_tick <= tones.onset_tick).sum())
    if nothing:
        found.append(f"{nothing} notes without length")
    return found
