"""The folder of a run: its checkpoints, its best model and its history."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from torch import Tensor

from pianoroll_seq2seq._internal.locks import LOCK_NAME, file_lock
from pianoroll_seq2seq._internal.log import warn
from pianoroll_seq2seq.checkpoint.files import parse, read, read_bytes, write
from pianoroll_seq2seq.errors import CheckpointError, OverwriteError
from pianoroll_seq2seq.train.history import History
from pianoroll_seq2seq.train.run_files import BEST, HISTORY, LAST, PREVIOUS


class RunFolder:
    """Reads and writes the files of a run. Only one process at a time can use a folder.

    Args:
        path: the folder; created if it is missing.

    Raises:
        CheckpointError: another process is training in this folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Locks the folder, and removes temporary files that a killed process has left."""
        self.path: Path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = ExitStack()
        if not self._lock.enter_context(file_lock(self.path / LOCK_NAME, wait=False, remove=True)):
            raise CheckpointError(
                f"{self.path}: another process is training in this folder. Wait for it, or choose another "
                f"checkpoint_dir (--output)."
            )
        for name in (LAST, PREVIOUS, BEST, HISTORY):
            for temporary in self.path.glob(f".{name}.*.tmp"):
                temporary.unlink(missing_ok=True)

    def close(self) -> None:
        """Releases the lock."""
        self._lock.close()

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.path / LAST

    def newest_header(self) -> dict[str, Any] | None:
        """The header of the newest checkpoint that is not damaged; None if there is none."""
        for name in (LAST, PREVIOUS):
            try:
                return read(self.path / name)[0]
            except CheckpointError:
                continue
        return None

    def find_checkpoint(self, resume: bool) -> tuple[Path, bytes] | None:
        """The newest checkpoint that is not damaged, and its bytes; None if there is no checkpoint.

        Raises:
            OverwriteError: there is one, and ``resume`` is false.
            CheckpointError: all are damaged.
        """
        present = [self.path / name for name in (LAST, PREVIOUS) if (self.path / name).exists()]
        if present and not resume:
            raise OverwriteError(
                f"{self.path} holds a run already. Choose another checkpoint_dir (--output), or pass resume=True to "
                f"resume it."
            )
        errors = []
        for path in present:
            try:
                data = read_bytes(path)
                parse(data, os.fspath(path))
            except CheckpointError as error:
                errors.append(str(error))
            else:
                if errors:
                    warn(f"{errors[0]} Training resumes from {path}.", stacklevel=4)
                return path, data
        if errors:
            raise CheckpointError(
                f"{self.path}: cannot resume this run. {' '.join(errors)} Choose another checkpoint_dir (--output), "
                f"or remove the files if you do not need the run."
            )
        return None

    def write_checkpoint(self, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Replaces the newest checkpoint. The one before it is kept, so that there is one at every moment."""
        write(self.path / LAST, header, tensors, overwrite=True, keep=self.path / PREVIOUS)

    def write_best(self, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Replaces the best model."""
        write(self.path / BEST, header, tensors, overwrite=True)

    def has_valid_best(self) -> bool:
        """Whether the best model is there and not damaged."""
        try:
            read(self.path / BEST)
        except CheckpointError:
            return False
        return True

    def write_history(self, history: History) -> None:
        """Replaces the history."""
        history.save(self.path / HISTORY)
