"""``submit train``: trains what a configuration describes on Azure Machine Learning."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from cyclopts import Parameter

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.config_file import check_code, config_text, flat_options, read_config
from pianoroll_seq2seq.cli.options import BASIC, SETS, Count
from pianoroll_seq2seq.cli.submit_options import AZURE_ML, TRACKERS, JobOptions, Submitted
from pianoroll_seq2seq.cli.train import COMMAND as HERE
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.train.run_files import CONFIG

_SCRIPT = "train.py"


def train(
    config: Annotated[Path, Parameter(name="CONFIG")],
    /,
    *,
    job: JobOptions,
    data: Annotated[str | None, Parameter(group=BASIC)] = None,
    nodes: Annotated[Count, Parameter(group=AZURE_ML)] = 1,
    processes_per_node: Annotated[Count, Parameter(group=AZURE_ML)] = 1,
    classes: Annotated[list[str] | None, Parameter(group=AZURE_ML, metavar="CLASS...")] = None,
) -> Submitted:
    """Trains what a configuration describes on Azure Machine Learning.

    The workspace is the one that config.json in this folder names. The run does there what train --config does here.
    Its folder is outputs/run.

    Args:
        config: Configuration, as train --print-config prints it or a run keeps it.
        job: where the run is sent.
        data: Folder with the music in a datastore, azureml://datastores/NAME/paths/PATH. Not needed if the
            configuration names a data set.
        nodes: Number of machines.
        processes_per_node: Processes on each machine, one for each GPU.
        classes: Import paths of your own classes that the configuration names. Send them with --send.

    Raises:
        SettingsError: options that would fail in the run.
        MissingExtraError: the client is not installed.
    """
    from pianoroll_seq2seq.backends.azureml import StoredFolder, open_workspace, submit

    options = _options(config, data, job.sdk)
    check_code(flat_options(options), HERE.code_names, classes=classes or (), label=str(config))
    stored = {} if data is None else {"--data": StoredFolder.from_uri(data, access="download")}
    workspace = open_workspace(sdk=job.sdk)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        job.gather(folder, _SCRIPT, '"train", "--config", "config.yaml"')
        (folder / CONFIG).write_text(config_text(options), encoding="utf-8")
        submission = submit(
            _SCRIPT,
            ["--output", "outputs/run", *([] if not classes else ["--classes", *classes])],
            workspace=workspace,
            experiment=job.experiment,
            compute=job.compute,
            source_directory=folder,
            data=stored,
            nodes=nodes,
            processes_per_node=processes_per_node,
            gpu=job.gpu,
            sdk=job.sdk,
        )
    return Submitted.of(submission, wait=job.wait)


def _options(config: Path, data: str | None, sdk: str) -> dict[str, Any]:
    """The configuration to send: without options of this machine, and with a tracker that logs to the run's page."""
    options = read_config(config)
    named = options.get("data", SETS[0])
    if data is None and named not in SETS:
        raise SettingsError(
            f"{config} names data on this machine ({named}), which is not sent. Give --data "
            f"azureml://datastores/NAME/paths/PATH."
        )
    for key in ("output", "device", *(("data",) if data is not None else ())):
        options.pop(key, None)
    if not options.get("tracker"):
        options["tracker"] = {"class": TRACKERS[sdk]}
    return options


TRAIN = Command(
    train,
    examples="""
    pianoroll-seq2seq train --epochs 50 --print-config > run.yaml
    pianoroll-seq2seq submit train run.yaml --compute gpu-cluster --gpu
    pianoroll-seq2seq submit train run.yaml --compute cluster --data azureml://datastores/music/paths/midi
    """,
)
