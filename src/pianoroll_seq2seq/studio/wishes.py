"""What the page asks for: how a primer shall be continued, read from its JSON and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pianoroll_seq2seq.conditions import pitch_class_vector
from pianoroll_seq2seq.errors import LimitError, SettingsError
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling import InScale, Sampler
from pianoroll_seq2seq.serving.requests import RequestError, parse_json, parse_request
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.primers import LEAST_BPM, MOST_BPM, roll_of, tempo_of
from pianoroll_seq2seq.tempo import TempoMap
from pianoroll_seq2seq.trained import TrainedModel

PITCH_CLASSES = 12
"""A model that hears conditions of this size is taken to be told the pitch classes of a scale."""


@dataclass(frozen=True)
class Wish:
    """A continuation that can be written.

    Attributes:
        trained: the model that writes it.
        primer: what the model hears first, on its grid and of its pitches.
        frames: how many frames to write.
        sampler: chooses each frame.
        seed: equal wishes with equal seeds are granted alike.
        condition: what the model is told of every frame, (12,), or None for nothing.
    """

    trained: TrainedModel
    primer: PianoRoll
    frames: int
    sampler: Sampler
    seed: int
    condition: np.ndarray | None


def parse_wish(raw: bytes, models: Mapping[str, TrainedModel], limits: StudioLimits) -> Wish:
    """Checks what the page asks for.

    Args:
        raw: a JSON object with ``model``, ``primer_notes`` (each with ``pitch``, ``start_beat``, ``duration_beats``),
            ``beats_per_minute``, ``length`` (``{"beats": 16}`` or ``{"seconds": 8}``), ``sampler`` and ``seed`` as a
            :class:`~pianoroll_seq2seq.serving.Service` takes them, and ``scale``, a list of pitch classes or null.
        models: the models there are, by name.
        limits: how much may be asked for.

    Raises:
        RequestError: anything that is not as it should be.
    """
    fields = parse_json(raw, limits.request)
    if not isinstance(fields, dict):
        raise RequestError(400, "request", "must be a JSON object.")
    if "primer_midi" in fields:
        raise RequestError(400, "primer_midi", "a file is turned into notes by /primer first; send primer_notes.")
    trained = _model(fields.pop("model", None), models)
    tempo = tempo_of(
        trained.grid, _number(fields.pop("beats_per_minute", None), "beats_per_minute", LEAST_BPM, MOST_BPM)
    )
    frames = _frames(fields.pop("length", None), trained, tempo, limits)
    scale = _scale(fields.pop("scale", None))
    asked = parse_request(fields | {"frames": frames}, limits.request, unit="beat")
    assert not isinstance(asked.primer, bytes)  # refused above
    try:
        primer = roll_of(asked.primer, trained, tempo, limits)
    except LimitError as error:
        raise RequestError(413, "primer_notes", f"too long a primer ({error}).") from error
    sampler, condition = asked.sampler, None
    if scale is not None and trained.condition_size == PITCH_CLASSES:
        condition = pitch_class_vector(scale)
    elif scale is not None:
        sampler = InScale(sampler, scale, trained.pitches)
    seconds = float(trained.grid.seconds_at(np.array([len(primer) + frames]), tempo)[0])
    if seconds > limits.piece_seconds:
        problem = f"the piece would last {seconds:.0f} seconds with its primer, of at most {limits.piece_seconds}."
        raise RequestError(413, "length", problem)
    return Wish(trained, primer, frames, sampler, asked.seed, condition)


def _model(name: object, models: Mapping[str, TrainedModel]) -> TrainedModel:
    if not isinstance(name, str) or name not in models:
        raise RequestError(422, "model", f"{name!r:.80} is not open here. There is {', '.join(models)}.")
    return models[name]


def _frames(length: object, trained: TrainedModel, tempo: TempoMap, limits: StudioLimits) -> int:
    """The frames of a length in beats or seconds, at least one."""
    if not isinstance(length, dict) or len(length) != 1 or not length.keys() <= {"beats", "seconds"}:
        raise RequestError(400, "length", 'must be {"beats": ...} or {"seconds": ...}.')
    ((unit, value),) = length.items()
    beats_a_second = 1_000_000 / tempo.us_per_beat_at(0)
    most = limits.piece_seconds * (beats_a_second if unit == "beats" else 1)
    number = _number(value, f"length.{unit}", 0, most)
    beats = number if unit == "beats" else number * beats_a_second
    tick = np.array([round(beats * tempo.ticks_per_beat)])
    return max(int(trained.grid.lines_at(tick, tempo)[0]), 1)


def _scale(value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value or not all(type(one) is int for one in value):
        raise RequestError(400, "scale", "must be a list of pitch classes, 0 for C to 11 for B, or null.")
    try:
        pitch_class_vector(value)
    except SettingsError as error:
        raise RequestError(422, "scale", str(error)) from error
    return tuple(sorted(set(value)))


def _number(value: Any, place: str, lowest: float, highest: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RequestError(400, place, "must be a number.")
    if not lowest <= value <= highest:
        raise RequestError(422, place, f"must lie in {lowest:g}..{highest:g}, got {value:.6g}.")
    return float(value)
