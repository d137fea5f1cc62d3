"""One training run in several processes, on ``torch.distributed``."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.heads.base import FrameDistribution
from pianoroll_seq2seq.models.base import SequenceModel


@dataclass(frozen=True)
class Processes:
    """This process among those of the run.

    Args:
        rank: its number, from 0.
        count: how many there are.
        device: where its model belongs.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether it is the one that prints, tracks and writes."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self.count == 1

    @classmethod
    def of_run(cls, device: torch.device) -> "Processes":
        """Those of ``torch.distributed``'s group, or this one alone where there is none."""
        if not (dist.is_available() and dist.is_initialized()):
            return cls(0, 1, device)
        return cls(dist.get_rank(), dist.get_world_size(), device)

    def share(self, windows: np.ndarray) -> np.ndarray:
        """This process's part of a batch: the parts do not overlap, and are as equal as can be."""
        return np.array_split(windows, self.count)[self.rank]

    def wrap(self, model: SequenceModel) -> Callable[[Tensor, Tensor], FrameDistribution]:
        """A model whose gradients are the mean over all processes."""
        if self.alone:
            return model
        if not isinstance(model, nn.Module):
            raise SettingsError(f"Several processes can train a torch.nn.Module, and {type(model).__name__} is none.")
        places = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=places)

    def wait(self) -> None:
        """Until all processes have come this far."""
        self.highest(0)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, in each of them."""
        if not self.alone:
            dist.all_reduce(values)
        return values

    def highest(self, value: int) -> int:
        """The highest of the values that the processes give."""
        if self.alone:
            return value
        agreed = torch.tensor(value, device=self.device)
        dist.all_reduce(agreed, dist.ReduceOp.MAX)
        return int(agreed)

    def told(self, data: bytes | None) -> bytes | None:
        """What the first process gives, in all of them."""
        if self.alone:
            return data
        size = torch.tensor(-1 if data is None else len(data), device=self.device)
        dist.broadcast(size, 0)
        if int(size) < 0:
            return None
        if self.first and data is not None:
            content = torch.frombuffer(bytearray(data), dtype=torch.uint8).to(self.device)
        else:
            content = torch.empty(int(size), dtype=torch.uint8, device=self.device)
        dist.broadcast(content, 0)
        return content.cpu().numpy().tobytes()


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Within: the process group of ``torchrun``, or of whatever else sets its environment variables (Azure ML does).

    Started without them, this process is alone, so that one script runs either way. Each process gets a GPU of its own
    where there are any, with NCCL between them, and else the CPU with gloo.

    For ``torchrun --max-restarts`` set ``TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1`` in its environment: without it a
    process that is started again may find the address of a dead one (https://github.com/pytorch/pytorch/issues/135712).

    Raises:
        SettingsError: more processes on this machine than it has GPUs.

    Example:
        >>> with join_processes() as processes:
        ...     print(processes.rank, processes.count)  # under torchrun --nproc-per-node=2: 0 2 and 1 2
        0 1
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield Processes(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        return
    device = torch.device("cpu")
    if torch.cuda.is_available():
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise SettingsError(
                f"Process {local + 1} of this machine has no GPU of its own: there are {torch.cuda.device_count()}. "
                f"Start fewer: torchrun --nproc-per-node={torch.cuda.device_count()}."
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes.of_run(device)
    finally:
        dist.destroy_process_group()
