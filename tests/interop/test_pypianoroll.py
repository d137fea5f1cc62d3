"""pypianoroll's files: if these fail, music from or for pypianoroll is other music than it was."""

import dataclasses
import io
import json
import os
import re
import warnings
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from announcements import announced
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import planes, tempo_maps
from typechecker import as_users_have_it

from pianoroll_seq2seq._internal.limits import Limits
from pianoroll_seq2seq.errors import (
    GridError,
    LimitError,
    MidiError,
    MidiNotFoundError,
    OverwriteError,
    PitchRangeError,
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.interop import (
    Multitrack,
    read_pypianoroll,
    write_pypianoroll,
)
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES, PIANO, PitchRange
from pianoroll_seq2seq.tempo import TempoMap

BEAT_GRIDS = st.sampled_from([BeatGrid(1), BeatGrid(4), BeatGrid(24), BeatGrid(7), BeatGrid(960)])


def _npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array))
    return buffer.getvalue()


def _members(**changes) -> dict[str, bytes]:
    """A file as pypianoroll lays it out, by hand: C4 in frames 0 and 1, velocity 90, E4 in frame 3, velocity 7.

    ``changes`` replace members, by the last part of their names; ``None`` takes one away.
    """
    ends = np.zeros(129, dtype=np.int32)
    ends[61:] = 2
    ends[65:] = 3
    members = {
        "tempo": _npy(np.array([[100.0], [100.0], [120.0], [120.0]])),
        "downbeat": _npy(np.array([True, False, False, True])),
        "pianoroll_0_csc_data": _npy(np.array([90, 90, 7], dtype=np.uint8)),
        "pianoroll_0_csc_indices": _npy(np.array([0, 1, 3], dtype=np.int32)),
        "pianoroll_0_csc_indptr": _npy(ends),
        "pianoroll_0_csc_shape": _npy(np.array([4, 128])),
        "info.json": json.dumps(
            {"resolution": 2, "name": "song", "0": {"program": 3, "is_drum": False, "name": "Piano"}}
        ).encode(),
    }
    for name, change in changes.items():
        (key,) = (key for key in members if key.split("_")[-1].split(".")[0] == name)
        if change is None:
            del members[key]
        else:
            members[key] = change if isinstance(change, bytes) else _npy(change)
    return {key if key == "info.json" else f"{key}.npy": content for key, content in members.items()}


