"""One shard of a corpus: a worker rasterizes, packs and writes some files.

The index is written last: a shard with an index is finished (see :mod:`~pianoroll_seq2seq.data.corpus.format`).
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, NamedTuple

import numpy as np
from msgspec.structs import replace

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
from pianoroll_seq2seq.data.corpus.format import (
    NPY_HEADER_BYTES,
    ArrayFile,
    FailedFile,
    Index,
    Labels,
    PieceEntry,
    array_files,
    npy_header,
    read_index,
    write_json,
)
from pianoroll_seq2seq.data.corpus.packing import count_onsets, hash_planes, hash_velocities, pack
from pianoroll_seq2seq.errors import MidiError, PitchRangeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.midi_io.planes import PlacedFile, Reading, read_placed
from pianoroll_seq2seq.musicxml import midi_source_of
from pianoroll_seq2seq.parts import Part
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
        pitches: the pitches to keep, of all parts or of each by its name.
        outside: what to do with notes outside them.
        reading: see :class:`~pianoroll_seq2seq.midi_io.planes.Reading`.
        parts: the parts that each piece must have.
        skip: the reasons for files that must not be read, by their source names.
        ticket: unique for each submission, since Dask returns the same failure for the same task.
    """

    folder: str
    number: int
    files: tuple[SourceFile, ...]
    grid: FrameGrid
    pitches: PitchRange | Mapping[str, PitchRange]
    outside: Literal["error", "drop"]
    reading: Reading
    parts: tuple[Part, ...] = (Part(),)
    skip: Mapping[str, str] = field(default_factory=dict)
    ticket: str = ""

    @property
    def name(self) -> str:
        """The name of the shard: that of its files, without their endings."""
        return f"{self.number:05}"

    @property
    def velocity(self) -> bool:
        """Whether velocities are kept."""
        return self.reading.get("velocity", True)

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
        write_json(task.index_path, _write_arrays(task), overwrite=True, indent=None)
        task.mark_path.unlink(missing_ok=True)
    index, _ = read_index(Path(task.folder), task.name, task.parts, velocity=task.velocity, fix=BUILD_ON)
    return ShardReport(len(index.pieces), len(index.failures))


def _write_arrays(task: ShardTask) -> Index:
    """Writes the planes and velocities of all files, one piece in memory at a time; returns the index."""
    pieces: list[PieceEntry] = []
    failures: list[FailedFile] = []
    frames = onsets = 0
    with ExitStack() as stack:
        files = [_open(stack, Path(task.folder) / array.file) for array in _arrays(task, 0, 0)]
        planes, velocities = files[0], files[1:]
        onset = stack.enter_context(tempfile.TemporaryFile(dir=task.folder))
        mark = stack.enter_context(task.mark_path.open("wb", buffering=0))
        for place, file in enumerate(task.files):
            mark.seek(0)
            mark.write(place.to_bytes(8, "little"))
            piece = _piece_or_reason(file, task)
            if isinstance(piece, str):
                failures.append(FailedFile(file.source, piece))
                continue
            pieces.append(replace(piece.entry, offset=frames))
            planes.write(piece.active.data)
            onset.write(piece.onset.data)
            if velocities:
                before = onsets + count_onsets(piece.positions, len(piece.active), piece.plane_size, offset=frames)
                velocities[0].write(piece.velocity.data)
                velocities[1].write(before.astype("<i8").data)
            frames += len(piece.active)
            onsets += piece.entry.onsets
        onset.seek(0)
        shutil.copyfileobj(onset, planes, 2**20)
        arrays = _arrays(task, frames, onsets)
        for opened, array in zip(files, arrays, strict=True):
            opened.seek(0)
            opened.write(npy_header(array))
    return Index(frames, arrays, tuple(pieces), tuple(failures))


def _arrays(task: ShardTask, frames: int, onsets: int) -> tuple[ArrayFile, ...]:
    plane_size = sum(len(part.pitches) for part in task.parts)
    return array_files(task.name, frames, onsets, plane_size=plane_size, velocity=task.velocity)


def _open(stack: ExitStack, path: Path) -> IO[bytes]:
    """A new file after its header, which is written last; it is moved to its place at the end of the stack."""
    temporary = stack.enter_context(writing(path, overwrite=True))
    opened: IO[bytes] = stack.enter_context(temporary.open("wb"))
    opened.seek(NPY_HEADER_BYTES)
    return opened


