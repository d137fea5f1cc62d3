"""The encoder-decoder LSTM.

The encoder reads the input frames; what it remembers at the end starts the decoder, which writes the
target frames (Sutskever, Vinyals and Le, 2014, https://arxiv.org/abs/1409.3215).
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.dropout import Dropout, chosen
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.heads.base import FrameDistribution, OutputHead
from pianoroll_seq2seq.heads.bernoulli import BernoulliHead
from pianoroll_seq2seq.models.attention import Attention
from pianoroll_seq2seq.models.base import check_columns, hearing, inference
from pianoroll_seq2seq.models.conditioning import NOTHING_TOLD, Conditioning, Told
from pianoroll_seq2seq.models.copy_attention import CopyAttention, CopyMemory, features_with_copies
from pianoroll_seq2seq.models.lstm_stack import LSTMStack
from pianoroll_seq2seq.models.past import Past, past_of
from pianoroll_seq2seq.models.sharing import Shareable
from pianoroll_seq2seq.models.stepping import Memory, Stepping, stepping


@dataclass(frozen=True)
class GenerationState:
    """Where a continuation stands between two frames.

    Args:
        past: the frames so far, as the head keeps them.
        inputs: the latest frames, as many as the primer has, for the encoder to read when it runs again,
            (batch, frames, pitches); None where it never will.
        written: frames since the encoder last ran.
        memory: the decoder's memory, and how to go on from it (autoregressive).
        features: the decoder's output for the whole block (parallel), (batch, block_frames, hidden).
        encoded: the encoder's outputs, (batch, input_frames, hidden), for attention to look at (autoregressive).
        told: the conditions of all frames.
        state: what the decoder says before the next frame, (batch, hidden) (autoregressive).
        copying: the frames that there are to copy; None in a model without copies.
    """

    past: Past
    inputs: Tensor | None
    written: int
    memory: Stepping | None
    features: Tensor | None
    encoded: Tensor | None = None
    told: Told = NOTHING_TOLD
    state: Tensor | None = None
    copying: CopyMemory | None = None


class Seq2SeqLSTM(Shareable, nn.Module):
    """Multi-layer LSTM encoder, multi-layer LSTM decoder, any output head.

    ``decoder="autoregressive"`` feeds each frame back before the next is predicted; in training these are
    the true ones (teacher forcing). ``decoder="parallel"`` is the model of the 2017 article: the encoder's
    last output is repeated to every target frame, and all are written at once, none knowing the others.

    With ``condition_size`` it hears more than frames: the encoder the condition of each frame beside the frame, the
    decoder that of each frame it is about to predict.

    Args:
        pitches: size of a frame.
        hidden: units of every LSTM layer.
        encoder_layers: layers of the encoder.
        decoder_layers: layers of the decoder. Each begins with the memory of the encoder layer of its own
            number, counted from the top where the encoder has more, so that no layer of it is in vain; where it
            has fewer, the layers above begin with that of its last (autoregressive).
        dropout: share of units silenced after every layer in training, 0 <= dropout < 1.
        decoder: how the decoder works.
        block_frames: frames to generate before the encoder runs again, over as many of the latest frames as
            the primer had: the number of target frames the model is trained on, so that it is never asked
            for more than it has learned. None (autoregressive only) never runs it again.
        frame_noise: share of the cells of every frame heard that are flipped in training, so that the model
            learns to go on after a wrong note. What it shall predict stays as it is.
        batch_norm: normalises the output of each stack over the batch, as the 2017 model did (parallel only:
            over teacher-forced frames it would carry statistics of later frames into earlier ones).
        attention: whether the decoder looks at every output of the encoder too, anew for each frame it writes: see
            :class:`~pianoroll_seq2seq.models.attention.Attention`.
        copies: heads of an attention that looks at the frames themselves, those of the input and those written since,
            and proposes them as the next (autoregressive only), 0 for none: see
            :class:`~pianoroll_seq2seq.models.copy_attention.CopyAttention`.
        condition_size: numbers that are told of every frame (:mod:`~pianoroll_seq2seq.conditions`), 0 for none.
        condition_dropout: share of the examples of which nothing is told in training, 0 <= condition_dropout < 1.
            Above 0 the model learns to do without, and need not be given a condition.
        head: turns decoder outputs into distributions; independent pitches by default. It reads
            ``Seq2SeqLSTM.features(pitches, hidden, copies)`` features, of which the last are proposals.

    Raises:
        SettingsError: arguments out of range, or that contradict each other.

    Example:
        >>> model = Seq2SeqLSTM(pitches=49, hidden=32)
        >>> frames = torch.zeros(2, 100, 49)
        >>> model(frames[:, :50], frames[:, 50:]).mean.shape
        torch.Size([2, 50, 49])
    """

    def __init__(
        self,
        pitches: int,
        *,
        hidden: int = 128,
        encoder_layers: int = 2,
        decoder_layers: int = 2,
        dropout: float = 0.0,
        decoder: Literal["autoregressive", "parallel"] = "autoregressive",
        block_frames: int | None = None,
        frame_noise: float = 0.0,
        batch_norm: bool = False,
        attention: bool = False,
        copies: int = 0,
        condition_size: int = 0,
        condition_dropout: float = 0.0,
        head: OutputHead | None = None,
    ) -> None:
        """Checks the arguments and builds the layers."""
        super().__init__()
        if min(pitches, hidden, encoder_layers, decoder_layers) < 1 or copies < 0 or not 0 <= dropout < 1:
            raise SettingsError(
                "pitches, hidden, encoder_layers and decoder_layers must be at least 1, copies at least 0 and dropout "
                f"in [0, 1), got {pitches}, {hidden}, {encoder_layers}, {decoder_layers}, {copies} and {dropout}."
            )
        if block_frames is not None and block_frames < 1:
            raise SettingsError(f"block_frames must be at least 1, got {block_frames}.")
        if not 0 <= frame_noise < 0.5:
            raise SettingsError(f"frame_noise must lie in [0, 0.5), got {frame_noise}.")
        if decoder not in ("autoregressive", "parallel"):
            raise SettingsError(f"decoder must be 'autoregressive' or 'parallel', got {decoder!r}.")
        features = self.features(pitches, hidden, copies)
        head = BernoulliHead(features, pitches) if head is None else head
        if (head.features, head.pitches) != (features, pitches):
            raise SettingsError(
                f"The head reads {head.features} features and describes {head.pitches} pitches, but the model has "
                f"{features} ({hidden=}, {copies=}) and {pitches=}. Build the head with the model's sizes: "
                f"features=Seq2SeqLSTM.features(pitches, hidden, copies)."
            )
        if decoder == "parallel" and block_frames is None:
            raise SettingsError("decoder='parallel' needs block_frames: the target frames it is trained on.")
        if decoder == "parallel" and head.context_frames != 0:
            raise SettingsError(
                f"decoder='parallel' writes all frames at once and knows no past ones, but {type(head).__name__} "
                f"reads them (context_frames={head.context_frames}). Use decoder='autoregressive'."
            )
        if decoder == "parallel" and copies:
            raise SettingsError(
                f"decoder='parallel' writes all frames at once and cannot copy those before, got {copies=}. "
                f"Use decoder='autoregressive', or copies=0."
            )
        if decoder == "autoregressive" and batch_norm:
            raise SettingsError("batch_norm=True needs decoder='parallel': otherwise later frames would leak.")
        self.pitches = pitches
        self.hidden = hidden
        self.decoder = decoder
        self.block_frames = block_frames
        self.frame_noise = frame_noise
        self.condition_size = condition_size
        self._conditioning = Conditioning(condition_size, condition_dropout)
        self._settings = {
            "pitches": pitches,
            "hidden": hidden,
            "encoder_layers": encoder_layers,
            "decoder_layers": decoder_layers,
            "dropout": dropout,
            "decoder": decoder,
            "block_frames": block_frames,
            "frame_noise": frame_noise,
            "batch_norm": batch_norm,
            "attention": attention,
            "head": head,
        }
        if copies:  # only then, as below, so that runs from before there were any go on
            self._settings |= {"copies": copies}
        if condition_size:
            self._settings |= {"condition_size": condition_size, "condition_dropout": condition_dropout}
        columns = self._conditioning.columns
        decoder_input = pitches if decoder == "autoregressive" else hidden
        self.encoder_lstm: LSTMStack = LSTMStack(pitches + columns, hidden, encoder_layers, dropout)
        self.decoder_lstm: LSTMStack = LSTMStack(decoder_input + columns, hidden, decoder_layers, dropout)
        self.dropout: Dropout = Dropout(dropout)
        self.encoder_norm: nn.BatchNorm1d | nn.Identity = nn.BatchNorm1d(hidden) if batch_norm else nn.Identity()
        self.decoder_norm: nn.BatchNorm1d | nn.Identity = nn.BatchNorm1d(hidden) if batch_norm else nn.Identity()
        self.attention: Attention | None = Attention(hidden) if attention else None
        self.copy: CopyAttention | None = CopyAttention(hidden, pitches, heads=copies) if copies else None
        self.head = head

    @staticmethod
    def features(pitches: int, hidden: int = 128, copies: int = 0) -> int:
        """What a head has to read: the decoder's output and, with copies, what they propose and how far nothing."""
        return features_with_copies(hidden, pitches, copies)

    def forward(
        self,
        inputs: Float[Tensor, "batch input pitches"],
        targets: Float[Tensor, "batch target pitches"],
        condition: Float[Tensor, "_ told size"] | None = None,
    ) -> FrameDistribution:
        """The distribution of each target frame, given the inputs and (autoregressive) the targets before it.

        The condition is that of inputs and targets, and its last frame stands for all beyond; None tells nothing.

        Raises:
            ShapeError: frames of another size than the model's.
        """
        check_columns(self.pitches, inputs, targets)
        past = torch.cat([inputs, targets[:, :-1]], dim=1)
        if self.training and self.frame_noise:
            past = (past - chosen(past.shape, self.frame_noise, past.device).to(past.dtype)).abs()
        heard = past[:, : inputs.shape[1]]
        told = self._tell(condition, heard)
        if self.decoder == "parallel":
            features = self._write_block(heard, targets.shape[1], told)
        else:
            encoded, memory = self._encode(heard, told)
            outputs, _ = self.decoder_lstm(told.beside_next(past[:, inputs.shape[1] - 1 :]), memory)
            features = self._features(outputs, encoded)
            if self.copy is not None:
                states = torch.cat([_before_each(encoded), features], dim=1)
                copies = self.copy(states, torch.cat([past, targets[:, -1:]], dim=1), begin=inputs.shape[1])
                features = copies.beside(features)
        return self.head(features, past)

    def start(
        self, primer: Float[Tensor, "batch frames pitches"], condition: Float[Tensor, "_ told size"] | None = None
    ) -> tuple[FrameDistribution, GenerationState]:
        """Hears a primer: the distribution of the frame after it, and the state to go on from.

        The condition is that of the primer and of the frames to come, and its last frame stands for all beyond.
        """
        if primer.shape[1] < 1 or primer.shape[2] != self.pitches:
            raise ShapeError(
                f"The model expects a primer of shape (batch, frames >= 1, {self.pitches}), got {tuple(primer.shape)}. "
                f"Read the primer with the grid and PitchRange that the model was trained on."
            )
        return self._begin_block(primer, past_of(self.head, primer), self._tell(condition, primer))

    def advance(
        self, frame: Float[Tensor, "batch pitches"], state: GenerationState
    ) -> tuple[FrameDistribution, GenerationState]:
        """Hears one more frame: the distribution of the frame after it, and the new state."""
        past, inputs, written = state.past.after(frame), state.inputs, state.written + 1
        told = state.told.after()
        if inputs is not None:
            inputs = torch.cat([inputs[:, 1:], frame.unsqueeze(1)], dim=1)
            if written == self.block_frames:
                return self._begin_block(inputs, past, told)
        if state.features is not None:
            after = GenerationState(past, inputs, written, None, state.features, None, told)
            return past.distribution(state.features[:, written]), after
        assert state.memory is not None  # an autoregressive decoder has one
        output, memory = state.memory.step(told.beside_next_one(frame))
        copying = None
        if self.copy is not None and state.copying is not None and state.state is not None:
            copying = self.copy.after(frame, state.state, state.copying)
        before = self._feature(output, state.encoded)
        after = GenerationState(past, inputs, written, memory, None, state.encoded, told, before, copying)
        return self._answer(after, before), after

    def attention_weights(
        self,
        inputs: Float[Tensor, "batch input pitches"],
        targets: Float[Tensor, "batch target pitches"],
        condition: Float[Tensor, "_ told size"] | None = None,
    ) -> Float[Tensor, "batch target input"]:
        """How much the decoder looks at each input frame when it predicts each target frame, given those before it.

        Outside training, whatever mode the model is in: without dropout, noise and gradients.
        :func:`~pianoroll_seq2seq.plot.plot_attention` draws those of one piece.

        Returns:
            Shares, which sum to one over the input frames.

        Raises:
            SettingsError: the model was built without attention.
        """
        if self.attention is None:
            raise SettingsError("This model has no attention to look at. Build it with attention=True.")
        with inference(self):
            told = self._tell(condition, inputs)
            if self.decoder == "parallel":
                outputs, encoded = self._decode_block(inputs, targets.shape[1], told)
            else:
                encoded, memory = self._encode(inputs, told)
                heard = torch.cat([inputs[:, -1:], targets[:, :-1]], dim=1)
                outputs, _ = self.decoder_lstm(told.beside_next(heard), memory)
            return self.attention.weights(outputs, encoded)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments: what JSON can hold, and the head."""
        return dict(self._settings)

    def _tell(self, condition: Tensor | None, heard: Tensor) -> Told:
        """What is told of the frames heard and of those after them."""
        if condition is not None:
            hearing(self, condition.shape[-1])
        return self._conditioning.tell(condition, heard, training=self.training)

    def _begin_block(self, inputs: Tensor, past: Past, told: Told) -> tuple[FrameDistribution, GenerationState]:
        """Runs the encoder over its inputs, and the decoder for the first frame after them."""
        kept = None if self.block_frames is None else inputs
        if self.decoder == "parallel":
            assert self.block_frames is not None  # the constructor saw to it
            block = self._write_block(inputs, self.block_frames, told)
            return past.distribution(block[:, 0]), GenerationState(past, kept, 0, None, block, None, told)
        encoded, start = self._encode(inputs, told)
        output, memory = stepping(self.decoder_lstm, start).step(told.beside_next_one(inputs[:, -1]))
        looked_at = None if self.attention is None else encoded
        before = self._feature(output, looked_at)
        copying = None if self.copy is None else self.copy.start(_before_each(encoded), inputs)
        state = GenerationState(past, kept, 0, memory, None, looked_at, told, before, copying)
        return self._answer(state, before), state

    def _answer(self, state: GenerationState, before: Tensor) -> FrameDistribution:
        """The distribution of the next frame, before which the decoder is in this state, (batch, hidden)."""
        if self.copy is None or state.copying is None:
            return state.past.distribution(before)
        copies = self.copy.step(before, state.copying)
        return state.past.distribution(copies.beside(before.unsqueeze(1))[:, 0])

    def _features(self, outputs: Tensor, encoded: Tensor) -> Tensor:
        """What the head reads: the decoder's outputs, (batch, target, hidden), after attention if there is any."""
        if self.attention is not None:
            outputs = self.attention(outputs, encoded)
        features: Tensor = self.dropout(outputs)
        return features

    def _feature(self, output: Tensor, encoded: Tensor | None) -> Tensor:
        """The same of a single frame, (batch, hidden); ``encoded`` is None in a model without attention."""
        return self.dropout(output) if encoded is None else self._features(output.unsqueeze(1), encoded)[:, 0]

    def _encode(self, inputs: Tensor, told: Told = NOTHING_TOLD) -> tuple[Tensor, Memory]:
        """The encoder's outputs, (batch, input, hidden), and what each decoder layer begins with."""
        outputs, (hidden, cell) = self.encoder_lstm(told.beside_heard(inputs))
        last, count = len(hidden) - 1, self.decoder_lstm.num_layers
        unused = max(len(hidden) - count, 0)  # layers below, which the layers above have read
        layers = [min(unused + layer, last) for layer in range(count)]
        return outputs, (hidden[layers], cell[layers])

    def _write_block(self, inputs: Tensor, frames: int, told: Told = NOTHING_TOLD) -> Tensor:
        """What the head reads for a whole block: (batch, frames, hidden)."""
        features = self._features(*self._decode_block(inputs, frames, told))
        # Statistics are over batch and frames alike, and quicker to take where the units lie side by side.
        block: Tensor = self.decoder_norm(features.reshape(-1, features.shape[2]))
        return block.view(features.shape)

    def _decode_block(self, inputs: Tensor, frames: int, told: Told) -> tuple[Tensor, Tensor]:
        """For a block: outputs of the decoder, (batch, frames, hidden), and of the encoder, (batch, input, hidden)."""
        encoded, _ = self.encoder_lstm(told.beside_heard(inputs))
        context = self.encoder_norm(self.dropout(encoded[:, -1]))
        outputs, _ = self.decoder_lstm(told.beside_next(context.unsqueeze(1).expand(-1, frames, -1)))
        return outputs, encoded


def _before_each(encoded: Tensor) -> Tensor:
    """The encoder's output before each input frame, (batch, input, hidden): before the first it has heard nothing."""
    return functional.pad(encoded[:, :-1], (0, 0, 1, 0))
