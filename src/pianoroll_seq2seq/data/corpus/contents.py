"""What the manifest and the indices of a corpus say, as values of this library."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pianoroll_seq2seq._internal.documents import convert
from pianoroll_seq2seq.data.corpus.format import AGAIN, Labels, Manifest, PieceEntry, describe_grid
from pianoroll_seq2seq.errors import CorpusError, PitchRangeError, SettingsError
from pianoroll_seq2seq.grid import BeatGrid, FrameGrid, SecondsGrid
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.parts import Part, named_parts
from pianoroll_seq2seq.pitches import PIANO

_NO_LABELS: Labels = {}
_GRIDS: Mapping[Any, type[FrameGrid]] = {grid.__name__: grid for grid in (BeatGrid, SecondsGrid)}


class CorpusPiece(NamedTuple):
    """A piece's entry in the index, in a few hundred bytes: a corpus may have hundreds of thousands."""

    name: str
    roll_sha256: bytes
    velocity_sha256: bytes | None
    offset: int
    frames: int
    first_onset: int
    onsets: int
    programs: tuple[int, ...]
    ticks_per_beat: int
    tempo: tuple[tuple[int, int], ...]
    time_signatures: tuple[tuple[int, int, int], ...]
    key_signatures: tuple[tuple[int, int, int], ...]
    labels: Labels

    @classmethod
    def of(cls, entry: PieceEntry, first_onset: int) -> "CorpusPiece":
        """From an entry of a shard's index, and the number of its first onset there; named by its source."""
        return cls(
            entry.source,
            bytes.fromhex(entry.roll_sha256),
            None if entry.velocity_sha256 is None else bytes.fromhex(entry.velocity_sha256),
            entry.offset,
            entry.frames,
            first_onset,
            entry.onsets,
            entry.programs,
            entry.ticks_per_beat,
            entry.tempo,
            entry.time_signatures,
            entry.key_signatures,
            entry.labels or _NO_LABELS,
        )

    @property
    def meter(self) -> Meter:
        """The time and key signatures."""
        signatures = {"time_signatures": self.time_signatures, "key_signatures": self.key_signatures}
        return Meter.from_dict(signatures)


def parts_of(manifest: Manifest, folder: Path) -> tuple[Part, ...]:
    """The parts of a corpus.

    Raises:
        CorpusError: pitches or names that no parts can have.
    """
    try:
        return named_parts([entry.part() for entry in manifest.parts], PIANO, owner=os.fspath(folder))
    except (PitchRangeError, SettingsError) as error:
        raise CorpusError(f"{folder}: {error} {AGAIN}") from error


def grid_of(manifest: Manifest, given: FrameGrid | None, folder: Path) -> FrameGrid:
    """The grid of a corpus.

    Args:
        manifest: describes it.
        given: the grid itself, which must be as described. Grids of this library can be left out.
        folder: the folder of the corpus, for errors.

    Raises:
        CorpusError: another grid, an unknown one, or settings that it cannot have.
    """
    described = manifest.grid
    if given is not None:
        if describe_grid(given) != described:
            raise CorpusError(f"{folder}: built on {described}, opened with {describe_grid(given)}.")
        return given
    kind = _GRIDS.get(described.get("class"))
    if kind is None:
        raise CorpusError(
            f"{folder}: built on a grid of class {described.get('class')}, which is not part of this library. "
            f"Open it with Corpus(folder, grid=...)."
        )
    settings = {name: value for name, value in described.items() if name != "class"}
    grid: FrameGrid = convert(settings, kind, f"{folder}: its grid", CorpusError, fix=AGAIN)
    if describe_grid(grid) != described:
        raise CorpusError(f"{folder}: built on {described}, which is no {type(grid).__name__}. {AGAIN}")
    return grid
