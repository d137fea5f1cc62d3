"""A run's checkpoints in a store, so that a run can resume on another machine.

Each checkpoint is stored under a key of its own first. Then ``latest.json``, which points to it, is replaced, but only
if no other process has replaced it. So the pointer always leads to a complete checkpoint, and of two machines that
train the same run, one gets an error.
"""

import hashlib
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from pianoroll_seq2seq._internal.documents import parse_json
from pianoroll_seq2seq._internal.log import warn
from pianoroll_seq2seq._internal.reports import Reports
from pianoroll_seq2seq.checkpoint.descriptions import encode
from pianoroll_seq2seq.checkpoint.files import parse
from pianoroll_seq2seq.errors import CheckpointError, OverwriteError, StoreConflictError
from pianoroll_seq2seq.stores.base import Store
from pianoroll_seq2seq.train.run_folder import RunFolder
from pianoroll_seq2seq.train.run_state import read_state

POINTER = "latest.json"
_CHECKPOINTS = "checkpoints/"
_KEPT = 2  # checkpoints: the newest, and the one before it, which another process may be reading
_PATIENCE_SECONDS = 60.0
"""How long a checkpoint may take, and a second more for each of ``_BYTES_PER_SECOND``."""
_BYTES_PER_SECOND = 1e6
_POLL_SECONDS = 0.1


@dataclass(frozen=True, order=True)
class Position:
    """How far a run is: ``steps`` after the beginning of epoch ``epoch``, counted from 1."""

    epoch: Annotated[int, Meta(ge=1, le=2**53)]
    steps: Annotated[int, Meta(ge=0, le=2**53)]


