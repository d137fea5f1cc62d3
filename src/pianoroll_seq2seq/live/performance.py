"""A conversation in time: what the player's messages and the clock lead to."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import mido
import numpy as np

from pianoroll_seq2seq.live.clock import FrameClock
from pianoroll_seq2seq.live.keys import Keys, nearest_line
from pianoroll_seq2seq.live.part_keys import PartKeys
from pianoroll_seq2seq.live.settings import FrameCounts, LiveSettings
from pianoroll_seq2seq.live.turns import Begin, Conversation, Turn
from pianoroll_seq2seq.live.voices import Voices, click, is_played
from pianoroll_seq2seq.live.writer import AnswerWriter, Written

_VELOCITY = 80  # of an answer to notes whose velocities are unknown
_LATE_SECONDS = 0.01


@dataclass
class Timing:
    """How far behind their lines the frames of answers were played.

    Args:
        num_answers: how many answers began.
        behind: seconds behind its line, of each frame that was played.
        model: seconds that the model took for each frame.
        model_cpu: CPU time in seconds that it took for each.
        frame_seconds: length of a frame.
    """

    frame_seconds: float
    num_answers: int = 0
    behind: list[float] = field(default_factory=list)
    model: list[float] = field(default_factory=list)
    model_cpu: list[float] = field(default_factory=list)

    @property
    def num_late(self) -> int:
        """How many frames were played more than 10 ms behind their lines."""
        return sum(behind > _LATE_SECONDS for behind in self.behind)


class Performance:
    """Player and model in turns, at times that the caller passes.

    Args:
        part: the part that the player plays.
        settings: the turns.
        counts: the settings in frames.
        writer: writes the answers.
        do: calls a method of the writer, now or in its thread.
        send: sends a message to the output.
        now: the present time in seconds.
        say: is called with lines for the player.
    """

    def __init__(
        self,
        part: PartKeys,
        settings: LiveSettings,
        counts: FrameCounts,
        writer: AnswerWriter,
        *,
        do: Callable[[Callable[[], None]], None],
        send: Callable[[mido.Message], None],
        now: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        """The clock begins now, or without a metronome with the first note."""
        self._part, self._settings, self._counts, self._writer = part, settings, counts, writer
        self._do, self._send, self._now, self._say = do, send, now, say
        self.conversation: Conversation = Conversation(
            bar=counts.bar, beat=counts.beat, pause=counts.pause, answer=counts.answer
        )
        self.timing: Timing = Timing(counts.seconds)
        self._clock = FrameClock(counts.seconds, now())
        self._keys = Keys()
        self._voices = Voices(part.trained.layout)
        self._velocities: list[int] = []
        self._velocity = _VELOCITY
        self._frames: dict[int, np.ndarray] = {}  # of the answer, by their numbers
        self._is_waiting = False  # for a frame that is late
        self._next_click = 0
        self._has_left_out = False

    def begin(self) -> None:
        """Sends the programs of the parts."""
        for message in self._voices.programs():
            self._send(message)

    def receive(self, message: mido.Message, seconds: float) -> None:
        """A message of the player that came at a time in seconds."""
        if not is_played(message):
            return
        pressed = message.type == "note_on" and message.velocity > 0
        if pressed:
            self._press(message.note, message.velocity, seconds)
        elif message.type in ("note_on", "note_off"):
            self._keys.release(message.note, self._clock.position(seconds))
        if self._settings.through:
            self._send(self._voices.through(message))

    def deliver(self, written: Written) -> None:
        """A frame of an answer was written."""
        if written.answer != self.timing.num_answers or self.conversation.turn is not Turn.MODEL:
            return
        self.timing.model.append(written.seconds)
        self.timing.model_cpu.append(written.cpu_seconds)
        self._frames[written.index] = written.frame
        if written.index == self.conversation.num_played:
            self._is_waiting = False

    @property
    def due(self) -> float | None:
        """The time in seconds of what comes next, None if that is a message of the player or of the writer."""
        conversation, clock = self.conversation, self._clock
        times = []
        if conversation.turn is Turn.PLAYER:
            times.append(clock.seconds(conversation.line + 0.5))  # later keys belong to the next frame
        elif conversation.turn is Turn.MODEL and not self._is_waiting:
            times.append(clock.seconds(conversation.line))
        if self._settings.metronome:
            times.append(clock.seconds(self._next_click))
        return min(times, default=None)

    def at_due(self) -> None:
        """What is due now."""
        due = self.due
        if due is None:
            return
        if self._settings.metronome and due == self._clock.seconds(self._next_click):
            for message in click(downbeat=self._next_click % self._counts.bar == 0):
                self._send(message)
            self._next_click += self._counts.beat
        elif self.conversation.turn is Turn.PLAYER:
            self._close()
        else:
            self._play()

    def stop(self) -> None:
        """Ends all notes."""
        for message in self._voices.panic():
            self._send(message)

    def _press(self, pitch: int, velocity: int, seconds: float) -> None:
        conversation = self.conversation
        if not self._settings.metronome and conversation.is_idle(self._clock.position(seconds)):
            self._clock = FrameClock(self._counts.seconds, seconds)
            conversation.restart()
        if conversation.turn is Turn.MODEL:
            self._end_notes()
        position = self._clock.position(seconds)
        event = conversation.press(nearest_line(position))
        if event is not None:
            self._keys.begin(conversation.line)
            self._velocities.clear()
            self._is_waiting = False
            if isinstance(event, Begin):
                self._do(partial(self._writer.align, event.position))
            else:
                self._do(partial(self._writer.interrupt, event.keep, event.position))
        self._keys.press(pitch, velocity, position)
        self._velocities.append(velocity)
        if not self._part.is_read(pitch) and not self._has_left_out:
            self._has_left_out = True
            pitches = self._part.part.pitches
            self._say(
                f"The model does not read notes outside {pitches.name_of(0)} to {pitches.name_of(len(pitches) - 1)}."
            )

    def _close(self) -> None:
        """A frame of the player ends."""
        conversation = self.conversation
        keys = self._keys.frame(conversation.line)
        self._do(partial(self._writer.read, self._part.frame(keys)))
        answer = conversation.close(sounding=bool(keys.sounding))
        if answer is None:
            return
        self._velocity = round(statistics.median(self._velocities))
        self._frames.clear()
        self.timing.num_answers += 1
        self._do(partial(self._writer.answer, self.timing.num_answers, answer.num_frames, answer.drop))

    def _play(self) -> None:
        """A line of the answer."""
        conversation = self.conversation
        if conversation.is_answered:
            self._end_notes()
            conversation.end()
            self._do(self._writer.rest)
            return
        frame = self._frames.pop(conversation.num_played, None)
        if frame is None:
            self._is_waiting = True
            return
        messages = self._voices.frame(frame, velocity=self._velocity)
        for message in messages:
            self._send(message)
        self.timing.behind.append(self._now() - self._clock.seconds(conversation.line))
        conversation.play()
        self._do(partial(self._writer.played, conversation.num_played))

    def _end_notes(self) -> None:
        for message in self._voices.stop():
            self._send(message)
