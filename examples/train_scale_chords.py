"""Trains a sequence-to-sequence LSTM on scales and chords, and lets it continue music that it was not trained on.

    python examples/train_scale_chords.py                          # the built-in pieces, about three minutes
    python examples/train_scale_chords.py --midi-dir my_midi       # any folder of MIDI files
    python examples/train_scale_chords.py --preset azure-2017      # the configuration of the 2017 article
    torchrun --standalone --nproc-per-node=2 examples/train_scale_chords.py   # in two processes, or on two GPUs
    python examples/train_scale_chords.py --compute azureml --cluster gpu-cluster --gpu   # on Azure ML

All results are in one folder (``--output``): the music, pictures of it and of the losses, the scores, the history and
the checkpoints. The same command resumes a run that was interrupted.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass, replace
from functools import partial
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
    FrameLayout,
    History,
    JsonlTracker,
    MLflowTracker,
    NoTracker,
    ParallelSeq2SeqLSTM,
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
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.backends.azureml import StoredFolder, Submission, open_workspace, submit
from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords
from pianoroll_seq2seq.data.splitting import Split
from pianoroll_seq2seq.display.plot import plot_histories, plot_roll, save_figure
from pianoroll_seq2seq.display.report import report_run
from pianoroll_seq2seq.errors import OverwriteError, PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.evaluation.continuation import ContinuationMetrics
from pianoroll_seq2seq.evaluation.music_summary import MusicSummary, summarize_music
from pianoroll_seq2seq.pitches import ALL_PITCHES
from pianoroll_seq2seq.train import Precision, Schedule, run_files

Model = Seq2SeqLSTM | ParallelSeq2SeqLSTM


@dataclass(frozen=True)
class Preset:
    """The hyperparameters of a run. ``dataclasses.replace`` makes a variant."""

    grid: FrameGrid
    pitches: PitchRange | None
    """None takes the range of the notes in the data. A model cannot leave it."""
    outside: Literal["error", "drop"]
    input_frames: int
    target_frames: int
    hop: int
    onsets: bool
    """Whether the model also says where notes begin."""
    build: Callable[[FrameLayout, int], Model]
    """Builds the model from the layout of frames and the number of target frames."""
    optimizer: Callable[[Model], torch.optim.Optimizer]
    schedule: Schedule | None
    batch_size: int
    epochs: int
    patience: int | None
    min_delta: float
    monitor: Literal["auto", "train_loss"]
    sampler: Sampler
    primer_frames: int
    continuation_frames: int


def default_preset() -> Preset:
    """Eighths, an autoregressive decoder, and a head of relative pitch. It makes the better music."""
    return Preset(
        grid=BeatGrid(frames_per_beat=2),
        pitches=None,
        outside="error",
        input_frames=32,  # 16 beats
        target_frames=32,
        hop=8,
        onsets=True,
        build=lambda layout, _: Seq2SeqLSTM(
            layout,
            hidden_size=96,
            dropout=0.2,
            input_noise=0.003,
            head=partial(RelativeBernoulliHead, num_frames=3),
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


def azure_2017_preset() -> Preset:
    """The model of the 2017 article: it reads 50 frames of 20 ms and predicts the next 50 at once."""
    return Preset(
        grid=SecondsGrid(0.02),
        pitches=PitchRange(33, 81),
        outside="drop",  # as the article's sample did with the few notes above
        input_frames=50,
        target_frames=50,
        hop=50,
        onsets=False,
        build=lambda layout, target_frames: ParallelSeq2SeqLSTM(
            layout,
            hidden_size=64,
            dropout=0.3,
            block_frames=target_frames,
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


PRESETS = {"default": default_preset, "azure-2017": azure_2017_preset}


@dataclass(frozen=True)
class Run:
    """The results of a run."""

    history: History
    scores: Evaluation
    continuation: ContinuationMetrics
    summary: MusicSummary
    """Metrics of the continuation, beside those of the test pieces."""
    folder: Path


@dataclass(frozen=True)
class Trained:
    """A trained model, its losses, and the windows to test it on."""

    model: Model
    history: History
    test: SlidingWindows


def read_pieces(preset: Preset, midi_dir: Path, *, seed: int) -> Split:
    """Reads the pieces of a folder, drops duplicates, and splits them into training, validation and test."""
    pitches = preset.pitches or ALL_PITCHES
    rolls, failures = read_folder(midi_dir, grid=preset.grid, pitches=pitches, outside=preset.outside, progress=True)
    if preset.pitches is None:
        lows, highs = zip(*(roll.sounding_range() for roll in rolls), strict=True)
        rolls = [roll.with_pitches(PitchRange(min(lows), max(highs))) for roll in rolls]
    distinct, duplicates = drop_duplicates(rolls)
    left_out = sum(map(len, duplicates.values()))
    log(f"{len(rolls)} pieces, {len(distinct)} distinct ({left_out} duplicates left out)")
    for path, reason in failures.items():
        log(f"  not used: {path}: {reason}")
    # A scale and its modes have the same notes, so they stay in the same part.
    scales = all(Path(roll.name).name.startswith("scale_") for roll in distinct)
    group: Callable[[PianoRoll], Hashable] | None = pitch_class_set if scales else None
    split = split_by_piece(distinct, valid=0.1, test=0.1, seed=seed, group=group)
    log(f"{len(split.train)} pieces for training, {len(split.valid)} for validation, {len(split.test)} for the test")
    if scales:
        held_out = sorted({pitch_class_set(roll) for roll in split.test}, key=sorted)
        log(f"no scale is in two of them; {len(held_out)} scales are in the test only")
    return split


def train(
    preset: Preset,
    split: Split,
    folder: Path,
    *,
    seed: int,
    device: str | torch.device,
    precision: Precision = "auto",
    tracker: Tracker = NoTracker(),
) -> Trained:
    """Trains the preset's model."""
    windows = [
        SlidingWindows(
            rolls,
            input_frames=preset.input_frames,
            target_frames=preset.target_frames,
            hop=preset.hop,
            short="skip",
            layout=FrameLayout.of(rolls[0], onsets=preset.onsets),
        )
        for rolls in split
    ]
    torch.manual_seed(seed)
    model = preset.build(windows[0].layout, preset.target_frames).to(device)
    history = fit(
        model,
        windows[0],
        windows[1],
        epochs=preset.epochs,
        batch_size=preset.batch_size,
        optimizer=preset.optimizer(model),
        schedule=preset.schedule,
        patience=preset.patience,
        min_delta=preset.min_delta,
        monitor=preset.monitor,
        precision=precision,
        tracker=tracker,
        checkpoint_dir=folder,
        seed=seed,
    )
    return Trained(model, history, windows[2])


