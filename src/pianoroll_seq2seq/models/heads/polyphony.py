"""The number of sounding pitches (polyphony), decided before the pitches themselves.

A model that decides pitch by pitch tends to leave out the last voice, because nothing says that one more must come. If
the number is sampled first, each pitch is conditioned on how many are still missing: none may follow the last one, and
the last one cannot be left out.

The number is encoded as a one-hot block of variables in front of the pitches, decided from the lowest number up. Code
that samples or scores binary variables from left to right therefore handles both.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.models.heads.precision import at_least_float32

CERTAIN = 1e4
"""Log-odds of a variable that is determined by the others."""
_IMPOSSIBLE = -1e30
"""The logit of a number of pitches that cannot be."""
_FEATURES = 4


class PolyphonyModel(nn.Module):
    """A distribution over the number of sounding pitches, and features of it for the pitch decisions.

    Args:
        channels: size of the state that the number is predicted from, and of the features for pitches.
        max_polyphony: the largest number that is distinguished; it includes all larger ones.
    """

    _numbers: Tensor

    def __init__(self, channels: int, max_polyphony: int) -> None:
        """Builds the layers."""
        super().__init__()
        self.columns: int = max_polyphony + 1
        self.remaining_proj: nn.Linear = nn.Linear(_FEATURES, channels, bias=False)
        self.classifier: nn.Sequential = nn.Sequential(
            nn.SiLU(), nn.Linear(channels, channels), nn.SiLU(), nn.Linear(channels, max_polyphony + 1)
        )
        self.register_buffer("_numbers", torch.arange(max_polyphony + 1.0), persistent=False)

    def encode(self, frames: Tensor) -> Tensor:
        """The one-hot number of each frame: (rows, pitches) to (rows, max_polyphony + 1)."""
        number = frames.sum(dim=1).long().clamp(max=self.columns - 1)
        return functional.one_hot(number, self.columns).to(frames.dtype)

    def log_probs(self, state: Tensor, temperature: float = 1.0, known: Tensor | None = None) -> Tensor:
        """The log-probability of each number: (rows, channels) to (rows, max_polyphony + 1).

        Args:
            state: the state that the number is predicted from.
            temperature: divides the logits.
            known: log-odds of the pitches that are given, 0 elsewhere, (rows, pitches). Numbers that these make
                impossible get hardly any probability.
        """
        logits = at_least_float32(self.classifier(state)) / temperature
        if known is not None:
            largest = self.columns - 1
            sounding, free = (known > 0).sum(dim=1, keepdim=True), (known == 0).sum(dim=1, keepdim=True)
            fewest, most = sounding.clamp(max=largest), (sounding + free).clamp(max=largest)
            logits = logits.masked_fill((self._numbers < fewest) | (self._numbers > most), _IMPOSSIBLE)
        log_probs: Tensor = logits.log_softmax(dim=1)
        return log_probs

    def logits(self, state: Tensor, counts: Tensor, temperature: float, known: Tensor | None = None) -> Tensor:
        """The log-odds of each number, given that no lower one is set; impossible after one that is set."""
        log_probs = self.log_probs(state, temperature, known)
        from_here = log_probs.flip(1).logcumsumexp(dim=1).flip(1)
        beyond = functional.pad(from_here[:, 1:], (0, 1), value=-CERTAIN)
        set_below = (counts.cumsum(dim=1) - counts) > 0
        return (log_probs - beyond).clamp(-CERTAIN, CERTAIN).masked_fill(set_below, -CERTAIN)

    def remaining(self, counts: Tensor, frames: Tensor) -> Tensor:
        """How many notes remain from each pitch on, itself included: (rows, pitches), for counts (rows, numbers)."""
        below = functional.pad(frames.cumsum(dim=1), (1, 0))[:, :-1]
        return ((counts * self._numbers.to(counts.dtype)).sum(dim=1, keepdim=True) - below).clamp(min=0)

    def features(self, remaining: Tensor) -> Tensor:
        """Features for pitch decisions: (rows, places) to (rows, places, channels)."""
        inputs = torch.stack([remaining == 0, remaining == 1, remaining == 2, remaining / 4], dim=2)
        features: Tensor = self.remaining_proj(inputs.to(remaining.dtype))
        return features

    def left_to_decide(self, remaining: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
        """From each pitch on, itself included: how many notes remain that are not given, and how many free pitches.

        Args:
            remaining: from :meth:`remaining`.
            known: log-odds of the pitches that are given, 0 elsewhere, (rows, pitches); None if nothing is given.

        Returns:
            Twice (rows, pitches).
        """
        if known is None:
            return remaining, torch.arange(remaining.shape[1], 0, -1, device=remaining.device).expand_as(remaining)
        sounding, free = (values.flip(1).cumsum(dim=1).flip(1) for values in (known > 0, known == 0))
        return remaining - sounding, free

    def constrain(self, logits: Tensor, remaining: Tensor, counts: Tensor, above: Tensor) -> Tensor:
        """Log-odds of pitches under the number: no note follows the last one, and the last one cannot be left out.

        Args:
            logits: (rows, places).
            remaining: notes that remain and are not given, from :meth:`left_to_decide`, at these places.
            counts: the one-hot numbers, (rows, max_polyphony + 1).
            above: free pitches from each place on, itself included, (rows, places).
        """
        may_be_more = counts[:, -1:] > 0
        logits = logits.masked_fill((remaining <= 0) & ~may_be_more, -CERTAIN)
        return logits.masked_fill((remaining > 0) & (remaining >= above), CERTAIN)
