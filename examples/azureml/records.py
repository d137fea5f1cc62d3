"""Which runs were submitted, in a file that the scripts of this folder share."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.backends.azureml import Submission, find_submission
from pianoroll_seq2seq.errors import SettingsError

NAME = "runs.json"


@dataclass(frozen=True)
class Record:
    """Runs by their number of epochs, and the client that submitted them."""

    sdk: Literal["v1", "v2"]
    runs: dict[str, str] = field(default_factory=dict)


def noted(folder: Path, sdk: Literal["v1", "v2"]) -> Record:
    """The runs noted in a folder; none where none were.

    Raises:
        SettingsError: they were submitted by the other client.
    """
    if not (folder / NAME).exists():
        return Record(sdk)
    record = read_record(folder)
    if record.sdk != sdk:
        raise SettingsError(f"{folder / NAME} names runs of --sdk {record.sdk}. Choose another --output.")
    return record


def read_record(folder: Path) -> Record:
    """The runs noted in a folder.

    Raises:
        SettingsError: none were.
    """
    path = folder / NAME
    if not path.exists():
        raise SettingsError(f"There is no {path}. Submit runs with submit_epochs.py, or name the folder with --output.")
    return Record(**json.loads(path.read_text(encoding="utf-8")))


def write_record(folder: Path, record: Record) -> None:
    """Notes runs."""
    with writing(folder / NAME, overwrite=True) as temporary:
        temporary.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")


def submissions(record: Record, workspace: Any) -> Iterator[tuple[str, Submission]]:
    """Each number of epochs with its run."""
    for epochs, run_id in record.runs.items():
        yield epochs, find_submission(run_id, workspace=workspace, sdk=record.sdk)
