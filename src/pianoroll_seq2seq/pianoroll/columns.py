"""The planes of a piano roll and their columns: validated, transposed, and moved to other pitch ranges."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from pianoroll_seq2seq.errors import PitchRangeError, ShapeError
from pianoroll_seq2seq.parts import Part, listed
from pianoroll_seq2seq.quantize import Planes

Plane = Bool[np.ndarray, "frames columns"]
VelocityPlane = UInt8[np.ndarray, "frames columns"]


def checked_planes(planes: Planes, parts: Sequence[Part], label: str) -> Planes:
    """The planes of a roll as read-only arrays.

    Raises:
        ShapeError: planes of another shape or type, an onset in a cell that is not active, or a velocity of another
            range or place.
    """
    num_columns = sum(len(part.pitches) for part in parts)
    views = []
    for name, value in (("active", planes.active), ("onset", planes.onset)):
        plane = np.asarray(value)
        if plane.ndim != 2 or plane.shape[1] != num_columns or plane.dtype != np.bool_:
            size = str(parts[0].pitches) if len(parts) == 1 else f"the parts {listed(part.name for part in parts)}"
            raise ShapeError(
                f"PianoRoll.{name} must be bool of shape (frames, {num_columns}) for {size}, got {plane.dtype} of "
                f"shape {plane.shape}."
            )
        views.append(plane.view())
    active, onset = views
    if active.shape != onset.shape:
        raise ShapeError(f"active has {len(active)} frames, onset has {len(onset)}.")
    if (onset & ~active).any():
        frame, column = np.argwhere(onset & ~active)[0].tolist()
        where = _cell_name(frame, column, parts)
        raise ShapeError(f"{where}: an onset, but the pitch is not active.")
    if planes.velocity is not None:
        views.append(_checked_velocity(np.asarray(planes.velocity), onset, parts, label))
    for view in views:
        view.flags.writeable = False
    return Planes(*views)


def _checked_velocity(velocity: np.ndarray, onset: Plane, parts: Sequence[Part], label: str) -> VelocityPlane:
    if velocity.shape != onset.shape or not np.issubdtype(velocity.dtype, np.integer):
        raise ShapeError(
            f"PianoRoll.velocity must be integers of shape {onset.shape}, got {velocity.dtype} of shape "
            f"{velocity.shape}."
        )
    wrong = (velocity < 0) | (velocity > 127) | ((velocity > 0) != onset)
    if wrong.any():
        frame, column = np.argwhere(wrong)[0].tolist()
        place = "an onset" if onset[frame, column] else "no onset"
        raise ShapeError(
            f"{label}: {_cell_name(frame, column, parts)} has {place} and the velocity {velocity[frame, column]}. "
            f"Velocities are 1..127 at onsets, and 0 elsewhere."
        )
    return velocity.astype(np.uint8, copy=False).view()


def _cell_name(frame: int, column: int, parts: Sequence[Part]) -> str:
    for part in parts:
        if column < len(part.pitches):
            of_part = f" of part {part.name!r}" if len(parts) > 1 else ""
            return f"Frame {frame}, pitch {part.pitches.name_of(column)}{of_part}"
        column -= len(part.pitches)
    raise ShapeError(f"No column {column}.")


def transpose_planes(planes: Planes, parts: Sequence[Part], semitones: int, label: str) -> Planes:
    """All pitches but drums higher by some semitones: see :meth:`PianoRoll.transpose`."""
    moved: list[list[np.ndarray]] = []
    start = 0
    for part in parts:
        stop = start + len(part.pitches)
        blocks = [plane[:, start:stop] for plane in planes if plane is not None]
        start = stop
        if part.drums:
            moved.append(blocks)
            continue
        lost = blocks[0][:, -semitones:] if semitones > 0 else blocks[0][:, : max(-semitones, 0)]
        if lost.any():
            of_part = f" of part {part.name!r}" if len(parts) > 1 else ""
            raise PitchRangeError(
                f"{label}: transposing by {semitones} moves notes{of_part} out of {part.pitches}. Use a wider "
                f"PitchRange when reading, or a smaller interval."
            )
        moved.append([np.roll(block, semitones, axis=1) for block in blocks])
    if len(parts) == 1:
        return Planes(*moved[0])
    return Planes(*(np.concatenate(blocks, axis=1) for blocks in zip(*moved, strict=True)))


def move_columns(planes: Planes, parts: Sequence[Part], new: Sequence[Part], label: str) -> Planes:
    """The same notes in the columns of other pitch ranges: see :meth:`PianoRoll.with_pitches`.

    Raises:
        PitchRangeError: notes outside the new range of their part.
    """
    sounding = np.asarray(planes.active.any(axis=0))
    moves: list[tuple[slice, slice]] = []  # from columns of the planes to columns of the new ones
    start = new_start = 0
    for part, new_part in zip(parts, new, strict=True):
        old_range, new_range = part.pitches, new_part.pitches
        used = np.flatnonzero(sounding[start : start + len(old_range)]) + old_range.lowest
        if len(used) and not new_range.contains(used).all():
            of_part = f" in part {part.name!r}" if len(parts) > 1 else ""
            raise PitchRangeError(
                f"{label}: its notes{of_part} need PitchRange({used[0]}, {used[-1]}), not within {new_range}."
            )
        lowest = max(old_range.lowest, new_range.lowest)
        size = max(min(old_range.highest, new_range.highest) + 1 - lowest, 0)
        source, target = start + lowest - old_range.lowest, new_start + lowest - new_range.lowest
        moves.append((slice(source, source + size), slice(target, target + size)))
        start, new_start = start + len(old_range), new_start + len(new_range)

    def convert(plane: np.ndarray) -> np.ndarray:
        converted = np.zeros((len(plane), new_start), dtype=plane.dtype)
        for source, target in moves:
            converted[:, target] = plane[:, source]
        return converted

    return planes.map(convert)
