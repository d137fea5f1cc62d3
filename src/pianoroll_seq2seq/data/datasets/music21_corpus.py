"""What the data sets from music21's corpus share: scores in a cached file, because parsing takes long."""

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import asdict

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.documents import read_json
from pianoroll_seq2seq.errors import MidiError, MissingExtraError, ShapeError
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap

Ticks = list[Annotated[int, Meta(ge=0, le=MAX_TICK)]]
"""Ticks or other numbers of notes, in a cached file."""

_COLUMNS = ("onset_tick", "end_tick", "pitch", "velocity", "part")


class CachedScore(Struct, frozen=True, forbid_unknown_fields=True):
    """A score in a cached file; without controllers, and with no more of its parts than their names."""

    name: str
    ticks_per_beat: int
    tempo: list[tuple[int, int]]
    meter: dict[str, list[list[int]]]
    parts: list[str]
    notes: tuple[Ticks, Ticks, Ticks, Ticks, Ticks]

    @classmethod
    def of(cls, score: Score) -> "CachedScore":
        """The score as JSON values."""
        return cls(
            score.name,
            score.ticks_per_beat,
            list(score.tempo.changes),
            score.meter.to_dict(),
            [part.name for part in score.parts],
            tuple(getattr(score.notes, column).tolist() for column in _COLUMNS),
        )

    def to_score(self) -> Score:
        """The score.

        Raises:
            MidiError, ShapeError: a damaged file.
        """
        return Score(
            NoteTable(*self.notes),
            TempoMap(self.ticks_per_beat, self.tempo),
            tuple(map(Part, self.parts)),
            self.name,
            meter=Meter.from_dict(self.meter),
        )


_Piece = TypeVar("_Piece", bound=Struct)


def import_music21(purpose: str) -> Any:
    """The package.

    Raises:
        MissingExtraError: it is not installed; the message names the purpose.
    """
    try:
        import music21
    except ImportError as error:
        raise MissingExtraError("music21", "datasets", purpose) from error
    return music21


def cached_file(cache_dir: str | os.PathLike[str] | None, name: str) -> Path:
    """A file in ``cache_dir``, by default in the user's cache folder.

    Raises:
        MissingExtraError: pooch is not installed, which knows the user's cache folder.
    """
    if cache_dir is not None:
        return Path(cache_dir) / name
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError("pooch", "datasets", "Caching a data set") from error
    return Path(pooch.os_cache("pianoroll_seq2seq")) / name


def read_cache(path: Path, kind: type[_Piece]) -> list[_Piece] | None:
    """The pieces of a cached file; None if there is no such file, or it is damaged."""
    try:
        return read_json(path, list[kind], MidiError)  # type: ignore[valid-type]
    except (MidiError, ShapeError):
        return None


def write_cache(pieces: Sequence[Struct], path: Path, what: str) -> None:
    """Writes a cached file; warns if the folder cannot be written.

    Args:
        pieces: the pieces.
        path: the file.
        what: what they are, for the warning.
    """
    try:
        with writing(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(pieces, default=asdict), encoding="utf-8")
    except OSError as error:
        warnings.warn(f"The {what} could not be cached in {path} ({error}); pass another cache_dir.", stacklevel=4)


def from_first_note(score: Score, name: str) -> Score:
    """The notes that have a length, the first of them at tick 0."""
    notes = score.notes.where(score.notes.end_tick > score.notes.onset_tick)
    start = int(notes.onset_tick[0])
    return replace(score, notes=notes, name=name, end_tick=None).shift(-start)
