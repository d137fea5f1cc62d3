"""Which cells of a roll are given: a mask over frames and parts, as an expression.

An expression names frames, bars or parts, and fits any roll that has them. :meth:`Given.mask` resolves it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from pianoroll_seq2seq._internal.whole_numbers import is_whole
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.meter import bar_ticks, begins_with_upbeat
from pianoroll_seq2seq.parts import listed
from pianoroll_seq2seq.pianoroll import PianoRoll

Mask = Bool[np.ndarray, "frames parts"]


class Given(ABC):
    """Which parts of a roll are given, and in which frames. A model fills the rest.

    The constructors name frames, bars or parts. Combine them with ``&`` (both), ``|`` (either) and ``~`` (not).

    Example:
        >>> Given.parts("soprano") | Given.outside(bars=(5, 8))
        Given.parts('soprano') | ~Given.bars(5, 8)
        >>> roll = PianoRoll.silent(32)
        >>> Given.bars(2).mask(roll)[:, 0].nonzero()[0]
        array([16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31])
    """

    @staticmethod
    def nothing() -> "Given":
        """No cell."""
        return _Frames(0, 0)

    @staticmethod
    def before(frame: int) -> "Given":
        """All parts before a frame.

        Raises:
            SettingsError: a frame below 0; for a roll that ends before it, when the mask is made.
        """
        return _Frames(0, frame)

    @staticmethod
    def frames(begin: int, end: int) -> "Given":
        """All parts from the frame ``begin`` up to, but not including, the frame ``end``.

        Raises:
            SettingsError: frames below 0 or not in order; for a roll that ends before ``end``, when the mask is made.
        """
        return _Frames(begin, end)

    @staticmethod
    def bars(first: int, last: int | None = None) -> "Given":
        """All parts in some bars, numbered as in a score: from 1, and an upbeat is bar 0.

        Bars are those of the time signatures of the roll; of 4/4 if it has none.

        Args:
            first: the first bar.
            last: the last bar; the first by default.

        Raises:
            SettingsError: bars below 0 or not in order; for a roll without these bars, when the mask is made.
        """
        return _Bars(first, first if last is None else last)

    @staticmethod
    def outside(bars: int | tuple[int, int]) -> "Given":
        """All parts before and after some bars: ``~Given.bars(...)``.

        Args:
            bars: the first and the last bar, or the only one.
        """
        return ~bars_of(bars)

    @staticmethod
    def parts(*names: str) -> "Given":
        """Some parts, in all frames.

        Raises:
            SettingsError: no names; for a roll without one of the parts, when the mask is made.
        """
        return _Parts(names)

    @staticmethod
    def cells(mask: Mask) -> "Given":
        """A mask of your own.

        Args:
            mask: which parts are given in each frame, bool of shape (frames, parts).

        Raises:
            ShapeError: an array of another type or number of dimensions; for a roll of another number of frames or
                parts, when the mask is made.
        """
        return _Cells(mask)

    @abstractmethod
    def mask(self, roll: PianoRoll) -> Mask:
        """The mask for a roll: which parts are given in each frame, bool of shape (frames, parts).

        Raises:
            SettingsError: frames, bars or parts that the roll does not have.
            ShapeError: a mask of another number of frames or parts.
        """

    def __and__(self, other: "Given") -> "Given":
        """What both name."""
        return _Both(self, other) if isinstance(other, Given) else NotImplemented  # type: ignore[redundant-expr]

    def __or__(self, other: "Given") -> "Given":
        """What one of them names, or both."""
        return _Either(self, other) if isinstance(other, Given) else NotImplemented  # type: ignore[redundant-expr]

    def __invert__(self) -> "Given":
        """What it does not name."""
        return self.inner if isinstance(self, _Not) else _Not(self)


def bars_of(bars: int | tuple[int, int]) -> Given:
    """``Given.bars`` of a bar, or of the first and the last bar.

    Raises:
        SettingsError: neither.
    """
    if isinstance(bars, (tuple, list)) and len(bars) == 2:
        return Given.bars(*bars)
    if is_whole(bars):
        return Given.bars(bars)
    raise SettingsError(f"bars must be a number or the first and the last, such as (5, 8); got {bars!r}.")


def bar_lines(roll: PianoRoll) -> Int64[np.ndarray, " bars"]:
    """The first frame of each bar that begins in a roll. A bar shorter than a frame may share it with the next."""
    end = int(roll.grid.ticks_at(np.array([len(roll)]), roll.tempo)[0])
    ticks = bar_ticks(roll.meter, ticks_per_beat=roll.tempo.ticks_per_beat, num_ticks=end)
    lines: np.ndarray = roll.grid.lines_at(ticks, roll.tempo)
    return lines[lines < len(roll)]


def first_bar_number(roll: PianoRoll) -> int:
    """The number of the first bar: 0 for an upbeat, otherwise 1."""
    return 0 if begins_with_upbeat(roll.meter, ticks_per_beat=roll.tempo.ticks_per_beat) else 1


def _label(roll: PianoRoll) -> str:
    return repr(roll.name) if roll.name else "the roll"


def _none(roll: PianoRoll) -> Mask:
    return np.zeros((len(roll), len(roll.parts)), dtype=bool)


@dataclass(frozen=True, repr=False)
class _Frames(Given):
    begin: int
    end: int

    def __post_init__(self) -> None:
        """Validates the frames."""
        if not (is_whole(self.begin) and is_whole(self.end)) or not 0 <= self.begin <= self.end:
            raise SettingsError(f"{self!r}: frames are whole numbers from 0 on, the first one first.")

    def mask(self, roll: PianoRoll) -> Mask:
        if self.end > len(roll):
            raise SettingsError(f"{self!r}: {_label(roll)} has {len(roll)} frames.")
        mask = _none(roll)
        mask[self.begin : self.end] = True
        return mask

    def __repr__(self) -> str:
        if self.begin == self.end == 0:
            return "Given.nothing()"
        return f"Given.frames({self.begin!r}, {self.end!r})" if self.begin else f"Given.before({self.end!r})"


@dataclass(frozen=True, repr=False)
class _Bars(Given):
    first: int
    last: int

    def __post_init__(self) -> None:
        """Validates the numbers."""
        if not (is_whole(self.first) and is_whole(self.last)) or not 0 <= self.first <= self.last:
            raise SettingsError(
                f"{self!r}: bars are numbered as in a score, from 1, the first one first; an upbeat is bar 0."
            )

    def mask(self, roll: PianoRoll) -> Mask:
        lines, lowest = bar_lines(roll), first_bar_number(roll)
        highest = lowest + len(lines) - 1
        if self.first < lowest or self.last > highest:
            has = f"{highest} bars" if highest > 1 else "one bar" if highest == 1 else "no whole bar"
            unknown = "" if roll.meter.time_signatures else " of 4/4, since it has no time signature"
            upbeat = " and an upbeat, which is bar 0" if not lowest else ""
            named = f"Bar {self.first}" if self.first == self.last else f"Bars {self.first} to {self.last}"
            raise SettingsError(f"{named}: {_label(roll)} has {has}{unknown}{upbeat}.")
        ends = np.append(lines[1:], len(roll))
        mask = _none(roll)
        mask[lines[self.first - lowest] : ends[self.last - lowest]] = True
        return mask

    def __repr__(self) -> str:
        last = "" if self.last == self.first else f", {self.last!r}"
        return f"Given.bars({self.first!r}{last})"


@dataclass(frozen=True, repr=False)
class _Parts(Given):
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Validates the names."""
        if not self.names or not all(isinstance(name, str) for name in self.names):
            raise SettingsError(f"Given.parts needs names of parts, such as 'soprano', got {self.names!r}.")

    def mask(self, roll: PianoRoll) -> Mask:
        mask = _none(roll)
        for name in self.names:
            if name not in roll.part_names:
                raise SettingsError(
                    f"{self!r}: {_label(roll)} has no part {name!r}. Its parts are "
                    f"[{listed(roll.part_names, quoted=True)}]."
                )
            mask[:, roll.part_names.index(name)] = True
        return mask

    def __repr__(self) -> str:
        return f"Given.parts({', '.join(map(repr, self.names))})"


