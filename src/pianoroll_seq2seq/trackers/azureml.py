"""A run of Azure Machine Learning (SDK v1, ``azureml-core``).

The client queues metrics and sends them about once a second, and loses them if the process ends before. It turns
everything but plain floats into strings, sends NaN as invalid JSON, sends lists of any length to a service that accepts
250 values, and waits minutes when the service is busy. This tracker works around all of that, and no problem with the
service slows or stops training.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq._internal.reports import Reports
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.trackers.base import Value
from pianoroll_seq2seq.trackers.jsonl import METRICS, JsonlTracker
from pianoroll_seq2seq.trackers.ranks import is_first_process
from pianoroll_seq2seq.trackers.retry_queue import RetryQueue
from pianoroll_seq2seq.trackers.termination import Termination
from pianoroll_seq2seq.trackers.values import finite_metrics, public_params

_MAX_LIST = 250  # values of a list; the service refuses more
_MAX_NAMES = 50  # metrics of a run
_MAX_COLUMNS = 15  # of a row
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")
_METRICS, _REST = "metrics", "everything else"  # have a queue each, so that no file delays a metric
_FOLDER = "tracked"  # the service itself uploads files under outputs/

_LOCAL_METRICS = f"outputs/{METRICS}"


class AzureMLTracker:
    """Keeps a run's metrics, parameters (as tags), images and files in Azure ML, and its metrics in a local file.

    Outside Azure ML it warns once and writes the local file only. Only the first process of a distributed run tracks.
    It sends in the background; :meth:`flush` and leaving the context wait for it, also after an exception and on
    SIGTERM. What could not be sent causes a warning.

    Args:
        run: an ``azureml.core.Run``, such as ``experiment.start_logging()`` returns; the run that this process was
            submitted as by default.
        local: file that gets every metric as well (see :class:`~pianoroll_seq2seq.trackers.jsonl.JsonlTracker`); None
            for no file. Azure ML keeps the files in ``outputs/`` with the run.
        flush_seconds: the longest time to wait for the service, each time.

    Raises:
        SettingsError: ``flush_seconds`` is not above 0.

    Example:
        In a script that was submitted to Azure ML::

            with AzureMLTracker() as tracker:
                fit(model, train, valid, epochs=20, batch_size=32, tracker=tracker)
                tracker.log_artifact("outputs/generated.mid")
    """

    def __init__(
        self,
        run: Any = None,
        *,
        local: str | os.PathLike[str] | None = _LOCAL_METRICS,
        flush_seconds: float = 60.0,
    ) -> None:
        """Opens no connection yet."""
        if not flush_seconds > 0:
            raise SettingsError(f"flush_seconds must be above 0, got {flush_seconds}.")
        self.run: Any = run
        self.dropped: Counter[str] = Counter()
        self._local = None if local is None else JsonlTracker(local)
        self._flush_seconds = flush_seconds
        self._first = is_first_process()
        self._closing = ExitStack()
        self._is_open = False
        self._reports = Reports()
        self._names: set[str] = set()
        self._files: Counter[str] = Counter()
        self._tags: dict[str, str] = {}
        self._queues: dict[str, RetryQueue] = {}

    @property
    def is_open(self) -> bool:
        """Whether the run is open."""
        return self._is_open

    def __enter__(self) -> "AzureMLTracker":
        """Finds the run.

        Raises:
            MissingExtraError: azureml-core is not installed.
        """
        if self._first:
            self.run = self._current_run() if self.run is None else self.run
            with ExitStack() as stack:
                stack.enter_context(Termination())
                if self._local is not None:
                    stack.enter_context(self._local)
                if self.run is not None:
                    self._queues = {name: RetryQueue(self._on_error) for name in (_METRICS, _REST)}
                    for queue in self._queues.values():
                        stack.callback(queue.close)
                self._closing = stack.pop_all()
            if self.run is None:
                self._reports.warn("Not a run of Azure ML: metrics stay on this machine", _local_path(self._local))
        self._is_open = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Sends everything that is pending, and marks the run as completed or failed."""
        try:
            if self._queues:
                self.flush()
                if kind is None:
                    self._send("the end of the run", self.run.complete)
                else:
                    details = redacted(f"{kind.__name__}: {error}")
                    self._send("the end of the run", lambda: self.run.fail(error_details=details))
                self._wait()
                self._queues = {}
            if self.dropped:
                counts = ", ".join(f"{name} ({count})" for name, count in sorted(self.dropped.items()))
                self._reports.warn("Values that are not finite were not sent to Azure ML", counts)
        finally:
            self._is_open = False
            self._closing.__exit__(kind, error, None)

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Logs parameters, as tags of the run."""
        if self._local is not None and self._first:
            self._local.log_params(params)
        self.tag({name: str(value) for name, value in public_params(params).items()})

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Logs metrics with their step. Those that are not finite are skipped and counted."""
        if self._local is not None and self._first:
            self._local.log_metrics(metrics, step=step)
        if self._queues:
            for name, value in self._finite(metrics).items():
                self.run.log(self._count(name), value, step=int(step))  # it never waits: the client has a queue

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Logs a file: a picture as an image of the run, others as files in ``tracked/``.

        It is read in the background: do not change it before the next :meth:`flush`.
        """
        path = Path(path)
        if self._local is not None and self._first:
            self._local.log_artifact(path)
        if path.suffix.lower() in _IMAGES:
            self.log_image(path.stem, path)
        elif self._queues:
            self._files[path.name] += 1
            number = self._files[path.name]
            name = f"the file {path}" if number == 1 else f"the file {path} ({number})"  # a new file each time
            self._send(name, lambda: self._upload(path, number))

    def log_media(self, name: str, path: str | os.PathLike[str], *, step: int) -> None:
        """Logs a picture as an image of the run, one more under the same name, and any other file as an artifact."""
        if Path(path).suffix.lower() not in _IMAGES:
            self.log_artifact(path)
            return
        if self._local is not None and self._first:
            self._local.log_artifact(path)
        self.log_image(name, path)

    def log_image(self, name: str, path: str | os.PathLike[str]) -> None:
        """Logs a picture under a name."""
        if self._queues:
            counted = self._count(name)
            self._send(f"the image {path}", lambda: self.run.log_image(counted, path=os.fspath(path)))

    def log_list(self, name: str, values: Sequence[float]) -> None:
        """Logs numbers without steps as one metric, in lists that the service accepts."""
        if self._queues:
            numbers = [number for value in values for number in self._finite({name: value}).values()]
            for begin in range(0, len(numbers), _MAX_LIST):
                self.run.log_list(self._count(name), numbers[begin : begin + _MAX_LIST])

    def log_row(self, name: str, columns: Mapping[str, float]) -> None:
        """Logs one row of a table.

        Raises:
            SettingsError: more columns than the service accepts.
        """
        if len(columns) > _MAX_COLUMNS:
            raise SettingsError(
                f"A row of Azure ML has at most {_MAX_COLUMNS} columns, got {len(columns)} for {name!r}."
            )
        if self._queues:
            row = self._finite(columns)
            if row:
                self.run.log_row(self._count(name), **row)

    def tag(self, tags: Mapping[str, str]) -> None:
        """Sets tags of the run."""
        if self._queues and tags:
            self._tags |= tags
            all_tags = dict(self._tags)
            self._send("tags", lambda: self.run.set_tags(all_tags))

    def flush(self) -> None:
        """Waits until everything is sent, or ``flush_seconds`` are over, and warns of what was not."""
        if self._local is not None and self._first:
            self._local.flush()
        if self._queues:
            self._send(_METRICS, lambda: self.run.flush(timeout_seconds=self._flush_seconds))
            self._wait()

    def _current_run(self) -> Any:
        """The run that this process was submitted as; None outside Azure ML, or if its service cannot be reached."""
        # Read when the client is imported. Without them it sleeps 32 seconds after one "too many requests".
        os.environ.setdefault("AZUREML_DEFAULT_BACKOFF", "2")
        os.environ.setdefault("AZUREML_DEFAULT_500_BACKOFF", "1")
        os.environ.setdefault("AZUREML_DEFAULT_503_BACKOFF", "1")
        os.environ.setdefault("AZUREML_FLUSH_INGEST_WAIT_TIMEOUT_SECONDS", str(max(int(self._flush_seconds), 1)))
        try:
            from azureml.core import Run
        except ImportError as error:
            raise MissingExtraError("azureml-core", "azureml", "AzureMLTracker") from error
        try:
            run = Run.get_context()
        except Exception as error:  # the service cannot be reached
            self._reports.warn(
                "Azure ML cannot be reached, and receives nothing of this run", f"{type(error).__name__}: {error}"
            )
            return None
        return None if type(run).__name__ == "_OfflineRun" else run

    def _send(self, name: str, call: Callable[[], Any]) -> None:
        self._queues[_METRICS if name == _METRICS else _REST].put(name, call)

    def _on_error(self, name: str, error: Exception) -> bool:
        """Never retries, in the background thread: the client itself has tried several times."""
        self._reports.collect(f"Azure ML did not accept {name}", f"{type(error).__name__}: {error}")
        return False

    def _wait(self) -> None:
        """Waits for all queues."""
        deadline = time.monotonic() + self._flush_seconds
        for queue in self._queues.values():
            if not queue.flush(max(deadline - time.monotonic(), 0.0)):
                for name in queue.pending():
                    self._reports.warn(f"Azure ML did not accept {name}", f"within {self._flush_seconds:g} s")
        self._reports.show()

    def _finite(self, metrics: Mapping[str, float]) -> dict[str, float]:
        numbers, dropped = finite_metrics(metrics)
        self.dropped.update(dropped)
        return numbers

    def _count(self, name: str) -> str:
        """Returns the name, and warns if the run has too many."""
        self._names.add(name)
        if len(self._names) > _MAX_NAMES:
            self._reports.warn(
                f"A run of Azure ML keeps at most {_MAX_NAMES} names of metrics",
                f"{name!r} is one more, and may be dropped by the service",
            )
        return name

    def _upload(self, path: Path, number: int) -> None:
        """Uploads a file under a new name: a name can be used once in a run, which may have been started before."""
        while True:
            name = path.name if number == 1 else f"{path.stem}-{number}{path.suffix}"
            try:
                self.run.upload_file(f"{_FOLDER}/{name}", os.fspath(path))
            except Exception as error:
                if "conflict" not in str(error).lower():
                    raise
                number += 1
            else:
                return


def _local_path(local: JsonlTracker | None) -> str:
    return "nowhere; pass local= to keep them" if local is None else f"in {local.path}"
