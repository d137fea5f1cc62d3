"""An LSTM over whole pieces with copy attention."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout, frame_size_of
from pianoroll_seq2seq.models.contract import check_frame_size, check_primer
from pianoroll_seq2seq.models.given_frames import GivenFrames
from pianoroll_seq2seq.models.heads.contract import FrameDistribution, HeadFactory, OutputHead, build_head
from pianoroll_seq2seq.models.heads.head_state import HeadState, init_head_state
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead
from pianoroll_seq2seq.models.heads.velocity import VelocityHead
from pianoroll_seq2seq.models.layers.copy_attention import (
    CopyAttention,
    CopyCandidates,
    CopyMemory,
    features_with_copies,
)
from pianoroll_seq2seq.models.layers.dropout import Dropout, bernoulli_mask
from pianoroll_seq2seq.models.layers.input_noise import add_wrong_notes
from pianoroll_seq2seq.models.layers.past_features import Past, PastFeatures
from pianoroll_seq2seq.models.layers.stepping import LSTMStepper, Memory, lstm_stepper
from pianoroll_seq2seq.models.pretrained_mixin import PretrainedMixin


@dataclass(frozen=True)
class CopyingState:
    """The state of a continuation between two frames.

    Args:
        head: the state of the head.
        lstm: the memory of the LSTM.
        copy_memory: the frames that can be copied; None without copy heads.
        past: the past that the model reads beside its memory.
        features: the model's state before the next frame, (batch, hidden_size).
        added: what is added to the inputs of every step of the LSTM, (batch, steps, hidden_size), if anything.
        given: what is given of the piece, if anything.
    """

    head: HeadState
    lstm: LSTMStepper
    copy_memory: CopyMemory | None
    past: Past
    features: Tensor
    added: Tensor | None = None
    given: GivenFrames | None = None


class CopyingLSTM(PretrainedMixin, nn.Module):
    """One LSTM that reads a piece from its beginning, with copy attention over all past frames.

    There is no encoder: every frame is predicted from all frames before it, and a piece can be predicted from its first
    frame on (``inputs`` without frames). The model counts frames from the first one that it reads, so a primer should
    start at the beginning of a piece or of a bar.

    Args:
        layout: what the columns of a frame mean, such as ``pieces.layout``; or only their number.
        hidden_size: units of the LSTM.
        num_copy_heads: heads of the copy attention, 0 for none.
        dropout: dropout probability, 0 <= dropout < 1.
        input_dropout: probability that the LSTM does not read a frame in training, so that it cannot rely on each.
        input_noise: probability that a frame is read with some notes missing and some added in training, so that the
            model learns to continue after its own mistakes. The targets stay as they are.
        head: the output head: a class, a ``functools.partial`` of one, or a head that is built already. A
            :class:`~pianoroll_seq2seq.models.heads.relative_window.RelativeWindowHead` by default, for a layout with
            velocities in a :class:`~pianoroll_seq2seq.models.heads.velocity.VelocityHead`.

    Attributes:
        layout: the layout, or None if the model was built from a number.
        frame_size: columns of a frame.

    Raises:
        SettingsError: arguments out of range, or a head of other sizes.

    Example:
        >>> model = CopyingLSTM(49, hidden_size=32)
        >>> frames = torch.zeros(2, 100, 49)
        >>> model(frames[:, :0], frames).log_prob(frames).shape
        torch.Size([2, 100])
    """

    def __init__(
        self,
        layout: FrameLayout | int,
        *,
        hidden_size: int = 192,
        num_copy_heads: int = 6,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        head: OutputHead | HeadFactory | None = None,
    ) -> None:
        """Validates the arguments and builds the layers."""
        super().__init__()
        probabilities = {"dropout": dropout, "input_dropout": input_dropout, "input_noise": input_noise}
        if hidden_size < 1 or num_copy_heads < 0 or not all(0 <= p < 1 for p in probabilities.values()):
            raise SettingsError(
                f"hidden_size must be at least 1, num_copy_heads at least 0, and probabilities in [0, 1), got "
                f"{hidden_size=}, {num_copy_heads=}, {probabilities}."
            )
        frame_size = frame_size_of(layout)
        in_features = features_with_copies(hidden_size, frame_size, num_copy_heads)
        if head is None:
            head = partial(RelativeWindowHead, dropout=dropout)
            if isinstance(layout, FrameLayout) and layout.has_velocity:
                head = partial(VelocityHead, inner=head, dropout=dropout)
        head = build_head(head, in_features, layout, num_copy_heads)
        self.layout: FrameLayout | None = layout if isinstance(layout, FrameLayout) else None
        self.frame_size: int = frame_size
        self.hidden_size = hidden_size
        self.input_dropout = input_dropout
        self.input_noise = input_noise
        self._settings: dict[str, Any] = {
            "layout": layout,
            "hidden_size": hidden_size,
            "num_copy_heads": num_copy_heads,
            "dropout": dropout,
            "input_dropout": input_dropout,
            "input_noise": input_noise,
            "head": head,
        }
        self.past_features: PastFeatures = PastFeatures(layout)
        self.input_proj: nn.Linear = nn.Linear(self.past_features.size, hidden_size)
        self.lstm: nn.LSTM = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.dropout: Dropout = Dropout(dropout)
        self.copy: CopyAttention | None = (
            CopyAttention(hidden_size, layout, num_heads=num_copy_heads) if num_copy_heads else None
        )
        self.head = head

    def forward(
        self, inputs: Float[Tensor, "batch input frame_size"], targets: Float[Tensor, "batch target frame_size"]
    ) -> FrameDistribution:
        """The distribution of each target frame, given the inputs, which may be none, and the targets before it.

        Raises:
            ShapeError: frames of another size than the model's.
        """
        check_frame_size(self.frame_size, inputs, targets)
        frames = torch.cat([inputs, targets], dim=1)
        if self.training and self.input_noise:
            frames = add_wrong_notes(frames, self.input_noise, self.past_features.columns)
        return self.head(self._features(frames, inputs.shape[1]), functional.pad(frames[:, :-1], (0, 0, 1, 0)))

    def start(self, primer: Float[Tensor, "batch frames frame_size"]) -> tuple[FrameDistribution, CopyingState]:
        """Reads a primer: the distribution of the frame after it, and the state.

        Raises:
            ShapeError: no frames, or frames of another size.
        """
        check_primer(self.frame_size, primer)
        state = self._state_after(primer, init_head_state(self.head, functional.pad(primer, (0, 0, 1, 0))))
        return self._predict(state), state

    def advance(
        self, frame: Float[Tensor, "batch frame_size"], state: CopyingState
    ) -> tuple[FrameDistribution, CopyingState]:
        """Reads one more frame: the distribution of the frame after it, and the new state."""
        past = self.past_features.after(frame, state.past)
        added = None if state.added is None else added_at(state.added, past.num_frames)
        inputs = self._lstm_inputs(self.past_features.step(past), added)
        output, lstm = state.lstm.step(inputs[:, 0])
        copy_memory = None
        if self.copy is not None and state.copy_memory is not None:
            copy_memory = self.copy.after(frame, state.features, state.copy_memory)
        following = CopyingState(
            head=state.head.update(frame),
            lstm=lstm,
            copy_memory=copy_memory,
            past=past,
            features=self.dropout(output + inputs[:, 0]),
            added=state.added,
            given=state.given,
        )
        return self._predict(following), following

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self._settings)

    def _predict(self, state: CopyingState) -> FrameDistribution:
        candidates = None
        if self.copy is not None and state.copy_memory is not None:
            candidates = self.copy.step(state.features, state.copy_memory)
        return state.head.predict(_with_candidates(state.features.unsqueeze(1), candidates)[:, 0])

    def _features(self, frames: Tensor, begin: int, added: Tensor | None = None) -> Tensor:
        """The features of the head for every frame from ``begin`` on: see :meth:`_states`."""
        states, _ = self._states(frames[:, :-1], added)
        candidates = None if self.copy is None else self.copy(states, frames, begin=begin)
        return _with_candidates(states[:, begin:], candidates)

    def _state_after(
        self, primer: Tensor, head: HeadState, added: Tensor | None = None, given: GivenFrames | None = None
    ) -> CopyingState:
        """The state after frames (batch, frames, frame_size), which may be none: see :meth:`_states`."""
        states, memory = self._states(primer, None if added is None else added[:, : primer.shape[1] + 1])
        return CopyingState(
            head=head,
            lstm=lstm_stepper(self.lstm, memory),
            copy_memory=None if self.copy is None else self.copy.start(states[:, :-1], primer),
            past=self.past_features.start(primer),
            features=states[:, -1],
            added=added,
            given=given,
        )

    def _states(self, frames: Tensor, added: Tensor | None = None) -> tuple[Tensor, Memory]:
        """The model's state before the first frame, before the second, ..., and after the last; and the LSTM's memory.

        Args:
            frames: (batch, frames, frame_size).
            added: what is added to the inputs of each step, (batch, frames + 1, hidden_size).

        Returns:
            States (batch, frames + 1, hidden_size).
        """
        read = frames
        if self.training and self.input_dropout:
            dropped = bernoulli_mask(frames.shape[:2], self.input_dropout, frames.device)
            read = frames.masked_fill(dropped.unsqueeze(2), 0.0)
        inputs = self._lstm_inputs(self.past_features(read, frames), added)
        outputs, memory = self.lstm(inputs)
        return self.dropout(outputs + inputs), memory

    def _lstm_inputs(self, past: Tensor, added: Tensor | None) -> Tensor:
        """The inputs of the LSTM, (batch, steps, hidden_size).

        Args:
            past: the features of the past, (batch, steps, size).
            added: what is added before the activation, (batch, steps, hidden_size).
        """
        projected = self.input_proj(past)
        return functional.silu(projected if added is None else projected + added)


def added_at(added: Tensor, step: int) -> Tensor:
    """What is added at a step, (batch, 1, hidden_size); after the last step, what is added there."""
    place = min(step, added.shape[1] - 1)
    return added[:, place : place + 1]


def _with_candidates(states: Tensor, candidates: CopyCandidates | None) -> Tensor:
    """The features of the head: states (batch, steps, hidden_size), with the copy candidates if there are any."""
    return states if candidates is None else candidates.concat(states)
