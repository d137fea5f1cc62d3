"""How fast MIDI files become piano rolls, and how right they are, next to what else does it.

    python benchmarks/ingest.py path/to/midi --grids 50hz,16th --rounds 5 --apart

One process on one core, by processor time. Each round takes the files by the score, and each contender in turn reads
them, so that what else the machine does meets all of them. Slow contenders read a sample, every so manieth file; what
is said of seconds, files and frames is of that sample for all of them. Ratios are taken within each round, over the
files that both read. With ``--apart``, each contender reads the files in a new process of its own as well, once in each
round: what another one has left in memory meets none.

A roll of this library fills its planes when they are first used. Rows with ``filled`` use them, as all other libraries
fill theirs; the rows without it end at the roll.

The exact reference: plain Python with fractions over mido's events, each onset and end to the
nearest line of the grid, halves up, at least one frame a note. Agreement is the intersection over union of the
cells that sound: the pitches of a piano, without drums, summed over the sample.

Prints a table for each grid and writes every figure to a JSON file. ``pypianoroll`` and ``muspy`` are optional
(the dependency group ``bench``).
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", NUMEXPR_NUM_THREADS="1")

import argparse
import gc
import json
import platform
import statistics
import sys
import warnings
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from math import floor
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from typing import Any

import mido
import numpy as np
from tqdm import tqdm

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid, SecondsGrid
from pianoroll_seq2seq.midi_io import read_midi
from pianoroll_seq2seq.pianoroll import PianoRoll

LOWEST, HIGHEST, DRUM_CHANNEL = 21, 108, 9
FILES_AT_A_TIME = 20
GRIDS: dict[str, FrameGrid] = {"50hz": SecondsGrid(0.02), "16th": SIXTEENTHS}
PACKAGES = ("pianoroll_seq2seq", "numpy", "numba", "mido", "symusic", "pretty_midi", "pypianoroll", "muspy")


@dataclass(frozen=True)
class Contender:
    """A way from a file to a roll.

    Attributes:
        name: what the table calls it.
        read: makes the roll of a file, in whatever form is its own: this is timed.
        cells: which cells of such a roll sound, as bool of shape (frames, 128), without drums: not timed.
        note: what it does otherwise than the reference.
        slow: whether it reads the sample only.
        package: what must be installed for it.
    """

    name: str
    read: Callable[[str], Any]
    cells: Callable[[Any], np.ndarray]
    note: str = ""
    slow: bool = False
    package: str = ""

    def installed(self) -> bool:
        """Whether its package can be imported."""
        try:
            import_module(self.package or "numpy")
        except ImportError:
            return False
        return True


@dataclass
class Measured:
    """What was seen of a contender.

    Attributes:
        frames: how many frames its rolls have, by file.
        seconds: how long it took, by file, in each round.
        shared: cells that sound in its rolls and in the reference.
        either: cells that sound in one or both.
        failures: what it raised, by file; such files count for nothing else.
    """

    frames: dict[str, int] = field(default_factory=dict)
    seconds: list[dict[str, float]] = field(default_factory=list)
    shared: int = 0
    either: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    def per_file(self, sample: set[str]) -> float:
        """Seconds a file of the sample: the median over the rounds."""
        return statistics.median(
            statistics.fmean(seconds for file, seconds in one.items() if file in sample) for one in self.seconds
        )

    def times_as_fast_as(self, other: "Measured") -> list[float]:
        """The other's time over this one's, round by round, over the files that both read."""
        both = self.frames.keys() & other.frames.keys()
        rounds = zip(self.seconds, other.seconds, strict=True)
        return [sum(theirs[file] for file in both) / sum(ours[file] for file in both) for ours, theirs in rounds]


# ------------------------------------------------------------------------------------------------- the reference


def notes_and_tempi(file: mido.MidiFile) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """Onset tick, end tick and pitch of all notes but drums; and (tick, microseconds per beat) from every track."""
    notes: list[tuple[int, int, int]] = []
    tempi: dict[int, int] = {0: 500_000}
    for track in file.tracks:
        tick = 0
        sounding: dict[tuple[int, int], deque[int]] = defaultdict(deque)
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                tempi[tick] = message.tempo
            elif message.type in ("note_on", "note_off") and message.channel != DRUM_CHANNEL:
                waiting = sounding[message.channel, message.note]
                if message.type == "note_on" and message.velocity:
                    waiting.append(tick)
                elif waiting:
                    notes.append((waiting.popleft(), tick, message.note))
    return notes, sorted(tempi.items())


def exact_cells(path: str, grid: str) -> np.ndarray:
    """The reference: bool of shape (frames, 128)."""
    file = mido.MidiFile(path, clip=True)
    notes, tempi = notes_and_tempi(file)
    line_at = exact_lines(file.ticks_per_beat, tempi if grid == "50hz" else None)
    spans = [(line_at(onset), line_at(end), pitch) for onset, end, pitch in notes]
    cells = np.zeros((max((max(end, onset + 1) for onset, end, _ in spans), default=0), 128), dtype=bool)
    for onset, end, pitch in spans:
        cells[onset : max(end, onset + 1), pitch] = True
    return cells


def exact_lines(ticks_per_beat: int, tempi: list[tuple[int, int]] | None) -> Callable[[int], int]:
    """Gives the line nearest to a tick, halves up: at 50 Hz, or of sixteenths where no tempi are given."""
    if tempi is None:
        return lambda tick: floor(Fraction(4 * tick, ticks_per_beat) + Fraction(1, 2))
    ticks, speeds = [tick for tick, _ in tempi], [us for _, us in tempi]
    starts = [Fraction(0)]
    for (tick, next_tick), us in zip(pairwise(ticks), speeds, strict=False):
        starts.append(starts[-1] + Fraction((next_tick - tick) * us, ticks_per_beat * 1_000_000))

    def line_at(tick: int) -> int:
        segment = bisect_right(ticks, tick) - 1
        since = Fraction((tick - ticks[segment]) * speeds[segment], ticks_per_beat * 1_000_000)
        return floor((starts[segment] + since) * 50 + Fraction(1, 2))

    return line_at


# ------------------------------------------------------------------------------------------------ the contenders


def plain_loop(path: str, grid: str) -> np.ndarray:
    """What one writes by hand with mido, right but for counting time in floats."""
    file = mido.MidiFile(path, clip=True)
    notes, tempi = notes_and_tempi(file)
    ticks = [tick for tick, _ in tempi]
    starts = [0.0]
    for (tick, us), (next_tick, _) in pairwise(tempi):
        starts.append(starts[-1] + (next_tick - tick) * us / (1e6 * file.ticks_per_beat))

    def line_at(tick: int) -> int:
        if grid == "16th":
            return int(4 * tick / file.ticks_per_beat + 0.5)
        segment = bisect_right(ticks, tick) - 1
        start, us = tempi[segment]
        return int((starts[segment] + (tick - start) * us / (1e6 * file.ticks_per_beat)) * 50 + 0.5)

    spans = [(line_at(onset), line_at(end), pitch) for onset, end, pitch in notes]
    roll = np.zeros((max((max(end, onset + 1) for onset, end, _ in spans), default=0), 128), dtype=bool)
    for onset, end, pitch in spans:
        roll[onset : max(end, onset + 1), pitch] = True
    return roll


def pretty_midi_roll(path: str, **arguments: Any) -> np.ndarray:
    """The roll of ``PrettyMIDI.get_piano_roll``, which sustains; of each instrument, for one that does not."""
    midi = import_module("pretty_midi").PrettyMIDI(path)
    if not arguments:
        return np.asarray(midi.get_piano_roll(fs=50))
    try:
        return np.asarray(midi.get_piano_roll(fs=50, **arguments))
    except TypeError:  # before 0.2.11 only the instruments' own took it
        rolls = [instrument.get_piano_roll(fs=50, **arguments) for instrument in midi.instruments]
        roll = np.zeros((128, max((one.shape[1] for one in rolls), default=0)))
        for one in rolls:
            roll[:, : one.shape[1]] += one
        return roll


def symusic_roll(path: str) -> tuple[list[bool], np.ndarray]:
    """Which tracks are drums, and planes of shape (onset and frame, tracks, 128, frames)."""
    score = import_module("symusic").Score(path).resample(4, min_dur=1)
    return [track.is_drum for track in score.tracks], score.pianoroll(modes=["onset", "frame"])


def symusic_cells(roll: tuple[list[bool], np.ndarray]) -> np.ndarray:
    """Its tracks but the drums together."""
    tones = [index for index, drums in enumerate(roll[0]) if not drums]
    return np.asarray((roll[1][1][tones] > 0).any(axis=0).T)


def bare_roll(path: str, grid: str) -> np.ndarray:
    """The least there is to do with symusic and numpy: no file doubted, no limit kept, no onsets, 88 pitches."""
    score = import_module("symusic").Score(path)
    columns = [track.notes.numpy() for track in score.tracks if not track.is_drum]
    onset, duration, pitch = (np.concatenate([one[name] for one in columns]) for name in ("time", "duration", "pitch"))
    inside = (pitch >= LOWEST) & (pitch <= HIGHEST)
    onset, duration, pitch = onset[inside].astype(np.int64), duration[inside], pitch[inside] - np.int64(LOWEST)
    ticks = np.concatenate([onset, onset + duration])
    if grid == "16th":
        units, step = 4 * ticks, score.ticks_per_quarter
    else:
        tempi = score.tempos.numpy()
        starts, speeds = tempi["time"].astype(np.int64), tempi["mspq"].astype(np.int64)
        begun = np.concatenate([[0], np.cumsum(np.diff(starts) * speeds[:-1])])
        segment = np.searchsorted(starts, ticks, side="right") - 1
        units, step = begun[segment] + (ticks - starts[segment]) * speeds[segment], score.ticks_per_quarter * 20_000
    lines = (2 * units + step) // (2 * step)
    first, last = lines[: len(onset)], np.maximum(lines[len(onset) :], lines[: len(onset)] + 1)
    lengths, width = last - first, HIGHEST - LOWEST + 1
    index = (first * width + pitch - (lengths.cumsum() - lengths) * width).repeat(lengths)
    index += np.arange(0, len(index) * width, width)
    cells = np.zeros(last.max() * width, dtype=bool)
    cells[index] = True
    return cells.reshape(-1, width)


def pypianoroll_cells(roll: Any) -> np.ndarray:
    """The same of a ``Multitrack``."""
    planes = [track.pianoroll > 0 for track in roll.tracks if not track.is_drum]
    return np.asarray(np.any(planes, axis=0)) if planes else np.zeros((0, 128), dtype=bool)


def muspy_roll(path: str) -> np.ndarray:
    """MusPy's piano roll, of the tracks that are not drums."""
    muspy = import_module("muspy")
    music = muspy.read_midi(path).adjust_resolution(4)
    music.tracks = [track for track in music.tracks if not track.is_drum]
    return np.asarray(muspy.to_pianoroll_representation(music))


