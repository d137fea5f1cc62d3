"""Plays with models through MIDI ports without devices, and measures how promptly they answer.

    taskset -c 0 python benchmarks/live.py [bach-chorales ...] [--phrases 40] [--tempo 120] [--pause 0.25]

A player plays phrases through the program's own backend of mido (``pianoroll_seq2seq.live.memory_backend``), at times
that are on no beat, and listens. Half of the answers are interrupted. Measured are

- from the player's last key to the first note of the answer, beyond the pause and the length of a frame: a key belongs
  to the frame of the nearest line, so without any delay this is between -1.5 and -0.5 frames;
- each note of an answer behind its line, which is the audible delay. It follows from the time alone, so a note that is
  more than 0.9 frames late counts to the next line; the row after it is by the program, which knows each frame's line;
- from a key to the same note on the output (``--through``), and from a key that interrupts to the end of all notes;
- CPU time: of the model for a frame, and of the whole process as a share of the time;
- a bare sleep of half a frame behind its end, before the player begins: what the machine itself adds, such as when
  other programs run on the core.

By default the pause is a single frame of sixteenths, the shortest: the model has half a frame from the end of the
player's turn to its first note. With a pause of a bar it knows its answer long before.
"""

import argparse
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import mido
import numpy as np
from harness import table

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.live import LiveSettings, LiveSummary, run_live
from pianoroll_seq2seq.live.memory_backend import MEMORY, NAME
from pianoroll_seq2seq.live.settings import FrameCounts
from pianoroll_seq2seq.pretrained import TrainedModel, open_model
from pianoroll_seq2seq.tempo import TempoMap

SHARE = 99
"""The percentile beside the median."""
_NUM_SLEEPS = 100
_CHANNEL = 15  # of the player, whose notes on the output are not those of the model


@dataclass
class Delays:
    """Delays in seconds.

    Attributes:
        answer: from the last key to the answer, beyond the pause and a frame.
        behind: of each note of an answer behind its line.
        through: from a key to its note on the output.
        silence: from a key that interrupts to the end of the answer's notes.
        sleep: of a bare sleep of half a frame behind its end.
        cpu_share: CPU time of the process as a share of the time.
        summary: what the program says itself.
    """

    answer: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)
    through: list[float] = field(default_factory=list)
    silence: list[float] = field(default_factory=list)
    sleep: list[float] = field(default_factory=list)
    cpu_share: float = 0.0
    summary: LiveSummary | None = None


class Player:
    """Plays phrases and keeps what is answered.

    Args:
        trained: the model.
        counts: the frames of the turns.
        phrases: how many phrases to play.
        seed: of notes and times.
    """

    def __init__(self, trained: TrainedModel, counts: FrameCounts, phrases: int, seed: int) -> None:
        """Does not play yet."""
        self.delays = Delays()
        self._counts, self._phrases = counts, phrases
        self._random = random.Random(seed)  # noqa: S311 (music)
        pitches = trained.parts[0].pitches
        self._pitches = range(pitches.lowest, pitches.highest + 1)
        self._begin = 0.0

    def play(self) -> None:
        """Plays all phrases, then ends the program as Ctrl-C does."""
        try:
            MEMORY.is_open.wait()
            for _ in range(_NUM_SLEEPS):
                end = time.perf_counter() + self._counts.seconds / 2
                time.sleep(self._counts.seconds / 2)
                self.delays.sleep.append(time.perf_counter() - end)
            cpu, begin = time.process_time(), time.perf_counter()
            self._begin = 0.0
            for number in range(self._phrases):
                self._phrase(is_interrupted=number % 2 == 1)
            self.delays.cpu_share = (time.process_time() - cpu) / (time.perf_counter() - begin)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    def _phrase(self, *, is_interrupted: bool) -> None:
        frame = self._counts.seconds
        MEMORY.sent.clear()
        first = released = 0.0
        for _ in range(self._random.randint(3, 6)):
            pitch = self._random.choice(self._pitches)
            pressed = MEMORY.play(mido.Message("note_on", note=pitch, velocity=80, channel=_CHANNEL))
            self._begin = self._begin or pressed  # line 0 of the clock
            first = first or pressed
            time.sleep(frame * self._random.uniform(0.6, 1.8))
            released = MEMORY.play(mido.Message("note_off", note=pitch, channel=_CHANNEL))
        length = self._beats(released - first)
        answered = released + (self._counts.pause + 1) * frame + length
        time.sleep(max(0.0, (answered - length / 2 if is_interrupted else answered) - time.perf_counter()))
        self._listen(list(MEMORY.sent), released)
        if is_interrupted:
            self._interrupt()
        time.sleep(frame * self._random.uniform(0.1, 2.0))

    def _beats(self, seconds: float) -> float:
        """A length rounded up to beats, as that of an answer is."""
        beat = self._counts.beat * self._counts.seconds
        return float(np.ceil(seconds / beat + 0.2)) * beat

    def _listen(self, sent: Sequence[tuple[float, mido.Message]], released: float) -> None:
        """Notes of the answer to a key that was released."""
        frame = self._counts.seconds
        notes = [seconds for seconds, message in sent if message.type == "note_on" and message.channel != _CHANNEL]
        for seconds in notes:
            position = (seconds - self._begin) / frame
            self.delays.behind.append((position - np.floor(position + 0.1)) * frame)
        line = np.floor((released - self._begin) / frame + 0.5) + self._counts.pause
        if notes and (notes[0] - self._begin) / frame < line + 0.9:  # otherwise the answer begins with a rest
            self.delays.answer.append(notes[0] - released - (self._counts.pause + 1) * frame)

    def _interrupt(self) -> None:
        """A key during the answer."""
        before = len(MEMORY.sent)
        pressed = MEMORY.play(mido.Message("note_on", note=self._pitches[0], velocity=80, channel=_CHANNEL))
        time.sleep(self._counts.seconds / 2)
        MEMORY.play(mido.Message("note_off", note=self._pitches[0], channel=_CHANNEL))
        for seconds, message in MEMORY.sent[before:]:
            if message.type == "note_on" and message.channel == _CHANNEL:
                self.delays.through.append(seconds - pressed)
            elif message.type == "note_off" and message.channel != _CHANNEL:
                self.delays.silence.append(seconds - pressed)
        # The player's turn and the answer to it pass unmeasured.
        time.sleep((self._counts.pause + 2) * self._counts.seconds + self._beats(self._counts.seconds))


