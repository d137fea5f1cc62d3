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

_DEFAULT_STRENGTH = 0.5
READING = Group("Reading the piece", sort_key=10)


def _bars(_hint: Any, tokens: Sequence[Token]) -> tuple[int, int]:
    """Converts ``5-8`` or ``5`` to the first and the last bar."""
    found = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", tokens[0].value.strip())
    if found is None or int(found[1]) > int(found[2] or found[1]):
        raise CoercionError(msg="expected bars such as 5-8, or 5, with the first one first.", token=tokens[0])
    return int(found[1]), int(found[2] or found[1])


def _varied(hint: Any, tokens: Sequence[Token]) -> tuple[int, int] | str:
    """Converts as :func:`_bars`, or to ``all``."""
    return "all" if tokens[0].value.strip() == "all" else _bars(hint, tokens)


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
    vary: Annotated[
        Literal["all"] | tuple[int, int] | None,
        Parameter(metavar="all|BARS", show_choices=False, converter=_varied, n_tokens=1),
    ] = None
    """Bars of which the model writes a variation, such as 5-8, or all: some beats of each part stay, which the seed
    chooses. With --parts, these parts there; with --given, all parts but these."""
    strength: float | None = None
    """With --vary: the probability that a beat of a part is written anew, above 0 and at most 1; 0.5 by default."""

    def __post_init__(self) -> None:
        """Validates that something is to be written, and that it is said once."""
        chosen = [f"--{name}" for name in ("given", "parts", "bars", "vary") if getattr(self, name) is not None]
        if self.harmonize and chosen:
            raise SettingsError(f"--harmonize writes all parts but the melody. Leave out {' and '.join(chosen)}.")
        if self.given is not None and self.parts is not None:
            raise SettingsError("Name the parts that are given or those to write, --given or --parts, not both.")
        if self.bars is not None and self.vary is not None:
            raise SettingsError("Name the bars to write anew or those to vary, --bars or --vary, not both.")
        if self.strength is not None and self.vary is None:
            raise SettingsError("--strength is for variations. Add --vary all, or --vary with bars, or leave it out.")
        if self.strength is not None and not 0 < self.strength <= 1:
            raise SettingsError(f"--strength must be above 0 and at most 1, got {self.strength}.")

    def expression(self) -> "Given | None":
        """What is given; None for a melody, and for a variation, which depends on the piece.

        Raises:
            SettingsError: no option says what is to be written.
        """
        from pianoroll_seq2seq.given import Given, bars_of

        if self.harmonize or self.vary is not None:
            return None
        if (self.given, self.parts, self.bars) == (None, None, None):
            raise SettingsError(
                "Nothing is to be written. Add --harmonize for a melody, --given PARTS, --parts PARTS, --bars 5-8 or "
                "--vary 5-8."
            )
        written = ~Given.nothing() if self.bars is None else bars_of(self.bars)
        if self.parts is not None:
            written &= Given.parts(*_names(self.parts))
        if self.given is not None:
            written &= ~Given.parts(*_names(self.given))
        return ~written

    def variation(self, roll: "PianoRoll", seed: int) -> "Given":
        """What is given of a piece to vary.

        Args:
            roll: the piece, with all parts of the model.
            seed: chooses the beats that stay.
        """
        from pianoroll_seq2seq.sampling.arranging import given_to_vary

        bars = None if self.vary == "all" else self.vary
        parts = None if self.parts is None else _names(self.parts)
        if self.given is not None:
            parts = [name for name in roll.part_names if name not in _names(self.given)]
        strength = _DEFAULT_STRENGTH if self.strength is None else self.strength
        return given_to_vary(roll, bars, parts=parts, keep=1 - strength, seed=seed)


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

        writes_anew = what.bars is None and what.vary is None
        missing: Literal["error", "silent"] = "silent" if writes_anew else "error"
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
