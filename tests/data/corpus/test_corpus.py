"""A corpus is the same music as its files, and says so when it is not whole."""

import contextlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.corpus.sabotage import Inline, TrappedGrid, write_song, write_songs
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pianoroll_seq2seq import (
    BeatGrid,
    Corpus,
    FrameLayout,
    PianoRoll,
    PitchRange,
    SecondsGrid,
    SlidingWindows,
    build_corpus,
    drop_duplicates,
    pitch_class_set,
    read_folder,
    split_by_piece,
)
from pianoroll_seq2seq.errors import CorpusError, CorpusNotFoundError, PianoRollSeq2SeqError


def build(source: Any, out: Path, **changes: Any) -> Corpus:
    """In this process, which is quick."""
    return build_corpus(source, out, **{"executor": Inline(), "progress": False, "files_per_shard": 3} | changes)


def assert_same_music(found: PianoRoll, expected: PianoRoll) -> None:
    """All that a roll is, but its name."""
    np.testing.assert_array_equal(found.active, expected.active)
    np.testing.assert_array_equal(found.onset, expected.onset)
    assert found.active.dtype == found.onset.dtype == np.bool_
    assert (found.grid, found.pitches, found.tempo) == (expected.grid, expected.pitches, expected.tempo)
    assert found == expected


NAMES = ["a.mid", "b.x.midi", "Été/Lied ohne Worte.mid", "Été/上海 100%.MID", "z/deep/down/01.mid", "z/deep/01.mid"]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs in sub-folders under all kinds of names; and an empty file, a cut one and a text."""
    folder = tmp_path_factory.mktemp("mixed")
    for seed, name in enumerate(NAMES):
        write_song(folder / name, seed, ticks_per_beat=[480, 96, 1000][seed % 3])
    whole = (folder / "a.mid").read_bytes()
    (folder / "empty.mid").write_bytes(b"")
    (folder / "z/cut ✂.mid").write_bytes(whole[: len(whole) // 2])
    (folder / "text.mid").write_text("Not music.")
    (folder / "readme.txt").write_text("No MIDI file.")
    return folder


# ---- The same music


@pytest.mark.parametrize("grid", [BeatGrid(4), SecondsGrid(0.05)], ids=repr)
@pytest.mark.parametrize("pitches", [PitchRange(), PitchRange(40, 89), PitchRange(0, 127), PitchRange(60, 60)], ids=str)
def test_each_piece_is_the_roll_of_its_file(mixed: Path, tmp_path: Path, grid: Any, pitches: PitchRange) -> None:
    """A model learns other music than the files contain: shifted, of another tempo, or under another name."""
    settings: dict[str, Any] = {"grid": grid, "pitches": pitches, "outside": "drop"}
    corpus = build(mixed, tmp_path / "corpus", **settings)
    folder = read_folder(mixed, **settings)
    assert corpus.names == [roll.name for roll in corpus] == [roll.name for roll in folder.rolls]
    assert len(corpus) == len(folder.rolls) > 1
    assert dict(sorted(corpus.failures.items())) == {
        name.replace(os.sep, "/"): reason for name, reason in sorted(folder.failures.items())
    }
    assert (corpus.grid, corpus.pitches) == (grid, pitches)
    for found, expected in zip(corpus, folder.rolls, strict=True):
        assert_same_music(found, expected)
        with pytest.raises(ValueError, match="read-only"):
            found.active[0, 0] = True


def test_names_are_those_of_the_files(mixed: Path, tmp_path: Path) -> None:
    """Pieces cannot be distinguished or found again if folders and names are not plain English."""
    corpus = build(mixed, tmp_path / "corpus")
    assert sorted(corpus.names) == sorted(str(Path(name).with_suffix("")) for name in NAMES)
    piece = corpus[corpus.names.index("Été/上海 100%")]
    assert_same_music(piece, PianoRoll.from_midi(mixed / "Été/上海 100%.MID"))


def test_real_files(pop909_dir: Path, tmp_path: Path) -> None:
    """Real songs come out of a corpus otherwise than from their files."""
    paths = sorted(pop909_dir.glob("*.mid"))[:30]
    corpus = build(
        paths, tmp_path / "corpus", files_per_shard=8, track="PIANO", outside="drop", pitches=PitchRange(36, 96)
    )
    assert len(corpus) == 30
    for found, path in zip(corpus, paths, strict=True):
        expected = PianoRoll.from_midi(path, track="PIANO", outside="drop", pitches=PitchRange(36, 96))
        assert_same_music(found, expected)
        assert found.name == path.stem


@pytest.mark.parametrize(
    "reading", [{"track": "MELODY"}, {"sustain": True}, {"track": 1, "on_damage": "salvage"}], ids=str
)
def test_ways_of_reading_are_passed_on(mixed: Path, tmp_path: Path, reading: dict[str, Any]) -> None:
    """track="MELODY" is forgotten on the way to the workers."""
    corpus = build(mixed, tmp_path / "corpus", **reading)
    for name in ("a", "b.x"):
        path = next(path for path in mixed.iterdir() if path.stem == name)
        assert_same_music(corpus[corpus.names.index(name)], PianoRoll.from_midi(path, **reading))
    assert ("z/cut ✂.mid" in corpus.failures) == ("on_damage" not in reading)


def test_failures_are_named_with_their_reasons(mixed: Path, tmp_path: Path) -> None:
    """A user does not learn which files are missing, nor why."""
    corpus = build(mixed, tmp_path / "corpus")
    assert set(corpus.failures) == {"empty.mid", "text.mid", "z/cut ✂.mid"}
    for source, reason in corpus.failures.items():
        assert Path(source).name in reason
        assert len(reason) > len(source) + 5
    manifest = json.loads((tmp_path / "corpus" / "manifest.json").read_text(encoding="utf-8"))
    assert {one["source"]: one["reason"] for one in manifest["failures"]} == corpus.failures
    assert (manifest["pieces"], manifest["files"]) == (6, 9)
    assert manifest["frames"] == sum(len(roll) for roll in corpus)


def test_files_of_a_list_keep_its_order(mixed: Path, tmp_path: Path) -> None:
    """A user's own order or choice of files is lost; or a generator, or text for paths, is not taken."""
    chosen = ["z/deep/down/01.mid", "a.mid", "Été/Lied ohne Worte.mid", "a.mid"]
    corpus = build((str(mixed / name) for name in chosen), tmp_path / "corpus", files_per_shard=1)
    assert [f"{name}.mid" for name in corpus.names] == chosen
    for found, name in zip(corpus, chosen, strict=True):
        assert_same_music(found, PianoRoll.from_midi(mixed / name))


