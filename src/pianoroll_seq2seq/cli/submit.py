"""``submit``: trains what a configuration describes on Azure Machine Learning."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.config_file import config_text, read_config
from pianoroll_seq2seq.cli.options import SETS, Count
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.train.run_files import CONFIG

_SCRIPT = "train.py"
_PROGRAM = '''"""Trains what config.yaml describes."""

import sys

from pianoroll_seq2seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", "--config", "config.yaml", *sys.argv[1:]]))
'''
_TRACKERS = {"v1": "pianoroll_seq2seq.AzureMLTracker", "v2": "pianoroll_seq2seq.MLflowTracker"}


@dataclass(frozen=True)
class Submitted:
    """A run that was submitted."""

    id: str
    url: str
    """The run's page."""
    status: str
    """``Queued``, or after ``--wait`` such as ``Completed``."""

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        """The same in a line."""
        return f"{self.id}: {self.status}, {self.url}"


def submit(
    config: Annotated[Path, Parameter(name="CONFIG")],
    /,
    *,
    compute: str,
    experiment: str = "pianoroll-seq2seq",
    data: str | None = None,
    send: list[str] | None = None,
    gpu: Annotated[bool, Parameter(negative=())] = False,
    nodes: Count = 1,
    processes_per_node: Count = 1,
    sdk: Literal["v1", "v2"] = "v1",
    wait: Annotated[bool, Parameter(negative=())] = False,
) -> Submitted:
    """Sends a training run to Azure Machine Learning, to the workspace that config.json in this folder names.

    The run does there what train --config does here. Its folder is outputs/run.

    Args:
        config: Configuration, as train --print-config prints it or a run keeps it.
        compute: Name of the cluster.
        experiment: Name of the experiment; created if needed.
        data: Folder with the music in a datastore, azureml://datastores/NAME/paths/PATH. Not needed if the
            configuration names a data set.
        send: Your own modules, files or folders, whose classes the configuration names.
        gpu: The machines have GPUs.
        nodes: Number of machines.
        processes_per_node: Processes on each machine, one for each GPU.
        sdk: The installed client, v1 (extra azureml) or v2 (extra azureml-v2).
        wait: Wait until the run has ended.

    Raises:
        SettingsError: options that would fail in the run.
        MissingExtraError: the client is not installed.
    """
    from pianoroll_seq2seq.backends.azureml import StoredFolder, open_workspace
    from pianoroll_seq2seq.backends.azureml import submit as send_run

    options = _options(config, data, sdk)
    stored = {} if data is None else {"--data": StoredFolder.from_uri(data, access="download")}
    workspace = open_workspace(sdk=sdk)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _gather(folder, options, send or ())
        submission = send_run(
            _SCRIPT,
            ["--output", "outputs/run"],
            workspace=workspace,
            experiment=experiment,
            compute=compute,
            source_directory=folder,
            data=stored,
            nodes=nodes,
            processes_per_node=processes_per_node,
            gpu=gpu,
            sdk=sdk,
        )
    status = submission.wait() if wait else submission.status()
    return Submitted(submission.id, submission.url, status)


def _options(config: Path, data: str | None, sdk: str) -> dict[str, Any]:
    """The configuration to send: without options of this machine, and with a tracker that logs to the run's page."""
    options = read_config(config)
    named = options.get("data", SETS[0])
    if data is None and named not in SETS:
        raise SettingsError(
            f"{config} names data on this machine ({named}), which is not sent. Give --data "
            f"azureml://datastores/NAME/paths/PATH."
        )
    for key in ("output", "device", *(("data",) if data is not None else ())):
        options.pop(key, None)
    if not options.get("tracker"):
        options["tracker"] = {"class": _TRACKERS[sdk]}
    return options


def _gather(folder: Path, options: dict[str, Any], send: list[str] | tuple[str, ...]) -> None:
    """Fills the folder to send: a script, its configuration, and the user's modules."""
    for name in send:
        path = Path(name)
        if not path.exists():
            raise SettingsError(f"--send {name}: no such file or folder.")
        if path.is_dir():
            shutil.copytree(path, folder / path.resolve().name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(path, folder / path.name)
    (folder / _SCRIPT).write_text(_PROGRAM, encoding="utf-8")
    (folder / CONFIG).write_text(config_text(options), encoding="utf-8")


COMMAND = Command(
    submit,
    examples="""
    pianoroll-seq2seq train --epochs 50 --print-config > run.yaml
    pianoroll-seq2seq submit run.yaml --compute gpu-cluster --gpu
    pianoroll-seq2seq submit run.yaml --compute cluster --data azureml://datastores/music/paths/midi --send my_module.py
    """,
)
