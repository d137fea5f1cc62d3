"""MusicXML as other programs write it: if these fail, a user's score is read as other music."""

import warnings
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from typechecker import as_users_have_it

from pianoroll_seq2seq import Part, PianoRoll, Score, TempoMap, read_musicxml
from pianoroll_seq2seq.errors import LimitError, MidiNotFoundError, MusicXMLError, SettingsError

_NOTE = "<note>{before}<pitch><step>{step}</step><octave>4</octave></pitch>{after}</note>"


def _note(step="C", duration="1", *, chord=False, after="", attributes="") -> str:
    text = _NOTE.format(before="<chord/>" * chord, step=step, after=f"<duration>{duration}</duration>{after}")
    return text.replace("<note>", f"<note {attributes}>")


def _file(*bars: str, divisions="1", listed="<score-part id='P1'><part-name>tune</part-name></score-part>") -> bytes:
    """A file of one part."""
    first = f"<attributes><divisions>{divisions}</divisions></attributes>"
    measures = "".join(
        f"<measure number='{index}'>{bar}</measure>" for index, bar in enumerate([first + bars[0], *bars[1:]], 1)
    )
    return f"<score-partwise><part-list>{listed}</part-list><part id='P1'>{measures}</part></score-partwise>".encode()


def _beats(score: Score) -> list[tuple]:
    """Onset, end, pitch and velocity of each note, in beats."""
    notes, ticks = score.notes, score.ticks_per_beat
    columns = (notes.onset_tick, notes.end_tick, notes.pitch, notes.velocity)
    return [
        (Fraction(onset, ticks), Fraction(end, ticks), pitch, velocity)
        for onset, end, pitch, velocity in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _spans(*bars: str, **arguments) -> list[tuple]:
    return [note[:3] for note in _beats(read_musicxml(_file(*bars, **arguments)))]


def _signatures(score: Score) -> list[tuple]:
    return [(Fraction(one.tick, score.ticks_per_beat), str(one)) for one in score.meter.time_signatures]


def test_notes_chords_rests_and_voices():
    """``backup`` and ``forward`` move between voices; the notes of a chord begin together."""
    bar = (
        _note("C") + _note("E", chord=True) + "<note><rest/><duration>1</duration></note>" + _note("D", "2")
        + "<backup><duration>4</duration></backup><forward><duration>3</duration></forward>" + _note("G")
    )  # fmt: skip
    assert _spans(bar) == [(0, 1, 60), (0, 1, 64), (2, 4, 62), (3, 4, 67)]


def test_divisions_may_change_and_durations_may_be_decimals():
    """They count from where they stand; some programs write 0.5."""
    bar = _note("C", "2") + "<attributes><divisions>3</divisions></attributes>" + _note("D", "1") + _note("E", "2.5")
    assert _spans(bar, divisions="2") == [(0, 1, 60), (1, Fraction(4, 3), 62), (Fraction(4, 3), Fraction(13, 6), 64)]


def test_transposing_instruments_sound():
    """A clarinet's written C is a B flat; its key signature sounds a tone lower too."""
    attributes = (
        "<attributes><key><fifths>2</fifths><mode>major</mode></key><transpose><diatonic>-1</diatonic>"
        "<chromatic>-2</chromatic><octave-change>-1</octave-change></transpose></attributes>"
    )
    score = read_musicxml(_file(attributes + _note("C")))
    assert score.notes.pitch.tolist() == [46]
    assert [str(key) for key in score.meter.key_signatures] == ["C major"]


def test_accidentals_and_quarter_tones():
    """To the nearest semitone, halves up."""
    bar = "".join(
        f"<note><pitch><step>C</step><alter>{alter}</alter><octave>4</octave></pitch><duration>1</duration></note>"
        for alter in ("1", "-1", "2", "0.5", "-0.5")
    )
    assert read_musicxml(_file(bar)).notes.pitch.tolist() == [61, 59, 62, 61, 60]


def test_ties_join_notes_within_their_voice():
    """Two voices may hold one key; a tie to no note is none."""
    start, stop = "<tie type='start'/><voice>{}</voice>", "<tie type='stop'/><voice>{}</voice>"
    first = _note("C", "4", after=start.format(1), attributes="dynamics='100'")
    first += "<backup><duration>4</duration></backup>"
    first += _note("C", "4", after=start.format(2), attributes="dynamics='50'")
    second = _note("C", "3", after=stop.format(1)) + "<backup><duration>3</duration></backup>"
    second += _note("C", "1", after=stop.format(2)) + _note("D", "3", after=start.format(2))
    score = read_musicxml(_file(first, second, _note("D", "1", after="<voice>1</voice>")))
    assert _beats(score) == [(0, 5, 60, 45), (0, 7, 60, 90), (5, 8, 62, 90), (8, 9, 62, 90)]


def test_grace_and_cue_notes():
    """Grace notes take no time; cue notes are what another part plays."""
    grace = "<note><grace/><pitch><step>B</step><octave>3</octave></pitch></note>"
    cue = "<note><cue/><pitch><step>G</step><octave>3</octave></pitch><duration>1</duration></note>"
    assert _spans(grace + _note("C") + cue + _note("D")) == [(0, 0, 59), (0, 1, 60), (2, 3, 62)]


def test_velocities_are_those_of_the_note_or_of_the_dynamics():
    """Percent of 90, as the format says, from the place of the mark on, whatever the voice; 90 without any."""
    mark = "<direction><direction-type><dynamics><p/></dynamics></direction-type><sound dynamics='50'/></direction>"
    bar = _note("C") + mark + _note("D") + _note("E", attributes="dynamics='141.11'")
    bar += "<backup><duration>3</duration></backup>" + _note("F") + _note("G") + _note("A", attributes="dynamics='0'")
    assert sorted((pitch, velocity) for *_, pitch, velocity in _beats(read_musicxml(_file(bar)))) == [
        *((60, 90), (62, 45), (64, 127), (65, 90), (67, 45), (69, 1))
    ]


@pytest.mark.parametrize(
    ("mark", "us_per_beat"),
    [
        ("<sound tempo='90'/>", 666_667),
        ("<direction><direction-type/><sound tempo='90'/></direction>", 666_667),
        ("<direction><direction-type>{}</direction-type><sound tempo='61'/></direction>", 983_607),
        ("<direction><direction-type>{}</direction-type></direction>", 333_333),
        ("<direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>c. 60</per-minute></metronome>"
         "</direction-type></direction>", 500_000),
        ("<direction><direction-type><metronome><beat-unit>half</beat-unit><beat-unit>quarter</beat-unit></metronome>"
         "</direction-type></direction>", 500_000),
    ],
)  # fmt: skip
def test_tempi(mark, us_per_beat):
    """What is to be played counts more than what is printed; dotted quarters at 120 are quarters at 180."""
    dotted = "<metronome><beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>120</per-minute></metronome>"
    score = read_musicxml(_file(_note("C") + mark.format(dotted) + _note("D")))
    assert score.tempo == TempoMap(480, [(480, us_per_beat)])


def test_an_upbeat_keeps_the_bar_lines_in_place():
    """The signature comes again after it; a repeat sign inside a bar does the same."""
    time = "<attributes><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    score = read_musicxml(
        _file(time + _note("C", "1"), _note("D", "3"), _note("E", "2"), _note("F", "1"), _note("G", "3"))
    )
    assert _signatures(score) == [(0, "3/4"), (1, "3/4"), (6, "3/4"), (7, "3/4")]
    assert (score.bar_ticks() / 480).tolist() == [0, 1, 4, 6, 7]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("<beats>3+2</beats><beat-type>8</beat-type>", "5/8"),
        ("<beats>2</beats><beat-type>4</beat-type><beats>1</beats><beat-type>4</beat-type>", "3/4"),
        ("<beats>2</beats><beat-type>4</beat-type><beats>3</beats><beat-type>8</beat-type>", None),
        ("<senza-misura/>", None),
        ("<beats>4</beats><beat-type>3</beat-type>", None),
        ("<beats>four</beats><beat-type>4</beat-type>", None),
    ],
)
def test_time_signatures(time, expected):
    """Those that MIDI has none of are left out, and bars are those of the file."""
    score = read_musicxml(_file(f"<attributes><time>{time}</time></attributes>" + _note("C", "4"), _note("D")))
    assert [one[1] for one in _signatures(score)][:1] == ([expected] if expected else [])
    assert [note[0] for note in _beats(score)] == [0, 4]


