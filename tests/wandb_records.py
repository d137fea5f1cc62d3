"""Runs that Weights & Biases keeps on this machine, read without its client: protobufs in LevelDB's log format."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK = 32768
_HEADER = 7  # of a run's file, and of each chunk: a checksum, the length, and whether it begins or ends a record
_WAIT_SECONDS = 30
_LAST = (1, 4)  # kinds of chunks that end a record: a whole one, and a last one


def _records(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    assert data[:4] == b":W&B"
    at, record = _HEADER, b""
    while at + _HEADER <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEADER:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        record += data[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in _LAST:
            yield record
            record = b""


def _nested(items: Any) -> dict[str, Any]:
    """Items with keys or paths of keys, as a dict of dicts."""
    found: dict[str, Any] = {}
    for item in items:
        *parents, name = item.nested_key or [item.key]
        inner = found
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[name] = json.loads(item.value_json)
    return found


class WandbRun:
    """What W&B has of a run.

    Args:
        folder: the run's folder, ``offline-run-...``.
    """

    def __init__(self, folder: Path) -> None:
        from wandb.proto.wandb_internal_pb2 import Record

        self.folder = folder
        self.config: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.files: list[str] = []
        self.exit_code: int | None = None
        self.step_metric = ""
        self.run_id = self.project = ""
        (path,) = folder.glob("*.wandb")
        for data in _records(path):
            record = Record.FromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                self.run_id, self.project = record.run.run_id, record.run.project
                self.config |= _nested(record.run.config.update)
            elif kind == "config":
                self.config |= _nested(record.config.update)
            elif kind == "history":
                self.history.append(_nested(record.history.item))
            elif kind == "files":
                self.files += [file.path for file in record.files.files]
            elif kind == "exit":
                self.exit_code = record.exit.exit_code
            elif kind == "metric":
                self.step_metric = record.metric.step_metric or self.step_metric

    def series(self, name: str) -> list[tuple[int, Any]]:
        """The values of a metric with their steps."""
        return [(row["step"], row[name]) for row in self.history if name in row]


def ended_runs(folder: Path) -> list[WandbRun]:
    """The offline runs in a folder, in their order, once the client's process has written all of them."""
    paths = sorted((folder / "wandb").glob("offline-run-*"), key=lambda path: path.name)
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        runs = [WandbRun(path) for path in paths]
        if all(run.exit_code is not None for run in runs):
            return runs
        assert time.monotonic() < until, f"W&B has not ended its runs: {paths}"
        time.sleep(0.05)
