"""Callbacks for the ``on_epoch`` of ``fit``.

A callback is any function of one argument, an :class:`~pianoroll_seq2seq.train.EpochEnd` or (for ``on_step``) a
:class:`~pianoroll_seq2seq.train.StepEnd`. Training stops if it returns True.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pianoroll_seq2seq._internal.display_hook import save_picture
from pianoroll_seq2seq._internal.reports import Reports
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling import Draw, Sampler, generate
from pianoroll_seq2seq.trackers.base import log_media
from pianoroll_seq2seq.train.events import EpochEnd


@dataclass(frozen=True)
class SampleMusic:
    """Continues primers every few epochs, so that one can listen to the progress of training.

    Writes ``epoch_0010_piece_1.mid`` for each primer, the primer included, and a picture of it (with matplotlib, extra
    ``plot``), and logs them to the tracker of the run, which shows and plays them if it can. The seed is the same each
    time, so that only the model differs. A full disk causes a warning.

    Args:
        primers: what to continue, all of one length and in the layout of the model.
        num_frames: how many frames to generate.
        folder: where to write.
        every: epochs between two samples; there is always one after the last epoch.
        sampler: how to choose frames.
        seed: of the sampler.
        condition: as in :func:`~pianoroll_seq2seq.sampling.generate` with a list of primers, for a conditional model.
        picture: whether to draw pictures.
        sound: whether to write sound (WAV).
        metrics: figures of the new music of all primers by their names, which are logged beside the losses, such as
            ``partial(mean_metrics, prefix="music_")``.

    Raises:
        SettingsError: no primers, or a number below 1.

    Example:
        Music of every tenth epoch: ::

            sample = SampleMusic([primer], num_frames=64, folder=Path("samples"), every=10)
            fit(model, train, epochs=100, batch_size=32, on_epoch=[sample])
    """

    primers: Sequence[PianoRoll]
    num_frames: int
    folder: Path
    every: int = 1
    sampler: Sampler = field(default_factory=Draw)
    seed: int = 0
    condition: np.ndarray | Sequence[np.ndarray] | None = None
    picture: bool = True
    sound: bool = False
    metrics: Callable[[Sequence[PianoRoll]], Mapping[str, float]] | None = None
    _reports: Reports = field(default_factory=Reports, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Validates the arguments."""
        if not self.primers or min(self.num_frames, self.every) < 1:
            raise SettingsError(
                f"SampleMusic needs at least one primer, and num_frames and every of at least 1, got "
                f"{len(self.primers)} primers, num_frames={self.num_frames} and every={self.every}."
            )

    def __call__(self, event: EpochEnd) -> None:
        """Writes samples after every few epochs. Files of the same epoch are replaced."""
        epoch = event.history.epochs[-1].epoch
        if epoch % self.every and event.history.stopped_by is None:
            return
        generated = generate(
            event.model,
            list(self.primers),
            num_frames=self.num_frames,
            sampler=self.sampler,
            seed=self.seed,
            condition=self.condition,
        )
        step = event.history.epochs[-1].step
        if self.metrics is not None:
            event.tracker.log_metrics(self.metrics(generated), step=step)
        for number, (primer, continuation) in enumerate(zip(self.primers, generated, strict=True), start=1):
            path = Path(self.folder) / f"epoch_{epoch:04}_piece_{number}.mid"
            roll = primer + continuation
            try:
                files = self._write(roll, path, primer_frames=len(primer), title=f"epoch {epoch}")
            except OSError as error:  # such as a full disk
                self._reports.warn(f"{self.folder}: the samples cannot be written; training goes on", str(error))
                return
            for file in files:
                log_media(event.tracker, f"piece_{number}", file, step=step)

    def _write(self, roll: PianoRoll, path: Path, *, primer_frames: int, title: str) -> list[Path]:
        """Writes the files of one piece."""
        roll.to_midi(path, overwrite=True)
        paths, picture, sound = [path], path.with_suffix(".png"), path.with_suffix(".wav")
        if self.picture:
            save_picture(roll, picture, primer_frames=primer_frames, title=title)
            paths.append(picture)
        if self.sound:
            paths.append(roll.to_audio().save(sound, overwrite=True))
        return paths


@dataclass
class StopAfter:
    """Stops training after a time, counted from the creation of this object.

    Args:
        seconds: how long to train, approximately.

    Example:
        Ten minutes of training, whatever the number of epochs: ::

            fit(model, train, epochs=1000, batch_size=32, on_epoch=[StopAfter(seconds=600)])
    """

    seconds: float
    _begun: float = field(default_factory=time.monotonic, init=False)

    def __call__(self, event: EpochEnd) -> bool:
        """Whether another epoch as long as this one would exceed the time."""
        spent = time.monotonic() - self._begun
        return spent + event.history.epochs[-1].seconds > self.seconds
