"""Bounds on the size of one request."""

from dataclasses import dataclass, fields

from pianoroll_seq2seq.errors import SettingsError


@dataclass(frozen=True)
class RequestLimits:
    """Bounds on one request.

    The defaults allow one minute of music at 120 beats per minute and four frames a beat. Of ``bach-chorales``, which
    takes 7 to 18 ms of processor time a frame, more after long primers, no request takes more than 10 s on one core, or
    400 MB. For a larger model set lower bounds: ``max_num_frames`` is in proportion to the time.

    Args:
        max_request_bytes: size of the request's JSON, in bytes.
        max_midi_bytes: size of the primer's MIDI file, in bytes.
        max_primer_notes: notes in a primer that is a list of notes.
        max_primer_frames: frames of the primer.
        max_num_frames: frames to generate.
        max_frame_pairs: frames of the primer times frames to generate. A model may read the whole primer again for
            every block of frames that it writes, or look back at all of it for every frame.
        min_temperature: the lowest temperature of a sampler that draws.
        max_temperature: the highest temperature of a sampler that draws.

    Raises:
        SettingsError: a bound below 1, or temperatures that are not positive or not in order.
    """

    max_request_bytes: int = 2**20
    max_midi_bytes: int = 2**19
    max_primer_notes: int = 10_000
    max_primer_frames: int = 10_000
    max_num_frames: int = 500
    max_frame_pairs: int = 2_000_000
    min_temperature: float = 0.05
    max_temperature: float = 10.0

    def __post_init__(self) -> None:
        """Validates the bounds."""
        for bound in fields(self):
            if bound.name.startswith("max_") and getattr(self, bound.name) < 1 and "temperature" not in bound.name:
                raise SettingsError(f"RequestLimits.{bound.name} must be at least 1, got {getattr(self, bound.name)}.")
        if not 0 < self.min_temperature <= self.max_temperature:
            raise SettingsError(
                f"RequestLimits needs 0 < min_temperature <= max_temperature, got {self.min_temperature} and "
                f"{self.max_temperature}."
            )
