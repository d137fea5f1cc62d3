"""Pitches decided from low to high by one small network with inputs relative to the pitch.

All pitches share the network. It reads, relative to the pitch: the past frames, the notes already decided below it in
the same frame, how many they are, and the tonal context. It is the conditional of an autoregressive model over the
pitches of a frame (as in NADE, Larochelle and Murray, 2011), with weights tied between pitches (as in Johnson, 2017,
"Generating polyphonic music using tied parallel networks").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.copy_features import COPY_WINDOW, split_features, state_size
from pianoroll_seq2seq.models.heads.exponential_average import (
    ExponentialAverage,
    chroma,
    exponential_averages,
    rotations,
)
from pianoroll_seq2seq.models.heads.loss_subsampling import FAR, sample_pitches
from pianoroll_seq2seq.models.heads.polyphony import PolyphonyModel
from pianoroll_seq2seq.models.heads.precision import at_least_float32, single_plane_size
from pianoroll_seq2seq.models.heads.relative_window_frame import FrameContext, RelativeWindow, cross_entropy
from pianoroll_seq2seq.models.layers.dropout import Dropout

_BELOW = 24
"""Semitones below a pitch in which the network reads the notes decided."""
_COUNTS = 6
_WAVES = 12
_HISTORIES = 2
_NEAR_SEMITONES = 4
"""Pitches as close as this to one that sounds are scored in training more often than those far from all."""


@dataclass(frozen=True)
class WindowState:
    """The head's state in generation.

    Args:
        latest: the frames in its window, newest first, (batch, num_frames, active columns).
        past: averages of all past frames.
    """

    latest: Tensor
    past: ExponentialAverage


class RelativeWindowHead(nn.Module):
    """Decides the pitches of a frame from low to high, each from its context relative to the pitch.

    For pitch ``p`` the shared network reads, from ``window`` semitones below to ``window`` above ``p``: the last
    ``num_frames`` frames, and an average of the past; the notes already decided below ``p``, their number, how many of
    them are new and how many are held; how often each pitch class, counted from ``p``, sounded in the past (the tonal
    context, one average for each of ``decays``); the decoder's features; and the position of ``p``. Copy candidates are
    read around ``p`` too, with how well the notes decided so far agree with each.

    Args:
        in_features: size of the decoder's output, candidates included.
        layout: what the columns of a frame mean, or their number. It has the active plane only.
        channels: width of the shared network.
        window: semitones to either side.
        num_frames: past frames in the window, at least 1.
        decays: the factor on the weight of a past frame for each later frame; two or more, each in (0, 1).
        num_layers: residual layers of the shared network.
        dropout: dropout probability in the shared network, 0 <= dropout < 1.
        num_candidates: the last ``num_candidates * frame_size`` features are copy candidates: for each, the probability
            of each pitch.
        active_columns: the first column that may sound and the one after the last. The others get a probability near
            zero, which suits pitches that never occur in training. All by default.
        num_scored_pitches: in training, the loss is estimated from this many pitches of each frame, sampled at random:
            see :meth:`RelativeWindow.log_prob`. All by default.
        max_polyphony: decides the number of sounding pitches first, distinguished up to this many, and then which
            (:mod:`~pianoroll_seq2seq.models.heads.polyphony`). 0 decides only which.

    Raises:
        SettingsError: a size below 1, a decay or probability out of range, a layout with an onset plane, or candidates
            that leave no features for the state.

    Example:
        >>> head = RelativeWindowHead(in_features=8, layout=12, channels=8)
        >>> frames = torch.zeros(2, 3, 12)  # (batch, steps, frame_size)
        >>> head(torch.zeros(2, 3, 8), frames).log_prob(frames).shape
        torch.Size([2, 3])
    """

    _rotation: Tensor
    _decays: Tensor
    _positions: Tensor

    def __init__(
        self,
        in_features: int,
        layout: FrameLayout | int,
        *,
        channels: int = 96,
        window: int = 18,
        num_frames: int = 4,
        decays: tuple[float, ...] | list[float] = (0.8, 0.95, 0.995),
        num_layers: int = 2,
        dropout: float = 0.0,
        num_candidates: int = 0,
        active_columns: tuple[int, int] | list[int] | None = None,
        num_scored_pitches: int | None = None,
        max_polyphony: int = 0,
    ) -> None:
        """Starts near silence."""
        super().__init__()
        frame_size = single_plane_size(layout, "RelativeWindowHead")
        sizes = {"in_features": in_features, "channels": channels, "window": window, "num_frames": num_frames}
        _check_sizes(sizes, num_layers, dropout, decays)
        state = state_size(in_features, frame_size, num_candidates)
        first, end = (0, frame_size) if active_columns is None else active_columns
        _check_columns(first, end, frame_size, num_scored_pitches, max_polyphony)
        self.in_features = in_features
        self.layout = layout
        self.frame_size: int = frame_size
        self.num_active: int = end - first
        self.num_variables: int = self.num_active + (max_polyphony + 1 if max_polyphony else 0)
        self.context_frames: int | None = None
        self.num_scored_pitches: int | None = (
            None if num_scored_pitches is None or num_scored_pitches >= self.num_active else num_scored_pitches
        )
        self._settings = {
            "channels": channels,
            "window": window,
            "num_frames": num_frames,
            "decays": list(decays),
            "num_layers": num_layers,
            "dropout": dropout,
            "num_candidates": num_candidates,
            "active_columns": None if active_columns is None else list(active_columns),
            "num_scored_pitches": num_scored_pitches,
            "max_polyphony": max_polyphony,
        }
        self._first, self._end = first, end
        self._window, self._num_frames, self._num_candidates = window, num_frames, num_candidates
        self.state_proj: nn.Linear = nn.Linear(state, channels)
        self.window_proj: nn.Linear = nn.Linear((num_frames + _HISTORIES) * (2 * window + 1), channels, bias=False)
        self.below_proj: nn.Linear = nn.Linear(_BELOW + _COUNTS + num_candidates, channels, bias=False)
        self.chroma_proj: nn.Linear = nn.Linear(len(decays) * 12, channels, bias=False)
        self.position_proj: nn.Linear = nn.Linear(2 * _WAVES, channels, bias=False)
        self.candidate_proj: nn.Linear | None = (
            nn.Linear(num_candidates * (2 * COPY_WINDOW + 1), channels, bias=False) if num_candidates else None
        )
        self.polyphony: PolyphonyModel | None = PolyphonyModel(channels, max_polyphony) if max_polyphony else None
        self.norm: nn.LayerNorm = nn.LayerNorm(channels)
        self.mix: nn.ModuleList = nn.ModuleList(nn.Linear(channels, channels) for _ in range(num_layers))
        self.dropout: Dropout = Dropout(dropout)
        self.logit: nn.Linear = nn.Linear(channels, 1)
        nn.init.constant_(self.logit.bias, -3.0)
        self.register_buffer("_rotation", rotations(), persistent=False)
        self.register_buffer("_decays", torch.tensor(list(decays)), persistent=False)
        angle = torch.arange(self.num_active)[:, None] * torch.pi / 64 * (torch.arange(_WAVES) + 1)
        self.register_buffer("_positions", torch.cat([angle.sin(), angle.cos()], dim=1), persistent=False)

    def forward(
        self, features: Float[Tensor, "batch steps in_features"], past: Float[Tensor, "batch known frame_size"]
    ) -> RelativeWindow:
        """Distributions of batch shape (batch, steps)."""
        steps = features.shape[1]
        past = past[:, :, self._first : self._end]
        padded = functional.pad(past, (0, 0, self._num_frames - 1, 0))
        latest = padded.unfold(1, self._num_frames, 1)[:, -steps:].transpose(2, 3).flip(2)
        return self._distribution(features, latest, exponential_averages(past, self._decays)[:, -steps:])

    def init_state(self, past: Float[Tensor, "batch known frame_size"]) -> WindowState:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        past = past[:, :, self._first : self._end]
        latest = functional.pad(past, (0, 0, self._num_frames, 0))[:, -self._num_frames :].flip(1)
        return WindowState(latest, ExponentialAverage.of(past, self._decays))

    def update(self, frame: Float[Tensor, "batch frame_size"], state: WindowState) -> WindowState:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        frame = frame[:, self._first : self._end]
        return WindowState(torch.cat([frame.unsqueeze(1), state.latest[:, :-1]], dim=1), state.past.after(frame))

    def predict(self, features: Float[Tensor, "batch in_features"], state: WindowState) -> RelativeWindow:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        return self._distribution(features, state.latest, state.past.average)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"in_features": self.in_features, "layout": self.layout, **self._settings}

    def split_columns(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Splits frames into the active columns, (rows, num_active), and the others, (rows, inactive)."""
        inactive = torch.cat([frames[:, : self._first], frames[:, self._end :]], dim=1)
        return frames[:, self._first : self._end], inactive

    def join_columns(self, active: Tensor, inactive: Tensor) -> Tensor:
        """The inverse of :meth:`split_columns`."""
        return torch.cat([inactive[:, : self._first], active, inactive[:, self._first :]], dim=1)

    def variables_of(self, frames: Tensor) -> Tensor:
        """The binary variables of frames (rows, num_active), in the order in which they are decided.

        These are the number of sounding pitches, if the head models it, and the pitches: (rows, num_variables).
        """
        return frames if self.polyphony is None else torch.cat([self.polyphony.encode(frames), frames], dim=1)

    def logits(self, context: FrameContext, variables: Tensor, temperature: float = 1.0) -> Tensor:
        """The log-odds of every variable, given those before it: (rows, num_variables)."""
        return self._variable_logits(context, self._context_hidden(context), variables, temperature)

    def conditional_logits(self, context: FrameContext, temperature: float) -> Any:
        """``logits`` as a function of variables and rows. What does not depend on the variables is computed once."""
        before = self._context_hidden(context)

        def logits_given(variables: Tensor, rows: Tensor) -> Tensor:
            some = context.map(lambda values: values[rows])
            return self._variable_logits(some, before[rows], variables.to(before.dtype), temperature)

        return logits_given

    def estimated_nats(self, context: FrameContext, frames: Tensor) -> Tensor:
        """An estimate of the negative log-probability, from ``num_scored_pitches`` of every frame: (rows,)."""
        assert self.num_scored_pitches is not None  # the caller has checked
        sounding = (frames > 0) | (context.planes[:, 0] > 0)
        required = sounding if not self._num_candidates else sounding | (context.candidates.amax(dim=1) > 0.1)
        near = functional.max_pool1d(required.float(), 2 * _NEAR_SEMITONES + 1, 1, _NEAR_SEMITONES) > 0
        places, weights = sample_pitches(self.num_scored_pitches, required, near)
        hidden = self._context_hidden(context, places)
        hidden = hidden + self.below_proj(_at(self._below_features(context, frames), places))
        truth = frames.gather(1, places)
        if self.polyphony is None:
            return (cross_entropy(self._logits(hidden), truth) * weights).sum(dim=1)
        counts = self.polyphony.encode(frames)
        remaining = self.polyphony.remaining(counts, frames).gather(1, places)
        logits = self.polyphony.constrain(
            self._logits(hidden + self.polyphony.features(remaining)),
            remaining,
            counts,
            above=self.num_active - places,
        )
        number_log_prob = (self.polyphony.log_probs(context.state) * counts).sum(dim=1)
        return (cross_entropy(logits, truth) * weights).sum(dim=1) - number_log_prob

    def _variable_logits(self, context: FrameContext, before: Tensor, variables: Tensor, temperature: float) -> Tensor:
        """As :meth:`logits`, given the hidden values of the context."""
        if self.polyphony is None:
            return self._logits(before + self.below_proj(self._below_features(context, variables))) / temperature
        counts, frames = variables[:, : -self.num_active], variables[:, -self.num_active :]
        remaining = self.polyphony.remaining(counts, frames)
        hidden = before + self.below_proj(self._below_features(context, frames)) + self.polyphony.features(remaining)
        above = torch.arange(self.num_active, 0, -1, device=frames.device)
        logits = self.polyphony.constrain(self._logits(hidden) / temperature, remaining, counts, above)
        return torch.cat([self.polyphony.logits(context.state, counts, temperature), logits], dim=1)

    def _distribution(self, features: Tensor, latest: Tensor, average: Tensor) -> RelativeWindow:
        """From the window's frames, newest first, and the averages of the past, both over the active columns."""
        state, candidates = split_features(features, self.frame_size, self._num_candidates)
        planes = torch.cat([latest, average[..., :_HISTORIES, :]], dim=-2)
        candidates = candidates[..., self._first : self._end]
        return RelativeWindow(self, FrameContext(planes, candidates, chroma(average), self.state_proj(state)))

    def _context_hidden(self, context: FrameContext, places: Tensor | None = None) -> Tensor:
        """Hidden values from all but the frame itself, for all pitches or some: (rows, places, channels)."""
        if places is None:
            places = torch.arange(self.num_active, device=context.state.device).expand(len(context.state), -1)
        hidden = self.window_proj(_windows(context.planes, self._window, places))
        if self.candidate_proj is not None:
            hidden = hidden + self.candidate_proj(_windows(context.candidates, COPY_WINDOW, places))
        tones = self.chroma_proj(context.chroma[..., self._rotation].transpose(1, 2).flatten(2))  # (rows, 12, channels)
        hidden = hidden + _at(tones, places % tones.shape[1]) + self.position_proj(self._positions)[places]
        whole: Tensor = hidden + context.state.unsqueeze(1)
        return whole

    def _below_features(self, context: FrameContext, frames: Tensor) -> Tensor:
        """Features of the notes decided below each pitch: (rows, num_active, below + counts + candidates)."""
        before = context.planes[:, 0]
        window = functional.pad(frames, (_BELOW, 0))[:, :-1].unfold(1, _BELOW, 1)
        decided, passed, kept = (_sum_below(values) for values in (frames, before, frames * before))
        place = torch.arange(1, self.num_active + 1, device=frames.device)
        latest = torch.where(frames > 0, place, 0).cummax(dim=1).values
        interval = place - functional.pad(latest, (1, 0))[:, :-1]
        to_come = before.sum(dim=1, keepdim=True) - passed
        counts = [decided, passed, kept, to_come, decided - kept, interval.clamp(max=_BELOW) / 6]
        features = [window, torch.stack(counts, dim=2) / 4]
        if self._num_candidates:
            candidates = context.candidates.clamp(0.01, 0.99)
            sounding = frames.unsqueeze(1)
            agreement = (sounding * candidates + (1 - sounding) * (1 - candidates)).log()
            features.append(_sum_below(agreement).transpose(1, 2) / 4)
        return torch.cat(features, dim=2)

    def _logits(self, hidden: Tensor) -> Tensor:
        """Log-odds in float32 or better, from hidden values: (rows, places, channels) to (rows, places)."""
        hidden = self.dropout(functional.silu(self.norm(hidden)))
        for mix in self.mix:
            hidden = hidden + self.dropout(functional.silu(mix(hidden)))
        return at_least_float32(self.logit(hidden).squeeze(2))


