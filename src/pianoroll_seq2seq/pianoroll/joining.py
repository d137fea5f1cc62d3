"""Piano rolls one after another, and parts side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.errors import GridError, NoNotesError, PitchRangeError, SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.parts import Part, columns_of_parts, common_program, listed, named_parts
from pianoroll_seq2seq.pianoroll.conversions import filled_velocities
from pianoroll_seq2seq.pianoroll.unchecked import with_planes
from pianoroll_seq2seq.pitches import PIANO, PitchRange
from pianoroll_seq2seq.quantize import Planes

if TYPE_CHECKING:
    from pianoroll_seq2seq.pianoroll.roll import PianoRoll


def concatenate(rolls: "Iterable[PianoRoll]") -> "PianoRoll":
    """The rolls one after another, each at its own tempo; name and programs are those of the first.

    If some of the rolls have velocities, the notes of the others get the median of those.

    Args:
        rolls: at least one, all on one grid, with the same parts and pitches and as many ticks per beat.

    Raises:
        ShapeError: no rolls.
        GridError: rolls of different grids or ticks per beat.
        PitchRangeError: rolls of different parts or pitches.

    Example:
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange
        >>> silence = PianoRoll.silent(8, pitches=PitchRange(60, 71))
        >>> note = PianoRoll.from_active(np.eye(1, 12, dtype=bool), pitches=PitchRange(60, 71))
        >>> concatenate([silence, note, silence, note]).active[:, 0].nonzero()[0]
        array([ 8, 17])
    """
    rolls = list(rolls)
    if not rolls:
        raise ShapeError("concatenate needs at least one roll.")
    first = rolls[0]
    tempo, meter, num_frames = first.tempo, first.meter, len(first)
    for roll in rolls[1:]:
        if roll.pitches != first.pitches and len(roll.parts) == len(first.parts) == 1:
            raise PitchRangeError(
                f"Cannot concatenate rolls of {first.pitches} and {roll.pitches}. Convert one with "
                f"roll.with_pitches(...)."
            )
        if roll.grid != first.grid or roll.tempo.ticks_per_beat != tempo.ticks_per_beat:
            raise GridError(
                f"Cannot concatenate rolls on {first.grid} with {tempo.ticks_per_beat} ticks per beat, and on "
                f"{roll.grid} with {roll.tempo.ticks_per_beat}. Read them on one grid."
            )
        if roll.parts != first.parts:
            label = repr(roll.name) if roll.name else "A roll"
            FrameLayout.of(first).check(roll, label, owner="the roll before it")
        tick = int(first.grid.ticks_at(np.array([num_frames]), tempo)[0])
        tempo = tempo.concatenate(roll.tempo, tick)
        meter = meter.concatenate(roll.meter, tick, ticks_per_beat=tempo.ticks_per_beat)
        num_frames += len(roll)
    velocities = filled_velocities([planes_of(roll) for roll in rolls])
    planes = Planes(
        np.concatenate([roll.active for roll in rolls]),
        np.concatenate([roll.onset for roll in rolls]),
        None if velocities[0] is None else np.concatenate(velocities),  # type: ignore[arg-type]
    )
    return with_planes(first, planes, tempo=tempo, meter=meter)


def planes_of(roll: "PianoRoll") -> Planes:
    """The planes of a roll."""
    return Planes(roll.active, roll.onset, roll.velocity)


def stack(rolls: "Mapping[str, PianoRoll] | Iterable[PianoRoll]") -> "PianoRoll":
    """Rolls that sound together, as the parts of one roll: see :meth:`PianoRoll.stack`."""
    layers = [_named(roll, name) for name, roll in rolls.items()] if isinstance(rolls, Mapping) else list(rolls)
    if not layers:
        raise ShapeError("PianoRoll.stack needs at least one roll.")
    first = layers[0]
    parts = named_parts([part for roll in layers for part in roll.parts], PIANO, owner="PianoRoll.stack")
    for roll in layers[1:]:
        label, expected = _label(roll), _label(first)
        if roll.grid != first.grid or roll.tempo != first.tempo:
            raise GridError(
                f"Cannot stack {expected} on {first.grid} with {first.tempo}, and {label} on {roll.grid} with "
                f"{roll.tempo}. Read them on one grid, with one tempo."
            )
        if len(roll) != len(first):
            raise ShapeError(
                f"Cannot stack {expected} of {len(first)} frames and {label} of {len(roll)}. Cut the longer one, as "
                f"roll[:{min(len(roll), len(first))}], or add silence to the shorter one: "
                f"roll + PianoRoll.silent({abs(len(roll) - len(first))}, grid=roll.grid, pitches=roll.pitches)."
            )
    velocities = filled_velocities([planes_of(roll) for roll in layers])
    planes = Planes(
        np.concatenate([roll.active for roll in layers], axis=1),
        np.concatenate([roll.onset for roll in layers], axis=1),
        None if velocities[0] is None else np.concatenate(velocities, axis=1),  # type: ignore[arg-type]
    )
    return with_planes(first, planes, parts, meter=next((roll.meter for roll in layers if roll.meter), first.meter))


def _named(roll: "PianoRoll", name: str) -> "PianoRoll":
    """A roll of one part, with another name of the part."""
    if len(roll.parts) != 1:
        raise SettingsError(
            f"PianoRoll.stack: {name!r} is a roll of {len(roll.parts)} parts. Pass rolls of several parts in a list."
        )
    return with_planes(roll, planes_of(roll), (replace(roll.parts[0], name=name),))


def _label(roll: "PianoRoll") -> str:
    return f"the part {roll.parts[0].name!r}" if len(roll.parts) == 1 else f"the parts {listed(roll.part_names)}"


def with_parts(roll: "PianoRoll", names: Sequence[str]) -> "PianoRoll":
    """Some parts of a roll, in the order of the names."""
    if not names:
        raise SettingsError(f"roll[[]] has no parts. Name some of [{listed(roll.part_names, quoted=True)}].")
    columns, by_name = columns_of_parts(roll.parts), {part.name: part for part in roll.parts}
    for name in names:
        if not isinstance(name, str) or name not in columns:  # type: ignore[redundant-expr]
            roll.columns(name)  # says that it has no such part
    parts = named_parts([by_name[name] for name in names], PIANO, owner="roll[[...]]")
    slices = [columns[name] for name in names]
    if len(slices) == 1:
        return with_planes(roll, planes_of(roll).map(lambda plane: plane[:, slices[0]]), parts)
    planes = planes_of(roll).map(lambda plane: np.concatenate([plane[:, one] for one in slices], axis=1))
    return with_planes(roll, planes, parts)


def merged(roll: "PianoRoll", *, drums: bool = False) -> "PianoRoll":
    """All parts of a roll in one: see :meth:`PianoRoll.merged`."""
    chosen = [part for part in roll.parts if drums or not part.drums]
    if not chosen:
        raise NoNotesError(f"{roll.name or 'The roll'} has only drums. Pass drums=True to merge them.")
    whole = Part(
        program=common_program(chosen),
        drums=all(part.drums for part in chosen),
        pitches=PitchRange(min(part.pitches.lowest for part in chosen), max(part.pitches.highest for part in chosen)),
    )
    planes = planes_of(roll).map(lambda plane: _merged_plane(roll, plane, chosen, whole))
    return with_planes(roll, planes, (whole,))


def _merged_plane(roll: "PianoRoll", plane: np.ndarray, parts: Sequence[Part], whole: Part) -> np.ndarray:
    """The highest value of each pitch."""
    together = np.zeros((len(roll), len(whole.pitches)), dtype=plane.dtype)
    columns = columns_of_parts(roll.parts)
    for part in parts:
        start = part.pitches.lowest - whole.pitches.lowest
        here = together[:, start : start + len(part.pitches)]
        np.maximum(here, plane[:, columns[part.name]], out=here)
    return together
