"""Whole pieces as examples for models that read a piece from its beginning; long ones are cut for training."""

from collections.abc import Callable, Sequence

import numpy as np

from pianoroll_seq2seq import Augmentation, FillTasks, FrameLayout, PianoRoll, WholePieces

MAX_PIECE_FRAMES = 1024
"""Longer pieces are cut for training, which limits its memory: to 1.9 GB for MuseData, and 2.3 GB with 2,048."""


def whole_pieces(
    pieces: Sequence[PianoRoll],
    training: bool,
    *,
    onsets: bool,
    velocity: bool = False,
    max_frames_per_batch: int,
    max_piece_frames: int = MAX_PIECE_FRAMES,
    repeats: int,
    augmentation: Augmentation,
    tasks: FillTasks | None = None,
    condition_of: Callable[[PianoRoll], np.ndarray] | None = None,
) -> WholePieces:
    """The examples, for training (True) or for validation (False).

    Args:
        pieces: the pieces.
        training: whether to cut long pieces, to repeat and to transpose them.
        onsets: whether frames have the onset plane.
        velocity: whether they have the velocity plane, and so the onset plane too.
        max_frames_per_batch: largest number of frames in a step; four times as many in validation.
        max_piece_frames: pieces are cut into passages of at most this length.
        repeats: how often an epoch contains each piece.
        augmentation: the transpositions.
        tasks: what is given in training, for a model that fills the rest.
        condition_of: the condition of every frame of a whole piece, (frames, size); None for no conditions.
    """
    layout = FrameLayout.of(pieces[0], onsets=onsets, velocity=velocity)
    if not training:
        max_piece_frames = max(map(len, pieces))
    passages = [
        (piece, slice(begin, begin + max_piece_frames))
        for piece in pieces
        for begin in range(0, len(piece), max_piece_frames)
    ]
    return WholePieces(
        [piece[frames] for piece, frames in passages],
        max_frames_per_batch=max_frames_per_batch if training else 4 * max_frames_per_batch,
        repeats=repeats if training else 1,
        augmentation=augmentation if training else None,
        layout=layout,
        tasks=tasks,
        conditions=None if condition_of is None else [condition_of(piece)[frames] for piece, frames in passages],
    )
