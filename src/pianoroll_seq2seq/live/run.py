"""Runs a conversation through MIDI ports, until Ctrl-C."""

import contextlib
import gc
import queue
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TypeAlias

import mido
import numpy as np
import torch

from pianoroll_seq2seq.errors import MidiPortError, SettingsError
from pianoroll_seq2seq.live.context import ModelContext
from pianoroll_seq2seq.live.part_keys import PartKeys
from pianoroll_seq2seq.live.performance import Performance, Timing
from pianoroll_seq2seq.live.ports import VIRTUAL_NAME, Ports, PortWatch, open_ports
from pianoroll_seq2seq.live.settings import FrameCounts, LiveSettings
from pianoroll_seq2seq.live.writer import AHEAD_FRAMES, AnswerWriter, Failed, WriterThread, Written
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.sampling import Draw, Sampler
from pianoroll_seq2seq.tempo import TempoMap

_SWITCH_SECONDS = 0.0005  # how long the thread of the model keeps the interpreter while a note is due
_END_SIGNALS = ("SIGTERM", "SIGHUP")


@dataclass(frozen=True)
class Received:
    """A message of the player, and when it came."""

    message: mido.Message
    seconds: float


Event: TypeAlias = Received | Written | Failed | MidiPortError
Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True)
class LiveSummary:
    """What a conversation was like.

    Args:
        num_answers: how many answers the model began.
        num_frames: frames of answers that were played.
        num_late: how many of them were played more than 10 ms behind their line.
        behind_ms: how far they were behind their lines in milliseconds, the median and the most.
        model_ms: how long the model took for a frame, the median and the most.
        model_cpu_ms: the CPU time that it took for a frame, the median and the most.
        frame_ms: length of a frame.
    """

    num_answers: int
    num_frames: int
    num_late: int
    behind_ms: tuple[float, float]
    model_ms: tuple[float, float]
    model_cpu_ms: tuple[float, float]
    frame_ms: float

    @classmethod
    def of(cls, timing: Timing) -> "LiveSummary":
        """The summary of some times."""
        behind, model, cpu = (_median_and_most(one) for one in (timing.behind, timing.model, timing.model_cpu))
        frame_ms = round(timing.frame_seconds * 1000, 3)
        return cls(timing.num_answers, len(timing.behind), timing.num_late, behind, model, cpu, frame_ms)

    def to_json(self) -> dict[str, object]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        """A line, and another one if the model was too slow."""
        if not self.num_frames:
            return "The model did not answer."
        answers = f"{self.num_answers} answer{'' if self.num_answers == 1 else 's'}, {self.num_frames} frames"
        line = f"{answers}; behind their time by {self.behind_ms[0]} ms (median), at most {self.behind_ms[1]} ms"
        if not self.num_late:
            return line
        return (
            f"{line}\n{self.num_late} frames were more than 10 ms late. A frame has {self.frame_ms} ms, and the model "
            f"took {self.model_ms[0]} ms (median), at most {self.model_ms[1]} ms. A lower --tempo gives it more time."
        )


