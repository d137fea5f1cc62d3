"""Scales and their chords: made here, and the original pack."""

import io
import shutil
import socket
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mido
import numpy as np
import pytest

from pianoroll_seq2seq import PianoRoll, PitchRange, drop_duplicates, read_folder, read_midi
from pianoroll_seq2seq.data.datasets import scale_chords as module
from pianoroll_seq2seq.data.datasets.scale_chords import (
    PACK_DIGEST,
    ROOTS,
    SCALES,
    digest_of,
    download_scale_chords,
    scale_chords,
    write_scale_chords,
)
from pianoroll_seq2seq.errors import DownloadError, MissingExtraError, OverwriteError
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.score import Score


@pytest.fixture(scope="module")
def pieces() -> dict[str, Score]:
    return scale_chords()


def test_names_are_those_of_the_pack(pieces: dict[str, Score], scale_chords_dir: Path) -> None:
    """Code written for the original pack does not find its files among the ones made here."""
    assert set(pieces) == {path.stem for path in scale_chords_dir.glob("*.mid")}


def test_twelve_roots_by_thirteen_scales(pieces: dict[str, Score]) -> None:
    """A scale or a key is missing from the data."""
    assert len(pieces) == 156 == 12 * 13
    assert set(pieces) == {f"scale_{root}_{scale}" for root in ROOTS for scale in SCALES}
    assert all(name == piece.name for name, piece in pieces.items())


def test_made_the_same_each_time(pieces: dict[str, Score]) -> None:
    """Results cannot be compared: the data differ from run to run."""
    again = scale_chords()
    assert list(again) == list(pieces)
    assert again == pieces
    for name in list(pieces)[::13]:
        assert to_midi_bytes(again[name]) == to_midi_bytes(pieces[name])


def test_132_are_distinct(pieces: dict[str, Score]) -> None:
    """More copies than the known ones leak from training into validation; or a scale sounds like another."""
    distinct = drop_duplicates([PianoRoll.from_score(piece) for piece in pieces.values()])
    assert len(distinct.rolls) == 132
    twins = {frozenset({kept, *copies}) for kept, copies in distinct.duplicates.items()}
    assert twins == {
        frozenset(f"scale_{root}_{scale}" for scale in pair)
        for root in ROOTS
        for pair in (("ionian", "major"), ("aeolian", "minor"))
    }


def test_every_note_lies_in_its_scale(pieces: dict[str, Score]) -> None:
    """The model learns wrong notes."""
    for semitones, root in enumerate(ROOTS):
        for scale, steps in SCALES.items():
            classes = {int(pitch - semitones) % 12 for pitch in pieces[f"scale_{root}_{scale}"].notes.pitch}
            assert classes == set(steps), (root, scale)


def test_keys_are_transpositions_of_one_another(pieces: dict[str, Score]) -> None:
    """A key holds other chords than the others of its scale."""
    for scale in SCALES:
        in_c = pieces[f"scale_c_{scale}"].notes
        for semitones, root in enumerate(ROOTS):
            notes = pieces[f"scale_{root}_{scale}"].notes
            assert np.array_equal(notes.pitch - semitones, in_c.pitch)
            assert np.array_equal(notes.onset_tick, in_c.onset_tick)


def test_notes_last_a_beat_within_three_octaves(pieces: dict[str, Score]) -> None:
    """Frames cut notes in two, or the pitch range that examples use loses some."""
    for piece in pieces.values():
        assert set((piece.notes.end_tick - piece.notes.onset_tick).tolist()) == {piece.ticks_per_beat}
        assert not (piece.notes.onset_tick % piece.ticks_per_beat).any()
        assert piece.notes.pitch.min() >= 48
        assert piece.notes.pitch.max() <= 83
        PianoRoll.from_score(piece, pitches=PitchRange(48, 83))


