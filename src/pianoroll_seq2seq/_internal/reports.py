"""Warnings about what fails beside the work: a tracker, a store, a service."""

from collections import deque
from collections.abc import Callable

from pianoroll_seq2seq._internal.log import warn
from pianoroll_seq2seq._internal.redaction import redacted

_MAX_DETAIL = 500


class Reports:
    """Warnings, each problem once. Background threads collect them; the thread of the training shows them.

    Args:
        redact: removes secrets from a text.
    """

    def __init__(self, redact: Callable[[str], str] = redacted) -> None:
        """Starts without problems."""
        self._redact = redact
        self._collected: deque[tuple[str, str]] = deque()
        self._shown: set[str] = set()

    def __bool__(self) -> bool:
        """Whether there are problems to show."""
        return bool(self._collected)

    def collect(self, problem: str, detail: str) -> None:
        """Keeps a problem for :meth:`show`. Any thread may call it."""
        self._collected.append((problem, detail))

    def show(self) -> None:
        """Warns of the problems collected so far."""
        while self._collected:
            self.warn(*self._collected.popleft())

    def warn(self, problem: str, detail: str) -> None:
        """Warns of a problem, unless it was shown before."""
        if problem not in self._shown:
            self._shown.add(problem)
            text = self._redact(f"{problem}: {' '.join(detail.split())}")
            warn(text[: len(problem) + 2 + _MAX_DETAIL], stacklevel=4)
