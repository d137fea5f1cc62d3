"""Checks and conversions that heads and distributions share."""

import math

import torch
from torch import Tensor

from pianoroll_seq2seq._internal.whole_numbers import is_real
from pianoroll_seq2seq.errors import SettingsError


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32 or better; autocast may have computed them in 16 bits."""
    return values.float() if values.itemsize < torch.float32.itemsize else values


def check_temperature(temperature: float) -> float:
    """The temperature, if it is above 0 and finite.

    Raises:
        SettingsError: it is not.
    """
    if not is_real(temperature) or not 0 < temperature < math.inf:
        raise SettingsError(f"temperature must be above 0 and finite, got {temperature!r}.")
    return temperature
