"""The submission of scripts to Azure ML, with either of its clients."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, get_args, runtime_checkable

from pianoroll_seq2seq.backends.azureml import checks, sdk_v1, sdk_v2, snapshot
from pianoroll_seq2seq.backends.azureml.data import JobInput
from pianoroll_seq2seq.backends.azureml.environments import Sdk
from pianoroll_seq2seq.backends.azureml.jobs import Job
from pianoroll_seq2seq.errors import SettingsError


@runtime_checkable
class Submission(Protocol):
    """A submitted run; :func:`find_submission` finds it again."""

    @property
    def id(self) -> str:
        """The run's name."""
        ...

    @property
    def url(self) -> str:
        """Its page."""
        ...

    def status(self) -> str:
        """Such as ``Queued``, ``Running``, ``Completed``, ``Failed`` or ``Canceled``."""
        ...

    def wait(self, *, show_log: bool = False) -> str:
        """Waits until the run has ended, and returns its status; ``show_log`` prints its log meanwhile."""
        ...

    def metrics(self) -> dict[str, list[float]]:
        """The metrics that the run has logged, in the order of their steps."""
        ...

    def file_names(self) -> list[str]:
        """The names of the run's files, such as ``outputs/run/best.safetensors``."""
        ...

    def fetch(self, folder: str | os.PathLike[str], prefix: str = "outputs/") -> list[Path]:
        """Downloads the run's files whose names begin with ``prefix`` into a folder; returns their paths.

        Files that exist already are not downloaded again.
        """
        ...

    def cancel(self) -> None:
        """Ends the run."""
        ...


def open_workspace(*, sdk: Sdk = "v1") -> Any:
    """Opens the workspace of the ``config.json`` in this folder or one above, with a login if it is needed.

    Args:
        sdk: ``v1`` gives an ``azureml.core.Workspace``, ``v2`` an ``azure.ai.ml.MLClient``.

    Raises:
        SettingsError: no such file, or an invalid one.
        MissingExtraError: the client is not installed.
    """
    return _client(sdk).open_workspace()


def submit(
    script: str,
    arguments: Sequence[str | int | float] = (),
    *,
    workspace: Any,
    experiment: str,
    compute: str,
    source_directory: str | os.PathLike[str] = ".",
    data: Mapping[str, JobInput] | None = None,
    nodes: int = 1,
    processes_per_node: int = 1,
    gpu: bool = False,
    environment: Any = None,
    environment_variables: Mapping[str, str] | None = None,
    shared_memory: str = "2g",
    tags: Mapping[str, str] | None = None,
    sdk: Sdk = "v1",
) -> Submission:
    """Sends a folder to Azure ML, and runs a script in it.

    The arguments are checked before anything is sent. A folder without ``.amlignore`` or ``.gitignore`` gets a
    ``.amlignore``. This library is sent with the folder, as it is installed here.

    Args:
        script: path of the script, relative to ``source_directory``.
        arguments: of its command line.
        workspace: an ``azureml.core.Workspace``, such as ``Workspace.from_config()``; for SDK v2 an
            ``azure.ai.ml.MLClient`` of a workspace.
        experiment: name of the experiment; created if it is missing.
        compute: name of a cluster, or ``local`` for this machine.
        source_directory: the folder that is sent.
        data: folders of datastores, by the option that passes their path to the script:
            ``{"--midi-dir": StoredFolder("music", "midi")}`` runs it with ``--midi-dir`` and a path. What
            :func:`find_model` returns is for a script that opens it with :func:`fetch_model`.
        nodes: number of machines.
        processes_per_node: processes on each machine, one for each GPU.
        gpu: whether the machines have GPUs; it decides the image.
        environment: an ``Environment`` of the client, or the path of a conda environment file; by default the
            requirements of this library, in the versions installed here, on Python 3.11.
        environment_variables: of the run.
        shared_memory: of the container on a cluster, such as ``2g``.
        tags: of the run.
        sdk: ``v1`` is azureml-core, with ``AzureMLTracker`` for tracking; ``v2`` is azure-ai-ml, with
            ``MLflowTracker``. The two cannot be installed together.

    Raises:
        SettingsError: a mistake that the service would refuse.
        MissingExtraError: the client is not installed.
    """
    client = _client(sdk)
    source = Path(source_directory)
    texts = [str(argument) for argument in arguments]
    variables = {"PYTHONPATH": "."} | dict(environment_variables or {})  # the folder of this library
    data, tags = dict(data or {}), {name: str(value) for name, value in (tags or {}).items()}
    client.check_workspace(workspace)
    checks.check_script(source, script)
    checks.check_counts(compute, nodes, processes_per_node)
    checks.check_environment(environment)
    checks.check_gpu(gpu, texts, checks.image_of(environment))
    checks.check_secrets(texts, variables, tags)
    checks.check_data(data, texts, compute)
    if sdk == "v2":
        checks.check_expressions(script, texts, variables, data)
    checks.check_shared_memory(shared_memory)
    snapshot.write_ignore_file(source)
    files = snapshot.sent_files(source, extra="azureml" if sdk == "v1" else "azureml-v2")
    checks.check_size(source, files)
    job = Job(
        script=Path(script).as_posix(),
        arguments=tuple(arguments),
        experiment=experiment,
        compute=compute,
        nodes=nodes,
        processes_per_node=processes_per_node,
        gpu=gpu,
        environment=environment,
        variables=variables,
        data=data,
        shared_memory=shared_memory,
        tags=tags,
    )
    with snapshot.gathered(files) as folder:
        submitted: Submission = client.send(job, folder, workspace)
    return submitted


def find_submission(run_id: str, *, workspace: Any, sdk: Sdk = "v1") -> Submission:
    """Finds a submitted run by its ``id``.

    Args:
        run_id: the run's name.
        workspace: as for :func:`submit`.
        sdk: as for :func:`submit`.

    Raises:
        SettingsError: no such run, an unknown ``sdk``, or a workspace of the other SDK.
        MissingExtraError: the client is not installed.
    """
    client = _client(sdk)
    client.check_workspace(workspace)
    found: Submission = client.find(run_id, workspace)
    return found


def _client(sdk: Sdk) -> Any:
    if sdk not in get_args(Sdk):
        raise SettingsError(f"sdk must be one of {', '.join(get_args(Sdk))}, got {sdk!r}.")
    return sdk_v1 if sdk == "v1" else sdk_v2
