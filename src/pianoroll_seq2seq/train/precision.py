"""The floating-point precision of a step."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pianoroll_seq2seq._internal.memory import kept_memory
from pianoroll_seq2seq.errors import SettingsError

Precision = Literal["auto", "float32", "bfloat16", "float16"]


@cache
def cpu_has_bfloat16() -> bool:
    """Whether an LSTM runs in bfloat16 on this CPU. PyTorch needs AVX-512 or similar, and fails without it."""
    try:
        # In kept_memory, as what follows: oneDNN reads its settings here, when it is first used.
        with kept_memory(), torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
    except RuntimeError:
        return False
    return True


class MixedPrecision:
    """Runs the forward pass in a lower precision, and the backward pass and the update so that nothing is lost.

    Weights, their gradients and the optimizer's state stay in float32: autocast rounds what the matrix products read.
    In float16 the loss is scaled, so that small gradients do not vanish (Micikevicius et al., 2018,
    https://arxiv.org/abs/1710.03740).

    Args:
        precision: ``auto`` is bfloat16 on a GPU that has it, and float32 otherwise.
        device: of the model.
        clip_norm: the largest norm of the gradient; None for any.

    Raises:
        SettingsError: float16 on a CPU, or bfloat16 on a CPU without it.
    """

    def __init__(self, precision: Precision, device: torch.device, clip_norm: float | None) -> None:
        """Chooses the type."""
        if precision == "float16" and device.type == "cpu":
            raise SettingsError("precision='float16' needs a GPU. On a CPU choose 'bfloat16' or 'float32'.")
        if precision == "bfloat16" and device.type == "cpu" and not cpu_has_bfloat16():
            raise SettingsError(
                "precision='bfloat16' needs a GPU, or a CPU that has it (AVX-512, for example). This CPU does not. "
                "Choose 'float32', or 'auto', which takes bfloat16 on GPUs only."
            )
        if precision == "auto":
            has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
            precision = "bfloat16" if has_bfloat16 else "float32"
        self.precision: Precision = precision
        self._device = device
        self._dtype = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]
        self._clip_norm = clip_norm
        self.scaler: torch.amp.GradScaler | None = torch.amp.GradScaler(device.type) if precision == "float16" else None

    def autocast(self) -> AbstractContextManager[Any]:
        """The context of the forward pass."""
        return torch.autocast(self._device.type, dtype=self._dtype or torch.bfloat16, enabled=self._dtype is not None)

    def backward(self, loss: Tensor) -> None:
        """Adds the gradients of a loss."""
        torch.autograd.backward(loss if self.scaler is None else self.scaler.scale(loss))

    def update(self, optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter]) -> None:
        """Clips the gradient and takes the step, without waiting for the GPU if the optimizer is fused."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)
        if self._clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self._clip_norm)
        if self.scaler is None:
            optimizer.step()
        else:
            self.scaler.step(optimizer)
            self.scaler.update()

    def state(self) -> dict[str, Any] | None:
        """What a checkpoint must hold of it, for JSON; None without a scaler."""
        return None if self.scaler is None else self.scaler.state_dict()

    def load_state(self, state: dict[str, Any] | None) -> None:
        """The inverse of :meth:`state`."""
        if self.scaler is not None and state is not None:
            self.scaler.load_state_dict(state)
