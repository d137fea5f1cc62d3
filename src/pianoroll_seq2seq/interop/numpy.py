"""Piano rolls from and to numpy arrays."""

import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pianoroll.conversions import held_velocities
from pianoroll_seq2seq.pianoroll.joining import planes_of
from pianoroll_seq2seq.pitches import ALL_PITCHES, PIANO, PitchRange
from pianoroll_seq2seq.tempo import TempoMap

AxisOrder = Literal["frames_first", "pitches_first"]

_DEFAULT_PITCHES = {88: PIANO, 128: ALL_PITCHES}  # by the number of columns


def roll_from_array(
    array: np.ndarray,
    *,
    axis_order: AxisOrder = "frames_first",
    grid: FrameGrid = SIXTEENTHS,
    pitches: PitchRange | None = None,
    threshold: float = 0,
    velocities: bool = False,
    tempo: TempoMap | None = None,
    name: str = "",
) -> PianoRoll:
    """A roll from a matrix of probabilities, velocities, or zeros and ones.

    A cell is active if its value is above ``threshold``; a pitch has an onset where it begins to sound.

    Args:
        array: bool or real numbers, of shape (frames, pitches) or (pitches, frames), see ``axis_order``.
        axis_order: which axis comes first; pretty_midi's ``get_piano_roll`` has the pitches first.
        grid: how long a frame is.
        pitches: the pitches of the columns. By default, 88 columns are the keys of a piano and 128 are all MIDI
            pitches; it is required for any other number of columns.
        threshold: the largest value of a silent cell.
        velocities: whether the values are velocities, as pretty_midi and pypianoroll give them. Each note gets the
            value of its first cell, rounded.
        tempo: the tempo from frame 0 on; 120 BPM by default.
        name: for messages.

    Raises:
        ShapeError: not a matrix, not numbers, NaN in it, another number of pitches, or a velocity that is not in
            1..127.
        SettingsError: unknown value of ``axis_order``.

    Example:
        >>> roll_from_array(np.array([[0.9, 0.2], [0.7, 0.8]]), pitches=PitchRange(60, 61), threshold=0.5)
        PianoRoll(2 frames x 2 pitches C4..C#4, 2 notes, BeatGrid(frames_per_beat=4))
    """
    array, label = np.asarray(array), name or "The array"
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise ShapeError(
            f"{label}: expected a matrix of numbers or bools, got {array.dtype} of shape {array.shape}. "
            f"Pass one roll at a time, without an axis for batches or tracks."
        )
    rows, other = _frames_first(array, axis_order), _frames_first(array.T, axis_order)
    expected = _DEFAULT_PITCHES if pitches is None else {len(pitches): pitches}
    if rows.shape[1] not in expected:
        if other.shape[1] in expected:
            fix = f"Pass axis_order={'pitches_first' if axis_order == 'frames_first' else 'frames_first'!r}."
        else:
            fix = f"Pass pitches=PitchRange(lowest, highest) with {rows.shape[1]} pitches."
        raise ShapeError(
            f"{label}: shape {array.shape} with axis_order={axis_order!r} has {rows.shape[1]} pitches, "
            f"expected {' or '.join(map(str, expected))}. {fix}"
        )
    if np.isnan(rows).any():
        frame, column = np.argwhere(np.isnan(rows))[0]
        raise ShapeError(f"{label}: NaN in frame {frame}, column {column}. Replace it, as np.nan_to_num does.")
    roll = PianoRoll.from_active(
        rows > float(threshold), grid=grid, pitches=expected[rows.shape[1]], tempo=tempo, name=name
    )
    if not velocities:
        return roll
    rounded = np.where(roll.onset, np.rint(rows), 0)
    wrong = roll.onset & ((rounded < 1) | (rounded > 127))
    if wrong.any():
        frame, column = np.argwhere(wrong)[0]
        raise ShapeError(
            f"{label}: the velocity {rows[frame, column]} in frame {frame}, column {column}; velocities are 1..127. "
            f"Scale the array, or pass velocities=False."
        )
    return replace(roll, velocity=rounded.astype(np.uint8))


def roll_to_array(
    roll: PianoRoll,
    *,
    axis_order: AxisOrder = "frames_first",
    velocity: int | None = None,
    velocities: bool = False,
) -> UInt8[np.ndarray, "rows columns"]:
    """The active plane, as a matrix of zeros and ones, or of velocities.

    The matrix has no onsets: a note repeated without a gap becomes one held note with the note before it. (The frames
    of a layout with an onset plane have all: :meth:`PianoRoll.to_frames`.)

    Args:
        roll: the roll to convert.
        axis_order: (frames, pitches), or (pitches, frames).
        velocity: the value of all active cells, 1..127; 1 by default.
        velocities: whether each active cell has the velocity of its note. A note whose velocity is unknown gets the
            median of the others, or 100.

    Raises:
        SettingsError: unknown value of ``axis_order``, a velocity out of range, or both ``velocity`` and
            ``velocities``.

    Warns:
        UserWarning: the roll has such notes.

    Example:
        >>> roll = PianoRoll.from_active(np.eye(2, dtype=bool), pitches=PitchRange(60, 61))
        >>> roll_to_array(roll, velocity=100).tolist()
        [[100, 0], [0, 100]]
        >>> roll_from_array(roll_to_array(roll), pitches=roll.pitches) == roll
        True
        >>> roll_to_array(roll.with_velocity(64), velocities=True).tolist()
        [[64, 0], [0, 64]]
    """
    if velocity is not None and velocities:
        raise SettingsError("Pass one velocity for all cells, or velocities=True for those of the notes, not both.")
    if velocity is not None and not 1 <= velocity <= 127:
        raise SettingsError(f"velocity must be in 1..127, got {velocity}.")
    warn_of_repeated_notes([roll], "an array", stacklevel=3)
    if velocities:
        cells = held_velocities(planes_of(roll))
    else:
        cells = np.where(roll.active, np.uint8(1 if velocity is None else velocity), np.uint8(0))
    return np.ascontiguousarray(_frames_first(cells, axis_order))


def warn_of_repeated_notes(rolls: Iterable[PianoRoll], form: str, *, stacklevel: int) -> None:
    """Warns of notes that merge with those before them, in a form of music that has no onsets."""
    count = sum(int((roll.onset[1:] & roll.active[:-1]).sum()) for roll in rolls)
    if count:
        warnings.warn(
            f"{count} notes are repeated without a gap; {form} has no onsets, so each merges with the note before it.",
            stacklevel=stacklevel,
        )


def _frames_first(array: np.ndarray, axis_order: str) -> np.ndarray:
    """The array, transposed if its pitches come first; its own inverse."""
    if axis_order not in ("frames_first", "pitches_first"):
        raise SettingsError(f"axis_order must be 'frames_first' or 'pitches_first', got {axis_order!r}.")
    return array if axis_order == "frames_first" else array.T