def generate_music(
    preset: Preset, model: Model, split: Split, folder: Path, *, seed: int
) -> tuple[ContinuationMetrics, MusicSummary]:
    """Continues the beginning of the longest test piece, writes the music and its picture, and measures it."""
    piece = max(split.test, key=len)
    primer = piece[: preset.primer_frames]
    continuation = generate(
        model, primer, num_frames=preset.continuation_frames, sampler=preset.sampler, seed=seed, progress=True
    )
    whole = (primer + continuation).renamed(f"{piece.name} continued")
    primer.to_midi(folder / run_files.PRIMER, overwrite=True)
    whole.to_midi(folder / run_files.GENERATED, overwrite=True)
    whole.to_wav(folder / "generated.wav", overwrite=True)
    axes = plot_roll(whole, primer_frames=len(primer))
    axes.set_title(f"{piece.name}, continued by the model", loc="right")
    save_figure(axes, folder / "roll.png", overwrite=True)
    return ContinuationMetrics.of(continuation, piece), summarize_music([continuation], split.test)


def finish(preset: Preset, trained: Trained, split: Split, folder: Path, *, seed: int) -> Run:
    """Scores a trained model and generates music, into ``folder``."""
    scores = evaluate(trained.model, trained.test)
    save_figure(plot_histories({"": trained.history}), folder / "loss.png", overwrite=True)
    continuation, summary = generate_music(preset, trained.model, split, folder, seed=seed)
    best_epoch = trained.history.best_epoch
    record = {
        "best_epoch": best_epoch,
        "test": scores.to_json(),
        "continuation": asdict(continuation),
        "music": summary.generated,
        "summary": asdict(summary),
        "primer_frames": preset.primer_frames,
        "data": {f"{part}_pieces": len(rolls) for part, rolls in split._asdict().items()},
    }
    write_json(folder / run_files.SCORES, record)
    report_run(folder, title="Scales and chords", overwrite=True)
    return Run(trained.history, scores, continuation, summary, folder)


