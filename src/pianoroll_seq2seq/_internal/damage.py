"""What is raised by readers of files that may be damaged."""

from tokenize import TokenError

DAMAGED_JSON: tuple[type[Exception], ...] = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""By JSON that is cut or deeply nested, or that holds other values than expected."""

DAMAGED_ARRAY: tuple[type[Exception], ...] = (
    *(ValueError, TypeError, OverflowError, MemoryError, RecursionError, SyntaxError, TokenError),
    Warning,  # where warnings are errors: of types that NumPy will not read any more, and of headers of Python 2
)
"""By NumPy, on a ``.npy`` file or its header."""

UNREADABLE_JSON: tuple[type[Exception], ...] = (OSError, *DAMAGED_JSON)
UNREADABLE_ARRAY: tuple[type[Exception], ...] = (OSError, EOFError, *DAMAGED_ARRAY)
"""The same for a file on disk."""
