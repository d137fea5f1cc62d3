"""Trains the shipped model that continues music of one part: ``open_model("bach-chords")``.

    pip install "pianoroll-seq2seq[datasets,metrics,plot]"
    python examples/train_bach_chords.py --output runs/bach-chords    # a quarter of an hour on one core

The chorales come with music21 (public domain). All harmonizations of a hymn tune are in one part of the split. The
epoch is chosen on the validation chorales; the test chorales are scored once. ``bach-chords.safetensors`` in the
output folder is the model with its card. ``music/`` holds continuations of test chorales, and pieces that begin from
silence. The same command resumes an interrupted training.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recipes.encoder_decoder import encoder_decoder
from recipes.recipe import Recipe, Trained, train

from pianoroll_seq2seq import BeatGrid, PianoRoll, SlidingWindows, compare_sets, evaluate, generate, likelihood
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.checkpoint import save
from pianoroll_seq2seq.data.datasets.bach_chorales import COMPASS, bach_chorales
from pianoroll_seq2seq.data.splitting import Split, split_by_piece
from pianoroll_seq2seq.train import run_files

GRID = BeatGrid(4)
PRIMER, CONTINUATION = 64, 192
"""Frames of a primer from a test chorale and of its continuation: 4 and 12 bars of four beats."""
NAME = "bach-chords"


def recipe() -> Recipe:
    """Sixteenths; the encoder reads four bars, and the head decides pitches from low to high."""
    return encoder_decoder(
        head="relative-window",
        attention=True,
        onsets=True,
        hidden_size=176,
        dropout=0.2,
        input_noise=0.002,
        input_frames=64,
        target_frames=64,
        epochs=36,
        batch_size=32,
        learning_rate=3e-3,
    )


def chorales() -> Split:
    """The chorales, split by hymn tune, without beats in which all voices rest."""
    pieces = bach_chorales()
    rolls = [PianoRoll.from_score(piece.score, grid=GRID, pitches=COMPASS) for piece in pieces.values()]
    sung = [without_rests(roll) for roll in rolls]
    return split_by_piece(sung, valid=0.1, test=0.1, seed=0, group=lambda roll: pieces[roll.name].tune)


def without_rests(roll: PianoRoll) -> PianoRoll:
    """A roll without its silent beats."""
    beat = GRID.frames_per_beat
    whole = roll[: len(roll) // beat * beat]
    sounds = np.repeat(whole.active.reshape(-1, beat, len(roll.pitches)).any(axis=(1, 2)), beat)
    kept = np.concatenate([np.flatnonzero(sounds), np.arange(len(whole), len(roll))])
    return PianoRoll(roll.active[kept], roll.onset[kept], roll.grid, roll.pitches, roll.tempo, roll.name)


def scores(trained: Trained, recipe: Recipe, split: Split) -> dict[str, Any]:
    """Exact nats per frame of whole chorales, and of windows compared with copying the last frame."""
    valid, test = (
        likelihood(trained.model, rolls, input_frames=recipe.input_frames, target_frames=recipe.target_frames)
        for rolls in (split.valid, split.test)
    )
    windows = SlidingWindows(split.test, input_frames=PRIMER, target_frames=PRIMER, hop=PRIMER, short="pad")
    compared = evaluate(trained.model, windows)
    print(f"test: {test}\nwindows of the test chorales\n{compared}", flush=True)
    return {
        "valid_nats": valid.nats,
        "test_nats": test.nats,
        "test_nats_after_first": test.nats_after_first,
        "windows_nats": compared.model.all.nats,
        "windows_nats_copying_the_last_frame": compared.copy_last.all.nats,
    }


def music(trained: Trained, rolls: Sequence[PianoRoll], folder: Path, *, seed: int) -> dict[str, Any]:
    """Continues chorales, writes them as MIDI, and compares them with the originals; and begins a few from silence."""
    pieces = [roll for roll in rolls if len(roll) >= PRIMER + CONTINUATION]
    written = generate(
        trained.model, [roll[:PRIMER] for roll in pieces], num_frames=CONTINUATION, seed=seed, progress=True
    )
    silence = PianoRoll.silent(PRIMER, grid=GRID, pitches=COMPASS)
    started = generate(trained.model, [silence] * 4, num_frames=PRIMER + CONTINUATION, seed=seed, progress=True)
    for piece, continuation in zip(pieces, written, strict=True):
        (piece[:PRIMER] + continuation).to_midi(folder / f"{piece.name}.mid", overwrite=True)
    for number, roll in enumerate(started):
        roll.to_midi(folder / f"from-silence-{number}.mid", overwrite=True)
    comparison = compare_sets(written, [roll[PRIMER : PRIMER + CONTINUATION] for roll in pieces], frames_per_bar=16)
    print(comparison, flush=True)
    return comparison.to_json()


def card(trained: Trained, figures: Mapping[str, Any], comparison: Mapping[str, Any], split: Split) -> dict[str, Any]:
    """Facts about the model for its users."""
    return {
        "name": NAME,
        "what": "Continues or begins four-part music in the style of Bach's chorales, in sixteenths.",
        "data": "J. S. Bach's chorales as music21's corpus has them (public domain): "
        f"{len(split.train)} to train, {len(split.valid)} to validate, {len(split.test)} to test, split by hymn tune.",
        "recipe": "examples/train_bach_chords.py",
        "parameters": trained.num_parameters,
        "best_epoch": trained.history.best_epoch,
        "scores": dict(figures),
        "music": {
            name: {"generated": row["generated_mean"], "data": row["data_mean"]}
            for name, row in comparison["metrics"].items()
        },
        "not_for": "Music in other styles or metres than chorales, separate voices, dynamics, or tempo. "
        "Its music has not been checked against the rules of counterpoint.",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/bach-chords"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    split, chosen = chorales(), recipe()
    folder = arguments.output / f"seed-{arguments.seed}"
    trained = train(chosen, split.train, split.valid, seed=arguments.seed, checkpoint_dir=folder)
    figures = scores(trained, chosen, split)
    comparison = music(trained, split.test, arguments.output / "music", seed=arguments.seed)
    details = {"card": card(trained, figures, comparison, split)}
    path = save(trained.model, folder / f"{NAME}.safetensors", details=details, overwrite=True)
    with writing(folder / run_files.SCORES, overwrite=True) as temporary:
        temporary.write_text(json.dumps({**figures, "music": comparison}, indent=2) + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
