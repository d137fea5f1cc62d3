"""Distributes shards to an executor or to worker processes, and finds files that kill the workers."""

import contextlib
import multiprocessing
import os
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from dataclasses import replace
from typing import Any

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.data.corpus.processes import WorkerDiedError, WorkerProcesses
from pianoroll_seq2seq.data.corpus.shard import ShardReport, ShardTask, SourceFile, build_shard, read_piece
from pianoroll_seq2seq.errors import CorpusError

_MAX_DEATHS = 3  # of workers with a single shard, before their current file is skipped
_KILLED = "the worker process died while it read this file (out of memory, or a fault in a parser)"


def refuse_while_starting() -> None:
    """Refuses to build while a process of the caller's pool imports the script that started it.

    Each would wait for the other.

    Raises:
        CorpusError: this process is one of such a pool; the script lacks its guard.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as multiprocessing itself checks
        raise CorpusError(
            "The processes of your executor cannot start, since each imports the script again. Use the executor under "
            "'if __name__ == \"__main__\":', or leave out executor=."
        )


class Build:
    """Distributes tasks until all are done, also if workers die."""

    def __init__(self, bar: "tqdm[Any]", executor: Executor | None) -> None:
        """Stores the progress bar, which counts files, and the executor (None for worker processes of its own)."""
        self.bar = bar
        self.executor = executor
        self.failed: int = 0

    def run(self, tasks: Sequence[ShardTask]) -> None:
        """Builds all shards; a file that kills workers becomes one of its shard's failures.

        Raises:
            CorpusError: no worker can begin.
        """
        while tasks:
            given = self.executor
            with _workers_for(tasks) if given is None else contextlib.nullcontext(given) as executor:
                undone, errors = self._distribute(tasks, executor)
            if given is not None and any(isinstance(error, BrokenExecutor) for error in errors):
                self.executor = None  # a pool whose worker died accepts no more work: continue with new processes
            elif len(undone) == len(tasks) and not any(task.mark_path.exists() for task in undone):
                raise CorpusError(
                    f"Workers cannot begin: {errors[0]!r}. They must be able to import this library, and the module "
                    f"of a grid of your own."
                ) from errors[0]
            tasks = self._without_killers(undone)

    def _distribute(
        self, tasks: Sequence[ShardTask], executor: Executor
    ) -> tuple[list[ShardTask], list[BaseException]]:
        """Runs the tasks; returns the unfinished ones and their errors."""
        undone: list[ShardTask] = []
        errors: list[BaseException] = []
        futures: dict[Future[ShardReport], ShardTask] = {}
        try:
            for task in tasks:
                try:
                    futures[executor.submit(build_shard, replace(task, ticket=uuid.uuid4().hex))] = task
                except BrokenExecutor as broken:
                    undone.append(task)
                    errors.append(broken)
            for future in as_completed(futures):
                error = future.exception()
                if error is None:
                    self._count(futures[future], future.result())
                elif isinstance(error, OSError | CorpusError):
                    raise error
                else:  # the worker died; each kind of executor raises another error
                    undone.append(futures[future])
                    errors.append(error)
        finally:
            for future in futures:
                future.cancel()
        return sorted(undone, key=lambda task: task.number), errors

    def _count(self, task: ShardTask, report: ShardReport) -> None:
        self.failed += report.failures
        self.bar.set_postfix(failed=self.failed, refresh=False)
        self.bar.update(len(task.files))

    def _without_killers(self, tasks: Sequence[ShardTask]) -> list[ShardTask]:
        """The tasks that remain, without the files that kill a process.

        The file that a dead worker was reading is a suspect, and so are those of other executors' workers that died
        with it. Each is read alone. If none of them kills, a whole shard does: the shards that had begun are built one
        by one.
        """
        suspects = {task.number: file for task in tasks if (file := _current_file(task)) is not None}
        killers = {task.number for task in tasks if task.number in suspects and _kills(suspects[task.number], task)}
        left = []
        for task in tasks:
            if task.number in killers:
                left.append(_without(suspects[task.number], task))
            elif killers or task.number not in suspects:
                left.append(task)
            else:
                self._build_alone(task)
        return left

    def _build_alone(self, task: ShardTask) -> None:
        """Builds a shard in a worker of its own: if the worker dies, this shard is the cause."""
        deaths: Counter[str] = Counter()
        while True:
            with WorkerProcesses(1) as pool:
                future = pool.submit(build_shard, task)
                error = future.exception()
            if error is None:
                return self._count(task, future.result())
            if not isinstance(error, WorkerDiedError):
                raise error
            file = _current_file(task)
            source = "" if file is None else file.source
            deaths[source] += 1
            if deaths[source] >= _MAX_DEATHS:
                if file is None:
                    raise CorpusError(
                        f"{task.frames_path}: its worker dies each time, before it reads a file."
                    ) from error
                task = _without(file, task)


def _current_file(task: ShardTask) -> SourceFile | None:
    """The file that a task's worker was reading when it died; None if it had not begun. Deletes the mark."""
    if not task.mark_path.exists():
        return None
    mark = task.mark_path.read_bytes()
    task.mark_path.unlink()
    file = task.files[int.from_bytes(mark, "little")] if len(mark) == 8 else None
    return None if file is None or file.source in task.skip else file


def _without(file: SourceFile, task: ShardTask) -> ShardTask:
    return replace(task, skip={**task.skip, file.source: f"{file.source}: {_KILLED}."})


def _kills(file: SourceFile, task: ShardTask) -> bool:
    """Whether reading a file kills the process."""
    with WorkerProcesses(1) as pool:
        return isinstance(pool.submit(read_piece, file, task).exception(), WorkerDiedError)


def _workers_for(tasks: Sequence[ShardTask]) -> WorkerProcesses:
    """A worker for each core, or for each task if there are fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return WorkerProcesses(min(cores, len(tasks)))
