"""The library's logger, ``logging.getLogger("pianoroll_seq2seq")``. It prints nothing until the program adds a handler.

Long operations inform at the level INFO. Warnings during them are Python warnings, and in the log too.
"""

import contextlib
import logging
import warnings

logger = logging.getLogger("pianoroll_seq2seq")
logger.addHandler(logging.NullHandler())


def warn(message: str, *, stacklevel: int) -> None:
    """Warns, and logs the warning.

    A warning that cannot be shown, such as one on a closed stream, does not end the work. A program whose filters make
    warnings errors gets an error.

    Args:
        message: the text.
        stacklevel: as of ``warnings.warn``, counted from the caller.
    """
    with contextlib.suppress(Exception):  # any error of the program's handlers
        logger.warning("%s", message)
    try:
        warnings.warn(message, stacklevel=stacklevel + 1)
    except Warning:
        raise
    except Exception:  # any error of what the program shows warnings with
        return  # it is in the log
