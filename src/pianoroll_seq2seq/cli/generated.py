"""What ``generate`` and ``fill`` share: the model, the sampler, and the pieces that are written."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pianoroll_seq2seq.cli.generate_options import FileOptions, SamplerOptions, SamplingOptions
from pianoroll_seq2seq.cli.recording import trained_epoch
from pianoroll_seq2seq.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np

    from pianoroll_seq2seq.pianoroll import PianoRoll
    from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
    from pianoroll_seq2seq.sampling import Sampler


@dataclass(frozen=True)
class GeneratedPiece:
    """A piece that was written."""

    files: tuple[str, ...]
    seconds: float
    """Length, with the primer if it is in the piece."""
    num_frames: int
    num_notes: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Metrics of the new music, without those that are undefined for it."""


@dataclass(frozen=True)
class Generated:
    """The pieces that were written."""

    model: str
    seed: int
    pieces: tuple[GeneratedPiece, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The mean of each metric over the pieces."""
    trained: Mapping[str, float] = field(default_factory=dict)
    """The number, the step and the losses of the best epoch of the model's training, if its file has them."""

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        """One line for each file."""
        return "\n".join(
            f"{file}: {piece.seconds:.1f} s, {piece.num_notes} notes ({self.model}, seed {self.seed})"
            for piece in self.pieces
            for file in piece.files
        )


def open_trained(model: str, classes: Sequence[type]) -> tuple["TrainedModel", dict[str, float]]:
    """The model, and the best epoch of its training."""
    from pianoroll_seq2seq.backends.azureml.model_addresses import fetch_model, is_model_address
    from pianoroll_seq2seq.pretrained.opening import open_model
    from pianoroll_seq2seq.train.run_files import BEST

    if is_model_address(model):
        with tempfile.TemporaryDirectory() as folder:
            path = fetch_model(model, folder)
            trained, epoch = open_model(path, classes=classes), trained_epoch(path)
        return replace(trained, name=model), epoch
    path = Path(model)
    return open_model(model, classes=classes), trained_epoch(path / BEST if path.is_dir() else path)


def numbered(output: Sequence[Path], count: int) -> list[list[Path]]:
    """The files of each piece."""
    if count == 1:
        return [list(output)]
    return [[path.with_stem(f"{path.stem}-{number}") for path in output] for number in range(1, count + 1)]


def sampler_of(options: SamplerOptions, trained: "TrainedModel") -> "Sampler":
    """The sampler.

    Raises:
        SettingsError: an unknown scale, a threshold out of range, or parallels of a model of one part.
    """
    from pianoroll_seq2seq.cli.scales import pitch_classes_of
    from pianoroll_seq2seq.sampling import Draw, ParallelControl, ScaleConstrained, Threshold, TopP

    sampler: Sampler = Draw(options.temperature) if options.threshold is None else Threshold(options.threshold)
    if options.top_p is not None:
        sampler = TopP(options.top_p, temperature=options.temperature)
    if options.parallels is not None:
        if len(trained.layout.parts) < 2:
            raise SettingsError(
                f"--parallels {options.parallels}: the model {trained.name} writes one part. Leave it out."
            )
        sampler = ParallelControl(trained.layout, sampler, options.parallels)
    if options.scale is None:
        return sampler
    return ScaleConstrained(sampler, pitch_classes_of(options.scale), trained.layout)


def condition_of(options: SamplerOptions, trained: "TrainedModel") -> "np.ndarray | None":
    """The condition as numbers, if there is one.

    Raises:
        SettingsError: an unknown scale, other numbers than the model's, or a model that takes none.
    """
    if not options.condition:
        return None
    import numpy as np

    from pianoroll_seq2seq.cli.scales import pitch_classes_of
    from pianoroll_seq2seq.data.conditions import pitch_class_vector
    from pianoroll_seq2seq.models.contract import source_of

    try:
        numbers = np.array([float(text) for text in options.condition], dtype=np.float32)
    except ValueError:
        numbers = pitch_class_vector(pitch_classes_of(" ".join(options.condition)))
    if not trained.condition_size:
        raise SettingsError(f"--condition: the model {trained.name} takes no condition. Leave it out.")
    if source_of(trained.model) is not None:
        raise SettingsError(
            f"--condition: the model {trained.name} computes its conditions from the piece, such as where bars begin. "
            f"Leave it out. --scale keeps to a scale."
        )
    if len(numbers) != trained.condition_size or not np.isfinite(numbers).all():
        raise SettingsError(
            f"--condition: the model {trained.name} expects {trained.condition_size} finite numbers, got "
            f"{numbers.tolist()}."
        )
    return numbers


def conditions_of(
    options: SamplingOptions, trained: "TrainedModel", roll: "PianoRoll", *, begin: int = 0
) -> "list[np.ndarray] | None":
    """The condition of each piece, if one is given: one for all frames, or the ends of phrases.

    Args:
        options: the options.
        trained: the model.
        roll: the piece, with all frames that are to be written.
        begin: the frame at which the files begin, whose bars and beats count.

    Raises:
        SettingsError: as :func:`condition_of`; or ends of phrases that the piece does not have, or that the model does
            not read.
    """
    from pianoroll_seq2seq.data.condition_sources import phrase_end_frames
    from pianoroll_seq2seq.models.contract import source_of

    bars, beats = map(options.phrase_end_numbers, ("phrase_ends", "phrase_end_beats"))
    if bars is None and beats is None:
        condition = condition_of(options, trained)
        return None if condition is None else [condition] * options.count
    option = "--phrase-ends" if beats is None else "--phrase-end-beats"
    source = source_of(trained.model)
    if source is None or not source.optional_columns.any():
        raise SettingsError(f"{option}: the model {trained.name} does not read where phrases end. Leave it out.")
    try:
        ends = begin + phrase_end_frames(roll[begin:], beats=beats, bars=None if bars is None else list(map(int, bars)))
    except SettingsError as error:
        raise SettingsError(f"{option}: {error}") from error
    return [source(roll, phrase_ends=ends)] * options.count


def write_piece(
    piece: "PianoRoll", new: "PianoRoll", paths: Sequence[Path], files: FileOptions, *, primer_frames: int = 0
) -> GeneratedPiece:
    """Writes the files of one piece.

    Args:
        piece: the whole piece.
        new: what the model wrote, for the metrics.
        paths: the files.
        files: how they are written.
        primer_frames: frames of the primer at the beginning, which a picture marks.
    """
    from pianoroll_seq2seq.cli.music_files import write_music
    from pianoroll_seq2seq.evaluation.music_metrics import mean_metrics

    for path in paths:
        write_music(
            piece,
            path,
            primer_frames=primer_frames,
            velocity=files.velocity,
            program=files.program,
            soundfont=files.soundfont,
            overwrite=files.overwrite,
        )
    num_notes = len(piece.notes().pitch)
    return GeneratedPiece(tuple(map(str, paths)), round(piece.seconds, 3), len(piece), num_notes, mean_metrics([new]))