def test_labels_stay_with_their_pieces(mixed: Path, tmp_path: Path) -> None:
    """A label (composer, scale) ends at another piece, as files without one are left out."""

    def label(path: Path) -> dict[str, str | int | float]:
        return {"stem": path.stem, "size": path.stat().st_size, "naïve": 0.1}

    corpus = build(mixed, tmp_path / "corpus", labels=label)
    by_stem = {path.relative_to(mixed).with_suffix("").as_posix(): label(path) for path in mixed.rglob("*.[mM][iI]*")}
    assert corpus.labels == [by_stem[name] for name in corpus.names]
    assert corpus.select([4, 1]).labels == [corpus.labels[4], corpus.labels[1]]


def test_a_shard_of_failures_only(tmp_path: Path) -> None:
    """A folder of damaged files in the middle of a collection ends the build, or cannot be opened or read."""
    source = write_songs(tmp_path / "in", 7)
    for number in (3, 4, 5):
        (source / f"0{number}.mid").write_bytes(b"MThd")
    corpus = build(source, tmp_path / "corpus")
    assert (corpus.names, sorted(corpus.failures)) == (["00", "01", "02", "06"], ["03.mid", "04.mid", "05.mid"])
    assert_same_music(corpus[3], PianoRoll.from_midi(source / "06.mid"))
    assert np.load(tmp_path / "corpus" / "00001.npy", mmap_mode="r").shape == (2, 0, 11)
    assert len(corpus.packed().shards) == 2


