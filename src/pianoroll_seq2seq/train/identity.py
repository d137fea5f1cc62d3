"""What a resumed run must have in common with the run it resumes: the model, the data and the settings.

A description is plain data for the checkpoint. :mod:`~pianoroll_seq2seq.train.differences` compares two of them.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.train.examples import Examples, FingerprintedExamples, condition_size_of, fetch
from pianoroll_seq2seq.train.loop import Loop
from pianoroll_seq2seq.train.optimizers import optimizer_name, parameter_names
from pianoroll_seq2seq.train.schedules import sample_schedule

_IMPLEMENTATION = frozenset({"params", "param_names", "lr", "foreach", "fused", "capturable", "differentiable"})
"""Entries of a parameter group that are described otherwise, or say only how the same update is computed."""
_SAMPLED = 64
"""Examples that are hashed of a class without ``fingerprint``."""
_BATCHES = ("batch", "conditioned_batch", "target_mask", "num_target_frames", "__len__")
"""The methods from which training takes its examples."""


def describe_run(loop: Loop, valid: Examples | None) -> dict[str, Any]:
    """The model, the data and the schedule of a run, for JSON; :func:`describe_settings` has the rest.

    Args:
        loop: the model, the examples and the configuration.
        valid: the examples to validate on, if any.
    """
    train = loop.train
    return {
        "model": checkpoint.describe(loop.model),
        "data": {
            "layout": checkpoint.describe(train.layout),
            "input_frames": train.input_frames,
            "target_frames": train.target_frames,
            "condition_size": condition_size_of(train),
            "train": _fingerprint(train),
            "valid": None if valid is None else _fingerprint(valid),
        },
        "schedule": {"epochs": loop.config.epochs, **sample_schedule(loop.config.schedule, loop.total_steps)},
    }


def describe_settings(loop: Loop, monitor: str) -> dict[str, Any]:
    """The settings of a run, as trackers show them.

    Args:
        loop: the optimizer and the configuration.
        monitor: the loss that decides which epoch is best.
    """
    config = loop.config
    return {
        "seed": config.seed,
        "batch_size": config.batch_size,
        "accumulate": config.accumulate,
        "precision": config.precision,
        "windows": len(loop.train),
        "clip_norm": config.clip_norm,
        "ema_decay": config.ema_decay,
        "augmentation": None if loop.train.augmentation is None else repr(loop.train.augmentation),
        "monitor": monitor,
    }


def describe_optimizer(loop: Loop) -> dict[str, Any]:
    """The optimizer's class and all its parameter groups, for JSON. Some optimizers change their groups in training."""
    names = parameter_names(loop.model)
    groups = [
        {"learning_rate": rate}
        | {key: _plain(value) for key, value in group.items() if key not in _IMPLEMENTATION}
        | {"parameters": [names[id(parameter)] for parameter in group["params"]]}
        for rate, group in zip(loop.base_rates, loop.optimizer.param_groups, strict=True)
    ]
    frozen = [names[id(parameter)] for parameter in loop.model.parameters() if not parameter.requires_grad]
    return {"class": optimizer_name(loop.optimizer), "groups": groups, "frozen": frozen}


def _fingerprint(examples: Examples) -> Mapping[str, Any]:
    """What examples are made of; of a class that does not say it, a hash of some of them."""
    if isinstance(examples, FingerprintedExamples):
        said = examples.fingerprint()
        return said if _says_all(type(examples)) else {**said, "batches": _sampled_hash(examples)}
    return {
        "examples": len(examples),
        "input_frames": examples.input_frames,
        "target_frames": examples.target_frames,
        "content": _sampled_hash(examples),
    }


def _says_all(kind: type) -> bool:
    """Whether no subclass of the class that defines ``fingerprint`` has batches of its own."""
    owner = next(base for base in kind.__mro__ if "fingerprint" in base.__dict__)
    below = kind.__mro__[: kind.__mro__.index(owner)]
    return not any(name in base.__dict__ for base in below for name in _BATCHES)


def _sampled_hash(examples: Examples) -> str:
    """A hash of some of the examples."""
    digest = hashlib.sha256()
    for index in np.unique(np.linspace(0, len(examples) - 1, _SAMPLED).astype(np.int64)):
        for part in fetch(examples, index[None]):
            if part is not None:
                digest.update(f"{tuple(part.shape)}".encode())
                digest.update(part.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def without_numpy(value: Any) -> Any:
    """A description with Python's numbers instead of NumPy's, which sizes of models and windows may be."""
    if isinstance(value, Mapping):
        return {key: without_numpy(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_numpy(inner) for inner in value]
    return value.item() if isinstance(value, np.generic) else value


def _plain(value: Any) -> Any:
    """A value of a parameter group as JSON holds it."""
    if isinstance(value, Tensor | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value) if isinstance(value, torch.dtype) else repr(value)
