"""``inspect``: what is in a MIDI file or folder."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.facts import FileFacts, Inspected, inspect_file
from pianoroll_seq2seq.cli.ingest import reason_of
from pianoroll_seq2seq.errors import MidiError, MidiNotFoundError
from pianoroll_seq2seq.midi_io import midi_paths
from pianoroll_seq2seq.pitches import PitchRange

_FINENESS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
_NEAR_BEATS = 0.02
_ENOUGH = 0.95
_SHOWN = 20
_NAMES = PitchRange(0, 127)


@dataclass(frozen=True)
class Suggestion:
    """Settings that fit the music.

    Args:
        frames_per_beat: the coarsest grid on whose lines nearly all notes begin; None where they keep to none, as in
            music that was played in.
        on_grid: share of the notes that begin within a fiftieth of a beat of a line of that grid, or of the finest.
        pitches: the lowest and the highest MIDI pitch, drums left out; None without notes.
    """

    frames_per_beat: int | None
    on_grid: float
    pitches: tuple[int, int] | None

    def options(self) -> str:
        """As options of the commands."""
        grid = "--grid.frame_seconds 0.02" if self.frames_per_beat is None else ""
        grid = grid or f"--grid.frames_per_beat {self.frames_per_beat}"
        if self.pitches is None:
            return grid
        return f"{grid} --pitches.lowest {self.pitches[0]} --pitches.highest {self.pitches[1]}"


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Args:
        path: the file or folder.
        files: the facts of each file that can be read.
        unreadable: why others cannot, by their paths.
        pitches: how many notes each MIDI pitch has, by its number; pitches without notes are left out.
        suggestion: settings that fit.
    """

    path: str
    files: tuple[FileFacts, ...]
    unreadable: Mapping[str, str]
    pitches: Mapping[int, int]
    suggestion: Suggestion

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

    def __str__(self) -> str:
        """The facts of one file in full, those of many summed up."""
        lines = _one(self.files[0]) if len(self.files) == 1 and not self.unreadable else self._many()
        problems = [f"  {file.path}: {problem}" for file in self.files for problem in file.problems]
        problems += [f"  {reason_of(path, reason)}" for path, reason in self.unreadable.items()]
        lines += ["problems:" if problems else "no problems found", *problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            lines.append(f"  and {len(problems) - _SHOWN} more; all of them: --json")
        if self.pitches:
            lines += ["pitches:", *_histogram(self.pitches)]
        shares = f"({self.suggestion.on_grid:.0%} of the notes begin on its lines)"
        if self.suggestion.frames_per_beat is None:
            shares = (
                f"(no grid in beats fits: {self.suggestion.on_grid:.0%} of the notes begin on the lines of the finest)"
            )
        return "\n".join([*lines, f"suggested: {self.suggestion.options()} {shares}"])

    def _many(self) -> list[str]:
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
            f"length: {min(seconds):.1f} to {max(seconds):.1f} s, median {np.median(seconds):.1f} s",
            f"tempo: {min(tempi):g} to {max(tempi):g} beats a minute; it changes in {changing} files",
            f"parts: {min(parts)} to {max(parts)} a file; drums in "
            f"{sum(any(part.drums for part in file.parts) for file in self.files)} files",
        ]


def inspect(path: Path) -> Inspection:
    """Says what is in a MIDI file, or in all those below a folder.

    Length, tempi, parts, pitches; what may cause trouble, such as damage, strays or files of nothing but drums; and
    which grid and pitch range fit the music.

    Args:
        path: a MIDI file, or a folder of them.

    Raises:
        MidiNotFoundError: no such file or folder, or a folder without MIDI files.
        MidiError: a single file that cannot be read.
    """
    if not path.exists():
        raise MidiNotFoundError(f"{path}: no such file or folder. Check the path.")
    if not path.is_dir():
        return _summed(path, [inspect_file(path, str(path))], {})
    found, unreadable = [], {}
    for file in tqdm(midi_paths(path), "read", unit="file"):
        label = str(file.relative_to(path))
        try:
            found.append(inspect_file(file, label))
        except MidiError as error:
            unreadable[label] = str(error)
    return _summed(path, found, unreadable)


def _summed(path: Path, found: Sequence[Inspected], unreadable: Mapping[str, str]) -> Inspection:
    counts = np.array([one.pitches for one in found], dtype=np.int64).reshape(-1, 128).sum(axis=0)
    onsets = np.concatenate([np.zeros(0), *(one.onsets for one in found)])
    pitches = {pitch: int(counts[pitch]) for pitch in np.flatnonzero(counts).tolist()}
    fit, share = _grid(onsets)
    ends = (min(pitches), max(pitches)) if pitches else None
    return Inspection(str(path), tuple(one.facts for one in found), unreadable, pitches, Suggestion(fit, share, ends))


def _grid(onsets: np.ndarray) -> tuple[int | None, float]:
    """The coarsest grid that fits, and the share of the notes that do."""
    share = 0.0
    for lines in _FINENESS:
        away = np.abs(onsets * lines - np.round(onsets * lines)) / lines
        by_chance = min(1.0, 2 * _NEAR_BEATS * lines)
        share = float((away <= _NEAR_BEATS).mean()) if len(away) else 0.0
        if share >= _ENOUGH and by_chance < _ENOUGH:
            return lines, share
    return None, share


def _one(file: FileFacts) -> list[str]:
    tempi = ", ".join(f"{bpm:g} from {seconds:g} s" for seconds, bpm in file.tempi[:8])
    more = f" and {len(file.tempi) - 8} more" if len(file.tempi) > 8 else ""
    lines = [
        f"{file.path}: {file.notes} notes, {file.seconds:.1f} s, {file.beats:g} beats of {file.ticks_per_beat} ticks",
        f"tempo (beats a minute): {tempi}{more}",
        "parts:",
        f"  {'track':>5} {'channel':>7} {'program':>7} {'notes':>7}  {'pitches':11} name",
    ]
    for part in file.parts:
        pitches = "" if part.lowest is None else f"{_NAMES.name_of(part.lowest)}..{_NAMES.name_of(part.highest or 0)}"
        program = "drums" if part.drums else str(part.program)
        track, channel = ("?" if place is None else str(place) for place in (part.track, part.channel))
        lines.append(f"  {track:>5} {channel:>7} {program:>7} {part.notes:>7}  {pitches:11} {part.name}")
    return lines


def _histogram(pitches: Mapping[int, int], width: int = 40) -> list[str]:
    """A bar for each octave, and one for each pitch class."""
    octaves: dict[str, int] = {}
    classes = {_NAMES.name_of(pitch)[:-1]: 0 for pitch in range(60, 72)}
    for pitch, count in pitches.items():
        name = _NAMES.name_of(pitch)
        octave = f"C{pitch // 12 - 1} to B{pitch // 12 - 1}"
        octaves[octave] = octaves.get(octave, 0) + count
        classes[name.rstrip("-0123456789")] += count
    lines = []
    for group in (octaves, classes):
        most = max(group.values())
        lines += [f"  {name:10} {'#' * -(-width * count // most):{width}} {count}" for name, count in group.items()]
    return lines


COMMAND = Command(
    inspect,
    examples="""
    pianoroll-seq2seq inspect song.mid
    pianoroll-seq2seq inspect my_midi
    pianoroll-seq2seq inspect my_midi --json > facts.json
    """,
)
