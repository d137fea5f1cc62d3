"""A run as lines of JSON in a file: readable by anything, complete up to the last line after a crash."""

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.trackers.base import Value


class JsonlTracker:
    """Appends one JSON object a line: ``{"time": ..., "metrics": {...}, "step": 20}`` and the like.

    A file that is there already is added to, so a resumed run goes on in its own file. Figures that are
    not finite are written as null, since JSON knows no NaN.

    Args:
        path: the file; missing folders are made.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with JsonlTracker(Path(folder) / "events.jsonl") as tracker:  # fit(..., tracker=tracker)
        ...         tracker.log_metrics({"train_loss": 0.5}, step=20)
        ...     len(tracker.path.read_text().splitlines())  # running, the metrics, finished
        3
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Remembers the path; the file is opened by ``with``."""
        self.path: Path = Path(path)
        self._file: TextIO | None = None

    def __enter__(self) -> "JsonlTracker":
        """Opens the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torn = _is_torn(self.path)
        self._file = self.path.open("a", encoding="utf-8", buffering=1)  # each line leaves at once
        if torn:
            self._file.write("\n")
        self._write({"status": "running"})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Notes how the run ended and closes the file."""
        self._write(
            {"status": "finished"} if kind is None else {"status": "failed", "error": f"{kind.__name__}: {error}"}
        )
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def log_params(self, params: Mapping[str, Value]) -> None:
        """A line with the run's parameters."""
        self._write({"params": {name: _finite(value) for name, value in params.items()}})

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """A line with figures and their step."""
        self._write({"metrics": {name: _finite(float(value)) for name, value in metrics.items()}, "step": step})

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """A line that names the file; the file itself stays where it is."""
        self._write({"artifact": os.fspath(path)})

    def flush(self) -> None:
        """Forces what was written to disk."""
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
    """JSON knows neither NaN nor infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_torn(path: Path) -> bool:
    """Whether the last line was cut short by a crash: the next would be written onto its end."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"
