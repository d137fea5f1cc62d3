"""The files of a run: how to go on from them, and what may be lost without loss."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from pianoroll_seq2seq.checkpoint.files import parse, read, write
from pianoroll_seq2seq.errors import CheckpointError, OverwriteError
from pianoroll_seq2seq.history import History

_LAST, _PREVIOUS, _BEST, _HISTORY = "last.safetensors", "previous.safetensors", "best.safetensors", "history.jsonl"


class RunFolder:
    """``last.safetensors``, with all there is to know; the one before it; the best model; the history.

    Args:
        path: the folder; made if need be.

    Raises:
        CheckpointError: another process is training here.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Takes the folder for this process, and sweeps up what a killed one was just writing."""
        self.path: Path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.path)
        for name in (_LAST, _PREVIOUS, _BEST, _HISTORY):
            for left_over in self.path.glob(f".{name}.*.tmp"):
                left_over.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets other processes in."""
        if self._lock is not None:
            os.close(self._lock)

    @property
    def last(self) -> Path:
        """The checkpoint to go on from."""
        return self.path / _LAST

    def newest(self) -> dict[str, Any] | None:
        """What the newest whole checkpoint says of itself; None where there is none."""
        for name in (_LAST, _PREVIOUS):
            try:
                return read(self.path / name)[0]
            except CheckpointError:
                continue
        return None

    def found(self, resume: bool) -> tuple[Path, bytes] | None:
        """The newest checkpoint that is whole, and its bytes; None where a run begins.

        Raises:
            OverwriteError: there is one and ``resume`` is false.
            CheckpointError: there are some, and none is whole.
        """
        present = [self.path / name for name in (_LAST, _PREVIOUS) if (self.path / name).exists()]
        if present and not resume:
            raise OverwriteError(
                f"{self.path} holds a run already. Choose another checkpoint_dir, or pass resume=True to go on."
            )
        errors = []
        for path in present:
            try:
                data = path.read_bytes()
                parse(data, os.fspath(path))
            except (CheckpointError, OSError) as error:
                errors.append(str(error))
            else:
                if errors:
                    warnings.warn(f"{errors[0]} Training goes on from {path}.", stacklevel=4)
                return path, data
        if errors:
            raise CheckpointError(
                f"{self.path}: this run cannot be gone on with. {' '.join(errors)} Choose another checkpoint_dir, or "
                f"remove the files if the run is not needed."
            )
        return None

    def write_state(self, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Replaces the checkpoint to go on from. The one before it stays, and is there at every moment."""
        write(self.path / _LAST, header, tensors, overwrite=True, keep=self.path / _PREVIOUS)

    def write_best(self, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Replaces the model to use."""
        write(self.path / _BEST, header, tensors, overwrite=True)

    def has_whole_best(self) -> bool:
        """Whether the model to use is there, and as it was written."""
        try:
            read(self.path / _BEST)
        except CheckpointError:
            return False
        return True

    def write_history(self, history: History) -> None:
        """Replaces the history to read."""
        history.save(self.path / _HISTORY)


def check_same_run(label: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuses a checkpoint of another model, other data or other settings.

    Raises:
        CheckpointError: names the first of them that differs.
    """
    for key in ("model", "data", "run"):
        if before.get(key) != now[key]:
            raise CheckpointError(
                f"{label}: cannot go on with this run. Its {key}: {before.get(key)}; now: {now[key]}. "
                f"Choose another checkpoint_dir, or train with the same settings."
            )


def _locked(folder: Path) -> int | None:
    """A descriptor of the folder that holds a lock on it, and gives it back with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise CheckpointError(
            f"{folder}: another process is training in this folder. Wait for it, or choose another checkpoint_dir."
        ) from error
    except OSError:
        pass  # a file system without locks
    return descriptor
