"""Pitches decided from low to high by one small network with inputs relative to the pitch.

All pitches share the network. It reads, relative to the pitch: the past frames, the notes already decided below it in
the same frame, how many they are, and the tonal context. It is the conditional of an autoregressive model over the
pitches of a frame (as in NADE, Larochelle and Murray, 2011), with weights tied between pitches (as in Johnson, 2017,
"Generating polyphonic music using tied parallel networks").
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.copy_features import COPY_WINDOW, split_features, state_size
from pianoroll_seq2seq.models.heads.given_logits import with_given
from pianoroll_seq2seq.models.heads.loss_subsampling import FAR, sample_pitches
from pianoroll_seq2seq.models.heads.onset_decisions import constrain_onsets, decision_nats
from pianoroll_seq2seq.models.heads.polyphony import PolyphonyModel
from pianoroll_seq2seq.models.heads.precision import at_least_float32
from pianoroll_seq2seq.models.heads.relative_cells import (
    BELOW,
    COUNTS,
    ONSET_COUNTS,
    Cells,
    at_places,
    below_features,
    check_cells,
    check_sizes,
    windows_at,
)
from pianoroll_seq2seq.models.heads.relative_window_frame import FrameContext, RelativeWindow
from pianoroll_seq2seq.models.layers.dropout import Dropout
from pianoroll_seq2seq.models.layers.exponential_average import (
    ExponentialAverage,
    chroma,
    exponential_averages,
    rotations,
)
from pianoroll_seq2seq.models.note_columns import check_no_velocity, note_columns

_WAVES = 12
_HISTORIES = 2
_LIKELY_COPY = 0.1
_NEAR_SEMITONES = 4
"""Pitches as close as this to one that sounds are scored in training more often than those far from all."""


@dataclass(frozen=True)
class WindowState:
    """The head's state in generation.

    Args:
        latest: the frames in its window, newest first, (batch, num_frames, planes, cells).
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

    With an onset plane it also decides, right after each pitch that sounds, whether a note begins, from the same
    context and the onsets decided below. Several parts are decided one after another; around ``p`` the network also
    reads what all parts sounded in the frame before, and what the parts before this one have been decided to sound.

    Args:
        in_features: size of the decoder's output, candidates included.
        layout: what the columns of a frame mean, or their number.
        channels: width of the shared network.
        window: semitones to either side.
        num_frames: past frames in the window, at least 1.
        decays: the factor on the weight of a past frame for each later frame; two or more, each in (0, 1).
        num_layers: residual layers of the shared network.
        dropout: dropout probability in the shared network, 0 <= dropout < 1.
        num_candidates: the last ``num_candidates * frame_size`` features are copy candidates: for each, the probability
            of each pitch.
        active_columns: the first column that may sound and the one after the last. The others get a probability near
            zero, which suits pitches that never occur in training. All by default; for layouts of one part only.
        num_scored_pitches: in training, the loss is estimated from this many pitches of each frame, sampled at random:
            see :meth:`RelativeWindow.log_prob`. All by default.
        max_polyphony: decides the number of sounding pitches first, distinguished up to this many, and then which
            (:mod:`~pianoroll_seq2seq.models.heads.polyphony`). 0 decides only which.

    Raises:
        SettingsError: a size below 1, a decay or probability out of range, a layout with velocities, or candidates
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
    _places: Tensor
    _pitches: Tensor
    _parts: Tensor
    _chroma_weights: Tensor

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
        check_no_velocity(layout, "RelativeWindowHead")
        columns = note_columns(layout)
        sizes = {"in_features": in_features, "channels": channels, "window": window, "num_frames": num_frames}
        check_sizes(sizes, num_layers, dropout, decays, _HISTORIES)
        state = state_size(in_features, columns.frame_size, num_candidates)
        first, end = (0, columns.plane_size) if active_columns is None else active_columns
        self.cells: Cells = Cells(columns, first, end, gap=max(window, BELOW, COPY_WINDOW))
        check_cells(self.cells, num_scored_pitches, FAR + 2, max_polyphony)
        self.in_features = in_features
        self.layout = layout
        self.frame_size: int = columns.frame_size
        self.num_active: int = self.cells.count
        self.num_onsets: int = self.num_active if columns.has_onsets else 0
        self.num_counts: int = max_polyphony + 1 if max_polyphony else 0
        self.context_frames: int | None = None
        self.takes_given: bool = True
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
        self._window, self._num_frames, self._num_candidates = window, num_frames, num_candidates
        planes, width = columns.num_planes, 2 * window + 1
        past, below = num_frames + _HISTORIES, BELOW + COUNTS
        if columns.has_onsets:
            past, below = past + 1, below + BELOW + ONSET_COUNTS
        self.state_proj: nn.Linear = nn.Linear(state, channels)
        self.window_proj: nn.Linear = nn.Linear(past * width, channels, bias=False)
        self.below_proj: nn.Linear = nn.Linear(below + num_candidates, channels, bias=False)
        self.chroma_proj: nn.Linear = nn.Linear(len(decays) * 12, channels, bias=False)
        self.position_proj: nn.Linear = nn.Linear(2 * _WAVES, channels, bias=False)
        self.candidate_proj: nn.Linear | None = (
            nn.Linear(num_candidates * planes * (2 * COPY_WINDOW + 1), channels, bias=False) if num_candidates else None
        )
        several = self.cells.num_parts > 1
        self.merged_proj: nn.Linear | None = nn.Linear(width, channels, bias=False) if several else None
        self.earlier_proj: nn.Linear | None = nn.Linear(width, channels, bias=False) if several else None
        self.part_embedding: nn.Parameter | None = (
            nn.Parameter(torch.zeros(self.cells.num_parts, channels)) if several else None
        )
        self.polyphony: PolyphonyModel | None = PolyphonyModel(channels, max_polyphony) if max_polyphony else None
        self.norm: nn.LayerNorm = nn.LayerNorm(channels)
        self.mix: nn.ModuleList = nn.ModuleList(nn.Linear(channels, channels) for _ in range(num_layers))
        self.dropout: Dropout = Dropout(dropout)
        self.logit: nn.Linear = nn.Linear(channels, planes)
        with torch.no_grad():
            self.logit.bias[:] = torch.tensor([-3.0, 0.0])[:planes]
        self.register_buffer("_rotation", rotations(), persistent=False)
        self.register_buffer("_decays", torch.tensor(list(decays)), persistent=False)
        angle = self.cells.pitches()[:, None] * torch.pi / 64 * (torch.arange(_WAVES) + 1)
        self.register_buffer("_positions", torch.cat([angle.sin(), angle.cos()], dim=1), persistent=False)
        self.register_buffer("_places", self.cells.positions(), persistent=False)
        self.register_buffer("_pitches", self.cells.pitches(), persistent=False)
        self.register_buffer("_parts", self.cells.parts(), persistent=False)
        self.register_buffer("_chroma_weights", self.cells.chroma_weights(), persistent=False)

    def forward(
        self, features: Float[Tensor, "batch steps in_features"], past: Float[Tensor, "batch known frame_size"]
    ) -> RelativeWindow:
        """Distributions of batch shape (batch, steps)."""
        steps = features.shape[1]
        cells = self.cells.cut(past)
        padded = functional.pad(cells, (0, 0, 0, 0, self._num_frames - 1, 0))
        latest = padded.unfold(1, self._num_frames, 1)[:, -steps:].movedim(4, 2).flip(2)
        return self._distribution(features, latest, exponential_averages(cells[:, :, 0], self._decays)[:, -steps:])

    def init_state(self, past: Float[Tensor, "batch known frame_size"]) -> WindowState:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        cells = self.cells.cut(past)
        latest = functional.pad(cells, (0, 0, 0, 0, self._num_frames, 0))[:, -self._num_frames :].flip(1)
        return WindowState(latest, ExponentialAverage.of(cells[:, :, 0], self._decays))

    def update(self, frame: Float[Tensor, "batch frame_size"], state: WindowState) -> WindowState:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        cells = self.cells.cut(frame)
        latest = torch.cat([cells.unsqueeze(1), state.latest[:, :-1]], dim=1)
        return WindowState(latest, state.past.after(cells[:, 0]))

    def predict(self, features: Float[Tensor, "batch in_features"], state: WindowState) -> RelativeWindow:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        return self._distribution(features, state.latest, state.past.average)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"in_features": self.in_features, "layout": self.layout, **self._settings}

    @property
    def num_variables(self) -> int:
        """The number of binary variables of a frame."""
        return self.num_counts + self.num_active + self.num_onsets

    def variables_of(self, cells: Tensor) -> Tensor:
        """The binary variables of cells (rows, planes * num_active), in the order in which they are decided.

        These are the number of sounding pitches, if the head models it, the pitches, and their onsets, of which each is
        decided right after its pitch: (rows, num_variables).
        """
        if self.polyphony is None:
            return cells
        return torch.cat([self.polyphony.encode(cells[:, : self.num_active]), cells], dim=1)

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

    def estimated_nats(self, context: FrameContext, cells: Tensor) -> Tensor:
        """An estimate of the negative log-probability, from ``num_scored_pitches`` of every frame: (rows,)."""
        assert self.num_scored_pitches is not None  # the caller has checked
        frames = cells[:, : self.num_active]
        sounding = (frames > 0) | (context.planes[:, 0, self._places] > 0)
        candidates = context.candidates[..., self._places] > _LIKELY_COPY
        required = sounding | candidates.any(dim=1) if self._num_candidates else sounding
        near = functional.max_pool1d(required.float(), 2 * _NEAR_SEMITONES + 1, 1, _NEAR_SEMITONES) > 0
        chosen, weights = sample_pitches(self.num_scored_pitches, required, near)
        hidden = self._context_hidden(context, chosen)
        hidden = hidden + self._below_hidden(context, cells, chosen)
        remaining = None
        left, counts, known, pitches = None, cells[:, :0], *self._known(context)
        if self.polyphony is not None:
            counts = self.polyphony.encode(frames)
            remaining = self.polyphony.remaining(counts, frames)
            hidden = hidden + self.polyphony.features(remaining.gather(1, chosen))
            left = [values.gather(1, chosen) for values in self.polyphony.left_to_decide(remaining, pitches)]
        logits = self._logits(hidden)
        sounds = logits[..., 0]
        if self.polyphony is not None and left is not None:
            sounds = self.polyphony.constrain(sounds, left[0], counts, left[1])
        sounded = context.planes[:, 0, self._places].gather(1, chosen)
        decisions = torch.cat([sounds, *self._onset_logits(logits, sounded, 1.0)], dim=1)
        if known is not None:
            decisions = with_given(decisions, self._at(known, chosen))
        nats = decision_nats(decisions, self._at(cells, chosen), chosen.shape[1] if self.num_onsets else 0)
        total = (torch.unflatten(nats, 1, (-1, chosen.shape[1])).sum(dim=1) * weights).sum(dim=1)
        if self.polyphony is None:
            return total
        return total - (self.polyphony.log_probs(context.state, known=pitches) * counts).sum(dim=1)

    def _known(self, context: FrameContext) -> tuple[Tensor | None, Tensor | None]:
        """The log-odds of the given cells, (rows, planes * num_active), and those of their active plane; or None."""
        if not context.known.shape[1]:
            return None, None
        known = self.cells.cut(context.known)
        return known.flatten(1), known[:, 0]

    def _at(self, cells: Tensor, chosen: Tensor) -> Tensor:
        """Values of some cells, of each plane: (rows, planes * num_active) to (rows, planes * cells)."""
        return torch.cat([plane.gather(1, chosen) for plane in torch.split(cells, self.num_active, dim=1)], dim=1)

    def _variable_logits(self, context: FrameContext, before: Tensor, variables: Tensor, temperature: float) -> Tensor:
        """As :meth:`logits`, given the hidden values of the context."""
        cells = variables[:, self.num_counts :]
        sounded = context.planes[:, 0, self._places] if self.num_onsets else cells
        hidden = before + self._below_hidden(context, cells)
        known, pitches = self._known(context)
        if self.polyphony is None:
            logits = self._logits(hidden)
            sounds = logits[..., 0] / temperature
        else:
            counts = variables[:, : self.num_counts]
            remaining = self.polyphony.remaining(counts, cells[:, : self.num_active])
            logits = self._logits(hidden + self.polyphony.features(remaining))
            left, above = self.polyphony.left_to_decide(remaining, pitches)
            sounds = self.polyphony.constrain(logits[..., 0] / temperature, left, counts, above)
        decisions = torch.cat([sounds, *self._onset_logits(logits, sounded, temperature)], dim=1)
        if known is not None:
            decisions = with_given(decisions, known)
        if self.polyphony is None:
            return decisions
        numbers = self.polyphony.logits(context.state, counts, temperature, pitches)
        return torch.cat([numbers, decisions], dim=1)

    def _onset_logits(self, logits: Tensor, sounded: Tensor, temperature: float) -> list[Tensor]:
        """The log-odds of onsets of pitches that sound, (rows, places); none without an onset plane."""
        if not self.num_onsets:
            return []
        return [constrain_onsets(logits[..., 1] / temperature, sounded, training=self.training)]

    def _distribution(self, features: Tensor, latest: Tensor, average: Tensor) -> RelativeWindow:
        """From the window's frames, newest first, and the averages of the past, both of the cells."""
        state, candidates = split_features(features, self.frame_size, self._num_candidates)
        planes = [latest[..., 0, :], average[..., :_HISTORIES, :]]
        if self.num_onsets:
            planes.append(latest[..., 0, 1:, :])
        merged = latest[..., 0, 0, :0] if self.merged_proj is None else self.cells.columns.merged(latest[..., 0, 0, :])
        tones = chroma(average) if self.cells.num_parts == 1 else average @ self._chroma_weights.to(average.dtype)
        return RelativeWindow(
            self,
            FrameContext(
                planes=self.cells.spread(torch.cat(planes, dim=-2)),
                candidates=self.cells.spread(self.cells.cut(candidates).flatten(-3, -2)),
                chroma=tones,
                state=self.state_proj(state),
                merged=merged,
                known=state[..., :0],
            ),
        )

    def _context_hidden(self, context: FrameContext, chosen: Tensor | None = None) -> Tensor:
        """Hidden values from all but the frame itself, for all cells or some: (rows, cells, channels)."""
        if chosen is None:
            chosen = torch.arange(self.num_active, device=context.state.device).expand(len(context.state), -1)
        places, pitches = self._places[chosen], self._pitches[chosen]
        hidden = self.window_proj(windows_at(context.planes, self._window, places))
        if self.candidate_proj is not None:
            hidden = hidden + self.candidate_proj(windows_at(context.candidates, COPY_WINDOW, places))
        if self.merged_proj is not None and self.part_embedding is not None:
            around = windows_at(context.merged.unsqueeze(1), self._window, pitches)
            hidden = hidden + self.merged_proj(around) + self.part_embedding[self._parts[chosen]]
        tones = self.chroma_proj(context.chroma[..., self._rotation].transpose(1, 2).flatten(2))  # (rows, 12, channels)
        hidden = hidden + at_places(tones, pitches % tones.shape[1]) + self.position_proj(self._positions)[chosen]
        whole: Tensor = hidden + context.state.unsqueeze(1)
        return whole

    def _below_hidden(self, context: FrameContext, cells: Tensor, chosen: Tensor | None = None) -> Tensor:
        """Hidden values from the notes decided before each cell, of all or some: (rows, cells, channels)."""
        frames, onsets = cells[:, : self.num_active], cells[:, self.num_active :]
        candidates = context.candidates[:, :: self.cells.columns.num_planes]
        features = below_features(self.cells, context.planes[:, 0], frames, onsets, candidates)
        if chosen is not None:
            features = at_places(features, self._places[chosen])
        elif self.cells.num_parts > 1:
            features = features[:, self._places]
        hidden: Tensor = self.below_proj(features)
        if self.earlier_proj is not None:
            earlier = functional.pad(self.cells.earlier_parts(frames), (self._window, self._window))
            around = earlier.unfold(2, 2 * self._window + 1, 1)[:, self._parts, self._pitches]
            hidden = hidden + self.earlier_proj(around if chosen is None else at_places(around, chosen))
        return hidden

    def _logits(self, hidden: Tensor) -> Tensor:
        """Log-odds in float32 or better, from hidden values: (rows, places, channels) to (rows, places, planes)."""
        hidden = self.dropout(functional.silu(self.norm(hidden)))
        for mix in self.mix:
            hidden = hidden + self.dropout(functional.silu(mix(hidden)))
        return at_least_float32(self.logit(hidden))