def run(preset: Preset, midi_dir: Path, folder: Path, *, seed: int = 0, device: str = "cpu") -> Run:
    """Trains on a folder of MIDI files, and puts all results into ``folder``."""
    split = read_pieces(preset, midi_dir, seed=seed)
    trained = train(preset, split, folder, seed=seed, device=device)
    return finish(preset, trained, split, folder, seed=seed)


def make_tracker(folder: Path) -> Tracker:
    """A tracker for the run's page if Azure Machine Learning started this script; otherwise one that keeps nothing."""
    if "AZUREML_RUN_ID" not in os.environ:
        return NoTracker()
    if find_spec("azureml") and find_spec("azureml.core"):  # the client of SDK v1
        return AzureMLTracker(local=folder / run_files.METRICS)
    return FanOut(JsonlTracker(folder / run_files.METRICS), MLflowTracker())


def log_results(tracker: Tracker, result: Run) -> None:
    """Logs the scores, the metrics of the music, pictures, music and the model of a finished run."""
    scores = result.scores.model
    figures = {"test_nats": scores.all.nats, "test_f1": scores.all.f1, "test_changed_nats": scores.changed.nats}
    figures |= {f"music_{name}": value for name, value in result.summary.generated.items()}
    tracker.log_metrics(figures, step=result.history.epochs[-1].step)
    for name in (
        "loss.png",
        "roll.png",
        run_files.PRIMER,
        run_files.GENERATED,
        "generated.wav",
        run_files.SCORES,
        "report.html",
        run_files.BEST,
    ):
        tracker.log_artifact(result.folder / name)


