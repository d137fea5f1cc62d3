"""The fields of a request, parsed from JSON and checked."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, cast

from pianoroll_seq2seq._internal import documents
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.sampling import Draw, Sampler, Threshold
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.serving.fields import integer_field, number_field, object_field, shown
from pianoroll_seq2seq.serving.limits import RequestLimits

_MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class PrimerNote:
    """A note of a primer; start and duration in units of the grid (beats or seconds)."""

    pitch: int
    start: float
    duration: float
    velocity: int | None = None
    part: str | None = None


@dataclass(frozen=True)
class Request:
    """A request that is well formed and within the limits."""

    primer: bytes | tuple[PrimerNote, ...]
    num_frames: int
    sampler: Sampler
    seed: int
    condition: tuple[float, ...] | None = None


def parse_json(raw: str | bytes, limits: RequestLimits) -> Any:
    """Parses the JSON of a request.

    Raises:
        RequestError: too many bytes, or not JSON.
    """
    size = len(raw) if isinstance(raw, bytes) else len(raw.encode("utf-8", "surrogatepass"))
    if size > limits.max_request_bytes:
        problem = f"{size} bytes; the limit is {limits.max_request_bytes}. Send a shorter primer."
        raise RequestError(413, "request", problem)
    try:
        kind = cast(type[Any], Any)
        return documents.parse_json(raw, kind, "the body", SettingsError, fix="Send one JSON object in UTF-8.")
    except SettingsError as error:
        raise RequestError(400, "request", str(error)) from error


def parse_request(request: object, limits: RequestLimits, *, unit: str, condition_size: int = 0) -> Request:
    """Checks a request, field by field.

    Args:
        request: the parsed JSON.
        limits: bounds on the request.
        unit: the unit of the notes' times, "beat" or "second".
        condition_size: numbers in the model's condition, 0 for a model without conditions.

    Raises:
        RequestError: unknown, missing or invalid fields.
    """
    allowed = {"primer_midi", "primer_notes", "num_frames", "sampler", "seed"} | (
        {"condition"} if condition_size else set()
    )
    fields = object_field(request, "request", allowed)
    given = [name for name in ("primer_midi", "primer_notes") if name in fields]
    if len(given) != 1:
        raise RequestError(
            400, "request", f"needs either primer_midi or primer_notes, got {'both' if given else 'neither'}."
        )
    primer: bytes | tuple[PrimerNote, ...]
    if given == ["primer_midi"]:
        primer = _parse_midi(fields["primer_midi"], limits)
    else:
        primer = _parse_notes(fields["primer_notes"], limits, unit)
    if "num_frames" not in fields:
        raise RequestError(400, "num_frames", "missing. Give the number of frames to generate.")
    num_frames = integer_field(fields["num_frames"], "num_frames", lowest=1)
    if num_frames > limits.max_num_frames:
        raise RequestError(413, "num_frames", f"{num_frames}; the limit is {limits.max_num_frames} frames a request.")
    seed = integer_field(fields.get("seed", 0), "seed", lowest=0, highest=_MAX_SEED)
    sampler = _parse_sampler(fields.get("sampler", {"kind": "draw"}), limits)
    condition = _parse_condition(fields["condition"], condition_size) if "condition" in fields else None
    return Request(primer, num_frames, sampler, seed, condition)


def note_fields(unit: str) -> tuple[str, str]:
    """The names of a note's start and duration fields in a unit, "beat" or "second"."""
    return f"start_{unit}", f"duration_{unit}s"


def _parse_midi(value: object, limits: RequestLimits) -> bytes:
    if not isinstance(value, str):
        raise RequestError(400, "primer_midi", f"must be a MIDI file in base64, got {shown(value)}.")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(400, "primer_midi", f"not base64 ({error}): {shown(value)}.") from error
    if len(data) > limits.max_midi_bytes:
        problem = f"a file of {len(data)} bytes; the limit is {limits.max_midi_bytes}. Send a shorter primer."
        raise RequestError(413, "primer_midi", problem)
    return data


def _parse_notes(value: object, limits: RequestLimits, unit: str) -> tuple[PrimerNote, ...]:
    if not isinstance(value, list):
        raise RequestError(400, "primer_notes", f"must be a list of notes, got {shown(value)}.")
    if not value:
        raise RequestError(422, "primer_notes", "empty. Give at least one note.")
    if len(value) > limits.max_primer_notes:
        raise RequestError(413, "primer_notes", f"{len(value)} notes; the limit is {limits.max_primer_notes}.")
    start_name, duration_name = note_fields(unit)
    names = ("pitch", start_name, duration_name)
    notes = []
    for index, item in enumerate(value):
        field = f"primer_notes[{index}]"
        fields = object_field(item, field, (*names, "velocity", "part"), required=names)
        pitch = integer_field(fields["pitch"], f"{field}.pitch", lowest=0, highest=127)
        start = number_field(fields[start_name], f"{field}.{start_name}", lowest=0)
        duration = number_field(fields[duration_name], f"{field}.{duration_name}")
        if duration <= 0:
            raise RequestError(422, f"{field}.{duration_name}", f"must be above 0, got {duration}.")
        velocity = fields.get("velocity")
        if velocity is not None:
            velocity = integer_field(velocity, f"{field}.velocity", lowest=1, highest=127)
        part = fields.get("part")
        if part is not None and not isinstance(part, str):
            raise RequestError(400, f"{field}.part", f"must be the name of a part, got {shown(part)}.")
        notes.append(PrimerNote(pitch, start, duration, velocity, part))
    return tuple(notes)


def _parse_condition(value: object, size: int) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != size:
        raise RequestError(400, "condition", f"must be a list of {size} numbers, got {shown(value)}.")
    return tuple(number_field(item, f"condition[{index}]") for index, item in enumerate(value))


def _parse_sampler(value: object, limits: RequestLimits) -> Sampler:
    kind = object_field(value, "sampler", {"kind", "temperature", "threshold"}, required=("kind",))["kind"]
    if kind == "draw":
        fields = object_field(value, "sampler", {"kind", "temperature"})
        temperature = number_field(
            fields.get("temperature", 1.0),
            "sampler.temperature",
            lowest=limits.min_temperature,
            highest=limits.max_temperature,
        )
        return Draw(temperature)
    if kind == "threshold":
        fields = object_field(value, "sampler", {"kind", "threshold"}, required=("threshold",))
        threshold = number_field(fields["threshold"], "sampler.threshold")
        if not 0 < threshold <= 1:
            raise RequestError(422, "sampler.threshold", f"must be above 0 and at most 1, got {threshold}.")
        return Threshold(threshold)
    raise RequestError(400, "sampler.kind", f'must be "draw" or "threshold", got {shown(kind)}.')
