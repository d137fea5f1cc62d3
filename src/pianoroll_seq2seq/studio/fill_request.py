"""The page's request to write a part of its piece, parsed from JSON and checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pianoroll_seq2seq.data.conditions import pitch_class_vector
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.given import Given, bars_of
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.sampling import Draw, Sampler, ScaleConstrained
from pianoroll_seq2seq.sampling.arranging import given_to_vary
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.serving.fields import integer_field, number_field, object_field, shown
from pianoroll_seq2seq.serving.requests import parse_json
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.pieces import Piece, PieceNote, parse_piece
from pianoroll_seq2seq.studio.regions import Region, region_of
from pianoroll_seq2seq.studio.rolls import (
    PieceRoll,
    check_chords,
    given_notes,
    given_notes_mask,
    note_frames,
    piece_roll,
)
from pianoroll_seq2seq.studio.tasks import TASKS, Task, abilities, model_parts, reads_scale

_REQUIRED = ("model", "piece", "task")
_OPTIONAL = ("bars", "parts", "beats", "takes", "temperature", "scale", "seed", "strength")
_MAX_SEED = 2**63 - 1
_DEFAULT_STRENGTH = 0.5


@dataclass(frozen=True)
class FillRequest:
    """A valid request to write a part of a piece.

    Attributes:
        trained: the model that writes it.
        piece: the piece.
        placed: the part of the model that each part of the piece is; None for parts that it does not read.
        region: what of the piece is written.
        notes: the notes that the model reads.
        section: the piece around the region, in the model's layout.
        given: what of the section is given, for each take.
        sampler: chooses each frame.
        seed: equal requests with equal seeds give equal takes.
        condition: the condition of every frame, (12,), or None.
        ends: whether the music ends with the section.
    """

    trained: TrainedModel
    piece: Piece
    placed: tuple[int | None, ...]
    region: Region
    notes: tuple[PieceNote, ...]
    section: PieceRoll
    given: tuple[Given, ...]
    sampler: Sampler
    seed: int
    condition: np.ndarray | None
    ends: bool

    def notes_by_onset(self) -> dict[tuple[int, int, int], tuple[int, PieceNote]]:
        """The notes that the model reads, with their end frames, by onset frame, part of the model and pitch."""
        frames = note_frames(self.notes, self.section)
        return {
            (onset, self.placed[note.part] or 0, note.pitch): (end, note)
            for (onset, end), note in zip(frames, self.notes, strict=True)
        }


def parse_fill_request(raw: bytes, models: Mapping[str, TrainedModel], limits: StudioLimits) -> FillRequest:
    """Parses and checks a request.

    Args:
        raw: a JSON object with ``model``, ``piece`` (:func:`~pianoroll_seq2seq.studio.pieces.parse_piece`) and
            ``task``: ``"continue"``, ``"fill"``, ``"harmonize"`` or ``"vary"``. It may have ``bars``, the first and the
            last one that are written, counted from 1; ``parts``, the parts that are written, by index; ``beats``, how
            many are written to continue; ``takes``; ``temperature``; ``scale``, a list of pitch classes; ``seed``; and
            ``strength``, above 0 and at most 1: the probability that a beat of a part is varied.
        models: the models by name.
        limits: bounds on the request.

    Raises:
        RequestError: unknown, missing or invalid fields, or a piece with which the model cannot do the task.
    """
    fields = object_field(parse_json(raw, limits.request), "request", (*_REQUIRED, *_OPTIONAL), required=_REQUIRED)
    trained = model_named(fields["model"], models)
    task = _task(fields["task"], trained)
    takes = integer_field(fields.get("takes", 1), "takes", lowest=1, highest=limits.max_takes)
    seed = integer_field(fields.get("seed", 0), "seed", lowest=0, highest=_MAX_SEED)
    strength = _strength(fields.get("strength"), task)
    sampler, condition = _sampler(fields, trained, limits)
    piece = parse_piece(fields["piece"], limits)
    placed = model_parts(trained, piece.parts)
    region = region_of(task, piece, placed, fields, most_beats=limits.most_beats(piece.beats_per_minute))
    notes = given_notes(piece, placed, region)
    whole = piece_roll(notes, piece, placed, region, trained)
    section = whole.section()
    here = slice(section.first_frame, section.first_frame + len(section.roll))
    masks = [
        _given(region, whole, placed, trained, strength=strength, seed=seed + take).mask(whole.roll)[here]
        | given_notes_mask(notes, placed, region, section)
        for take in range(takes)
    ]
    _check_work(piece, region, section, takes, limits)
    for mask in masks:
        check_chords(section.roll, mask, section.beats(), piece, trained)
    return FillRequest(
        trained=trained,
        piece=piece,
        placed=tuple(placed),
        region=region,
        notes=tuple(notes),
        section=section,
        given=tuple(Given.cells(mask) for mask in masks),
        sampler=sampler,
        seed=seed,
        condition=condition,
        ends=task != "continue" or not notes,
    )


def model_named(name: object, models: Mapping[str, TrainedModel]) -> TrainedModel:
    """An open model.

    Raises:
        RequestError: there is none of this name.
    """
    if not isinstance(name, str) or name not in models:
        raise RequestError(422, "model", f"{shown(name)} is not open. Open models: {', '.join(models)}.")
    return models[name]


def _task(value: object, trained: TrainedModel) -> Task:
    task = next((task for task in TASKS if task == value), None)
    if task is None:
        raise RequestError(422, "task", f"must be one of {', '.join(TASKS)}, got {shown(value)}.")
    problem = abilities(trained)[task]
    if problem is not None:
        raise RequestError(422, "task", problem)
    return task


def _strength(value: object, task: Task) -> float:
    if value is None:
        return _DEFAULT_STRENGTH
    if task != "vary":
        raise RequestError(422, "strength", "is for variations only. Leave it out.")
    strength = number_field(value, "strength", lowest=0, highest=1)
    if not 1 - strength < 1:
        raise RequestError(422, "strength", "must be above 0.")
    return strength


def _sampler(
    fields: Mapping[str, object], trained: TrainedModel, limits: StudioLimits
) -> tuple[Sampler, np.ndarray | None]:
    """The sampler, and the condition of a model that reads a scale."""
    bounds = limits.request
    temperature = number_field(
        fields.get("temperature", 1.0), "temperature", lowest=bounds.min_temperature, highest=bounds.max_temperature
    )
    scale, sampler = _scale(fields.get("scale")), Draw(temperature)
    if reads_scale(trained):
        if scale is None:
            raise RequestError(422, "scale", f"{trained.name} needs a scale. Choose one.")
        return sampler, pitch_class_vector(scale)
    return (sampler if scale is None else ScaleConstrained(sampler, scale, trained.layout)), None


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


def _given(
    region: Region,
    whole: PieceRoll,
    placed: list[int | None],
    trained: TrainedModel,
    *,
    strength: float,
    seed: int,
) -> Given:
    """What is given of the roll of a piece."""
    if region.bars is None:
        return Given.before(whole.begin)
    names = None
    if len(trained.parts) > 1:
        names = [trained.parts[placed[index] or 0].name for index in region.parts]
    if region.task == "vary":
        return given_to_vary(whole.roll, region.bars, parts=names, keep=1 - strength, seed=seed)
    written = bars_of(region.bars)
    return ~(written if names is None else written & Given.parts(*names))


def _check_work(piece: Piece, region: Region, section: PieceRoll, takes: int, limits: StudioLimits) -> None:
    """Refuses much music at once: the work grows with the frames that are read times those that are written."""
    if takes * (section.end - section.begin) * len(section.roll) > limits.request.max_frame_pairs:
        bars = f"{math.ceil((region.end - region.begin) / piece.beats_per_bar)} bars"
        asked = f"{takes} takes of {bars}" if takes > 1 else bars
        raise RequestError(413, "bars", f"{asked} are too many at once. Ask for fewer bars or takes.")
