"""A primer's notes as a piano roll in the model's layout."""

import math
from collections.abc import Sequence

from pianoroll_seq2seq._internal.limits import Limits
from pianoroll_seq2seq.errors import LimitError
from pianoroll_seq2seq.grid import BeatGrid, FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pianoroll.conversions import DEFAULT_VELOCITY
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.serving.limits import RequestLimits
from pianoroll_seq2seq.serving.requests import PrimerNote
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap

_MIN_TICKS_PER_BEAT = 480
_FINE_TICKS_PER_BEAT = 10_000  # 50 microseconds at 120 beats per minute, so a frame of 20 ms is 400 ticks


def ticks_per_beat_for(grid: FrameGrid) -> int:
    """A resolution in which the grid's lines fall on whole ticks, or very close to them."""
    if isinstance(grid, BeatGrid):
        return grid.frames_per_beat * max(_MIN_TICKS_PER_BEAT // grid.frames_per_beat, 1)
    return _FINE_TICKS_PER_BEAT


def roll_from_notes(
    notes: Sequence[PrimerNote],
    layout: FrameLayout,
    tempo: TempoMap,
    *,
    ticks_per_unit: int,
    limits: RequestLimits,
    name: str = "primer_notes",
) -> PianoRoll:
    """Rasterizes the notes of a request.

    Args:
        notes: at least one note.
        layout: the model's layout.
        tempo: the tempo of the roll.
        ticks_per_unit: ticks in a unit of the notes' times.
        limits: bounds on the primer.
        name: the field of the notes.

    Raises:
        RequestError: a note outside the model's pitches or of an unknown part, or a primer of too many frames.
    """
    names = [part.name for part in layout.parts]
    rows = []
    for index, note in enumerate(notes):
        field = f"{name}[{index}]"
        part = _part_index(note.part, names, field)
        pitches = layout.parts[part].pitches
        if not pitches.lowest <= note.pitch <= pitches.highest:
            problem = f"must be in the model's range {pitches.lowest}..{pitches.highest}, got {note.pitch}."
            raise RequestError(422, f"{field}.pitch", problem)
        if (note.start + note.duration) * ticks_per_unit > MAX_TICK:
            raise primer_too_long(name, layout.grid, limits)
        onset_tick, end_tick = (
            math.floor(time * ticks_per_unit + 0.5) for time in (note.start, note.start + note.duration)
        )
        rows.append((onset_tick, end_tick, note.pitch, note.velocity or DEFAULT_VELOCITY, part))
    table = NoteTable(*map(list, zip(*rows, strict=True)))
    try:
        return PianoRoll.from_score(
            Score(table, tempo, layout.parts),
            grid=layout.grid,
            parts=layout.parts,
            velocity=any(note.velocity is not None for note in notes) or layout.has_velocity,
            limits=roll_limits(layout, limits),
        )
    except LimitError as error:
        raise primer_too_long(name, layout.grid, limits) from error


def _part_index(name: str | None, names: Sequence[str], field: str) -> int:
    """The index of a note's part; the only part needs no name."""
    if name in names:
        return names.index(name)
    if len(names) == 1 and name is None:
        return 0
    problem = f"must be one of {', '.join(names)}, got {name!r:.80}." if len(names) > 1 else "this model has one part."
    raise RequestError(422, f"{field}.part", problem)


def roll_limits(layout: FrameLayout, limits: RequestLimits) -> Limits:
    """The bounds of a request as bounds on reading one file."""
    max_frames = limits.max_primer_frames
    return Limits(max_file_bytes=limits.max_midi_bytes, max_frames=max_frames, max_cells=max_frames * layout.plane_size)


def check_frame_pairs(primer: PianoRoll, num_frames: int, limits: RequestLimits) -> None:
    """Refuses many frames to generate after a long primer.

    Raises:
        RequestError: names both numbers.
    """
    if len(primer) * num_frames > limits.max_frame_pairs:
        problem = (
            f"{num_frames} frames after a primer of {len(primer)}; the limit for their product is "
            f"{limits.max_frame_pairs}. Send only the last part of the music, or ask for at most "
            f"{limits.max_frame_pairs // len(primer)} frames after this primer."
        )
        raise RequestError(413, "num_frames", problem)


def primer_too_long(field: str, grid: FrameGrid, limits: RequestLimits) -> RequestError:
    """The error of a primer of too many frames."""
    problem = f"over {limits.max_primer_frames} frames of {grid}. Send only the last part of the music."
    return RequestError(413, field, problem)
