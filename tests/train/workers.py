"""Processes that train, forked from a server that has imported PyTorch already.

The server has no other threads, of which a fork could copy a held lock.
"""

import multiprocessing
import os
import socket
from multiprocessing.process import BaseProcess
from typing import Any

import script

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["pianoroll_seq2seq.train.fitting", "pianoroll_seq2seq.models.seq2seq_lstm", "torch._dynamo", "script"]
)


def start(target: Any, *arguments: Any) -> BaseProcess:
    """Starts a process that calls a function."""
    process = _context.Process(target=target, args=arguments)
    process.start()
    return process


def exit_code(process: BaseProcess, seconds: float = 120) -> int:
    """Waits for the end of a process; below 0 for one that a signal ended."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"the process did not end within {seconds} s")
    return process.exitcode


def train_together(arguments: list[str], world_size: int) -> list[int]:
    """Runs the script in processes of one group, as torchrun does, and returns their exit codes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    processes = [start(_train_as, rank, world_size, port, arguments) for rank in range(world_size)]
    return [exit_code(process) for process in processes]


def _train_as(rank: int, world_size: int, port: int, arguments: list[str]) -> None:
    variables = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in variables.items()} | {"MASTER_ADDR": "127.0.0.1"})
    script.main(arguments)
