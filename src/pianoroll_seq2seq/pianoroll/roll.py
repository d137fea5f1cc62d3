"""The piano roll as a value: two planes of frames by pitches, on a grid, with a tempo."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Unpack

import numpy as np
from jaxtyping import Bool

from pianoroll_seq2seq import midi_io
from pianoroll_seq2seq._internal.display_hook import audio_of, html_of
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq._internal.render_options import RenderOptions
from pianoroll_seq2seq.errors import NoNotesError, PitchRangeError, ShapeError
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.midi_io.planes import Reading, read_planes
from pianoroll_seq2seq.pianoroll import conversions
from pianoroll_seq2seq.pianoroll.conversions import RollNotes
from pianoroll_seq2seq.pianoroll.joining import concatenate
from pianoroll_seq2seq.pianoroll.pretty_midi import pretty_midi_to_bytes, score_to_pretty_midi
from pianoroll_seq2seq.pitches import PIANO, PitchRange
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap

if TYPE_CHECKING:
    import pretty_midi

    from pianoroll_seq2seq.display.audio import Audio


@dataclass(frozen=True, eq=False)
class PianoRoll:
    """Music on a grid: rows are frames, columns are pitches, lowest first.

    Args:
        active: bool of shape (frames, pitches): the pitch sounds in this frame.
        onset: bool of the same shape: a note begins in this frame. So repeated notes differ from a held one.
        grid: how long a frame is.
        pitches: the pitches of the columns.
        tempo: the tempo from frame 0 on.
        name: the source of the roll, for messages; not compared.

    Raises:
        ShapeError: planes of another shape or type, or an onset in a cell that is not active.

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
        """Validates the planes and makes them read-only."""
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
            raise ShapeError(
                f"Frame {frame}, pitch {self.pitches.name_of(int(column))}: an onset, but the pitch is not active."
            )

    # -------------------------------------------------------------------------------------- from other forms of music

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
        """A roll from the active plane alone: each note has its onset where the pitch begins to sound.

        Args:
            active: bool of shape (frames, pitches).
            grid: how long a frame is.
            pitches: the pitches of the columns.
            tempo: the tempo from frame 0 on; 120 BPM by default.
            before: the frame before the first, bool of shape (pitches,); its pitches continue without an onset.
            name: for messages.
        """
        active = np.asarray(active)
        return cls(active, conversions.onsets_of_active(active, before), grid, pitches, tempo or TempoMap(), name)

    @classmethod
    def silent(
        cls,
        num_frames: int,
        *,
        grid: FrameGrid = SIXTEENTHS,
        pitches: PitchRange = PIANO,
        tempo: TempoMap | None = None,
    ) -> "PianoRoll":
        """A roll without notes: a primer for generating from scratch.

        Args:
            num_frames: how many frames.
            grid: how long a frame is.
            pitches: the pitches of the columns.
            tempo: the tempo from frame 0 on; 120 BPM by default.
        """
        return cls.from_active(
            np.zeros((num_frames, len(pitches)), dtype=bool), grid=grid, pitches=pitches, tempo=tempo
        )

    @classmethod
    def from_frames(
        cls,
        frames: Bool[np.ndarray, "frames columns"],
        layout: FrameLayout,
        *,
        tempo: TempoMap | None = None,
        before: Bool[np.ndarray, " pitches"] | None = None,
        name: str = "",
    ) -> "PianoRoll":
        """A roll from the frames that a model reads or writes; the inverse of :meth:`to_frames`.

        It restores a roll in which every note that begins has an onset; with an onset plane, missing ones are added.

        Args:
            frames: bool of shape (num_frames, layout.frame_size).
            layout: what the columns mean. Without an onset plane the notes are those of :meth:`from_active`.
            tempo: the tempo from frame 0 on; 120 BPM by default.
            before: the active plane's frame before the first, bool of shape (pitches,); its pitches continue
                without an onset. Of no effect if the layout has an onset plane.
            name: for messages.

        Raises:
            ShapeError: frames of another type or size, or an onset in a cell that is not active.
        """
        active, onset = conversions.frames_to_planes(np.asarray(frames), layout, before)
        return cls(active, onset, layout.grid, layout.pitches, tempo or TempoMap(), name)

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
        """Rasterizes a score, with the silence before its first note and, where it has an end, after its last.

        Args:
            score: the notes and their tempo.
            grid: how long a frame is.
            pitches: the pitches to keep.
            drums: whether to keep the notes of drums (channel 10) as pitches.
            outside: what to do with notes outside ``pitches``: raise an error, or drop them.
            limits: how large the roll may be.

        Raises:
            NoNotesError: no notes.
            PitchRangeError: notes outside the range and ``outside="error"``, or no note inside it.
            LimitError: more frames or cells than the limits allow.
            SettingsError: unknown value of ``outside``.
        """
        planes = conversions.score_to_planes(
            score, grid=grid, pitches=pitches, drums=drums, outside=outside, limits=limits
        )
        return _from_valid_planes(*planes, grid=grid, pitches=pitches, tempo=score.tempo, name=score.name)

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
            grid: how long a frame is.
            pitches: the pitches to keep.
            outside: what to do with notes outside ``pitches``: raise an error, or drop them.
            **reading: ``track``, ``program`` and ``channel`` (see :meth:`Score.select`), ``drums``, ``on_damage``,
                ``limits`` and the policies of :func:`~pianoroll_seq2seq.midi_io.read_midi`.

        Raises:
            MidiError, NoNotesError, PitchRangeError, LimitError, SettingsError: as those two do.
        """
        read = read_planes(path, grid=grid, pitches=pitches, outside=outside, **reading)
        return _from_valid_planes(read.active, read.onset, grid=grid, pitches=pitches, tempo=read.tempo, name=read.name)

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
        """From a ``PrettyMIDI`` object, by way of a MIDI file in memory; arguments as of :meth:`from_midi`.

        Times go to the nearest tick of the object. A note shorter than a tick gets one frame, as in a file.

        Warns:
            UserWarning: notes of velocity 0, which are left out, or before 0 seconds, which are moved there.
        """
        return cls.from_midi(pretty_midi_to_bytes(midi), grid=grid, pitches=pitches, outside=outside, **reading)

    # ---------------------------------------------------------------------------------------- to other forms of music

    def notes(self) -> RollNotes:
        """The notes as columns ``onset_frame``, ``end_frame`` and ``pitch`` (MIDI), ordered by pitch, then by frame.

        Example:
            >>> roll = PianoRoll.from_active(np.ones((4, 1), dtype=bool), pitches=PitchRange(60, 60))
            >>> notes = roll.notes()
            >>> notes.onset_frame, notes.end_frame, notes.pitch
            (array([0]), array([4]), array([60]))
        """
        return conversions.roll_notes(self.active, self.onset, self.pitches)

    def note_starts(self) -> Bool[np.ndarray, "frames pitches"]:
        """The onset plane, with the onsets that the active plane implies.

        A pitch that begins to sound within the roll has an onset there. A pitch that sounds in the first frame has one
        only if the onset plane has: otherwise the note began before the roll.
        """
        return conversions.note_starts(self.active, self.onset)

    def to_frames(self, layout: FrameLayout) -> Bool[np.ndarray, "frames columns"]:
        """The frames that a model reads.

        Args:
            layout: what the columns mean; its grid and pitches must be the roll's. Its onset plane is filled with
                :meth:`note_starts`.

        Returns:
            bool of shape (num_frames, layout.frame_size).

        Raises:
            GridError: the roll is on another grid.
            PitchRangeError: the roll has other pitches.

        Example:
            >>> roll = PianoRoll.from_active(np.eye(3, dtype=bool), pitches=PitchRange(60, 62))
            >>> layout = FrameLayout.of(roll, onsets=True)
            >>> PianoRoll.from_frames(roll.to_frames(layout), layout) == roll
            True
        """
        layout.check(self, repr(self.name) if self.name else "The roll")
        return conversions.planes_to_frames(self.active, self.onset, layout)

    def to_score(self, *, velocity: int = 100, program: int = 0) -> Score:
        """The notes in ticks of the roll's tempo map, as one part.

        Args:
            velocity: of every note, 1..127.
            program: General MIDI program, 0..127 (0 is a grand piano).

        Raises:
            GridError: the tempo map's ticks are too coarse for the grid.
        """
        return conversions.notes_to_score(
            self.notes(),
            num_frames=len(self),
            grid=self.grid,
            tempo=self.tempo,
            velocity=velocity,
            program=program,
            name=self.name,
        )

    def to_midi(
        self, path: str | os.PathLike[str], *, velocity: int = 100, program: int = 0, overwrite: bool = False
    ) -> Path:
        """Writes a MIDI file, from which :meth:`from_midi` reads the same roll, silence at the end included.

        A pitch that sounds in the first frame without an onset becomes a note that begins there.

        Args:
            path: the file to write; missing folders are made.
            velocity: of every note, 1..127.
            program: General MIDI program, 0..127 (0 is a grand piano).
            overwrite: whether an existing file may be replaced.

        Raises:
            OverwriteError: the file exists and ``overwrite`` is false.
            GridError: the tempo map's ticks are too coarse for the grid.
        """
        return midi_io.write_midi(self.to_score(velocity=velocity, program=program), path, overwrite=overwrite)

    def to_pretty_midi(self, *, velocity: int = 100, program: int = 0) -> "pretty_midi.PrettyMIDI":
        """As a ``PrettyMIDI`` object, by way of a MIDI file in memory; a text event marks the end of silence."""
        return score_to_pretty_midi(self.to_score(velocity=velocity, program=program))

    def to_audio(self, *, velocity: int = 100, program: int = 0, **options: Unpack[RenderOptions]) -> "Audio":
        """Renders the roll as sound; arguments as of :func:`~pianoroll_seq2seq.display.audio.to_audio`."""
        return audio_of(self, velocity=velocity, program=program, **options)

    def to_wav(
        self,
        path: str | os.PathLike[str],
        *,
        velocity: int = 100,
        program: int = 0,
        overwrite: bool = False,
        **options: Unpack[RenderOptions],
    ) -> Path:
        """Writes a sound file. The ending of its name chooses the format: ``.wav``, ``.flac`` or ``.ogg``.

        Args:
            path: the file to write; missing folders are made.
            velocity: of every note, 1..127.
            program: General MIDI program, 0..127 (0 is a grand piano).
            overwrite: whether an existing file may be replaced.
            **options: the options of :func:`~pianoroll_seq2seq.display.audio.to_audio`.

        Raises:
            OverwriteError: the file exists and ``overwrite`` is false.
            SettingsError, MissingExtraError, LimitError, GridError: as that function does.
        """
        return self.to_audio(velocity=velocity, program=program, **options).save(path, overwrite=overwrite)

    # ----------------------------------------------------------------------------------------------- size and slices

    def __len__(self) -> int:
        """The number of frames."""
        return len(self.active)

    @property
    def seconds(self) -> float:
        """The length of the roll, in seconds."""
        return float(self.grid.seconds_at(np.array([len(self)]), self.tempo)[0])

    def __getitem__(self, frames: slice) -> "PianoRoll":
        """Consecutive frames, as ``roll[8:16]``. A note that is cut in two continues without a second onset.

        Tempo changes keep their place to the nearest tick.

        Raises:
            TypeError: not a slice, or a slice with a step.
        """
        if not isinstance(frames, slice) or frames.step not in (None, 1):  # type: ignore[redundant-expr]
            raise TypeError(f"A piano roll is sliced by frames, as roll[8:16]; got roll[{frames!r}].")
        start, stop, _ = frames.indices(len(self))
        tick = int(self.grid.ticks_at(np.array([start]), self.tempo)[0])
        return replace(
            self, active=self.active[start:stop], onset=self.onset[start:stop], tempo=self.tempo.from_tick(tick)
        )

    def __add__(self, following: "PianoRoll") -> "PianoRoll":
        """One roll after the other: see :func:`~pianoroll_seq2seq.pianoroll.concatenate`."""
        if not isinstance(following, PianoRoll):
            return NotImplemented
        return concatenate([self, following])

    # -------------------------------------------------------------------------------------------------------- pitches

    def transpose(self, semitones: int) -> "PianoRoll":
        """All notes higher (or lower, below zero) by a number of semitones, in the same pitch range.

        Raises:
            PitchRangeError: notes would leave the range.
        """
        lost = self.active[:, -semitones:] if semitones > 0 else self.active[:, : max(-semitones, 0)]
        if lost.any():
            raise PitchRangeError(
                f"{self.name or 'The roll'}: transposing by {semitones} moves notes out of {self.pitches}. "
                f"Use a wider PitchRange when reading, or a smaller interval."
            )
        return replace(
            self, active=np.roll(self.active, semitones, axis=1), onset=np.roll(self.onset, semitones, axis=1)
        )

    def with_pitches(self, pitches: PitchRange) -> "PianoRoll":
        """The same notes with the columns of another pitch range, such as that of a model.

        Raises:
            PitchRangeError: notes outside that range.
            NoNotesError: the roll has no notes.
        """
        lowest, highest = self.sounding_range()
        if lowest < pitches.lowest or highest > pitches.highest:
            raise PitchRangeError(
                f"{self.name or 'The roll'}: its notes need PitchRange({lowest}, {highest}), not within {pitches}."
            )
        here = slice(max(pitches.lowest - self.pitches.lowest, 0), max(pitches.highest - self.pitches.lowest + 1, 0))
        start = max(self.pitches.lowest - pitches.lowest, 0)

        def convert(plane: np.ndarray) -> np.ndarray:
            kept = plane[:, here]
            converted = np.zeros((len(self), len(pitches)), dtype=bool)
            converted[:, start : start + kept.shape[1]] = kept
            return converted

        return replace(self, active=convert(self.active), onset=convert(self.onset), pitches=pitches)

    def sounding_range(self) -> tuple[int, int]:
        """The lowest and the highest MIDI pitch that sounds.

        Raises:
            NoNotesError: the roll has no notes.
        """
        columns = np.nonzero(self.active.any(axis=0))[0]
        if not len(columns):
            raise NoNotesError(f"{self.name or 'The roll'}: no notes.")
        return int(columns[0]) + self.pitches.lowest, int(columns[-1]) + self.pitches.lowest

    # -------------------------------------------------------------------------------------------- name, equality, repr

    def renamed(self, name: str) -> "PianoRoll":
        """The same music under another name."""
        return replace(self, name=name)

    def __eq__(self, other: object) -> bool:
        """Equal when planes, grid, pitches and tempo are; names are not compared."""
        if not isinstance(other, PianoRoll):
            return NotImplemented
        return (
            (self.grid, self.pitches, self.tempo) == (other.grid, other.pitches, other.tempo)
            and np.array_equal(self.active, other.active)
            and np.array_equal(self.onset, other.onset)
        )

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Size, pitch range and number of notes; not the planes."""
        count = len(self.notes().pitch)
        ends = f"{self.pitches.name_of(0)}..{self.pitches.name_of(len(self.pitches) - 1)}"
        name = f"{self.name!r}, " if self.name else ""
        return f"PianoRoll({name}{len(self)} frames x {len(self.pitches)} pitches {ends}, {count} notes, {self.grid})"

    def _repr_html_(self) -> str:
        return html_of(self)


def _from_valid_planes(active: np.ndarray, onset: np.ndarray, **others: object) -> PianoRoll:
    """A roll of planes that were just rasterized: validating them again would cost as much as rasterizing."""
    roll = object.__new__(PianoRoll)
    active.flags.writeable = onset.flags.writeable = False
    roll.__dict__.update(active=active, onset=onset, **others)
    return roll
