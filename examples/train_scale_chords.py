"""Trains a sequence-to-sequence LSTM on scales and chords, and lets it go on from music it has never heard.

    python examples/train_scale_chords.py                          # the built-in pieces, about two minutes
    python examples/train_scale_chords.py --midi-dir my_midi       # any folder of MIDI files
    python examples/train_scale_chords.py --preset azure-2017      # the configuration of the 2017 article
    torchrun --standalone --nproc-per-node=2 examples/train_scale_chords.py   # in two processes, or on two GPUs
    python examples/train_scale_chords.py --compute azureml --cluster gpu-cluster --gpu   # on Azure ML

Everything it makes lies in one folder (``--output``): the music, pictures of it and of the losses, the
scores, the history and the checkpoints. Run again with the same arguments, it goes on where it stopped.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from pianoroll_seq2seq import (
    AzureMLTracker,
    BeatGrid,
    Draw,
    Evaluation,
    FanOut,
    FrameGrid,
    History,
    JsonlTracker,
    MLflowTracker,
    NoTracker,
    PianoRoll,
    PitchRange,
    RelativeBernoulliHead,
    Sampler,
    SecondsGrid,
    Seq2SeqLSTM,
    SlidingWindows,
    Threshold,
    Tracker,
    cosine_schedule,
    drop_duplicates,
    evaluate,
    fit,
    generate,
    join_processes,
    pitch_class_set,
    read_folder,
    split_by_piece,
)
from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.backends.azureml import StoredFolder, Submission, open_workspace, submit
from pianoroll_seq2seq.datasets.scale_chords import write_scale_chords
from pianoroll_seq2seq.errors import OverwriteError, PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.evaluation import Continuation
from pianoroll_seq2seq.plot import plot_histories, plot_roll, save_figure
from pianoroll_seq2seq.report import report_run
from pianoroll_seq2seq.splitting import Split
from pianoroll_seq2seq.train import Precision, Schedule


@dataclass(frozen=True)
class Recipe:
    """All that a run is made of; ``dataclasses.replace`` makes a variant."""

    grid: FrameGrid
    pitches: PitchRange | None
    """None takes the range of the notes that are there, so that the model cannot wander out of it."""
    outside: Literal["error", "drop"]
    input_frames: int
    target_frames: int
    hop: int
    build: Callable[[int, int], Seq2SeqLSTM]
    """From the number of pitches and of target frames."""
    optimizer: Callable[[Seq2SeqLSTM], torch.optim.Optimizer]
    schedule: Schedule | None
    batch_size: int
    epochs: int
    patience: int | None
    min_delta: float
    monitor: Literal["auto", "train_loss"]
    sampler: Sampler
    primer_frames: int
    continuation_frames: int


def default_recipe() -> Recipe:
    """Eighths, a decoder that hears what it has written, and a head that thinks in intervals: better music."""
    return Recipe(
        grid=BeatGrid(frames_per_beat=2),
        pitches=None,
        outside="error",
        input_frames=32,  # 16 beats
        target_frames=32,
        hop=8,
        build=lambda pitches, _: Seq2SeqLSTM(
            pitches,
            hidden=96,
            dropout=0.2,
            frame_noise=0.003,
            head=RelativeBernoulliHead(96, pitches, frames=3),
        ),
        optimizer=lambda model: torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01, fused=True),
        schedule=cosine_schedule(),
        batch_size=32,
        epochs=20,
        patience=None,
        min_delta=0.0,
        monitor="auto",
        sampler=Draw(),
        primer_frames=2 * 16,
        continuation_frames=2 * 64,  # 64 beats
    )


def azure_2017_recipe() -> Recipe:
    """The 2017 article's: 50 frames of 20 ms in, the 50 that follow out, all at once."""
    return Recipe(
        grid=SecondsGrid(0.02),
        pitches=PitchRange(33, 81),
        outside="drop",  # as the sample did with the few notes above
        input_frames=50,
        target_frames=50,
        hop=50,
        build=lambda pitches, frames: Seq2SeqLSTM(
            pitches,
            hidden=64,
            dropout=0.3,
            decoder="parallel",
            block_frames=frames,
            batch_norm=True,
        ),
        optimizer=lambda model: torch.optim.Adam(model.parameters(), lr=1e-3, fused=True),
        schedule=None,
        batch_size=64,
        epochs=100,
        patience=10,
        min_delta=0.01,
        monitor="train_loss",
        sampler=Threshold(0.1),
        primer_frames=50,
        continuation_frames=32 * 50,  # 32 seconds: 64 beats at 120 BPM
    )