def test_failures_only(tmp_path: Path) -> None:
    """Where no file can be used, there is no word of why."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mid").write_bytes(b"")
    corpus = build(tmp_path / "in", tmp_path / "corpus")
    assert (len(corpus), list(corpus), corpus.names, list(corpus.failures)) == (0, [], [], ["a.mid"])
    with pytest.raises(IndexError):
        corpus[0]


def test_one_file(tmp_path: Path) -> None:
    """A first try, with one file, fails."""
    write_song(tmp_path / "a.mid", 1)
    corpus = build([tmp_path / "a.mid"], tmp_path / "corpus", files_per_shard=512)
    assert corpus.names == ["a"]
    assert_same_music(corpus[0], PianoRoll.from_midi(tmp_path / "a.mid"))


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    """A file name in an old encoding, as in many collections of the nineties, stops or hangs the build."""
    for seed, name in enumerate([b"caf\xe9.mid", b"d\xe9j\xe0/vu.mid"]):
        write_song(Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/" + name)), seed)
    Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/\xff.mid")).write_bytes(b"")
    corpus = build(tmp_path / "in", tmp_path / "corpus")
    assert [os.fsencode(name) for name in corpus.names] == [b"caf\xe9", b"d\xe9j\xe0/vu"]
    assert [os.fsencode(name) for name in corpus.failures] == [b"\xff.mid"]
    assert Corpus(tmp_path / "corpus").names == corpus.names


# ---- A sequence


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven songs, of which the last two are as the first two."""
    folder = write_songs(tmp_path_factory.mktemp("songs") / "in", 9)
    shutil.copy(folder / "00.mid", folder / "09.mid")
    shutil.copy(folder / "01.mid", folder / "10.mid")
    return folder


