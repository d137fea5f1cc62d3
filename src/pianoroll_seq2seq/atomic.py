"""Writing a file whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pianoroll_seq2seq.errors import OverwriteError


@contextmanager
def writing(
    path: str | os.PathLike[str], *, overwrite: bool = False, keep: str | os.PathLike[str] | None = None
) -> Iterator[Path]:
    """Gives a temporary path beside ``path``; moves it there when the block ends without an error.

    A reader of ``path`` sees the old file or the new one, never half of one, also after a power cut:
    the bytes are flushed to disk before the move. Missing parent folders are made.

    Args:
        path: where the file shall stand in the end.
        overwrite: whether an existing file may be replaced.
        keep: where the replaced file shall stand from now on; there it may replace another.

    Raises:
        OverwriteError: a file stands at ``path`` and ``overwrite`` is false. Nothing was written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    temporary.open("xb").close()
    try:
        _refuse(target, overwrite)  # before the work, so that it is not done for nothing
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if overwrite:
            if keep is not None and target.exists():
                target.replace(keep)
            temporary.replace(target)
        else:
            _move_without_overwriting(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _refuse(target: Path, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise _exists_already(target)


def _exists_already(target: Path) -> OverwriteError:
    return OverwriteError(
        f"{target} exists already and would be overwritten. Choose another path, or pass overwrite=True."
    )


def _move_without_overwriting(temporary: Path, target: Path) -> None:
    """A hard link fails where a file came into being meanwhile; some file systems have none."""
    try:
        os.link(temporary, target)
    except FileExistsError as error:  # a link to nowhere counts, too
        raise _exists_already(target) from error
    except OSError:
        _refuse(target, overwrite=False)
        temporary.replace(target)