def piano_cells(cells: np.ndarray) -> np.ndarray:
    """With the pitches that a piano lacks."""
    return np.pad(cells, ((0, 0), (LOWEST, 127 - HIGHEST)))


def our_cells(roll: PianoRoll) -> np.ndarray:
    """The same of a roll."""
    return piano_cells(roll.active)


WAYS = {
    "from_midi": (False, False, "the roll; its planes are filled when they are first used"),
    "filled": (False, True, "active and onset planes"),
    "with velocities, filled": (True, True, "active, onset and velocity planes"),
}
"""Ways to read a roll: whether with velocities, whether its planes are used, and what it gives."""
READERS = {False: ("numpy", "as the first files of a process are read"), True: ("numba", "as later files are read")}


def ours(grid: str) -> list[Contender]:
    """This library, in each of its ways."""
    frames, pitches = GRIDS[grid], "88 pitches, others dropped"

    def read_roll(path: str, *, compiled: bool, velocity: bool, filled: bool) -> PianoRoll:
        with loops.forced(active=compiled):
            roll = PianoRoll.from_midi(path, grid=frames, outside="drop", velocity=velocity)
            if filled:
                _ = roll.active
            return roll

    def read_score(path: str) -> PianoRoll:
        with loops.forced(active=False):
            roll = PianoRoll.from_score(read_midi(path), grid=frames, outside="drop", velocity=False)
            _ = roll.active
            return roll

    ways = [
        Contender(
            f"ours: {way}, {reader}",
            partial(read_roll, compiled=compiled, velocity=velocity, filled=filled),
            our_cells,
            f"{gives}; {pitches}; {when}",
            package="numba" if compiled else "",
        )
        for way, (velocity, filled, gives) in WAYS.items()
        for compiled, (reader, when) in READERS.items()
    ]
    score = "active and onset planes, the score on the way"
    return [*ways, Contender("ours: read_midi, from_score, filled", read_score, our_cells, f"{score}; {pitches}")]