@pytest.fixture(scope="module")
def corpus(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return build(songs, tmp_path_factory.mktemp("songs") / "corpus", files_per_shard=4)


@pytest.fixture(scope="module")
def rolls(songs: Path) -> list[PianoRoll]:
    return read_folder(songs).rolls


def assert_same_pieces(found: Sequence[PianoRoll], expected: Sequence[PianoRoll]) -> None:
    assert [roll.name for roll in found] == [roll.name for roll in expected]
    for one, other in zip(found, expected, strict=True):
        assert_same_music(one, other)


@pytest.mark.parametrize(
    "pick",
    [
        lambda pieces: pieces[:],
        lambda pieces: pieces[2:7],
        lambda pieces: pieces[::-1],
        lambda pieces: pieces[-3:],
        lambda pieces: pieces[5:2],
        lambda pieces: pieces[1:][::3][-2:],
        lambda pieces: [pieces[-1], pieces[-11], pieces[10]],
        lambda pieces: [pieces[2:][-1], pieces[::2][1]],
        list,
        lambda pieces: list(reversed(pieces)),
    ],
)
def test_is_indexed_as_a_list_is(corpus: Corpus, rolls: list[PianoRoll], pick: Callable[[Any], Any]) -> None:
    """corpus[-1] or corpus[2:5] gives other pieces than the same of a list."""
    assert_same_pieces(pick(corpus), pick(rolls))


def test_a_slice_is_a_corpus(corpus: Corpus) -> None:
    """A slice of a large corpus reads all of it into memory."""
    part = corpus[2:9:2]
    assert isinstance(part, Corpus)
    assert (len(part), part.names, part.roll_hashes) == (4, corpus.names[2:9:2], corpus.roll_hashes[2:9:2])
    assert len(corpus) == 11


def test_select(corpus: Corpus, rolls: list[PianoRoll]) -> None:
    """A choice of pieces has other pieces, another order, or cannot be chosen from again."""
    chosen = corpus.select(index for index in (7, 7, 0, -1))
    assert_same_pieces(chosen, [rolls[index] for index in (7, 7, 0, -1)])
    assert_same_pieces(chosen.select([1, 3]), [rolls[7], rolls[-1]])
    assert len(corpus.select([])) == 0
    for beyond in ([11], [-12]):
        with pytest.raises(IndexError):
            corpus.select(beyond)
    for index in (11, -12):
        with pytest.raises(IndexError):
            corpus[index]


def test_can_be_pickled(corpus: Corpus, rolls: list[PianoRoll]) -> None:
    """Workers of a DataLoader that are spawned get other pieces; or all the music is sent to each of them."""
    part = corpus.select([3, 10])
    assert_same_pieces(list(part), [rolls[3], rolls[10]])  # with its maps open
    data = pickle.dumps(part)
    assert_same_pieces(pickle.loads(data), [rolls[3], rolls[10]])
    assert rolls[3].active.tobytes()[:200] not in data
    assert not pickle.loads(data)._maps


def test_repr_says_what_it_holds(corpus: Corpus, rolls: list[PianoRoll]) -> None:
    """A user in a notebook sees all the index of a million pieces, or nothing."""
    text = repr(corpus[1:3])
    assert f"2 pieces, {len(rolls[1]) + len(rolls[2])} frames" in text
    assert "BeatGrid(frames_per_beat=4)" in text
    assert len(text) < 400


def test_frames_can_be_opened_by_numpy(corpus: Corpus, rolls: list[PianoRoll]) -> None:
    """The files are of use to this library alone."""
    planes = np.concatenate([np.load(corpus.folder / f"{number:05}.npy") for number in range(3)], axis=1)
    assert (planes.dtype, planes.shape) == (np.uint8, (2, sum(map(len, rolls)), 11))
    unpacked = np.unpackbits(planes, axis=2, count=88).astype(bool)
    np.testing.assert_array_equal(unpacked[0], np.concatenate([roll.active for roll in rolls]))
    np.testing.assert_array_equal(unpacked[1], np.concatenate([roll.onset for roll in rolls]))


def test_duplicates_are_those_of_rolls_in_memory(corpus: Corpus, rolls: list[PianoRoll]) -> None:
    """Dropping the duplicates of a corpus keeps some, or drops too much."""
    assert len(set(corpus.roll_hashes)) == 9
    found, expected = drop_duplicates(corpus), drop_duplicates(rolls)
    assert isinstance(found.rolls, Corpus)
    assert found.duplicates == expected.duplicates == {"00": ["09"], "01": ["10"]}
    assert_same_pieces(found.rolls, expected.rolls)
    assert drop_duplicates(corpus[::-1]).duplicates == {"09": ["00"], "10": ["01"]}


_WITHOUT_FRAMES = """
import pathlib, sys
from pianoroll_seq2seq import Corpus, drop_duplicates, split_by_piece
corpus = Corpus(sys.argv[1])
for path in pathlib.Path(sys.argv[1]).glob("*.npy"):
    path.unlink()
distinct = drop_duplicates(corpus).rolls
split = split_by_piece(distinct, valid=0.2, test=0.2, seed=1)
print(*map(len, split), len(distinct.labels), repr(distinct[:3])[:6])
"""


def test_choosing_pieces_does_not_read_them(copy: Path) -> None:
    """Dropping the duplicates of a large corpus, or splitting it, reads all of it, which takes hours."""
    command = [sys.executable, "-c", _WITHOUT_FRAMES, str(copy)]  # the check of types would read a random piece
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["5", "2", "2", "9", "Corpus"]


def test_hashes_distinguish_held_from_repeated(tmp_path: Path) -> None:
    """A piece with repeated notes is taken for a duplicate of one with held notes."""
    active = np.ones((4, 1), dtype=bool)
    onset = np.array([[1], [0], [1], [0]], dtype=bool)
    pitches = PitchRange(60, 60)
    (tmp_path / "in").mkdir()
    PianoRoll.from_active(active, pitches=pitches).to_midi(tmp_path / "in" / "held.mid")
    PianoRoll(active, onset, pitches=pitches).to_midi(tmp_path / "in" / "repeated.mid")
    PianoRoll(active, onset, pitches=pitches).to_midi(tmp_path / "in" / "repeatedaswell.mid")
    corpus = build(tmp_path / "in", tmp_path / "corpus", pitches=pitches)
    assert drop_duplicates(corpus).duplicates == {"repeated": ["repeatedaswell"]}


@pytest.mark.parametrize("group", [None, pitch_class_set, lambda roll: roll.name[1]])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_splits_as_rolls_in_memory_do(corpus: Corpus, rolls: list[PianoRoll], group: Any, seed: int) -> None:
    """The same seed deals the pieces of a corpus otherwise, or the parts are no corpora and fill the memory."""
    expected = split_by_piece(rolls, valid=0.2, test=0.3, seed=seed, group=group)
    split = split_by_piece(corpus, valid=0.2, test=0.3, seed=seed, group=group)
    assert all(isinstance(part, Corpus) for part in split)
    for found, part in zip(split, expected, strict=True):
        assert_same_pieces(found, part)


# ---- What cannot be opened


@pytest.fixture
def copy(corpus: Corpus, tmp_path: Path) -> Path:
    """One to damage."""
    return Path(shutil.copytree(corpus.folder, tmp_path / "copy"))


def test_a_folder_without_a_corpus(tmp_path: Path) -> None:
    """A wrong path is taken for damage, or for an empty corpus."""
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(CorpusNotFoundError, match=f"{re.escape(str(folder))}: not a corpus"):
            Corpus(folder)
    assert issubclass(CorpusNotFoundError, FileNotFoundError)


def test_an_unfinished_corpus(copy: Path) -> None:
    """Training starts on half of the pieces."""
    (copy / "manifest.json").unlink()
    with pytest.raises(CorpusError, match=r"not finished\. Call build_corpus again") as caught:
        Corpus(copy)
    assert not isinstance(caught.value, CorpusNotFoundError)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[1]", b"3", b"\xff", b"null", b'{"a":' * 100_000])
def test_a_damaged_manifest(copy: Path, content: bytes) -> None:
    """A damaged corpus is an error somewhere inside, of a kind that says nothing."""
    (copy / "manifest.json").write_bytes(content)
    with pytest.raises(CorpusError, match=r"manifest\.json: "):
        Corpus(copy)


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b"{}", b'{"pieces": 3, "frames": 1, "failures": []}', b"3"]
)
def test_a_damaged_index(copy: Path, content: bytes | None) -> None:
    """A lost or damaged index is an error that does not say which file it is."""
    path = copy / "00001.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"00001\.json"):
        Corpus(copy)


