"""Metrics of rolls of several parts, with drums and velocities, against slow direct computations."""

import math
import statistics
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import part_rolls

from pianoroll_seq2seq.errors import GridError, SettingsError
from pianoroll_seq2seq.evaluation.continuation import ContinuationMetrics
from pianoroll_seq2seq.evaluation.histograms import Histograms, overlap
from pianoroll_seq2seq.evaluation.music_metrics import (
    METRICS,
    VELOCITY_METRICS,
    empty_frames,
    groove_consistency,
    mean_metrics,
    pitch_class_entropy,
    polyphony,
    polyphony_rate,
    repeated_frames,
    scale_consistency,
    semitone_clashes,
)
from pianoroll_seq2seq.evaluation.music_summary import NoteLength, summarize_music
from pianoroll_seq2seq.evaluation.note_metrics import (
    mean_note_beats,
    mean_velocity,
    median_note_beats,
    note_beats,
    repeated_notes,
    velocities,
    velocity_std,
)
from pianoroll_seq2seq.evaluation.set_distance import compare_sets
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange

OF_UNIONS = {"pitch_class_entropy", "scale_consistency", "semitone_clashes", "repeated_frames"}
"""Metrics that do not depend on which part plays a pitch."""


def same(one: float, other: float) -> bool:
    """Equal but for rounding; NaN equals NaN."""
    return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def part(name: str, *frames: set[int], drums: bool = False, velocity: int | None = None) -> PianoRoll:
    """A roll of one part, from the MIDI pitches of each frame."""
    pitches = PitchRange(30, 90)
    active = np.zeros((len(frames), len(pitches)), bool)
    for frame, chord in enumerate(frames):
        active[frame, [pitch - pitches.lowest for pitch in chord]] = True
    roll = PianoRoll.from_active(active, parts=[Part(name, drums=drums, pitches=pitches)])
    return roll if velocity is None else roll.with_velocity(velocity)


def pitched_parts(roll: PianoRoll) -> list[PianoRoll]:
    return [roll[part.name] for part in roll.parts if not part.drums]


def pitches_by_frame(roll: PianoRoll) -> list[list[int]]:
    """The MIDI pitches of each frame, part by part: a pitch of two parts is there twice."""
    frames: list[list[int]] = [[] for _ in range(len(roll))]
    for one in pitched_parts(roll):
        for frame, column in np.argwhere(one.active).tolist():
            frames[frame].append(one.pitches.lowest + column)
    return frames


def share(what: list[bool]) -> float:
    return sum(what) / len(what) if what else math.nan


@given(part_rolls())
def test_pitches_of_several_parts_are_a_union_and_notes_a_sum(roll: PianoRoll) -> None:
    """A pitch that two parts play counts twice among the pitches, or once among the notes; or drums are pitches."""
    frames = pitches_by_frame(roll)
    sounding = [frame for frame in frames if frame]
    assert same(polyphony(roll), sum(map(len, sounding)) / len(sounding) if sounding else math.nan)
    assert same(polyphony_rate(roll), share([len(frame) >= 2 for frame in frames]))
    clashing = [any(a + 1 in frame for a in frame) for frame in sounding]
    assert same(semitone_clashes(roll), share(clashing))
    repeats = [set(frames[index]) == set(frames[index - 1]) for index in range(1, len(frames))]
    assert same(repeated_frames(roll), share(repeats))
    by_class = Counter(pitch % 12 for frame in frames for pitch in set(frame))
    total = sum(by_class.values())
    entropy = sum(n / total * math.log2(total / n) for n in by_class.values()) if total else math.nan
    assert same(pitch_class_entropy(roll, weight="frames"), entropy)


@given(part_rolls())
def test_metrics_of_notes_are_those_of_each_part(roll: PianoRoll) -> None:
    """A note of one part ends where another part strikes its pitch."""
    lengths = [beats for one in pitched_parts(roll) for beats in note_beats(one).tolist()]
    assert sorted(note_beats(roll).tolist()) == sorted(lengths)
    assert same(mean_note_beats(roll), sum(lengths) / len(lengths) if lengths else math.nan)
    assert same(median_note_beats(roll), statistics.median(lengths) if lengths else math.nan)
    repeats = []
    for one in pitched_parts(roll):
        starts = one.note_starts()
        repeats += [bool(one.active[f - 1, c]) for f, c in np.argwhere(starts).tolist() if f]
    assert same(repeated_notes(roll), share(repeats))


@given(part_rolls())
def test_merging_the_parts_changes_no_metric_of_pitches(roll: PianoRoll) -> None:
    """The same music has another scale if it is read in parts."""
    drums = all(part.drums for part in roll.parts)
    merged = roll if drums else roll.merged()
    for name in OF_UNIONS:
        assert same(METRICS[name](roll), METRICS[name](merged)), name


