"""A run of MLflow: on a server, in a local database, or of Azure Machine Learning (by ``azureml-mlflow``).

The client blocks while it sends, and tries for minutes to reach a server that is down; it refuses a parameter that was
logged with another value, and a whole batch for one bad name in it. All of that is dealt with here: sending goes on in
the background, what did not get through is kept and sent again, and a training neither waits for a server nor ends
with it.
"""

import os
import time
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.redaction import redacted
from pianoroll_seq2seq.trackers.base import Value
from pianoroll_seq2seq.trackers.mlflow_run import MlflowRun, is_passing, is_refusal, mlflow_name
from pianoroll_seq2seq.trackers.numbers import finite
from pianoroll_seq2seq.trackers.outbox import Outbox
from pianoroll_seq2seq.trackers.ranks import is_first_process
from pianoroll_seq2seq.trackers.termination import Termination

_PARAMS, _METRICS = "parameters", "metrics"
_MOST_WAITING = 1_000_000  # metrics kept while a server is down; some 200 MB
_SIGNALLED = 128  # and the signal's number: the exit status of a process that a signal ended


class MLflowTracker:
    """Keeps a run's parameters, metrics and files in MLflow.

    Without ``run_id``, ``experiment`` and ``tracking_uri`` it goes on with the run that ``MLFLOW_RUN_ID`` names, as it
    is set in a job of Azure ML; else it begins a run of its own. Only the first process of a distributed run tracks.

    Sending goes on in the background, and :meth:`flush` and leaving the context wait for it. A server that cannot be
    reached is tried again every half a minute and whenever something is to be flushed; a warning says so, once. Names
    that MLflow does not take are given underscores, and figures that are not finite are left out and counted
    (``dropped``). Leaving by an exception ends the run as failed; by Ctrl-C or SIGTERM, as killed.

    Args:
        experiment: name of the experiment, made if it is not there. By default what ``MLFLOW_EXPERIMENT_NAME`` or
            ``MLFLOW_EXPERIMENT_ID`` say, and else MLflow's own.
        run_name: name of the run; MLflow makes one up by default.
        tracking_uri: where MLflow keeps its runs, such as ``http://127.0.0.1:5000`` or ``sqlite:///runs.db`` (which
            needs all of ``mlflow``). By default what ``MLFLOW_TRACKING_URI`` says.
        run_id: a run to go on with, such as ``run_id`` of an earlier tracker. Its parameters stay as they are; those
            that are others now become tags, ``resumed.NAME``.
        tags: tags of the run.
        flush_seconds: the longest to wait for the server, each time.

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
        """Connects to nothing yet."""
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
        self._sending: tuple[MlflowRun, Outbox] | None = None
        self._params: dict[str, str] = {}
        self._metrics: deque[tuple[str, float, int, int]] = deque()
        self._events: deque[tuple[str, str]] = deque()  # what happened in the background and is to be reported
        self._reported: set[str] = set()

    @property
    def run_id(self) -> str | None:
        """MLflow's name of the run, to go on with it another day; None as long as no server has given it one."""
        return self._run_id if self._sending is None else self._sending[0].run_id

    def __repr__(self) -> str:
        """Without passwords."""
        return f"MLflowTracker({self._experiment!r}, tracking_uri={self._shown(self._tracking_uri or '')!r})"

    def __enter__(self) -> "MLflowTracker":
        """Begins the run, or goes on with it.

        Raises:
            MissingExtraError: MLflow is not installed.
            SettingsError: an address, a run or an experiment that MLflow does not take. A server that cannot be
                reached only makes for a warning.
        """
        if self._first:
            with ExitStack() as stack:
                stack.enter_context(Termination())
                stack.enter_context(_client_settings(has_password="@" in self._address()))
                run, outbox = self._connected(), Outbox(self._failed)
                stack.callback(outbox.close)
                self._begin(run, outbox)
                self._sending = run, outbox
                self._closing = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Sends what is left, and ends the run."""
        with self._closing:
            if self._sending is None:
                return
            run, outbox = self._sending
            outbox.put("the end of the run", partial(run.end, _status(error)))
            self._deliver(outbox, "lost")
            self._run_id, self._sending = run.run_id, None
            if self.dropped:
                counts = ", ".join(f"{name} ({count})" for name, count in sorted(self.dropped.items()))
                self._report("Values that are not finite, or too many, were not sent to MLflow", counts)

    def log_params(self, params: Mapping[str, Value]) -> None:
        """Parameters, as texts."""
        if self._first:
            run, outbox = self._opened()
            self._params |= {mlflow_name(name): str(value) for name, value in params.items()}
            outbox.put(_PARAMS, partial(self._send_params, run, dict(self._params)))

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Figures, with their step and the time."""
        if self._first:
            run, outbox = self._opened()
            numbers, dropped = finite(metrics)
            if len(self._metrics) + len(numbers) > _MOST_WAITING:
                numbers, dropped = {}, list(metrics)
            self.dropped.update(dropped)
            now = int(time.time() * 1000)
            self._metrics.extend((mlflow_name(name), value, now, int(step)) for name, value in numbers.items())
            outbox.put(_METRICS, partial(run.send_metrics, self._metrics))

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """A file. It is read in the background, and must stay as it is until :meth:`flush`."""
        if self._first:
            run, outbox = self._opened()
            place = os.fspath(Path(path).absolute())
            if os.path.exists(place):
                outbox.put(f"the file {place}", partial(run.upload, place))
            else:
                self._report("There is no such file to send to MLflow", place)

    def flush(self) -> None:
        """Returns when MLflow has everything; a warning says what it does not have, which is kept for the next time."""
        if self._first:
            self._deliver(self._opened()[1], "kept and sent again")

    def _opened(self) -> tuple[MlflowRun, Outbox]:
        if self._sending is None:
            raise SettingsError("The tracker is not open. Use it as: with MLflowTracker(...) as tracker:")
        self._tell()
        return self._sending

    def _connected(self) -> MlflowRun:
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise MissingExtraError("mlflow", "mlflow", "MLflowTracker") from error
        run_id = self.run_id
        if run_id is None and self._experiment is None and self._tracking_uri is None:
            run_id = os.environ.get("MLFLOW_RUN_ID") or None
        try:
            client = MlflowClient(tracking_uri=self._tracking_uri)
        except Exception as error:  # whatever the plug-in of an address comes up with
            raise self._refusal(error) from None
        return MlflowRun(client, run_id=run_id, experiment=self._experiment, run_name=self._run_name, tags=self._tags)

    def _begin(self, run: MlflowRun, outbox: Outbox) -> None:
        refusals: list[Exception] = []

        def begin() -> None:
            try:
                run.begin()
            except Exception as error:
                if is_passing(error):
                    raise
                refusals.append(error)

        outbox.put("the beginning of the run", begin)
        begun = outbox.deliver(self._flush_seconds)
        if refusals:
            # Without what it was raised from: that may show a password.
            raise self._refusal(refusals[0]) from None
        if not begun and not self._events:
            self._events.append(("MLflow did not answer", f"{self._address()}, within {self._flush_seconds:g} s"))
        self._tell()

    def _refusal(self, error: Exception) -> SettingsError:
        hint = ""
        if not self._address().startswith("http") and find_spec("sqlalchemy") is None:
            hint = " A store without a server needs all of MLflow: pip install mlflow."
        return SettingsError(self._shown(f"MLflow does not take the run ({type(error).__name__}: {error}).{hint}"))

    def _send_params(self, run: MlflowRun, params: Mapping[str, str]) -> None:
        changed = run.send_params(params)
        if changed:
            told = "; ".join(f"{name}: {values}" for name, values in changed.items())
            self._events.append(("Parameters are not what they were when the run began. MLflow keeps the first", told))

    def _failed(self, name: str, error: Exception) -> bool:
        """In the background: whether to try again what has failed."""
        told = f"{type(error).__name__}: {error}"
        if is_refusal(error):
            self._events.append((f"MLflow refused {name}", told))
            return name == _METRICS and bool(self._metrics)
        self._events.append(
            ("MLflow did not take everything that was logged; it is sent again later", f"{name}: {told}")
        )
        return True

    def _deliver(self, outbox: Outbox, fate: str) -> None:
        delivered = outbox.deliver(self._flush_seconds)
        self._tell()
        if not delivered:
            waiting = ", ".join(outbox.waiting())
            detail = f"{waiting} ({len(self._metrics)} metrics in all) did not get to {self._address()}"
            warnings.warn(self._shown(f"MLflow does not have everything: {detail}, and is {fate}."), stacklevel=3)

    def _tell(self) -> None:
        """What happened in the background, as warnings in the thread of the training."""
        while self._events:
            self._report(*self._events.popleft())

    def _report(self, what: str, detail: str) -> None:
        """A warning, once for each thing that goes wrong."""
        if what not in self._reported:
            self._reported.add(what)
            warnings.warn(self._shown(f"{what}: {' '.join(detail.split())[:500]}"), stacklevel=4)

    def _address(self) -> str:
        return self._tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or "its default place"

    def _shown(self, text: str) -> str:
        """Without the name and password that an address may hold."""
        secret = self._address().partition("://")[2].rpartition("@")[0]
        return redacted(text, secret, unquote(secret))


def _status(error: BaseException | None) -> str:
    """What MLflow calls a run that ended so."""
    match error:
        case None | SystemExit(code=None | 0):
            return "FINISHED"
        case KeyboardInterrupt():
            return "KILLED"
        case SystemExit(code=int(code)) if code > _SIGNALLED:
            return "KILLED"
        case _:
            return "FAILED"


@contextmanager
def _client_settings(*, has_password: bool) -> Iterator[None]:
    """What the client can be told by environment variables alone; what the user has set stays."""
    wanted = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}  # patience is ours: seven tries are four minutes
    if has_password:
        wanted["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    ours = [name for name in wanted if name not in os.environ]
    os.environ.update({name: wanted[name] for name in ours})
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