@dataclass(frozen=True)
class Pointer:
    """The content of ``latest.json``.

    Args:
        key: of the checkpoint.
        sha256: of the checkpoint, in hexadecimal.
        run: a digest of the run's model, data and settings.
        position: how far the run was.
    """

    key: Annotated[str, Meta(pattern=rf"\A{_CHECKPOINTS}[\w.-]{{1,100}}\Z")]
    sha256: Annotated[str, Meta(pattern=r"\A([0-9a-f]{64})?\Z")]
    run: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    position: Position

    def to_bytes(self) -> bytes:
        """The pointer as JSON."""
        return (json.dumps(asdict(self), indent=2) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Pointer":
        """The inverse of :meth:`to_bytes`.

        Raises:
            CheckpointError: the data is no such pointer.
        """
        where = f"The store's {POINTER} does not point to a checkpoint of fit"
        return parse_json(data, cls, where, CheckpointError, fix="Choose another store, or another prefix in it.")


class RemoteCheckpoints:
    """Sends the checkpoints of a run folder to a store, in the background.

    A checkpoint that is replaced before it could be sent is skipped. A store that fails or hangs does not end training:
    it causes a warning, and another one if it has worked again meanwhile.

    Args:
        store: holds this run and nothing else.
        folder: the run's folder.
    """

    def __init__(self, store: Store, folder: RunFolder) -> None:
        """Sends nothing yet."""
        self._store = store
        self._folder = folder
        self._token = secrets.token_hex(4)  # makes the keys of each start of a run unique
        self._etag: str | None = None
        self._keys: list[str] = []
        self._run = ""
        self._upload: Future[None] | None = None
        self._newest: Position | None = None
        self._sent: Position | None = None
        self._begun = 0.0  # the time when the current upload began
        self._is_closed = False
        self._reports = Reports()

    def fetch(
        self, identity: Mapping[str, Any], *, resume: bool, check: Callable[[str, Mapping[str, Any]], object]
    ) -> None:
        """Downloads the store's checkpoint into the folder, if it is newer than the folder's.

        Args:
            identity: the model, data and settings of the run.
            resume: whether a run may be resumed.
            check: raises CheckpointError for the name and the header of a checkpoint that is not of this run.

        Raises:
            StoreError: the store cannot be reached.
            OverwriteError: it holds a run, and ``resume`` is false.
            CheckpointError: it holds another run.
        """
        self._run = _digest(identity)
        found = self._store.find(POINTER)
        if found is None:
            return
        pointer = Pointer.from_bytes(self._store.get(POINTER))
        if not resume:
            raise OverwriteError(
                "The store holds a run already. Choose another store, or another prefix in it, or pass resume=True to "
                "resume it."
            )
        if pointer.run != self._run:
            header, _ = parse(self._store.get(pointer.key), "the store's checkpoint")
            try:
                check("the store's checkpoint", header)
            except CheckpointError as error:
                raise CheckpointError(f"{error} Another run needs another store, or another prefix in it.") from error
        self._etag = found.etag
        others = (stored.key for stored in self._store.list(_CHECKPOINTS) if stored.key != pointer.key)
        self._keys = [*others, pointer.key]
        if self._is_behind(pointer):
            self._store.download(pointer.key, self._folder.last, overwrite=True)

    def send(self, position: Position) -> None:
        """Starts to send the folder's newest checkpoint, unless another one is being sent.

        Raises:
            CheckpointError: another process has sent a checkpoint of the same run. This one must stop.
        """
        self._newest = position
        if self._upload is not None:
            if not self._upload.done():
                if time.monotonic() - self._begun > self._patience():
                    self._warn_of_delay()
                return
            self._finish_upload()
        self._start_upload()

    def close(self, check: Callable[[], object] = lambda: None) -> None:
        """Waits until the newest checkpoint is stored, as long as a checkpoint may take. Later calls do nothing.

        It warns if the checkpoint is not stored then. An upload that has not ended is left to itself, and does not
        replace the pointer any more.

        Args:
            check: called several times a second; it may raise, which ends the wait.
        """
        if self._is_closed:
            return
        deadline = time.monotonic() + self._patience()
        try:
            self._finish_before(deadline, check)
            if self._upload is None and self._newest is not None and self._newest != self._sent:
                self._start_upload()
                self._finish_before(deadline, check)
        except CheckpointError as error:
            warn(str(error), stacklevel=3)
        finally:
            self._is_closed = True

    def _patience(self) -> float:
        """How many seconds a checkpoint may take."""
        try:
            size = self._folder.last.stat().st_size
        except OSError:
            size = 0
        return _PATIENCE_SECONDS + size / _BYTES_PER_SECOND

    def _finish_before(self, deadline: float, check: Callable[[], object]) -> None:
        """Waits for the upload, if there is one; warns if it has not ended by the deadline."""
        if self._upload is None:
            return
        while not self._upload.done():
            left = deadline - time.monotonic()
            if left <= 0:
                self._warn_of_delay()
                return
            check()
            wait([self._upload], timeout=min(left, _POLL_SECONDS))
        self._finish_upload()

    def _warn_of_delay(self) -> None:
        self._reports.warn(
            "The store does not take checkpoints in time; training does not wait for it",
            f"after {time.monotonic() - self._begun:.0f} s the newest checkpoint is in {self._folder.path} only",
        )

    def _is_behind(self, pointer: Pointer) -> bool:
        """Whether the folder has an older checkpoint of the store's run, or none. One of another run is kept."""
        header = self._folder.newest_header()
        if header is None:
            return True
        try:
            state, _ = read_state(header, POINTER)
            run = _digest({"model": header["model"], **_described(header["details"])})
        except (CheckpointError, KeyError):  # not a checkpoint of fit
            return False
        return run == pointer.run and Position(state.progress.epoch, state.progress.steps) < pointer.position

    def _start_upload(self) -> None:
        """Sends a hard link, which keeps its content when the folder's checkpoint is replaced meanwhile."""
        newest = self._newest
        assert newest is not None  # the callers have checked it
        snapshot = self._folder.last.with_name(f".{self._folder.last.name}.{secrets.token_hex(8)}.tmp")
        try:
            _link(self._folder.last, snapshot)
        except OSError as error:  # such as a full disk
            self._warn_of_failure(error)
            return
        self._begun = time.monotonic()
        self._upload = _in_background(lambda: self._push(snapshot, newest))

    def _finish_upload(self) -> None:
        """Ends an upload that is done. If it failed, it warns: the next checkpoint may get there."""
        assert self._upload is not None  # the callers have checked it
        upload, self._upload = self._upload, None
        try:
            upload.result()
            self._reports = Reports()  # the next failure is news
        except (OverwriteError, StoreConflictError) as error:
            self._newest = None  # the store now belongs to the other process
            raise CheckpointError(
                f"Another process is training this run: it has replaced {POINTER} in the store. Stop one of them, or "
                f"give each a prefix of its own."
            ) from error
        except CheckpointError:
            raise
        except Exception as error:  # any error of a user's store
            self._warn_of_failure(error)

    def _warn_of_failure(self, error: Exception) -> None:
        self._reports.warn(
            f"A checkpoint could not be sent to the store; training continues. It is in {self._folder.path}",
            f"{type(error).__name__}: {error}",
        )

    def _push(self, snapshot: Path, position: Position) -> None:
        key = f"{_CHECKPOINTS}{position.epoch:05d}-{position.steps:07d}-{self._token}.safetensors"
        try:
            stored = self._store.put(key, snapshot, overwrite=True)
        finally:
            snapshot.unlink(missing_ok=True)
        if self._is_closed:  # nobody waits for it any more
            return
        self._keys = [*(known for known in self._keys if known != key), key]
        self._point(Pointer(key, stored.sha256 or "", self._run, position))
        self._sent = position
        while len(self._keys) > _KEPT:
            with suppress(Exception):  # of any store: a checkpoint that stays takes space, and does no other harm
                self._store.delete(self._keys[0])
            self._keys.pop(0)

    def _point(self, pointer: Pointer) -> None:
        """Replaces the pointer if it is the one that this process has read or written, even if the answer was lost."""
        try:
            stored = self._store.put(POINTER, pointer.to_bytes(), etag=self._etag)
        except (OverwriteError, StoreConflictError):
            current = self._store.find(POINTER)
            if current is None or self._token not in Pointer.from_bytes(self._store.get(POINTER)).key:
                raise
            stored = self._store.put(POINTER, pointer.to_bytes(), etag=current.etag)
        self._etag = stored.etag


def _link(path: Path, link: Path) -> None:
    """Makes a hard link, or a copy on a file system without hard links."""
    try:
        os.link(path, link)
    except OSError:
        try:
            shutil.copyfile(path, link)
        except OSError:
            link.unlink(missing_ok=True)
            raise


def _in_background(call: Callable[[], None]) -> "Future[None]":
    """Makes a call in a thread that does not keep the process alive."""
    future: Future[None] = Future()

    def work() -> None:
        try:
            call()
        except BaseException as error:  # the caller raises it
            future.set_exception(error)
        else:
            future.set_result(None)

    threading.Thread(target=work, name="checkpoint-to-store", daemon=True).start()
    return future


def _described(details: Mapping[str, Any]) -> dict[str, Any]:
    """The description of the run in a checkpoint's details, without its history."""
    return {key: details[key] for key in ("data", "optimizer", "schedule", "run")}


def _digest(identity: Mapping[str, Any]) -> str:
    """SHA-256 of a run's model, data and settings, in hexadecimal."""
    return hashlib.sha256(json.dumps(encode(identity), sort_keys=True).encode()).hexdigest()
