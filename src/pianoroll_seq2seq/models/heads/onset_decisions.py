"""Decisions on pitches in frames with an onset plane: does the pitch sound, and if so, does a note begin?

The second decision counts only if the pitch sounds. A pitch that did not sound in the frame before can only begin.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq.models.heads.polyphony import CERTAIN

_BEGINS_LOGIT = -math.log(1e-4)
"""Log-odds in training that a note begins at a pitch that did not sound, for input noise may have removed it there."""


def constrain_onsets(logits: Tensor, sounded: Tensor, *, training: bool) -> Tensor:
    """Log-odds that a note begins at a pitch that sounds: certain if the pitch did not sound before."""
    return torch.where(sounded > 0, logits, _BEGINS_LOGIT if training else CERTAIN)


def decision_nats(logits: Tensor, values: Tensor, num_onsets: int) -> Tensor:
    """The negative log-probability of each decision in nats, (rows, variables): infinite if it is impossible.

    Args:
        logits: log-odds of every variable, given those before it, (rows, variables). The last ``num_onsets`` are those
            of onsets, given that the pitch sounds; before them are those of the pitches.
        values: the variables, zeros and ones.
        num_onsets: how many variables are onsets, 0 without an onset plane.
    """
    nats = functional.binary_cross_entropy_with_logits(logits, values.to(logits.dtype), reduction="none")
    if not num_onsets:
        return nats
    sounds, begins = values[:, -2 * num_onsets : -num_onsets] > 0, values[:, -num_onsets:] > 0
    held_after_silence = sounds & ~begins & (logits[:, -num_onsets:] >= CERTAIN)
    onsets = torch.where(sounds, nats[:, -num_onsets:], 0.0)
    onsets = onsets.masked_fill((begins & ~sounds) | held_after_silence, math.inf)
    return torch.cat([nats[:, :-num_onsets], onsets], dim=1)
