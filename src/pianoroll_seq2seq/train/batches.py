"""Batches, prepared in the background while the steps before them run."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq.models.given_frames import GivenFrames
from pianoroll_seq2seq.train.examples import Examples, fetch, frames_to_score, given_frames, has_tasks

_TASKS = 1
_PREFETCHED = 2
"""Batches that are prepared in advance."""


@dataclass(frozen=True)
class BatchIndices:
    """The examples of a batch.

    Args:
        examples: their numbers, (batch,).
        seed: of their augmentation, if they have one.
    """

    examples: np.ndarray
    seed: Sequence[int]


@dataclass(frozen=True)
class Batch:
    """The tensors of a batch.

    Args:
        inputs: (rows, input_frames, frame_size).
        targets: (rows, target_frames, frame_size).
        target_mask: which target frames count for the loss, (rows, target_frames); None if all do.
        condition: of all frames, (rows, input_frames + target_frames, size); None for no conditions.
        given: what is given beside the inputs; None for examples without tasks.
    """

    inputs: Tensor
    targets: Tensor
    target_mask: Tensor | None = None
    condition: Tensor | None = None
    given: GivenFrames | None = None

    @property
    def model_args(self) -> tuple[Tensor, ...]:
        """The arguments of the model: inputs, targets and, if there is one, the condition."""
        return (self.inputs, self.targets) if self.condition is None else (self.inputs, self.targets, self.condition)


@dataclass(frozen=True)
class _Prepared:
    batch: Batch
    copied: "torch.cuda.Event | None" = None


class Batches:
    """Prepares batches in a thread; on a GPU it copies them there from pinned memory, in parallel with computation.

    The memory of three batches is used again and again if no example needs padding.

    Args:
        examples: to choose from.
        device: of the batches.
        max_batch_size: examples of the largest batch.
    """

    def __init__(self, examples: Examples, device: torch.device, max_batch_size: int) -> None:
        """Allocates the memory."""
        self._examples = examples
        self._unpadded = examples.target_mask([0]) is None and not has_tasks(examples)
        self._device = device
        self._on_gpu = device.type == "cuda"
        shape = (max_batch_size, examples.input_frames + examples.target_frames, examples.layout.frame_size)
        count = 1 + _PREFETCHED if self._unpadded else 0  # one is in use
        self._memory = deque(torch.empty(shape, pin_memory=self._on_gpu) for _ in range(count))
        self._copied: dict[int, torch.cuda.Event] = {}
        self._stream = torch.cuda.Stream(device) if self._on_gpu else None  # type: ignore[no-untyped-call]

    def __call__(self, indices: Iterable[BatchIndices]) -> Iterator[Batch]:
        """Yields one batch for each element of ``indices``; it is valid until the next one is yielded."""
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as worker:
            waiting: deque[Future[_Prepared]] = deque()
            for each in indices:
                waiting.append(worker.submit(self._prepare, each))
                if len(waiting) > _PREFETCHED:
                    yield self._synchronized(waiting.popleft().result())
            while waiting:
                yield self._synchronized(waiting.popleft().result())

    def _prepare(self, indices: BatchIndices) -> _Prepared:
        generator = None if self._examples.augmentation is None else np.random.default_rng(indices.seed)
        if not self._unpadded:
            return _Prepared(self._padded_batch(indices, generator))
        memory = self._memory[0]
        self._memory.rotate(-1)
        if memory.data_ptr() in self._copied:
            self._copied[memory.data_ptr()].synchronize()  # the copy of three batches ago
        inputs, targets, condition = fetch(self._examples, indices.examples, generator=generator, out=memory)
        if self._stream is None:
            return _Prepared(Batch(inputs, targets, condition=self._to_device(condition)))
        with torch.cuda.stream(self._stream):
            frames = memory[: len(inputs)].to(self._device, non_blocking=True)
            condition = self._to_device(condition)
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record(self._stream)
        self._copied[memory.data_ptr()] = copied
        split = inputs.shape[1]
        return _Prepared(Batch(frames[:, :split], frames[:, split:], condition=condition), copied)

    def _padded_batch(self, indices: BatchIndices, generator: np.random.Generator | None) -> Batch:
        """A batch in memory of its own."""
        inputs, targets, condition = fetch(self._examples, indices.examples, generator=generator)
        tasks = np.random.default_rng([*indices.seed, _TASKS])  # not the generator of the augmentation
        given = given_frames(self._examples, indices.examples, torch.cat([inputs, targets], dim=1), generator=tasks)
        target_mask = frames_to_score(given, self._examples.target_mask(indices.examples), inputs.shape[1])
        if given is not None:
            given = given.to(self._device, inputs.dtype)
        inputs, targets = inputs.to(self._device), targets.to(self._device)
        return Batch(inputs, targets, self._to_device(target_mask), self._to_device(condition), given)

    def _to_device(self, values: Tensor | None) -> Tensor | None:
        return None if values is None else values.to(self._device)

    def _synchronized(self, prepared: _Prepared) -> Batch:
        """Makes the computation on the GPU, not this process, wait for the copy."""
        if prepared.copied is not None:
            current = torch.cuda.current_stream(self._device)
            current.wait_event(prepared.copied)
            for values in (prepared.batch.inputs, prepared.batch.condition):
                if values is not None:
                    values.record_stream(current)  # its memory is not reused before the computation has read it
        return prepared.batch
