"""What may be bent about notes: if these fail, a user gets other notes than the policy's words promise."""

import mido
import numpy as np
import pytest
from event_player import played, sounded
from hypothesis import given
from hypothesis import strategies as st
from midi_bytes import END, NOTE, by_all, chunk, header, off, on, smf, spans
from strategies import SONG_FILES, file_bytes, midi_files
from typechecker import as_users_have_it

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.midi_io import read_midi, read_notes
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.tempo import MAX_TICK

POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "pairing": st.sampled_from(["first", "last"]),
        "unended": st.sampled_from(["drop", "hold"]),
        "overlaps": st.sampled_from(["keep", "cut"]),
        "zero_length": st.sampled_from(["keep", "drop"]),
        "sustain": st.booleans(),
    },
)


@st.composite
def _pedalled_files(draw, files):
    """Files with pedals on the channels of their notes, many on one tick."""
    file = draw(files)
    pedal = st.tuples(st.integers(0, 30), st.sampled_from([0, 1]), st.sampled_from([0, 63, 64, 127]), st.just(64))
    for track in file.tracks:
        for place, channel, value, control in draw(st.lists(pedal, max_size=8)):
            delta = draw(st.sampled_from([0, 0, 40]))
            message = mido.Message("control_change", time=delta, channel=channel, control=control, value=value)
            track.insert(min(place, len(track)), message)
    return file


def _brute(file, *, overlaps="keep", zero_length="keep", **policies):
    """The notes (track, channel, program, drums, onset, end, pitch, velocity) by the words of the policies."""
    found = played(file, **policies)
    if overlaps == "cut":
        found = _cut(found)
    return sorted(note for note in found if zero_length == "keep" or note.end > note.onset)


def _cut(notes):
    """Each ends at the next onset of its part and pitch; of two with one onset, the longer stays."""
    cut = []
    for note in notes:
        same = [other for other in notes if other[:4] == note[:4] and other.pitch == note.pitch]
        if any(other.onset == note.onset and other.end > note.end for other in same):
            continue
        later = [other.onset for other in same if other.onset > note.onset]
        cut.append(note._replace(end=min([note.end, *later])))
    return cut


def _without_velocity(rows):
    return sorted({row[:7] for row in rows})


@given(_pedalled_files(midi_files()), POLICIES)
def test_notes_are_those_of_the_policies_words(file, policies):
    """Alone or together: a pedal that is lifted, a note that never ends, a pitch that begins again."""
    read, brute = sounded(read_midi(file_bytes(file), **policies)), _brute(file, **policies)
    if policies.get("overlaps") == "cut":  # of two with one onset and one length, either velocity
        assert _without_velocity(read) == _without_velocity(brute)
        assert len(read) == len(_without_velocity(brute))
        assert set(read) <= set(brute)
    else:
        assert read == brute


@given(_pedalled_files(SONG_FILES), POLICIES)
def test_all_readers_and_the_roll_bend_alike(file, policies):
    """The quick way to a roll, the careful reader and the score would show three different pieces."""
    data = file_bytes(file)
    score = by_all(data, **policies)
    for grid in (SecondsGrid(0.02), BeatGrid(4)):
        assert _roll(PianoRoll.from_midi, data, grid, **policies) == _roll(PianoRoll.from_score, score, grid)


def _roll(make, source, grid, **policies):
    try:
        roll = make(source, grid=grid, outside="drop", **policies)
    except ValueError as error:
        return type(error)
    return roll


def test_an_end_goes_to_the_oldest_or_the_latest():
    """Two fingers on one key: who lets go first is a matter of the instrument."""
    data = smf(on() + on(10) + off(10) + off(10))
    assert spans(by_all(data)) == [(0, 20, 60), (10, 30, 60)]
    assert spans(by_all(data, pairing="last")) == [(0, 30, 60), (10, 20, 60)]


def test_a_note_that_never_ends_is_dropped_or_held():
    """A file cut by hand: its last chord, or a stuck key."""
    data = smf(on() + on(10, 64) + off(10, 64) + b"\x60\xb0\x07\x40")
    assert spans(by_all(data)) == [(10, 20, 64)]
    assert spans(by_all(data, unended="hold")) == [(0, 116, 60), (10, 20, 64)]


def test_the_silence_before_the_end_of_track_is_part_of_the_track():
    """The end of track says how long the last chord is held."""
    data = header() + chunk(on() + b"\x60" + END[1:])
    assert spans(read_midi(data, unended="hold")) == [(0, 96, 60)]


def test_a_repeated_note_stays_or_is_cut():
    """A string sounds once at a time."""
    data = smf(on() + on(10) + off(10) + off(10))
    assert spans(by_all(data, overlaps="cut")) == [(0, 10, 60), (10, 30, 60)]
    twins = smf(on() + on() + off(10) + off(10))
    assert spans(by_all(twins, overlaps="cut")) == [(0, 20, 60)]


def test_cutting_leaves_other_parts_and_pitches_alone():
    """Two instruments may hold one pitch."""
    data = smf(on() + on(5, channel=1) + on(5, 64) + off(5) + off(5, channel=1) + off(5, 64))
    assert spans(by_all(data, overlaps="cut")) == spans(by_all(data))