PRESETS = {"default": default_recipe, "azure-2017": azure_2017_recipe}


@dataclass(frozen=True)
class Run:
    """What a run gave."""

    history: History
    scores: Evaluation
    continuation: Continuation
    folder: Path


@dataclass(frozen=True)
class Trained:
    """A trained model, how it was trained, and the windows to test it on."""

    model: Seq2SeqLSTM
    history: History
    test: SlidingWindows


def read_pieces(recipe: Recipe, midi_dir: Path, *, seed: int) -> Split:
    """The pieces of a folder, without duplicates, dealt to training, validation and test."""
    pitches = recipe.pitches or PitchRange(0, 127)
    rolls, failures = read_folder(midi_dir, grid=recipe.grid, pitches=pitches, outside=recipe.outside, progress=True)
    if recipe.pitches is None:
        lows, highs = zip(*(roll.sounding_range() for roll in rolls), strict=True)
        rolls = [roll.with_pitches(PitchRange(min(lows), max(highs))) for roll in rolls]
    distinct, duplicates = drop_duplicates(rolls)
    left_out = sum(map(len, duplicates.values()))
    say(f"{len(rolls)} pieces, {len(distinct)} distinct ({left_out} duplicates left out)")
    for path, reason in failures.items():
        say(f"  not used: {path}: {reason}")
    # Relatives stay together: the modes of one scale are made of the same notes.
    scales = all(Path(roll.name).name.startswith("scale_") for roll in distinct)
    group: Callable[[PianoRoll], Hashable] | None = pitch_class_set if scales else None
    split = split_by_piece(distinct, valid=0.1, test=0.1, seed=seed, group=group)
    say(f"training on {len(split.train)} pieces, choosing on {len(split.valid)}, testing on {len(split.test)}")
    if scales:
        held_out = sorted({pitch_class_set(roll) for roll in split.test}, key=sorted)
        say(f"no scale stands in two of them; {len(held_out)} are kept for the test")
    return split


def train(
    recipe: Recipe,
    split: Split,
    folder: Path,
    *,
    seed: int,
    device: str | torch.device,
    precision: Precision = "auto",
    tracker: Tracker = NoTracker(),
) -> Trained:
    """Fits the recipe's model."""
    windows = [
        SlidingWindows(
            rolls,
            input_frames=recipe.input_frames,
            target_frames=recipe.target_frames,
            hop=recipe.hop,
            short="skip",
        )
        for rolls in split
    ]
    torch.manual_seed(seed)
    model = recipe.build(len(windows[0].pitches), recipe.target_frames).to(device)
    history = fit(
        model,
        windows[0],
        windows[1],
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        optimizer=recipe.optimizer(model),
        schedule=recipe.schedule,
        patience=recipe.patience,
        min_delta=recipe.min_delta,
        monitor=recipe.monitor,
        precision=precision,
        tracker=tracker,
        checkpoint_dir=folder,
        seed=seed,
    )
    return Trained(model, history, windows[2])


def make_music(recipe: Recipe, model: Seq2SeqLSTM, split: Split, folder: Path, *, seed: int) -> Continuation:
    """Continues the beginning of the longest test piece; writes the music and its picture."""
    piece = max(split.test, key=len)
    primer = piece[: recipe.primer_frames]
    continuation = generate(
        model, primer, frames=recipe.continuation_frames, sampler=recipe.sampler, seed=seed, progress=True
    )
    whole = (primer + continuation).renamed(f"{piece.name} continued")
    primer.to_midi(folder / "primer.mid", overwrite=True)
    whole.to_midi(folder / "generated.mid", overwrite=True)
    whole.to_wav(folder / "generated.wav", overwrite=True)
    axes = plot_roll(whole, primer_frames=len(primer))
    axes.set_title(f"{piece.name}, continued by the model", loc="right")
    save_figure(axes, folder / "roll.png", overwrite=True)
    return Continuation.of(continuation, piece)


