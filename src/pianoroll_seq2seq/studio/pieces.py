"""The piece of the page, which owns it: parsed from JSON and checked, and written as JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pianoroll_seq2seq._internal.names import as_text, printable
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll.conversions import DEFAULT_VELOCITY
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.serving.fields import integer_field, number_field, object_field, shown
from pianoroll_seq2seq.signatures import TimeSignature
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.tempo import TempoMap

MIN_BEATS_PER_MINUTE, MAX_BEATS_PER_MINUTE = 20, 400
MIN_BEATS_PER_BAR, MAX_BEATS_PER_BAR = 1, 32
MAX_PARTS = 32
MAX_NAME = 80
_NOTE_FIELDS = ("part", "pitch", "start", "length")


@dataclass(frozen=True)
class PieceNote:
    """A note: its part by index, its MIDI pitch, its start and length in beats, and its velocity, 1..127."""

    part: int
    pitch: int
    start: float
    length: float
    velocity: int = DEFAULT_VELOCITY

    @property
    def end(self) -> float:
        """The beat at which it ends."""
        return self.start + self.length


@dataclass(frozen=True)
class Piece:
    """A piece, in beats (quarter notes).

    Attributes:
        beats_per_minute: the tempo.
        beats_per_bar: the length of every bar.
        beats: the length of the piece. It may end with rests.
        parts: its parts.
        notes: its notes, in any order.
    """

    beats_per_minute: float
    beats_per_bar: float
    beats: float
    parts: tuple[Part, ...]
    notes: tuple[PieceNote, ...]

    @property
    def end(self) -> float:
        """The beat at which the last note ends; 0 without notes."""
        return max((note.end for note in self.notes), default=0.0)

    @property
    def num_bars(self) -> int:
        """How many bars it has, the last one maybe in part."""
        return max(math.ceil(max(self.beats, self.end) / self.beats_per_bar), 1)

    def bar_of(self, beat: float) -> int:
        """The number of the bar at a beat, from 1."""
        return math.floor(beat / self.beats_per_bar) + 1

    def tempo(self, ticks_per_beat: int) -> TempoMap:
        """The tempo, in a resolution."""
        return TempoMap.from_bpm(self.beats_per_minute, ticks_per_beat=ticks_per_beat)

    def meter(self) -> Meter:
        """The time signature: quarter notes in a bar, or eighths if a bar is no whole number of quarters."""
        whole = float(self.beats_per_bar).is_integer()
        numerator = int(self.beats_per_bar) if whole else int(self.beats_per_bar * 2)
        return Meter([TimeSignature(0, numerator, 4 if whole else 8)])

    def score(self, ticks_per_beat: int = 480, name: str = "") -> Score:
        """The piece as a score, as long as the piece or its last note."""
        end_tick = round(max(self.beats, self.end) * ticks_per_beat)
        table = note_table(self.notes, ticks_per_beat)
        return Score(table, self.tempo(ticks_per_beat), self.parts, name, end_tick, self.meter())

    def to_json(self) -> dict[str, Any]:
        """The piece as the page reads it."""
        return {
            "beats_per_minute": self.beats_per_minute,
            "beats_per_bar": self.beats_per_bar,
            "beats": self.beats,
            "parts": [{"name": part.name, "program": part.program, "is_drums": part.drums} for part in self.parts],
            "notes": [note_json(note) for note in self.notes],
        }


def part_name(name: str) -> str:
    """The name of a part, as every file can hold it."""
    return as_text(printable(name))[:MAX_NAME]


def note_json(note: PieceNote) -> dict[str, Any]:
    """A note as the page reads it. The shortest one lasts a ten-thousandth of a beat."""
    return {
        "part": note.part,
        "pitch": note.pitch,
        "start": round(note.start, 4),
        "length": max(round(note.length, 4), 1e-4),
        "velocity": note.velocity,
    }


def note_table(notes: Sequence[PieceNote], ticks_per_beat: int, parts: Sequence[int] | None = None) -> NoteTable:
    """Notes in ticks.

    Args:
        notes: the notes.
        ticks_per_beat: the resolution.
        parts: the part of each note in the table; by default its own.
    """
    onsets, ends = note_ticks(notes, ticks_per_beat)
    return NoteTable(
        onsets,
        ends,
        np.array([note.pitch for note in notes], dtype=np.int64),
        np.array([note.velocity for note in notes], dtype=np.int64),
        np.array([note.part for note in notes] if parts is None else parts, dtype=np.int64),
    )


def note_ticks(notes: Sequence[PieceNote], ticks_per_beat: int) -> tuple[np.ndarray, np.ndarray]:
    """The ticks at which notes begin and end, halves up; a note lasts at least a tick."""
    onsets, ends = (
        np.floor(np.array(beats) * ticks_per_beat + 0.5).astype(np.int64)
        for beats in ([note.start for note in notes], [note.end for note in notes])
    )
    return onsets, np.maximum(ends, onsets + 1)


def parse_piece(value: object, limits: StudioLimits) -> Piece:
    """Checks a piece, field by field.

    Args:
        value: the parsed JSON: an object with ``beats_per_minute``, ``beats_per_bar``, ``beats``, ``parts`` (each with
            ``name``, ``program`` and ``is_drums``) and ``notes`` (each with ``part``, ``pitch``, ``start``, ``length``
            and maybe ``velocity``).
        limits: bounds on the piece.

    Raises:
        RequestError: unknown, missing or invalid fields.
    """
    names = ("beats_per_minute", "beats_per_bar", "beats", "parts", "notes")
    fields = object_field(value, "piece", names, required=names)
    beats_per_minute = number_field(
        fields["beats_per_minute"],
        "piece.beats_per_minute",
        lowest=MIN_BEATS_PER_MINUTE,
        highest=MAX_BEATS_PER_MINUTE,
    )
    most_beats = limits.most_beats(beats_per_minute)
    beats_per_bar = number_field(
        fields["beats_per_bar"], "piece.beats_per_bar", lowest=MIN_BEATS_PER_BAR, highest=MAX_BEATS_PER_BAR
    )
    if not (beats_per_bar * 2).is_integer():
        raise RequestError(422, "piece.beats_per_bar", f"must be a whole number of half beats, got {beats_per_bar:g}.")
    beats = number_field(fields["beats"], "piece.beats", lowest=0, highest=most_beats)
    parts = _parse_parts(fields["parts"])
    notes = fields["notes"]
    if not isinstance(notes, list):
        raise RequestError(400, "piece.notes", f"must be a list of notes, got {shown(notes)}.")
    if len(notes) > limits.request.max_primer_notes:
        problem = f"{len(notes)} notes; the limit is {limits.request.max_primer_notes}. Send a shorter piece."
        raise RequestError(413, "piece.notes", problem)
    parsed = tuple(_parse_note(note, f"piece.notes[{index}]", parts, most_beats) for index, note in enumerate(notes))
    return Piece(beats_per_minute, beats_per_bar, beats, parts, parsed)


def _parse_parts(value: object) -> tuple[Part, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_PARTS:
        raise RequestError(400, "piece.parts", f"must be a list of 1 to {MAX_PARTS} parts, got {shown(value)}.")
    parts = []
    for index, item in enumerate(value):
        field = f"piece.parts[{index}]"
        fields = object_field(item, field, ("name", "program", "is_drums"), required=("name",))
        name, is_drums = fields["name"], fields.get("is_drums", False)
        if not isinstance(name, str) or len(name) > MAX_NAME:
            raise RequestError(400, f"{field}.name", f"must be a text of at most {MAX_NAME} letters.")
        if not isinstance(is_drums, bool):
            raise RequestError(400, f"{field}.is_drums", f"must be true or false, got {shown(is_drums)}.")
        program = integer_field(fields.get("program", 0), f"{field}.program", lowest=0, highest=127)
        parts.append(Part(part_name(name), program, is_drums))
    return tuple(parts)


def _parse_note(value: object, field: str, parts: Sequence[Part], most_beats: float) -> PieceNote:
    fields = object_field(value, field, (*_NOTE_FIELDS, "velocity"), required=_NOTE_FIELDS)
    start = number_field(fields["start"], f"{field}.start", lowest=0, highest=most_beats)
    length = number_field(fields["length"], f"{field}.length", lowest=0, highest=most_beats)
    if not length:
        raise RequestError(422, f"{field}.length", "must be above 0.")
    return PieceNote(
        part=integer_field(fields["part"], f"{field}.part", lowest=0, highest=len(parts) - 1),
        pitch=integer_field(fields["pitch"], f"{field}.pitch", lowest=0, highest=127),
        start=start,
        length=length,
        velocity=integer_field(fields.get("velocity", DEFAULT_VELOCITY), f"{field}.velocity", lowest=1, highest=127),
    )