@given(part_rolls(), st.data())
def test_drums_change_only_what_counts_all_sound(roll: PianoRoll, data: st.DataObject) -> None:
    """Drums are pitches: a bass drum is a C."""
    plane = np.array(data.draw(st.lists(st.booleans(), min_size=len(roll) * 2, max_size=len(roll) * 2)), dtype=bool)
    pitches = PitchRange(36, 37)
    kit = PianoRoll.from_active(
        plane.reshape(len(roll), 2),
        grid=roll.grid,
        tempo=roll.tempo,
        parts=[Part("a kit", drums=True, pitches=pitches)],
    )
    named = replace(roll, parts=tuple(replace(one, name=one.name or "one") for one in roll.parts))
    whole = PianoRoll.stack([named, kit])
    for name, metric in METRICS.items():
        if name != "empty_frames":
            assert same(metric(whole), metric(named)), name
    silent = ~(named.active.any(axis=1) | kit.active.any(axis=1))
    assert same(empty_frames(whole), float(silent.mean()) if len(roll) else math.nan)
    assert ContinuationMetrics.of(whole, named).in_scale_share == ContinuationMetrics.of(named, named).in_scale_share


def test_two_voices_and_a_kit_counted_by_hand() -> None:
    roll = PianoRoll.stack(
        [
            part("soprano", {64}, {64}, {65}, set(), velocity=80),
            part("alto", {64}, {60}, {64}, set(), velocity=100),
            part("kit", {36}, {36, 38}, set(), {42}, drums=True, velocity=120),
        ]
    )
    assert polyphony(roll) == 2
    assert polyphony_rate(roll) == 3 / 4
    assert semitone_clashes(roll) == 1 / 3  # E and F of two parts; not the highest pitch of one part and the next part
    assert repeated_frames(roll) == 0
    assert empty_frames(roll) == 0
    assert groove_consistency(roll, frames_per_bar=1) == 1  # something begins in each frame
    assert sorted(note_beats(roll).tolist()) == [0.25, 0.25, 0.25, 0.25, 0.5]
    assert repeated_notes(roll) == 0  # the alto takes the soprano's pitch in another frame
    assert scale_consistency(roll) == 1
    assert sorted(velocities(roll).tolist()) == [80, 80, 100, 100, 100, 120, 120, 120]
    assert mean_velocity(roll) == 102.5
    assert velocity_std(roll) == pytest.approx(statistics.pstdev([80, 80, 100, 100, 100, 120, 120, 120]))
    measured = ContinuationMetrics.of(roll, roll["soprano"])
    assert (measured.num_notes, measured.polyphony, measured.silent_share) == (8, 2, 0)
    assert measured.in_scale_share == 4 / 5  # the soprano has no C


def test_a_repeated_chord_is_repeated() -> None:
    """The share of strikes that a model without onsets would glue."""
    held = part("", {60, 64}, {60, 64}, {60, 64}, {67})
    struck = replace(held, onset=held.active)
    assert repeated_notes(held) == 0
    assert repeated_notes(struck) == 4 / 5  # the first chord has nothing before it
    assert mean_note_beats(struck) == 0.25
    assert math.isnan(repeated_notes(held[:1]))


def test_parts_that_are_silent() -> None:
    """A part without notes, or nothing but drums, ends in an error or in a number."""
    silent = part("silent", *[set()] * 4)
    kit = part("kit", {36}, {36}, set(), {42}, drums=True)
    other_kit = part("another kit", *[set()] * 4, drums=True)
    for roll in (PianoRoll.stack([silent, kit]), kit, PianoRoll.stack([kit, other_kit])):
        defined = {name: metric(roll) for name, metric in METRICS.items() if not math.isnan(metric(roll))}
        assert defined == {"polyphony_rate": 0, "repeated_frames": 1, "empty_frames": 1 / 4}
        assert all(math.isnan(metric(roll)) for metric in VELOCITY_METRICS.values())
        assert ContinuationMetrics.of(roll, kit) == ContinuationMetrics(0, 0.25, 0.0, 0.0, len(roll.notes().pitch))
    voice = part("voice", {60}, {62}, {64}, {65})
    alone, beside = (PianoRoll.stack(rolls) for rolls in ([voice], [voice, silent]))
    for name, metric in METRICS.items():
        assert same(metric(alone), metric(beside)), name


def test_notes_that_began_before_the_roll_have_no_velocity() -> None:
    roll = part("", {60}, {60}, {62}, velocity=90)
    assert velocities(roll[1:]).tolist() == [90]
    assert mean_metrics([roll])["mean_velocity"] == 90
    assert "mean_velocity" not in mean_metrics([roll.with_velocity(None)])


