"""The errors that the library raises.

All derive from :class:`PianoRollSeq2SeqError`, and each also from the matching built-in error, so that ``except
ValueError`` works. Messages say what was expected, what came, where (file, piece, epoch) and the usual fix.
"""


class PianoRollSeq2SeqError(Exception):
    """The base class of all errors of this library."""


class MidiError(PianoRollSeq2SeqError, ValueError):
    """A MIDI file that cannot be read, or whose content cannot be used."""


class MidiNotFoundError(MidiError, FileNotFoundError):
    """A MIDI file or folder that does not exist."""


class MusicXMLError(MidiError):
    """A MusicXML file that cannot be read, or a score that notation cannot express."""


class LimitError(MidiError):
    """A file that exceeds the limits."""


class NoNotesError(MidiError):
    """A score without notes, or without notes of the selected kind."""


class PitchRangeError(PianoRollSeq2SeqError, ValueError):
    """Notes that do not fit the pitch range of a piano roll."""


class GridError(PianoRollSeq2SeqError, ValueError):
    """An invalid grid, or rolls, ticks or frames on different grids."""


class PieceTooShortError(PianoRollSeq2SeqError, ValueError):
    """A piece with fewer frames than one window needs."""


class SplitError(PianoRollSeq2SeqError, ValueError):
    """Pieces that cannot be split into the requested shares."""


class SettingsError(PianoRollSeq2SeqError, ValueError):
    """Arguments that contradict each other or are out of range."""


class ShapeError(PianoRollSeq2SeqError, ValueError):
    """Arrays or tensors of the wrong shape or type."""


class ModelInUseError(PianoRollSeq2SeqError, RuntimeError):
    """A model that another thread trains, or one to be trained that another thread uses."""


class TrainingDivergedError(PianoRollSeq2SeqError, ArithmeticError):
    """The training loss is no longer finite."""


class CorpusError(PianoRollSeq2SeqError, ValueError):
    """A corpus that cannot be read or built, or was built with other settings."""


class CorpusNotFoundError(CorpusError, FileNotFoundError):
    """A corpus that does not exist."""


class CheckpointError(PianoRollSeq2SeqError, ValueError):
    """A checkpoint that cannot be read, or belongs to another model or version."""


class CheckpointNotFoundError(CheckpointError, FileNotFoundError):
    """A checkpoint that does not exist."""


class CheckpointWriteError(CheckpointError, OSError):
    """A checkpoint that could not be written: no space, no permission."""


class OverwriteError(PianoRollSeq2SeqError, FileExistsError):
    """The file to write exists already, and ``overwrite`` is false."""


class StoreError(PianoRollSeq2SeqError, OSError):
    """A store that cannot be reached, or refuses a request."""


class StoreAccessError(StoreError, PermissionError):
    """The store rejects the credentials, or no credentials were found."""


class NotStoredError(StoreError, FileNotFoundError):
    """An object or a container that does not exist in the store."""


class StoreConflictError(StoreError):
    """An object that another writer has changed since it was last read."""


class DownloadError(PianoRollSeq2SeqError, OSError):
    """A data set that could not be downloaded, or is not the expected one."""


class MidiPortError(PianoRollSeq2SeqError, OSError):
    """A MIDI port that cannot be opened, or that disappears."""


class MissingExtraError(PianoRollSeq2SeqError, ImportError):
    """An optional package is required and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        """Builds the message.

        Args:
            package: the name of the package.
            extra: the extra that installs it.
            purpose: what needs it, as the subject of a sentence.
        """
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'pianoroll-seq2seq[{extra}]'"
        )
