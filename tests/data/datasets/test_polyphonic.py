"""The polyphonic benchmark: read, checked, fetched."""

import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from typechecker import as_users_have_it

from pianoroll_seq2seq import BeatGrid, PianoRoll
from pianoroll_seq2seq.data.datasets import polyphonic as module
from pianoroll_seq2seq.data.datasets.polyphonic import polyphonic
from pianoroll_seq2seq.data.splitting import Split
from pianoroll_seq2seq.errors import DownloadError, MissingExtraError, SettingsError
from pianoroll_seq2seq.pitches import PIANO

KEYS = ("traindata", "validdata", "testdata")


@pytest.fixture(scope="session")
def real() -> Path:
    folder = Path(os.environ.get("PIANOROLL_SEQ2SEQ_DATA") or "nowhere") / "poly_music"
    if not folder.is_dir():
        pytest.skip("real data: PIANOROLL_SEQ2SEQ_DATA is not set to a folder that holds poly_music")
    return folder


def _cells(pieces: list) -> np.ndarray:
    """A cell array, as MATLAB has it."""
    cells = np.empty((1, len(pieces)), dtype=object)
    for index, piece in enumerate(pieces):
        cells[0, index] = piece
    return cells


def _planes(*lengths: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [(rng.random((length, 88)) < 0.3).astype(np.uint8) for length in lengths]


def _write(path: Path, **others: object) -> dict[str, list[np.ndarray]]:
    """A file like those of the benchmark; ``others`` replace the value of a key."""
    pieces = {"traindata": _planes(5, 3, 4), "validdata": _planes(2, seed=1), "testdata": _planes(1, 6, seed=2)}
    scipy.io.savemat(path, {**{key: _cells(value) for key, value in pieces.items()}, **others})
    return pieces


@pytest.mark.parametrize(
    ("name", "file", "frames_per_beat"),
    [
        ("jsb", "JSB_Chorales.mat", 1),
        ("nottingham", "Nottingham.mat", 2),
        ("musedata", "MuseData.mat", 2),
        ("piano_midi", "Piano_midi.mat", 2),
    ],
)
def test_every_frame_stays_as_it_is(tmp_path: Path, name, file, frames_per_beat) -> None:
    """Likelihoods would be of other music than the published ones."""
    written = _write(tmp_path / file)
    splits = polyphonic(name, folder=str(tmp_path), download=False)
    for split, key in zip(("train", "valid", "test"), KEYS, strict=True):
        rolls = getattr(splits, split)
        assert [roll.name for roll in rolls] == [f"{name}/{split}/{index}" for index in range(len(written[key]))]
        for roll, active in zip(rolls, written[key], strict=True):
            assert np.array_equal(roll.active, active)
            for frame, pitch in np.ndindex(active.shape):
                begins = active[frame, pitch] and not (frame and active[frame - 1, pitch])
                assert roll.onset[frame, pitch] == begins
            assert (roll.grid, roll.pitches) == (BeatGrid(frames_per_beat), PIANO)


def test_published_sizes_and_resolution(real: Path) -> None:
    """The split is not the one that others report, or a frame another time than a quarter note."""
    jsb = polyphonic("jsb", folder=real)
    assert _sizes(jsb) == (229, 76, 77)
    assert sum(len(roll) for roll in jsb.test) == 4725
    polyphony = np.concatenate([roll.active.sum(axis=1) for roll in jsb.train])
    assert polyphony.mean() == pytest.approx(3.86, abs=0.05)
    last = [roll.active[roll.active.any(axis=1)][-1] for roll in (*jsb.train, *jsb.valid, *jsb.test)]
    assert sum((int(np.flatnonzero(frame)[0]) + 21) % 12 == 0 for frame in last) == 356  # over a C


def test_folk_tunes(real: Path) -> None:
    """The split is not the one that others report; or chords of jigs do not change with the bars of six eighths."""
    tunes = polyphonic("nottingham", folder=real)
    assert _sizes(tunes) == (694, 173, 170)
    places = np.zeros(6, dtype=int)
    for roll in tunes.train:
        if len(roll) % 6 == 0:
            low = roll.active[:, :39]
            places += np.bincount(np.flatnonzero((low[1:] != low[:-1]).any(axis=1)) % 6, minlength=6)
    assert places[5] > 0.8 * places.sum()
    last = [roll.active[roll.active.any(axis=1)][-1] for roll in (*tunes.train, *tunes.valid, *tunes.test)]
    assert sum((int(np.flatnonzero(frame)[0]) + 21) % 12 == 0 for frame in last) == 753  # over a C


def _sizes(splits: Split) -> tuple[int, int, int]:
    return len(splits.train), len(splits.valid), len(splits.test)


def test_a_frame_of_jsb_is_a_quarter_note_of_bach(real: Path) -> None:
    """All tempi and metres that are derived from the grid are wrong. Against music21's edition of BWV 290, in F."""
    music21 = pytest.importorskip("music21")
    roll = polyphonic("jsb", folder=real).test[10]
    bach = np.zeros((32, 88), dtype=bool)
    for part in music21.corpus.parse("bach/bwv290", forceSource=True).parts:
        for note in part.flatten().notes:
            first, end = np.ceil([float(note.offset), float(note.offset + note.quarterLength)]).astype(int)
            bach[first:end, note.pitch.midi + 7 - 21] = True
    assert (roll.active[:32] == bach).all(axis=1).mean() > 0.95


def test_rolls_can_be_played(tmp_path: Path) -> None:
    """Nobody can listen to what the model learns from."""
    _write(tmp_path / "JSB_Chorales.mat")
    roll = polyphonic("jsb", folder=tmp_path).train[0]
    again = PianoRoll.from_midi(roll.to_midi(tmp_path / "a.mid"), grid=roll.grid, pitches=roll.pitches)
    assert np.array_equal(again.active, roll.active[: len(again)])


def test_another_name() -> None:
    """A slip of the pen gives a KeyError from the inside."""
    with pytest.raises(SettingsError, match=r"'jsb', 'nottingham', 'musedata', 'piano_midi', got 'bach'"):
        as_users_have_it(polyphonic)("bach")


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        ("traindata", np.zeros((4, 88)), r"'traindata': expected a cell array of pieces, got .* of shape \(4, 88\)"),
        ("validdata", _cells([np.zeros((4, 88)), np.zeros((4, 87))]), r"'validdata', piece 1: .*got shape \(4, 87\)"),
        ("testdata", _cells([np.zeros((0, 88))]), r"'testdata', piece 0: .*got shape \(0, "),
        ("testdata", _cells([np.full((4, 88), 2)]), "'testdata', piece 0: expected zeros and ones"),
        ("testdata", _cells([np.full((4, 88), np.nan)]), "'testdata', piece 0: expected zeros and ones"),
    ],
)
def test_a_file_of_something_else(tmp_path: Path, key: str, content: np.ndarray, message: str) -> None:
    """Other data pass for the benchmark, or fail somewhere in training."""
    _write(tmp_path / "MuseData.mat", **{key: content})
    with pytest.raises(DownloadError, match=message) as caught:
        polyphonic("musedata", folder=tmp_path)
    assert "MuseData.mat" in str(caught.value)


