"""Scores to MusicXML and back: if these fail, a notation program shows other music, or it comes back changed."""

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from musicxml_music import SCORES, notated_scores
from strategies import _built, note_table, part_rolls

from pianoroll_seq2seq import (
    BeatGrid,
    KeySignature,
    Meter,
    Part,
    PianoRoll,
    Score,
    TempoMap,
    TimeSignature,
    read_musicxml,
    write_musicxml,
)
from pianoroll_seq2seq.controllers import CONTROL_CHANGE, Controllers
from pianoroll_seq2seq.errors import LimitError, MusicXMLError, NoNotesError, OverwriteError
from pianoroll_seq2seq.musicxml import to_musicxml_bytes


@pytest.mark.parametrize("name", SCORES)
def test_scores_come_back(name):
    """Upbeats, odd and changing bars, tuplets, ties, chords, voices, drums: each was once lost on the way."""
    assert read_musicxml(to_musicxml_bytes(SCORES[name])) == SCORES[name]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(notated_scores())
def test_any_score_on_a_grid_comes_back(score):
    """Notes, velocities, parts, tempi, signatures and the silence at the end."""
    assert read_musicxml(to_musicxml_bytes(score)) == score


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)
@given(part_rolls(), st.sampled_from([BeatGrid(1), BeatGrid(3), BeatGrid(4), BeatGrid(12)]))
def test_rolls_come_back(tmp_path_factory, roll, grid):
    """``from_musicxml`` reads what ``to_musicxml`` wrote, part by part, whatever their pitches."""
    roll = _built(partial(replace, roll, grid=grid))
    assume(roll.active.any())
    path = roll.to_musicxml(tmp_path_factory.getbasetemp() / "roll.musicxml", overwrite=True)
    back = PianoRoll.from_musicxml(path, grid=grid, parts=roll.parts)
    starts = roll.note_starts()
    starts[:1] |= roll.active[:1]
    assert back == replace(roll, onset=starts, velocity=None)
    if roll.velocity is not None:
        assert (back.velocity[roll.onset] == roll.velocity[roll.onset]).all()
    assert back.name == "roll"


def test_a_roll_takes_the_arguments_of_from_score(tmp_path):
    """The parts of a file become parts of the roll only if they are asked for; velocity and program as in MIDI."""
    path = write_musicxml(SCORES["drums"], tmp_path / "a.musicxml")
    assert PianoRoll.from_musicxml(path).part_names == ("",)
    roll = PianoRoll.from_musicxml(path, parts="tracks", velocity=False)
    assert roll.part_names == ("Flute", "Kit")
    assert roll.velocity is None
    written = roll.to_musicxml(tmp_path / "b.musicxml", velocity=33, program=5)
    back = read_musicxml(written)
    assert set(back.notes.velocity.tolist()) == {33}
    assert [part.program for part in back.parts] == [5, 0]
    with pytest.raises(OverwriteError):
        roll.to_musicxml(written)
    roll.to_musicxml(written, overwrite=True)


def test_an_upbeat_looks_like_one():
    """It is bar 0, and the signature is printed once, not again after it."""
    text = to_musicxml_bytes(SCORES["upbeat"]).decode()
    assert text.count("<time>") == 1
    assert '<measure number="0" implicit="yes">' in text
    assert '<measure number="1">' in text


def test_pitches_are_spelled_in_their_key():
    """F sharp in D major, G flat in D flat major, from the place of the signature on."""
    keys = [KeySignature(0, 2), KeySignature(1920, -5)]
    score = Score(note_table([(0, 1920, 66, 90, 0), (1920, 3840, 66, 90, 0)]), TempoMap(480), meter=Meter([], keys))
    text = "".join(to_musicxml_bytes(score).decode().split())
    assert text.index("<step>F</step><alter>1</alter>") < text.index("<step>G</step><alter>-1</alter>")


def test_compressed_files(tmp_path):
    """``.mxl`` is what notation programs save by default; the same score gives the same bytes."""
    score = SCORES["drums"]
    first, second = (write_musicxml(score, tmp_path / name / "a.mxl") for name in "ab")
    assert first.read_bytes()[:2] == b"PK"
    assert first.read_bytes() == second.read_bytes()
    assert read_musicxml(first) == score
    with first.open("rb") as file:
        assert read_musicxml(file, name="other").name == "other"
    assert read_musicxml(first).name == "a"


def test_what_comes_after_the_end_is_left_out():
    """A cut piece must not grow bars for the tempi and signatures of the music that was cut off."""
    score = SCORES["changes"]
    cut = replace(
        score,
        tempo=TempoMap(480, [*score.tempo.changes, (2**30, 400_000)]),
        meter=Meter([*score.meter.time_signatures, TimeSignature(2**30, 5, 4)], [KeySignature(2**30, 3)]),
    )
    assert read_musicxml(to_musicxml_bytes(cut)) == replace(score, meter=Meter(score.meter.time_signatures))


def test_controllers_are_left_out_with_a_warning():
    """Otherwise pedals would be lost without a word."""
    score = SCORES["changes"]
    pedal = Controllers([0], [0], [CONTROL_CHANGE], [64], [127])
    with pytest.warns(UserWarning, match="no place for its 1 controllers"):
        assert read_musicxml(to_musicxml_bytes(replace(score, controllers=pedal))) == score


def test_names_and_titles_that_xml_cannot_hold():
    """Escapes take the place of control characters; all else of a name stays."""
    parts = (Part("\x1b[31m\ufffe\r"), Part(" é 中\n<&>\t\u202e"), Part("caf\udce9"))
    score = Score(note_table([(0, 480, 60, 90, index) for index in range(3)]), TempoMap(), parts, "a\x00<b>\udce9")
    data = to_musicxml_bytes(score)
    assert [part.name for part in read_musicxml(data).parts] == [r"\x1b[31m\ufffe\r", parts[1].name, r"caf\udce9"]
    assert rb"<work-title>a\x00&lt;b&gt;\udce9</work-title>" in data


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (
            [(0, 1, 60, 90, 0)],
            MusicXMLError,
            r"^song: .* such as 1 ticks of 24007 in a quarter note\. Put the notes on a",
        ),
        ([(2**31 - 2, 2**31 - 1, 60, 90, 0)], LimitError, r"^song: more than 500000 bars.*truncate"),
        ([(0, 2_400_000 * 1000, 60, 90, 0)] * 2000, LimitError, r"^song: .* written notes, over the limit of 2000000"),
    ],
)
def test_what_nobody_can_write(rows, error, message):
    """Times off any grid, or bars without end, as a damaged MIDI file has them: an error, not a full disk."""
    ticks = 24_007 if "24007" in message else 480 if "bars" in message else 9600
    tempo = TempoMap(ticks)
    rows = [(onset, min(end, 2**31 - 1), pitch, velocity, part) for onset, end, pitch, velocity, part in rows]
    with pytest.raises(error, match=message):
        to_musicxml_bytes(Score(note_table(rows), tempo, name="song"))


def test_a_score_without_notes():
    """It is an empty bar, as a MIDI file without notes is an empty score; a roll needs notes."""
    score = Score(note_table([]), TempoMap(480, [(0, 400_000)]), (Part("solo"),), meter=Meter([TimeSignature(0, 3, 4)]))
    data = to_musicxml_bytes(score)
    assert read_musicxml(data) == score
    with pytest.raises(NoNotesError):
        PianoRoll.from_musicxml(data)
    assert len(read_musicxml(to_musicxml_bytes(replace(score, parts=()))).parts) == 1
