"""An optimizer's state without pickle: JSON and tensors."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq._internal.documents import convert
from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq.checkpoint.descriptions import encode
from pianoroll_seq2seq.checkpoint.files import USE_ANOTHER, contiguous_copy, strip_prefix
from pianoroll_seq2seq.errors import CheckpointError


class OptimizerState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of an optimizer, without its tensors."""

    kind: str = msgspec.field(name="class")
    """The name of the optimizer's class: others may take the state for theirs."""
    state: dict[str, dict[str, Any]]
    """The values of each parameter, by its number."""
    param_groups: list[dict[str, Any]]


def pack(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """An optimizer's state as JSON and tensors. The tensors are named ``optimizer.*``."""
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    values: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        values[str(index)] = {}
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = contiguous_copy(value)
            else:
                values[str(index)][key] = _plain(value)
    groups = [{key: _plain(value) for key, value in group.items()} for group in state["param_groups"]]
    return {"class": type(optimizer).__qualname__, "state": values, "param_groups": encode(groups)}, tensors


def load_into(optimizer: torch.optim.Optimizer, values: Any, tensors: Mapping[str, Tensor], *, label: str) -> None:
    """The inverse of :func:`pack`: loads the state of an optimizer. ``label`` names its file in errors.

    Raises:
        CheckpointError: the file has no such state, that of another class, or one that does not fit the optimizer or is
            not finite.
    """
    checked = convert(values, OptimizerState, f"{label}: no state of an optimizer", CheckpointError, fix=USE_ANOTHER)
    kind = type(optimizer).__qualname__
    if checked.kind != kind:
        raise CheckpointError(
            f"{label}: holds the state of the optimizer {printable(checked.kind, longest=80)}, not of {kind}. Use the "
            f"optimizer that it was saved with, or leave the optimizer out."
        )
    try:
        state = _state_of(optimizer, checked, strip_prefix("optimizer", tensors))
        names = [group.keys() for group in map(dict, optimizer.param_groups)]
        optimizer.load_state_dict({"state": state, "param_groups": checked.param_groups})
        _check_groups(optimizer, names)
        _check_tensors(optimizer)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        problem = printable(str(error), keep="\n", longest=1_000)
        raise CheckpointError(f"{label}: does not fit this optimizer ({problem}). {USE_ANOTHER}") from error


def _state_of(
    optimizer: torch.optim.Optimizer, values: OptimizerState, tensors: Mapping[str, Tensor]
) -> dict[int, dict[str, Any]]:
    """The state by the numbers of the parameters, with its tensors."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Any]] = {int(index): dict(entries) for index, entries in values.state.items()}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        if tensor.is_complex() and not parameters[int(index)].is_complex():  # PyTorch drops the imaginary part
            raise ValueError(f"{key} of parameter {index} is complex")
        state[int(index)][key] = tensor
    return state


def _check_groups(optimizer: torch.optim.Optimizer, names: Sequence[Collection[str]]) -> None:
    """Refuses parameter groups without the values that the optimizer had before. Newer ones are set by PyTorch."""
    for number, (group, expected) in enumerate(zip(optimizer.param_groups, names, strict=True)):
        missing = [name for name in expected if name not in group]
        if missing:
            raise ValueError(f"parameter group {number} has no {missing[0]}")


def _check_tensors(optimizer: torch.optim.Optimizer) -> None:
    """Refuses a state that is not finite, or of another shape where the optimizer would not notice.

    PyTorch's fused optimizers read and write the memory of a state as if it were as large as the parameter.
    """
    parameters = [(parameter, group) for group in optimizer.param_groups for parameter in group["params"]]
    for number, (parameter, group) in enumerate(parameters):
        for key, value in optimizer.state.get(parameter, {}).items():
            if not isinstance(value, Tensor):
                continue
            if not bool(value.isfinite().all()):
                raise ValueError(f"{key} of parameter {number} is not finite")
            shape = torch.Size() if key == "step" else parameter.shape
            if group.get("fused") and value.shape != shape:
                raise ValueError(
                    f"{key} of parameter {number} has the shape {tuple(value.shape)}, expected {tuple(shape)}"
                )


def _plain(value: Any) -> Any:
    """A value of an optimizer for JSON. A learning rate or a beta may be a tensor or of NumPy."""
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.tolist() if isinstance(value, Tensor | np.generic) else value
