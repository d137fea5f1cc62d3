"""Pictures of rolls and scores."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.colors import to_hex
from plot_contents import bars, brightness, legend, onsets, some_roll

from pianoroll_seq2seq import BeatGrid, FrameGrid, NoteTable, Part, PianoRoll, PitchRange, Score, SecondsGrid, TempoMap
from pianoroll_seq2seq.display.plot import plot_roll
from pianoroll_seq2seq.errors import SettingsError, ShapeError


def test_draws_into_given_axes() -> None:
    """A figure of several panels cannot be made: the picture lands in a figure of its own."""
    _, axes = pyplot.subplots(1, 2)
    before = pyplot.get_fignums()
    assert plot_roll(some_roll(), ax=axes[1]) is axes[1]
    assert pyplot.get_fignums() == before
    assert not axes[0].collections


def test_draws_into_new_axes_otherwise() -> None:
    """Two pictures end up on top of one another."""
    first, second = plot_roll(some_roll()), plot_roll(some_roll())
    assert first.figure is not second.figure


@pytest.mark.parametrize(
    ("grid", "unit", "end"),
    [(BeatGrid(4), "beats", 4.0), (SecondsGrid(0.25), "seconds", 4.0)],
    ids=["beats", "seconds"],
)
def test_axes_say_what_they_show(grid: FrameGrid, unit: str, end: float) -> None:
    """The unit of time or the pitches are not labelled."""
    ax = plot_roll(some_roll(grid))
    assert (ax.get_xlabel(), ax.get_ylabel()) == (unit, "pitch")
    assert ax.get_xlim() == (0.0, end)
    ax.figure.draw_without_rendering()
    ticks = dict(zip(ax.get_yticks(), (label.get_text() for label in ax.get_yticklabels()), strict=True))
    assert ticks[60] == "C4"


def test_time_is_in_the_given_unit() -> None:
    """Notes lie at other times than the axis says, after a change of tempo or at all."""
    tempo = TempoMap(960, ((0, 500_000), (1920, 1_000_000)))  # two beats of half a second, then a second each
    active = np.zeros((16, 1), dtype=bool)
    active[[0, 8, 12]] = True
    in_beats = PianoRoll.from_active(active, grid=BeatGrid(4), pitches=PitchRange(60, 60), tempo=tempo)
    ax = plot_roll(in_beats, time="seconds")
    assert [(bar.start, bar.end) for bar in bars(ax)] == [(0, 0.125), (1, 1.25), (2, 2.25)]
    assert (ax.get_xlabel(), ax.get_xlim()) == ("seconds", (0, 3))
    in_seconds = PianoRoll.from_active(active, grid=SecondsGrid(0.25), pitches=PitchRange(60, 60), tempo=tempo)
    ax = plot_roll(in_seconds, time="beats")
    assert [(bar.start, bar.end) for bar in bars(ax)] == [(0, 0.5), (3, 3.25), (4, 4.25)]
    assert (ax.get_xlabel(), ax.get_xlim()) == ("beats", (0, 5))


@given(seed=st.integers(0, 10**6), frames=st.integers(1, 24), primer=st.integers(0, 24), beats=st.booleans())
def test_one_bar_for_each_note(seed: int, frames: int, primer: int, beats: bool) -> None:
    """Notes are missing, lie in the wrong place, count as the wrong half of the piece, or lack their onset."""
    roll = some_roll(BeatGrid(4) if beats else SecondsGrid(0.25), frames, seed)
    figure, ax = pyplot.subplots()
    plot_roll(roll, primer_frames=primer, ax=ax)
    drawn = sorted((bar.start * 4, bar.end * 4, bar.pitch, bar.hatched) for bar in bars(ax))
    marks = [(start * 4, pitch) for start, pitch in onsets(ax)]
    pyplot.close(figure)
    notes = sorted(
        (float(onset), float(end), float(pitch), bool(onset < primer))
        for onset, end, pitch in zip(*roll.notes()[:3], strict=True)
    )
    np.testing.assert_allclose(np.array(drawn, float).reshape(-1, 4), np.array(notes, float).reshape(-1, 4))
    np.testing.assert_allclose(np.array(marks).reshape(-1, 2), np.argwhere(roll.onset) + np.array([0, 60]))


def test_repeated_notes_are_seen_apart() -> None:
    """A note that is repeated four times looks like one that is held."""
    held = PianoRoll.from_active(np.ones((8, 1), dtype=bool), pitches=PitchRange(60, 60))
    onset = held.onset.copy()
    onset[[2, 4, 6]] = True
    repeated = PianoRoll(held.active, onset, held.grid, held.pitches)
    assert onsets(plot_roll(held)) == [(0, 60)]
    assert onsets(plot_roll(repeated)) == [(0, 60), (0.5, 60), (1, 60), (1.5, 60)]


def test_a_note_held_from_before_has_no_onset_mark() -> None:
    """A stretch out of the middle of a piece seems to strike what only sounds on."""
    roll = PianoRoll.from_active(np.ones((8, 1), dtype=bool), pitches=PitchRange(60, 60))
    ax = plot_roll(roll[4:])
    assert len(bars(ax)) == 1
    assert onsets(ax) == []


def test_primer_has_its_own_colour_and_hatch() -> None:
    """The end of the primer is not visible, in colour or in a grey print."""
    ax = plot_roll(some_roll(), primer_frames=8)
    assert legend(ax) == ["primer", "continuation"]
    primer, continuation = ax.get_legend().get_patches()
    assert primer.get_hatch()
    assert not continuation.get_hatch()
    assert brightness(to_hex(continuation.get_facecolor())) - brightness(to_hex(primer.get_facecolor())) > 50
    assert {bar.colour for bar in bars(ax) if bar.hatched} == {to_hex(primer.get_facecolor())}
    assert {bar.colour for bar in bars(ax) if not bar.hatched} == {to_hex(continuation.get_facecolor())}
    assert [line.get_xdata()[0] for line in ax.get_lines()] == [2.0]  # the line between, at beat 2


def test_no_legend_without_a_primer() -> None:
    """A picture of one piece shows a key to a distinction that it does not make."""
    ax = plot_roll(some_roll())
    assert legend(ax) == []
    assert not ax.get_lines()


@pytest.mark.parametrize("frames", [0, 1, 8])
def test_silence_can_be_drawn(frames: int) -> None:
    """A model that has learned silence cannot be shown."""
    ax = plot_roll(PianoRoll.from_active(np.zeros((frames, 88), bool)), primer_frames=4)
    lowest, highest = ax.get_ylim()
    assert lowest < 21
    assert highest > 108
    ax.figure.draw_without_rendering()


def test_a_single_frame_can_be_drawn() -> None:
    """A chord, or the first frame of a piece, fails or has no width."""
    ax = plot_roll(some_roll(frames=1))
    assert ax.get_xlim() == (0, 0.25)
    assert all(bar.end - bar.start == 0.25 for bar in bars(ax))
    ax.figure.draw_without_rendering()


def test_the_time_to_draw_grows_with_the_notes() -> None:
    """Drawing half an hour of music takes minutes."""
    active = np.repeat(np.random.default_rng(0).random((25_000, 88)) < 0.04, 4, axis=0)
    roll = PianoRoll.from_active(active, grid=SecondsGrid(0.02))  # 100,000 frames, 84,000 notes

    def seconds_to_draw(part: PianoRoll) -> float:
        begin = time.process_time()
        plot_roll(part).figure.canvas.draw()
        return time.process_time() - begin

    seconds_to_draw(roll[:1000])  # fonts and imports
    assert seconds_to_draw(roll) < 40 * seconds_to_draw(roll[:10_000])


# ------------------------------------------------------------------------------------------------------- velocity


def _score(velocity: list[int], drums: bool = False) -> Score:
    """Notes of a beat, one after another, from C4 upwards; the last of them optionally on drums."""
    count = len(velocity)
    parts = (Part("piano"), Part("kit", drums=True)) if drums else (Part("piano"),)
    onset_tick, part = np.arange(count) * 480, [0] * (count - 1) + [int(drums)]
    return Score(NoteTable(onset_tick, onset_tick + 480, 60 + np.arange(count), velocity, part), TempoMap(480), parts)


def test_louder_notes_are_darker() -> None:
    """Velocity cannot be seen, in colour or in a grey print."""
    ax = plot_roll(_score([10, 40, 70, 100, 127]))
    shades = [brightness(bar.colour) for bar in bars(ax)]
    assert (np.diff(shades) < -10).all()
    (bar,) = [other for other in ax.figure.axes if other is not ax]
    assert bar.get_ylabel() == "velocity"
    assert bar.get_ylim() == (1, 127)


def test_velocities_of_a_roll_are_those_of_its_notes() -> None:
    """A roll's notes are drawn in the shade of others, or the primer is no longer hatched."""
    roll = some_roll()
    count = len(roll.notes().pitch)
    velocity = np.linspace(1, 127, count).astype(int)
    ax = plot_roll(roll, primer_frames=8, velocity=velocity)
    of_notes = {
        (onset / 4, float(pitch)): level
        for onset, pitch, level in zip(roll.notes().onset_frame, roll.notes().pitch, velocity, strict=True)
    }
    drawn = sorted(bars(ax), key=lambda bar: of_notes[bar.start, bar.pitch])
    shades = [brightness(bar.colour) for bar in drawn]
    assert (np.diff(shades) <= 0).all()
    assert all(bar.hatched == (bar.start < 2) for bar in drawn)
    assert legend(ax) == ["primer", "continuation"]


