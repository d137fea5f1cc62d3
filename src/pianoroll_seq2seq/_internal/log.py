"""The library's logger, ``logging.getLogger("pianoroll_seq2seq")``. It prints nothing until the program adds a handler.

Long operations inform at the level INFO. Warnings during them are Python warnings, and in the log too.
"""

import logging
import warnings

logger = logging.getLogger("pianoroll_seq2seq")
logger.addHandler(logging.NullHandler())


def warn(message: str, *, stacklevel: int) -> None:
    """Warns, and logs the warning.

    Args:
        message: the text.
        stacklevel: as of ``warnings.warn``, counted from the caller.
    """
    logger.warning(message)
    warnings.warn(message, stacklevel=stacklevel + 1)
