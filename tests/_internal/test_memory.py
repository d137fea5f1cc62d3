"""glibc keeps freed memory while it is wanted, and not longer. Page faults are counted in separate processes."""

import ctypes
import os
import subprocess
import sys

import pytest

from pianoroll_seq2seq._internal import memory
from pianoroll_seq2seq._internal.memory import kept_memory, trim_memory

_SCRIPT = """
import random, resource, sys
from contextlib import nullcontext
from pianoroll_seq2seq._internal.memory import kept_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def held():
    return 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("RssAnon")).split()[1])

def work(count=6):
    sizes = random.Random(0)
    for _ in range(count):
        blocks = [b"x" * (sizes.randrange(33, 48) * 2**20) for _ in range(2)]

before = held()
with kept_memory() if sys.argv[1] == "kept" else nullcontext():
    work()  # takes the memory
    with kept_memory() if sys.argv[1] == "kept" else nullcontext():
        pass  # a second run in another thread has ended
    begun = faults()
    work()
    taken = faults() - begun
    within = held()
print(taken, within - before, held() - before)
"""

linux = pytest.mark.skipif(
    sys.platform != "linux" or memory._glibc() is None, reason="glibc alone can be made to keep memory"
)


def run(mode: str, **variables: str) -> list[int]:
    """Page faults, and the memory that is held within and afterwards."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", _SCRIPT, mode]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=inherited | variables, timeout=170)
    assert done.returncode == 0, done.stderr[-2000:]
    return [int(each) for each in done.stdout.split()]


@linux
def test_blocks_of_many_sizes_are_not_requested_again_and_again() -> None:
    """Each block is cleared by the system, page by page: a third of the time of training on long pieces."""
    plain, _, _ = run("plain")
    kept, within, after = run("kept")
    assert kept < 0.1 * plain, (kept, plain)
    assert within > 50 * 2**20
    assert after < 8 * 2**20  # and it is given back at the end


_TRIMMING = """
from pianoroll_seq2seq._internal.memory import kept_memory, trim_memory

def held():
    return 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("RssAnon")).split()[1])

with kept_memory():
    blocks = [b"x" * 2**20 for _ in range(600)]
    del blocks[::2]
    before = held()
    trim_memory()
    print(before - held())
    del blocks[::2]
    blocks.clear()
trim_memory()  # nothing is kept
"""


@linux
def test_holes_between_blocks_are_given_back_on_request() -> None:
    """Training on pieces of many lengths would hold more memory after each epoch."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", _TRIMMING], check=False, capture_output=True, text=True, env=inherited, timeout=170
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 250 * 2**20


@linux
@pytest.mark.parametrize(
    "variables", [{"MALLOC_MMAP_MAX_": "65536"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"}]
)
def test_what_the_user_has_set_stays(variables: dict[str, str]) -> None:
    """Explicit settings of the environment are for a machine that the user knows."""
    plain, _, _ = run("plain", **variables)
    kept, _, _ = run("kept", **variables)
    assert kept > 0.8 * plain


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_it_does_nothing(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(memory, "_set", lambda *_: pytest.fail("no glibc"))
    with kept_memory():
        pass


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """musl has no mallopt."""

    class Musl:
        def __getattr__(self, name: str) -> None:
            raise AttributeError(name)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Musl())
    with kept_memory():
        trim_memory()


@linux
def test_one_dnn_keeps_fewer_programs_unless_the_user_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in memory._OWN_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(memory._PROGRAMS, raising=False)
    with kept_memory():
        assert int(os.environ[memory._PROGRAMS]) < 1024
    assert memory._PROGRAMS not in os.environ
    monkeypatch.setenv(memory._PROGRAMS, "7")
    with kept_memory():
        assert os.environ[memory._PROGRAMS] == "7"
    assert os.environ[memory._PROGRAMS] == "7"


@linux
def test_after_an_error_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[dict[int, int]] = []
    for name in memory._OWN_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setattr(memory, "_set", lambda _, values: done.append(values))
    with pytest.raises(ValueError, match="diverged"), kept_memory(), kept_memory():
        raise ValueError("diverged")
    assert done == [memory._KEEP, memory._UNDO]
