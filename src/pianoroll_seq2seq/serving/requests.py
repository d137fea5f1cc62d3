"""What a request may say, and what is told to one who says anything else."""

import base64
import binascii
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pianoroll_seq2seq.errors import PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.sampling import Draw, Sampler, Threshold

_LONGEST_SHOWN = 80
_MAX_SEED = 2**63 - 1


class RequestError(PianoRollSeq2SeqError, ValueError):
    """A request that cannot be answered.

    Args:
        status: the HTTP status that fits: 400 malformed, 413 too large, 422 well formed, but of no use.
        field: the part of the request that is wrong, such as ``primer_notes[3].pitch``.
        problem: what is wrong with it, and how to mend it.
    """

    def __init__(self, status: int, field: str, problem: str) -> None:
        """Says so."""
        super().__init__(f"{field}: {problem}")
        self.status = status
        self.field = field

    def to_json(self) -> dict[str, Any]:
        """The answer that tells of it."""
        return {"error": {"status": self.status, "field": self.field, "message": str(self)}}


@dataclass(frozen=True)
class RequestLimits:
    """How much one request may ask for; the defaults are some minutes of music.

    Args:
        request_bytes: size of the request's JSON, in bytes.
        midi_bytes: size of the primer's MIDI file, in bytes.
        primer_notes: notes in a primer that is a list of notes.
        primer_frames: frames of the primer.
        frames: frames to write.
        lowest_temperature: of a sampler that draws.
        highest_temperature: of a sampler that draws.

    Raises:
        SettingsError: a bound that lets nothing pass.
    """

    request_bytes: int = 2**20
    midi_bytes: int = 2**19
    primer_notes: int = 10_000
    primer_frames: int = 10_000
    frames: int = 10_000
    lowest_temperature: float = 0.05
    highest_temperature: float = 10.0

    def __post_init__(self) -> None:
        """Checks the bounds."""
        for name in ("request_bytes", "midi_bytes", "primer_notes", "primer_frames", "frames"):
            if getattr(self, name) < 1:
                raise SettingsError(f"RequestLimits.{name} must be at least 1, got {getattr(self, name)}.")
        if not 0 < self.lowest_temperature <= self.highest_temperature:
            raise SettingsError(
                f"RequestLimits needs 0 < lowest_temperature <= highest_temperature, got {self.lowest_temperature} and "
                f"{self.highest_temperature}."
            )


@dataclass(frozen=True)
class Note:
    """A note of a primer; start and duration in units of the grid (beats or seconds)."""

    pitch: int
    start: float
    duration: float


@dataclass(frozen=True)
class Request:
    """A request that is well formed and within the limits."""

    primer: bytes | tuple[Note, ...]
    frames: int
    sampler: Sampler
    seed: int
    condition: tuple[float, ...] | None = None


def parse_json(raw: str | bytes, limits: RequestLimits) -> Any:
    """The JSON of a request.

    Raises:
        RequestError: too many bytes, or no JSON.
    """
    size = len(raw) if isinstance(raw, bytes) else len(raw.encode("utf-8", "surrogatepass"))
    if size > limits.request_bytes:
        problem = f"{size} bytes, and at most {limits.request_bytes} are taken. Send a shorter primer."
        raise RequestError(413, "request", problem)
    try:
        return json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, "request", f"not JSON ({error}). Send one JSON object in UTF-8.") from error


def parse_request(request: object, limits: RequestLimits, *, unit: str, condition_size: int = 0) -> Request:
    """Checks a request, field by field.

    Args:
        request: what the JSON holds.
        limits: how much it may ask for.
        unit: what the grid counts in, "beat" or "second".
        condition_size: numbers that the model may be told, 0 for none.

    Raises:
        RequestError: anything that is not as it should be.
    """
    allowed = {"primer_midi", "primer_notes", "frames", "sampler", "seed"} | (
        {"condition"} if condition_size else set()
    )
    fields = _object(request, "request", allowed)
    given = [name for name in ("primer_midi", "primer_notes") if name in fields]
    if len(given) != 1:
        told = "both were given" if given else "neither was given"
        raise RequestError(400, "request", f"needs either primer_midi or primer_notes; {told}.")
    primer: bytes | tuple[Note, ...]
    if given == ["primer_midi"]:
        primer = _midi(fields["primer_midi"], limits)
    else:
        primer = _notes(fields["primer_notes"], limits, unit)
    if "frames" not in fields:
        raise RequestError(400, "frames", "missing. Say how many frames to write.")
    frames = _integer(fields["frames"], "frames", lowest=1)
    if frames > limits.frames:
        raise RequestError(413, "frames", f"{frames}, and at most {limits.frames} are written at a time.")
    seed = _integer(fields.get("seed", 0), "seed", lowest=0, highest=_MAX_SEED)
    sampler = _sampler(fields.get("sampler", {"kind": "draw"}), limits)
    condition = _condition(fields["condition"], condition_size) if "condition" in fields else None
    return Request(primer, frames, sampler, seed, condition)