def _zipped(path, members, packing=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_file_laid_out_by_hand_is_read(tmp_path):
    """Notes, tempo, bars and names, each in its place."""
    read = read_pypianoroll(_zipped(tmp_path / "song.npz", _members()))
    assert (read.name, read.downbeats, len(read.tracks)) == ("song", (0, 3), 1)
    part, roll = read.tracks[0]
    assert part == Part("Piano", 3)
    assert [values.tolist() for values in roll.notes()[:3]] == [[0, 3], [2, 4], [60, 64]]
    assert len(roll) == 4
    assert (roll.grid, roll.pitches, roll.name) == (BeatGrid(2), ALL_PITCHES, "Piano")
    assert roll.tempo == TempoMap(480, [(0, 600_000), (480, 500_000)])


def test_files_with_less_in_them_are_read(tmp_path):
    """No tempo, no bars, nothing on a track, names of nothing: as older versions and other programs wrote them."""
    info = {"beat_resolution": 24, "name": None, "0": {"program": None, "is_drum": None, "name": None}}
    nothing = {
        **_members(info=json.dumps(info).encode(), tempo=None, downbeat=None),
        **_members(data=np.zeros(0), indices=np.zeros(0, int), indptr=np.zeros(129, int), tempo=None, downbeat=None),
        "info.json": json.dumps(info).encode(),
    }
    read = read_pypianoroll(_zipped(tmp_path / "song.npz", nothing, zipfile.ZIP_STORED))
    expected = PianoRoll.from_active(np.zeros((4, 128), dtype=bool), grid=BeatGrid(24), pitches=ALL_PITCHES)
    assert read == Multitrack(((Part(), expected),))
    info = json.dumps({"resolution": 24, "name": "none"}).encode()
    assert read_pypianoroll(_zipped(tmp_path / "none.npz", {"info.json": info})) == Multitrack((), (), "none")


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float64])
def test_every_kind_of_track_is_read(dtype, tmp_path):
    """Binary tracks, velocities, and numbers of any type; stored zeros are silent, as they are in the matrix."""
    members = _members(data=np.array([1, 0, 1], dtype=dtype))
    (_, roll), *_ = read_pypianoroll(_zipped(tmp_path / "song.npz", members)).tracks
    assert np.argwhere(roll.active).tolist() == [[0, 60], [3, 64]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.builds(Part, st.text("aé中", max_size=3), st.integers(0, 127), st.booleans()), planes()),
        min_size=1,
        max_size=3,
    ),
    BEAT_GRIDS,
    tempo_maps(),
    st.integers(0, 100),
)
def test_rolls_are_written_and_read_back(tmp_path, tracks, grid, tempo, lowest):
    """What sounds, who plays, the grid, and the tempo of each frame; onsets where a pitch begins to sound."""
    written = []
    for part, (active, onset) in tracks:
        pitches = PitchRange(lowest, lowest + active.shape[1] - 1)
        written.append((part, PianoRoll(active, onset, grid, pitches, tempo)))
    path, warned = announced(lambda: write_pypianoroll(written, tmp_path / "song.npz", overwrite=True))
    read = read_pypianoroll(path)
    assert [part for part, _ in read.tracks] == [part for part, _ in written]
    for (_, roll), (_, expected) in zip(read.tracks, written, strict=True):
        whole = np.zeros((len(expected), 128), dtype=bool)
        whole[:, expected.pitches.lowest : expected.pitches.highest + 1] = expected.active
        assert roll == PianoRoll.from_active(whole, grid=grid, pitches=ALL_PITCHES, tempo=roll.tempo)
        for frame in range(len(roll)):
            tick, expected_tick = (int(grid.ticks_at(np.array([frame]), each)[0]) for each in (roll.tempo, tempo))
            assert roll.tempo.us_per_beat_at(tick) == tempo.us_per_beat_at(expected_tick)
    # What is lost is counted, nothing else: notes that merge, tempo changes inside frames.
    before, after = (sum(len(roll.notes().pitch) for _, roll in rolls) for rolls in (written, read.tracks))
    lines = grid.ticks_at(np.arange(max(1, *(len(roll) for _, roll in written))), tempo).tolist()
    between = sum(tick not in lines and tick < lines[-1] for tick, _ in tempo.changes)
    assert [message.split()[0] for message in warned] == [str(count) for count in (before - after, between) if count]


def test_a_written_file_read_back_is_the_same_roll(tmp_path):
    """With the usual ticks, equal in all; by names, in a row, or as they were read. The bytes stay the same."""
    tempo = TempoMap(480, [(0, 400_000), (240, 612_345)])
    roll = PianoRoll.from_active(np.eye(88, dtype=bool), tempo=tempo, name="eye")
    path = write_pypianoroll({"melody": roll}, tmp_path / "new" / "song.npz")
    read = read_pypianoroll(path, pitches=PIANO)
    assert read == Multitrack(((Part("melody"), roll),), (), "song")
    again = write_pypianoroll(read.tracks, tmp_path / "song.npz")
    assert again.read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as archive:  # no clock goes into the file
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert [part.name for part, _ in read_pypianoroll(write_pypianoroll([roll, roll], tmp_path / "two")).tracks] == [
        *("eye", "eye")
    ]
    assert sorted(os.listdir(tmp_path)) == ["new", "song.npz", "two"]


def _pypianoroll():
    with warnings.catch_warnings():  # at its import alone: of packages that it imports in turn
        warnings.simplefilter("ignore", DeprecationWarning)
        import pypianoroll

        return pypianoroll


