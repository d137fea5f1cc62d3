"""Writing a file, or a folder, whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Collection, Iterator
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


@contextmanager
def writing_folder(path: str | os.PathLike[str], *, replaces: Collection[str] = ()) -> Iterator[Path]:
    """Gives a temporary folder beside ``path``; moves it there when the block ends without an error.

    A reader of ``path`` sees all files of the new folder or none. Missing parent folders are made. Where an older
    folder is replaced there is a moment in which none is there; a process that ends just then leaves the old one
    beside it, under a hidden name that ends in ``.old``.

    Args:
        path: where the folder shall stand in the end. An empty one may be there.
        replaces: names of the files that a folder which is there may hold and is replaced with, all of them.

    Raises:
        OverwriteError: something stands at ``path`` that is not empty and holds anything else. It is as it was.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    _refuse_folder(target, replaces)
    temporary.mkdir()
    try:
        yield temporary
        for written in temporary.rglob("*"):
            if written.is_file():
                with written.open("rb+") as file:
                    os.fsync(file.fileno())
        _refuse_folder(target, replaces)
        _move_folder(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refuse_folder(target: Path, replaces: Collection[str]) -> None:
    if not target.exists():
        return
    others = sorted(child.name for child in target.iterdir() if child.name not in replaces) if target.is_dir() else []
    if others or not target.is_dir():
        holds = f" and holds {', '.join(others[:3])}{' and more' if len(others) > 3 else ''}" if others else ""
        raise OverwriteError(
            f"{target} exists already{holds}: it would be overwritten. Choose another path, or one that is empty"
            f"{', or pass overwrite=True where nothing but an earlier one stands there' if not replaces else ''}."
        )


def _move_folder(temporary: Path, target: Path) -> None:
    """A rename takes the place of an empty folder, but of no other."""
    if not target.is_dir() or not any(target.iterdir()):
        try:
            temporary.rename(target)
        except FileExistsError as error:
            raise _exists_already(target) from error
        return
    old = temporary.with_suffix(".old")
    target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)
