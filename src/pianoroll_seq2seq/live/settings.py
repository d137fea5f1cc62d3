"""How player and model take turns, and the clock of their frames."""

from dataclasses import dataclass

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.sampling import Length
from pianoroll_seq2seq.tempo import TempoMap

MIN_BEATS_PER_MINUTE, MAX_BEATS_PER_MINUTE = 20, 400
_MAX_PAUSE_BEATS, _MAX_ANSWER_BEATS = 64, 1024
_MANY = 1024  # frames over which the length of one is measured


@dataclass(frozen=True)
class LiveSettings:
    """How player and model take turns.

    Args:
        beats_per_minute: the tempo, 20 to 400.
        beats_per_bar: quarter notes in a bar, at least 1.
        pause_beats: how many beats of silence end the player's turn; a bar by default, and at least a frame.
        answer_beats: how many beats the model plays; by default as many as the player did.
        part: the part of the model that the player plays; by default the first one that is no drums.
        through: whether the player's messages are sent to the output.
        metronome: whether the beats are played, on the channel of the drums.

    Raises:
        SettingsError: numbers out of range.
    """

    beats_per_minute: float = 120.0
    beats_per_bar: int = 4
    pause_beats: float | None = None
    answer_beats: float | None = None
    part: str | None = None
    through: bool = False
    metronome: bool = False

    def __post_init__(self) -> None:
        """Validates the numbers."""
        if not MIN_BEATS_PER_MINUTE <= self.beats_per_minute <= MAX_BEATS_PER_MINUTE:
            raise SettingsError(
                f"tempo must be in {MIN_BEATS_PER_MINUTE}..{MAX_BEATS_PER_MINUTE} beats per minute, got "
                f"{self.beats_per_minute}."
            )
        if not 1 <= self.beats_per_bar <= 32:
            raise SettingsError(f"beats_per_bar must be in 1..32, got {self.beats_per_bar}.")
        for name, beats, most in (
            ("pause", self.pause_beats, _MAX_PAUSE_BEATS),
            ("answer", self.answer_beats, _MAX_ANSWER_BEATS),
        ):
            if beats is not None and not 0 < beats <= most:
                raise SettingsError(f"The {name} must be above 0 and at most {most} beats, got {beats}.")


@dataclass(frozen=True)
class FrameCounts:
    """The settings in frames.

    Args:
        seconds: length of a frame.
        beat: frames in a beat.
        bar: frames in a bar.
        pause: frames of silence that end the player's turn.
        answer: frames that the model plays; None for as many as the player did.
    """

    seconds: float
    beat: int
    bar: int
    pause: int
    answer: int | None

    @classmethod
    def of(cls, settings: LiveSettings, grid: FrameGrid, tempo: TempoMap) -> "FrameCounts":
        """The settings in frames of a grid, each at least one frame."""

        def count(beats: float) -> int:
            return Length(beats=beats).in_frames(grid, tempo)

        bar = count(settings.beats_per_bar)
        return cls(
            seconds=float(grid.seconds_at(np.array([_MANY]), tempo)[0]) / _MANY,
            beat=count(1),
            bar=bar,
            pause=bar if settings.pause_beats is None else count(settings.pause_beats),
            answer=None if settings.answer_beats is None else count(settings.answer_beats),
        )
