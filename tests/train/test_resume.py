"""A run that is killed, interrupted, damaged or out of space, and resumes."""

import errno
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import script
import torch
import workers
from run_helpers import FILES
from small_run import assert_same, model, run

from pianoroll_seq2seq import History, Seq2SeqLSTM
from pianoroll_seq2seq.checkpoint import files
from pianoroll_seq2seq.errors import CheckpointError, CheckpointWriteError
from pianoroll_seq2seq.train import EpochEnd, StepEnd

SHORT, LONG = ("--epochs", "6"), ("--epochs", "16")

pytestmark = pytest.mark.usefixtures("one_thread")


def result(folder: Path) -> tuple[str, list[list[float]]]:
    found = json.loads((folder / "result.json").read_text())
    return found["weights"], found["losses"]


def train(folder: Path, *arguments: str) -> tuple[str, list[list[float]]]:
    """The script's result, in this process."""
    script.main([str(folder), *arguments])
    return result(folder)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[list[float]]]:
    """The result of an uninterrupted run."""
    return train(tmp_path_factory.mktemp("uninterrupted"), *SHORT)


def test_killed_between_steps(tmp_path: Path, uninterrupted: tuple[str, list[list[float]]]) -> None:
    """A preempted node ends the run, or changes its result."""
    for step in (1, 20, 33, 70):  # 32 steps an epoch, with a checkpoint after 20 and after all of them
        child = workers.start(script.main, [str(tmp_path), *SHORT, "--signal", str(int(signal.SIGKILL)), str(step)])
        assert workers.exit_code(child) == -signal.SIGKILL
    assert train(tmp_path, *SHORT) == uninterrupted
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


