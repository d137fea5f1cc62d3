"""The page's request for a continuation, parsed from JSON and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pianoroll_seq2seq.data.conditions import pitch_class_vector
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.sampling import Sampler, ScaleConstrained
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.serving.fields import number_field
from pianoroll_seq2seq.serving.primers import check_frame_pairs, roll_from_notes, ticks_per_beat_for
from pianoroll_seq2seq.serving.requests import parse_json, parse_request
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.pieces import MAX_BEATS_PER_MINUTE, MIN_BEATS_PER_MINUTE
from pianoroll_seq2seq.studio.tasks import NUM_PITCH_CLASSES
from pianoroll_seq2seq.tempo import TempoMap


@dataclass(frozen=True)
class GenerationRequest:
    """A valid request for a continuation.

    Attributes:
        trained: the model that generates it.
        primer: the primer, in the model's layout.
        num_frames: frames to generate.
        sampler: chooses each frame.
        seed: equal requests with equal seeds give equal pieces.
        condition: the condition of every frame, (12,), or None.
    """

    trained: TrainedModel
    primer: PianoRoll
    num_frames: int
    sampler: Sampler
    seed: int
    condition: np.ndarray | None


def parse_generation_request(raw: bytes, models: Mapping[str, TrainedModel], limits: StudioLimits) -> GenerationRequest:
    """Parses and checks a request.

    Args:
        raw: a JSON object with ``model``, ``primer_notes`` (each with ``pitch``, ``start_beat``, ``duration_beats``),
            ``beats_per_minute``, ``length`` (``{"beats": 16}`` or ``{"seconds": 8}``), ``sampler`` and ``seed`` as for
            a :class:`~pianoroll_seq2seq.serving.Service`, and ``scale``, a list of pitch classes or null. Notes without
            a ``part`` are in the model's first part.
        models: the models by name.
        limits: bounds on the request.

    Raises:
        RequestError: unknown, missing or invalid fields.
    """
    fields = parse_json(raw, limits.request)
    if not isinstance(fields, dict):
        raise RequestError(400, "request", "must be a JSON object.")
    if "primer_midi" in fields:
        raise RequestError(400, "primer_midi", "/primer turns a MIDI file into notes; send these as primer_notes.")
    trained = _model(fields.pop("model", None), models)
    beats_per_minute = number_field(
        fields.pop("beats_per_minute", None),
        "beats_per_minute",
        lowest=MIN_BEATS_PER_MINUTE,
        highest=MAX_BEATS_PER_MINUTE,
    )
    tempo = TempoMap.from_bpm(beats_per_minute, ticks_per_beat=ticks_per_beat_for(trained.grid))
    num_frames = _num_frames(fields.pop("length", None), trained, tempo, limits)
    scale = _scale(fields.pop("scale", None))
    parsed = parse_request(fields | {"num_frames": num_frames}, limits.request, unit="beat")
    assert not isinstance(parsed.music, bytes)  # refused above
    first = trained.layout.parts[0].name or None
    notes = [replace(note, part=note.part or first) for note in parsed.music]
    primer = roll_from_notes(notes, trained.layout, tempo, ticks_per_unit=tempo.ticks_per_beat, limits=limits.request)
    check_frame_pairs(primer, num_frames, limits.request)
    sampler, condition = parsed.sampler, None
    if scale is not None and trained.condition_size == NUM_PITCH_CLASSES:
        condition = pitch_class_vector(scale)
    elif scale is not None:
        sampler = ScaleConstrained(sampler, scale, trained.layout)
    seconds = float(trained.grid.seconds_at(np.array([len(primer) + num_frames]), tempo)[0])
    if seconds > limits.max_piece_seconds:
        problem = f"{seconds:.0f} seconds with the primer; the limit is {limits.max_piece_seconds}."
        raise RequestError(413, "length", problem)
    return GenerationRequest(trained, primer, num_frames, sampler, parsed.seed, condition)


def _model(name: object, models: Mapping[str, TrainedModel]) -> TrainedModel:
    if not isinstance(name, str) or name not in models:
        raise RequestError(422, "model", f"{name!r:.80} is not open. Open models: {', '.join(models)}.")
    return models[name]


def _num_frames(length: object, trained: TrainedModel, tempo: TempoMap, limits: StudioLimits) -> int:
    """The frames of a length in beats or seconds, at least one."""
    if not isinstance(length, dict) or len(length) != 1 or not length.keys() <= {"beats", "seconds"}:
        raise RequestError(400, "length", 'must be {"beats": ...} or {"seconds": ...}.')
    ((unit, value),) = length.items()
    beats_per_second = 1_000_000 / tempo.us_per_beat_at(0)
    beats_per_unit = 1 if unit == "beats" else beats_per_second
    longest = limits.max_piece_seconds * beats_per_second / beats_per_unit
    beats = number_field(value, f"length.{unit}", lowest=0, highest=longest) * beats_per_unit
    tick = np.array([round(beats * tempo.ticks_per_beat)])
    return max(int(trained.grid.lines_at(tick, tempo)[0]), 1)


def _scale(value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value or not all(type(pitch_class) is int for pitch_class in value):
        raise RequestError(400, "scale", "must be a list of pitch classes, 0 for C to 11 for B, or null.")
    try:
        pitch_class_vector(value)
    except SettingsError as error:
        raise RequestError(422, "scale", str(error)) from error
    return tuple(sorted(set(value)))
