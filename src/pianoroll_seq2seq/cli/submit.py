"""``submit``: the training that a configuration describes, on Azure Machine Learning."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import yaml

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.run_config import CONFIG, read
from pianoroll_seq2seq.errors import SettingsError

_SCRIPT = "train.py"
_PROGRAM = '''"""Trains what config.yaml describes."""

import sys

from pianoroll_seq2seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", "--config", "config.yaml", *sys.argv[1:]]))
'''
_TRACKERS = {"v1": "pianoroll_seq2seq.AzureMLTracker", "v2": "pianoroll_seq2seq.MLflowTracker"}
_SETS = ("scale-chords", "bach-chorales", "jsb", "nottingham", "musedata", "piano-midi")


@dataclass(frozen=True)
class Submitted:
    """A run that was submitted.

    Args:
        id: its name.
        url: its page.
        status: such as ``Queued``, or, where it was waited for, ``Completed``.
    """

    id: str
    url: str
    status: str

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

    def __str__(self) -> str:
        """In a line."""
        return f"{self.id}: {self.status}, {self.url}"


def submit(
    config: Path,
    *,
    compute: str,
    experiment: str = "pianoroll-seq2seq",
    data: str | None = None,
    send: list[str] | None = None,
    gpu: bool = False,
    nodes: int = 1,
    processes_per_node: int = 1,
    sdk: Literal["v1", "v2"] = "v1",
    wait: bool = False,
) -> Submitted:
    """Sends a training run to Azure Machine Learning, in the workspace that config.json in this folder names.

    There it does what train --config would do here; its folder is outputs/run.

    Args:
        config: the configuration, as train --print_config writes it or a run keeps it.
        compute: name of a cluster.
        experiment: name of the experiment; made if need be.
        data: the music, as a folder in a datastore: azureml://datastores/NAME/paths/PATH. It may be left out where the
            configuration names a set that is known by name.
        send: modules of your own, files or folders, that the configuration names classes of.
        gpu: whether the machines have GPUs.
        nodes: machines.
        processes_per_node: processes on each, one for each GPU.
        sdk: the client that is installed: extra azureml is v1, azureml-v2 is v2.
        wait: whether to wait until the run has ended.

    Raises:
        SettingsError: what would fail there.
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
    """The configuration as it is sent: without what is of this machine, and tracked by the run's page."""
    options = read(config)
    named = options.get("data", _SETS[0])
    if data is None and named not in _SETS:
        raise SettingsError(
            f"{config} names data of this machine ({named}), which is not sent. Give --data "
            f"azureml://datastores/NAME/paths/PATH."
        )
    for key in ("output", "device", "json", *(("data",) if data is not None else ())):
        options.pop(key, None)
    if not options.get("tracker"):
        options["tracker"] = {"class_path": _TRACKERS[sdk]}
    return options


def _gather(folder: Path, options: dict[str, Any], send: list[str] | tuple[str, ...]) -> None:
    """The folder that is sent: a script, its configuration, and the user's modules."""
    for name in send:
        path = Path(name)
        if not path.exists():
            raise SettingsError(f"--send {name}: no such file or folder.")
        if path.is_dir():
            shutil.copytree(path, folder / path.resolve().name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(path, folder / path.name)
    (folder / _SCRIPT).write_text(_PROGRAM, encoding="utf-8")
    (folder / CONFIG).write_text(yaml.safe_dump(options, sort_keys=False), encoding="utf-8")


COMMAND = Command(
    submit,
    examples="""
    pianoroll-seq2seq train --epochs 50 --print_config > run.yaml
    pianoroll-seq2seq submit run.yaml --compute gpu-cluster --gpu
    pianoroll-seq2seq submit run.yaml --compute cluster --data azureml://datastores/music/paths/midi --send my_module.py
    """,
)
