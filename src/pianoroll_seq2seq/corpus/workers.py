"""Who builds the shards: an executor, or processes of our own; and which files kill those who read them."""

import contextlib
import multiprocessing
import os
import signal
import threading
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Any

from tqdm.auto import tqdm

from pianoroll_seq2seq.corpus.shard import ShardReport, ShardTask, SourceFile, build_shard, read_piece
from pianoroll_seq2seq.errors import CorpusError

_MOST_DEATHS = 3  # of workers that had nothing but one shard to do, before the file at hand is blamed
_KILLED = "the worker process died while it read this file (out of memory, or a fault in a parser)"

_UNGUARDED = (
    "Worker processes cannot start. In a script, call build_corpus under 'if __name__ == \"__main__\":', since each "
    "process imports the script anew."
)


def refuse_while_starting() -> None:
    """Refuses to build in a process that only just imports the script that started it: each would wait for the other.

    Raises:
        CorpusError: it is so; the script lacks its guard.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # multiprocessing itself asks so
        raise CorpusError(_UNGUARDED)


class Build:
    """Shares tasks out until all are done, whatever dies on the way."""

    def __init__(self, bar: "tqdm[Any]", executor: Executor | None) -> None:
        """Takes the progress bar that counts files, and who does the work (processes of its own, if None)."""
        self.bar = bar
        self.executor = executor
        self.failed: int = 0

    def run(self, tasks: Sequence[ShardTask]) -> None:
        """Builds all shards; a file whose reading kills workers ends among its shard's failures.

        Raises:
            CorpusError: no worker so much as begins.
        """
        while tasks:
            given = self.executor
            with _own_pool(len(tasks)) if given is None else contextlib.nullcontext(given) as executor:
                undone, errors = self._share_out(tasks, executor)
            if given is not None and any(isinstance(error, BrokenExecutor) for error in errors):
                self.executor = None  # a pool whose worker died takes no more work: go on with one of our own
            elif len(undone) == len(tasks) and not any(task.mark_path.exists() for task in undone):
                raise CorpusError(
                    f"Workers cannot begin: {errors[0]!r}. They must be able to import this library, and the module "
                    f"of a grid of your own."
                ) from errors[0]
            tasks = self._without_killers(undone)

    def _share_out(self, tasks: Sequence[ShardTask], executor: Executor) -> tuple[list[ShardTask], list[BaseException]]:
        """Runs what can be run; gives what was not finished, and why."""
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
                elif isinstance(error, OSError):
                    raise error
                else:  # the worker is gone; executors have their own names for it
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
        """What is left to do: the tasks without files that kill a process.

        One worker's death ends all of a pool, so that every file at hand is suspected, and tried alone. Where
        none of them kills, a whole shard does: those that had begun are built one by one.
        """
        suspects = {task.number: file for task in tasks if (file := _file_at_hand(task)) is not None}
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
        """Builds a shard by a worker that does nothing else: when it dies, it died of this shard."""
        deaths: Counter[str] = Counter()
        while True:
            with _own_pool(1) as pool:
                future = pool.submit(build_shard, task)
                error = future.exception()
            if error is None:
                return self._count(task, future.result())
            if not isinstance(error, BrokenExecutor):
                raise error
            file = _file_at_hand(task)
            source = "" if file is None else file.source
            deaths[source] += 1
            if deaths[source] >= _MOST_DEATHS:
                if file is None:
                    raise CorpusError(f"{task.frames_path}: its worker dies each time, and of no file.") from error
                task = _without(file, task)


def _file_at_hand(task: ShardTask) -> SourceFile | None:
    """The file at which a task's worker was when it died; none if it had not begun. The mark is removed."""
    if not task.mark_path.exists():
        return None
    mark = task.mark_path.read_bytes()
    task.mark_path.unlink()
    file = task.files[int.from_bytes(mark, "little")] if len(mark) == 8 else None
    return None if file is None or file.source in task.skip else file


def _without(file: SourceFile, task: ShardTask) -> ShardTask:
    return replace(task, skip={**task.skip, file.source: f"{file.source}: {_KILLED}."})


def _kills(file: SourceFile, task: ShardTask) -> bool:
    """Whether reading a file ends the process that does it."""
    with _own_pool(1) as pool:
        return isinstance(pool.submit(read_piece, file, task).exception(), BrokenExecutor)


@contextlib.contextmanager
def _own_pool(tasks: int) -> Any:
    """A pool of processes that end with this one; a worker each core, or fewer where there is less to do.

    Raises:
        CorpusError: its processes cannot start.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pool = ProcessPoolExecutor(
        min(cores, tasks), mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    try:
        started = pool.submit(os.getpid).exception()
        if started is not None:
            raise CorpusError(_UNGUARDED) from started
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """Leaves Ctrl-C to the parent, and ends when the parent is gone: even killed, it leaves no orphans."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
