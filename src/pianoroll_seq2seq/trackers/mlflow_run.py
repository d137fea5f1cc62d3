"""What is said to an MLflow server of one run, and what its answers mean."""

import os
import posixpath
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

_PARAMS_AT_ONCE = 100
_METRICS_AT_ONCE = 1000
_LONGEST_NAME = 250
_LONGEST_PARAM = 6000
_LONGEST_PARAM_BEFORE = 500  # of older servers
_CHANGED = "resumed."
_WORTH_ANOTHER_TRY = (401, 403, 408, 409, 429, 499)

T = TypeVar("T")


class MlflowRun:
    """One run, begun or gone on with by the first thing that is sent. Its methods raise what MLflow's client raises.

    Args:
        client: an ``mlflow.MlflowClient``.
        run_id: a run to go on with; None for a new one.
        experiment: name of the experiment of a new run; what MLflow's environment variables say by default.
        run_name: name of the run; one of MLflow's own by default.
        tags: tags of the run.
    """

    def __init__(
        self, client: Any, *, run_id: str | None, experiment: str | None, run_name: str | None, tags: Mapping[str, str]
    ) -> None:
        """Says nothing yet."""
        self.run_id = run_id
        self._client = client
        self._experiment = experiment
        self._run_name = run_name
        self._tags = dict(tags)
        self._params: dict[str, str] | None = None  # those that MLflow has; None before the run is begun

    def begin(self) -> dict[str, str]:
        """Begins the run, unless it has begun; returns the parameters that MLflow has of it."""
        if self._params is None:
            if self.run_id is None:
                self.run_id = self._create()
                self._params = {}
            else:
                run = self._client.get_run(self.run_id)
                self._client.update_run(self.run_id, status="RUNNING", name=self._run_name)
                self._send_tags(self._tags)
                self._params = dict(run.data.params)
        return self._params

    def _create(self) -> str:
        from mlflow.tracking.context.registry import resolve_tags

        tags = resolve_tags(self._tags)  # who runs which script, at which commit
        run = self._client.create_run(self._experiment_id(), run_name=self._run_name, tags=tags)
        return str(run.info.run_id)

    def _experiment_id(self) -> str:
        name = self._experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME")
        if not name:
            return os.environ.get("MLFLOW_EXPERIMENT_ID") or "0"
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except Exception:
                found = self._client.get_experiment_by_name(name)  # made by another run at the same moment
                if found is None:
                    raise
        return str(found.experiment_id)

    def send_params(self, params: Mapping[str, str]) -> dict[str, str]:
        """Sends parameters that MLflow does not have.

        It never changes one that it has: a value that is another now goes into a tag, ``resumed.NAME``.

        Returns:
            The changed ones, as "first value, now this value".
        """
        from mlflow.entities import Param

        known = self.begin()
        new = {name: value[:_LONGEST_PARAM] for name, value in params.items() if name not in known}
        changed = {name: value for name, value in params.items() if not _is_same(known.get(name, value), value)}
        for some in _pieces(list(new.items()), _PARAMS_AT_ONCE):
            self._send_or_split([Param(*one) for one in some])
            known.update(some)
        self._send_tags({_CHANGED + name: value for name, value in changed.items()})
        return {name: f"{known[name]}, now {value}" for name, value in changed.items()}

    def _send_or_split(self, params: Sequence[Any]) -> None:
        """Together, or one by one and shorter where a server refuses one of them, and all others with it."""
        from mlflow.entities import Param

        try:
            self._client.log_batch(self.run_id, params=params)
        except Exception as error:
            if not is_refusal(error):
                raise
            for one in params:
                self._client.log_batch(self.run_id, params=[Param(one.key, one.value[:_LONGEST_PARAM_BEFORE])])

    def _send_tags(self, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        for some in _pieces(list(tags.items()), _PARAMS_AT_ONCE):
            self._client.log_batch(self.run_id, tags=[RunTag(*one) for one in some])

    def send_metrics(self, waiting: "deque[tuple[str, float, int, int]]") -> None:
        """Sends metrics (name, value, time in ms, step), the first first; those that did not get through stay.

        Those that the server refuses are gone: it would refuse them again, and all that come after.
        """
        from mlflow.entities import Metric

        self.begin()
        while waiting:
            some = [waiting.popleft() for _ in range(min(len(waiting), _METRICS_AT_ONCE))]
            try:
                self._client.log_batch(self.run_id, metrics=[Metric(*one) for one in some])
            except Exception as error:
                if not is_refusal(error):
                    waiting.extendleft(reversed(some))
                raise

    def upload(self, path: str) -> None:
        """Sends a file."""
        self.begin()
        self._client.log_artifact(self.run_id, path)

    def end(self, status: str) -> None:
        """Ends the run as FINISHED, FAILED or KILLED."""
        self.begin()
        self._client.set_terminated(self.run_id, status)


def mlflow_name(name: str) -> str:
    """A name as MLflow takes it, for which it may become that of a file: odd characters become underscores."""
    name = re.sub(r"[^\w.\- /]", "_", name)[:_LONGEST_NAME]
    is_path = posixpath.normpath(name) == name != "." and not name.startswith(("/", ".."))
    return name if is_path else re.sub(r"[./]", "_", name) or "_"


def is_refusal(error: Exception) -> bool:
    """Whether a server understood, and will never do what it was asked."""
    status = _http_status(error)
    return status is not None and 400 <= status < 500 and status not in _WORTH_ANOTHER_TRY


def is_passing(error: Exception) -> bool:
    """Whether it is the network's or the server's trouble, and not a mistake in what was asked."""
    status = _http_status(error)
    if status is None:
        return isinstance(error, OSError) and not isinstance(error, FileNotFoundError | PermissionError)
    return status >= 500 or status in (408, 429, 499)


def _http_status(error: Exception) -> int | None:
    """As what HTTP would know an error of MLflow's; None of others."""
    status = getattr(error, "get_http_status_code", None)
    return int(status()) if callable(status) else None


def _is_same(known: str, value: str) -> bool:
    """Whether they are equal, but for what a server has cut off."""
    return known == value or (len(known) >= _LONGEST_PARAM_BEFORE and value.startswith(known))


def _pieces(values: Sequence[T], length: int) -> Iterator[Sequence[T]]:
    for begin in range(0, len(values), length):
        yield values[begin : begin + length]
