"""The piano roll as a value: planes of frames by pitches, in parts, on a grid, with a tempo."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Unpack

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from pianoroll_seq2seq import midi_io
from pianoroll_seq2seq._internal.display_hook import audio_of, html_of, sheet_music_of
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq._internal.read_only import make_read_only
from pianoroll_seq2seq._internal.render_options import RenderOptions
from pianoroll_seq2seq._internal.whole_numbers import is_whole
from pianoroll_seq2seq.errors import NoNotesError, ShapeError
from pianoroll_seq2seq.grid import SIXTEENTHS, BeatGrid, FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.meter import Meter, bar_ticks, beat_ticks
from pianoroll_seq2seq.midi_io.planes import Reading, read_placed
from pianoroll_seq2seq.musicxml import read_musicxml, write_musicxml
from pianoroll_seq2seq.part_selection import PartsOption
from pianoroll_seq2seq.parts import Part, listed, named_parts, part_columns, spanned_pitches
from pianoroll_seq2seq.pianoroll import conversions, joining
from pianoroll_seq2seq.pianoroll.columns import checked_planes, move_columns, transpose_planes
from pianoroll_seq2seq.pianoroll.conversions import RollNotes
from pianoroll_seq2seq.pianoroll.pretty_midi import pretty_midi_to_bytes, score_to_pretty_midi
from pianoroll_seq2seq.pianoroll.unchecked import FilledPlane, notes_of, roll_of_notes, with_fields, with_planes
from pianoroll_seq2seq.pitches import PIANO, PitchRange
from pianoroll_seq2seq.quantize import Planes
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap

if TYPE_CHECKING:
    import pretty_midi

    from pianoroll_seq2seq.display.audio import Audio
    from pianoroll_seq2seq.display.sheet_music import SheetMusic


@dataclass(frozen=True, eq=False)
class PianoRoll:
    """Music on a grid: rows are frames, columns are the pitches of one or several parts.

    The columns of the parts follow one another. Each part has one column for each of its pitches, lowest first.

    Args:
        active: bool of shape (frames, columns): the pitch sounds in this frame.
        onset: bool of the same shape: a note begins in this frame. So repeated notes differ from a held one.
        grid: how long a frame is.
        pitches: the pitches of a roll of one part. If there are several, the range that they span, without drums.
        tempo: the tempo from frame 0 on.
        name: the source of the roll, for messages; not compared.
        velocity: integers of the same shape: 1..127 at onsets, 0 elsewhere; None if velocities are unknown.
        parts: the parts, each with its pitches; one part without a name by default.
        meter: the time and key signatures, in ticks of the tempo map; empty if they are unknown.

    The planes are not copied: do not write to the arrays afterwards. A roll that was read from a file or a score keeps
    the notes, and fills its planes when one of them is first used.

    Raises:
        ShapeError: planes of another shape or type, an onset in a cell that is not active, or a velocity of another
            range or place.
        SettingsError: several parts of which two have the same name or one has none.

    Example:
        >>> roll = PianoRoll.from_active(np.eye(3, dtype=bool), pitches=PitchRange(60, 62))
        >>> roll
        PianoRoll(3 frames x 3 pitches C4..D4, 3 notes, BeatGrid(frames_per_beat=4))
        >>> (roll[:1] + roll[1:]) == roll
        True
        >>> duet = PianoRoll.stack({"melody": roll, "bass": roll})
        >>> duet.part_names, duet["bass"] == roll.renamed("bass"), duet.columns("bass")
        (('melody', 'bass'), True, slice(3, 6, None))
    """

    active: Bool[np.ndarray, "frames columns"]
    onset: Bool[np.ndarray, "frames columns"]
    grid: FrameGrid = SIXTEENTHS
    pitches: PitchRange = PIANO
    tempo: TempoMap = field(default_factory=TempoMap)
    name: str = ""
    velocity: UInt8[np.ndarray, "frames columns"] | None = field(default_factory=lambda: None)
    parts: tuple[Part, ...] = ()
    meter: Meter = Meter()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        """Validates the planes and makes them read-only."""
        label = self.name or "PianoRoll"
        parts = named_parts(self.parts, self.pitches, owner=label)
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "pitches", spanned_pitches(parts))
        planes = checked_planes(Planes(self.active, self.onset, self.velocity), parts, label)
        for plane_name, plane in zip(Planes._fields, planes, strict=True):
            object.__setattr__(self, plane_name, plane)

    # -------------------------------------------------------------------------------------- from other forms of music

    @classmethod
    def from_active(
        cls,
        active: Bool[np.ndarray, "frames columns"],
        *,
        grid: FrameGrid = SIXTEENTHS,
        pitches: PitchRange = PIANO,
        tempo: TempoMap | None = None,
        before: Bool[np.ndarray, " columns"] | None = None,
        name: str = "",
        parts: Iterable[Part] = (),
    ) -> "PianoRoll":
        """A roll from the active plane alone: each note has its onset where the pitch begins to sound.

        Args:
            active: bool of shape (frames, columns).
            grid: how long a frame is.
            pitches: the pitches of the columns of a roll of one part.
            tempo: the tempo from frame 0 on; 120 BPM by default.
            before: the frame before the first, bool of shape (columns,); its pitches continue without an onset.
            name: for messages.
            parts: the parts, each with its pitches; one part without a name by default.
        """
        active = np.asarray(active)
        onset = conversions.onsets_of_active(active, before)
        return cls(active, onset, grid, pitches, tempo or TempoMap(), name, parts=tuple(parts))

    @classmethod
    def silent(
        cls,
        num_frames: int,
        *,
        grid: FrameGrid = SIXTEENTHS,
        pitches: PitchRange = PIANO,
        tempo: TempoMap | None = None,
        parts: Iterable[Part] = (),
    ) -> "PianoRoll":
        """A roll without notes: a primer for generating from scratch.

        Args:
            num_frames: how many frames.
            grid: how long a frame is.
            pitches: the pitches of the columns of a roll of one part.
            tempo: the tempo from frame 0 on; 120 BPM by default.
            parts: the parts, each with its pitches, such as ``model.layout.parts``; one without a name by default.
        """
        parts = tuple(parts)
        num_columns = sum(len(part.pitches) for part in parts) if parts else len(pitches)
        active = np.zeros((num_frames, num_columns), dtype=bool)
        return cls.from_active(active, grid=grid, pitches=pitches, tempo=tempo, parts=parts)

    @classmethod
    def from_frames(
        cls,
        frames: np.ndarray,
        layout: FrameLayout,
        *,
        tempo: TempoMap | None = None,
        before: Bool[np.ndarray, " columns"] | None = None,
        name: str = "",
    ) -> "PianoRoll":
        """A roll from the frames that a model reads or writes; the inverse of :meth:`to_frames`.

        It restores a roll in which every note that begins has an onset; with an onset plane, missing ones are added.

        Args:
            frames: bool of shape (num_frames, layout.frame_size); uint8 if the layout has a velocity plane.
            layout: what the columns mean. Without an onset plane the notes are those of :meth:`from_active`.
            tempo: the tempo from frame 0 on; 120 BPM by default.
            before: the active plane's frame before the first, bool of shape (columns,); its pitches continue
                without an onset. Of no effect if the layout has an onset plane.
            name: for messages.

        Raises:
            ShapeError: frames of another type or size, or an onset in a cell that is not active.
        """
        planes = conversions.frames_to_planes(np.asarray(frames), layout, before)
        return cls(
            planes.active,
            planes.onset,
            layout.grid,
            tempo=tempo or TempoMap(),
            name=name,
            velocity=planes.velocity,
            parts=layout.parts,
        )

    @classmethod
    def from_score(
        cls,
        score: Score,
        *,
        grid: FrameGrid = SIXTEENTHS,
        pitches: PitchRange | Mapping[str, PitchRange] = PIANO,
        drums: bool | None = None,
        parts: PartsOption = None,
        velocity: bool = True,
        outside: Literal["error", "drop"] = "error",
        limits: Limits = DEFAULT_LIMITS,
    ) -> "PianoRoll":
        """Rasterizes a score, with the silence before its first note and, if it has an end, after its last.

        Args:
            score: the notes and their tempo.
            grid: how long a frame is.
            pitches: the pitches to keep, of all parts or of each by its name.
            drums: whether to keep drums (channel 10). By default they are dropped from a roll of one part, and kept as
                parts of their own if ``parts`` is given; a part with pitched notes and drums has its drums only if it
                is true.
            parts: the parts of the roll, as for :meth:`from_midi`.
            velocity: whether the roll gets a velocity plane.
            outside: what to do with notes outside ``pitches``: raise an error, or drop them.
            limits: how large the roll may be.

        Raises:
            NoNotesError: no notes.
            PitchRangeError: notes outside the range and ``outside="error"``, or all notes outside it.
            LimitError: more frames or cells than the limits allow.
            SettingsError: unknown value of ``outside`` or ``parts``, or selections that overlap.
            MidiError: a part that the score does not have.
        """
        score = score.on_grid(grid)
        notes, roll_parts = conversions.place_score(
            score,
            grid=grid,
            pitches=pitches,
            drums=drums,
            parts=parts,
            velocity=velocity,
            outside=outside,
            limits=limits,
        )
        return roll_of_notes(cls, notes, roll_parts, grid=grid, tempo=score.tempo, name=score.name, meter=score.meter)

    @classmethod
    def from_midi(
        cls,
        path: midi_io.MidiSource,
        *,
        grid: FrameGrid = SIXTEENTHS,
        pitches: PitchRange | Mapping[str, PitchRange] = PIANO,
        outside: Literal["error", "drop"] = "error",
        **reading: Unpack[Reading],
    ) -> "PianoRoll":
        """Reads a MIDI file: :func:`~pianoroll_seq2seq.midi_io.read_midi`, then :meth:`from_score`.

        By default all notes are in one part. ``parts="tracks"`` gives the roll a part for each track, channel and
        program that has notes, drums included. ``parts=["MELODY", "PIANO"]`` takes two tracks by their names, and
        ``parts={"melody": "MELODY", "bass": {"program": 33}, "kit": {"drums": True}}`` names parts and selects their
        notes as :meth:`Score.select` does. Several tracks that match are one part, without their drums unless
        ``drums=True``. ``parts=layout.parts`` gives the roll the parts of a layout, found by their names, or else in
        their order; drums are found among drums.

        Args:
            path: a path, the bytes of a file, or a file opened in binary mode.
            grid: how long a frame is.
            pitches: the pitches to keep, of all parts or of each by its name.
            outside: what to do with notes outside ``pitches``: raise an error, or drop them.
            **reading: ``parts``, ``velocity`` and ``drums`` (see :meth:`from_score`), ``track``, ``program`` and
                ``channel`` (see :meth:`Score.select`), ``on_damage``, ``limits`` and the policies of
                :func:`~pianoroll_seq2seq.midi_io.read_midi`.

        Raises:
            MidiError, NoNotesError, PitchRangeError, LimitError, SettingsError: as those two do.
        """
        read = read_placed(path, grid=grid, pitches=pitches, outside=outside, **reading)
        return roll_of_notes(cls, read.notes, read.parts, grid=grid, tempo=read.tempo, name=read.name, meter=read.meter)

    @classmethod
    def from_musicxml(
        cls,
        path: midi_io.MidiSource,
        *,
        grid: FrameGrid = SIXTEENTHS,
        pitches: PitchRange | Mapping[str, PitchRange] = PIANO,
        drums: bool | None = None,
        parts: PartsOption = None,
        velocity: bool = True,
        outside: Literal["error", "drop"] = "error",
        unpitched: Literal["error", "drop"] = "error",
        limits: Limits = DEFAULT_LIMITS,
    ) -> "PianoRoll":
        """Reads a MusicXML file: :func:`~pianoroll_seq2seq.musicxml.read_musicxml`, then :meth:`from_score`.

        Args:
            path: the file (``.musicxml``, ``.xml``, ``.mxl``), its bytes, or a file opened in binary mode.
            grid: how long a frame is.
            pitches: the pitches to keep, of all parts or of each by its name.
            drums: whether to keep drums, as for :meth:`from_score`.
            parts: the parts of the roll, as for :meth:`from_midi`; ``"tracks"`` are the parts of the file.
            velocity: whether the roll gets a velocity plane.
            outside: what to do with notes outside ``pitches``: raise an error, or drop them.
            unpitched: what to do with unpitched notes whose drum is unknown: raise an error, or drop them.
            limits: how large the file and the roll may be.

        Raises:
            MusicXMLError: a file that is not MusicXML, or is cut or damaged.
            MidiError, NoNotesError, PitchRangeError, LimitError, SettingsError: as those two do.
        """
        return cls.from_score(
            read_musicxml(path, unpitched=unpitched, limits=limits),
            grid=grid,
            pitches=pitches,
            drums=drums,
            parts=parts,
            velocity=velocity,
            outside=outside,
            limits=limits,
        )

    @staticmethod
    def stack(rolls: "Mapping[str, PianoRoll] | Iterable[PianoRoll]") -> "PianoRoll":
        """Rolls that sound together, as the parts of one roll.

        If some of them have velocities, the notes of the others get the median of those.

        Args:
            rolls: rolls of one part by the names that the parts get, or rolls whose parts have names. All have one
                grid, tempo and length.

        Raises:
            ShapeError: no rolls, or rolls of different lengths.
            GridError: rolls of different grids or tempo maps.
            SettingsError: parts without a name or with the same name.

        Example:
            >>> melody = PianoRoll.from_active(np.eye(3, dtype=bool), pitches=PitchRange(60, 62))
            >>> roll = PianoRoll.stack({"melody": melody, "bass": PianoRoll.silent(3, pitches=PitchRange(36, 59))})
            >>> roll.part_names, roll.active.shape
            (('melody', 'bass'), (3, 27))
        """
        return joining.stack(rolls)

    @classmethod
    def from_pretty_midi(
        cls,
        midi: "pretty_midi.PrettyMIDI",
        *,
        grid: FrameGrid = SIXTEENTHS,
        pitches: PitchRange | Mapping[str, PitchRange] = PIANO,
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
        """The notes as columns ``onset_frame``, ``end_frame``, ``pitch`` (MIDI), ``part`` and ``velocity``.

        They are ordered by part, then by pitch, then by frame.

        Example:
            >>> roll = PianoRoll.from_active(np.ones((4, 1), dtype=bool), pitches=PitchRange(60, 60))
            >>> notes = roll.notes()
            >>> notes.onset_frame, notes.end_frame, notes.pitch
            (array([0]), array([4]), array([60]))
        """
        return conversions.roll_notes(self._planes, self.parts)

    def note_starts(self) -> Bool[np.ndarray, "frames columns"]:
        """The onset plane, with the onsets that the active plane implies.

        A pitch that begins to sound within the roll has an onset there. A pitch that sounds in the first frame has one
        only if the onset plane has: otherwise the note began before the roll.
        """
        return conversions.note_starts(self.active, self.onset)

    def to_frames(self, layout: FrameLayout) -> np.ndarray:
        """The frames that a model reads.

        Args:
            layout: what the columns mean; its grid and parts must be the roll's. Its onset plane is filled with
                :meth:`note_starts`. In its velocity plane, notes that begin there without a known velocity get the
                median of the others.

        Returns:
            bool of shape (num_frames, layout.frame_size); uint8 if the layout has a velocity plane.

        Raises:
            GridError: the roll is on another grid.
            PitchRangeError: the roll has other parts or pitches.
            ShapeError: the layout has a velocity plane, but the roll has none.

        Example:
            >>> roll = PianoRoll.from_active(np.eye(3, dtype=bool), pitches=PitchRange(60, 62))
            >>> layout = FrameLayout.of(roll, onsets=True)
            >>> PianoRoll.from_frames(roll.to_frames(layout), layout) == roll
            True
        """
        label = repr(self.name) if self.name else "The roll"
        layout.check(self, label)
        return conversions.planes_to_frames(self._planes, layout, label)

    def to_score(self, *, velocity: int | None = None, program: int | None = None) -> Score:
        """The notes in ticks of the roll's tempo map, part by part.

        Args:
            velocity: of all notes, 1..127. By default their own; of notes whose velocity is unknown the median of the
                others, or 100.
            program: General MIDI program of all parts but drums, 0..127 (0 is a grand piano); their own by default.

        Raises:
            GridError: the tempo map's ticks are too coarse for the grid.
            MidiError: a velocity or a program out of range.
        """
        return conversions.notes_to_score(
            self.notes(),
            self.parts,
            num_frames=len(self),
            grid=self.grid,
            tempo=self.tempo,
            velocity=velocity,
            program=program,
            name=self.name,
            meter=self.meter,
        )

    def to_midi(
        self,
        path: str | os.PathLike[str],
        *,
        velocity: int | None = None,
        program: int | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Writes a MIDI file, from which :meth:`from_midi` reads the same roll, silence at the end included.

        Each part is a track, with its name and program; drums are on channel 10. ``parts="tracks"`` reads the parts
        again, except those without notes. A pitch that sounds in the first frame without an onset becomes a note that
        begins there.

        Args:
            path: the file to write; missing folders are made.
            velocity: of all notes, as for :meth:`to_score`.
            program: General MIDI program of all parts, as for :meth:`to_score`.
            overwrite: whether an existing file may be replaced.

        Raises:
            OverwriteError: the file exists and ``overwrite`` is false.
            GridError: the tempo map's ticks are too coarse for the grid.
        """
        return midi_io.write_midi(self.to_score(velocity=velocity, program=program), path, overwrite=overwrite)

    def to_musicxml(
        self,
        path: str | os.PathLike[str],
        *,
        velocity: int | None = None,
        program: int | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Writes a MusicXML file for notation programs, from which :meth:`from_musicxml` reads the same roll.

        Bars are those of the time signatures; of 4/4 if there are none. Tempo changes and signatures after the end of
        the roll are left out.

        Args:
            path: the file to write; missing folders are made.
            velocity: of all notes, as for :meth:`to_score`.
            program: General MIDI program of all parts, as for :meth:`to_score`.
            overwrite: whether an existing file may be replaced.

        Raises:
            OverwriteError: the file exists and ``overwrite`` is false.
            MusicXMLError: times for which notation has no values; a grid in beats has none such.
            GridError: the tempo map's ticks are too coarse for the grid.
        """
        return write_musicxml(self.to_score(velocity=velocity, program=program), path, overwrite=overwrite)

    def to_sheet_music(self, *, grid: BeatGrid | None = None, one_page: bool = False) -> "SheetMusic":
        """Engraves the roll; arguments as of :func:`~pianoroll_seq2seq.display.sheet_music.to_sheet_music`."""
        return sheet_music_of(self, grid=grid, one_page=one_page)

    def to_pretty_midi(self, *, velocity: int | None = None, program: int | None = None) -> "pretty_midi.PrettyMIDI":
        """As a ``PrettyMIDI`` object, by way of a MIDI file in memory; a text event marks the end of silence."""
        return score_to_pretty_midi(self.to_score(velocity=velocity, program=program))

    def to_audio(
        self, *, velocity: int | None = None, program: int | None = None, **options: Unpack[RenderOptions]
    ) -> "Audio":
        """Renders the roll as sound; arguments as of :func:`~pianoroll_seq2seq.display.audio.to_audio`."""
        return audio_of(self, velocity=velocity, program=program, **options)

    def to_wav(
        self,
        path: str | os.PathLike[str],
        *,
        velocity: int | None = None,
        program: int | None = None,
        overwrite: bool = False,
        **options: Unpack[RenderOptions],
    ) -> Path:
        """Writes a sound file. The ending of its name chooses the format: ``.wav``, ``.flac`` or ``.ogg``.

        Args:
            path: the file to write; missing folders are made.
            velocity: of all notes, as for :meth:`to_score`.
            program: General MIDI program of all parts, as for :meth:`to_score`.
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
        notes = notes_of(self)
        return len(self.active) if notes is None else notes.num_frames

    @property
    def seconds(self) -> float:
        """The length of the roll, in seconds."""
        return float(self.grid.seconds_at(np.array([len(self)]), self.tempo)[0])

    def bar_frames(self) -> Int64[np.ndarray, " bars"]:
        """The grid lines nearest to the beginnings of bars; bars are of 4/4 if the time signature is unknown."""
        return self._lines_at(bar_ticks)

    def beat_frames(self) -> Int64[np.ndarray, " beats"]:
        """The grid lines nearest to the beats of the time signature, or to quarter notes if it is unknown."""
        return self._lines_at(beat_ticks)

    def _lines_at(self, ticks_of: Callable[..., np.ndarray]) -> np.ndarray:
        end = int(self.grid.ticks_at(np.array([len(self)]), self.tempo)[0])
        ticks = ticks_of(self.meter, ticks_per_beat=self.tempo.ticks_per_beat, num_ticks=end)
        lines: np.ndarray = np.unique(self.grid.lines_at(ticks, self.tempo))
        return lines[lines < len(self)]

    @property
    def part_names(self) -> tuple[str, ...]:
        """The names of the parts."""
        return tuple(part.name for part in self.parts)

    @property
    def plane_size(self) -> int:
        """The number of columns, which are the pitches of all parts."""
        return sum(len(part.pitches) for part in self.parts)

    def columns(self, part: str) -> slice:
        """The columns of a part.

        Raises:
            SettingsError: no part of this name.
        """
        return part_columns(self.parts, part, owner=self.name or "The roll")

    def __getitem__(self, key: "slice | str | list[str]") -> "PianoRoll":
        """Consecutive frames, as ``roll[8:16]``; one part, as ``roll["melody"]``; or several, as a list of names.

        A note that is cut in two continues without a second onset. Tempo changes keep their place to the nearest tick.

        Raises:
            TypeError: none of these, or a slice with a step.
            SettingsError: no part of this name.
        """
        if isinstance(key, (str, list)):
            return joining.with_parts(self, [key] if isinstance(key, str) else key)
        if not isinstance(key, slice) or key.step not in (None, 1):  # type: ignore[redundant-expr]
            raise TypeError(
                f"A roll is sliced by frames, as roll[8:16], or by part, as roll['melody']; got roll[{key!r}]."
            )
        start, stop, _ = key.indices(len(self))
        tick = int(self.grid.ticks_at(np.array([start]), self.tempo)[0])
        return with_planes(
            self,
            self._planes.map(lambda plane: plane[start:stop]),
            tempo=self.tempo.from_tick(tick),
            meter=self.meter.from_tick(tick, ticks_per_beat=self.tempo.ticks_per_beat),
        )

    def __add__(self, following: "PianoRoll") -> "PianoRoll":
        """One roll after the other: see :func:`~pianoroll_seq2seq.pianoroll.concatenate`."""
        if not isinstance(following, PianoRoll):
            return NotImplemented
        return joining.concatenate([self, following])

    # ----------------------------------------------------------------------------------------- parts and velocities

    def merged(self, *, drums: bool = False) -> "PianoRoll":
        """All parts in one: a pitch sounds, or begins, if it does so in any part; the louder velocity counts.

        A roll of one part is returned as it is.

        Args:
            drums: whether drums are kept, as pitches.

        Raises:
            NoNotesError: the roll has only drums, and ``drums`` is false.
        """
        return self if len(self.parts) == 1 else joining.merged(self, drums=drums)

    def with_velocity(self, velocity: int | None) -> "PianoRoll":
        """The same notes with one velocity.

        Args:
            velocity: of all notes, 1..127; None for unknown velocities.

        Raises:
            ShapeError: a velocity out of range.
        """
        if velocity is None:
            return with_planes(self, self._planes._replace(velocity=None))
        if not is_whole(velocity) or not 1 <= velocity <= 127:
            raise ShapeError(f"Velocities are 1..127, got {velocity!r}.")
        return with_planes(self, self._planes._replace(velocity=self.onset * np.uint8(velocity)))

    # -------------------------------------------------------------------------------------------------------- pitches

    def transpose(self, semitones: int) -> "PianoRoll":
        """All notes higher (or lower, below zero) by a number of semitones, in the same pitch ranges.

        Drums stay as they are.

        Raises:
            PitchRangeError: notes would leave the range of their part.
        """
        planes = transpose_planes(self._planes, self.parts, semitones, self.name or "The roll")
        return with_planes(self, planes, meter=self.meter.transpose(semitones))

    def with_pitches(self, pitches: PitchRange | Mapping[str, PitchRange]) -> "PianoRoll":
        """The same notes with the columns of other pitch ranges, such as those of a model.

        Args:
            pitches: the range of all parts but drums, or of each by its name; other parts keep theirs.

        Raises:
            PitchRangeError: notes outside the range of their part.
            SettingsError: no part of this name.
        """
        ranges = (
            pitches
            if isinstance(pitches, Mapping)
            else {part.name: pitches for part in self.parts if not part.drums or len(self.parts) == 1}
        )
        for name in ranges:
            self.columns(name)
        parts = tuple(replace(part, pitches=ranges.get(part.name, part.pitches)) for part in self.parts)
        planes = move_columns(self._planes, self.parts, parts, self.name or "The roll")
        return with_planes(self, planes, parts)

    def sounding_range(self) -> tuple[int, int]:
        """The lowest and the highest MIDI pitch that sounds, drums included.

        Raises:
            NoNotesError: the roll has no notes.
        """
        sounding = FrameLayout.of(self, onsets=False).column_pitches()[self.active.any(axis=0)]
        if not len(sounding):
            raise NoNotesError(f"{self.name or 'The roll'}: no notes.")
        return int(sounding.min()), int(sounding.max())

    # -------------------------------------------------------------------------------------------- name, equality, repr

    def renamed(self, name: str) -> "PianoRoll":
        """The same music under another name."""
        return with_fields(self, name=name)

    def __eq__(self, other: object) -> bool:
        """Equal when planes, grid, parts and tempo are.

        Velocities are compared if both rolls have them, and so are the time and key signatures. The names of the rolls
        are not compared, nor are name and program of a single part. So it is not transitive: a roll without velocities
        equals the same notes with any.
        """
        if not isinstance(other, PianoRoll):
            return NotImplemented
        one_each = len(self.parts) == len(other.parts) == 1 and self.parts[0].drums == other.parts[0].drums
        parts = one_each or self.parts == other.parts
        velocities = self.velocity is not None and other.velocity is not None
        meters = bool(self.meter) and bool(other.meter)
        return (
            parts
            and (self.grid, self.pitches, self.tempo) == (other.grid, other.pitches, other.tempo)
            and np.array_equal(self.active, other.active)
            and np.array_equal(self.onset, other.onset)
            and (not velocities or np.array_equal(self.velocity, other.velocity))  # type: ignore[arg-type]
            and (not meters or self.meter == other.meter)
        )

    __hash__: ClassVar[None] = None  # type: ignore[assignment]
    __setstate__ = make_read_only

    def __getstate__(self) -> dict[str, object]:
        """A copy of the fields: another thread may fill the planes while they are written."""
        return dict(self.__dict__)

    def __repr__(self) -> str:
        """Size, parts or pitch range, and number of notes; not the planes."""
        count = len(self.notes().pitch)
        columns = f"{self.plane_size} pitches "
        if len(self.parts) > 1:
            columns += f"in {len(self.parts)} parts {listed(self.part_names)}"
        else:
            columns += f"{self.pitches.name_of(0)}..{self.pitches.name_of(len(self.pitches) - 1)}"
        name = f"{self.name!r}, " if self.name else ""
        velocities = "" if self.velocity is None else " with velocities"
        return f"PianoRoll({name}{len(self)} frames x {columns}, {count} notes{velocities}, {self.grid})"

    def _repr_html_(self) -> str:
        return html_of(self)

    @property
    def _planes(self) -> Planes:
        return joining.planes_of(self)


for _plane in Planes._fields:  # here, since a dataclass takes attributes of its body for default values
    setattr(PianoRoll, _plane, FilledPlane(_plane))
