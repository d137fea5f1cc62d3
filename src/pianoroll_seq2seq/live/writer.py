"""The worker that reads and writes frames with the model, ahead of the time at which they sound."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

AHEAD_FRAMES = 16
"""How many frames an answer is written ahead."""


class Context(Protocol):
    """What the worker needs of a :class:`~pianoroll_seq2seq.live.context.ModelContext`."""

    @property
    def length(self) -> int:
        """Frames so far."""
        ...

    def begin_turn(self) -> None:
        """Begins the random numbers of a turn."""
        ...

    def prepare(self) -> None:
        """Computes the distribution of the next frame."""
        ...

    def read(self, frame: np.ndarray) -> None:
        """Reads a frame of the player."""
        ...

    def write(self) -> np.ndarray:
        """Writes a frame."""
        ...

    def align(self, position: int) -> None:
        """Reads silence until so many frames follow a bar line."""
        ...

    def rewind(self, length: int) -> None:
        """Returns to a length."""
        ...

    def rest(self) -> None:
        """Does what takes longer than a frame, if anything."""
        ...


@dataclass(frozen=True)
class Written:
    """A frame of an answer.

    Args:
        answer: the number of the answer.
        index: the number of the frame in it.
        frame: the frame, (frame_size,).
        seconds: how long the model took.
        cpu_seconds: the CPU time that it took.
    """

    answer: int
    index: int
    frame: np.ndarray
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Failed:
    """The model failed."""

    error: Exception


class AnswerWriter:
    """Follows the turns: reads the player's frames, writes answers a little ahead, and returns after interruptions.

    Args:
        context: the model's context.
        deliver: is called with each written frame.
    """

    def __init__(self, context: Context, deliver: Callable[[Written], None]) -> None:
        """Begins without an answer."""
        self._context, self._deliver = context, deliver
        self._answer = 0
        self._begin = 0  # length of the context at the beginning of the answer
        self._num_frames = self._num_written = self._num_played = 0
        self._prepared = np.zeros(2)  # how long the model took after the frame before, and its CPU time

    @property
    def is_behind(self) -> bool:
        """Whether a frame of an answer is to be written now."""
        return self._num_written < min(self._num_frames, self._num_played + AHEAD_FRAMES)

    def align(self, position: int) -> None:
        """The player begins so many frames after a bar line."""
        self._context.begin_turn()
        self._context.align(position)

    def read(self, frame: np.ndarray) -> None:
        """The player has played a frame."""
        self._context.read(frame)
        self._context.prepare()

    def answer(self, number: int, num_frames: int, drop: int) -> None:
        """The model answers, after it has forgotten some of the latest frames."""
        self._context.begin_turn()
        self._context.rewind(self._context.length - drop)
        self._answer, self._begin = number, self._context.length
        self._num_frames, self._num_written, self._num_played = num_frames, 0, 0

    def played(self, num_played: int) -> None:
        """So many frames of the answer have been played."""
        self._num_played = num_played

    def interrupt(self, keep: int, position: int) -> None:
        """The player interrupts the answer, of which so many frames have sounded, at a place in the bar."""
        self._num_frames = 0
        self._context.rewind(self._begin + keep)
        self._context.begin_turn()
        self._context.align(position)
        self._context.rest()

    def rest(self) -> None:
        """The answer has ended."""
        self._context.rest()

    def write(self) -> None:
        """Writes the next frame of the answer."""
        begin = _times()
        frame = self._context.write()
        written = _times()
        self._deliver(Written(self._answer, self._num_written, frame, *(written - begin + self._prepared).tolist()))
        self._num_written += 1
        self._context.prepare()  # after the frame is on its way
        self._prepared = _times() - written


def _times() -> np.ndarray:
    """The present time and the CPU time of this thread, in seconds."""
    return np.array([time.perf_counter(), time.thread_time()])


class WriterThread:
    """An :class:`AnswerWriter` in a thread of its own.

    Args:
        writer: the writer. Only this thread calls it.
        deliver: is called with the error if the model fails.
    """

    def __init__(self, writer: AnswerWriter, deliver: Callable[[Failed], None]) -> None:
        """Does not start the thread yet."""
        self._writer, self._deliver = writer, deliver
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="live model", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def do(self, call: Callable[[], None]) -> None:
        """Calls a method of the writer in the thread, after the earlier calls."""
        self._calls.put(call)

    def close(self) -> None:
        """Ends the thread after the frame that it computes."""
        self._calls.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                try:
                    call = self._calls.get(block=not self._writer.is_behind)
                except queue.Empty:
                    self._writer.write()
                    continue
                if call is None:
                    return
                call()
        except Exception as error:  # to the main thread, which ends the conversation
            self._deliver(Failed(error))
