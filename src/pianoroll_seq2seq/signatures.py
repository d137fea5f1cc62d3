"""Time signatures and key signatures."""

from dataclasses import dataclass, replace

from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.tempo import MAX_TICK

_DENOMINATORS = (1, 2, 4, 8, 16, 32, 64, 128)
_MAX_NUMERATOR = 255
_MOST_SHARPS = 7

# The tonics of major keys from 7 flats to 7 sharps; a minor key has the signature of the major key 3 fifths below.
_TONICS = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"]


@dataclass(frozen=True, slots=True)
class TimeSignature:
    """A time signature, such as 3/4. A bar begins on its tick.

    Args:
        tick: the tick from which it counts.
        numerator: beats in a bar, 1 to 255.
        denominator: the note that is a beat: 1, 2, 4 (a quarter note), 8, ... 128.

    Raises:
        MidiError: a value out of range.

    Example:
        >>> str(TimeSignature(0, 6, 8))
        '6/8'
    """

    tick: int
    numerator: int = 4
    denominator: int = 4

    def __post_init__(self) -> None:
        """Validates the values."""
        if not 0 <= self.tick <= MAX_TICK:
            raise MidiError(f"A time signature needs a tick in 0..{MAX_TICK}, got {self.tick!r}.")
        if not is_time_signature(self.numerator, self.denominator):
            raise MidiError(
                f"A time signature needs a numerator in 1..{_MAX_NUMERATOR} and a denominator of "
                f"{', '.join(map(str, _DENOMINATORS))}, got {self.numerator!r}/{self.denominator!r} at tick "
                f"{self.tick}."
            )

    def __str__(self) -> str:
        """As it is written: ``6/8``."""
        return f"{self.numerator}/{self.denominator}"

    def line_tick(self, beats: int, ticks_per_beat: int) -> int:
        """The tick after a number of its beats, rounded down to a whole tick."""
        return self.tick + beats * 4 * ticks_per_beat // self.denominator


@dataclass(frozen=True, slots=True)
class KeySignature:
    """A key signature.

    Args:
        tick: the tick from which it counts.
        fifths: how many sharps it has, or flats if below 0: -7 to 7.
        minor: whether the key is minor.

    Raises:
        MidiError: a value out of range.

    Example:
        >>> str(KeySignature(0, 2)), str(KeySignature(0, -3, minor=True))
        ('D major', 'C minor')
    """

    tick: int
    fifths: int = 0
    minor: bool = False

    def __post_init__(self) -> None:
        """Validates the values."""
        if not 0 <= self.tick <= MAX_TICK:
            raise MidiError(f"A key signature needs a tick in 0..{MAX_TICK}, got {self.tick!r}.")
        if not is_key_signature(self.fifths, self.minor):
            raise MidiError(
                f"A key signature needs fifths in -{_MOST_SHARPS}..{_MOST_SHARPS} and minor=True or False, got "
                f"{self.fifths!r} and {self.minor!r} at tick {self.tick}."
            )

    @property
    def tonic(self) -> str:
        """The name of the tonic, such as ``F#``."""
        return _TONICS[self.fifths + _MOST_SHARPS + 3 * self.minor]

    def __str__(self) -> str:
        """The name of the key: ``F# minor``."""
        return f"{self.tonic} {'minor' if self.minor else 'major'}"

    def transpose(self, semitones: int) -> "KeySignature":
        """The key some semitones higher, or lower below 0; of two names of a key the one with fewer sharps or flats."""
        if semitones % 12 == 0:
            return self
        return replace(self, fifths=(self.fifths + 7 * semitones + 5) % 12 - 5)


def is_time_signature(numerator: int, denominator: int) -> bool:
    """Whether these are the values of a time signature."""
    return 1 <= numerator <= _MAX_NUMERATOR and denominator in _DENOMINATORS


def is_key_signature(fifths: int, minor: int) -> bool:
    """Whether these are the values of a key signature."""
    return -_MOST_SHARPS <= fifths <= _MOST_SHARPS and minor in (0, 1)
