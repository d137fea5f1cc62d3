"""Text streams that never end the work: standard error may be closed, full, or a pipe that nobody reads any more."""

from typing import Any, TextIO


class SteadyStream:
    """Writes to a stream. What cannot be written is lost, and nothing is raised.

    Args:
        stream: such as ``sys.stderr``.
        lost: the reason if every text is lost, as when the program was started with the stream closed.
    """

    def __init__(self, stream: TextIO, *, lost: Exception | None = None) -> None:
        """Writes nothing yet."""
        self._stream = stream
        self._lost = lost
        self.error: Exception | None = None
        """Why a text was lost; None if all were written."""
        self.is_reported = False
        """Whether the user knows."""

    def writes_to(self, stream: TextIO) -> bool:
        """Whether this is the stream that it writes to."""
        return self._stream is stream

    def write(self, text: str) -> int:
        """Writes a text. Returns its length, as streams do."""
        if self._lost is not None:
            self.error = self._lost
            return len(text)
        try:
            self._stream.write(text)
        except (OSError, ValueError) as error:  # ValueError: a stream that was closed
            self.error = self.error or error
        return len(text)

    def flush(self) -> None:
        """Flushes the stream."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self.error = self.error or error

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's own."""
        return getattr(self._stream, name)


def reason_of(error: Exception) -> str:
    """Why a stream cannot be written to, without the number of the operating system."""
    return (isinstance(error, OSError) and error.strerror) or str(error)
