"""Ticks to planes, checked before memory is taken: if these fail, notes are lost or the memory with them."""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi_bytes import NOTE, off, on, smf, tempo
from strategies import EXACT_STEPS, SONG_FILES, exact_planes, file_bytes
from typechecker import as_users_have_it

from pianoroll_seq2seq._internal.limits import Limits
from pianoroll_seq2seq.errors import LimitError, MidiError, NoNotesError, PitchRangeError, SettingsError
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.midi_io import read_midi
from pianoroll_seq2seq.midi_io.planes import read_placed
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PIANO, PitchRange
from pianoroll_seq2seq.quantize import rasterize
from pianoroll_seq2seq.tempo import TempoMap

ALL = PitchRange(0, 127)
FIFTIETHS = SecondsGrid(0.02)


def _rasterized(rows, *, pitches=PIANO, **settings):
    """Of (onset_tick, end_tick, pitch), at 24 ticks a frame."""
    onset, end, pitch = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return rasterize(onset, end, pitch, tempo=TempoMap(960), grid=BeatGrid(40), pitches=pitches, **settings)


@given(SONG_FILES, st.sampled_from(sorted(EXACT_STEPS, key=repr)), st.booleans())
def test_the_planes_of_a_file_are_those_of_the_exact_reference(file, grid, drums):
    """Cell by cell from the definition of a frame, in fractions."""
    active, onset = exact_planes(file, grid, drums=drums)
    data = file_bytes(file)
    if not len(active):
        with pytest.raises(NoNotesError, match="<bytes>: no notes"):
            read_placed(data, grid=grid, pitches=ALL, drums=drums)
        return
    read = read_placed(data, grid=grid, pitches=ALL, drums=drums)
    planes = read.notes.planes()
    assert np.array_equal(planes.active, active)
    assert np.array_equal(planes.onset, onset)
    assert read.name == "<bytes>"


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 127)), min_size=1, max_size=9))
def test_notes_outside_the_range_are_refused_or_dropped(notes):
    """A bass guitar's lowest string must not wrap round to the top of the piano."""
    rows = [(onset, onset + length, pitch) for onset, length, pitch in notes]
    inside = [row for row in rows if 40 <= row[2] <= 80]
    narrow = PitchRange(40, 80)
    if len(inside) == len(rows):
        assert np.array_equal(_rasterized(rows, pitches=narrow)[0], _rasterized(rows, pitches=ALL)[0][:, 40:81])
        return
    lowest, highest = min(row[2] for row in rows), max(row[2] for row in rows)
    needed = rf"PitchRange\({lowest}, {highest}\)"
    words = f"{len(rows) - len(inside)} of {len(rows)} notes are outside.*{needed}.*outside='drop'"
    with pytest.raises(PitchRangeError, match=words):
        _rasterized(rows, pitches=narrow)
    if inside:
        for plane, other in zip(
            _rasterized(rows, pitches=narrow, outside="drop"), _rasterized(inside, pitches=narrow), strict=True
        ):
            assert np.array_equal(plane, other)
    else:
        count = len(rows)  # all of them: nothing to pass
        left = rf"{count} of {count} notes are outside.*{needed}\. Widen the range, or transpose the music\.$"
        with pytest.raises(PitchRangeError, match=left):
            _rasterized(rows, pitches=narrow, outside="drop")


def test_a_slip_in_outside_is_an_error():
    """outside='clip' must not mean that notes are dropped."""
    columns = [np.array([value]) for value in (0, 1, 60)]
    plain = as_users_have_it(rasterize)
    with pytest.raises(SettingsError, match="outside must be 'error' or 'drop', got 'clip'"):
        plain(*columns, tempo=TempoMap(), grid=BeatGrid(4), pitches=PIANO, outside="clip")


def test_no_notes_are_named():
    """The message says which file; and that it holds drums, if that is what it holds."""
    with pytest.raises(NoNotesError, match=re.escape("<bytes>: no notes.") + "$"):
        read_placed(smf(b""), grid=FIFTIETHS, pitches=PIANO)
    drums = smf(on(channel=9) + off(480, channel=9))
    with pytest.raises(NoNotesError, match=re.escape("<bytes>: no notes. It has drums: pass drums=True to keep them.")):
        read_placed(drums, grid=FIFTIETHS, pitches=PIANO)
    assert read_placed(drums, grid=FIFTIETHS, pitches=PIANO, drums=True).notes.planes().active.sum() == 25


def test_a_part_that_is_not_there_is_named():
    """The message says what there is to choose."""
    with pytest.raises(MidiError, match=r"no part with track=3, .*It has: track 0 '', program 0, channel 0\."):
        read_placed(smf(NOTE), grid=FIFTIETHS, pitches=PIANO, track=3)


