"""An encoder-decoder that fills what is not given of a piece: it continues, harmonizes, accompanies and infills."""

from functools import partial
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.data.condition_sources import ConditionSource
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import check_frame_size, check_primer, require_conditional
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM, CopyingState
from pianoroll_seq2seq.models.given_frames import GivenFrames, given_columns
from pianoroll_seq2seq.models.heads.contract import (
    FillingDistribution,
    FrameDistribution,
    HeadFactory,
    OutputHead,
    with_given,
)
from pianoroll_seq2seq.models.heads.head_state import init_head_state
from pianoroll_seq2seq.models.heads.monophonic import MonophonicHead
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead
from pianoroll_seq2seq.models.heads.velocity import VelocityHead
from pianoroll_seq2seq.models.layers.conditioning import Conditioning
from pianoroll_seq2seq.models.layers.dropout import bernoulli_mask
from pianoroll_seq2seq.models.layers.given_encoder import GivenEncoder, num_known_frames
from pianoroll_seq2seq.models.layers.input_noise import add_wrong_notes

LOOK_AHEAD = (4, 8, 16)
"""Frames on at which the default head reads given pitches."""


class FillingLSTM(CopyingLSTM):
    """An encoder that reads what is given of a piece, and a decoder that writes the rest frame by frame.

    The encoder reads the given cells with their mask in both directions. The decoder is a
    :class:`~pianoroll_seq2seq.models.copying_lstm.CopyingLSTM`: for each frame it reads the encoder's output there, all
    frames before it and, by its copy attention, what may be repeated. Its head then decides what is not given of the
    frame, given the rest. Nothing given is the special case of a model that continues.

    Args:
        layout: what the columns of a frame mean, such as ``pieces.layout``; or only their number.
        hidden_size: units of the decoder's LSTM.
        encoder_size: units of each direction of the encoder.
        num_copy_heads: heads of the copy attention, 0 for none.
        dropout: dropout probability, 0 <= dropout < 1.
        input_dropout: probability that the decoder does not read a frame in training.
        input_noise: probability that it reads a frame with some wrong notes in training; given cells stay as they are.
        condition_source: what computes the condition of every frame from a piece
            (:mod:`~pianoroll_seq2seq.data.condition_sources`); None for no conditions.
        condition_dropout: probability that what is optional of the conditions of an example, such as the ends of
            phrases, is unknown in training, 0 <= condition_dropout < 1.
        head: the output head: a class, a ``functools.partial`` of one, or a head that is built already; it must take
            given cells. By default, for a layout of several parts, a
            :class:`~pianoroll_seq2seq.models.heads.monophonic.MonophonicHead` that looks ahead, which takes parts of
            one pitch at a time; for one part a
            :class:`~pianoroll_seq2seq.models.heads.relative_window.RelativeWindowHead`; for a layout with velocities
            in a :class:`~pianoroll_seq2seq.models.heads.velocity.VelocityHead`.

    Attributes:
        layout: the layout, or None if the model was built from a number.
        frame_size: columns of a frame.

    Raises:
        SettingsError: arguments out of range, a head of other sizes, or one that takes no given cells.

    Example:
        >>> from pianoroll_seq2seq import NotesHead
        >>> model = FillingLSTM(24, hidden_size=16, encoder_size=8, head=NotesHead)
        >>> frames = torch.zeros(2, 10, 24)
        >>> given = GivenFrames.of(frames, torch.arange(10).expand(2, 10)[..., None] < 4, 24)  # the first four frames
        >>> model(frames[:, :0], frames, given=given).log_prob(frames).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        layout: FrameLayout | int,
        *,
        hidden_size: int = 192,
        encoder_size: int = 128,
        num_copy_heads: int = 6,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        condition_source: ConditionSource | None = None,
        condition_dropout: float = 0.0,
        head: OutputHead | HeadFactory | None = None,
    ) -> None:
        """Validates the arguments and builds the layers."""
        super().__init__(
            layout,
            hidden_size=hidden_size,
            num_copy_heads=num_copy_heads,
            dropout=dropout,
            input_dropout=input_dropout,
            input_noise=input_noise,
            head=head or _default_head(layout, dropout),
        )
        if encoder_size < 1 or not 0 <= condition_dropout < 1:
            raise SettingsError(
                f"encoder_size must be at least 1 and condition_dropout in [0, 1), got {encoder_size} and "
                f"{condition_dropout}."
            )
        if not getattr(self.head, "takes_given", False):
            raise SettingsError(
                f"{type(self.head).__name__} cannot take given cells. Use MonophonicHead for parts that sound one "
                f"pitch at a time, or NotesHead or BernoulliHead, alone or in a VelocityHead."
            )
        columns = 0 if condition_source is None else condition_source.size
        self.condition_source = condition_source
        self.condition_size: int = columns
        self.condition_dropout = condition_dropout
        self._conditioning = Conditioning(columns, 0.0)
        self._settings |= {
            "encoder_size": encoder_size,
            "condition_source": condition_source,
            "condition_dropout": condition_dropout,
        }
        self._given_layout: FrameLayout | int = layout
        num_parts = len(layout.parts) if isinstance(layout, FrameLayout) else 1
        self.encoder: GivenEncoder = GivenEncoder(self.frame_size + num_parts + 1 + columns, encoder_size)
        self.encoded_proj: nn.Linear = nn.Linear(2 * encoder_size + columns, hidden_size)

    def forward(
        self,
        inputs: Float[Tensor, "batch input frame_size"],
        targets: Float[Tensor, "batch target frame_size"],
        condition: Float[Tensor, "_ steps size"] | None = None,
        *,
        given: GivenFrames | None = None,
    ) -> FrameDistribution:
        """The distribution of what is not given of each target frame, given the inputs and the targets before it.

        Args:
            inputs: input frames, which may be none.
            targets: target frames.
            condition: the conditions of inputs and targets. The last one is repeated for later frames.
            given: what is given of inputs and targets, and maybe of later frames; by default the inputs.

        Raises:
            ShapeError: frames of another size than the model's.
        """
        check_frame_size(self.frame_size, inputs, targets)
        frames = torch.cat([inputs, targets], dim=1)
        begin, count = inputs.shape[1], frames.shape[1]
        if given is None:
            given = self._prefix(frames, begin)
        read = frames
        if self.training and self.input_noise:
            cells = given_columns(given.mask[:, :count], self._given_layout)
            read = torch.where(cells, frames, add_wrong_notes(frames, self.input_noise, self.past_features.columns))
        features = self._features(read, begin, self._encode(given, condition)[:, :count])
        past = functional.pad(read[:, :-1], (0, 0, 1, 0))
        distribution = with_given(self.head, features, past, given.from_frame(begin))
        here = given.mask[:, begin:count]
        return self._given(distribution, frames[:, begin:], here)

    def start(
        self, primer: Float[Tensor, "batch frames frame_size"], condition: Float[Tensor, "_ steps size"] | None = None
    ) -> tuple[FrameDistribution, CopyingState]:
        """Reads a primer, which is given: the distribution of the frame after it, and the state.

        Args:
            primer: the primer.
            condition: the conditions of the primer and of the frames to come. The last one is repeated.

        Raises:
            ShapeError: no frames, or frames of another size.
        """
        check_primer(self.frame_size, primer)
        num_conditions = 0 if condition is None else condition.shape[1]
        beyond = max(num_conditions - primer.shape[1], 0)  # the encoder reads their conditions
        given = self._prefix(functional.pad(primer, (0, 0, 0, beyond)), primer.shape[1])
        return self._start(primer, given, condition)

    def start_filling(
        self, given: GivenFrames, condition: Float[Tensor, "_ steps size"] | None = None, *, begin: int = 0
    ) -> tuple[FrameDistribution, CopyingState]:
        """Reads what is given: the distribution of a frame, and the state.

        Args:
            given: what is given of the piece.
            condition: the conditions of all frames. The last one is repeated for later frames.
            begin: the frame. Those before it are given as a whole, and are read at once.

        Raises:
            ShapeError: frames of another size.
        """
        check_frame_size(self.frame_size, given.frames)
        return self._start(given.frames[:, :begin], given, condition)

    def _start(
        self, primer: Tensor, given: GivenFrames, condition: Tensor | None
    ) -> tuple[FrameDistribution, CopyingState]:
        past = functional.pad(primer, (0, 0, 1, 0))
        head = init_head_state(self.head, past, given.from_frame(primer.shape[1]))
        state = self._state_after(primer, head, self._encode(given, condition), given)
        return self._predict(state), state

    def _predict(self, state: CopyingState) -> FrameDistribution:
        distribution = super()._predict(state)
        given = state.given
        if given is None or state.past.num_frames >= given.mask.shape[1]:
            return distribution
        return self._given(distribution, given.frames[:, state.past.num_frames], given.mask[:, state.past.num_frames])

    def _given(self, distribution: FrameDistribution, frames: Tensor, mask: Tensor) -> FrameDistribution:
        """The distribution of what is not given, unless nothing is."""
        if not mask.any():
            return distribution
        # The head says that its distributions are so; an isinstance check would compute their means.
        return cast(FillingDistribution, distribution).given(frames, given_columns(mask, self._given_layout))

    def _prefix(self, frames: Tensor, count: int) -> GivenFrames:
        """The first frames of some as given."""
        num_parts = len(self.past_features.columns.blocks)
        first = torch.arange(frames.shape[1], device=frames.device) < count
        return GivenFrames.of(frames, first[:, None].expand(len(frames), -1, num_parts), self._given_layout)

    def _encode(self, given: GivenFrames, condition: Tensor | None) -> Tensor:
        """What the decoder reads of the encoder at each frame, and one after the last: (batch, frames + 1, hidden)."""
        conditions = self._conditioning.encode(self._dropped(condition), given.frames[:, :0])
        frames, mask = functional.pad(given.frames, (0, 0, 0, 1)), functional.pad(given.mask, (0, 0, 0, 1))
        ends = functional.one_hot(given.end, frames.shape[1]).unsqueeze(2).to(frames.dtype)
        ends = ends * (given.end > 0)[:, None, None]
        inputs = conditions.concat_next(torch.cat([frames, mask.to(frames.dtype), ends], dim=2))
        num_known = torch.maximum(num_known_frames(given.mask), torch.where(given.end > 0, given.end + 1, 0))
        encoded = self.dropout(self.encoder(inputs, num_known))
        projected: Tensor = self.encoded_proj(conditions.concat_next(encoded))
        return projected

    def _dropped(self, condition: Tensor | None) -> Tensor | None:
        """The conditions, in training with what is optional unknown for some examples."""
        if condition is None:
            return None
        require_conditional(self, condition.shape[-1])
        if not self.training or not self.condition_dropout or self.condition_source is None:
            return condition
        dropped = bernoulli_mask(torch.Size((len(condition), 1, 1)), self.condition_dropout, condition.device)
        optional = torch.from_numpy(self.condition_source.optional_columns).to(condition.device)
        return condition.masked_fill(dropped & optional, 0.0)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self._settings)


def _default_head(layout: FrameLayout | int, dropout: float) -> HeadFactory:
    """Monophonic parts, or chords in one part, for the planes of a layout."""
    if not isinstance(layout, FrameLayout) or len(layout.parts) == 1:
        head: HeadFactory = partial(RelativeWindowHead, dropout=dropout)
    else:
        head = partial(MonophonicHead, look_ahead=LOOK_AHEAD, dropout=dropout)
    if isinstance(layout, FrameLayout) and layout.has_velocity:
        head = partial(VelocityHead, inner=head, dropout=dropout)
    return head
