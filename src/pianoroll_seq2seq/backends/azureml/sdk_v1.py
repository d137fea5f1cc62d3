"""Jobs with the client of SDK v1, azureml-core."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pianoroll_seq2seq.backends.azureml import environments
from pianoroll_seq2seq.backends.azureml.clusters import check_target
from pianoroll_seq2seq.backends.azureml.data import RegisteredModel, StoredFolder, input_name
from pianoroll_seq2seq.backends.azureml.fetching import fetch_files
from pianoroll_seq2seq.backends.azureml.jobs import Job
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError

NOT_FOUND = 404
NO_CONFIG = (
    "No workspace could be opened with a config.json in this folder or one above ({error}). Download it from the "
    "workspace's page in the Azure portal."
)


def no_such_run(run_id: str) -> str:
    """The message for a run that does not exist."""
    return f"The workspace has no run {run_id!r}. The studio shows the name of a run on its page, and submit prints it."


@dataclass(frozen=True)
class SubmittedRun:
    """A run submitted with SDK v1.

    Args:
        id: the run's name in its experiment.
        url: its page.
        run: the client's own object, an ``azureml.core.Run``.
    """

    id: str
    url: str
    run: Any = field(repr=False)

    def status(self) -> str:
        """Such as ``Queued``, ``Running``, ``Completed``, ``Failed`` or ``Canceled``."""
        return str(self.run.get_status())

    def wait(self, *, show_log: bool = False) -> str:
        """Waits until the run has ended, and returns its status; ``show_log`` prints its log meanwhile."""
        self.run.wait_for_completion(show_output=show_log, raise_on_error=False)
        return self.status()

    def metrics(self) -> dict[str, list[float]]:
        """The metrics that the run has logged, in the order of their steps, without rows and images.

        The service keeps them in the order of arrival, which may be another.
        """
        client = self.run._client.metrics  # Run.get_metrics() has no steps
        found: dict[str, list[float]] = {}
        for name in client.list_metric_names_for_run_id():
            metric = client.get_metric_dto_for_run_v2(name)
            values = sorted(metric.value if metric else [], key=lambda value: value.step or 0)
            numbers = [value.data.get(name) for value in values]
            if numbers and all(isinstance(number, int | float) for number in numbers):
                found[name] = [float(number) for number in numbers]
        return found

    def file_names(self) -> list[str]:
        """The names of the run's files, such as ``outputs/run/best.safetensors``."""
        names: list[str] = self.run.get_file_names()
        return names

    def fetch(self, folder: str | os.PathLike[str], prefix: str = "outputs/") -> list[Path]:
        """Downloads the run's files whose names begin with ``prefix`` into a folder; returns their paths.

        Files that exist already are not downloaded again.
        """
        return fetch_files(self.file_names(), folder, prefix, self.download)

    def download(self, name: str, path: Path) -> None:
        """Downloads a file to a path."""
        self.run.download_file(name, output_file_path=os.fspath(path))

    def cancel(self) -> None:
        """Ends the run."""
        self.run.cancel()


def check_workspace(workspace: Any) -> None:
    """Checks that the client is installed, and that the workspace is one of its own.

    Raises:
        MissingExtraError: azureml-core is not installed.
        SettingsError: the workspace is of another kind.
    """
    try:
        from azureml.core import Workspace
    except ImportError as error:
        raise MissingExtraError("azureml-core", "azureml", "backends.azureml") from error
    if not isinstance(workspace, Workspace):
        raise SettingsError(
            f"workspace must be an azureml.core.Workspace, such as Workspace.from_config(), got a "
            f"{type(workspace).__name__}. Pass sdk='v2' for an azure.ai.ml.MLClient."
        )


def open_workspace() -> Any:
    """Opens the workspace of the nearest ``config.json``."""
    try:
        from azureml.core import Workspace
        from azureml.exceptions import UserErrorException
    except ImportError as error:
        raise MissingExtraError("azureml-core", "azureml", "open_workspace") from error
    try:
        return Workspace.from_config()
    except UserErrorException as error:
        raise SettingsError(NO_CONFIG.format(error=" ".join(str(error).split())[:300])) from error


