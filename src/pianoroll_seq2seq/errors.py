"""Every error the library raises on purpose.

All derive from :class:`PianoRollSeq2SeqError`, and each is also of the built-in kind a reader would
expect, so that ``except ValueError`` keeps working. Messages say what was expected, what came, where
(file, piece, epoch) and the usual fix.
"""


class PianoRollSeq2SeqError(Exception):
    """The root of every error of this library."""


class MidiError(PianoRollSeq2SeqError, ValueError):
    """A MIDI file that cannot be read, or holds what cannot be used."""


class MidiNotFoundError(MidiError, FileNotFoundError):
    """A MIDI file or folder that is not there."""


class LimitError(MidiError):
    """A file that asks for more than the limits allow."""


class NoNotesError(MidiError):
    """A score in which nothing (that was asked for) sounds."""


class PitchRangeError(PianoRollSeq2SeqError, ValueError):
    """Notes that do not fit the pitch range of a piano roll."""


class GridError(PianoRollSeq2SeqError, ValueError):
    """A frame grid that makes no sense, or rolls and ticks that do not fit one another."""


class PieceTooShortError(PianoRollSeq2SeqError, ValueError):
    """A piece with fewer frames than one window needs."""


class SplitError(PianoRollSeq2SeqError, ValueError):
    """Pieces that cannot be split as asked."""


class SettingsError(PianoRollSeq2SeqError, ValueError):
    """Arguments that contradict each other or lie outside their range."""


class ShapeError(PianoRollSeq2SeqError, ValueError):
    """Arrays or tensors whose shapes do not fit one another."""


class TrainingDivergedError(PianoRollSeq2SeqError, ArithmeticError):
    """The training loss is no longer a number."""


class CorpusError(PianoRollSeq2SeqError, ValueError):
    """A corpus that cannot be read or built, or belongs to other settings."""


class CorpusNotFoundError(CorpusError, FileNotFoundError):
    """A corpus that is not there."""


class CheckpointError(PianoRollSeq2SeqError, ValueError):
    """A checkpoint that cannot be read, or belongs to another model or version."""


class CheckpointNotFoundError(CheckpointError, FileNotFoundError):
    """A checkpoint that is not there."""


class CheckpointWriteError(CheckpointError, OSError):
    """A checkpoint that could not be written: no space, no permission."""


class OverwriteError(PianoRollSeq2SeqError, FileExistsError):
    """A file stands where one would be written, and overwriting it was not asked for."""


class StoreError(PianoRollSeq2SeqError, OSError):
    """A store that cannot be reached, or refuses."""


class StoreAccessError(StoreError, PermissionError):
    """A store that does not accept the credentials, or no credentials were found."""


class NotStoredError(StoreError, FileNotFoundError):
    """An object, or a whole container, that is not in the store."""


class StoreConflictError(StoreError):
    """An object that somebody else has changed since it was last seen."""


class DownloadError(PianoRollSeq2SeqError, OSError):
    """A data set that could not be fetched, or is not the one expected."""


class MissingExtraError(PianoRollSeq2SeqError, ImportError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        """Names the package, the extra that brings it, and what it is needed for."""
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'pianoroll-seq2seq[{extra}]'"
        )
