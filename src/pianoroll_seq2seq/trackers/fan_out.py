"""Several trackers as one."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.trackers.base import Tracker, Value


class FanOut:
    """Hands all that is logged to several trackers, in their order.

    One that fails keeps nothing from the others: they all get theirs first, then its error is raised, or an
    ``ExceptionGroup`` of several. They are closed in reverse order, each told how the run itself ended. Where the run
    ended by an exception, that one is raised, and what failed in closing is noted on it (``error.__notes__``). Ctrl-C
    while one is closed ends its waiting alone: it is raised when all are closed.

    Args:
        *trackers: trackers, none of them open.

    Raises:
        SettingsError: no trackers; that is :class:`~pianoroll_seq2seq.trackers.base.NoTracker`.

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
        """Opens none of them yet."""
        if not trackers:
            raise SettingsError("FanOut needs at least one tracker. To keep nothing, use NoTracker().")
        self.trackers = trackers

    def __enter__(self) -> "FanOut":
        """Opens all. Where one fails, those that are open are closed again, as runs that failed."""
        opened: list[Tracker] = []
        try:
            for tracker in self.trackers:
                tracker.__enter__()
                opened.append(tracker)
        except BaseException as error:
            _close(opened, type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Closes all."""
        _close(self.trackers, kind, error, trace)

    def log_params(self, params: Mapping[str, Value]) -> None:
        """To all."""
        self._all(lambda tracker: tracker.log_params(params))

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """To all."""
        self._all(lambda tracker: tracker.log_metrics(metrics, step=step))

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """To all."""
        self._all(lambda tracker: tracker.log_artifact(path))

    def flush(self) -> None:
        """Flushes all."""
        self._all(lambda tracker: tracker.flush())

    def _all(self, call: Callable[[Tracker], None]) -> None:
        _raise(list(_failures(call, self.trackers)))


def _close(
    trackers: Sequence[Tracker], kind: type[BaseException] | None, error: BaseException | None, trace: object
) -> None:
    """Tells each how the run ended, whatever the others made of it, and also when Ctrl-C comes meanwhile."""
    failures: list[Exception] = []
    interruption: BaseException | None = None
    for tracker in reversed(trackers):
        try:
            tracker.__exit__(kind, error, trace)
        except Exception as failed:  # whatever a tracker of somebody's own comes up with
            failures.append(failed)
        except BaseException as interrupted:  # Ctrl-C or SIGTERM ends one's waiting; the others are still to be told
            interruption = interrupted
    raised = interruption or error
    if raised is None:
        _raise(failures)
    else:
        for failure in failures:
            raised.add_note(f"A tracker failed in closing: {type(failure).__name__}: {failure}")
    if interruption is not None:
        raise interruption


def _failures(call: Callable[[Tracker], None], trackers: Sequence[Tracker]) -> Iterator[Exception]:
    for tracker in trackers:
        try:
            call(tracker)
        except Exception as error:  # whatever a tracker of somebody's own comes up with
            yield error


def _raise(failures: list[Exception]) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup(f"{len(failures)} trackers failed", failures)
