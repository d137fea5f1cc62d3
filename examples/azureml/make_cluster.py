"""Creates a cluster in the workspace of ``config.json``, if it does not exist (SDK v1).

    python examples/azureml/make_cluster.py gpu-cluster                    # one machine with one GPU
    python examples/azureml/make_cluster.py gpu-cluster --low-priority     # cheaper; Azure may stop it at any moment

A cluster without work has no machines, and costs nothing. Low priority cannot be changed later: choose another name.
"""

import argparse
import sys

from commands import make_parser, run

from pianoroll_seq2seq.backends.azureml import ensure_cluster, open_workspace


def create(options: argparse.Namespace) -> None:
    """Creates the cluster, or checks that it exists, and prints its machines."""
    cluster = ensure_cluster(
        open_workspace(),
        options.name,
        vm_size=options.vm_size,
        max_nodes=options.max_nodes,
        low_priority=options.low_priority,
        idle_seconds=options.idle_seconds,
    )
    state = "created" if cluster.created else "exists"
    print(f"{cluster.name} {state}: up to {cluster.max_nodes} of {cluster.vm_size}, {cluster.gpus} GPUs each")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command."""
    parser = make_parser(__doc__)
    parser.add_argument("name", help="name of the cluster")
    parser.add_argument("--vm-size", default="STANDARD_NC4AS_T4_V3", help="size of its machines (%(default)s)")
    parser.add_argument("--max-nodes", type=int, default=1, help="largest number of machines (%(default)s)")
    parser.add_argument("--low-priority", action="store_true", help="use spare machines, at a fraction of the price")
    parser.add_argument(
        "--idle-seconds", type=int, default=300, help="how long a machine without work is kept (%(default)s)"
    )
    return run(create, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
