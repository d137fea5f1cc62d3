"""Which parts of a score become which parts of a roll."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, TypeGuard, cast

import numpy as np

from pianoroll_seq2seq._internal.whole_numbers import is_whole
from pianoroll_seq2seq.errors import MidiError, NoNotesError, SettingsError
from pianoroll_seq2seq.parts import Part, common_program, listed, matching_parts, named_parts, one_part
from pianoroll_seq2seq.pitches import PIANO, PitchRange

PartSelection = str | int | Mapping[str, Any]
"""A track by name or index, or the keyword arguments of :meth:`~pianoroll_seq2seq.score.Score.select`."""

PartsOption = Literal["tracks"] | Sequence[str] | Sequence[Part] | Mapping[str, PartSelection] | None
"""Which parts a roll gets: see :meth:`~pianoroll_seq2seq.pianoroll.PianoRoll.from_midi`."""


def choose_parts(
    found: Sequence[Part],
    option: PartsOption,
    *,
    pitches: PitchRange | Mapping[str, PitchRange],
    drums: bool | None,
    label: str,
) -> tuple[tuple[Part, ...], list[Sequence[int]]]:
    """The parts of a roll, and for each the indices of the parts of a score that make it.

    Args:
        found: the parts of the score.
        option: ``"tracks"``, names of tracks, a mapping from names to selections, or the parts of a layout.
        pitches: the pitches of all parts, or of each by its name. The parts of a layout have their own.
        drums: whether ``"tracks"`` keeps drums; they are kept by default. Of a selection with pitched parts and drums,
            the drums are kept only if it is true.
        label: what error messages call the score.

    Raises:
        SettingsError: another option, selections that overlap, or pitches for unknown parts.
        MidiError: a selection without a part.

    Example:
        >>> parts, indices = choose_parts([Part("tune"), Part("tune")], "tracks", pitches=PIANO, drums=None, label="x")
        >>> [part.name for part in parts], indices
        (['tune', 'tune 2'], [[0], [1]])
    """
    if is_layout(option):
        return named_parts(option, PIANO, owner="parts"), _like(found, option, label)
    if isinstance(option, str) and option == "tracks":
        indices: list[Sequence[int]] = [
            [index] for index, part in enumerate(found) if drums in (None, True) or not part.drums
        ]
        names = _track_names([found[first] for (first,) in indices])
    else:
        selections = named_selections(option)
        names = list(selections)
        indices = [
            _select(found, selection, name, label, drums=drums is True) for name, selection in selections.items()
        ]
        _check_overlaps(found, names, indices, label)
    ranges = pitches if isinstance(pitches, Mapping) else {}
    unknown = sorted(set(ranges) - set(names))
    if unknown:
        raise SettingsError(f"{label}: pitches for {unknown[0]!r}, but its parts are {names}.")
    default = PIANO if isinstance(pitches, Mapping) else pitches
    parts = tuple(
        Part(
            name,
            common_program([found[index] for index in chosen]),
            all(found[index].drums for index in chosen),
            pitches=ranges.get(name, default),
        )
        for name, chosen in zip(names, indices, strict=True)
    )
    return parts, indices


def is_one_part(option: PartsOption) -> bool:
    """Whether all pitched notes are in one part: by default, or in the only part of a layout."""
    return option is None or (is_layout(option) and len(option) == 1 and not option[0].drums)


def check_option(option: PartsOption) -> None:
    """Validates an option before any file is read.

    Raises:
        SettingsError: as :func:`named_selections`; or the parts of a layout without names, or with the same.
    """
    if is_layout(option):
        named_parts(option, PIANO, owner="parts")
    elif option is not None and not (isinstance(option, str) and option == "tracks"):
        named_selections(option)


def is_layout(option: PartsOption) -> TypeGuard[Sequence[Part]]:
    """Whether the option is the parts of a layout."""
    listed = isinstance(option, Sequence) and not isinstance(option, str)
    return listed and bool(option) and all(isinstance(one, Part) for one in cast(Sequence[Any], option))


def _like(found: Sequence[Part], wanted: Sequence[Part], label: str) -> list[Sequence[int]]:
    """The indices of the parts with the names of others, or else of as many parts, in their order.

    Names count as the tracks have them, or else as ``"tracks"`` gives them. Drums are found among drums.

    Raises:
        MidiError: no such parts; the message lists the names.
    """
    if len(wanted) == 1:
        return [[index for index, part in enumerate(found) if part.drums == wanted[0].drums]]
    for names in ([part.name for part in found], _track_names(found)):
        named = _with_names(found, names, wanted)
        if named is not None:
            return named
    of_kind = {drums: [i for i, part in enumerate(found) if part.drums == drums] for drums in (False, True)}
    if any(len(of_kind[drums]) != sum(part.drums == drums for part in wanted) for drums in of_kind):
        raise MidiError(
            f"{label}: it needs tracks named {listed(part.name for part in wanted)}, or as many tracks in this order; "
            f"it has {_with_their_names(found)}. Name its tracks, or in Python read it with "
            f"parts={{{wanted[0].name!r}: ...}}. A file with a melody alone is for `fill --harmonize`, or harmonize()."
        )
    next_of_kind = {drums: iter(indices) for drums, indices in of_kind.items()}
    return [[next(next_of_kind[part.drums])] for part in wanted]


def _with_their_names(found: Sequence[Part]) -> str:
    """The number of tracks and their names, for a message."""
    tracks = "one track" if len(found) == 1 else f"{len(found)} tracks"
    if not any(part.name for part in found):
        return f"{tracks} without {'a name' if len(found) == 1 else 'names'}"
    return f"{tracks}, {listed([part.name for part in found], quoted=True)}"


def _with_names(found: Sequence[Part], names: Sequence[str], wanted: Sequence[Part]) -> list[Sequence[int]] | None:
    """The indices of the parts with the name and the kind of each part that is wanted; None if one has none of its own.

    A name in other capitals counts where no part has the name itself.
    """
    exact, in_any_case = defaultdict(list), defaultdict(list)
    for index, (name, part) in enumerate(zip(names, found, strict=True)):
        exact[name, part.drums].append(index)
        in_any_case[name.casefold(), part.drums].append(index)
    named: list[Sequence[int]] = [
        exact.get((part.name, part.drums)) or in_any_case[part.name.casefold(), part.drums] for part in wanted
    ]
    chosen = list(chain(*named))
    return named if all(named) and len(set(chosen)) == len(chosen) else None


def named_selections(option: PartsOption) -> dict[str, Mapping[str, Any]]:
    """The keyword arguments that select the notes of each part, by its name.

    Args:
        option: names of tracks, or a mapping from names to selections.

    Raises:
        SettingsError: another option, a name twice, or an argument that is unknown, of another type, or missing.

    Example:
        >>> named_selections({"melody": "MELODY", "bass": {"program": 33}})
        {'melody': {'track': 'MELODY'}, 'bass': {'program': 33}}
    """
    texts = (str, bytes, bytearray)
    if isinstance(option, texts) or not isinstance(option, Sequence | Mapping) or not option or is_layout(option):
        raise SettingsError(
            f"parts must be None, 'tracks', names of tracks such as ['MELODY', 'PIANO'], or a mapping such as "
            f"{{'melody': 'MELODY', 'bass': {{'program': 33}}}}; got {option!r}."
        )
    named: Iterable[tuple[Any, Any]] = (
        option.items() if isinstance(option, Mapping) else ((name, name) for name in option)
    )
    selections: dict[str, Mapping[str, Any]] = {}
    for name, selection in named:
        arguments = selection if isinstance(selection, Mapping) else {"track": selection}
        _check_arguments(name, arguments)
        if name in selections:
            raise SettingsError(f"parts names the track {name!r} twice. Name each once.")
        selections[name] = arguments
    return selections


def _check_arguments(name: object, arguments: Mapping[str, Any]) -> None:
    """Validates the name of a part, and the arguments that select its notes."""
    if not isinstance(name, str) or not name:
        raise SettingsError(f"parts: the name of a part must be a text such as 'melody', got {name!r}.")
    unknown = [argument for argument in arguments if argument not in _ARGUMENTS]
    if unknown or all(value is None for value in arguments.values()):
        raise SettingsError(
            f"parts: {name!r} selects by {unknown or 'nothing'}. Select by track, program, channel or drums, such as "
            f"{{'drums': False}} for all notes but those of drums."
        )
    for argument, value in arguments.items():
        is_kind, expected = _ARGUMENTS[argument]
        if value is not None and not is_kind(value):
            raise SettingsError(f"parts: {name!r} selects by {argument}={value!r}; it must be {expected}.")


def _is_bool(value: object) -> bool:
    return isinstance(value, (bool, np.bool_))


def _is_number(value: object) -> bool:
    return is_whole(value) and not _is_bool(value)


_ARGUMENTS: dict[object, tuple[Callable[[object], bool], str]] = {
    "track": (lambda value: isinstance(value, str) or _is_number(value), "the name of a track or its index"),
    "program": (_is_number, "a General MIDI program, 0..127"),
    "channel": (_is_number, "a channel, 0..15"),
    "drums": (_is_bool, "True or False"),
}


def _select(
    found: Sequence[Part], arguments: Mapping[str, Any], name: str, label: str, *, drums: bool
) -> Sequence[int]:
    """The indices of the parts of a selection. If some are pitched, drums are left out by default."""
    label = f"{label}, part {name!r}"
    chosen = matching_parts(found, **{"track": None, "program": None, "channel": None, **arguments}, label=label)
    if drums or arguments.get("drums") is not None:
        return chosen
    return [index for index in chosen if not found[index].drums] or chosen


def _check_overlaps(found: Sequence[Part], names: Sequence[str], indices: Sequence[Sequence[int]], label: str) -> None:
    owner: dict[int, str] = {}
    for name, chosen in zip(names, indices, strict=True):
        for index in chosen:
            if index in owner:
                raise SettingsError(
                    f"{label}: the parts {owner[index]!r} and {name!r} both select track {found[index].track} "
                    f"{found[index].name!r}. Narrow one of the selections."
                )
            owner[index] = name


def _track_names(parts: Sequence[Part]) -> list[str]:
    """A name of its own for each part: its track's, or "drums", or its track's index."""
    return distinct_names([part.name or _default_name(part, index) for index, part in enumerate(parts)])


def _default_name(part: Part, index: int) -> str:
    if part.drums:
        return "drums"
    return f"track {index if part.track is None else part.track}"


def distinct_names(names: Sequence[str]) -> list[str]:
    """The names, with a number after each that occurs again."""
    distinct: dict[str, None] = {}
    last_numbers: dict[str, int] = {}
    for name in names:
        number, candidate = last_numbers.get(name, 1), name
        while candidate in distinct:
            number += 1
            candidate = f"{name} {number}"
        last_numbers[name] = number
        distinct[candidate] = None
    return list(distinct)


def columns_by_part(
    found: Sequence[tuple[Part, Sequence[np.ndarray]]],
    option: PartsOption,
    *,
    pitches: PitchRange | Mapping[str, PitchRange],
    drums: bool | None,
    velocity: bool,
    label: str,
) -> tuple[tuple[Part, ...], list[list[np.ndarray]]]:
    """The parts of a roll, and the columns of their notes.

    Args:
        found: the parts of a score, each with its onset ticks, end ticks, pitches and velocities.
        option: which parts the roll has; None for all in one.
        pitches: the pitches of all parts, or of each by its name.
        drums: whether to keep drums; by default only as parts of their own (see :func:`choose_parts`).
        velocity: whether to keep velocities.
        label: what error messages call the score.

    Raises:
        NoNotesError: no notes, or only drums.
        SettingsError, MidiError: as :func:`choose_parts`; also pitches by name without ``parts``.
    """
    chosen: list[list[Sequence[np.ndarray]]]
    if option is None:
        if isinstance(pitches, Mapping):
            raise SettingsError(f"{label}: pitches for {list(pitches)} need parts=..., such as parts='tracks'.")
        parts: tuple[Part, ...] = one_part(pitches)
        chosen = [[columns for part, columns in found if drums or not part.drums]]
    else:
        parts, indices = choose_parts([part for part, _ in found], option, pitches=pitches, drums=drums, label=label)
        chosen = [[found[index][1] for index in of_part] for of_part in indices]
    if not any(chosen):
        hint = " It has drums: pass drums=True to keep them." if found else ""
        raise NoNotesError(f"{label}: no notes.{hint}")
    count = 4 if velocity else 3
    return parts, [_together(columns, count) for columns in chosen]


def _together(parts: Sequence[Sequence[np.ndarray]], count: int) -> list[np.ndarray]:
    """The first columns of some parts, one part after another."""
    if len(parts) == 1:
        return list(parts[0][:count])
    return [np.concatenate(column) for column in list(zip(*parts, strict=True))[:count]]
