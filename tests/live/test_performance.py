"""A conversation by a clock of its own: messages in, messages out, and when."""

from collections.abc import Callable

import mido
import numpy as np
import pytest
from live_models import trained

from pianoroll_seq2seq.live.part_keys import PartKeys
from pianoroll_seq2seq.live.performance import Performance
from pianoroll_seq2seq.live.settings import FrameCounts, LiveSettings
from pianoroll_seq2seq.live.turns import Turn
from pianoroll_seq2seq.live.writer import AHEAD_FRAMES, AnswerWriter, Written
from pianoroll_seq2seq.tempo import TempoMap

FRAME = 0.125
MODEL = trained("continuing")


class Scales:
    """A model that plays a rising scale, a note a frame, and keeps what it read."""

    def __init__(self) -> None:
        self.frames: list[str] = []
        self.turns = 0
        self.rests = 0

    @property
    def length(self) -> int:
        return len(self.frames)

    def begin_turn(self) -> None:
        self.turns += 1

    def prepare(self) -> None:
        pass

    def read(self, frame: np.ndarray) -> None:
        self.frames.append("r" + "".join(str(pitch) for pitch in frame[:12].nonzero()[0]))

    def write(self) -> np.ndarray:
        pitch = sum(frame.startswith("w") for frame in self.frames) % 12
        self.frames.append(f"w{pitch}")
        return np.isin(np.arange(24), (pitch, 12 + pitch))

    def align(self, position: int) -> None:
        while (self.length - position) % 16:
            self.frames.append("s")

    def rewind(self, length: int) -> None:
        del self.frames[length:]

    def rest(self) -> None:
        self.rests += 1


class Stage:
    """A performance whose time is passed by the test."""

    def __init__(self, *, is_slow: bool = False, **given: object) -> None:
        settings = LiveSettings(**given)  # type: ignore[arg-type]
        self.now = 100.0
        self.sent: list[tuple[float, mido.Message]] = []
        self.said: list[str] = []
        self.model = Scales()
        self.delayed: list[Written] = []
        self.is_slow = is_slow
        self.writer = AnswerWriter(self.model, self.deliver)
        self.performance = Performance(
            PartKeys.of(MODEL, None),
            settings,
            FrameCounts.of(settings, MODEL.grid, TempoMap.from_bpm(settings.beats_per_minute)),
            self.writer,
            do=self.do,
            send=lambda message: self.sent.append((round((self.now - 100) / FRAME, 3), message)),
            now=lambda: self.now,
            say=self.said.append,
        )
        self.performance.begin()

    def deliver(self, written: Written) -> None:
        if self.is_slow:
            self.delayed.append(written)
        else:
            self.performance.deliver(written)

    def do(self, call: Callable[[], None]) -> None:
        call()
        while self.writer.is_behind:
            self.writer.write()

    def until(self, line: float) -> None:
        """Passes the time up to a line, counted from the beginning."""
        end = 100 + line * FRAME
        while (due := self.performance.due) is not None and due < end - 1e-9:
            self.now = max(self.now, due)
            self.performance.at_due()
        self.now = end

    def key(self, line: float, pitch: int, *, down: bool = True, velocity: int = 70) -> None:
        self.until(line)
        message = mido.Message("note_on", note=pitch, velocity=velocity if down else 0)
        self.performance.receive(message, self.now)

    def phrase(self) -> None:
        """Two beats from line 0 on, a little beside the beat."""
        self.key(0, 60)
        self.key(3.8, 60, down=False)
        self.key(4.2, 62)
        self.key(7.9, 62, down=False)

    def notes(self) -> list[tuple[float, str, int]]:
        notes = [(line, one) for line, one in self.sent if one.type in ("note_on", "note_off")]
        return [(line, "on" if one.type == "note_on" and one.velocity else "off", one.note) for line, one in notes]


def test_the_answer_is_on_the_beat_and_as_long_as_the_phrase() -> None:
    """Notes of the answer come beside their lines, or it never ends."""
    stage = Stage()
    stage.phrase()
    stage.until(60)
    assert stage.model.frames == [*["r0"] * 4, *["r2"] * 4, *(f"w{pitch}" for pitch in range(8))]
    expected = [(24.0, "on", 60)]
    for line in range(25, 32):
        expected += [(line, "off", 60 + line - 25), (line, "on", 60 + line - 24)]
    assert stage.notes() == [*expected, (32.0, "off", 67)]
    assert {one.velocity for _, one in stage.sent if one.type == "note_on"} == {70}
    assert stage.performance.conversation.turn is Turn.NOBODY
    assert stage.performance.due is None
    assert stage.model.rests == 1
    assert stage.performance.timing.num_answers == 1
    np.testing.assert_allclose(stage.performance.timing.behind, 0, atol=1e-9)


