"""Interchange: if these fail, music taken from another library, or handed to it, is other music than it was."""

import io
import json
import os
import re
import sys
import warnings
import zipfile
from collections import Counter
from contextlib import suppress
from fractions import Fraction

import music21
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import ORDINARY_TICKS, note_table, planes, rolls, scores, tempo_maps
from typechecker import as_users_have_it

from pianoroll_seq2seq.errors import (
    GridError,
    LimitError,
    MidiError,
    MidiNotFoundError,
    MissingExtraError,
    NoNotesError,
    OverwriteError,
    PitchRangeError,
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.interchange import (
    Multitrack,
    read_pypianoroll,
    roll_from_array,
    roll_to_array,
    score_from_music21,
    score_to_music21,
    write_pypianoroll,
)
from pianoroll_seq2seq.limits import Limits
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PIANO, PitchRange
from pianoroll_seq2seq.score import Part, Score
from pianoroll_seq2seq.tempo import TempoMap

ALL_PITCHES = PitchRange(0, 127)
LAYOUTS = st.sampled_from(["frames_first", "pitches_first"])


# ------------------------------------------------------------------------------------------------- arrays


@given(rolls(), LAYOUTS, st.none() | st.integers(1, 127))
def test_what_sounds_goes_to_an_array_and_back(roll, layout, velocity):
    """A user's own model would be trained on other music, and its output be other music."""
    array = roll_to_array(roll, layout=layout, velocity=velocity)
    assert array.dtype == np.uint8
    assert np.array_equal(array if layout == "frames_first" else array.T, roll.active * (velocity or 1))
    back = roll_from_array(array, layout=layout, grid=roll.grid, pitches=roll.pitches, tempo=roll.tempo, name="x")
    assert back == PianoRoll.from_active(roll.active, grid=roll.grid, pitches=roll.pitches, tempo=roll.tempo)
    assert back.name == "x"


@given(planes(), st.sampled_from([np.float16, np.float32, np.float64, np.int64, np.uint8]), LAYOUTS)
def test_a_cell_sounds_above_the_threshold_alone(both, dtype, layout):
    """Probabilities of exactly one half are silent, as in sampling; velocities above 0 sound."""
    active, _ = both
    pitches = PitchRange(0, active.shape[1] - 1)
    low, high = (0.5, 0.75) if np.issubdtype(dtype, np.floating) else (3, 4)
    values = np.where(active, high, low).astype(dtype)
    roll = roll_from_array(
        values if layout == "frames_first" else values.T, layout=layout, pitches=pitches, threshold=low
    )
    assert roll == PianoRoll.from_active(active, pitches=pitches)


def test_the_pitches_of_the_usual_widths_are_known():
    """88 columns begin at A0, 128 at MIDI 0: off by 21, every piece would be transposed."""
    assert roll_from_array(np.eye(88)).pitches == PIANO
    assert roll_from_array(np.zeros((128, 3)), layout="pitches_first").pitches == ALL_PITCHES


@pytest.mark.parametrize(
    ("array", "arguments", "message"),
    [
        (np.zeros((128, 40)), {}, r"shape \(128, 40\).*40 pitches, expected 88 or 128\. Pass layout='pitches_first'"),
        (np.zeros((40, 88)), {"layout": "pitches_first"}, r"Pass layout='frames_first'"),
        (np.zeros((40, 49)), {}, r"expected 88 or 128\. Pass pitches=.* with 49 pitches"),
        (np.zeros((40, 88)), {"pitches": PitchRange(60, 62)}, r"88 pitches, expected 3\."),
        (np.zeros((4, 40, 88)), {}, r"expected a matrix of numbers or bools, got float64 of shape \(4, 40, 88\)"),
        (np.zeros((40, 88), dtype=complex), {}, "got complex128"),
        (np.full((40, 88), "x"), {}, "got <U1"),
        (np.diag([1.0, np.nan, 1.0]), {"pitches": PitchRange(60, 62)}, "NaN in frame 1, column 1"),
    ],
)
def test_an_array_that_is_no_roll_is_refused(array, arguments, message):
    """The message shows what came and the way out, and names the piece."""
    with pytest.raises(ShapeError, match="^song: .*" + message):
        roll_from_array(array, name="song", **arguments)


def test_other_layouts_and_velocities_are_refused():
    """A typo would turn time into pitch; velocity 0 would silence every note."""
    roll = PianoRoll.from_active(np.eye(88, dtype=bool))
    with pytest.raises(SettingsError, match="'time_first'"):
        as_users_have_it(roll_from_array)(np.eye(88), layout="time_first")
    with pytest.raises(SettingsError, match="'time_first'"):
        as_users_have_it(roll_to_array)(roll, layout="time_first")
    for velocity in (0, 128):
        with pytest.raises(SettingsError, match=rf"1\.\.127, got {velocity}"):
            roll_to_array(roll, velocity=velocity)


# ------------------------------------------------------------------------------------------------ music21


def _part(*elements, instrument=None, name=None) -> music21.stream.Part:
    """A part of elements, or pairs of (offset, element), one after another by default."""
    part = music21.stream.Part()
    part.partName = name
    if instrument is not None:
        part.insert(0, instrument)
    for element in elements:
        if isinstance(element, tuple):
            part.insert(*element)
        else:
            part.append(element)
    return part


def _note(pitch, length=1.0, tie=None) -> music21.note.Note:
    note = music21.note.Note(pitch, quarterLength=length)
    note.tie = music21.tie.Tie(tie) if tie else None
    return note


def _beats(score: Score) -> Counter:
    """Onset and end in beats, pitch, velocity and part of each note."""
    table = score.notes
    return Counter(
        (Fraction(on, score.ticks_per_beat), Fraction(end, score.ticks_per_beat), pitch, velocity, part)
        for on, end, pitch, velocity, part in zip(
            *(
                column.tolist()
                for column in (table.onset_tick, table.end_tick, table.pitch, table.velocity, table.part)
            ),
            strict=True,
        )
    )


def _spans(stream, **arguments) -> list[tuple]:
    """Onset and end in beats and pitch of each note, sorted."""
    return sorted(note[:3] for note in _beats(score_from_music21(stream, **arguments)).elements())


@pytest.mark.parametrize("number", ["bwv66.6", "bwv1.6", "bwv10.7", "bwv244.3", "bwv392"])
def test_bach_chorales_are_read_note_by_note(number):
    """Against a plain walk through the measures, which merges ties on its own: real scores, horns included."""
    stream = music21.corpus.parse(f"bach/{number}")
    expected: Counter = Counter()
    for index, part in enumerate(stream.toSoundingPitch().parts):
        held: dict[int, Fraction] = {}
        for measure in part.getElementsByClass("Measure"):
            for element in measure.recurse().notes:
                onset = Fraction(measure.offset) + Fraction(element.getOffsetInHierarchy(measure))
                for note in element.notes if element.isChord else [element]:
                    tie = note.tie.type if note.tie else None
                    begin = held.pop(note.pitch.midi) if tie in ("stop", "continue") else onset
                    if tie in ("start", "continue"):
                        held[note.pitch.midi] = begin
                    else:
                        expected[begin, onset + Fraction(element.quarterLength), note.pitch.midi, 90, index] += 1
        assert not held
    score = score_from_music21(stream)
    assert _beats(score) == expected
    assert sum(expected.values()) > 100
    assert [part.name for part in score.parts] == [part.partName for part in stream.parts]
    assert score.ticks_per_beat == 480


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scores(ORDINARY_TICKS))
def test_a_score_goes_to_music21_and_back(score):
    """Every onset, end, pitch, velocity, part and tempo, whatever the ticks per beat."""
    back = score_from_music21(score_to_music21(score))
    assert _beats(back) == _beats(score)
    assert back.parts == score.parts

    def changes(tempo: TempoMap) -> list[tuple]:
        return [(Fraction(tick, tempo.ticks_per_beat), us) for tick, us in tempo.changes]

    assert changes(back.tempo) == changes(score.tempo)