def test_a_split_is_missing(tmp_path: Path) -> None:
    """A file without a validation split fails with a KeyError from the inside."""
    scipy.io.savemat(tmp_path / "Nottingham.mat", {"traindata": _cells(_planes(3)), "testdata": _cells(_planes(3))})
    with pytest.raises(DownloadError, match=r"'validdata': expected a cell array of pieces, got nothing"):
        polyphonic("nottingham", folder=tmp_path)


@pytest.mark.parametrize("cut", [0, 10, 127, 200, 600, -9])
def test_a_damaged_file(tmp_path: Path, cut: int) -> None:
    """Half a file gives an error that names neither the file nor the fix; or half of the data."""
    path = tmp_path / "Piano_midi.mat"
    _write(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DownloadError, match=r"Piano_midi\.mat.*download it again"):
        polyphonic("piano_midi", folder=tmp_path)


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    """A file from the network runs code."""
    (tmp_path / "JSB_Chorales.mat").write_bytes(b"cos\nmkdir\n(V" + str(tmp_path / "pwned").encode() + b"\ntR.")
    with pytest.raises(DownloadError, match="cannot be read as a MATLAB file"):
        polyphonic("jsb", folder=tmp_path)
    assert not (tmp_path / "pwned").exists()


# ----------------------------------------------------------------------------------------------- fetching


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a web server on this computer offers in place of the real address."""
    folder = tmp_path_factory.mktemp("site")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "127.0.0.1")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    monkeypatch.setattr(module, "ADDRESS", f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_fetched_once_and_checked(tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is fetched each time, or cannot be used where there is no network."""
    _write(site / "JSB_Chorales.mat")
    digest = hashlib.sha256((site / "JSB_Chorales.mat").read_bytes()).hexdigest()
    monkeypatch.setitem(module._FILES, "jsb", module._FILES["jsb"]._replace(sha256=digest))
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    first = polyphonic("jsb")
    (site / "JSB_Chorales.mat").unlink()
    again = polyphonic("jsb", download=False)
    assert again == first
    assert (tmp_path / "pianoroll_seq2seq" / "poly_music" / "JSB_Chorales.mat").exists()


def test_the_real_file_is_accepted(tmp_path: Path, site: Path, real: Path) -> None:
    """The published files are refused."""
    shutil.copy(real / "JSB_Chorales.mat", site)
    assert _sizes(polyphonic("jsb", folder=tmp_path / "new")) == (229, 76, 77)
    assert (tmp_path / "new" / "JSB_Chorales.mat").exists()


def test_another_file_at_the_address(tmp_path: Path, site: Path) -> None:
    """Whoever gains the address decides what is learned; or a bad download is kept."""
    _write(site / "JSB_Chorales.mat")
    with pytest.raises(DownloadError, match=r"JSB_Chorales\.mat could not be downloaded.*pass the folder"):
        polyphonic("jsb", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_at_the_address(tmp_path: Path, site: Path) -> None:
    """An error page passes for data, or the error does not say what to do."""
    with pytest.raises(DownloadError, match=r"404.*pass the folder"):
        polyphonic("musedata", folder=tmp_path)


def test_not_there_and_not_to_be_fetched(tmp_path: Path) -> None:
    """A computer without a network is kept waiting for one."""
    with pytest.raises(DownloadError, match=r"Nottingham\.mat does not exist.*https://.*/Nottingham\.mat") as caught:
        polyphonic("nottingham", folder=tmp_path, download=False)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("package", ["pooch", "scipy"])
def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Without the extra, no error says how to install it."""
    if package == "scipy":
        _write(tmp_path / "JSB_Chorales.mat")
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.io", None)
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*pip install 'pianoroll-seq2seq\[datasets\]'"):
        polyphonic("jsb", folder=tmp_path)
