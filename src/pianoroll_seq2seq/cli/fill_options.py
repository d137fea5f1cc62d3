"""The options of ``fill``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import CoercionError, Group, Parameter, Token

from pianoroll_seq2seq.cli.options import BASIC
from pianoroll_seq2seq.errors import SettingsError

if TYPE_CHECKING:
    from pianoroll_seq2seq.given import Given
    from pianoroll_seq2seq.layout import FrameLayout
    from pianoroll_seq2seq.pianoroll import PianoRoll

READING = Group("Reading the piece", sort_key=10)


def _bars(_hint: Any, tokens: Sequence[Token]) -> tuple[int, int]:
    """Converts ``5-8`` or ``5`` to the first and the last bar."""
    found = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", tokens[0].value.strip())
    if found is None or int(found[1]) > int(found[2] or found[1]):
        raise CoercionError(msg="expected bars such as 5-8, or 5, with the first one first.", token=tokens[0])
    return int(found[1]), int(found[2] or found[1])


def _octaves(_hint: Any, tokens: Sequence[Token]) -> int | str:
    """Converts to an int, or ``auto``."""
    value = tokens[0].value
    if value != "auto" and not re.fullmatch(r"[+-]?\d{1,2}", value):
        raise CoercionError(msg="expected auto or a whole number.", token=tokens[0])
    return value if value == "auto" else int(value)


@Parameter(name="*", group=BASIC)
@dataclass(frozen=True)
class GivenOptions:
    """What is given, and what is written."""

    harmonize: Annotated[bool, Parameter(negative=())] = False
    """SOURCE is a melody: write all other parts of the model."""
    given: Annotated[str | None, Parameter(metavar="PARTS")] = None
    """Parts that are given, with commas between them; the model writes the others."""
    parts: Annotated[str | None, Parameter(metavar="PARTS")] = None
    """Parts that the model writes, with commas between them; the others are given."""
    bars: Annotated[tuple[int, int] | None, Parameter(metavar="BARS", converter=_bars, n_tokens=1)] = None
    """Bars that the model writes, such as 5-8, numbered as in a score: from 1, and an upbeat is bar 0. The others are
    given. With --parts, these parts there; with --given, all parts but these."""

    def __post_init__(self) -> None:
        """Validates that something is to be written, and that it is said once."""
        chosen = [f"--{name}" for name in ("given", "parts", "bars") if getattr(self, name) is not None]
        if self.harmonize and chosen:
            raise SettingsError(f"--harmonize writes all parts but the melody. Leave out {' and '.join(chosen)}.")
        if self.given is not None and self.parts is not None:
            raise SettingsError("Name the parts that are given or those to write, --given or --parts, not both.")

    def expression(self) -> "Given | None":
        """What is given; None for a melody.

        Raises:
            SettingsError: no option says what is to be written.
        """
        from pianoroll_seq2seq.given import Given, bars_of

        if self.harmonize:
            return None
        if (self.given, self.parts, self.bars) == (None, None, None):
            raise SettingsError(
                "Nothing is to be written. Add --harmonize for a melody, --given PARTS, --parts PARTS or --bars 5-8."
            )
        written = ~Given.nothing() if self.bars is None else bars_of(self.bars)
        if self.parts is not None:
            written &= Given.parts(*_names(self.parts))
        if self.given is not None:
            written &= ~Given.parts(*_names(self.given))
        return ~written


@Parameter(name="*", group=READING)
@dataclass(frozen=True)
class PieceOptions:
    """How the piece is read."""

    part: Annotated[str | None, Parameter(metavar="PART")] = None
    """With --harmonize: the part of the model that the melody is; the first by default."""
    track: Annotated[int | str | None, Parameter(metavar="TRACK")] = None
    """With --harmonize: the track of the melody, by its number or name, if several have notes."""
    octaves: Annotated[
        Literal["auto"] | int, Parameter(metavar="auto|NUMBER", show_choices=False, converter=_octaves)
    ] = "auto"
    """With --harmonize: how many octaves higher the melody is placed, or lower below 0. auto takes the fewest with
    which all notes are in the range of the part, and says so."""
    chords: Literal["error", "highest"] = "error"
    """With --harmonize: refuse a melody with several notes at once, or keep the highest."""
    outside: Literal["error", "drop"] = "error"
    """Refuse a piece with notes outside the model's pitches, or drop these notes."""
    on_damage: Literal["error", "salvage"] = "error"
    """Refuse a damaged file, or read it up to the damage."""

    def read(self, source: Path, layout: "FrameLayout", what: GivenOptions) -> "PianoRoll":
        """The piece, with all parts of the model. Without bars, those that the model writes may be missing."""
        from pianoroll_seq2seq.pretrained.pieces import read_piece

        missing: Literal["error", "silent"] = "silent" if what.bars is None else "error"
        names = [] if what.given is None else _names(what.given)
        return read_piece(
            source,
            layout,
            missing=missing,
            alone=names[0] if len(names) == 1 else None,
            outside=self.outside,
            on_damage=self.on_damage,
        )

    def read_melody(self, source: Path, layout: "FrameLayout") -> "PianoRoll":
        """The melody, as a roll of one part."""
        from pianoroll_seq2seq.pretrained.pieces import read_melody

        return read_melody(source, layout, part=self.part, track=self.track, on_damage=self.on_damage)


def _names(option: str) -> list[str]:
    """The names in an option."""
    return [name.strip() for name in option.split(",")]
