"""What an exported file computes: the model's own code, traced by PyTorch's exporter.

Frames are float32 of zeros and ones, batches and lengths are free. ``decoder="parallel"``:

    frames (batch, frames, pitches): what the encoder hears
    -> logits (batch, block_frames, pitches): the log-odds of every pitch in each frame of the next block

``decoder="autoregressive"``, where the encoder stands in an ``If``, so that one file is all there is:

    frames (batch, frames, pitches): what the encoder hears if ``begin``, and the frame just heard as their last
    begin (): a boolean: run the encoder, instead of going on from ``hidden`` and ``cell``
    hidden, cell (layers, batch, hidden): the decoder's memory, not looked at if ``begin``
    past (batch, known, pitches): the latest frames, for a head that looks back (``context_frames`` is not 0)
    -> logits (batch, pitches): the log-odds of every pitch in the next frame
    -> next_hidden, next_cell: the decoder's memory from now on
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.export import Dim

from pianoroll_seq2seq.export.files import require
from pianoroll_seq2seq.heads.base import FrameDistribution
from pianoroll_seq2seq.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM

OPSET = 20
"""Version of the ONNX operators: the first with GELU."""

PURPOSE = "Exporting to ONNX"

_Memory = tuple[Tensor, Tensor]  # hidden and cell state, each (layers, batch, hidden)


class OnnxLSTM(nn.Module):
    """Layers of ``torch.nn.LSTM`` as LSTM operators of ONNX: for tracing only, it computes nothing.

    PyTorch's exporter (2.13) has a translation of ``torch.nn.LSTM`` of its own, by way of patches to ``torch.export``,
    which unrolls it otherwise. Users would see its warnings, the weights are put into ONNX's order whenever the file is
    opened, and a length can be frozen to that of the example (pytorch/pytorch#191855).

    Args:
        lstm: the layers, batch first and in one direction.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        """Puts the weights into the order of ONNX."""
        super().__init__()
        self.num_layers: int = lstm.num_layers
        self.hidden_size: int = lstm.hidden_size
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        for layer in range(lstm.num_layers):
            inputs, hidden, bias, more_bias = (_onnx_order(getattr(lstm, f"{name}_l{layer}")) for name in names)
            self.register_buffer(f"inputs{layer}", inputs.unsqueeze(0))  # the first axis is that of the directions
            self.register_buffer(f"hidden{layer}", hidden.unsqueeze(0))
            self.register_buffer(f"bias{layer}", torch.cat([bias, more_bias]).unsqueeze(0))

    def forward(
        self, frames: Float[Tensor, "batch frames inputs"], memory: _Memory | None = None
    ) -> tuple[Float[Tensor, "batch frames hidden"], _Memory]:
        """As of :class:`~pianoroll_seq2seq.models.lstm_stack.LSTMStack`."""
        from torch.onnx import ops

        outputs = frames.transpose(0, 1)
        length, batch = outputs.shape[:2]
        end = (1, batch, self.hidden_size)
        ends = []
        for layer in range(self.num_layers):
            weights = [getattr(self, f"{name}{layer}") for name in ("inputs", "hidden", "bias")]
            start = [] if memory is None else [None, *(each[layer : layer + 1] for each in memory)]
            outputs, hidden, cell = ops.symbolic_multi_out(
                "LSTM",
                [outputs, *weights, *start],
                {"hidden_size": self.hidden_size},
                dtypes=[frames.dtype] * 3,
                shapes=[(length, *end), end, end],
            )
            outputs = outputs[:, 0]  # the only direction
            ends.append((hidden, cell))
        return outputs.transpose(0, 1), (torch.cat([end[0] for end in ends]), torch.cat([end[1] for end in ends]))


class Encoder(nn.Module):
    """The decoder's memory to begin with, (layers, batch, hidden) twice, from frames (batch, frames, pitches)."""

    def __init__(self, model: Seq2SeqLSTM) -> None:
        """Takes the model's encoder."""
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> _Memory:
        """Hears the frames."""
        _, memory = self.model._encode(frames)
        return memory


class Step(nn.Module):
    """Log-odds of the next frame, and the decoder's new memory."""

    def __init__(self, model: Seq2SeqLSTM) -> None:
        """Takes the model's decoder and head."""
        super().__init__()
        self.model = model

    def forward(
        self, frames: Tensor, hidden: Tensor, cell: Tensor, past: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Hears the last of the frames."""
        features, memory = self.model.decoder_lstm(frames[:, -1:], (hidden, cell))
        distribution = self.model.head(features, frames if past is None else past)
        return log_odds(distribution)[:, 0], *memory


class Block(nn.Module):
    """Log-odds of every frame of a block, (batch, block_frames, pitches)."""

    def __init__(self, model: Seq2SeqLSTM) -> None:
        """Takes all of the model."""
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> Tensor:
        """Hears the frames."""
        assert self.model.block_frames is not None  # a parallel decoder has them
        return log_odds(self.model.head(self.model._write_block(frames, self.model.block_frames), frames))


def trace(model: Seq2SeqLSTM) -> Any:
    """The graph of a model as an ``onnx.ModelProto``. Its LSTM layers are gone afterwards.

    Args:
        model: on the CPU, in float32 and evaluation mode, with a head that gives ``Bernoulli``.
    """
    parallel, looks_back = model.decoder == "parallel", model.head.context_frames != 0
    memory = (model.decoder_lstm.num_layers, 2, model.hidden)
    model.encoder_lstm = OnnxLSTM(model.encoder_lstm)  # type: ignore[assignment]
    model.decoder_lstm = OnnxLSTM(model.decoder_lstm)  # type: ignore[assignment]
    batch, frames, known = Dim("batch"), Dim("frames"), Dim("known")
    heard = {"frames": (torch.zeros(2, 3, model.pitches), {0: batch, 1: frames})}
    if parallel:
        return _traced(Block(model), heard, ["logits"])
    carried = {name: (torch.zeros(memory), {1: batch}) for name in ("memory_hidden", "memory_cell")}
    past = {"past": (torch.zeros(2, 5, model.pitches), {0: batch, 1: known})} if looks_back else {}
    encoder = _traced(Encoder(model), heard, ["hidden", "cell"])
    step = _traced(Step(model), heard | carried | past, ["logits", "next_hidden", "next_cell"])
    return _with_encoder(step, encoder)


def log_odds(distribution: FrameDistribution) -> Tensor:
    """Of independent pitches, (..., pitches)."""
    assert isinstance(distribution, Bernoulli)  # whoever exports has seen to it
    return distribution.logits


def _onnx_order(weights: Tensor) -> Tensor:
    """Weights of the gates in, forget, cell, out (PyTorch) as those of in, out, forget, cell (ONNX)."""
    into, forget, cell, out = weights.detach().chunk(4)
    return torch.cat([into, out, forget, cell])


def _traced(module: nn.Module, inputs: Mapping[str, tuple[Tensor, dict[int, Dim]]], outputs: list[str]) -> Any:
    """An ``onnx.ModelProto`` of a module, from an example of each input and the axes of it that are free."""
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            tuple(example for example, _ in inputs.values()),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=tuple(free for _, free in inputs.values()),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            custom_translation_table={torch.ops.aten.cummax.default: _latest_maximum},
        )
    assert program is not None  # it is with dynamo=False only
    proto = program.model_proto
    _forget_origin(proto.graph)
    return proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Within: PyTorch's exporter does not warn of PyTorch's own parts, nor that torchvision is not there."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _latest_maximum(values: Any, dim: int) -> Any:
    """``cummax``, which ONNX lacks, right in the last place alone: a step asks for no other."""
    op = require("onnxscript", PURPOSE).opset20
    return op.Expand(op.ReduceMax(values, [dim], keepdims=1), op.Shape(values)), values


def _forget_origin(graph: Any) -> None:
    """Removes what the exporter notes of the source code of each node: paths on the machine that it ran on."""
    graph.ClearField("metadata_props")
    graph.ClearField("value_info")
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")


def _with_encoder(step: Any, encoder: Any) -> Any:
    """The step, with its memory from the encoder if ``begin``, and else from the inputs ``hidden`` and ``cell``."""
    onnx, helper = require("onnx", PURPOSE), require("onnx.helper", PURPOSE)
    encoder = _set_apart(encoder.graph)
    frames, *memory = step.graph.input[:3]
    begin = helper.make_tensor_value_info("begin", onnx.TensorProto.BOOL, [])
    hidden, cell, kept_hidden, kept_cell = (
        _renamed(value, name)
        for name, value in zip(("hidden", "cell", "kept_hidden", "kept_cell"), memory * 2, strict=True)
    )
    go_on = [
        helper.make_node("Identity", [given.name], [kept.name])
        for given, kept in ((hidden, kept_hidden), (cell, kept_cell))
    ]
    choice = helper.make_node(
        "If",
        ["begin"],
        [value.name for value in memory],
        then_branch=helper.make_graph(encoder.node, "encode", [], encoder.output, encoder.initializer),
        else_branch=helper.make_graph(go_on, "go_on", [], [kept_hidden, kept_cell]),
    )
    nodes, inputs = [choice, *step.graph.node], [frames, begin, hidden, cell, *step.graph.input[3:]]
    graph = helper.make_graph(nodes, "continue", inputs, step.graph.output, step.graph.initializer)
    step.graph.CopyFrom(graph)
    return step


def _set_apart(graph: Any) -> Any:
    """Gives all values of a graph but its inputs names that no other graph has."""
    apart = {value.name: value.name for value in graph.input} | {"": ""}  # "" is an input left out
    for node in graph.node:
        node.input[:] = [apart.get(name, f"encoder_{name}") for name in node.input]
        node.output[:] = [f"encoder_{name}" for name in node.output]
    for value in (*graph.node, *graph.initializer, *graph.output):
        value.name = f"encoder_{value.name}"
    return graph


def _renamed(value: Any, name: str) -> Any:
    other = type(value)()
    other.CopyFrom(value)
    other.name = name
    return other
