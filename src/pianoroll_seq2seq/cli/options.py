"""Options that several commands share, and the types of option values."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import CoercionError, Group, Parameter, Token
from cyclopts.validators import Number

from pianoroll_seq2seq.errors import SettingsError

if TYPE_CHECKING:
    from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
    from pianoroll_seq2seq.part_selection import PartsOption
    from pianoroll_seq2seq.pitches import PitchRange

ARGUMENTS = Group("Arguments", sort_key=-1)
BASIC = Group("Options", sort_key=0)
"""The options that a newcomer needs."""
FRAMES = Group("Frames", sort_key=10)
NOTES = Group("Which notes of MIDI files count", sort_key=20)
DATA = Group("Data", sort_key=5)
GENERAL = Group("General options", sort_key=100)
SETS = ("scale-chords", "bach-chorales", "jsb", "nottingham", "musedata", "piano-midi")
"""The data sets with names."""


def whole_number(_hint: Any, tokens: Sequence[Token]) -> int:
    """Converts to an int. cyclopts alone would round 3.5 to 4."""
    try:
        return int(tokens[0].value)
    except ValueError as error:
        raise CoercionError(token=tokens[0], target_type=int) from error


def optional_whole_number(hint: Any, tokens: Sequence[Token]) -> int | None:
    """Converts to an int, and ``none`` to None."""
    return None if tokens[0].value.lower() == "none" else whole_number(hint, tokens)


def whole_pair(hint: Any, tokens: Sequence[Token]) -> tuple[int, ...]:
    """Converts two texts to ints."""
    if len(tokens) != 2:
        source = "" if tokens[0].source == "cli" else f" from {tokens[0].source}"
        raise CoercionError(
            msg=f"expected two whole numbers, got {len(tokens)}{source}.", token=tokens[0], target_type=int
        )
    return tuple(whole_number(hint, [token]) for token in tokens)


Whole = Annotated[int, Parameter(converter=whole_number)]
"""A whole number."""
Share = Annotated[float, Parameter(validator=Number(gte=0, lt=1))]
"""A number of at least 0 and below 1."""
Count = Annotated[int, Parameter(validator=Number(gte=1), converter=whole_number)]
"""A whole number of at least 1."""
OptionalWhole = Annotated[int | None, Parameter(converter=optional_whole_number)]
LowHigh: Parameter = Parameter(metavar="LOW HIGH")
OptionalCount = Annotated[int | None, Parameter(validator=Number(gte=1), converter=optional_whole_number)]


def values_of(tokens: Sequence[str], flag: str) -> list[str]:
    """The values of an option in arguments that are not parsed yet.

    Example:
        >>> values_of(["a", "--model", "X", "--model=Y", "--model", "--json"], "--model")
        ['X', 'Y']
        >>> values_of([], "--model")
        []
    """
    values = []
    for token, following in itertools.pairwise([*tokens, "--"]):
        if token == flag and not following.startswith("--"):
            values.append(following)
        elif token.startswith(f"{flag}="):
            values.append(token.partition("=")[2])
    return values


def lists_of(tokens: Sequence[str], flag: str) -> list[str]:
    """The values of an option that takes several, in arguments that are not parsed yet.

    Example:
        >>> lists_of(["a", "--classes", "X", "Y", "--json", "--classes=Z"], "--classes")
        ['X', 'Y', 'Z']
    """
    values: list[str] = []
    is_open = False
    for token in tokens:
        if token.startswith("-"):
            is_open = token == flag
            values += [token.partition("=")[2]] if token.startswith(f"{flag}=") else []
        elif is_open:
            values.append(token)
    return values


@Parameter(name="*", group=FRAMES)
@dataclass(frozen=True)
class GridOptions:
    """The grid of frames."""

    frames_per_beat: OptionalCount = None
    """Frames in a quarter note. Sixteenths are 4."""
    frame_seconds: Annotated[float | None, Parameter(validator=Number(gt=0))] = None
    """Length of a frame in seconds, instead of --frames-per-beat."""
    offset: Literal["auto"] | None = None
    """auto moves the music of each MIDI file onto the grid in beats by a constant number of ticks, at most half a
    frame. For files whose notes are all equally far from the beats; inspect finds them."""

    def __post_init__(self) -> None:
        """Validates the options."""
        if self.frames_per_beat is not None and self.frame_seconds is not None:
            raise SettingsError(
                f"Give --frames-per-beat or --frame-seconds, not both; got {self.frames_per_beat} and "
                f"{self.frame_seconds}."
            )
        if self.offset is not None and self.frame_seconds is not None:
            raise SettingsError(
                f"--offset {self.offset} is for a grid in beats. Give --frames-per-beat instead of --frame-seconds, or "
                f"leave out --offset."
            )

    def grid(self) -> "BeatGrid | SecondsGrid | None":
        """The grid, or None if no option was given; sixteenths if only --offset was."""
        from pianoroll_seq2seq.grid import SIXTEENTHS, BeatGrid, SecondsGrid

        if self.frame_seconds is not None:
            return SecondsGrid(self.frame_seconds)
        if self.frames_per_beat is None and self.offset is None:
            return None
        return BeatGrid(self.frames_per_beat or SIXTEENTHS.frames_per_beat, offset=self.offset)


@Parameter(name="*", group=FRAMES)
@dataclass(frozen=True)
class PitchOptions:
    """The pitches of a frame."""

    pitches: Annotated[tuple[int, int] | None, LowHigh, Parameter(converter=whole_pair)] = None
    """Lowest and highest MIDI pitch. Middle C is 60."""
    outside: Literal["error", "drop"] = "error"
    """Whether a file with notes outside the pitches is refused, or these notes are dropped."""

    def pitch_range(self) -> "PitchRange | None":
        """The pitches, or None if they were not given."""
        from pianoroll_seq2seq.pitches import PitchRange

        return None if self.pitches is None else PitchRange(*self.pitches)


@Parameter(name="*", group=DATA)
@dataclass(frozen=True)
class DataOptions:
    """The music to learn from."""

    data: Annotated[str, Parameter(group=BASIC, metavar="DATA")] = "scale-chords"
    """A folder of MIDI or MusicXML files, a corpus made by ingest, or a data set: scale-chords (built in),
    bach-chorales, jsb, nottingham, musedata or piano-midi (extra datasets)."""
    valid: Share = 0.1
    """Share of the pieces for choosing the best epoch."""
    test: Share = 0.1
    """Share of the pieces for the scores. They are never trained on."""
    verify: bool = False
    """First read all of a corpus, and compare its frames with their hashes."""


@Parameter(name="*", group=NOTES)
@dataclass(frozen=True)
class ReadingOptions:
    """What counts as a note."""

    parts: Annotated[str | None, Parameter(metavar="PARTS")] = None
    """tracks makes a part of each track, and drums parts of their own; names of tracks with commas between them, such
    as MELODY,PIANO, make a part of each of these. All notes are in one part by default."""
    track: Annotated[int | str | None, Parameter(metavar="TRACK")] = None
    """Read only this track, by its number or name."""
    program: OptionalWhole = None
    """Read only this General MIDI program, 0 to 127."""
    channel: OptionalWhole = None
    """Read only this channel, 0 to 15."""
    drums: bool = False
    """Read the drums (channel 10) as pitches. They are left out by default."""
    sustain: bool = False
    """Hold notes while the sustain pedal is down."""
    pairing: Literal["first", "last"] = "first"
    """A note-off ends the oldest or the latest sounding note of its pitch."""
    unended: Literal["drop", "hold"] = "drop"
    """Drop notes that never end, or hold them to the end of the track."""
    overlaps: Literal["keep", "cut"] = "keep"
    """Keep a note that overlaps the next note of its pitch, or cut it there."""
    zero_length: Literal["keep", "drop"] = "keep"
    """Keep notes without length, or drop them."""
    on_damage: Literal["error", "salvage"] = "error"
    """Refuse damaged files, or read them up to the damage."""

    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults, as arguments for reading MIDI files."""
        given = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        if self.parts is not None:
            given["parts"] = part_names(self.parts)
        return given


def part_names(option: str | None) -> "PartsOption":
    """The value of ``--parts`` as an argument for reading: None, ``tracks``, or the names of tracks."""
    return option if option in (None, "tracks") else [name.strip() for name in option.split(",")]
