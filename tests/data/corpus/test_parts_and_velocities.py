"""A corpus has the parts and velocities of its files, and says which part of which file is missing."""

import json
import shutil
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from data.corpus.sabotage import Inline

from pianoroll_seq2seq import (
    Corpus,
    PianoRoll,
    PitchRange,
    build_corpus,
    drop_duplicates,
    pitch_class_set,
    read_folder,
)
from pianoroll_seq2seq.errors import CorpusError, MidiError, SettingsError
from pianoroll_seq2seq.parts import Part

NAMES = ("MELODY", "PIANO")


def build(source: Any, out: Path, **changes: Any) -> Corpus:
    return build_corpus(source, out, **{"executor": Inline(), "progress": False, "files_per_shard": 2} | changes)


def write_tracks(path: Path, seed: int, **tracks: tuple[int, int]) -> None:
    """A file with a track for each name, given by its channel and program; notes and velocities by the seed."""
    random = np.random.default_rng(seed)
    file = mido.MidiFile(ticks_per_beat=480)
    head = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=3, denominator=4)])
    head.append(mido.MetaMessage("key_signature", key="D"))
    file.tracks.append(head)
    for name, (channel, program) in tracks.items():
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        track.append(mido.Message("program_change", channel=channel, program=program))
        for pitch in random.integers(40, 80, 90).tolist():
            note = {"channel": channel, "note": pitch}
            track.append(mido.Message("note_on", velocity=int(random.integers(1, 128)), time=0, **note))
            track.append(mido.Message("note_off", time=120 * int(random.integers(1, 4)), **note))
        file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Five songs with a melody and a piano, whose programs differ, in one order and the other."""
    for seed in range(4):
        write_tracks(tmp_path / f"in/{seed}.mid", seed, MELODY=(0, seed), PIANO=(1, 5))
    write_tracks(tmp_path / "in/4.mid", 4, PIANO=(1, 5), MELODY=(0, 9))
    return tmp_path / "in"


def assert_same_music(found: PianoRoll, expected: PianoRoll) -> None:
    assert found == expected
    assert (found.parts, found.meter, found.tempo) == (expected.parts, expected.meter, expected.tempo)
    if expected.velocity is None:
        assert found.velocity is None
    else:
        np.testing.assert_array_equal(found.velocity, expected.velocity)


@pytest.mark.parametrize("velocity", [True, False])
@pytest.mark.parametrize(
    "parts",
    [
        None,
        ["PIANO", "MELODY"],
        {"tune": "MELODY", "rest": {"program": 5}},
        "tracks",
        (Part("melody", program=40, pitches=PitchRange(30, 90)), Part("piano", pitches=PitchRange(40, 79))),
    ],
    ids=["one", "names", "selections", "tracks", "layout"],
)
def test_each_piece_is_the_roll_of_its_file(songs: Path, tmp_path: Path, parts: Any, velocity: bool) -> None:
    """Music from a corpus would have other parts, programs, velocities or bars than its file."""
    corpus = build(songs, tmp_path / "corpus", parts=parts, velocity=velocity)
    assert len(corpus) == 5
    assert corpus.has_velocity == velocity
    for found in (corpus, Corpus(tmp_path / "corpus")):
        found.verify()
        for roll in found:
            expected = PianoRoll.from_midi(songs / f"{roll.name}.mid", parts=parts, velocity=velocity)
            if parts == "tracks":
                expected = expected[list(NAMES)]  # in the order of the first file
            assert_same_music(roll, expected)
            assert roll.meter


def test_velocities_are_kept_unless_told_otherwise(songs: Path, tmp_path: Path) -> None:
    """Without being asked, a corpus would lose what makes music expressive; or cost more than a byte a note."""
    corpus, plain = build(songs, tmp_path / "a"), build(songs, tmp_path / "b", velocity=False)
    notes = sum(int(roll.onset.sum()) for roll in corpus)
    sizes = [sum(path.stat().st_size for path in folder.glob("*.npy")) for folder in (tmp_path / "a", tmp_path / "b")]
    headers = 2 * 3 * 128
    assert sizes[0] - sizes[1] - headers <= 1.2 * notes
    assert "with velocities" in repr(corpus)
    assert "with velocities" not in repr(plain)
    assert plain[0].velocity is None
    assert corpus.roll_hashes == plain.roll_hashes
    assert len(set(corpus.velocity_hashes)) == 5
    with pytest.raises(CorpusError, match=r"no velocities. Build it again with velocity=True"):
        _ = plain.velocity_hashes


def test_a_file_without_a_part_is_named(songs: Path, tmp_path: Path) -> None:
    """A song without a piano would be trained on with an empty one; or one file would stop the build."""
    write_tracks(songs / "5.mid", 5, MELODY=(0, 0))
    corpus = build(songs, tmp_path / "corpus", parts=["MELODY", "PIANO"])
    assert len(corpus) == 5
    assert "part 'PIANO'" in corpus.failures["5.mid"]
    assert corpus.failures == read_folder(songs, parts=["MELODY", "PIANO"]).failures


@pytest.mark.parametrize(
    ("tracks", "reason"),
    [
        ({"MELODY": (0, 0)}, "no part 'PIANO', which all pieces of this corpus must have"),
        ({"MELODY": (0, 0), "PIANO": (1, 5), "BASS": (2, 33)}, "it has the part 'BASS', but this corpus has only"),
        ({"MELODY": (0, 0), "PIANO": (9, 0)}, "its part 'PIANO' is drums, but this corpus expects it to be pitched"),
    ],
    ids=["missing", "more", "drums"],
)
def test_tracks_are_those_of_the_first_file(
    songs: Path, tmp_path: Path, tracks: dict[str, tuple[int, int]], reason: str
) -> None:
    """Columns would mean one instrument in one piece and another in the next."""
    (songs / "0.mid").write_bytes(b"no music")
    write_tracks(songs / "5.mid", 5, **tracks)
    corpus = build(songs, tmp_path / "corpus", parts="tracks")
    assert [part.name for part in corpus.parts] == list(NAMES)
    assert (len(corpus), set(corpus.failures)) == (4, {"0.mid", "5.mid"})
    assert reason in corpus.failures["5.mid"]


def test_tracks_of_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.mid").write_bytes(b"no music")
    with pytest.raises(CorpusError, match="none of the 1 files can be read"):
        build(tmp_path / "in", tmp_path / "corpus", parts="tracks")
    assert not (tmp_path / "corpus").exists()


def test_tracks_are_the_same_for_each_executor_and_after_an_interruption(songs: Path, tmp_path: Path) -> None:
    """A resumed build would take its parts from another file."""
    first = build(songs, tmp_path / "corpus", parts="tracks")
    contents = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    other = build(songs, tmp_path / "other", parts="tracks", executor=None)
    assert {path.name: path.read_bytes() for path in other.folder.iterdir()} == contents
    for name in ("manifest.json", "00001.json", "00001.velocity.npy"):
        (first.folder / name).unlink()
    again = build(songs, tmp_path / "corpus", parts="tracks")
    assert {path.name: path.read_bytes() for path in again.folder.iterdir()} == contents


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parts": "track"}, "parts must be None, 'tracks'"),
        ({"parts": ["A", "A"]}, "'A' twice"),
        ({"parts": {"a": {"instrument": 3}}}, "selects by"),
        ({"parts": ["A"], "pitches": {"B": PitchRange(40, 60)}}, "pitches for 'B', but the parts are"),
        ({"pitches": {"B": PitchRange(40, 60)}}, "pitches for 'B'"),
    ],
    ids=str,
)
def test_options_are_checked_before_files_are_read(
    songs: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    """A misspelt option would make each of many thousand files a failure."""
    with pytest.raises(SettingsError, match=message):
        build(songs, tmp_path / "corpus", **options)
    assert not (tmp_path / "corpus").exists()
    if "pitches" not in options:
        with pytest.raises(SettingsError, match=message):
            read_folder(songs, **options)


def test_selections_that_overlap_in_one_file(songs: Path, tmp_path: Path) -> None:
    """One file in which a track is both the melody and the bass would stop the others."""
    write_tracks(songs / "5.mid", 5, MELODY=(0, 33))
    write_tracks(songs / "6.mid", 6, MELODY=(0, 0), BASS=(1, 33))
    parts = {"melody": "MELODY", "bass": {"program": 33}}
    corpus = build(songs, tmp_path / "corpus", parts=parts)
    folder = read_folder(songs, parts=parts)
    assert (corpus.names, [roll.name for roll in folder.rolls]) == (["6"], ["6"])
    for failures in (corpus.failures, folder.failures):
        assert "both select track" in failures["5.mid"]


def test_other_parts_are_another_corpus(songs: Path, tmp_path: Path) -> None:
    """A resumed build would mix pieces of different parts."""
    build(songs, tmp_path / "corpus", parts=["MELODY", "PIANO"])
    for changes, differ in (
        ({"parts": ["PIANO", "MELODY"]}, "parts, reading"),
        ({"parts": ["MELODY", "PIANO"], "velocity": False}, "reading, velocity"),
        ({"parts": ["MELODY", "PIANO"], "pitches": {"PIANO": PitchRange(30, 90)}}, "pitches"),
    ):
        with pytest.raises(CorpusError, match=rf"\({differ} differ\)"):
            build(songs, tmp_path / "corpus", **changes)


@pytest.mark.parametrize("file", ["00000.velocity.npy", "00000.onsets.npy"])
@pytest.mark.parametrize("change", ["cut", "missing", "header"])
def test_damaged_velocities(songs: Path, tmp_path: Path, file: str, change: str) -> None:
    """A copy that broke off is found in the middle of training, or never."""
    folder = build(songs, tmp_path / "corpus").folder
    path = folder / file
    data = path.read_bytes()
    if change == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if change == "cut" else b"X" * 128 + data[128:])
    with pytest.raises(CorpusError, match=file):
        Corpus(folder)


def test_verify_reads_the_velocities(songs: Path, tmp_path: Path) -> None:
    folder = build(songs, tmp_path / "corpus").folder
    path = folder / "00001.velocity.npy"
    data = bytearray(path.read_bytes())
    data[-1] = data[-1] % 127 + 1
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=r"1 of 5 pieces .* '3'"):
        Corpus(folder).verify()


def test_velocities_can_be_opened_by_numpy(songs: Path, tmp_path: Path) -> None:
    """The files would be of use to this library alone."""
    corpus = build(songs, tmp_path / "corpus", files_per_shard=9)
    rolls = list(corpus)
    velocity, onset = (np.concatenate([getattr(roll, plane) for roll in rolls]) for plane in ("velocity", "onset"))
    np.testing.assert_array_equal(np.load(corpus.folder / "00000.velocity.npy"), velocity[onset])
    before = np.load(corpus.folder / "00000.onsets.npy")
    np.testing.assert_array_equal(before, [onset[:frame].sum() for frame in range(0, len(onset), 64)])
    manifest = json.loads((corpus.folder / "manifest.json").read_text())
    assert manifest["velocity"] is True


def test_duplicates_have_the_same_notes_in_the_same_parts(songs: Path, tmp_path: Path) -> None:
    """A louder performance of the same notes is no other piece; the same notes in other parts are."""
    roll = PianoRoll.from_midi(songs / "0.mid", parts=list(NAMES))
    swapped = PianoRoll.stack({"MELODY": roll["PIANO"], "PIANO": roll["MELODY"]})
    assert len(drop_duplicates([roll, roll.with_velocity(70), swapped]).rolls) == 2
    shutil.copy(songs / "0.mid", songs / "9.mid")
    assert len(drop_duplicates(build(songs, tmp_path / "corpus", parts=list(NAMES))).rolls) == 5


def test_drums_are_no_pitch_classes() -> None:
    """A snare would be a note of the scale."""
    melody = PianoRoll.from_active(np.eye(1, 12, 4, dtype=bool), pitches=PitchRange(60, 71))
    kit = Part("kit", drums=True, pitches=PitchRange(35, 46))
    drums = PianoRoll.from_active(np.eye(1, 12, 3, dtype=bool), parts=[kit])
    assert pitch_class_set(PianoRoll.stack([PianoRoll.stack({"melody": melody}), drums])) == {4}


def test_a_folder_without_the_part(songs: Path) -> None:
    with pytest.raises(MidiError, match="none of its 5 files"):
        read_folder(songs, parts=["BASS"])
