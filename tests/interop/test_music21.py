"""music21 streams: if these fail, music from or for music21 is other music than it was."""

import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import music21
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import ORDINARY_TICKS, note_table, scores
from typechecker import as_users_have_it

from pianoroll_seq2seq.errors import (
    MidiError,
    MissingExtraError,
    NoNotesError,
)
from pianoroll_seq2seq.interop import (
    score_from_music21,
    score_to_music21,
)
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap


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


@settings(suppress_health_check=[HealthCheck.too_slow])
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
    """Otherwise a user would get other notes than the model wrote: drums on channel 10, tempi in place."""
    notes = note_table([(0, 480, 60, 80, 0), (480, 640, 61, 90, 0), (640, 960, 63, 100, 0), (0, 240, 38, 70, 1)])
    score = Score(notes, TempoMap(480, [(0, 400_000), (480, 600_000)]), (Part("Flute", 73), Part("Kit", 0, True)))
    path = score_to_music21(score).write(form, tmp_path / f"song.{form}")
    back = score_from_music21(music21.converter.parse(path, forceSource=True))
    assert _beats(back) == _beats(score)
    assert [str(one) for one in back.meter.time_signatures] == ["4/4"]  # which music21 adds
    assert back == replace(score, meter=back.meter)


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
    part = _part(*((beat, _note(60, Fraction(1, prime))) for beat, prime in enumerate(primes)), (3, _note(60)))
    with pytest.warns(UserWarning, match=r"3 notes .* moved to the nearest of 10080 ticks per beat"):
        score = score_from_music21(part)
    assert score.ticks_per_beat == 10_080
    assert score.notes.onset_tick.tolist() == [0, 10_080, 20_160, 30_240]
    lengths = (score.notes.end_tick - score.notes.onset_tick).tolist()[:3]
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
    assert len(PianoRoll.from_score(score_from_music21(part)).notes().pitch) == 2


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
    with pytest.warns(UserWarning, match="1 unpitched notes whose drum is unknown; left out"):
        score = score_from_music21(kit)
    assert score.parts == (Part("Kit", 0, drums=True),)
    assert score.notes.pitch.tolist() == [38, 42]
    stray = music21.note.Unpitched()
    stray.storedInstrument = music21.instrument.SnareDrum()
    melody = _part(_note(60), stray, music21.percussion.PercussionChord([_note(64), music21.note.Unpitched()]))
    with pytest.warns(UserWarning, match="2 unpitched notes"):
        score = score_from_music21(melody)
    assert score.notes.pitch.tolist() == [60, 64]
    assert not score.parts[0].drums


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
