"""Conditions said louder: a model that keeps to what it is told more closely than it has learned to."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.heads.base import FrameDistribution
from pianoroll_seq2seq.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.base import HearsConditions


class GuidedModel(nn.Module):
    """A trained model that is asked twice, told the condition and told nothing, and goes on beyond the difference.

    Classifier-free guidance (Ho and Salimans, 2022, https://arxiv.org/abs/2207.12598), on the log-odds of independent
    pitches: (1 + weight) * told - weight * untold. It takes twice the time. Told nothing, it is the model itself.

    Args:
        model: trained with ``condition_dropout``, with a head that gives
            :class:`~pianoroll_seq2seq.heads.bernoulli.Bernoulli`.
        weight: how far to go on, 0 for not at all. With small weights fewer notes contradict the condition; with large
            ones the music becomes dense and strange.

    Raises:
        SettingsError: a weight below 0, or a model that hears no conditions; when it is asked, one that has not learned
            to do without them, or another distribution than ``Bernoulli``.

    Example:
        >>> from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
        >>> model = GuidedModel(Seq2SeqLSTM(49, condition_size=12, condition_dropout=0.2), weight=0.5)
        >>> model.condition_size
        12
    """

    def __init__(self, model: HearsConditions, weight: float) -> None:
        """Checks the weight and the model."""
        super().__init__()
        size = getattr(model, "condition_size", 0)
        if not weight >= 0 or not size:
            raise SettingsError(
                f"GuidedModel needs a weight of at least 0 and a model that hears conditions, got {weight} and a "
                f"{type(model).__name__} with condition_size={size}."
            )
        self.model = model
        self.weight = weight
        self.condition_size: int = size

    def forward(
        self,
        inputs: Float[Tensor, "batch input pitches"],
        targets: Float[Tensor, "batch target pitches"],
        condition: Float[Tensor, "_ told size"] | None = None,
    ) -> FrameDistribution:
        """The distribution of each target frame."""
        if condition is None:
            return self.model(inputs, targets)
        return self._beyond(self.model(inputs, targets, condition), self.model(inputs, targets))

    def start(
        self, primer: Float[Tensor, "batch frames pitches"], condition: Float[Tensor, "_ told size"] | None = None
    ) -> tuple[FrameDistribution, tuple[Any, Any]]:
        """Hears a primer: the distribution of the frame after it, and the states of both, told and untold."""
        untold, without = self.model.start(primer)
        if condition is None:
            return untold, (None, without)
        told, state = self.model.start(primer, condition)
        return self._beyond(told, untold), (state, without)

    def advance(
        self, frame: Float[Tensor, "batch pitches"], state: tuple[Any, Any]
    ) -> tuple[FrameDistribution, tuple[Any, Any]]:
        """Hears one more frame: the distribution of the frame after it, and the new states."""
        untold, without = self.model.advance(frame, state[1])
        if state[0] is None:
            return untold, (None, without)
        told, after = self.model.advance(frame, state[0])
        return self._beyond(told, untold), (after, without)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"model": self.model, "weight": self.weight}

    def _beyond(self, told: FrameDistribution, untold: FrameDistribution) -> Bernoulli:
        if not isinstance(told, Bernoulli) or not isinstance(untold, Bernoulli):
            raise SettingsError(
                f"GuidedModel needs the log-odds of independent pitches, but the model's head gives a "
                f"{type(told).__name__}. Generate with the model itself, or train one whose head gives Bernoulli."
            )
        return Bernoulli((1 + self.weight) * told.logits - self.weight * untold.logits)
