"""What other programs make of our files: if these fail, a notation program shows other notes than the score has."""

import warnings
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from musicxml_music import SCORES

from pianoroll_seq2seq import Score, read_musicxml, write_musicxml

partitura = pytest.importorskip("partitura")
music21 = pytest.importorskip("music21")


def _by_partitura(path: Path) -> Counter:
    """Onset, duration, pitch and part of each pitched note, in beats; tied notes are one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of directions that it does not read, such as metronome marks
        parts = partitura.load_musicxml(path).parts
    found: Counter = Counter()
    for index, part in enumerate(parts):
        divisions = int(part.quarter_duration_map(0))
        for note in part.notes_tied:
            onset = Fraction(note.start.t - part.first_point.t, divisions)
            found[onset, Fraction(note.duration_tied, divisions), note.midi_pitch, index] += 1
    return found


def _in_beats(score: Score) -> Counter:
    notes, ticks = score.notes, score.ticks_per_beat
    columns = (column.tolist() for column in (notes.onset_tick, notes.end_tick, notes.pitch, notes.part))
    return Counter(
        (Fraction(on, ticks), Fraction(end - on, ticks), pitch, part)
        for on, end, pitch, part in zip(*columns, strict=True)
        if not score.parts[part].drums
    )


WITH_LENGTHS = [name for name in SCORES if name not in ("no length", "empty parts")]  # partitura moves grace notes


@pytest.mark.parametrize("name", WITH_LENGTHS)
def test_partitura_reads_the_same_notes(name, tmp_path):
    """Onset, duration, pitch and part: ties, tuplets, voices and bars mean to others what they mean to us."""
    path = write_musicxml(SCORES[name], tmp_path / "song.musicxml")
    assert _by_partitura(path) == _in_beats(SCORES[name])


def test_files_keep_to_the_schema_of_the_format(tmp_path):
    """Elements in the wrong order are refused by strict programs. Pitches below 12 have octaves that it has not."""
    from partitura.io.importmusicxml import validate_musicxml

    for name, score in SCORES.items():
        if min(score.notes.pitch.tolist()) >= 12 or all(part.drums for part in score.parts):
            validate_musicxml(str(write_musicxml(score, tmp_path / f"{name}.musicxml")), debug=True)


def _by_music21(path: Path) -> list[list[tuple]]:
    """Onset, end and pitch of the notes of each part that music21 finds, with ties joined by its own code."""
    stream = music21.converter.parse(path, forceSource=True)
    return [
        sorted(
            (Fraction(element.offset), Fraction(element.offset) + Fraction(element.quarterLength), pitch.midi)
            for element in part.stripTies().flatten().notes
            for pitch in element.pitches
        )
        for part in stream.parts
    ]


@pytest.mark.parametrize("name", ["upbeat", "bars of five eighths", "triplets", "chords", "changes"])
def test_music21_reads_the_same_notes(name, tmp_path):
    """A third reader, for what the second might have in common with us."""
    score = SCORES[name]
    path = write_musicxml(score, tmp_path / "song.musicxml")
    expected = sorted((onset, onset + length, pitch) for onset, length, pitch, _ in _in_beats(score).elements())
    staves = _by_music21(path)  # of a part with two staves, it makes two parts
    assert sorted(note for staff in staves for note in staff) == expected


# ---------------------------------------------------------------------------------------------------------- chorales


def _check(score: Score, path: Path) -> None:
    write_musicxml(score, path, overwrite=True)
    assert read_musicxml(path) == score
    assert _by_partitura(path) == _in_beats(score)


@pytest.mark.parametrize("name", ["bwv269", "bwv339", "bwv27.6", "bwv315"])
def test_chorales_come_back(name, tmp_path):
    """Bach's chorales, some with upbeats, a fifth voice or changes of metre: equal, also as partitura reads them."""
    from pianoroll_seq2seq.data.datasets.bach_chorales import bach_chorales

    score = bach_chorales([name], cache_dir=tmp_path, progress=False)[name].score
    assert score.meter.time_signatures
    assert score.meter.key_signatures
    _check(score, tmp_path / "chorale.musicxml")


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(14))
def test_all_chorales_come_back(shard, tmp_path):
    """All 350, as the four above."""
    from pianoroll_seq2seq.data.datasets import bach_chorales as module

    names = list(module._titles(music21))[shard::14]
    chorales = module.bach_chorales(names, cache_dir=tmp_path, progress=False)
    assert len(chorales) == 25
    for chorale in chorales.values():
        _check(chorale.score, tmp_path / "chorale.musicxml")
