"""What the commands of ``submit`` share: where a run is sent, and the folder that goes with it."""

import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from pianoroll_seq2seq.cli.options import BASIC
from pianoroll_seq2seq.errors import SettingsError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from pianoroll_seq2seq.backends.azureml import Submission

AZURE_ML = Group("Azure Machine Learning", sort_key=3)
TRACKERS = {"v1": "pianoroll_seq2seq.AzureMLTracker", "v2": "pianoroll_seq2seq.MLflowTracker"}
"""The tracker that logs to the run's page, by client."""


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

    @classmethod
    def of(cls, submission: "Submission", *, wait: bool) -> "Submitted":
        """The submitted run, after its end if ``wait``."""
        return cls(submission.id, submission.url, submission.wait() if wait else submission.status())


@Parameter(name="*", group=AZURE_ML)
@dataclass(frozen=True)
class JobOptions:
    """Where the run is sent."""

    compute: Annotated[str, Parameter(group=BASIC)]
    """Name of the cluster."""
    experiment: str = "pianoroll-seq2seq"
    """Name of the experiment; created if needed."""
    send: list[str] | None = None
    """Your own modules, files or folders, whose classes the options name."""
    gpu: Annotated[bool, Parameter(negative=())] = False
    """The machines have GPUs."""
    sdk: Literal["v1", "v2"] = "v1"
    """The installed client, v1 (extra azureml) or v2 (extra azureml-v2)."""
    wait: Annotated[bool, Parameter(negative=())] = False
    """Wait until the run has ended."""

    def gather(self, folder: Path, script: str, command: str) -> None:
        """Fills the folder to send: the user's modules, and a script that runs a command of the command line.

        Args:
            folder: the folder.
            script: the name of the script.
            command: the command, and arguments that come first, as Python source: ``"train"``.

        Raises:
            SettingsError: a module does not exist.
        """
        for name in self.send or ():
            path = Path(name)
            if not path.exists():
                raise SettingsError(f"--send {name}: no such file or folder.")
            target = folder / path.resolve().name
            if target.exists() or target.name in (script, *_OWN_NAMES):
                raise SettingsError(f"--send {name}: the run has another file of the name {target.name}. Rename yours.")
            if path.is_dir():
                shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(path, target)
        (folder / script).write_text(_PROGRAM.format(command=command), encoding="utf-8")


_OWN_NAMES = ("config.yaml", "inputs", "model", "outputs")
"""What a run has beside its script."""

_PROGRAM = '''"""Runs a command of pianoroll-seq2seq with the arguments of this script."""

import sys

from pianoroll_seq2seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main([{command}, *sys.argv[1:]]))
'''


def as_arguments(*groups: "DataclassInstance", **changes: Any) -> list[str]:
    """Options as a command line, without those that have their defaults.

    Args:
        *groups: the options.
        **changes: other values for some of them, or None to leave them out.

    Example:
        >>> from pianoroll_seq2seq.cli.generate_options import SamplingOptions
        >>> as_arguments(SamplingOptions(seed=7, condition=["c", "major"]), seed=8)
        ['--condition', 'c', 'major', '--seed', '8']
    """
    arguments: list[str] = []
    for group in groups:
        for field in fields(group):
            value = changes.get(field.name, getattr(group, field.name))
            flag = f"--{field.name.replace('_', '-')}"
            if value is True:
                arguments.append(flag)
            elif value is not None and value is not False and value != field.default:
                arguments += [flag, *(map(str, value) if isinstance(value, list) else [str(value)])]
    return arguments
