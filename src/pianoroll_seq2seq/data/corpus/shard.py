"""One shard of a corpus: a worker rasterizes, packs and writes some files.

The index is written last: a shard with an index is finished (see :mod:`~pianoroll_seq2seq.data.corpus.format`).
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from msgspec.structs import replace

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
from pianoroll_seq2seq.data.corpus.format import (
    NPY_HEADER_BYTES,
    FailedFile,
    Index,
    Labels,
    PieceEntry,
    array_files,
    npy_header,
    read_index,
    write_json,
)
from pianoroll_seq2seq.data.corpus.packing import hash_planes, pack
from pianoroll_seq2seq.errors import MidiError, PitchRangeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.midi_io.planes import Reading, read_planes
from pianoroll_seq2seq.pitches import PitchRange

BUILD_ON = "Delete the files of this shard, and call build_corpus again with the same arguments."


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
    def name(self) -> str:
        """The name of the shard: that of its files, without their endings."""
        return f"{self.number:05}"

    @property
    def frames_path(self) -> Path:
        """The file of the frames."""
        return Path(self.folder) / f"{self.name}.npy"

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
        CorpusError: a finished shard is damaged.
    """
    if not task.index_path.exists():
        with writing(task.frames_path, overwrite=True) as path:
            index = _write_frames(task, path)
        write_json(task.index_path, index, overwrite=True, indent=None)
        task.mark_path.unlink(missing_ok=True)
    index, _ = read_index(Path(task.folder), task.name, task.pitches, fix=BUILD_ON)
    return ShardReport(len(index.pieces), len(index.failures))


def _write_frames(task: ShardTask, path: Path) -> Index:
    """Writes the planes of all files, one piece in memory at a time; returns the index."""
    pieces: list[PieceEntry] = []
    failures: list[FailedFile] = []
    frames = 0
    with (
        path.open("wb") as active,
        tempfile.TemporaryFile(dir=task.folder) as onset,
        task.mark_path.open("wb", buffering=0) as mark,
    ):
        active.seek(NPY_HEADER_BYTES)
        for place, file in enumerate(task.files):
            mark.seek(0)
            mark.write(place.to_bytes(8, "little"))
            piece = _piece_or_reason(file, task)
            if isinstance(piece, str):
                failures.append(FailedFile(file.source, piece))
                continue
            pieces.append(replace(piece.entry, offset=frames))
            frames += len(piece.active)
            active.write(piece.active.data)
            onset.write(piece.onset.data)
        onset.seek(0)
        shutil.copyfileobj(onset, active, 2**20)
        active.seek(0)
        arrays = array_files(task.name, frames, task.pitches)
        active.write(npy_header(arrays[0]))
    return Index(frames, arrays, tuple(pieces), tuple(failures))


class PackedPiece(NamedTuple):
    """A file's packed planes, and its entry in the index, for offset 0."""

    active: np.ndarray
    onset: np.ndarray
    entry: PieceEntry


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
    entry = PieceEntry(
        source=file.source,
        file_sha256=content,
        roll_sha256=hash_planes(active, onset),
        offset=0,
        frames=len(active),
        ticks_per_beat=planes.tempo.ticks_per_beat,
        tempo=planes.tempo.changes,
        labels=dict(file.labels),
    )
    return PackedPiece(active, onset, entry)