def test_a_score_in_music21_is_at_sounding_pitch():
    """A user who names the instrument there must see a clarinet's part written a tone higher, not sounding lower."""
    stream = score_to_music21(Score(note_table([(0, 480, 60, 100, 0)]), TempoMap()))
    stream.parts[0].insert(0, music21.instrument.Clarinet())
    assert stream.toSoundingPitch().recurse().notes.first().pitch.midi == 60
    assert stream.parts[0].toWrittenPitch().recurse().notes.first().pitch.midi == 62


def test_a_score_without_notes_or_parts_goes_to_music21():
    """Its tempo has no part to stand in."""
    stream = score_to_music21(Score(note_table([]), TempoMap(480, [(0, 400_000)]), (), "silence"))
    assert [mark.number for mark in stream.recurse().getElementsByClass("MetronomeMark")] == [150]
    assert stream.metadata.title == "silence"
    with pytest.raises(NoNotesError, match=r"^silence: no notes\.$"):
        score_from_music21(stream)


@pytest.mark.parametrize("form", ["midi", "musicxml"])
def test_music21_writes_the_score_that_it_is_given(form, tmp_path):
    """Else a user would see or hear other notes than the model wrote: drums on channel 10, tempi in place."""
    notes = note_table([(0, 480, 60, 80, 0), (480, 640, 61, 90, 0), (640, 960, 63, 100, 0), (0, 240, 38, 70, 1)])
    score = Score(notes, TempoMap(480, [(0, 400_000), (480, 600_000)]), (Part("Flute", 73), Part("Kit", 0, True)))
    path = score_to_music21(score).write(form, tmp_path / f"song.{form}")
    back = score_from_music21(music21.converter.parse(path, forceSource=True))
    assert _beats(back) == _beats(score)
    assert back == score


