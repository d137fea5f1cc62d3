"""``submit generate``: writes music with a trained model on Azure Machine Learning."""

from typing import Annotated

from cyclopts import Parameter

from pianoroll_seq2seq.cli.class_options import find_classes
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.generate import check_options
from pianoroll_seq2seq.cli.generate_options import PrimerOptions, SamplingOptions
from pianoroll_seq2seq.cli.options import BASIC
from pianoroll_seq2seq.cli.submit_music import RunFileOptions, SentMusic, check_music, naming_addresses
from pianoroll_seq2seq.cli.submit_options import JobOptions, Submitted


def generate(
    *,
    model: Annotated[str, Parameter(group=BASIC, metavar="MODEL")],
    job: JobOptions,
    primer: PrimerOptions = PrimerOptions(),
    sampling: SamplingOptions = SamplingOptions(),
    files: RunFileOptions = RunFileOptions(),
) -> Submitted:
    """Writes music with a trained model on Azure Machine Learning.

    The workspace is the one that config.json in this folder names. The run does there what generate does here. Its
    music, pictures and metrics are in outputs/music; the metrics of the music are logged beside the losses of the
    model.

    MODEL is azureml:NAME:VERSION for a registered model (without the version, the latest), azureml://jobs/RUN for the
    best checkpoint of an earlier run, azureml://datastores/NAME/paths/PATH for a folder in a datastore,
    https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH for a checkpoint in Azure Storage, or any model that generate
    opens here, which is sent with the run.

    Args:
        model: Model: an address as above, a model that comes with the library, a run's folder, or a checkpoint.
        job: where the run is sent.
        primer: the beginning and the length. The primer is sent with the run.
        sampling: how frames are chosen.
        files: the files that the run writes.

    Raises:
        SettingsError: options that would fail in the run, or no such model in the workspace.
        CheckpointError: no checkpoint at the address.
        MissingExtraError: the client is not installed.
    """
    from pianoroll_seq2seq.backends.azureml.model_addresses import is_model_address, parse_model_address

    if is_model_address(model):
        parse_model_address(model)
        check_music(primer.primer, sampling)
    else:
        with naming_addresses():
            check_options(model, primer, sampling, classes=find_classes(files.classes or ()))
    music = SentMusic("generate", model, job, files)
    return music.submit(primer, sampling, piece=primer.primer, option="primer")


GENERATE = Command(
    generate,
    examples="""
    pianoroll-seq2seq submit generate --model azureml:scale-chords:2 --compute cpu-cluster --count 8 --beats 32
    pianoroll-seq2seq submit generate --model azureml://jobs/RUN --compute cpu-cluster --wav --wait
    pianoroll-seq2seq submit generate --model runs/mine --compute cpu-cluster --primer song.mid --sdk v2
    """,
)
