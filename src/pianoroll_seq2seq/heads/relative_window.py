"""Pitches decided from low to high, each by one small network from what sounds around it.

The network is shared by all pitches and sees everything relative to the pitch it judges: the frames before, the notes
already decided below it in the same frame, how many they are, and the tonal context. It is thus the conditional of an
autoregressive model over the pitches of a frame (as in NADE, Larochelle and Murray, 2011), with weights tied between
pitches (as in Johnson, 2017, "Generating polyphonic music using tied parallel networks").
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.dropout import Dropout
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.heads.counting import Counting
from pianoroll_seq2seq.heads.fading import Fading, by_class, fading_averages, rotations
from pianoroll_seq2seq.heads.proposals import COPY_WINDOW, split_features, state_size
from pianoroll_seq2seq.heads.relative_window_frame import RelativeWindow, Surroundings, cross_entropy
from pianoroll_seq2seq.heads.scoring import FAR, scored

_BELOW = 24
"""Semitones below a pitch in which it sees the notes decided."""
_COUNTS = 6
_WAVES = 12
_HISTORIES = 2
_NEAR_SEMITONES = 4
"""Pitches as close as this to one that sounds are scored in training more often than those far from all."""


@dataclass(frozen=True)
class HeardWindow:
    """What the head remembers: the frames in its window (batch, frames, pitches), newest first, and the fading past."""

    latest: Tensor
    fading: Fading


class RelativeWindowHead(nn.Module):
    """Decides the pitches of a frame from low to high, each from what sounds around it.

    For pitch ``p`` the shared network sees, from ``window`` semitones below to ``window`` above ``p``: the last
    ``frames`` frames, and how much of late each pitch sounded; the notes already decided below ``p``, their number,
    how many of them are new and how many go on; how often each pitch class, counted from ``p``, sounded in the past
    (the tonal context, forgotten at each of ``decays``); the decoder's features; and where ``p`` lies. What a model
    proposes for each pitch, such as frames to copy, is seen around ``p`` too, with how far the notes decided so far
    agree with each proposal.

    Args:
        features: size of the decoder's output, proposals included.
        pitches: size of a frame.
        channels: width of the shared network.
        window: semitones to either side.
        frames: past frames in the window, at least 1.
        decays: how much of the past is left after each frame, two rates or more, each in (0, 1).
        layers: residual layers of the shared network.
        dropout: share of its units silenced in training, 0 <= dropout < 1.
        proposals: the last ``proposals * pitches`` features are proposals: for each, the probability of each pitch.
        within: the first column that may sound and the one after the last; the others are next to impossible, as
            suits a range never heard in training. All by default.
        scored_pitches: in training, score so many pitches of each frame, chosen at random, and the others by
            estimate: see :meth:`RelativeWindow.log_prob`. All by default.
        counted: decide first how many pitches sound, told apart up to so many, and then which
            (:mod:`~pianoroll_seq2seq.heads.counting`). 0 decides which alone.

    Raises:
        SettingsError: a size below 1, a decay or share out of range, proposals that take more than the features.

    Example:
        >>> head = RelativeWindowHead(features=8, pitches=12, channels=8)
        >>> frames = torch.zeros(2, 3, 12)  # (batch, steps, pitches)
        >>> head(torch.zeros(2, 3, 8), frames).log_prob(frames).shape
        torch.Size([2, 3])
    """

    _rotation: Tensor
    _decays: Tensor
    _places: Tensor

    def __init__(
        self,
        features: int,
        pitches: int,
        *,
        channels: int = 96,
        window: int = 18,
        frames: int = 4,
        decays: tuple[float, ...] | list[float] = (0.8, 0.95, 0.995),
        layers: int = 2,
        dropout: float = 0.0,
        proposals: int = 0,
        within: tuple[int, int] | list[int] | None = None,
        scored_pitches: int | None = None,
        counted: int = 0,
    ) -> None:
        """Starts near silence."""
        super().__init__()
        sizes = {"features": features, "pitches": pitches, "channels": channels, "window": window, "frames": frames}
        if min(sizes.values()) < 1 or layers < 0 or not 0 <= dropout < 1:
            raise SettingsError(f"Sizes must be at least 1 and dropout in [0, 1), got {sizes}, {layers=}, {dropout=}.")
        if len(decays) < _HISTORIES or not all(0 < decay < 1 for decay in decays):
            raise SettingsError(f"decays must be {_HISTORIES} or more, each in (0, 1), got {decays}.")
        state = state_size(features, pitches, proposals)
        first, end = (0, pitches) if within is None else within
        if not 0 <= first < end <= pitches:
            raise SettingsError(f"within must be columns of {pitches} pitches, the second after the first: {within}.")
        if scored_pitches is not None and scored_pitches < FAR + 2:
            raise SettingsError(f"scored_pitches must be at least {FAR + 2}, or None, got {scored_pitches}.")
        if not 0 <= counted <= end - first:
            raise SettingsError(f"counted must be at most the {end - first} pitches that may sound, got {counted}.")
        self.features = features
        self.pitches = pitches
        self.inside: int = end - first
        self.decisions: int = self.inside + (counted + 1 if counted else 0)
        self.context_frames: int | None = None
        self.scored_pitches: int | None = (
            None if scored_pitches is None or scored_pitches >= self.inside else scored_pitches
        )
        self._settings = {
            "channels": channels,
            "window": window,
            "frames": frames,
            "decays": list(decays),
            "layers": layers,
            "dropout": dropout,
            "proposals": proposals,
            "within": None if within is None else list(within),
            "scored_pitches": scored_pitches,
            "counted": counted,
        }
        self._first, self._end = first, end
        self._window, self._frames, self._proposals = window, frames, proposals
        self.of_state: nn.Linear = nn.Linear(state, channels)
        self.of_window: nn.Linear = nn.Linear((frames + _HISTORIES) * (2 * window + 1), channels, bias=False)
        self.of_below: nn.Linear = nn.Linear(_BELOW + _COUNTS + proposals, channels, bias=False)
        self.of_tones: nn.Linear = nn.Linear(len(decays) * 12, channels, bias=False)
        self.of_place: nn.Linear = nn.Linear(2 * _WAVES, channels, bias=False)
        self.of_proposals: nn.Linear | None = (
            nn.Linear(proposals * (2 * COPY_WINDOW + 1), channels, bias=False) if proposals else None
        )
        self.counting: Counting | None = Counting(channels, counted) if counted else None
        self.norm: nn.LayerNorm = nn.LayerNorm(channels)
        self.mix: nn.ModuleList = nn.ModuleList(nn.Linear(channels, channels) for _ in range(layers))
        self.dropout: Dropout = Dropout(dropout)
        self.logit: nn.Linear = nn.Linear(channels, 1)
        nn.init.constant_(self.logit.bias, -3.0)
        self.register_buffer("_rotation", rotations(), persistent=False)
        self.register_buffer("_decays", torch.tensor(list(decays)), persistent=False)
        angle = torch.arange(self.inside)[:, None] * torch.pi / 64 * (torch.arange(_WAVES) + 1)
        self.register_buffer("_places", torch.cat([angle.sin(), angle.cos()], dim=1), persistent=False)

    def forward(
        self, features: Float[Tensor, "batch steps features"], past: Float[Tensor, "batch known pitches"]
    ) -> RelativeWindow:
        """Distributions of batch shape (batch, steps)."""
        steps = features.shape[1]
        past = past[:, :, self._first : self._end]
        padded = functional.pad(past, (0, 0, self._frames - 1, 0))
        latest = padded.unfold(1, self._frames, 1)[:, -steps:].transpose(2, 3).flip(2)
        return self._around(features, latest, fading_averages(past, self._decays)[:, -steps:])

    def hear(self, past: Float[Tensor, "batch known pitches"]) -> HeardWindow:
        """See :class:`~pianoroll_seq2seq.heads.base.SteppingHead`."""
        past = past[:, :, self._first : self._end]
        latest = functional.pad(past, (0, 0, self._frames, 0))[:, -self._frames :].flip(1)
        return HeardWindow(latest, Fading.of(past, self._decays))

    def hear_next(self, frame: Float[Tensor, "batch pitches"], heard: HeardWindow) -> HeardWindow:
        """See :class:`~pianoroll_seq2seq.heads.base.SteppingHead`."""
        frame = frame[:, self._first : self._end]
        return HeardWindow(torch.cat([frame.unsqueeze(1), heard.latest[:, :-1]], dim=1), heard.fading.after(frame))

    def answer(self, features: Float[Tensor, "batch features"], heard: HeardWindow) -> RelativeWindow:
        """See :class:`~pianoroll_seq2seq.heads.base.SteppingHead`."""
        return self._around(features, heard.latest, heard.fading.average)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"features": self.features, "pitches": self.pitches, **self._settings}

    def divided(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """The columns that may sound, and the others: (rows, inside) and (rows, outside)."""
        outside = torch.cat([frames[:, : self._first], frames[:, self._end :]], dim=1)
        return frames[:, self._first : self._end], outside

    def joined(self, inside: Tensor, outside: Tensor) -> Tensor:
        """The inverse of :meth:`divided`."""
        return torch.cat([outside[:, : self._first], inside, outside[:, self._first :]], dim=1)

    def decisions_of(self, frames: Tensor) -> Tensor:
        """All that is decided of frames (rows, inside), from the left: how many sound, if that is, and which.

        (rows, decisions).
        """
        return frames if self.counting is None else torch.cat([self.counting.of(frames), frames], dim=1)

    def logits(self, around: Surroundings, decisions: Tensor, temperature: float = 1.0) -> Tensor:
        """The log-odds of every decision, given those to its left: (rows, decisions)."""
        return self._logits(around, self._seen_before(around), decisions, temperature)

    def decider(self, around: Surroundings, temperature: float) -> Any:
        """``logits`` of some rows, as draws want it, with what does not depend on the frames found once."""
        before = self._seen_before(around)

        def decide(decisions: Tensor, rows: Tensor) -> Tensor:
            some = around.map(lambda values: values[rows])
            return self._logits(some, before[rows], decisions.to(before.dtype), temperature)

        return decide

    def estimated_nats(self, around: Surroundings, frames: Tensor) -> Tensor:
        """Negative log-probability, from ``scored_pitches`` of every frame: (rows,)."""
        assert self.scored_pitches is not None  # the caller saw to it
        sounding = (frames > 0) | (around.planes[:, 0] > 0)
        surely = sounding if not self._proposals else sounding | (around.proposals.amax(dim=1) > 0.1)
        spread = functional.max_pool1d(surely.float(), 2 * _NEAR_SEMITONES + 1, 1, _NEAR_SEMITONES) > 0
        places, weights = scored(self.scored_pitches, surely, spread)
        seen = self._seen_before(around, places)
        seen = seen + self.of_below(_at(self._seen_below(around, frames), places))
        truth = frames.gather(1, places)
        if self.counting is None:
            return (cross_entropy(self._judge(seen), truth) * weights).sum(dim=1)
        counts = self.counting.of(frames)
        left = self.counting.left(counts, frames).gather(1, places)
        logits = self.counting.bound(
            self._judge(seen + self.counting.seen(left)), left, counts, above=self.inside - places
        )
        of_number = (self.counting.chances(around.state) * counts).sum(dim=1)
        return (cross_entropy(logits, truth) * weights).sum(dim=1) - of_number

    def _logits(self, around: Surroundings, before: Tensor, decisions: Tensor, temperature: float) -> Tensor:
        """As :meth:`logits`, with what is seen before."""
        if self.counting is None:
            return self._judge(before + self.of_below(self._seen_below(around, decisions))) / temperature
        counts, frames = decisions[:, : -self.inside], decisions[:, -self.inside :]
        left = self.counting.left(counts, frames)
        logits = self._judge(before + self.of_below(self._seen_below(around, frames)) + self.counting.seen(left))
        above = torch.arange(self.inside, 0, -1, device=frames.device)
        logits = self.counting.bound(logits / temperature, left, counts, above)
        return torch.cat([self.counting.logits(around.state, counts, temperature), logits], dim=1)

    def _around(self, features: Tensor, latest: Tensor, average: Tensor) -> RelativeWindow:
        """From the window's frames, newest first, and the averages of the past, both over the columns inside."""
        state, proposals = split_features(features, self.pitches, self._proposals)
        planes = torch.cat([latest, average[..., :_HISTORIES, :]], dim=-2)
        proposals = proposals[..., self._first : self._end]
        return RelativeWindow(self, Surroundings(planes, proposals, by_class(average), self.of_state(state)))

    def _seen_before(self, around: Surroundings, places: Tensor | None = None) -> Tensor:
        """What the network sees of all but the frame itself, for all pitches or some: (rows, places, channels)."""
        if places is None:
            places = torch.arange(self.inside, device=around.state.device).expand(len(around.state), -1)
        seen = self.of_window(_windows(around.planes, self._window, places))
        if self.of_proposals is not None:
            seen = seen + self.of_proposals(_windows(around.proposals, COPY_WINDOW, places))
        tones = self.of_tones(around.tones[..., self._rotation].transpose(1, 2).flatten(2))  # (rows, 12, channels)
        seen = seen + _at(tones, places % tones.shape[1]) + self.of_place(self._places)[places]
        whole: Tensor = seen + around.state.unsqueeze(1)
        return whole

    def _seen_below(self, around: Surroundings, frames: Tensor) -> Tensor:
        """What the network sees of the notes decided below each pitch: (rows, inside, below + counts + proposals)."""
        before = around.planes[:, 0]
        window = functional.pad(frames, (_BELOW, 0))[:, :-1].unfold(1, _BELOW, 1)
        decided, passed, kept = (_below(values) for values in (frames, before, frames * before))
        place = torch.arange(1, self.inside + 1, device=frames.device)
        latest = torch.where(frames > 0, place, 0).cummax(dim=1).values
        interval = place - functional.pad(latest, (1, 0))[:, :-1]
        to_come = before.sum(dim=1, keepdim=True) - passed
        counts = [decided, passed, kept, to_come, decided - kept, interval.clamp(max=_BELOW) / 6]
        seen = [window, torch.stack(counts, dim=2) / 4]
        if self._proposals:
            proposed = around.proposals.clamp(0.01, 0.99)
            heard = frames.unsqueeze(1)
            seen.append(_below((heard * proposed + (1 - heard) * (1 - proposed)).log()).transpose(1, 2) / 4)
        return torch.cat(seen, dim=2)

    def _judge(self, seen: Tensor) -> Tensor:
        """From all that is seen to log-odds, float32 at least: (rows, places, channels) to (rows, places)."""
        hidden = self.dropout(functional.silu(self.norm(seen)))
        for mix in self.mix:
            hidden = hidden + self.dropout(functional.silu(mix(hidden)))
        logits: Tensor = self.logit(hidden).squeeze(2)
        return logits.float() if logits.itemsize < torch.float32.itemsize else logits


def _below(values: Tensor) -> Tensor:
    """The sum over all lower pitches; the running sum less the pitch's own value would keep a trace of it."""
    return functional.pad(values.cumsum(dim=-1), (1, 0))[..., :-1]


def _at(values: Tensor, places: Tensor) -> Tensor:
    """(rows, pitches, values) at the places of each row, (rows, places, values)."""
    return values.gather(1, places.unsqueeze(2).expand(-1, -1, values.shape[2]))


def _windows(planes: Tensor, reach: int, places: Tensor) -> Tensor:
    """What stands up to ``reach`` semitones around the places: (rows, places, planes * (2 * reach + 1))."""
    width = 2 * reach + 1
    padded = functional.pad(planes, (reach, reach)).transpose(1, 2).contiguous()  # (rows, pitches, planes)
    index = places.unsqueeze(2) + torch.arange(width, device=places.device)
    rows = torch.arange(len(planes), device=places.device)[:, None, None]
    return padded[rows, index].flatten(2)