def test_tuplets_are_exact():
    """Rounded, a triplet's notes would overlap, or leave gaps and drift from the beat."""
    third, seventh, eleventh = Fraction(1, 3), Fraction(1, 7), Fraction(1, 11)
    triplets = _part(*(_note(60, third) for _ in range(6)))
    assert _spans(triplets) == [(i * third, (i + 1) * third, 60) for i in range(6)]
    assert score_from_music21(triplets).ticks_per_beat == 480
    odd = _part(*(_note(60, seventh) for _ in range(7)), *(_note(62, eleventh) for _ in range(11)))
    assert score_from_music21(odd).ticks_per_beat == 77 * 7  # with 480, it would be 36,960
    assert _spans(odd)[7:] == [(1 + i * eleventh, 1 + (i + 1) * eleventh, 62) for i in range(11)]
    assert score_from_music21(_part(_note(60, third), _note(60, seventh))).ticks_per_beat == 3360


def test_times_that_no_ticks_can_hold_go_to_the_nearest_tick():
    """Lengths of prime denominators need more ticks than a MIDI file may have: 10,080 a beat, halves up."""
    primes = (251, 241, 239)
    score = score_from_music21(_part(*((beat, _note(60, Fraction(1, prime))) for beat, prime in enumerate(primes))))
    assert score.ticks_per_beat == 10_080
    assert score.notes.onset_tick.tolist() == [0, 10_080, 20_160]
    lengths = (score.notes.end_tick - score.notes.onset_tick).tolist()
    assert lengths == [int(Fraction(10_080, prime) + Fraction(1, 2)) for prime in primes]


