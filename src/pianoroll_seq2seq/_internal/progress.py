"""The progress bar of all long operations: tqdm's, a widget in a notebook that has ``ipywidgets``, otherwise text.

A bar that cannot be shown does not end the operation. It warns once for each stream.
"""

import sys
import warnings
from typing import TYPE_CHECKING, Any

from pianoroll_seq2seq._internal.log import warn
from pianoroll_seq2seq._internal.streams import SteadyStream, reason_of

__all__ = ["tqdm", "write_line"]

_streams: list[SteadyStream] = []
"""That of the current standard error, which all bars share."""

if TYPE_CHECKING:
    from tqdm.auto import tqdm
else:
    from tqdm import TqdmWarning

    with warnings.catch_warnings():
        # Without ipywidgets, tqdm.auto falls back to a bar of text, and says so in red in every notebook.
        warnings.simplefilter("ignore", TqdmWarning)
        from tqdm.auto import tqdm as _tqdm

    class tqdm(_tqdm):  # noqa: N801 (tqdm's own name)
        """tqdm's bar on standard error. Without a standard error nothing is shown."""

        def __init__(self, *args: Any, disable: bool = False, **options: Any) -> None:
            super().__init__(*args, file=_stderr(), disable=disable or sys.stderr is None, **options)

        def display(self, *args: Any, **options: Any) -> Any:
            """Shows the bar. What fails is a warning."""
            try:
                shown = super().display(*args, **options)
            except Exception as error:  # any error of a widget
                self.disable = True
                _warn(error)
                return None
            _check(_stderr())
            return shown


def write_line(line: str) -> None:
    """Writes a line to standard error, above the bars."""
    stream = _stderr()
    if stream is not None:
        tqdm.write(line, file=stream)
        stream.flush()
        _check(stream)


def _stderr() -> SteadyStream | None:
    """Standard error as it is now; None in a program that has none."""
    if sys.stderr is None or isinstance(sys.stderr, SteadyStream):
        return sys.stderr
    if not _streams or not _streams[0].writes_to(sys.stderr):
        _streams[:] = [SteadyStream(sys.stderr)]
    return _streams[0]


def _check(stream: SteadyStream | None) -> None:
    """Warns of a stream that has lost a text, unless that was shown before. The command line has its own message."""
    if stream is not None and stream is not sys.stderr and stream.error is not None and not stream.is_reported:
        stream.is_reported = True
        _warn(stream.error)


def _warn(error: Exception) -> None:
    warn(f"The progress is not shown ({reason_of(error)}); the work goes on.", stacklevel=4)
