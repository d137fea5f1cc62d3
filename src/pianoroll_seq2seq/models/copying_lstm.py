"""An LSTM over whole pieces with copy attention."""

import math
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
from pianoroll_seq2seq.models.layers.exponential_average import OCTAVE, ExponentialAverage, chroma, exponential_averages
from pianoroll_seq2seq.models.layers.input_noise import flip_notes
from pianoroll_seq2seq.models.layers.stepping import LSTMStepper, Memory, lstm_stepper
from pianoroll_seq2seq.models.note_columns import NoteColumns, note_columns
from pianoroll_seq2seq.models.pretrained_mixin import PretrainedMixin

_DECAYS = (0.8, 0.95, 0.995)
_MISSING, _ADDED = 0.25, 0.01
"""In a frame with input noise: probability that a note is missing, and that another pitch is added."""
_CYCLES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True)
class CopyingState:
    """The state of a continuation between two frames.

    Args:
        head: the state of the head.
        lstm: the memory of the LSTM.
        copy_memory: the frames that can be copied; None without copy heads.
        average: averages of the past frames.
        latest: the latest frame, (batch, frame_size).
        repeats: for how many frames it has been repeated, itself included, and each part of several, (batch, repeats).
        num_frames: frames so far.
        features: the model's state before the next frame, (batch, hidden_size).
        added: what is added to the inputs of every step of the LSTM, (batch, steps, hidden_size), if anything.
        given: what is given of the piece, if anything.
    """

    head: HeadState
    lstm: LSTMStepper
    copy_memory: CopyMemory | None
    average: ExponentialAverage
    latest: Tensor
    repeats: Tensor
    num_frames: int
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

    _decays: Tensor
    _chroma_weights: Tensor

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
        self.columns: NoteColumns = note_columns(layout)
        tones, repeats = len(_DECAYS) * OCTAVE, len(self._compared())
        self.input_proj: nn.Linear = nn.Linear(2 * frame_size + tones + 2 * len(_CYCLES) + 1 + repeats, hidden_size)
        self.lstm: nn.LSTM = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.dropout: Dropout = Dropout(dropout)
        self.copy: CopyAttention | None = (
            CopyAttention(hidden_size, layout, num_heads=num_copy_heads) if num_copy_heads else None
        )
        self.head = head
        self.register_buffer("_decays", torch.tensor(_DECAYS), persistent=False)
        self.register_buffer("_chroma_weights", self.columns.chroma_weights(), persistent=False)

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
            frames = add_wrong_notes(frames, self.input_noise, self.columns)
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
        same = torch.stack([(frame[:, one] == state.latest[:, one]).all(dim=1) for one in self._compared()], dim=1)
        repeats = torch.where(same, state.repeats + 1, 1)
        average, num_frames = state.average.after(frame), state.num_frames + 1
        position = torch.tensor([num_frames], device=frame.device)
        added = None if state.added is None else added_at(state.added, num_frames)
        inputs = self._lstm_inputs(
            frame.unsqueeze(1), average.average.unsqueeze(1), repeats.unsqueeze(1), position, added
        )
        output, lstm = state.lstm.step(inputs[:, 0])
        copy_memory = None
        if self.copy is not None and state.copy_memory is not None:
            copy_memory = self.copy.after(frame, state.features, state.copy_memory)
        following = CopyingState(
            head=state.head.update(frame),
            lstm=lstm,
            copy_memory=copy_memory,
            average=average,
            latest=frame,
            repeats=repeats,
            num_frames=num_frames,
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
        before = functional.pad(primer, (0, 0, 1, 0))  # silence before the first frame
        return CopyingState(
            head=head,
            lstm=lstm_stepper(self.lstm, memory),
            copy_memory=None if self.copy is None else self.copy.start(states[:, :-1], primer),
            average=ExponentialAverage.of(primer, self._decays),
            latest=before[:, -1],
            repeats=functional.pad(self._repeats(primer), (0, 0, 1, 0))[:, -1],
            num_frames=primer.shape[1],
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
        averages = exponential_averages(frames, self._decays)
        if self.training and self.input_dropout:
            dropped = bernoulli_mask(frames.shape[:2], self.input_dropout, frames.device)
            frames = frames.masked_fill(dropped.unsqueeze(2), 0.0)
        latest = functional.pad(frames, (0, 0, 1, 0))
        position = torch.arange(latest.shape[1], device=frames.device)
        repeats = functional.pad(self._repeats(frames), (0, 0, 1, 0))
        inputs = self._lstm_inputs(latest, averages, repeats, position, added)
        outputs, memory = self.lstm(inputs)
        return self.dropout(outputs + inputs), memory

    def _lstm_inputs(
        self, latest: Tensor, averages: Tensor, repeats: Tensor, position: Tensor, added: Tensor | None
    ) -> Tensor:
        """The inputs of the LSTM, (batch, steps, hidden_size).

        Args:
            latest: the frame before each step, (batch, steps, frame_size).
            averages: averages of the past, (batch, steps, rates, frame_size).
            repeats: for how many frames the latest one has been repeated, and each part, (batch, steps, repeats).
            position: frames before each step, (steps,).
            added: what is added before the activation, (batch, steps, hidden_size).
        """
        cycles = torch.tensor(_CYCLES, device=latest.device, dtype=latest.dtype)
        angle = 2 * math.pi * position.to(latest.dtype)[:, None] / cycles
        clock = torch.cat([angle.sin(), angle.cos(), (1 + position.to(latest.dtype)).log()[:, None] / 4], dim=1)
        parts = [
            latest,
            averages[:, :, 0],
            self._chroma(averages).flatten(2),
            (1 + repeats.to(latest.dtype)).log() / 2,
            clock.expand(len(latest), -1, -1),
        ]
        projected = self.input_proj(torch.cat(parts, dim=2))
        return functional.silu(projected if added is None else projected + added)

    def _chroma(self, averages: Tensor) -> Tensor:
        """Averages of the active plane, summed over octaves: (..., frame_size) to (..., 12)."""
        active = averages[..., : self.columns.plane_size]
        return chroma(active) if len(self.columns.blocks) == 1 else active @ self._chroma_weights.to(active.dtype)

    def _compared(self) -> list[list[int] | slice]:
        """The columns that are compared with those of the frame before: all note planes, and those of each part."""
        columns = self.columns
        blocks = columns.blocks if len(columns.blocks) > 1 else ()
        begins = range(0, columns.frame_size, columns.plane_size)
        parts = [[begin + block.start + place for begin in begins for place in range(block.size)] for block in blocks]
        return [slice(0, columns.frame_size), *parts]

    def _repeats(self, frames: Tensor) -> Tensor:
        """For how many frames each frame has been repeated, itself included: (batch, frames, repeats)."""
        position = torch.arange(frames.shape[1], device=frames.device)[:, None]
        changed = [(frames[:, 1:, one] != frames[:, :-1, one]).any(dim=2) for one in self._compared()]
        began = functional.pad(torch.stack(changed, dim=2), (0, 0, 1, 0), value=True)
        return position + 1 - torch.where(began, position, 0).cummax(dim=1).values


def added_at(added: Tensor, step: int) -> Tensor:
    """What is added at a step, (batch, 1, hidden_size); after the last step, what is added there."""
    place = min(step, added.shape[1] - 1)
    return added[:, place : place + 1]


def _with_candidates(states: Tensor, candidates: CopyCandidates | None) -> Tensor:
    """The features of the head: states (batch, steps, hidden_size), with the copy candidates if there are any."""
    return states if candidates is None else candidates.concat(states)


def add_wrong_notes(frames: Tensor, p: float, columns: NoteColumns) -> Tensor:
    """Frames (batch, frames, frame_size), each with wrong notes with probability ``p``."""
    wrong = bernoulli_mask(frames.shape[:2], p, frames.device).unsqueeze(2)
    active = frames[..., : columns.plane_size] > 0
    missing, added = (bernoulli_mask(active.shape, part, frames.device) for part in (_MISSING, _ADDED))
    return flip_notes(frames, wrong & torch.where(active, missing, added), columns)