def finish(recipe: Recipe, trained: Trained, split: Split, folder: Path, *, seed: int) -> Run:
    """Scores and music of a trained model, in ``folder``."""
    scores = evaluate(trained.model, trained.test)
    save_figure(plot_histories({"": trained.history}), folder / "loss.png", overwrite=True)
    continuation = make_music(recipe, trained.model, split, folder, seed=seed)
    best_epoch = trained.history.best_epoch
    found = {
        "best_epoch": best_epoch,
        "test": scores.to_json(),
        "continuation": asdict(continuation),
        "primer_frames": recipe.primer_frames,
        "data": {f"{part}_pieces": len(rolls) for part, rolls in split._asdict().items()},
    }
    write_json(folder / "scores.json", found)
    report_run(folder, title="Scales and chords", overwrite=True)
    return Run(trained.history, scores, continuation, folder)


def run(recipe: Recipe, midi_dir: Path, folder: Path, *, seed: int = 0, device: str = "cpu") -> Run:
    """From MIDI files to music, in ``folder``."""
    split = read_pieces(recipe, midi_dir, seed=seed)
    trained = train(recipe, split, folder, seed=seed, device=device)
    return finish(recipe, trained, split, folder, seed=seed)


def tracker_of(folder: Path) -> Tracker:
    """The run's page, where Azure Machine Learning has started this script; nothing elsewhere."""
    if "AZUREML_RUN_ID" not in os.environ:
        return NoTracker()
    if find_spec("azureml") and find_spec("azureml.core"):  # the client of SDK v1
        return AzureMLTracker(local=folder / "metrics.jsonl")
    return FanOut(JsonlTracker(folder / "metrics.jsonl"), MLflowTracker())


def track(tracker: Tracker, result: Run) -> None:
    """The scores, pictures, music and the model of a finished run."""
    scores = result.scores.model
    figures = {"test_nats": scores.all.nats, "test_f1": scores.all.f1, "test_changed_nats": scores.changed.nats}
    tracker.log_metrics(figures, step=result.history.epochs[-1].step)
    for name in (
        "loss.png",
        "roll.png",
        "primer.mid",
        "generated.mid",
        "generated.wav",
        "scores.json",
        "report.html",
        "best.safetensors",
    ):
        tracker.log_artifact(result.folder / name)


