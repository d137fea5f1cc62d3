"""Primers: notes in beats, as the page draws them, from a MIDI file and to a roll that a model can hear."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from pianoroll_seq2seq.errors import MidiError, NoNotesError
from pianoroll_seq2seq.grid import BeatGrid, FrameGrid
from pianoroll_seq2seq.limits import Limits
from pianoroll_seq2seq.midi_io import read_midi
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.score import NoteTable, Score
from pianoroll_seq2seq.serving.requests import Note, RequestError
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap
from pianoroll_seq2seq.trained import TrainedModel

LEAST_BPM, MOST_BPM = 20, 400
"""The tempi that the page knows, in beats a minute."""
_FINE_TICKS = 10_000  # in a beat: on a grid in seconds, whose lines fall on no beat
_LOUDNESS = 100


class NoteOfPage(TypedDict):
    """A note as the page and its requests have it."""

    pitch: int
    start_beat: float
    duration_beats: float


@dataclass(frozen=True)
class DrawnPrimer:
    """What the page draws of a MIDI file.

    Attributes:
        notes: by their starts.
        beats_per_minute: the tempo at its beginning, within what the page knows.
        left_out: how many notes lie outside the model's pitches.
        cut: whether the file goes on after what was taken.
    """

    notes: Sequence[NoteOfPage]
    beats_per_minute: float
    left_out: int
    cut: bool


def tempo_of(grid: FrameGrid, beats_per_minute: float) -> TempoMap:
    """A steady tempo, in ticks that the lines of a grid fall on."""
    ticks = grid.frames_per_beat * max(480 // grid.frames_per_beat, 1) if isinstance(grid, BeatGrid) else _FINE_TICKS
    return TempoMap.from_bpm(beats_per_minute, ticks_per_beat=ticks)


def drawn_primer(data: bytes, pitches: PitchRange, *, beats: int, limits: StudioLimits) -> DrawnPrimer:
    """The beginning of a MIDI file, as notes in beats.

    Args:
        data: the file.
        pitches: of the model that shall hear it.
        beats: how much of it to take, from its first note on.
        limits: how large it may be.

    Raises:
        RequestError: no MIDI file, one that is too large, or one without notes that the model knows.
    """
    try:
        score = read_midi(data, limits=Limits(file_bytes=limits.request.midi_bytes)).without_drums()
    except NoNotesError as error:
        raise RequestError(422, "midi", "the file has no notes to go on from.") from error
    except MidiError as error:
        raise RequestError(400, "midi", f"not a MIDI file that can be read ({error}).") from error
    notes = score.notes
    if not len(notes):
        raise RequestError(422, "midi", "the file has no notes to go on from (drums do not count).")
    a_beat = score.ticks_per_beat
    first = int(notes.onset_tick.min()) // a_beat * a_beat
    end = first + beats * a_beat
    taken = notes.where(notes.onset_tick < end)
    known = taken.where(pitches.contains(taken.pitch))
    if not len(known):
        lowest, highest = pitches.name_of(0), pitches.name_of(len(pitches) - 1)
        raise RequestError(422, "midi", f"none of its first notes lies in the model's pitches, {lowest} to {highest}.")
    return DrawnPrimer(
        notes=_in_beats(known, first, end, a_beat),
        beats_per_minute=round(min(max(60e6 / score.tempo.us_per_beat_at(first), LEAST_BPM), MOST_BPM), 2),
        left_out=len(taken) - len(known),
        cut=len(taken) < len(notes) or bool((known.end_tick > end).any()),
    )


def _in_beats(notes: NoteTable, first: int, end: int, ticks_per_beat: int) -> list[NoteOfPage]:
    """Notes counted from a tick and ended at another at the latest; one of no length is given a little."""
    order = np.lexsort((notes.pitch, notes.onset_tick))
    starts = (notes.onset_tick[order] - first) / ticks_per_beat
    ends = (np.minimum(notes.end_tick[order], end) - first) / ticks_per_beat
    return [
        NoteOfPage(pitch=int(pitch), start_beat=round(start, 4), duration_beats=max(round(stop - start, 4), 0.05))
        for pitch, start, stop in zip(notes.pitch[order].tolist(), starts.tolist(), ends.tolist(), strict=True)
    ]


def roll_of(notes: Sequence[Note], trained: TrainedModel, tempo: TempoMap, limits: StudioLimits) -> PianoRoll:
    """The roll that a model hears of notes in beats.

    Raises:
        RequestError: a note outside the model's pitches.
        LimitError: too long a primer.
    """
    pitches, ticks, frames = trained.pitches, tempo.ticks_per_beat, limits.request.primer_frames
    for index, note in enumerate(notes):
        if not pitches.lowest <= note.pitch <= pitches.highest:
            problem = f"must lie in the model's {pitches.lowest}..{pitches.highest}, got {note.pitch}."
            raise RequestError(422, f"primer_notes[{index}].pitch", problem)
        if (note.start + note.duration) * ticks > MAX_TICK:
            raise RequestError(413, f"primer_notes[{index}]", "lies too far behind the beginning.")
    onsets = [math.floor(note.start * ticks + 0.5) for note in notes]
    ends = [math.floor((note.start + note.duration) * ticks + 0.5) for note in notes]
    table = NoteTable(onsets, ends, [note.pitch for note in notes], [_LOUDNESS] * len(notes), [0] * len(notes))
    most = Limits(frames=frames, cells=frames * len(pitches))
    return PianoRoll.from_score(Score(table, tempo), grid=trained.grid, pitches=pitches, limits=most)