def test_pypianoroll_reads_what_is_written(tmp_path):
    """By its own loader and its own checks."""
    pypianoroll = _pypianoroll()
    tempo = TempoMap(480, [(0, 400_000), (240, 612_345)])
    active = np.random.default_rng(1).random((50, 88)) < 0.1
    roll = PianoRoll.from_active(active, tempo=tempo)
    path = write_pypianoroll([(Part("a", 5), roll), (Part("kit", 0, True), roll[:7])], tmp_path / "song.npz")
    loaded = pypianoroll.load(path).validate()
    assert (loaded.resolution, loaded.name, loaded.downbeat) == (4, "song", None)
    assert np.round(60e6 / loaded.tempo).tolist() == [400_000] * 2 + [612_345] * 48
    for track, (part, frames) in zip(
        loaded.tracks, [(Part("a", 5), active), (Part("kit", 0, True), active[:7])], strict=True
    ):
        assert isinstance(track, pypianoroll.BinaryTrack)
        assert (track.name, track.program, track.is_drum) == (part.name, part.program, part.drums)
        assert track.pianoroll.shape == (len(frames), 128)
        assert np.array_equal(track.pianoroll[:, 21:109], frames)
        assert not track.pianoroll[:, :21].any()
        assert not track.pianoroll[:, 109:].any()


@pytest.mark.parametrize("compressed", [True, False])
def test_what_pypianoroll_writes_is_read(tmp_path, compressed):
    """Binary and standard tracks, tempo in both of its shapes, bars, drums."""
    pypianoroll = _pypianoroll()
    random = np.random.default_rng(2)
    values = (random.random((96, 128)) < 0.05) * random.integers(1, 128, (96, 128))
    bars = np.zeros(96, dtype=bool)
    bars[::48] = True
    saved = pypianoroll.Multitrack(
        name="song",
        resolution=12,
        tempo=np.repeat([100.0, 130.0], 48)[:, None] if compressed else np.repeat([100.0, 130.0], 48),
        downbeat=bars,
        tracks=[
            pypianoroll.StandardTrack(name="lead", program=81, pianoroll=values.astype(np.uint8)),
            pypianoroll.BinaryTrack(name="kit", is_drum=True, pianoroll=values > 60),
        ],
    )
    path = tmp_path / "song.npz"
    pypianoroll.save(path, saved, compressed=compressed)
    read = read_pypianoroll(path)
    assert (read.name, read.downbeats) == ("song", (0, 48))
    assert [part for part, _ in read.tracks] == [Part("lead", 81), Part("kit", 0, True)]
    for (_, roll), expected in zip(read.tracks, [values > 0, values > 60], strict=True):
        assert np.array_equal(roll.active, expected)
        assert roll.grid == BeatGrid(12)
        assert roll.tempo == TempoMap(480, [(0, 600_000), (1920, 461_538)])


def test_notes_outside_the_range_are_an_error_or_dropped_from_a_file(tmp_path):
    """The message says which track, and what range would do."""
    path = _zipped(tmp_path / "song.npz", _members())
    with pytest.raises(PitchRangeError, match=r"song\.npz: track 0 \('Piano'\) needs PitchRange\(60, 64\).*'drop'"):
        read_pypianoroll(path, pitches=PitchRange(61, 70))
    ((_, roll),) = read_pypianoroll(path, pitches=PitchRange(61, 70), outside="drop").tracks
    assert np.argwhere(roll.active).tolist() == [[3, 3]]
    with pytest.raises(SettingsError, match="'dorp'"):
        as_users_have_it(read_pypianoroll)(path, outside="dorp")


def _info(**changes) -> bytes:
    track = {"program": 3, "is_drum": False, "name": "Piano"}
    return json.dumps({"resolution": 2, "name": "song", "0": track, **changes}).encode()


