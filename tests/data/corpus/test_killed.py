"""A build that is killed, whenever that may be, goes on and ends with the same bytes."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from data.corpus.sabotage import PAUSE, Inline, PausingGrid, contents, processes_of_session, write_songs

from pianoroll_seq2seq import Corpus, build_corpus
from pianoroll_seq2seq._internal.locks import LOCK_NAME
from pianoroll_seq2seq.errors import CorpusError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for orphans in /proc")

SCRIPT = Path(__file__).parent / "sabotage.py"
FILES_PER_SHARD = 4
SONGS = 40


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs for ten shards."""
    return write_songs(tmp_path_factory.mktemp("source"), SONGS)


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The corpus of an undisturbed build."""
    out = tmp_path_factory.mktemp("whole") / "corpus"
    settings = {"grid": PausingGrid(4), "files_per_shard": FILES_PER_SHARD, "outside": "drop"}
    corpus = build_corpus(source, out, progress=False, executor=Inline(), **settings)
    assert len(corpus) == SONGS
    return contents(out)


def start(source: Path, out: Path, *, pause: float = 0) -> subprocess.Popen[str]:
    """Begins to build, in a session of its own; waits so many seconds at each file."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(source), str(out), str(FILES_PER_SHARD)],
        env={**os.environ, PAUSE: str(pause)},
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_no_orphans(session: int) -> None:
    deadline = time.monotonic() + 3
    while left := processes_of_session(session):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.02)


def finished_shards(out: Path) -> dict[str, tuple[int, int]]:
    """Those with an index: which file on disk each is, and when it was written."""
    indices = out.glob("[0-9]*.json") if out.is_dir() else ()
    paths = [path for index in indices for path in (index, index.with_suffix(".npy"))]
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def finish(source: Path, out: Path, whole: dict[str, bytes]) -> None:
    """Lets a build end that was killed."""
    before = finished_shards(out)
    process = start(source, out)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert before.items() <= finished_shards(out).items()
    assert contents(out) == whole


def test_killed_at_every_step(tmp_path: Path) -> None:
    """After a power cut or a job's end, a build starts over, ends otherwise, or leaves litter behind.

    A process is killed before each of the operations on files and folders that a build consists of, in turn.
    """
    songs = write_songs(tmp_path / "songs", 5)
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "--at-every-step", str(songs), str(tmp_path / "corpora")],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    killed = int(ran.stdout)
    assert killed > 40  # the operations on the plan, three shards of two files, the manifest and the lock


@pytest.mark.slow
def test_killed_twenty_times(source: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    """As above, at any moment and with all of its workers."""
    begun = time.monotonic()
    usual = start(source, tmp_path / "usual", pause=0.05)
    assert usual.wait(60) == 0
    usual.communicate()
    duration = time.monotonic() - begun
    assert contents(tmp_path / "usual") == whole

    moments = random.Random(20)
    out = tmp_path / "corpus"
    resumed = 0  # most of the time is spent building, not importing: about every second start finds something
    for _ in range(20):
        before = finished_shards(out)
        process = start(source, out, pause=0.05)
        time.sleep(moments.uniform(0, duration))
        process.kill()
        process.communicate(timeout=10)  # it ends when no process holds the pipe any more
        assert_no_orphans(process.pid)
        assert before.items() <= finished_shards(out).items()
        resumed += len(before) > 0
        if (out / "manifest.json").exists():
            (out / LOCK_NAME).unlink(missing_ok=True)  # the next build would remove it
            assert contents(out) == whole
            shutil.rmtree(out)
        elif (out / "plan.json").exists():
            with pytest.raises(CorpusError, match="not finished"):
                Corpus(out)
    assert resumed > 3
    finish(source, out, whole)


@pytest.mark.parametrize("to", ["main process", "all processes"])
def test_interrupted(source: Path, tmp_path: Path, whole: dict[str, bytes], to: str) -> None:
    """Ctrl-C hangs, leaves workers behind, or costs what was built."""
    out = tmp_path / "corpus"
    process = start(source, out, pause=0.2)
    while len(finished_shards(out)) < 4:
        assert process.poll() is None
        time.sleep(0.005)
    (os.kill if to == "main process" else os.killpg)(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt\n" in errors  # also of a worker that had only just been started
    assert to == "all processes" or errors.count("Traceback") == 1
    assert_no_orphans(process.pid)
    assert 4 <= len(finished_shards(out)) < len(whole) - 2
    assert not (out / "manifest.json").exists()
    finish(source, out, whole)


def test_interrupted_while_a_worker_hangs(source: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    """Ctrl-C has no effect, and nobody says that it waits for a file or how to end it."""
    out = tmp_path / "corpus"
    process = start(source, out, pause=1000)
    while not list(out.glob("*.at")):
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGINT)
    assert process.stderr is not None
    said = ""
    while "Press Ctrl-C again" not in said:  # at once; a hang ends with the time of the test
        said = process.stderr.readline()
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert_no_orphans(process.pid)
    finish(source, out, whole)


def test_a_worker_that_is_killed_from_outside(source: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    """When the system kills a worker for want of memory, the file that it just read is lost from the corpus."""
    out = tmp_path / "corpus"
    process = start(source, out, pause=0.05)
    while not list(out.glob("*.at")):
        assert process.poll() is None
        time.sleep(0.002)
    threads = Path(f"/proc/{process.pid}/task").iterdir()
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    workers = [int(child) for child in children if b"corpus.processes" in Path(f"/proc/{child}/cmdline").read_bytes()]
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert contents(out) == whole


@pytest.mark.parametrize("number", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in (1, 2))])
def test_several_at_once(source: Path, tmp_path: Path, whole: dict[str, bytes], number: int) -> None:
    """Each process that torchrun starts runs the same script: they clear away each other's half-written files."""
    processes = [start(source, tmp_path / "corpus") for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    assert contents(tmp_path / "corpus") == whole


def test_waiting_for_one_that_is_killed(source: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    """A process that waits for another's corpus waits for ever when that is killed, or starts over."""
    out = tmp_path / "corpus"
    first = start(source, out, pause=0.5)
    while len(finished_shards(out)) < 4:
        assert first.poll() is None
        time.sleep(0.005)
    second = start(source, out)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(1.5)
    before = finished_shards(out)
    first.kill()
    first.communicate(timeout=10)
    assert_no_orphans(first.pid)
    _, errors = second.communicate(timeout=60)
    assert (second.returncode, errors) == (0, "")
    assert before.items() <= finished_shards(out).items()
    assert contents(out) == whole


def test_waiting_is_said(
    source: Path, tmp_path: Path, whole: dict[str, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    """A notebook that waits for another's corpus looks as if it hung; or it builds all once more."""
    out = tmp_path / "corpus"
    other = start(source, out, pause=0.1)
    while not list(out.glob("*.at")):
        assert other.poll() is None
        time.sleep(0.002)
    settings = {"grid": PausingGrid(4), "files_per_shard": FILES_PER_SHARD, "outside": "drop"}
    corpus = build_corpus(source, out, executor=None, **settings)
    _, errors = other.communicate(timeout=10)
    assert (other.returncode, errors) == (0, "")
    shown = capfd.readouterr().err
    assert f"{out}: another process builds this corpus; waiting for it." in shown
    assert "file/s" not in shown
    assert len(corpus) == SONGS
    assert contents(out) == whole
