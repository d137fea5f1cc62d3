"""Builds a model from the classes and arguments that the command line names."""

import functools
import inspect
from typing import Any

import torch

from pianoroll_seq2seq.cli.class_options import ClassChoice
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.windowing import SlidingWindows


def build_model(model: ClassChoice, head: ClassChoice | None, *, windows: SlidingWindows, seed: int) -> SequenceModel:
    """Builds a model for the layout of its windows.

    The first argument of the class is the layout; if its name is ``frame_size``, it is the number of columns.

    Args:
        model: the model's class.
        head: the class of its head; the model's own by default.
        windows: the training windows. They give the layout, and if the class needs them, ``block_frames`` and
            ``condition_size``.
        seed: of the weights.

    Raises:
        SettingsError: arguments that the class does not take.
    """
    parameters = inspect.signature(model.kind).parameters
    filled_in: dict[str, Any] = {}
    if windows.condition_size:
        _require(model, "condition_size", "--condition")
        filled_in["condition_size"] = windows.condition_size
    block_frames = parameters.get("block_frames")
    if block_frames is not None and block_frames.default is block_frames.empty:
        filled_in["block_frames"] = windows.target_frames
    if head is not None:
        _require(model, "head", "--head")
        filled_in["head"] = functools.partial(head.kind, **head.arguments)
    first = next(iter(parameters), "")
    torch.manual_seed(seed)
    built = model.build(windows.layout.frame_size if first == "frame_size" else windows.layout, **filled_in)
    if not isinstance(built, SequenceModel):
        raise SettingsError(f"{model.flag} {model.name}: not a sequence model. See SequenceModel for what one needs.")
    return built


def _require(model: ClassChoice, parameter: str, flag: str) -> None:
    if parameter not in inspect.signature(model.kind).parameters:
        raise SettingsError(f"{model.flag} {model.name}: the class has no parameter {parameter!r}. Leave out {flag}.")
