"""Playing an exported model with ONNX Runtime."""

import json
import os
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from pianoroll_seq2seq.errors import CheckpointError, SettingsError, ShapeError
from pianoroll_seq2seq.export.files import FORMAT_VERSION, HEADER, read, require
from pianoroll_seq2seq.heads.bernoulli import Bernoulli

Frames = Float32[np.ndarray, "batch _ pitches"]


@dataclass(frozen=True)
class OnnxState:
    """Where a continuation stands between two frames.

    Args:
        heard: the latest frames, as many as the next encoding and the head may read, (batch, frames, pitches).
        encoded: how many of them the encoder reads when it runs again: the length of the primer.
        written: frames since the encoder last ran.
        memory: the decoder's hidden and cell state, each (layers, batch, hidden) (autoregressive).
        block: log-odds of the whole block, (batch, block_frames, pitches) (parallel).
    """

    heard: Frames
    encoded: int
    written: int
    memory: tuple[np.ndarray, np.ndarray] | None
    block: np.ndarray | None


class OnnxModel:
    """A model that :func:`export_onnx` wrote, on the CPU, without the code that it was trained with.

    It generates as the model did: ``generate(OnnxModel("model.onnx"), primer, frames=128, seed=1)``. Equal seeds give
    equal music, unless a draw falls within the rounding of a probability (about one in a million).

    Args:
        path: the file.
        threads: that compute one step, at least 1. More than one pays for large models and batches only.

    Attributes:
        pitches: size of a frame.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        SettingsError: fewer threads than one.
        CheckpointNotFoundError: no file there.
        CheckpointError: not an exported model, a damaged one, or one that this version or its ONNX Runtime cannot run.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 1) -> None:
        """Opens the file."""
        if threads < 1:
            raise SettingsError(f"threads must be at least 1, got {threads}.")
        runtime, label = require("onnxruntime", "Running an exported model"), os.fspath(path)
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors: it would print to the console otherwise
        try:
            self._session = runtime.InferenceSession(read(path), options, providers=["CPUExecutionProvider"])
        except CheckpointError:
            raise
        except Exception as error:  # ONNX Runtime has an error of its own for each reason
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"{label}: ONNX Runtime {runtime.__version__} cannot run it ({reason}). Update onnxruntime."
            ) from error
        settings = json.loads(self._session.get_modelmeta().custom_metadata_map[HEADER])
        if settings["version"] != FORMAT_VERSION:
            raise CheckpointError(
                f"{label}: an exported model of format version {settings['version']}, this pianoroll_seq2seq runs "
                f"version {FORMAT_VERSION}. Export the model again."
            )
        self.pitches: int = settings["pitches"]
        self._parallel: bool = settings["decoder"] == "parallel"
        self._block_frames: int | None = settings["block_frames"]
        self._context_frames: int | None = settings["context_frames"]
        self._shapes = {each.name: each.shape for each in self._session.get_inputs()}

    def start(self, primer: Float[Tensor, "batch frames pitches"]) -> tuple[Bernoulli, OnnxState]:
        """Hears a primer: the distribution of the frame after it, and the state to go on from."""
        if primer.shape[1] < 1 or primer.shape[2] != self.pitches:
            raise ShapeError(
                f"The model expects a primer of shape (batch, frames >= 1, {self.pitches}), got {tuple(primer.shape)}. "
                f"Read the primer with the grid and PitchRange that the model was trained on."
            )
        return self._begin_block(_as_array(primer), primer.shape[1])

    def advance(self, frame: Float[Tensor, "batch pitches"], state: OnnxState) -> tuple[Bernoulli, OnnxState]:
        """Hears one more frame: the distribution of the frame after it, and the new state."""
        if frame.shape != (len(state.heard), self.pitches):
            raise ShapeError(
                f"The model expects a frame of shape ({len(state.heard)}, {self.pitches}), as the primer was, got "
                f"{tuple(frame.shape)}."
            )
        latest = _as_array(frame)[:, None]
        heard = self._kept(np.concatenate([state.heard, latest], axis=1), state.encoded)
        written = state.written + 1
        if written == self._block_frames:
            return self._begin_block(heard, state.encoded)
        if state.block is not None:
            logits, memory = state.block[:, written], None
        else:
            logits, memory = self._step(latest, heard, state.memory)
        return _distribution(logits), OnnxState(heard, state.encoded, written, memory, state.block)

    def _begin_block(self, heard: Frames, encoded: int) -> tuple[Bernoulli, OnnxState]:
        """Runs the encoder over the latest frames, and the decoder for the first frame after them."""
        inputs = heard[:, heard.shape[1] - encoded :]
        if self._parallel:
            (block,) = self._session.run(["logits"], {"frames": inputs})
            return _distribution(block[:, 0]), OnnxState(heard, encoded, 0, None, block)
        logits, memory = self._step(inputs, heard, None)
        return _distribution(logits), OnnxState(heard, encoded, 0, memory, None)

    def _step(
        self, frames: Frames, heard: Frames, memory: tuple[np.ndarray, np.ndarray] | None
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Log-odds of the next frame and the decoder's new memory; without one, the encoder hears the frames."""
        hidden, cell = (self._silence(len(frames)),) * 2 if memory is None else memory
        inputs = {"frames": frames, "begin": np.array(memory is None), "hidden": hidden, "cell": cell}
        if self._context_frames != 0:
            inputs["past"] = heard
        logits, hidden, cell = self._session.run(["logits", "next_hidden", "next_cell"], inputs)
        return logits, (hidden, cell)

    def _silence(self, batch: int) -> np.ndarray:
        layers, _, hidden = self._shapes["hidden"]
        return np.zeros((layers, batch, hidden), dtype=np.float32)

    def _kept(self, heard: Frames, encoded: int) -> Frames:
        """The frames that will be read again."""
        if self._context_frames is None:
            return heard
        count = max(0 if self._block_frames is None else encoded, self._context_frames)
        return heard[:, max(heard.shape[1] - count, 0) :]


def _as_array(frames: Tensor) -> np.ndarray:
    array: np.ndarray = frames.detach().to("cpu", torch.float32).numpy()
    return array


def _distribution(logits: np.ndarray) -> Bernoulli:
    return Bernoulli(torch.from_numpy(logits))
