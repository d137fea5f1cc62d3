"""Where a model is trained, and in which type its weights are."""

import torch
from torch import nn

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.contract import SequenceModel


def move_model(model: SequenceModel, device: str | torch.device) -> None:
    """Moves a model to a device, in place.

    Raises:
        SettingsError: the device is not available, or the model is no ``torch.nn.Module``.
    """
    if not isinstance(model, nn.Module):
        raise SettingsError(f"Only a torch.nn.Module can be moved to a device, got a {type(model).__name__}.")
    try:
        if torch.device(device).type == "meta":
            raise SettingsError("The device 'meta' holds no weights. Choose another device, such as cpu.")
        model.to(torch.device(device))
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(
            f"The device {str(device)!r} is not available on this machine ({reason}). Leave out device."
        ) from error


def check_trainable(model: SequenceModel) -> None:
    """Refuses a model whose weights are in 16 bits: updates smaller than their last bit would be lost.

    Raises:
        SettingsError: names the type, and the fix.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point() and parameter.itemsize < torch.float32.itemsize:
            raise SettingsError(
                f"fit trains weights in float32 or float64, but the model's are {parameter.dtype}. Call model.float(), "
                f"and pass precision='bfloat16' to compute in 16 bits on a device that has it."
            )