def _midi(value: object, limits: RequestLimits) -> bytes:
    if not isinstance(value, str):
        raise RequestError(400, "primer_midi", f"must be a MIDI file in base64, got {_shown(value)}.")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(400, "primer_midi", f"not base64 ({error}): {_shown(value)}.") from error
    if len(data) > limits.midi_bytes:
        problem = f"a file of {len(data)} bytes, and at most {limits.midi_bytes} are taken. Send a shorter primer."
        raise RequestError(413, "primer_midi", problem)
    return data


def _notes(value: object, limits: RequestLimits, unit: str) -> tuple[Note, ...]:
    if not isinstance(value, list):
        raise RequestError(400, "primer_notes", f"must be a list of notes, got {_shown(value)}.")
    if not value:
        raise RequestError(422, "primer_notes", "no notes. Give the model something to hear.")
    if len(value) > limits.primer_notes:
        raise RequestError(413, "primer_notes", f"{len(value)} notes, and at most {limits.primer_notes} are taken.")
    start, duration = note_fields(unit)
    notes = []
    for index, one in enumerate(value):
        place = f"primer_notes[{index}]"
        fields = _object(one, place, {"pitch", start, duration}, required=("pitch", start, duration))
        note = Note(
            _integer(fields["pitch"], f"{place}.pitch", lowest=0, highest=127),
            _number(fields[start], f"{place}.{start}"),
            _number(fields[duration], f"{place}.{duration}"),
        )
        if note.start < 0:
            raise RequestError(422, f"{place}.{start}", f"must be 0 or above, got {note.start}.")
        if note.duration <= 0:
            raise RequestError(422, f"{place}.{duration}", f"must be above 0, got {note.duration}.")
        notes.append(note)
    return tuple(notes)


def _condition(value: object, size: int) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != size:
        raise RequestError(400, "condition", f"must be a list of {size} numbers, got {_shown(value)}.")
    return tuple(_number(one, f"condition[{index}]") for index, one in enumerate(value))


def note_fields(unit: str) -> tuple[str, str]:
    """What the start and the duration of a note are called where a grid counts in such units."""
    return f"start_{unit}", f"duration_{unit}s"


def _sampler(value: object, limits: RequestLimits) -> Sampler:
    kind = _object(value, "sampler", {"kind", "temperature", "threshold"}, required=("kind",))["kind"]
    if kind == "draw":
        fields = _object(value, "sampler", {"kind", "temperature"})
        temperature = _number(fields.get("temperature", 1.0), "sampler.temperature")
        lowest, highest = limits.lowest_temperature, limits.highest_temperature
        if not lowest <= temperature <= highest:
            raise RequestError(422, "sampler.temperature", f"must lie in {lowest}..{highest}, got {temperature}.")
        return Draw(temperature)
    if kind == "threshold":
        fields = _object(value, "sampler", {"kind", "threshold"}, required=("threshold",))
        threshold = _number(fields["threshold"], "sampler.threshold")
        if not 0 < threshold <= 1:
            raise RequestError(422, "sampler.threshold", f"must lie above 0 and be at most 1, got {threshold}.")
        return Threshold(threshold)
    raise RequestError(400, "sampler.kind", f'must be "draw" or "threshold", got {_shown(kind)}.')


def _object(
    value: object, place: str, allowed: Collection[str], *, required: Collection[str] = ()
) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise RequestError(400, place, f"must be a JSON object with {_listed(allowed)}, got {_shown(value)}.")
    unknown = [str(key) for key in value if key not in allowed]
    if unknown:
        raise RequestError(400, place, f"unknown: {_shown(unknown[0])}. There is {_listed(allowed)}.")
    missing = [key for key in required if key not in value]
    if missing:
        raise RequestError(400, f"{place}.{missing[0]}", "missing.")
    return value


def _integer(value: object, place: str, *, lowest: int, highest: int | None = None) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RequestError(400, place, f"must be a whole number, got {_shown(value)}.")
    if value < lowest or (highest is not None and value > highest):
        bounds = f"lie in {lowest}..{highest}" if highest is not None else f"be at least {lowest}"
        raise RequestError(422, place, f"must {bounds}, got {_shown(value)}.")
    return value


def _number(value: object, place: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RequestError(400, place, f"must be a number, got {_shown(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise RequestError(422, place, "must be a finite number.")
    return number


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def _shown(value: object) -> str:
    """A value as JSON, cut to what one cares to read."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**_LONGEST_SHOWN:
        return "a number of very many digits"
    try:
        text = json.dumps(value[:_LONGEST_SHOWN] if isinstance(value, str) else value, default=repr)
    except RecursionError:  # what can just be read can be too deep to be written from here
        return "lists or objects nested very deeply"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
