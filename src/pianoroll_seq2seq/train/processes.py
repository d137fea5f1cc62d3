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
from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.models.heads.contract import FrameDistribution


@dataclass(frozen=True)
class Processes:
    """The processes of a run, and which of them this one is.

    Args:
        rank: the number of this process, from 0.
        world_size: how many processes there are.
        device: the device of this process's model.
    """

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process prints, tracks and writes."""
        return self.rank == 0

    @property
    def is_single(self) -> bool:
        """Whether this is the only process."""
        return self.world_size == 1

    @classmethod
    def current(cls, device: torch.device) -> "Processes":
        """The processes of ``torch.distributed``'s group; a single one if there is no group."""
        if not (dist.is_available() and dist.is_initialized()):
            return cls(0, 1, device)
        return cls(dist.get_rank(), dist.get_world_size(), device)

    def share(self, indices: np.ndarray) -> np.ndarray:
        """This process's part of a batch. The parts are disjoint and differ in size by one at most."""
        return np.array_split(indices, self.world_size)[self.rank]

    def wrap(self, model: SequenceModel) -> Callable[[Tensor, Tensor], FrameDistribution]:
        """The model, with gradients that are the mean over all processes.

        Raises:
            SettingsError: several processes, and a model that is no ``torch.nn.Module``.
        """
        if self.is_single:
            return model
        if not isinstance(model, nn.Module):
            raise SettingsError(f"Distributed training needs a torch.nn.Module, got {type(model).__name__}.")
        device_ids = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=device_ids)

    def barrier(self) -> None:
        """Waits until all processes have called it."""
        self.all_reduce_max(0)

    def all_reduce_sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, in each of them."""
        if not self.is_single:
            dist.all_reduce(values)
        return values

    def all_reduce_max(self, value: int) -> int:
        """The maximum over all processes, in each of them."""
        if self.is_single:
            return value
        maximum = torch.tensor(value, device=self.device)
        dist.all_reduce(maximum, dist.ReduceOp.MAX)
        return int(maximum)

    def broadcast(self, data: bytes | None) -> bytes | None:
        """The data of the first process, in all of them."""
        if self.is_single:
            return data
        size = torch.tensor(-1 if data is None else len(data), device=self.device)
        dist.broadcast(size, 0)
        if int(size) < 0:
            return None
        if self.is_first and data is not None:
            content = torch.frombuffer(bytearray(data), dtype=torch.uint8).to(self.device)
        else:
            content = torch.empty(int(size), dtype=torch.uint8, device=self.device)
        dist.broadcast(content, 0)
        return content.cpu().numpy().tobytes()


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Joins the process group of ``torchrun``, or of anything else that sets its environment variables (Azure ML does).

    Without these variables the process is the only one, so that one script runs either way. Each process gets a GPU of
    its own, with NCCL between them, if there are GPUs, and the CPU with gloo otherwise.

    For ``torchrun --max-restarts`` set ``TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1`` in its environment: without it a
    process that is started again may find the address of a dead one (https://github.com/pytorch/pytorch/issues/135712).

    Raises:
        SettingsError: more processes on this machine than it has GPUs.

    Example:
        >>> with join_processes() as processes:
        ...     print(processes.rank, processes.world_size)  # under torchrun --nproc-per-node=2: 0 2 and 1 2
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
        yield Processes.current(device)
    finally:
        dist.destroy_process_group()
