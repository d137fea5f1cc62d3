"""The fields of a request, parsed from JSON and checked."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, cast

from pianoroll_seq2seq._internal import documents
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.given import Given
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
class GivenMusic:
    """What is given of a piece to fill: some parts, and all parts outside some bars."""

    parts: tuple[str, ...] = ()
    outside_bars: tuple[int, int] | None = None

    def expression(self) -> Given:
        """The same as an expression.

        Raises:
            SettingsError: bars that are not in order.
        """
        parts = Given.parts(*self.parts) if self.parts else Given.nothing()
        return parts if self.outside_bars is None else parts | Given.outside(self.outside_bars)


@dataclass(frozen=True)
class Request:
    """A request that is well formed and within the limits."""

    music: bytes | tuple[PrimerNote, ...]
    """The primer, or the piece to fill."""
    num_frames: int | None
    sampler: Sampler
    seed: int
    condition: tuple[float, ...] | None = None
    given: GivenMusic | None = None


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


def parse_request(
    request: object, limits: RequestLimits, *, unit: str, condition_size: int = 0, fills: bool = False
) -> Request:
    """Checks a request, field by field.

    Args:
        request: the parsed JSON.
        limits: bounds on the request.
        unit: the unit of the notes' times, "beat" or "second".
        condition_size: numbers in the model's condition, 0 for a model without conditions.
        fills: whether the model can fill pieces of which some music is ``given``.

    Raises:
        RequestError: unknown, missing or invalid fields.
    """
    given = _parse_given(request["given"], fills=fills) if isinstance(request, dict) and "given" in request else None
    of = "primer" if given is None else "piece"
    kinds = (f"{of}_midi", f"{of}_notes")
    optional = {"num_frames", "sampler", "seed"} | ({"condition"} if condition_size else set())
    fields = object_field(request, "request", {*kinds, *optional, *({"given"} if fills else ())})
    sent = [name for name in kinds if name in fields]
    if len(sent) != 1:
        raise RequestError(400, "request", f"needs either {' or '.join(kinds)}, got {'both' if sent else 'neither'}.")
    music: bytes | tuple[PrimerNote, ...]
    if sent == [kinds[0]]:
        music = _parse_midi(fields[kinds[0]], limits, kinds[0])
    else:
        music = _parse_notes(fields[kinds[1]], limits, unit, kinds[1])
    num_frames = None
    if "num_frames" in fields:
        num_frames = integer_field(fields["num_frames"], "num_frames", lowest=1)
    elif given is None:
        raise RequestError(400, "num_frames", "missing. Give the number of frames to generate.")
    if num_frames is not None and num_frames > limits.max_num_frames:
        raise RequestError(413, "num_frames", f"{num_frames}; the limit is {limits.max_num_frames} frames a request.")
    seed = integer_field(fields.get("seed", 0), "seed", lowest=0, highest=_MAX_SEED)
    sampler = _parse_sampler(fields.get("sampler", {"kind": "draw"}), limits)
    condition = _parse_condition(fields["condition"], condition_size) if "condition" in fields else None
    return Request(music, num_frames, sampler, seed, condition, given)


def note_fields(unit: str) -> tuple[str, str]:
    """The names of a note's start and duration fields in a unit, "beat" or "second"."""
    return f"start_{unit}", f"duration_{unit}s"


def _parse_given(value: object, *, fills: bool) -> GivenMusic:
    if not fills:
        raise RequestError(422, "given", "this model only continues a primer. Leave it out.")
    fields = object_field(value, "given", {"parts", "outside_bars"})
    parts, bars = fields.get("parts", []), fields.get("outside_bars")
    if not isinstance(parts, list) or not all(isinstance(name, str) for name in parts):
        raise RequestError(400, "given.parts", f"must be a list of names of parts, got {shown(parts)}.")
    if bars is not None and (not isinstance(bars, list) or len(bars) != 2):
        raise RequestError(400, "given.outside_bars", f"must be the first and the last bar, got {shown(bars)}.")
    if bars is None:
        return GivenMusic(tuple(parts))
    first = integer_field(bars[0], "given.outside_bars[0]", lowest=0)
    return GivenMusic(tuple(parts), (first, integer_field(bars[1], "given.outside_bars[1]", lowest=first)))


def _parse_midi(value: object, limits: RequestLimits, name: str) -> bytes:
    if not isinstance(value, str):
        raise RequestError(400, name, f"must be a MIDI file in base64, got {shown(value)}.")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(400, name, f"not base64 ({error}): {shown(value)}.") from error
    if len(data) > limits.max_midi_bytes:
        problem = f"a file of {len(data)} bytes; the limit is {limits.max_midi_bytes}. Send less music."
        raise RequestError(413, name, problem)
    return data


def _parse_notes(value: object, limits: RequestLimits, unit: str, name: str) -> tuple[PrimerNote, ...]:
    if not isinstance(value, list):
        raise RequestError(400, name, f"must be a list of notes, got {shown(value)}.")
    if not value:
        raise RequestError(422, name, "empty. Give at least one note.")
    if len(value) > limits.max_primer_notes:
        raise RequestError(413, name, f"{len(value)} notes; the limit is {limits.max_primer_notes}.")
    start_name, duration_name = note_fields(unit)
    names = ("pitch", start_name, duration_name)
    notes = []
    for index, item in enumerate(value):
        field = f"{name}[{index}]"
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