# --------------------------------------------------------------------------------------------------- limits


def test_the_limits_on_frames_and_cells_are_exact():
    """What is allowed passes to the last frame, and not one further."""
    rows = [(0, 24, 60), (24 * 99, 24 * 100, 61)]
    assert len(_rasterized(rows, limits=Limits(max_frames=100, max_cells=8800))[0]) == 100
    for limits in (Limits(max_frames=99), Limits(max_cells=8799)):
        with pytest.raises(LimitError) as caught:
            _rasterized(rows, limits=limits, label="song.mid")
        for part in (
            "song.mid: 100 frames of 88 pitches",
            f"over the limits of {limits.max_frames} frames and {limits.max_cells} cells",
            "its last note ends at 1 s, while 99 % of its notes have ended by 0 s",
            "read_midi(path).truncate(seconds)",
            "limits=Limits(...)",
        ):
            assert part in str(caught.value)
    narrow = PitchRange(60, 61)
    assert len(_rasterized(rows, pitches=narrow, limits=Limits(max_cells=200))[0]) == 100
    with pytest.raises(LimitError):
        _rasterized(rows, pitches=narrow, limits=Limits(max_cells=199))


def test_a_dropped_note_does_not_count_for_the_limits():
    """A stray drum hit hours away, which is dropped, must not make the song too long."""
    rows = [(0, 24, 60), (24 * 10**6, 24 * 10**6 + 24, 120)]
    assert len(_rasterized(rows, outside="drop", limits=Limits(max_frames=10))[0]) == 1


def test_notes_of_no_length_count_a_frame():
    """The frame that they get is the one past the limit."""
    assert len(_rasterized([(24 * 10, 24 * 10, 60)], limits=Limits(max_frames=11))[0]) == 11
    with pytest.raises(LimitError):
        _rasterized([(24 * 10, 24 * 10, 60)], limits=Limits(max_frames=10))


def _peak(make) -> int:
    tracemalloc.start()
    try:
        make()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_refused_roll_takes_no_memory():
    """The check comes before the planes: a tick count in a file must not reserve gigabytes."""
    data = smf(tempo(0, 2**24 - 1) + on() + b"\xff\xff\xff\x7f\x80\x3c\x00", division=1)

    def refused() -> None:
        with pytest.raises(LimitError):
            read_placed(data, grid=FIFTIETHS, pitches=PIANO)

    refused()
    assert _peak(refused) < 2**20


def test_thousands_of_long_notes_on_few_keys_take_no_more_than_the_planes():
    """Note by note they would fill billions of cells; the planes have five million."""
    count, frames = 20_000, 60_000
    onset = np.arange(count) * 24
    end = np.full(count, frames * 24)
    pitch = 21 + np.arange(count) % 88

    def fill():
        return rasterize(onset, end, pitch, tempo=TempoMap(960), grid=BeatGrid(40), pitches=PIANO)

    active, onset_plane, _ = fill()
    assert onset_plane.sum() == count
    first = np.array([np.flatnonzero(pitch == 21 + column)[0] for column in range(88)])
    assert np.array_equal(active, np.arange(frames)[:, None] >= first)
    assert _peak(fill) < 8 * active.size


@given(
    SONG_FILES,
    st.fixed_dictionaries(
        {},
        optional={
            "overlaps": st.sampled_from(["keep", "cut"]),
            "zero_length": st.sampled_from(["keep", "drop"]),
            "unended": st.sampled_from(["drop", "hold"]),
            "pairing": st.sampled_from(["first", "last"]),
            "sustain": st.booleans(),
        },
    ),
    st.booleans(),
)
def test_the_quick_way_keeps_to_the_policies(file, policies, drums):
    """Parts read together must not cut each other's notes short."""
    data, grid = file_bytes(file), BeatGrid(4)
    try:
        roll = PianoRoll.from_score(read_midi(data, **policies), grid=grid, pitches=PitchRange(0, 127), drums=drums)
    except NoNotesError:
        with pytest.raises(NoNotesError):
            read_placed(data, grid=grid, pitches=PitchRange(0, 127), drums=drums, **policies)
        return
    read = read_placed(data, grid=grid, pitches=PitchRange(0, 127), drums=drums, **policies)
    planes = read.notes.planes()
    assert np.array_equal(planes.active, roll.active)
    assert np.array_equal(planes.onset, roll.onset)
    assert read.tempo == roll.tempo


def test_parts_do_not_cut_one_another():
    """A flute's long note continues while the piano plays the same key."""
    data = smf(on(0) + off(960), on(480, channel=1) + off(240, channel=1))
    planes = read_placed(data, grid=BeatGrid(4), pitches=PIANO, overlaps="cut").notes.planes()
    assert planes.active[:, 60 - 21].sum() == 8
