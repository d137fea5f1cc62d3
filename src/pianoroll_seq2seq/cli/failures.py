"""What the program says, and ends with, when something is wrong."""

from pianoroll_seq2seq.errors import (
    CheckpointWriteError,
    DownloadError,
    PianoRollSeq2SeqError,
    StoreAccessError,
    StoreError,
    TrainingDivergedError,
)

FINE, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130
"""How the program ends: all is well, something failed, the user made a mistake, Ctrl-C."""
_NOT_THE_USERS = (CheckpointWriteError, DownloadError, StoreError, TrainingDivergedError)
_PATHS = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)


def exit_code(error: Exception) -> int | None:
    """How the program ends after an error; None for one that nobody foresaw."""
    if isinstance(error, _NOT_THE_USERS) and not isinstance(error, StoreAccessError):
        return FAILED
    if isinstance(error, (PianoRollSeq2SeqError, *_PATHS)):
        return MISTAKE
    return FAILED if isinstance(error, OSError) else None


def described(error: Exception) -> str:
    """An error in words."""
    if isinstance(error, OSError) and not isinstance(error, PianoRollSeq2SeqError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return str(error)
