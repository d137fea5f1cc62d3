"""One shard of a corpus: a worker rasterizes, packs and writes some files.

A shard is two files: ``00012.npy``, uint8 of shape (2, frames, bytes), the active planes of all its pieces and then
their onset planes; and ``00012.json``, the index of the pieces and of the files that failed. The index is written last:
a shard with an index is finished.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
from pianoroll_seq2seq.data.corpus.packing import bytes_per_frame, hash_planes, pack
from pianoroll_seq2seq.errors import MidiError, PitchRangeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.midi_io.planes import Reading, read_planes
from pianoroll_seq2seq.pitches import PitchRange

_NPY_HEADER_BYTES = 128

Labels = Mapping[str, str | int | float]


class SourceFile(NamedTuple):
    """A file to read.

    Attributes:
        path: its path.
        source: its path below the source folder, which is its name in the corpus.
        labels: its labels.
    """

    path: str
    source: str
    labels: Labels


@dataclass(frozen=True)
class ShardTask:
    """The task of building a shard; it can be pickled.

    Attributes:
        folder: the folder of the corpus.
        number: the number of the shard.
        files: the files of the shard, in order.
        grid: how long a frame is.
        pitches: the pitches to keep.
        outside: what to do with notes outside them.
        reading: see :class:`~pianoroll_seq2seq.midi_io.planes.Reading`.
        skip: the reasons for files that must not be read, by their source names.
        ticket: unique for each submission, since Dask returns the same failure for the same task.
    """

    folder: str
    number: int
    files: tuple[SourceFile, ...]
    grid: FrameGrid
    pitches: PitchRange
    outside: Literal["error", "drop"]
    reading: Reading
    skip: Mapping[str, str] = field(default_factory=dict)
    ticket: str = ""

    @property
    def frames_path(self) -> Path:
        """The file of the frames."""
        return Path(self.folder) / f"{self.number:05}.npy"

    @property
    def index_path(self) -> Path:
        """The file of the index; it exists if the shard is finished."""
        return self.frames_path.with_suffix(".json")

    @property
    def mark_path(self) -> Path:
        """The file in which the worker writes the number of its current file, in case reading it kills the worker."""
        return self.frames_path.with_suffix(".at")


class ShardReport(NamedTuple):
    """The numbers of pieces and of failed files of a shard."""

    pieces: int
    failures: int


def build_shard(task: ShardTask) -> ShardReport:
    """Builds a shard, unless it is finished already.

    The index lists the files that cannot be read, with the reasons.

    Raises:
        OSError: the shard cannot be written.
    """
    if not task.index_path.exists():
        with writing(task.frames_path, overwrite=True) as path:
            index = _write_frames(task, path)
        with writing(task.index_path, overwrite=True) as path:
            path.write_text(json.dumps(index, separators=(",", ":")), encoding="utf-8")
        task.mark_path.unlink(missing_ok=True)
    index = json.loads(task.index_path.read_text(encoding="utf-8"))
    return ShardReport(len(index["pieces"]), len(index["failures"]))


def _write_frames(task: ShardTask, path: Path) -> dict[str, Any]:
    """Writes the planes of all files, one piece in memory at a time; returns the index."""
    pieces: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    frames = 0
    with (
        path.open("wb") as active,
        tempfile.TemporaryFile(dir=task.folder) as onset,
        task.mark_path.open("wb", buffering=0) as mark,
    ):
        active.seek(_NPY_HEADER_BYTES)
        for place, file in enumerate(task.files):
            mark.seek(0)
            mark.write(place.to_bytes(8, "little"))
            piece = _piece_or_reason(file, task)
            if isinstance(piece, str):
                failures.append({"source": file.source, "reason": piece})
                continue
            pieces.append({**piece.entry, "offset": frames, "labels": dict(file.labels)})
            frames += len(piece.active)
            active.write(piece.active.data)
            onset.write(piece.onset.data)
        onset.seek(0)
        shutil.copyfileobj(onset, active, 2**20)
        active.seek(0)
        active.write(_npy_header((2, frames, bytes_per_frame(task.pitches))))
    return {"frames": frames, "pieces": pieces, "failures": failures}


class PackedPiece(NamedTuple):
    """A file's packed planes, and its entry in the index."""

    active: np.ndarray
    onset: np.ndarray
    entry: dict[str, Any]


def _piece_or_reason(file: SourceFile, task: ShardTask) -> PackedPiece | str:
    """A file's planes, or the reason why it has none."""
    if file.source in task.skip:
        return task.skip[file.source]
    try:
        return read_piece(file, task)
    except (MidiError, PitchRangeError) as error:
        return str(error)
    except Exception as error:  # no error of one file of many thousands may stop the build
        return f"{file.path}: {type(error).__name__}: {error}"


def read_piece(file: SourceFile, task: ShardTask) -> PackedPiece:
    """Reads one file of a shard.

    Raises:
        MidiError, PitchRangeError: as :func:`~pianoroll_seq2seq.midi_io.planes.read_planes` does.
    """
    path = Path(file.path)
    limit = task.reading.get("limits", DEFAULT_LIMITS).max_file_bytes
    planes = read_planes(path, grid=task.grid, pitches=task.pitches, outside=task.outside, **task.reading)
    active, onset = pack(planes.active), pack(planes.onset)
    with path.open("rb") as opened:
        content = hashlib.sha256(opened.read(limit)).hexdigest()
    entry = {
        "source": file.source,
        "file_sha256": content,
        "roll_sha256": hash_planes(active, onset),
        "frames": len(active),
        "ticks_per_beat": planes.tempo.ticks_per_beat,
        "tempo": planes.tempo.changes,
    }
    return PackedPiece(active, onset, entry)


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """The header of a ``.npy`` file of uint8, equally long for every shape, since it is written last."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    length = _NPY_HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1).encode("ascii") + b"\n"
