"""Scores both presets on scales that were held out, over several seeds, and measures what they play.

    python benchmarks/scale_chords.py --midi-dir path/to/scale_chords --seeds 3

Each seed draws its own split, weights and music. The epoch is chosen as the preset says (the default on
validation, azure-2017 on training loss, as the sample of 2017 did); the test pieces are scored once. A recipe
that was tuned while looking at some seeds wants others for its report: ``--first-seed``.

Every test piece is continued, not a chosen one. Prints a table of means and ranges over the seeds, and writes
``scale_chords.json`` (into ``--output``) with every figure.
"""

import argparse
import json
import platform
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

import numpy as np
import torch
from train_scale_chords import PRESETS, Recipe, read_pieces, train

from pianoroll_seq2seq import evaluate, generate
from pianoroll_seq2seq.datasets.scale_chords import write_scale_chords
from pianoroll_seq2seq.evaluation import Continuation


def measure(recipe: Recipe, midi_dir: Path, *, seed: int) -> dict[str, Any]:
    """One seed: scores, and figures of the continuation of every test piece."""
    split = read_pieces(recipe, midi_dir, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        trained = train(recipe, split, Path(folder), seed=seed, device="cpu")
    model, history = trained.model, trained.history
    scores = evaluate(model, trained.test)
    primers = [roll[: recipe.primer_frames] for roll in split.test]
    music = generate(model, primers, frames=recipe.continuation_frames, sampler=recipe.sampler, seed=seed)
    heard = [Continuation.of(*pair) for pair in zip(music, split.test, strict=True)]
    return {
        "seed": seed,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "epochs": len(history.epochs),
        "best_epoch": history.best_epoch,
        "train_seconds": sum(epoch.seconds for epoch in history.epochs),
        "scores": scores.to_json(),
        "continuations": [asdict(one) for one in heard],
    }


def summary(results: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Each figure, seed by seed."""
    scores = [result["scores"] for result in results]
    rows = {
        f"{predictor}: {figure}{' (changed frames)' * (subset == 'changed')}": [
            score[predictor][subset][figure] for score in scores
        ]
        for subset in ("all", "changed")
        for figure in ("nats", "f1")
        for predictor in ("model", "copy_last", "copy_input")
    }
    for figure in ("in_scale_share", "silent_share", "longest_repeat_frames", "polyphony", "notes"):
        rows[f"continuations, mean {figure}"] = [
            float(np.mean([one[figure] for one in result["continuations"]])) for result in results
        ]
    rows["training seconds"] = [result["train_seconds"] for result in results]
    return rows


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--midi-dir", type=Path, help="a folder of MIDI files; the built-in pieces by default")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="the presets' own by default")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.output.mkdir(parents=True, exist_ok=True)
    midi_dir = given.midi_dir or write_scale_chords(given.output / "midi")
    report: dict[str, Any] = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__}
    for preset in given.presets:
        recipe = PRESETS[preset]()
        recipe = replace(recipe, epochs=given.epochs or recipe.epochs)
        results = [
            measure(recipe, midi_dir, seed=seed) for seed in range(given.first_seed, given.first_seed + given.seeds)
        ]
        report[preset] = results
        print(f"\n{preset}, {given.seeds} seeds from {given.first_seed}: mean (lowest .. highest)", flush=True)
        for name, values in summary(results).items():
            print(f"  {name:42}{np.mean(values):10.3f}  ({min(values):.3f} .. {max(values):.3f})")
    (given.output / "scale_chords.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
