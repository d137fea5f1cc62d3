"""The description of a job, for both of Azure ML's clients."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pianoroll_seq2seq.backends.azureml.data import JobInput


@dataclass(frozen=True)
class Job:
    """A script, its arguments and its machines, all checked. ``submit`` describes the fields."""

    script: str
    arguments: tuple[str | int | float, ...]
    experiment: str
    compute: str
    nodes: int
    processes_per_node: int
    gpu: bool
    environment: Any
    variables: Mapping[str, str]
    data: Mapping[str, JobInput]
    shared_memory: str
    tags: Mapping[str, str]

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        return self.compute == "local"

    @property
    def processes(self) -> int:
        """The number of processes on all machines."""
        return self.nodes * self.processes_per_node

    @property
    def backend(self) -> str:
        """The backend of ``torch.distributed``."""
        return "nccl" if self.gpu else "gloo"