def test_tied_notes_are_one_note():
    """Struck again at every bar line, long notes would be taught to the model as repeated ones."""
    chord = music21.chord.Chord([_note("C4", tie="continue"), _note("E4")])
    part = _part(_note("C4", tie="start"), chord, _note("C4", 0.5, tie="stop"), _note("C4", 0.5), _note("C4"))
    assert _spans(part) == [
        (0, Fraction(5, 2), 60),
        (1, 2, 64),
        (Fraction(5, 2), 3, 60),
        (3, 4, 60),
    ]


def test_a_tie_that_leads_nowhere_is_no_tie():
    """In files as they are: to another pitch, over a rest, from nothing. No note is lost or drawn out."""
    part = _part(
        *((0, _note("C4", tie="stop")), (1, _note("C4", tie="start")), (2, _note("D4", tie="stop"))),
        *((3, _note("E4", tie="start")), (5, _note("E4", tie="stop"))),
    )
    assert _spans(part) == [(0, 1, 60), (1, 2, 60), (2, 3, 62), (3, 4, 64), (5, 6, 64)]


def test_ties_of_two_voices_on_one_pitch_stay_apart():
    """In keyboard music both hands may hold one key."""
    part = _part(
        *((0, _note("C4", 1.0, "start")), (0, _note("C4", 1.0, "start"))),
        *((1, _note("C4", 1.0, "stop")), (1, _note("C4", 2.0, "stop"))),
    )
    assert _spans(part) == [(0, 2, 60), (0, 3, 60)]


def test_grace_notes_have_no_length():
    """They take no time from the notes around them; on a grid they get a frame."""
    part = _part(_note("D4").getGrace(), _note("C4", 2.0))
    assert _spans(part) == [(0, 0, 62), (0, 2, 60)]
    assert len(PianoRoll.from_score(score_from_music21(part)).notes()[0]) == 2


def test_pitches_are_those_that_sound():
    """A clarinet's written C sounds as B flat: read as written, chords would be wrong. The stream stays."""
    part = _part(_note("C4"), instrument=music21.instrument.Clarinet())
    part.atSoundingPitch = False
    octave = music21.spanner.Ottava(type="8va")
    high = _note("D4")
    octave.addSpannedElements(high)
    other = _part(high, octave)
    whole = music21.stream.Score([part, other])
    whole.atSoundingPitch = False
    assert [note[2] for note in _spans(whole)] == [58, 74]
    assert [note.nameWithOctave for note in whole.recurse().notes] == ["C4", "D4"]
    assert part.atSoundingPitch is False
    assert not any(note.hasVolumeInformation() for note in whole.recurse().notes)


def test_a_stream_stays_as_it_was():
    """A user's score, read, must not come out transposed, flattened or without its ties."""
    stream = music21.corpus.parse("bach/bwv66.6")
    before = [(type(element), element.offset, str(element)) for element in stream.recurse()]
    ties = [note.tie for note in stream.recurse().notes]
    score_from_music21(stream)
    score_from_music21(stream, expand_repeats=True)
    assert [(type(element), element.offset, str(element)) for element in stream.recurse()] == before
    assert [note.tie for note in stream.recurse().notes] == ties


def test_parts_keep_their_place_name_and_instrument():
    """Parts that begin later, and parts without notes, too."""
    flute = _part(_note(72), instrument=music21.instrument.Flute(), name="Air")
    second = _part(_note(60))
    second.id = "basso"
    silent = _part(music21.note.Rest())
    whole = music21.stream.Score()
    for offset, part in ((0, flute), (2.5, second), (0, silent)):
        whole.insert(offset, part)
    whole.insert(0, music21.metadata.Metadata(title="Trio"))
    score = score_from_music21(whole)
    assert score.parts == (Part("Air", 73), Part(""), Part("basso"))  # music21 has them in order of offset
    assert _beats(score) == Counter([(0, 1, 72, 90, 0), (Fraction(5, 2), Fraction(7, 2), 60, 90, 2)])
    assert score.name == "Trio"


