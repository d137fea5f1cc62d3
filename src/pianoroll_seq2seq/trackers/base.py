"""The contract of a tracker, and the one that keeps nothing."""

import os
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

Value = str | int | float | bool | None
"""What a parameter of a run may be."""


@runtime_checkable
class Tracker(Protocol):
    """Keeps the parameters, metrics and files of one run.

    A context manager: ``with`` begins the run, leaving it ends it, and leaving it through an exception
    marks it failed. ``fit`` logs to a tracker and flushes it; the one who made it opens and closes it, so
    that scores and files can follow the training.
    """

    def __enter__(self) -> "Tracker":
        """Begins the run."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Ends the run: finished without an exception, failed with one. Never swallows it."""
        ...

    def log_params(self, params: Mapping[str, Value]) -> None:
        """What the run was started with."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Figures measured after ``step`` optimizer steps."""
        ...

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """A file that the run made."""
        ...

    def flush(self) -> None:
        """Returns when all that was logged is safe."""
        ...


class NoTracker:
    """Keeps nothing.

    Example:
        >>> with NoTracker() as tracker:
        ...     tracker.log_metrics({"train_loss": 1.0}, step=1)
    """

    def __enter__(self) -> "NoTracker":
        """Begins nothing."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Ends nothing."""

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Not kept."""

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Not kept."""

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Not kept."""

    def flush(self) -> None:
        """Nothing to wait for."""
