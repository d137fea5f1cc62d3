"""Files as pieces of the page, and pieces as files: one is the inverse of the other, or it is said what is not."""

import io
import json
import sys
import wave
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.midi_io import read_midi, to_midi_bytes
from pianoroll_seq2seq.musicxml import to_musicxml_bytes
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pitches import ALL_PITCHES, PitchRange
from pianoroll_seq2seq.pretrained.opening import open_model
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.serving.limits import RequestLimits
from pianoroll_seq2seq.signatures import TimeSignature
from pianoroll_seq2seq.studio.exporting import export_piece
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.opening import OpenedFile, open_file
from pianoroll_seq2seq.studio.pieces import Piece, parse_piece
from pianoroll_seq2seq.tempo import TempoMap

LIMITS = StudioLimits()
VOICES = open_model("bach-chorales")
ANY = TrainedModel(VOICES.model, FrameLayout(pitches=ALL_PITCHES), name="any")  # of one part with all pitches


def opened(data: bytes, trained: TrainedModel = ANY, limits: StudioLimits = LIMITS) -> OpenedFile:
    return open_file(data, trained, limits)


Row = tuple[int, float, float, int]
"""Part, start and end in beats, and pitch of a note."""


def score_of(
    *rows: Row,
    parts: tuple[Part, ...] = (Part("one"), Part("two")),
    meter: Meter = Meter(),
    tempo: TempoMap | None = None,
) -> Score:
    columns = zip(
        *((round(start * 480), round(end * 480), pitch, 70, part) for part, start, end, pitch in rows), strict=True
    )
    return Score(NoteTable(*map(list, columns)), tempo or TempoMap(480), parts, meter=meter)


def rows_of(piece: Piece) -> list[Row]:
    return sorted((note.part, note.start, note.end, note.pitch) for note in piece.notes)


def piece_json(notes: list[tuple[int, int, float, float, int]], **changes: Any) -> dict[str, Any]:
    names = ("part", "pitch", "start", "length", "velocity")
    parts = [{"name": "flute", "program": 73, "is_drums": False}, {"name": "kit", "program": 0, "is_drums": True}]
    return {
        "beats_per_minute": 96,
        "beats_per_bar": 3,
        "beats": 12,
        "parts": parts,
        "notes": [dict(zip(names, note, strict=True)) for note in notes],
    } | changes


NOTES = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),
        st.integers(40, 80),
        st.integers(0, 40).map(lambda quarter: quarter / 4),
        st.sampled_from([0.25, 0.5, 1.0, 2.0]),
        st.integers(1, 127),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda note: (note[0], note[1]),  # notes of one pitch do not overlap
)


@given(NOTES)
def test_a_piece_saved_as_midi_opens_as_it_was(notes: list[tuple[int, int, float, float, int]]) -> None:
    """Work is lost by saving it: the lengths, velocities, instruments, tempo or bars."""
    sent = piece_json([*notes, (0, 90, 0.0, 1.0, 60), (1, 91, 0.0, 1.0, 60)])
    file = export_piece(parse_piece(sent, LIMITS), "mid")
    piece, changes = opened(file.data)
    assert not changes
    got = piece.to_json()
    order = ("part", "pitch", "start")
    for one in (got, sent):
        one["notes"] = sorted(one["notes"], key=lambda note: [note[name] for name in order])
    assert got == sent


@given(NOTES)
def test_a_piece_saved_as_musicxml_keeps_its_notes(notes: list[tuple[int, int, float, float, int]]) -> None:
    sent = piece_json([*((0, *note[1:]) for note in {note[1]: note for note in notes}.values())])
    piece, changes = opened(export_piece(parse_piece(sent, LIMITS), "musicxml").data)
    assert not changes
    assert rows_of(piece) == rows_of(parse_piece(sent, LIMITS))
    assert (piece.beats_per_minute, piece.beats_per_bar) == (96, 3)


@pytest.mark.parametrize(
    ("name", "start"),
    [("svg", b"<svg"), ("pdf", b"%PDF-"), ("png", b"\x89PNG"), ("mid", b"MThd"), ("musicxml", b"<?xml")],
)
def test_other_formats(name: str, start: bytes) -> None:
    if name in ("svg", "pdf"):
        pytest.importorskip("verovio")
    if name == "pdf":
        pytest.importorskip("cairosvg")
    piece = parse_piece(piece_json([(0, 60, 0.013, 1.51, 80), (0, 64, 0.013, 1.51, 80), (1, 38, 1, 1, 80)]), LIMITS)
    assert export_piece(piece, name).data.startswith(start)


