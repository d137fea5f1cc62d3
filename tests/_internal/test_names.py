"""Names of files as text, and for libraries that want text."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq._internal.names import as_text, utf8_path


@given(st.binary(max_size=20))
def test_any_name_becomes_text(name: bytes) -> None:
    """A file whose name is not UTF-8 ends a run in a UnicodeEncodeError, when its name is written somewhere."""
    text = as_text(os.fsdecode(name))
    assert text.encode("utf-8").decode("utf-8") == text == as_text(text)
    if (given_text := name.decode("utf-8", "replace")) == os.fsdecode(name):
        assert text == given_text


def test_a_path_for_libraries_that_take_text_only(tmp_path: Path) -> None:
    """A checkpoint in a folder whose name is not UTF-8 is taken for a damaged one."""
    for name in (b"plain", b"caf\xe9", "Ü".encode()):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(name)
        with utf8_path(path) as readable:
            readable.encode("utf-8")
            assert Path(readable).read_bytes() == name
        assert path.read_bytes() == name