@pytest.mark.parametrize("name", ["manifest.json", "00001.json", "00001.npy"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10**6), text=st.sampled_from([b"\x00", b"0", b"a", b'"', b"[", b"}", b"-", b"null"]))
@example(position=22, text=b"a")
def test_no_damage_ends_in_another_error(copy: Path, name: str, position: int, text: bytes) -> None:
    """Any byte may be wrong: a corpus that cannot be read is named, also where warnings are errors."""
    path = copy / name
    whole = path.read_bytes()
    end = 128 if name.endswith(".npy") else len(whole)
    position %= end - len(text)
    path.write_bytes(whole[:position] + text + whole[position + len(text) :])
    try:
        with contextlib.suppress(PianoRollSeq2SeqError):
            corpus = Corpus(copy)
            assert len(corpus[0]) > 0
            corpus[len(corpus) - 1]
    finally:
        path.write_bytes(whole)


def test_the_index_of_another_shard(copy: Path) -> None:
    """Pieces are cut from the wrong places."""
    shutil.copy(copy / "00000.json", copy / "00002.json")
    with pytest.raises(CorpusError, match=r"00002"):
        Corpus(copy)


@pytest.mark.parametrize("change", ["cut", "empty", "longer", "missing"])
def test_damaged_frames(copy: Path, change: str) -> None:
    """A copy that broke off is found in the middle of training, or never."""
    path = copy / "00002.npy"
    data = path.read_bytes()
    if change == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut": data[:-1], "empty": b"", "longer": data + b"0"}[change])
    with pytest.raises(CorpusError, match=r"00002\."):
        Corpus(copy)