def test_killed_within_every_kind_of_write(tmp_path: Path, uninterrupted: tuple[str, list[list[float]]]) -> None:
    """A run that is killed while it writes, flushes or moves a checkpoint has no valid one left."""
    for moment in (1, 2, 3, 4, 5, 6, 9, 13):
        child = workers.start(script.main_and_die, moment, [str(tmp_path), *SHORT])
        assert workers.exit_code(child) == -signal.SIGKILL
    assert train(tmp_path, *SHORT) == uninterrupted
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    """The same, twenty times, whatever the process is doing."""
    chance = random.Random(4)
    kills = 0
    history = tmp_path / "killed" / "run" / "history.jsonl"

    def epochs() -> int:
        return len(History.load(history).epochs) if history.exists() else 0

    while (kills < 20 or epochs() < 2) and not (tmp_path / "killed" / "result.json").exists():
        child = workers.start(script.main, [str(tmp_path / "killed"), *LONG, "--pause", "0.006"])
        time.sleep(chance.uniform(0.2, 1.0) * (1 + kills // 20))  # longer on a busy machine
        child.kill()
        child.join()
        kills += child.exitcode == -signal.SIGKILL
        assert kills < 100
    assert kills >= 10  # else it was nearly done before the first kill
    assert epochs() >= 2  # else it has never begun to train
    assert train(tmp_path / "killed", *LONG) == train(tmp_path / "uninterrupted", *LONG)


@pytest.mark.slow
def test_killed_within_every_write(tmp_path: Path) -> None:
    """The same, at every moment of a save, from the first epoch to the last."""
    kills, ended = 0, None
    while ended != 0:
        ended = workers.exit_code(workers.start(script.main_and_die, 1 + kills % 23, [str(tmp_path / "run"), *LONG]))
        assert ended in (0, -signal.SIGKILL)
        kills += ended != 0
        assert kills < 200
    assert kills >= 20
    assert result(tmp_path / "run") == train(tmp_path / "uninterrupted", *LONG)


def test_sigterm_saves_before_leaving(tmp_path: Path, uninterrupted: tuple[str, list[list[float]]]) -> None:
    """Preemption loses everything since the last checkpoint, leaves the tracker open, or changes the run."""
    child = workers.start(script.main, signalled(tmp_path, signal.SIGTERM))
    assert workers.exit_code(child) == 143
    check_saved(tmp_path, uninterrupted)


def test_ctrl_c_saves_before_leaving(tmp_path: Path, uninterrupted: tuple[str, list[list[float]]]) -> None:
    """The same for Ctrl-C; or the exit status does not show the interruption."""
    command = [sys.executable, script.__file__, *signalled(tmp_path, signal.SIGINT)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGINT
    assert "Call fit again to resume it" in done.stderr
    check_saved(tmp_path, uninterrupted)


def signalled(folder: Path, number: signal.Signals) -> list[str]:
    return [str(folder), *SHORT, "--checkpoint-seconds", "1000", "--signal", str(int(number)), "45"]


def check_saved(folder: Path, uninterrupted: tuple[str, list[list[float]]]) -> None:
    progress = files.read(folder / "run" / "last.safetensors")[0]["state"]["progress"]
    assert (progress["epoch"], progress["steps"]) == (2, 13)
    last_event = (folder / "events-0.jsonl").read_text().splitlines()[-1]
    assert json.loads(last_event)["status"] == "failed"
    assert train(folder, *SHORT) == uninterrupted


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- In this process


@pytest.fixture(scope="module")
def whole() -> tuple[dict[str, torch.Tensor], list[float]]:
    return run(None)


@pytest.mark.parametrize(
    "step", [1, 20, 33, 96, *(pytest.param(step, marks=pytest.mark.slow) for step in (19, 21, 32, 52, 64, 95))]
)
def test_signal_at_any_step(tmp_path: Path, whole: Any, step: int) -> None:
    """A run resumes from the last complete epoch only, takes a step twice, or skips one."""

    def interrupt(event: StepEnd) -> None:
        if event.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as left:
        run(tmp_path, on_step=[interrupt], checkpoint_seconds=1000)
    assert left.value.code == 143
    seen: list[int] = []
    assert_same(run(tmp_path, on_step=[lambda event: seen.append(event.step)]), whole)
    assert seen == list(range(step + 1, 97))
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_signal_while_validating(tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal has no effect during a long validation, or the epoch is trained again."""
    trained = model()
    forward = Seq2SeqLSTM.forward

    def interrupting(self: Seq2SeqLSTM, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        if not self.training:
            os.kill(os.getpid(), signal.SIGTERM)
        return forward(self, inputs, targets)

    with monkeypatch.context() as patch:
        patch.setattr(Seq2SeqLSTM, "forward", interrupting)
        with pytest.raises(SystemExit):
            run(tmp_path)
    assert torch.is_grad_enabled()
    assert not trained.head.logits.weight.isnan().any()  # type: ignore[union-attr, operator]
    seen: list[int] = []
    assert_same(run(tmp_path, on_step=[lambda event: seen.append(event.step)]), whole)
    assert seen[0] == 33


def test_signal_after_the_last_step_still_ends_the_program(tmp_path: Path, whole: Any) -> None:
    """Ctrl-C in the last callback is ignored, and the program continues."""

    def interrupt(event: EpochEnd) -> None:
        if len(event.history.epochs) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, on_epoch=[interrupt])
    assert_same(run(tmp_path), whole)


def test_a_second_signal_does_not_wait() -> None:
    """Ctrl-C cannot end a step that hangs."""

    def interrupt_twice(event: StepEnd) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("training continued")

    with pytest.raises(KeyboardInterrupt):
        run(None, on_step=[interrupt_twice])


def test_a_handler_of_the_user_is_called() -> None:
    """A program's own handler of SIGTERM is no longer called."""
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        with pytest.raises(SystemExit):
            run(None, on_step=[lambda event: os.kill(os.getpid(), signal.SIGTERM) if event.step == 3 else None])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]


def test_fit_runs_in_a_thread() -> None:
    """Training in a thread (of a web server, say) fails because signals belong to the main thread."""
    with ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(run, None).result()[1]) == 6


@pytest.mark.parametrize("damage", ["cut short", "one bit", "empty", "gone"])
def test_a_damaged_checkpoint_is_replaced_by_the_previous_one(tmp_path: Path, whole: Any, damage: str) -> None:
    """A damaged last checkpoint is used, or all training is lost with it."""
    run(tmp_path, epochs=2)
    last = tmp_path / "last.safetensors"
    content = bytearray(last.read_bytes())
    content[-1] ^= 16
    if damage == "gone":
        last.unlink()
        assert_same(run(tmp_path), whole)
    else:
        last.write_bytes({"cut short": content[:-100], "one bit": content, "empty": b""}[damage])
        with pytest.warns(UserWarning, match=r"last\.safetensors: .* Training resumes from .*previous\.safetensors"):
            found = run(tmp_path)
        assert_same(found, whole)


def test_a_run_with_damaged_checkpoints_only_is_refused(tmp_path: Path) -> None:
    """With both checkpoints damaged, a run silently begins again and overwrites them."""
    run(tmp_path, epochs=2)
    for name in ("last.safetensors", "previous.safetensors"):
        (tmp_path / name).write_bytes(b"no checkpoint")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match=r"last\.safetensors.*previous\.safetensors.*remove the files"):
        run(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_checkpoint_that_is_not_of_a_run_is_refused(tmp_path: Path) -> None:
    """A model saved by hand under the name of a run's checkpoint fails somewhere inside."""
    run(tmp_path, epochs=1)
    header, tensors = files.read(tmp_path / "last.safetensors")
    for missing in ("state", "optimizer"):
        cut = {key: value for key, value in header.items() if key != missing}
        files.write(tmp_path / "last.safetensors", cut, tensors, overwrite=True)
        with pytest.raises(CheckpointError, match=r"last\.safetensors"):
            run(tmp_path)


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    """A second process trains in the same folder, and each overwrites the other's checkpoints."""
    child = workers.start(script.main, [str(tmp_path), "--pause", "0.05", "--checkpoint-seconds", "1000"])
    events = tmp_path / "events-0.jsonl"
    wait_for(lambda: events.exists() and "params" in events.read_text())
    with pytest.raises(CheckpointError, match="another process is training in this folder"):
        run(tmp_path / "run")
    child.kill()
    child.join()
    run(tmp_path / "run", epochs=1)  # the lock is released with the process


def test_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    """Every kill leaves a partial file, until the disk is full."""
    left_over = tmp_path / ".last.safetensors.0123456789abcdef.tmp"
    left_over.write_bytes(b"half")
    other = tmp_path / ".mine.tmp"
    other.write_bytes(b"not ours")
    run(tmp_path, epochs=1)
    assert not left_over.exists()
    assert other.exists()


def test_disk_full_ends_training_and_loses_nothing(tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk destroys the last good checkpoint, or training continues without saving anything."""
    write_bytes = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write_bytes(path, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill(event: StepEnd) -> None:
        if event.step == 45:
            monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(CheckpointWriteError, match="No space left on device"):
        run(tmp_path, on_step=[fill])
    monkeypatch.undo()
    assert not list(tmp_path.glob(".*"))
    assert_same(run(tmp_path), whole)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS], ids=errno.errorcode.get)
def test_a_file_system_without_locks_can_be_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """A network drive without locks cannot be trained on."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    run(tmp_path, epochs=1)
    assert {path.name for path in tmp_path.iterdir()} == FILES
