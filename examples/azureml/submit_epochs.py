"""Submits runs of 10, 50 and 100 epochs to Azure Machine Learning, as in the 2017 article, and records their ids.

    python examples/azureml/submit_epochs.py --cluster gpu-cluster --gpu
    python examples/azureml/submit_epochs.py --cluster gpu-cluster --gpu --sdk v2   # with azure-ai-ml installed

The ids go to ``runs/azureml/runs.json``, which ``compare_runs.py`` and ``fetch_music.py`` read.
"""

import argparse
import sys
from pathlib import Path

from commands import make_parser, run
from records import open_record, write_record

from pianoroll_seq2seq.backends.azureml import StoredFolder, open_workspace, submit

EXAMPLES = Path(__file__).resolve().parents[1]


def submit_all(options: argparse.Namespace) -> None:
    """Submits a run for each number of epochs that has none in the record."""
    workspace = open_workspace(sdk=options.sdk)
    record = open_record(options.output, options.sdk)
    data = {}
    if options.midi_dir is not None:
        data["--midi-dir"] = StoredFolder.from_uri(options.midi_dir, access="download")
    for epochs in options.epochs:
        if str(epochs) in record.runs:
            print(f"{epochs} epochs: {record.runs[str(epochs)]} was submitted before")
            continue
        submission = submit(
            "train_scale_chords.py",
            ["--preset", options.preset, "--epochs", epochs, "--output", "outputs/scale_chords"],
            workspace=workspace,
            experiment=options.experiment,
            compute=options.cluster,
            source_directory=EXAMPLES,
            data=data,
            gpu=options.gpu,
            environment=options.environment,
            tags={"preset": options.preset, "epochs": str(epochs)},
            sdk=options.sdk,
        )
        record.runs[str(epochs)] = submission.id
        write_record(options.output, record)
        print(f"{epochs} epochs: {submission.id} {submission.url}")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command."""
    parser = make_parser(__doc__, output="runs.json")
    parser.add_argument("--cluster", default="gpu-cluster", help="name of the compute target (%(default)s)")
    parser.add_argument("--gpu", action="store_true", help="train on the GPUs of its machines")
    parser.add_argument("--epochs", type=int, nargs="+", default=[10, 50, 100], help="one run each (%(default)s)")
    parser.add_argument("--preset", default="azure-2017", help="preset of train_scale_chords.py (%(default)s)")
    parser.add_argument("--midi-dir", help="azureml://datastores/NAME/paths/PATH; default: the built-in pieces")
    parser.add_argument("--environment", type=Path, help="conda environment file; default: what is installed here")
    parser.add_argument("--experiment", default="scale-chords", help="name of the experiment (%(default)s)")
    parser.add_argument("--sdk", choices=("v1", "v2"), default="v1", help="client that is installed (%(default)s)")
    return run(submit_all, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
