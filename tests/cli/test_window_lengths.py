"""Windows in bars: if these fail, a model is trained on windows in which no rhythm fits, and nobody learns why."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import SMALL, SMALL_MODEL, Run

from pianoroll_seq2seq import BeatGrid, Meter, PianoRoll, PitchRange, SecondsGrid, TempoMap, TimeSignature
from pianoroll_seq2seq.cli.train_options import WindowOptions
from pianoroll_seq2seq.cli.window_lengths import short_windows
from pianoroll_seq2seq.grid import FrameGrid

NO_METER = Meter()


def piece(grid: FrameGrid, *, bpm: float = 120, num_frames: int = 640, meter: Meter = NO_METER) -> PianoRoll:
    active = np.ones((num_frames, 1), dtype=bool)
    roll = PianoRoll.from_active(active, grid=grid, pitches=PitchRange(60, 60), tempo=TempoMap.from_bpm(bpm))
    return replace(roll, meter=meter)


@pytest.mark.parametrize(
    ("grid", "bpm", "input_frames", "target_frames"),
    [
        (BeatGrid(4), 120, 32, 32),
        (BeatGrid(4), 120, 16, 16),
        (BeatGrid(1), 60, 4, 4),
        (SecondsGrid(0.02), 120, 100, 100),
        (SecondsGrid(0.02), 240, 50, 50),
    ],
)
def test_windows_of_a_bar_are_long_enough(grid: FrameGrid, bpm: float, input_frames: int, target_frames: int) -> None:
    """A warning at every training is read by nobody."""
    options = WindowOptions(input_frames=input_frames, target_frames=target_frames)
    assert short_windows([piece(grid, bpm=bpm)], options) is None


def test_the_warning_names_the_bar_and_the_fix() -> None:
    """The default windows of 20 ms frames: they hold 0.64 s, a third of a bar."""
    warning = short_windows([piece(SecondsGrid(0.02))], WindowOptions())
    assert warning is not None
    assert "32 frames (0.64 s)" in warning
    assert "100 frames (2 s)" in warning
    assert "--input-frames 200 --target-frames 200, or a grid in beats" in warning
    fine = short_windows([piece(BeatGrid(12))], WindowOptions())
    assert fine is not None
    assert "--input-frames 96 --target-frames 96, or a coarser grid" in fine


@pytest.mark.parametrize(("input_frames", "target_frames"), [(8, 16), (16, 8)])
def test_both_windows_count(input_frames: int, target_frames: int) -> None:
    """A long input hides that the model learns to write half a bar, or the other way round."""
    options = WindowOptions(input_frames=input_frames, target_frames=target_frames)
    assert short_windows([piece(BeatGrid(4))], options) is not None


@pytest.mark.parametrize(("numerator", "denominator", "num_frames"), [(3, 4, 12), (6, 8, 12), (2, 2, 16), (5, 4, 20)])
def test_time_signatures_count(numerator: int, denominator: int, num_frames: int) -> None:
    """A waltz in windows of a bar gets a warning, and a piece in 5/4 none."""
    pieces = [piece(BeatGrid(4), meter=Meter([TimeSignature(0, numerator, denominator)]))]
    for less in (0, 1):
        options = WindowOptions(input_frames=num_frames - less, target_frames=num_frames)
        assert (short_windows(pieces, options) is None) == (less == 0)


def test_odd_pieces_do_not_decide() -> None:
    """One empty or very slow piece among many, and the bar of all is wrong."""
    pieces = [piece(SecondsGrid(0.02), bpm=240)] * 40
    pieces[8] = piece(SecondsGrid(0.02), bpm=10)
    pieces[16] = piece(SecondsGrid(0.02), num_frames=0)
    assert short_windows(pieces, WindowOptions(input_frames=50, target_frames=50)) is None
    assert short_windows(pieces, WindowOptions(input_frames=49, target_frames=49)) is not None
    assert short_windows(pieces[16:17], WindowOptions()) is None


def test_train_warns(run: Run, midi: Path, tmp_path: Path) -> None:
    """The windows are only found too short when the music has been listened to."""
    arguments = ("train", "--data", midi, *SMALL, *SMALL_MODEL, "--output", tmp_path / "run")
    done = run(*arguments, "--device", "teapot")  # refused when the windows are cut
    assert "warning: the windows are shorter than a bar" in done.err
