"""Trains and scores models on benchmark sets, and prints published or trivial figures beside theirs.

    python benchmarks/likelihood.py --dataset jsb --recipes copying bernoulli --seeds 3
    python benchmarks/likelihood.py --dataset nottingham --recipes copying --set num_copy_heads=0 channels=64
    python benchmarks/likelihood.py --dataset jsb16 --data FOLDER     # chorales in four voices
    python benchmarks/likelihood.py --dataset pop909 --data FOLDER    # songs in three parts, with velocities

The epoch is chosen on the validation pieces. The test pieces are scored once, exactly: every frame given all frames
before it, jointly over all columns, in nats per frame, with first frames (``no first`` is without them). For models of
velocities, ``notes`` is the share of the notes in it, and a second table has the velocities of each part: nats per
note, and the mean absolute error of the median. ``mixture`` is the mixture of the models of all seeds. With ``--music``
the model of each seed continues the beginnings of the test pieces, sampled at temperature 1, for at least 60
continuations. Their metrics are compared with those of the pieces themselves, and MIDI files are written.

Every run has its own folder below ``--output``. The same command resumes an interrupted run and reads the results of a
finished one; the CPU time of a resumed run is that since it was resumed. ``MiB`` is the largest resident memory of the
process up to the end of the training; a run's ``figures.json`` has it after each epoch. ``--set`` changes
hyperparameters of the recipes, for ablations.
"""

import argparse
import ast
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
from likelihood_sets import SETS, BenchmarkSet
from peak_memory import peak_memory
from recipes.copying import copying
from recipes.encoder_decoder import HEADS, encoder_decoder
from recipes.filling import filling
from recipes.monophonic import monophonic
from recipes.recipe import Recipe, train
from recipes.transformer import transformer
from recipes.velocity import velocity
from velocity_baselines import velocity_baselines, velocity_table

from pianoroll_seq2seq import Likelihood, PianoRoll, compare_sets, generate, likelihood
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.checkpoint import load
from pianoroll_seq2seq.data.splitting import Split
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.evaluation.memorization import memorized_share, repeated_share
from pianoroll_seq2seq.evaluation.music_metrics import METRICS, Metric, scale_consistency
from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.train.events import EpochEnd
from pianoroll_seq2seq.train.run_files import BEST

CONTINUATIONS = 60
"""Continuations at least, for ``--music``."""
FIGURES: Mapping[str, Metric] = {**METRICS, "scale_consistency_by_frames": partial(scale_consistency, weight="frames")}
WHOLE_PIECES: Mapping[str, Callable[..., Recipe]] = {
    "copying": copying,
    "filling": filling,
    "monophonic": monophonic,
    "transformer": transformer,
    "velocity": velocity,
}
"""Recipes that read whole pieces, by name. The other names are heads of the encoder-decoder."""
PASSAGE_FRAMES = 16
"""Frames of the passages that are searched for in other pieces."""


@dataclass(frozen=True)
class Result:
    """A trained recipe: its model and its scores."""

    model: SequenceModel
    figures: Mapping[str, Any]


def recipe_of(name: str, rolls: Sequence[PianoRoll], hyperparameters: Mapping[str, Any]) -> Recipe:
    """A recipe by name: of ``WHOLE_PIECES``, or a head of ``HEADS``; with ``+`` and hyperparameters to set to True."""
    kind, *more = name.split("+")
    chosen = {**dict.fromkeys(more, True), **hyperparameters}
    return WHOLE_PIECES[kind](rolls, **chosen) if kind in WHOLE_PIECES else encoder_decoder(head=kind, **chosen)


def score(recipe: Recipe, models: SequenceModel | Sequence[SequenceModel], rolls: Sequence[PianoRoll]) -> Likelihood:
    """The likelihood of pieces under a model, or under the mixture of several."""
    return likelihood(models, rolls, input_frames=recipe.input_frames, target_frames=recipe.target_frames)


