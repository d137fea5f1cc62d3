"""``submit generate``: writes music with a trained model on Azure Machine Learning."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from cyclopts import Parameter

from pianoroll_seq2seq.cli.class_options import find_classes
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.generate import check_options
from pianoroll_seq2seq.cli.generate_options import FILES, PrimerOptions, Program, SamplingOptions, Velocity
from pianoroll_seq2seq.cli.options import BASIC
from pianoroll_seq2seq.cli.recording import RecordOptions
from pianoroll_seq2seq.cli.submit_options import TRACKERS, JobOptions, Submitted, as_arguments
from pianoroll_seq2seq.errors import CheckpointNotFoundError, SettingsError

_SCRIPT = "generate.py"
_FOLDER = "outputs/music"


def generate(
    *,
    model: Annotated[str, Parameter(group=BASIC, metavar="MODEL")],
    job: JobOptions,
    primer: PrimerOptions = PrimerOptions(),
    sampling: SamplingOptions = SamplingOptions(),
    wav: Annotated[bool, Parameter(group=FILES, negative=())] = False,
    velocity: Annotated[Velocity, Parameter(group=FILES)] = None,
    program: Annotated[Program, Parameter(group=FILES)] = None,
    soundfont: Annotated[Path | None, Parameter(group=FILES)] = None,
    store: Annotated[str | None, Parameter(group=FILES, metavar="ADDRESS")] = None,
    classes: Annotated[list[str] | None, Parameter(group=FILES, metavar="CLASS...")] = None,
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
        wav: Write sound files too.
        velocity: Velocity of all notes, 1 to 127. By default those that the model writes, or 100 if it writes none.
        program: General MIDI program of all parts but drums, 0 to 127; those of the model's parts by default.
        soundfont: SoundFont (.sf2) to play with. It is sent with the run.
        store: Folder in Azure Storage for copies of the files, https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER.
            The run gets a folder of its own in it. The identity of the cluster needs access to it.
        classes: Import paths of your own model and head classes, such as my_module.MyModel. Send them with --send.

    Raises:
        SettingsError: options that would fail in the run, or no such model in the workspace.
        CheckpointError: no checkpoint at the address.
        MissingExtraError: the client is not installed.
    """
    from pianoroll_seq2seq.backends.azureml import open_workspace, submit
    from pianoroll_seq2seq.backends.azureml.model_addresses import find_model, is_model_address, parse_model_address

    records = RecordOptions(metrics=Path(_FOLDER, "metrics.json"), store=store)
    is_address = is_model_address(model)
    if is_address:
        parse_model_address(model)
        _check_options(primer, sampling)
    else:
        _check_model(model, primer, sampling, classes or ())
    workspace = open_workspace(sdk=job.sdk)
    data = {"--model": find_model(model, workspace=workspace, sdk=job.sdk)} if is_address else {}
    endings = (".mid", ".png", *((".wav",) if wav else ()))
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        job.gather(folder, _SCRIPT, '"generate"')
        sent_primer, sent_soundfont = (_send(folder, path, "inputs") for path in (primer.primer, soundfont))
        arguments = [
            *([] if is_address else ["--model", _send_model(folder, model)]),
            *as_arguments(primer, sampling, records, primer=sent_primer),
            *([] if velocity is None else ["--velocity", str(velocity)]),
            *([] if program is None else ["--program", str(program)]),
            *([] if sent_soundfont is None else ["--soundfont", sent_soundfont]),
            *([] if not classes else ["--classes", *classes]),
            *("--output", *(f"{_FOLDER}/piece{ending}" for ending in endings)),
            *("--overwrite", "--tracker", TRACKERS[job.sdk]),
        ]
        submission = submit(
            _SCRIPT,
            arguments,
            workspace=workspace,
            experiment=job.experiment,
            compute=job.compute,
            source_directory=folder,
            data=data,
            gpu=job.gpu,
            tags={"model": next(iter(data.values())).uri if data else model},
            sdk=job.sdk,
        )
    return Submitted.of(submission, wait=job.wait)


def _check_model(model: str, primer: PrimerOptions, sampling: SamplingOptions, classes: Sequence[str]) -> None:
    """Checks a model of this machine, and that it takes the options.

    Raises:
        CheckpointError: no such model.
        SettingsError: options that do not fit it.
    """
    try:
        check_options(model, primer, sampling, classes=find_classes(classes))
    except CheckpointNotFoundError as error:
        raise CheckpointNotFoundError(
            f"{error} A registered model is azureml:NAME:VERSION, an earlier run azureml://jobs/RUN."
        ) from error


def _check_options(primer: PrimerOptions, sampling: SamplingOptions) -> None:
    """Checks what can be checked without the model.

    Raises:
        SettingsError: an unknown scale, or a threshold out of range.
        MidiError: a primer that cannot be read.
    """
    from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
    from pianoroll_seq2seq.cli.scales import pitch_classes_of
    from pianoroll_seq2seq.midi_io.read import read_midi
    from pianoroll_seq2seq.musicxml import midi_bytes_of
    from pianoroll_seq2seq.sampling.samplers import Threshold

    if sampling.threshold is not None:
        Threshold(sampling.threshold)
    if sampling.scale is not None:
        pitch_classes_of(sampling.scale)
    if primer.primer is not None:
        read_midi(midi_bytes_of(primer.primer, DEFAULT_LIMITS)[0])


def _send(folder: Path, path: Path | None, place: str) -> str | None:
    """Copies a file or a folder into the folder to send; returns its path there.

    Raises:
        SettingsError: it does not exist.
    """
    if path is None:
        return None
    if not path.exists():
        raise SettingsError(f"{path}: no such file.")
    target = folder / place / path.resolve().name
    target.parent.mkdir(exist_ok=True)
    (shutil.copytree if path.is_dir() else shutil.copy2)(path, target)
    return target.relative_to(folder).as_posix()


def _send_model(folder: Path, model: str) -> str:
    """Copies a model of this machine into the folder to send; returns the name or path by which the run opens it."""
    from pianoroll_seq2seq.pretrained.hub import download, hub_name
    from pianoroll_seq2seq.pretrained.shipped import pretrained_names
    from pianoroll_seq2seq.train.run_files import BEST

    if model in pretrained_names():
        return model
    on_hub = hub_name(model)
    path = Path(model) if on_hub is None else download(on_hub)
    return str(_send(folder, path / BEST if (path / BEST).is_file() else path, "model"))


GENERATE = Command(
    generate,
    examples="""
    pianoroll-seq2seq submit generate --model azureml:scale-chords:2 --compute cpu-cluster --count 8 --beats 32
    pianoroll-seq2seq submit generate --model azureml://jobs/RUN --compute cpu-cluster --wav --wait
    pianoroll-seq2seq submit generate --model runs/mine --compute cpu-cluster --primer song.mid --sdk v2
    """,
)
