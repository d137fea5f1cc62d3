"""The file that records which runs were submitted, shared by the scripts of this folder."""

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
    """Submitted runs.

    Args:
        sdk: the client that submitted them.
        runs: their ids by number of epochs.
    """

    sdk: Literal["v1", "v2"]
    runs: dict[str, str] = field(default_factory=dict)


def open_record(folder: Path, sdk: Literal["v1", "v2"]) -> Record:
    """Reads the record in a folder; a new one if there is none.

    Raises:
        SettingsError: the other client submitted its runs.
    """
    if not (folder / NAME).exists():
        return Record(sdk)
    record = read_record(folder)
    if record.sdk != sdk:
        raise SettingsError(
            f"{folder / NAME} has runs of --sdk {record.sdk}, got --sdk {sdk}. Choose another --output."
        )
    return record


def read_record(folder: Path) -> Record:
    """Reads the record in a folder.

    Raises:
        SettingsError: there is none.
    """
    path = folder / NAME
    if not path.exists():
        raise SettingsError(f"There is no {path}. Submit runs with submit_epochs.py, or pass their folder as --output.")
    return Record(**json.loads(path.read_text(encoding="utf-8")))


def write_record(folder: Path, record: Record) -> None:
    """Writes the record to a folder."""
    with writing(folder / NAME, overwrite=True) as temporary:
        temporary.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")


def submissions(record: Record, workspace: Any) -> Iterator[tuple[str, Submission]]:
    """Yields each number of epochs with its run."""
    for epochs, run_id in record.runs.items():
        yield epochs, find_submission(run_id, workspace=workspace, sdk=record.sdk)