def run_live(
    trained: TrainedModel,
    *,
    input_name: str | None = None,
    output_name: str | None = None,
    settings: LiveSettings = LiveSettings(),
    sampler: Sampler = Draw(),
    seed: int = 0,
    condition: np.ndarray | None = None,
    threads: int = 1,
    say: Say | None = None,
) -> LiveSummary:
    """Plays with a model through MIDI ports, until Ctrl-C.

    The player plays; when they stop for a bar, the model answers; they may interrupt it at any time. All notes are
    ended when it ends, whatever the reason.

    Args:
        trained: any model, such as ``open_model("bach-chorales")``.
        input_name: a MIDI input, or a part of its name; a virtual port by default.
        output_name: a MIDI output, or a part of its name; a virtual port by default.
        settings: the tempo and the turns.
        sampler: chooses each frame of the model.
        seed: of the sampler.
        condition: the condition of every frame, (size,), for a model that takes one.
        threads: PyTorch's threads. One is fastest for most models.
        say: is called with lines for the player; by default they are printed to standard error.

    Returns:
        How many answers there were, and how far behind their time they were.

    Raises:
        MissingExtraError: the extra ``live`` is not installed.
        SettingsError: no such port or part, or numbers out of range.
        MidiPortError: a port that cannot be opened, or disappears.
    """
    if threads < 1:
        raise SettingsError(f"threads must be at least 1, got {threads}.")
    say = say or _say
    tempo = TempoMap.from_bpm(settings.beats_per_minute)
    counts = FrameCounts.of(settings, trained.grid, tempo)
    part = PartKeys.of(trained, settings.part)
    context = ModelContext(
        trained,
        part,
        bar=counts.bar,
        returns=max(counts.pause, AHEAD_FRAMES) + AHEAD_FRAMES,
        beats_per_bar=settings.beats_per_bar,
        tempo=tempo,
        sampler=sampler,
        seed=seed,
        condition=condition,
    )
    inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def received(message: mido.Message) -> None:
        inbox.put(Received(message, time.perf_counter()))

    with _num_threads(threads), _end_by_signals(), context.evaluating:
        _warm_up(context)
        with open_ports(input_name, output_name, received) as ports:
            writer = AnswerWriter(context, inbox.put)
            thread = WriterThread(writer, inbox.put)
            performance = Performance(
                part, settings, counts, writer, do=thread.do, send=ports.send, now=time.perf_counter, say=say
            )
            try:
                with _prompt_threads(), PortWatch(ports.watched, inbox.put):
                    thread.start()
                    say(_greeting(trained, part, settings, counts, ports))
                    _converse(performance, inbox)
            except KeyboardInterrupt:
                say("The conversation has ended.")
            finally:
                _end_notes(performance)
                thread.close()
            return LiveSummary.of(performance.timing)


def _converse(performance: Performance, inbox: "queue.SimpleQueue[Event]") -> None:
    """Handles what comes and what is due, until an error or Ctrl-C."""
    performance.begin()
    while True:
        event = _next_event(inbox, performance.due)
        if event is None:
            performance.at_due()
        elif isinstance(event, Received):
            performance.receive(event.message, event.seconds)
        elif isinstance(event, Written):
            performance.deliver(event)
        elif isinstance(event, Failed):
            raise event.error
        else:
            raise event


def _next_event(inbox: "queue.SimpleQueue[Event]", due: float | None) -> Event | None:
    """The next event, or None when something is due first."""
    with contextlib.suppress(queue.Empty):
        return inbox.get_nowait()
    left = None if due is None else due - time.perf_counter()
    if left is not None and left <= 0:
        return None
    with contextlib.suppress(queue.Empty):
        return inbox.get(timeout=left)
    return None


def _end_notes(performance: Performance) -> None:
    """Ends all notes. If the output is gone, there is nothing left to end."""
    with contextlib.suppress(MidiPortError):
        performance.stop()


def _warm_up(context: ModelContext) -> None:
    """The first frame of a model takes longest."""
    context.write()
    context.rewind(0)
    context.prepare()


def _greeting(trained: TrainedModel, part: PartKeys, settings: LiveSettings, counts: FrameCounts, ports: Ports) -> str:
    virtual = [
        f"the virtual {way} {VIRTUAL_NAME!r}"
        for way, names in (("input", ports.watched.inputs), ("output", ports.watched.outputs))
        if not names
    ]
    connect = f" Connect your keyboard and your synthesizer to {' and '.join(virtual)}." if virtual else ""
    as_part = f" as {part.part.name}" if len(trained.parts) > 1 else ""
    beats = f"{counts.pause / counts.beat:g}"
    return (
        f"Play{as_part}; after {beats} beats of silence {trained.name} answers, at {settings.beats_per_minute:g} beats "
        f"per minute.{connect} Ctrl-C ends."
    )


@contextlib.contextmanager
def _prompt_threads() -> Iterator[None]:
    """Lets the thread that sends notes wait as little as possible for that of the model, and for the collector."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # a full collection over all that is loaded would take longer than a note may be late
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)


@contextlib.contextmanager
def _num_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _end_by_signals() -> Iterator[None]:
    """Ends by the signals that end a program or close a terminal as by Ctrl-C, so that no note is left hanging."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _END_SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _median_and_most(seconds: list[float]) -> tuple[float, float]:
    if not seconds:
        return 0.0, 0.0
    return round(statistics.median(seconds) * 1000, 2), round(max(seconds) * 1000, 2)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
