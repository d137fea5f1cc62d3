"""Writes music with a trained model in a run of Azure Machine Learning, as ``score.py`` did in the 2017 article.

    python examples/azureml/generate_music.py --model azureml:scale-chords --submit-to cpu-cluster
    python examples/azureml/generate_music.py --model azureml://jobs/RUN --submit-to cpu-cluster --sdk v2
    python examples/azureml/generate_music.py --model runs/scale_chords/best.safetensors      # on this machine

With ``--submit-to`` the script sends itself, and runs there as it runs here. The music, pictures of it and its metrics
are in ``outputs/music``. The run logs the metrics, beside the losses of the model, and with ``--store`` it copies the
files to a container. ``pianoroll-seq2seq submit generate`` does the same, with more options; copy this script to change
what a run does.
"""

import argparse
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from commands import make_parser, run

from pianoroll_seq2seq import (
    AzureBlobStore,
    AzureMLTracker,
    Draw,
    MLflowTracker,
    NoTracker,
    PianoRoll,
    Tracker,
    open_model,
    push_folder,
)
from pianoroll_seq2seq.backends.azureml import fetch_model, find_model, open_workspace, submit
from pianoroll_seq2seq.display.plot import plot_roll, save_figure
from pianoroll_seq2seq.evaluation.music_metrics import mean_metrics

EXAMPLES = Path(__file__).resolve().parents[1]


def write_music(options: argparse.Namespace, folder: Path) -> list[PianoRoll]:
    """Writes pieces and their pictures into the folder, and returns the pieces."""
    trained = open_model(fetch_model(options.model))
    rolls = []
    for number in range(options.count):
        roll = trained.generate(
            beats=options.beats, sampler=Draw(options.temperature), seed=options.seed + number, progress=True
        )
        roll.to_midi(folder / f"piece-{number + 1}.mid", overwrite=True)
        save_figure(plot_roll(roll), folder / f"piece-{number + 1}.png", overwrite=True)
        rolls.append(roll)
    return rolls


def make_tracker() -> Tracker:
    """A tracker for the page of the run; outside Azure Machine Learning one that keeps nothing."""
    if "AZUREML_RUN_ID" not in os.environ:
        return NoTracker()
    return AzureMLTracker() if find_spec("azureml") and find_spec("azureml.core") else MLflowTracker()


def generate_all(options: argparse.Namespace) -> None:
    """Writes the music, logs its metrics, and copies the files to the container."""
    folder: Path = options.output
    folder.mkdir(parents=True, exist_ok=True)
    with make_tracker() as tracker:
        metrics = mean_metrics(write_music(options, folder), prefix="music_")
        (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        tracker.log_params({"model": options.model, "seed": options.seed, "temperature": options.temperature})
        tracker.log_metrics(metrics, step=0)
        for path in sorted(folder.glob("piece-*.png")):
            tracker.log_artifact(path)
    if options.store is not None:
        with AzureBlobStore.from_url(options.store) as store:
            store.create_container()
            push_folder(folder, store, os.environ.get("AZUREML_RUN_ID", ""))
    for name, value in metrics.items():
        print(f"{name:30} {value:.3f}")
    print(f"Listen to {folder / 'piece-1.mid'}.")


def submit_itself(options: argparse.Namespace) -> None:
    """Sends this script to the workspace of ``config.json``, to run there without ``--submit-to``."""
    workspace = open_workspace(sdk=options.sdk)
    arguments: list[str | int | float] = ["--count", options.count, "--beats", options.beats]
    arguments += ["--temperature", options.temperature, "--seed", options.seed]
    arguments += [] if options.store is None else ["--store", options.store]
    submission = submit(
        "azureml/generate_music.py",
        arguments,
        workspace=workspace,
        experiment=options.experiment,
        compute=options.submit_to,
        source_directory=EXAMPLES,
        data={"--model": find_model(options.model, workspace=workspace, sdk=options.sdk)},
        gpu=options.gpu,
        tags={"model": options.model},
        sdk=options.sdk,
    )
    print(f"submitted {submission.id}: {submission.url}")


def generate_or_submit(options: argparse.Namespace) -> None:
    """Generates here, or on the cluster of ``--submit-to``."""
    if options.submit_to:
        submit_itself(options)
    else:
        generate_all(options)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--model", required=True, help="address of the model, checkpoint, or folder with one")
    parser.add_argument("--count", type=int, default=8, help="number of pieces (%(default)s)")
    parser.add_argument("--beats", type=float, default=32, help="length of a piece (%(default)s)")
    parser.add_argument("--temperature", type=float, default=1.0, help="below 1 for safer music (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first piece (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("outputs/music"), help="folder of the music (%(default)s)")
    parser.add_argument("--store", help="https://ACCOUNT.blob.core.windows.net/CONTAINER, for copies of the files")
    parser.add_argument("--submit-to", metavar="CLUSTER", help="send this script to a cluster of the workspace")
    parser.add_argument("--gpu", action="store_true", help="the machines of the cluster have GPUs")
    parser.add_argument("--experiment", default="scale-chords", help="name of the experiment (%(default)s)")
    parser.add_argument("--sdk", choices=("v1", "v2"), default="v1", help="client that is installed (%(default)s)")
    return run(generate_or_submit, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
