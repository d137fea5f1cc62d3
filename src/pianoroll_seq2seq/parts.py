"""Parts: the melody, the voices, the instruments of a score, of a roll and of a model's frames."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq._internal.whole_numbers import is_whole
from pianoroll_seq2seq.errors import MidiError, SettingsError
from pianoroll_seq2seq.pitches import PIANO, PitchRange

DRUM_CHANNEL = 9
"""The channel of the drums, counted from 0; in MIDI programs, where channels count from 1, it is channel 10."""

_PARTS_LISTED = 12  # in a message


@dataclass(frozen=True)
class Part:
    """One part of a score or a roll: a melody, a voice, an instrument.

    In a score that was read from MIDI it is the notes of a track on one channel with one program. In a roll, and in the
    layout of a model's frames, it is a block of columns.

    Args:
        name: the track's name.
        program: General MIDI program, 0..127 (0 is a grand piano).
        drums: whether it is a drum kit (channel 10, and channels that a file makes drums), whose note numbers are
            instruments, not pitches.
        track: index of the track in the file it was read from, counted from 0; not compared.
        channel: its channel there, 0..15; not compared.
        pitches: in a roll or a layout, the pitches of its columns. A score does not use it.

    Raises:
        MidiError: a program out of range.
        SettingsError: a name that is no text, drums that are neither true nor false, or pitches that are no range.

    Example:
        >>> Part("left hand", program=32) == Part("left hand", program=32, track=2, channel=1)
        True
    """

    name: str = ""
    program: int = 0
    drums: bool = False
    track: int | None = field(default=None, compare=False)
    channel: int | None = field(default=None, compare=False)
    pitches: PitchRange = PIANO

    def __post_init__(self) -> None:
        """Validates the fields."""
        if not isinstance(self.name, str):
            raise SettingsError(f"The name of a part must be a text, such as Part('melody'), got {self.name!r}.")
        if not is_whole(self.program) or not 0 <= self.program <= 127:
            raise MidiError(f"Part {self.name!r}: program must be in 0..127, got {self.program!r}.")
        if self.drums not in (True, False):
            raise SettingsError(f"Part {self.name!r}: drums must be True or False, got {self.drums!r}.")
        if not isinstance(self.pitches, PitchRange):
            raise SettingsError(f"Part {self.name!r}: pitches must be a PitchRange(36, 59), got {self.pitches!r}.")

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, except the track and the channel."""
        return {"name": self.name, "program": self.program, "drums": self.drums, "pitches": self.pitches}


@cache
def one_part(pitches: PitchRange) -> tuple[Part]:
    """The parts of music of one part, which has no name."""
    return (Part(pitches=pitches),)


def named_parts(parts: Iterable[Part], pitches: PitchRange, *, owner: str) -> tuple[Part, ...]:
    """The parts of a roll or a layout, checked: at least one, each with a name of its own if there are several.

    Args:
        parts: the parts; none for one part without a name.
        pitches: the pitches of one part; the default for those that it has. With several parts, the default or the
            pitches that they span.
        owner: what the error message calls the owner of the parts.

    Raises:
        SettingsError: parts of another type, without a name, with the same name, or of other pitches.
    """
    if not isinstance(parts, Iterable):
        raise SettingsError(f"{owner}.parts must be a list of parts, such as [Part('melody')], got {parts!r}.")
    parts = tuple(parts)
    if not parts:
        return one_part(pitches)
    for part in parts:
        if not isinstance(part, Part):
            raise SettingsError(f"{owner}.parts must be Part objects, such as Part('melody'), got {part!r}.")
    if len(parts) == 1:
        return (replace(parts[0], pitches=pitches),) if pitches not in (PIANO, parts[0].pitches) else parts
    names = [part.name for part in parts]
    if "" in names:
        raise SettingsError(f"{owner}: part {names.index('') + 1} of {len(parts)} has no name. Name each part.")
    double, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise SettingsError(f"{owner}: several parts are named {double!r}. Give each part a name of its own.")
    if pitches not in (PIANO, spanned_pitches(parts)):
        raise SettingsError(
            f"{owner}.pitches is {pitches}, but its parts have {spanned_pitches(parts)}. Pass the pitches in the "
            f"parts only."
        )
    return parts


def spanned_pitches(parts: Sequence[Part]) -> PitchRange:
    """The range that holds the pitches of all parts, or of all but the drums if there are others."""
    if len(parts) == 1:
        return parts[0].pitches
    ranges = [part.pitches for part in parts if not part.drums] or [part.pitches for part in parts]
    return PitchRange(min(one.lowest for one in ranges), max(one.highest for one in ranges))


def common_program(parts: Sequence[Part]) -> int:
    """The program that all parts have, or all but the drums if there are others; 0 if they differ."""
    programs = {part.program for part in parts if not part.drums} or {part.program for part in parts}
    return programs.pop() if len(programs) == 1 else 0


def columns_of_parts(parts: Iterable[Part]) -> dict[str, slice]:
    """The columns of each part by its name, where the columns of the parts follow one another."""
    columns, start = {}, 0
    for part in parts:
        columns[part.name] = slice(start, start := start + len(part.pitches))
    return columns


def part_columns(parts: Sequence[Part], name: str, *, owner: str) -> slice:
    """The columns of one part.

    Raises:
        SettingsError: no part of this name; the message lists the names.
    """
    columns = columns_of_parts(parts)
    if not isinstance(name, str) or name not in columns:  # type: ignore[redundant-expr]
        raise SettingsError(f"{owner} has no part {name!r}. Its parts are [{listed(columns, quoted=True)}].")
    return columns[name]


def listed(names: Iterable[str], *, quoted: bool = False) -> str:
    """The names of parts in a message: the first ones, as a terminal may show them.

    Example:
        >>> listed(["melody", "bass"]), listed([])
        ('melody, bass', 'no parts')
    """
    names = list(names)
    shown = [repr(name) if quoted else printable(name) for name in names[:_PARTS_LISTED]]
    more = [f"{len(names) - _PARTS_LISTED} more"] if len(names) > _PARTS_LISTED else []
    return ", ".join([*shown, *more]) or "no parts"


def matching_parts(
    parts: Sequence[Part],
    *,
    track: int | str | None,
    program: int | None,
    channel: int | None,
    drums: bool | None = None,
    label: str,
) -> Sequence[int]:
    """The indices of the parts that match all given arguments (see :meth:`~pianoroll_seq2seq.score.Score.select`).

    Raises:
        MidiError: no part matches; the message lists the parts.
    """
    chosen = [
        index
        for index, part in enumerate(parts)
        if track in (None, part.name if isinstance(track, str) else part.track)
        and (program is None or (part.program == program and not part.drums))
        and channel in (None, part.channel)
        and drums in (None, part.drums)
    ]
    if not chosen:
        listed = "; ".join(
            f"track {part.track} {part.name!r}, program {part.program}, channel {part.channel}"
            for part in parts[:_PARTS_LISTED]
        )
        more = f" and {len(parts) - _PARTS_LISTED} more" if len(parts) > _PARTS_LISTED else ""
        wanted = f"track={track!r}, program={program!r}, channel={channel!r}" + (
            f", drums={drums!r}" if drums is not None else ""
        )
        raise MidiError(f"{label}: no part with {wanted}. It has: {listed or 'no parts'}{more}.")
    return chosen
