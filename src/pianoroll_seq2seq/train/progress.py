"""How far training has come within an epoch."""

from dataclasses import dataclass


@dataclass
class Progress:
    """The state of an epoch between two steps.

    Args:
        epoch: its number, counted from 1.
        steps: optimizer steps done.
        windows: examples in these steps.
        loss_sum: the loss summed over these examples, as far as it was fetched from the device.
        pending: the loss summed over the steps since.
        seconds: time spent.
        stopped: whether a callback stopped training.
    """

    epoch: int
    steps: int = 0
    windows: int = 0
    loss_sum: float = 0.0
    pending: float = 0.0
    seconds: float = 0.0
    stopped: bool = False
