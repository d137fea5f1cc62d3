"""The contract of a tracker, and the tracker that does nothing."""

import os
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

Value = str | int | float | bool | None
"""The type of a parameter of a run."""


@runtime_checkable
class Tracker(Protocol):
    """Keeps the parameters, metrics and files of one run.

    A context manager: ``with`` begins the run, leaving it ends the run, and leaving it with an exception marks it as
    failed. ``fit`` logs to a tracker and flushes it. The caller opens and closes it, so that scores and files can be
    logged after training. A tracker with an attribute ``is_open`` that is False is opened and closed by ``fit``.
    """

    def __enter__(self) -> "Tracker":
        """Begins the run."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Ends the run: finished without an exception, failed with one. It never suppresses the exception."""
        ...

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Logs the settings of the run."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Logs numbers measured after ``step`` optimizer steps."""
        ...

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Logs a file of the run."""
        ...

    def flush(self) -> None:
        """Waits until everything is stored."""
        ...


@runtime_checkable
class MediaTracker(Protocol):
    """A tracker that can show pictures and play sounds, and how they change from step to step.

    The method is optional: :func:`log_media` gives the other trackers the file as an artifact.
    """

    def log_media(self, name: str, path: str | os.PathLike[str], *, step: int) -> None:
        """Logs a picture, a sound or another file made after ``step`` optimizer steps, under a name that stays."""
        ...


def log_media(tracker: Tracker, name: str, path: str | os.PathLike[str], *, step: int) -> None:
    """Logs a picture, a sound or another file to any tracker.

    Args:
        tracker: a tracker. One without ``log_media`` gets the file as an artifact.
        name: what it shows, the same at every step, such as ``piece_1``.
        path: the file.
        step: the number of optimizer steps after which it was made.
    """
    if isinstance(tracker, MediaTracker):
        tracker.log_media(name, path, step=step)
    else:
        tracker.log_artifact(path)


class NoTracker:
    """Does nothing.

    Example:
        >>> with NoTracker() as tracker:
        ...     tracker.log_metrics({"train_loss": 1.0}, step=1)
    """

    def __enter__(self) -> "NoTracker":
        """Does nothing."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Does nothing."""

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Does nothing."""

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Does nothing."""

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Does nothing."""

    def flush(self) -> None:
        """Does nothing."""
