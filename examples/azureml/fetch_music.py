"""Fetches the music, pictures, scores and models that submitted runs have made.

    python examples/azureml/fetch_music.py                        # of all runs, into runs/azureml/
    python examples/azureml/fetch_music.py --register scale-chords   # and registers each model in the workspace

What was fetched before is not fetched again.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from records import Record, read_record, submissions

from pianoroll_seq2seq.backends.azureml import open_workspace, register_checkpoint
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.train import run_files

MADE = "outputs/scale_chords/"  # as submit_epochs.py has it


def fetch(record: Record, workspace: Any, folder: Path, *, register: str | None = None) -> list[Path]:
    """Fetches what the runs have made, each into a folder of its own; returns the music."""
    music = []
    for epochs, run in submissions(record, workspace):
        place = folder / f"epochs-{epochs}"
        files = run.fetch(place, prefix=MADE)
        print(f"{epochs} epochs: {len(files)} files in {place}")
        music += [path for path in files if path.name == run_files.GENERATED]
        if register is not None and (place / run_files.BEST).exists():
            scores = json.loads((place / run_files.SCORES).read_text(encoding="utf-8"))["test"]["model"]["all"]
            model = register_checkpoint(
                place / run_files.BEST,
                workspace=workspace,
                name=register,
                metrics={"test_nats": scores["nats"], "test_f1": scores["f1"]},
                tags={"epochs": epochs, "run": run.id},
                sdk=record.sdk,
            )
            print(f"registered as {model.name}, version {model.version}")
    return music


def main(arguments: list[str] | None = None) -> int:
    """The command; a user's mistake is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/azureml"), help="where it all goes (%(default)s)")
    parser.add_argument("--register", metavar="NAME", help="also register the models under a name")
    given = parser.parse_args(arguments)
    try:
        record = read_record(given.output)
        music = fetch(record, open_workspace(sdk=record.sdk), given.output, register=given.register)
    except PianoRollSeq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path in music:
        print(f"Listen to {path}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
