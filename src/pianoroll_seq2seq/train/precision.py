"""How many digits the arithmetic of a step has."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pianoroll_seq2seq.errors import SettingsError

Precision = Literal["auto", "float32", "bfloat16", "float16"]


@cache
def cpu_knows_bfloat16() -> bool:
    """Whether an LSTM runs in bfloat16 on this CPU: PyTorch's need AVX-512 or the like, and tell by failing."""
    try:
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
    except RuntimeError:
        return False
    return True


class Arithmetic:
    """Runs the forward pass in a precision, and the backward pass and the update so that it does no harm.

    Weights, their gradients and the optimizer's state stay in float32: autocast rounds what the matrix products read.
    Gradients too small for float16 are kept from vanishing by scaling the loss (Micikevicius et al., 2018,
    https://arxiv.org/abs/1710.03740).
    """

    def __init__(self, precision: Precision, device: torch.device, clip_norm: float | None) -> None:
        """Decides what ``auto`` means on this device.

        Raises:
            SettingsError: float16 on a CPU, or bfloat16 on one whose LSTM does not know it.
        """
        if precision == "float16" and device.type == "cpu":
            raise SettingsError("precision='float16' needs a GPU. On a CPU choose 'bfloat16' or 'float32'.")
        if precision == "bfloat16" and device.type == "cpu" and not cpu_knows_bfloat16():
            raise SettingsError(
                "precision='bfloat16' needs a GPU, or a CPU that has it (with AVX-512, say), which this one has not. "
                "Choose 'float32', or 'auto', which takes bfloat16 on GPUs alone."
            )
        if precision == "auto":
            able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
            precision = "bfloat16" if able else "float32"
        self._device = device
        self._dtype = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]
        self._clip_norm = clip_norm
        self.scaler: torch.amp.GradScaler | None = torch.amp.GradScaler(device.type) if precision == "float16" else None

    def autocast(self) -> AbstractContextManager[Any]:
        """Around the forward pass."""
        return torch.autocast(self._device.type, dtype=self._dtype or torch.bfloat16, enabled=self._dtype is not None)

    def backward(self, loss: Tensor) -> None:
        """Adds the gradients of a loss."""
        torch.autograd.backward(loss if self.scaler is None else self.scaler.scale(loss))

    def update(self, optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter]) -> None:
        """Cuts the gradient to its norm and takes the step; nothing here waits for a GPU, but optimizers not fused."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)
        if self._clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self._clip_norm)
        if self.scaler is None:
            optimizer.step()
        else:
            self.scaler.step(optimizer)
            self.scaler.update()

    def state(self) -> dict[str, Any]:
        """What a resumed run must know of it, as JSON can hold it."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`state`."""
        if self.scaler is not None and state:
            self.scaler.load_state_dict(state)
