"""One run on an MLflow server, and what the server's answers mean."""

import os
import posixpath
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

_MAX_PARAMS = 100
_MAX_METRICS = 1000
_MAX_NAME = 250
_MAX_PARAM = 6000
_MAX_PARAM_OLD = 500  # of older servers
_CHANGED_PREFIX = "resumed."
_RETRIED_STATUS = (401, 403, 408, 409, 429, 499)

T = TypeVar("T")


class MlflowRun:
    """One run, which begins or continues when something is sent. Its methods raise what MLflow's client raises.

    Args:
        client: an ``mlflow.MlflowClient``.
        run_id: a run to continue; None for a new one.
        experiment: name of the experiment of a new run; by default that of MLflow's environment variables.
        run_name: name of the run; MLflow invents one by default.
        tags: tags of the run.
    """

    def __init__(
        self, client: Any, *, run_id: str | None, experiment: str | None, run_name: str | None, tags: Mapping[str, str]
    ) -> None:
        """Sends nothing yet."""
        self.run_id = run_id
        self._client = client
        self._experiment = experiment
        self._run_name = run_name
        self._tags = dict(tags)
        self._params: dict[str, str] | None = None  # those that MLflow has; None before the run begins

    def begin(self) -> dict[str, str]:
        """Begins the run, unless it has begun. Returns the parameters that MLflow has."""
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

        tags = resolve_tags(self._tags)  # the user, the script and the commit
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
                found = self._client.get_experiment_by_name(name)  # another run has just created it
                if found is None:
                    raise
        return str(found.experiment_id)

    def send_params(self, params: Mapping[str, str]) -> dict[str, str]:
        """Sends parameters that MLflow does not have.

        MLflow never changes a parameter: a changed value becomes a tag, ``resumed.NAME``.

        Returns:
            The changed parameters, as "first value, now this value".
        """
        from mlflow.entities import Param

        known = self.begin()
        new = {name: value[:_MAX_PARAM] for name, value in params.items() if name not in known}
        changed = {name: value for name, value in params.items() if not _is_same(known.get(name, value), value)}
        for some in _pieces(list(new.items()), _MAX_PARAMS):
            self._send_or_split([Param(*one) for one in some])
            known.update(some)
        self._send_tags({_CHANGED_PREFIX + name: value for name, value in changed.items()})
        return {name: f"{known[name]}, now {value}" for name, value in changed.items()}

    def _send_or_split(self, params: Sequence[Any]) -> None:
        """Sends all at once; if the server refuses one of them, and so all, sends them one by one and shorter."""
        from mlflow.entities import Param

        try:
            self._client.log_batch(self.run_id, params=params)
        except Exception as error:
            if not is_refusal(error):
                raise
            for one in params:
                self._client.log_batch(self.run_id, params=[Param(one.key, one.value[:_MAX_PARAM_OLD])])

    def _send_tags(self, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        for some in _pieces(list(tags.items()), _MAX_PARAMS):
            self._client.log_batch(self.run_id, tags=[RunTag(*one) for one in some])

    def send_metrics(self, waiting: "deque[tuple[str, float, int, int]]") -> None:
        """Sends metrics (name, value, time in ms, step) in order, and removes them from ``waiting``.

        Those that cannot be sent stay in ``waiting``. Those that the server refuses do not: it would refuse them again.
        """
        from mlflow.entities import Metric

        self.begin()
        while waiting:
            some = [waiting.popleft() for _ in range(min(len(waiting), _MAX_METRICS))]
            try:
                self._client.log_batch(self.run_id, metrics=[Metric(*one) for one in some])
            except Exception as error:
                if not is_refusal(error):
                    waiting.extendleft(reversed(some))
                raise

    def upload(self, path: str, folder: str | None) -> None:
        """Sends a file to a folder of the run; None for none."""
        self.begin()
        self._client.log_artifact(self.run_id, path, folder)

    def end(self, status: str) -> None:
        """Ends the run as FINISHED, FAILED or KILLED."""
        self.begin()
        self._client.set_terminated(self.run_id, status)


def mlflow_name(name: str) -> str:
    """A name that MLflow accepts, even as the name of a file: other characters become underscores."""
    name = re.sub(r"[^\w.\- /]", "_", name)[:_MAX_NAME]
    is_path = posixpath.normpath(name) == name != "." and not name.startswith(("/", ".."))
    return name if is_path else re.sub(r"[./]", "_", name) or "_"


def is_refusal(error: Exception) -> bool:
    """Whether the server will never accept the request."""
    status = _http_status(error)
    return status is not None and 400 <= status < 500 and status not in _RETRIED_STATUS


def is_passing(error: Exception) -> bool:
    """Whether the network or the server failed, and not the request."""
    status = _http_status(error)
    if status is None:
        return isinstance(error, OSError) and not isinstance(error, FileNotFoundError | PermissionError)
    return status >= 500 or status in (408, 429, 499)


def _http_status(error: Exception) -> int | None:
    """The HTTP status of an error of MLflow's; None of other errors."""
    status = getattr(error, "get_http_status_code", None)
    return int(status()) if callable(status) else None


def _is_same(known: str, value: str) -> bool:
    """Whether the values are equal, except for an end that the server has cut off."""
    return known == value or (len(known) >= _MAX_PARAM_OLD and value.startswith(known))


def _pieces(values: Sequence[T], length: int) -> Iterator[Sequence[T]]:
    for begin in range(0, len(values), length):
        yield values[begin : begin + length]