def test_a_score_of_one_velocity_has_no_colour_bar() -> None:
    """Music that was written by hand is drawn in one shade beside a bar that says nothing."""
    ax = plot_roll(_score([64, 64, 64]))
    assert ax.figure.axes == [ax]


def test_drums_are_optional() -> None:
    """The drum kit's instruments stand among the pitches, or cannot be seen at all."""
    score = _score([64, 64, 64], drums=True)
    assert len(bars(plot_roll(score))) == 2
    assert len(bars(plot_roll(score, drums=True))) == 3


def test_a_score_without_notes_can_be_drawn() -> None:
    """A file of text events alone fails from within."""
    plot_roll(Score(NoteTable.empty(), TempoMap(480), ())).figure.draw_without_rendering()


@pytest.mark.parametrize("velocity", [0, 128])
def test_no_such_velocity(velocity: int) -> None:
    """A velocity that MIDI does not know gets a shade that the colour bar does not."""
    roll = some_roll()
    with pytest.raises(SettingsError, match=r"1\.\.127"):
        plot_roll(roll, velocity=np.full(len(roll.notes().pitch), velocity))


def test_each_note_needs_a_velocity() -> None:
    """Velocities of another roll are drawn as this one's, or fail from within matplotlib."""
    with pytest.raises(ShapeError, match="one number for each"):
        plot_roll(some_roll(), velocity=np.array([64]))


def test_a_score_takes_no_primer() -> None:
    """The primer of a score is silently left out."""
    with pytest.raises(SettingsError, match="primer_frames"):
        plot_roll(_score([1, 2]), primer_frames=2)
