"""Bounds on the requests to a studio."""

from dataclasses import dataclass, fields

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.serving.limits import RequestLimits

_REQUEST = RequestLimits(
    max_request_bytes=2**22,
    max_midi_bytes=2**21,
    max_primer_notes=20_000,
    max_num_frames=50_000,
    max_frame_pairs=4_000_000,
    max_temperature=5.0,
)


@dataclass(frozen=True)
class StudioLimits:
    """Bounds on requests to a studio; requests past them are refused.

    Args:
        request: bounds on one request.
        max_piece_seconds: length of a piece.
        max_beats: length of a piece in beats.
        max_takes: takes of one request.
        max_jobs: requests answered by models at the same time, one for each open page.

    Raises:
        SettingsError: a bound below 1.
    """

    request: RequestLimits = _REQUEST
    max_piece_seconds: int = 600
    max_beats: int = 2_400
    max_takes: int = 4
    max_jobs: int = 4

    def most_beats(self, beats_per_minute: float) -> float:
        """The length of the longest piece of a tempo, in beats."""
        return min(self.max_beats, self.max_piece_seconds * beats_per_minute / 60)

    def __post_init__(self) -> None:
        """Validates the bounds."""
        for bound in fields(self):
            if bound.name != "request" and getattr(self, bound.name) < 1:
                raise SettingsError(f"StudioLimits.{bound.name} must be at least 1, got {getattr(self, bound.name)}.")
