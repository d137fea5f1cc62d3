"""Downloads the music, pictures, scores and models of submitted runs.

    python examples/azureml/fetch_music.py                        # of all runs, into runs/azureml/
    python examples/azureml/fetch_music.py --register scale-chords   # and registers each model in the workspace

Files that exist already are not downloaded again.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from commands import make_parser, run
from records import Record, read_record, submissions

from pianoroll_seq2seq.backends.azureml import open_workspace, register_checkpoint
from pianoroll_seq2seq.train import run_files

RUN_FOLDER = "outputs/scale_chords/"  # the --output that submit_epochs.py passes


def fetch(record: Record, workspace: Any, folder: Path, *, register: str | None = None) -> list[Path]:
    """Downloads the files of each run into a folder of its own; returns the paths of the music.

    Args:
        record: the submitted runs.
        workspace: where they were submitted.
        folder: gets a folder ``epochs-N`` for each run.
        register: name under which to register the models; None not to register them.
    """
    music = []
    for epochs, submission in submissions(record, workspace):
        target = folder / f"epochs-{epochs}"
        files = submission.fetch(target, prefix=RUN_FOLDER)
        print(f"{epochs} epochs: {len(files)} files in {target}")
        music += [path for path in files if path.name == run_files.GENERATED]
        if register is not None and (target / run_files.BEST).exists():
            scores = json.loads((target / run_files.SCORES).read_text(encoding="utf-8"))["test"]["model"]["all"]
            model = register_checkpoint(
                target / run_files.BEST,
                workspace=workspace,
                name=register,
                metrics={"test_nats": scores["nats"], "test_f1": scores["f1"]},
                tags={"epochs": epochs, "run": submission.id},
                sdk=record.sdk,
            )
            print(f"registered as {model.name}, version {model.version}")
    return music


def fetch_all(options: argparse.Namespace) -> None:
    """Downloads the files of the recorded runs, and prints where the music is."""
    record = read_record(options.output)
    for path in fetch(record, open_workspace(sdk=record.sdk), options.output, register=options.register):
        print(f"Listen to {path}.")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command."""
    parser = make_parser(__doc__, output="runs.json and of the downloaded files")
    parser.add_argument("--register", metavar="NAME", help="also register the models under this name")
    return run(fetch_all, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