class PackedPiece(NamedTuple):
    """A file's packed planes and velocities, and its entry in the index, for offset 0.

    Attributes:
        active: the active plane as bits.
        onset: the onset plane as bits.
        positions: the cells of the onsets, in order, counted from the first of the piece.
        velocity: the velocity of each onset; empty if velocities are not kept.
        entry: the entry.
        plane_size: cells of a frame of one plane.
    """

    active: np.ndarray
    onset: np.ndarray
    positions: np.ndarray
    velocity: np.ndarray
    entry: PieceEntry
    plane_size: int


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
        MidiError, PitchRangeError: as :func:`~pianoroll_seq2seq.midi_io.planes.read_placed` does; or other parts than
            those of the corpus.
    """
    read = _read(file, task)
    limit = task.reading.get("limits", DEFAULT_LIMITS).max_file_bytes
    columns = _columns_of(read.parts, task.parts, file.path)
    planes = read.notes.planes()
    if columns is not None:
        planes = planes.map(lambda plane: plane[:, columns])
    active, onset = pack(planes.active), pack(planes.onset)
    positions = np.flatnonzero(planes.onset.reshape(-1))
    velocity = np.zeros(0, np.uint8) if planes.velocity is None else planes.velocity.reshape(-1)[positions]
    with Path(file.path).open("rb") as opened:
        content = hashlib.sha256(opened.read(limit)).hexdigest()
    programs = {part.name: part.program for part in read.parts}
    meter = read.meter.to_dict()
    entry = PieceEntry(
        source=file.source,
        file_sha256=content,
        roll_sha256=hash_planes(active, onset),
        velocity_sha256=hash_velocities(velocity) if task.velocity else None,
        offset=0,
        frames=len(active),
        onsets=len(positions),
        programs=tuple(programs[part.name] for part in task.parts),
        ticks_per_beat=read.tempo.ticks_per_beat,
        tempo=read.tempo.changes,
        time_signatures=tuple(map(tuple, meter["time_signatures"])),  # type: ignore[arg-type]
        key_signatures=tuple(map(tuple, meter["key_signatures"])),  # type: ignore[arg-type]
        labels=dict(file.labels),
    )
    return PackedPiece(active, onset, positions, velocity, entry, planes.onset.shape[1])


def read_parts(file: SourceFile, task: ShardTask) -> tuple[Part, ...] | None:
    """The parts of a file; None if it cannot be read."""
    try:
        return _read(file, task).parts
    except Exception:  # it will be one of the failures, with its reason
        return None


def _read(file: SourceFile, task: ShardTask) -> PlacedFile:
    source = midi_source_of(file.path, task.reading.get("limits", DEFAULT_LIMITS))
    return read_placed(source, grid=task.grid, pitches=task.pitches, outside=task.outside, **task.reading)


def _columns_of(found: Sequence[Part], expected: Sequence[Part], path: str) -> np.ndarray | None:
    """The columns of the expected parts, in their order; None if these are all columns.

    Raises:
        MidiError: a part is missing, or is drums in the file only or in the corpus only; or there are more parts.
    """
    drums = {part.name: part.drums for part in found}
    for part in expected:
        if part.name not in drums:
            raise MidiError(
                f"{path}: no part {part.name!r}, which all pieces of this corpus must have. It has the parts "
                f"{list(drums)}. Leave the file out, or choose parts that all files have, as parts=['MELODY', 'PIANO']."
            )
        if drums[part.name] != part.drums:
            kinds = ("drums", "pitched") if part.drums else ("pitched", "drums")
            raise MidiError(
                f"{path}: its part {part.name!r} is {kinds[1]}, but this corpus expects it to be {kinds[0]}. Select "
                f"it with parts={{{part.name!r}: {{'track': {part.name!r}, 'drums': {not part.drums}}}}}."
            )
    more = [name for name in drums if name not in [part.name for part in expected]]
    if more:
        raise MidiError(
            f"{path}: it has the part {more[0]!r}, but this corpus has only {[part.name for part in expected]}. Choose "
            f"parts that all files have, as parts=['MELODY', 'PIANO']."
        )
    if [part.name for part in found] == [part.name for part in expected]:
        return None
    starts = dict(zip(drums, np.cumsum([0, *(len(part.pitches) for part in found)]).tolist(), strict=False))
    return np.concatenate([np.arange(len(part.pitches)) + starts[part.name] for part in expected])
