"""The pieces that a command reads (a folder of MIDI files, a corpus, or a data set), and windows over them."""

import difflib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from pianoroll_seq2seq.cli.options import SETS
from pianoroll_seq2seq.cli.train_options import WindowOptions
from pianoroll_seq2seq.data.augmentation import Augmentation
from pianoroll_seq2seq.data.conditions import pitch_class_vector
from pianoroll_seq2seq.data.corpus import Corpus
from pianoroll_seq2seq.data.datasets.folder import read_folder
from pianoroll_seq2seq.data.splitting import Split, drop_duplicates, pitch_class_set, split_by_piece
from pianoroll_seq2seq.errors import MidiNotFoundError, SettingsError
from pianoroll_seq2seq.grid import SIXTEENTHS, BeatGrid, FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES, PitchRange
from pianoroll_seq2seq.windowing import SlidingWindows

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
    verify: bool = False
    """Whether to compare all frames of a corpus with their hashes first."""

    @property
    def is_corpus(self) -> bool:
        """Whether the pieces are those of a corpus."""
        return Path(self.data, "manifest.json").is_file()

    def check(self) -> None:
        """Refuses to verify what has no hashes.

        Raises:
            SettingsError: ``verify`` without a corpus.
        """
        if self.verify and not self.is_corpus:
            raise SettingsError(f"{self.data}: expected a corpus, since --verify was given. Leave out --verify.")


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
        SettingsError: a grid or pitches other than those of the data, or ``verify`` without a corpus.
        CorpusError: a damaged corpus.
        SplitError: too few pieces.
        MissingExtraError: a set that needs a package which is not installed.
    """
    source.check()
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
        SettingsError: a grid or pitches other than those of the data, or ``verify`` without a corpus.
        CorpusError: a damaged corpus.
    """
    source.check()
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
    if source.is_corpus:
        corpus = Corpus(folder)
        _check_layout(source, corpus.grid, corpus.pitches)
        if source.verify:
            corpus.verify(progress=True)
        return corpus, corpus.failures
    if folder.is_file():
        raise MidiNotFoundError(f"{source.data}: a file; expected a folder. Give the folder that holds it.")
    if not folder.is_dir():
        near = difflib.get_close_matches(source.data, SETS, n=1)
        raise MidiNotFoundError(
            f"{source.data}: neither a folder of MIDI files or a corpus, nor one of the data sets {', '.join(SETS)}."
            + (f" Did you mean {near[0]}?" if near else "")
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
    if isinstance(source.grid, BeatGrid) and source.grid.offset and getattr(grid, "offset", None) is None:
        raise SettingsError(
            f"{source.data} was read without --offset, which is for reading MIDI files. Leave it out, or build a "
            f"corpus from the files with it."
        )


def layout_of(rolls: Sequence[PianoRoll], *, onsets: bool) -> FrameLayout:
    """The layout of frames of some pieces, which have one grid and one pitch range."""
    return FrameLayout.of(rolls if isinstance(rolls, Corpus) else rolls[0], onsets=onsets)


def training_windows(
    rolls: Sequence[PianoRoll], options: WindowOptions, layout: FrameLayout, augmentation: Augmentation | None
) -> SlidingWindows:
    """Overlapping windows with augmentation.

    Raises:
        PieceTooShortError: no piece is as long as a window.
    """
    return _windows(rolls, options, layout, hop=options.hop, augmentation=augmentation)


def scoring_windows(rolls: Sequence[PianoRoll], options: WindowOptions, layout: FrameLayout) -> SlidingWindows:
    """Windows in which each target frame occurs once.

    Raises:
        PieceTooShortError: no piece is as long as a window.
    """
    return _windows(rolls, options, layout, hop=options.target_frames, augmentation=None)


def _windows(
    rolls: Sequence[PianoRoll],
    options: WindowOptions,
    layout: FrameLayout,
    *,
    hop: int,
    augmentation: Augmentation | None,
) -> SlidingWindows:
    conditions = scales_of(rolls) if options.condition == "scale" else None
    return SlidingWindows(
        rolls,
        input_frames=options.input_frames,
        target_frames=options.target_frames,
        hop=hop,
        layout=layout,
        short=options.short,
        augmentation=augmentation,
        conditions=conditions,
        pitch_classes=conditions is not None,
    )


def scales_of(rolls: Sequence[PianoRoll]) -> list[np.ndarray]:
    """The pitch classes of each piece, as conditions of size 12."""
    return [pitch_class_vector(pitch_class_set(roll)) for roll in rolls]


def opening_of(rolls: Sequence[PianoRoll], options: WindowOptions) -> tuple[PianoRoll, np.ndarray | None]:
    """The beginning of the longest piece, as long as the model's input, and its condition."""
    longest = max(rolls, key=len)
    condition = scales_of([longest])[0] if options.condition == "scale" else None
    return longest[: options.input_frames], condition