def test_a_wav_file_is_as_long_as_the_piece() -> None:
    piece = parse_piece(piece_json([(0, 60, 0, 1, 80)], beats=4, beats_per_minute=120), LIMITS)
    with wave.open(io.BytesIO(export_piece(piece, "wav").data)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(2 + 2)  # and two seconds to fade out


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("svg", "verovio", "score"), ("pdf", "verovio", "score"), ("png", "matplotlib.figure", "plot")],
)
def test_a_missing_package_is_named(name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A click on a format that is not installed ends in an error of the server."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RequestError, match=f"pianoroll-seq2seq\\[{extra}\\]") as caught:
        export_piece(parse_piece(piece_json([(0, 60, 0, 1, 80)]), LIMITS), name)
    assert caught.value.status == 501
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "notes", "words"), [("doc", [(0, 60, 0, 1, 80)], "one of mid"), ("mid", [], "no notes")]
)
def test_what_cannot_be_exported(name: str, notes: list[Any], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        export_piece(parse_piece(piece_json(notes), LIMITS), name)


def test_tracks_become_the_parts_of_the_model() -> None:
    """A chorale opens with a bass that sings the soprano."""
    rows = [(0, 0, 1, 48), (1, 0, 1, 72), (2, 0.5, 1, 60)]
    parts = (Part("Bass", 43), Part("soprano", 40), Part("viola", 41))
    piece, changes = opened(to_midi_bytes(score_of(*rows, parts=parts)), VOICES)
    assert [part.name for part in piece.parts] == ["soprano", "alto", "tenor", "bass"]
    assert [part.program for part in piece.parts] == [40, 41, 0, 43]
    assert rows_of(piece) == [(0, 0, 1, 72), (1, 0.5, 1, 60), (3, 0, 1, 48)]
    assert changes == ["Parts have the names of the model: viola is alto."]
    five = [(index, 0, 1, 60) for index in range(5)]
    piece, changes = opened(to_midi_bytes(score_of(*five, parts=tuple(Part(f"p{n}") for n in range(5)))), VOICES)
    assert len(piece.parts) == 5
    assert "5 parts" in changes[0]


def test_notes_out_of_range_are_moved_by_octaves_or_left_out() -> None:
    """A melody that is an octave too low cannot be harmonized, or notes go without a word."""
    low = score_of((0, 0, 1, 50), (0, 1, 2, 55), parts=(Part("soprano"),))
    piece, changes = opened(to_midi_bytes(low), VOICES)
    assert rows_of(piece) == [(0, 0, 1, 62), (0, 1, 2, 67)]
    assert changes == ["soprano is an octave higher, in the range of the model."]
    wide = score_of((0, 0, 1, 20), (0, 1, 2, 75), (0, 1, 2, 100), parts=(Part("soprano"),))
    piece, changes = opened(to_midi_bytes(wide), VOICES)
    assert rows_of(piece) == [(0, 1, 2, 75)]
    assert changes == ["The piece leaves out 2 notes of soprano outside of the range of the model, G#3 to B5."]
    narrow = TrainedModel(VOICES.model, FrameLayout(pitches=PitchRange(60, 62)), name="narrow")
    with pytest.raises(RequestError, match="none of its notes are in the range of narrow"):
        opened(to_midi_bytes(score_of((0, 0, 1, 70), (0, 0, 1, 71), (0, 0, 1, 75), (0, 0, 1, 68))), narrow)


def test_drums_are_kept_for_a_model_that_does_not_read_them() -> None:
    """Opening a song for a model of one part takes its drums away."""
    song = score_of((0, 0, 1, 60), (1, 0, 1, 35), parts=(Part("one"), Part("kit", drums=True)))
    piece, changes = opened(to_midi_bytes(song), ANY)
    assert [part.drums for part in piece.parts] == [False, True]
    assert len(piece.notes) == 2
    assert not changes


def test_tempo_metre_and_upbeat_are_what_the_page_can_show() -> None:
    """Bars of the page are not those of the score, without a word."""
    meter = Meter([TimeSignature(0, 1, 4), TimeSignature(480, 4, 4)])
    piece, changes = opened(to_midi_bytes(score_of((0, 0, 1, 60), (0, 1, 5, 64), meter=meter)))
    assert rows_of(piece) == [(0, 3, 4, 60), (0, 4, 8, 64)]
    assert (piece.beats_per_bar, piece.beats) == (4, 8)
    assert changes == ["The upbeat is at the end of a whole bar, after 3 beats of rest."]
    whole = TimeSignature(0, 7, 8)
    assert opened(to_midi_bytes(score_of((0, 0, 1, 60), meter=Meter([whole])))).piece.beats_per_bar == 3.5
    odd = Meter([TimeSignature(0, 5, 16)])
    piece, changes = opened(to_midi_bytes(score_of((0, 0, 1, 60), meter=odd)))
    assert (piece.beats_per_bar, changes) == (4, ["The piece has bars of 4 beats instead of 5/16."])
    two = Meter([TimeSignature(0, 4, 4), TimeSignature(1920, 3, 4)])
    assert opened(to_midi_bytes(score_of((0, 0, 1, 60), (0, 5, 6, 60), meter=two))).changes == [
        "The file changes its metre; all bars have 4 beats."
    ]
    tempo = TempoMap(480, [(0, 600_000), (960, 500_000)])
    piece, changes = opened(to_midi_bytes(score_of((0, 0, 1, 60), (0, 3, 4, 60), tempo=tempo)))
    assert (piece.beats_per_minute, changes) == (
        100,
        ["The file changes its tempo; the piece keeps 100 beats per minute."],
    )
    fast = TempoMap(480, [(0, 60_000)])
    piece, changes = opened(to_midi_bytes(score_of((0, 0, 1, 60), tempo=fast)))
    assert (piece.beats_per_minute, changes) == (400, ["The tempo is 400 instead of 1000 beats per minute."])


def test_long_and_large_files_are_cut() -> None:
    """A whole symphony cannot be opened, or is opened and then refused by each request."""
    long = score_of(*((0, beat, beat + 2, 60 + beat % 12) for beat in range(0, 2_000, 3)))
    piece, changes = opened(to_midi_bytes(long))
    assert changes == ["The piece is cut after 1200 of 2000 beats."]
    assert piece.end <= piece.beats <= 1_200
    parse_piece(json.loads(json.dumps(piece.to_json())), LIMITS)
    few = StudioLimits(request=RequestLimits(max_primer_notes=3))
    piece, changes = opened(to_midi_bytes(long), limits=few)
    assert len(piece.notes) == 3
    assert changes[-1] == "The piece has the first 3 of 400 notes."
    many = score_of(*((index, 0, 1, 60) for index in range(40)), parts=tuple(Part(f"{n}") for n in range(40)))
    piece, changes = opened(to_midi_bytes(many))
    assert len(piece.parts) == 32
    assert changes == ["The piece has the first 32 of 40 parts."]


def test_names_that_a_page_may_show() -> None:
    """Two parts of one name cannot be told apart, or a name breaks the page."""
    parts = (Part("a"), Part("a"), Part(""), Part("", drums=True), Part("x\x1b[31m\n" * 30))
    score = score_of(*((index, 0, 1, 60) for index in range(5)), parts=parts)
    piece, _ = opened(to_midi_bytes(score))
    names = [part.name for part in piece.parts]
    assert names[:4] == ["a 1", "a 2", "part", "drums"]
    assert names[4].isprintable()
    parse_piece(json.loads(json.dumps(piece.to_json())), LIMITS)


def test_a_damaged_file_is_read_up_to_the_damage() -> None:
    data = to_midi_bytes(score_of(*((0, beat, beat + 1, 60) for beat in range(20)), parts=(Part("one"),)))
    piece, changes = opened(data[:-60])
    assert 5 < len(piece.notes) < 20
    assert changes[0] == "The file is damaged, and is read up to the damage."


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", 400, "not a MIDI or MusicXML file"),
        (b"\x89PNG", 400, "not a MIDI or MusicXML file"),
        (b"MThd", 400, "cannot be read"),
        (b"MThd" + bytes(range(200)), 400, "cannot be read"),
        (b"<html></html>", 400, "cannot be read"),
        (b"PK\x03\x04" + bytes(50), 400, "cannot be read"),
        (b"<?xml version='1.0'?><score-partwise>", 400, "cannot be read"),
        (to_midi_bytes(Score(NoteTable.empty(), TempoMap())), 422, "no notes"),
        (to_musicxml_bytes(score_of((0, 0, 1, 60)))[:400], 400, "cannot be read"),
    ],
)
def test_files_that_cannot_be_opened(data: bytes, status: int, words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        opened(data)
    assert caught.value.status == status


def test_the_notes_of_a_file_are_those_that_are_read() -> None:
    """A real file opens with other notes."""
    data = to_midi_bytes(score_of((0, 0, 1.3333, 60), (0, 2, 2, 62), (1, 0.1, 7, 40)))
    score, piece = read_midi(data), opened(data).piece
    assert [note.start for note in piece.notes] == (score.notes.onset_tick / 480).round(4).tolist()
    assert min(note.length for note in piece.notes) == 0.05
