"""The service itself: hears a primer, and answers with how it goes on."""

import base64
import math
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pianoroll_seq2seq.errors import (
    GridError,
    LimitError,
    MidiError,
    NoNotesError,
    PitchRangeError,
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.grid import BeatGrid, FrameGrid, SecondsGrid
from pianoroll_seq2seq.limits import Limits
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.models.base import SequenceModel
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Continues, generate
from pianoroll_seq2seq.score import NoteTable, Score
from pianoroll_seq2seq.serving.requests import (
    Note,
    RequestError,
    RequestLimits,
    note_fields,
    parse_json,
    parse_request,
)
from pianoroll_seq2seq.tempo import DEFAULT_US_PER_BEAT, MAX_TICK, TempoMap
from pianoroll_seq2seq.trained import open_model

_BEATS_A_SECOND = 1_000_000 // DEFAULT_US_PER_BEAT
_FINE_TICKS = 10_000  # in a beat; 50 microseconds each, so that a frame of 20 ms is 400


class Service:
    """A model that goes on from the music it is sent.

    A request is a JSON object:

    - ``primer_midi``, a MIDI file in base64, or ``primer_notes``, a list of notes such as ``{"pitch": 60,
      "start_beat": 0, "duration_beats": 1}``; where the model's frames are counted in seconds, ``start_second`` and
      ``duration_seconds``. All notes must lie in the model's pitch range.
    - ``frames``: how many frames to write.
    - ``sampler``: ``{"kind": "draw", "temperature": 1.0}`` (the default) or ``{"kind": "threshold", "threshold":
      0.1}``.
    - ``seed``: equal requests with equal seeds get equal answers; 0 by default.
    - ``condition``: for a model that hears conditions, what it is told of all frames, a list of numbers.

    The answer holds what follows the primer, without it: ``midi`` (a file in base64), ``notes`` (as in a request),
    ``frames`` and ``seed``. Many threads may ask at once.

    Args:
        model: a trained model; it is put into evaluation mode.
        grid: the grid that it was trained on.
        pitches: the pitches that it was trained on.
        limits: how much one request may ask for.
        onsets: whether it was trained on windows with ``onsets=True``.
        condition_size: numbers that it was told of every frame, 0 for none.

    Raises:
        ShapeError: the model does not know so many pitches.
    """

    def __init__(
        self,
        model: Continues,
        *,
        grid: FrameGrid,
        pitches: PitchRange,
        limits: RequestLimits = RequestLimits(),
        onsets: bool = False,
        condition_size: int = 0,
    ) -> None:
        """Tries the model once, so that one that does not fit is found out now."""
        if isinstance(model, SequenceModel):
            model.train(False)
        self.model = model
        self.grid = grid
        self.pitches = pitches
        self.limits = limits
        self.onsets = onsets
        self.condition_size = condition_size
        self._unit = "second" if isinstance(grid, SecondsGrid) else "beat"
        one_note = PianoRoll.from_active(np.eye(1, len(pitches), dtype=bool), grid=grid, pitches=pitches)
        try:
            nothing = np.zeros(condition_size, np.float32) if condition_size else None
            generate(model, one_note, frames=1, onsets=onsets, condition=nothing)
        except (RuntimeError, ValueError, IndexError) as error:
            raise ShapeError(f"The model does not go on from a roll of {len(pitches)} pitches ({error}).") from error

    def answer_json(self, raw: str | bytes) -> dict[str, Any]:
        """:meth:`answer` to a request that is still JSON.

        Raises:
            RequestError: too large, no JSON, or as :meth:`answer` does.
        """
        return self.answer(parse_json(raw, self.limits))

    def answer(self, request: object) -> dict[str, Any]:
        """Answers a request (see the class).

        Args:
            request: a mapping, as JSON gives it.

        Raises:
            RequestError: something is wrong with the request; its ``status`` says of what kind, its text of what.
        """
        asked = parse_request(request, self.limits, unit=self._unit, condition_size=self.condition_size)
        primer = self._from_midi(asked.primer) if isinstance(asked.primer, bytes) else self._from_notes(asked.primer)
        told = None if asked.condition is None else np.array(asked.condition, np.float32)
        try:
            music = generate(
                self.model,
                primer,
                frames=asked.frames,
                sampler=asked.sampler,
                seed=asked.seed,
                onsets=self.onsets,
                condition=told,
            )
        except SettingsError as error:
            raise RequestError(
                422, "condition", f"missing, and this model has not learned to do without ({error})."
            ) from error
        try:
            midi = to_midi_bytes(music.to_score())
        except GridError as error:
            raise RequestError(422, "primer_midi", f"its ticks are too coarse for {self.grid} ({error}).") from error
        return {
            "midi": base64.b64encode(midi).decode("ascii"),
            "notes": self._notes(music),
            "frames": asked.frames,
            "seed": asked.seed,
        }

    def _from_midi(self, data: bytes) -> PianoRoll:
        field = "primer_midi"
        try:
            roll = PianoRoll.from_midi(data, grid=self.grid, pitches=self.pitches, limits=self._roll_limits())
        except LimitError as error:
            raise self._too_long(field) from error
        except (NoNotesError, PitchRangeError) as error:
            raise self._unusable(field, error) from error
        except MidiError as error:
            raise RequestError(400, field, f"not a MIDI file that can be read ({error}).") from error
        return roll.renamed("")

    def _from_notes(self, notes: Sequence[Note]) -> PianoRoll:
        field = "primer_notes"
        tempo = self._tempo()
        ticks_a_unit = tempo.ticks_per_beat * (_BEATS_A_SECOND if self._unit == "second" else 1)
        for index, note in enumerate(notes):
            if not self.pitches.lowest <= note.pitch <= self.pitches.highest:
                problem = f"must lie in the model's {self.pitches.lowest}..{self.pitches.highest}, got {note.pitch}."
                raise RequestError(422, f"{field}[{index}].pitch", problem)
            if (note.start + note.duration) * ticks_a_unit > MAX_TICK:
                raise self._too_long(field)
        onsets = [math.floor(note.start * ticks_a_unit + 0.5) for note in notes]
        ends = [math.floor((note.start + note.duration) * ticks_a_unit + 0.5) for note in notes]
        pitch = [note.pitch for note in notes]
        table = NoteTable(onsets, ends, pitch, [100] * len(notes), [0] * len(notes))
        try:
            return PianoRoll.from_score(
                Score(table, tempo), grid=self.grid, pitches=self.pitches, limits=self._roll_limits()
            )
        except LimitError as error:
            raise self._too_long(field) from error

    def _tempo(self) -> TempoMap:
        """120 beats a minute, in ticks that the grid's lines fall on."""
        if isinstance(self.grid, BeatGrid):
            return TempoMap(self.grid.frames_per_beat * max(480 // self.grid.frames_per_beat, 1))
        return TempoMap(_FINE_TICKS)

    def _roll_limits(self) -> Limits:
        frames = self.limits.primer_frames
        return Limits(file_bytes=self.limits.midi_bytes, frames=frames, cells=frames * len(self.pitches))

    def _too_long(self, field: str) -> RequestError:
        frames = self.limits.primer_frames
        return RequestError(413, field, f"over {frames} frames of {self.grid}. Send the last part of the music only.")

    def _unusable(self, field: str, error: Exception) -> RequestError:
        if isinstance(error, PitchRangeError):
            lowest, highest = self.pitches.lowest, self.pitches.highest
            problem = f"notes lie outside the model's pitches {lowest}..{highest}. Transpose them, or leave them out."
            return RequestError(422, field, problem)
        return RequestError(422, field, "no notes to go on from (drums do not count).")

    def _notes(self, music: PianoRoll) -> list[dict[str, int | float]]:
        """The notes as a request would give them, in order of their starts."""
        onset_frame, end_frame, column = music.notes()
        starts, ends = self._places(onset_frame, music), self._places(end_frame, music)
        start_name, duration_name = note_fields(self._unit)
        order = np.lexsort((column, onset_frame))
        return [
            {
                "pitch": int(column[index]) + self.pitches.lowest,
                start_name: float(starts[index]),
                duration_name: float(ends[index] - starts[index]),
            }
            for index in order
        ]

    def _places(self, lines: np.ndarray, music: PianoRoll) -> np.ndarray:
        """Grid lines in beats or seconds."""
        if self._unit == "second":
            return self.grid.seconds_at(lines, music.tempo)
        if isinstance(self.grid, BeatGrid):
            return lines / self.grid.frames_per_beat
        return self.grid.ticks_at(lines, music.tempo) / music.tempo.ticks_per_beat


def load_service(
    path: str | os.PathLike[str], *, limits: RequestLimits = RequestLimits(), classes: Iterable[type] = ()
) -> Service:
    """A service of a trained model, with the grid and pitches that it was trained on.

    Args:
        path: as :func:`~pianoroll_seq2seq.trained.open_model` has it: a checkpoint, such as the
            ``best.safetensors`` of a run, the run's folder, or the name of a model that comes with the library.
        limits: how much one request may ask for.
        classes: models, heads and grids of your own that it may be built of.

    Raises:
        CheckpointNotFoundError: no file there.
        CheckpointError: not a checkpoint, or one that does not say what grid and pitches its model knows.
        ShapeError: the model does not fit these pitches.

    Example:
        >>> service = load_service("bach-chorales")
        >>> note = {"pitch": 60, "start_beat": 0, "duration_beats": 1}
        >>> answer = service.answer({"primer_notes": [note], "frames": 8})
        >>> sorted(answer)[:2]
        ['frames', 'midi']
    """
    trained = open_model(path, classes=classes)
    return Service(
        trained.model,
        grid=trained.grid,
        pitches=trained.pitches,
        limits=limits,
        onsets=trained.onsets,
        condition_size=trained.condition_size,
    )
