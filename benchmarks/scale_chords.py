"""Scores both presets on held-out scales, over several seeds, and measures their continuations.

    python benchmarks/scale_chords.py --midi-dir path/to/scale_chords --seeds 3

Each seed has its own split, weights and music. The preset says how the epoch is chosen (by validation loss, or by
training loss for azure-2017, as in the 2017 sample). The test pieces are scored once. Report a preset on other seeds
than it was tuned on: ``--first-seed``.

All test pieces are continued. The benchmark prints a table of means and ranges over the seeds, and writes all results
to ``scale_chords.json`` in ``--output``.
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
from train_scale_chords import PRESETS, Preset, read_pieces, train

from pianoroll_seq2seq import evaluate, generate
from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords
from pianoroll_seq2seq.evaluation.continuation import ContinuationMetrics
from pianoroll_seq2seq.evaluation.music_summary import summarize_music


def measure(preset: Preset, midi_dir: Path, *, seed: int) -> dict[str, Any]:
    """The scores of one seed, and metrics of the continuation of every test piece."""
    split = read_pieces(preset, midi_dir, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        trained = train(preset, split, Path(folder), seed=seed, device="cpu")
    model, history = trained.model, trained.history
    scores = evaluate(model, trained.test)
    primers = [roll[: preset.primer_frames] for roll in split.test]
    music = generate(model, primers, num_frames=preset.continuation_frames, sampler=preset.sampler, seed=seed)
    continuations = [ContinuationMetrics.of(*pair) for pair in zip(music, split.test, strict=True)]
    compared = summarize_music(music, split.test)
    return {
        "seed": seed,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "epochs": len(history.epochs),
        "best_epoch": history.best_epoch,
        "train_seconds": sum(epoch.seconds for epoch in history.epochs),
        "scores": scores.to_json(),
        "continuations": [asdict(one) for one in continuations],
        "music": asdict(compared),
    }


def summary(results: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Each value, by seed."""
    scores = [result["scores"] for result in results]
    rows = {
        f"{predictor}: {figure}{' (changed frames)' * (subset == 'changed')}": [
            score[predictor][subset][figure] for score in scores
        ]
        for subset in ("all", "changed")
        for figure in ("nats", "f1")
        for predictor in ("model", "copy_last", "copy_input")
    }
    for figure in ("in_scale_share", "silent_share", "longest_repeat_frames", "polyphony", "num_notes"):
        rows[f"continuations, mean {figure}"] = [
            float(np.mean([one[figure] for one in result["continuations"]])) for result in results
        ]
    for figure in ("generated", "data"):
        rows[f"repeated notes, {figure}"] = [result["music"][figure].get("repeated_notes", 0) for result in results]
    rows["overlap of note lengths"] = [result["music"]["overlaps"].get("note_lengths", 0) for result in results]
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
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.output.mkdir(parents=True, exist_ok=True)
    midi_dir = arguments.midi_dir or write_scale_chords(arguments.output / "midi")
    report: dict[str, Any] = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__}
    for chosen in arguments.presets:
        preset = PRESETS[chosen]()
        preset = replace(preset, epochs=arguments.epochs or preset.epochs)
        results = [
            measure(preset, midi_dir, seed=seed)
            for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        ]
        report[chosen] = results
        print(f"\n{chosen}, {arguments.seeds} seeds from {arguments.first_seed}: mean (lowest .. highest)", flush=True)
        for name, values in summary(results).items():
            print(f"  {name:42}{np.mean(values):10.3f}  ({min(values):.3f} .. {max(values):.3f})")
    (arguments.output / "scale_chords.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
