"""Conversations through ports, in real time."""

import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mido
import pytest
import torch
from live_models import trained

from pianoroll_seq2seq.errors import MidiPortError, SettingsError
from pianoroll_seq2seq.live import LiveSettings, LiveSummary, run_live
from pianoroll_seq2seq.live import ports as ports_module
from pianoroll_seq2seq.live.memory_backend import Memory
from pianoroll_seq2seq.live.performance import Timing
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel

FAST = LiveSettings(beats_per_minute=400, pause_beats=0.5)

pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass
class Player:
    """A thread that plays when the program is ready."""

    play: Callable[[], None]
    is_ready: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        self.is_ready.wait()
        self.play()

    def converse(self, model: TrainedModel, settings: LiveSettings = FAST, **given: Any) -> LiveSummary:
        """The conversation that it takes part in."""
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            return run_live(model, settings=settings, say=lambda _: self.is_ready.set(), **given)
        finally:
            self.is_ready.set()
            thread.join()


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def press(memory: Memory, pitch: int) -> None:
    memory.play(mido.Message("note_on", note=pitch, velocity=77))


def release(memory: Memory, pitch: int) -> None:
    memory.play(mido.Message("note_off", note=pitch))


def wait_for(condition: Callable[[], bool]) -> None:
    """Waits until something is so; the test's own time limit ends it otherwise."""
    while not condition():
        time.sleep(0.005)


def hanging(memory: Memory) -> set[tuple[int, int]]:
    sounding: set[tuple[int, int]] = set()
    for _, message in memory.sent:
        if message.type == "note_on" and message.velocity:
            sounding.add((message.channel, message.note))
        elif message.type in ("note_on", "note_off"):
            sounding.discard((message.channel, message.note))
    return sounding


@pytest.mark.parametrize("kind", ["filling", "continuing", "velocities"])
def test_a_model_answers_until_it_is_interrupted_and_no_note_hangs(memory: Memory, kind: str) -> None:
    """A model does not answer, cannot be interrupted, or its notes hang after Ctrl-C."""
    torch.manual_seed(0)

    def play() -> None:
        for _ in range(2):
            press(memory, 62)
            press(memory, 64)
            release(memory, 62)
            release(memory, 64)
            before = len(memory.sent)
            wait_for(lambda before=before: any(one.type == "note_on" for _, one in memory.sent[before:]))  # type: ignore[misc]
        press(memory, 60)
        ctrl_c()

    before = sys.getswitchinterval()
    settings = LiveSettings(beats_per_minute=400, pause_beats=0.5, answer_beats=400)
    summary = Player(play).converse(trained(kind), settings)
    assert summary.num_answers == 2
    assert summary.num_frames >= 2
    assert not hanging(memory)
    assert (memory.sent[0][1].type == "program_change") == (kind == "filling")
    assert memory.sent[-1][1].control == 123
    assert sys.getswitchinterval() == before
    assert not memory.is_open.is_set()


def test_the_same_keys_and_seed_give_the_same_answer(memory: Memory) -> None:
    """A seed has no effect on what the model plays live."""

    def play() -> None:
        press(memory, 62)
        release(memory, 62)
        wait_for(lambda: sum(message.type == "note_on" for _, message in memory.sent) >= 5)
        ctrl_c()

    sounded = []
    for seed in (1, 1, 2):
        memory.sent.clear()
        settings = LiveSettings(beats_per_minute=400, pause_beats=1, answer_beats=400)
        Player(play).converse(trained("continuing"), settings, seed=seed)
        sounded.append([message.note for _, message in memory.sent if message.type == "note_on"][:5])
    assert sounded[0] == sounded[1] != sounded[2]


def test_a_port_that_disappears_ends_it_with_a_message(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cable is out, and the program plays on into nothing."""
    monkeypatch.setattr(ports_module, "WATCH_SECONDS", 0.01)
    said: list[str] = []

    def unplug(line: str) -> None:
        said.append(line)
        memory.inputs = []

    with pytest.raises(MidiPortError, match="The MIDI port 'Pad 1' is gone"):
        run_live(trained("continuing"), input_name="Pad 1", settings=FAST, say=unplug)
    assert "Play; after 0.5 beats of silence continuing answers" in said[0]
    assert "the virtual output 'pianoroll-seq2seq'" in said[0]
    assert memory.sent[-1][1].control == 123


def test_an_output_that_fails_ends_it_with_a_message(memory: Memory) -> None:
    """An output that is gone hides its error behind that of ending the notes."""

    def play() -> None:
        memory.failure = "the device is gone"
        press(memory, 60)

    settings = LiveSettings(through=True)
    with pytest.raises(MidiPortError, match=r"'FLUID Synth \(1\)' cannot be written to"):
        Player(play).converse(trained("continuing"), settings, output_name="fluid")


def test_a_model_that_fails_ends_it_with_its_error(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of the user's own fails in a thread, and the player waits for ever; or a note hangs."""
    model = trained("continuing")
    advance, calls = type(model.model).advance, [0]

    def fail(*given: Any) -> Any:
        calls[0] += 1
        if calls[0] > 4:
            raise RuntimeError("no such layer")
        return advance(*given)

    monkeypatch.setattr(type(model.model), "advance", fail)

    def play() -> None:
        press(memory, 60)
        release(memory, 60)

    with pytest.raises(RuntimeError, match="no such layer"):
        Player(play).converse(model)
    assert not hanging(memory)


def test_a_terminal_that_closes_ends_it_as_ctrl_c_does(memory: Memory) -> None:
    """Notes hang when the program is ended by a signal."""
    before = signal.getsignal(signal.SIGTERM)

    def play() -> None:
        press(memory, 60)
        signal.raise_signal(signal.SIGTERM)

    summary = Player(play).converse(trained("continuing"), LiveSettings(through=True))
    assert summary.num_answers == 0
    assert not hanging(memory)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beats_per_minute": 10}, r"20\.\.400"),
        ({"beats_per_bar": 0}, "beats_per_bar must be in 1"),
        ({"pause_beats": 0}, "The pause must be above 0"),
        ({"answer_beats": 2000}, "The answer must be above 0 and at most 1024"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    """A tempo of zero divides by it."""
    with pytest.raises(SettingsError, match=message):
        LiveSettings(**settings)
    with pytest.raises(SettingsError, match="threads"):
        run_live(trained("continuing"), threads=0)


def test_the_summary_says_when_the_model_is_too_slow() -> None:
    """The player hears that notes are late, and does not learn why."""
    timing = Timing(0.125, num_answers=2, behind=[0.0004, 0.03, 0.0002], model=[0.2, 0.3])
    text = str(LiveSummary.of(timing))
    assert text.startswith("2 answers, 3 frames; behind their time by 0.4 ms (median), at most 30.0 ms\n1 frames were")
    assert "A frame has 125.0 ms, and the model took 250.0 ms (median), at most 300.0 ms. A lower --tempo" in text
    assert str(LiveSummary.of(Timing(0.1))) == "The model did not answer."
    assert LiveSummary.of(Timing(0.1, num_answers=1, behind=[0.0])).to_json()["num_late"] == 0