def _header(shape: str, dtype: str = "|u1") -> bytes:
    """An .npy that claims a shape, with three bytes in it."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\x01\x01\x01"


DAMAGE = {
    "no info": ({"info": None}, "contains .*and no 'info.json'"),
    "info cut": ({"info": b'{"resolution": 2'}, r"info\.json: damaged, or not JSON"),
    "info not text": ({"info": b"\xff\xfe\xfd"}, r"info\.json: damaged, or not JSON"),
    "info too deep": ({"info": b"[" * 100_000}, r"info\.json: nested too deep"),
    "info a list": ({"info": b"[1]"}, r"expected object, got array \(\[1\]\)"),
    "no resolution": ({"info": b"{}"}, r"resolution must be .*1\.\.32767, got None"),
    "resolution 0": ({"info": _info(resolution=0)}, "got 0"),
    "resolution true": ({"info": _info(resolution=True)}, "got True"),
    "track a list": ({"info": _info(**{"0": [1]})}, r"track 0 must have an integer as program, got \[1\]"),
    "program a word": ({"info": _info(**{"0": {"program": "piano"}})}, "got .*'piano'"),
    "program 128": ({"info": _info(**{"0": {"program": 128}})}, r"program must be in 0\.\.127, got 128"),
    "no data": ({"data": None}, "pianoroll_0_csc_data is missing or damaged"),
    "not an array": ({"data": b"music"}, "pianoroll_0_csc_data is missing or damaged"),
    "data of words": ({"data": np.array(["a", "b", "c"])}, "pianoroll_0_csc_data must hold numbers, got <U1"),
    "fewer data": ({"data": np.ones(2)}, "do not match"),
    "square data": ({"data": np.ones((3, 1))}, "do not match"),
    "objects": ({"data": _header("(3,)", "|O")}, "pianoroll_0_csc_data"),
    "huge data": ({"data": _header(f"({10**15},)")}, "pianoroll_0_csc_data is missing or damaged"),
    "huger data": ({"data": _header(f"({10**30},)")}, "pianoroll_0_csc_data is missing or damaged"),
    "negative data": ({"data": _header("(-3,)")}, "pianoroll_0_csc_data is missing or damaged"),
    "frame after the last": ({"indices": np.array([0, 1, 4])}, "track 0: a note in frame 0 or 4, of 4 frames"),
    "frame before the first": ({"indices": np.array([-1, 1, 3])}, "a note in frame -1"),
    "fractional frames": ({"indices": np.array([0.0, 1.0, 3.0])}, "indices must hold numbers, got float64"),
    "few columns": ({"indptr": np.zeros(89, int)}, "do not match"),
    "pointers all over": ({"indptr": np.array([0, 2**62, -(2**62), *[3] * 126])}, "do not match"),
    "pointers beyond": ({"indptr": np.array([0, *[2**62] * 128])}, "do not match"),
    "one pointer": ({"indptr": np.array(3)}, "do not match"),
    "other pitches": ({"shape": np.array([4, 88])}, r"shape \[frames, 128\], got \[4, 88\]"),
    "negative frames": ({"shape": np.array([-4, 128])}, r"got \[-4, 128\]"),
    "one length": ({"shape": np.array(4)}, r"got \[4\]"),
    "tempo 0": ({"tempo": np.array([100.0, 0.0])}, r"tempo must be in 3\.58\.\.60000000 .*got 0\.0 in frame 1"),
    "tempo NaN": ({"tempo": np.array([np.nan])}, "got nan in frame 0"),
    "tempo of words": ({"tempo": np.array(["fast"])}, "tempo must hold numbers"),
    "bars of words": ({"downbeat": np.array(["one"])}, "downbeat must hold numbers"),
}


@pytest.mark.parametrize(("changes", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_file_that_contradicts_itself_is_named(changes, message, tmp_path):
    """The message names the file, the value and the way out; the memory that it claims is never taken."""
    path = _zipped(tmp_path / "song.npz", _members(**changes))
    with pytest.raises(MidiError, match=rf"(?s)^{re.escape(str(path))}: .*{message}.*pypianoroll\.save"):
        read_pypianoroll(path)


def test_what_is_no_zip_file_is_named(tmp_path):
    """Cut off in a download, not a zip at all, with wrong checksums, not there, or a folder."""
    whole = _zipped(tmp_path / "song.npz", _members(), zipfile.ZIP_STORED).read_bytes()
    flipped = whole.replace(b"Piano", b"Pjano")
    for content in (b"", b"MThd", whole[: len(whole) // 2], whole[len(whole) // 2 :], flipped):
        path = tmp_path / "bad.npz"
        path.write_bytes(content)
        with pytest.raises(MidiError, match=rf"^{re.escape(str(path))}: not an \.npz file, or a damaged one"):
            read_pypianoroll(path)
    with pytest.raises(MidiNotFoundError, match=r"no\.npz: no such file"):
        read_pypianoroll(tmp_path / "no.npz")
    with pytest.raises(MidiError, match="damaged one"):
        read_pypianoroll(tmp_path)


def _read_or_refused(path) -> None:
    """Also where warnings are errors, as in these tests: NumPy warns of some headers."""
    with suppress(MidiError):
        read_pypianoroll(path)


def test_an_array_of_a_type_that_numpy_warns_of(tmp_path):
    """A damaged header, of which NumPy warns, ends the reading of a whole folder where warnings are errors."""
    key = next(key for key in _members() if key.endswith("data.npy"))
    content = _members()[key].replace(b"'|b1'", b"'|a1'").replace(b"'|u1'", b"'|a1'")
    assert b"'|a1'" in content
    path = _zipped(tmp_path / "song.npz", {**_members(), key: content})
    with pytest.raises(MidiError, match="data is missing or damaged"):
        read_pypianoroll(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(MidiError, match="data must hold numbers"):
            read_pypianoroll(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_no_damage_ends_in_another_error(tmp_path, flips, packed):
    """Any bytes may be wrong: a folder of files is read to its end."""
    path = _zipped(tmp_path / "song.npz", _members(), zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    for position, value in flips:
        content[position % len(content)] = value
    path.write_bytes(content)
    _read_or_refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["tempo", "downbeat", "data", "indices", "indptr", "shape"]),
    st.integers(0, 10**6),
    st.integers(0, 255),
)
def test_no_damaged_array_ends_in_another_error(tmp_path, which, position, value):
    """As above, past the checksums: the header or the values of one array."""
    key = next(key for key in _members() if key.split("_")[-1].split(".")[0] == which)
    content = bytearray(_members()[key])
    content[position % len(content)] = value
    path = _zipped(tmp_path / "song.npz", {**_members(), key: bytes(content)})
    _read_or_refused(path)


def test_files_that_ask_for_too_much_are_refused_before_memory_is_taken(tmp_path):
    """A hundred bytes may claim a terabyte, or unpack to one."""
    frames = _zipped(tmp_path / "frames.npz", _members(shape=np.array([10**12, 128])))
    with pytest.raises(LimitError, match=r"^.*frames\.npz: its 1 tracks have up to 1000000000000 frames.*Limits"):
        read_pypianoroll(frames)
    bomb = _zipped(tmp_path / "bomb.npz", {**_members(), "more.npy": bytes(10**6)})
    assert read_pypianoroll(bomb).name == "song"
    for limits in (Limits(max_cells=10**6), Limits(max_file_bytes=1000)):
        with pytest.raises(LimitError, match=rf"^.*bomb\.npz: {bomb.stat().st_size} bytes that unpack to \d+; Limits"):
            read_pypianoroll(bomb, limits=limits)
    song = _zipped(tmp_path / "song.npz", _members())
    longer = _zipped(tmp_path / "longer.npz", _members(shape=np.array([10_000, 128])))
    with pytest.raises(LimitError, match=r"1280000 cells; Limits .*max_cells=1000000\."):
        read_pypianoroll(longer, limits=Limits(max_cells=10**6))
    with pytest.raises(LimitError, match="max_frames=3 "):
        read_pypianoroll(song, limits=Limits(max_frames=3))
    assert len(read_pypianoroll(song, limits=Limits(max_frames=4)).tracks[0].roll) == 4


def test_rolls_that_no_file_can_hold_together_are_refused(tmp_path):
    """A file counts in beats, with one resolution and one tempo. Nothing is written."""
    roll = PianoRoll.from_active(np.eye(88, dtype=bool), name="a")
    seconds = PianoRoll.from_active(np.eye(88, dtype=bool), grid=SecondsGrid(0.02), name="b")
    finer = PianoRoll.from_active(np.eye(88, dtype=bool), grid=BeatGrid(8), name="c")
    slower = PianoRoll.from_active(np.eye(88, dtype=bool), tempo=TempoMap(480, [(0, 900_000)]))
    path = tmp_path / "song.npz"
    with pytest.raises(GridError, match=r"^b is on SecondsGrid.*grid=BeatGrid"):
        write_pypianoroll([roll, seconds], path)
    with pytest.raises(GridError, match=r"one grid and one tempo; a has .*and c has BeatGrid\(frames_per_beat=8\)"):
        write_pypianoroll([roll, finer], path)
    with pytest.raises(GridError, match=r"and another has .*900000"):
        write_pypianoroll([roll, slower], path)
    for nothing in ([], {}):
        with pytest.raises(ShapeError, match="at least one roll"):
            write_pypianoroll(nothing, path)
    assert os.listdir(tmp_path) == []


def test_a_file_is_not_written_over_unasked(tmp_path):
    """A user's own file must not vanish under a generated one."""
    roll = PianoRoll.from_active(np.eye(88, dtype=bool))
    path = tmp_path / "song.npz"
    path.write_bytes(b"mine")
    with pytest.raises(OverwriteError, match=re.escape(str(path)) + ".*overwrite=True"):
        write_pypianoroll([roll], path)
    assert path.read_bytes() == b"mine"
    assert read_pypianoroll(write_pypianoroll([roll], path, overwrite=True), pitches=PIANO).tracks[0].roll == roll
    assert os.listdir(tmp_path) == ["song.npz"]


