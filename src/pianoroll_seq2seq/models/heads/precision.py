"""Checks and conversions that heads and distributions share."""

import torch
from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout, frame_size_of


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32 or better; autocast may have computed them in 16 bits."""
    return values.float() if values.itemsize < torch.float32.itemsize else values


def check_temperature(temperature: float) -> float:
    """The temperature, if it is above 0.

    Raises:
        SettingsError: it is not.
    """
    if not temperature > 0:
        raise SettingsError(f"temperature must be above 0, got {temperature}.")
    return temperature


def single_plane_size(layout: FrameLayout | int, head: str) -> int:
    """Columns of a frame, for a head whose columns are neighbouring pitches.

    Args:
        layout: what the columns of a frame mean, or their number.
        head: the head's name, for the error message.

    Raises:
        SettingsError: a layout with an onset plane, or fewer than one column.
    """
    if isinstance(layout, FrameLayout) and layout.has_onsets:
        raise SettingsError(
            f"{head} models the active plane only, but the layout has the planes {layout.planes}. Use NotesHead, or a "
            f"layout with planes=('active',)."
        )
    return frame_size_of(layout)
