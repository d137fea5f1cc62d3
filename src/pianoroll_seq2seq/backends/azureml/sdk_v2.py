"""Jobs with the client of SDK v2, azure-ai-ml, and their metrics and files with MLflow."""

import io
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pianoroll_seq2seq.backends.azureml import environments
from pianoroll_seq2seq.backends.azureml.clusters import check_machines, no_such_cluster
from pianoroll_seq2seq.backends.azureml.data import BlobFile, JobInput, RegisteredModel, RunFile, input_name
from pianoroll_seq2seq.backends.azureml.fetching import fetch_files
from pianoroll_seq2seq.backends.azureml.jobs import Job
from pianoroll_seq2seq.backends.azureml.sdk_v1 import NO_CONFIG, no_such_run
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
        with self._tracking() as tracking:
            names = sorted(tracking.get_run(self.id).data.metrics)
            histories = {name: tracking.get_metric_history(self.id, name) for name in names}
        return {
            name: [float(metric.value) for metric in sorted(history, key=lambda metric: metric.step)]
            for name, history in histories.items()
        }

    def file_names(self) -> list[str]:
        """The names of the job's files, such as ``outputs/run/best.safetensors``."""
        with self._tracking() as tracking:
            return _file_names(_artifacts(tracking, self.id))

    def fetch(self, folder: str | os.PathLike[str], prefix: str = "outputs/") -> list[Path]:
        """Downloads the job's files whose names begin with ``prefix`` into a folder; returns their paths.

        Files that exist already are not downloaded again.
        """
        with self._tracking() as tracking:
            artifacts = _artifacts(tracking, self.id)

            def download(name: str, path: Path) -> None:
                with TemporaryDirectory(dir=path.parent) as temporary:
                    shutil.move(artifacts.download_artifacts(name, temporary), path)

            return fetch_files(_file_names(artifacts), folder, prefix, download)

    def cancel(self) -> None:
        """Ends the job."""
        self.client.jobs.begin_cancel(self.id).result()

    @contextmanager
    def _tracking(self) -> Iterator[Any]:
        """MLflow's client, for the workspace."""
        import mlflow

        uri = self.tracking_uri
        if uri is None:
            uri = self.client.workspaces.get(self.client.workspace_name).mlflow_tracking_uri
        # The plug-in of Azure ML reads files of the address that MLflow has in common, not of the client's own.
        before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
        mlflow.set_tracking_uri(uri)
        try:
            yield mlflow.MlflowClient(tracking_uri=uri)
        finally:
            mlflow.set_tracking_uri(before)


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
        input_name(option): Input(**_input(each))
        for option, each in job.data.items()
        if not isinstance(each, BlobFile)  # which the script downloads
    }
    words = [shlex.quote(str(word)) for word in (job.script, *job.arguments)]
    options = [
        text
        for option, each in job.data.items()
        for text in (
            option,
            shlex.quote(each.uri) if isinstance(each, BlobFile) else f"${{{{inputs.{input_name(option)}}}}}",
        )
    ]
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


def _input(each: JobInput) -> dict[str, str]:
    """The arguments of the client's ``Input``."""
    match each:
        case RegisteredModel():
            return {"type": "custom_model", "path": each.uri, "mode": "download"}
        case RunFile():
            return {"type": "uri_file", "path": each.datastore_uri, "mode": "download"}
        case BlobFile():
            raise AssertionError("the script downloads it")
        case _:
            return {"type": "uri_folder", "path": each.uri, "mode": _INPUT_MODES[each.access]}


def find(run_id: str, workspace: Any) -> SubmittedJob:
    """Finds a submitted job.

    Raises:
        SettingsError: the workspace has no such job.
    """
    from azure.core.exceptions import ResourceNotFoundError

    try:
        found = workspace.jobs.get(run_id)
    except ResourceNotFoundError as error:
        raise SettingsError(no_such_run(run_id)) from error
    return SubmittedJob(found.name, found.studio_url or "", workspace)


def find_model_versions(workspace: Any, name: str) -> list[str]:
    """The versions of a registered model, the oldest first; none if there is no such model."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        versions = [str(model.version) for model in workspace.models.list(name)]
    except ResourceNotFoundError:
        return []
    return sorted(versions, key=lambda version: (version.isdecimal(), version.zfill(20)))


def has_datastore(workspace: Any, name: str) -> bool:
    """Whether the workspace has a datastore of this name."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        workspace.datastores.get(name)
    except ResourceNotFoundError:
        return False
    return True


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


def _artifacts(tracking: Any, run_id: str) -> Any:
    """MLflow's repository of a run's files.

    The functions of MLflow that take a run's id also search for its logged models, which Azure ML does not have.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(tracking.get_run(run_id).info.artifact_uri, tracking_uri=tracking.tracking_uri)


def _file_names(artifacts: Any, folder: str | None = None) -> list[str]:
    """The names of a run's files, in all its folders."""
    found: list[str] = []
    for entry in artifacts.list_artifacts(folder):
        found += _file_names(artifacts, entry.path) if entry.is_dir else [entry.path]
    return found
