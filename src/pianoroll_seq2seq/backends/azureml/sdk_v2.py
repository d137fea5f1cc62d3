"""Jobs with the client of SDK v2, azure-ai-ml, and their metrics and files with MLflow."""

import io
import os
import shlex
import shutil
import sys
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pianoroll_seq2seq.backends.azureml import environments
from pianoroll_seq2seq.backends.azureml.clusters import check_machines, no_such_cluster
from pianoroll_seq2seq.backends.azureml.data import input_name
from pianoroll_seq2seq.backends.azureml.fetching import fetch_files
from pianoroll_seq2seq.backends.azureml.jobs import Job
from pianoroll_seq2seq.backends.azureml.sdk_v1 import NO_CONFIG
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError

_INPUT_MODES = {"mount": "ro_mount", "download": "download"}


@dataclass(frozen=True)
class SubmittedJob:
    """A job submitted with SDK v2.

    Args:
        id: the job's name, which is also that of its run in MLflow.
        url: its page.
        client: the client's own object, an ``azure.ai.ml.MLClient``.
        tracking_uri: where MLflow keeps the run; the workspace by default.
    """

    id: str
    url: str
    client: Any = field(repr=False)
    tracking_uri: str | None = field(default=None, repr=False)

    def status(self) -> str:
        """Such as ``Queued``, ``Running``, ``Completed``, ``Failed`` or ``Canceled``."""
        status = self.client.jobs.get(self.id).status
        return str(getattr(status, "value", status))  # a text, or a member of an enumeration

    def wait(self, *, show_log: bool = False) -> str:
        """Waits until the job has ended, and returns its status; ``show_log`` prints its log meanwhile."""
        from azure.ai.ml.exceptions import JobException

        shown = sys.stdout if show_log else io.StringIO()
        with redirect_stdout(shown), suppress(JobException):  # the status says that it has failed
            self.client.jobs.stream(self.id)
        return self.status()

    def metrics(self) -> dict[str, list[float]]:
        """The metrics that the job has logged, in the order of their steps."""
        tracking = self._tracking()
        names = sorted(tracking.get_run(self.id).data.metrics)
        histories = {name: tracking.get_metric_history(self.id, name) for name in names}
        return {
            name: [float(metric.value) for metric in sorted(history, key=lambda metric: metric.step)]
            for name, history in histories.items()
        }

    def fetch(self, folder: str | os.PathLike[str], prefix: str = "outputs/") -> list[Path]:
        """Downloads the job's files whose names begin with ``prefix`` into a folder; returns their paths.

        Files that exist already are not downloaded again.
        """
        tracking = self._tracking()

        def download(name: str, path: Path) -> None:
            with TemporaryDirectory(dir=path.parent) as temporary:
                shutil.move(tracking.download_artifacts(self.id, name, temporary), path)

        return fetch_files(_files(tracking, self.id), folder, prefix, download)

    def cancel(self) -> None:
        """Ends the job."""
        self.client.jobs.begin_cancel(self.id).result()

    def _tracking(self) -> Any:
        from mlflow import MlflowClient

        uri = self.tracking_uri
        if uri is None:
            uri = self.client.workspaces.get(self.client.workspace_name).mlflow_tracking_uri
        return MlflowClient(tracking_uri=uri)


def check_workspace(workspace: Any) -> None:
    """Checks that the client is installed, and that the workspace is one of its own.

    Raises:
        MissingExtraError: azure-ai-ml is not installed.
        SettingsError: the workspace is of another kind.
    """
    try:
        from azure.ai.ml import MLClient
    except ImportError as error:
        raise MissingExtraError("azure-ai-ml", "azureml-v2", "backends.azureml with sdk='v2'") from error
    if not isinstance(workspace, MLClient) or workspace.workspace_name is None:
        raise SettingsError(
            f"workspace must be an azure.ai.ml.MLClient of a workspace, such as MLClient.from_config(credential), got "
            f"a {type(workspace).__name__}. Pass sdk='v1' for an azureml.core.Workspace."
        )


