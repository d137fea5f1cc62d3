"""Files and folders that are written completely or not at all."""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from pianoroll_seq2seq.errors import OverwriteError

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
_MAX_NAME_BYTES = 200  # of the 255 that file systems allow, for a name within a longer one


@contextmanager
def writing(
    path: str | os.PathLike[str], *, overwrite: bool = False, keep: str | os.PathLike[str] | None = None
) -> Iterator[Path]:
    """Yields a temporary path next to ``path``, and moves it there when the block ends without an error.

    A reader of ``path`` sees the old file or the new one, never a part of one, even after a power cut: the bytes are
    flushed to disk before the move. Missing parent folders are created. An error of the disk names ``path``.

    Args:
        path: the final path of the file.
        overwrite: whether an existing file may be replaced.
        keep: a path to which the replaced file is moved, where it may replace another.

    Raises:
        OverwriteError: ``path`` exists, and ``overwrite`` is false. Nothing was written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(target)
    with _naming(target, temporary):
        _refuse(target, overwrite)  # before the file is written
        temporary.open("xb").close()
    try:
        with _naming(target, temporary):
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


def shortened(name: str) -> str:
    """A name that fits into a longer one: the beginning of a long name, and a hash of it."""
    if len(os.fsencode(name)) <= _MAX_NAME_BYTES:
        return name
    ending = f"~{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
    while len(os.fsencode(name)) + len(ending) > _MAX_NAME_BYTES:
        name = name[:-1]
    return name + ending


def _temporary(target: Path) -> Path:
    return target.with_name(f".{shortened(target.name)}.{secrets.token_hex(8)}.tmp")


@contextmanager
def _naming(target: Path, temporary: Path) -> Iterator[None]:
    """Puts the name of the file into errors of the disk, which name none, or the temporary file."""
    try:
        yield
    except OSError as error:
        is_unnamed = error.filename is None and error.errno in _DISK_ERRORS
        if is_unnamed or error.filename in (temporary, str(temporary)):
            error.filename = str(target)
        raise


def _refuse(target: Path, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise _exists_already(target)


def _exists_already(target: Path) -> OverwriteError:
    return OverwriteError(
        f"{target} exists already and would be overwritten. Choose another path, or pass overwrite=True."
    )


def _move_without_overwriting(temporary: Path, target: Path) -> None:
    """Moves a file. A hard link fails if the target was created meanwhile; some file systems have no hard links."""
    try:
        os.link(temporary, target)
    except FileExistsError as error:  # even a broken link
        raise _exists_already(target) from error
    except OSError:
        _refuse(target, overwrite=False)
        temporary.replace(target)


@contextmanager
def writing_folder(path: str | os.PathLike[str], *, replaces: Collection[str] = ()) -> Iterator[Path]:
    """Yields a temporary folder next to ``path``, and moves it there when the block ends without an error.

    A reader of ``path`` sees all files of the new folder or none. Missing parent folders are created. When a folder is
    replaced, there is none for a moment; a process that is killed then leaves the old one next to it, under a hidden
    name that ends in ``.old``.

    Args:
        path: the final path of the folder, which may be an empty folder already.
        replaces: names of files; an existing folder is replaced if it holds no others.

    Raises:
        OverwriteError: ``path`` holds anything else. It is unchanged.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(target)
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
            f"{target} exists already{holds}: it would be overwritten. Choose another path, or an empty folder"
            f"{', or pass overwrite=True to replace an earlier one' if not replaces else ''}."
        )


def _move_folder(temporary: Path, target: Path) -> None:
    """Moves a folder. A rename replaces an empty folder only."""
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