def transposed(roll: np.ndarray) -> np.ndarray:
    """Of pitches by frames, what sounds as frames by pitches."""
    return roll.T > 0


def contenders(grid: str) -> list[Contender]:
    """All for a grid; the first is what the others are compared with."""
    by_hand = Contender("mido, by hand", lambda path: plain_loop(path, grid), np.asarray, "floats", slow=True)
    bare = Contender(
        "symusic and numpy, bare",
        lambda path: bare_roll(path, grid),
        piano_cells,
        "one plane, nothing checked: a file may crash it, fill the memory or be misread",
        package="symusic",
    )
    if grid == "50hz":
        return [
            Contender(
                "pretty_midi",
                pretty_midi_roll,
                transposed,
                "sustains where the pedal is down; truncates onsets and ends, short notes can vanish",
                slow=True,
            ),
            Contender(
                "pretty_midi, no pedal",
                lambda path: pretty_midi_roll(path, pedal_threshold=None),
                transposed,
                "truncates onsets and ends, short notes can vanish",
                slow=True,
            ),
            by_hand,
            bare,
            *ours(grid),
        ]
    return [
        Contender(
            "symusic, pianoroll",
            symusic_roll,
            symusic_cells,
            "a plane per track; rounds onset and length apart, so that ends move",
            package="symusic",
        ),
        Contender(
            "pypianoroll",
            lambda path: import_module("pypianoroll").read(path, resolution=4),
            pypianoroll_cells,
            "truncates ends; cuts notes before a repetition; begins at the first time signature",
            slow=True,
            package="pypianoroll",
        ),
        Contender(
            "MusPy",
            muspy_roll,
            lambda roll: roll > 0,
            "halves to even; notes rounded to no length vanish",
            slow=True,
            package="muspy",
        ),
        by_hand,
        bare,
        *ours(grid),
    ]


