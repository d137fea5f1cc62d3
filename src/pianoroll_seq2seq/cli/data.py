"""The pieces that a command reads (a folder of files, a corpus, or a data set), and windows over them."""

import difflib
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from pianoroll_seq2seq.cli.options import SETS
from pianoroll_seq2seq.cli.train_options import WindowOptions
from pianoroll_seq2seq.data.augmentation import Augmentation
from pianoroll_seq2seq.data.conditions import pitch_class_vector
from pianoroll_seq2seq.data.corpus import Corpus
from pianoroll_seq2seq.data.datasets.folder import read_folder
from pianoroll_seq2seq.data.splitting import Split, drop_duplicates, pitch_class_set, split_by_piece
from pianoroll_seq2seq.data.tasks import FillTasks
from pianoroll_seq2seq.errors import MidiError, MidiNotFoundError, SettingsError
from pianoroll_seq2seq.grid import SIXTEENTHS, BeatGrid, FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.part_selection import is_layout
from pianoroll_seq2seq.parts import Part, spanned_pitches
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES, PitchRange
from pianoroll_seq2seq.windowing import SlidingWindows

if TYPE_CHECKING:
    from pianoroll_seq2seq.data.datasets.bach_chorales import Chorale

_POLYPHONIC = {"jsb": "jsb", "nottingham": "nottingham", "musedata": "musedata", "piano-midi": "piano_midi"}
_EIGHTHS = BeatGrid(2)