def test_a_key_ends_the_answer_at_once_and_the_next_answer_follows_it() -> None:
    """The model goes on against the player, or forgets what it had played."""
    stage = Stage(pause_beats=0.5, through=True)
    stage.phrase()
    stage.until(13.7)  # the answer began on line 10
    stage.sent.clear()
    stage.key(13.7, 71)
    assert stage.notes() == [(13.7, "off", 63), (13.7, "on", 71)]
    stage.key(15.1, 71, down=False)
    stage.until(16.9)
    assert [line for line, kind, _ in stage.notes() if kind == "on"] == [13.7]
    assert stage.model.frames[8:15] == ["r", "r", "w0", "w1", "w2", "w3", "r11"]
    stage.until(17.1)
    assert stage.notes()[-1] == (17.0, "on", 64)


def test_notes_that_are_late_are_played_when_they_come() -> None:
    """After one slow frame all that follows is late, or the frame is lost."""
    stage = Stage(is_slow=True, pause_beats=1)
    stage.phrase()
    stage.until(14)  # the answer is due on line 12
    assert stage.notes() == []
    assert stage.performance.due is None
    for written in stage.delayed:
        stage.performance.deliver(written)
    stage.until(15.5)
    assert [line for line, kind, _ in stage.notes() if kind == "on"] == [14.0, 14.0, 14.0, 15.0]
    assert [round(behind / FRAME) for behind in stage.performance.timing.behind] == [2, 1, 0, 0]
    assert stage.performance.timing.num_late == 2


def test_frames_of_an_interrupted_answer_are_not_played() -> None:
    """What the model wrote ahead sounds in the next answer."""
    stage = Stage(is_slow=True, pause_beats=1)
    stage.phrase()
    stage.until(12.2)
    first, stage.delayed = stage.delayed, []
    stage.key(12.2, 60)
    stage.key(13, 60, down=False)
    for written in first:
        stage.performance.deliver(written)
    stage.until(17.2)
    for written in first[:1]:
        stage.performance.deliver(written)
    assert stage.notes() == []
    assert stage.delayed[0].answer == 2


def test_after_a_rest_a_note_begins_a_bar_unless_there_is_a_metronome() -> None:
    """The model's bar is not the player's."""
    stage = Stage(pause_beats=1)
    stage.key(0, 60)
    stage.key(1, 60, down=False)
    stage.until(50.3)
    stage.key(50.3, 62)
    stage.until(51)
    assert len(stage.model.frames) == 17
    assert stage.model.frames[16] == "r2"
    assert stage.performance.due == pytest.approx(100 + 51.8 * FRAME)
    stage = Stage(metronome=True)
    stage.until(20)
    assert [line for line, one in stage.sent if one.note == 76 and one.type == "note_on"] == [0.0, 16.0]
    assert [line for line, one in stage.sent if one.note == 77 and one.type == "note_on"] == [4.0, 8.0, 12.0]
    stage.key(21.6, 60)
    stage.until(23)
    assert stage.model.frames == [*["s"] * 6, "r0"]


def test_all_notes_end_at_the_end() -> None:
    """Notes hang after Ctrl-C."""
    stage = Stage(pause_beats=1, through=True)
    stage.phrase()
    stage.until(13.5)
    stage.key(13.6, 60)
    stage.key(17.9, 60, down=False)
    stage.until(25)
    stage.performance.receive(mido.Message("note_on", note=72, velocity=1, channel=3), stage.now)
    stage.performance.stop()
    sounding: set[tuple[int, int]] = set()
    for _, message in stage.sent:
        if message.type == "note_on" and message.velocity:
            sounding.add((message.channel, message.note))
        elif message.type in ("note_on", "note_off"):
            sounding.discard((message.channel, message.note))
    assert not sounding
    assert stage.sent[-1][1].type == "control_change"


def test_pedals_and_clocks_do_not_interrupt() -> None:
    """The answer ends when a pedal is moved, or at each tick of a device's clock."""
    stage = Stage(pause_beats=1, through=True)
    stage.phrase()
    stage.until(13.5)
    stage.performance.receive(mido.Message("control_change", control=64, value=127), stage.now)
    stage.performance.receive(mido.Message("clock"), stage.now)
    assert stage.performance.conversation.turn is Turn.MODEL
    assert [one.type for _, one in stage.sent][-1] == "control_change"


def test_notes_that_are_not_read_are_said_once() -> None:
    """The player wonders why the model does not follow the left hand."""
    stage = Stage()
    stage.key(0, 30)
    stage.key(1, 31)
    assert stage.said == ["The model does not read notes outside C4 to B4."]


def test_an_answer_is_written_a_little_ahead() -> None:
    """A long answer takes all memory, or the model waits for each line."""
    stage = Stage(answer_beats=40, pause_beats=1)
    stage.phrase()
    stage.until(12.5)
    assert len(stage.model.frames) == 12 + AHEAD_FRAMES + 1
    stage.until(30.5)
    assert len(stage.model.frames) == 12 + 18 + AHEAD_FRAMES + 1