def test_begins_with_scale_triads_and_sevenths_as_the_pack_does(
    pieces: dict[str, Score], scale_chords_dir: Path
) -> None:
    """The layout is not the one the documentation promises: what is learned from it differs from the article."""
    ours = _chords(pieces["scale_c_major"])
    assert ours[:7] == [(48,), (50,), (52,), (53,), (55,), (57,), (59,)]
    assert ours[7] == (48, 52, 55)
    assert ours[14] == (48, 52, 55, 59)
    theirs = _chords(read_midi(scale_chords_dir / "scale_c_major.mid"))
    assert [tuple(tone % 12 for tone in chord) for chord in ours[:21]] == [
        tuple(tone % 12 for tone in chord) for chord in theirs[:21]
    ]


def _chords(score: Score) -> list[tuple[int, ...]]:
    notes = score.notes
    return [
        tuple(sorted(notes.pitch[notes.onset_tick == tick].tolist())) for tick in np.unique(notes.onset_tick).tolist()
    ]


@pytest.mark.no_cover
def test_written_files_are_the_pieces(tmp_path: Path, pieces: dict[str, Score]) -> None:
    """The files hold other music than scale_chords(), or another program cannot read them."""
    folder = write_scale_chords(tmp_path / "data" / "midi")
    assert folder == tmp_path / "data" / "midi"
    rolls, failures = read_folder(folder)
    assert not failures
    assert {roll.name: roll for roll in rolls} == {name: PianoRoll.from_score(piece) for name, piece in pieces.items()}
    file = mido.MidiFile(folder / "scale_c_major.mid")  # the other reader
    assert sum(message.type == "note_on" and message.velocity > 0 for track in file.tracks for message in track) == len(
        pieces["scale_c_major"].notes
    )


def test_writing_twice_keeps_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script cannot be run a second time."""
    some = dict(list(scale_chords().items())[:20])
    monkeypatch.setattr("pianoroll_seq2seq.data.datasets.scale_chords.scale_chords", lambda: some)
    write_scale_chords(tmp_path)
    (tmp_path / "scale_c_major.mid").unlink()  # and one that is missing comes back
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write_scale_chords(str(tmp_path))
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(after) == 20
    assert before.items() <= after.items()


def test_a_foreign_file_is_not_overwritten(tmp_path: Path) -> None:
    """Somebody's music of the same name is lost."""
    (tmp_path / "scale_g_minor.mid").write_bytes(b"MThd of my own")
    with pytest.raises(OverwriteError, match=r"scale_g_minor\.mid"):
        write_scale_chords(tmp_path)
    assert (tmp_path / "scale_g_minor.mid").read_bytes() == b"MThd of my own"


def test_digest_knows_the_pack(scale_chords_dir: Path, tmp_path: Path) -> None:
    """The right pack is refused, or another one passes for it."""
    paths = list(scale_chords_dir.glob("*.mid"))
    assert digest_of(paths) == digest_of(paths[::-1]) == PACK_DIGEST
    copies = Path(shutil.copytree(scale_chords_dir, tmp_path / "elsewhere"))
    assert digest_of(list(copies.glob("*.mid"))) == PACK_DIGEST
    assert digest_of(paths[1:]) != PACK_DIGEST
    (copies / "scale_c_major.mid").write_bytes((copies / "scale_c_minor.mid").read_bytes())
    assert digest_of(list(copies.glob("*.mid"))) != PACK_DIGEST


