"""What the columns of a model's frame mean.

A model reads and writes frames: vectors of zeros and ones. A :class:`FrameLayout` says where frames are in time, which
pitches they cover, and which planes of a piano roll they contain. Windows have a layout, models are built from it,
checkpoints store it, and generation uses it to convert rolls to frames and back.
"""

import operator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from jaxtyping import Int64

from pianoroll_seq2seq.errors import GridError, PitchRangeError, SettingsError, ShapeError
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.pitches import PIANO, PitchRange

Plane = Literal["active", "onset"]
"""A plane of a piano roll: the pitch sounds in a frame, or a note of it begins there."""


class OnGrid(Protocol):
    """Anything with a grid and a pitch range, such as a :class:`~pianoroll_seq2seq.pianoroll.PianoRoll`."""

    @property
    def grid(self) -> FrameGrid:
        """The time grid of the frames."""
        ...

    @property
    def pitches(self) -> PitchRange:
        """The pitches of the columns."""
        ...


@dataclass(frozen=True)
class FrameLayout:
    """The meaning of a frame's columns: one block of columns for each plane, lowest pitch first.

    Args:
        grid: the time grid of the frames.
        pitches: the pitches that each plane covers.
        planes: the planes, in the order of their columns: ``("active",)``, or ``("active", "onset")`` for a model that
            distinguishes repeated notes from held ones.

    Raises:
        SettingsError: unknown or repeated planes, or a first plane other than ``active``.

    Example:
        >>> layout = FrameLayout(pitches=PitchRange(60, 71), planes=("active", "onset"))
        >>> layout.frame_size, layout.columns("onset")
        (24, slice(12, 24, None))
    """

    grid: FrameGrid = SIXTEENTHS
    pitches: PitchRange = PIANO
    planes: tuple[Plane, ...] = ("active",)

    def __post_init__(self) -> None:
        """Validates the planes. A list, as in JSON, becomes a tuple."""
        for value, kind, example in ((self.grid, FrameGrid, "BeatGrid(4)"), (self.pitches, PitchRange, "PitchRange()")):
            if not isinstance(value, kind):
                raise SettingsError(f"FrameLayout needs a {kind.__name__}, such as {example}, got {value!r}.")
        planes: tuple[str, ...] = tuple(self.planes)
        known = get_args(Plane)
        if planes[:1] != ("active",) or len(set(planes)) < len(planes) or not set(planes) <= set(known):
            raise SettingsError(
                f"FrameLayout.planes must begin with 'active' and name each plane once, of {known}; got {planes}."
            )
        object.__setattr__(self, "planes", planes)

    @classmethod
    def of(cls, music: OnGrid, *, onsets: bool = False) -> "FrameLayout":
        """The layout of a roll, a corpus or a data set.

        Args:
            music: anything with ``grid`` and ``pitches``.
            onsets: whether frames have the onset plane too.

        Example:
            >>> FrameLayout.of(FrameLayout(), onsets=True).planes
            ('active', 'onset')
        """
        return cls(music.grid, music.pitches, ("active", "onset") if onsets else ("active",))

    @property
    def frame_size(self) -> int:
        """Columns of a frame."""
        return len(self.planes) * len(self.pitches)

    @property
    def has_onsets(self) -> bool:
        """Whether frames have the onset plane."""
        return "onset" in self.planes

    def columns(self, plane: Plane) -> slice:
        """The columns of one plane.

        Raises:
            SettingsError: the layout does not have this plane.
        """
        if plane not in self.planes:
            raise SettingsError(f"The layout has the planes {self.planes}, not {plane!r}.")
        start = self.planes.index(plane) * len(self.pitches)
        return slice(start, start + len(self.pitches))

    def column_pitches(self) -> Int64[np.ndarray, " frame_size"]:
        """The MIDI pitch of each column.

        Example:
            >>> FrameLayout(pitches=PitchRange(60, 62)).column_pitches()
            array([60, 61, 62])
        """
        return np.tile(np.arange(self.pitches.lowest, self.pitches.highest + 1, dtype=np.int64), len(self.planes))

    def check(self, music: OnGrid, label: str, *, owner: str = "the model") -> None:
        """Refuses music on another grid or of other pitches.

        Args:
            music: a roll, windows or another layout.
            label: what the error message calls it.
            owner: what the error message calls the owner of this layout.

        Raises:
            GridError: another grid.
            PitchRangeError: other pitches.
        """
        if music.grid != self.grid:
            raise GridError(
                f"{label} is on {music.grid}, but {owner} expects frames on {self.grid}. Read the music again with "
                f"grid={self.grid}."
            )
        if music.pitches != self.pitches:
            raise PitchRangeError(
                f"{label} has {music.pitches}, but {owner} expects {self.pitches}. Convert it with "
                f"roll.with_pitches({self.pitches}), or read the music with pitches={self.pitches}."
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
        return {"grid": self.grid, "pitches": self.pitches, "planes": list(self.planes)}


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
