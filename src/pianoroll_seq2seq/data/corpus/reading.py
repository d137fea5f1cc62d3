"""A corpus on disk as a sequence of rolls."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

import numpy as np

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.data.corpus.contents import CorpusPiece, grid_of, parts_of
from pianoroll_seq2seq.data.corpus.format import (
    AGAIN,
    ArrayFile,
    Labels,
    ShardEntry,
    map_array,
    read_index,
    read_manifest,
)
from pianoroll_seq2seq.data.corpus.packing import PackedPieces, PackedVelocities, hash_planes, hash_velocities, unpack
from pianoroll_seq2seq.errors import CorpusError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.midi_io.folder import piece_names
from pianoroll_seq2seq.parts import Part, spanned_pitches
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.tempo import TempoMap


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
        parts: the parts of the pieces, with the pitches of their columns. Programs are those of the pieces.
        pitches: the range that the pitches of all parts span, without drums.
        has_velocity: whether the corpus was built with velocities.
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
        manifest = read_manifest(self.folder)
        self.grid: FrameGrid = grid_of(manifest, grid, self.folder)
        self.parts: tuple[Part, ...] = parts_of(manifest, self.folder)
        self.pitches: PitchRange = spanned_pitches(self.parts)
        self.has_velocity: bool = manifest.velocity
        self.failures: dict[str, str] = {failed.source: failed.reason for failed in manifest.failures}
        self._arrays: list[tuple[ArrayFile, ...]] = []
        self._maps: dict[int, np.ndarray] = {}
        self._velocity_maps: dict[int, PackedVelocities] = {}
        shards = [self._pieces_of(shard) for shard in manifest.shards]
        found = [piece for pieces in shards for piece in pieces]
        try:
            names = piece_names(piece.name for piece in found)
        except ValueError as error:  # a path without a name
            raise CorpusError(f"{self.folder}: {error}. {AGAIN}") from error
        self._pieces: list[CorpusPiece] = [piece._replace(name=names[piece.name]) for piece in found]
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
        active, onset = (unpack(plane[begin:end], self._plane_size) for plane in self._mapped(int(self._shard[place])))
        return PianoRoll(
            active,
            onset,
            self.grid,
            tempo=TempoMap(piece.ticks_per_beat, piece.tempo),
            name=piece.name,
            velocity=self._velocity_plane(place, onset) if self.has_velocity else None,
            parts=tuple(
                replace(part, program=program) for part, program in zip(self.parts, piece.programs, strict=True)
            ),
            meter=piece.meter,
        )

    @property
    def _plane_size(self) -> int:
        return sum(len(part.pitches) for part in self.parts)

    def _velocity_plane(self, place: int, onset: np.ndarray) -> np.ndarray:
        """The velocities of a piece at its onsets, 0 elsewhere."""
        plane = np.zeros(onset.shape, dtype=np.uint8)
        cells, values = np.flatnonzero(onset.reshape(-1)), self._velocities(place)
        if len(cells) != len(values):
            raise CorpusError(
                f"{self.folder}: {len(cells)} onsets and {len(values)} velocities in {self._pieces[place].name!r}. "
                f"{AGAIN}"
            )
        plane.reshape(-1)[cells] = values
        return plane

    def _velocities(self, place: int) -> np.ndarray:
        """The velocities of a piece's onsets."""
        piece = self._pieces[place]
        return self._mapped_velocities(int(self._shard[place])).values[
            piece.first_onset : piece.first_onset + piece.onsets
        ]

    def __repr__(self) -> str:
        """Folder, size, grid, parts or pitches, and whether there are velocities."""
        frames = sum(self._pieces[place].frames for place in self._chosen)
        names = ", ".join(part.name for part in self.parts)
        columns = f"parts {names}" if len(self.parts) > 1 else str(self.pitches)
        velocities = " with velocities" if self.has_velocity else ""
        return f"Corpus({str(self.folder)!r}, {len(self)} pieces, {frames} frames, {self.grid}, {columns}{velocities})"

    def __getstate__(self) -> dict[str, Any]:
        """The state without memory maps, which each process opens itself."""
        return {**self.__dict__, "_maps": {}, "_velocity_maps": {}}

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

    @property
    def velocity_hashes(self) -> list[str]:
        """A hash of the velocities of each piece.

        Raises:
            CorpusError: the corpus has no velocities.
        """
        self._require_velocity()
        return [(self._pieces[place].velocity_sha256 or b"").hex() for place in self._chosen]

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
            layout: what the columns of frames mean; that of the corpus by default.

        Raises:
            GridError, PitchRangeError: a layout with another grid, other parts or other pitches than the corpus.
            CorpusError: a velocity plane, and the corpus has no velocities.
        """
        layout = FrameLayout.of(self) if layout is None else layout
        layout.check(self, f"The corpus {self.folder}", owner="the layout")
        if layout.has_velocity:
            self._require_velocity()
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
            [self._mapped_velocities(int(number)) for number in used] if layout.has_velocity else (),
        )

    def verify(self, *, progress: bool = False) -> None:
        """Reads the frames and velocities of all pieces and compares them with their hashes.

        Opening a corpus checks all but these, since they may be many gigabytes.

        Args:
            progress: whether to show a progress bar.

        Raises:
            CorpusError: pieces with other frames than those that were built.
        """
        damaged = []
        for place in tqdm(self._chosen.tolist(), desc="verify", unit="piece", disable=not progress):
            piece = self._pieces[place]
            planes = self._mapped(int(self._shard[place]))[:, piece.offset : piece.offset + piece.frames]
            is_whole = bytes.fromhex(hash_planes(*planes)) == piece.roll_sha256
            if is_whole and piece.velocity_sha256 is not None:
                is_whole = bytes.fromhex(hash_velocities(self._velocities(place))) == piece.velocity_sha256
            if not is_whole:
                damaged.append(piece.name)
        if damaged:
            named = ", ".join(map(repr, damaged[:3])) + (f" and {len(damaged) - 3} more" if len(damaged) > 3 else "")
            raise CorpusError(
                f"{self.folder}: {len(damaged)} of {len(self)} pieces have other frames than were built, {named}. "
                f"{AGAIN}"
            )
        for shard in np.unique(self._shard[self._chosen]).tolist() if self.has_velocity else ():
            found, expected = self._mapped_velocities(shard), self._mapped(shard)[1]
            if not np.array_equal(found.onsets_before, PackedVelocities.of(found.values, expected).onsets_before):
                path = self.folder / self._arrays[shard][2].file
                raise CorpusError(f"{path}: other numbers of onsets than were built. {AGAIN}")

    def _mapped(self, shard: int) -> np.ndarray:
        if shard not in self._maps:
            self._maps[shard] = map_array(self.folder, self._arrays[shard][0])
        return self._maps[shard]

    def _mapped_velocities(self, shard: int) -> PackedVelocities:
        """The velocities of a shard, mapped; the numbers by which they are found are read, a thousandth of the size."""
        if shard not in self._velocity_maps:
            _, velocity, onsets = self._arrays[shard]
            before = np.array(map_array(self.folder, onsets), dtype=np.int64)
            if (np.diff(before, prepend=0, append=velocity.shape[0]) < 0).any():
                raise CorpusError(
                    f"{self.folder / onsets.file}: damaged, expected ascending numbers of onsets. {AGAIN}"
                )
            self._velocity_maps[shard] = PackedVelocities(map_array(self.folder, velocity), before)
        return self._velocity_maps[shard]

    def _require_velocity(self) -> None:
        if not self.has_velocity:
            raise CorpusError(
                f"{self.folder}: the corpus has no velocities. Build it again with velocity=True, "
                f"or use a layout without a velocity plane."
            )

    def _pieces_of(self, shard: ShardEntry) -> "list[CorpusPiece]":
        index, sha256 = read_index(self.folder, shard.name, self.parts, velocity=self.has_velocity)
        path = self.folder / f"{shard.name}.json"
        if sha256 != shard.index_sha256 or (len(index.pieces), index.frames) != (shard.pieces, shard.frames):
            raise CorpusError(f"{path}: changed since the corpus was built (its hash differs). {AGAIN}")
        self._arrays.append(index.arrays)
        first_onsets = accumulate((piece.onsets for piece in index.pieces), initial=0)
        return [CorpusPiece.of(piece, first) for piece, first in zip(index.pieces, first_onsets, strict=False)]