# ------------------------------------------------------------------------------------------------------ measuring


def look_at(contender: Contender, measured: Measured, path: str, reference: np.ndarray | None) -> None:
    """One reading that is not timed: does it fail, and what does it give?"""
    try:
        cells = contender.cells(contender.read(path))
    except Exception as error:  # noqa: BLE001, RUF100 (whatever it raises is a failure to be shown)
        measured.failures[path] = f"{type(error).__name__}: {error}"
        return
    measured.frames[path] = len(cells)
    if reference is not None:
        both = np.zeros((2, max(len(cells), len(reference)), 128), dtype=bool)
        both[0, : len(cells)], both[1, : len(reference)] = cells, reference
        kept = both[:, :, LOWEST : HIGHEST + 1]
        measured.shared += int(kept.all(axis=0).sum())
        measured.either += int(kept.any(axis=0).sum())


def references(paths: list[str], grid: str) -> dict[str, np.ndarray]:
    """What is right of each file; files that mido refuses are left out."""
    found = {}
    for path in tqdm(paths, desc=f"{grid}: exact reference", leave=False):
        try:
            found[path] = exact_cells(path, grid)
        except Exception as error:  # noqa: BLE001, RUF100 (damaged files raise what they please)
            tqdm.write(f"{path}: no reference ({error})", file=sys.stderr)
    return found


