"""The data sets of the likelihood benchmark, each with its split and the scores that were published on it.

``jsb``, ``nottingham``, ``musedata`` and ``piano_midi`` are those of
:func:`~pianoroll_seq2seq.data.datasets.polyphonic.polyphonic`: which pitches sound. ``jsb16`` and ``pop909`` have
parts. Their files are not fetched: ``--data`` is their folder, or ``PIANOROLL_SEQ2SEQ_DATA`` the folder above it.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, get_args

import numpy as np
from msgspec import Meta, Struct

from pianoroll_seq2seq import BeatGrid, Part, PianoRoll, PitchRange, read_folder
from pianoroll_seq2seq._internal.documents import read_json
from pianoroll_seq2seq.data.datasets.polyphonic import polyphonic
from pianoroll_seq2seq.data.splitting import Split
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.grid import SIXTEENTHS
from pianoroll_seq2seq.pitches import PIANO

DATA_FOLDER = "PIANOROLL_SEQ2SEQ_DATA"
"""Environment variable: a folder with a folder for each data set."""
VOICES = ("soprano", "alto", "tenor", "bass")
TRACKS = ("MELODY", "BRIDGE", "PIANO")
MARGIN = 5
"""Semitones around the range of a part in the training pieces, so that pieces can be transposed."""
VALID_SONGS, TEST_SONGS = 15, 50
"""Of POP909's songs in order of their names: the last ones are the test, and those before them the validation."""


@dataclass(frozen=True)
class BenchmarkSet:
    """A data set of the benchmark.

    Args:
        read: reads the split; its argument is the folder of the files, or None.
        recipe: the recipe that is trained by default.
        published: test nats per frame by their source.
        primer: frames that a continuation reads, for ``--music``.
        continuation: frames that it has.
    """

    read: Callable[[Path | None], Split]
    recipe: str = "copying"
    published: Mapping[str, float] = field(default_factory=dict)
    primer: int = 16
    continuation: int = 48


def data_folder(given: Path | None, name: str) -> Path:
    """The folder of a data set: the given one, or the one of this name below ``PIANOROLL_SEQ2SEQ_DATA``.

    Raises:
        SettingsError: neither names a folder.
    """
    root = os.environ.get(DATA_FOLDER)
    folder = given or (Path(root) / name if root else None)
    if folder is None or not folder.is_dir():
        found = f"{folder} is no folder" if folder else "neither is given"
        raise SettingsError(
            f"The data set is read from --data FOLDER, or from the folder {name} in {DATA_FOLDER}, but {found}. "
            f"docs/benchmarks.md says where the files are."
        )
    return folder


# ----------------------------------------------------------------------------------------------------- chorales

_Pitch: TypeAlias = Annotated[int, Meta(ge=-1, le=127)]
_Chorale: TypeAlias = Annotated[list[tuple[_Pitch, _Pitch, _Pitch, _Pitch]], Meta(min_length=1)]
_Chorales: TypeAlias = Annotated[list[_Chorale], Meta(min_length=1)]


class _Chorale16File(Struct, frozen=True):
    """The chorales of each part of the split; a row is a sixteenth with the pitch of each voice, -1 for a rest."""

    train: _Chorales
    valid: _Chorales
    test: _Chorales


def jsb16(folder: Path | None = None) -> Split:
    """Bach's chorales in sixteenths with four voices (``Jsb16thSeparated.json``), in the split of 2012.

    The file has no onsets: each note begins where its pitch begins to sound.

    Raises:
        SettingsError: no folder, no file, or another content.
    """
    path = data_folder(folder, "jsb16") / "Jsb16thSeparated.json"
    file = read_json(path, _Chorale16File, SettingsError, fix="Pass the folder of Jsb16thSeparated.json as --data.")
    pieces = {name: [np.array(piece) for piece in getattr(file, name)] for name in Split._fields}
    sung = np.concatenate(pieces["train"])
    parts = []
    for voice, column in zip(VOICES, sung.T, strict=True):
        pitches = column[column >= 0]
        if not len(pitches):
            raise SettingsError(f"{path}: the {voice} rests in all training pieces.")
        parts.append(Part(voice, pitches=_range(pitches.min(), pitches.max())))
    return Split(
        *(
            tuple(_sung(piece, parts, f"jsb16/{name}/{number}") for number, piece in enumerate(pieces[name]))
            for name in Split._fields
        )
    )


