"""Trains and scores models on the four polyphonic benchmark sets, and prints the published figures below.

    python benchmarks/likelihood.py --dataset jsb --recipes copying bernoulli --seeds 3
    python benchmarks/likelihood.py --dataset nottingham --recipes copying --set num_copy_heads=0 channels=64

The epoch is chosen on the validation pieces. The test pieces are scored once, exactly: every frame given all frames
before it, jointly over all 88 pitches, in nats per frame, with first frames (``no first`` is without them). ``mixture``
is the mixture of the models of all seeds. With ``--music`` the model of each seed continues the first 16 frames of the
test pieces by 48 frames, sampled at temperature 1, for at least 60 continuations. Their metrics are compared with those
of the pieces' own frames 17 to 64, and MIDI files are written.

Every run has its own folder below ``--output``. The same command resumes an interrupted run and reads the results of a
finished one. ``--set`` changes hyperparameters of the recipes, for ablations.
"""

import argparse
import ast
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

import numpy as np
import torch
from recipes.copying import copying
from recipes.encoder_decoder import HEADS, encoder_decoder
from recipes.recipe import Recipe, train

from pianoroll_seq2seq import Likelihood, PianoRoll, compare_sets, generate, likelihood
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.checkpoint import load
from pianoroll_seq2seq.data.datasets.polyphonic import polyphonic
from pianoroll_seq2seq.data.splitting import Split
from pianoroll_seq2seq.evaluation.music_metrics import METRICS, Metric, scale_consistency
from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.train.run_files import BEST

SETS = ("jsb", "nottingham", "musedata", "piano_midi")
PUBLISHED = {
    "LSTM (Chung et al., 2014, arXiv:1412.3555)": (8.67, 3.20, 6.23, 9.03),
    "GRU (Chung et al., 2014, arXiv:1412.3555)": (8.54, 3.23, 5.99, 8.82),
    "LSTM (Bai, Kolter and Koltun, 2018, arXiv:1803.01271; no first frames)": (8.45, 3.29, None, None),
    "TCN (Bai, Kolter and Koltun, 2018, arXiv:1803.01271; no first frames)": (8.10, 3.07, None, None),
    "RNN-RBM (Boulanger-Lewandowski et al., 2012, arXiv:1206.6392)": (6.27, 2.39, 6.01, 7.09),
    "RNN-NADE (Boulanger-Lewandowski et al., 2012, arXiv:1206.6392)": (5.56, 2.31, 5.60, 7.05),
    "TP-LSTM-NADE (Johnson, 2017)": (5.88, 1.61, 4.32, 5.44),
    "BALSTM (Johnson, 2017)": (5.05, 1.55, 3.90, 4.90),
}
"""Test nats per frame on each of ``SETS``. Those of 2012 and of Johnson are quoted from surveys."""

PRIMER, CONTINUATION, CONTINUATIONS = 16, 48, 60
FIGURES: Mapping[str, Metric] = {**METRICS, "scale_consistency_by_frames": partial(scale_consistency, weight="frames")}
PASSAGE_FRAMES = 16
"""Frames of the passages that are searched for in other pieces."""


@dataclass(frozen=True)
class Result:
    """A trained recipe: its model and its scores."""

    model: SequenceModel
    figures: Mapping[str, Any]


def recipe_of(name: str, rolls: Sequence[PianoRoll], hyperparameters: Mapping[str, Any]) -> Recipe:
    """A recipe by name: ``copying`` or a head of the encoder-decoder, with ``+`` and hyperparameters to set to True."""
    kind, *more = name.split("+")
    chosen = {**dict.fromkeys(more, True), **hyperparameters}
    return copying(rolls, **chosen) if kind == "copying" else encoder_decoder(head=kind, **chosen)


def repetitions(data: Split) -> tuple[float, float]:
    """Shares of the test pieces' passages that occur in a training piece, and earlier in the same piece."""

    def passages(roll: PianoRoll) -> list[bytes]:
        frames = np.packbits(roll.active, axis=1)
        return [frames[begin : begin + PASSAGE_FRAMES].tobytes() for begin in range(len(frames) - PASSAGE_FRAMES + 1)]

    in_training = {passage for roll in data.train for passage in passages(roll)}
    all_of_test = [passages(roll) for roll in data.test]
    count = sum(map(len, all_of_test))
    known = sum(passage in in_training for piece in all_of_test for passage in piece)
    again = sum(len(piece) - len(set(piece)) for piece in all_of_test)
    return known / count, again / count


def score(recipe: Recipe, models: SequenceModel | Sequence[SequenceModel], rolls: Sequence[PianoRoll]) -> Likelihood:
    """The likelihood of pieces under a model, or under the mixture of several."""
    return likelihood(models, rolls, input_frames=recipe.input_frames, target_frames=recipe.target_frames)


