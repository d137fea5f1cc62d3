"""Notes in ticks, as columns of equal length."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from pianoroll_seq2seq._internal.read_only import make_read_only
from pianoroll_seq2seq.errors import MidiError, ShapeError
from pianoroll_seq2seq.tempo import MAX_TICK

_COLUMNS = ("onset_tick", "end_tick", "pitch", "velocity", "part")


@dataclass(frozen=True, eq=False)
class NoteTable:
    """Notes as columns of equal length, sorted by onset, part, pitch, end and velocity.

    Args:
        onset_tick: the onset of each note, in ticks; int64 of shape (notes,).
        end_tick: its end, in ticks, not before its onset.
        pitch: its MIDI note number, 0..127 (60 is middle C).
        velocity: its velocity, 1..127 (in MIDI, 0 is the end of a note).
        part: the index of its part (see :class:`~pianoroll_seq2seq.score.Score`).

    Raises:
        ShapeError: columns of different lengths.
        MidiError: a value out of range; the message names the first such note.

    Example:
        >>> notes = NoteTable([480, 0], [960, 480], [64, 60], [100, 100], [0, 0])
        >>> notes.pitch.tolist()
        [60, 64]
    """

    onset_tick: Int[np.ndarray, " notes"]
    end_tick: Int[np.ndarray, " notes"]
    pitch: Int[np.ndarray, " notes"]
    velocity: Int[np.ndarray, " notes"]
    part: Int[np.ndarray, " notes"]

    def __init__(
        self,
        onset_tick: Sequence[int] | np.ndarray,
        end_tick: Sequence[int] | np.ndarray,
        pitch: Sequence[int] | np.ndarray,
        velocity: Sequence[int] | np.ndarray,
        part: Sequence[int] | np.ndarray,
    ) -> None:
        """Validates the columns and sorts the notes."""
        columns = [np.asarray(column) for column in (onset_tick, end_tick, pitch, velocity, part)]
        columns = [column if column.size else column.astype(np.int64) for column in columns]
        for name, column in zip(_COLUMNS, columns, strict=True):
            if column.ndim != 1 or column.shape != columns[0].shape:
                raise ShapeError(f"NoteTable.{name} has shape {column.shape}, expected {columns[0].shape[:1]}.")
            if not np.issubdtype(column.dtype, np.integer):
                raise MidiError(f"NoteTable.{name} must hold integers, got {column.dtype}.")
        columns = [column.astype(np.int64) for column in columns]
        _check_ranges(*columns)
        onsets, ends, pitches, velocities, parts = columns
        order = _order(onsets, parts, pitches, ends, velocities)
        for name, column in zip(_COLUMNS, columns, strict=True):
            ordered = column[order]
            ordered.flags.writeable = False
            object.__setattr__(self, name, ordered)

    @classmethod
    def empty(cls) -> "NoteTable":
        """A table without notes."""
        return cls([], [], [], [], [])

    def __len__(self) -> int:
        """The number of notes."""
        return len(self.onset_tick)

    def __eq__(self, other: object) -> bool:
        """Equal when all columns are."""
        if not isinstance(other, NoteTable):
            return NotImplemented
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in _COLUMNS)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]
    __setstate__ = make_read_only

    def __repr__(self) -> str:
        """The number of notes and their ticks; not the columns."""
        ticks = f", ticks {self.onset_tick[0]} to {self.end_tick.max()}" if len(self) else ""
        return f"NoteTable({len(self)} notes{ticks})"

    def where(self, keep: Bool[np.ndarray, " notes"]) -> "NoteTable":
        """The notes for which ``keep`` is true."""
        return NoteTable(*(getattr(self, name)[keep] for name in _COLUMNS))

    def by_part(self, num_parts: int) -> "list[NoteTable]":
        """The notes of each part, in time in proportion to their number, however many parts there are.

        Example:
            >>> notes = NoteTable([0, 0], [480, 480], [72, 48], [90, 60], [0, 2])
            >>> [len(part) for part in notes.by_part(3)]
            [1, 0, 1]
        """
        order = np.argsort(self.part, kind="stable")
        begins = np.searchsorted(self.part[order], np.arange(num_parts + 1)).tolist()
        columns = {name: getattr(self, name)[order] for name in _COLUMNS}
        tables = []
        for begin, end in pairwise(begins):
            table = object.__new__(NoteTable)  # of notes that are valid and in order
            for name, column in columns.items():
                object.__setattr__(table, name, column[begin:end])
                getattr(table, name).flags.writeable = False
            tables.append(table)
        return tables


def _order(onset: np.ndarray, part: np.ndarray, pitch: np.ndarray, end: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """The order by onset, part, pitch, end and velocity."""
    if not len(onset) or part.max() >= 2**24:
        return np.lexsort((velocity, end, pitch, part, onset))
    # The first three fit in one integer, and two are rarely equal; sorting what is nearly sorted is fast.
    key = onset << 32 | part << 7 | pitch
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    if (ordered[1:] == ordered[:-1]).any():
        return np.lexsort((velocity, end, key))
    return order


def _check_ranges(
    onset: np.ndarray, end: np.ndarray, pitch: np.ndarray, velocity: np.ndarray, part: np.ndarray
) -> None:
    rules = (
        (f"onset_tick in 0..{MAX_TICK}", (onset < 0) | (onset > MAX_TICK)),
        (f"end_tick in onset_tick..{MAX_TICK}", (end < onset) | (end > MAX_TICK)),
        ("pitch in 0..127", (pitch < 0) | (pitch > 127)),
        ("velocity in 1..127", (velocity < 1) | (velocity > 127)),
        ("part >= 0", part < 0),
    )
    for rule, broken in rules:
        if broken.any():
            first = int(np.argmax(broken))
            raise MidiError(
                f"Note {first} breaks the rule {rule!r}: onset_tick {onset[first]}, end_tick {end[first]}, "
                f"pitch {pitch[first]}, velocity {velocity[first]}, part {part[first]}."
            )
