"""Files whose music is beside the beats they count: if these fail, their rolls are a frame off, or fit no model."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import SONG_FILES, file_bytes, rolls

from pianoroll_seq2seq import (
    BeatGrid,
    Corpus,
    FrameLayout,
    NoteTable,
    Part,
    PianoRoll,
    Score,
    TempoMap,
    build_corpus,
    read_midi,
    write_midi,
)
from pianoroll_seq2seq.checkpoint.descriptions import build, describe
from pianoroll_seq2seq.pitches import ALL_PITCHES

SIXTEENTHS = BeatGrid(4)
AUTO = BeatGrid(4, offset="auto")


def song(*, late: int, drums: bool = False, tempo: TempoMap | None = None) -> Score:
    """A melody and a bass on sixteenths, some ticks late."""
    onsets = np.array([0, 120, 240, 480, 480, 960, 1080, 1440]) + late
    parts = (Part("melody", track=0), Part("bass", 33, drums, track=1))
    notes = NoteTable(onsets, onsets + 120, [60, 62, 64, 48, 65, 36, 67, 69], [90] * 8, [0, 0, 0, 1, 0, 1, 0, 0])
    return Score(notes, tempo or TempoMap(480), parts, end_tick=1920 + late)


@pytest.mark.parametrize("late", [0, 7, 37, 60, 100, 113])
def test_a_file_beside_the_beats_gives_the_roll_of_one_on_them(late: int, tmp_path: Path) -> None:
    """With their offsets, notes of one chord go to two frames, and two files of one song are different music."""
    on_beats = PianoRoll.from_score(song(late=0), grid=SIXTEENTHS)
    read = PianoRoll.from_midi(write_midi(song(late=late), tmp_path / "late.mid"), grid=AUTO)
    frames = round(late / 120 - 0.01)  # the offset is known up to whole frames
    assert read[frames:] == on_beats
    assert PianoRoll.from_score(song(late=late), grid=AUTO) == read


@given(SONG_FILES, st.booleans())
def test_both_ways_of_reading_agree(file: mido.MidiFile, drums: bool) -> None:
    """The fast way moves the notes and not the tempi, or takes the offset from some of the parts."""
    data = file_bytes(file)
    score = read_midi(data)
    assume(len((score if drums else score.without_drums()).notes))
    read = PianoRoll.from_midi(data, grid=AUTO, pitches=ALL_PITCHES, drums=drums)
    assert read == PianoRoll.from_score(score, grid=AUTO, pitches=ALL_PITCHES, drums=drums)


def test_parts_of_a_file_are_moved_together(tmp_path: Path) -> None:
    """The melody of a file, read alone, no longer fits its accompaniment."""
    straight = song(late=37)
    late_melody = np.where(straight.notes.part == 0, 50, 0)  # dragging: alone, it would be moved to the next line
    notes = NoteTable(
        np.concatenate([straight.notes.onset_tick + late_melody, 37 + 480 * np.arange(8)]),
        np.concatenate([straight.notes.end_tick + late_melody, 157 + 480 * np.arange(8)]),
        np.append(straight.notes.pitch, [40] * 8),
        [90] * 16,
        np.append(straight.notes.part, [1] * 8),
    )
    path = write_midi(replace(straight, notes=notes), tmp_path / "song.mid")
    together = PianoRoll.from_midi(path, grid=AUTO, parts="tracks")
    alone = PianoRoll.from_midi(path, grid=AUTO, track="melody")
    assert np.array_equal(together["melody"].active[: len(alone)], alone.active)
    assert together.tempo == alone.tempo


def test_drums_count_for_the_offset(tmp_path: Path) -> None:
    """The offset of a file depends on whether its drums are kept."""
    path = write_midi(song(late=37, drums=True), tmp_path / "song.mid")
    without, kept = (PianoRoll.from_midi(path, grid=AUTO, drums=drums) for drums in (False, True))
    assert not (without.active & ~kept.active[: len(without)]).any()


@given(rolls(all_onsets=True, playable=True, grids=st.just(AUTO)))
def test_a_written_roll_is_read_again(roll: PianoRoll) -> None:
    """Music that a model wrote moves each time it is saved and opened."""
    assume(roll.active.any())
    again = PianoRoll.from_score(roll.to_score(), grid=AUTO, pitches=roll.pitches, velocity=False)
    assert (again.active.tolist(), again.onset.tolist(), again.tempo) == (
        roll.active.tolist(),
        roll.onset.tolist(),
        roll.tempo,
    )


@given(st.integers(0, 119), st.integers(1, 3000), st.integers(200_000, 900_000))
def test_notes_sound_when_they_did(late: int, change: int, us_per_beat: int) -> None:
    """A tempo change stays where it was while the music moves: all notes after it are early or late."""
    score = song(late=late, tempo=TempoMap(480, [(change, us_per_beat)]))
    roll = PianoRoll.from_score(score, grid=AUTO)
    written = roll.to_score()
    before, after = (one.tempo.seconds(np.sort(one.notes.onset_tick)) for one in (score, written))
    np.testing.assert_allclose(np.diff(after), np.diff(before), atol=1e-9)


@pytest.mark.parametrize(
    "onsets", [[0, 0, 0], [37], [50, 170], [0, 1, 2**31 - 1000], [13, 401, 777]], ids=["zero", "one", "two", "far", "3"]
)
def test_a_few_notes(onsets: list[int], tmp_path: Path) -> None:
    """The offset of a file with hardly any notes is an error, or leads before its beginning."""
    notes = NoteTable(
        onsets, [onset + 100 for onset in onsets], [60] * len(onsets), [90] * len(onsets), [0] * len(onsets)
    )
    score = Score(notes, TempoMap(480)).truncate(3600)
    roll = PianoRoll.from_midi(write_midi(score, tmp_path / "few.mid"), grid=AUTO)
    assert roll == PianoRoll.from_score(score, grid=AUTO)
    assert len(roll.notes().pitch) >= 1


def test_rolls_with_and_without_an_offset_fit_each_other() -> None:
    """A model that was trained on files with an offset refuses all other music."""
    late, straight = PianoRoll.from_score(song(late=37), grid=AUTO), PianoRoll.from_score(song(late=0))
    layout = FrameLayout.of(straight, onsets=False)
    assert np.array_equal(late.to_frames(layout), straight.to_frames(layout))
    assert len(late + straight) == len(late) + len(straight)
    assert FrameLayout.of(late, onsets=False) == layout


def test_a_layout_in_a_checkpoint_keeps_the_offset() -> None:
    """A primer for a trained model is read from its file without the offset that the training files were read with."""
    restored = build(describe(FrameLayout(AUTO, planes=("active",))))
    assert restored.grid.offset == "auto"
    assert build(describe(FrameLayout(SIXTEENTHS, planes=("active",)))).grid.offset is None


def test_a_corpus_keeps_the_offset(tmp_path: Path) -> None:
    """Workers read files without the offset, or the corpus is opened on a grid that its files were not read on."""
    for late in (0, 37, 90):
        write_midi(song(late=late), tmp_path / "midi" / f"{late}.mid")
    with ThreadPoolExecutor(1) as executor:
        build_corpus(tmp_path / "midi", tmp_path / "corpus", grid=AUTO, executor=executor, progress=False)
    corpus = Corpus(tmp_path / "corpus")
    assert isinstance(corpus.grid, BeatGrid)
    assert corpus.grid.offset == "auto"
    for roll in corpus:
        assert roll == PianoRoll.from_midi(tmp_path / "midi" / f"{roll.name}.mid", grid=AUTO)


def test_pop909_is_on_sixteenths(pop909_dir: Path) -> None:
    """Of real files, the music of which is a constant time late, hardly a note is on a line of the roll."""
    shares = []
    for path in sorted(pop909_dir.glob("*.mid"))[:40]:
        score = read_midi(path)
        shares.append([float((one.notes.onset_tick % 120 == 0).mean()) for one in (score, score.on_grid(AUTO))])
        assert PianoRoll.from_midi(path, grid=AUTO) == PianoRoll.from_score(score, grid=AUTO)
    before, after = np.median(shares, axis=0)
    assert before < 0.05
    assert after > 0.9
