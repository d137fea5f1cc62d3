"""The pieces that a command reads: a folder of MIDI files, a corpus, or a data set with a name."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from pianoroll_seq2seq.cli.music_options import SETS
from pianoroll_seq2seq.data.corpus import Corpus
from pianoroll_seq2seq.data.datasets.folder import read_folder
from pianoroll_seq2seq.data.splitting import Split, drop_duplicates, pitch_class_set, split_by_piece
from pianoroll_seq2seq.errors import MidiNotFoundError, SettingsError
from pianoroll_seq2seq.grid import SIXTEENTHS, BeatGrid, FrameGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES, PitchRange

_POLYPHONIC = {"jsb": "jsb", "nottingham": "nottingham", "musedata": "musedata", "piano-midi": "piano_midi"}
_EIGHTHS = BeatGrid(2)


@dataclass(frozen=True)
class Source:
    """Where pieces come from and how they are read."""

    data: str
    """A folder of MIDI files, a corpus, or the name of a data set."""
    grid: FrameGrid | None = None
    """None takes the grid of the data, or sixteenths; eighths for scale-chords."""
    pitches: PitchRange | None = None
    """None takes the pitches of a corpus, or those that occur."""
    outside: Literal["error", "drop"] = "error"
    """Whether a file with notes outside the pitches is refused, or these notes are dropped."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """What counts as a note, for a folder of MIDI files (:class:`~pianoroll_seq2seq.midi_io.planes.Reading`)."""


@dataclass(frozen=True)
class Pieces:
    """Pieces for training, validation and test."""

    split: Split
    num_duplicates: int = 0
    """How many pieces were left out because they equal another."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why files could not be used, by their paths."""


def read_split(source: Source, *, valid: float, test: float, seed: int) -> Pieces:
    """Reads the pieces, drops duplicates and splits them into training, validation and test.

    Args:
        source: what to read.
        valid: share of the pieces for validation.
        test: share of the pieces for the scores.
        seed: of the shuffle.

    Raises:
        MidiNotFoundError: ``data`` is neither a folder nor a known set.
        SettingsError: a grid or pitches other than those of the data.
        SplitError: too few pieces.
        MissingExtraError: a set that needs a package which is not installed.
    """
    if source.data in _POLYPHONIC:
        return Pieces(_published(source))
    rolls, refused = _rolls(source)
    distinct, duplicates = drop_duplicates(rolls)
    # A scale, its modes and its relatives have the same notes, so they stay in the same part.
    group: Callable[[PianoRoll], Hashable] | None = pitch_class_set if source.data == "scale-chords" else None
    split = split_by_piece(distinct, valid=valid, test=test, seed=seed, group=group)
    return Pieces(split, sum(map(len, duplicates.values())), refused)


def read_pieces(source: Source) -> tuple[Sequence[PianoRoll], Mapping[str, str]]:
    """Reads pieces to be scored. Of a published set, these are the pieces that its authors test on.

    Returns:
        The pieces, and why files could not be used, by their paths.

    Raises:
        MidiNotFoundError: ``data`` is neither a folder nor a known set.
        SettingsError: a grid or pitches other than those of the data.
    """
    return (_published(source).test, {}) if source.data in _POLYPHONIC else _rolls(source)


def _rolls(source: Source) -> tuple[Sequence[PianoRoll], Mapping[str, str]]:
    if source.data == "scale-chords":
        from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords

        return _from_scores(scale_chords(), source, source.grid or _EIGHTHS), {}
    if source.data == "bach-chorales":
        from pianoroll_seq2seq.data.datasets.bach_chorales import bach_chorales

        scores = {name: chorale.score for name, chorale in bach_chorales().items()}
        return _from_scores(scores, source, source.grid or SIXTEENTHS), {}
    folder = Path(source.data)
    if (folder / "manifest.json").is_file():
        corpus = Corpus(folder)
        _check_layout(source, corpus.grid, corpus.pitches)
        return corpus, corpus.failures
    if not folder.is_dir():
        raise MidiNotFoundError(
            f"{source.data}: neither a folder of MIDI files or a corpus, nor one of the data sets {', '.join(SETS)}."
        )
    found = read_folder(
        folder,
        grid=source.grid or SIXTEENTHS,
        pitches=source.pitches or ALL_PITCHES,
        outside=source.outside,
        progress=True,
        **cast(Any, source.reading),
    )
    return _with_fitting_pitches(found.rolls, source), found.failures


def _from_scores(scores: Mapping[str, Any], source: Source, grid: FrameGrid) -> list[PianoRoll]:
    pitches = source.pitches or ALL_PITCHES
    rolls = [
        PianoRoll.from_score(score, grid=grid, pitches=pitches, outside=source.outside).renamed(name)
        for name, score in scores.items()
    ]
    return _with_fitting_pitches(rolls, source)


def _with_fitting_pitches(rolls: list[PianoRoll], source: Source) -> list[PianoRoll]:
    """Limits the rolls to the pitches that occur, if none were given. A model cannot leave them."""
    if source.pitches is not None:
        return rolls
    lows, highs = zip(*(roll.sounding_range() for roll in rolls), strict=True)
    range_of_all = PitchRange(min(lows), max(highs))
    return [roll.with_pitches(range_of_all) for roll in rolls]


def _published(source: Source) -> Split:
    """A data set as its authors split it."""
    from pianoroll_seq2seq.data.datasets.polyphonic import polyphonic

    split = polyphonic(cast(Any, _POLYPHONIC[source.data]))
    first = split.train[0]
    _check_layout(source, first.grid, first.pitches)
    return split


def _check_layout(source: Source, grid: FrameGrid, pitches: PitchRange) -> None:
    """Refuses another grid or other pitches than those of the data."""
    grid_flag = "--frames-per-beat" if isinstance(source.grid, BeatGrid) else "--frame-seconds"
    for flag, given, own in ((grid_flag, source.grid, grid), ("--pitches", source.pitches, pitches)):
        if given is not None and given != own:
            raise SettingsError(f"{source.data} has {own} and cannot be read with {given}. Leave out {flag}.")
