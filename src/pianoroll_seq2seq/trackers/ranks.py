"""The rank of this process in a distributed run."""

import os


def is_first_process() -> bool:
    """Whether this process has rank 0, or is the only one: it tracks, so that each metric is logged once.

    ``RANK`` is set by torchrun and by Azure ML, ``OMPI_COMM_WORLD_RANK`` by MPI.
    """
    for variable in ("RANK", "OMPI_COMM_WORLD_RANK"):
        value = os.environ.get(variable, "").strip()
        if value.isdigit():
            return int(value) == 0
    return True
