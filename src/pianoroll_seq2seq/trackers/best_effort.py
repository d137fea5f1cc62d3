"""A tracker whose failures do not end training."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq._internal.reports import Reports
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.trackers.base import Tracker, Value, log_media


class BestEffortTracker:
    """Another tracker. What fails before training is an error; from then on, the first failure is a warning.

    Wrong settings of a tracker show when it is opened, or in its first call (:meth:`start`), and training has not begun
    then. Later it is the disk or a service that fails. Ctrl-C and SIGTERM pass through.

    Args:
        tracker: the tracker, also one of the user's own.
    """

    def __init__(self, tracker: Tracker) -> None:
        """Opens nothing."""
        self._tracker = tracker
        self._reports = Reports()

    def __getattr__(self, name: str) -> Any:
        """What the tracker has beyond the contract, such as a ``run_id``, for callbacks."""
        if name == "_tracker":  # of an object that was not built
            raise AttributeError(name)
        return getattr(self._tracker, name)

    @property
    def is_open(self) -> bool:
        """Whether the tracker is open. One that does not say counts as open."""
        return bool(getattr(self._tracker, "is_open", True))

    def __enter__(self) -> "BestEffortTracker":
        """Opens the tracker.

        Raises:
            SettingsError: it fails. Errors of this library are raised as they are.
        """
        self._begin("cannot be opened", self._tracker.__enter__)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Closes the tracker."""
        self._try("the end of the run", self._tracker.__exit__, kind, error, trace)

    def start(self, params: Mapping[str, Value]) -> None:
        """Logs the settings of the run, before training.

        Raises:
            SettingsError: the tracker fails. Errors of this library are raised as they are.
        """
        self._begin("does not take the settings of the run", self._tracker.log_params, params)

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Logs parameters."""
        self._try("parameters", self._tracker.log_params, params)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Logs metrics."""
        self._try("metrics", self._tracker.log_metrics, metrics, step=step)

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Logs a file."""
        self._try(os.fspath(path), self._tracker.log_artifact, path)

    def log_media(self, name: str, path: str | os.PathLike[str], *, step: int) -> None:
        """Logs a picture or a sound."""
        self._try(os.fspath(path), log_media, self._tracker, name, path, step=step)

    def flush(self) -> None:
        """Flushes the tracker."""
        self._try("the last calls", self._tracker.flush)

    @property
    def _name(self) -> str:
        return type(self._tracker).__name__

    def _begin(self, problem: str, call: Callable[..., Any], *args: Any) -> None:
        try:
            call(*args)
        except PianoRollSeq2SeqError:
            raise
        except Exception as error:  # any error of a user's tracker
            raise SettingsError(
                redacted(
                    f"The tracker {self._name} {problem}, so training has not begun: {_text(error)}. Check the "
                    f"tracker's arguments, its login and its folder, or train without it."
                )
            ) from error

    def _try(self, what: str, call: Callable[..., Any], *args: Any, **options: Any) -> None:
        try:
            call(*args, **options)
        except Warning:  # which the program's filters make an error
            raise
        except Exception as error:  # any error of a user's tracker, its service or the disk
            self._reports.warn(
                f"The tracker {self._name} does not get everything; the run goes on", f"{what}: {_text(error)}"
            )


def best_effort(tracker: Tracker) -> BestEffortTracker:
    """The tracker as one whose failures do not end training; it may be one already."""
    return tracker if isinstance(tracker, BestEffortTracker) else BestEffortTracker(tracker)


def _text(error: Exception) -> str:
    """The type and the text of an error. Those of a group stand one after another."""
    if isinstance(error, ExceptionGroup):
        return "; ".join(_text(each) for each in error.exceptions)
    return f"{type(error).__name__}: {error}"
