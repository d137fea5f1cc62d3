"""Controllers: what a synthesizer plays in addition to the notes, such as pedals, volumes and pitch bends."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from pianoroll_seq2seq._internal.read_only import make_read_only
from pianoroll_seq2seq.errors import MidiError, ShapeError
from pianoroll_seq2seq.tempo import MAX_TICK

KEY_PRESSURE, CONTROL_CHANGE, CHANNEL_PRESSURE, PITCH_BEND = 0xA0, 0xB0, 0xD0, 0xE0
"""The kinds of controllers, as MIDI numbers them."""

_COLUMNS = {"tick": np.int64, "part": np.int32, "kind": np.uint8, "number": np.uint8, "value": np.int16}


@dataclass(frozen=True, eq=False)
class Controllers:
    """Controllers as columns of equal length, sorted by tick and part; those of one tick and part keep their order.

    Args:
        tick: when each comes; int64 of shape (controllers,).
        part: the index of the part on which it acts.
        kind: ``CONTROL_CHANGE``, ``PITCH_BEND``, ``KEY_PRESSURE`` (aftertouch of one key) or ``CHANNEL_PRESSURE``.
        number: the number of the controller (64 is the sustain pedal), the pitch of a key pressure, else 0.
        value: 0..127; of a pitch bend -8192..8191.

    Raises:
        ShapeError: columns of different lengths.
        MidiError: a value out of range; the message names the first such controller.

    Example:
        >>> pedal = Controllers([0, 480], [0, 0], [CONTROL_CHANGE] * 2, [64, 64], [127, 0])
        >>> pedal
        Controllers(2 controllers)
    """

    tick: Int[np.ndarray, " controllers"]
    part: Int[np.ndarray, " controllers"]
    kind: Int[np.ndarray, " controllers"]
    number: Int[np.ndarray, " controllers"]
    value: Int[np.ndarray, " controllers"]

    def __init__(
        self,
        tick: Sequence[int] | np.ndarray,
        part: Sequence[int] | np.ndarray,
        kind: Sequence[int] | np.ndarray,
        number: Sequence[int] | np.ndarray,
        value: Sequence[int] | np.ndarray,
    ) -> None:
        """Validates the columns and sorts them."""
        columns = [np.asarray(column) for column in (tick, part, kind, number, value)]
        columns = [column if column.size else column.astype(np.int64) for column in columns]
        for name, column in zip(_COLUMNS, columns, strict=True):
            if column.ndim != 1 or column.shape != columns[0].shape:
                raise ShapeError(f"Controllers.{name} has shape {column.shape}, expected {columns[0].shape[:1]}.")
            if not np.issubdtype(column.dtype, np.integer):
                raise MidiError(f"Controllers.{name} must hold integers, got {column.dtype}.")
        _check_ranges(*columns)
        ticks, parts = columns[0].astype(np.int64), columns[1].astype(np.int64)
        earlier = (ticks[1:] < ticks[:-1]) | ((ticks[1:] == ticks[:-1]) & (parts[1:] < parts[:-1]))
        order = np.lexsort((parts, ticks)) if earlier.any() else slice(None)
        for (name, dtype), column in zip(_COLUMNS.items(), columns, strict=True):
            ordered = column.astype(dtype)[order]
            ordered.flags.writeable = False
            object.__setattr__(self, name, ordered)

    @classmethod
    def empty(cls) -> "Controllers":
        """A table without controllers."""
        return _EMPTY

    def __len__(self) -> int:
        """The number of controllers."""
        return len(self.tick)

    def __eq__(self, other: object) -> bool:
        """Equal when all columns are."""
        if not isinstance(other, Controllers):
            return NotImplemented
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in _COLUMNS)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]
    __setstate__ = make_read_only

    def __repr__(self) -> str:
        """How many there are; not the columns."""
        return f"Controllers({len(self)} controllers)"

    def where(self, keep: Bool[np.ndarray, " controllers"]) -> "Controllers":
        """The controllers for which ``keep`` is true."""
        return Controllers(*(getattr(self, name)[keep] for name in _COLUMNS))

    def by_part(self, num_parts: int) -> "list[Controllers]":
        """The controllers of each part, in time in proportion to their number; each table's part is 0."""
        order = np.argsort(self.part, kind="stable")
        begins = np.searchsorted(self.part[order], np.arange(num_parts + 1)).tolist()
        tick, kind, number, value = (column[order] for column in (self.tick, self.kind, self.number, self.value))
        return [
            Controllers(
                tick[begin:end], np.zeros(end - begin, np.int32), kind[begin:end], number[begin:end], value[begin:end]
            )
            if end > begin
            else _EMPTY
            for begin, end in pairwise(begins)
        ]

    def select(self, parts: Sequence[int]) -> "Controllers":
        """The controllers of some parts, whose indices become 0, 1, 2, ... in this order."""
        index = np.full(max([int(self.part.max(initial=0)), *parts]) + 1, -1)
        index[list(parts)] = np.arange(len(parts))
        chosen = self.where(index[self.part] >= 0)
        return Controllers(chosen.tick, index[chosen.part], chosen.kind, chosen.number, chosen.value)

    def shift(self, ticks: int) -> "Controllers":
        """The controllers later by a number of ticks, or earlier, below 0. What would be before tick 0 is there."""
        return Controllers(np.maximum(self.tick + ticks, 0), self.part, self.kind, self.number, self.value)


def _check_ranges(tick: np.ndarray, part: np.ndarray, kind: np.ndarray, number: np.ndarray, value: np.ndarray) -> None:
    bends = kind == PITCH_BEND
    numbered = (kind == CONTROL_CHANGE) | (kind == KEY_PRESSURE)
    rules = (
        (f"tick in 0..{MAX_TICK}", (tick < 0) | (tick > MAX_TICK)),
        ("part in 0..2147483647", (part < 0) | (part >= 2**31)),
        ("kind of a controller", ~(bends | numbered | (kind == CHANNEL_PRESSURE))),
        ("number in 0..127", (number < 0) | (number > 127)),
        ("number 0 of a pitch bend or channel pressure", ~numbered & (number != 0)),
        ("value in 0..127", ~bends & ((value < 0) | (value > 127))),
        ("value of a pitch bend in -8192..8191", bends & ((value < -8192) | (value > 8191))),
    )
    for rule, broken in rules:
        if broken.any():
            first = int(np.argmax(broken))
            raise MidiError(
                f"Controller {first} breaks the rule {rule!r}: tick {tick[first]}, part {part[first]}, kind "
                f"{int(kind[first]):#x}, number {number[first]}, value {value[first]}."
            )


_EMPTY = Controllers([], [], [], [], [])
