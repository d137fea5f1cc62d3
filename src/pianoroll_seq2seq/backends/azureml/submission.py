"""Submits a script by the client of Azure ML (SDK v1), and looks after the run."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pianoroll_seq2seq import __version__
from pianoroll_seq2seq.backends.azureml import checks
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError

_CPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
_GPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04"
_PINNED = ("torch", "numpy", "symusic", "mido", "safetensors", "azureml-core", "azure-storage-blob")


@dataclass(frozen=True)
class Submission:
    """A run that was submitted.

    Args:
        id: the run's name in its experiment.
        url: its page.
        run: the client's own object, for what is not here.
    """

    id: str
    url: str
    run: Any = field(repr=False)

    def status(self) -> str:
        """Such as ``Queued``, ``Running``, ``Completed``, ``Failed`` or ``Canceled``."""
        return str(self.run.get_status())

    def wait(self, *, show_log: bool = False) -> str:
        """Returns the status when the run has ended; ``show_log`` prints its log meanwhile."""
        self.run.wait_for_completion(show_output=show_log, raise_on_error=False)
        return self.status()

    def metrics(self) -> dict[str, list[float]]:
        """The figures that the run has logged, in their order; rows and images are left out."""
        found = self.run.get_metrics()
        listed = {name: value if isinstance(value, list) else [value] for name, value in found.items()}
        return {
            name: [float(value) for value in values]
            for name, values in listed.items()
            if all(isinstance(value, int | float) for value in values)
        }

    def fetch(self, folder: str | os.PathLike[str], prefix: str = "outputs/") -> list[Path]:
        """Downloads the run's files whose names begin with ``prefix`` into a folder; returns where they lie.

        A file that lies there already stays, and is not downloaded again.
        """
        fetched = []
        for name in sorted(self.run.get_file_names()):
            if name.startswith(prefix):
                target = Path(folder) / name.removeprefix(prefix)
                if not target.resolve().is_relative_to(Path(folder).resolve()):
                    raise SettingsError(f"The run's file {name!r} would lie outside {folder}.")
                if not target.exists():
                    partial = target.with_name(f".{target.name}.part")
                    partial.parent.mkdir(parents=True, exist_ok=True)
                    self.run.download_file(name, output_file_path=os.fspath(partial))
                    partial.replace(target)
                fetched.append(target)
        return fetched

    def cancel(self) -> None:
        """Ends the run."""
        self.run.cancel()


def submit(
    script: str,
    arguments: Sequence[str | int | float] = (),
    *,
    workspace: Any,
    experiment: str,
    compute: str,
    source_directory: str | os.PathLike[str] = ".",
    nodes: int = 1,
    processes_per_node: int = 1,
    gpu: bool = False,
    environment: Any = None,
    environment_variables: Mapping[str, str] | None = None,
    shared_memory: str = "2g",
    tags: Mapping[str, str] | None = None,
) -> Submission:
    """Sends a folder to Azure ML, where a script in it is run.

    All that can be checked is checked before anything is sent. Where the folder says nowhere what is not to be sent, a
    ``.amlignore`` is written into it.

    Args:
        script: path of the script within ``source_directory``.
        arguments: of its command line.
        workspace: an ``azureml.core.Workspace``, such as ``Workspace.from_config()``.
        experiment: name of the experiment; made if need be.
        compute: name of a cluster, or ``local`` for this machine.
        source_directory: the folder that is sent.
        nodes: machines.
        processes_per_node: processes on each, one for each GPU.
        gpu: whether the machines have GPUs; decides the image.
        environment: an ``azureml.core.Environment``; by default this version of this library, and what is installed
            here of what it needs, on Python 3.11.
        environment_variables: of the run.
        shared_memory: of the container.
        tags: of the run.

    Raises:
        SettingsError: something that would fail there.
        MissingExtraError: azureml-core is not installed.
    """
    try:
        from azureml.core import Experiment, ScriptRunConfig
        from azureml.core.runconfig import DockerConfiguration, PyTorchConfiguration
    except ImportError as error:
        raise MissingExtraError("azureml-core", "azureml", "submit") from error
    source = Path(source_directory)
    texts = [str(argument) for argument in arguments]
    variables = dict(environment_variables or {})
    checks.check_script(source, script)
    checks.check_counts(compute, nodes, processes_per_node)
    checks.check_gpu(gpu, texts, None if environment is None else environment.docker.base_image)
    checks.check_secrets(texts, variables)
    checks.write_ignore_file(source)
    checks.check_snapshot(source)
    environment = environment_of(gpu=gpu) if environment is None else environment
    # The client's process count is that of all nodes together.
    processes = PyTorchConfiguration("Nccl" if gpu else "Gloo", nodes * processes_per_node, nodes)
    config = ScriptRunConfig(
        os.fspath(source),
        script=script,
        arguments=list(arguments),
        compute_target=compute,
        environment=environment,
        distributed_job_config=processes if processes.process_count > 1 else None,
        docker_runtime_config=None
        if compute == "local"
        else DockerConfiguration(use_docker=True, shm_size=shared_memory),
    )
    config.run_config.environment_variables.update(variables)
    run = Experiment(workspace, experiment).submit(config, tags=dict(tags or {}))
    return Submission(run.id, run.get_portal_url(), run)


def environment_of(*, gpu: bool = False) -> Any:
    """An ``azureml.core.Environment`` with this version of the library, and what is installed here of what it needs."""
    from azureml.core import Environment
    from azureml.core.conda_dependencies import CondaDependencies

    environment = Environment("pianoroll-seq2seq")
    environment.docker.base_image = _GPU_IMAGE if gpu else _CPU_IMAGE
    packages = [f"pianoroll-seq2seq[plot,azureml]=={__version__}", *_pins()]
    environment.python.conda_dependencies = CondaDependencies.create(
        python_version="3.11", pip_packages=packages, pin_sdk_version=False
    )
    return environment


def _pins() -> list[str]:
    """Versions as installed here, without what names a build for this machine."""
    pins = []
    for package in _PINNED:
        try:
            pins.append(f"{package}=={version(package).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    return pins
