"""A run as lines of JSON in a file, complete up to the last line even after a crash."""

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.trackers.base import Value

METRICS = "metrics.jsonl"
"""The usual name of the file."""


class JsonlTracker:
    """Appends one JSON object a line: ``{"time": ..., "metrics": {...}, "step": 20}`` and the like.

    It appends to an existing file, so that a resumed run continues its own file. Metrics that are not finite are
    written as null, since JSON has no NaN.

    Args:
        path: the file; missing folders are created.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with JsonlTracker(Path(folder) / "events.jsonl") as tracker:  # fit(..., tracker=tracker)
        ...         tracker.log_metrics({"train_loss": 0.5}, step=20)
        ...     len(tracker.path.read_text().splitlines())  # running, the metrics, finished
        3
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Remembers the path; ``with`` opens the file, or ``fit`` for the time of training."""
        self.path: Path = Path(path)
        self._file: TextIO | None = None

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._file is not None

    def __enter__(self) -> "JsonlTracker":
        """Opens the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torn = _is_torn(self.path)
        self._file = self.path.open("a", encoding="utf-8", buffering=1)  # each line is written at once
        if torn:
            self._file.write("\n")
        self._write({"status": "running"})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Writes how the run ended, and closes the file."""
        self._write(
            {"status": "finished"} if kind is None else {"status": "failed", "error": f"{kind.__name__}: {error}"}
        )
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Writes a line with the parameters."""
        self._write({"params": {name: _finite(value) for name, value in params.items()}})

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Writes a line with metrics and their step."""
        self._write({"metrics": {name: _finite(float(value)) for name, value in metrics.items()}, "step": step})

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Writes a line with the path of the file; the file itself is not copied."""
        self._write({"artifact": os.fspath(path)})

    def flush(self) -> None:
        """Forces all lines to disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def _write(self, record: dict[str, Any]) -> None:
        if self._file is None:
            raise SettingsError(
                f"The tracker of {self.path} is not open. Use it as: with JsonlTracker(path) as tracker:"
            )
        self._file.write(json.dumps({"time": round(time.time(), 3), **record}) + "\n")


def _finite(value: Value) -> Value:
    """The value, or None for a float that JSON cannot hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_torn(path: Path) -> bool:
    """Whether a crash has cut the last line short, so that the next would be appended to it."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"
