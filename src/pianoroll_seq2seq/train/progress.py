"""How far training has come within an epoch."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

_MOST = 2**53


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

    epoch: Annotated[int, Meta(ge=1, le=_MOST)]
    steps: Annotated[int, Meta(ge=0, le=_MOST)] = 0
    windows: Annotated[int, Meta(ge=0, le=_MOST)] = 0
    loss_sum: float = 0.0
    pending: float = 0.0
    seconds: float = 0.0
    stopped: bool = False

    def __post_init__(self) -> None:
        """Checks that there are examples and a stop only after a step."""
        if (self.steps == 0) != (self.windows == 0) or (self.stopped and not self.steps):
            raise ValueError(
                f"expected examples, and a stop, only after steps; got {self.steps} steps, {self.windows} examples "
                f"and stopped={self.stopped}"
            )
