"""What ``submit generate`` and ``submit fill`` share: the model, the files that go along, and the run."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pianoroll_seq2seq.cli.generate_options import FILES, Program, SamplerOptions, Velocity
from pianoroll_seq2seq.cli.recording import RecordOptions
from pianoroll_seq2seq.cli.submit_options import TRACKERS, JobOptions, Submitted, as_arguments
from pianoroll_seq2seq.errors import CheckpointNotFoundError, SettingsError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_FOLDER = "outputs/music"


@Parameter(name="*", group=FILES)
@dataclass(frozen=True)
class RunFileOptions:
    """The files that the run writes, and what it needs for them."""

    wav: Annotated[bool, Parameter(negative=())] = False
    """Write sound files too."""
    velocity: Velocity = None
    """Velocity of all notes, 1 to 127. By default those that the model writes, or 100 if it writes none."""
    program: Program = None
    """General MIDI program of all parts but drums, 0 to 127; those of the model's parts by default."""
    soundfont: Path | None = None
    """SoundFont (.sf2) to play with. It is sent with the run."""
    store: Annotated[str | None, Parameter(metavar="ADDRESS")] = None
    """Folder in Azure Storage for copies of the files, https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER. The run
    gets a folder of its own in it. The identity of the cluster needs access to it."""
    classes: Annotated[list[str] | None, Parameter(metavar="CLASS...")] = None
    """Import paths of your own model and head classes, such as my_module.MyModel. Send them with --send."""

    def __post_init__(self) -> None:
        """Validates the address of the store."""
        RecordOptions(store=self.store)


@contextmanager
def naming_addresses() -> Iterator[None]:
    """Adds to the error of a model that is not on this machine which addresses there are."""
    try:
        yield
    except CheckpointNotFoundError as error:
        raise CheckpointNotFoundError(
            f"{error} A registered model is azureml:NAME:VERSION, an earlier run azureml://jobs/RUN."
        ) from error


def check_music(piece: Path | None, sampling: SamplerOptions) -> None:
    """Checks what can be checked without the model.

    Args:
        piece: the file that goes along.
        sampling: how frames are chosen.

    Raises:
        SettingsError: an unknown scale, or a threshold out of range.
        MidiError: a piece that cannot be read.
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
    if piece is not None:
        read_midi(midi_bytes_of(piece, DEFAULT_LIMITS)[0])


@dataclass(frozen=True)
class SentMusic:
    """A command that writes music with a trained model, to be sent."""

    command: str
    """``generate`` or ``fill``."""
    model: str
    job: JobOptions
    files: RunFileOptions

    def submit(
        self, *options: "DataclassInstance", piece: Path | None, option: str | None = None, **changes: Any
    ) -> Submitted:
        """Sends the command with its options, the model unless it is an address, and a piece.

        Args:
            *options: the options of the command.
            piece: a file that goes along.
            option: the option for the piece; it is the argument without a name by default.
            **changes: other values for some options.

        Raises:
            SettingsError: a file that does not exist, or no such model in the workspace.
            MissingExtraError: the client is not installed.
        """
        from pianoroll_seq2seq.backends.azureml import open_workspace, submit
        from pianoroll_seq2seq.backends.azureml.model_addresses import find_model, is_model_address

        job, files = self.job, self.files
        workspace = open_workspace(sdk=job.sdk)
        is_address = is_model_address(self.model)
        data = {"--model": find_model(self.model, workspace=workspace, sdk=job.sdk)} if is_address else {}
        records = RecordOptions(metrics=Path(_FOLDER, "metrics.json"), store=files.store)
        endings = (".mid", ".png", *((".wav",) if files.wav else ()))
        script = f"{self.command}.py"
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            job.gather(folder, script, f'"{self.command}"')
            sent = _send(folder, piece, "inputs")
            if option is not None:
                changes[option] = sent
            soundfont = _send(folder, files.soundfont, "inputs")
            arguments = [
                *([sent] if option is None and sent is not None else []),
                *([] if is_address else ["--model", _send_model(folder, self.model)]),
                *as_arguments(*options, records, **changes),
                *as_arguments(files, wav=None, store=None, soundfont=soundfont),
                *("--output", *(f"{_FOLDER}/piece{ending}" for ending in endings)),
                *("--overwrite", "--tracker", TRACKERS[job.sdk]),
            ]
            submission = submit(
                script,
                arguments,
                workspace=workspace,
                experiment=job.experiment,
                compute=job.compute,
                source_directory=folder,
                data=data,
                gpu=job.gpu,
                tags={"model": next(iter(data.values())).uri if data else self.model},
                sdk=job.sdk,
            )
        return Submitted.of(submission, wait=job.wait)


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
