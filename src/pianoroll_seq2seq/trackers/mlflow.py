"""A run of MLflow: on a server, in a local database, or of Azure Machine Learning (by ``azureml-mlflow``).

The client blocks while it sends, and tries for minutes to reach a server that is down. It refuses a parameter that was
logged with another value, and a whole batch for one bad name in it. This tracker sends in the background, and keeps and
retries what could not be sent, so that training neither waits for a server nor fails with it.
"""

import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

from pianoroll_seq2seq._internal.log import warn
from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq._internal.reports import Reports
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.trackers.base import Value
from pianoroll_seq2seq.trackers.file_names import FileNames
from pianoroll_seq2seq.trackers.mlflow_run import MlflowRun, is_passing, is_refusal, mlflow_name
from pianoroll_seq2seq.trackers.ranks import is_first_process
from pianoroll_seq2seq.trackers.retry_queue import RetryQueue
from pianoroll_seq2seq.trackers.termination import Termination
from pianoroll_seq2seq.trackers.values import finite_metrics, public_params

_PARAMS, _METRICS = "parameters", "metrics"
_MAX_PENDING = 1_000_000  # metrics kept while a server is down; about 200 MB
_SIGNAL_STATUS = 128  # plus the signal's number: the exit status of a process that a signal ended


class MLflowTracker:
    """Keeps a run's parameters, metrics and files in MLflow.

    Without ``run_id``, ``experiment`` and ``tracking_uri`` it continues the run that ``MLFLOW_RUN_ID`` names, as in a
    job of Azure ML, or else begins a new run. Only the first process of a distributed run tracks.

    It sends in the background; :meth:`flush` and leaving the context wait for it. If the server cannot be reached, it
    warns once and tries again every half minute and at each flush. Characters that MLflow does not accept in names
    become underscores. Metrics that are not finite are skipped and counted (``dropped``). Leaving the context with an
    exception ends the run as failed; with Ctrl-C or SIGTERM, as killed.

    Args:
        experiment: name of the experiment, created if it is missing. By default ``MLFLOW_EXPERIMENT_NAME`` or
            ``MLFLOW_EXPERIMENT_ID`` of the environment, or MLflow's own default.
        run_name: name of the run; MLflow invents one by default.
        tracking_uri: where MLflow keeps its runs, such as ``http://127.0.0.1:5000`` or ``sqlite:///runs.db`` (which
            needs the full ``mlflow`` package). By default ``MLFLOW_TRACKING_URI`` of the environment.
        run_id: a run to continue, such as ``run_id`` of an earlier tracker. Its parameters stay as they are; changed
            ones become tags, ``resumed.NAME``.
        tags: tags of the run.
        flush_seconds: the longest time to wait for the server, each time.

    Raises:
        SettingsError: ``flush_seconds`` is not above 0.

    Example:
        ::

            with MLflowTracker("scale-chords", tracking_uri="http://127.0.0.1:5000") as tracker:
                fit(model, train, valid, epochs=20, batch_size=32, tracker=tracker)
                tracker.log_artifact("runs/generated.mid")
    """

    def __init__(
        self,
        experiment: str | None = None,
        *,
        run_name: str | None = None,
        tracking_uri: str | None = None,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        flush_seconds: float = 60.0,
    ) -> None:
        """Opens no connection yet."""
        if not flush_seconds > 0:
            raise SettingsError(f"flush_seconds must be above 0, got {flush_seconds}.")
        self.dropped: Counter[str] = Counter()
        self._experiment = experiment
        self._run_name = run_name
        self._tracking_uri = tracking_uri
        self._run_id = run_id
        self._tags = dict(tags or {})
        self._flush_seconds = flush_seconds
        self._first = is_first_process()
        self._closing = ExitStack()
        self._sending: tuple[MlflowRun, RetryQueue] | None = None
        self._params: dict[str, str] = {}
        self._files = FileNames()
        self._metrics: deque[tuple[str, float, int, int]] = deque()
        self._reports = Reports(self._redacted)

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run, to continue it later; None until a server has given it one."""
        return self._run_id if self._sending is None else self._sending[0].run_id

    def __repr__(self) -> str:
        """Without passwords."""
        if not hasattr(self, "_tracking_uri"):
            return "MLflowTracker(...)"  # its arguments were refused
        return f"MLflowTracker({self._experiment!r}, tracking_uri={self._redacted(self._tracking_uri or '')!r})"

    @property
    def is_open(self) -> bool:
        """Whether the run is open."""
        return self._sending is not None

    def __enter__(self) -> "MLflowTracker":
        """Begins or continues the run.

        Raises:
            MissingExtraError: MLflow is not installed.
            SettingsError: an address, a run or an experiment that MLflow does not accept. A server that cannot be
                reached causes a warning only.
        """
        if self._first:
            with ExitStack() as stack:
                stack.enter_context(Termination())
                stack.enter_context(_client_settings(has_password="@" in self._address()))
                run, queue = self._connect(), RetryQueue(self._on_error)
                stack.callback(queue.close)
                self._begin(run, queue)
                self._sending = run, queue
                self._closing = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Sends everything that is pending, and ends the run."""
        with self._closing:
            if self._sending is None:
                return
            run, queue = self._sending
            queue.put("the end of the run", partial(run.end, _status(error)))
            self._flush(queue, "lost")
            self._run_id, self._sending = run.run_id, None
            if self.dropped:
                counts = ", ".join(f"{name} ({count})" for name, count in sorted(self.dropped.items()))
                self._reports.warn("Values that are not finite, or too many, were not sent to MLflow", counts)

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Logs parameters, as texts."""
        if self._first:
            run, queue = self._open()
            self._params |= {mlflow_name(name): str(value) for name, value in public_params(params).items()}
            queue.put(_PARAMS, partial(self._send_params, run, dict(self._params)))

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Logs metrics, with their step and the time."""
        if self._first:
            run, queue = self._open()
            numbers, dropped = finite_metrics(metrics)
            if len(self._metrics) + len(numbers) > _MAX_PENDING:
                numbers, dropped = {}, list(metrics)
            self.dropped.update(dropped)
            now = int(time.time() * 1000)
            self._metrics.extend((mlflow_name(name), value, now, int(step)) for name, value in numbers.items())
            queue.put(_METRICS, partial(run.send_metrics, self._metrics))

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """Logs a file. It is read in the background: do not change it before the next :meth:`flush`.

        Another file of the same name goes into a folder with a number: ``scores-2/scores.json``.
        """
        if self._first:
            run, queue = self._open()
            absolute = os.fspath(Path(path).absolute())
            if os.path.exists(absolute):
                name = self._files.name_of(Path(absolute))
                folder = None if name == Path(absolute).name else Path(name).stem
                queue.put(f"the file {absolute}", partial(run.upload, absolute, folder))
            else:
                self._reports.warn("There is no such file to send to MLflow", absolute)

    def flush(self) -> None:
        """Waits until MLflow has everything. What it does not get is kept for the next time, with a warning."""
        if self._first:
            self._flush(self._open()[1], "kept and sent again")

    def _open(self) -> tuple[MlflowRun, RetryQueue]:
        if self._sending is None:
            raise SettingsError("The tracker is not open. Use it as: with MLflowTracker(...) as tracker:")
        self._reports.show()
        return self._sending

    def _connect(self) -> MlflowRun:
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise MissingExtraError("mlflow", "mlflow", "MLflowTracker") from error
        run_id = self.run_id
        if run_id is None and self._experiment is None and self._tracking_uri is None:
            run_id = os.environ.get("MLFLOW_RUN_ID") or None
        try:
            client = MlflowClient(tracking_uri=self._tracking_uri)
        except Exception as error:  # any error of the plug-in of an address
            raise self._refusal(error) from None
        return MlflowRun(client, run_id=run_id, experiment=self._experiment, run_name=self._run_name, tags=self._tags)

    def _begin(self, run: MlflowRun, queue: RetryQueue) -> None:
        refusals: list[Exception] = []

        def begin() -> None:
            try:
                run.begin()
            except Exception as error:
                if is_passing(error):
                    raise
                refusals.append(error)

        queue.put("the beginning of the run", begin)
        begun = queue.flush(self._flush_seconds)
        if refusals:
            # Without its cause, which may contain a password.
            raise self._refusal(refusals[0]) from None
        if not begun and not self._reports:
            self._reports.collect("MLflow did not answer", f"{self._address()}, within {self._flush_seconds:g} s")
        self._reports.show()

    def _refusal(self, error: Exception) -> SettingsError:
        hint = ""
        if not self._address().startswith("http") and find_spec("sqlalchemy") is None:
            hint = " A store without a server needs the full package: pip install mlflow."
        return SettingsError(self._redacted(f"MLflow refuses the run ({type(error).__name__}: {error}).{hint}"))

    def _send_params(self, run: MlflowRun, params: Mapping[str, str]) -> None:
        changed = run.send_params(params)
        if changed:
            changes = "; ".join(f"{name}: {values}" for name, values in changed.items())
            self._reports.collect("Parameters have changed since the run began. MLflow keeps the first values", changes)

    def _on_error(self, name: str, error: Exception) -> bool:
        """Whether to retry a call, in the background thread."""
        detail = f"{type(error).__name__}: {error}"
        if is_refusal(error):
            self._reports.collect(f"MLflow refused {name}", detail)
            return name == _METRICS and bool(self._metrics)
        self._reports.collect("MLflow did not receive everything; it is sent again later", f"{name}: {detail}")
        return True

    def _flush(self, queue: RetryQueue, fate: str) -> None:
        is_sent = queue.flush(self._flush_seconds)
        self._reports.show()
        if not is_sent:
            pending = ", ".join(queue.pending())
            detail = f"{pending} ({len(self._metrics)} metrics in all) could not be sent to {self._address()}"
            warn(self._redacted(f"MLflow does not have everything: {detail}, and is {fate}."), stacklevel=3)

    def _address(self) -> str:
        return self._tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or "its default address"

    def _redacted(self, text: str) -> str:
        """The text without the name and password that an address may contain."""
        secret = self._address().partition("://")[2].rpartition("@")[0]
        return redacted(text, secret, unquote(secret))


def _status(error: BaseException | None) -> str:
    """MLflow's status of a run that ended with an exception, or without one."""
    match error:
        case None | SystemExit(code=None | 0):
            return "FINISHED"
        case KeyboardInterrupt():
            return "KILLED"
        case SystemExit(code=int(code)) if code > _SIGNAL_STATUS:
            return "KILLED"
        case _:
            return "FAILED"


@contextmanager
def _client_settings(*, has_password: bool) -> Iterator[None]:
    """Sets environment variables of the client, unless the user has set them."""
    # The queue retries; the client's own seven attempts take four minutes.
    wanted = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    if has_password:
        wanted["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    ours = [name for name in wanted if name not in os.environ]
    os.environ.update({name: wanted[name] for name in ours})
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
