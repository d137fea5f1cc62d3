"""Loops as machine code: if these fail, one file waits seconds for a compiler, or many files take needlessly long."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from midi_bytes import END, NOTE, smf

from pianoroll_seq2seq import FrameLayout, PianoRoll, PitchRange, SlidingWindows
from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq._internal.compiled import compiled
from pianoroll_seq2seq._internal.plane_runs import set_notes
from pianoroll_seq2seq.midi_io import read_midi, walk
from pianoroll_seq2seq.quantize import fill_planes


@pytest.fixture
def new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a new process: nothing is read or compiled before, and what this test compiles is forgotten."""
    monkeypatch.setattr(loops._state, "bytes_read", 0)
    monkeypatch.setattr(loops._state, "pays", False)
    monkeypatch.setattr(loops._state, "forced", None)
    for cached in (loops._numba, compiled):
        cached.cache_clear()
    yield
    for cached in (loops._numba, compiled):
        cached.cache_clear()


def test_the_first_files_load_no_compiler(tmp_path: Path) -> None:
    """Whoever reads one file waits a second for numba to load, or four for it to compile."""
    path = tmp_path / "song.mid"
    path.write_bytes(smf(NOTE))
    code = (
        "import sys; from pianoroll_seq2seq import PianoRoll; "
        f"[PianoRoll.from_midi({str(path)!r}, sustain=sustain) for sustain in (False, True)]; "
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("policies", "weight"), [({}, 1), ({"sustain": True}, loops.CAREFUL_WEIGHT)])
def test_compiled_loops_are_used_once_they_pay(
    new_process: None, monkeypatch: pytest.MonkeyPatch, policies: dict[str, bool], weight: int
) -> None:
    """A folder of thousands of files is read in plain Python to the end; with the pedal, ten times as slowly."""
    data = smf(NOTE)
    counted = len(NOTE + END) if policies else len(data)  # the careful reader sees tracks alone
    monkeypatch.setattr(loops, "PAYS_AFTER_BYTES", 2 * weight * counted)
    first = read_midi(data, **policies)
    assert not loops.is_active()
    read_midi(data, **policies)
    assert not loops.is_active(), "a file ends as it began"
    assert read_midi(data, **policies) == first
    assert loops.is_active()


def test_without_numba_reading_stays_plain(new_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ten-thousandth file stops a user who has not installed the extra."""
    monkeypatch.setitem(sys.modules, "numba", None)
    loops.count_bytes(2 * loops.PAYS_AFTER_BYTES)
    loops.decide()
    assert not loops.is_active()
    assert len(read_midi(smf(NOTE)).notes) == 1


def test_forcing_ends_with_its_block() -> None:
    """A measurement or a test changes how all others read."""
    before = loops._state.forced
    with loops.forced(active=True):
        assert loops.is_active()
        with loops.forced(active=False):
            assert not loops.is_active()
        assert loops.is_active()
    assert loops._state.forced is before


def test_nowhere_to_keep_the_machine_code(new_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_notes_are_filled_alike() -> None:
    """Cells that only the compiled loop sets, or leaves out: notes of one frame, in the last cell, and overlapping."""
    onset, end, column = np.array([0, 1, 1, 3, 2]), np.array([1, 4, 2, 5, 5]), np.array([0, 1, 0, 2, 1])
    notes = onset, end, column
    plain, machine = (np.ones((2, 5, 3), dtype=bool) for _ in range(2))
    set_notes(*plain, *notes)
    compiled(set_notes)(*machine, *notes)
    assert np.flatnonzero(plain[0]).tolist() == [0, 3, 4, 7, 10, 11, 13, 14]
    assert np.flatnonzero(plain[1]).tolist() == [0, 3, 4, 7, 11]
    assert np.array_equal(plain, machine)
    assert np.array_equal(plain, fill_planes(*notes, num_frames=5, num_columns=3))


def test_many_windows_with_velocities_are_filled_by_compiled_loops(
    new_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device waits for windows, or a program that cuts a few windows waits for a compiler."""
    roll = PianoRoll.from_active(np.eye(3, dtype=bool), pitches=PitchRange(60, 62)).with_velocity(90)
    layout = FrameLayout.of(roll, velocity=True)
    windows = SlidingWindows([roll], input_frames=1, target_frames=1, hop=1, layout=layout)
    batch = np.zeros(2 * loops.CELLS_PER_BYTE, dtype=np.int64)  # of two frames each
    monkeypatch.setattr(loops, "PAYS_AFTER_BYTES", 2 * 4 * layout.frame_size)
    for _ in range(2):
        first = windows.batch(batch)
        assert not loops.is_active(), "a batch ends as it began"
    for plain, filled in zip(first, windows.batch(batch), strict=True):
        assert torch.equal(plain, filled)
    assert loops.is_active()


def test_no_file_changes_to_compiled_loops_halfway(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single large file pays seconds for loading numba between its notes and its planes."""
    for name, value in {"forced": None, "bytes_read": 0, "pays": False}.items():
        monkeypatch.setattr(loops._state, name, value)
    loops.decide()
    loops.count_bytes(2 * loops.PAYS_AFTER_BYTES)
    assert not loops.is_active()
    loops.decide()
    assert loops.is_active()