def measure(trained: TrainedModel, settings: LiveSettings, *, phrases: int, seed: int) -> Delays:
    """The delays of a conversation with a model."""
    counts = FrameCounts.of(settings, trained.grid, TempoMap.from_bpm(settings.beats_per_minute))
    MEMORY.clear()
    player = Player(trained, counts, phrases, seed)
    thread = threading.Thread(target=player.play, daemon=True)
    thread.start()
    player.delays.summary = run_live(trained, settings=settings, seed=seed)
    thread.join()
    return player.delays


def report(delays: dict[str, Delays]) -> str:
    """The table."""
    rows = []
    for name, one in delays.items():
        assert one.summary is not None
        model, frame = one.summary.model_cpu_ms, one.summary.frame_ms
        for what, values in (
            ("last key to answer, beyond pause and frame", one.answer),
            ("note of an answer behind its line", one.behind),
            ("key to the same note on the output", one.through),
            ("key that interrupts to the end of all notes", one.silence),
            ("a bare sleep behind its end", one.sleep),
        ):
            cells = [f"{1000 * value:.2f}" for value in percentiles(values)]
            rows.append([name, what, *cells, str(len(values))])
            if values is one.behind:
                median, most = one.summary.behind_ms
                row = [name, "frame of an answer behind its line, by the program"]
                rows.append([*row, f"{median:.2f}", "", f"{most:.2f}", str(one.summary.num_frames)])
        rows.append(
            [name, f"CPU time of the model for a frame of {frame:g} ms", f"{model[0]:.2f}", "", f"{model[1]:.2f}", ""]
        )
        rows.append([name, "CPU time of the process, share", f"{one.cpu_share:.2f}", "", "", ""])
    return table(["model", "ms", "median", f"{SHARE} %", "most", "number"], rows, words=2)


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, the 99th percentile and the most."""
    if not values:
        return float("nan"), float("nan"), float("nan")
    return float(np.median(values)), float(np.percentile(values, SHARE)), max(values)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["bach-chorales"], help="shipped ones, or folders")
    parser.add_argument("--phrases", type=int, default=40)
    parser.add_argument("--tempo", type=float, default=120.0, help="beats per minute")
    parser.add_argument("--pause", type=float, default=0.25, help="beats of silence that end the player's turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON file for all delays")
    arguments = parser.parse_args()
    os.environ["MIDO_BACKEND"] = NAME
    settings = LiveSettings(beats_per_minute=arguments.tempo, pause_beats=arguments.pause, through=True)
    delays = {
        name: measure(open_model(name), settings, phrases=arguments.phrases, seed=arguments.seed)
        for name in arguments.models
    }
    print(report(delays))
    if arguments.output is not None:
        figures = {
            name: {
                what: getattr(one, what) for what in ("answer", "behind", "through", "silence", "sleep", "cpu_share")
            }
            for name, one in delays.items()
        }
        with writing(arguments.output, overwrite=True) as temporary:
            temporary.write_text(json.dumps(figures) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
