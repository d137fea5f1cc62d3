"""The encoder-decoder LSTM.

The encoder reads the input frames. Its final state starts the decoder, which writes the target frames one after another
(Sutskever, Vinyals and Le, 2014, https://arxiv.org/abs/1409.3215).
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

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
from pianoroll_seq2seq.models.heads.notes import NotesHead
from pianoroll_seq2seq.models.heads.velocity import VelocityHead
from pianoroll_seq2seq.models.layers.attention import Attention
from pianoroll_seq2seq.models.layers.conditioning import Conditioning, ConditionSequence
from pianoroll_seq2seq.models.layers.copy_attention import CopyAttention, CopyMemory, features_with_copies
from pianoroll_seq2seq.models.layers.dropout import Dropout
from pianoroll_seq2seq.models.layers.encoder import Encoder, decoder_memory
from pianoroll_seq2seq.models.layers.input_noise import add_input_noise
from pianoroll_seq2seq.models.layers.latest_frames import LatestFrames
from pianoroll_seq2seq.models.layers.lstm_stack import LSTMStack
from pianoroll_seq2seq.models.layers.stepping import LSTMStepper, Memory, lstm_stepper
from pianoroll_seq2seq.models.modes import inference
from pianoroll_seq2seq.models.note_columns import NoteColumns, note_columns
from pianoroll_seq2seq.models.pretrained_mixin import PretrainedMixin


@dataclass(frozen=True)
class DecoderState:
    """The state of a continuation between two frames.

    Args:
        head: the state of the head.
        inputs: the latest frames, as many as the primer has, for the next run of the encoder; None if it runs only
            once.
        decoder: the decoder's memory.
        encoded: the encoder's outputs for attention, (batch, input_frames, hidden_size); None without attention.
        conditions: the conditions of all frames.
        features: the decoder's output before the next frame, (batch, hidden_size).
        copy_memory: the frames that can be copied; None without copy heads.
    """

    head: HeadState
    inputs: LatestFrames | None
    decoder: LSTMStepper
    encoded: Tensor | None
    conditions: ConditionSequence
    features: Tensor
    copy_memory: CopyMemory | None


class Seq2SeqLSTM(PretrainedMixin, nn.Module):
    """A multi-layer LSTM encoder, an autoregressive multi-layer LSTM decoder, and any output head.

    The decoder reads each frame before it predicts the next one. In training these are the true frames (teacher
    forcing). :class:`~pianoroll_seq2seq.models.parallel_lstm.ParallelSeq2SeqLSTM` writes all target frames at once.

    With ``condition_size`` the encoder reads each frame with its condition, and the decoder reads the condition of
    each frame that it predicts.

    Args:
        layout: what the columns of a frame mean, such as ``windows.layout``; or only their number.
        hidden_size: units of every LSTM layer.
        num_encoder_layers: layers of the encoder.
        num_decoder_layers: layers of the decoder. Each starts from the memory of the encoder layer of the same number,
            counted from the top if the encoder has more layers. If it has fewer, the remaining ones start from its
            last.
        dropout: dropout probability after every layer, 0 <= dropout < 1.
        block_frames: frames to generate before the encoder runs again, over as many of the latest frames as the primer
            had. Set it to the number of target frames in training, so that the decoder never writes longer blocks. None
            never runs the encoder again.
        input_noise: probability to flip a cell of the frames that the model reads in training, so that it learns to
            continue after a wrong note. With an onset plane a note is removed or added with its onset and its velocity.
            The targets stay as they are.
        attention: whether the decoder attends to the encoder's outputs: see
            :class:`~pianoroll_seq2seq.models.layers.attention.Attention`.
        num_copy_heads: heads of an attention over past frames that offers them as candidates for the next one, 0 for
            none: see :class:`~pianoroll_seq2seq.models.layers.copy_attention.CopyAttention`.
        condition_size: size of the condition of every frame (:mod:`~pianoroll_seq2seq.data.conditions`), 0 for none.
        condition_dropout: probability that an example has no condition in training, 0 <= condition_dropout < 1. Above 0
            the model also learns to work without a condition.
        head: the output head: a class such as :class:`~pianoroll_seq2seq.models.heads.nade.NADEHead`, a
            ``functools.partial`` of one, or a head that is built already. By default independent pitches: for a layout
            with an onset plane :class:`~pianoroll_seq2seq.models.heads.notes.NotesHead`, with velocities in a
            :class:`~pianoroll_seq2seq.models.heads.velocity.VelocityHead`, otherwise
            :class:`~pianoroll_seq2seq.models.heads.bernoulli.BernoulliHead`.

    Attributes:
        layout: the layout, or None if the model was built from a number.
        frame_size: columns of a frame.

    Raises:
        SettingsError: arguments out of range, or a head of other sizes.

    Example:
        >>> model = Seq2SeqLSTM(49, hidden_size=32)
        >>> frames = torch.zeros(2, 100, 49)
        >>> model(frames[:, :50], frames[:, 50:]).mean.shape
        torch.Size([2, 50, 49])
    """

    def __init__(
        self,
        layout: FrameLayout | int,
        *,
        hidden_size: int = 128,
        num_encoder_layers: int = 2,
        num_decoder_layers: int = 2,
        dropout: float = 0.0,
        block_frames: int | None = None,
        input_noise: float = 0.0,
        attention: bool = False,
        num_copy_heads: int = 0,
        condition_size: int = 0,
        condition_dropout: float = 0.0,
        head: OutputHead | HeadFactory | None = None,
    ) -> None:
        """Validates the arguments and builds the layers."""
        super().__init__()
        check_sizes(hidden_size, num_encoder_layers, num_decoder_layers, dropout, input_noise)
        if num_copy_heads < 0:
            raise SettingsError(f"num_copy_heads must be at least 0, got {num_copy_heads}.")
        if block_frames is not None and block_frames < 1:
            raise SettingsError(f"block_frames must be at least 1, got {block_frames}.")
        frame_size = frame_size_of(layout)
        in_features = features_with_copies(hidden_size, frame_size, num_copy_heads)
        head = build_head(head or default_head(layout), in_features, layout, num_copy_heads)
        self.layout: FrameLayout | None = layout if isinstance(layout, FrameLayout) else None
        self.frame_size: int = frame_size
        self.columns: NoteColumns = note_columns(layout)
        self.hidden_size = hidden_size
        self.block_frames = block_frames
        self.input_noise = input_noise
        self.condition_size = condition_size
        self._conditioning = Conditioning(condition_size, condition_dropout)
        self._settings = {
            "layout": layout,
            "hidden_size": hidden_size,
            "num_encoder_layers": num_encoder_layers,
            "num_decoder_layers": num_decoder_layers,
            "dropout": dropout,
            "block_frames": block_frames,
            "input_noise": input_noise,
            "attention": attention,
            "num_copy_heads": num_copy_heads,
            "condition_size": condition_size,
            "condition_dropout": condition_dropout,
            "head": head,
        }
        input_size = frame_size + self._conditioning.columns
        self.encoder: Encoder = Encoder(input_size, hidden_size, num_encoder_layers, dropout)
        self.decoder: LSTMStack = LSTMStack(input_size, hidden_size, num_decoder_layers, dropout)
        self.dropout: Dropout = Dropout(dropout)
        self.attention: Attention | None = Attention(hidden_size) if attention else None
        self.copy: CopyAttention | None = (
            CopyAttention(hidden_size, layout, num_heads=num_copy_heads) if num_copy_heads else None
        )
        self.head = head

    def forward(
        self,
        inputs: Float[Tensor, "batch input frame_size"],
        targets: Float[Tensor, "batch target frame_size"],
        condition: Float[Tensor, "_ steps size"] | None = None,
    ) -> FrameDistribution:
        """The distribution of each target frame, given the inputs and the targets before it.

        Args:
            inputs: input frames.
            targets: target frames.
            condition: the conditions of inputs and targets. The last one is repeated for later frames.

        Raises:
            ShapeError: frames of another size than the model's, or no input frame.
        """
        check_frame_size(self.frame_size, inputs, targets)
        check_inputs(inputs, self)
        past = torch.cat([inputs, targets[:, :-1]], dim=1)
        past = add_input_noise(past, self.input_noise, self.columns, training=self.training)
        num_inputs = inputs.shape[1]
        inputs = past[:, :num_inputs]
        conditions = self._encode_condition(condition, inputs)
        encoded, memory = self.encoder(inputs, conditions)
        decoder_inputs = conditions.concat_next(past[:, num_inputs - 1 :])
        outputs, _ = self.decoder(decoder_inputs, self._decoder_memory(memory))
        features = self._features(outputs, encoded)
        if self.copy is not None:
            states = torch.cat([_shifted(encoded), features], dim=1)
            candidates = self.copy(states, torch.cat([past, targets[:, -1:]], dim=1), begin=num_inputs)
            features = candidates.concat(features)
        return self.head(features, past)

    def start(
        self, primer: Float[Tensor, "batch frames frame_size"], condition: Float[Tensor, "_ steps size"] | None = None
    ) -> tuple[FrameDistribution, DecoderState]:
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
        self, frame: Float[Tensor, "batch frame_size"], state: DecoderState
    ) -> tuple[FrameDistribution, DecoderState]:
        """Reads one more frame: the distribution of the frame after it, and the new state."""
        head, conditions = state.head.update(frame), state.conditions.advance()
        inputs = None if state.inputs is None else state.inputs.after(frame)
        if inputs is not None and inputs.num_written == self.block_frames:
            return self._start_block(inputs.tensor(), head, conditions)
        output, decoder = state.decoder.step(conditions.concat_next_step(frame))
        copy_memory = None
        if self.copy is not None and state.copy_memory is not None:
            copy_memory = self.copy.after(frame, state.features, state.copy_memory)
        features = self._step_features(output, state.encoded)
        following = DecoderState(head, inputs, decoder, state.encoded, conditions, features, copy_memory)
        return self._predict(following), following

    def attention_weights(
        self,
        inputs: Float[Tensor, "batch input frame_size"],
        targets: Float[Tensor, "batch target frame_size"],
        condition: Float[Tensor, "_ steps size"] | None = None,
    ) -> Float[Tensor, "batch target input"]:
        """The attention weights over the input frames for each target frame, given the targets before it.

        Computed in evaluation mode and without gradients, whatever mode the model is in.
        :func:`~pianoroll_seq2seq.display.plot.plot_attention` draws them for one piece.

        Returns:
            Weights that sum to one over the input frames.

        Raises:
            SettingsError: the model has no attention.
        """
        if self.attention is None:
            raise SettingsError("This model has no attention. Build it with attention=True.")
        with inference(self):
            conditions = self._encode_condition(condition, inputs)
            encoded, memory = self.encoder(inputs, conditions)
            past = torch.cat([inputs[:, -1:], targets[:, :-1]], dim=1)
            outputs, _ = self.decoder(conditions.concat_next(past), self._decoder_memory(memory))
            return self.attention.weights(outputs, encoded)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self._settings)

    def _encode_condition(self, condition: Tensor | None, inputs: Tensor) -> ConditionSequence:
        if condition is not None:
            require_conditional(self, condition.shape[-1])
        return self._conditioning.encode(condition, inputs, training=self.training)

    def _decoder_memory(self, memory: Memory) -> Memory:
        return decoder_memory(memory, self.decoder.num_layers)

    def _start_block(
        self, inputs: Tensor, head: HeadState, conditions: ConditionSequence
    ) -> tuple[FrameDistribution, DecoderState]:
        """Runs the encoder over its inputs, and the decoder for the first frame after them."""
        encoded, memory = self.encoder(inputs, conditions)
        stepper = lstm_stepper(self.decoder, self._decoder_memory(memory))
        output, decoder = stepper.step(conditions.concat_next_step(inputs[:, -1]))
        attended = None if self.attention is None else encoded
        copy_memory = None if self.copy is None else self.copy.start(_shifted(encoded), inputs)
        features = self._step_features(output, attended)
        kept = None if self.block_frames is None else LatestFrames(inputs)
        state = DecoderState(head, kept, decoder, attended, conditions, features, copy_memory)
        return self._predict(state), state

    def _predict(self, state: DecoderState) -> FrameDistribution:
        """The distribution of the next frame."""
        if self.copy is None or state.copy_memory is None:
            return state.head.predict(state.features)
        candidates = self.copy.step(state.features, state.copy_memory)
        return state.head.predict(candidates.concat(state.features.unsqueeze(1))[:, 0])

    def _features(self, outputs: Tensor, encoded: Tensor) -> Tensor:
        """The features of the head, (batch, target, hidden_size): the decoder's outputs, after attention if any."""
        if self.attention is not None:
            outputs = self.attention(outputs, encoded)
        features: Tensor = self.dropout(outputs)
        return features

    def _step_features(self, output: Tensor, encoded: Tensor | None) -> Tensor:
        """The same for a single frame, (batch, hidden_size); ``encoded`` is None without attention."""
        return self.dropout(output) if encoded is None else self._features(output.unsqueeze(1), encoded)[:, 0]


