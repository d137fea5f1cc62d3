"""Music metrics: against MusPy, against slow direct computations, and invariances."""

import math
import os
import statistics
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import _built, planes, rolls
from typechecker import as_users_have_it

from pianoroll_seq2seq.data.splitting import pitch_class_set
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation import music_metrics
from pianoroll_seq2seq.evaluation.music_metrics import (
    METRICS,
    Metric,
    empty_frames,
    groove_consistency,
    notes_in_scale,
    pitch_class_entropy,
    polyphony,
    polyphony_rate,
    repeated_frames,
    scale_consistency,
    semitone_clashes,
)
from pianoroll_seq2seq.evaluation.note_metrics import mean_note_beats, median_note_beats, note_beats, repeated_notes
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange

BAR = 4


@st.composite
def music(draw, min_frames: int = 0, **how) -> PianoRoll:
    """Rolls of up to 12 frames and 8 neighbouring pitches, in one tempo."""
    active, onset = draw(planes(max_columns=8, min_frames=min_frames, **how))
    lowest = draw(st.integers(12, 100))
    pitches = PitchRange(lowest, lowest + active.shape[1] - 1)
    return _built(PianoRoll, active, onset, BeatGrid(4), pitches)


def same(one: float, other: float) -> bool:
    """Equal but for rounding; NaN equals NaN."""
    return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def chords(*frames: set[int], grid: BeatGrid | SecondsGrid = BeatGrid(4), pitches: PitchRange = PitchRange()):
    """A roll from the MIDI pitches of each frame."""
    active = np.zeros((len(frames), len(pitches)), bool)
    for frame, chord in enumerate(frames):
        active[frame, [pitch - pitches.lowest for pitch in chord]] = True
    return PianoRoll.from_active(active, grid=grid, pitches=pitches)


# ---- Slow direct computation


def pitches_by_frame(roll: PianoRoll) -> list[set[int]]:
    """The MIDI pitches of each frame."""
    return [{roll.pitches.lowest + int(column) for column in np.flatnonzero(frame)} for frame in roll.active]


def notes_of(roll: PianoRoll) -> list[tuple[int, int, int]]:
    """First frame, frames and MIDI pitch of each note, walking along each pitch."""
    notes = []
    for column in range(len(roll.pitches)):
        for frame in range(len(roll)):
            follows = frame > 0 and roll.active[frame - 1, column] and not roll.onset[frame, column]
            if roll.active[frame, column] and not follows:
                end = frame + 1
                while end < len(roll) and roll.active[end, column] and not roll.onset[end, column]:
                    end += 1
                notes.append((frame, end - frame, roll.pitches.lowest + column))
    return notes


def share(what: list[bool]) -> float:
    return float(Fraction(sum(what), len(what))) if what else math.nan


def slow_groove(roll: PianoRoll, bar: int) -> float:
    onsets = {frame for frame, _, _ in notes_of(roll)}
    bars = [[start + position in onsets for position in range(bar)] for start in range(0, len(roll), bar)]
    distances = [sum(a != b for a, b in zip(one, other, strict=True)) / bar for one, other in pairwise(bars)]
    return 1 - sum(distances) / len(distances) if distances else math.nan


@given(music(all_onsets=False), st.sampled_from(["notes", "frames"]))
def test_metrics_of_pitch_classes_are_those_of_the_formulas(roll: PianoRoll, weight: str) -> None:
    """Entropy as a sum; the best of 24 scales, each built from its steps."""
    counted = [pitch % 12 for _, frames, pitch in notes_of(roll) for _ in range(frames if weight == "frames" else 1)]
    probabilities = [count / len(counted) for count in Counter(counted).values()]
    entropy = sum(p * math.log2(1 / p) for p in probabilities) if counted else math.nan
    assert same(pitch_class_entropy(roll, weight=weight), entropy)
    shares = []
    for steps in ((2, 2, 1, 2, 2, 2), (2, 1, 2, 2, 1, 2)):
        for root in range(12):
            scale = {(root + sum(steps[:degree])) % 12 for degree in range(7)}
            shares.append(share([pitch_class in scale for pitch_class in counted]))
            assert same(notes_in_scale(roll, scale, weight=weight), shares[-1])
    assert same(scale_consistency(roll, weight=weight), max(shares))


@given(music(all_onsets=False), st.integers(1, 4))
def test_metrics_of_frames_are_those_of_the_formulas(roll: PianoRoll, at_least: int) -> None:
    frames = pitches_by_frame(roll)
    sounding = [frame for frame in frames if frame]
    mean = sum(map(len, sounding)) / len(sounding) if sounding else math.nan
    assert same(polyphony(roll), mean)
    assert same(polyphony_rate(roll, at_least=at_least), share([len(frame) >= at_least for frame in frames]))
    clashing = [any(abs(a - b) == 1 for a in frame for b in frame) for frame in sounding]
    assert same(semitone_clashes(roll), share(clashing))
    assert same(repeated_frames(roll), share([frames[i] == frames[i - 1] for i in range(1, len(frames))]))
    assert same(empty_frames(roll), share([not frame for frame in frames]))


