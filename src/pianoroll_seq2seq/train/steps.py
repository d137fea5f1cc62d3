"""Which examples each optimizer step of an epoch learns from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pianoroll_seq2seq.train.batches import BatchIndices
from pianoroll_seq2seq.train.config import TrainConfig
from pianoroll_seq2seq.train.processes import Processes
from pianoroll_seq2seq.train.progress import Progress


@dataclass(frozen=True)
class Part:
    """Examples that go through the model at once, and their share of the step's loss."""

    indices: BatchIndices
    weight: float


@dataclass(frozen=True)
class Step:
    """One optimizer step.

    Args:
        parts: the examples of this process, one part after another.
        windows: the number of examples of all processes.
        own_windows: the number of examples of this process.
    """

    parts: list[Part]
    windows: int
    own_windows: int


def remaining_steps(
    config: TrainConfig, processes: Processes, progress: Progress, *, num_examples: int, num_steps: int
) -> Iterator[Step]:
    """The steps of an epoch that are not done yet. Their order follows from the seed and the epoch alone.

    Args:
        config: seed and accumulation.
        processes: the processes that share each batch.
        progress: the epoch, and how many of its steps are done.
        num_examples: how many examples there are.
        num_steps: steps of the whole epoch.
    """
    seed = [config.seed, progress.epoch]
    order = np.random.default_rng(seed).permutation(num_examples)
    # Batches differ in size by one example at most: a last batch of one would break batch normalization.
    size, num_larger = divmod(len(order), num_steps)
    for step in range(progress.steps, num_steps):
        begin = step * size + min(step, num_larger)
        batch = order[begin : begin + size + (step < num_larger)]
        yield _divide(config, processes, batch, [*seed, step])


def _divide(config: TrainConfig, processes: Processes, batch: np.ndarray, seed: list[int]) -> Step:
    """This process's share of a batch, in ``config.accumulate`` parts.

    The weights make the mean over the processes of the sums over the parts the mean over the batch. A process without
    a share runs one example with weight 0, since the others wait for it.
    """
    own = processes.share(batch)
    if not len(own):
        return Step([Part(BatchIndices(batch[:1], seed), 0.0)], len(batch), 1)
    parts = [
        Part(
            BatchIndices(examples, [*seed, processes.rank, index]),
            len(examples) * processes.world_size / len(batch),
        )
        for index, examples in enumerate(part for part in np.array_split(own, config.accumulate) if len(part))
    ]
    return Step(parts, len(batch), len(own))
