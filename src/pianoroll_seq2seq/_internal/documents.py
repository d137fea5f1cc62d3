"""The one door for JSON from files, and for what YAML gave: values of stated types and ranges, or one error.

A frozen ``msgspec.Struct`` beside the code that owns a file describes what is read. With ``forbid_unknown_fields=True``
it is wholly ours; without, others may add fields, which are ignored. Numbers are finite: a field for one that may be
undefined is ``float | None``.
"""

import json
import math
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError

T = TypeVar("T")
MAX_BYTES = 8 * 2**20
"""Size of the largest file that is read, unless its reader allows more. Most take kilobytes."""
MAX_DEPTH = 50
"""How deep values may be nested."""
_TOO_DEEP = f"nested too deep, over {MAX_DEPTH} levels"
_MOST_LISTS = 300_000
"""Lists and objects where a type admits any value. Each takes 60 to 200 bytes of memory, and maybe 3 of the text."""
_BYTES_PER_LIST = 64
"""Of text, for each list or object more."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_PLACE = re.compile(r" - at `(?:key in )?(\$[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_TO_BRACKET = re.compile(rb'(?:[^][{}"]++|"(?:[^"\\]++|\\.)*+"?)*+([][{}]?)', re.DOTALL)


def read_json(
    path: str | os.PathLike[str],
    kind: type[T],
    error: type[PianoRollSeq2SeqError],
    *,
    fix: str = "",
    max_bytes: int = MAX_BYTES,
) -> T:
    """The content of a JSON file.

    Args:
        path: the file; it also names it in errors.
        kind: the type of the content, such as a ``msgspec.Struct``.
        error: the class of all errors.
        fix: the last sentence of its message.
        max_bytes: a larger file is refused.

    Raises:
        PianoRollSeq2SeqError: of the class ``error``: no such file, one that is not regular or cannot be read, or
            another content than ``kind``.
    """
    data = read_bytes(path, error, fix=fix, max_bytes=max_bytes)
    return parse_json(data, kind, os.fspath(path), error, fix=fix, max_bytes=max_bytes)


def read_bytes(
    path: str | os.PathLike[str], error: type[PianoRollSeq2SeqError], *, fix: str = "", max_bytes: int = MAX_BYTES
) -> bytes:
    """The bytes of a regular file, at most ``max_bytes``.

    Raises:
        PianoRollSeq2SeqError: of the class ``error``: no such file, one that is not regular, too large, or unreadable.
    """
    where = os.fspath(path)
    try:
        is_other = os.path.exists(path) and not os.path.isfile(path)
        if not is_other:  # opening a named pipe waits for ever
            with Path(path).open("rb") as file:
                size = min(os.fstat(file.fileno()).st_size, max_bytes)  # no more memory than there are bytes
                data = file.read(size + 1)
    except (OSError, ValueError) as problem:  # no file has such a name
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise error(_sentence(where, "", f"cannot be read ({reason})", fix)) from problem
    if is_other:
        raise error(_sentence(where, "", "expected a file, but this is a folder, a pipe or a device", fix))
    if len(data) > max_bytes:
        raise error(_sentence(where, "", f"expected at most {max_bytes} bytes, but the file is larger", fix))
    return data


def parse_json(
    data: bytes | str,
    kind: type[T],
    where: str,
    error: type[PianoRollSeq2SeqError],
    *,
    fix: str = "",
    max_bytes: int = MAX_BYTES,
) -> T:
    """The content of a JSON text.

    Args:
        data: the text, in UTF-8.
        kind: the type of the content, such as a ``msgspec.Struct``.
        where: what the text is, at the beginning of the message of an error.
        error: the class of all errors.
        fix: the last sentence of its message.
        max_bytes: a longer text is refused.

    Raises:
        PianoRollSeq2SeqError: of the class ``error``: too long, nested too deep, not JSON, or another content than
            ``kind``. The message names the place and the value there.

    Example:
        >>> from pianoroll_seq2seq.errors import CorpusError
        >>> parse_json(b'{"frames": [3, 4]}', dict[str, list[int]], "index.json", CorpusError)
        {'frames': [3, 4]}
        >>> parse_json(b"[3, 0.5]", list[int], "index.json", CorpusError, fix="Build it again.")
        Traceback (most recent call last):
        pianoroll_seq2seq.errors.CorpusError: index.json, at $[1]: expected int, got float (0.5). Build it again.
    """
    data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(data) > max_bytes:
        raise error(_sentence(where, "", f"expected JSON of at most {max_bytes} bytes, but it is longer", fix))
    unfit = _nesting_problem(data) if _holds_any(cast(Any, kind)) else ""
    if unfit:
        raise error(_sentence(where, "", unfit, fix))
    try:
        if _SURROGATE.search(data):  # such as in names that are not UTF-8: msgspec reads none alone
            return msgspec.convert(_loads(data), kind)
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as problem:
        raise error(_refusal(where, str(problem), lambda: _loads(data), fix)) from problem
    except RecursionError as problem:
        raise error(_sentence(where, "", _TOO_DEEP, fix)) from problem
    except ValueError as problem:  # of msgspec: not JSON
        raise error(_sentence(where, "", f"damaged, or not JSON ({_plain(str(problem))})", fix)) from problem


def _loads(data: bytes) -> Any:
    """The values in a JSON text, with texts that UTF-8 cannot hold."""
    return json.loads(data.decode("utf-8"), parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text:.20} is not finite")
    return number


def convert(value: object, kind: type[T], where: str, error: type[PianoRollSeq2SeqError], *, fix: str = "") -> T:
    """Plain values, such as YAML gives, as a type.

    Args:
        value: texts, numbers, booleans, None, and lists and mappings of them.
        kind: the type to return, such as a ``msgspec.Struct``.
        where: what the value is, at the beginning of the message of an error.
        error: the class of all errors.
        fix: the last sentence of its message.

    Raises:
        PianoRollSeq2SeqError: of the class ``error``: another content than ``kind``, nested too deep, or a number that
            is not finite. The message names the place and the value there.

    Example:
        >>> from pianoroll_seq2seq.errors import SettingsError
        >>> convert({"epochs": float("inf")}, dict[str, float], "run.yaml", SettingsError)
        Traceback (most recent call last):
        pianoroll_seq2seq.errors.SettingsError: run.yaml, at $.epochs: expected a finite number, got inf.
    """
    try:
        _check_plain(value, "$", MAX_DEPTH)
        return msgspec.convert(value, kind)
    except (ValueError, RecursionError) as problem:  # of msgspec too
        raise error(_refusal(where, str(problem), lambda: value, fix)) from problem


@cache
def _holds_any(kind: Any) -> bool:
    """Whether a type admits any value somewhere; otherwise it says itself how deep its values are nested."""
    return "AnyType" in repr(msgspec.inspect.type_info(kind))


def _nesting_problem(data: bytes) -> str:
    """What is wrong with the lists and objects in a JSON text, if they are nested too deep or too many."""
    most = _MOST_LISTS + len(data) // _BYTES_PER_LIST
    depth = number = 0
    for found in _TO_BRACKET.finditer(data):
        if found[1] in (b"[", b"{"):
            depth, number = depth + 1, number + 1
            if depth > MAX_DEPTH:
                return _TOO_DEEP
            if number > most:
                return f"over {most} lists and objects in {len(data)} bytes"
        else:
            depth -= 1
    return ""


def _check_plain(value: object, place: str, levels: int) -> None:
    """Refuses numbers that are not finite, and deep nesting, in the words of msgspec."""
    if levels < 0:
        raise ValueError(_TOO_DEEP)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"Expected a finite number - at `{place}`")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_plain(inner, f"{place}.{key}", levels - 1)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            _check_plain(inner, f"{place}[{number}]", levels - 1)


def _refusal(where: str, problem: str, content: Any, fix: str) -> str:
    """The message about a value; ``content()`` is what holds it."""
    found = _PLACE.search(problem)
    place = found[1] if found else ""
    problem = _plain(problem[: found.start()] if found else problem)
    names_type = ", got " in problem
    if problem.startswith("object ") or not (place or names_type):  # a field is missing or unknown, or all of it
        return _sentence(where, place, problem, fix)
    shown = _value_at(content, place)
    got = "" if shown is None else f" ({shown})" if names_type else f", got {shown}"
    return _sentence(where, place, problem + got, fix)


def _value_at(content: Any, place: str) -> str | None:
    """The value at a place such as ``$.shards[3].frames``, or None where the place does not say it."""
    try:
        value = content()
        position = 1
        while position < len(place):
            step = _STEP.match(place, position)
            if step is None:
                return None
            value = value[int(step[2])] if step[2] is not None else value[step[1]]
            position = step.end()
        return repr(value)[:60]
    except (LookupError, TypeError, ValueError, RecursionError):
        return None


def _plain(problem: str) -> str:
    """A message of msgspec without its marks, as a part of a sentence."""
    first = problem[:1] if problem.startswith("JSON") else problem[:1].lower()
    return (first + problem[1:]).replace("`", "").removesuffix(".")


def _sentence(where: str, place: str, problem: str, fix: str) -> str:
    at = f", at {printable(place, longest=200)}" if place else ""
    return f"{printable(where)}{at}: {printable(problem, longest=400)}.{f' {fix}' if fix else ''}"
