"""Makes a cluster in the workspace that ``config.json`` names, unless it is there (SDK v1).

    python examples/azureml/make_cluster.py gpu-cluster                    # one machine with one GPU
    python examples/azureml/make_cluster.py gpu-cluster --low-priority     # cheaper; may be taken away at any moment

A cluster without work has no machines, and costs nothing. Low priority cannot be changed later: choose another name.
"""

import argparse
import sys

from pianoroll_seq2seq.backends.azureml import ensure_cluster, open_workspace
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError


def main(arguments: list[str] | None = None) -> int:
    """The command; a user's mistake is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the cluster")
    parser.add_argument("--vm-size", default="STANDARD_NC4AS_T4_V3", help="kind of its machines (%(default)s)")
    parser.add_argument("--max-nodes", type=int, default=1, help="the most machines at once (%(default)s)")
    parser.add_argument("--low-priority", action="store_true", help="machines that nobody else wants")
    parser.add_argument("--idle-seconds", type=int, default=300, help="a machine without work is kept (%(default)s)")
    given = parser.parse_args(arguments)
    try:
        cluster = ensure_cluster(
            open_workspace(),
            given.name,
            vm_size=given.vm_size,
            max_nodes=given.max_nodes,
            low_priority=given.low_priority,
            idle_seconds=given.idle_seconds,
        )
    except PianoRollSeq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    made = "made" if cluster.created else "was there"
    print(f"{cluster.name} {made}: up to {cluster.max_nodes} of {cluster.vm_size}, {cluster.gpus} GPUs each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
