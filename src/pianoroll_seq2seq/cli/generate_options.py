"""The options of ``generate``, which ``submit generate`` has too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from pianoroll_seq2seq.cli.options import BASIC, Count, OptionalCount, OptionalWhole, Whole
from pianoroll_seq2seq.errors import SettingsError

PRIMER = Group("Primer and length", sort_key=10)
SAMPLING = Group("Sampling", sort_key=20)
FILES = Group("Files", sort_key=30)
Velocity = Annotated[OptionalWhole, Parameter(validator=Number(gte=1, lte=127))]
Program = Annotated[OptionalWhole, Parameter(validator=Number(gte=0, lte=127))]
_MOST_BEATS = 10**6
_OptionalLength = Annotated[float | None, Parameter(validator=Number(gt=0))]


@Parameter(name="*", group=PRIMER)
@dataclass(frozen=True)
class PrimerOptions:
    """The beginning and the length of the music."""

    primer: Annotated[Path | None, Parameter(group=BASIC)] = None
    """MIDI or MusicXML file to continue. Without it the model begins from silence. A model of several parts takes the
    tracks with their names, or as many tracks in their order."""
    primer_frames: OptionalCount = None
    """Use only so many frames of the primer, from its first note on."""
    primer_beats: _OptionalLength = None
    """The same in beats."""
    primer_seconds: _OptionalLength = None
    """The same in seconds."""
    outside: Literal["error", "drop"] = "drop"
    """Refuse a primer with notes outside the model's pitches, or drop these notes and say how many."""
    on_damage: Literal["error", "salvage"] = "error"
    """Refuse a damaged primer, or read it up to the damage."""
    bpm: Annotated[float, Parameter(validator=Number(gt=0))] = 120.0
    """Beats per minute, if there is no primer."""
    beats: Annotated[_OptionalLength, Parameter(group=BASIC)] = None
    """Length of the new music in beats; 64 by default."""
    seconds: _OptionalLength = None
    """Length of the new music in seconds; 32 by default for a model with a grid in seconds."""
    num_frames: OptionalCount = None
    """Length of the new music in frames."""
    only_new: Annotated[bool, Parameter(negative=())] = False
    """Leave the primer out of the files."""

    def __post_init__(self) -> None:
        """Validates that lengths are given in one unit."""
        for names in (("primer_frames", "primer_beats", "primer_seconds"), ("num_frames", "beats", "seconds")):
            given = [f"--{name.replace('_', '-')} {getattr(self, name)}" for name in names if getattr(self, name)]
            if len(given) > 1:
                raise SettingsError(f"A length has one unit, got {' and '.join(given)}. Leave out all but one.")
            if given and self.primer is None and names[0] == "primer_frames":
                raise SettingsError(f"{given[0]} is for a primer. Add --primer FILE, or leave it out.")


@Parameter(name="*", group=SAMPLING)
@dataclass(frozen=True)
class SamplerOptions:
    """How frames are chosen from the model's distribution."""

    temperature: Annotated[float, Parameter(validator=Number(gt=0))] = 1.0
    """Below 1 for safer music, above 1 for bolder."""
    top_p: Annotated[float | None, Parameter(validator=Number(gt=0, lte=1))] = None
    """Sample from the most likely frames only, those that together have this probability."""
    threshold: Annotated[float | None, Parameter(validator=Number(gt=0, lte=1))] = None
    """Do not sample: every pitch with at least this probability sounds. The music tends to freeze."""
    parallels: Annotated[float | None, Parameter(validator=Number(gte=0, lte=1), metavar="FACTOR")] = None
    """Multiply the probability of parallel fifths and octaves by this, such as 0.1, for a model of several parts."""
    scale: Annotated[str | None, Parameter(metavar="SCALE")] = None
    """Keep to a scale, such as 'C major' or f#_dorian."""
    condition: Annotated[list[str] | None, Parameter(metavar="SCALE|NUMBERS")] = None
    """Condition for a model that takes one: the name of a scale, or its numbers."""
    seed: Annotated[Whole, Parameter(group=BASIC)] = 0
    """The same seed gives the same music."""

    def __post_init__(self) -> None:
        """Validates that a threshold comes without what is for samples."""
        for option, value in (("--top-p", self.top_p), ("--parallels", self.parallels)):
            if self.threshold is not None and value is not None:
                raise SettingsError(
                    f"--threshold {self.threshold} samples nothing, so {option} {value} has no effect. Leave one of "
                    f"them out."
                )
        if self.threshold is not None and self.temperature != 1.0:
            raise SettingsError(
                f"--threshold {self.threshold} samples nothing, so --temperature {self.temperature} has no effect. "
                f"Leave one of them out."
            )


@Parameter(name="*", group=SAMPLING)
@dataclass(frozen=True)
class SamplingOptions(SamplerOptions):
    """The same, where phrases end, and how many pieces are written."""

    phrase_ends: Annotated[str | None, Parameter(metavar="BARS")] = None
    """Bars at whose ends phrases end, such as 2,4,8, numbered as in a score, for a model that reads them."""
    phrase_end_beats: Annotated[str | None, Parameter(metavar="BEATS")] = None
    """The same in beats from the beginning, such as 7,15,31."""
    count: Count = 1
    """Number of pieces. Their files are numbered."""

    def __post_init__(self) -> None:
        """Validates that phrases end in one unit, and that the condition is not given twice."""
        super().__post_init__()
        ends = [name for name in ("phrase_ends", "phrase_end_beats") if getattr(self, name) is not None]
        given = [*ends, *(["condition"] if ends and self.condition else [])]
        if len(given) > 1:
            options = " and ".join(f"--{name.replace('_', '-')}" for name in given)
            raise SettingsError(f"{options} both give the condition of the model. Leave one of them out.")
        for name in ends:
            self.phrase_end_numbers(name)

    def phrase_end_numbers(self, name: str) -> list[float] | None:
        """The numbers of ``phrase_ends`` or ``phrase_end_beats``; None if they are not given.

        Raises:
            SettingsError: something else than numbers.
        """
        text, kind = getattr(self, name), int if name == "phrase_ends" else float
        if text is None:
            return None
        try:
            numbers = [kind(word) for word in text.split(",")]
        except ValueError:
            numbers = []
        if not numbers or not all(0 <= number < _MOST_BEATS for number in numbers):
            option, example = f"--{name.replace('_', '-')}", "2,4,8" if kind is int else "7,15,31.5"
            raise SettingsError(f"{option} {text}: expected numbers with commas between them, such as {example}.")
        return numbers


@Parameter(name="*", group=FILES)
@dataclass(frozen=True)
class FileOptions:
    """How the files are written."""

    velocity: Velocity = None
    """Velocity of all notes, 1 to 127. By default those that the model writes, or 100 if it writes none."""
    program: Program = None
    """General MIDI program of all parts but drums, 0 to 127. By default those of the model's parts; 0 is a grand
    piano."""
    soundfont: Path | None = None
    """SoundFont (.sf2) to play with."""
    overwrite: Annotated[bool, Parameter(negative=())] = False
    """Replace existing files."""
