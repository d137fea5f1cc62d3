"""The hidden files that stores keep next to those of users: partial downloads, and locks."""

import hashlib
import re
from contextlib import AbstractContextManager
from pathlib import Path

from pianoroll_seq2seq._internal.atomic import shortened
from pianoroll_seq2seq._internal.locks import LOCK_NAME, file_lock

_INTERNAL = re.compile(r"\..+\.[0-9a-f]{16}\.(part|part\.lock|tmp)", re.DOTALL)


def is_internal(name: str) -> bool:
    """Whether a file of this name belongs to the library: it is never an object of a store, and never synced."""
    return name == LOCK_NAME or _INTERNAL.fullmatch(name) is not None


def partial_file(target: Path, etag: str) -> Path:
    """The file that holds the first bytes of an object on its way to ``target``; another one for every etag."""
    return target.with_name(f".{shortened(target.name)}.{hashlib.sha256(etag.encode()).hexdigest()[:16]}.part")


def partial_file_lock(part: Path, *, wait: bool = True) -> AbstractContextManager[bool]:
    """The lock of a partial file (see :func:`~pianoroll_seq2seq._internal.locks.file_lock`)."""
    return file_lock(part.with_name(f"{part.name}.lock"), wait=wait, remove=True)


def remove_other_parts(part: Path, target: Path) -> None:
    """Removes the partial files of other versions, except those that another process is downloading."""
    name = re.compile(rf"(\.{re.escape(shortened(target.name))}\.[0-9a-f]{{16}}\.part)(\.lock)?", re.DOTALL)
    others = {found[1] for path in target.parent.iterdir() if (found := name.fullmatch(path.name))} - {part.name}
    for other in others:
        with partial_file_lock(part.with_name(other), wait=False) as is_free:
            if is_free:
                part.with_name(other).unlink(missing_ok=True)
