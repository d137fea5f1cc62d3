"""What a model learns from: a folder of MIDI files, a corpus, or a set that the library knows by name."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from pianoroll_seq2seq.corpus import Corpus
from pianoroll_seq2seq.datasets.folder import read_folder
from pianoroll_seq2seq.errors import MidiNotFoundError, SettingsError
from pianoroll_seq2seq.grid import SIXTEENTHS, BeatGrid, FrameGrid, SecondsGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.rasterize import Reading
from pianoroll_seq2seq.splitting import Split, drop_duplicates, pitch_class_set, split_by_piece

SCALE_CHORDS, BACH_CHORALES = "scale-chords", "bach-chorales"
_POLYPHONIC = {"jsb": "jsb", "nottingham": "nottingham", "musedata": "musedata", "piano-midi": "piano_midi"}
SETS = (SCALE_CHORDS, BACH_CHORALES, *_POLYPHONIC)
"""The sets that are known by name."""
_EIGHTHS = BeatGrid(2)
_ALL = PitchRange(0, 127)


@dataclass(frozen=True)
class Music:
    """The music to learn from.

    Args:
        data: a folder of MIDI files, a corpus made by ingest, or one of the sets scale-chords (built in),
            bach-chorales, jsb, nottingham, musedata and piano-midi (extra datasets).
        grid: where the frames lie in time: frames_per_beat, or frame_seconds. By default sixteenths, for scale-chords
            eighths. A corpus and the sets jsb to piano-midi have their own.
        pitches: the MIDI pitches to keep, lowest and highest. By default those of the notes that are there, and all
            that a corpus has.
        outside: whether a file with notes outside the pitches is refused, or those notes are dropped.
        valid: share of the pieces to choose the best epoch by.
        test: share of the pieces for the scores, which training never sees.
    """

    data: str = SCALE_CHORDS
    grid: BeatGrid | SecondsGrid | None = None
    pitches: PitchRange | None = None
    outside: Literal["error", "drop"] = "error"
    valid: float = 0.1
    test: float = 0.1


@dataclass(frozen=True)
class Pieces:
    """The pieces that were read.

    Args:
        split: dealt to training, validation and test.
        left_out: how many were like others.
        refused: why files could not be used, by their paths.
    """

    split: Split
    left_out: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)


def read_music(music: Music, reading: Reading, *, seed: int) -> Pieces:
    """Reads the pieces, drops duplicates and deals them to training, validation and test.

    Args:
        music: what to read.
        reading: what counts as a note, for a folder of MIDI files.
        seed: of the shuffle.

    Raises:
        MidiNotFoundError: ``data`` is neither a folder nor a known set.
        SettingsError: settings that the data does not leave open.
        SplitError: too few pieces.
        MissingExtraError: a set that needs a package which is not installed.
    """
    if music.data in _POLYPHONIC:
        return Pieces(_published(music))
    rolls, refused = _rolls(music, reading)
    distinct, duplicates = drop_duplicates(rolls)
    group = _scales if music.data == SCALE_CHORDS else None
    split = split_by_piece(distinct, valid=music.valid, test=music.test, seed=seed, group=group)
    return Pieces(split, sum(map(len, duplicates.values())), refused)


def read_all(music: Music, reading: Reading) -> tuple[Sequence[PianoRoll], Mapping[str, str]]:
    """Reads pieces without dealing them, for scores; of a published set those that its authors test on.

    Args:
        music: what to read.
        reading: what counts as a note, for a folder of MIDI files.

    Returns:
        The pieces, and why files could not be used, by their paths.

    Raises:
        MidiNotFoundError: ``data`` is neither a folder nor a known set.
        SettingsError: settings that the data does not leave open.
    """
    return (_published(music).test, {}) if music.data in _POLYPHONIC else _rolls(music, reading)


_scales: Callable[[PianoRoll], Hashable] = pitch_class_set  # relatives stay together: they are made of the same notes


def _rolls(music: Music, reading: Reading) -> tuple[Sequence[PianoRoll], Mapping[str, str]]:
    if music.data == SCALE_CHORDS:
        from pianoroll_seq2seq.datasets.scale_chords import scale_chords

        return _of_scores(scale_chords(), music, music.grid or _EIGHTHS), {}
    if music.data == BACH_CHORALES:
        from pianoroll_seq2seq.datasets.bach_chorales import bach_chorales

        scores = {name: chorale.score for name, chorale in bach_chorales().items()}
        return _of_scores(scores, music, music.grid or SIXTEENTHS), {}
    folder = Path(music.data)
    if (folder / "manifest.json").is_file():
        corpus = Corpus(folder)
        _refuse_other(music, corpus.grid, corpus.pitches)
        return corpus, corpus.failures
    if not folder.is_dir():
        raise MidiNotFoundError(
            f"{music.data}: neither a folder of MIDI files or a corpus, nor one of the sets {', '.join(SETS)}."
        )
    found = read_folder(
        folder,
        grid=music.grid or SIXTEENTHS,
        pitches=music.pitches or _ALL,
        outside=music.outside,
        progress=True,
        **reading,
    )
    return _fitted(found.rolls, music), found.failures


def _of_scores(scores: Mapping[str, Any], music: Music, grid: FrameGrid) -> list[PianoRoll]:
    rolls = [
        PianoRoll.from_score(score, grid=grid, pitches=music.pitches or _ALL, outside=music.outside).renamed(name)
        for name, score in scores.items()
    ]
    return _fitted(rolls, music)


def _fitted(rolls: list[PianoRoll], music: Music) -> list[PianoRoll]:
    """In the range of the notes that are there, where none was asked for, so that a model cannot wander out of it."""
    if music.pitches is not None:
        return rolls
    lows, highs = zip(*(roll.sounding_range() for roll in rolls), strict=True)
    range_of_all = PitchRange(min(lows), max(highs))
    return [roll.with_pitches(range_of_all) for roll in rolls]


def _published(music: Music) -> Split:
    """A set as its authors split it."""
    from pianoroll_seq2seq.datasets.polyphonic import polyphonic

    splits = polyphonic(cast(Any, _POLYPHONIC[music.data]))
    first = splits.train[0]
    _refuse_other(music, first.grid, first.pitches)
    return Split(splits.train, splits.valid, splits.test)


def _refuse_other(music: Music, grid: FrameGrid, pitches: PitchRange) -> None:
    for name, asked, there in (("grid", music.grid, grid), ("pitches", music.pitches, pitches)):
        if asked is not None and asked != there:
            raise SettingsError(
                f"{music.data} was made with {name}={there}, and cannot be read with {asked}. Leave out --{name}."
            )