def test_bars_are_as_long_as_the_notes_in_them():
    """A rest for a whole bar may have any length in files (Finale); a bar without anything is one of the signature."""
    listed = "<score-part id='P1'/><score-part id='P2'/>"
    time = "<attributes><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    rest = "<note><rest/><duration>8</duration></note>"
    other = f"<part id='P2'><measure>{rest}</measure><measure/><measure>{_note('E', '3')}</measure></part>"
    data = _file(time + _note("C", "3"), "", _note("D", "3"), listed=listed).replace(
        b"</score-", f"{other}</score-".encode()
    )
    assert [note[:3] for note in _beats(read_musicxml(data))] == [(0, 3, 60), (6, 9, 62), (6, 9, 64)]


def test_the_order_of_parts_and_files_by_bars():
    """Parts are in the order of the list, however they are written: part by part or bar by bar."""
    listed = "".join(
        f"<score-part id='{one}'><part-name>{one}</part-name><midi-instrument id='{one}-I'><midi-program>{program}"
        f"</midi-program></midi-instrument></score-part>"
        for one, program in (("B", 41), ("A", 1))
    )
    bars = "".join(
        f"<measure number='{index}'><part id='A'>{_note('C', '4')}</part><part id='B'>{_note('G', '4')}</part>"
        "</measure>"
        for index in range(2)
    )
    score = read_musicxml(f"<score-timewise><part-list>{listed}</part-list>{bars}</score-timewise>".encode())
    assert score.parts == (Part("B", 40), Part("A", 0))
    assert _beats(score) == [(0, 4, 67, 90), (0, 4, 60, 90), (4, 8, 67, 90), (4, 8, 60, 90)]


