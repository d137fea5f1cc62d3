"""Which files of a folder are read, and what their pieces are called."""

import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from data.corpus.sabotage import Inline, write_song
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pianoroll_seq2seq import PianoRoll, build_corpus, read_folder
from pianoroll_seq2seq.errors import MidiNotFoundError
from pianoroll_seq2seq.midi_io import music_paths
from pianoroll_seq2seq.midi_io.folder import piece_names

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes as POSIX has them")


def found(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in music_paths(folder)]


@posix
def test_linked_folders_are_read_once(tmp_path: Path) -> None:
    """A collection that is linked into the data folder is skipped in silence, or a loop of links never ends."""
    for name in ("data/own/a.mid", "elsewhere/b.mid", "elsewhere/deep/c.mid"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    (data / "again").symlink_to(data / "own")  # there without the link
    (data / "linked").symlink_to(elsewhere)
    (data / "linked too").symlink_to(elsewhere / "deep")
    (data / "own" / "up").symlink_to(data)  # a loop
    (elsewhere / "deep" / "back").symlink_to(data / "own")
    (elsewhere / "deep" / "itself").symlink_to("itself")
    (data / "file.mid").symlink_to(elsewhere / "b.mid")
    assert found(data) == ["file.mid", "linked/b.mid", "linked/deep/c.mid", "own/a.mid"]
    assert found(data / "linked") == ["b.mid", "deep/back/a.mid", "deep/back/up/file.mid", "deep/c.mid"]


@posix
def test_what_is_no_file_is_left_out_with_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named pipe in a folder of music blocks the reading of all for ever; a broken link is left out in silence."""
    write_song(tmp_path / "a.mid", 0)
    os.mkfifo(tmp_path / "pipe.mid")
    (tmp_path / "link.mid").symlink_to("nothing")
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.mid")
        with pytest.warns(UserWarning, match="left out") as warned:
            rolls = read_folder(tmp_path).rolls
    assert [roll.name for roll in rolls] == ["a"]
    said = sorted(str(each.message) for each in warned)
    assert [Path(text.partition(" is left out: ")[0]).name for text in said] == ["link.mid", "pipe.mid", "socket.mid"]
    assert "a link to nothing" in said[0]
    assert "a named pipe, a socket or a device" in said[1]


@posix
def test_links_that_cannot_be_followed_are_left_out(tmp_path: Path) -> None:
    """One link in a circle, or to a name that is too long, ends the reading of a folder."""
    write_song(tmp_path / "a.mid", 1)
    (tmp_path / "b.mid").symlink_to("b.mid")
    (tmp_path / "c.mid").symlink_to("c" * 300)
    (tmp_path / "d").symlink_to("d" * 300)
    with pytest.warns(UserWarning, match="left out") as warned:
        assert found(tmp_path) == ["a.mid"]
    assert [str(one.message).split(" is left out: ")[1] for one in warned] == [
        "Too many levels of symbolic links.",
        "File name too long.",
    ]


@posix
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_may_be_listed_but_not_entered(tmp_path: Path) -> None:
    """It ends the reading of a folder."""
    write_song(tmp_path / "a.mid", 1)
    (tmp_path / "closed").mkdir()
    write_song(tmp_path / "closed" / "b.mid", 2)
    (tmp_path / "closed" / "inner").mkdir()
    (tmp_path / "closed").chmod(0o444)
    try:
        with pytest.warns(UserWarning, match="left out: Permission denied") as warned:
            assert found(tmp_path) == ["a.mid"]
        assert len(warned) == 2
    finally:
        (tmp_path / "closed").chmod(0o755)


@posix
def test_only_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mid")
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(MidiNotFoundError, match="no MIDI or MusicXML file"),
    ):
        music_paths(tmp_path)


SOURCES = st.lists(
    st.builds(
        "{}{}{}".format, st.sampled_from(["", "x/", "y/"]), st.sampled_from("abA"), st.sampled_from([".mid", ".kar"])
    ),
    unique=True,
)


@example(["a.kar", "a.mid", "a.mid.mid", "a.mid.mid.kar"])
@given(SOURCES)
def test_no_two_pieces_have_one_name(sources: list[str]) -> None:
    """``a.kar`` takes the place of ``a.mid`` wherever pieces are told apart by their names."""
    names = piece_names(sources)
    assert list(names) == sources
    assert len({*names.values()}) == len(sources)
    for source, name in names.items():
        assert name in (source, source[:-4])


ODD = (
    *(
        b"caf\xe9.mid",
        b"\xe3\x80\x80.mid",
        b"\xc2\xa0.mid",
        b"\xef\x80\xa8.mid",
        b"new\nline.mid",
        b"-dash.mid",
        b" x .mid",
    ),
    *(b"a.mid", b"a.kar", b"A.mid", "\u00e9.mid".encode(), "e\u0301.mid".encode(), b"x" * 251 + b".mid", b"$_$.mid"),
    b"/".join([b"deep" * 50] * 10) + b"/y.mid",
)


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse some of these names")
def test_odd_names_are_read(tmp_path: Path) -> None:
    """One file with an odd name ends the reading of a folder, or is missing from it, or from the corpus."""
    source = tmp_path / "in"
    source.mkdir()
    for seed, name in enumerate(ODD):
        path = os.path.join(os.fsencode(source), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_song(tmp_path / "song", seed)
        os.rename(tmp_path / "song", path)
    (source / os.fsdecode(b"bad\xe9.mid")).write_bytes(b"no music")
    rolls, failures = read_folder(source)
    corpus = build_corpus(source, tmp_path / "corpus", executor=Inline(), progress=False)
    assert [roll.name for roll in rolls] == corpus.names
    assert list(failures) == list(corpus.failures) == [os.fsdecode(b"bad\xe9.mid")]
    assert len({*corpus.names}) == len(ODD)
    assert {"a.mid", "a.kar", "A", os.fsdecode(b"caf\xe9")} < {*corpus.names}
    again = build_corpus(source, tmp_path / "corpus", progress=False)
    assert again.names == corpus.names


@posix
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=60).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_a_roll_of_any_name_is_written(tmp_path: Path, name: bytes) -> None:
    """Training on files whose names are not UTF-8 ends in a traceback, when the primer is written, without scores."""
    roll = PianoRoll.from_active(np.eye(4, 88, dtype=bool), name=os.fsdecode(name))
    path = tmp_path / "out.mid"
    roll.to_midi(path, overwrite=True)
    assert np.array_equal(PianoRoll.from_midi(path).active, roll.active)
