"""Which of the processes of a distributed run this is."""

import os


def is_first_process() -> bool:
    """Whether this process has rank 0, or is alone: the one that tracks, so that each figure is delivered once.

    ``RANK`` is set by torchrun and by Azure ML, ``OMPI_COMM_WORLD_RANK`` by MPI.
    """
    for variable in ("RANK", "OMPI_COMM_WORLD_RANK"):
        value = os.environ.get(variable, "").strip()
        if value.isdigit():
            return int(value) == 0
    return True
