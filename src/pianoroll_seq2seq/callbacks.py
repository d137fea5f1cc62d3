"""Things to do while training goes on: pass them to ``fit`` as ``on_epoch``.

A callback is any function of one argument, an :class:`~pianoroll_seq2seq.train.EpochEnd` or (``on_step``) a
:class:`~pianoroll_seq2seq.train.StepEnd`; one that returns True ends training.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling import Draw, Sampler, generate
from pianoroll_seq2seq.train.events import EpochEnd


@dataclass(frozen=True)
class SampleMusic:
    """Continues primers every few epochs, so that one hears what training does to the music.

    Writes ``epoch_0010_piece_1.mid`` and a picture of it (with matplotlib, extra ``plot``) for each primer, the primer
    included. Every time with the same draws, so that what differs is the model.

    Args:
        primers: what to go on from, all of one length.
        frames: how many to write.
        folder: where to.
        every: epochs between two samples; the last of a run is always sampled.
        sampler: how to choose frames.
        seed: of the draws.
        onsets: as :func:`~pianoroll_seq2seq.sampling.generate` has it, for a model of windows with onsets.
        condition: as ``generate`` has it for a list of primers: what a model that hears conditions is told.
        picture: whether to draw, too.

    Raises:
        SettingsError: no primers, or a number below 1.

    Example:
        Music of every tenth epoch: ::

            sample = SampleMusic([primer], frames=64, folder=Path("samples"), every=10)
            fit(model, train, epochs=100, batch_size=32, on_epoch=[sample])
    """

    primers: Sequence[PianoRoll]
    frames: int
    folder: Path
    every: int = 1
    sampler: Sampler = field(default_factory=Draw)
    seed: int = 0
    onsets: bool = False
    condition: np.ndarray | Sequence[np.ndarray] | None = None
    picture: bool = True

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if not self.primers or min(self.frames, self.every) < 1:
            raise SettingsError(
                f"SampleMusic needs primers, and frames and every of at least 1: {len(self.primers)} primers, "
                f"{self.frames}, {self.every}."
            )

    def __call__(self, told: EpochEnd) -> None:
        """Samples if it is time. Samples of an epoch that is gone through again are replaced."""
        epoch = told.history.epochs[-1].epoch
        if epoch % self.every and told.history.stopped_by is None:
            return
        written = generate(
            told.model,
            list(self.primers),
            frames=self.frames,
            sampler=self.sampler,
            seed=self.seed,
            onsets=self.onsets,
            condition=self.condition,
        )
        for number, (primer, continuation) in enumerate(zip(self.primers, written, strict=True), start=1):
            path = Path(self.folder) / f"epoch_{epoch:04}_piece_{number}.mid"
            whole = primer + continuation
            whole.to_midi(path, overwrite=True)
            if self.picture:
                self._draw(whole, len(primer), path.with_suffix(".png"), epoch)

    def _draw(self, whole: PianoRoll, primer_frames: int, path: Path, epoch: int) -> None:
        from pianoroll_seq2seq.plot import plot_roll, save_figure

        axes = plot_roll(whole, primer_frames=primer_frames)
        axes.set_title(f"epoch {epoch}", loc="right")
        save_figure(axes, path, overwrite=True)


@dataclass
class StopAfter:
    """Ends training after the epoch in which a time is up; it counts from when the callback is made.

    Args:
        seconds: how long to train, about.

    Example:
        Ten minutes of training, whatever the number of epochs: ::

            fit(model, train, epochs=1000, batch_size=32, on_epoch=[StopAfter(seconds=600)])
    """

    seconds: float
    _begun: float = field(default_factory=time.monotonic, init=False)

    def __call__(self, told: EpochEnd) -> bool:
        """Whether the time is up, or would be during another epoch like this."""
        spent = time.monotonic() - self._begun
        return spent + told.history.epochs[-1].seconds > self.seconds
