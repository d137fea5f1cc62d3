"""Several trackers as one."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.trackers.base import Tracker, Value, log_media


class FanOut:
    """Logs to several trackers, in their order.

    If one fails, the others still log; then its error is raised, or an ``ExceptionGroup`` of several. Trackers are
    closed in reverse order, with the exception of the run, if there is one. That exception is raised, with the errors
    of closing as notes (``error.__notes__``). Ctrl-C during closing interrupts one tracker only, and is raised after
    all are closed.

    Args:
        *trackers: trackers, none of them open.

    Raises:
        SettingsError: no trackers. Use :class:`~pianoroll_seq2seq.trackers.base.NoTracker` instead.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq.trackers.jsonl import JsonlTracker
        >>> folder = tempfile.TemporaryDirectory()
        >>> one, two = (JsonlTracker(f"{folder.name}/{name}.jsonl") for name in ("one", "two"))
        >>> with FanOut(one, two) as tracker:  # fit(..., tracker=tracker)
        ...     tracker.log_metrics({"train_loss": 0.5}, step=20)
        >>> one.path.read_text().count("train_loss"), two.path.read_text().count("train_loss")
        (1, 1)
        >>> folder.cleanup()
    """

    def __init__(self, *trackers: Tracker) -> None:
        """Opens none of them."""
        if not trackers:
            raise SettingsError("FanOut needs at least one tracker. To keep nothing, use NoTracker().")
        self.trackers = trackers
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Whether the trackers are open: together, or each by itself."""
        return self._is_open or all(getattr(tracker, "is_open", True) for tracker in self.trackers)

    def __enter__(self) -> "FanOut":
        """Opens all trackers. If one fails, the open ones are closed, as failed runs."""
        opened: list[Tracker] = []
        try:
            for tracker in self.trackers:
                tracker.__enter__()
                opened.append(tracker)
        except BaseException as error:
            _close(opened, type(error), error, error.__traceback__)
            raise
        self._is_open = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Closes all trackers."""
        self._is_open = False
        _close(self.trackers, kind, error, trace)

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Logs parameters to all trackers."""
        self._all(lambda tracker: tracker.log_params(params))

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Logs metrics to all trackers."""
        self._all(lambda tracker: tracker.log_metrics(metrics, step=step))

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Logs a file to all trackers."""
        self._all(lambda tracker: tracker.log_artifact(path))

    def log_media(self, name: str, path: str | os.PathLike[str], *, step: int) -> None:
        """Logs a picture or a sound to all trackers, to those without ``log_media`` as a file."""
        self._all(lambda tracker: log_media(tracker, name, path, step=step))

    def flush(self) -> None:
        """Flushes all trackers."""
        self._all(lambda tracker: tracker.flush())

    def _all(self, call: Callable[[Tracker], None]) -> None:
        _raise(list(_failures(call, self.trackers)))


def _close(
    trackers: Sequence[Tracker], kind: type[BaseException] | None, error: BaseException | None, trace: object
) -> None:
    """Closes each tracker with the exception of the run, even if others fail or Ctrl-C interrupts one."""
    failures: list[Exception] = []
    interruption: BaseException | None = None
    for tracker in reversed(trackers):
        try:
            tracker.__exit__(kind, error, trace)
        except Exception as failed:  # any error of a user's tracker
            failures.append(failed)
        except BaseException as interrupted:  # Ctrl-C or SIGTERM interrupts one; the others are closed too
            interruption = interrupted
    raised = interruption or error
    if raised is None:
        _raise(failures)
    else:
        for failure in failures:
            raised.add_note(f"A tracker failed to close: {type(failure).__name__}: {failure}")
    if interruption is not None:
        raise interruption


def _failures(call: Callable[[Tracker], None], trackers: Sequence[Tracker]) -> Iterator[Exception]:
    for tracker in trackers:
        try:
            call(tracker)
        except Exception as error:  # any error of a user's tracker
            yield error


def _raise(failures: list[Exception]) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup(f"{len(failures)} trackers failed", failures)
