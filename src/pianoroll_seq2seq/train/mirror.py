"""A run's checkpoints in a store, so that a run whose machine is taken away goes on on another.

The checkpoint is stored first, under a name of its own; ``latest.json``, which points to it, is replaced last, and only
if nobody else has replaced it. So whoever reads the pointer finds a whole checkpoint, and of two machines that train
the same run one finds out.
"""

import hashlib
import json
import os
import secrets
import shutil
import warnings
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pianoroll_seq2seq.checkpoint.descriptions import encode
from pianoroll_seq2seq.errors import CheckpointError, OverwriteError, StoreConflictError, StoreError
from pianoroll_seq2seq.stores.base import Store
from pianoroll_seq2seq.train.run_folder import RunFolder

POINTER = "latest.json"
_CHECKPOINTS = "checkpoints/"
_KEPT = 2  # checkpoints: the newest, and the one that somebody may just be reading


@dataclass(frozen=True, order=True)
class Position:
    """How far a run is: ``steps`` after the beginning of epoch ``epoch``, counted from 1."""

    epoch: int
    steps: int


@dataclass(frozen=True)
class Pointer:
    """What ``latest.json`` says: where the checkpoint is, what it is of, and how far that run was."""

    key: str
    sha256: str
    run: str
    position: Position

    def to_bytes(self) -> bytes:
        """As JSON."""
        return (json.dumps(asdict(self), indent=2) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Pointer":
        """The inverse of :meth:`to_bytes`.

        Raises:
            CheckpointError: it is something else.
        """
        try:
            fields = json.loads(data)
            return cls(**{**fields, "position": Position(**fields["position"])})
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"The store's {POINTER} does not point to a checkpoint of fit ({error!r}). Choose another store, or "
                f"another prefix in it."
            ) from error


class Mirror:
    """Sends the checkpoints of a run folder to a store, in the background; what is not sent in time is left out.

    Args:
        store: where to; it is the run's alone.
        folder: the run's folder.
    """

    def __init__(self, store: Store, folder: RunFolder) -> None:
        """Nothing is sent yet."""
        self._store = store
        self._folder = folder
        self._token = secrets.token_hex(4)  # so that no two starts of a run write to one name
        self._etag: str | None = None
        self._keys: list[str] = []
        self._run = ""
        self._sending: Future[None] | None = None
        self._newest: Position | None = None
        self._delivered: Position | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoints-to-store")

    def fetch(self, what: Mapping[str, Any], *, resume: bool) -> None:
        """Puts the store's checkpoint into the folder, if it is further than the one that lies there.

        Args:
            what: the model, data and settings that the run must have.
            resume: whether to go on with a run.

        Raises:
            StoreError: the store cannot be reached.
            OverwriteError: it holds a run, and ``resume`` is false.
            CheckpointError: it holds another run.
        """
        self._run = _digest(what)
        found = self._store.find(POINTER)
        if found is None:
            return
        pointer = Pointer.from_bytes(self._store.get(POINTER))
        if not resume:
            raise OverwriteError(
                "The store holds a run already. Choose another store, or another prefix in it, or pass resume=True to "
                "go on."
            )
        if pointer.run != self._run:
            raise CheckpointError(
                "The store holds a run of another model, other data or other settings. Choose another store, or "
                "another prefix in it, or train with the same settings."
            )
        self._etag = found.etag
        others = (stored.key for stored in self._store.list(_CHECKPOINTS) if stored.key != pointer.key)
        self._keys = [*others, pointer.key]
        if self._is_behind(pointer.position):
            self._store.download(pointer.key, self._folder.last, overwrite=True)

    def send(self, position: Position) -> None:
        """Begins to send the folder's newest checkpoint, unless one is still under way.

        Raises:
            CheckpointError: another process has sent one of the same run: this one must not go on.
        """
        self._newest = position
        if self._sending is not None:
            if not self._sending.done():
                return
            self._result()
        self._begin()

    def close(self) -> None:
        """Returns when the newest checkpoint is there; warns where that cannot be."""
        try:
            if self._sending is not None:
                self._result()
            if self._newest is not None and self._newest != self._delivered:
                self._begin()
                self._result()
        except CheckpointError as error:
            warnings.warn(str(error), stacklevel=3)
        finally:
            self._pool.shutdown()

    def _is_behind(self, position: Position) -> bool:
        """Whether the folder holds less of this run. What it may hold of another stays, for its owner to move."""
        header = self._folder.newest()
        if header is None:
            return True
        try:
            progress = header["state"]["progress"]
            here = Position(progress["epoch"], progress["steps"])
            run = _digest(
                {"model": header["model"], "data": header["details"]["data"], "run": header["details"]["run"]}
            )
        except (KeyError, TypeError):  # not of fit
            return False
        return run == self._run and here < position

    def _begin(self) -> None:
        """A name of its own keeps the file as it is, however often the folder's is replaced meanwhile."""
        assert self._newest is not None  # the callers saw to it
        snapshot = self._folder.last.with_name(f".{self._folder.last.name}.{secrets.token_hex(8)}.tmp")
        try:
            os.link(self._folder.last, snapshot)
        except OSError:  # a file system without hard links
            shutil.copyfile(self._folder.last, snapshot)
        self._sending = self._pool.submit(self._push, snapshot, self._newest)

    def _result(self) -> None:
        """How the sending went. A store that could not be reached is a warning: the next checkpoint may get there."""
        assert self._sending is not None  # the callers saw to it
        sending, self._sending = self._sending, None
        try:
            sending.result()
        except (OverwriteError, StoreConflictError) as error:
            self._newest = None  # the store is the other's
            raise CheckpointError(
                f"Another process is training this run: it has replaced {POINTER} in the store. Let one of them go "
                f"on, or give each a prefix of its own."
            ) from error
        except (StoreError, OSError) as error:
            warnings.warn(f"A checkpoint did not get to the store; training goes on. {error}", stacklevel=4)

    def _push(self, snapshot: Path, position: Position) -> None:
        key = f"{_CHECKPOINTS}{position.epoch:05d}-{position.steps:07d}-{self._token}.safetensors"
        try:
            stored = self._store.put(key, snapshot, overwrite=True)
        finally:
            snapshot.unlink(missing_ok=True)
        self._keys = [*(known for known in self._keys if known != key), key]
        self._point(Pointer(key, stored.sha256 or "", self._run, position))
        self._delivered = position
        while len(self._keys) > _KEPT:
            with suppress(StoreError):  # one that stays costs room, no more
                self._store.delete(self._keys[0])
            self._keys.pop(0)

    def _point(self, pointer: Pointer) -> None:
        """Replaces the pointer, if it is still the one that this process knows, or wrote without hearing so."""
        try:
            stored = self._store.put(POINTER, pointer.to_bytes(), etag=self._etag)
        except (OverwriteError, StoreConflictError):
            there = self._store.find(POINTER)
            if there is None or self._token not in Pointer.from_bytes(self._store.get(POINTER)).key:
                raise
            stored = self._store.put(POINTER, pointer.to_bytes(), etag=there.etag)
        self._etag = stored.etag


def _digest(what: Mapping[str, Any]) -> str:
    """Of what a run is made of, in hexadecimal."""
    return hashlib.sha256(json.dumps(encode(what), sort_keys=True).encode()).hexdigest()
