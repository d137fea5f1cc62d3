"""What is given of a frame, as log-odds: so large that the given columns are certain, and 0 where nothing is given.

A distribution that decides binary variables puts them in the place of its own log-odds, after all its constraints. Then
its log-probabilities, samples and means are those of what is not given. A given column may have a value that the
distribution itself would never choose, such as a held note that did not sound before.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pianoroll_seq2seq.models.heads.precision import at_least_float32

_CERTAIN = 1e30
"""Log-odds of what is given, larger than any constraint's."""


def given_logits(
    frames: Float[Tensor, "*batch frame_size"], cells: Bool[Tensor, "*batch frame_size"]
) -> Float[Tensor, "*batch frame_size"]:
    """The log-odds of the given columns of frames, 0 elsewhere.

    Args:
        frames: frames of zeros and ones; only the given columns are read.
        cells: which columns are given.
    """
    return torch.where(cells, torch.where(frames > 0, _CERTAIN, -_CERTAIN), 0.0)


def with_given(logits: Tensor, known: Tensor) -> Tensor:
    """Log-odds in float32 or better, with those of :func:`given_logits` where something is given."""
    return torch.where(known != 0, known, at_least_float32(logits))


def keep_given(values: Tensor, known: Tensor) -> Tensor:
    """Values of columns, such as samples or means, with the given columns of :func:`given_logits` as they are."""
    return torch.where(known != 0, (known > 0).to(values.dtype), values)
