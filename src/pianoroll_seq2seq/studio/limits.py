"""How much may be asked of a studio."""

from dataclasses import dataclass, fields

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.serving.requests import RequestLimits

_REQUEST = RequestLimits(request_bytes=2**18, primer_notes=4_000, frames=50_000, highest_temperature=5.0)


@dataclass(frozen=True)
class StudioLimits:
    """Bounds on requests to a studio; past them it refuses.

    Args:
        request: bounds on one request.
        piece_seconds: how long a piece may last, its primer included.
        primer_beats: how much of a MIDI file is taken as a primer at most.
        at_once: how many pieces may be written at a time, one for each open page.
        kept: how many pieces are kept for downloads; the oldest go first.

    Raises:
        SettingsError: a bound below 1.
    """

    request: RequestLimits = _REQUEST
    piece_seconds: int = 600
    primer_beats: int = 64
    at_once: int = 4
    kept: int = 16

    def __post_init__(self) -> None:
        """Checks the bounds."""
        for bound in fields(self):
            if bound.name != "request" and getattr(self, bound.name) < 1:
                raise SettingsError(f"StudioLimits.{bound.name} must be at least 1, got {getattr(self, bound.name)}.")
