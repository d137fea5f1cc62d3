"""How much a file may ask for: checked before the memory is taken."""

from dataclasses import dataclass, fields

from pianoroll_seq2seq.errors import SettingsError


@dataclass(frozen=True)
class Limits:
    """Bounds on what is read from one file; past them a :class:`~pianoroll_seq2seq.errors.LimitError` is raised.

    The defaults let pass what people play (six hours at 50 frames a second and 88 pitches are 1.1 million
    frames, 95 million cells) and keep any file under 1 GB of memory.

    Args:
        file_bytes: size of a file, in bytes.
        frames: rows of a roll.
        cells: rows times columns of a roll; each of its two planes takes a byte a cell.

    Raises:
        SettingsError: a bound below 1.

    Example:
        >>> Limits(frames=100_000).cells
        150000000
    """

    file_bytes: int = 8 * 2**20
    frames: int = 2_000_000
    cells: int = 150_000_000

    def __post_init__(self) -> None:
        """Checks the bounds."""
        for bound in fields(self):
            if getattr(self, bound.name) < 1:
                raise SettingsError(f"Limits.{bound.name} must be at least 1, got {getattr(self, bound.name)}.")


DEFAULT_LIMITS = Limits()
"""What is allowed when nothing is said."""