_KIT = (
    "<score-part id='P1'><part-name>Kit</part-name><midi-instrument id='snare'><midi-channel>10</midi-channel>"
    "<midi-unpitched>39</midi-unpitched></midi-instrument><midi-instrument id='kick'><midi-unpitched>37"
    "</midi-unpitched></midi-instrument></score-part>"
)
_STROKE = "<note><unpitched/><duration>1</duration>{}</note>"


def test_drums_are_those_of_their_instruments():
    """The place on the staff is none of a drum: each program has its own."""
    strokes = [_STROKE.format(f"<instrument id='{one}'/>") for one in ("kick", "snare")]
    score = read_musicxml(_file("".join(strokes), listed=_KIT))
    assert score.parts == (Part("Kit", 0, drums=True),)
    assert score.notes.pitch.tolist() == [36, 38]
    one = _KIT.replace("<midi-instrument id='kick'><midi-unpitched>37</midi-unpitched></midi-instrument>", "")
    assert read_musicxml(_file(_STROKE.format(""), listed=one)).notes.pitch.tolist() == [38]


def test_drums_that_are_not_named(tmp_path):
    """A percussion clef alone names no drum: an error that names the part and the way out."""
    path = tmp_path / "kit.musicxml"
    path.write_bytes(_file(_STROKE.format("") + _note("C"), listed=_KIT))
    with pytest.raises(MusicXMLError, match=r"kit\.musicxml: part 'Kit' has 1 unpitched notes .*unpitched='drop'"):
        read_musicxml(path)
    with pytest.warns(UserWarning, match=r"kit\.musicxml: 1 unpitched notes whose drum is unknown; left out"):
        assert read_musicxml(path, unpitched="drop").notes.pitch.tolist() == [60]
    with pytest.warns(UserWarning, match="left out"):
        assert PianoRoll.from_musicxml(path, parts="tracks", unpitched="drop").part_names == ("Kit",)
    with pytest.raises(SettingsError, match="unpitched must be 'error' or 'drop'"):
        as_users_have_it(read_musicxml)(path, unpitched="skip")