def test_notes_of_no_length_are_kept_or_dropped():
    """Drum hits to one, dirt to another."""
    data = smf(on() + off(0) + NOTE)
    assert spans(by_all(data)) == [(0, 0, 60), (0, 480, 60)]
    assert spans(by_all(data, zero_length="drop")) == [(0, 480, 60)]


PEDALS = {
    "held until it rises": (b"\x00\xb0\x40\x7f" + on() + off(10) + b"\x0a\xb0\x40\x00", [(0, 20, 60)]),
    "not down": (on() + off(10) + b"\x0a\xb0\x40\x00", [(0, 10, 60)]),
    "down after the end": (on() + off(10) + b"\x01\xb0\x40\x7f\x0a\xb0\x40\x00", [(0, 10, 60)]),
    "down on the tick of the end, after it": (on() + off(10) + b"\x00\xb0\x40\x7f\x0a\xb0\x40\x00", [(0, 10, 60)]),
    "down on the tick of the end, before it": (
        on() + b"\x0a\xb0\x40\x7f" + off() + b"\x0a\xb0\x40\x00",
        [(0, 20, 60)],
    ),
    "up on the tick of the end": (b"\x00\xb0\x40\x7f" + on() + b"\x0a\xb0\x40\x00" + off(), [(0, 10, 60)]),
    "up and down on the tick of the end, before it": (
        b"\x00\xb0\x40\x7f" + on() + b"\x0a\xb0\x40\x00\x00\xb0\x40\x7f" + off() + b"\x0a\xb0\x40\x00",
        [(0, 20, 60)],
    ),
    "up and down on the tick of the end, after it": (
        b"\x00\xb0\x40\x7f" + on() + off(10) + b"\x00\xb0\x40\x00\x00\xb0\x40\x7f\x0a\xb0\x40\x00",
        [(0, 10, 60)],
    ),
    "up and down while held": (
        b"\x00\xb0\x40\x7f" + on() + off(10) + b"\x0a\xb0\x40\x00\x00\xb0\x40\x7f\x0a\xb0\x40\x00",
        [(0, 20, 60)],
    ),
    "begins again": (
        b"\x00\xb0\x40\x7f" + on() + off(10) + on(5) + off(10) + b"\x0a\xb0\x40\x00",
        [(0, 15, 60), (15, 35, 60)],
    ),
    "another pitch begins": (
        b"\x00\xb0\x40\x7f" + on() + off(10) + on(5, 64) + off(10, 64) + b"\x0a\xb0\x40\x00",
        [(0, 35, 60), (15, 35, 64)],
    ),
    "never lifted": (b"\x00\xb0\x40\x7f" + on() + off(10) + b"\x0a\xb0\x07\x00", [(0, 20, 60)]),
    "pressed again while down": (
        b"\x00\xb0\x40\x7f" + on() + off(10) + b"\x05\xb0\x40\x50\x05\xb0\x40\x00",
        [(0, 20, 60)],
    ),
    "half pressed, 63": (b"\x00\xb0\x40\x3f" + on() + off(10) + b"\x0a\xb0\x40\x00", [(0, 10, 60)]),
    "half pressed, 64": (b"\x00\xb0\x40\x40" + on() + off(10) + b"\x0a\xb0\x40\x3f", [(0, 20, 60)]),
    "of another channel": (b"\x00\xb1\x40\x7f" + on() + off(10) + b"\x0a\xb1\x40\x00", [(0, 10, 60)]),
    "over a change of program": (
        b"\x00\xb0\x40\x7f" + on() + off(10) + b"\x00\xc0\x05" + on(5) + off(10) + b"\x0a\xb0\x40\x00",
        [(0, 15, 60), (15, 35, 60)],
    ),
}


@pytest.mark.parametrize("kind", PEDALS)
def test_the_pedal_holds_notes_as_the_words_say(kind):
    """Piano recordings are dry without it; one tick of misreading, and a chord sounds to the end."""
    track, expected = PEDALS[kind]
    assert spans(by_all(smf(track), sustain=True)) == expected
    assert all(end <= 60 for _, end, _ in spans(by_all(smf(track))))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pairing", "fifo"),
        ("unended", "keep"),
        ("overlaps", "merge"),
        ("zero_length", None),
        ("sustain", "yes"),
        ("sustained", True),
    ],
)
def test_what_is_no_policy_is_named(name, value):
    """A slip of the pen must not quietly mean the default. The message says what there is to choose."""
    with pytest.raises(SettingsError) as caught:
        as_users_have_it(read_notes)(smf(NOTE), **{name: value})
    for part in (
        f"{name}={value!r}: unknown value for a reading option",
        "choose from",
        "'pairing': ('first', 'last')",
        "'sustain'",
    ):
        assert part in str(caught.value)


def test_salvage_holds_no_pedal_past_the_last_tick():
    """A pedal left down, and a stray event years later: the notes before it can be saved."""
    late = b"\xff\xff\xff\x7f\xff\x01\x00" * 9
    data = smf(b"\x00\xb0\x40\x7f" + on() + off(10) + late)
    assert spans(by_all(data, sustain=True, on_damage="salvage")) == [(0, MAX_TICK, 60)]
    assert np.array_equal(by_all(data).notes.end_tick, [10])
