"""The windows of ``train`` in bars of the music."""

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from pianoroll_seq2seq.cli.train_options import WindowOptions
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.meter import bar_ticks
from pianoroll_seq2seq.pianoroll import PianoRoll

_MAX_PIECES = 16  # enough for a typical bar
_BEATS_PER_BAR = 4


def short_windows(rolls: Sequence[PianoRoll], options: WindowOptions) -> str | None:
    """A warning if the model reads or writes less than a bar at a time; None if it does not.

    A bar is that of the pieces' time signatures, or four beats, at their tempi; the median of some pieces counts.

    Args:
        rolls: the pieces.
        options: the windows they are cut into.
    """
    some = [rolls[index] for index in range(0, len(rolls), -(-len(rolls) // _MAX_PIECES))]
    bars = [bar for roll in some if (bar := _bar(roll)) is not None]
    if not bars:
        return None
    num_frames, seconds = (median(values) for values in zip(*bars, strict=True))
    if min(options.input_frames, options.target_frames) >= math.floor(num_frames):
        return None
    two_bars = math.ceil(2 * num_frames)
    coarser = (
        "or a coarser grid"
        if isinstance(some[0].grid, BeatGrid)
        else "or a grid in beats; inspect shows whether one fits the music"
    )
    frame_seconds = seconds / num_frames
    return (
        f"the windows are shorter than a bar: the model reads {options.input_frames} frames "
        f"({options.input_frames * frame_seconds:.2g} s) and writes {options.target_frames} "
        f"({options.target_frames * frame_seconds:.2g} s), and a bar of the music is about {num_frames:.0f} frames "
        f"({seconds:.2g} s). For two bars, use --input-frames {two_bars} --target-frames {two_bars}, {coarser}."
    )


def _bar(roll: PianoRoll) -> tuple[float, float] | None:
    """The length of a bar in frames and in seconds; None for an empty piece."""
    num_ticks = int(roll.grid.ticks_at(np.array([len(roll)]), roll.tempo)[0])
    if num_ticks <= 0:
        return None
    bars = bar_ticks(roll.meter, ticks_per_beat=roll.tempo.ticks_per_beat, num_ticks=num_ticks)
    bar = float(np.median(np.diff(bars))) if len(bars) > 1 else _BEATS_PER_BAR * roll.tempo.ticks_per_beat
    return len(roll) * bar / num_ticks, roll.seconds * bar / num_ticks
