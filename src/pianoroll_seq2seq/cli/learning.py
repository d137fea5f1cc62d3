"""How a model learns: windows, and the settings of ``fit``, as options."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from pianoroll_seq2seq.augmentation import Augmentation
from pianoroll_seq2seq.conditions import pitch_class_vector
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.splitting import pitch_class_set
from pianoroll_seq2seq.train import Precision, Schedule, cosine_schedule
from pianoroll_seq2seq.train.events import EpochEnd
from pianoroll_seq2seq.train.fitting import Monitor
from pianoroll_seq2seq.windowing import SlidingWindows

Condition = Literal["nothing", "scale"]
OptimizerOf = Callable[[Iterable[Any]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Windows:
    """The windows that pieces are cut into.

    Args:
        input_frames: frames that the model hears.
        target_frames: frames that it learns to go on with.
        hop: frames from the start of one window to the next, in training.
        short: what becomes of pieces shorter than a window.
        onsets: whether frames say which pitches are struck, beside which sound; the model needs a head for it, such as
            NotesHead.
        condition: what the model is told of each piece beside its frames: nothing, or its scale (the twelve pitch
            classes that occur in it).
        augmentation: transpositions and tempi that are drawn anew for each window.
    """

    input_frames: int = 32
    target_frames: int = 32
    hop: int = 8
    short: Literal["error", "pad", "skip"] = "skip"
    onsets: bool = False
    condition: Condition = "nothing"
    augmentation: Augmentation | None = None

    def of(self, rolls: Sequence[PianoRoll], *, training: bool) -> SlidingWindows:
        """The windows of pieces: those for training overlap and are varied, of others each target frame counts once.

        Raises:
            PieceTooShortError: no piece is as long as a window.
        """
        conditions = scales_of(rolls) if self.condition == "scale" else None
        return SlidingWindows(
            rolls,
            input_frames=self.input_frames,
            target_frames=self.target_frames,
            hop=self.hop if training else self.target_frames,
            short=self.short,
            augmentation=self.augmentation if training else None,
            onsets=self.onsets,
            conditions=conditions,
            pitch_classes=conditions is not None,
        )


def scales_of(rolls: Sequence[PianoRoll]) -> list[Any]:
    """The pitch classes of each piece, as conditions of twelve numbers."""
    return [pitch_class_vector(pitch_class_set(roll)) for roll in rolls]


@dataclass(frozen=True)
class Learning:
    """How the model learns.

    Args:
        epochs: passes over the training windows.
        batch_size: windows a step.
        optimizer: an optimizer by its class, such as torch.optim.SGD; null is fit's own, Adam.
        schedule: how the learning rate changes: not at all, up and down along a cosine, or a function of your own, from
            a step and the number of all steps to a factor.
        warmup: share of the steps on the cosine's way up.
        clip_norm: the gradient is scaled down to this norm where it is longer.
        ema_decay: share of an average of the weights that stays at each step; the average is then what is kept.
        accumulate: parts into which a batch is cut, for want of memory.
        precision: digits of the arithmetic.
        monitor: the loss that decides which epoch is best.
        patience: ends training after so many epochs without progress.
        min_delta: by how much the loss must fall to count as progress, in nats per frame.
        on_epoch: what to call after each epoch, by its class, such as pianoroll_seq2seq.StopAfter.
        checkpoint_seconds: how often to save within an epoch.
        sample_every: epochs between two samples of music, written to the run's folder; none by default.
    """

    epochs: int = 20
    batch_size: int = 32
    optimizer: OptimizerOf | None = None
    schedule: Literal["constant", "cosine"] | Callable[[int, int], float] = "cosine"
    warmup: float = 0.05
    clip_norm: float | None = 1.0
    ema_decay: float | None = None
    accumulate: int = 1
    precision: Precision = "auto"
    monitor: Monitor = "auto"
    patience: int | None = None
    min_delta: float = 0.0
    on_epoch: list[Callable[[EpochEnd], bool | None]] = field(default_factory=list)
    checkpoint_seconds: float = 60.0
    sample_every: int | None = None

    def __post_init__(self) -> None:
        """Checks what ``fit`` does not see."""
        if self.sample_every is not None and self.sample_every < 1:
            raise SettingsError(f"sample_every must be at least 1, got {self.sample_every}.")

    def schedule_of(self) -> Schedule | None:
        """The schedule as ``fit`` takes it."""
        if callable(self.schedule):
            return self.schedule
        return cosine_schedule(self.warmup) if self.schedule == "cosine" else None