def default_head(layout: FrameLayout | int) -> HeadFactory:
    """Independent pitches, for the planes of a layout."""
    if isinstance(layout, FrameLayout) and layout.has_velocity:
        return VelocityHead
    return NotesHead if isinstance(layout, FrameLayout) and layout.has_onsets else BernoulliHead


def check_sizes(
    hidden_size: int, num_encoder_layers: int, num_decoder_layers: int, dropout: float, input_noise: float
) -> None:
    """Validates the arguments that both sequence-to-sequence models take.

    Raises:
        SettingsError: names the values that are out of range.
    """
    if min(hidden_size, num_encoder_layers, num_decoder_layers) < 1 or not 0 <= dropout < 1:
        raise SettingsError(
            f"hidden_size, num_encoder_layers and num_decoder_layers must be at least 1 and dropout in [0, 1), got "
            f"{hidden_size}, {num_encoder_layers}, {num_decoder_layers} and {dropout}."
        )
    if not 0 <= input_noise < 0.5:
        raise SettingsError(f"input_noise must lie in [0, 0.5), got {input_noise}.")


def _shifted(encoded: Tensor) -> Tensor:
    """The encoder's output before each input frame, (batch, input, hidden_size): zeros before the first."""
    return functional.pad(encoded[:, :-1], (0, 0, 1, 0))
