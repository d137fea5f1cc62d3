"""The ``.npz`` files of pypianoroll, read and written without it."""

import io
import json
import lzma
import math
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.damage import DAMAGED_ARRAY
from pianoroll_seq2seq._internal.documents import parse_json
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.errors import (
    GridError,
    LimitError,
    MidiError,
    MidiNotFoundError,
    PitchRangeError,
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.interop.numpy import warn_of_repeated_notes
from pianoroll_seq2seq.part_selection import distinct_names
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pianoroll.conversions import held_velocities
from pianoroll_seq2seq.pianoroll.joining import planes_of
from pianoroll_seq2seq.pitches import ALL_PITCHES, PitchRange
from pianoroll_seq2seq.tempo import DEFAULT_TICKS_PER_BEAT, MAX_TICKS_PER_BEAT, TempoMap


class Track(NamedTuple):
    """One track of a file: its part and its roll."""

    part: Part
    roll: PianoRoll


class Multitrack(NamedTuple):
    """The content of a pypianoroll file: its tracks, the first frame of each bar (if the file has them), its name."""

    tracks: tuple[Track, ...]
    downbeats: tuple[int, ...] = ()
    name: str = ""

    def stack(self) -> PianoRoll:
        """The tracks as one roll, with a part for each track; names that occur again get a number.

        Raises:
            ShapeError: no tracks, or tracks of different lengths.
        """
        names = distinct_names([part.name or f"track {index}" for index, (part, _) in enumerate(self.tracks)])
        rolls = [
            replace(roll, name=self.name, parts=(replace(part, name=name, pitches=roll.pitches),))
            for name, (part, roll) in zip(names, self.tracks, strict=True)
        ]
        return PianoRoll.stack(rolls)


def read_pypianoroll(
    path: str | os.PathLike[str],
    *,
    pitches: PitchRange = ALL_PITCHES,
    outside: Literal["error", "drop"] = "error",
    limits: Limits = DEFAULT_LIMITS,
) -> Multitrack:
    """Reads an ``.npz`` that pypianoroll's ``save`` wrote, as the Lakh Pianoroll Dataset has them.

    The rolls are on ``BeatGrid(resolution)`` and share the file's tempo, rounded to whole microseconds per beat
    (120 BPM if the file has none). A cell is active if its value is above 0; a pitch has an onset where it begins to
    sound, since such files have no onsets. A note has the velocity of its first cell, and a track of zeros and ones has
    no velocities. Silent tracks are kept. :meth:`Multitrack.stack` makes one roll of all tracks.

    Args:
        path: the file.
        pitches: the pitches to keep.
        outside: what to do with notes outside ``pitches``: raise an error, or drop them.
        limits: how large the file may be. ``max_cells`` bounds the cells of all tracks together, 128 a frame, and the
            bytes of the unpacked file.

    Raises:
        MidiNotFoundError: no file at that path.
        MidiError: a damaged file, or not a file of pypianoroll.
        LimitError: a file that exceeds the limits; checked before memory is allocated.
        PitchRangeError: notes outside the range and ``outside="error"``.
        SettingsError: unknown value of ``outside``.
    """
    if outside not in ("error", "drop"):
        raise SettingsError(f"outside must be 'error' or 'drop', got {outside!r}.")
    label, files = os.fspath(path), _unpacked(path, limits)
    try:
        info, resolution = _info_in(files)
        grid, tempo = BeatGrid(resolution), _tempo_in(files, resolution)
        parts = _parts_in(info)
        planes = _planes_in(files, len(parts), limits)
        downbeats = np.flatnonzero(_array_in(files, "downbeat", "biuf")) if "downbeat.npy" in files else ()
    except LimitError as error:
        raise LimitError(f"{label}: {error}") from error
    except MidiError as error:
        raise MidiError(f"{label}: {error} Save it again with pypianoroll.save, or copy it again.") from error
    inside = slice(pitches.lowest, pitches.highest + 1)
    tracks: list[Track] = []
    for part, plane in zip(parts, planes, strict=True):
        columns = np.flatnonzero(plane.any(axis=0))
        if outside == "error" and not pitches.contains(columns).all():
            raise PitchRangeError(
                f"{label}: track {len(tracks)} ({part.name!r}) needs PitchRange({columns[0]}, {columns[-1]}), not "
                f"within {pitches}. Widen the range, or pass outside='drop' to leave the others out."
            )
        roll = PianoRoll.from_active(plane[:, inside] > 0, grid=grid, pitches=pitches, tempo=tempo, name=part.name)
        if plane.dtype == np.uint8:
            roll = replace(roll, velocity=np.where(roll.onset, plane[:, inside], np.uint8(0)))
        tracks.append(Track(part, roll))
    return Multitrack(tuple(tracks), tuple(map(int, downbeats)), str(info.get("name") or ""))


def write_pypianoroll(
    rolls: PianoRoll | Mapping[str, PianoRoll] | Sequence[PianoRoll] | Sequence[tuple[Part, PianoRoll]],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> Path:
    """Writes an ``.npz`` that ``pypianoroll.load`` reads, with a track for each part of each roll.

    A roll with velocities becomes a ``StandardTrack``, another one a ``BinaryTrack``.

    The file has no onsets, and no tempo changes inside a frame (they move to the next frame) or after the last frame.

    Args:
        rolls: a roll, a mapping from the names of tracks, a sequence of rolls, or pairs of parts and rolls, as the
            ``tracks`` of :func:`read_pypianoroll`.
        path: the file to write; missing folders are made.
        overwrite: whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        ShapeError: no rolls.
        GridError: a roll that is not on a ``BeatGrid``, or rolls of several grids or tempi.
        OverwriteError: the file exists and ``overwrite`` is false.

    Example:
        >>> import tempfile
        >>> roll = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = write_pypianoroll({"piano": roll}, f"{folder}/song.npz")
        ...     [(part.name, len(roll)) for part, roll in read_pypianoroll(path).tracks]
        [('piano', 12)]
    """
    path = Path(path)
    tracks = _tracks_of([rolls] if isinstance(rolls, PianoRoll) else rolls)
    grid, tempo = _grid_and_tempo_of([roll for _, roll in tracks])
    ticks = grid.ticks_at(np.arange(max(1, *(len(roll) for _, roll in tracks))), tempo)
    us_per_beat = np.array([us for _, us in tempo.changes])
    changes = np.array([tick for tick, _ in tempo.changes])
    segment = np.searchsorted(changes, ticks, side="right") - 1
    warn_of_repeated_notes([roll for _, roll in tracks], "a pypianoroll file", stacklevel=3)
    between = int((~np.isin(changes, ticks) & (changes < ticks[-1])).sum())
    if between:
        warnings.warn(
            f"{between} tempo changes are inside frames; a pypianoroll file has one tempo a frame, so they come with "
            f"the next one.",
            stacklevel=2,
        )
    arrays: dict[str, Any] = {"tempo": 60_000_000 / us_per_beat[segment]}
    info: dict[str, Any] = {"resolution": grid.frames_per_beat, "name": path.stem}
    for index, (part, roll) in enumerate(tracks):
        column, frame = np.nonzero(roll.active.T)
        counts = np.bincount(column + roll.pitches.lowest, minlength=128)
        cells = roll.active if roll.velocity is None else held_velocities(planes_of(roll))
        arrays[f"pianoroll_{index}_csc_data"] = cells[frame, column]
        arrays[f"pianoroll_{index}_csc_indices"] = frame.astype(np.int32)
        arrays[f"pianoroll_{index}_csc_indptr"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        arrays[f"pianoroll_{index}_csc_shape"] = np.array([len(roll), 128])
        info[str(index)] = {"program": part.program, "is_drum": part.drums, "name": part.name}
    with writing(path, overwrite=overwrite) as temporary:
        with temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(zipfile.ZipInfo("info.json"), json.dumps(info))
    return path


def _tracks_of(
    rolls: Mapping[str, PianoRoll] | Sequence[PianoRoll] | Sequence[tuple[Part, PianoRoll]],
) -> list[tuple[Part, PianoRoll]]:
    """A part and a roll of one part for each track."""
    if isinstance(rolls, Mapping):
        return [(Part(name), roll.merged(drums=True)) for name, roll in rolls.items()]
    tracks: list[tuple[Part, PianoRoll]] = []
    for roll in rolls:
        if not isinstance(roll, PianoRoll):
            tracks.append(roll)
        elif len(roll.parts) == 1:
            tracks.append((replace(roll.parts[0], name=roll.parts[0].name or roll.name), roll))
        else:
            tracks += [(part, roll[part.name]) for part in roll.parts]
    return tracks


def _grid_and_tempo_of(rolls: list[PianoRoll]) -> tuple[BeatGrid, TempoMap]:
    if not rolls:
        raise ShapeError("write_pypianoroll needs at least one roll.")
    first = rolls[0]
    for roll in rolls:
        if not isinstance(roll.grid, BeatGrid):
            raise GridError(
                f"{roll.name or 'A roll'} is on {roll.grid}, and pypianoroll needs a BeatGrid. "
                f"Read it with grid=BeatGrid(frames_per_beat)."
            )
        if (roll.grid, roll.tempo) != (first.grid, first.tempo):
            raise GridError(
                f"A file has one grid and one tempo; {first.name or 'the first roll'} has {first.grid}, {first.tempo}, "
                f"and {roll.name or 'another'} has {roll.grid}, {roll.tempo}. Write them to separate files."
            )
    assert isinstance(first.grid, BeatGrid)
    return first.grid, first.tempo


def _unpacked(path: str | os.PathLike[str], limits: Limits) -> dict[str, bytes]:
    """The members of a zip file, by name."""
    label = os.fspath(path)
    try:
        packed = Path(path).stat().st_size
        if not Path(path).is_file():  # opening a named pipe waits for ever
            raise OSError("it is not a regular file")
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())  # no member unpacks to more than it says
            if packed <= limits.max_file_bytes and size <= limits.max_cells:
                return {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError as error:
        raise MidiNotFoundError(f"{label}: no such file. Check the path.") from error
    except (
        *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
        *(ValueError, RuntimeError, KeyError, IndexError, OverflowError),  # odd headers; encryption; unknown packing
    ) as error:
        raise MidiError(
            f"{label}: not an .npz file, or a damaged one ({type(error).__name__}: {error}). Copy or download it again."
        ) from error
    raise LimitError(
        f"{label}: {packed} bytes that unpack to {size}; Limits allow max_file_bytes={limits.max_file_bytes} and "
        f"max_cells={limits.max_cells}. If the file is correct, pass limits=Limits(...) with larger ones."
    )


def _info_in(files: Mapping[str, bytes]) -> tuple[dict[str, Any], int]:
    if "info.json" not in files:
        raise MidiError(f"not a file of pypianoroll: it contains {sorted(files)[:8]}, and no 'info.json'.")
    info = parse_json(files["info.json"], dict[str, Any], "its info.json", MidiError)
    resolution = info.get("resolution", info.get("beat_resolution"))  # the name before version 1.0
    if type(resolution) is not int or not 1 <= resolution <= MAX_TICKS_PER_BEAT:
        raise MidiError(f"its resolution must be an integer in 1..{MAX_TICKS_PER_BEAT}, got {resolution!r:.40}.")
    return info, resolution


def _parts_in(info: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = []
    while str(len(parts)) in info:
        track = info[str(len(parts))]
        program = (track.get("program") or 0) if isinstance(track, dict) else None
        if type(program) is not int:
            raise MidiError(f"track {len(parts)} must have an integer as program, got {track!r:.80}.")
        parts.append(Part(str(track.get("name") or ""), program, bool(track.get("is_drum"))))
    return parts


def _array_in(files: Mapping[str, bytes], name: str, kinds: str) -> np.ndarray:
    """An array of a member, as a view of its bytes: a false header allocates no memory."""
    data = io.BytesIO(files.get(f"{name}.npy", b""))
    try:
        version = np.lib.format.read_magic(data)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(data)
        order: Literal["F", "C"] = "F" if fortran else "C"
        array: np.ndarray = np.ndarray(shape, dtype, buffer=data.getbuffer(), offset=data.tell(), order=order)
    except DAMAGED_ARRAY as error:
        raise MidiError(f"{name} is missing or damaged ({type(error).__name__}: {error}).") from error
    if array.dtype.kind not in kinds:
        raise MidiError(f"{name} must hold numbers, got {array.dtype}.")
    return array


def _tempo_in(files: Mapping[str, bytes], resolution: int) -> TempoMap:
    ticks_per_frame = math.ceil(DEFAULT_TICKS_PER_BEAT / resolution)
    ticks_per_beat = resolution * ticks_per_frame
    if "tempo.npy" not in files:
        return TempoMap(ticks_per_beat)
    beats_per_minute = _array_in(files, "tempo", "iuf").reshape(-1).astype(np.float64)
    possible = (beats_per_minute >= 60_000_000 / (2**24 - 1)) & (beats_per_minute <= 60_000_000)
    if not possible.all():
        frame = int(np.argmin(possible))
        raise MidiError(
            f"tempo must be in 3.58..60000000 beats per minute, got {beats_per_minute[frame]} in frame {frame}."
        )
    us_per_beat = np.round(60_000_000 / beats_per_minute).astype(np.int64)
    frames = np.flatnonzero(np.diff(us_per_beat, prepend=0))
    return TempoMap(ticks_per_beat, [(int(frame) * ticks_per_frame, int(us_per_beat[frame])) for frame in frames])


def _planes_in(files: Mapping[str, bytes], count: int, limits: Limits) -> list[np.ndarray]:
    """The cells of each track, (frames, 128), from compressed sparse columns: bool, or uint8 if they are velocities."""
    shapes = [_array_in(files, f"pianoroll_{index}_csc_shape", "iu").reshape(-1).tolist() for index in range(count)]
    for index, shape in enumerate(shapes):
        if len(shape) != 2 or shape[0] < 0 or shape[1] != 128:
            raise MidiError(f"track {index} must have shape [frames, 128], got {shape!r:.40}.")
    max_frames, total = max((frames for frames, _ in shapes), default=0), sum(frames for frames, _ in shapes)
    if max_frames > limits.max_frames or total * 128 > limits.max_cells:
        raise LimitError(
            f"its {count} tracks have up to {max_frames} frames and {total * 128} cells; Limits allow "
            f"max_frames={limits.max_frames} and max_cells={limits.max_cells}. If the file is correct, pass "
            f"limits=Limits(...) with larger ones."
        )
    planes = []
    for index, (frames, _) in enumerate(shapes):
        data = _array_in(files, f"pianoroll_{index}_csc_data", "biuf")
        frame = _array_in(files, f"pianoroll_{index}_csc_indices", "iu")
        ends = _array_in(files, f"pianoroll_{index}_csc_indptr", "iu")
        rising = ends.shape == (129,) and ends[0] == 0 and (ends[:-1] <= ends[1:]).all()
        if not rising or not data.shape == frame.shape == (ends[-1],):
            raise MidiError(f"track {index}: its column pointers do not match {data.shape} values.")
        if len(frame) and (frame.min() < 0 or frame.max() >= frames):
            raise MidiError(f"track {index}: a note in frame {frame.min()} or {frame.max()}, of {frames} frames.")
        sounds = data > 0
        has_velocities = data.dtype.kind in "iu" and bool((data > 1).any())
        if has_velocities and data.max() > 127:
            raise MidiError(f"track {index}: velocities must be in 0..127, got {data.max()}.")
        plane = np.zeros((frames, 128), dtype=np.uint8 if has_velocities else bool)
        column = np.repeat(np.arange(128), np.diff(ends).astype(np.int64))
        plane[frame[sounds], column[sounds]] = data[sounds] if has_velocities else True
        planes.append(plane)
    return planes