@dataclass(frozen=True)
class Source:
    """Where pieces come from and how they are read."""

    data: str
    """A folder of MIDI and MusicXML files, a corpus, or the name of a data set."""
    grid: FrameGrid | None = None
    """None takes the grid of the data, or sixteenths; eighths for scale-chords."""
    pitches: PitchRange | Mapping[str, PitchRange] | None = None
    """Of all parts, or of each by its name. None takes the pitches of a corpus, or those that occur."""
    outside: Literal["error", "drop"] = "error"
    """Whether a file with notes outside the pitches is refused, or these notes are dropped."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """What counts as a note, for a folder of files (:class:`~pianoroll_seq2seq.midi_io.planes.Reading`)."""
    verify: bool = False
    """Whether to compare all frames of a corpus with their hashes first."""

    @property
    def is_corpus(self) -> bool:
        """Whether the pieces are those of a corpus."""
        return os.path.isfile(Path(self.data, "manifest.json"))

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
    split = split_by_piece(distinct, valid=valid, test=test, seed=seed, group=_group_of(source.data))
    return Pieces(split, sum(map(len, duplicates.values())), refused)


def _group_of(data: str) -> Callable[[PianoRoll], Hashable] | None:
    """What pieces of a set have in common if they must be in the same part of a split."""
    if data == "scale-chords":  # a scale, its modes and its relatives have the same notes
        return pitch_class_set
    if data == "bach-chorales":  # several harmonizations of one tune
        tunes = {name: chorale.tune for name, chorale in _bach_chorales().items()}
        return lambda roll: tunes[roll.name]
    return None


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

        return _from_scores(scale_chords(), source, source.grid or _EIGHTHS)
    if source.data == "bach-chorales":
        scores = {name: chorale.score for name, chorale in _bach_chorales().items()}
        return _from_scores(scores, source, source.grid or SIXTEENTHS)
    folder = Path(source.data)
    if source.is_corpus:
        corpus = Corpus(folder)
        _check_layout(source, corpus.grid, corpus.parts)
        if source.verify:
            corpus.verify(progress=True)
        return corpus, corpus.failures
    if os.path.isfile(folder):
        raise MidiNotFoundError(f"{source.data}: a file; expected a folder. Give the folder that holds it.")
    if not os.path.isdir(folder):
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
    rolls, others = _with_same_parts(found.rolls)
    return _with_fitting_pitches(rolls, source), {**found.failures, **others}


@cache
def _bach_chorales() -> "Mapping[str, Chorale]":
    from pianoroll_seq2seq.data.datasets.bach_chorales import bach_chorales

    return bach_chorales()


def _from_scores(
    scores: Mapping[str, Any], source: Source, grid: FrameGrid
) -> tuple[list[PianoRoll], Mapping[str, str]]:
    pitches = source.pitches or ALL_PITCHES
    parts = source.reading.get("parts")
    rolls, refused = [], {}
    for name, score in scores.items():
        try:
            roll = PianoRoll.from_score(score, grid=grid, pitches=pitches, outside=source.outside, parts=parts)
        except MidiError as error:
            if parts is None:
                raise
            refused[name] = str(error)  # it lacks one of the parts
        else:
            rolls.append(roll.renamed(name))
    if not rolls:
        raise MidiError(f"{source.data}: no piece can be used. The first: {next(iter(refused.values()))}")
    rolls, others = _with_same_parts(rolls)
    return _with_fitting_pitches(rolls, source), {**refused, **others}


def _with_same_parts(rolls: list[PianoRoll]) -> tuple[list[PianoRoll], Mapping[str, str]]:
    """The rolls with the parts of the first, and why the others cannot be used."""
    expected = _part_kinds(rolls[0])
    refused = {
        roll.name: f"{roll.name}: it has the parts {list(roll.part_names)}, but {rolls[0].name} has "
        f"{list(rolls[0].part_names)}. Choose parts that all pieces have, such as --parts MELODY,PIANO."
        for roll in rolls
        if _part_kinds(roll) != expected
    }
    return [roll for roll in rolls if roll.name not in refused], refused


def _part_kinds(roll: PianoRoll) -> list[tuple[str, bool]]:
    return [(part.name, part.drums) for part in roll.parts] if len(roll.parts) > 1 else []


def _with_fitting_pitches(rolls: list[PianoRoll], source: Source) -> list[PianoRoll]:
    """Limits the parts to the pitches that occur, if none were given. A model cannot leave them."""
    if source.pitches is not None:
        return rolls
    sounding = np.logical_or.reduce([roll.active.any(axis=0) for roll in rolls])
    ranges: dict[str, PitchRange] = {}
    for part in rolls[0].parts:
        used = np.flatnonzero(sounding[rolls[0].columns(part.name)])
        if not len(used):
            raise MidiError(
                f"{source.data}: the part {part.name!r} has no notes in any piece. Leave it out of --parts."
            )
        ranges[part.name] = PitchRange(part.pitches.lowest + int(used[0]), part.pitches.lowest + int(used[-1]))
    return [roll.with_pitches(ranges) for roll in rolls]


def _published(source: Source) -> Split:
    """A data set as its authors split it."""
    from pianoroll_seq2seq.data.datasets.polyphonic import polyphonic

    split = polyphonic(cast(Any, _POLYPHONIC[source.data]))
    first = split.train[0]
    _check_layout(source, first.grid, first.parts)
    return split


def _check_layout(source: Source, grid: FrameGrid, parts: Sequence[Part]) -> None:
    """Refuses another grid, other parts or other pitches than those of the data."""
    grid_flag = "--frames-per-beat" if isinstance(source.grid, BeatGrid) else "--frame-seconds"
    several = isinstance(source.pitches, Mapping)
    pitches = {part.name: part.pitches for part in parts} if several else spanned_pitches(parts)
    for flag, given, own in ((grid_flag, source.grid, grid), ("--pitches", source.pitches, pitches)):
        if given is not None and given != own:
            raise SettingsError(f"{source.data} has {own} and cannot be read with {given}. Leave out {flag}.")
    names = [part.name for part in parts]
    chosen = source.reading.get("parts")
    if is_layout(chosen):
        chosen = [part.name for part in chosen]
    if chosen is not None and chosen != names and (chosen != "tracks" or len(parts) == 1):
        raise SettingsError(
            f"{source.data} has {f'the parts {names}' if len(names) > 1 else 'one part'} and cannot be read with the "
            f"parts {chosen}. Leave out --parts, or build a corpus from the MIDI files with it."
        )
    if isinstance(source.grid, BeatGrid) and source.grid.offset and getattr(grid, "offset", None) is None:
        raise SettingsError(
            f"{source.data} was read without --offset, which is for reading MIDI files. Leave it out, or build a "
            f"corpus from the files with it."
        )


def layout_of(rolls: Sequence[PianoRoll], *, onsets: bool, velocity: bool = False) -> FrameLayout:
    """The layout of frames of some pieces, which have one grid and the same parts."""
    return FrameLayout.of(rolls if isinstance(rolls, Corpus) else rolls[0], onsets=onsets, velocity=velocity)


def training_windows(
    rolls: Sequence[PianoRoll],
    options: WindowOptions,
    layout: FrameLayout,
    augmentation: Augmentation | None,
    *,
    tasks: FillTasks | None = None,
) -> SlidingWindows:
    """Overlapping windows with augmentation; ``tasks`` are for a model that fills.

    Raises:
        PieceTooShortError: no piece is as long as a window.
    """
    return _windows(rolls, options, layout, hop=options.hop, augmentation=augmentation, tasks=tasks)


def scoring_windows(
    rolls: Sequence[PianoRoll], options: WindowOptions, layout: FrameLayout, *, tasks: FillTasks | None = None
) -> SlidingWindows:
    """Windows in which each target frame occurs once.

    Raises:
        PieceTooShortError: no piece is as long as a window.
    """
    return _windows(rolls, options, layout, hop=options.target_frames, augmentation=None, tasks=tasks)


def _windows(
    rolls: Sequence[PianoRoll],
    options: WindowOptions,
    layout: FrameLayout,
    *,
    hop: int,
    augmentation: Augmentation | None,
    tasks: FillTasks | None,
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
        tasks=tasks,
    )


def scales_of(rolls: Sequence[PianoRoll]) -> list[np.ndarray]:
    """The pitch classes of each piece, as conditions of size 12."""
    return [pitch_class_vector(pitch_class_set(roll)) for roll in rolls]


def opening_of(rolls: Sequence[PianoRoll], options: WindowOptions) -> tuple[PianoRoll, np.ndarray | None]:
    """The beginning of the longest piece, as long as the model's input, and its condition."""
    longest = max(rolls, key=len)
    condition = scales_of([longest])[0] if options.condition == "scale" else None
    return longest[: options.input_frames], condition
