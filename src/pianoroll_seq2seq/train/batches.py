"""What the next steps need, made ready while this one runs."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq.train.examples import Examples, fetch

_AHEAD = 2
"""Batches that are ready before they are asked for."""


@dataclass(frozen=True)
class Pick:
    """Which windows a batch is made of.

    Args:
        windows: the numbers of its examples, (batch,).
        seed: of their variations, if they have an augmentation.
    """

    windows: np.ndarray
    seed: Sequence[int]


@dataclass(frozen=True)
class Batch:
    """What a model is shown at once.

    Args:
        inputs: (rows, input_frames, pitches).
        targets: (rows, target_frames, pitches).
        counted: which target frames count, (rows, target_frames); None where all do.
        condition: of all frames, (rows, input_frames + target_frames, size); None where there are none.
    """

    inputs: Tensor
    targets: Tensor
    counted: Tensor | None = None
    condition: Tensor | None = None

    @property
    def shown(self) -> tuple[Tensor, ...]:
        """What a model is given: inputs, targets and, where there is one, the condition."""
        return (self.inputs, self.targets) if self.condition is None else (self.inputs, self.targets, self.condition)


@dataclass(frozen=True)
class _Ready:
    batch: Batch
    copied: "torch.cuda.Event | None" = None


class Batches:
    """Assembles batches in a thread, and on a GPU copies them there, from pinned memory and beside the computation.

    Memory of three batches is used again and again, where all examples are of one size.

    Args:
        examples: to choose from.
        device: where the batches shall lie.
        most: examples of the largest batch.
    """

    def __init__(self, examples: Examples, device: torch.device, most: int) -> None:
        """Sets the memory aside."""
        self._examples = examples
        self._alike = examples.counted([0]) is None
        self._device = device
        self._on_gpu = device.type == "cuda"
        shape = (most, examples.input_frames + examples.target_frames, examples.frame_size)
        count = 1 + _AHEAD if self._alike else 0  # one is in use
        self._memory = deque(torch.empty(shape, pin_memory=self._on_gpu) for _ in range(count))
        self._copied: dict[int, torch.cuda.Event] = {}
        self._stream = torch.cuda.Stream(device) if self._on_gpu else None  # type: ignore[no-untyped-call]

    def __call__(self, picks: Iterable[Pick]) -> Iterator[Batch]:
        """The batch of each pick, good until the next is asked for."""
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as worker:
            waiting: deque[Future[_Ready]] = deque()
            for pick in picks:
                waiting.append(worker.submit(self._make, pick))
                if len(waiting) > _AHEAD:
                    yield self._arrived(waiting.popleft().result())
            while waiting:
                yield self._arrived(waiting.popleft().result())

    def _make(self, pick: Pick) -> _Ready:
        generator = None if self._examples.augmentation is None else np.random.default_rng(pick.seed)
        if not self._alike:
            inputs, targets, condition = fetch(self._examples, pick.windows, generator=generator)
            counted = self._examples.counted(pick.windows)
            return _Ready(
                Batch(inputs.to(self._device), targets.to(self._device), self._there(counted), self._there(condition))
            )
        memory = self._memory[0]
        self._memory.rotate(-1)
        if memory.data_ptr() in self._copied:
            self._copied[memory.data_ptr()].synchronize()  # still on its way from the time before
        inputs, targets, condition = fetch(self._examples, pick.windows, generator=generator, out=memory)
        if self._stream is None:
            return _Ready(Batch(inputs, targets, condition=self._there(condition)))
        with torch.cuda.stream(self._stream):
            whole = memory[: len(inputs)].to(self._device, non_blocking=True)
            condition = self._there(condition)
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record(self._stream)
        self._copied[memory.data_ptr()] = copied
        split = inputs.shape[1]
        return _Ready(Batch(whole[:, :split], whole[:, split:], condition=condition), copied)

    def _there(self, values: Tensor | None) -> Tensor | None:
        return None if values is None else values.to(self._device)

    def _arrived(self, ready: _Ready) -> Batch:
        """On a GPU the computation, not this process, waits until the copy is there."""
        if ready.copied is not None:
            current = torch.cuda.current_stream(self._device)
            current.wait_event(ready.copied)
            for values in (ready.batch.inputs, ready.batch.condition):
                if values is not None:
                    values.record_stream(current)  # its memory is not given away while it is in use
        return ready.batch
