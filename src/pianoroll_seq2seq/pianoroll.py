"""The piano roll: what is played when, as two planes of frames by pitches."""

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Unpack

import numpy as np
from jaxtyping import Bool, Int64

from pianoroll_seq2seq import midi_io
from pianoroll_seq2seq.errors import GridError, NoNotesError, PitchRangeError, ShapeError
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.pitches import PIANO, PitchRange
from pianoroll_seq2seq.quantize import lines_to_ticks, planes_to_notes
from pianoroll_seq2seq.rasterize import Reading, rasterize, read_planes
from pianoroll_seq2seq.rendering import Rendering
from pianoroll_seq2seq.score import NoteTable, Part, Score
from pianoroll_seq2seq.tempo import TempoMap

if TYPE_CHECKING:
    import pretty_midi

    from pianoroll_seq2seq.audio import Audio


@dataclass(frozen=True, eq=False)
class PianoRoll:
    """Music on a grid: rows are frames, columns are pitches, lowest first.

    Args:
        active: bool of shape (frames, pitches): the pitch sounds in this frame.
        onset: bool of the same shape: it is struck in this frame. Repeated notes stay apart from held ones.
        grid: where the frames lie in time.
        pitches: what the columns stand for.
        tempo: the tempo from frame 0 on.
        name: where the roll came from, for messages; not compared.

    Raises:
        ShapeError: planes of other shapes than said, or an onset where nothing sounds.

    Example:
        >>> roll = PianoRoll.from_active(np.eye(3, dtype=bool), pitches=PitchRange(60, 62))
        >>> roll
        PianoRoll(3 frames x 3 pitches C4..D4, 3 notes, BeatGrid(frames_per_beat=4))
        >>> (roll[:1] + roll[1:]) == roll
        True
    """

    active: Bool[np.ndarray, "frames pitches"]
    onset: Bool[np.ndarray, "frames pitches"]
    grid: FrameGrid = SIXTEENTHS
    pitches: PitchRange = PIANO
    tempo: TempoMap = field(default_factory=TempoMap)
    name: str = ""

    def __post_init__(self) -> None:
        """Checks the planes and makes them read-only."""
        for plane_name in ("active", "onset"):
            plane = np.asarray(getattr(self, plane_name))
            if plane.ndim != 2 or plane.shape[1] != len(self.pitches) or plane.dtype != np.bool_:
                raise ShapeError(
                    f"PianoRoll.{plane_name} must be bool of shape (frames, {len(self.pitches)}) for {self.pitches}, "
                    f"got {plane.dtype} of shape {plane.shape}."
                )
            plane = plane.view()
            plane.flags.writeable = False
            object.__setattr__(self, plane_name, plane)
        if self.active.shape != self.onset.shape:
            raise ShapeError(f"active has {len(self.active)} frames, onset has {len(self.onset)}.")
        if (self.onset & ~self.active).any():
            frame, column = np.argwhere(self.onset & ~self.active)[0]
            raise ShapeError(f"Frame {frame}, pitch {self.pitches.name_of(int(column))}: struck, yet not sounding.")

    @classmethod
    def from_active(
        cls,
        active: Bool[np.ndarray, "frames pitches"],
        *,
        grid: FrameGrid = SIXTEENTHS,
        pitches: PitchRange = PIANO,
        tempo: TempoMap | None = None,
        before: Bool[np.ndarray, " pitches"] | None = None,
        name: str = "",
    ) -> "PianoRoll":
        """A roll of which only the sounding pitches are known: each is struck where it begins.

        Args:
            active: bool of shape (frames, pitches).
            grid: where the frames lie in time.
            pitches: what the columns stand for.
            tempo: the tempo from frame 0 on; 120 BPM by default.
            before: the frame before the first, whose pitches go on without being struck again.
            name: for messages.
        """
        active = np.asarray(active)
        onset = active.copy()
        onset[1:] &= ~active[:-1]
        if before is not None:
            onset[:1] &= ~before
        return cls(active, onset, grid, pitches, tempo or TempoMap(), name)

    @classmethod
    def silent(
        cls, frames: int, *, grid: FrameGrid = SIXTEENTHS, pitches: PitchRange = PIANO, tempo: TempoMap | None = None
    ) -> "PianoRoll":
        """Frames in which nothing sounds: what a model hears that shall begin by itself.

        Args:
            frames: how many.
            grid: where the frames lie in time.
            pitches: what the columns stand for.
            tempo: the tempo from frame 0 on; 120 BPM by default.
        """
        return cls.from_active(np.zeros((frames, len(pitches)), dtype=bool), grid=grid, pitches=pitches, tempo=tempo)

    @classmethod
    def from_score(
        cls,
        score: Score,
        *,
        grid: FrameGrid = SIXTEENTHS,
        pitches: PitchRange = PIANO,
        drums: bool = False,
        outside: Literal["error", "drop"] = "error",
        limits: Limits = DEFAULT_LIMITS,
    ) -> "PianoRoll":
        """Rasterizes a score.

        Args:
            score: the notes and their tempo.
            grid: where the frames lie in time.
            pitches: the pitches to keep.
            drums: whether the drum kit (channel 10) counts as pitches.
            outside: what becomes of notes outside ``pitches``: an error, or they are dropped.
            limits: how large the roll may be.

        Raises:
            NoNotesError: nothing sounds.
            PitchRangeError: notes outside the range, and they were not to be dropped.
            LimitError: more frames or cells than the limits allow.
            SettingsError: another ``outside``.
        """
        label = score.name or "the score"
        notes = score.notes if drums else score.without_drums().notes
        if not len(notes) and len(score.notes):
            raise NoNotesError(f"{label}: no notes. It has drums: pass drums=True to keep them.")
        active, onset = rasterize(
            notes.onset_tick,
            notes.end_tick,
            notes.pitch,
            tempo=score.tempo,
            grid=grid,
            pitches=pitches,
            outside=outside,
            limits=limits,
            label=label,
        )
        return _trusted(active, onset, grid=grid, pitches=pitches, tempo=score.tempo, name=score.name)

    @classmethod
    def from_midi(
        cls,
        path: midi_io.MidiSource,
        *,
        grid: FrameGrid = SIXTEENTHS,
        pitches: PitchRange = PIANO,
        outside: Literal["error", "drop"] = "error",
        **reading: Unpack[Reading],
    ) -> "PianoRoll":
        """Reads a MIDI file: :func:`~pianoroll_seq2seq.midi_io.read_midi`, then :meth:`from_score`.

        Args:
            path: a path, the bytes of a file, or a file opened in binary mode.
            grid: where the frames lie in time.
            pitches: the pitches to keep.
            outside: what becomes of notes outside ``pitches``: an error, or they are dropped.
            **reading: ``track``, ``program`` and ``channel`` (see :meth:`Score.only`), ``drums``, ``on_damage``,
                ``limits`` and the policies of :func:`~pianoroll_seq2seq.midi_io.read_midi`.

        Raises:
            MidiError, NoNotesError, PitchRangeError, LimitError, SettingsError: as those two do.
        """
        read = read_planes(path, grid=grid, pitches=pitches, outside=outside, **reading)
        return _trusted(read.active, read.onset, grid=grid, pitches=pitches, tempo=read.tempo, name=read.name)

    @classmethod
    def from_pretty_midi(
        cls,
        midi: "pretty_midi.PrettyMIDI",
        *,
        grid: FrameGrid = SIXTEENTHS,
        pitches: PitchRange = PIANO,
        outside: Literal["error", "drop"] = "error",
        **reading: Unpack[Reading],
    ) -> "PianoRoll":
        """From a ``PrettyMIDI`` object, by way of the MIDI file that it writes; arguments as of :meth:`from_midi`."""
        buffer = io.BytesIO()
        midi.write(buffer)
        return cls.from_midi(buffer.getvalue(), grid=grid, pitches=pitches, outside=outside, **reading)

    def notes(self) -> tuple[Int64[np.ndarray, " notes"], Int64[np.ndarray, " notes"], Int64[np.ndarray, " notes"]]:
        """First frame, frame after the last, and column of each note."""
        return planes_to_notes(self.active, self.onset)

    def to_score(self, *, velocity: int = 100, program: int = 0) -> Score:
        """The notes in ticks of the roll's tempo map, as one part.

        Raises:
            GridError: the tempo map's ticks are too coarse for the grid.
        """
        onset_frame, end_frame, column = self.notes()
        lines = np.concatenate([onset_frame, end_frame])
        ticks = lines_to_ticks(lines, grid=self.grid, tempo=self.tempo)
        count = len(column)
        notes = NoteTable(
            ticks[:count],
            ticks[count:],
            column + self.pitches.lowest,
            np.full(count, velocity),
            np.zeros(count, dtype=np.int64),
        )
        return Score(notes, self.tempo, (Part(self.name, program),), self.name)

    def to_midi(
        self, path: str | os.PathLike[str], *, velocity: int = 100, program: int = 0, overwrite: bool = False
    ) -> Path:
        """Writes a MIDI file.

        Args:
            path: where; missing folders are made.
            velocity: how hard every note is struck, 1..127.
            program: General MIDI program, 0..127 (0 is a grand piano).
            overwrite: whether a file that stands there may be replaced.

        Raises:
            OverwriteError: a file stands there and ``overwrite`` is false.
            GridError: the tempo map's ticks are too coarse for the grid.
        """
        return midi_io.write_midi(self.to_score(velocity=velocity, program=program), path, overwrite=overwrite)

    def to_pretty_midi(self, *, velocity: int = 100, program: int = 0) -> "pretty_midi.PrettyMIDI":
        """As a ``PrettyMIDI`` object, by way of a MIDI file in memory."""
        import pretty_midi

        data = midi_io.to_midi_bytes(self.to_score(velocity=velocity, program=program))
        return pretty_midi.PrettyMIDI(io.BytesIO(data))

    def to_audio(self, *, velocity: int = 100, program: int = 0, **rendering: Unpack[Rendering]) -> "Audio":
        """As sound: see :func:`~pianoroll_seq2seq.audio.to_audio`, which takes the same arguments."""
        from pianoroll_seq2seq.audio import to_audio

        return to_audio(self, velocity=velocity, program=program, **rendering)

    def to_wav(
        self,
        path: str | os.PathLike[str],
        *,
        velocity: int = 100,
        program: int = 0,
        overwrite: bool = False,
        **rendering: Unpack[Rendering],
    ) -> Path:
        """Writes it as a sound file, of the kind that its name ends in: ``.wav``, ``.flac`` or ``.ogg``.

        Args:
            path: where; missing folders are made.
            velocity: how hard every note is struck, 1..127.
            program: General MIDI program, 0..127 (0 is a grand piano).
            overwrite: whether a file that stands there may be replaced.
            **rendering: as :func:`~pianoroll_seq2seq.audio.to_audio` has them.

        Raises:
            OverwriteError: a file stands there and ``overwrite`` is false.
            SettingsError, MissingExtraError, LimitError, GridError: as that function has them.
        """
        return self.to_audio(velocity=velocity, program=program, **rendering).save(path, overwrite=overwrite)

    def __len__(self) -> int:
        """The number of frames."""
        return len(self.active)

    @property
    def seconds(self) -> float:
        """How long the roll lasts."""
        return float(self.grid.seconds_at(np.array([len(self)]), self.tempo)[0])

    def __getitem__(self, frames: slice) -> "PianoRoll":
        """A stretch of frames. A note cut in two goes on without being struck again.

        Tempo changes keep their place to the nearest tick.
        """
        if not isinstance(frames, slice) or frames.step not in (None, 1):  # type: ignore[redundant-expr]
            raise TypeError(f"A piano roll is cut by frames, as roll[8:16]; got roll[{frames!r}].")
        start, stop, _ = frames.indices(len(self))
        tick = int(self.grid.ticks_at(np.array([start]), self.tempo)[0])
        return PianoRoll(
            self.active[start:stop],
            self.onset[start:stop],
            self.grid,
            self.pitches,
            self.tempo.from_tick(tick),
            self.name,
        )

    def __add__(self, following: "PianoRoll") -> "PianoRoll":
        """The two after one another."""
        if not isinstance(following, PianoRoll):
            return NotImplemented
        return concatenate([self, following])

    def transpose(self, semitones: int) -> "PianoRoll":
        """All notes higher (or lower, below zero) by so many semitones, in the same pitch range.

        Raises:
            PitchRangeError: notes would leave the range.
        """
        lost = self.active[:, -semitones:] if semitones > 0 else self.active[:, : max(-semitones, 0)]
        if lost.any():
            raise PitchRangeError(
                f"{self.name or 'The roll'}: transposing by {semitones} moves notes out of {self.pitches}. "
                f"Use a wider PitchRange when reading, or a smaller step."
            )
        return PianoRoll(
            np.roll(self.active, semitones, axis=1),
            np.roll(self.onset, semitones, axis=1),
            self.grid,
            self.pitches,
            self.tempo,
            self.name,
        )

    def with_pitches(self, pitches: PitchRange) -> "PianoRoll":
        """The same notes with the columns of another pitch range, such as that of a model.

        Raises:
            PitchRangeError: notes lie outside it.
        """
        lowest, highest = self.sounding_range()
        if lowest < pitches.lowest or highest > pitches.highest:
            raise PitchRangeError(
                f"{self.name or 'The roll'}: its notes need PitchRange({lowest}, {highest}), not within {pitches}."
            )
        here = slice(max(pitches.lowest - self.pitches.lowest, 0), max(pitches.highest - self.pitches.lowest + 1, 0))
        start = max(self.pitches.lowest - pitches.lowest, 0)

        def moved(plane: np.ndarray) -> np.ndarray:
            kept = plane[:, here]
            wider = np.zeros((len(self), len(pitches)), dtype=bool)
            wider[:, start : start + kept.shape[1]] = kept
            return wider

        return PianoRoll(moved(self.active), moved(self.onset), self.grid, pitches, self.tempo, self.name)

    def sounding_range(self) -> tuple[int, int]:
        """The lowest and the highest MIDI pitch that sounds.

        Raises:
            NoNotesError: nothing sounds.
        """
        columns = np.nonzero(self.active.any(axis=0))[0]
        if not len(columns):
            raise NoNotesError(f"{self.name or 'The roll'}: nothing sounds in it.")
        return int(columns[0]) + self.pitches.lowest, int(columns[-1]) + self.pitches.lowest

    def renamed(self, name: str) -> "PianoRoll":
        """The same music under another name."""
        return replace(self, name=name)

    def __eq__(self, other: object) -> bool:
        """Equal when planes, grid, pitches and tempo are; the name is not music."""
        if not isinstance(other, PianoRoll):
            return NotImplemented
        return (
            (self.grid, self.pitches, self.tempo) == (other.grid, other.pitches, other.tempo)
            and np.array_equal(self.active, other.active)
            and np.array_equal(self.onset, other.onset)
        )

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Size, range and number of notes; not the planes."""
        count = len(self.notes()[0])
        ends = f"{self.pitches.name_of(0)}..{self.pitches.name_of(len(self.pitches) - 1)}"
        name = f"{self.name!r}, " if self.name else ""
        return f"PianoRoll({name}{len(self)} frames x {len(self.pitches)} pitches {ends}, {count} notes, {self.grid})"

    def _repr_html_(self) -> str:
        """The roll in a notebook, with a player; see :mod:`pianoroll_seq2seq.showing`."""
        from pianoroll_seq2seq.showing import Piece, pieces_html

        return pieces_html([Piece(self)])


def _trusted(active: np.ndarray, onset: np.ndarray, **others: object) -> PianoRoll:
    """A roll of planes that are known to fit: checking those just rasterized would cost as much again."""
    roll = object.__new__(PianoRoll)
    active.flags.writeable = onset.flags.writeable = False
    roll.__dict__.update(active=active, onset=onset, **others)
    return roll


def concatenate(rolls: Iterable[PianoRoll]) -> PianoRoll:
    """The rolls one after another; each brings its own tempo.

    Raises:
        ShapeError: no rolls at all.
        GridError: rolls of different grids or ticks per beat.
        PitchRangeError: rolls of different pitch ranges.

    Example:
        >>> silence = PianoRoll.silent(8, pitches=PitchRange(60, 71))
        >>> note = PianoRoll.from_active(np.eye(1, 12, dtype=bool), pitches=PitchRange(60, 71))
        >>> concatenate([silence, note, silence, note]).active[:, 0].nonzero()[0]
        array([ 8, 17])
    """
    rolls = list(rolls)
    if not rolls:
        raise ShapeError("concatenate needs at least one roll.")
    first = rolls[0]
    tempo, frames = first.tempo, len(first)
    for roll in rolls[1:]:
        if roll.pitches != first.pitches:
            raise PitchRangeError(f"Rolls of {first.pitches} and {roll.pitches} cannot be joined.")
        if roll.grid != first.grid or roll.tempo.ticks_per_beat != tempo.ticks_per_beat:
            raise GridError(
                f"Rolls of {first.grid}, {tempo.ticks_per_beat} ticks per beat, and {roll.grid}, "
                f"{roll.tempo.ticks_per_beat} ticks per beat, cannot be joined. Read them on one grid."
            )
        tempo = tempo.then(roll.tempo, int(first.grid.ticks_at(np.array([frames]), tempo)[0]))
        frames += len(roll)
    return PianoRoll(
        np.concatenate([roll.active for roll in rolls]),
        np.concatenate([roll.onset for roll in rolls]),
        first.grid,
        first.pitches,
        tempo,
        first.name,
    )
