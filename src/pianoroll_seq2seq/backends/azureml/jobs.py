"""What is to be run, in terms that both of Azure ML's clients can be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pianoroll_seq2seq.backends.azureml.data import StoredFolder


@dataclass(frozen=True)
class Job:
    """A script, where it is run and with what; see ``submit`` for the meaning of each. All of it is checked."""

    script: str
    arguments: tuple[str | int | float, ...]
    experiment: str
    compute: str
    nodes: int
    processes_per_node: int
    gpu: bool
    environment: Any
    variables: Mapping[str, str]
    data: Mapping[str, StoredFolder]
    shared_memory: str
    tags: Mapping[str, str]

    @property
    def is_local(self) -> bool:
        """Whether it is run on this machine."""
        return self.compute == "local"

    @property
    def processes(self) -> int:
        """On all machines together."""
        return self.nodes * self.processes_per_node

    @property
    def backend(self) -> str:
        """What its processes speak to one another by."""
        return "nccl" if self.gpu else "gloo"
