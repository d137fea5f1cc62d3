"""What is engraved of the music: if these fail, the pages have unreadable rhythms, or miss notes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from musicxml_music import notated_scores
from strategies import note_table

from pianoroll_seq2seq import (
    BeatGrid,
    KeySignature,
    Meter,
    Part,
    PianoRoll,
    PitchRange,
    Score,
    SecondsGrid,
    TempoMap,
    TimeSignature,
)
from pianoroll_seq2seq.display.sheet_music.readable import notation_grid, readable
from pianoroll_seq2seq.musicxml.notation import voices_of
from pianoroll_seq2seq.musicxml.staves import staves_of

C_MAJOR = (60, 62, 64, 65, 67, 69, 71, 72)


def score_of(*notes, ticks=24, parts=(Part("tune"),), times=(), keys=(), tempi=()) -> Score:
    """A score of notes given as onset, end and pitch, and the index of their part if it is not the first."""
    rows = [(onset, end, pitch, 90, *(part or [0])) for onset, end, pitch, *part in notes]
    meter = Meter([TimeSignature(*one) for one in times], [KeySignature(*one) for one in keys])
    return Score(note_table(rows), TempoMap(ticks, tempi), tuple(parts), meter=meter)


def scale(tonic: int) -> Score:
    return score_of(*((24 * at, 24 * at + 24, tonic - 60 + pitch) for at, pitch in enumerate(C_MAJOR)))


def rows_of(score: Score) -> list[tuple[int, int, int]]:
    notes = score.notes
    return list(zip(notes.onset_tick.tolist(), notes.end_tick.tolist(), notes.pitch.tolist(), strict=True))


@given(notated_scores())
def test_every_note_is_drawn_in_at_most_two_voices_a_staff(score: Score) -> None:
    """A note is missing on the page, or three voices lie over one another."""
    grid = notation_grid(score)
    drawn = readable(score, grid)
    lines = grid.lines_at(score.notes.onset_tick, score.tempo).tolist()
    wanted = set(zip(lines, score.notes.pitch.tolist(), score.notes.part.tolist(), strict=True))
    columns = (drawn.notes.onset_tick, drawn.notes.pitch, drawn.notes.part)
    assert set(zip(*(column.tolist() for column in columns), strict=True)) == wanted
    for part, notes in zip(drawn.parts, drawn.notes.by_part(len(drawn.parts)), strict=True):
        assert all(len(voices_of(staff)) <= 2 for staff in staves_of(part, notes))


@pytest.mark.parametrize(
    ("times", "frames_per_beat"),
    [((0, 24, 30, 42), 4), ((0, 21), 8), ((0, 8, 16, 24), 12), ((0, 1), 24), ((0,), 4)],
)
def test_the_grid_is_the_coarsest_on_which_the_notes_are(times, frames_per_beat) -> None:
    """Triplets of a score become sixteenths, or sixteenths are drawn among triplets."""
    score = score_of(*((start, end, 60) for start, end in pairwise(times)))
    assert notation_grid(score) == BeatGrid(frames_per_beat)


def test_notes_as_played_go_to_sixteenths() -> None:
    """A performance is drawn with ties of hundred-and-twenty-eighth notes."""
    played = score_of((7, 466, 60), (493, 970, 62), ticks=480)
    assert rows_of(readable(played, None)) == [(0, 4, 60), (4, 8, 62)]


def test_a_roll_is_drawn_on_its_own_grid() -> None:
    """A roll of twelfths loses its triplets; or one of seconds cannot be drawn."""
    active = np.eye(3, dtype=bool)
    roll = PianoRoll.from_active(active, grid=BeatGrid(3), pitches=PitchRange(60, 62))
    assert rows_of(readable(roll, None)) == [(0, 1, 60), (1, 2, 61), (2, 3, 62)]
    roll = PianoRoll.from_active(active, grid=SecondsGrid(0.13), pitches=PitchRange(60, 62))
    assert rows_of(readable(roll, None)) == [(0, 1, 60), (1, 2, 61), (2, 3, 62)]


def test_small_gaps_are_filled_and_larger_ones_are_rests() -> None:
    """Music that was not played legato is full of sixteenth rests."""
    played = score_of((0, 18, 60), (24, 36, 62), (48, 72, 64))
    assert rows_of(readable(played, BeatGrid(4))) == [(0, 4, 60), (4, 6, 62), (8, 12, 64)]


def test_notes_that_begin_together_are_a_chord_unless_their_lengths_differ_much() -> None:
    """A chord that was not released at once is drawn as voices; or a long bass as short as the melody above it."""
    together = score_of((0, 42, 60), (0, 48, 64), (0, 36, 67))
    assert rows_of(readable(together, BeatGrid(4))) == [(0, 8, 60), (0, 8, 64), (0, 8, 67)]
    apart = score_of((0, 96, 60), (0, 24, 64), (24, 96, 65))
    assert rows_of(readable(apart, BeatGrid(4))) == [(0, 16, 60), (0, 4, 64), (4, 16, 65)]


def test_drums_last_until_the_next_one() -> None:
    """Every drum is followed by a dotted rest, for the short notes of drum parts."""
    kit = score_of((0, 1, 36), (12, 13, 42), (24, 25, 38), (72, 73, 42), parts=[Part("kit", drums=True)])
    assert rows_of(readable(kit, BeatGrid(4))) == [(0, 2, 36), (2, 4, 42), (4, 8, 38), (12, 16, 42)]


@pytest.mark.parametrize(("tonic", "fifths"), [(60, 0), (62, 2), (65, -1), (68, -4), (61, -5), (66, 6)])
def test_music_without_a_key_signature_gets_one(tonic: int, fifths: int) -> None:
    """Music in D flat major is full of accidentals, and of sharps where a reader expects flats."""
    assert readable(scale(tonic), None).meter.key_signatures[0].fifths == fifths


def test_signatures_of_the_music_are_kept() -> None:
    """The page has another key or time than the file says."""
    score = score_of((0, 24, 60), times=[(0, 3, 4)], keys=[(0, -3, True)])
    assert readable(score, None).meter == score.meter


def test_bars_of_unknown_length_are_of_four_quarters() -> None:
    """The page has no time signature, although it has bars."""
    assert readable(scale(60), None).meter.time_signatures == (TimeSignature(0),)


def test_an_upbeat_has_no_time_signature_of_its_own() -> None:
    """An upbeat as MIDI files have it, a bar of 1/4, is drawn as a change of time."""
    score = score_of((0, 24, 60), (24, 96, 62), times=[(0, 1, 4), (24, 3, 4)])
    assert readable(score, BeatGrid(4)).meter.time_signatures == (TimeSignature(0, 3, 4), TimeSignature(4, 3, 4))


def test_a_tempo_is_marked_if_it_lasts() -> None:
    """A ritardando as performed has a tempo mark at every beat, one over another."""
    tempi = [(0, 600_000), (48, 700_000), (72, 800_000), (96, 605_000), (240, 400_000)]
    score = score_of((0, 480, 60), tempi=tempi)
    assert readable(score, BeatGrid(4)).tempo == TempoMap(4, [(0, 600_000), (40, 400_000)])