def test_a_part_a_measure_and_a_bare_stream_are_read():
    """Not everybody has a whole score."""
    for kind in (music21.stream.Part, music21.stream.Measure, music21.stream.Stream, music21.stream.Voice):
        score = score_from_music21(kind([_note(60), _note(62)]))
        assert _beats(score) == Counter([(0, 1, 60, 90, 0), (1, 2, 62, 90, 0)])
        assert score.parts == (Part(),)


def test_velocities_are_those_of_the_notes_their_chords_or_90():
    """A chord's loudness holds for notes that say none of their own."""
    loud, plain = _note(60), _note(61)
    loud.volume.velocity = 120
    chord = music21.chord.Chord([62, 63])
    chord.volume.velocity = 50
    each = music21.chord.Chord([64, 65])
    each.setVolumes([30, 40])
    score = score_from_music21(_part(loud, plain, chord, each))
    assert dict(zip(score.notes.pitch.tolist(), score.notes.velocity.tolist(), strict=True)) == {
        60: 120,
        61: 90,
        62: 50,
        63: 50,
        64: 30,
        65: 40,
    }


def test_drums_are_those_whose_pitch_is_known():
    """A snare read as the tone D would sound in the melody; an unknown drum has no number at all."""
    snare, unknown = music21.note.Unpitched(), music21.note.Unpitched()
    snare.storedInstrument = music21.instrument.SnareDrum()
    kit = _part(snare, unknown, _note(42), instrument=music21.instrument.UnpitchedPercussion(), name="Kit")
    score = score_from_music21(kit)
    assert score.parts == (Part("Kit", 0, drums=True),)
    assert score.notes.pitch.tolist() == [38, 42]
    stray = music21.note.Unpitched()
    stray.storedInstrument = music21.instrument.SnareDrum()
    melody = _part(_note(60), stray, music21.percussion.PercussionChord([_note(64), music21.note.Unpitched()]))
    assert score_from_music21(melody).notes.pitch.tolist() == [60, 64]
    assert not score_from_music21(melody).parts[0].drums


def test_chord_symbols_are_not_played():
    """They stand above the melody; played, every lead sheet would be full of chords nobody wrote."""
    part = _part((0, music21.harmony.ChordSymbol("C7")), (0, _note(72)), (1, music21.harmony.NoChord()))
    assert _spans(part) == [(0, 1, 72)]
    part.getElementsByClass("ChordSymbol").first().writeAsChord = True
    assert len(_spans(part)) == 1 + 4


def test_tempo_marks_count_in_quarter_notes():
    """Half notes at 60 are quarter notes at 120; marks in words alone, with the tempo that music21 gives them."""
    part = _part(*(_note(60) for _ in range(8)))
    marks = [
        (0, music21.tempo.MetronomeMark(number=60, referent="half")),
        (1, music21.tempo.MetronomeMark(number=90)),
        (Fraction(7, 3), music21.tempo.MetronomeMark(number=140.0)),
        (3, music21.tempo.MetronomeMark("Wunderbar")),
        (4, music21.tempo.TempoText("adagio")),
    ]
    for offset, mark in marks:
        part.insert(offset, mark)
    adagio = music21.tempo.MetronomeMark("adagio").number
    assert score_from_music21(part).tempo == TempoMap(
        480, [(0, 500_000), (480, 666_667), (1120, 428_571), (1920, round(60e6 / adagio))]
    )
    part.insert(5, music21.tempo.MetronomeMark(number=0.5))
    with pytest.raises(MidiError, match=r"^The music21 Part: .*1\.\.16777215 microseconds per beat, got 120000000"):
        score_from_music21(part)


