"""Windows over the pieces of a command."""

from collections.abc import Sequence

import numpy as np

from pianoroll_seq2seq.cli.train_options import WindowOptions
from pianoroll_seq2seq.data.augmentation import Augmentation
from pianoroll_seq2seq.data.conditions import pitch_class_vector
from pianoroll_seq2seq.data.corpus import Corpus
from pianoroll_seq2seq.data.splitting import pitch_class_set
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.windowing import SlidingWindows


def layout_of(rolls: Sequence[PianoRoll], *, onsets: bool) -> FrameLayout:
    """The layout of frames of some pieces, which have one grid and one pitch range."""
    return FrameLayout.of(rolls if isinstance(rolls, Corpus) else rolls[0], onsets=onsets)


def training_windows(
    rolls: Sequence[PianoRoll], options: WindowOptions, layout: FrameLayout, augmentation: Augmentation | None
) -> SlidingWindows:
    """Overlapping windows with augmentation.

    Raises:
        PieceTooShortError: no piece is as long as a window.
    """
    return _windows(rolls, options, layout, hop=options.hop, augmentation=augmentation)


def scoring_windows(rolls: Sequence[PianoRoll], options: WindowOptions, layout: FrameLayout) -> SlidingWindows:
    """Windows in which each target frame occurs once.

    Raises:
        PieceTooShortError: no piece is as long as a window.
    """
    return _windows(rolls, options, layout, hop=options.target_frames, augmentation=None)


def _windows(
    rolls: Sequence[PianoRoll],
    options: WindowOptions,
    layout: FrameLayout,
    *,
    hop: int,
    augmentation: Augmentation | None,
) -> SlidingWindows:
    conditions = scales_of(rolls) if options.condition == "scale" else None
    return SlidingWindows(
        rolls,
        input_frames=options.input_frames,
        target_frames=options.target_frames,
        hop=hop,
        layout=layout,
        short=options.short,
        augmentation=augmentation,
        conditions=conditions,
        pitch_classes=conditions is not None,
    )


def scales_of(rolls: Sequence[PianoRoll]) -> list[np.ndarray]:
    """The pitch classes of each piece, as conditions of size 12."""
    return [pitch_class_vector(pitch_class_set(roll)) for roll in rolls]


def opening_of(rolls: Sequence[PianoRoll], options: WindowOptions) -> tuple[PianoRoll, np.ndarray | None]:
    """The beginning of the longest piece, as long as the model's input, and its condition."""
    longest = max(rolls, key=len)
    condition = scales_of([longest])[0] if options.condition == "scale" else None
    return longest[: options.input_frames], condition