@given(music(all_onsets=False), st.integers(1, 5))
def test_metrics_of_time_are_those_of_the_formulas(roll: PianoRoll, bar: int) -> None:
    assert same(groove_consistency(roll, frames_per_bar=bar), slow_groove(roll, bar))
    lengths = [frames / 4 for _, frames, _ in notes_of(roll)]
    assert sorted(note_beats(roll).tolist()) == sorted(lengths)
    assert same(mean_note_beats(roll), sum(lengths) / len(lengths) if lengths else math.nan)
    assert same(median_note_beats(roll), statistics.median(lengths) if lengths else math.nan)
    ends = {(frame + frames, pitch) for frame, frames, pitch in notes_of(roll)}
    assert same(repeated_notes(roll), share([(frame, pitch) in ends for frame, _, pitch in notes_of(roll) if frame]))


def test_metrics_of_a_short_piece_counted_by_hand() -> None:
    roll = chords({60, 64, 67}, {60, 64, 67}, {59, 60}, set(), {61})
    assert pitch_class_entropy(roll) == pytest.approx(math.log2(5))  # C, E, G, B and C# begin once each
    assert scale_consistency(roll) == 4 / 5
    assert scale_consistency(roll, weight="frames") == 8 / 9
    assert polyphony(roll) == 9 / 4
    assert polyphony_rate(roll) == 3 / 5
    assert semitone_clashes(roll) == 1 / 4  # B and C; a seventh would be none
    assert semitone_clashes(chords({60, 71}, {60, 73})) == 0
    assert repeated_frames(roll) == 1 / 4
    assert empty_frames(roll) == pytest.approx(1 / 5)
    assert notes_in_scale(roll, pitch_class_set(chords({60, 64, 67}))) == 3 / 5
    assert groove_consistency(roll, frames_per_bar=2) == pytest.approx(1 - (0 + 0) / 2)  # begins, -; begins, -; begins
    assert sorted(note_beats(roll).tolist()) == [0.25, 0.25, 0.5, 0.5, 0.75]


@given(rolls())
def test_beats_on_a_grid_of_seconds_come_from_the_tempo(roll: PianoRoll) -> None:
    """Up to the rounding to whole ticks."""
    lengths = []
    for first, frames, _ in notes_of(roll):
        ends = roll.grid.ticks_at(np.array([first, first + frames]), roll.tempo)
        lengths.append(int(ends[1] - ends[0]) / roll.tempo.ticks_per_beat)
    assert sorted(note_beats(roll).tolist()) == pytest.approx(sorted(lengths), abs=2 / roll.tempo.ticks_per_beat)


def test_a_half_second_is_a_beat_at_120() -> None:
    roll = chords(*[{60}] * 50, grid=SecondsGrid(0.02))
    assert note_beats(roll).tolist() == [2.0]


# ---- MusPy


@given(music(min_frames=1))
def test_agrees_with_muspy(roll: PianoRoll) -> None:
    """For pieces that sound to their end: MusPy does not know what comes after the last note."""
    muspy = pytest.importorskip("muspy")
    assume(roll.active[-1].any())
    tracks = [muspy.Track(notes=[muspy.Note(time, pitch, duration, 64) for time, duration, pitch in notes_of(roll)])]
    piece = muspy.Music(resolution=4, tracks=tracks)
    assert same(pitch_class_entropy(roll), muspy.pitch_class_entropy(piece))
    assert same(scale_consistency(roll), muspy.scale_consistency(piece))
    assert same(notes_in_scale(roll, {9, 11, 0, 2, 4, 5, 7}), muspy.pitch_in_scale_rate(piece, 9, "minor"))
    assert same(polyphony(roll), muspy.polyphony(piece))
    for threshold in (0, 1, 2):
        assert same(polyphony_rate(roll, at_least=threshold + 1), muspy.polyphony_rate(piece, threshold))
    for bar in (2, 3, 4, 5):
        padded = roll
        if len(roll) % bar == 0:  # MusPy counts an empty bar after the last one
            silence = np.zeros((bar, len(roll.pitches)), bool)
            padded = roll + PianoRoll.from_active(silence, grid=roll.grid, pitches=roll.pitches)
        assert same(groove_consistency(padded, frames_per_bar=bar), muspy.groove_consistency(piece, bar))