def test_repeats_are_played_out_when_asked():
    """Off by default, so that beats are those of the printed score."""
    part = music21.stream.Part()
    first = music21.stream.Measure([_note(60, 4.0)])
    first.rightBarline = music21.bar.Repeat(direction="end", times=2)
    part.append([first, music21.stream.Measure([_note(62, 4.0)])])
    whole = music21.stream.Score([part])
    assert _spans(whole) == [(0, 4, 60), (4, 8, 62)]
    for stream in (whole, part):
        assert _spans(stream, expand_repeats=True) == [(0, 4, 60), (4, 8, 60), (8, 12, 62)]
    with pytest.raises(MidiError, match="cannot expand its repeats"):
        score_from_music21(_part(_note(60)), expand_repeats=True)


def test_what_holds_no_single_piece_is_refused():
    """Pieces of a collection would sound all at once; pitches beyond MIDI's would wrap around."""
    with pytest.raises(MidiError, match=r"Opus.*\.scores"):
        score_from_music21(music21.stream.Opus([music21.stream.Score([_part(_note(60))])]))
    with pytest.raises(NoNotesError, match="The music21 Score: no notes"):
        score_from_music21(music21.stream.Score())
    with pytest.raises(MidiError, match=r"The music21 Part: Note 0 breaks the rule 'pitch in 0\.\.127'"):
        score_from_music21(_part(_note("C12")))


def test_without_music21_the_message_says_what_to_install(monkeypatch):
    """It is an optional extra."""
    score = Score(note_table([(0, 480, 60, 100, 0)]), TempoMap())
    stream = score_to_music21(score)
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(MissingExtraError, match=r"'music21'.*\[datasets\]"):
        as_users_have_it(score_from_music21)(stream)
    with pytest.raises(MissingExtraError, match=r"'music21'.*\[datasets\]"):
        as_users_have_it(score_to_music21)(score)


