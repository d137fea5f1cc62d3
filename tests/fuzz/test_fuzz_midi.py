"""Files from anywhere: if these fail, one of them stops, hangs or fills the machine that reads it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.worst_cases import CASES, OUTDONE, SIZE

from pianoroll_seq2seq.limits import DEFAULT_LIMITS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits a process's memory as Linux does")

HERE = Path(__file__).parent
INPUTS = 10_000
SEED = 1


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


def test_no_file_crashes_hangs_or_fills_the_memory():
    """Ten thousand mutated files: each is read, or refused with an error of ours, in 5 s of processor time and 1 GB."""
    first, failures, megabytes = 0, [], 0
    while first < INPUTS:
        code, lines, complaint = _run(first, INPUTS - first)
        failures += [line for line in lines if line.startswith("!")]
        numbers = [int(line) for line in lines if line.isdecimal()]
        megabytes = max([megabytes, *(int(line.split()[1]) for line in lines if line.startswith("max_rss_mb"))])
        if code == 0:
            assert numbers[-1] == INPUTS - 1
            break
        assert numbers, f"the child did not begin: {complaint}"
        how = "hung" if code in (-signal.SIGPROF, -signal.SIGALRM) else f"ended the process with {code}"
        failures.append(f"! {numbers[-1]} {how} {complaint[-500:]}")
        first = numbers[-1] + 1
        assert len(failures) < 20, failures
    assert not failures, f"input_number(NUMBER, {SEED}, seeds) of read_many.py: {failures}"
    assert megabytes < 1024


@pytest.mark.parametrize("name", [name for name in CASES if name not in OUTDONE])
def test_the_worst_file_of_the_largest_size_costs_no_more_than_an_honest_one(name):
    """Someone's upload, made to stop a server: 5 s and 1 GB at the most, or it is refused.

    On a slow or busy processor, where mido takes more than 14 s for an honest file, 0.35 of that are granted.
    """
    command = [sys.executable, str(HERE / "worst_cases.py"), name, "--here"]
    child = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=True, timeout=120)
    told = json.loads(child.stdout)
    assert told["seconds"] < 5 or told["of_honest"] < 0.35, told
    assert told["megabytes"] < 1024, told


def test_the_worst_files_are_of_the_largest_size():
    """Were the limit raised, these tests would prove less than they say."""
    assert DEFAULT_LIMITS.file_bytes == SIZE
    assert set(CASES) > OUTDONE
