"""What watches a run (a tracker, a store) raises, hangs, or has wrong settings."""

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import small_run
import torch
from azurite import KEY
from command_line import SMALL, SMALL_MODEL

from pianoroll_seq2seq import AzureBlobStore, FanOut, JsonlTracker, LocalStore, MLflowTracker, NoTracker
from pianoroll_seq2seq.cli.main import main
from pianoroll_seq2seq.errors import SettingsError, StoreError
from pianoroll_seq2seq.stores.base import StoredObject
from pianoroll_seq2seq.trackers.base import log_media
from pianoroll_seq2seq.trackers.best_effort import BestEffortTracker
from pianoroll_seq2seq.train import EpochEnd, remote_checkpoints

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def undisturbed() -> tuple[dict[str, torch.Tensor], list[float]]:
    return small_run.run(None)


class Failing(NoTracker):
    """Raises in the named calls."""

    def __init__(self, *calls: str, error: BaseException | None = None, is_open: bool = False) -> None:
        self.is_open = is_open
        self._error = error or ConnectionError("the service is gone")
        for call in calls:
            setattr(self, call, self._fail)

    def _fail(self, *_: object, **__: object) -> None:
        raise self._error

    def __enter__(self) -> "Failing":
        self.__dict__.get("enter", lambda: None)()
        return self

    def __exit__(self, *_: object) -> None:
        self.__dict__.get("exit", lambda: None)()


WHILE_IT_RUNS = ("log_metrics", "log_artifact", "flush", "exit")
TRACKERS: dict[str, Callable[[Path], Any]] = {
    "every call": lambda _: Failing(*WHILE_IT_RUNS),
    "one that is open": lambda _: Failing("log_metrics", "flush", is_open=True),
    "the end": lambda _: Failing("exit"),
    "an error of its own kind": lambda _: Failing("log_metrics", error=ZeroDivisionError("a bug")),
    "two of three": lambda folder: FanOut(
        Failing(*WHILE_IT_RUNS), JsonlTracker(folder / "lines.jsonl"), Failing(*WHILE_IT_RUNS)
    ),
}


@pytest.mark.parametrize("kind", TRACKERS)
def test_a_tracker_that_fails(kind: str, undisturbed: Any, tmp_path: Path) -> None:
    """A service goes away at night, and training ends."""
    tracker = TRACKERS[kind](tmp_path)

    def at_epoch(event: EpochEnd) -> None:
        event.tracker.log_artifact(tmp_path / "music.mid")
        log_media(event.tracker, "piece_1", tmp_path / "music.wav", step=1)

    expected = f"The tracker {type(tracker).__name__} does not get everything; the run goes on"
    with pytest.warns(UserWarning, match=expected) as caught:
        found = small_run.run(None, tracker=tracker, on_epoch=[at_epoch])
    small_run.assert_same(found, undisturbed)
    assert len(caught) == 1
    if kind == "two of three":
        assert (tmp_path / "lines.jsonl").read_text().count("train_loss") == 3


@pytest.mark.parametrize("call", ["enter", "log_params"])
@pytest.mark.parametrize("error", [ValueError("no such project"), OSError(13, "Permission denied")])
def test_wrong_settings_are_an_error_before_training(call: str, error: Exception) -> None:
    """A night of training is not recorded, because the name of the project was wrong."""
    steps: list[Any] = []
    with pytest.raises(
        SettingsError, match=r"The tracker Failing .*training has not begun: \w+: .*arguments"
    ) as caught:
        small_run.run(None, tracker=Failing(call, error=error), on_step=[steps.append])
    assert str(error) in str(caught.value)
    assert caught.value.__cause__ is error
    assert not steps


@pytest.mark.parametrize("error", [KeyboardInterrupt("now"), SystemExit(143)])
def test_an_interruption_in_a_tracker_ends_the_run(error: BaseException) -> None:
    """Ctrl-C while a tracker waits for its service is taken for a fault of the service."""
    with pytest.raises(type(error)):
        small_run.run(None, tracker=Failing("log_metrics", error=error))


def test_a_callback_finds_what_its_tracker_has_beyond_the_contract() -> None:
    """A callback reads the id of the run, and fails."""

    class WithId(NoTracker):
        run_id = "seven"

    seen: list[str] = []
    small_run.run(None, epochs=1, tracker=WithId(), on_epoch=[lambda event: seen.append(event.tracker.run_id)])  # type: ignore[attr-defined]
    assert seen == ["seven"]
    with pytest.raises(AttributeError, match="nonsense"):
        _ = BestEffortTracker(NoTracker()).nonsense


def test_wrong_settings_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same, and it looks like a bug of the program."""
    arguments = [
        "train",
        "--data",
        "scale-chords",
        *map(str, (*SMALL, *SMALL_MODEL)),
        "--output",
        str(tmp_path / "run"),
    ]
    assert main([*arguments, "--tracker", "JsonlTracker", "--tracker.path", str(tmp_path)]) == 2
    assert f"error: {tmp_path}: lines cannot be written here" in capsys.readouterr().err
    assert not (tmp_path / "run" / "best.safetensors").exists()


@pytest.mark.parametrize(
    "secret", [KEY, "https://acme.blob.core.windows.net/music?sv=1&sig=c2VjcmV0"], ids=["key", "signature"]
)
def test_the_program_prints_no_secret(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that was pasted in the place of a folder is in the log of the job."""
    for arguments in (["evaluate", secret], ["inspect", secret], ["generate", "--model", secret, "--output", "x.mid"]):
        assert main(arguments) == 2
        shown = capsys.readouterr()
        assert not shown.out
        assert KEY not in shown.err
        assert "sig=c2VjcmV0" not in shown.err


