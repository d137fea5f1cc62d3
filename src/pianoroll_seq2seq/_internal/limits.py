"""How much one file may demand: checked before memory is allocated."""

from dataclasses import dataclass, fields

from pianoroll_seq2seq.errors import SettingsError


@dataclass(frozen=True)
class Limits:
    """Bounds on what is read from one file; above them a :class:`~pianoroll_seq2seq.errors.LimitError` is raised.

    The defaults admit what people play (six hours at 50 frames a second and 88 pitches are 1.1 million frames,
    95 million cells) and keep any file under 1 GB of memory.

    Args:
        max_file_bytes: size of a file, in bytes.
        max_frames: rows of a roll.
        max_cells: rows times columns of a roll; each of its planes, two or three, takes a byte a cell.
        max_parts: parts of a score: tracks, each on one channel with one program. A MIDI file has at most as many
            tracks.
        max_controllers: controllers of a score, counted once for each part on which they act.

    Raises:
        SettingsError: a bound below 1.

    Example:
        >>> Limits(max_frames=100_000).max_cells
        150000000
    """

    max_file_bytes: int = 8 * 2**20
    max_frames: int = 2_000_000
    max_cells: int = 150_000_000
    max_parts: int = 65_535
    max_controllers: int = 5_000_000

    def __post_init__(self) -> None:
        """Validates the bounds."""
        for bound in fields(self):
            if getattr(self, bound.name) < 1:
                raise SettingsError(f"Limits.{bound.name} must be at least 1, got {getattr(self, bound.name)}.")


DEFAULT_LIMITS = Limits()
"""The limits that apply by default."""
