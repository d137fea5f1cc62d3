"""The service: takes a primer and answers with its continuation, or fills a piece."""

import base64
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from pianoroll_seq2seq.errors import (
    GridError,
    LimitError,
    MidiError,
    ModelInUseError,
    NoNotesError,
    PitchRangeError,
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.given import Given
from pianoroll_seq2seq.grid import SecondsGrid, beats_at
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.midi_io import read_midi, to_midi_bytes
from pianoroll_seq2seq.models.contract import FillingModel, SequenceModel, choose_layout
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pianoroll.conversions import DEFAULT_VELOCITY
from pianoroll_seq2seq.pretrained.opening import open_model
from pianoroll_seq2seq.pretrained.pieces import piece_of_score
from pianoroll_seq2seq.sampling import AutoregressiveModel, fill, generate
from pianoroll_seq2seq.sampling.model_conditions import extended
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.serving.limits import RequestLimits
from pianoroll_seq2seq.serving.primers import (
    check_frame_pairs,
    primer_too_long,
    roll_from_notes,
    roll_limits,
    ticks_per_beat_for,
)
from pianoroll_seq2seq.serving.requests import PrimerNote, Request, note_fields, parse_json, parse_request
from pianoroll_seq2seq.tempo import DEFAULT_US_PER_BEAT, TempoMap

_BEATS_PER_SECOND = 1_000_000 // DEFAULT_US_PER_BEAT


class Service:
    """A model that continues the music in requests, or fills it.

    A request is a JSON object:

    - ``primer_midi``, a MIDI file in base64, or ``primer_notes``, a list of notes such as ``{"pitch": 60,
      "start_beat": 0, "duration_beats": 1}``. If the model's frames are counted in seconds, the fields are
      ``start_second`` and ``duration_seconds``. All notes must be in the model's pitch range. A note may have a
      ``velocity``, 1..127, and needs the name of its ``part`` if the model has several; the tracks of a MIDI file are
      found by these names, or taken in their order.
    - ``num_frames``: the number of frames to generate.
    - ``sampler``: ``{"kind": "draw", "temperature": 1.0}`` (the default) or ``{"kind": "threshold", "threshold":
      0.1}``.
    - ``seed``: equal requests with equal seeds get equal answers; 0 by default.
    - ``condition``: for a conditional model, the condition of all frames, a list of numbers.

    If the model fills (:func:`~pianoroll_seq2seq.sampling.fill`), a request may have ``given`` instead of a primer:
    ``{"parts": ["soprano"]}`` for the names of given parts, ``{"outside_bars": [5, 8]}`` for all parts outside some
    bars, numbered as in a score, or both; ``{}`` for nothing. The piece is then ``piece_midi`` or ``piece_notes``, and
    ``num_frames``, its length, may be left out. Of a MIDI file in which no track has the name of a part, a single track
    is the only given part.

    The answer has the continuation without the primer, or the whole filled piece: ``midi`` (a file in base64),
    ``notes`` (as in a request), ``num_frames`` and ``seed``. A service may be used from many threads at once.

    Args:
        model: a trained model; it is put into evaluation mode.
        layout: the frame layout that it was trained with.
        limits: bounds on one request.
        condition_size: numbers in the condition of a frame, 0 for a model without conditions.

    Raises:
        GridError, PitchRangeError: the model has another layout.
        ShapeError: the model has other planes, or cannot generate frames of this layout.
        ModelInUseError: ``fit`` trains the model in another thread.
    """

    def __init__(
        self,
        model: AutoregressiveModel,
        layout: FrameLayout,
        *,
        limits: RequestLimits = RequestLimits(),
        condition_size: int = 0,
    ) -> None:
        """Generates one frame, so that a model that does not fit the layout is found at once."""
        self.model = model
        self.layout = layout
        self.limits = limits
        self.condition_size = condition_size
        self._unit = "second" if isinstance(layout.grid, SecondsGrid) else "beat"
        choose_layout(model, layout)
        one_note = np.eye(1, layout.plane_size, dtype=bool)
        primer = PianoRoll.from_active(one_note, grid=layout.grid, parts=layout.parts).with_velocity(DEFAULT_VELOCITY)
        condition = np.zeros(condition_size, np.float32) if condition_size else None
        try:
            generate(model, primer, num_frames=1, condition=condition, layout=layout)
        except ModelInUseError:
            raise
        except (RuntimeError, ValueError, IndexError) as error:
            raise ShapeError(
                f"The model cannot generate frames of {layout} ({error}). Give the layout that it was trained with."
            ) from error
        if isinstance(model, SequenceModel):  # after generating, which is refused while fit trains the model
            model.train(False)

    def answer_json(self, raw: str | bytes) -> dict[str, Any]:
        """Answers a request in JSON; see :meth:`answer`.

        Raises:
            RequestError: too large, not JSON, or as :meth:`answer`.
        """
        return self.answer(parse_json(raw, self.limits))

    def answer(self, request: object) -> dict[str, Any]:
        """Answers a request (see the class).

        Args:
            request: the parsed JSON.

        Raises:
            RequestError: an invalid request. Its ``status`` gives the kind of problem, its message the details.
        """
        fills = isinstance(self.model, FillingModel)
        parsed = parse_request(request, self.limits, unit=self._unit, condition_size=self.condition_size, fills=fills)
        options: dict[str, Any] = {
            "sampler": parsed.sampler,
            "seed": parsed.seed,
            "condition": None if parsed.condition is None else np.array(parsed.condition, np.float32),
            "layout": self.layout,
        }
        try:
            music = self._continue(parsed, options) if parsed.given is None else self._fill(parsed, options)
        except SettingsError as error:
            raise RequestError(422, "condition", f"missing, and this model needs one ({error}).") from error
        try:
            midi = to_midi_bytes(music.to_score())
        except GridError as error:
            problem = f"its ticks are too coarse for {self.layout.grid} ({error})."
            raise RequestError(422, "primer_midi" if parsed.given is None else "piece_midi", problem) from error
        return {
            "midi": base64.b64encode(midi).decode("ascii"),
            "notes": self._note_objects(music),
            "num_frames": len(music),
            "seed": parsed.seed,
        }

    def _continue(self, parsed: Request, options: dict[str, Any]) -> PianoRoll:
        """The continuation of a primer."""
        assert parsed.num_frames is not None
        primer = self._read(parsed, "primer")
        check_frame_pairs(primer, parsed.num_frames, self.limits)
        return generate(self.model, primer, num_frames=parsed.num_frames, **options)

    def _fill(self, parsed: Request, options: dict[str, Any]) -> PianoRoll:
        """A piece with what is not given of it."""
        assert parsed.given is not None
        piece = self._read(parsed, "piece")
        if parsed.num_frames is not None:
            if parsed.num_frames < len(piece):
                problem = f"{parsed.num_frames}, but the piece has {len(piece)} frames. Leave it out, or cut the piece."
                raise RequestError(422, "num_frames", problem)
            piece = extended(piece, parsed.num_frames - len(piece))
        if len(piece) > self.limits.max_num_frames:
            problem = f"a piece of {len(piece)} frames; the limit is {self.limits.max_num_frames} frames a request."
            raise RequestError(413, "num_frames" if parsed.num_frames else "piece", problem)
        check_frame_pairs(piece, len(piece), self.limits)
        try:
            given = Given.cells(parsed.given.expression().mask(piece))
        except SettingsError as error:
            raise RequestError(422, "given", str(error)) from error
        return fill(self.model, piece, given, **options)

    def _read(self, parsed: Request, of: str) -> PianoRoll:
        """The primer or the piece of a request."""
        if not isinstance(parsed.music, bytes):
            return self._read_notes(parsed.music, f"{of}_notes")
        names = () if parsed.given is None else parsed.given.parts
        return self._read_midi(parsed.music, f"{of}_midi", fills=parsed.given is not None, names=names)

    def _read_midi(self, data: bytes, field: str, *, fills: bool, names: Sequence[str]) -> PianoRoll:
        """A MIDI file in the model's layout; of a piece to fill, parts may be missing."""
        layout = self.layout
        limits = roll_limits(layout, self.limits)
        try:
            if fills:
                score = read_midi(data, limits=limits).on_grid(layout.grid)
                alone = names[0] if len(names) == 1 else None
                roll = piece_of_score(score, layout, missing="silent", alone=alone, limits=limits)
            else:
                roll = PianoRoll.from_midi(data, grid=layout.grid, parts=layout.parts, limits=limits)
        except LimitError as error:
            raise primer_too_long(field, layout.grid, self.limits) from error
        except PitchRangeError as error:
            ranges = ", ".join(
                f"{part.name} {part.pitches.lowest}..{part.pitches.highest}".strip() for part in layout.parts
            )
            problem = f"notes outside the model's range {ranges}. Transpose them, or leave them out."
            raise RequestError(422, field, problem) from error
        except NoNotesError as error:
            raise RequestError(422, field, "no notes (drums do not count).") from error
        except MidiError as error:
            raise RequestError(400, field, f"not a readable MIDI file ({error}).") from error
        return roll.renamed("")

    def _read_notes(self, notes: Sequence[PrimerNote], field: str) -> PianoRoll:
        tempo = TempoMap(ticks_per_beat_for(self.layout.grid))
        ticks_per_unit = tempo.ticks_per_beat * (_BEATS_PER_SECOND if self._unit == "second" else 1)
        return roll_from_notes(notes, self.layout, tempo, ticks_per_unit=ticks_per_unit, limits=self.limits, name=field)

    def _note_objects(self, roll: PianoRoll) -> list[dict[str, int | float | str]]:
        """The notes as ``primer_notes`` of a request, in order of their starts."""
        notes = roll.notes()
        starts, ends = self._positions(notes.onset_frame, roll), self._positions(notes.end_frame, roll)
        start_name, duration_name = note_fields(self._unit)
        objects = []
        for index in np.lexsort((notes.part, notes.pitch, notes.onset_frame)):
            note: dict[str, int | float | str] = {
                "pitch": int(notes.pitch[index]),
                start_name: float(starts[index]),
                duration_name: float(ends[index] - starts[index]),
            }
            if notes.velocity is not None and notes.velocity[index]:
                note["velocity"] = int(notes.velocity[index])
            if len(roll.parts) > 1:
                note["part"] = roll.part_names[notes.part[index]]
            objects.append(note)
        return objects

    def _positions(self, lines: Int[np.ndarray, " n"], roll: PianoRoll) -> Float64[np.ndarray, " n"]:
        """Grid lines in beats or seconds."""
        if self._unit == "second":
            return roll.grid.seconds_at(lines, roll.tempo)
        return beats_at(roll.grid, lines, roll.tempo)


def load_service(
    source: str | os.PathLike[str], *, limits: RequestLimits = RequestLimits(), classes: Iterable[type] = ()
) -> Service:
    """A service of a trained model, with the layout that it was trained with.

    Args:
        source: as for :func:`~pianoroll_seq2seq.pretrained.opening.open_model`: a checkpoint, such as the
            ``best.safetensors`` of a run, the run's folder, or the name of a model that comes with the library.
        limits: bounds on one request.
        classes: your own models, heads and grids that the checkpoint may contain.

    Raises:
        CheckpointNotFoundError: no such model.
        CheckpointError: not a checkpoint, or one without a frame layout.
        ShapeError: the model does not fit its layout.

    Example:
        >>> service = load_service("bach-chorales")
        >>> note = {"part": "soprano", "pitch": 72, "start_beat": 0, "duration_beats": 1}
        >>> answer = service.answer({"primer_notes": [note], "num_frames": 8})
        >>> sorted(answer)
        ['midi', 'notes', 'num_frames', 'seed']
    """
    trained = open_model(source, classes=classes)
    return Service(trained.model, trained.layout, limits=limits, condition_size=trained.condition_size)
