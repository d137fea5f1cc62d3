"""Worker processes that may die: a death costs the one call that its worker was given, and nobody waits for it.

In a pool with a common queue, nobody knows what a worker had taken that died, or whether it held the queue's lock; such
pools have hung. Here each worker has pipes of its own and a thread that waits for it: the end of the pipe is its death.

A worker is a fresh interpreter that imports this library only. It does not import the script that started it, and
nothing from the working directory before what is installed.
"""

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from types import TracebackType
from typing import IO, Any

import cloudpickle

from pianoroll_seq2seq._internal.progress import write_line
from pianoroll_seq2seq.errors import CorpusError

_BEGIN = b"\0the answers of a worker\n"
"""What a worker writes first: the interpreter, or a module that it imports, may have printed something before."""
_PROGRAM = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import serve; serve()"


class WorkerDiedError(Exception):
    """A worker process ended before it answered."""


class WorkerProcesses(Executor):
    """Runs each call in a worker process; what a call returns or raises must be picklable.

    A call may be of a function or with arguments that are defined in a script or notebook. A worker is started when
    it is needed, and ends with this process, even if this process is killed. Ctrl-C in a terminal does not reach it:
    leaving the context waits for the calls that run, and a second Ctrl-C ends them.

    Args:
        number: how many calls run at once.
    """

    def __init__(self, number: int) -> None:
        """Starts nothing yet."""
        self._threads = ThreadPoolExecutor(number)
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Schedules a call.

        Its future raises what the call raises, or:

        Raises:
            WorkerDiedError: the worker died; the next call has a new one.
            CorpusError: no worker process can be started.
        """
        return self._threads.submit(self._call, (fn, args, kwargs))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the workers. After Ctrl-C, it says what it waits for: a worker may hang in its file."""
        try:
            if kind is not None and issubclass(kind, KeyboardInterrupt) and len(self._workers) > len(self._idle):
                write_line(
                    "Interrupted: waiting for the shards that are being built, which are kept. Press Ctrl-C again to "
                    "end at once. The same call resumes in both cases."
                )
            super().__exit__(kind, error, trace)
        finally:  # Ctrl-C may be pressed again while this is said
            self._end_workers()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends all workers when the calls that run are done."""
        try:
            self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        finally:  # also if the wait is interrupted
            self._end_workers()

    def _end_workers(self) -> None:
        with self._lock:  # a worker that is being started now ends itself
            self._ended.set()
            workers = list(self._workers)
        for worker in workers:
            worker.end()

    def _call(self, call: tuple[Any, ...]) -> Any:
        pickled = cloudpickle.dumps(call)
        if self._ended.is_set():
            raise WorkerDiedError("the worker processes have ended")
        try:
            worker = self._idle.pop()
        except IndexError:  # asking first would be a race with the other threads
            worker = _Worker()
        with self._lock:
            if not self._ended.is_set():
                self._workers.add(worker)
        if self._ended.is_set():
            worker.end()
            raise WorkerDiedError("the worker processes have ended")
        try:
            is_returned, value = worker.answer(pickled)
        except WorkerDiedError:
            worker.end()
            self._workers.discard(worker)
            raise
        self._idle.append(worker)
        if not is_returned:
            raise value
        return value


class _Worker:
    """A worker process, as the process that started it sees it."""

    def __init__(self) -> None:
        path = [entry for entry in sys.path if entry]
        if "" in sys.path:  # the working directory, in a notebook; after everything that is installed
            path.append(os.getcwd())
        try:
            self._process = subprocess.Popen(  # noqa: S603 (this interpreter, with this library)
                [sys.executable, "-P", "-c", _PROGRAM, *path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONUTF8": str(sys.flags.utf8_mode)},  # file names are decoded as here
                **_apart(),
            )
        except OSError as error:
            raise CorpusError(
                f"A worker process cannot be started: {error}. Free some memory or raise the limit of processes "
                f"(ulimit -u), or pass executor=."
            ) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._calls: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout
        self._has_begun = False

    def answer(self, call: bytes) -> tuple[bool, Any]:
        """What a call returned, or what it raised."""
        try:
            pickle.dump(call, self._calls)
            self._calls.flush()
            if not self._has_begun:
                self._skip_to_answers()
            answered = pickle.load(self._answers)  # noqa: S301 (from a worker)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise WorkerDiedError(f"the worker process {self._process.pid} died") from error
        is_returned, value = answered
        return is_returned, value

    def _skip_to_answers(self) -> None:
        read = b""
        while not read.endswith(_BEGIN):
            byte = self._answers.read(1)
            if not byte:
                raise EOFError
            read = read[1 - len(_BEGIN) :] + byte
        self._has_begun = True

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._calls, self._answers):
            with contextlib.suppress(OSError):  # what was not sent yet to a dead process
                pipe.close()


def _apart() -> dict[str, Any]:
    """Arguments that keep Ctrl-C in the terminal from a process: the one that started it handles it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}


def serve() -> None:
    """The program of a worker: answers calls until the process that started it has ended."""
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "r+b") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno() if sys.stderr is None else 2, 1)  # what a call prints is no answer
    answers.write(_BEGIN)
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(calls, waiting), daemon=True).start()
    while True:
        pickle.dump(_answer(waiting.get()), answers)
        answers.flush()


def _receive(calls: IO[bytes], waiting: "queue.SimpleQueue[bytes]") -> None:
    """Takes calls while others run, in order to notice at once that there will be no more."""
    while True:
        try:
            waiting.put(pickle.load(calls))  # noqa: S301 (from the process that started this one)
        except (EOFError, pickle.UnpicklingError):
            os._exit(1)


def _answer(call: bytes) -> tuple[bool, Any]:
    try:
        function, args, kwargs = pickle.loads(call)  # noqa: S301 (from the process that started this one)
        answer = (True, function(*args, **kwargs))
        pickle.dumps(answer)
    except Exception as error:
        return False, _picklable(error)
    return answer


def _picklable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (its own)
    except Exception:  # exceptions with constructors of their own fail in many ways
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
