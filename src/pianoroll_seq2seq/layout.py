"""What the columns of a model's frame mean.

A model reads and writes frames: vectors of numbers. A :class:`FrameLayout` says where frames are in time, which parts
and pitches they cover, and which planes of a piano roll they contain. Windows have a layout, models are built from it,
checkpoints store it, and generation uses it to convert rolls to frames and back.
"""

import operator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

from pianoroll_seq2seq.errors import GridError, PitchRangeError, SettingsError, ShapeError
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.parts import Part, listed, named_parts, part_columns, spanned_pitches
from pianoroll_seq2seq.pitches import PIANO, PitchRange

Plane = Literal["active", "onset", "velocity"]
"""A plane of a piano roll: the pitch sounds in a frame, a note of it begins there, and the velocity of that note."""

_PLANES: tuple[Plane, ...] = get_args(Plane)
_PARTS_SHOWN = 12  # in a message


@runtime_checkable
class OnGrid(Protocol):
    """Anything with a grid and parts, such as a :class:`~pianoroll_seq2seq.pianoroll.PianoRoll`."""

    @property
    def grid(self) -> FrameGrid:
        """The time grid of the frames."""
        ...

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts, with the pitches of their columns."""
        ...


@dataclass(frozen=True)
class FrameLayout:
    """The meaning of a frame's columns.

    A frame has one block of columns for each plane. A block has the columns of each part, in order, and a part has one
    column for each of its pitches, lowest first.

    Args:
        grid: the time grid of the frames.
        pitches: the pitches of a layout of one part. If there are several, the range that they span.
        planes: the planes, in the order of their columns: ``("active", "onset")``, the default, for a model that
            distinguishes repeated notes from held ones; all three, for a model of velocities too; or ``("active",)``.
        parts: the parts, each with its pitches; one part without a name by default.

    Raises:
        SettingsError: other planes, or several parts of which two have the same name or one has none.

    Example:
        >>> layout = FrameLayout(pitches=PitchRange(60, 71))
        >>> layout.frame_size, layout.columns("onset")
        (24, slice(12, 24, None))
        >>> melody, bass = Part("melody", pitches=PitchRange(60, 71)), Part("bass", pitches=PitchRange(36, 59))
        >>> two = FrameLayout(parts=(melody, bass))
        >>> two.frame_size, two.columns("active", "bass")
        (72, slice(12, 36, None))
    """

    grid: FrameGrid = SIXTEENTHS
    pitches: PitchRange = PIANO
    planes: tuple[Plane, ...] = ("active", "onset")
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        """Validates the planes and the parts. A list, as in JSON, becomes a tuple."""
        for value, kind, example in ((self.grid, FrameGrid, "BeatGrid(4)"), (self.pitches, PitchRange, "PitchRange()")):
            if not isinstance(value, kind):
                raise SettingsError(f"FrameLayout needs a {kind.__name__}, such as {example}, got {value!r}.")
        planes: tuple[str, ...] = tuple(self.planes)
        if not planes or planes != _PLANES[: len(planes)]:
            raise SettingsError(
                f"FrameLayout.planes must be ('active',), ('active', 'onset') or {_PLANES}; got {planes}."
            )
        object.__setattr__(self, "planes", planes)
        object.__setattr__(self, "parts", named_parts(self.parts, self.pitches, owner="FrameLayout"))
        object.__setattr__(self, "pitches", spanned_pitches(self.parts))

    @classmethod
    def of(cls, music: OnGrid, *, onsets: bool = True, velocity: bool = False) -> "FrameLayout":
        """The layout of a roll, a corpus or a data set.

        Args:
            music: anything with ``grid`` and ``parts``.
            onsets: whether frames have the onset plane. Without it, a note that is repeated without a gap becomes one
                with the note before it.
            velocity: whether frames have the velocity plane, and so the onset plane too.

        Example:
            >>> FrameLayout.of(FrameLayout(), velocity=True).planes
            ('active', 'onset', 'velocity')
        """
        return cls(music.grid, planes=_PLANES[: 3 if velocity else 2 if onsets else 1], parts=music.parts)

    def __repr__(self) -> str:
        """The grid, the pitches or the parts, and the planes."""
        one = len(self.parts) == 1
        names = listed(part.name for part in self.parts)
        columns = f"pitches={self.pitches}" if one else f"{self.plane_size} pitches in {len(self.parts)} parts {names}"
        return f"FrameLayout(grid={self.grid}, {columns}, planes={self.planes})"

    @property
    def plane_size(self) -> int:
        """Columns of one plane, which are the pitches of all parts."""
        return sum(len(part.pitches) for part in self.parts)

    @property
    def frame_size(self) -> int:
        """Columns of a frame."""
        return len(self.planes) * self.plane_size

    @property
    def has_onsets(self) -> bool:
        """Whether frames have the onset plane."""
        return "onset" in self.planes

    @property
    def has_velocity(self) -> bool:
        """Whether frames have the velocity plane."""
        return "velocity" in self.planes

    def columns(self, plane: Plane, part: str | None = None) -> slice:
        """The columns of one plane, or of one part in it.

        Args:
            plane: the plane.
            part: the name of a part; all by default.

        Raises:
            SettingsError: the layout does not have this plane or this part.
        """
        if plane not in self.planes:
            raise SettingsError(f"The layout has the planes {self.planes}, not {plane!r}.")
        start = self.planes.index(plane) * self.plane_size
        if part is None:
            return slice(start, start + self.plane_size)
        inner = part_columns(self.parts, part, owner="The layout")
        return slice(start + inner.start, start + inner.stop)

    def column_pitches(self) -> Int64[np.ndarray, " frame_size"]:
        """The MIDI pitch of each column.

        Example:
            >>> FrameLayout(pitches=PitchRange(60, 62)).column_pitches()
            array([60, 61, 62, 60, 61, 62])
        """
        ranges = [np.arange(part.pitches.lowest, part.pitches.highest + 1, dtype=np.int64) for part in self.parts]
        return np.tile(np.concatenate(ranges), len(self.planes))

    def to_float(self, frames: np.ndarray) -> Float32[np.ndarray, "*batch frame_size"]:
        """Frames as the numbers that a model reads: zeros and ones, and velocities divided by 127.

        Args:
            frames: bool or uint8 of shape (..., frame_size), as :meth:`PianoRoll.to_frames` gives them.
        """
        values = frames.astype(np.float32)
        if self.has_velocity:
            values[..., self.columns("velocity")] /= 127
        return values

    def from_float(self, values: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`to_float`: bool, or uint8 if the layout has a velocity plane.

        Example:
            >>> layout = FrameLayout(pitches=PitchRange(60, 60), planes=("active", "onset", "velocity"))
            >>> layout.from_float(layout.to_float(np.array([1, 1, 90], dtype=np.uint8)))
            array([ 1,  1, 90], dtype=uint8)
        """
        if not self.has_velocity:
            return values > 0
        frames: np.ndarray = (values > 0).astype(np.uint8)
        columns = self.columns("velocity")
        frames[..., columns] = np.rint(values[..., columns] * 127)
        return frames

    def check(self, music: OnGrid, label: str, *, owner: str = "the model") -> None:
        """Refuses music on another grid, of other parts or of other pitches.

        Names and drums are compared only if there are several parts. Programs are not compared.

        Args:
            music: a roll, windows or another layout.
            label: what the error message calls it.
            owner: what the error message calls the owner of this layout.

        Raises:
            GridError: another grid.
            PitchRangeError: other parts or other pitches.
        """
        if music.grid != self.grid:
            raise GridError(
                f"{label} is on {music.grid}, but {owner} expects frames on {self.grid}. Read the music again with "
                f"grid={self.grid}."
            )
        if music.parts != self.parts:
            self._check_parts(music.parts, label, owner)

    def _check_parts(self, parts: tuple[Part, ...], label: str, owner: str) -> None:
        names, expected = ([part.name for part in one] for one in (parts, self.parts))
        several = len(parts) > 1 or len(self.parts) > 1
        if several and names != expected:
            raise PitchRangeError(
                f"{label} has {_listed(names)}, but {owner} expects {_listed(expected)}. {_fix_parts(names, expected)}"
            )
        for part, own in zip(parts, self.parts, strict=True):
            name = f", part {own.name!r}," if several else ""
            if several and part.drums != own.drums:
                raise PitchRangeError(f"{label}{name} is {_kind(part)}, but {owner} expects {_kind(own)}.")
            if part.pitches != own.pitches:
                argument = {one.name: one.pitches for one in self.parts} if several else own.pitches
                raise PitchRangeError(
                    f"{label}{name} has {part.pitches}, but {owner} expects {own.pitches}. Convert it with "
                    f"roll.with_pitches({argument}), or read the music with pitches={argument}."
                )

    def check_same(self, other: "FrameLayout", label: str, *, owner: str = "the model") -> None:
        """Refuses another layout.

        Args:
            other: the layout to compare.
            label: what the error message calls it.
            owner: what the error message calls the owner of this layout.

        Raises:
            GridError, PitchRangeError: as :meth:`check`.
            ShapeError: other planes.
        """
        self.check(other, label, owner=owner)
        if other.planes != self.planes:
            raise ShapeError(
                f"{label} has the planes {other.planes}, but {owner} expects {self.planes}. Use one layout for both: "
                f"SlidingWindows(..., layout=model.layout)."
            )

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        one = self.parts == (Part(pitches=self.pitches),)
        parts = {"pitches": self.pitches} if one else {"parts": list(self.parts)}
        return {"grid": self.grid, "planes": list(self.planes), **parts}


