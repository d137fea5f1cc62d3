"""The encoder-decoder LSTM of the 2017 article: the decoder writes all target frames at once."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout, frame_size_of
from pianoroll_seq2seq.models.contract import (
    check_frame_size,
    check_inputs,
    check_primer,
    require_conditional,
)
from pianoroll_seq2seq.models.heads.bernoulli import BernoulliHead
from pianoroll_seq2seq.models.heads.contract import FrameDistribution, HeadFactory, OutputHead, build_head
from pianoroll_seq2seq.models.heads.head_state import HeadState, init_head_state
from pianoroll_seq2seq.models.layers.attention import Attention
from pianoroll_seq2seq.models.layers.conditioning import Conditioning, ConditionSequence
from pianoroll_seq2seq.models.layers.dropout import Dropout
from pianoroll_seq2seq.models.layers.encoder import Encoder
from pianoroll_seq2seq.models.layers.input_noise import add_input_noise
from pianoroll_seq2seq.models.layers.latest_frames import LatestFrames
from pianoroll_seq2seq.models.layers.lstm_stack import LSTMStack
from pianoroll_seq2seq.models.modes import inference
from pianoroll_seq2seq.models.note_columns import NoteColumns, note_columns
from pianoroll_seq2seq.models.pretrained_mixin import PretrainedMixin
from pianoroll_seq2seq.models.seq2seq_lstm import check_sizes

_LONGEST_BLOCK = 2**16
"""Frames of the longest block. No weight depends on it, so a file could name any number."""


@dataclass(frozen=True)
class BlockState:
    """The state of a continuation between two frames.

    Args:
        head: the state of the head.
        inputs: the latest frames, as many as the primer has, and how many of the block they include.
        block: the features of the whole block, (batch, block_frames, hidden_size).
        conditions: the conditions of all frames.
    """

    head: HeadState
    inputs: LatestFrames
    block: Tensor
    conditions: ConditionSequence


class ParallelSeq2SeqLSTM(PretrainedMixin, nn.Module):
    """A multi-layer LSTM encoder, and an LSTM decoder that writes a whole block of frames at once.

    The encoder's last output is repeated for every target frame. The target frames are therefore independent given the
    inputs. To continue further, the model reads what it has written as its next input.

    Args:
        layout: what the columns of a frame mean, such as ``windows.layout``; or only their number.
        block_frames: frames of a block, at most 65,536: the target frames in training.
        hidden_size: units of every LSTM layer.
        num_encoder_layers: layers of the encoder.
        num_decoder_layers: layers of the decoder.
        dropout: dropout probability after every layer, 0 <= dropout < 1.
        input_noise: probability to flip a cell of the input frames in training.
        batch_norm: whether to normalise the output of each stack over the batch.
        attention: whether the decoder attends to the encoder's outputs.
        condition_size: size of the condition of every frame, 0 for none.
        condition_dropout: probability that an example has no condition in training, 0 <= condition_dropout < 1.
        head: the output head: a class, a ``functools.partial`` of one, or a head that is built already. It must not
            read past frames. Independent pitches by default.

    Attributes:
        layout: the layout, or None if the model was built from a number.
        frame_size: columns of a frame.

    Raises:
        SettingsError: arguments out of range, or a head that reads past frames or has other sizes.

    Example:
        >>> model = ParallelSeq2SeqLSTM(49, block_frames=50, hidden_size=32)
        >>> frames = torch.zeros(2, 100, 49)
        >>> model(frames[:, :50], frames[:, 50:]).mean.shape
        torch.Size([2, 50, 49])
    """

    def __init__(
        self,
        layout: FrameLayout | int,
        *,
        block_frames: int,
        hidden_size: int = 128,
        num_encoder_layers: int = 2,
        num_decoder_layers: int = 2,
        dropout: float = 0.0,
        input_noise: float = 0.0,
        batch_norm: bool = False,
        attention: bool = False,
        condition_size: int = 0,
        condition_dropout: float = 0.0,
        head: OutputHead | HeadFactory = BernoulliHead,
    ) -> None:
        """Validates the arguments and builds the layers."""
        super().__init__()
        check_sizes(hidden_size, num_encoder_layers, num_decoder_layers, dropout, input_noise)
        if not 1 <= block_frames <= _LONGEST_BLOCK:
            raise SettingsError(f"block_frames must be in 1..{_LONGEST_BLOCK}, got {block_frames}.")
        head = build_head(head, hidden_size, layout, 0)
        if head.context_frames != 0:
            raise SettingsError(
                f"ParallelSeq2SeqLSTM writes all frames of a block at once, but {type(head).__name__} reads past "
                f"frames (context_frames={head.context_frames}). Use Seq2SeqLSTM."
            )
        self.layout: FrameLayout | None = layout if isinstance(layout, FrameLayout) else None
        self.frame_size: int = frame_size_of(layout)
        self.columns: NoteColumns = note_columns(layout)
        self.hidden_size = hidden_size
        self.block_frames = block_frames
        self.input_noise = input_noise
        self.condition_size = condition_size
        self._conditioning = Conditioning(condition_size, condition_dropout)
        self._settings = {
            "layout": layout,
            "block_frames": block_frames,
            "hidden_size": hidden_size,
            "num_encoder_layers": num_encoder_layers,
            "num_decoder_layers": num_decoder_layers,
            "dropout": dropout,
            "input_noise": input_noise,
            "batch_norm": batch_norm,
            "attention": attention,
            "condition_size": condition_size,
            "condition_dropout": condition_dropout,
            "head": head,
        }
        columns = self._conditioning.columns
        self.encoder: Encoder = Encoder(self.frame_size + columns, hidden_size, num_encoder_layers, dropout)
        self.decoder: LSTMStack = LSTMStack(hidden_size + columns, hidden_size, num_decoder_layers, dropout)
        self.dropout: Dropout = Dropout(dropout)
        self.encoder_norm: nn.BatchNorm1d | nn.Identity = nn.BatchNorm1d(hidden_size) if batch_norm else nn.Identity()
        self.decoder_norm: nn.BatchNorm1d | nn.Identity = nn.BatchNorm1d(hidden_size) if batch_norm else nn.Identity()
        self.attention: Attention | None = Attention(hidden_size) if attention else None
        self.head = head

    def forward(
        self,
        inputs: Float[Tensor, "batch input frame_size"],
        targets: Float[Tensor, "batch target frame_size"],
        condition: Float[Tensor, "_ steps size"] | None = None,
    ) -> FrameDistribution:
        """The distribution of each target frame, given the inputs alone.

        Args:
            inputs: input frames.
            targets: target frames; only their number is used.
            condition: the conditions of inputs and targets. The last one is repeated for later frames.

        Raises:
            ShapeError: frames of another size than the model's, or no input frame.
        """
        check_frame_size(self.frame_size, inputs, targets)
        check_inputs(inputs, self)
        past = torch.cat([inputs, targets[:, :-1]], dim=1)
        past = add_input_noise(past, self.input_noise, self.columns, training=self.training)
        inputs = past[:, : inputs.shape[1]]
        conditions = self._encode_condition(condition, inputs)
        return self.head(self._block_features(inputs, targets.shape[1], conditions), past)

    def start(
        self, primer: Float[Tensor, "batch frames frame_size"], condition: Float[Tensor, "_ steps size"] | None = None
    ) -> tuple[FrameDistribution, BlockState]:
        """Reads a primer: the distribution of the frame after it, and the state.

        Args:
            primer: at least one frame.
            condition: the conditions of the primer and of the frames to come. The last one is repeated.

        Raises:
            ShapeError: no frames, or frames of another size.
        """
        check_primer(self.frame_size, primer)
        return self._start_block(primer, init_head_state(self.head, primer), self._encode_condition(condition, primer))

    def advance(
        self, frame: Float[Tensor, "batch frame_size"], state: BlockState
    ) -> tuple[FrameDistribution, BlockState]:
        """Reads one more frame: the distribution of the frame after it, and the new state."""
        head, conditions = state.head.update(frame), state.conditions.advance()
        inputs = state.inputs.after(frame)
        if inputs.num_written == self.block_frames:
            return self._start_block(inputs.tensor(), head, conditions)
        following = BlockState(head, inputs, state.block, conditions)
        return head.predict(state.block[:, inputs.num_written]), following

    def attention_weights(
        self,
        inputs: Float[Tensor, "batch input frame_size"],
        targets: Float[Tensor, "batch target frame_size"],
        condition: Float[Tensor, "_ steps size"] | None = None,
    ) -> Float[Tensor, "batch target input"]:
        """The attention weights over the input frames for each target frame, in evaluation mode: they sum to one.

        Raises:
            SettingsError: the model has no attention.
        """
        if self.attention is None:
            raise SettingsError("This model has no attention. Build it with attention=True.")
        with inference(self):
            conditions = self._encode_condition(condition, inputs)
            outputs, encoded = self._decode_block(inputs, targets.shape[1], conditions)
            return self.attention.weights(outputs, encoded)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self._settings)

    def _encode_condition(self, condition: Tensor | None, inputs: Tensor) -> ConditionSequence:
        if condition is not None:
            require_conditional(self, condition.shape[-1])
        return self._conditioning.encode(condition, inputs, training=self.training)

    def _start_block(
        self, inputs: Tensor, head: HeadState, conditions: ConditionSequence
    ) -> tuple[FrameDistribution, BlockState]:
        """Reads the inputs and computes the features of the next block."""
        block = self._block_features(inputs, self.block_frames, conditions)
        return head.predict(block[:, 0]), BlockState(head, LatestFrames(inputs), block, conditions)

    def _block_features(self, inputs: Tensor, num_frames: int, conditions: ConditionSequence) -> Tensor:
        """The features of the head for a whole block: (batch, num_frames, hidden_size)."""
        outputs, encoded = self._decode_block(inputs, num_frames, conditions)
        if self.attention is not None:
            outputs = self.attention(outputs, encoded)
        features = self.dropout(outputs)
        # Statistics are over batch and frames; they are faster to compute over contiguous units.
        block: Tensor = self.decoder_norm(features.reshape(-1, features.shape[2]))
        return block.view(features.shape)

    def _decode_block(self, inputs: Tensor, num_frames: int, conditions: ConditionSequence) -> tuple[Tensor, Tensor]:
        """Outputs of the decoder, (batch, num_frames, hidden_size), and the encoder, (batch, input, hidden_size)."""
        encoded, _ = self.encoder(inputs, conditions)
        context = self.encoder_norm(self.dropout(encoded[:, -1]))
        outputs, _ = self.decoder(conditions.concat_next(context.unsqueeze(1).expand(-1, num_frames, -1)))
        return outputs, encoded
