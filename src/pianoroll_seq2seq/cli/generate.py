"""``generate``: writes music with a trained model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pianoroll_seq2seq.cli.class_options import find_classes
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.generate_options import FILES, FileOptions, PrimerOptions, SamplingOptions
from pianoroll_seq2seq.cli.generated import Generated, conditions_of, numbered, open_trained, sampler_of, write_piece
from pianoroll_seq2seq.cli.music_files import ENDINGS, check_outputs
from pianoroll_seq2seq.cli.options import BASIC, Count
from pianoroll_seq2seq.cli.recording import RECORDS, RecordOptions
from pianoroll_seq2seq.cli.train import TRACKER

if TYPE_CHECKING:
    import numpy as np

    from pianoroll_seq2seq.pianoroll import PianoRoll
    from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
    from pianoroll_seq2seq.trackers.base import Value


def generate(
    *,
    output: Annotated[list[Path], Parameter(group=BASIC)],
    model: Annotated[str | None, Parameter(group=BASIC, metavar="MODEL")] = None,
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
        output: Files to write: MIDI, MusicXML, sheet music, sound or a picture, by their endings.
        model: Model that comes with the library, folder of a run, checkpoint, hf://USER/NAME on the Hugging Face Hub,
            or address of one in Azure Storage. By default bach-chorales, which writes four voices; after a primer
            bach-chords, which reads music of any parts as one.
        primer: the beginning and the length.
        sampling: how frames are chosen.
        files: how the files are written.
        records: what is kept beside the files.
        tracker: Class of a tracker that logs the metrics and the files, such as MLflowTracker.
        classes: Import paths of your own model and head classes, such as my_module.MyModel.
        threads: CPU threads.
        **arguments: the arguments of the tracker.
    """
    paths_of_pieces = numbered(output, sampling.count)
    paths = [path for paths in paths_of_pieces for path in paths]
    check_outputs(paths, overwrite=files.overwrite)
    with records.open(paths, TRACKER.choose(tracker, arguments), overwrite=files.overwrite) as recorder:
        generated = _generate(
            paths_of_pieces,
            model or _default_model(primer),
            primer,
            sampling,
            files,
            classes=find_classes(classes or ()),
            threads=threads,
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
    trained, epoch = open_trained(model, classes)
    roll = _primer(trained, primer)
    num_frames = _num_frames(trained, primer, roll)
    continuations = continue_primers(
        trained.model,
        [roll] * sampling.count,
        num_frames=num_frames,
        sampler=sampler_of(sampling, trained),
        seed=sampling.seed,
        condition=_conditions(trained, primer, sampling, roll, num_frames),
        layout=trained.layout,
        progress=True,
    )
    kept = None if primer.primer is None or primer.only_new else roll
    name = roll.name or trained.name
    written = []
    for paths, continuation in zip(paths_of_pieces, continuations, strict=True):
        piece = (continuation if kept is None else kept + continuation).renamed(name)
        primer_frames = 0 if kept is None else len(kept)
        written.append(write_piece(piece, continuation, paths, files, primer_frames=primer_frames))
    return Generated(trained.name, sampling.seed, tuple(written), mean_metrics(continuations), epoch)


def _default_model(primer: PrimerOptions) -> str:
    """The shipped model that writes four voices, or the one that continues any music."""
    from pianoroll_seq2seq.pretrained.opening import DEFAULT_MODEL, READS_ANY

    return DEFAULT_MODEL if primer.primer is None else READS_ANY


def check_options(
    model: str, primer: PrimerOptions, sampling: SamplingOptions, *, classes: Sequence[type] = ()
) -> None:
    """Checks that a model of this machine can be opened and takes the options, without generating.

    Raises:
        CheckpointError: no such model.
        SettingsError: options that do not fit it.
        MidiError: a primer that cannot be read.
    """
    trained, _ = open_trained(model, classes)
    roll = _primer(trained, primer)
    sampler_of(sampling, trained)
    _conditions(trained, primer, sampling, roll, _num_frames(trained, primer, roll))


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


def _conditions(
    trained: "TrainedModel", options: PrimerOptions, sampling: SamplingOptions, primer: "PianoRoll", num_frames: int
) -> "list[np.ndarray] | None":
    """The condition of each piece; bars and beats are those of the files, with the primer or without."""
    from pianoroll_seq2seq.sampling.model_conditions import extended

    begin = len(primer) if options.primer is None or options.only_new else 0
    return conditions_of(sampling, trained, extended(primer, num_frames), begin=begin)


def _num_frames(trained: "TrainedModel", options: PrimerOptions, primer: "PianoRoll") -> int:
    """Frames to generate."""
    from pianoroll_seq2seq.grid import BeatGrid
    from pianoroll_seq2seq.sampling import Length

    default = Length(beats=64) if isinstance(trained.grid, BeatGrid) else Length(seconds=32)
    length = Length(options.num_frames, options.beats, options.seconds) or default
    return length.in_frames(trained.grid, primer.tempo, after=len(primer))


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
