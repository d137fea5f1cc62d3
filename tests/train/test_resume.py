"""A run that is killed, interrupted, damaged or out of space, and goes on."""

import errno
import json
import multiprocessing
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
from small_run import assert_same, model, run

from pianoroll_seq2seq import History, Seq2SeqLSTM
from pianoroll_seq2seq.checkpoint import files
from pianoroll_seq2seq.errors import CheckpointError, CheckpointWriteError
from pianoroll_seq2seq.train import EpochEnd, StepEnd

SCRIPT = Path(__file__).parent / "script.py"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
FILES = {"best.safetensors", "last.safetensors", "previous.safetensors", "history.jsonl"}

pytestmark = pytest.mark.usefixtures("one_thread")


def start(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(SCRIPT), str(folder), *arguments]
    return subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE)


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def finish(folder: Path, *arguments: str) -> dict[str, Any]:
    process = start(folder, *arguments)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()[-2000:]
    return result(folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run that nothing disturbs."""
    return finish(tmp_path_factory.mktemp("undisturbed"))


# Children of a server that has loaded PyTorch already begin to train at once; it has no other threads that a fork could
# catch with a lock in hand.
server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload(["pianoroll_seq2seq.train", "pianoroll_seq2seq.models.seq2seq_lstm", "torch._dynamo"])


def train(folder: Path, *arguments: str) -> None:
    script.main([str(folder), *arguments])


LONG = ("--epochs", "16")


@pytest.fixture(scope="module")
def undisturbed_long(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed_long")
    train(folder, *LONG)
    return result(folder)


def test_killed_at_random_moments(tmp_path: Path, undisturbed_long: dict[str, Any]) -> None:
    """A node that is taken away at a bad moment costs the run, or changes what comes of it."""
    chance = random.Random(4)
    kills = 0
    history = tmp_path / "run" / "history.jsonl"

    def epochs() -> int:
        return len(History.load(history).epochs) if history.exists() else 0

    while (kills < 20 or epochs() < 2) and not (tmp_path / "result.json").exists():
        child = server.Process(target=script.main, args=([str(tmp_path), *LONG, "--pause", "0.006"],))
        child.start()
        time.sleep(chance.uniform(0.2, 1.0) * (1 + kills // 20))  # longer where the machine is busy
        child.kill()
        child.join()
        kills += child.exitcode == -signal.SIGKILL
        assert kills < 100
    assert kills >= 10  # else it was nearly done before it was killed at all
    assert epochs() >= 2  # or it was only ever about to begin
    train(tmp_path, *LONG)
    found = result(tmp_path)
    assert (found["weights"], found["losses"]) == (undisturbed_long["weights"], undisturbed_long["losses"])
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


def test_killed_within_every_kind_of_write(tmp_path: Path, undisturbed_long: dict[str, Any]) -> None:
    """Killed just while a checkpoint is written, flushed or moved, a run has no whole one left."""
    kills, ended = 0, None
    while ended != 0:
        # Another place each time, and far enough to get on.
        child = server.Process(target=script.main_and_die, args=(1 + kills % 23, [str(tmp_path), *LONG]))
        child.start()
        child.join(60)
        ended = child.exitcode
        assert ended in (0, -signal.SIGKILL)
        kills += ended != 0
        assert kills < 200
    assert kills >= 20
    found = result(tmp_path)
    assert (found["weights"], found["losses"]) == (undisturbed_long["weights"], undisturbed_long["losses"])
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_signals_save_before_leaving(
    tmp_path: Path, undisturbed: dict[str, Any], number: signal.Signals, status: int
) -> None:
    """Preemption or Ctrl-C loses all since the last checkpoint, leaves the tracker open, or changes the run."""
    process = start(tmp_path, "--checkpoint-seconds", "1000", "--pause", "0.02")
    events = tmp_path / "events-0.jsonl"
    wait_for(lambda: events.exists() and "params" in events.read_text(), process)
    time.sleep(0.3)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors.decode()[-2000:]
    progress = files.read(tmp_path / "run" / "last.safetensors")[0]["state"]["progress"]
    assert progress["steps"] > 0
    assert json.loads(events.read_text().splitlines()[-1])["status"] == "failed"
    if number == signal.SIGINT:
        assert "the same call goes on with it" in errors.decode()
    found = finish(tmp_path)
    assert (found["weights"], found["losses"]) == (undisturbed["weights"], undisturbed["losses"])


def wait_for(happened: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert process.poll() is None, "ended too soon"
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- In this process


@pytest.fixture(scope="module")
def whole() -> tuple[dict[str, torch.Tensor], list[float]]:
    return run(None)


@pytest.mark.parametrize("step", [1, 19, 20, 21, 32, 33, 52, 64, 95, 96])
def test_signal_at_any_step(tmp_path: Path, whole: Any, step: int) -> None:
    """A run goes on from the last whole epoch only, takes a step twice, or forgets one."""

    def interrupt(told: StepEnd) -> None:
        if told.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as left:
        run(tmp_path, on_step=[interrupt], checkpoint_seconds=1000)
    assert left.value.code == 143
    seen: list[int] = []
    assert_same(run(tmp_path, on_step=[lambda told: seen.append(told.step)]), whole)
    assert seen == list(range(step + 1, 97))
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_signal_while_validating(tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long validation is not heeded, or its epoch is trained again."""
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
    assert_same(run(tmp_path, on_step=[lambda told: seen.append(told.step)]), whole)
    assert seen[0] == 33


def test_signal_after_the_last_step_still_ends_the_program(tmp_path: Path, whole: Any) -> None:
    """Ctrl-C in the last callback is swallowed, and the program goes on."""

    def interrupt(told: EpochEnd) -> None:
        if len(told.history.epochs) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, on_epoch=[interrupt])
    assert_same(run(tmp_path), whole)


