"""Checkpoints in a store: a run resumes on another machine."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import script
import torch
import workers
from azurite import Azurite, azurite  # noqa: F401 (a fixture)
from small_run import assert_same, run

from pianoroll_seq2seq import AzureBlobStore, LocalStore, Store
from pianoroll_seq2seq.errors import CheckpointError, OverwriteError, SettingsError, StoreError
from pianoroll_seq2seq.stores.base import Source, StoredObject
from pianoroll_seq2seq.train import StepEnd

STEPS = 96  # of the run below

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def whole() -> tuple[dict[str, torch.Tensor], list[float]]:
    return run(None)


def terminated_at(step: int) -> Any:
    def interrupt(event: StepEnd) -> None:
        if event.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return interrupt


class Unsteady(LocalStore):
    """A store that cannot be reached while ``down``, and that records the keys it gets, in order."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.down = False
        self.puts: list[str] = []

    def put(
        self, key: str, source: Source, *, overwrite: bool = False, etag: str | None = None, progress: bool = False
    ) -> StoredObject:
        if self.down:
            raise StoreError("out of reach")
        self.puts.append(key)
        return super().put(key, source, overwrite=overwrite, etag=etag, progress=progress)


def preempted(store: Store, first: Path, second: Path) -> Iterator[Any]:
    """The run, stopped by SIGTERM on one machine and resumed on another; then the steps of the second."""
    with pytest.raises(SystemExit):
        run(first, checkpoint_store=store, on_step=[terminated_at(50)])
    seen: list[int] = []
    yield run(second, checkpoint_store=store, on_step=[lambda event: seen.append(event.step)])
    yield seen


def test_a_run_resumes_on_another_machine_bit_for_bit(tmp_path: Path, whole: Any) -> None:
    result, seen = preempted(LocalStore(tmp_path / "store"), tmp_path / "one", tmp_path / "two")
    assert_same(result, whole)
    assert seen == list(range(51, STEPS + 1))
    assert {path.name for path in (tmp_path / "two").iterdir()} >= {"best.safetensors", "last.safetensors"}


def test_a_run_resumes_from_azure_storage(tmp_path: Path, whole: Any, azurite: Azurite) -> None:  # noqa: F811
    with AzureBlobStore(azurite.new_container(), **azurite.arguments()) as store:
        store.create_container()
        result, seen = preempted(store.with_prefix("runs/7"), tmp_path / "one", tmp_path / "two")
        assert_same(result, whole)
        assert seen == list(range(51, STEPS + 1))
        keys = [found.key for found in store.list("runs/7/")]
        assert "runs/7/latest.json" in keys
        assert len(keys) <= 3


def test_a_killed_process_resumes_from_the_store(tmp_path: Path) -> None:
    script.main([str(tmp_path / "plain"), "--epochs", "2"])
    arguments = [str(tmp_path / "killed"), "--epochs", "2", "--store", str(tmp_path / "store")]
    child = workers.start(script.main, [*arguments, "--pause", "0.02"])
    pointer, deadline = tmp_path / "store" / "latest.json", time.monotonic() + 60
    while not pointer.exists() or json.loads(pointer.read_text())["position"]["steps"] < 8:
        assert child.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.kill()
    child.join()
    shutil.rmtree(tmp_path / "killed" / "run")
    script.main(arguments)
    found, expected = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("killed", "plain"))
    assert (found["weights"], found["losses"]) == (expected["weights"], expected["losses"])


def test_the_pointer_comes_last_and_old_checkpoints_go(tmp_path: Path) -> None:
    store = Unsteady(tmp_path / "store")
    run(tmp_path / "one", checkpoint_store=store)
    assert len(store.puts) >= 4
    assert all(key.startswith("checkpoints/") for key in store.puts[::2])
    assert set(store.puts[1::2]) == {"latest.json"}
    left = [found.key for found in store.list()]
    assert len(left) <= 3
    pointer = json.loads(store.get("latest.json"))
    assert pointer["key"] in left
    assert pointer["position"] == {"epoch": 4, "steps": 0}


