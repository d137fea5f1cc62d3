"""A decoder-only Transformer over whole pieces, with copy attention."""

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
from pianoroll_seq2seq.models.heads.contract import FrameDistribution, HeadFactory, OutputHead, build_head
from pianoroll_seq2seq.models.heads.head_state import HeadState, init_head_state
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead
from pianoroll_seq2seq.models.heads.velocity import VelocityHead
from pianoroll_seq2seq.models.layers.causal_attention import KeyValueCache, RotaryPositions, TransformerBlock
from pianoroll_seq2seq.models.layers.copy_attention import CopyAttention, CopyMemory, features_with_copies
from pianoroll_seq2seq.models.layers.dropout import Dropout, bernoulli_mask
from pianoroll_seq2seq.models.layers.input_noise import add_wrong_notes
from pianoroll_seq2seq.models.layers.past_features import Past, PastFeatures
from pianoroll_seq2seq.models.pretrained_mixin import PretrainedMixin


@dataclass(frozen=True)
class TransformerState:
    """The state of a continuation between two frames.

    Args:
        head: the state of the head.
        caches: the keys and values of each block.
        copy_memory: the frames that can be copied; None without copy heads.
        past: the past that the model reads beside its attention.
        features: the model's state before the next frame, (batch, hidden_size).
    """

    head: HeadState
    caches: tuple[KeyValueCache, ...]
    copy_memory: CopyMemory | None
    past: Past
    features: Tensor


