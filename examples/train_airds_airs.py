"""Trains a model that writes dance tunes, as the shipped one: ``open_model("airds-airs")``.

    pip install "pianoroll-seq2seq[datasets,metrics,plot]"
    python examples/train_airds_airs.py --output runs/airs    # ten minutes on one core

The tunes are James Aird's *Selection of Scotch, English, Irish and Foreign Airs*, Glasgow 1782 to 1803, which come with
music21 (public domain). Variants of a tune are in one part of the split. The epoch is chosen on the validation tunes;
the test tunes are scored once. ``airds-airs.safetensors`` in the output folder is the model with its card. ``music/``
holds continuations and variations of test tunes, and tunes that begin from silence. The same command resumes an
interrupted training.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from recipes.filling import filling
from recipes.recipe import Recipe, Trained, train
from torch import nn

from pianoroll_seq2seq import (
    BeatGrid,
    FillingLSTM,
    FillTasks,
    Given,
    PianoRoll,
    PitchRange,
    SequenceModel,
    compare_sets,
    generate,
    likelihood,
    memorized_share,
    vary,
)
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.checkpoint import load, save
from pianoroll_seq2seq.data.condition_sources import MetricPosition
from pianoroll_seq2seq.data.datasets.airds_airs import airds_airs
from pianoroll_seq2seq.data.splitting import Split, split_by_piece
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.train import run_files

GRID = BeatGrid(4)
"""Sixteenths: 99.3 % of the notes begin and end on it, and all of nine tunes in ten."""
PITCHES = PitchRange(53, 91)
"""Two semitones more than all tunes need, in either direction."""
TASKS = FillTasks(continuing=0.5, harmonizing=0.0, infilling=0.5, both=0.0, stretch_frames=(4, 64))
"""What is given in training. The shortest stretch is a beat, as in a variation."""
STEPS = 940
SCORED = {"of_two_bars": Given.outside(bars=(5, 6)), "of_four_bars": Given.outside(bars=(5, 8))}
"""What is given when two or four bars are scored."""
PRIMER, CONTINUATION = 64, 128
"""Frames of a primer from a test tune and of its continuation: 4 and 8 bars of four beats."""
MEMORIZED = (16, 32)
"""Frames of the passages that are looked for in training tunes: 4 and 8 beats."""
NAME = "airds-airs"


def recipe(split: Split) -> Recipe:
    """Whole tunes, of which a model learns to continue and to infill; with onsets."""
    return filling(
        split.train,
        order=None,
        onsets=True,
        tasks=TASKS,
        condition_source=MetricPosition(),
        hidden_size=160,
        num_copy_heads=4,
        max_frames_per_batch=2048,
        steps=STEPS,
    )


def tunes(names: Sequence[str] | None = None) -> Split:
    """The tunes whose notes are all on the grid, split by tune; all by default."""
    airs = airds_airs(names)
    rolls = [
        PianoRoll.from_score(air.score, grid=GRID, pitches=PITCHES, velocity=False)
        for air in airs.values()
        if is_on_grid(air.score)
    ]
    return split_by_piece(rolls, valid=0.1, test=0.1, seed=0, group=lambda roll: airs[roll.name].tune)


def is_on_grid(score: Score) -> bool:
    """Whether all notes begin and end on the grid."""
    frame_ticks = score.ticks_per_beat // GRID.frames_per_beat
    return not any((ticks % frame_ticks).any() for ticks in (score.notes.onset_tick, score.notes.end_tick))


def scores(model: SequenceModel, split: Split) -> dict[str, float]:
    """Exact nats per frame, for some of what may be given."""
    figures = {}
    for name, rolls in (("valid", split.valid), ("test", split.test)):
        continued = likelihood(model, rolls)
        figures[f"{name}_nats"] = continued.nats
        figures[f"{name}_nats_after_first"] = continued.nats_after_first
        for label, given in SCORED.items():
            figures[f"{name}_nats_{label}"] = likelihood(model, rolls, given=given).nats
    return figures


def music(model: SequenceModel, split: Split, folder: Path, *, seed: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Continues test tunes, writes them as MIDI and compares them with the originals; varies some, and begins a few.

    Returns:
        The comparison, and what shares of the model's passages and of the originals' are in training tunes.
    """
    tunes = [roll for roll in split.test if len(roll) >= PRIMER + CONTINUATION]
    written = generate(model, [roll[:PRIMER] for roll in tunes], num_frames=CONTINUATION, seed=seed, progress=True)
    originals = [roll[PRIMER : PRIMER + CONTINUATION] for roll in tunes]
    for tune, continuation in zip(tunes, written, strict=True):
        (tune[:PRIMER] + continuation).to_midi(folder / f"{tune.name}.mid", overwrite=True)
    assert isinstance(model, FillingLSTM)
    for tune in tunes[:8]:
        vary(model, tune, seed=seed).to_midi(folder / f"{tune.name}-varied.mid", overwrite=True)
    silence = PianoRoll.silent(PRIMER, grid=GRID, pitches=PITCHES)
    for number, roll in enumerate(generate(model, [silence] * 4, num_frames=PRIMER + CONTINUATION, seed=seed)):
        roll.to_midi(folder / f"from-silence-{number}.mid", overwrite=True)
    comparison = compare_sets(written, originals)
    print(comparison, flush=True)
    memorized = {
        f"{label}_{num_frames}_frames": memorized_share(rolls, split.train, num_frames=num_frames, transposed=True)
        for num_frames in MEMORIZED
        for label, rolls in (("generated", written), ("data", originals))
    }
    return comparison.to_json(), memorized


def card(
    trained: Trained,
    figures: Mapping[str, Any],
    comparison: Mapping[str, Any],
    memorized: Mapping[str, float],
    split: Split,
) -> dict[str, Any]:
    """Facts about the model for its users."""
    return {
        "name": NAME,
        "what": "Continues, infills, varies and begins dance tunes of one voice, in sixteenths: reels, jigs, "
        "hornpipes, marches and minuets.",
        "data": "James Aird's Selection of Scotch, English, Irish and Foreign Airs (1782 to 1803), in Jack Campin's "
        "transcription, as music21's corpus has it (public domain): "
        f"{len(split.train)} tunes to train, {len(split.valid)} to validate, {len(split.test)} to test, variants of a "
        "tune together.",
        "recipe": "examples/train_airds_airs.py",
        "parameters": trained.num_parameters,
        "best_epoch": trained.history.best_epoch,
        "scores": dict(figures),
        "music": {
            name: {"generated": row["generated_mean"], "data": row["data_mean"]}
            for name, row in comparison["metrics"].items()
        },
        "memorized": dict(memorized),
        "not_for": "Chords and several voices, other styles, dynamics, or tempo.",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/airs"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    split = tunes()
    folder = arguments.output / f"seed-{arguments.seed}"
    trained = train(recipe(split), split.train, split.valid, seed=arguments.seed, checkpoint_dir=folder)
    path = folder / f"{NAME}.safetensors"
    assert isinstance(trained.model, nn.Module)
    save(trained.model.half(), path, overwrite=True)  # half the size; it is read as float32
    model: SequenceModel = load(path)
    figures = scores(model, split)
    comparison, memorized = music(model, split, arguments.output / "music", seed=arguments.seed)
    details = {"card": card(trained, figures, comparison, memorized, split)}
    save(trained.model, path, details=details, overwrite=True)
    with writing(folder / run_files.SCORES, overwrite=True) as temporary:
        text = json.dumps({**figures, "music": comparison, "memorized": memorized}, indent=2)
        temporary.write_text(f"{text}\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