def test_a_second_signal_does_not_wait() -> None:
    """A step that hangs cannot be left by Ctrl-C at all."""

    def interrupt_twice(told: StepEnd) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("went on")

    with pytest.raises(KeyboardInterrupt):
        run(None, on_step=[interrupt_twice])


def test_a_handler_of_ones_own_is_called() -> None:
    """A program that reacts to SIGTERM no longer gets to know of it."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with pytest.raises(SystemExit):
            run(None, on_step=[lambda told: os.kill(os.getpid(), signal.SIGTERM) if told.step == 3 else None])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_fit_runs_in_a_thread() -> None:
    """Training in a thread (of a web server, say) fails because signals belong to the main thread."""
    with ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(run, None).result()[1]) == 6


@pytest.mark.parametrize("damage", ["cut short", "one bit", "empty", "gone"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, whole: Any, damage: str) -> None:
    """A bad block in the last checkpoint, and a week of training is lost; or it is used as it is."""
    run(tmp_path, epochs=2)
    last = tmp_path / "last.safetensors"
    content = bytearray(last.read_bytes())
    content[-1] ^= 16
    if damage == "gone":
        last.unlink()
        assert_same(run(tmp_path), whole)
    else:
        last.write_bytes({"cut short": content[:-100], "one bit": content, "empty": b""}[damage])
        with pytest.warns(UserWarning, match=r"last\.safetensors: .* Training goes on from .*previous\.safetensors"):
            found = run(tmp_path)
        assert_same(found, whole)


def test_a_run_with_nothing_whole_is_refused(tmp_path: Path) -> None:
    """With both checkpoints damaged a run silently begins anew, over what may still be saved by hand."""
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
    process = start(tmp_path, "--pause", "0.05", "--checkpoint-seconds", "1000")
    events = tmp_path / "events-0.jsonl"
    wait_for(lambda: events.exists() and "params" in events.read_text(), process)
    with pytest.raises(CheckpointError, match="another process is training in this folder"):
        run(tmp_path / "run")
    process.kill()
    process.communicate()
    run(tmp_path / "run")  # the lock went with the process


def test_what_a_killed_process_left_is_swept_up(tmp_path: Path) -> None:
    """Half-written files pile up with every kill until the disk is full."""
    left_over = tmp_path / ".last.safetensors.0123456789abcdef.tmp"
    left_over.write_bytes(b"half")
    other = tmp_path / ".mine.tmp"
    other.write_bytes(b"not ours")
    run(tmp_path, epochs=1)
    assert not left_over.exists()
    assert other.exists()


def test_disk_full_ends_training_and_loses_nothing(tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk destroys the last good checkpoint, or training goes on for days without saving anything."""
    write_bytes = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write_bytes(path, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill(told: StepEnd) -> None:
        if told.step == 45:
            monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(CheckpointWriteError, match="No space left on device"):
        run(tmp_path, on_step=[fill])
    monkeypatch.undo()
    assert not list(tmp_path.glob(".*"))
    assert_same(run(tmp_path), whole)


def test_without_locks_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Any) -> None:
    """A network drive without locks cannot be trained on."""
    import fcntl

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert_same(run(tmp_path), whole)