def test_more_notes_at_once_than_pitches() -> None:
    """Three parts on all pitches end in an error about broadcasting."""
    full = np.ones((2, 128), dtype=bool)
    parts = [Part(name, pitches=PitchRange(0, 127)) for name in "abc"]
    roll = PianoRoll.from_active(np.tile(full, 3), parts=parts)
    assert compare_sets([roll], [roll]).polyphony_overlap == 1
    assert polyphony(roll) == 384


def test_sets_with_velocities() -> None:
    """A model that plays all notes alike is not told from one that plays as the data."""
    soft, loud = (part("", {60}, {62}, {60}, {64}, velocity=velocity) for velocity in (60, 100))
    assert set(compare_sets([soft], [loud]).metrics) == {*METRICS, *VELOCITY_METRICS}
    assert compare_sets([soft], [loud]).velocity_overlap == 0
    assert compare_sets([soft, loud], [loud]).velocity_overlap == 0.5
    assert "of velocities 0.500" in str(compare_sets([soft, loud], [loud]))
    unknown = compare_sets([soft.with_velocity(None)], [loud])
    assert set(unknown.metrics) == set(METRICS)
    assert math.isnan(unknown.velocity_overlap)
    assert unknown.to_json()["velocity_overlap"] is None
    assert "velocit" not in str(unknown)


def test_overlap_of_note_lengths() -> None:
    short, long = part("", {60}, {62}, {60}, {64}), part("", {60}, {60}, {64}, {64})
    compared = compare_sets([short], [short, long])
    assert compared.note_length_overlap == pytest.approx(4 / 6)
    assert compared.to_json()["note_length_overlap"] == compared.note_length_overlap
    assert compare_sets([short], [short]).note_length_overlap == 1
    assert math.isnan(compare_sets([short], [part("", set(), set())]).note_length_overlap)


@given(st.lists(st.integers(0, 5), max_size=6), st.lists(st.integers(0, 5), max_size=6))
def test_overlaps_are_those_of_the_shares(one: list[int], other: list[int]) -> None:
    value = overlap(np.array(one, dtype=np.int64), np.array(other, dtype=np.int64))
    if not sum(one) or not sum(other):
        assert math.isnan(value)
        return
    padded = [(*counts, *[0] * 6)[:6] for counts in (one, other)]
    expected = sum(min(a / sum(one), b / sum(other)) for a, b in zip(*padded, strict=True))
    assert value == pytest.approx(expected)


def test_summaries() -> None:
    """The page of a run shows other lengths than its music has, or needs a second generated piece."""
    short, long = part("", {60}, {62}, {60}, {64}, velocity=60), part("", {60}, {60}, {64}, {64}, velocity=60)
    found = summarize_music([short], [short, long])
    lengths = (NoteLength(0.25, 1.0, 4 / 6), NoteLength(0.5, 0.0, 2 / 6))
    assert [(row.length, row.generated) for row in found.note_lengths] == [
        (row.length, row.generated) for row in lengths
    ]
    assert [row.data for row in found.note_lengths] == pytest.approx([row.data for row in lengths])
    assert found.unit == "beats"
    assert found.overlaps == {"polyphony": 1.0, "note_lengths": pytest.approx(4 / 6), "velocities": 1.0}
    assert found.generated["mean_note_beats"] == 0.25
    assert found.data["mean_note_beats"] == 0.375
    assert (found.generated_pieces, found.data_pieces) == (1, 2)
    silent = part("", set(), set())
    assert summarize_music([silent], [short]).overlaps == {"polyphony": 0.0}
    assert [row.generated for row in summarize_music([silent], [short]).note_lengths] == [0.0]
    in_seconds = PianoRoll.from_active(np.ones((5, 1), bool), grid=SecondsGrid(0.02), pitches=PitchRange(60, 60))
    assert summarize_music([in_seconds], [in_seconds]).note_lengths == (NoteLength(0.1, 1.0, 1.0),)
    assert summarize_music([in_seconds], [in_seconds]).unit == "seconds"
    with pytest.raises(GridError, match="is on"):
        summarize_music([short], [in_seconds])
    with pytest.raises(SettingsError, match="at least one piece"):
        summarize_music([short], [])


def test_rare_lengths_are_listed_together() -> None:
    active = np.zeros((300, 1), dtype=bool)
    frame = 0
    for length in range(1, 21):
        active[frame : frame + length] = True
        frame += length + 1
    roll = PianoRoll.from_active(active, grid=BeatGrid(1), pitches=PitchRange(60, 60))
    rows = summarize_music([roll], [roll]).note_lengths
    assert [row.length for row in rows] == [*range(1, 13), None]
    assert sum(row.data for row in rows) == pytest.approx(1)
    assert Histograms.of([roll]).note_frames.sum() == 20
