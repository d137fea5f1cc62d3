"""Training in several processes."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import script
import torch
from hypothesis import given
from hypothesis import strategies as st
from workers import train_together

from pianoroll_seq2seq import Seq2SeqLSTM, fit, join_processes
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.train import Processes

EXACT = ("--plain", "--double", "--gradients")

pytestmark = pytest.mark.usefixtures("one_thread")


def trained(folder: Path, *arguments: str, processes: int = 1) -> dict[str, Any]:
    """Runs the script to its end, in this process or in several."""
    if processes == 1:
        script.main([str(folder), *arguments])
    else:
        assert train_together([str(folder), *arguments], processes) == [0] * processes
    return result(folder, processes)


def trained_by_torchrun(folder: Path, *arguments: str) -> dict[str, Any]:
    """Runs the script in two processes of torchrun, which may restart them once."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    launcher += ["--max-restarts=1", "--monitor-interval=0.1"]
    # A restarted worker may find the address of a dead one (https://github.com/pytorch/pytorch/issues/135712).
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    command = [*launcher, str(Path(script.__file__)), str(folder), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return result(folder, 2)


def result(folder: Path, processes: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    ends = {(folder / f"weights-{rank}").read_text() for rank in range(processes)}
    assert ends == {found["weights"]}  # every process ends with the same model
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of one process."""
    return trained(tmp_path_factory.mktemp("runs") / "alone", *EXACT)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a run of two processes, with everything that is random, and its result."""
    folder = tmp_path_factory.mktemp("runs") / "pair"
    return folder, trained(folder, processes=2)


def assert_equal_up_to_order(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Checks that two results differ only in the last bits of float64, as sums in another order do."""
    for kind in ("gradients", "values"):
        assert found[kind].keys() == expected[kind].keys()
        for name, values in expected[kind].items():
            np.testing.assert_allclose(found[kind][name], values, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-12)
    assert (found["steps"], found["best"]) == (expected["steps"], expected["best"])


@pytest.mark.parametrize("batch_size", [5, pytest.param(159, marks=pytest.mark.slow)])
def test_two_processes_train_as_one_does(tmp_path: Path, alone: dict[str, Any], batch_size: int) -> None:
    """Two GPUs learn something else than one: gradients are summed, windows read twice, small batches weigh more."""
    arguments = (*EXACT, "--batch-size", str(batch_size))
    both = trained(tmp_path / "both", *arguments, processes=2)
    assert both["processes"] == 2
    assert_equal_up_to_order(both, alone if batch_size == 5 else trained(tmp_path / "alone", *arguments))


def test_a_batch_of_one_window_does_not_stop_the_others(tmp_path: Path) -> None:
    """A process without windows does not take part, and the other waits for it forever."""
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


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_killed_process_is_restarted_by_torchrun_and_nothing_changes(
    tmp_path: Path, pair: tuple[Path, dict[str, Any]], rank: int
) -> None:
    """A failed node ends the run of all, or the resumed run differs."""
    _, whole = pair
    killed = trained_by_torchrun(tmp_path, "--die-once", str(rank), "45")
    assert (tmp_path / "died").exists()
    assert (killed["weights"], killed["losses"]) == (whole["weights"], whole["losses"])


def test_a_run_may_resume_with_fewer_processes(tmp_path: Path, alone: dict[str, Any]) -> None:
    """A smaller cluster cannot resume the run, or a signal to one process leaves the other waiting."""
    arguments = [str(tmp_path / "run"), *EXACT, "--signal", str(int(signal.SIGTERM)), "40"]
    assert train_together(arguments, 2) == [143, 143]
    found = trained(tmp_path / "run", *EXACT)
    assert_equal_up_to_order(found | {"gradients": alone["gradients"]}, alone)


@given(count=st.integers(1, 7), size=st.integers(0, 30))
def test_shares_do_not_overlap(count: int, size: int) -> None:
    """Two processes read a window, or none does."""
    batch = np.random.default_rng(size).permutation(size)
    shares = [Processes(rank, count, torch.device("cpu")).share(batch) for rank in range(count)]
    assert np.concatenate(shares).tolist() == batch.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script for many machines does not run on one."""
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with join_processes() as processes:
        assert (processes.rank, processes.world_size, processes.is_first, processes.is_single) == (0, 1, True, True)
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
            fit(Seq2SeqLSTM(7, hidden_size=3), script.windows(0), epochs=0, batch_size=1)
        assert not torch.distributed.is_initialized()


@pytest.mark.usefixtures("group_of_one")
def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes share a GPU and run out of memory, or fail with a number and no reason."""
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SettingsError, match=r"Process 3 .* there are 2\. Start fewer"), join_processes():
        pytest.fail("joined")
