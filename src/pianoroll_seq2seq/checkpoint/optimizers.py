"""An optimizer's state without pickle: JSON and tensors."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq.checkpoint.descriptions import encode
from pianoroll_seq2seq.checkpoint.files import contiguous_copy, strip_prefix


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
    return {"state": values, "param_groups": encode(groups)}, tensors


def unpack(optimizer: torch.optim.Optimizer, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """The inverse of :func:`pack`."""
    state: dict[int, dict[str, Any]] = {int(index): dict(entries) for index, entries in values["state"].items()}
    for name, tensor in strip_prefix("optimizer", tensors).items():
        index, key = name.split(".", 1)
        state[int(index)][key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": values["param_groups"]})


def _plain(value: Any) -> Any:
    """A value of an optimizer for JSON. A learning rate or a beta may be a tensor or of NumPy."""
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.tolist() if isinstance(value, Tensor | np.generic) else value