def test_velocities_go_to_pypianoroll_and_back(tmp_path):
    """A song comes back at one loudness, or its drums as a piano."""
    low, high = PitchRange(36, 40), PitchRange(60, 64)
    parts = (Part("tune", 40, pitches=high), Part("kit", 5, drums=True, pitches=low))
    active = np.zeros((6, 10), dtype=bool)
    active[[0, 1, 3], 0] = active[[2, 3, 4], 7] = True
    roll = PianoRoll.from_active(active, parts=parts, grid=BeatGrid(4))
    velocity = np.where(roll.onset, 20 + np.arange(60).reshape(6, 10), 0)
    roll = dataclasses.replace(roll, velocity=velocity)
    path = write_pypianoroll(roll, tmp_path / "song.npz")
    theirs = _pypianoroll().load(path)
    assert [(track.name, track.program, track.is_drum) for track in theirs.tracks] == [
        ("tune", 40, False),
        ("kit", 5, True),
    ]
    assert theirs.tracks[0].pianoroll[:, 60].tolist() == [20, 20, 0, 50, 0, 0]
    assert theirs.tracks[1].pianoroll[:, 38].tolist() == [0, 0, 47, 47, 47, 0]
    read = read_pypianoroll(path).stack()
    assert read.with_pitches({"tune": high, "kit": low}) == roll


def test_a_file_of_velocities_has_them(tmp_path):
    (_, roll), *_ = read_pypianoroll(_zipped(tmp_path / "song.npz", _members())).tracks
    assert roll.notes().velocity.tolist() == [90, 7]


def test_tracks_of_the_same_name_are_told_apart(tmp_path):
    silent = PianoRoll.silent(2, grid=BeatGrid(4))
    path = write_pypianoroll([(Part("pad"), silent), (Part("pad"), silent), (Part(), silent)], tmp_path / "pads.npz")
    assert read_pypianoroll(path).stack().part_names == ("pad", "pad 2", "track 2")


def test_a_velocity_that_midi_does_not_have_is_an_error(tmp_path):
    members = _members(data=np.array([200, 90, 7], dtype=np.uint8))
    with pytest.raises(MidiError, match=r"track 0: velocities must be in 0\.\.127, got 200"):
        read_pypianoroll(_zipped(tmp_path / "loud.npz", members))
