"""Copy candidates among a head's features: for each candidate, a probability for every column of the frame."""

from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError

COPY_WINDOW = 6
"""Semitones to either side of a pitch in which a head reads the candidates."""


def state_size(in_features: int, frame_size: int, num_candidates: int) -> int:
    """How many features remain for the model's state, before the ``num_candidates * frame_size`` candidate features.

    Raises:
        SettingsError: none remain.
    """
    state = in_features - num_candidates * frame_size
    if num_candidates < 0 or state < 1:
        raise SettingsError(
            f"{num_candidates} candidates of {frame_size} columns leave no state among {in_features} features."
        )
    return state


def split_features(features: Tensor, frame_size: int, num_candidates: int) -> tuple[Tensor, Tensor]:
    """Splits features (..., in_features) into the state (..., state) and candidates (..., candidates, frame_size)."""
    size = features.shape[-1] - num_candidates * frame_size
    return features[..., :size], features[..., size:].reshape(*features.shape[:-1], num_candidates, frame_size)
