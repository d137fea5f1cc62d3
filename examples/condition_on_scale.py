"""Trains a model that is told the scale of each piece, and then plays in whatever scale it is told.

    python examples/condition_on_scale.py                                         # about two minutes
    python examples/condition_on_scale.py --scale "D major" --scale "F# harmonic_minor"
    python examples/condition_on_scale.py --scale "0 2 4 7 9" --output music      # pitch classes, 0 is C

The model hears the pitch classes of the piece (twelve numbers) beside every frame. Transposition turns them with the
notes, so that what is learned in one key holds in all; and one example in five is told nothing, so that the model can
do without. It goes on from two beats of silence, and the table says how many of its notes lie in the scale: told
nothing, told the scale, and told it with guidance, which goes on beyond the difference between the two.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from pianoroll_seq2seq import (
    Augmentation,
    BeatGrid,
    Evaluation,
    FrameGrid,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    SlidingWindows,
    cosine_schedule,
    drop_duplicates,
    evaluate,
    fit,
    generate,
    pitch_class_set,
    split_by_piece,
)
from pianoroll_seq2seq.conditions import pitch_class_vector
from pianoroll_seq2seq.datasets.scale_chords import ROOTS, SCALES, scale_chords
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.models.guided import GuidedModel


@dataclass(frozen=True)
class Recipe:
    """All that a run is made of; ``dataclasses.replace`` makes a variant."""

    grid: FrameGrid
    pitches: PitchRange
    """Half an octave more than the pieces need, to move them in."""
    input_frames: int
    """The primer too: the two beats of silence that part the groups of a piece."""
    target_frames: int
    hop: int
    augmentation: Augmentation
    hidden: int
    dropout: float
    frame_noise: float
    condition_dropout: float
    batch_size: int
    epochs: int
    continuations: int
    continuation_frames: int
    guidance: float


def default_recipe() -> Recipe:
    """Eighths, and independent pitches, which are quick to train."""
    return Recipe(
        grid=BeatGrid(frames_per_beat=2),
        pitches=PitchRange(42, 92),
        input_frames=4,  # 2 beats
        target_frames=32,
        hop=4,
        augmentation=Augmentation(semitones=(-6, 5)),
        hidden=128,
        dropout=0.1,
        frame_noise=0.003,
        condition_dropout=0.2,
        batch_size=32,
        epochs=30,
        continuations=64,
        continuation_frames=2 * 32,  # 32 beats
        guidance=0.5,
    )


@dataclass(frozen=True)
class Trained:
    """A trained model, and its scores on scales kept for the test: told the scale, and told nothing."""

    model: Seq2SeqLSTM
    told: Evaluation
    untold: Evaluation


@dataclass(frozen=True)
class Share:
    """Of the notes of some continuations: how many lie in a scale."""

    scale: str
    untold: float
    """Where the model was told nothing."""
    told: float
    """Where it was told the scale."""
    guided: float
    """Where it was told the scale, with guidance."""


def windows_of(recipe: Recipe, rolls: Sequence[PianoRoll], *, told: bool = True) -> SlidingWindows:
    """Windows that say what scale they are in, or do not."""
    return SlidingWindows(
        rolls,
        input_frames=recipe.input_frames,
        target_frames=recipe.target_frames,
        hop=recipe.hop,
        augmentation=recipe.augmentation,
        conditions=[pitch_class_vector(pitch_class_set(roll)) for roll in rolls] if told else None,
        pitch_classes=told,
    )


def train(recipe: Recipe, *, seed: int) -> Trained:
    """Fits a model to the built-in pieces; no scale stands in two parts of the split."""
    rolls = [PianoRoll.from_score(score, grid=recipe.grid, pitches=recipe.pitches) for score in scale_chords().values()]
    split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.1, test=0.1, seed=seed, group=pitch_class_set)
    windows = windows_of(recipe, split.train)
    torch.manual_seed(seed)
    model = Seq2SeqLSTM(
        windows.frame_size,
        hidden=recipe.hidden,
        encoder_layers=1,
        decoder_layers=1,
        dropout=recipe.dropout,
        frame_noise=recipe.frame_noise,
        condition_size=windows.condition_size,
        condition_dropout=recipe.condition_dropout,
    )
    fit(
        model,
        windows,
        windows_of(recipe, split.valid),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        optimizer=torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01, fused=True),
        schedule=cosine_schedule(),
        seed=seed,
    )
    told, untold = (evaluate(model, windows_of(recipe, split.test, told=told)) for told in (True, False))
    return Trained(model, told, untold)


def in_scale(rolls: Sequence[PianoRoll], scale: Sequence[int]) -> float:
    """The share of the notes of some rolls that lie in a scale."""
    played = np.concatenate([(roll.notes()[2] + roll.pitches.lowest) % 12 for roll in rolls])
    return float(np.isin(played, scale).mean()) if len(played) else 0.0


def play(recipe: Recipe, model: Seq2SeqLSTM, name: str, folder: Path | None, *, seed: int) -> Share:
    """Continues silence in a scale, and measures; writes some of the music to a folder, if there is one."""
    scale = scale_of(name)
    primers = [PianoRoll.silent(recipe.input_frames, grid=recipe.grid, pitches=recipe.pitches)] * recipe.continuations
    frames, condition = recipe.continuation_frames, pitch_class_vector(scale)
    untold = generate(model, primers, frames=frames, seed=seed)
    told = generate(model, primers, frames=frames, seed=seed, condition=condition)
    guided = generate(GuidedModel(model, recipe.guidance), primers, frames=frames, seed=seed, condition=condition)
    if folder is not None:
        told[0].to_midi(folder / f"{name.replace(' ', '_').replace('#', 'sharp')}.mid", overwrite=True)
    return Share(name, *(in_scale(rolls, scale) for rolls in (untold, told, guided)))


def scale_of(text: str) -> list[int]:
    """The pitch classes of a scale: ``D major``, ``F# harmonic_minor``, or the numbers themselves.

    Raises:
        SettingsError: no scale that is known.
    """
    words = text.lower().replace("#", "sharp").split()
    if words and all(word.isdecimal() for word in words):
        return [int(word) for word in words]
    root, kind = (words[0], "_".join(words[1:])) if words else ("", "")
    if root not in ROOTS or kind not in SCALES:
        raise SettingsError(
            f"{text!r} is no scale. Give a root ({', '.join(ROOTS)}) and a scale ({', '.join(SCALES)}), such as "
            f"'D major', or pitch classes, such as '0 2 4 7 9'."
        )
    return [(ROOTS.index(root) + step) % 12 for step in SCALES[kind]]


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", action="append", help="a scale to play in; may stand several times")
    parser.add_argument("--epochs", type=int, help="passes over the training windows")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the weights, the training and the music")
    parser.add_argument("--output", type=Path, help="a folder for a piece of music in each scale; none by default")
    given = parser.parse_args(arguments)
    recipe = default_recipe()
    if given.epochs is not None:
        recipe = replace(recipe, epochs=given.epochs)
    names: list[str] = given.scale or ["C major", "D major", "F# harmonic minor", "G# major pentatonic"]
    torch.set_num_threads(1)  # quickest for a model this small
    try:
        for name in names:
            pitch_class_vector(scale_of(name))  # before the training: a name that is misspelt
        trained = train(recipe, seed=given.seed)
        print(f"held-out scales: {trained.told.model.all.nats:.3f} nats per frame when told the scale, ", end="")
        print(f"{trained.untold.model.all.nats:.3f} when told nothing")
        print(f"\n{'share of notes in':22}{'told nothing':>14}{'told it':>10}{'guided':>10}")
        for name in names:
            share = play(recipe, trained.model, name, given.output, seed=given.seed)
            print(f"{share.scale:22}{share.untold:14.1%}{share.told:10.1%}{share.guided:10.1%}")
    except PianoRollSeq2SeqError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
