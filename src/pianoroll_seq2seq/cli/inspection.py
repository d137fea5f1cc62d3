"""The contents of MIDI files, and options that fit them."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np

from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.cli.grid_fits import FEW_NOTES, FRAMES_PER_BEAT, GridFit, best_fit, fit_grids
from pianoroll_seq2seq.cli.left_out import left_out_lines
from pianoroll_seq2seq.cli.midi_facts import FileFacts, Inspected, inspect_file
from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.midi_io import music_paths
from pianoroll_seq2seq.pitches import ALL_PITCHES

_DEFAULT_FRAMES = 32
"""Frames of the windows that train cuts, if --input-frames and --target-frames are not given."""
_TWO_BARS = 8  # beats
_FOUR_SECONDS = 200  # frames of 20 ms
_MAX_LINES = 20
_MAX_PARTS = 100
_LONGEST_NAME = 80  # characters of the name of a part


@dataclass(frozen=True)
class Suggestion:
    """Options that fit the music."""

    frames_per_beat: int | None
    """The coarsest grid on which nearly all notes begin; None if there is none, as in a recorded performance."""
    offset: Literal["auto"] | None
    """Whether nearly all notes are on that grid only if the offset of each file is removed."""
    on_grid: float
    """Share of the notes that begin within a fiftieth of a beat of that grid, or of the finest one."""
    pitches: tuple[int, int] | None
    """Lowest and highest MIDI pitch without drums; None without notes."""

    def options(self) -> str:
        """As options of the commands."""
        offset = f" --offset {self.offset}" if self.offset else ""
        grid = f"--frames-per-beat {self.frames_per_beat}{offset}" if self.frames_per_beat else "--frame-seconds 0.02"
        return grid if self.pitches is None else f"{grid} --pitches {self.pitches[0]} {self.pitches[1]}"

    def command(self, folder: str) -> str:
        """The command that trains on a folder with these options, in windows of two bars or more."""
        frames = _TWO_BARS * self.frames_per_beat if self.frames_per_beat else _FOUR_SECONDS
        windows = f" --input-frames {frames} --target-frames {frames}" if frames > _DEFAULT_FRAMES else ""
        return f"pianoroll-seq2seq train --data {shlex.quote(folder)} {self.options()}{windows}"


@dataclass(frozen=True)
class Inspection:
    """The contents of a file or folder."""

    path: str
    files: tuple[FileFacts, ...]
    unreadable: Mapping[str, str]
    """Why files cannot be read, by their paths."""
    pitches: Mapping[int, int]
    """Number of notes of each MIDI pitch that occurs."""
    grids: tuple[GridFit, ...]
    """How far each grid moves the notes, without drums."""
    suggestion: Suggestion

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        """One file in full, or a summary of many."""
        lines = _file_lines(self.files[0]) if len(self.files) == 1 and not self.unreadable else self._summary()
        problems = [
            f"  {printable(file.path)}: {printable(problem)}" for file in self.files for problem in file.problems
        ]
        lines += left_out_lines(self.unreadable, len(self.files))
        lines += ["problems:"] if problems else [] if self.unreadable else ["no problems found"]
        lines += problems[:_MAX_LINES]
        if len(problems) > _MAX_LINES:
            lines.append(f"  and {len(problems) - _MAX_LINES} more; --json shows all")
        if self.pitches:
            lines += ["pitches:", *_histogram(self.pitches)]
        if self.pitches:
            lines += _grid_lines(self.grids)
        share = f"{self.suggestion.on_grid:.0%} of the notes begin on "
        share += "this grid" if self.suggestion.frames_per_beat else "the finest grid in beats, so none fits"
        lines.append(f"suggested: {self.suggestion.options()} ({share})")
        if self.pitches and Path(self.path).is_dir():
            lines.append(f"to train: {printable(self.suggestion.command(self.path))}")
        return "\n".join(lines)

    def _summary(self) -> list[str]:
        seconds = [file.seconds for file in self.files]
        notes = sum(file.notes for file in self.files)
        lines = [f"{printable(self.path)}: {len(self.files)} files, {notes} notes, {sum(seconds) / 60:.1f} minutes"]
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
            *_rhythm_lines(self.files),
        ]


def inspect_folder(folder: Path) -> Inspection:
    """Reads all MIDI and MusicXML files below a folder.

    Raises:
        MidiNotFoundError: no such file in the folder.
    """
    found, unreadable = [], {}
    for file in tqdm(music_paths(folder), "read", unit="file"):
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
    pitches = {pitch: int(counts[pitch]) for pitch in np.flatnonzero(counts).tolist()}
    ends = (min(pitches), max(pitches)) if pitches else None
    grids = fit_grids([one.onsets for one in found])
    best = best_fit(grids)
    if best is None:
        finest = max(grids, key=lambda fit: (fit.frames_per_beat, fit.offset is None))
        suggestion = Suggestion(None, None, finest.on_grid, ends)
    else:
        suggestion = Suggestion(best.frames_per_beat, best.offset, best.on_grid, ends)
    return Inspection(str(path), tuple(one.facts for one in found), unreadable, pitches, grids, suggestion)


def _grid_lines(grids: Sequence[GridFit]) -> list[str]:
    """A row for each grid: as the file counts beats, and with the offset of each file removed."""
    by_grid = {(fit.frames_per_beat, fit.offset): fit for fit in grids}
    lines = [
        "grids: share of the notes that begin within a fiftieth of a beat of a line, and how far the grid moves notes",
        f"  {'--frames-per-beat':17}   {'share':>5} {'median':>9} {'95 %':>9}   {'share':>5} {'median':>9} {'95 %':>9}",
    ]
    for frames_per_beat in FRAMES_PER_BEAT:
        row = f"  {frames_per_beat:>17}"
        for fit in (by_grid[frames_per_beat, None], by_grid[frames_per_beat, "auto"]):
            row += f"   {fit.on_grid:5.0%} {fit.median_ms:6.0f} ms {fit.most_ms:6.0f} ms"
        lines.append(row)
    lines.insert(1, f"  {'':17}   {'as they are':25}   with --offset auto")
    return lines


def _rhythm_lines(files: Sequence[FileFacts]) -> list[str]:
    """How many files have an offset, swing and triplets, or no beat at all."""
    rhythms = [file.rhythm for file in files if sum(part.notes for part in file.parts if not part.drums) >= FEW_NOTES]
    free = sum(rhythm.offset_ticks is None for rhythm in rhythms)
    found = {
        "an offset": sum(bool(rhythm.offset_ticks) for rhythm in rhythms),
        "swing": sum(bool(rhythm.swing or rhythm.swing_sixteenths) for rhythm in rhythms),
        "triplets": sum(rhythm.triplets > 0 for rhythm in rhythms),
    }
    listed = ", ".join(f"{what} in {count} files" for what, count in found.items() if count)
    beats = f"{free} files keep to no grid in beats" if free else ""
    return [f"rhythm: {'; '.join(filter(None, (listed, beats)))}"] if listed or beats else []


def _rhythm_of_file(file: FileFacts) -> list[str]:
    rhythm, found = file.rhythm, []
    if rhythm.offset_ticks:
        found.append(f"the music is {rhythm.offset_ticks} ticks off the file's sixteenths (--offset auto removes this)")
    for name, place in (("eighths", rhythm.swing), ("sixteenths", rhythm.swing_sixteenths)):
        if place:
            found.append(f"swing: the second of two {name} begins at {place:.2f} of both")
    if rhythm.triplets:
        found.append(f"triplets: {rhythm.triplets:.0%} of the notes are at thirds of a beat")
    return [f"rhythm: {'; '.join(found)}"] if found else []


def _file_lines(file: FileFacts) -> list[str]:
    tempi = ", ".join(f"{bpm:g} from {seconds:g} s" for seconds, bpm in file.tempi[:8])
    more = f" and {len(file.tempi) - 8} more" if len(file.tempi) > 8 else ""
    lines = [
        f"{printable(file.path)}: {file.notes} notes, {file.seconds:.1f} s, {file.beats:g} beats of "
        f"{file.ticks_per_beat} ticks",
        f"tempo (BPM): {tempi}{more}",
        *_rhythm_of_file(file),
        "parts:",
        f"  {'track':>5} {'channel':>7} {'program':>7} {'notes':>7}  {'pitches':11} name",
    ]
    for part in file.parts[:_MAX_PARTS]:
        pitches = ""
        if part.lowest is not None and part.highest is not None:
            pitches = f"{ALL_PITCHES.name_of(part.lowest)}..{ALL_PITCHES.name_of(part.highest)}"
        program = "drums" if part.drums else str(part.program)
        track, channel = ("?" if place is None else str(place) for place in (part.track, part.channel))
        name = printable(part.name, longest=_LONGEST_NAME)
        lines.append(f"  {track:>5} {channel:>7} {program:>7} {part.notes:>7}  {pitches:11} {name}")
    if len(file.parts) > _MAX_PARTS:
        lines.append(f"  and {len(file.parts) - _MAX_PARTS} more; --json shows all")
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