@dataclass(frozen=True, repr=False, eq=False)
class _Cells(Given):
    array: Mask

    def __post_init__(self) -> None:
        """Validates the array, and keeps a copy."""
        mask = np.array(self.array)
        if mask.ndim != 2 or mask.dtype != np.bool_:
            raise ShapeError(
                f"Given.cells needs a bool array of shape (frames, parts), got {mask.dtype} of shape {mask.shape}."
            )
        mask.flags.writeable = False
        object.__setattr__(self, "array", mask)

    def mask(self, roll: PianoRoll) -> Mask:
        if self.array.shape != (len(roll), len(roll.parts)):
            raise ShapeError(
                f"{self!r}: {_label(roll)} needs a mask of shape (frames, parts), ({len(roll)}, {len(roll.parts)})."
            )
        return self.array.copy()

    def __repr__(self) -> str:
        return f"Given.cells(<mask of shape {self.array.shape}>)"


@dataclass(frozen=True, repr=False)
class _Not(Given):
    inner: Given

    def mask(self, roll: PianoRoll) -> Mask:
        return ~self.inner.mask(roll)

    def __repr__(self) -> str:
        return f"~{_in_brackets(self.inner)}"


@dataclass(frozen=True, repr=False)
class _Both(Given):
    one: Given
    other: Given

    def mask(self, roll: PianoRoll) -> Mask:
        both: Mask = self.one.mask(roll) & self.other.mask(roll)
        return both

    def __repr__(self) -> str:
        sides = (f"({side!r})" if isinstance(side, _Either) else repr(side) for side in (self.one, self.other))
        return " & ".join(sides)


@dataclass(frozen=True, repr=False)
class _Either(Given):
    one: Given
    other: Given

    def mask(self, roll: PianoRoll) -> Mask:
        either: Mask = self.one.mask(roll) | self.other.mask(roll)
        return either

    def __repr__(self) -> str:
        return f"{self.one!r} | {self.other!r}"


def _in_brackets(given: Given) -> str:
    return f"({given!r})" if isinstance(given, (_Both, _Either)) else repr(given)
