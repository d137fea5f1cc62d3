"""A run of Azure Machine Learning (SDK v1, ``azureml-core``), and what must be known to keep its numbers.

The client queues metrics and sends them about once a second; a process that ends before has lost them. It turns
everything but plain floats into strings, sends NaN as JSON that is none, sends lists of any length to a service
that takes 250 values, and waits minutes when the service asks for a little patience. All of that is dealt with
here, and nothing that goes wrong on the way to the service slows or ends a training.
"""

import os
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.redaction import redacted
from pianoroll_seq2seq.trackers.base import Value
from pianoroll_seq2seq.trackers.jsonl import JsonlTracker
from pianoroll_seq2seq.trackers.numbers import finite
from pianoroll_seq2seq.trackers.outbox import Outbox
from pianoroll_seq2seq.trackers.ranks import is_first_process
from pianoroll_seq2seq.trackers.termination import Termination

_VALUES_AT_ONCE = 250  # of one list; the service refuses more
_MOST_NAMES = 50  # of metrics in a run
_MOST_COLUMNS = 15  # of a row
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")
_METRICS, _REST = "metrics", "all else"  # have an outbox each: no file shall hold up a metric
_FOLDER = "tracked"  # files under outputs/ are uploaded by the service itself, under names of its own


class AzureMLTracker:
    """Keeps a run's metrics, parameters (as tags), images and files in Azure ML, and its metrics in a local file.

    Outside Azure ML it says so once and keeps the local file. Only the first process of a distributed run tracks.
    Sending goes on in the background; :meth:`flush` and leaving the context wait for it, also after an exception and
    on SIGTERM. What could not be delivered is reported as a warning.

    Args:
        run: an ``azureml.core.Run``, such as ``experiment.start_logging()`` returns; the run that this process was
            submitted as by default.
        local: file that gets every metric as well (see :class:`~pianoroll_seq2seq.trackers.jsonl.JsonlTracker`); None
            for no file. In Azure ML, what lies in ``outputs/`` is kept with the run.
        flush_seconds: the longest to wait for the service, each time.

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
        local: str | os.PathLike[str] | None = "outputs/metrics.jsonl",
        flush_seconds: float = 60.0,
    ) -> None:
        """Connects to nothing yet."""
        if not flush_seconds > 0:
            raise SettingsError(f"flush_seconds must be above 0, got {flush_seconds}.")
        self.run: Any = run
        self.dropped: Counter[str] = Counter()
        self._local = None if local is None else JsonlTracker(local)
        self._flush_seconds = flush_seconds
        self._first = is_first_process()
        self._closing = ExitStack()
        self._events: deque[tuple[str, str]] = deque()  # what failed in the background and is to be reported
        self._reported: set[str] = set()
        self._names: set[str] = set()
        self._files: Counter[str] = Counter()
        self._tags: dict[str, str] = {}
        self._outboxes: dict[str, Outbox] = {}

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
                    self._outboxes = {name: Outbox(self._failed) for name in (_METRICS, _REST)}
                    for outbox in self._outboxes.values():
                        stack.callback(outbox.close)
                self._closing = stack.pop_all()
            if self.run is None:
                self._report("Not a run of Azure ML: metrics stay on this machine", _place(self._local))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Delivers what is left, and marks the run completed or failed."""
        try:
            if self._outboxes:
                self.flush()
                if kind is None:
                    self._send("the end of the run", self.run.complete)
                else:
                    told = redacted(f"{kind.__name__}: {error}")
                    self._send("the end of the run", lambda: self.run.fail(error_details=told))
                self._wait()
                self._outboxes = {}
            if self.dropped:
                counts = ", ".join(f"{name} ({count})" for name, count in sorted(self.dropped.items()))
                self._report("Values that are not finite were not sent to Azure ML", counts)
        finally:
            self._closing.__exit__(kind, error, None)

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Parameters become tags of the run."""
        if self._local is not None and self._first:
            self._local.log_params(params)
        self.tag({name: str(value) for name, value in params.items()})

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Each figure with its step; those that are not finite are left out and counted."""
        if self._local is not None and self._first:
            self._local.log_metrics(metrics, step=step)
        if self._outboxes:
            for name, value in self._finite(metrics).items():
                self.run.log(self._named(name), value, step=int(step))  # queued: it never waits

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """A file: pictures are shown among the run's images, others stand under ``tracked/``.

        It is read in the background, and must stay as it is until :meth:`flush`.
        """
        path = Path(path)
        if self._local is not None and self._first:
            self._local.log_artifact(path)
        if path.suffix.lower() in _IMAGES:
            self.log_image(path.stem, path)
        elif self._outboxes:
            self._files[path.name] += 1
            number = self._files[path.name]
            told = f"the file {path}" if number == 1 else f"the file {path} ({number})"  # each is a file of its own
            self._send(told, lambda: self._upload(path, number))

    def log_image(self, name: str, path: str | os.PathLike[str]) -> None:
        """A picture in a file, under a name."""
        if self._outboxes:
            shown = self._named(name)
            self._send(f"the image {path}", lambda: self.run.log_image(shown, path=os.fspath(path)))

    def log_list(self, name: str, values: Sequence[float]) -> None:
        """Figures without steps, in one metric, in pieces that the service takes."""
        if self._outboxes:
            numbers = [number for value in values for number in self._finite({name: value}).values()]
            for begin in range(0, len(numbers), _VALUES_AT_ONCE):
                self.run.log_list(self._named(name), numbers[begin : begin + _VALUES_AT_ONCE])

    def log_row(self, name: str, columns: Mapping[str, float]) -> None:
        """One row of a table.

        Raises:
            SettingsError: more columns than the service takes.
        """
        if len(columns) > _MOST_COLUMNS:
            raise SettingsError(
                f"A row of Azure ML has at most {_MOST_COLUMNS} columns, got {len(columns)} for {name!r}."
            )
        if self._outboxes:
            row = self._finite(columns)
            if row:
                self.run.log_row(self._named(name), **row)

    def tag(self, tags: Mapping[str, str]) -> None:
        """Tags of the run."""
        if self._outboxes and tags:
            self._tags |= tags
            all_tags = dict(self._tags)
            self._send("tags", lambda: self.run.set_tags(all_tags))

    def flush(self) -> None:
        """Returns when all is delivered, or ``flush_seconds`` are over, and reports what was not."""
        if self._local is not None and self._first:
            self._local.flush()
        if self._outboxes:
            self._send(_METRICS, lambda: self.run.flush(timeout_seconds=self._flush_seconds))
            self._wait()

    def _current_run(self) -> Any:
        """The run that this process was submitted as; None outside Azure ML, or where its service is out of reach."""
        # Read when the client is imported: without it, one "too many requests" is answered by a sleep of 32 seconds.
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
        except Exception as error:  # the run is there, its service is not
            self._report("Azure ML cannot be reached, and gets nothing of this run", f"{type(error).__name__}: {error}")
            return None
        return None if type(run).__name__ == "_OfflineRun" else run

    def _send(self, what: str, call: Callable[[], Any]) -> None:
        self._outboxes[_METRICS if what == _METRICS else _REST].put(what, call)

    def _failed(self, what: str, error: Exception) -> bool:
        """In the background: no call is made again, for the client itself has tried several times."""
        self._events.append((f"Azure ML did not take {what}", f"{type(error).__name__}: {error}"))
        return False

    def _wait(self) -> None:
        """For everything that is on its way."""
        deadline = time.monotonic() + self._flush_seconds
        for outbox in self._outboxes.values():
            if not outbox.deliver(max(deadline - time.monotonic(), 0.0)):
                for what in outbox.waiting():
                    self._report(f"Azure ML did not take {what}", f"within {self._flush_seconds:g} s")
        while self._events:
            self._report(*self._events.popleft())

    def _report(self, what: str, detail: str) -> None:
        """A warning, once for each thing that goes wrong."""
        if what not in self._reported:
            self._reported.add(what)
            first_line = " ".join(redacted(detail).split())[:500]
            warnings.warn(f"{what}: {first_line}", stacklevel=4)

    def _finite(self, metrics: Mapping[str, float]) -> dict[str, float]:
        numbers, dropped = finite(metrics)
        self.dropped.update(dropped)
        return numbers

    def _named(self, name: str) -> str:
        self._names.add(name)
        if len(self._names) > _MOST_NAMES:
            self._report(
                f"A run of Azure ML keeps at most {_MOST_NAMES} names of metrics",
                f"{name!r} is one more, and may be dropped by the service",
            )
        return name

    def _upload(self, path: Path, number: int) -> None:
        """Names are given once in a run, and an earlier start of it may have used some."""
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


def _place(local: JsonlTracker | None) -> str:
    return "nowhere; pass local= to keep them" if local is None else f"in {local.path}"
