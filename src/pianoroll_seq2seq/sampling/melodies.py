"""Rolls of some parts of a model as rolls of all of them; and a melody as one of its parts."""

import warnings
from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from pianoroll_seq2seq.errors import PitchRangeError, SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import choose_layout
from pianoroll_seq2seq.parts import Part, listed
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES, PitchRange
from pianoroll_seq2seq.quantize import Planes

_NOTES_SHOWN = 3  # in a message


def melody_part(model: object, layout: FrameLayout | None, name: str | None) -> tuple[Part, FrameLayout]:
    """The part of a model that a melody is, and the model's layout.

    Args:
        model: the model.
        layout: the layout of a model without one.
        name: the name of the part; the first one that is no drums by default.

    Raises:
        SettingsError: a model of one part, or without the part, or no layout.
    """
    own = _layout(model, layout)
    if len(own.parts) < 2:
        raise SettingsError(
            "This model has one part, so it cannot write others to a melody. Use one of several parts, such as "
            "bach-chorales."
        )
    found = [part for part in own.parts if part.name == name or (name is None and not part.drums)]
    if not found:
        raise SettingsError(
            f"The model has no part {name!r}. Its parts are [{listed((part.name for part in own.parts), quoted=True)}]."
        )
    return found[0], own


def with_melody(
    model: object,
    melody: PianoRoll,
    part: Part,
    layout: FrameLayout,
    *,
    octaves: int | Literal["auto"],
    chords: Literal["error", "highest"],
) -> PianoRoll:
    """A roll of all parts, silent but for a melody: see :func:`~pianoroll_seq2seq.sampling.harmonize`."""
    label = repr(melody.name) if melody.name else "The melody"
    if len(melody.parts) != 1:
        raise SettingsError(
            f"{label} has the parts {listed(melody.part_names)}. Pass one of them, as roll[{melody.part_names[0]!r}]."
        )
    if chords not in ("error", "highest"):
        raise SettingsError(f"chords must be 'error' or 'highest', got {chords!r}.")
    alone = FrameLayout(layout.grid, planes=layout.planes, parts=(part,))
    if melody.grid != layout.grid:
        alone.check(melody, label)
    if chords == "highest":
        melody = _highest_notes(melody)
    melody = _in_range(melody, part, octaves, label)
    roll = with_missing_parts(model, replace(melody, parts=(part,), pitches=part.pitches), layout)
    if chords == "error":
        _check_one_note(model, roll, part, layout, label)
    return roll


def with_missing_parts(model: object, roll: PianoRoll, layout: FrameLayout | None) -> PianoRoll:
    """A roll with all parts of a model, in their order: parts that it lacks are silent.

    Raises:
        SettingsError: no layout.
        PitchRangeError: notes outside the pitches of their part.
    """
    own = _layout(model, layout)
    if not set(roll.part_names) <= {part.name for part in own.parts} or len(own.parts) == 1:
        return roll  # filling says what is wrong
    roll = roll.with_pitches({part.name: part.pitches for part in own.parts if part.name in roll.part_names})
    planes = Planes(roll.active, roll.onset, roll.velocity).map(lambda plane: _spread(roll, plane, own))
    by_name = dict(zip(roll.part_names, roll.parts, strict=True))
    parts = tuple(by_name.get(part.name, part) for part in own.parts)
    return replace(roll, **planes._asdict(), parts=parts, pitches=own.pitches)


def _spread(roll: PianoRoll, plane: np.ndarray, layout: FrameLayout) -> np.ndarray:
    """A plane with the columns of all parts of a layout."""
    spread = np.zeros((len(plane), layout.plane_size), dtype=plane.dtype)
    for name in roll.part_names:
        spread[:, layout.columns("active", name)] = plane[:, roll.columns(name)]
    return spread


def _layout(model: object, layout: FrameLayout | None) -> FrameLayout:
    own = choose_layout(model, layout)
    if own is None:
        raise SettingsError("The model has no layout that names its parts. Pass layout=FrameLayout(grid, parts=...).")
    return own