def test_a_store_that_cannot_be_reached_causes_a_warning_and_gets_the_last_checkpoint(
    tmp_path: Path, whole: Any
) -> None:
    store = Unsteady(tmp_path / "store")

    def failing(event: StepEnd) -> None:
        store.down = 10 <= event.step < 60

    with pytest.warns(UserWarning, match="could not be sent to the store; training continues"):
        result = run(tmp_path / "one", checkpoint_store=store, on_step=[failing])
    assert_same(result, whole)
    assert json.loads(store.get("latest.json"))["position"] == {"epoch": 4, "steps": 0}


def test_a_lost_answer_is_not_mistaken_for_another_process(tmp_path: Path, whole: Any) -> None:
    class Forgetful(Unsteady):
        lost = False

        def put(self, key: str, *arguments: Any, **named: Any) -> StoredObject:
            stored = super().put(key, *arguments, **named)
            if key == "latest.json" and not self.lost and len(self.puts) > 4:
                self.lost = True
                raise StoreError("the answer is lost")
            return stored

    with pytest.warns(UserWarning, match="the answer is lost"):
        assert_same(run(tmp_path / "one", checkpoint_store=Forgetful(tmp_path / "store")), whole)


def test_a_run_that_was_resumed_elsewhere_stops(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")

    def elsewhere(event: StepEnd) -> None:
        if event.step == 40:  # saved by both at once, and then only by the other
            time.sleep(0.3)
            run(tmp_path / "two", checkpoint_store=store, epochs=2)

    with pytest.raises(CheckpointError, match="Another process is training this run"):
        run(tmp_path / "one", checkpoint_store=store, on_step=[elsewhere])


def test_the_newer_of_the_two_checkpoints_is_used(tmp_path: Path, whole: Any) -> None:
    store = Unsteady(tmp_path / "store")

    def failing(event: StepEnd) -> None:
        store.down = event.step >= 20
        terminated_at(50)(event)

    with pytest.raises(SystemExit), pytest.warns(UserWarning, match="could not be sent to the store"):
        run(tmp_path / "one", checkpoint_store=store, on_step=[failing])
    store.down = False
    seen: list[int] = []
    assert_same(run(tmp_path / "one", checkpoint_store=store, on_step=[lambda event: seen.append(event.step)]), whole)
    assert seen[0] == 51


def test_another_run_in_the_store_is_refused(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    run(tmp_path / "one", checkpoint_store=store, epochs=1)
    with pytest.raises(
        CheckpointError, match=r"the store's checkpoint: cannot resume .*batch_size was 5 and is now 6.*prefix"
    ):
        run(tmp_path / "two", checkpoint_store=store, batch_size=6)
    with pytest.raises(OverwriteError, match="The store holds a run already"):
        run(tmp_path / "three", checkpoint_store=store, resume=False)
    store.put("latest.json", b"[]", overwrite=True)
    with pytest.raises(CheckpointError, match="does not point to a checkpoint"):
        run(tmp_path / "four", checkpoint_store=store)


def test_another_run_in_the_folder_is_not_changed(tmp_path: Path) -> None:
    """A newer checkpoint in the store replaces that of another run in the folder."""
    store = LocalStore(tmp_path / "store")
    run(tmp_path / "one", checkpoint_store=store, epochs=2)
    run(tmp_path / "two", batch_size=6, epochs=1)
    before = (tmp_path / "two" / "last.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match="cannot resume this run"):
        run(tmp_path / "two", checkpoint_store=store)
    assert (tmp_path / "two" / "last.safetensors").read_bytes() == before


def test_a_store_needs_a_folder_and_must_exist_at_the_beginning(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="checkpoint_store needs checkpoint_dir"):
        run(None, checkpoint_store=LocalStore(tmp_path / "store"))

    class Gone(LocalStore):
        def find(self, key: str) -> StoredObject | None:
            raise StoreError("out of reach")

    with pytest.raises(StoreError, match="out of reach"):
        run(tmp_path / "one", checkpoint_store=Gone(tmp_path / "store"))