class Store(LocalStore):
    """Calls ``before`` at every put."""

    def __init__(self, folder: Path, before: Callable[[int], object]) -> None:
        super().__init__(folder)
        self._before = before
        self.number = 0

    def put(self, key: str, source: Any, **options: Any) -> StoredObject:
        self.number += 1
        self._before(self.number)
        return super().put(key, source, **options)


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """Set at the end of the test, so that no thread of it is left."""
    event = threading.Event()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name == "checkpoint-to-store":
            thread.join(30)


@pytest.mark.parametrize("first", [1, 5])
def test_a_store_that_hangs(
    undisturbed: Any, tmp_path: Path, hang: threading.Event, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network share is gone, and the end of training waits for it without end."""
    monkeypatch.setattr(remote_checkpoints, "_PATIENCE_SECONDS", 0.2)
    store = Store(tmp_path / "store", lambda number: number < first or hang.wait(120))
    with pytest.warns(UserWarning, match="The store does not take checkpoints in time") as caught:
        found = small_run.run(tmp_path / "run", checkpoint_store=store)
    small_run.assert_same(found, undisturbed)
    assert len(caught) == 1
    assert not hang.is_set()
    pointer = tmp_path / "store" / "latest.json"
    before = pointer.read_bytes() if pointer.exists() else None
    hang.set()
    for thread in threading.enumerate():
        if thread.name == "checkpoint-to-store":
            thread.join(30)
    assert (pointer.read_bytes() if pointer.exists() else None) == before  # the late upload has left it alone


@pytest.mark.parametrize("error", [StoreError("out of reach"), ValueError("a bug")])
def test_a_store_that_fails(undisturbed: Any, tmp_path: Path, error: Exception) -> None:
    """Any other error than those of this library's stores ends training."""

    def fail(number: int) -> None:
        raise error

    with pytest.warns(UserWarning, match="could not be sent to the store; training continues") as caught:
        found = small_run.run(tmp_path / "run", checkpoint_store=Store(tmp_path / "store", fail))
    small_run.assert_same(found, undisturbed)
    assert len(caught) == 1
    assert str(error) in str(caught[0].message)


def test_a_local_disk_without_room_for_the_copy(
    undisturbed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy that is sent does not fit on a disk without hard links, and training ends."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(remote_checkpoints.os, "link", full)
    monkeypatch.setattr(remote_checkpoints.shutil, "copyfile", full)
    with pytest.warns(UserWarning, match="No space left on device") as caught:
        found = small_run.run(tmp_path / "run", checkpoint_store=LocalStore(tmp_path / "store"))
    small_run.assert_same(found, undisturbed)
    assert len(caught) == 1


def test_ctrl_c_while_the_end_waits_for_a_store(tmp_path: Path, hang: threading.Event) -> None:
    """Ctrl-C has no effect, since training is over, or is forgotten."""
    store = Store(tmp_path / "store", lambda _: hang.wait(120))
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))

    class AtTheEnd(NoTracker):
        def flush(self) -> None:
            timer.start()

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt, match="The run is saved"):
        small_run.run(tmp_path / "run", checkpoint_store=store, tracker=AtTheEnd())
    timer.join()
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("kind", [LocalStore, AzureBlobStore, MLflowTracker])
def test_an_object_whose_arguments_were_refused_can_be_shown(kind: type) -> None:
    """A debugger, or a traceback with the values of variables, fails itself."""
    assert kind.__name__ in repr(object.__new__(kind))


def test_no_secret_in_a_pickled_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of an account is in a cache on disk, or in what is sent to a worker."""
    pytest.importorskip("azure.storage.blob")
    for name in ("STORAGE_ACCOUNT_NAME", "STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    url = "https://acme.blob.core.windows.net"
    for arguments in (
        {"account_name": "acme", "account_key": KEY},
        {"connection_string": f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={KEY}"},
        {"account_url": url, "credential": "sv=1&sig=c2VjcmV0"},
        {"account_url": f"{url}?sv=1&sig=c2VjcmV0"},
    ):
        with AzureBlobStore("music", **arguments) as store:  # type: ignore[arg-type]
            for one in (store, store.with_prefix("runs")):
                with pytest.raises(SettingsError, match=r"cannot be pickled.*Make the store in the other process"):
                    pickle.dumps(one)
    monkeypatch.setenv("STORAGE_ACCOUNT_NAME", "acme")
    monkeypatch.setenv("STORAGE_ACCOUNT_KEY", KEY)
    with AzureBlobStore("music", block_bytes=1024).with_prefix("runs/7") as store:
        data = pickle.dumps(store)
        assert KEY.encode() not in data
        with pickle.loads(data) as again:
            assert repr(again) == repr(store) == "AzureBlobStore('music', prefix='runs/7', account_name='acme')"