def test_a_damaged_header_of_frames(copy: Path) -> None:
    """Frames that are no array, or one of another shape, give wrong music or an error deep inside NumPy."""
    path = copy / "00002.npy"
    data = path.read_bytes()
    planes = np.load(path)
    corpus = Corpus(copy)
    np.save(copy / "other", np.ascontiguousarray(planes.transpose(1, 0, 2)))  # as many bytes
    for other in (b"X" * 128 + data[128:], (copy / "other.npy").read_bytes(), data.replace(b"|u1", b"|i1")):
        path.write_bytes(other)
        with pytest.raises(CorpusError, match=r"00002\.npy: damaged, expected the header"):
            Corpus(copy)
        with pytest.raises(CorpusError, match=r"00002\.npy: damaged"):  # meanwhile
            corpus[-1]
    path.write_bytes(data)
    assert corpus[-1] == Corpus(copy)[-1]


def rewrite(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")


@pytest.mark.parametrize("change", [{"version": 1}, {"format": "other"}, {"version": None}])
def test_another_version(copy: Path, change: dict[str, Any]) -> None:
    """A corpus of a later library is read in the wrong way."""
    rewrite(copy / "manifest.json", lambda manifest: manifest | change)
    with pytest.raises(CorpusError, match="expected 'pianoroll_seq2seq corpus' of version 2"):
        Corpus(copy)


# ---- What was changed since it was built


def shifted(index: Any) -> Any:
    """Two pieces change places."""
    first, second, *others = index["pieces"]
    index["pieces"] = [second | {"offset": 0}, first | {"offset": second["frames"]}, *others]
    return index


OTHER_INDICES: dict[str, Callable[[Any], Any]] = {
    "order": shifted,
    "offset": lambda index: index["pieces"][1].update(offset=0) or index,
    "overlap": lambda index: index["pieces"][0].update(frames=index["frames"]) or index,
    "negative": lambda index: index["pieces"][1].update(offset=-3) or index,
    "tempo": lambda index: index["pieces"][0].update(tempo=[[0, 250_000]]) or index,
    "ticks": lambda index: index["pieces"][0].update(ticks_per_beat=1) or index,
    "labels": lambda index: index["pieces"][0].update(labels={"style": "other"}) or index,
    "hash": lambda index: index["pieces"][0].update(roll_sha256="0" * 64) or index,
    "name": lambda index: index["pieces"][0].update(source="other.mid") or index,
    "array": lambda index: index["arrays"][0].update(file="00001.npy") or index,
    "outside": lambda index: index["arrays"][0].update(file="../../other.npy") or index,
    "shape": lambda index: index["arrays"][0]["shape"].reverse() or index,
    "fewer": lambda index: index | {"pieces": index["pieces"][:-1]},
    "reason": lambda index: index | {"failures": [{"source": "a", "reason": "b"}]},
}


@pytest.mark.parametrize("name", OTHER_INDICES)
def test_a_changed_index(copy: Path, name: str) -> None:
    """Other music, tempi, labels or hashes than were built, and nobody notices."""
    rewrite(copy / "00000.json", OTHER_INDICES[name])
    with pytest.raises(CorpusError, match=r"00000\.json"):
        Corpus(copy)


OTHER_MANIFESTS: dict[str, Callable[[Any], Any]] = {
    "grid": lambda manifest: manifest | {"grid": {"class": "BeatGrid", "frames_per_beat": 2}},
    "pitches": lambda manifest: manifest | {"pitches": [20, 107]},
    "shards": lambda manifest: manifest | {"shards": manifest["shards"][::-1]},
    "fewer": lambda manifest: manifest | {"shards": manifest["shards"][:-1]},
    "failures": lambda manifest: manifest | {"failures": [{"source": "a", "reason": "b"}]},
    "reading": lambda manifest: manifest | {"reading": {"outside": "drop"}},
    "seal": lambda manifest: manifest | {"sha256": "0" * 64},
    "more": lambda manifest: manifest | {"more": 1},
}


@pytest.mark.parametrize("name", OTHER_MANIFESTS)
def test_a_changed_manifest(copy: Path, name: str) -> None:
    """The music is at half the speed, a tone lower, in another order, or less of it."""
    rewrite(copy / "manifest.json", OTHER_MANIFESTS[name])
    with pytest.raises(CorpusError, match=r"manifest\.json"):
        Corpus(copy)


def test_verify(copy: Path, rolls: list[PianoRoll], capsys: pytest.CaptureFixture[str]) -> None:
    """A bit that fell over on the disk is other music, and nobody can find out."""
    path = copy / "00001.npy"
    data = bytearray(path.read_bytes())
    corpus = Corpus(copy)
    corpus.verify(progress=True)
    assert "11/11" in capsys.readouterr().err
    data[-1] ^= 1
    path.write_bytes(data)
    damaged = Corpus(copy)
    with pytest.raises(CorpusError, match=r"1 of 11 pieces have other frames than were built, '07'\. Build"):
        damaged.verify()
    damaged[:7].verify()
    assert_same_pieces(damaged[:7], rolls[:7])
    data[128:] = bytes(len(data) - 128)
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=r"4 of 5 pieces .*'04', '05', '06' and 1 more"):
        Corpus(copy)[4:9].verify()


