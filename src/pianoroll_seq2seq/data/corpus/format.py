"""The files of a corpus: what they hold, and what is checked when they are read.

A shard is ``00012.npy``, its frames, and ``00012.json``, the index of its pieces and of the files that failed. With
velocities it has ``00012.velocity.npy`` too, one for each onset, and ``00012.onsets.npy``, by which those of a frame
are found. ``manifest.json`` lists the shards. It has a hash of itself and of each index, and an index has hashes of
each piece's frames and velocities. Opening a corpus checks all but the last, which :meth:`Corpus.verify` does.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.documents import parse_json, read_bytes, read_json
from pianoroll_seq2seq.data.corpus.packing import BLOCK_FRAMES, bytes_per_frame
from pianoroll_seq2seq.errors import CorpusError, CorpusNotFoundError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.tempo import MAX_TICK, MAX_TICKS_PER_BEAT

FORMAT = "pianoroll_seq2seq corpus"
VERSION = 2
"""Increased with every incompatible change."""
NPY_HEADER_BYTES = 128
AGAIN = "Build it again in a new folder, or copy it again."
_MAX_BYTES = 2**30  # of an index or a manifest: those of millions of pieces

T = TypeVar("T", bound=Struct)
Labels = Mapping[str, str | int | float]
Count = Annotated[int, Meta(ge=0, le=2**48)]
Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Tick = Annotated[int, Meta(ge=0, le=MAX_TICK)]
UsPerBeat = Annotated[int, Meta(ge=1, lt=2**24)]
Pitch = Annotated[int, Meta(ge=0, le=127)]
Program = Annotated[int, Meta(ge=0, le=127)]
Plain = bool | int | float | str
TimeSignatureRow = tuple[Tick, Annotated[int, Meta(ge=1, le=255)], Literal[1, 2, 4, 8, 16, 32, 64, 128]]
"""Tick, numerator and denominator."""
KeySignatureRow = tuple[Tick, Annotated[int, Meta(ge=-7, le=7)], Literal[0, 1]]
"""Tick, sharps (flats below 0), and 1 if the key is minor."""


class FailedFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file without a piece."""

    source: str
    reason: str


class ArrayFile(Struct, frozen=True, forbid_unknown_fields=True):
    """An array of a shard, in a ``.npy`` file."""

    file: str
    dtype: Literal["uint8", "<i8"]
    shape: tuple[Count, ...]


