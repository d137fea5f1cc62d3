"""The options of ``train``, apart from those of the data."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from pianoroll_seq2seq.cli.options import BASIC, Count, LowHigh, OptionalCount, Share, Whole, whole_pair
from pianoroll_seq2seq.cli.user_code import import_named
from pianoroll_seq2seq.errors import SettingsError

if TYPE_CHECKING:
    from pianoroll_seq2seq.data.augmentation import Augmentation
    from pianoroll_seq2seq.train import Schedule

WINDOWS = Group("Windows", sort_key=30)
AUGMENTATION = Group("Augmentation", sort_key=40)
TRAINING = Group("Training", sort_key=50)
RUN = Group("Run", sort_key=60)
Condition = Literal["none", "scale"]


@Parameter(name="*", group=WINDOWS)
@dataclass(frozen=True)
class WindowOptions:
    """The windows that pieces are cut into."""

    input_frames: Count = 32
    """Frames that the model reads."""
    target_frames: Count = 32
    """Frames that the model learns to write next."""
    hop: Count = 8
    """Frames from the start of one training window to the next."""
    short: Literal["error", "pad", "skip"] = "skip"
    """What to do with pieces shorter than a window."""
    onsets: bool = True
    """Model where notes begin, not only where they sound. Without, repeated notes become one."""
    velocity: bool = False
    """Also model the velocities of notes, and so where they begin. VelocityHead then adds them to the head."""
    condition: Condition = "none"
    """Give the model the scale of each piece: the pitch classes that occur in it."""


@Parameter(name="*", group=AUGMENTATION)
@dataclass(frozen=True)
class AugmentationOptions:
    """Random changes to training windows."""

    transpose: Annotated[tuple[int, int], LowHigh, Parameter(converter=whole_pair)] = (0, 0)
    """Transpose each window by a random number of semitones in this range, such as -5 6."""
    transpose_share: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 1.0
    """Share of the windows that are transposed."""
    tempo: Annotated[tuple[float, float], LowHigh] = (1.0, 1.0)
    """Change the tempo of each window by a random factor in this range, such as 0.9 1.1."""

    def augmentation(self) -> "Augmentation | None":
        """The augmentation, or None if nothing is changed."""
        from pianoroll_seq2seq.data.augmentation import Augmentation

        if self == AugmentationOptions():
            return None
        return Augmentation(semitones=self.transpose, tempo=self.tempo, share=self.transpose_share)


@Parameter(name="*", group=TRAINING)
@dataclass(frozen=True)
class TrainOptions:
    """How the model learns."""

    epochs: Annotated[Count, Parameter(group=BASIC)] = 20
    """Passes over the training data. With a constant --schedule, a finished run goes on if it is given more."""
    batch_size: Count = 32
    """Windows in a step."""
    schedule: Annotated[str, Parameter(metavar="SCHEDULE")] = "cosine"
    """How the learning rate changes: constant, cosine, or the import path of your own function from the step and the
    number of steps to a factor."""
    warmup: Share = 0.05
    """Share of the steps in which the cosine schedule rises."""
    clip_norm: float | None = 1.0
    """Largest norm of the gradient; none for no limit."""
    ema_decay: float | None = None
    """Keep an average of the weights, of which this share stays at each step, such as 0.999."""
    accumulate: Count = 1
    """Parts into which a batch is cut to save memory."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the forward pass. auto takes bfloat16 on a GPU that has it."""
    monitor: Literal["auto", "train_loss", "valid_loss"] = "auto"
    """Loss that decides which epoch is best."""
    patience: OptionalCount = None
    """Stop after this many epochs without improvement."""
    min_delta: float = 0.0
    """Smallest improvement that counts for --patience, in nats per frame."""

    def learning_rate_schedule(self) -> "Schedule | None":
        """The schedule as ``fit`` takes it.

        Raises:
            SettingsError: there is no such function.
        """
        if self.schedule == "constant":
            return None
        if self.schedule == "cosine":
            from pianoroll_seq2seq.train import cosine_schedule

            return cosine_schedule(self.warmup)
        return _import_function(self.schedule)


def _import_function(path: str) -> Callable[[int, int], float]:
    found = import_named(path, "--schedule") if "." in path else None
    if not callable(found):
        raise SettingsError(
            f"--schedule {path}: expected constant, cosine, or the import path of a function, such as "
            f"my_module.my_schedule."
        )
    schedule: Callable[[int, int], float] = found
    return schedule


@Parameter(name="*", group=RUN)
@dataclass(frozen=True)
class RunOptions:
    """Where and how the run is done."""

    output: Annotated[Path, Parameter(group=BASIC)] = Path("runs/train")
    """Folder of the run, for checkpoints, scores and music. The same command resumes the run."""
    device: Annotated[str | None, Parameter(metavar="DEVICE")] = None
    """Such as cpu or cuda; a GPU by default, if there is one."""
    threads: Count = 1
    """CPU threads. Small models are fastest on one."""
    seed: Annotated[Whole, Parameter(validator=Number(gte=0, lt=2**32))] = 0
    """Seed of the split, the weights, the order of windows, and the music."""
    checkpoint_seconds: Annotated[float, Parameter(validator=Number(gte=0))] = 60.0
    """Seconds between checkpoints within an epoch."""
    sample_every: OptionalCount = None
    """Write music to the run's folder every so many epochs."""
