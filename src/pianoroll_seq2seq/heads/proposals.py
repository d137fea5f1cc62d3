"""What a model proposes to its head: for each pitch, how likely earlier frames make it."""

from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError

COPY_WINDOW = 6
"""Semitones to either side of a pitch in which a head sees what is proposed."""


def state_size(features: int, pitches: int, proposals: int) -> int:
    """How many features are left for the model's state, before the ``proposals * pitches`` that are proposals.

    Raises:
        SettingsError: nothing is left for it.
    """
    state = features - proposals * pitches
    if proposals < 0 or state < 1:
        raise SettingsError(f"{proposals} proposals of {pitches} pitches leave no state among {features} features.")
    return state


def split_features(features: Tensor, pitches: int, proposals: int) -> tuple[Tensor, Tensor]:
    """The model's state (..., state) and its proposals (..., proposals, pitches), from features (..., features)."""
    size = features.shape[-1] - proposals * pitches
    return features[..., :size], features[..., size:].reshape(*features.shape[:-1], proposals, pitches)