def send(job: Job, source: Path, workspace: Any) -> SubmittedRun:
    """Submits a job whose files are in ``source``.

    Raises:
        SettingsError: the workspace has no such compute target, or the target is too small.
    """
    from azureml.core import Experiment, ScriptRunConfig
    from azureml.core.runconfig import DataReferenceConfiguration, DockerConfiguration, PyTorchConfiguration

    if not job.is_local:
        check_target(workspace, job.compute, nodes=job.nodes, gpu=job.gpu)
    # The client of SDK v1 mounts and downloads datastores only. The script downloads anything else.
    stored = {option: each for option, each in job.data.items() if isinstance(each, StoredFolder)}
    options = [
        text
        for option, each in job.data.items()
        for text in (option, f"$AZUREML_DATAREFERENCE_{input_name(option)}" if option in stored else each.uri)
    ]
    # The client's process count is that of all nodes.
    processes = PyTorchConfiguration(job.backend.capitalize(), job.processes, job.nodes)
    config = ScriptRunConfig(
        os.fspath(source),
        script=job.script,
        arguments=[*job.arguments, *options],
        compute_target=job.compute,
        environment=_environment(job),
        distributed_job_config=processes if job.processes > 1 else None,
        docker_runtime_config=None
        if job.is_local
        else DockerConfiguration(use_docker=True, shm_size=job.shared_memory),
    )
    config.run_config.environment_variables.update(job.variables)
    config.run_config.data_references = {
        input_name(option): DataReferenceConfiguration(folder.datastore, folder.access, folder.path)
        for option, folder in stored.items()
    }
    run = Experiment(workspace, job.experiment).submit(config, tags=dict(job.tags))
    return SubmittedRun(run.id, run.get_portal_url(), run)


def _environment(job: Job) -> Any:
    """The environment of the job, or one with the requirements of this library."""
    from azureml.core import Environment
    from azureml.core.conda_dependencies import CondaDependencies

    if job.environment is not None and not isinstance(job.environment, str | os.PathLike):
        return job.environment
    environment = Environment(environments.NAME)
    environment.docker.base_image = environments.image(gpu=job.gpu)
    if job.environment is None:
        dependencies = CondaDependencies.create(
            python_version=environments.PYTHON, pip_packages=environments.packages("v1"), pin_sdk_version=False
        )
    else:
        dependencies = CondaDependencies(conda_dependencies_file_path=os.fspath(job.environment))
    environment.python.conda_dependencies = dependencies
    return environment


def find(run_id: str, workspace: Any) -> SubmittedRun:
    """Finds a submitted run.

    Raises:
        SettingsError: the workspace has no such run.
    """
    try:
        run = workspace.get_run(run_id)
    except Exception as error:  # of a private class of the client
        if getattr(error, "status_code", None) != NOT_FOUND:
            raise
        raise SettingsError(no_such_run(run_id)) from error
    return SubmittedRun(run.id, run.get_portal_url(), run)


def find_model_versions(workspace: Any, name: str) -> list[str]:
    """The versions of a registered model, the oldest first; none if there is no such model."""
    from azureml.core import Model

    return [str(model.version) for model in sorted(Model.list(workspace, name), key=lambda model: int(model.version))]


def has_datastore(workspace: Any, name: str) -> bool:
    """Whether the workspace has a datastore of this name."""
    return name in workspace.datastores


def current_workspace() -> Any:
    """The workspace of the run that this process was submitted as.

    Raises:
        SettingsError: this process is not a run of SDK v1.
    """
    try:
        from azureml.core import Run
        from azureml.exceptions import RunEnvironmentException
    except ImportError as error:
        raise MissingExtraError("azureml-core", "azureml", "fetch_model") from error
    try:
        return Run.get_context(allow_offline=False).experiment.workspace
    except RunEnvironmentException as error:
        raise SettingsError(
            "A model of a workspace can be opened in a run of Azure ML only. Pass workspace= to fetch_model, or "
            "register and download the model: az ml model download --name NAME --version VERSION."
        ) from error


def download_model(model: RegisteredModel, folder: Path, workspace: Any) -> Path:
    """Downloads a registered model into a folder; returns the path of its file or folder."""
    from azureml.core import Model

    found = Model(workspace, model.name, version=int(model.version))
    return Path(found.download(os.fspath(folder), exist_ok=True))


def register(workspace: Any, name: str, folder: Path, tags: dict[str, str], properties: dict[str, str]) -> str:
    """Registers a folder as a model; returns the version."""
    from azureml.core import Model

    model = Model.register(workspace, os.fspath(folder), name, tags=tags, properties=properties)
    return str(model.version)