def _listed(names: list[str]) -> str:
    return f"the parts {listed(names)}" if len(names) > 1 else "one part"


def _fix_parts(names: list[str], expected: list[str]) -> str:
    """How music with parts of some names becomes music with others."""
    if len(expected) == 1:
        return f"Merge its parts with roll.merged(), or take one of them, as roll[{names[0]!r}]."
    if set(expected) <= set(names):
        return f"Choose them with roll[[{listed(expected, quoted=True)}]], or read the music with parts=..."
    mapping = "{" + ", ".join(f"{name!r}: ..." for name in expected[:_PARTS_SHOWN]) + "}"
    stacked = f", or put rolls together with PianoRoll.stack({mapping})" if len(names) == 1 else ""
    return f"Read the music with parts={mapping}{stacked}."


def _kind(part: Part) -> str:
    return "drums" if part.drums else "pitched"


def frame_size_of(layout: FrameLayout | int) -> int:
    """Columns of a frame, from a layout or from the number itself.

    Raises:
        SettingsError: fewer than one column, or neither a layout nor a whole number.
    """
    if isinstance(layout, FrameLayout):
        return layout.frame_size
    try:
        size = operator.index(layout)
    except TypeError as error:
        raise SettingsError(
            f"A model or head is built from a FrameLayout, such as windows.layout, or from a number of columns; got "
            f"{layout!r}."
        ) from error
    if size < 1:
        raise SettingsError(f"A frame needs at least one column, got {size}.")
    return size