def test_times_that_no_ticks_can_hold_go_to_the_nearest_tick():
    """As for music21's streams: with a warning that counts the notes."""
    bar = "".join(f"<attributes><divisions>{prime}</divisions></attributes>{_note()}" for prime in (251, 241, 239))
    with pytest.warns(UserWarning, match=r"3 notes are at times that no MIDI file has exactly.* of 10080 ticks"):
        assert read_musicxml(_file(bar)).ticks_per_beat == 10_080


def test_limits_and_paths(tmp_path):
    """A limit says which it is, and a wrong path that there is no such file."""
    from pianoroll_seq2seq import Limits

    data = _file(_note(), listed="".join(f"<score-part id='P{one}'/>" for one in range(9)))
    with pytest.raises(LimitError, match=r"9 parts; Limits allow max_parts=8"):
        read_musicxml(data, limits=Limits(max_parts=8))
    with pytest.raises(LimitError, match="max_file_bytes"):
        read_musicxml(data, limits=Limits(max_file_bytes=100))
    with pytest.raises(MidiNotFoundError, match="no such file"):
        read_musicxml(tmp_path / "nosuch.musicxml")


# ----------------------------------------------------------------------- files of other programs, as music21 reads them


def _notes_by_part(score: Score) -> Counter:
    return Counter((*note[:3], part) for note, part in zip(_beats(score), score.notes.part.tolist(), strict=True))


@pytest.mark.parametrize(
    "name",
    [
        "schoenberg/opus19/movement2.mxl",  # two staves, tuplets
        "mozart/k545/movement1_exposition.mxl",
        "demos/chorale_with_parallels.mxl",
        "demos/nested_tuplet_finale_test2.xml",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                *(f"monteverdi/madrigal.{name}.mxl" for name in ("3.1", "3.3", "3.14", "5.5")),
                *("mozart/k80/movement3.mxl", "mozart/k458/movement2.mxl", "mozart/k458/movement3.mxl"),
                *("handel/rinaldo/Lascia_chio_pianga.mxl", "leadSheet/fosterBrownHair.mxl"),
                "joplin/maple_leaf_rag.mxl",
            )
        ),
    ],
)
def test_files_of_other_programs(name):
    """Finale's, Sibelius', MuseScore's and others': the notes that music21 finds in them, on its own."""
    music21 = pytest.importorskip("music21")
    from pianoroll_seq2seq import score_from_music21

    path = Path(music21.__file__).parent / "corpus" / name
    if not path.exists():
        pytest.skip(f"this music21 has no {name}")
    expected = score_from_music21(music21.converter.parse(path, forceSource=True))
    score = read_musicxml(path)
    assert Counter(note[:3] for note in _beats(score)) == Counter(note[:3] for note in _beats(expected))
    assert score.meter == expected.meter


@pytest.mark.slow
def test_bars_that_are_too_long_begin_together_in_all_parts():
    """A clarinet is three beats ahead of its piano, as music21 reads a file with bars that are too long."""
    music21 = pytest.importorskip("music21")
    from pianoroll_seq2seq import score_from_music21

    path = Path(music21.__file__).parent / "corpus/weber/concertino_clarinet.mxl"
    if not path.exists():
        pytest.skip("this music21 has no concertino")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*measure 1 .*is overfull")
        music = score_from_music21(music21.converter.parse(path, forceSource=True))
    expected: Counter = Counter()
    for (onset, end, pitch, _), part in zip(_beats(music), music.notes.part.tolist(), strict=True):
        later = Fraction(0)
        if music.parts[part].name == "Piano" and end > 3:  # a metronome mark behind the first bar makes it longer there
            later = -Fraction(1, 8)
        elif music.parts[part].name != "Piano" and end > 820:  # the last note, after a bar of six beats in the piano
            later = Fraction(3)
        expected[onset + later * (onset >= 3), end + later, pitch] += 1
    assert Counter(note[:3] for note in _beats(read_musicxml(path))) == expected
