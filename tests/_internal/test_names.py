"""Names of files as text, and for libraries that want text."""

import os
import unicodedata
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq._internal.names import as_text, printable, utf8_path

_DIRECTIONS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@given(st.binary(max_size=20))
def test_any_name_becomes_text(name: bytes) -> None:
    """A file whose name is not UTF-8 ends a run in a UnicodeEncodeError, when its name is written somewhere."""
    text = as_text(os.fsdecode(name))
    assert text.encode("utf-8").decode("utf-8") == text == as_text(text)
    if (given_text := name.decode("utf-8", "replace")) == os.fsdecode(name):
        assert text == given_text


@given(st.text())
def test_nothing_that_controls_a_terminal_is_left(text: str) -> None:
    """The name of a track clears the screen, changes the window's title, or shows its end before its beginning."""
    shown = printable(text)
    assert shown.isprintable() or not any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in shown)
    assert not any(unicodedata.bidirectional(each) in _DIRECTIONS for each in shown)
    assert printable(text, keep="\n").count("\n") == text.count("\n")
    if text.isprintable():
        assert shown == text
    assert len(printable(text, longest=5).encode("unicode_escape")) <= 5 * len(r"\U00000000")


def test_a_path_for_libraries_that_take_text_only(tmp_path: Path) -> None:
    """A checkpoint in a folder whose name is not UTF-8 is taken for a damaged one."""
    for name in (b"plain", b"caf\xe9", "Ü".encode()):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(name)
        with utf8_path(path) as readable:
            readable.encode("utf-8")
            assert Path(readable).read_bytes() == name
        assert path.read_bytes() == name
