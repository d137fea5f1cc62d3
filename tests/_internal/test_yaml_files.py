"""YAML of others: small files that become large, deep or something else than options."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yaml import safe_dump

from pianoroll_seq2seq._internal.yaml_files import MAX_BYTES, read_yaml
from pianoroll_seq2seq.errors import SettingsError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{here}: &{here} [{','.join([f'*{before}'] * 9)}]\n" for before, here in zip("abcdefghi", "bcdefghij", strict=True)
)
NOT_OPTIONS = {
    "aliases": (BOMB, "alias"),
    "an alias of itself": ("a: &a [*a]", "alias"),
    "deep": ("a: " + "[" * 5000, "nested too deep"),
    "deep mappings": ("\n".join(" " * depth + "a:" for depth in range(200)), "nested too deep"),
    "large": ("#" * (MAX_BYTES + 1), "larger"),
    "a number of many digits": ("a: " + "1" * 5000, "digits"),
    "a number of many hexadecimal digits": ("a: 0x" + "F" * 9000, "a number of 36000 bits"),
    "a number of many places to the base 60": ("a: " + "1:" * 9000 + "1", "bits"),
    "a fraction of many places to the base 60": ("a: " + "1:" * 300 + "1.5", "too large"),
    "a date": ("a: 2001-99-99", "timestamp"),
    "an object": ("a: !!python/object/apply:os.system [x]", "python/object"),
    "a set": ("a: !!set {x}", "set"),
    "a merge": ("a: {<<: {b: 1}}", "merge"),
    "a key twice": ("a: 1\na: 2", "twice"),
    "a list as a key": ("? [a]\n: 1", "unhashable"),
    "two documents": ("a: 1\n---\nb: 2", "single document"),
    "a null": ("a: \0", "not YAML"),
    "nothing": ("", "expected options"),
    "a list": ("- a", "expected options"),
    "numbers as names": ("1: 2", "expected options"),
    "an open quote": ("a: 'x", "not YAML"),
}


@pytest.mark.parametrize("name", NOT_OPTIONS)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    """735 bytes take all memory, or end in an error of another package."""
    text, reason = NOT_OPTIONS[name]
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=reason) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 1000


def test_what_is_no_file(tmp_path: Path) -> None:
    """A named pipe hangs the program, and bytes of another encoding end in a traceback."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(SettingsError, match="not a regular file"):
            read_yaml(path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(SettingsError, match="not YAML"):
        read_yaml(tmp_path / "latin.yaml")
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "none.yaml")


_plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)


@given(
    options=st.dictionaries(
        st.text(min_size=1, max_size=8), _plain | st.lists(_plain) | st.dictionaries(st.text(), _plain), max_size=5
    )
)
def test_what_a_run_writes_comes_back(tmp_path_factory: pytest.TempPathFactory, options: dict[str, object]) -> None:
    """A configuration that was written cannot be read."""
    path = tmp_path_factory.mktemp("yaml") / "config.yaml"
    path.write_text(safe_dump(options, sort_keys=False), encoding="utf-8")
    assert read_yaml(path) == options