def time_round(chosen: list[Contender], results: dict[str, Measured], paths: list[str]) -> None:
    """Times every contender over the files, a few files at a time, the first of them once more beforehand.

    That reading is not timed: it would pay for what the contender before has left in the caches.
    """
    for contender in chosen:
        results[contender.name].seconds.append({})
    for start in range(0, len(paths), FILES_AT_A_TIME):
        for contender in chosen:
            measured = results[contender.name]
            some = [path for path in paths[start : start + FILES_AT_A_TIME] if path in measured.frames]
            gc.collect()
            for path in [*some[:1], *some]:
                began = process_time()
                contender.read(path)  # what it gives is freed before the clock stops
                measured.seconds[-1][path] = process_time() - began


def measure(
    chosen: list[Contender], grid: str, paths: list[str], sample: list[str], rounds: int
) -> dict[str, Measured]:
    """Looks at every roll, then times them round by round."""
    right = references(sample, grid)
    results = {contender.name: Measured() for contender in chosen}
    for contender in chosen:
        for path in tqdm(sample if contender.slow else paths, desc=f"{grid}: {contender.name}", leave=False):
            look_at(contender, results[contender.name], path, right.get(path))
    del right
    for turn in tqdm(range(rounds), desc=f"{grid}: rounds", leave=False):
        first = turn % len(chosen)
        time_round(chosen[first:] + chosen[:first], results, paths)
    return results


def measure_apart(grid: str, results: dict[str, Measured], paths: list[str], rounds: int) -> dict[str, Measured]:
    """Times each contender in new processes: one for each round, in turns."""
    apart = {name: Measured(frames=measured.frames) for name, measured in results.items()}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        turns = [(turn, name) for turn in range(rounds) for name in apart]
        for _, name in tqdm(turns, desc=f"{grid}: apart", leave=False):
            files = [path for path in paths if path in apart[name].frames]
            apart[name].seconds.append(pool.submit(time_alone, grid, name, files).result())
    return apart


def time_alone(grid: str, name: str, paths: list[str]) -> dict[str, float]:
    """Seconds of a contender by file, in this process; unless it is slow, it has read all of them once before."""
    warnings.simplefilter("ignore")
    pin_to_one_core()
    contender = next(one for one in contenders(grid) if one.name == name)
    results = {name: Measured(frames=dict.fromkeys(paths, 0))}
    for _ in range(1 if contender.slow else 2):
        time_round([contender], results, paths)
    return results[name].seconds[-1]


# ------------------------------------------------------------------------------------------------------ reporting


