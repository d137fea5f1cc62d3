"""Sends runs of 10, 50 and 100 epochs to Azure Machine Learning, as the 2017 article did, and notes their names.

    python examples/azureml/submit_epochs.py --cluster gpu-cluster --gpu
    python examples/azureml/submit_epochs.py --cluster gpu-cluster --gpu --sdk v2   # with azure-ai-ml installed

The names go to ``runs/azureml/runs.json``, where ``compare_runs.py`` and ``fetch_music.py`` look for them.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from records import Record, noted, write_record

from pianoroll_seq2seq.backends.azureml import StoredFolder, open_workspace, submit
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError

EXAMPLES = Path(__file__).resolve().parents[1]


def submit_all(given: argparse.Namespace, workspace: Any) -> Record:
    """Sends one run for each number of epochs that is not among those noted."""
    record = noted(given.output, given.sdk)
    data = {} if given.midi_dir is None else {"--midi-dir": StoredFolder.from_uri(given.midi_dir, access="download")}
    for epochs in given.epochs:
        if str(epochs) in record.runs:
            print(f"{epochs} epochs: {record.runs[str(epochs)]} was submitted before")
            continue
        arguments = ["--preset", given.preset, "--epochs", epochs, "--output", "outputs/scale_chords"]
        run = submit(
            "train_scale_chords.py",
            arguments,
            workspace=workspace,
            experiment=given.experiment,
            compute=given.cluster,
            source_directory=EXAMPLES,
            data=data,
            gpu=given.gpu,
            environment=given.environment,
            tags={"preset": given.preset, "epochs": str(epochs)},
            sdk=given.sdk,
        )
        record.runs[str(epochs)] = run.id
        write_record(given.output, record)
        print(f"{epochs} epochs: {run.id} {run.url}")
    return record


def main(arguments: list[str] | None = None) -> int:
    """The command; a user's mistake is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", default="gpu-cluster", help="the compute target's name (%(default)s)")
    parser.add_argument("--gpu", action="store_true", help="its machines have GPUs")
    parser.add_argument("--epochs", type=int, nargs="+", default=[10, 50, 100], help="(%(default)s)")
    parser.add_argument("--preset", default="azure-2017", help="of train_scale_chords.py (%(default)s)")
    parser.add_argument("--midi-dir", help="azureml://datastores/NAME/paths/PATH; the built-in pieces by default")
    parser.add_argument("--environment", type=Path, help="a conda environment file; what is installed here by default")
    parser.add_argument("--experiment", default="scale-chords", help="(%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/azureml"), help="where the names go (%(default)s)")
    parser.add_argument("--sdk", choices=("v1", "v2"), default="v1", help="the client that is installed (%(default)s)")
    given = parser.parse_args(arguments)
    try:
        submit_all(given, open_workspace(sdk=given.sdk))
    except PianoRollSeq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