def claim(folder: Path, arguments: dict[str, Any]) -> None:
    """Makes the output folder, or finds in it an earlier run of the same arguments to go on with.

    Raises:
        OverwriteError: the folder holds anything else.
    """
    record = folder / "run.json"
    if record.exists():
        before = json.loads(record.read_text(encoding="utf-8"))
        # The record alone, or with the built-in pieces, is of a command that failed before it made anything.
        begun = any(path.name not in ("run.json", "midi") for path in folder.iterdir())
        if before != arguments and begun:
            raise OverwriteError(f"{folder} holds a run with other arguments: {before}. Choose another --output.")
        if begun:
            say(f"going on with the run in {folder}")
        write_json(record, arguments)
    elif folder.exists() and any(folder.iterdir()):
        raise OverwriteError(f"{folder} holds files that are not of a run. Choose another --output.")
    else:
        write_json(record, arguments)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replaces a file of our own."""
    with writing(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def say(line: str) -> None:
    """To the reader, once, however many processes there are; the progress bars go to standard error."""
    if os.environ.get("RANK", "0") == "0":
        print(line, flush=True)


def submit_to_azureml(given: argparse.Namespace) -> Submission:
    """Sends this very script to Azure ML, in the workspace that ``config.json`` names, to do there what it would here.

    Raises:
        SettingsError: a folder of this machine's is asked for.
    """
    data = {}
    if given.midi_dir is not None:
        if not given.midi_dir.startswith("azureml:"):
            raise SettingsError(
                "--midi-dir names a folder of this machine, which --compute azureml does not send. Give the address of "
                "one in a datastore: azureml://datastores/NAME/paths/PATH."
            )
        data["--midi-dir"] = StoredFolder.from_uri(given.midi_dir, access="download")
    arguments: list[str | int] = ["--output", "outputs/scale_chords", "--preset", given.preset, "--seed", given.seed]
    arguments += ["--precision", given.precision, "--threads", given.threads]
    for name, value in (("--epochs", given.epochs), ("--batch-size", given.batch_size), ("--device", given.device)):
        arguments += [] if value is None else [name, value]
    script = Path(__file__).resolve()
    return submit(
        script.name,
        arguments,
        workspace=open_workspace(sdk=given.sdk),
        experiment="scale-chords",
        compute=given.cluster,
        source_directory=script.parent,
        data=data,
        nodes=given.nodes,
        processes_per_node=given.processes_per_node,
        gpu=given.gpu,
        tags={"preset": given.preset, "epochs": str(given.epochs or PRESETS[given.preset]().epochs)},
        sdk=given.sdk,
    )


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--preset", choices=PRESETS, default="default", help="the configuration to start from")
    parser.add_argument("--midi-dir", help="a folder of MIDI files; the built-in pieces by default")
    parser.add_argument("--epochs", type=int, help="passes over the training windows")
    parser.add_argument("--batch-size", type=int, help="windows a step")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the weights, the training and the music")
    parser.add_argument("--output", type=Path, default=Path("runs/scale_chords"), help="where everything goes")
    parser.add_argument("--device", help="where to train; a GPU if there is one")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto", help="digits of the arithmetic")
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="of the CPU; two are quicker on an idle machine, and slower on a busy one",
    )
    there = parser.add_argument_group("on Azure Machine Learning")
    there.add_argument("--compute", choices=("local", "azureml"), default="local", help="here, or submitted")
    there.add_argument("--cluster", default="gpu-cluster", help="the compute target's name")
    there.add_argument("--nodes", type=int, default=1, help="machines of the cluster")
    there.add_argument("--processes-per-node", type=int, default=1, help="one for each GPU of a machine")
    there.add_argument("--gpu", action="store_true", help="the machines have GPUs")
    there.add_argument("--sdk", choices=("v1", "v2"), default="v1", help="the client that is installed (%(default)s)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """The command; a user's mistake is one line on standard error and exit status 2."""
    given = parse(arguments)
    if given.compute == "azureml":
        try:
            submitted = submit_to_azureml(given)
        except PianoRollSeq2SeqError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        say(f"submitted {submitted.id}: {submitted.url}")
        return 0
    torch.set_num_threads(given.threads)
    recipe = PRESETS[given.preset]()
    recipe = replace(
        recipe,
        epochs=given.epochs if given.epochs is not None else recipe.epochs,
        batch_size=given.batch_size if given.batch_size is not None else recipe.batch_size,
    )
    folder: Path = given.output
    record = {
        "preset": given.preset,
        "midi_dir": str(Path(given.midi_dir)) if given.midi_dir else None,
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "precision": given.precision,
        "seed": given.seed,
    }
    try:
        with join_processes() as processes:
            midi_dir = Path(given.midi_dir) if given.midi_dir else folder / "midi"
            if processes.first:
                claim(folder, record)
                if given.midi_dir is None:
                    write_scale_chords(midi_dir)
            processes.wait()  # until the first has written the pieces
            split = read_pieces(recipe, midi_dir, seed=given.seed)
            device = given.device or processes.device
            with tracker_of(folder) as tracker:
                trained = train(
                    recipe, split, folder, seed=given.seed, device=device, precision=given.precision, tracker=tracker
                )
                if not processes.first:  # one writes the music
                    return 0
                result = finish(recipe, trained, split, folder, seed=given.seed)
                track(tracker, result)
    except PianoRollSeq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from there", file=sys.stderr)
        return 130
    say(f"\n{result.scores}\n")
    heard = result.continuation
    say(
        f"the continuation: {heard.notes} notes, {heard.in_scale_share:.0%} of them in the piece's scale, "
        f"{heard.silent_share:.0%} of its frames silent, else {heard.polyphony:.1f} pitches at once on average, "
        f"no frame repeated more than {heard.longest_repeat_frames} times"
    )
    say(f"\nListen to {folder / 'generated.wav'}; look at {folder / 'roll.png'} and {folder / 'loss.png'}.")
    say(f"All of it on one page, to look at and to listen to: {folder / 'report.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
