"""Primers from MIDI files, as notes that the page draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from pianoroll_seq2seq._internal.limits import Limits
from pianoroll_seq2seq.errors import MidiError, NoNotesError
from pianoroll_seq2seq.midi_io import read_midi
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.score import NoteTable
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.studio.generation_request import MAX_BEATS_PER_MINUTE, MIN_BEATS_PER_MINUTE
from pianoroll_seq2seq.studio.limits import StudioLimits

_MIN_DURATION_BEATS = 0.05


class NoteJson(TypedDict):
    """A note in the JSON of the page and of its requests."""

    pitch: int
    start_beat: float
    duration_beats: float


@dataclass(frozen=True)
class ImportedPrimer:
    """The beginning of a MIDI file.

    Attributes:
        notes: in order of their starts.
        beats_per_minute: the tempo at the beginning, clipped to what the page allows.
        num_dropped: how many notes were outside the model's pitches.
        truncated: whether the file is longer than the primer.
    """

    notes: Sequence[NoteJson]
    beats_per_minute: float
    num_dropped: int
    truncated: bool


def import_primer(data: bytes, pitches: PitchRange, *, beats: int, limits: StudioLimits) -> ImportedPrimer:
    """Reads the beginning of a MIDI file.

    Args:
        data: the file.
        pitches: the model's pitches.
        beats: how many beats to take, from the beat of the first note on.
        limits: bounds on the file.

    Raises:
        RequestError: not a MIDI file, a file that is too large, or one without notes in the model's pitches.
    """
    try:
        score = read_midi(data, limits=Limits(max_file_bytes=limits.request.max_midi_bytes)).without_drums()
    except NoNotesError as error:
        raise RequestError(422, "midi", "the file has no notes to continue.") from error
    except MidiError as error:
        raise RequestError(400, "midi", f"not a readable MIDI file ({error}).") from error
    notes, ticks_per_beat = score.notes, score.ticks_per_beat
    if not len(notes):
        raise RequestError(422, "midi", "the file has no notes to continue (drums do not count).")
    first_tick = int(notes.onset_tick.min()) // ticks_per_beat * ticks_per_beat
    end_tick = first_tick + beats * ticks_per_beat
    beginning = notes.where(notes.onset_tick < end_tick)
    kept = beginning.where(pitches.contains(beginning.pitch))
    if not len(kept):
        lowest, highest = pitches.name_of(0), pitches.name_of(len(pitches) - 1)
        raise RequestError(422, "midi", f"none of its first notes is in the model's range, {lowest} to {highest}.")
    beats_per_minute = 60e6 / score.tempo.us_per_beat_at(first_tick)
    return ImportedPrimer(
        notes=_notes_json(kept, first_tick, end_tick, ticks_per_beat),
        beats_per_minute=round(min(max(beats_per_minute, MIN_BEATS_PER_MINUTE), MAX_BEATS_PER_MINUTE), 2),
        num_dropped=len(beginning) - len(kept),
        truncated=len(beginning) < len(notes) or bool((kept.end_tick > end_tick).any()),
    )


def _notes_json(notes: NoteTable, first_tick: int, end_tick: int, ticks_per_beat: int) -> list[NoteJson]:
    """Notes in beats from a tick on, cut at another; notes without a duration get a short one."""
    order = np.lexsort((notes.pitch, notes.onset_tick))
    starts = (notes.onset_tick[order] - first_tick) / ticks_per_beat
    ends = (np.minimum(notes.end_tick[order], end_tick) - first_tick) / ticks_per_beat
    return [
        NoteJson(
            pitch=pitch,
            start_beat=round(start, 4),
            duration_beats=max(round(end - start, 4), _MIN_DURATION_BEATS),
        )
        for pitch, start, end in zip(notes.pitch[order].tolist(), starts.tolist(), ends.tolist(), strict=True)
    ]