def run(recipe: Recipe, data: Split, folder: Path, *, seed: int) -> Result:
    """Trains and scores, or reads the results of a finished run."""
    done = folder / "figures.json"
    if done.exists():
        model: SequenceModel = load(folder / BEST)
        return Result(model, json.loads(done.read_text(encoding="utf-8")))
    started = time.perf_counter()
    trained = train(recipe, data.train, data.valid, seed=seed, checkpoint_dir=folder)
    seconds = sum(epoch.seconds for epoch in trained.history.epochs)
    valid, test = (score(recipe, trained.model, rolls) for rolls in (data.valid, data.test))
    figures = {
        "seed": seed,
        "parameters": trained.num_parameters,
        "steps": trained.history.epochs[-1].step,
        "best_epoch": trained.history.best_epoch,
        "epochs": len(trained.history.epochs),
        "train_seconds": seconds,
        "scoring_seconds": time.perf_counter() - started - seconds,
        "valid": valid.nats,
        "test": test.nats,
        "test_after_first": test.nats_after_first,
    }
    with writing(done) as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return Result(trained.model, figures)


def music(name: str, model: SequenceModel, data: Split, folder: Path, *, seed: int) -> dict[str, Any]:
    """Continues test pieces, writes them as MIDI, and compares them with the originals."""
    pieces = [roll for roll in data.test if len(roll) >= PRIMER + CONTINUATION][:CONTINUATIONS]
    primers = [roll[:PRIMER] for roll in pieces] * -(-CONTINUATIONS // len(pieces))
    written = generate(model, primers, num_frames=CONTINUATION, seed=seed, progress=True)
    folder.mkdir(parents=True, exist_ok=True)
    for piece, continuation in zip(pieces, written, strict=False):  # the first of each
        path = folder / f"{piece.name.replace('/', '-')}.mid"
        (piece[:PRIMER] + continuation).to_midi(path, overwrite=True)
    own = [roll[PRIMER : PRIMER + CONTINUATION] for roll in pieces]
    comparison = compare_sets(written, own, metrics=FIGURES)
    print(f"\n{name}, {len(written)} continuations (MIDI in {folder})\n{comparison}", flush=True)
    return comparison.to_json()


def report(dataset: str, rows: Mapping[str, Sequence[Mapping[str, Any]]], mixtures: Mapping[str, float]) -> str:
    """The table."""
    column = SETS.index(dataset)
    lines = [f"{dataset}: test nats per frame", f"{'':44}{'mean':>8}{'lowest':>9}{'highest':>9}{'no first':>10}"]
    lines[-1] += f"{'valid':>8}{'mixture':>9}{'weights':>11}{'seconds':>9}"
    for name, runs in rows.items():
        test = [one["test"] for one in runs]
        means = {key: np.mean([one[key] for one in runs]) for key in ("test_after_first", "valid", "train_seconds")}
        mixture = f"{mixtures[name]:9.3f}" if name in mixtures else f"{'':>9}"
        lines.append(
            f"{name:44}{np.mean(test):8.3f}{min(test):9.3f}{max(test):9.3f}{means['test_after_first']:10.3f}"
            f"{means['valid']:8.3f}{mixture}{runs[0]['parameters']:11,}{means['train_seconds']:9.0f}"
        )
    lines += ["published"]
    lines += [f"{name:44}{values[column]:8.2f}" for name, values in PUBLISHED.items() if values[column] is not None]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(["copying", *HEADS])
    parser.add_argument("--dataset", choices=SETS, default="jsb")
    parser.add_argument("--data", type=Path, help="folder of the benchmark's .mat files; fetched by default")
    parser.add_argument(
        "--recipes",
        nargs="+",
        default=["copying"],
        help=f"{names}; copying also +independent, heads +attention, bernoulli and nade +parallel",
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="arguments of the recipes")
    parser.add_argument("--music", action="store_true", help="continue test pieces, and compare the music")
    parser.add_argument("--output", type=Path, default=Path("runs/likelihood"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = polyphonic(arguments.dataset, folder=arguments.data)
    hyperparameters = {key: ast.literal_eval(value) for key, value in (entry.split("=", 1) for entry in arguments.set)}
    label = "".join(f", {key}={value}" for key, value in hyperparameters.items())
    known, again = repetitions(data)
    print(
        f"Passages of {PASSAGE_FRAMES} frames of the test pieces: {known:.1%} in training, "
        f"{again:.1%} earlier in the piece."
    )
    rows: dict[str, list[Mapping[str, Any]]] = {}
    mixtures, comparisons = {}, {}
    for name in arguments.recipes:
        recipe = recipe_of(name, data.train, hyperparameters)
        folder = arguments.output / arguments.dataset / (name + label).replace(", ", ",")
        results = [
            run(recipe, data, folder / f"seed-{seed}", seed=seed)
            for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        ]
        rows[name + label] = [each.figures for each in results]
        if len(results) > 1:
            mixtures[name + label] = score(recipe, [each.model for each in results], data.test).nats
        if arguments.music:
            comparisons[name + label] = [
                music(f"{name}{label}, seed {seed}", each.model, data, folder / f"music-{seed}", seed=seed)
                for seed, each in enumerate(results, start=arguments.first_seed)
            ]
        print(f"\n{report(arguments.dataset, rows, mixtures)}", flush=True)
    versions = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__}
    result = {"dataset": arguments.dataset, **versions, "rows": rows, "mixtures": mixtures, "music": comparisons}
    path = arguments.output / f"{arguments.dataset}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
