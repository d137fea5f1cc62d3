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
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pianoroll_seq2seq._internal.log import warn
from pianoroll_seq2seq.checkpoint.descriptions import encode
from pianoroll_seq2seq.checkpoint.files import parse
from pianoroll_seq2seq.errors import CheckpointError, OverwriteError, StoreConflictError, StoreError
from pianoroll_seq2seq.stores.base import Store
from pianoroll_seq2seq.train.run_folder import RunFolder

POINTER = "latest.json"
_CHECKPOINTS = "checkpoints/"
_KEPT = 2  # checkpoints: the newest, and the one before it, which another process may be reading


@dataclass(frozen=True, order=True)
class Position:
    """How far a run is: ``steps`` after the beginning of epoch ``epoch``, counted from 1."""

    epoch: int
    steps: int


@dataclass(frozen=True)
class Pointer:
    """The content of ``latest.json``.

    Args:
        key: of the checkpoint.
        sha256: of the checkpoint, in hexadecimal.
        run: a digest of the run's model, data and settings.
        position: how far the run was.
    """

    key: str
    sha256: str
    run: str
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
        try:
            fields = json.loads(data)
            return cls(**{**fields, "position": Position(**fields["position"])})
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"The store's {POINTER} does not point to a checkpoint of fit ({error!r}). Choose another store, or "
                f"another prefix in it."
            ) from error


class RemoteCheckpoints:
    """Sends the checkpoints of a run folder to a store, in the background.

    A checkpoint that is replaced before it could be sent is skipped.

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
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoints-to-store")

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
                return
            self._finish_upload()
        self._start_upload()

    def close(self) -> None:
        """Waits until the newest checkpoint is stored; warns if that fails."""
        try:
            if self._upload is not None:
                self._finish_upload()
            if self._newest is not None and self._newest != self._sent:
                self._start_upload()
                self._finish_upload()
        except CheckpointError as error:
            warn(str(error), stacklevel=3)
        finally:
            self._pool.shutdown()

    def _is_behind(self, pointer: Pointer) -> bool:
        """Whether the folder has an older checkpoint of the store's run, or none. One of another run is kept."""
        header = self._folder.newest_header()
        if header is None:
            return True
        try:
            progress = header["state"]["progress"]
            here = Position(progress["epoch"], progress["steps"])
            run = _digest({"model": header["model"], **_described(header["details"])})
        except (KeyError, TypeError):  # not a checkpoint of fit
            return False
        return run == pointer.run and here < pointer.position

    def _start_upload(self) -> None:
        """Sends a hard link, which keeps its content when the folder's checkpoint is replaced meanwhile."""
        assert self._newest is not None  # the callers have checked it
        snapshot = self._folder.last.with_name(f".{self._folder.last.name}.{secrets.token_hex(8)}.tmp")
        try:
            os.link(self._folder.last, snapshot)
        except OSError:  # a file system without hard links
            shutil.copyfile(self._folder.last, snapshot)
        self._upload = self._pool.submit(self._push, snapshot, self._newest)

    def _finish_upload(self) -> None:
        """Waits for the upload. If the store cannot be reached it warns: the next checkpoint may get there."""
        assert self._upload is not None  # the callers have checked it
        upload, self._upload = self._upload, None
        try:
            upload.result()
        except (OverwriteError, StoreConflictError) as error:
            self._newest = None  # the store now belongs to the other process
            raise CheckpointError(
                f"Another process is training this run: it has replaced {POINTER} in the store. Stop one of them, or "
                f"give each a prefix of its own."
            ) from error
        except (StoreError, OSError) as error:
            warn(f"A checkpoint could not be sent to the store; training continues. {error}", stacklevel=4)

    def _push(self, snapshot: Path, position: Position) -> None:
        key = f"{_CHECKPOINTS}{position.epoch:05d}-{position.steps:07d}-{self._token}.safetensors"
        try:
            stored = self._store.put(key, snapshot, overwrite=True)
        finally:
            snapshot.unlink(missing_ok=True)
        self._keys = [*(known for known in self._keys if known != key), key]
        self._point(Pointer(key, stored.sha256 or "", self._run, position))
        self._sent = position
        while len(self._keys) > _KEPT:
            with suppress(StoreError):  # a checkpoint that stays takes space, and does no other harm
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


def _described(details: Mapping[str, Any]) -> dict[str, Any]:
    """The description of the run in a checkpoint's details, without its history."""
    return {key: details[key] for key in ("data", "optimizer", "schedule", "run")}


def _digest(identity: Mapping[str, Any]) -> str:
    """SHA-256 of a run's model, data and settings, in hexadecimal."""
    return hashlib.sha256(json.dumps(encode(identity), sort_keys=True).encode()).hexdigest()