def open_workspace() -> Any:
    """Opens the workspace of the nearest ``config.json``."""
    try:
        from azure.ai.ml import MLClient
        from azure.ai.ml.exceptions import ValidationException
        from azure.identity import DefaultAzureCredential
    except ImportError as error:
        raise MissingExtraError("azure-ai-ml", "azureml-v2", "open_workspace(sdk='v2')") from error
    try:
        return MLClient.from_config(DefaultAzureCredential())
    except ValidationException as error:
        raise SettingsError(NO_CONFIG.format(error=" ".join(str(error).split())[:300])) from error


def send(job: Job, source: Path, workspace: Any) -> SubmittedJob:
    """Submits a job whose files are in ``source``.

    Raises:
        SettingsError: the workspace has no such compute target, or the target is too small.
    """
    from azure.core.exceptions import ResourceNotFoundError

    if not job.is_local:
        try:
            target = workspace.compute.get(job.compute)
        except ResourceNotFoundError as error:
            raise SettingsError(no_such_cluster(job.compute)) from error
        vm_size, most = getattr(target, "size", None), getattr(target, "max_instances", None)
        check_machines(job.compute, vm_size, most, nodes=job.nodes, gpu=job.gpu)
    created = workspace.jobs.create_or_update(command_job(job, source))
    return SubmittedJob(created.name, created.studio_url or "", workspace)


def command_job(job: Job, source: Path) -> Any:
    """A job as the ``command`` of azure-ai-ml."""
    from azure.ai.ml import Input, PyTorchDistribution, command

    inputs = {
        input_name(option): Input(type="uri_folder", path=folder.uri, mode=_INPUT_MODES[folder.access])
        for option, folder in job.data.items()
    }
    words = [shlex.quote(str(word)) for word in (job.script, *job.arguments)]
    options = [text for option in job.data for text in (option, f"${{{{inputs.{input_name(option)}}}}}")]
    distribution = PyTorchDistribution(process_count_per_instance=job.processes_per_node)
    return command(
        command=" ".join(["python", *words, *options]),
        code=os.fspath(source),
        inputs=inputs,
        environment=_environment(job),
        environment_variables=dict(job.variables),
        compute=job.compute,
        instance_count=job.nodes,
        distribution=distribution if job.processes > 1 else None,
        shm_size=None if job.is_local else job.shared_memory,
        experiment_name=job.experiment,
        tags=dict(job.tags),
    )


def find(run_id: str, workspace: Any) -> SubmittedJob:
    """Finds a submitted job."""
    found = workspace.jobs.get(run_id)
    return SubmittedJob(found.name, found.studio_url or "", workspace)


def register(workspace: Any, name: str, folder: Path, tags: dict[str, str], properties: dict[str, str]) -> str:
    """Registers a folder as a model; returns the version."""
    from azure.ai.ml.entities import Model

    model = Model(path=os.fspath(folder), name=name, type="custom_model", tags=tags, properties=properties)
    return str(workspace.models.create_or_update(model).version)


def _environment(job: Job) -> Any:
    """The environment of the job, or one with the requirements of this library."""
    from azure.ai.ml.entities import Environment

    if job.environment is not None and not isinstance(job.environment, str | os.PathLike):
        return job.environment
    wanted = environments.conda_specification("v2") if job.environment is None else os.fspath(job.environment)
    return Environment(image=environments.image(gpu=job.gpu), conda_file=wanted)


def _files(tracking: Any, run_id: str, folder: str | None = None) -> list[str]:
    """The names of a run's files, in all its folders."""
    found: list[str] = []
    for entry in tracking.list_artifacts(run_id, folder):
        found += _files(tracking, run_id, entry.path) if entry.is_dir else [entry.path]
    return found