@pytest.mark.parametrize("name", ["velocity", "onsets"])
def test_other_velocities(copy: Path, name: str) -> None:
    """Notes get the velocities of others, or a raw exception ends the training."""
    path = copy / f"00001.{name}.npy"
    values = np.load(path)
    sizes: dict[str, Any] = {"input_frames": 8, "target_frames": 8, "hop": 8}
    layout = FrameLayout.of(Corpus(copy), onsets=True, velocity=True)
    others = {
        "velocity": lambda: (values ^ 1, values ^ 128, values * 0),
        "onsets": lambda: (values // 2, values * 2, values - 1, values * 10**15),
    }
    for other in others[name]():
        np.save(path, np.ascontiguousarray(other))
        with pytest.raises(CorpusError, match=r"00001\.onsets|pieces have other"):
            Corpus(copy).verify()
        with contextlib.suppress(PianoRollSeq2SeqError):
            windows = SlidingWindows(Corpus(copy), layout=layout, **sizes)
            windows.batch(range(len(windows)))
            Corpus(copy)[4]
    np.save(path, values)
    Corpus(copy).verify()


def test_another_grid(corpus: Corpus) -> None:
    """A corpus of sixteenths is opened as one of eighths, and all is at half the speed."""
    assert Corpus(corpus.folder, grid=BeatGrid(4)).grid == BeatGrid(4)
    for grid in (BeatGrid(2), SecondsGrid(0.02), TrappedGrid(4)):
        with pytest.raises(CorpusError, match=r"built on .*'BeatGrid'.*opened with"):
            Corpus(corpus.folder, grid=grid)


def test_a_grid_of_ones_own(songs: Path, tmp_path: Path) -> None:
    """A grid from outside the library cannot be used, or is silently taken for another."""
    corpus = build(songs, tmp_path / "corpus", grid=TrappedGrid(3))
    assert corpus.grid == TrappedGrid(3)
    assert_same_music(corpus[0], PianoRoll.from_midi(songs / "00.mid", grid=TrappedGrid(3)))
    with pytest.raises(CorpusError, match=r"class TrappedGrid.*Corpus\(folder, grid=\.\.\.\)"):
        Corpus(tmp_path / "corpus")
    again = Corpus(tmp_path / "corpus", grid=TrappedGrid(3))
    assert_same_pieces(again, corpus)
    with pytest.raises(CorpusError, match="built on"):
        Corpus(tmp_path / "corpus", grid=TrappedGrid(4))


def test_can_be_moved(copy: Path, rolls: list[PianoRoll]) -> None:
    """A corpus works only where it was built, beside its MIDI files."""
    assert_same_pieces(Corpus(str(copy)), rolls)
