"""Classifier-free guidance: a conditional model that follows its condition more closely than it has learned to."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pianoroll_seq2seq.data.condition_sources import ConditionSource
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import ConditionalModel, FillingModel, layout_of, require_filling, source_of
from pianoroll_seq2seq.models.given_frames import GivenFrames
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.guided_parts import guided_logits, guided_parts
from pianoroll_seq2seq.models.heads.monophonic_frame import Monophonic
from pianoroll_seq2seq.models.heads.notes import Notes


class GuidedModel(nn.Module):
    """A trained model that is evaluated with and without its condition, and extrapolates the difference.

    Classifier-free guidance (Ho and Salimans, 2022, https://arxiv.org/abs/2207.12598) on the log-odds of independent
    pitches, on the log-probabilities that each is off, held or begins a note, or on those of each part's decision,
    given the parts before it: (1 + weight) * conditional - weight * unconditional. It takes twice the time. Without a
    condition it is the model itself.

    For a model with a ``condition_source`` the unconditional prediction has what is optional of the condition unknown,
    such as where phrases end, and the rest as it is, such as the position in the bar.

    Args:
        model: a model trained with ``condition_dropout``, whose head returns
            :class:`~pianoroll_seq2seq.models.heads.bernoulli.Bernoulli`,
            :class:`~pianoroll_seq2seq.models.heads.notes.Notes` or
            :class:`~pianoroll_seq2seq.models.heads.monophonic_frame.Monophonic`.
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
        self.condition_source: ConditionSource | None = source_of(model)
        if self.condition_source is not None and not self.condition_source.optional_columns.any():
            raise SettingsError(
                f"GuidedModel needs a condition of which something is optional, such as where phrases end, but "
                f"{self.condition_source} has nothing that may be unknown."
            )
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
        return self._guided(
            self.model(inputs, targets, condition), self.model(inputs, targets, self._unknown(condition))
        )

    def start(
        self, primer: Float[Tensor, "batch frames frame_size"], condition: Float[Tensor, "_ steps size"] | None = None
    ) -> tuple[FrameDistribution, tuple[Any, Any]]:
        """Reads a primer: the distribution of the frame after it, and the states with and without the condition."""
        if condition is None:
            unconditional, state_without = self.model.start(primer)
            return unconditional, (None, state_without)
        unconditional, state_without = self.model.start(primer, self._unknown(condition))
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

    def _unknown(self, condition: Tensor) -> Tensor | None:
        """The condition of the unconditional prediction."""
        if self.condition_source is None:
            return None
        optional = torch.from_numpy(self.condition_source.optional_columns).to(condition.device)
        return condition.masked_fill(optional, 0.0)

    def _guided(self, conditional: FrameDistribution, unconditional: FrameDistribution) -> FrameDistribution:
        if isinstance(conditional, Bernoulli) and isinstance(unconditional, Bernoulli):
            return Bernoulli((1 + self.weight) * conditional.logits - self.weight * unconditional.logits)
        if isinstance(conditional, Notes) and isinstance(unconditional, Notes):
            return Notes(guided_logits(conditional.logits, unconditional.logits, self.weight))
        if isinstance(conditional, Monophonic) and isinstance(unconditional, Monophonic):
            return guided_parts(conditional, unconditional, self.weight)
        raise SettingsError(
            f"GuidedModel needs a head whose pitches are independent, or one of monophonic parts, but the model's "
            f"head returns a {type(conditional).__name__}. Generate with the model itself, or train one with "
            f"NotesHead, RelativeBernoulliHead, MonophonicHead, or (on windows without onsets) BernoulliHead."
        )


class GuidedFillingModel(GuidedModel):
    """The same of a model that fills what is not given, such as ``bach-chorales``, whose phrases then end more clearly.

    Args:
        model: a model that fills.
        weight: see :class:`GuidedModel`.

    Raises:
        SettingsError: a model that does not fill; or as :class:`GuidedModel`.

    Example:
        >>> from pianoroll_seq2seq import FillingLSTM, FrameLayout, Given, Part, PhraseEnds, PianoRoll, fill
        >>> parts = (Part("melody"), Part("bass"))
        >>> layout = FrameLayout(parts=parts)
        >>> inner = FillingLSTM(layout, hidden_size=8, encoder_size=4, condition_source=PhraseEnds())
        >>> piece = PianoRoll.silent(8, parts=parts)
        >>> ends = PhraseEnds()(piece, phrase_ends=[4, 8])
        >>> len(fill(GuidedFillingModel(inner, weight=1.0), piece, Given.parts("melody"), condition=ends))
        8
    """

    def __init__(self, model: ConditionalModel, weight: float) -> None:
        """Validates the weight and the model."""
        super().__init__(model, weight)
        require_filling(model)

    def forward(
        self,
        inputs: Float[Tensor, "batch input frame_size"],
        targets: Float[Tensor, "batch target frame_size"],
        condition: Float[Tensor, "_ steps size"] | None = None,
        *,
        given: GivenFrames | None = None,
    ) -> FrameDistribution:
        """The distribution of what is not given of each target frame; ``given`` is that of inputs and targets."""
        if condition is None:
            return self._filling(inputs, targets, given=given)
        with_condition, without = (
            self._filling(inputs, targets, known, given=given) for known in (condition, self._unknown(condition))
        )
        return self._guided(with_condition, without)

    def start_filling(
        self, given: GivenFrames, condition: Float[Tensor, "_ steps size"] | None = None, *, begin: int = 0
    ) -> tuple[FrameDistribution, tuple[Any, Any]]:
        """Reads what is given of a piece: the distribution of its frame ``begin``, and the states."""
        if condition is None:
            unconditional, state_without = self._filling.start_filling(given, begin=begin)
            return unconditional, (None, state_without)
        unconditional, state_without = self._filling.start_filling(given, self._unknown(condition), begin=begin)
        conditional, state_with = self._filling.start_filling(given, condition, begin=begin)
        return self._guided(conditional, unconditional), (state_with, state_without)

    @property
    def _filling(self) -> FillingModel:
        return require_filling(self.model)
