"""Worker processes: if these fail, no worker can begin, or a call fails that is nobody's fault."""

import operator
import os
import threading
from pathlib import Path

import pytest

from pianoroll_seq2seq.data.corpus.processes import WorkerDiedError, WorkerProcesses


def test_what_is_printed_while_a_worker_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A banner of the site or of a package is taken for an answer, and all workers seem to die."""
    (tmp_path / "sitecustomize.py").write_text("print('Welcome', flush=True)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with WorkerProcesses(1) as workers:
        assert workers.submit(operator.add, 1, 2).result() == 3


def test_two_threads_may_want_one_idle_worker() -> None:
    """Threads that ask for idle workers at the same time fail with an IndexError."""

    class Idle(list[object]):
        both = threading.Barrier(2, timeout=20)

        def __len__(self) -> int:  # as one thread sees it, before the other has taken the worker
            return 1

        def __bool__(self) -> bool:
            return True

        def pop(self, index: int = -1) -> object:  # type: ignore[override]
            self.both.wait()
            return super().pop(index)

    with WorkerProcesses(2) as workers:
        workers._idle = Idle()  # type: ignore[assignment]
        calls = [workers.submit(operator.add, number, 1) for number in range(2)]
        assert [call.result() for call in calls] == [1, 2]


def test_a_worker_that_dies_is_replaced() -> None:
    """After a death, no other call has a worker."""
    with WorkerProcesses(1) as workers:
        with pytest.raises(WorkerDiedError):
            workers.submit(os._exit, 1).result()
        assert workers.submit(operator.add, 1, 2).result() == 3
