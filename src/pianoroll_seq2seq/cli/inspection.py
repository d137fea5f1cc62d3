"""The contents of MIDI files, and options that fit them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.cli.left_out import left_out_lines
from pianoroll_seq2seq.cli.midi_facts import FileFacts, Inspected, inspect_file
from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.midi_io import midi_paths
from pianoroll_seq2seq.pitches import ALL_PITCHES

_CANDIDATES = (1, 2, 3, 4, 6, 8, 12, 16, 24)
"""Frames per beat that may be suggested."""
_TOLERANCE_BEATS = 0.02
_REQUIRED_SHARE = 0.95
_MAX_LINES = 20
_LONGEST_NAME = 80  # characters of the name of a part


@dataclass(frozen=True)
class Suggestion:
    """Options that fit the music."""

    frames_per_beat: int | None
    """The coarsest grid on which nearly all notes begin; None if there is none, as in a recorded performance."""
    on_grid: float
    """Share of the notes that begin within a fiftieth of a beat of that grid, or of the finest one."""
    pitches: tuple[int, int] | None
    """Lowest and highest MIDI pitch without drums; None without notes."""

    def options(self) -> str:
        """As options of the commands."""
        grid = f"--frames-per-beat {self.frames_per_beat}" if self.frames_per_beat else "--frame-seconds 0.02"
        return grid if self.pitches is None else f"{grid} --pitches {self.pitches[0]} {self.pitches[1]}"


@dataclass(frozen=True)
class Inspection:
    """The contents of a file or folder."""

    path: str
    files: tuple[FileFacts, ...]
    unreadable: Mapping[str, str]
    """Why files cannot be read, by their paths."""
    pitches: Mapping[int, int]
    """Number of notes of each MIDI pitch that occurs."""
    suggestion: Suggestion

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        """One file in full, or a summary of many."""
        lines = _file_lines(self.files[0]) if len(self.files) == 1 and not self.unreadable else self._summary()
        problems = [f"  {file.path}: {problem}" for file in self.files for problem in file.problems]
        lines += left_out_lines(self.unreadable, len(self.files))
        lines += ["problems:"] if problems else [] if self.unreadable else ["no problems found"]
        lines += problems[:_MAX_LINES]
        if len(problems) > _MAX_LINES:
            lines.append(f"  and {len(problems) - _MAX_LINES} more; --json shows all")
        if self.pitches:
            lines += ["pitches:", *_histogram(self.pitches)]
        share = f"{self.suggestion.on_grid:.0%} of the notes begin on "
        share += "this grid" if self.suggestion.frames_per_beat else "the finest grid in beats, so none fits"
        return "\n".join([*lines, f"suggested: {self.suggestion.options()} ({share})"])

    def _summary(self) -> list[str]:
        seconds = [file.seconds for file in self.files]
        notes = sum(file.notes for file in self.files)
        lines = [f"{self.path}: {len(self.files)} files, {notes} notes, {sum(seconds) / 60:.1f} minutes"]
        if not self.files:
            return lines
        tempi = [bpm for file in self.files for _, bpm in file.tempi]
        parts = [len(file.parts) for file in self.files]
        changing = sum(len(file.tempi) > 1 for file in self.files)
        return [
            *lines,
            f"length: {min(seconds):.1f} to {max(seconds):.1f} s, median {median(seconds):.1f} s",
            f"tempo: {min(tempi):g} to {max(tempi):g} BPM; it changes in {changing} files",
            f"parts: {min(parts)} to {max(parts)} per file; drums in "
            f"{sum(any(part.drums for part in file.parts) for file in self.files)} files",
        ]


def inspect_folder(folder: Path) -> Inspection:
    """Reads all MIDI files below a folder.

    Raises:
        MidiNotFoundError: no MIDI file in the folder.
    """
    found, unreadable = [], {}
    for file in tqdm(midi_paths(folder), "read", unit="file"):
        label = str(file.relative_to(folder))
        try:
            found.append(inspect_file(file, label))
        except MidiError as error:
            unreadable[label] = str(error)
    return _sum_up(folder, found, unreadable)


def inspect_one(path: Path) -> Inspection:
    """Reads one MIDI file.

    Raises:
        MidiError: the file cannot be read.
    """
    return _sum_up(path, [inspect_file(path, str(path), with_ends=True)], {})


def _sum_up(path: Path, found: Sequence[Inspected], unreadable: Mapping[str, str]) -> Inspection:
    counts = np.array([one.pitches for one in found], dtype=np.int64).reshape(-1, 128).sum(axis=0)
    onsets = np.concatenate([np.zeros(0), *(one.onsets for one in found)])
    pitches = {pitch: int(counts[pitch]) for pitch in np.flatnonzero(counts).tolist()}
    fit, share = _grid(onsets)
    ends = (min(pitches), max(pitches)) if pitches else None
    return Inspection(str(path), tuple(one.facts for one in found), unreadable, pitches, Suggestion(fit, share, ends))


def _grid(onsets: np.ndarray) -> tuple[int | None, float]:
    """The coarsest grid that fits, and the share of the notes that begin on it."""
    share = 0.0
    for lines in _CANDIDATES:
        away = np.abs(onsets * lines - np.round(onsets * lines)) / lines
        by_chance = min(1.0, 2 * _TOLERANCE_BEATS * lines)
        share = float((away <= _TOLERANCE_BEATS).mean()) if len(away) else 0.0
        if share >= _REQUIRED_SHARE and by_chance < _REQUIRED_SHARE:
            return lines, share
    return None, share


def _file_lines(file: FileFacts) -> list[str]:
    tempi = ", ".join(f"{bpm:g} from {seconds:g} s" for seconds, bpm in file.tempi[:8])
    more = f" and {len(file.tempi) - 8} more" if len(file.tempi) > 8 else ""
    lines = [
        f"{file.path}: {file.notes} notes, {file.seconds:.1f} s, {file.beats:g} beats of {file.ticks_per_beat} ticks",
        f"tempo (BPM): {tempi}{more}",
        "parts:",
        f"  {'track':>5} {'channel':>7} {'program':>7} {'notes':>7}  {'pitches':11} name",
    ]
    for part in file.parts:
        pitches = ""
        if part.lowest is not None and part.highest is not None:
            pitches = f"{ALL_PITCHES.name_of(part.lowest)}..{ALL_PITCHES.name_of(part.highest)}"
        program = "drums" if part.drums else str(part.program)
        track, channel = ("?" if place is None else str(place) for place in (part.track, part.channel))
        name = printable(part.name, longest=_LONGEST_NAME)
        lines.append(f"  {track:>5} {channel:>7} {program:>7} {part.notes:>7}  {pitches:11} {name}")
    return lines


def _histogram(pitches: Mapping[int, int], width: int = 40) -> list[str]:
    """A bar for each octave, and one for each pitch class."""
    octaves: dict[str, int] = {}
    classes = {ALL_PITCHES.name_of(pitch)[:-1]: 0 for pitch in range(60, 72)}
    for pitch, count in pitches.items():
        name = ALL_PITCHES.name_of(pitch)
        octave = f"C{pitch // 12 - 1} to B{pitch // 12 - 1}"
        octaves[octave] = octaves.get(octave, 0) + count
        classes[name.rstrip("-0123456789")] += count
    lines = []
    for group in (octaves, classes):
        most = max(group.values())
        lines += [f"  {name:10} {'#' * -(-width * count // most):{width}} {count}" for name, count in group.items()]
    return lines
