"""The optimizer of a run, and whether it trains the model."""

import inspect
import warnings

import torch

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.contract import SequenceModel, device_of


def default_optimizer(model: SequenceModel, learning_rate: float) -> torch.optim.Optimizer:
    """Adam over all weights, fused on devices that have it.

    Raises:
        SettingsError: the model has no parameters.
    """
    parameters = list(model.parameters())
    if not parameters:
        raise SettingsError(f"{type(model).__name__} has no parameters: there is nothing to train.")
    return torch.optim.Adam(parameters, lr=learning_rate, fused=device_of(model).type in ("cpu", "cuda"))


def check_optimizer(optimizer: torch.optim.Optimizer, model: SequenceModel) -> None:
    """Refuses an optimizer of another model, and warns if it leaves out parameters that are not frozen.

    Raises:
        SettingsError: it has parameters that are not the model's, there is nothing to train, or it needs a closure.
    """
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise SettingsError(
            f"fit computes the loss once a step, but {type(optimizer).__name__} needs a function that computes it "
            f"again (closure). Choose another optimizer, such as torch.optim.AdamW."
        )
    names = parameter_names(model)
    own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    foreign = [parameter for parameter in own if id(parameter) not in names]
    if foreign:
        raise SettingsError(
            f"{len(foreign)} of the optimizer's {len(own)} parameters do not belong to the model that is trained. "
            f"Build the optimizer after the model, from its parameters: "
            f"torch.optim.{type(optimizer).__name__}(model.parameters(), ...)."
        )
    if not any(parameter.requires_grad for parameter in own):
        raise SettingsError(
            "All parameters of the optimizer are frozen (requires_grad is False): there is nothing to train. Call "
            "parameter.requires_grad_(True) for those to train."
        )
    updated = {id(parameter) for parameter in own}
    left_out = [
        names[id(parameter)]
        for parameter in model.parameters()
        if parameter.requires_grad and id(parameter) not in updated
    ]
    if left_out:
        listed = ", ".join(left_out[:3]) + (f" and {len(left_out) - 3} more" if len(left_out) > 3 else "")
        warnings.warn(
            f"The optimizer does not have {len(left_out)} of the model's {len(names)} parameters: {listed}. They keep "
            f"their values. If you mean that, freeze them: parameter.requires_grad_(False).",
            stacklevel=3,
        )


def parameter_names(model: SequenceModel) -> dict[int, str]:
    """The name of each parameter by its ``id``, as in ``state_dict``; for a model that is no module, its number."""
    if isinstance(model, torch.nn.Module):
        return {id(parameter): name for name, parameter in model.named_parameters()}
    return {id(parameter): str(number) for number, parameter in enumerate(model.parameters())}


def optimizer_name(optimizer: torch.optim.Optimizer) -> str:
    """The class; with its module if it is not PyTorch's."""
    kind = type(optimizer)
    is_torch = kind.__module__.partition(".")[0] == "torch"
    return kind.__qualname__ if is_torch else f"{kind.__module__}.{kind.__qualname__}"