class CausalTransformer(PretrainedMixin, nn.Module):
    """A stack of causal self-attention blocks that reads a piece from its beginning, with copy attention.

    It reads and predicts what a :class:`~pianoroll_seq2seq.models.copying_lstm.CopyingLSTM` does, in the same way, but
    remembers the past by attention to all frames so far: every frame is predicted from all frames before it, and a
    piece can be predicted from its first frame on (``inputs`` without frames). The blocks are pre-norm, and positions
    are relative and rotary (:mod:`~pianoroll_seq2seq.models.layers.causal_attention`). While it generates, it keeps the
    keys and values of all frames, so a step takes time in proportion to the frames so far.

    Distances that are longer than the pieces of its training are unknown to it.

    Args:
        layout: what the columns of a frame mean, such as ``pieces.layout``; or only their number.
        hidden_size: size of a step, a multiple of twice ``num_heads``.
        num_layers: number of blocks.
        num_heads: heads of the self-attention of each block.
        num_copy_heads: heads of the copy attention, 0 for none.
        dropout: dropout probability, 0 <= dropout < 1.
        input_dropout: probability that a frame is not read as the latest one in training, so that the model cannot rely
            on each.
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
        >>> model = CausalTransformer(49, hidden_size=32, num_layers=2)
        >>> frames = torch.zeros(2, 100, 49)
        >>> model(frames[:, :0], frames).log_prob(frames).shape
        torch.Size([2, 100])
    """

    def __init__(
        self,
        layout: FrameLayout | int,
        *,
        hidden_size: int = 128,
        num_layers: int = 4,
        num_heads: int = 4,
        num_copy_heads: int = 6,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        head: OutputHead | HeadFactory | None = None,
    ) -> None:
        """Validates the arguments and builds the layers."""
        super().__init__()
        probabilities = {"dropout": dropout, "input_dropout": input_dropout, "input_noise": input_noise}
        _check(hidden_size, num_layers, num_heads, num_copy_heads, probabilities)
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
        self._head_size = hidden_size // num_heads
        self.input_dropout = input_dropout
        self.input_noise = input_noise
        self._settings = {
            "layout": layout,
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "num_copy_heads": num_copy_heads,
            **probabilities,
            "head": head,
        }
        self.past_features: PastFeatures = PastFeatures(layout)
        self.input_proj: nn.Linear = nn.Linear(self.past_features.size, hidden_size)
        self.blocks: nn.ModuleList = nn.ModuleList(
            TransformerBlock(hidden_size, num_heads, dropout) for _ in range(num_layers)
        )
        self.norm: nn.LayerNorm = nn.LayerNorm(hidden_size)
        self.dropout: Dropout = Dropout(dropout)
        self.copy: CopyAttention | None = (
            CopyAttention(hidden_size, layout, num_heads=num_copy_heads) if num_copy_heads else None
        )
        self.head = head
        self._init_residuals(num_layers)

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
        states, _ = self._states(frames[:, :-1])
        begin = inputs.shape[1]
        features = states[:, begin:]
        if self.copy is not None:
            features = self.copy(states, frames, begin=begin).concat(features)
        return self.head(features, functional.pad(frames[:, :-1], (0, 0, 1, 0)))

    def start(self, primer: Float[Tensor, "batch frames frame_size"]) -> tuple[FrameDistribution, TransformerState]:
        """Reads a primer: the distribution of the frame after it, and the state.

        Raises:
            ShapeError: no frames, or frames of another size.
        """
        check_primer(self.frame_size, primer)
        states, caches = self._states(primer)
        state = TransformerState(
            head=init_head_state(self.head, functional.pad(primer, (0, 0, 1, 0))),
            caches=caches,
            copy_memory=None if self.copy is None else self.copy.start(states[:, :-1], primer),
            past=self.past_features.start(primer),
            features=states[:, -1],
        )
        return self._predict(state), state

    def advance(
        self, frame: Float[Tensor, "batch frame_size"], state: TransformerState
    ) -> tuple[FrameDistribution, TransformerState]:
        """Reads one more frame: the distribution of the frame after it, and the new state."""
        past = self.past_features.after(frame, state.past)
        values, caches = self.dropout(self.input_proj(self.past_features.step(past))), []
        positions = RotaryPositions.of(past.num_frames, 1, self._head_size, values)
        for block, cache in zip(self.blocks, state.caches, strict=True):
            assert isinstance(block, TransformerBlock)
            values, longer = block.step(values, positions, cache)
            caches.append(longer)
        copy_memory = None
        if self.copy is not None and state.copy_memory is not None:
            copy_memory = self.copy.after(frame, state.features, state.copy_memory)
        following = TransformerState(
            head=state.head.update(frame),
            caches=tuple(caches),
            copy_memory=copy_memory,
            past=past,
            features=self.dropout(self.norm(values))[:, 0],
        )
        return self._predict(following), following

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self._settings)

    def _states(self, frames: Tensor) -> tuple[Tensor, tuple[KeyValueCache, ...]]:
        """The model's state before the first frame, before the second, ..., and after the last; and the caches.

        Args:
            frames: (batch, frames, frame_size).

        Returns:
            States (batch, frames + 1, hidden_size).
        """
        read = frames
        if self.training and self.input_dropout:
            dropped = bernoulli_mask(frames.shape[:2], self.input_dropout, frames.device)
            read = frames.masked_fill(dropped.unsqueeze(2), 0.0)
        values, caches = self.dropout(self.input_proj(self.past_features(read, frames))), []
        positions = RotaryPositions.of(0, values.shape[1], self._head_size, values)
        for block in self.blocks:
            values, cache = block(values, positions)
            caches.append(cache)
        return self.dropout(self.norm(values)), tuple(caches)

    def _predict(self, state: TransformerState) -> FrameDistribution:
        features = state.features.unsqueeze(1)
        if self.copy is not None and state.copy_memory is not None:
            features = self.copy.step(state.features, state.copy_memory).concat(features)
        return state.head.predict(features[:, 0])

    def _init_residuals(self, num_layers: int) -> None:
        """Makes what each block adds smaller, so that the sum does not grow with their number (as GPT-2)."""
        with torch.no_grad():
            for block in self.blocks:
                assert isinstance(block, TransformerBlock)
                for layer in (block.attention.out, block.network[-1]):
                    assert isinstance(layer, nn.Linear)
                    layer.weight.div_(math.sqrt(2 * num_layers))


def _check(
    hidden_size: int, num_layers: int, num_heads: int, num_copy_heads: int, probabilities: dict[str, float]
) -> None:
    """Refuses arguments out of range."""
    in_range = min(hidden_size, num_layers, num_heads) >= 1 and num_copy_heads >= 0
    if not in_range or not all(0 <= p < 1 for p in probabilities.values()):
        raise SettingsError(
            f"hidden_size, num_layers and num_heads must be at least 1, num_copy_heads at least 0, and probabilities "
            f"in [0, 1), got {hidden_size=}, {num_layers=}, {num_heads=}, {num_copy_heads=}, {probabilities}."
        )
    if hidden_size % (2 * num_heads):
        raise SettingsError(
            f"Each of the {num_heads} heads needs an even number of features: hidden_size must be a multiple of "
            f"{2 * num_heads}, got {hidden_size}. Choose {-(-hidden_size // (2 * num_heads)) * 2 * num_heads}, or "
            f"another num_heads."
        )
