"""A corpus on disk as a sequence of rolls."""

import errno
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np

from pianoroll_seq2seq._internal.damage import DAMAGED_JSON, UNREADABLE_ARRAY, UNREADABLE_JSON
from pianoroll_seq2seq.data.corpus.packing import PackedPieces, bytes_per_frame, unpack
from pianoroll_seq2seq.data.corpus.shard import Labels
from pianoroll_seq2seq.errors import CorpusError, CorpusNotFoundError
from pianoroll_seq2seq.grid import BeatGrid, FrameGrid, SecondsGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.midi_io.folder import piece_names
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.tempo import TempoMap

FORMAT = "pianoroll_seq2seq corpus"
VERSION = 1
_NO_LABELS: Labels = {}
_GRIDS = {grid.__name__: grid for grid in (BeatGrid, SecondsGrid)}


class _Piece(NamedTuple):
    """A piece's entry in the index, in a few hundred bytes: a corpus may have hundreds of thousands."""

    name: str
    roll_sha256: bytes
    offset: int
    frames: int
    ticks_per_beat: int
    tempo: tuple[tuple[int, int], ...]
    labels: Labels

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "_Piece":
        """From an entry of a shard's index; named by its source."""
        return cls(
            entry["source"],
            bytes.fromhex(entry["roll_sha256"]),
            entry["offset"],
            entry["frames"],
            entry["ticks_per_beat"],
            tuple((tick, us_per_beat) for tick, us_per_beat in entry["tempo"]),
            entry["labels"] or _NO_LABELS,
        )


