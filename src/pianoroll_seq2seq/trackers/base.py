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
    logged after training.
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
