"""Classifier-free guidance: a conditional model that follows its condition more closely than it has learned to."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import ConditionalModel, layout_of
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.notes import Notes


class GuidedModel(nn.Module):
    """A trained model that is evaluated with and without its condition, and extrapolates the difference.

    Classifier-free guidance (Ho and Salimans, 2022, https://arxiv.org/abs/2207.12598) on the log-odds of independent
    pitches, or on the log-probabilities that each is off, held or begins a note: (1 + weight) * conditional - weight *
    unconditional. It takes twice the time. Without a condition it is the model itself.

    Args:
        model: a model trained with ``condition_dropout``, whose head returns
            :class:`~pianoroll_seq2seq.models.heads.bernoulli.Bernoulli` or
            :class:`~pianoroll_seq2seq.models.heads.notes.Notes`.
        weight: how far to extrapolate, 0 for not at all. Small weights reduce notes that contradict the condition.
            Large ones make the music dense and strange.

    Raises:
        SettingsError: a weight below 0, or a model without conditions; when it predicts, a model trained without
            ``condition_dropout``, or another distribution than these.

    Example:
        >>> from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
        >>> model = GuidedModel(Seq2SeqLSTM(49, condition_size=12, condition_dropout=0.2), weight=0.5)
        >>> model.condition_size
        12
    """

    def __init__(self, model: ConditionalModel, weight: float) -> None:
        """Validates the weight and the model."""
        super().__init__()
        size = getattr(model, "condition_size", 0)
        if not weight >= 0 or not size:
            raise SettingsError(
                f"GuidedModel needs a weight of at least 0 and a model with conditions, got {weight} and a "
                f"{type(model).__name__} with condition_size={size}."
            )
        self.model = model
        self.weight = weight
        self.condition_size: int = size
        self.layout: FrameLayout | None = layout_of(model)
        self.frame_size: int | None = getattr(model, "frame_size", None)

    def forward(
        self,
        inputs: Float[Tensor, "batch input frame_size"],
        targets: Float[Tensor, "batch target frame_size"],
        condition: Float[Tensor, "_ steps size"] | None = None,
    ) -> FrameDistribution:
        """The distribution of each target frame."""
        if condition is None:
            return self.model(inputs, targets)
        return self._guided(self.model(inputs, targets, condition), self.model(inputs, targets))

    def start(
        self, primer: Float[Tensor, "batch frames frame_size"], condition: Float[Tensor, "_ steps size"] | None = None
    ) -> tuple[FrameDistribution, tuple[Any, Any]]:
        """Reads a primer: the distribution of the frame after it, and the states with and without the condition."""
        unconditional, state_without = self.model.start(primer)
        if condition is None:
            return unconditional, (None, state_without)
        conditional, state_with = self.model.start(primer, condition)
        return self._guided(conditional, unconditional), (state_with, state_without)

    def advance(
        self, frame: Float[Tensor, "batch frame_size"], state: tuple[Any, Any]
    ) -> tuple[FrameDistribution, tuple[Any, Any]]:
        """Reads one more frame: the distribution of the frame after it, and the new states."""
        unconditional, state_without = self.model.advance(frame, state[1])
        if state[0] is None:
            return unconditional, (None, state_without)
        conditional, state_with = self.model.advance(frame, state[0])
        return self._guided(conditional, unconditional), (state_with, state_without)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"model": self.model, "weight": self.weight}

    def _guided(self, conditional: FrameDistribution, unconditional: FrameDistribution) -> FrameDistribution:
        if isinstance(conditional, Bernoulli) and isinstance(unconditional, Bernoulli):
            return Bernoulli((1 + self.weight) * conditional.logits - self.weight * unconditional.logits)
        if isinstance(conditional, Notes) and isinstance(unconditional, Notes):
            with_condition, without = (
                torch.log_softmax(notes.logits, dim=-1) for notes in (conditional, unconditional)
            )
            guided = (1 + self.weight) * with_condition - self.weight * without
            possible = with_condition.isfinite() & without.isfinite()
            return Notes(torch.where(possible, guided, with_condition))
        raise SettingsError(
            f"GuidedModel needs a head whose pitches are independent, but the model's head returns a "
            f"{type(conditional).__name__}. Generate with the model itself, or train one with NotesHead, "
            f"RelativeBernoulliHead, or (on windows without onsets) BernoulliHead."
        )
