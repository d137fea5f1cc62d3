"""``submit fill``: writes what is not given of a piece on Azure Machine Learning."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pianoroll_seq2seq.cli.class_options import find_classes
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.fill import check_fill
from pianoroll_seq2seq.cli.fill_options import GivenOptions, PieceOptions
from pianoroll_seq2seq.cli.generate_options import SamplingOptions
from pianoroll_seq2seq.cli.options import BASIC
from pianoroll_seq2seq.cli.submit_music import RunFileOptions, SentMusic, check_music, naming_addresses
from pianoroll_seq2seq.cli.submit_options import JobOptions, Submitted


def fill(
    source: Annotated[Path, Parameter(name="SOURCE")],
    /,
    *,
    model: Annotated[str, Parameter(group=BASIC, metavar="MODEL")] = "bach-chorales",
    job: JobOptions,
    what: GivenOptions = GivenOptions(),
    piece: PieceOptions = PieceOptions(),
    sampling: SamplingOptions = SamplingOptions(),
    files: RunFileOptions = RunFileOptions(),
) -> Submitted:
    """Writes what is not given of a piece, on Azure Machine Learning.

    The workspace is the one that config.json in this folder names. The run does there what fill does here. Its
    music, pictures and metrics are in outputs/music; the metrics of the music are logged beside the losses of the
    model.

    Args:
        source: A MIDI or MusicXML file: the piece, or with --harmonize a melody. It is sent with the run.
        model: Model: an address as submit generate takes it, or any model that fill opens here, which is sent with the
            run.
        job: where the run is sent.
        what: what is given, and what is written.
        piece: how the piece is read.
        sampling: how frames are chosen.
        files: the files that the run writes.

    Raises:
        SettingsError: options that would fail in the run, or no such model in the workspace.
        MidiError: a piece that cannot be read.
        CheckpointError: no checkpoint at the address.
        MissingExtraError: the client is not installed.
    """
    from pianoroll_seq2seq.backends.azureml.model_addresses import is_model_address, parse_model_address

    what.expression()
    if is_model_address(model):
        parse_model_address(model)
        check_music(source, sampling)
    else:
        with naming_addresses():
            check_fill(source, model, what, piece, sampling, classes=find_classes(files.classes or ()))
    bars, vary = (
        "{}-{}".format(*value) if isinstance(value, tuple) else value for value in (what.bars, what.vary)
    )  # as they are typed
    return SentMusic("fill", model, job, files).submit(what, piece, sampling, piece=source, bars=bars, vary=vary)


FILL = Command(
    fill,
    examples="""
    pianoroll-seq2seq submit fill melody.mid --harmonize --compute cpu-cluster --count 8
    pianoroll-seq2seq submit fill piece.mid --bars 5-8 --model azureml:chorales:2 --compute cpu-cluster --wav --wait
    """,
)
