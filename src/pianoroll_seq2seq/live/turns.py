"""Whose turn it is: the conversation of player and model, without time and without devices."""

from dataclasses import dataclass
from enum import Enum


class Turn(Enum):
    """Whose turn it is."""

    NOBODY = "nobody"
    PLAYER = "player"
    MODEL = "model"


@dataclass(frozen=True)
class Begin:
    """The player begins a phrase, so many frames after a bar line."""

    position: int


@dataclass(frozen=True)
class Interrupt:
    """The player interrupts the answer.

    Args:
        keep: how many frames of the answer have sounded.
        position: how many frames after a bar line the player begins.
    """

    keep: int
    position: int


@dataclass(frozen=True)
class Answer:
    """The model answers from a line on.

    Args:
        line: the line of its first frame.
        num_frames: how many frames it plays.
        drop: how many of the latest frames it does not read: whole bars of the player's silence.
    """

    line: int
    num_frames: int
    drop: int


class Conversation:
    """The turns of player and model, by lines of frames.

    Args:
        bar: frames in a bar.
        beat: frames in a beat. An answer that is as long as the player's phrase is rounded up to beats.
        pause: frames of silence that end the player's turn.
        answer: frames of an answer; None for as many as the player played.

    Example:
        >>> conversation = Conversation(bar=4, beat=1, pause=2, answer=None)
        >>> conversation.press(8)
        Begin(position=0)
        >>> [conversation.close(sounding=sounding) for sounding in (True, False, False)]
        [None, None, Answer(line=11, num_frames=1, drop=0)]
        >>> conversation.turn
        <Turn.MODEL: 'model'>
    """

    def __init__(self, *, bar: int, beat: int, pause: int, answer: int | None) -> None:
        """Starts in nobody's turn."""
        self.turn: Turn = Turn.NOBODY
        self.line: int = 0
        """The line of the next frame of the present turn; of nobody's turn, the end of the one before."""
        self._bar, self._beat, self._pause, self._answer_frames = bar, beat, pause, answer
        self._begin = 0
        self._end = 0
        self._silent = 0
        self._has_begun = False

    def is_idle(self, position: float) -> bool:
        """Whether nobody has played for a bar, so that the next note may be the beginning of a bar."""
        return self.turn is Turn.NOBODY and (not self._has_begun or position >= self.line + self._bar)

    def restart(self) -> None:
        """The lines count anew from 0, where nobody plays."""
        self.line = 0

    def press(self, line: int) -> Begin | Interrupt | None:
        """The player presses a key, whose note begins at a line."""
        if self.turn is Turn.PLAYER:
            return None
        event: Begin | Interrupt = Begin(line % self._bar)
        if self.turn is Turn.MODEL:
            line = max(line, self._begin)
            event = Interrupt(min(line, self.line) - self._begin, line % self._bar)
        self.turn, self.line, self._begin, self._silent, self._has_begun = Turn.PLAYER, line, line, 0, True
        return event

    def close(self, *, sounding: bool) -> Answer | None:
        """A frame of the player's turn has ended; ``sounding`` says whether a key sounds in it."""
        self.line += 1
        self._silent = 0 if sounding else self._silent + 1
        if self._silent < self._pause:
            return None
        num_frames = self._answer_frames or self._rounded_up(self.line - self._begin - self._silent)
        self.turn, self._begin, self._end = Turn.MODEL, self.line, self.line + num_frames
        return Answer(self.line, num_frames, self._pause // self._bar * self._bar)

    @property
    def is_answered(self) -> bool:
        """Whether all frames of the answer have been played. The last one sounds until the next line."""
        return self.turn is Turn.MODEL and self.line == self._end

    @property
    def num_played(self) -> int:
        """Frames of the answer that have been played."""
        return self.line - self._begin

    def play(self) -> None:
        """A frame of the answer is played."""
        self.line += 1

    def end(self) -> None:
        """The answer has ended."""
        self.turn = Turn.NOBODY

    def _rounded_up(self, num_frames: int) -> int:
        return -(-num_frames // self._beat) * self._beat