def _in_range(melody: PianoRoll, part: Part, octaves: int | Literal["auto"], label: str) -> PianoRoll:
    """A melody in the pitches of a part, some octaves higher or lower.

    Raises:
        PitchRangeError: notes outside them.
    """
    pitch = melody.notes().pitch
    if octaves == "auto":
        octaves = _fewest_octaves(pitch, part.pitches)
        if octaves:
            way = "higher" if octaves > 0 else "lower"
            warnings.warn(
                f"{label} is placed {_counted(abs(octaves), 'octave')} {way}, so that all of its notes are in the "
                f"range of {part.name}, {_named(part.pitches)}.",
                UserWarning,
                stacklevel=4,
            )
    elif isinstance(octaves, bool) or not isinstance(octaves, int):
        raise SettingsError(f"octaves must be a whole number or 'auto', got {octaves!r}.")
    placed = pitch + 12 * octaves
    outside = ~part.pitches.contains(placed)
    if outside.any():
        raise PitchRangeError(_outside_message(melody, placed, outside, part, label))
    return melody.with_pitches(ALL_PITCHES).transpose(12 * octaves).with_pitches(part.pitches)


def _fewest_octaves(pitch: np.ndarray, pitches: PitchRange) -> int:
    """The fewest octaves with which all pitches are in a range; 0 if there are none such."""
    for octaves in sorted(range(-10, 11), key=abs):
        if pitches.contains(pitch + 12 * octaves).all():
            return octaves
    return 0


def _outside_message(melody: PianoRoll, placed: np.ndarray, outside: np.ndarray, part: Part, label: str) -> str:
    """What is outside the range of a part, and what to do."""
    notes = melody.notes()
    order = np.flatnonzero(outside)[np.argsort(notes.onset_frame[outside], kind="stable")]
    names = [
        f"{PitchRange(0, 127).name_of(int(placed[index]))} in frame {notes.onset_frame[index]}"
        for index in order[:_NOTES_SHOWN]
        if 0 <= placed[index] <= 127
    ]
    shown = f" ({', '.join([*names, *(['...'] if len(order) > len(names) else [])])})" if names else ""
    if _fits_some_octave(notes.pitch, part.pitches):
        fix = "Place it in another octave: octaves='auto'."
    else:
        fix = "It does not fit in any octave. Transpose it, as melody.transpose(5), or choose another part."
    return (
        f"{label}: {len(order)} of {_counted(len(placed), 'note')} are outside the range of {part.name}, "
        f"{_named(part.pitches)}{shown}. {fix}"
    )


def _fits_some_octave(pitch: np.ndarray, pitches: PitchRange) -> bool:
    return bool(pitches.contains(pitch + 12 * _fewest_octaves(pitch, pitches)).all())


def _named(pitches: PitchRange) -> str:
    return f"{pitches.name_of(0)} to {pitches.name_of(len(pitches) - 1)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _highest_notes(melody: PianoRoll) -> PianoRoll:
    """The highest note of each frame."""
    size = melody.plane_size
    highest = np.where(melody.active, np.arange(1, size + 1), 0).max(axis=1, initial=0)
    keep = melody.active & (np.arange(1, size + 1) == highest[:, None])
    velocity = None if melody.velocity is None else melody.velocity * keep
    return replace(melody, active=keep, onset=melody.onset & keep, velocity=velocity)


def _check_one_note(model: object, roll: PianoRoll, part: Part, layout: FrameLayout, label: str) -> None:
    """Refuses a melody with several notes at once, for a model whose parts have one.

    Raises:
        SettingsError: names the first such frame.
    """
    find = getattr(getattr(model, "head", None), "chords", None)
    if find is None:
        return
    chords = find(torch.from_numpy(layout.to_float(roll.to_frames(layout))))[part.name].nonzero()[:, 0].tolist()
    if chords:
        beat = int(np.searchsorted(roll.beat_frames(), chords[0], side="right"))
        raise SettingsError(
            f"{label} has several notes at once in {_counted(len(chords), 'frame')}, the first one in frame "
            f"{chords[0]} (beat {beat}), but the model's parts have one note at a time. Pass chords='highest' to keep "
            f"the highest, or take a part with one note at a time, as roll['melody']."
        )
