"""A score: notes in ticks, the tempo map that converts ticks to time, and the parts."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Int64

from pianoroll_seq2seq.controllers import Controllers
from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.grid import FrameGrid, offset_in
from pianoroll_seq2seq.meter import Meter, bar_ticks, beat_ticks
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part, matching_parts
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap


@dataclass(frozen=True)
class Score:
    """The content of a MIDI file: notes in ticks, tempo, parts, time and key signatures, and controllers.

    Args:
        notes: the notes of all parts.
        tempo: the tempo map, with the ticks per beat.
        parts: the parts; ``notes.part`` are indices into them.
        name: the source of the score, for messages; not compared.
        end_tick: where the music ends, if silence follows its last note; None (also for a tick up to the end of the
            last note) if it ends with that note.
        meter: the time and key signatures; empty where they are unknown.
        controllers: pedals, volumes, pitch bends and the like; none by default (``read_midi(path,
            controllers=True)``).

    Raises:
        MidiError: a note or a controller whose part does not exist, or an end out of range.
    """

    notes: NoteTable
    tempo: TempoMap
    parts: tuple[Part, ...] = (Part(),)
    name: str = ""
    end_tick: int | None = None
    meter: Meter = field(default_factory=Meter)
    controllers: Controllers = field(default_factory=Controllers.empty)

    def __post_init__(self) -> None:
        """Validates that every note's part exists, and the end."""
        if self.end_tick is not None:
            if not _is_tick(self.end_tick):
                raise MidiError(f"Score.end_tick must be an integer in 0..{MAX_TICK}, got {self.end_tick!r}.")
            if self.end_tick <= self.notes.end_tick.max(initial=0):
                object.__setattr__(self, "end_tick", None)
        highest = int(self.notes.part.max(initial=-1))
        if highest >= len(self.parts):
            raise MidiError(f"A note belongs to part {highest}, but the score has {len(self.parts)} parts.")
        highest = int(self.controllers.part.max(initial=-1))
        if highest >= len(self.parts):
            raise MidiError(f"A controller acts on part {highest}, but the score has {len(self.parts)} parts.")

    def __eq__(self, other: object) -> bool:
        """Equal when all but the names is."""
        if not isinstance(other, Score):
            return NotImplemented
        compared = ("notes", "tempo", "parts", "end_tick", "meter", "controllers")
        return all(getattr(self, name) == getattr(other, name) for name in compared)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """The number of notes, parts and controllers, and the length; not the notes."""
        name = f"{self.name!r}, " if self.name else ""
        parts = f"{len(self.parts)} part{'s' * (len(self.parts) != 1)}"
        controllers = f"{len(self.controllers)} controllers, " if len(self.controllers) else ""
        meter = f", {self.meter}" if self.meter else ""
        seconds = f"{self.end_seconds:.1f} s"
        return f"Score({name}{len(self.notes)} notes, {parts}, {controllers}{seconds}, {self.tempo}{meter})"

    @property
    def ticks_per_beat(self) -> int:
        """Ticks in a quarter note."""
        return self.tempo.ticks_per_beat

    @property
    def num_ticks(self) -> int:
        """The length of the music: the end of its last note, or of the silence after it."""
        return int(self.notes.end_tick.max(initial=0)) if self.end_tick is None else self.end_tick

    @property
    def end_seconds(self) -> float:
        """The end of the music (:attr:`num_ticks`), in seconds."""
        return float(self.tempo.seconds(np.array([self.num_ticks]))[0])

    def bar_ticks(self) -> Int64[np.ndarray, " bars"]:
        """The ticks on which bars begin (see :func:`~pianoroll_seq2seq.meter.bar_ticks`)."""
        return bar_ticks(self.meter, ticks_per_beat=self.ticks_per_beat, num_ticks=self.num_ticks)

    def beat_ticks(self) -> Int64[np.ndarray, " beats"]:
        """The ticks on which beats begin (see :func:`~pianoroll_seq2seq.meter.beat_ticks`)."""
        return beat_ticks(self.meter, ticks_per_beat=self.ticks_per_beat, num_ticks=self.num_ticks)

    def without_drums(self) -> "Score":
        """The same score without the notes and controllers of drum parts.

        The parts stay, so that their indices stay valid.
        """
        drums = np.array([part.drums for part in self.parts], dtype=bool)
        if not drums.any():
            return self
        return replace(
            self,
            notes=self.notes.where(~drums[self.notes.part]),
            controllers=self.controllers.where(~drums[self.controllers.part]),
        )

    def select(
        self,
        *,
        track: int | str | None = None,
        program: int | None = None,
        channel: int | None = None,
        drums: bool | None = None,
    ) -> "Score":
        """The parts that match all given arguments, such as a melody or a left hand, as a score of their own.

        Args:
            track: index of a track in the file, counted from 0, or its name.
            program: General MIDI program, 0..127; drums have none.
            channel: MIDI channel, 0..15 (9 is the drums).
            drums: only drums, or no drums.

        Raises:
            MidiError: no part matches; the message lists the parts.

        Example:
            >>> notes = NoteTable([0, 0], [480, 480], [72, 48], [90, 60], [0, 1])
            >>> score = Score(notes, TempoMap(480), (Part("right", track=0), Part("left", track=1)))
            >>> score.select(track="left").notes.pitch.tolist()
            [48]
        """
        label = self.name or "The score"
        chosen = matching_parts(self.parts, track=track, program=program, channel=channel, drums=drums, label=label)
        new_index = np.full(len(self.parts), -1)
        new_index[chosen] = np.arange(len(chosen))
        notes = self.notes.where(new_index[self.notes.part] >= 0)
        renumbered = NoteTable(notes.onset_tick, notes.end_tick, notes.pitch, notes.velocity, new_index[notes.part])
        parts = tuple(self.parts[index] for index in chosen)
        return replace(self, notes=renumbered, parts=parts, controllers=self.controllers.select(chosen))

    def shift(self, ticks: int) -> "Score":
        """The same music later by a number of ticks, or earlier, below zero.

        What would come before tick 0 comes there. The time up to the first note changes; the music itself does not.

        Args:
            ticks: how many ticks later.

        Raises:
            MidiError: the music would end after the last tick.

        Example:
            >>> score = Score(NoteTable([37, 517], [480, 960], [60, 64], [90, 90], [0, 0]), TempoMap(480))
            >>> score.shift(-37).notes.onset_tick.tolist()
            [0, 480]
        """
        if ticks == 0:
            return self
        onset_tick, end_tick = (np.maximum(at + ticks, 0) for at in (self.notes.onset_tick, self.notes.end_tick))
        notes = NoteTable(onset_tick, end_tick, self.notes.pitch, self.notes.velocity, self.notes.part)
        end = None if self.end_tick is None else max(self.end_tick + ticks, 0)
        return replace(
            self,
            notes=notes,
            tempo=self.tempo.from_tick(-ticks),
            end_tick=end,
            meter=self.meter.from_tick(-ticks, ticks_per_beat=self.ticks_per_beat),
            controllers=self.controllers.shift(ticks),
        )

    def with_tempo(self, tempo: TempoMap) -> "Score":
        """The same music at the same times, in the ticks of another tempo map.

        A performance that was recorded without a metronome so gets the beats at which people, or a beat tracker, found
        them: :meth:`TempoMap.from_beats`. Everything goes to the nearest tick, signatures too: bars begin where those
        of the file did.

        Args:
            tempo: the other map.

        Raises:
            MidiError: the music would end after the last tick.

        Example:
            >>> notes = NoteTable([0, 528, 1200], [500, 1100, 1700], [60, 62, 64], [90, 80, 90], [0, 0, 0])
            >>> beats = TempoMap.from_beats([0, 0.55, 1.25])
            >>> Score(notes, TempoMap(480)).with_tempo(beats).notes.onset_tick.tolist()
            [0, 480, 960]
        """
        notes = self.notes
        onset_tick, end_tick = (self.tempo.converted(ticks, tempo) for ticks in (notes.onset_tick, notes.end_tick))
        end = None if self.end_tick is None else int(self.tempo.converted(np.array([self.end_tick]), tempo)[0])
        acting = self.controllers
        return replace(
            self,
            notes=NoteTable(onset_tick, end_tick, notes.pitch, notes.velocity, notes.part),
            tempo=tempo,
            end_tick=end,
            meter=self.meter.map_ticks(lambda ticks: self.tempo.converted(np.array(ticks), tempo).tolist()),
            controllers=Controllers(
                self.tempo.converted(acting.tick, tempo), acting.part, acting.kind, acting.number, acting.value
            ),
        )

    def on_grid(self, grid: FrameGrid) -> "Score":
        """The score without its offset from a grid with ``offset="auto"``; the same score on any other grid.

        Bar lines are on the grid, so the time signatures stay where they are.
        """
        offset = offset_in(grid, [self.notes.onset_tick], self.tempo)
        return replace(self.shift(-offset), meter=self.meter) if offset else self

    def truncate(self, seconds: float) -> "Score":
        """The notes that begin before a time, ended there at the latest. Removes stray notes long after the music.

        Silence after the last note ends there, too; none is added. Signatures and controllers from there on are left
        out.

        Args:
            seconds: the time, above 0.

        Raises:
            MidiError: a time of 0 or below.
        """
        if not seconds > 0:
            raise MidiError(f"truncate() needs a time above 0 seconds, got {seconds!r}.")
        last = int(self.tempo.time_units(np.array([MAX_TICK]))[0])
        units = min(round(min(seconds, 1e9) * 1e6) * self.ticks_per_beat, last)
        tick = int(self.tempo.nearest_ticks(np.array([units]))[0])
        notes = self.notes.where(self.notes.onset_tick < tick)
        cut = NoteTable(notes.onset_tick, np.minimum(notes.end_tick, tick), notes.pitch, notes.velocity, notes.part)
        return replace(
            self,
            notes=cut,
            end_tick=None if self.end_tick is None else min(self.end_tick, tick),
            meter=self.meter.before_tick(tick),
            controllers=self.controllers.where(self.controllers.tick < tick),
        )


def _is_tick(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and bool(0 <= int(value) <= MAX_TICK)