def _check_sizes(
    sizes: Mapping[str, int], num_layers: int, dropout: float, decays: tuple[float, ...] | list[float]
) -> None:
    """Validates the sizes of the network."""
    if min(sizes.values()) < 1 or num_layers < 0 or not 0 <= dropout < 1:
        raise SettingsError(
            f"Sizes must be at least 1, num_layers at least 0 and dropout in [0, 1), got {dict(sizes)}, {num_layers=}, "
            f"{dropout=}."
        )
    if len(decays) < _HISTORIES or not all(0 < decay < 1 for decay in decays):
        raise SettingsError(f"decays must be {_HISTORIES} or more, each in (0, 1), got {decays}.")


def _check_columns(first: int, end: int, frame_size: int, num_scored_pitches: int | None, max_polyphony: int) -> None:
    """Validates the arguments that count columns or pitches."""
    if not 0 <= first < end <= frame_size:
        raise SettingsError(
            f"active_columns must be (first, end) with 0 <= first < end <= {frame_size}, got ({first}, {end})."
        )
    if num_scored_pitches is not None and num_scored_pitches < FAR + 2:
        raise SettingsError(f"num_scored_pitches must be at least {FAR + 2}, or None, got {num_scored_pitches}.")
    if not 0 <= max_polyphony <= end - first:
        raise SettingsError(f"max_polyphony must be in 0..{end - first} (active columns), got {max_polyphony}.")


def _sum_below(values: Tensor) -> Tensor:
    """The sum over all lower pitches: subtracting the own value from the running sum would leave rounding errors."""
    return functional.pad(values.cumsum(dim=-1), (1, 0))[..., :-1]


def _at(values: Tensor, places: Tensor) -> Tensor:
    """(rows, pitches, values) at the places of each row, (rows, places, values)."""
    return values.gather(1, places.unsqueeze(2).expand(-1, -1, values.shape[2]))


def _windows(planes: Tensor, reach: int, places: Tensor) -> Tensor:
    """Values up to ``reach`` semitones around the places: (rows, places, planes * (2 * reach + 1))."""
    width = 2 * reach + 1
    padded = functional.pad(planes, (reach, reach)).transpose(1, 2).contiguous()  # (rows, pitches, planes)
    index = places.unsqueeze(2) + torch.arange(width, device=places.device)
    rows = torch.arange(len(planes), device=places.device)[:, None, None]
    return padded[rows, index].flatten(2)