def run(recipe: Recipe, data: Split, folder: Path, *, seed: int) -> Result:
    """Trains and scores, or reads the results of a finished run."""
    done = folder / "figures.json"
    if done.exists():
        model: SequenceModel = load(folder / BEST)
        return Result(model, json.loads(done.read_text(encoding="utf-8")))
    started, cpu = time.perf_counter(), time.process_time()
    memory: list[int] = []  # the largest so far, after each epoch

    def measure(_: EpochEnd) -> None:
        memory.append(peak_memory() // 2**20)

    trained = train(recipe, data.train, data.valid, seed=seed, checkpoint_dir=folder, on_epoch=[measure])
    seconds = sum(epoch.seconds for epoch in trained.history.epochs)
    valid, test = (score(recipe, trained.model, rolls) for rolls in (data.valid, data.test))
    figures: dict[str, Any] = {
        "seed": seed,
        "parameters": trained.num_parameters,
        "steps": trained.history.epochs[-1].step,
        "best_epoch": trained.history.best_epoch,
        "epochs": len(trained.history.epochs),
        "train_seconds": seconds,
        "scoring_seconds": time.perf_counter() - started - seconds,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mib": memory or [peak_memory() // 2**20],  # none after the resumption of a run whose epochs were done
        "test_after_first": test.nats_after_first,
    }
    for name, scored in (("valid", valid), ("test", test)):
        figures[name] = scored.nats
        if scored.note_nats is not None:
            figures[f"{name}_notes"] = scored.note_nats
            figures[f"{name}_velocities"] = {part: asdict(scores) for part, scores in scored.velocities.items()}
    with writing(done) as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return Result(trained.model, figures)


def music(
    name: str, model: SequenceModel, chosen: BenchmarkSet, pieces: Sequence[PianoRoll], folder: Path, *, seed: int
) -> dict[str, Any]:
    """Continues test pieces, writes them as MIDI, and compares them with the originals."""
    begin, end = chosen.primer, chosen.primer + chosen.continuation
    pieces = [roll for roll in pieces if len(roll) >= end][:CONTINUATIONS]
    primers = [roll[:begin] for roll in pieces] * -(-CONTINUATIONS // len(pieces))
    written = generate(model, primers, num_frames=chosen.continuation, seed=seed, progress=True)
    folder.mkdir(parents=True, exist_ok=True)
    for piece, continuation in zip(pieces, written, strict=False):  # the first of each
        path = folder / f"{piece.name.replace('/', '-')}.mid"
        (piece[:begin] + continuation).to_midi(path, overwrite=True)
    comparison = compare_sets(written, [roll[begin:end] for roll in pieces], metrics=FIGURES)
    print(f"\n{name}, {len(written)} continuations (MIDI in {folder})\n{comparison}", flush=True)
    return comparison.to_json()


def report(
    dataset: str,
    published: Mapping[str, float],
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    mixtures: Mapping[str, float],
) -> str:
    """The table."""
    lines = [f"{dataset}: test nats per frame", f"{'':44}{'mean':>8}{'lowest':>9}{'highest':>9}{'no first':>10}"]
    lines[-1] += f"{'valid':>8}{'mixture':>9}{'weights':>11}{'seconds':>9}{'CPU':>8}{'MiB':>7}{'notes':>8}{'valid':>8}"
    for name, runs in rows.items():
        test = [one["test"] for one in runs]
        means = {
            key: np.mean([one[key] for one in runs])
            for key in ("test_after_first", "valid", "train_seconds", "cpu_seconds")
        }
        notes = [[one[key] for one in runs if key in one] for key in ("test_notes", "valid_notes")]
        mixture = f"{mixtures[name]:9.3f}" if name in mixtures else f"{'':>9}"
        lines.append(
            f"{name:44}{np.mean(test):8.3f}{min(test):9.3f}{max(test):9.3f}{means['test_after_first']:10.3f}"
            f"{means['valid']:8.3f}{mixture}{runs[0]['parameters']:11,}{means['train_seconds']:9.0f}"
            f"{means['cpu_seconds']:8.0f}{max(max(one.get('peak_mib', [0])) for one in runs):7,}"
            + "".join(f"{np.mean(values):8.3f}" for values in notes if values)
        )
    lines += ["published"] if published else []
    lines += [f"{name:44}{nats:8.2f}" for name, nats in published.items()]
    return "\n".join(lines)


def velocity_reports(data: Split, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The tables of velocities, of the validation and of the test pieces."""
    tables = []
    for name, title, pieces in (("valid", "validation", data.valid), ("test", "test", data.test)):
        scored = {
            label: [one[f"{name}_velocities"] for one in runs if f"{name}_velocities" in one]
            for label, runs in rows.items()
        }
        baselines = velocity_baselines(data.train, pieces)
        tables.append(velocity_table(f"velocities of the {title} pieces, per note", baselines, scored))
    return "\n\n".join(tables)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join([*WHOLE_PIECES, *HEADS])
    parser.add_argument("--dataset", choices=SETS, default="jsb")
    parser.add_argument(
        "--data",
        type=Path,
        help="folder of the set's files; by default the .mat files are fetched, and jsb16 and pop909 are read from "
        "PIANOROLL_SEQ2SEQ_DATA",
    )
    parser.add_argument(
        "--recipes",
        nargs="+",
        help=f"{names}; copying also +independent, heads +attention, bernoulli and nade +parallel; by default copying, "
        "for jsb16 monophonic, for pop909 velocity",
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="arguments of the recipes")
    parser.add_argument("--music", action="store_true", help="continue test pieces, and compare the music")
    parser.add_argument("--output", type=Path, default=Path("runs/likelihood"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chosen = SETS[arguments.dataset]
    try:
        data = chosen.read(arguments.data)
    except PianoRollSeq2SeqError as error:
        parser.error(str(error))
    has_velocities = data.train[0].velocity is not None
    hyperparameters = {key: ast.literal_eval(value) for key, value in (entry.split("=", 1) for entry in arguments.set)}
    label = "".join(f", {key}={value}" for key, value in hyperparameters.items())
    known = memorized_share(data.test, data.train, num_frames=PASSAGE_FRAMES)
    again = repeated_share(data.test, num_frames=PASSAGE_FRAMES)
    print(
        f"Passages of {PASSAGE_FRAMES} frames of the test pieces: {known:.1%} in training, "
        f"{again:.1%} earlier in the piece."
    )
    rows: dict[str, list[Mapping[str, Any]]] = {}
    mixtures, comparisons = {}, {}
    for name in arguments.recipes or [chosen.recipe]:
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
                music(f"{name}{label}, seed {seed}", each.model, chosen, data.test, folder / f"music-{seed}", seed=seed)
                for seed, each in enumerate(results, start=arguments.first_seed)
            ]
        print(f"\n{report(arguments.dataset, chosen.published, rows, mixtures)}", flush=True)
        if has_velocities:
            print(f"\n{velocity_reports(data, rows)}", flush=True)
    versions = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__}
    result = {"dataset": arguments.dataset, **versions, "rows": rows, "mixtures": mixtures, "music": comparisons}
    if has_velocities:
        baselines = velocity_baselines(data.train, data.test)
        result["velocity_baselines"] = {part: asdict(scores) for part, scores in baselines.items()}
    path = arguments.output / f"{arguments.dataset}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
