"""An LSTM over the whole piece, that may copy from what it has heard."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.dropout import Dropout, chosen
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.heads.base import FrameDistribution, OutputHead
from pianoroll_seq2seq.heads.fading import Fading, by_class, fading_averages
from pianoroll_seq2seq.heads.relative_window import RelativeWindowHead
from pianoroll_seq2seq.models.base import check_columns
from pianoroll_seq2seq.models.copy_attention import Copies, CopyAttention, CopyMemory, features_with_copies
from pianoroll_seq2seq.models.past import Past, past_of
from pianoroll_seq2seq.models.sharing import Shareable
from pianoroll_seq2seq.models.stepping import Memory, Stepping, stepping

_DECAYS = (0.8, 0.95, 0.995)
_MISSING, _ADDED = 0.25, 0.01
"""Shares of the notes of a wrong frame that are missing, and of the other pitches that are added."""
_CYCLES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True)
class CopyingState:
    """Where a continuation stands between two frames.

    Args:
        past: the frames so far, as the head keeps them.
        memory: of the LSTM.
        copying: of the attention; None for a model without.
        fading: how much of late each pitch sounded.
        latest: the latest frame, (batch, pitches).
        stood: for how many frames it has stood, (batch,).
        count: frames so far.
        state: the model's state before the next frame, (batch, hidden).
    """

    past: Past
    memory: Stepping
    copying: CopyMemory | None
    fading: Fading
    latest: Tensor
    stood: Tensor
    count: int
    state: Tensor


class CopyingLSTM(Shareable, nn.Module):
    """One LSTM that hears a piece from its beginning, with attention that proposes earlier frames as the next.

    There is no division into encoder and decoder: every frame is predicted from all before it, and a piece may be
    predicted from its very first frame on (``inputs`` of no frames). It counts frames from where it began to hear, so
    let it begin with a piece, or on a bar.

    Args:
        pitches: size of a frame.
        hidden: units of the LSTM.
        copies: heads of the attention, 0 for none.
        dropout: share of units silenced in training, 0 <= dropout < 1.
        deafness: share of the frames that the LSTM does not hear in training, so that it cannot rely on each.
        wrong_notes: share of the frames heard in training in which some notes are missing and some added, so that the
            model learns to go on after its own mistakes. What it shall predict stays as it is.
        head: turns states into distributions; it reads ``CopyingLSTM.features(pitches, hidden, copies)`` features, of
            which the last are proposals. A :class:`~pianoroll_seq2seq.heads.relative_window.RelativeWindowHead` by
            default.

    Raises:
        SettingsError: arguments out of range, or a head of other sizes.

    Example:
        >>> model = CopyingLSTM(pitches=49, hidden=32)
        >>> frames = torch.zeros(2, 100, 49)
        >>> model(frames[:, :0], frames).log_prob(frames).shape
        torch.Size([2, 100])
    """

    _decays: Tensor

    def __init__(
        self,
        pitches: int,
        *,
        hidden: int = 192,
        copies: int = 6,
        dropout: float = 0.0,
        deafness: float = 0.0,
        wrong_notes: float = 0.0,
        head: OutputHead | None = None,
    ) -> None:
        """Checks the arguments and builds the layers."""
        super().__init__()
        shares = {"dropout": dropout, "deafness": deafness, "wrong_notes": wrong_notes}
        if min(pitches, hidden) < 1 or copies < 0 or not all(0 <= share < 1 for share in shares.values()):
            raise SettingsError(
                "pitches and hidden must be at least 1, copies at least 0, and shares in [0, 1), got "
                f"{pitches=}, {hidden=}, {copies=}, {shares}."
            )
        features = self.features(pitches, hidden, copies)
        if head is None:
            head = RelativeWindowHead(features, pitches, proposals=copies, dropout=dropout)
        if (head.features, head.pitches) != (features, pitches):
            raise SettingsError(
                f"The head reads {head.features} features and describes {head.pitches} pitches, but the model has "
                f"{features} and {pitches}. Build the head with features=CopyingLSTM.features(pitches, hidden, copies)."
            )
        self.pitches = pitches
        self.hidden = hidden
        self.deafness = deafness
        self.wrong_notes = wrong_notes
        self._settings = {
            "pitches": pitches,
            "hidden": hidden,
            "copies": copies,
            "dropout": dropout,
            "deafness": deafness,
            "wrong_notes": wrong_notes,
            "head": head,
        }
        tones = len(_DECAYS) * 12
        self.hear: nn.Linear = nn.Linear(2 * pitches + tones + 2 * len(_CYCLES) + 2, hidden)
        self.lstm: nn.LSTM = nn.LSTM(hidden, hidden, batch_first=True)
        self.dropout: Dropout = Dropout(dropout)
        self.copy: CopyAttention | None = CopyAttention(hidden, pitches, heads=copies) if copies else None
        self.head = head
        self.register_buffer("_decays", torch.tensor(_DECAYS), persistent=False)

    @staticmethod
    def features(pitches: int, hidden: int = 192, copies: int = 6) -> int:
        """What a head has to read: the state, how far each copying head proposes nothing, and the proposals."""
        return features_with_copies(hidden, pitches, copies)

    def forward(
        self, inputs: Float[Tensor, "batch input pitches"], targets: Float[Tensor, "batch target pitches"]
    ) -> FrameDistribution:
        """The distribution of each target frame, given the inputs, which may be none, and the targets before it.

        Raises:
            ShapeError: frames of another size than the model's.
        """
        check_columns(self.pitches, inputs, targets)
        frames = torch.cat([inputs, targets], dim=1)
        if self.training and self.wrong_notes:
            frames = _with_wrong_notes(frames, self.wrong_notes)
        states, _ = self._states(frames[:, :-1])
        begin = inputs.shape[1]
        copies = None if self.copy is None else self.copy(states, frames, begin=begin)
        features = self._features(states[:, begin:], copies)
        return self.head(features, functional.pad(frames[:, :-1], (0, 0, 1, 0)))

    def start(self, primer: Float[Tensor, "batch frames pitches"]) -> tuple[FrameDistribution, CopyingState]:
        """Hears a primer: the distribution of the frame after it, and the state to go on from."""
        if primer.shape[1] < 1 or primer.shape[2] != self.pitches:
            raise ShapeError(
                f"The model expects a primer of shape (batch, frames >= 1, {self.pitches}), got {tuple(primer.shape)}. "
                f"Read the primer with the grid and PitchRange that the model was trained on."
            )
        states, memory = self._states(primer)
        state = CopyingState(
            past=past_of(self.head, functional.pad(primer, (0, 0, 1, 0))),
            memory=stepping(self.lstm, memory),
            copying=None if self.copy is None else self.copy.start(states[:, :-1], primer),
            fading=Fading.of(primer, self._decays),
            latest=primer[:, -1],
            stood=_stood(primer)[:, -1],
            count=primer.shape[1],
            state=states[:, -1],
        )
        return self._answer(state), state

    def advance(
        self, frame: Float[Tensor, "batch pitches"], state: CopyingState
    ) -> tuple[FrameDistribution, CopyingState]:
        """Hears one more frame: the distribution of the frame after it, and the new state."""
        same = (frame == state.latest).all(dim=1)
        stood = torch.where(same, state.stood + 1, 1)
        fading, count = state.fading.after(frame), state.count + 1
        moment = torch.tensor([count], device=frame.device)
        heard = self._heard(frame.unsqueeze(1), fading.average.unsqueeze(1), stood.unsqueeze(1), moment)
        output, memory = state.memory.step(heard[:, 0])
        copying = None
        if self.copy is not None and state.copying is not None:
            copying = self.copy.after(frame, state.state, state.copying)
        after = CopyingState(
            past=state.past.after(frame),
            memory=memory,
            copying=copying,
            fading=fading,
            latest=frame,
            stood=stood,
            count=count,
            state=self.dropout(output + heard[:, 0]),
        )
        return self._answer(after), after

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments: what JSON can hold, and the head."""
        return dict(self._settings)

    def _answer(self, state: CopyingState) -> FrameDistribution:
        copies = None if self.copy is None or state.copying is None else self.copy.step(state.state, state.copying)
        return state.past.distribution(self._features(state.state.unsqueeze(1), copies)[:, 0])

    def _features(self, states: Tensor, copies: Copies | None) -> Tensor:
        return states if copies is None else copies.beside(states)

    def _states(self, frames: Tensor) -> tuple[Tensor, Memory]:
        """The model's state before the first frame, before the second, ..., and after the last; and the LSTM's memory.

        Args:
            frames: (batch, frames, pitches).

        Returns:
            States (batch, frames + 1, hidden).
        """
        averages = fading_averages(frames, self._decays)
        if self.training and self.deafness:
            deaf = chosen(frames.shape[:2], self.deafness, frames.device)
            frames = frames.masked_fill(deaf.unsqueeze(2), 0.0)
        latest = functional.pad(frames, (0, 0, 1, 0))
        moment = torch.arange(latest.shape[1], device=frames.device)
        heard = self._heard(latest, averages, functional.pad(_stood(frames), (1, 0)), moment)
        outputs, memory = self.lstm(heard)
        return self.dropout(outputs + heard), memory

    def _heard(self, latest: Tensor, averages: Tensor, stood: Tensor, moment: Tensor) -> Tensor:
        """What the LSTM hears.

        Args:
            latest: the frame before each step, (batch, steps, pitches).
            averages: the fading past, (batch, steps, rates, pitches).
            stood: for how many frames the latest has stood, (batch, steps).
            moment: frames before each step, (steps,).
        """
        cycles = torch.tensor(_CYCLES, device=latest.device, dtype=latest.dtype)
        angle = 2 * math.pi * moment.to(latest.dtype)[:, None] / cycles
        clock = torch.cat([angle.sin(), angle.cos(), (1 + moment.to(latest.dtype)).log()[:, None] / 4], dim=1)
        parts = [
            latest,
            averages[:, :, 0],
            by_class(averages).flatten(2),
            (1 + stood.to(latest.dtype)).log().unsqueeze(2) / 2,
            clock.expand(len(latest), -1, -1),
        ]
        return functional.silu(self.hear(torch.cat(parts, dim=2)))


def _stood(frames: Tensor) -> Tensor:
    """For how many frames each frame has stood, itself included: (batch, frames)."""
    moment = torch.arange(frames.shape[1], device=frames.device)
    changed = (frames[:, 1:] != frames[:, :-1]).any(dim=2)
    began = torch.where(functional.pad(changed, (1, 0), value=True), moment, 0).cummax(dim=1).values
    return moment + 1 - began


def _with_wrong_notes(frames: Tensor, share: float) -> Tensor:
    """Frames (batch, frames, pitches) of which a share is wrong."""
    wrong = chosen(frames.shape[:2], share, frames.device).unsqueeze(2)
    missing, added = (chosen(frames.shape, part, frames.device) for part in (_MISSING, _ADDED))
    return torch.where(wrong & torch.where(frames > 0, missing, added), 1 - frames, frames)