# --------------------------------------------------------------------------------------------- pypianoroll

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
    assert [values.tolist() for values in roll.notes()] == [[0, 3], [2, 4], [60, 64]]
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


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    read = read_pypianoroll(write_pypianoroll(written, tmp_path / "song.npz", overwrite=True))
    assert [part for part, _ in read.tracks] == [part for part, _ in written]
    for (_, roll), (_, expected) in zip(read.tracks, written, strict=True):
        whole = np.zeros((len(expected), 128), dtype=bool)
        whole[:, expected.pitches.lowest : expected.pitches.highest + 1] = expected.active
        assert roll == PianoRoll.from_active(whole, grid=grid, pitches=ALL_PITCHES, tempo=roll.tempo)
        for frame in range(len(roll)):
            tick, expected_tick = (int(grid.ticks_at(np.array([frame]), each)[0]) for each in (roll.tempo, tempo))
            assert roll.tempo.us_per_beat_at(tick) == tempo.us_per_beat_at(expected_tick)


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
    "no info": ({"info": None}, "holds .*and no 'info.json'"),
    "info cut": ({"info": b'{"resolution": 2'}, "info.json cannot be read"),
    "info not text": ({"info": b"\xff\xfe\xfd"}, "info.json cannot be read"),
    "info too deep": ({"info": b"[" * 100_000}, "info.json cannot be read"),
    "info a list": ({"info": b"[1]"}, r"must hold an object, got \[1\]"),
    "no resolution": ({"info": b"{}"}, r"resolution must be .*1\.\.32767, got None"),
    "resolution 0": ({"info": _info(resolution=0)}, "got 0"),
    "resolution true": ({"info": _info(resolution=True)}, "got True"),
    "track a list": ({"info": _info(**{"0": [1]})}, r"track 0 must have a whole number as program, got \[1\]"),
    "program a word": ({"info": _info(**{"0": {"program": "piano"}})}, "got .*'piano'"),
    "program 128": ({"info": _info(**{"0": {"program": 128}})}, r"program must lie in 0\.\.127, got 128"),
    "no data": ({"data": None}, "pianoroll_0_csc_data is missing or damaged"),
    "not an array": ({"data": b"music"}, "pianoroll_0_csc_data is missing or damaged"),
    "data of words": ({"data": np.array(["a", "b", "c"])}, "pianoroll_0_csc_data must hold numbers, got <U1"),
    "fewer data": ({"data": np.ones(2)}, "do not fit"),
    "square data": ({"data": np.ones((3, 1))}, "do not fit"),
    "objects": ({"data": _header("(3,)", "|O")}, "pianoroll_0_csc_data"),
    "huge data": ({"data": _header(f"({10**15},)")}, "pianoroll_0_csc_data is missing or damaged"),
    "huger data": ({"data": _header(f"({10**30},)")}, "pianoroll_0_csc_data is missing or damaged"),
    "negative data": ({"data": _header("(-3,)")}, "pianoroll_0_csc_data is missing or damaged"),
    "frame after the last": ({"indices": np.array([0, 1, 4])}, "track 0: a note in frame 0 or 4, of 4 frames"),
    "frame before the first": ({"indices": np.array([-1, 1, 3])}, "a note in frame -1"),
    "fractional frames": ({"indices": np.array([0.0, 1.0, 3.0])}, "indices must hold numbers, got float64"),
    "few columns": ({"indptr": np.zeros(89, int)}, "do not fit"),
    "pointers all over": ({"indptr": np.array([0, 2**62, -(2**62), *[3] * 126])}, "do not fit"),
    "pointers beyond": ({"indptr": np.array([0, *[2**62] * 128])}, "do not fit"),
    "one pointer": ({"indptr": np.array(3)}, "do not fit"),
    "other pitches": ({"shape": np.array([4, 88])}, r"shape \[frames, 128\], got \[4, 88\]"),
    "negative frames": ({"shape": np.array([-4, 128])}, r"got \[-4, 128\]"),
    "one length": ({"shape": np.array(4)}, r"got \[4\]"),
    "tempo 0": ({"tempo": np.array([100.0, 0.0])}, r"tempo must lie in 3\.58\.\.60000000 .*got 0\.0 in frame 1"),
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of NumPy, on a header that only Python 2 would write
        with suppress(MidiError):
            read_pypianoroll(path)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_no_damage_ends_in_another_error(tmp_path, flips, packed):
    """Any bytes may be wrong: a folder of files is read to its end."""
    path = _zipped(tmp_path / "song.npz", _members(), zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    for position, value in flips:
        content[position % len(content)] = value
    path.write_bytes(content)
    _read_or_refused(path)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    for limits in (Limits(cells=10**6), Limits(file_bytes=1000)):
        with pytest.raises(LimitError, match=rf"^.*bomb\.npz: {bomb.stat().st_size} bytes that unpack to \d+; Limits"):
            read_pypianoroll(bomb, limits=limits)
    song = _zipped(tmp_path / "song.npz", _members())
    longer = _zipped(tmp_path / "longer.npz", _members(shape=np.array([10_000, 128])))
    with pytest.raises(LimitError, match=r"1280000 cells; Limits .* cells=1000000\."):
        read_pypianoroll(longer, limits=Limits(cells=10**6))
    with pytest.raises(LimitError, match="frames=3 "):
        read_pypianoroll(song, limits=Limits(frames=3))
    assert len(read_pypianoroll(song, limits=Limits(frames=4)).tracks[0].roll) == 4


def test_rolls_that_no_file_can_hold_together_are_refused(tmp_path):
    """A file counts in beats, with one resolution and one tempo. Nothing is written."""
    roll = PianoRoll.from_active(np.eye(88, dtype=bool), name="a")
    seconds = PianoRoll.from_active(np.eye(88, dtype=bool), grid=SecondsGrid(0.02), name="b")
    finer = PianoRoll.from_active(np.eye(88, dtype=bool), grid=BeatGrid(8), name="c")
    slower = PianoRoll.from_active(np.eye(88, dtype=bool), tempo=TempoMap(480, [(0, 900_000)]))
    path = tmp_path / "song.npz"
    with pytest.raises(GridError, match=r"^b lies on SecondsGrid.*grid=BeatGrid"):
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
