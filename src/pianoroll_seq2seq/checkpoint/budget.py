"""How much a description may build: counted before tensors take memory."""

import math
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from pianoroll_seq2seq.errors import CheckpointError

_FACTOR = 4
"""A model may build this many times what it keeps: a part that replaces another, and buffers that are not saved."""
_SPARE_TENSORS, _SPARE_VALUES = 1_000, 1_000_000
_FACTORIES = frozenset(
    {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.randint, torch.randperm}
    | {torch.arange, torch.linspace, torch.eye}
)


class BudgetError(CheckpointError):
    """Settings that would build more than the budget."""


@dataclass
class Budget:
    """How many parameters and buffers may still be built.

    Args:
        tensors: how many.
        values: how many numbers they may hold in all.
    """

    tensors: int = _SPARE_TENSORS
    values: int = 10 * _SPARE_VALUES

    @classmethod
    def for_shapes(cls, shapes: Collection[tuple[int, ...]]) -> "Budget":
        """A budget for a model with tensors of these shapes: generous, but in proportion to them."""
        return cls(_FACTOR * len(shapes) + _SPARE_TENSORS, _FACTOR * sum(map(math.prod, shapes)) + _SPARE_VALUES)

    @contextmanager
    def limits_modules(self) -> Iterator[None]:
        """Takes from the budget what modules register in this thread. No new tensor may be larger than what is left.

        Raises:
            BudgetError: not enough is left.
        """
        thread = threading.get_ident()

        def spend(_module: nn.Module, _name: str, tensor: Tensor | None) -> None:
            if tensor is not None and threading.get_ident() == thread:
                self.tensors -= 1
                self.values -= 0 if is_lazy(tensor) else tensor.numel()
                self.check(0)

        handles = (
            registration.register_module_parameter_registration_hook(spend),
            registration.register_module_buffer_registration_hook(spend),
        )
        try:
            with _SizeCheck(self):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def check(self, values: int) -> None:
        """Refuses a tensor with so many numbers if they are not left."""
        if self.tensors < 0 or self.values < values:
            raise BudgetError("they make a model that is larger than its weights")


class _SizeCheck(TorchFunctionMode):
    """Checks the size of new tensors against a budget, before they take memory."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Calls the function, if what it makes is not too large."""
        kwargs = kwargs or {}
        if func in _FACTORIES:
            self._budget.check(_size(func, args, kwargs))
        return func(*args, **kwargs)


def _size(factory: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """How many numbers the new tensor has."""
    shapes = [value for value in (kwargs.get("size"), *args) if isinstance(value, Sequence)]
    if shapes:
        return math.prod(shapes[0])
    numbers = [value for value in args if isinstance(value, int | float)]
    if factory is torch.arange:
        return int(max(map(abs, numbers), default=0))
    if factory is torch.linspace:
        return int(kwargs.get("steps", args[-1]))
    return math.prod(map(int, numbers))
