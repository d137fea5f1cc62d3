"""One shard of a corpus: some files, rasterized, packed and written. This is what a worker does.

A shard is two files: ``00012.npy``, uint8 of shape (2, frames, bytes), the active planes of all its pieces and
then their onset planes; and ``00012.json``, which says what lies where and which files failed. The second is
written last: a shard that has it is finished.
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

from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.corpus.packing import bytes_per_frame, pack
from pianoroll_seq2seq.errors import MidiError, PitchRangeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.limits import DEFAULT_LIMITS
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.rasterize import Reading, read_planes

_NPY_HEADER_BYTES = 128

Labels = Mapping[str, str | int | float]


class SourceFile(NamedTuple):
    """A file to read.

    Attributes:
        path: where it lies.
        source: what the corpus calls it: its path below the folder of all.
        labels: what is known of it.
    """

    path: str
    source: str
    labels: Labels


@dataclass(frozen=True)
class ShardTask:
    """What a worker needs to know to build a shard; it can be pickled.

    Attributes:
        folder: the corpus.
        number: of the shard.
        files: what it shall hold, in order.
        grid: where the frames lie in time.
        pitches: the pitches to keep.
        outside: what becomes of notes outside them.
        reading: see :class:`~pianoroll_seq2seq.rasterize.Reading`.
        skip: why files are not to be read at all, by their source names.
        ticket: of its own for each time that it is given out: Dask answers the same task with the same failure.
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
        """Where the frames go."""
        return Path(self.folder) / f"{self.number:05}.npy"

    @property
    def index_path(self) -> Path:
        """Where the index goes; that it is there says that the shard is finished."""
        return self.frames_path.with_suffix(".json")

    @property
    def mark_path(self) -> Path:
        """Where the worker notes which file it is at, for the case that the file kills it."""
        return self.frames_path.with_suffix(".at")


class ShardReport(NamedTuple):
    """How many files of a shard gave a piece, and how many did not."""

    pieces: int
    failures: int


def build_shard(task: ShardTask) -> ShardReport:
    """Builds a shard, unless it is finished already.

    A file that cannot be read stands among the failures of the index, with its reason.

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
    """Writes the planes of all files, piece after piece, so that no more than one is held; gives the index."""
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
    """A file's packed planes, and what the index says of it."""

    active: np.ndarray
    onset: np.ndarray
    entry: dict[str, Any]


def _piece_or_reason(file: SourceFile, task: ShardTask) -> PackedPiece | str:
    """A file's planes, or why it gives none."""
    if file.source in task.skip:
        return task.skip[file.source]
    try:
        return read_piece(file, task)
    except (MidiError, PitchRangeError) as error:
        return str(error)
    except Exception as error:  # whatever it is, one file of many thousands must not stop the build
        return f"{file.path}: {type(error).__name__}: {error}"


def read_piece(file: SourceFile, task: ShardTask) -> PackedPiece:
    """Reads one file of a shard.

    Raises:
        MidiError, PitchRangeError: as :func:`~pianoroll_seq2seq.rasterize.read_planes` does.
    """
    path = Path(file.path)
    limit = task.reading.get("limits", DEFAULT_LIMITS).file_bytes
    planes = read_planes(path, grid=task.grid, pitches=task.pitches, outside=task.outside, **task.reading)
    active, onset = pack(planes.active), pack(planes.onset)
    with path.open("rb") as opened:
        content = hashlib.sha256(opened.read(limit)).hexdigest()
    planes_hash = hashlib.sha256(active.data)
    planes_hash.update(onset.data)
    entry = {
        "source": file.source,
        "file_sha256": content,
        "roll_sha256": planes_hash.hexdigest(),
        "frames": len(active),
        "ticks_per_beat": planes.tempo.ticks_per_beat,
        "tempo": planes.tempo.changes,
    }
    return PackedPiece(active, onset, entry)


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """The header of a ``.npy`` file of uint8, of one length for every shape: it is known when all is written."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    length = _NPY_HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1).encode("ascii") + b"\n"
