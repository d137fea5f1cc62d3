"""What is drawn besides the notes: if these fail, programs that draw a file as it is show flags, no accidentals, or a
piano on one staff."""

from xml.etree import ElementTree

import pytest

from pianoroll_seq2seq import KeySignature, Meter, NoteTable, Score, TempoMap, TimeSignature
from pianoroll_seq2seq.musicxml import to_musicxml_bytes


def written(notes, *, numerator=4, denominator=4, fifths=0):
    """The notes of a file, from onset, length and pitch in ticks of 24 a beat."""
    onset, length, pitch = zip(*notes, strict=True)
    ends = [start + ticks for start, ticks in zip(onset, length, strict=True)]
    table = NoteTable(onset, ends, pitch, [90] * len(notes), [0] * len(notes))
    meter = Meter([TimeSignature(0, numerator, denominator)], [KeySignature(0, fifths)])
    root = ElementTree.fromstring(to_musicxml_bytes(Score(table, TempoMap(24), meter=meter)))
    return root, [note for note in root.iter("note") if note.find("rest") is None]


def beams(notes, **signature):
    return [[beam.text for beam in note.findall("beam")] for note in written(notes, **signature)[1]]


def test_eighths_of_a_beat_share_a_beam_and_those_of_two_beats_do_not():
    """Four eighth notes have flags, or one beam hides where the beats are."""
    assert beams([(12 * index, 12, 60) for index in range(4)]) == [["begin"], ["end"]] * 2


def test_six_eighths_have_two_beams_of_three():
    assert beams([(12 * index, 12, 60) for index in range(6)], numerator=6, denominator=8) == [
        ["begin"], ["continue"], ["end"]] * 2  # fmt: skip


def test_a_dotted_eighth_and_a_sixteenth_have_a_hook():
    assert beams([(0, 18, 60), (18, 6, 60)]) == [["begin"], ["end", "backward hook"]]


def test_rests_and_quarter_notes_part_beams():
    assert beams([(0, 6, 60), (12, 12, 60), (24, 24, 60), (48, 12, 60)]) == [[], [], [], []]


@pytest.mark.parametrize(
    ("fifths", "pitches", "expected"),
    [
        (0, [66, 66, 65, 67], ["sharp", None, "natural", None]),
        (1, [66, 65, 66, 67], [None, "natural", "sharp", None]),
        (-1, [70, 71, 70, 72], [None, "natural", "flat", None]),
        (0, [66, 78, 66, 67], ["sharp", "sharp", None, None]),  # of another octave
    ],
)
def test_accidentals_are_those_that_neither_key_nor_bar_gives(fifths, pitches, expected):
    notes = [(24 * index, 24, pitch) for index, pitch in enumerate(pitches)]
    assert [note.findtext("accidental") for note in written(notes, fifths=fifths)[1]] == expected


def test_an_accidental_holds_for_its_bar_alone_and_over_a_tie():
    found = written([(72, 48, 66), (120, 24, 66), (192, 24, 66)])[1]
    assert [note.findtext("accidental") for note in found] == ["sharp", None, "sharp", "sharp"]


def test_high_and_low_notes_have_two_staves_with_their_clefs():
    root, notes = written([(0, 96, 40), (0, 96, 47), (0, 24, 72), (24, 24, 76)])
    assert [clef.findtext("sign") for clef in root.iter("clef")] == ["G", "F"]
    assert [(note.findtext("pitch/step"), note.findtext("staff")) for note in notes] == [
        ("C", "1"), ("E", "1"), ("E", "2"), ("B", "2")]  # fmt: skip


def test_a_melody_and_a_tenor_have_one_staff():
    root, _ = written([(24 * index, 24, pitch) for index, pitch in enumerate((50, 55, 62, 67))])
    assert root.find(".//staves") is None


@pytest.mark.parametrize(
    ("pitches", "sign", "octave"),
    [
        ((72, 74, 67, 65), "G", None),  # soprano
        ((65, 67, 69, 64), "G", None),  # alto
        ((57, 60, 62, 53), "G", "-1"),  # tenor: on the plain G clef most notes would be below the staff
        ((48, 53, 43, 50), "F", None),  # bass
    ],
)
def test_each_voice_has_the_clef_of_its_range(pitches, sign, octave):
    root, notes = written([(24 * index, 24, pitch) for index, pitch in enumerate(pitches)])
    assert [(clef.findtext("sign"), clef.findtext("clef-octave-change")) for clef in root.iter("clef")] == [
        (sign, octave)
    ]
    assert notes[0].findtext("pitch/octave") == str(pitches[0] // 12 - 1)  # as it sounds


def test_chords_below_middle_c_have_the_clef_of_a_left_hand():
    root, _ = written([(0, 96, 55), (0, 96, 59)])
    assert [(clef.findtext("sign"), clef.findtext("clef-octave-change")) for clef in root.iter("clef")] == [("F", None)]
