"""Files from anywhere: if these fail, one of them stops, hangs or fills the machine that reads it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.worst_cases import CASES, OUTDONE, SIZE

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits a process's memory as Linux does")

HERE = Path(__file__).parent
SEED = 1


QUICK = {
    "note-ons, then note-offs",
    "all notes off again and again",
    "a roll of the most cells",
    "full tracks, every policy",
    "tempi",
}
"""Worst files of each kind: many notes, many endings, many frames, many tracks, many tempi."""


def _seeds() -> list[str]:
    """Real files, where there are some: every fifth of the chords, and some songs of several tracks."""
    root = os.environ.get("PIANOROLL_SEQ2SEQ_DATA")
    if not root:
        return []
    chords, songs = (Path(root) / name for name in ("scale_chords_small", "pop909_sample"))
    return [*map(str, sorted(chords.rglob("*.mid"))[::5]), *map(str, sorted(songs.glob("*.mid"))[::20])]


def _environment() -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return os.environ | threads


def _run(first: int, count: int) -> tuple[int, list[str], str]:
    command = [sys.executable, str(HERE / "read_many.py"), *map(str, (SEED, first, count)), *_seeds()]
    child = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    return child.returncode, child.stdout.splitlines(), child.stderr


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_file_crashes_hangs_or_fills_the_memory(count):
    """Mutated files: each is read, or refused with an error of ours, in the time of 20 honest files, and in 1 GB."""
    first, failures, megabytes = 0, [], 0
    while first < count:
        code, lines, complaint = _run(first, count - first)
        failures += [line for line in lines if line.startswith("!")]
        numbers = [int(line) for line in lines if line.isdecimal()]
        megabytes = max([megabytes, *(int(line.split()[1]) for line in lines if line.startswith("max_rss_mb"))])
        if code == 0:
            assert numbers[-1] == count - 1
            break
        assert numbers, f"the child did not begin: {complaint}"
        how = "hung" if code in (-signal.SIGPROF, -signal.SIGALRM) else f"ended the process with {code}"
        failures.append(f"! {numbers[-1]} {how} {complaint[-500:]}")
        first = numbers[-1] + 1
        assert len(failures) < 20, failures
    assert not failures, f"input_number(NUMBER, {SEED}, seeds) of read_many.py: {failures}"
    assert megabytes < 1024


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES if name not in OUTDONE],
)
def test_the_worst_file_of_the_largest_size_costs_less_than_an_honest_one(name):
    """An upload that is made to stop a server takes 0.35 of mido's time for an honest file, and 1 GB, at the most."""
    command = [sys.executable, str(HERE / "worst_cases.py"), name, "--here"]
    child = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=True)
    cost = json.loads(child.stdout)
    assert cost["of_honest"] < 0.35, cost
    assert cost["megabytes"] < 1024, cost


def test_the_worst_files_are_of_the_largest_size():
    """Were the limit raised, these tests would prove less than they say."""
    assert DEFAULT_LIMITS.max_file_bytes == SIZE
    assert set(CASES) > OUTDONE
    assert set(CASES) - OUTDONE > QUICK