class Corpus(Sequence[PianoRoll]):
    """Pieces on disk, as :func:`~pianoroll_seq2seq.data.corpus.build_corpus` wrote them.

    A sequence of :class:`~pianoroll_seq2seq.pianoroll.PianoRoll`, each read when it is indexed. The frames are mapped
    into memory: only frames in use take memory, and the operating system can release them.

    Args:
        folder: the folder of the corpus.
        grid: the grid of the corpus, if its class is not of this library.

    Attributes:
        folder: the folder of the corpus.
        grid: how long a frame is.
        pitches: the pitches of the columns.
        names: the name of each piece: its file's path below the source folder, without the ending (with it where two
            files differ in nothing else).
        labels: the labels of each piece.
        failures: the reasons for files without a piece, by their paths.

    Raises:
        CorpusNotFoundError: no corpus in the folder.
        CorpusError: an unfinished or damaged corpus, or one of another version or grid.
    """

    def __init__(self, folder: str | Path, *, grid: FrameGrid | None = None) -> None:
        """Reads the manifest and the index of each shard."""
        self.folder: Path = Path(folder)
        manifest = _manifest(self.folder)
        try:
            self.grid: FrameGrid = _grid(manifest["grid"], grid, self.folder)
            self.pitches: PitchRange = PitchRange(*manifest["pitches"])
            self.failures: dict[str, str] = {one["source"]: one["reason"] for one in manifest["failures"]}
            self._shard_names: list[str] = [str(shard["name"]) for shard in manifest["shards"]]
        except CorpusError:
            raise
        except DAMAGED_JSON as error:
            raise CorpusError(_damaged(self.folder / "manifest.json", error)) from error
        self._maps: dict[int, np.ndarray] = {}
        shards = [self._pieces_of(shard) for shard in manifest["shards"]]
        found = [piece for pieces in shards for piece in pieces]
        names = piece_names(piece.name for piece in found)
        self._pieces: list[_Piece] = [piece._replace(name=names[piece.name]) for piece in found]
        self._shard = np.repeat(np.arange(len(shards)), [len(pieces) for pieces in shards])
        self._chosen = np.arange(len(self._pieces))

    def __len__(self) -> int:
        """The number of pieces."""
        return len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> PianoRoll: ...

    @overload
    def __getitem__(self, index: slice) -> "Corpus": ...

    def __getitem__(self, index: int | slice) -> "PianoRoll | Corpus":
        """One piece, read from disk; or several, as a corpus."""
        if isinstance(index, slice):
            return self.select(range(len(self))[index])
        place = int(self._chosen[index])
        piece = self._pieces[place]
        begin, end = piece.offset, piece.offset + piece.frames
        active, onset = (unpack(plane[begin:end], len(self.pitches)) for plane in self._mapped(int(self._shard[place])))
        tempo = TempoMap(piece.ticks_per_beat, piece.tempo)
        return PianoRoll(active, onset, self.grid, self.pitches, tempo, piece.name)

    def __repr__(self) -> str:
        """Folder, size, grid and pitches."""
        frames = sum(self._pieces[place].frames for place in self._chosen)
        return f"Corpus({str(self.folder)!r}, {len(self)} pieces, {frames} frames, {self.grid}, {self.pitches})"

    def __getstate__(self) -> dict[str, Any]:
        """The state without memory maps, which each process opens itself."""
        return {**self.__dict__, "_maps": {}}

    @property
    def names(self) -> list[str]:
        """The name of each piece."""
        return [self._pieces[place].name for place in self._chosen]

    @property
    def labels(self) -> list[Labels]:
        """The labels of each piece."""
        return [self._pieces[place].labels for place in self._chosen]

    @property
    def roll_hashes(self) -> list[str]:
        """A hash of each piece's planes, equal for pieces with the same notes in the same frames."""
        return [self._pieces[place].roll_sha256.hex() for place in self._chosen]

    def select(self, indices: Iterable[int]) -> "Corpus":
        """The pieces with these indices, in this order, without reading them.

        Raises:
            IndexError: an index out of range.
        """
        chosen = object.__new__(Corpus)
        chosen.__dict__.update(self.__dict__, _chosen=self._chosen[np.array(list(indices), dtype=np.int64)])
        return chosen

    def packed(self, layout: FrameLayout | None = None) -> PackedPieces:
        """The packed planes of the pieces, mapped into memory; windows are cut from them.

        Args:
            layout: what the columns of frames mean; that of the corpus, without an onset plane, by default.

        Raises:
            GridError, PitchRangeError: a layout with another grid or other pitches than the corpus.
        """
        layout = FrameLayout.of(self) if layout is None else layout
        layout.check(self, f"The corpus {self.folder}", owner="the layout")
        pieces = [self._pieces[place] for place in self._chosen]
        used, shard = np.unique(self._shard[self._chosen], return_inverse=True)
        planes = [self._mapped(int(number)) for number in used]
        return PackedPieces(
            [active for active, _ in planes],
            shard.astype(np.int64).reshape(-1),
            np.array([piece.offset for piece in pieces], dtype=np.int64),
            np.array([piece.frames for piece in pieces], dtype=np.int64),
            [piece.name for piece in pieces],
            layout,
            [onset for _, onset in planes] if layout.has_onsets else (),
        )

    def _mapped(self, shard: int) -> np.ndarray:
        if shard not in self._maps:
            path = self.folder / f"{self._shard_names[shard]}.npy"
            try:
                mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
                if mapped.dtype != np.uint8 or mapped.ndim != 3 or len(mapped) != 2:
                    raise ValueError(f"{mapped.dtype} of shape {mapped.shape}")
                self._maps[shard] = mapped
            except UNREADABLE_ARRAY as error:
                if isinstance(error, OSError) and error.errno == errno.EMFILE:
                    raise CorpusError(
                        f"{path}: too many open files; each shard needs one. Raise the limit (ulimit -n), or build the "
                        f"corpus with more files_per_shard."
                    ) from error
                raise CorpusError(_damaged(path, error)) from error
        return self._maps[shard]

    def _pieces_of(self, shard: Mapping[str, Any]) -> "list[_Piece]":
        path = self.folder / f"{shard['name']}.json"
        try:
            index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            pieces = [_Piece.of(piece) for piece in index["pieces"]]
            found = len(pieces), index["frames"]
            size = path.with_suffix(".npy").stat().st_size
            expected = 128 + 2 * shard["frames"] * bytes_per_frame(self.pitches)
        except UNREADABLE_JSON as error:
            raise CorpusError(_damaged(path, error)) from error
        if found != (shard["pieces"], shard["frames"]) or size != expected:
            raise CorpusError(
                f"{path.with_suffix('.npy')}: {size} bytes, expected {expected} for {shard['frames']} frames. "
                f"Build the corpus again."
            )
        return pieces


def describe_grid(grid: FrameGrid) -> dict[str, Any]:
    """A grid as JSON."""
    return {"class": type(grid).__name__, **grid.settings()}


def _damaged(path: Path, error: Exception) -> str:
    return f"{path}: missing or damaged ({error}). Build the corpus again."


def _grid(described: dict[str, Any], given: FrameGrid | None, folder: Path) -> FrameGrid:
    if given is not None:
        if describe_grid(given) != described:
            raise CorpusError(f"{folder}: built on {described}, opened with {describe_grid(given)}.")
        return given
    settings = {name: value for name, value in described.items() if name != "class"}
    try:
        return _GRIDS[described["class"]](**settings)
    except KeyError as error:
        raise CorpusError(
            f"{folder}: built on a grid of class {described['class']}, which is not part of this library. "
            f"Open it with Corpus(folder, grid=...)."
        ) from error


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.is_file():
        if (folder / "plan.json").is_file():
            raise CorpusError(f"{folder}: the build is not finished. Call build_corpus again with the same arguments.")
        raise CorpusNotFoundError(f"{folder}: not a corpus (no manifest.json). Check the path.")
    try:
        manifest: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
    except UNREADABLE_JSON as error:
        raise CorpusError(_damaged(path, error)) from error
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise CorpusError(
            f"{path}: {manifest.get('format')!r} of version {manifest.get('version')!r}, expected {FORMAT!r} of "
            f"version {VERSION}."
        )
    return manifest