def prepare_folder(folder: Path, arguments: dict[str, Any]) -> None:
    """Creates the output folder, or checks that it holds a run with the same arguments, which is then resumed.

    Raises:
        OverwriteError: the folder holds anything else.
    """
    record = folder / run_files.SETTINGS
    if record.exists():
        before = json.loads(record.read_text(encoding="utf-8"))
        # A folder with the record and the built-in pieces only is from a command that failed before training.
        begun = any(path.name not in (run_files.SETTINGS, "midi") for path in folder.iterdir())
        if before != arguments and begun:
            raise OverwriteError(f"{folder} holds a run with other arguments: {before}. Choose another --output.")
        if begun:
            log(f"resuming the run in {folder}")
        write_json(record, arguments)
    elif folder.exists() and any(folder.iterdir()):
        raise OverwriteError(f"{folder} holds files that are not of a run. Choose another --output.")
    else:
        write_json(record, arguments)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file, in place of an earlier one."""
    with writing(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def log(line: str) -> None:
    """Prints a line in the first process only. Progress bars go to standard error."""
    if os.environ.get("RANK", "0") == "0":
        print(line, flush=True)


def submit_to_azureml(given: argparse.Namespace) -> Submission:
    """Sends this script to the Azure ML workspace that ``config.json`` names, with the same options.

    Raises:
        SettingsError: ``--midi-dir`` is a folder on this machine.
    """
    data = {}
    if given.midi_dir is not None:
        if not given.midi_dir.startswith("azureml:"):
            raise SettingsError(
                f"--midi-dir {given.midi_dir} is a folder on this machine, which --compute azureml does not send. Give "
                f"a folder in a datastore: azureml://datastores/NAME/paths/PATH."
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
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--preset", choices=PRESETS, default="default", help="the hyperparameters")
    parser.add_argument("--midi-dir", help="a folder of MIDI files; the built-in pieces by default")
    parser.add_argument("--epochs", type=int, help="passes over the training windows")
    parser.add_argument("--batch-size", type=int, help="windows a step")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, the weights, the training and the music"
    )
    parser.add_argument("--output", type=Path, default=Path("runs/scale_chords"), help="folder for the results")
    parser.add_argument("--device", help="such as cpu or cuda; a GPU if there is one")
    parser.add_argument(
        "--precision", choices=get_args(Precision), default="auto", help="precision of the forward pass"
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads; two are faster on an idle machine, and slower on a busy one",
    )
    azureml = parser.add_argument_group("on Azure Machine Learning")
    azureml.add_argument("--compute", choices=("local", "azureml"), default="local", help="train here, or on Azure ML")
    azureml.add_argument("--cluster", default="gpu-cluster", help="name of the compute target")
    azureml.add_argument("--nodes", type=int, default=1, help="number of machines")
    azureml.add_argument(
        "--processes-per-node", type=int, default=1, help="processes on each machine, one for each GPU"
    )
    azureml.add_argument("--gpu", action="store_true", help="the machines have GPUs")
    azureml.add_argument("--sdk", choices=("v1", "v2"), default="v1", help="the installed client (%(default)s)")
    return parser.parse_args(arguments)


def record_of(given: argparse.Namespace, preset: Preset) -> dict[str, Any]:
    """The arguments that must be the same for a run to be resumed."""
    return {
        "preset": given.preset,
        "midi_dir": str(Path(given.midi_dir)) if given.midi_dir else None,
        "epochs": preset.epochs,
        "batch_size": preset.batch_size,
        "precision": given.precision,
        "seed": given.seed,
    }


def log_summary(result: Run) -> None:
    """Prints the scores, the figures of the music, and where the files are."""
    folder = result.folder
    log(f"\n{result.scores}\n")
    metrics = result.continuation
    log(
        f"continuation: {metrics.num_notes} notes, {metrics.in_scale_share:.0%} of them in the piece's scale; "
        f"{metrics.silent_share:.0%} of the frames silent, otherwise {metrics.polyphony:.1f} pitches on average; "
        f"no frame repeated more than {metrics.longest_repeat_frames} times; the lengths of its notes overlap those of "
        f"the test pieces by {result.summary.overlaps.get('note_lengths', 0):.0%}"
    )
    log(f"\nListen to {folder / 'generated.wav'}; look at {folder / 'roll.png'} and {folder / 'loss.png'}.")
    log(f"Everything on one page, with the music to play: {folder / 'report.html'}")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. A mistake of the user is one line on standard error and exit code 2."""
    given = parse(arguments)
    if given.compute == "azureml":
        try:
            submitted = submit_to_azureml(given)
        except PianoRollSeq2SeqError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        log(f"submitted {submitted.id}: {submitted.url}")
        return 0
    torch.set_num_threads(given.threads)
    preset = PRESETS[given.preset]()
    preset = replace(
        preset,
        epochs=given.epochs if given.epochs is not None else preset.epochs,
        batch_size=given.batch_size if given.batch_size is not None else preset.batch_size,
    )
    folder: Path = given.output
    try:
        with join_processes() as processes:
            midi_dir = Path(given.midi_dir) if given.midi_dir else folder / "midi"
            if processes.is_first:
                prepare_folder(folder, record_of(given, preset))
                if given.midi_dir is None:
                    write_scale_chords(midi_dir)
            processes.barrier()  # the first process writes the pieces
            split = read_pieces(preset, midi_dir, seed=given.seed)
            device = given.device or processes.device
            with make_tracker(folder) as tracker:
                trained = train(
                    preset, split, folder, seed=given.seed, device=device, precision=given.precision, tracker=tracker
                )
                if not processes.is_first:
                    return 0
                result = finish(preset, trained, split, folder, seed=given.seed)
                log_results(tracker, result)
    except PianoRollSeq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command resumes the run", file=sys.stderr)
        return 130
    log_summary(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
