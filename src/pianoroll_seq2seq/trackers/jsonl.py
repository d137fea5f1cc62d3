"""A run as lines of JSON in a file, complete up to the last line even after a crash."""

import contextlib
import errno
import json
import os
import time
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq._internal.reports import Reports
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.trackers.base import Value
from pianoroll_seq2seq.trackers.values import plain_value, public_params

METRICS = "metrics.jsonl"
"""The usual name of the file."""


class JsonlTracker:
    """Appends one JSON object a line: ``{"time": ..., "metrics": {...}, "step": 20}`` and the like.

    It appends to an existing file, so that a resumed run continues its own file. Numbers that are not finite are
    written as null, since JSON has no NaN. A line that cannot be written, as on a full disk, causes a warning.

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
        self._file: FileIO | None = None
        self._is_torn = False  # whether the last line has no end
        self._reports = Reports()

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._file is not None

    def __enter__(self) -> "JsonlTracker":
        """Opens the file.

        Raises:
            SettingsError: there can be no such file.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._is_torn = _is_torn(self.path)
            self._file = FileIO(self.path, "a")  # each line is written at once
        except OSError as error:
            raise SettingsError(f"{self.path}: lines cannot be written here ({error}). Choose another path.") from error
        self._write({"status": "running"})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Writes how the run ended, and closes the file."""
        ended = {"status": "finished"} if kind is None else {"status": "failed", "error": _text(kind, error)}
        self._write(ended)
        self.flush()
        if self._file is not None:
            with contextlib.suppress(OSError):  # some file systems write only now
                self._file.close()
            self._file = None

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Writes a line with the parameters."""
        self._write({"params": public_params(params)})

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Writes a line with metrics and their step."""
        numbers = {name: float(value) for name, value in metrics.items()}
        self._write({"metrics": numbers, "step": int(step)})

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Writes a line with the path of the file; the file itself is not copied."""
        self._write({"artifact": os.fspath(path)})

    def flush(self) -> None:
        """Forces all lines to disk."""
        if self._file is not None:
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a device or a pipe has no disk
                    self._warn(error)

    def _write(self, record: dict[str, Any]) -> None:
        """Appends a line whole or not at all; a failure is a warning."""
        if self._file is None:
            raise SettingsError(
                f"The tracker of {self.path} is not open. Use it as: with JsonlTracker(path) as tracker:"
            )
        text = json.dumps(plain_value({"time": round(time.time(), 3), **record}), allow_nan=False)
        line = ("\n" * self._is_torn + text + "\n").encode()
        try:
            written = self._file.write(line)
        except OSError as error:
            self._warn(error)
            return
        self._is_torn = written != len(line)
        if self._is_torn:
            self._warn(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            self._remove_end(written)

    def _remove_end(self, number: int) -> None:
        """Removes the last bytes, which are the beginning of a line, unless another process has written after them."""
        assert self._file is not None  # the caller has checked it
        with contextlib.suppress(OSError):
            end = self._file.tell()
            if os.fstat(self._file.fileno()).st_size == end:
                self._file.truncate(end - number)
                self._is_torn = False

    def _warn(self, error: OSError) -> None:
        self._reports.warn(f"{self.path}: the lines of the run are not complete", error.strerror or str(error))


def _text(kind: type[BaseException], error: BaseException | None) -> str:
    return redacted(f"{kind.__name__}: {error}")


def _is_torn(path: Path) -> bool:
    """Whether a crash has cut the last line short, so that the next would be appended to it."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"
