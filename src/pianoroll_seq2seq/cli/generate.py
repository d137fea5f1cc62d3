"""``generate``: writes music with a trained model."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pianoroll_seq2seq.cli.class_options import find_classes
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.generate_options import FILES, FileOptions, PrimerOptions, SamplingOptions
from pianoroll_seq2seq.cli.music_files import ENDINGS, check_outputs
from pianoroll_seq2seq.cli.options import BASIC, Count
from pianoroll_seq2seq.cli.recording import RECORDS, RecordOptions, trained_epoch
from pianoroll_seq2seq.cli.train import TRACKER
from pianoroll_seq2seq.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np

    from pianoroll_seq2seq.pianoroll import PianoRoll
    from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
    from pianoroll_seq2seq.sampling import Sampler
    from pianoroll_seq2seq.trackers.base import Value


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


def generate(
    *,
    output: Annotated[list[Path], Parameter(group=BASIC)],
    model: Annotated[str, Parameter(group=BASIC, metavar="MODEL")] = "bach-chorales",
    primer: PrimerOptions = PrimerOptions(),
    sampling: SamplingOptions = SamplingOptions(),
    files: FileOptions = FileOptions(),
    records: RecordOptions = RecordOptions(),
    tracker: Annotated[str | None, Parameter(group=RECORDS, metavar="CLASS")] = None,
    classes: Annotated[list[str] | None, Parameter(group=FILES, metavar="CLASS...")] = None,
    threads: Annotated[Count, Parameter(group=FILES)] = 1,
    **arguments: Any,
) -> Generated:
    """Writes music with a trained model, from silence or as the continuation of a MIDI or MusicXML file.

    Args:
        output: Files to write: MIDI, MusicXML, sound or a picture, by their endings.
        model: Model that comes with the library, folder of a run, checkpoint, hf://USER/NAME on the Hugging Face Hub,
            or address of one in Azure Storage.
        primer: the beginning and the length.
        sampling: how frames are chosen.
        files: how the files are written.
        records: what is kept beside the files.
        tracker: Class of a tracker that logs the metrics and the files, such as MLflowTracker.
        classes: Import paths of your own model and head classes, such as my_module.MyModel.
        threads: CPU threads.
        **arguments: the arguments of the tracker.
    """
    paths_of_pieces = _numbered(output, sampling.count)
    paths = [path for paths in paths_of_pieces for path in paths]
    check_outputs(paths, overwrite=files.overwrite)
    with records.open(paths, TRACKER.choose(tracker, arguments), overwrite=files.overwrite) as recorder:
        generated = _generate(
            paths_of_pieces, model, primer, sampling, files, classes=find_classes(classes or ()), threads=threads
        )
        params: dict[str, Value] = {"model": generated.model, "pieces": len(generated.pieces)}
        recorder.record(generated, {**params, "seed": sampling.seed, "temperature": sampling.temperature})
    return generated


def _generate(
    paths_of_pieces: Sequence[Sequence[Path]],
    model: str,
    primer: PrimerOptions,
    sampling: SamplingOptions,
    files: FileOptions,
    *,
    classes: Sequence[type],
    threads: int,
) -> Generated:
    """Generates and writes the pieces."""
    import torch

    from pianoroll_seq2seq.evaluation.music_metrics import mean_metrics
    from pianoroll_seq2seq.sampling import generate as continue_primers

    torch.set_num_threads(threads)
    trained, epoch = _open(model, classes)
    roll = _primer(trained, primer)
    condition = _condition(sampling, trained)
    continuations = continue_primers(
        trained.model,
        [roll] * sampling.count,
        num_frames=_num_frames(trained, primer, roll),
        sampler=_sampler(sampling, trained),
        seed=sampling.seed,
        condition=None if condition is None else [condition] * sampling.count,
        layout=trained.layout,
        progress=True,
    )
    kept = None if primer.primer is None or primer.only_new else roll
    name = roll.name or trained.name
    written = [
        _write(continuation, kept, paths, files, name)
        for paths, continuation in zip(paths_of_pieces, continuations, strict=True)
    ]
    return Generated(trained.name, sampling.seed, tuple(written), mean_metrics(continuations), epoch)


def check_options(
    model: str, primer: PrimerOptions, sampling: SamplingOptions, *, classes: Sequence[type] = ()
) -> None:
    """Checks that a model of this machine can be opened and takes the options, without generating.

    Raises:
        CheckpointError: no such model.
        SettingsError: options that do not fit it.
        MidiError: a primer that cannot be read.
    """
    trained, _ = _open(model, classes)
    _num_frames(trained, primer, _primer(trained, primer))
    _sampler(sampling, trained)
    _condition(sampling, trained)


def _open(model: str, classes: Sequence[type]) -> tuple["TrainedModel", dict[str, float]]:
    """The model, and the best epoch of its training."""
    from pianoroll_seq2seq.backends.azureml.model_addresses import fetch_model, is_model_address
    from pianoroll_seq2seq.pretrained.trained_model import open_model
    from pianoroll_seq2seq.train.run_files import BEST

    if is_model_address(model):
        with tempfile.TemporaryDirectory() as folder:
            path = fetch_model(model, folder)
            trained, epoch = open_model(path, classes=classes), trained_epoch(path)
        return replace(trained, name=model), epoch
    path = Path(model)
    return open_model(model, classes=classes), trained_epoch(path / BEST if path.is_dir() else path)


def _numbered(output: Sequence[Path], count: int) -> list[list[Path]]:
    """The files of each piece."""
    if count == 1:
        return [list(output)]
    return [[path.with_stem(f"{path.stem}-{number}") for path in output] for number in range(1, count + 1)]


def _primer(trained: "TrainedModel", options: PrimerOptions) -> "PianoRoll":
    """The primer, or silence about as long as a primer in training."""
    from pianoroll_seq2seq.pianoroll import PianoRoll
    from pianoroll_seq2seq.sampling import Length
    from pianoroll_seq2seq.tempo import TempoMap

    if options.primer is None:
        grid, tempo = trained.grid, TempoMap.from_bpm(options.bpm)
        return PianoRoll.silent(Length(beats=16).in_frames(grid, tempo), grid=grid, parts=trained.parts, tempo=tempo)
    return trained.read_primer(
        options.primer,
        beats=options.primer_beats,
        seconds=options.primer_seconds,
        num_frames=options.primer_frames,
        outside=options.outside,
        on_damage=options.on_damage,
    )


def _num_frames(trained: "TrainedModel", options: PrimerOptions, primer: "PianoRoll") -> int:
    """Frames to generate."""
    from pianoroll_seq2seq.grid import BeatGrid
    from pianoroll_seq2seq.sampling import Length

    default = Length(beats=64) if isinstance(trained.grid, BeatGrid) else Length(seconds=32)
    length = Length(options.num_frames, options.beats, options.seconds) or default
    return length.in_frames(trained.grid, primer.tempo, after=len(primer))


def _sampler(options: SamplingOptions, trained: "TrainedModel") -> "Sampler":
    from pianoroll_seq2seq.cli.scales import pitch_classes_of
    from pianoroll_seq2seq.sampling import Draw, ScaleConstrained, Threshold

    sampler: Sampler = Draw(options.temperature) if options.threshold is None else Threshold(options.threshold)
    if options.scale is None:
        return sampler
    return ScaleConstrained(sampler, pitch_classes_of(options.scale), trained.layout)


def _condition(options: SamplingOptions, trained: "TrainedModel") -> "np.ndarray | None":
    """The condition as numbers."""
    if not options.condition:
        return None
    import numpy as np

    from pianoroll_seq2seq.cli.scales import pitch_classes_of
    from pianoroll_seq2seq.data.conditions import pitch_class_vector

    try:
        numbers = np.array([float(text) for text in options.condition], dtype=np.float32)
    except ValueError:
        numbers = pitch_class_vector(pitch_classes_of(" ".join(options.condition)))
    if not trained.condition_size:
        raise SettingsError(f"--condition: the model {trained.name} takes no condition. Leave it out.")
    if len(numbers) != trained.condition_size or not np.isfinite(numbers).all():
        raise SettingsError(
            f"--condition: the model {trained.name} expects {trained.condition_size} finite numbers, got "
            f"{numbers.tolist()}."
        )
    return numbers


def _write(
    continuation: "PianoRoll", primer: "PianoRoll | None", paths: Sequence[Path], files: FileOptions, name: str
) -> GeneratedPiece:
    """Writes the files of one piece."""
    from pianoroll_seq2seq.cli.music_files import write_music
    from pianoroll_seq2seq.evaluation.music_metrics import mean_metrics

    piece = (continuation if primer is None else primer + continuation).renamed(name)
    for path in paths:
        write_music(
            piece,
            path,
            primer_frames=0 if primer is None else len(primer),
            velocity=files.velocity,
            program=files.program,
            soundfont=files.soundfont,
            overwrite=files.overwrite,
        )
    num_notes = len(piece.notes().pitch)
    metrics = mean_metrics([continuation])
    return GeneratedPiece(tuple(map(str, paths)), round(piece.seconds, 3), len(piece), num_notes, metrics)


COMMAND = Command(
    generate,
    examples=f"""
    pianoroll-seq2seq generate --output chorale.wav
    pianoroll-seq2seq generate --primer song.mid --primer-beats 16 --beats 64 --output more.mid more.wav more.png
    pianoroll-seq2seq generate --model runs/mine --temperature 0.9 --seed 7 --count 4 --output piece.mid
    (endings: {", ".join(ENDINGS)})
    """,
    class_options=(TRACKER,),
    keeps_result=True,
)