# ---- Properties


@given(music(all_onsets=False), st.integers(-12, 12))
def test_only_metrics_of_a_fixed_scale_depend_on_the_key(roll: PianoRoll, semitones: int) -> None:
    moved = replace(roll, pitches=PitchRange(roll.pitches.lowest + semitones, roll.pitches.highest + semitones))
    for name, metric in METRICS.items():
        assert same(metric(moved), metric(roll)), name
    assert same(groove_consistency(moved, frames_per_bar=BAR), groove_consistency(roll, frames_per_bar=BAR))
    scale = frozenset({0, 2, 4, 5, 7, 9, 11})
    scale_moved = frozenset((pitch_class + semitones) % 12 for pitch_class in scale)
    assert same(notes_in_scale(moved, scale_moved), notes_in_scale(roll, scale))


@given(music(min_frames=1))
def test_a_piece_played_twice_has_the_same_metrics_except_at_the_seam(roll: PianoRoll) -> None:
    twice = roll + roll
    for name, metric in METRICS.items():
        if name not in ("repeated_frames", "repeated_notes"):
            assert same(metric(twice), metric(roll)), name
    seam = bool((roll.active[0] == roll.active[-1]).all())
    repeats = sum(map(np.array_equal, roll.active[1:], roll.active[:-1]))
    assert same(repeated_frames(twice), (2 * repeats + seam) / (2 * len(roll) - 1))
    assert groove_consistency(twice, frames_per_bar=len(roll)) == 1


@given(music(all_onsets=False))
def test_shares_are_between_0_and_1(roll: PianoRoll) -> None:
    for name in ("scale_consistency", "polyphony_rate", "semitone_clashes", "repeated_frames", "empty_frames"):
        assert math.isnan(METRICS[name](roll)) or 0 <= METRICS[name](roll) <= 1, name
    assert math.isnan(pitch_class_entropy(roll)) or 0 <= pitch_class_entropy(roll) <= math.log2(12)


def test_silence_has_metrics_of_frames_only() -> None:
    silence = chords(*[set()] * 8)
    defined = {name: metric(silence) for name, metric in METRICS.items() if not math.isnan(metric(silence))}
    assert defined == {"polyphony_rate": 0, "repeated_frames": 1, "empty_frames": 1}
    assert groove_consistency(silence, frames_per_bar=BAR) == 1
    assert math.isnan(notes_in_scale(silence, {0}))
    assert all(math.isnan(metric(silence[:0])) for metric in METRICS.values())
    assert math.isnan(groove_consistency(silence, frames_per_bar=8))


def test_the_entropy_of_one_pitch_class_is_not_minus_zero() -> None:
    assert math.copysign(1, pitch_class_entropy(chords({60}, {72}))) == 1


def test_arguments_out_of_range_are_named() -> None:
    roll = chords({60})
    with pytest.raises(SettingsError, match=r"0\.\.11 .* got \[60\]"):
        notes_in_scale(roll, {60})
    with pytest.raises(SettingsError, match="at_least must be at least 1, got 0"):
        polyphony_rate(roll, at_least=0)
    with pytest.raises(SettingsError, match="frames_per_bar must be at least 1, got 0"):
        groove_consistency(roll, frames_per_bar=0)
    with pytest.raises(SettingsError, match="'notes' or 'frames', got 'beats'"):
        as_users_have_it(music_metrics._pitch_class_counts)(roll, "beats")


def test_metrics_of_the_jsb_chorales() -> None:
    """48 frames, after the first 16, of each test chorale of Boulanger-Lewandowski et al. (2012) that has as many."""
    file = Path(os.environ.get("PIANOROLL_SEQ2SEQ_DATA", "")) / "poly_music" / "JSB_Chorales.mat"
    if not file.is_file():
        pytest.skip("real data: PIANOROLL_SEQ2SEQ_DATA names no folder that holds poly_music/JSB_Chorales.mat")
    from scipy.io import loadmat

    chorales = [
        PianoRoll.from_active(chorale[16:64].astype(bool), grid=BeatGrid(1))
        for chorale in loadmat(file)["testdata"][0]
        if len(chorale) >= 64
    ]
    assert len(chorales) == 28

    def mean(metric: Metric) -> float:
        return sum(map(metric, chorales)) / len(chorales)

    assert mean(lambda roll: polyphony(roll) * (1 - empty_frames(roll))) == pytest.approx(3.86, abs=0.005)
    assert mean(semitone_clashes) == pytest.approx(0.007, abs=0.0005)
    assert mean(lambda roll: scale_consistency(roll, weight="frames")) == pytest.approx(0.945, abs=0.0005)
    assert mean(repeated_frames) == pytest.approx(0.12, abs=0.005)
