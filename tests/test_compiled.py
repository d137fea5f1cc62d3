"""Loops as machine code: if these fail, compiled=True stops a user, or gives other music."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import pytest

from pianoroll_seq2seq import compiled as loops
from pianoroll_seq2seq.compiled import compiled
from pianoroll_seq2seq.corpus import build_corpus
from pianoroll_seq2seq.errors import MissingExtraError
from pianoroll_seq2seq.midi_io import read_midi, walk
from pianoroll_seq2seq.quantize import set_runs


@pytest.fixture
def anew() -> Iterator[None]:
    """Nothing is compiled before, and what this test compiles is forgotten."""
    for cached in (loops.require_numba, compiled):
        cached.cache_clear()
    yield
    for cached in (loops.require_numba, compiled):
        cached.cache_clear()


def test_a_missing_numba_is_named(anew: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who reads of compiled=True is not told what to install; a corpus of nothing but failures is built."""
    monkeypatch.setitem(sys.modules, "numba", None)
    (tmp_path / "song.mid").write_bytes(b"MThd")
    with pytest.raises(MissingExtraError, match=r"numba.*pip install 'pianoroll-seq2seq\[fast\]'"):
        read_midi(tmp_path / "song.mid", compiled=True)
    with pytest.raises(MissingExtraError, match="numba"):
        build_corpus(tmp_path, tmp_path / "corpus", compiled=True, progress=False)
    assert not (tmp_path / "corpus").exists()


def test_nowhere_to_keep_the_machine_code(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a read-only container without a home folder, numba refuses to compile what it should keep."""
    njit = numba.njit

    def homeless(*functions, **settings):
        if settings.get("cache"):
            raise RuntimeError("cannot cache function: no locator available for file")
        return njit(*functions, **settings)

    monkeypatch.setattr(numba, "njit", homeless)
    value, after = compiled(walk.number)(np.array([0x81, 0x00], dtype=np.uint8), 0)
    assert (value, after) == walk.number(b"\x81\x00", 0) == (128, 2)


def test_it_is_machine_code() -> None:
    """A loop that silently stays Python is fifty times slower, and nothing shows it."""
    loop = compiled(walk.walk, walk.number, walk.system_event)
    assert isinstance(loop, numba.core.dispatcher.Dispatcher)
    assert loop is compiled(walk.walk, walk.number, walk.system_event)


def test_runs_are_set_alike() -> None:
    """Cells that only the compiled loop sets, or leaves out."""
    first, lengths = np.array([0, 4, 1]), np.array([1, 3, 2])
    cells = np.zeros((2, 14), dtype=bool)
    set_runs(cells[0], first, lengths, 3)
    compiled(set_runs)(cells[1], first, lengths, 3)
    assert np.flatnonzero(cells[0]).tolist() == [0, 1, 4, 7, 10]
    assert np.array_equal(cells[0], cells[1])