def ratios_of(results: dict[str, Measured], name: str, base: str) -> dict[str, float]:
    """How many times as fast as the base a contender is; nothing if they read no file both."""
    if name not in results or base not in results or not results[base].frames.keys() & results[name].frames.keys():
        return {}
    ratios = results[name].times_as_fast_as(results[base])
    return {"median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}


def figures(
    contender: Contender, results: dict[str, Measured], apart: dict[str, Measured], base: str, sample: list[str]
) -> dict[str, Any]:
    """What JSON and table say of a contender."""
    if contender.name not in results:
        return {"name": contender.name, "installed": False, "note": contender.note}
    measured = results[contender.name]
    said: dict[str, Any] = {"name": contender.name, "installed": True, "note": contender.note}
    said["agreement"] = measured.shared / measured.either if measured.either else None
    said["failures"] = measured.failures
    read = set(sample) & measured.frames.keys()
    if read:
        seconds = measured.per_file(read)
        frames = sum(measured.frames[path] for path in read) / len(read)
        said |= {"seconds_per_file": seconds, "files_per_second": 1 / seconds, "frames_per_second": frames / seconds}
        said["files_timed"] = len(measured.frames)
        said["seconds_by_round"] = [sum(one.values()) for one in measured.seconds]
    for key, timed in (("times_as_fast", results), ("times_as_fast_apart", apart)):
        said |= {key: ratios} if (ratios := ratios_of(timed, contender.name, base)) else {}
    return said


def lines_of(said: dict[str, Any]) -> Iterator[str]:
    """The cells of a contender's row."""
    yield said["name"]
    if not said["installed"]:
        yield from ("not installed", "", "", "", "", "", "", "", said["note"])
        return
    yield f"{said['files_per_second']:,.1f}" if "files_per_second" in said else "-"
    yield f"{said['frames_per_second']:,.0f}" if "frames_per_second" in said else "-"
    for key in ("times_as_fast", "times_as_fast_apart"):
        ratio = said.get(key)
        yield f"{ratio['median']:.3g}" if ratio else "-"
        yield f"{ratio['lowest']:.3g}..{ratio['highest']:.3g}" if ratio else "-"
    yield "-" if said["agreement"] is None else f"{said['agreement']:.6f}"
    yield str(len(said["failures"]))
    yield said["note"]


def table(rows: list[dict[str, Any]], base: str) -> str:
    """Aligned plain text: words to the left, numbers to the right."""
    ratio = f"x {base.partition(',')[0]}"
    spread = "lowest..highest"
    heads = ("contender", "files/s", "frames/s", ratio, spread, "apart", spread, "agreement", "failed", "what differs")
    cells = [heads, *(tuple(lines_of(row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        middle = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *middle, row[-1]]).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Where this was measured."""
    packages = {}
    for package in PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            packages[package] = "not installed"
    cpuinfo = Path("/proc/cpuinfo")
    models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line] if cpuinfo.exists() else []
    return {
        "platform": platform.platform(),
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "packages": packages,
    }


def pin_to_one_core() -> int | None:
    """Keeps this process on one of the cores that it may use; None if the system cannot do so."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the MIDI files lie, also in folders below")
    parser.add_argument("--grids", default=",".join(GRIDS), help="of %(default)s")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-files", type=int, default=40, help="how many files the slow contenders read")
    parser.add_argument("--only", help="contenders whose names hold one of these words, as ours,mido")
    parser.add_argument("--apart", action="store_true", help="time each contender in processes of its own as well")
    parser.add_argument("--output", type=Path, default=Path("ingest.json"))
    given = parser.parse_args(arguments)
    given.grids = given.grids.split(",")
    if set(given.grids) - GRIDS.keys():
        parser.error(f"--grids takes some of {','.join(GRIDS)}")
    if given.rounds < 1 or given.slow_files < 1:
        parser.error("--rounds and --slow-files must be at least 1")
    given.paths = sorted(str(path) for path in given.folder.rglob("*") if path.suffix.lower() in {".mid", ".midi"})
    if not given.paths:
        parser.error(f"no .mid or .midi files in {given.folder}")
    return given


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    given = parsed(arguments)
    warnings.simplefilter("ignore")  # what other packages complain of is not measured
    core = pin_to_one_core()
    sample = given.paths[:: -(-len(given.paths) // given.slow_files)]
    report: dict[str, Any] = {"machine": machine() | {"core": core}, "rounds": given.rounds}
    report |= {"files": len(given.paths), "sample": len(sample), "grids": {}}
    for grid in given.grids:
        listed = [
            one for one in contenders(grid) if not given.only or any(w in one.name for w in given.only.split(","))
        ]
        results = measure([one for one in listed if one.installed()], grid, given.paths, sample, given.rounds)
        apart = measure_apart(grid, results, given.paths, given.rounds) if given.apart else {}
        base = contenders(grid)[0].name
        rows = [figures(contender, results, apart, base, sample) for contender in listed]
        report["grids"][grid] = {"compared_with": base, "contenders": rows}
        print(f"\n{grid}: {len(sample)} of {len(given.paths)} files, {given.rounds} rounds, one core\n")
        print(table(rows, base), flush=True)
    with writing(given.output, overwrite=True) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
