"""The encoder of what is given: a bidirectional LSTM whose second direction begins at the last frame it knows."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn


class GivenEncoder(nn.Module):
    """Two LSTMs over the frames of a piece, one in each direction.

    What comes after the known frames is unknown, and its length too: the backward LSTM begins at the last known frame,
    and its outputs after that are zero. Those of the forward LSTM stay as they are there.

    Args:
        input_size: size of an input.
        hidden_size: units of each direction.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        """Builds both LSTMs."""
        super().__init__()
        self.forwards: nn.LSTM = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.backwards: nn.LSTM = nn.LSTM(input_size, hidden_size, batch_first=True)

    def forward(
        self, inputs: Float[Tensor, "batch frames size"], num_known: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch frames hidden"]:
        """Outputs of both directions, (batch, frames, 2 * hidden_size).

        Args:
            inputs: an input for each frame.
            num_known: frames of each piece up to its last known one, that one included; 0 for none.
        """
        place = torch.arange(inputs.shape[1], device=inputs.device)
        onward, _ = self.forwards(inputs)
        latest = torch.minimum(place, num_known[:, None] - 1)
        onward = _rows(onward, latest) * (num_known > 0)[:, None, None]
        mirrored = num_known[:, None] - 1 - place  # of each row the known frames, the last one first
        outputs, _ = self.backwards(_rows(inputs, mirrored))
        back = _rows(outputs, mirrored) * (mirrored >= 0)[..., None]
        return torch.cat([onward, back], dim=2)


def _rows(values: Tensor, places: Tensor) -> Tensor:
    """The values (batch, frames, size) at places (batch, frames); those of the first frame for negative places."""
    return values.gather(1, places.clamp(min=0)[..., None].expand_as(values))


def num_known_frames(mask: Tensor) -> Int64[Tensor, " batch"]:
    """Frames up to the last one of which something is given, from a mask (batch, frames, parts)."""
    place = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (mask.any(dim=2) * place).amax(dim=1) if mask.shape[1] else torch.zeros_like(mask[:, :0, 0].sum(dim=1))
