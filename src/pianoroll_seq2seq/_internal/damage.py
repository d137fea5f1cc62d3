"""What is raised by readers of files that may be damaged."""

from tokenize import TokenError

DAMAGED_ARRAY: tuple[type[Exception], ...] = (
    *(ValueError, TypeError, OverflowError, MemoryError, RecursionError, SyntaxError, TokenError),
    Warning,  # where warnings are errors: of types that NumPy will not read any more, and of headers of Python 2
)
"""By NumPy, on a ``.npy`` file or its header."""