class PieceEntry(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A piece in the index of its shard; its frames are those from ``offset`` on."""

    source: Annotated[str, Meta(min_length=1)]
    file_sha256: Digest
    roll_sha256: Digest
    velocity_sha256: Digest | None
    offset: Count
    frames: Annotated[int, Meta(ge=1, le=2**48)]
    onsets: Count
    programs: tuple[Program, ...]
    """Of its parts."""
    ticks_per_beat: Annotated[int, Meta(ge=1, le=MAX_TICKS_PER_BEAT)]
    tempo: tuple[tuple[Tick, UsPerBeat], ...]
    time_signatures: tuple[TimeSignatureRow, ...]
    key_signatures: tuple[KeySignatureRow, ...]
    labels: dict[str, Plain]


class Index(Struct, frozen=True, forbid_unknown_fields=True):
    """The index of a shard."""

    frames: Count
    arrays: tuple[ArrayFile, ...]
    pieces: tuple[PieceEntry, ...]
    failures: tuple[FailedFile, ...]


class PartEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of all pieces, with the pitches of its columns."""

    name: str
    drums: bool
    lowest: Pitch
    highest: Pitch

    @classmethod
    def of(cls, part: Part) -> "PartEntry":
        """From a part; its program may differ from piece to piece."""
        return cls(part.name, part.drums, part.pitches.lowest, part.pitches.highest)

    def part(self, program: int = 0) -> Part:
        """The part.

        Raises:
            PitchRangeError: the lowest pitch is above the highest.
        """
        return Part(self.name, program, self.drums, pitches=PitchRange(self.lowest, self.highest))


class ShardEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A shard in the manifest."""

    name: Annotated[str, Meta(pattern=r"\A[0-9]{5,12}\Z")]
    pieces: Count
    frames: Count
    index_sha256: Digest


class Plan(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that determines a corpus."""

    format: str = FORMAT
    version: int = VERSION
    grid: dict[str, Plain]
    parts: Annotated[tuple[PartEntry, ...], Meta(min_length=1)]
    velocity: bool
    reading: dict[str, Any]
    files: Count
    files_per_shard: Annotated[int, Meta(ge=1)]
    files_sha256: Digest


class Manifest(Plan, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a finished corpus holds."""

    pieces: Count
    frames: Count
    shards: tuple[ShardEntry, ...]
    failures: tuple[FailedFile, ...]
    sha256: Digest = "0" * 64
    """See :func:`sealed`."""


class _Version(Struct, frozen=True):
    """What says whether a file can be read here."""

    format: Plain | None = None
    version: Plain | None = None


def describe_grid(grid: FrameGrid) -> dict[str, Plain]:
    """A grid as JSON."""
    return {"class": type(grid).__name__, **grid.settings()}


def array_files(name: str, frames: int, onsets: int, *, plane_size: int, velocity: bool) -> tuple[ArrayFile, ...]:
    """The arrays of a shard.

    The first is the packed active planes of its pieces, one after another, and then their onset planes. With velocities
    there are those of all onsets, and the number of onsets before every 64th frame.
    """
    planes = ArrayFile(f"{name}.npy", "uint8", (2, frames, bytes_per_frame(plane_size)))
    if not velocity:
        return (planes,)
    return (
        planes,
        ArrayFile(f"{name}.velocity.npy", "uint8", (onsets,)),
        ArrayFile(f"{name}.onsets.npy", "<i8", (-(-frames // BLOCK_FRAMES),)),
    )


def npy_header(array: ArrayFile) -> bytes:
    """The beginning of a ``.npy`` file, equally long for every shape, since it is written last."""
    descr = np.dtype(array.dtype).str
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {array.shape}, }}"
    length = NPY_HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1).encode("ascii") + b"\n"


def check_array(folder: Path, array: ArrayFile, *, fix: str = AGAIN) -> Path:
    """The path of an array's file, which has its type, shape and size. The numbers are not read.

    Raises:
        CorpusError: no such file, one that cannot be read, or another one.
    """
    path = folder / array.file
    if not os.path.isfile(path):
        raise CorpusError(f"{path}: no such file. {fix}")
    with _opening(path), path.open("rb") as file:
        size, header = os.fstat(file.fileno()).st_size, file.read(NPY_HEADER_BYTES)
    expected = NPY_HEADER_BYTES + math.prod(array.shape) * np.dtype(array.dtype).itemsize
    if size != expected:
        raise CorpusError(f"{path}: {size} bytes, expected {expected} for the shape {array.shape}. {fix}")
    if header != npy_header(array):
        raise CorpusError(f"{path}: damaged, expected the header of {array.dtype} of shape {array.shape}. {fix}")
    return path


def map_array(folder: Path, array: ArrayFile) -> np.ndarray:
    """An array, mapped into memory.

    Raises:
        CorpusError: as :func:`check_array` does; or too many open files.
    """
    path = check_array(folder, array)
    with _opening(path):
        return np.memmap(path, array.dtype, "r", NPY_HEADER_BYTES, array.shape)


@contextlib.contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.EMFILE:
            raise CorpusError(
                f"{path}: too many open files; each shard needs one. Raise the limit (ulimit -n), or build the corpus "
                f"with more files_per_shard."
            ) from error
        raise CorpusError(f"{path}: cannot be read ({error.strerror}). {AGAIN}") from error


def sealed(manifest: Manifest) -> Manifest:
    """A manifest with its hash: that of all other values, as ``json.dumps(..., sort_keys=True)`` writes them."""
    content = {name: value for name, value in asdict(manifest).items() if name != "sha256"}
    text = json.dumps(content, default=asdict, sort_keys=True)
    return replace(manifest, sha256=hashlib.sha256(text.encode()).hexdigest())


def write_json(path: Path, content: Struct, *, overwrite: bool = False, indent: int | None = 1) -> None:
    """Writes one of the structures above."""
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps(content, default=asdict, indent=indent, separators=separators)
    with writing(path, overwrite=overwrite) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_plan(path: Path) -> Plan:
    """The plan of a build.

    Raises:
        CorpusError: not a plan of this version.
    """
    return _read(path, Plan, "Choose a new folder.")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a corpus.

    Raises:
        CorpusNotFoundError: no corpus in the folder.
        CorpusError: an unfinished corpus, or a manifest that was changed.
    """
    path = folder / "manifest.json"
    if not path.exists():
        if (folder / "plan.json").is_file():
            raise CorpusError(f"{folder}: the build is not finished. Call build_corpus again with the same arguments.")
        raise CorpusNotFoundError(f"{folder}: not a corpus (no manifest.json). Check the path.")
    manifest = _read(path, Manifest, AGAIN)
    if manifest != sealed(manifest):
        raise CorpusError(f"{path}: changed since it was written (its hash differs). {AGAIN}")
    found = sum(shard.pieces for shard in manifest.shards), sum(shard.frames for shard in manifest.shards)
    if found != (manifest.pieces, manifest.frames) or manifest.pieces + len(manifest.failures) != manifest.files:
        raise CorpusError(f"{path}: its numbers of files, pieces and frames do not add up. {AGAIN}")
    return manifest


def _read(path: Path, kind: type[T], fix: str) -> T:
    found = read_json(path, _Version, CorpusError, fix=fix, max_bytes=_MAX_BYTES)
    if (found.format, found.version) != (FORMAT, VERSION):
        raise CorpusError(
            f"{path}: {found.format!r:.60} of version {found.version!r:.60}, expected {FORMAT!r} of version {VERSION}. "
            f"{fix}"
        )
    return read_json(path, kind, CorpusError, fix=fix, max_bytes=_MAX_BYTES)


def read_index(
    folder: Path, name: str, parts: Sequence[Part], *, velocity: bool, fix: str = AGAIN
) -> tuple[Index, str]:
    """The index of a shard with its hash, checked against the files of its arrays.

    Args:
        folder: the folder of the corpus.
        name: the name of the shard.
        parts: the parts of the corpus.
        velocity: whether the corpus has velocities.
        fix: the last sentence of an error.

    Raises:
        CorpusError: a missing or damaged index or array, or pieces that are not end to end.
    """
    path = folder / f"{name}.json"
    data = read_bytes(path, CorpusError, fix=fix, max_bytes=_MAX_BYTES)
    index = parse_json(data, Index, os.fspath(path), CorpusError, fix=fix, max_bytes=_MAX_BYTES)
    frames = onsets = 0
    for number, piece in enumerate(index.pieces):
        if piece.offset != frames:
            raise CorpusError(f"{path}, at $.pieces[{number}].offset: expected {frames}, got {piece.offset}. {fix}")
        if len(piece.programs) != len(parts) or (piece.velocity_sha256 is not None) != velocity:
            raise CorpusError(f"{path}, at $.pieces[{number}]: its parts or velocities are not the corpus's. {fix}")
        frames += piece.frames
        onsets += piece.onsets
    plane_size = sum(len(part.pitches) for part in parts)
    expected = array_files(name, frames, onsets, plane_size=plane_size, velocity=velocity)
    if index.frames != frames or index.arrays != expected:
        raise CorpusError(f"{path}: its arrays are not those of its {frames} frames of {plane_size} pitches. {fix}")
    for array in index.arrays:
        check_array(folder, array, fix=fix)
    return index, hashlib.sha256(data).hexdigest()