class Site:
    """A web site on this computer that serves one file and counts its requests."""

    def __init__(self) -> None:
        site = self
        self.content = b""
        self.status = 200
        self.requests = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests += 1
                self.send_response(site.status)
                self.send_header("Content-Length", str(len(site.content)))
                self.end_headers()
                self.wfile.write(site.content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/scale_chords_small.zip"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small pack in place of the original one, as a zip file, with what else such archives hold."""
    files = {f"scale_{root}_major.mid": f"MThd {root}".encode() for root in ROOTS}
    folder = tmp_path_factory.mktemp("pack")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    monkeypatch.setattr(module, "PACK_DIGEST", digest_of(list(folder.iterdir())))
    return _zip({"readme.txt": b"Have fun!", **{f"midi/{name}": content for name, content in files.items()}})


def test_downloads_once(tmp_path: Path, site: Site, pack: bytes) -> None:
    """The pack is fetched again at each start."""
    site.content = pack
    folder = download_scale_chords(tmp_path / "cache", url=site.url)
    assert len(list(folder.glob("*.mid"))) == len(ROOTS)
    assert site.requests == 1
    assert download_scale_chords(tmp_path / "cache", url=site.url) == folder
    assert site.requests == 1


def test_the_original_pack_is_accepted(tmp_path: Path, site: Site, scale_chords_dir: Path) -> None:
    """The real pack is taken for another one, and nobody can use it."""
    site.content = _zip({f"midi/{path.name}": path.read_bytes() for path in scale_chords_dir.glob("*.mid")})
    folder = download_scale_chords(str(tmp_path), url=site.url)
    assert len(list(folder.glob("*.mid"))) == 156
    assert digest_of(list(folder.glob("*.mid"))) == PACK_DIGEST


def test_the_cache_works_without_a_network(tmp_path: Path, site: Site, pack: bytes) -> None:
    """On a train the data that were fetched before are out of reach, or even thrown away."""
    site.content = pack
    folder = download_scale_chords(tmp_path, url=site.url)
    assert download_scale_chords(tmp_path, url=_url_where_nobody_listens()) == folder


@pytest.mark.parametrize(
    "content",
    [
        _zip({"midi/other.mid": b"MThd"}),
        _zip({}),
        b"",
        b"<html>This domain is for sale</html>",
        _zip({"midi/other.mid": b"MThd" * 999})[:-40],
        _zip({"midi/other.mid": bytes(range(256)) * 9})[:60]
        + b"\xff" * 40
        + _zip({"midi/other.mid": bytes(2304)})[100:],
    ],
    ids=["another pack", "an empty zip", "nothing", "a web page", "cut short", "garbled"],
)
def test_what_is_not_the_pack_is_refused_and_fetched_anew(
    tmp_path: Path, site: Site, pack: bytes, content: bytes
) -> None:
    """One bad download spoils the cache for good; or foreign files pass for the pack."""
    site.content = content
    for _ in range(2):
        with pytest.raises(DownloadError, match="write_scale_chords") as caught:
            download_scale_chords(tmp_path, url=site.url)
        assert site.url in str(caught.value)
    assert site.requests == 2
    site.content = pack
    assert len(list(download_scale_chords(tmp_path, url=site.url).glob("*.mid"))) == len(ROOTS)


def test_nothing_of_a_foreign_archive_is_written(tmp_path: Path, site: Site, pack: bytes) -> None:
    """The archive of a stranger fills the disk or the memory, or leaves its files, before its digest is compared."""
    bomb = _zip({f"midi/{number}.mid": bytes(2**20) for number in range(64)})
    for content, words in (
        (bomb, "67108864 bytes"),
        (_zip({"../../evil.mid": b"MThd", "evil.py": b"1"}), "not the scale chords pack: 1 MIDI files"),
        (bytes(5 * 2**20), "larger than 4194304 bytes"),
    ):
        site.content = content
        with pytest.raises(DownloadError, match=words):
            download_scale_chords(tmp_path / "a" / "cache", url=site.url)
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_page_that_is_gone(tmp_path: Path, site: Site) -> None:
    """When the site closes, its error page is kept as the data, or the error does not say what to do."""
    site.status = 404
    with pytest.raises(DownloadError, match="404"):
        download_scale_chords(tmp_path, url=site.url)


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network one gets a page of connection errors and no way on."""
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DownloadError, match=r"Connect to the network, or use .* write_scale_chords") as caught:
        download_scale_chords(tmp_path, url=_url_where_nobody_listens())
    assert isinstance(caught.value, OSError)


def test_without_pooch_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pooch, no error says how to install it."""
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pianoroll-seq2seq\[datasets\]'"):
        download_scale_chords(tmp_path)


def _url_where_nobody_listens() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/scale_chords_small.zip"
