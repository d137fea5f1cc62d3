"""Messages of the library in the words of the command line: options instead of arguments."""

import re
from collections.abc import Collection

from pianoroll_seq2seq.errors import PianoRollSeq2SeqError

_ARGUMENT = re.compile(r"\b(?P<verb>[Pp]ass )?(?P<name>[a-z]\w*)=(?:True\b|'(?P<value>[\w.-]+)')")
_PYTHON_ONLY = re.compile(r"\b(?P<verb>pass )(?P<argument>\w+=\w+\(\.\.\.\))")
_BUILD = re.compile(r"\b([Cc])all build_corpus( again)?(?: with the same arguments( and files as before)?)?")
_PITCHES = re.compile(r"\b(?:any )?PitchRange\((?:lowest=)?(\d+), (?:highest=)?(\d+)\)")


def in_options(message: str, flags: Collection[str] | None = None) -> str:
    """The message with options such as ``--outside drop`` in place of arguments such as ``outside='drop'``.

    Args:
        message: a message of the library.
        flags: the options of the command. Arguments that are not among them stay, and are said to be for Python. None
            for all options.

    Example:
        >>> in_options("Notes outside PitchRange(36, 81). Widen the range, or pass outside='drop'.")
        'Notes outside pitches 36 to 81. Widen the range, or add --outside drop.'
        >>> in_options("If the file is correct, pass limits=Limits(...).")
        'If the file is correct, in Python pass limits=Limits(...).'
        >>> in_options("The build is not finished. Call build_corpus again with the same arguments.")
        'The build is not finished. Run ingest again with the same options.'
    """

    def option(found: re.Match[str]) -> str:
        flag = f"--{found['name'].replace('_', '-')}"
        if flags is not None and flag not in flags:
            return found[0] if found["verb"] is None else f"in Python {found[0]}"
        verb = "" if found["verb"] is None else "Add " if found["verb"][0] == "P" else "add "
        return f"{verb}{flag}" if found["value"] is None else f"{verb}{flag} {found['value']}"

    message = _ARGUMENT.sub(option, message)
    message = _PYTHON_ONLY.sub(r"in Python \g<verb>\g<argument>", message)
    message = _BUILD.sub(_ingest, message)
    return _PITCHES.sub(r"pitches \1 to \2", message)


def _ingest(found: re.Match[str]) -> str:
    run = "Run" if found[1] == "C" else "run"
    return f"{run} ingest{found[2] or ''} with the same options{' and files as before' if found[3] else ''}"


def message_of(error: Exception) -> str:
    """The message of an error, without the number that Python puts before those of the operating system."""
    if isinstance(error, OSError) and not isinstance(error, PianoRollSeq2SeqError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return str(error)
