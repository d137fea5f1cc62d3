"""What is said meanwhile."""

import sys


def say(line: str) -> None:
    """To whoever watches; standard output is for results."""
    print(line, file=sys.stderr, flush=True)
