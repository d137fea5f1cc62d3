"""The conditions of music that a model writes: those that were passed, or those that its source computes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq.data.conditions import Conditions
from pianoroll_seq2seq.models.contract import source_of
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.quantize import Planes


def extended(primer: PianoRoll, num_frames: int) -> PianoRoll:
    """A primer with silence after it, whose tempo and time signatures go on."""
    end = primer[len(primer) :]
    silence = np.zeros((num_frames, primer.plane_size), dtype=bool)
    velocity = None if primer.velocity is None else silence.astype(np.uint8)
    return primer + replace(end, **Planes(silence, silence, velocity)._asdict())


def conditions_of_pieces(
    condition: np.ndarray | Sequence[np.ndarray] | None, rolls: Sequence[PianoRoll], model: object, *, is_one: bool
) -> Float32[np.ndarray, "pieces frames size"] | None:
    """The conditions of whole pieces, all as long as the longest: a shorter one repeats its last row.

    Args:
        condition: of one piece an array of shape (size,) or (frames, size); of several one of shape (size,) for all,
            or one array for each; None for those of the model's source.
        rolls: the pieces.
        model: the model.
        is_one: whether the condition is that of one piece.

    Raises:
        ShapeError: conditions of another number or length than the pieces.
        SettingsError: a number that is not finite.
    """
    if condition is None:
        source = source_of(model)
        if source is None:
            return None
        condition = [source(roll) for roll in rolls]
    elif is_one or (isinstance(condition, np.ndarray) and condition.ndim == 1):
        condition = [np.asarray(condition)] * len(rolls)
    num_frames = np.array([len(roll) for roll in rolls], dtype=np.int64)
    table = Conditions.of(condition)
    table.check_fit(num_frames, [roll.name for roll in rolls])
    frames = np.broadcast_to(np.arange(num_frames.max()), (len(rolls), int(num_frames.max())))
    return table.at(np.arange(len(rolls)), frames)
