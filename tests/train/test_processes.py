"""Training in several processes."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from script import windows

from pianoroll_seq2seq import Seq2SeqLSTM, fit, join_processes
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.train import Processes

SCRIPT = Path(__file__).parent / "script.py"
EXACT = ("--plain", "--double", "--gradients")

pytestmark = pytest.mark.usefixtures("one_thread")


def trained(folder: Path, *arguments: str, processes: int = 1, restarts: int = 0) -> dict[str, Any]:
    """Runs the script to its end, by itself or under torchrun."""
    done = launched(folder, *arguments, processes=processes, restarts=restarts)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    ends = {line.split()[-1] for line in done.stderr.splitlines() if re.match(r"\d of \d: ", line)}
    assert ends == {found["weights"]}  # every process ends with the same model
    return found


def launched(
    folder: Path, *arguments: str, processes: int = 1, restarts: int = 0
) -> "subprocess.CompletedProcess[str]":
    folder.mkdir(exist_ok=True)
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        launcher += [f"--max-restarts={restarts}", "--monitor-interval=0.1"]
    # A restarted worker may else find the address of a dead one (https://github.com/pytorch/pytorch/issues/135712).
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    command = [*launcher, str(SCRIPT), str(folder), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run of one process gives."""
    return trained(tmp_path_factory.mktemp("runs") / "alone", *EXACT)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a run of two processes, with all that is random in one, and what it gives."""
    folder = tmp_path_factory.mktemp("runs") / "pair"
    return folder, trained(folder, processes=2)


def assert_equal_up_to_order(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Sums in another order differ in the last bits of float64, and in nothing else."""
    for kind in ("gradients", "values"):
        assert found[kind].keys() == expected[kind].keys()
        for name, values in expected[kind].items():
            np.testing.assert_allclose(found[kind][name], values, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-12)
    assert (found["steps"], found["best"]) == (expected["steps"], expected["best"])


@pytest.mark.parametrize("batch_size", [5, 159])
def test_two_processes_train_as_one_does(tmp_path: Path, alone: dict[str, Any], batch_size: int) -> None:
    """Two GPUs learn something else than one: gradients are summed, windows heard twice, small batches count more."""
    arguments = (*EXACT, "--batch-size", str(batch_size))
    both = trained(tmp_path / "both", *arguments, processes=2)
    assert both["processes"] == 2
    assert_equal_up_to_order(both, alone if batch_size == 5 else trained(tmp_path / "alone", *arguments))


def test_a_batch_of_one_window_does_not_stop_the_others(tmp_path: Path) -> None:
    """The process that has nothing to do does not take part, and the other waits for it for ever."""
    arguments = (*EXACT, "--batch-size", "1", "--epochs", "1")
    both = trained(tmp_path / "both", *arguments, processes=2)
    assert_equal_up_to_order(both, trained(tmp_path / "alone", *arguments))


@pytest.mark.parametrize("processes", [1, 2])
def test_parts_of_a_batch_add_up_to_it(tmp_path: Path, alone: dict[str, Any], processes: int) -> None:
    """Accumulating gradients changes what is learned."""
    parts = trained(tmp_path / "parts", *EXACT, "--accumulate", "3", processes=processes)
    assert_equal_up_to_order(parts, alone)


def test_only_the_first_process_writes(pair: tuple[Path, dict[str, Any]]) -> None:
    """Metrics arrive once for each GPU, and processes overwrite each other's files."""
    folder, _ = pair
    first, second = ((folder / f"events-{rank}.jsonl").read_text().splitlines() for rank in (0, 1))
    assert sum("metrics" in line for line in first) == 3
    assert sum("params" in line for line in first) == 1
    assert [json.loads(line).get("status") for line in second] == ["running", "finished"]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_is_started_again_and_nothing_changes(
    tmp_path: Path, pair: tuple[Path, dict[str, Any]], rank: int
) -> None:
    """A node that fails ends the run of all, or the run that goes on is another one."""
    _, whole = pair
    killed = trained(tmp_path / "killed", "--die-once", str(rank), "45", processes=2, restarts=1)
    assert (tmp_path / "killed" / "died").exists()
    assert (killed["weights"], killed["losses"]) == (whole["weights"], whole["losses"])


def test_a_run_may_go_on_with_fewer_processes(tmp_path: Path, alone: dict[str, Any]) -> None:
    """A cluster that has shrunk cannot go on with its run."""
    left = launched(tmp_path / "run", *EXACT, "--stop-after", "40", processes=2)
    codes = re.findall(r"exitcode +: (-?\d+)", left.stderr)
    # The signal came to one of them, and both left; torchrun ends whom it finds still leaving.
    assert len(codes) == 2
    assert "143" in codes
    assert set(codes) <= {"143", "-15"}
    found = trained(tmp_path / "run", *EXACT)
    assert_equal_up_to_order(found | {"gradients": alone["gradients"]}, alone)


@given(count=st.integers(1, 7), size=st.integers(0, 30))
def test_shares_do_not_overlap(count: int, size: int) -> None:
    """A window is heard by two processes, or by none."""
    batch = np.random.default_rng(size).permutation(size)
    shares = [Processes(rank, count, torch.device("cpu")).share(batch) for rank in range(count)]
    assert np.concatenate(shares).tolist() == batch.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script for many machines does not run on one."""
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with join_processes() as processes:
        assert (processes.rank, processes.count, processes.first, processes.alone) == (0, 1, True, True)
        assert not torch.distributed.is_initialized()


@pytest.fixture
def group_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in {"RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.usefixtures("group_of_one")
def test_the_group_is_left_when_training_fails() -> None:
    """After an error in a notebook the process group stays, and the next run cannot join one."""
    for _ in range(2):
        with pytest.raises(SettingsError), join_processes():  # noqa: PT012 (and not by joining)
            assert torch.distributed.is_initialized()
            fit(Seq2SeqLSTM(7, hidden=3), windows(0), epochs=0, batch_size=1)
        assert not torch.distributed.is_initialized()


@pytest.mark.usefixtures("group_of_one")
def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes share a GPU and run out of memory, or fail with a number and no reason."""
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SettingsError, match=r"Process 3 .* there are 2\. Start fewer"), join_processes():
        pytest.fail("joined")