def _sung(piece: np.ndarray, parts: Sequence[Part], name: str) -> PianoRoll:
    """A roll from the pitches of each voice, (frames, parts)."""
    blocks = []
    for part, pitches in zip(parts, piece.T, strict=True):
        block = pitches[:, None] == np.arange(part.pitches.lowest, part.pitches.highest + 1)
        if (block.any(axis=1) != (pitches >= 0)).any():
            raise SettingsError(f"{name}: the {part.name} leaves {part.pitches}, the range in the training pieces.")
        blocks.append(block)
    return PianoRoll.from_active(np.concatenate(blocks, axis=1), grid=SIXTEENTHS, parts=parts, name=name)


def _range(lowest: int, highest: int) -> PitchRange:
    """A range of pitches with the margin."""
    return PitchRange(max(PIANO.lowest, int(lowest) - MARGIN), min(PIANO.highest, int(highest) + MARGIN))


# ------------------------------------------------------------------------------------------------------ songs


def pop909(folder: Path | None = None) -> Split:
    """Pop songs of POP909 (Wang and others, 2020) in sixteenths: three parts with onsets and velocities.

    The split is by song: in order of their names, the last 50 are the test, and the 15 before them the validation.

    Raises:
        SettingsError: no folder, or too few songs.
        PianoRollSeq2SeqError: a file that cannot be read.
    """
    root = data_folder(folder, "pop909_sample")
    songs, failures = read_folder(root, grid=BeatGrid(4, offset="auto"), pitches=PIANO, parts=list(TRACKS))
    if failures:
        path, reason = next(iter(failures.items()))
        raise PianoRollSeq2SeqError(f"{root}: {len(failures)} files cannot be read; the first is {path}: {reason}")
    held_out = VALID_SONGS + TEST_SONGS
    if len(songs) <= held_out:
        raise SettingsError(f"{root} has {len(songs)} songs, but {held_out} of them are held out. It needs more.")
    training = songs[:-held_out]
    ranges = {}
    for track in TRACKS:
        pitches = np.concatenate([song[track].notes().pitch for song in training])
        ranges[track] = _range(pitches.min(), pitches.max())
    songs = [song.with_pitches(ranges) for song in songs]
    return Split(tuple(songs[:-held_out]), tuple(songs[-held_out:-TEST_SONGS]), tuple(songs[-TEST_SONGS:]))


# ---------------------------------------------------------------------------------------------------- the table

PolyphonicName: TypeAlias = Literal["jsb", "nottingham", "musedata", "piano_midi"]
_POLYPHONIC: tuple[PolyphonicName, ...] = get_args(PolyphonicName)
_PUBLISHED = {
    "LSTM (Chung et al., 2014, arXiv:1412.3555)": ("exact", (8.67, 3.20, 6.23, 9.03)),
    "GRU (Chung et al., 2014, arXiv:1412.3555)": ("exact", (8.54, 3.23, 5.99, 8.82)),
    "LSTM (Bai, Kolter and Koltun, 2018, arXiv:1803.01271; no first frames)": ("exact", (8.45, 3.29, None, None)),
    "TCN (Bai, Kolter and Koltun, 2018, arXiv:1803.01271; no first frames)": ("exact", (8.10, 3.07, None, None)),
    "RNN-NADE (Boulanger-Lewandowski et al., 2012, arXiv:1206.6392)": ("exact", (5.56, 2.31, 5.60, 7.05)),
    "TP-LSTM-NADE (Johnson, 2017)": ("exact", (5.88, 1.61, 4.32, 5.44)),
    "BALSTM (Johnson, 2017)": ("exact", (5.05, 1.55, 3.90, 4.90)),
    "RNN-RBM (Boulanger-Lewandowski et al., 2012, arXiv:1206.6392)": ("estimate", (6.27, 2.39, 6.01, 7.09)),
    "DBN-LSTM (Vohra et al., 2015)": ("estimate", (3.47, 1.32, 3.91, None)),
}
"""Test nats per frame on each of the polyphonic sets, and what kind of figure it is. Those of 2012, of Johnson and of
Vohra are quoted from surveys. The likelihood of models with an RBM or a DBN is intractable: it was estimated."""


def _of_polyphonic(column: int, name: PolyphonicName) -> BenchmarkSet:
    scores = {f"{source}, {kind}": values[column] for source, (kind, values) in _PUBLISHED.items()}
    return BenchmarkSet(
        read=lambda folder: polyphonic(name, folder=folder),
        published={source: nats for source, nats in scores.items() if nats is not None},
    )


SETS: dict[str, BenchmarkSet] = {
    **{name: _of_polyphonic(column, name) for column, name in enumerate(_POLYPHONIC)},
    "jsb16": BenchmarkSet(read=jsb16, recipe="monophonic", primer=64, continuation=128),
    "pop909": BenchmarkSet(read=pop909, recipe="velocity", primer=64, continuation=128),
}
"""The sets by name."""
