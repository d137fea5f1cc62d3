"""Trains a model conditioned on the scale of each piece, which then plays in any scale.

    python examples/condition_on_scale.py                                         # about two minutes
    python examples/condition_on_scale.py --scale "D major" --scale "F# harmonic_minor"
    python examples/condition_on_scale.py --scale "0 2 4 7 9" --output music      # pitch classes, 0 is C

The model reads the pitch classes of the piece (twelve numbers) beside every frame. Transposition rotates them with the
notes, so that what is learned in one key holds in all. One example in five has no condition, so that the model can
generate without one. It continues two beats of silence, and the table says how many of its notes are in the scale:
without a condition, with the scale as the condition, and with classifier-free guidance as well.
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
    FrameLayout,
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
from pianoroll_seq2seq.data.conditions import pitch_class_vector
from pianoroll_seq2seq.data.datasets.scale_chords import ROOTS, SCALES, scale_chords
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.models.classifier_free_guidance import GuidedModel


@dataclass(frozen=True)
class Settings:
    """The hyperparameters of a run. ``dataclasses.replace`` makes a variant."""

    grid: FrameGrid
    pitches: PitchRange
    """Half an octave more than the pieces need, for transposition."""
    input_frames: int
    """Also the length of the primer: the two beats of silence between the groups of a piece."""
    target_frames: int
    hop: int
    augmentation: Augmentation
    hidden_size: int
    dropout: float
    input_noise: float
    condition_dropout: float
    batch_size: int
    epochs: int
    continuations: int
    continuation_frames: int
    guidance: float


def default_settings() -> Settings:
    """Eighths, and independent pitches, which train quickly."""
    return Settings(
        grid=BeatGrid(frames_per_beat=2),
        pitches=PitchRange(42, 92),
        input_frames=4,  # 2 beats
        target_frames=32,
        hop=4,
        augmentation=Augmentation(semitones=(-6, 5)),
        hidden_size=128,
        dropout=0.1,
        input_noise=0.003,
        condition_dropout=0.2,
        batch_size=32,
        epochs=30,
        continuations=64,
        continuation_frames=2 * 32,  # 32 beats
        guidance=0.5,
    )


@dataclass(frozen=True)
class Trained:
    """A trained model, and its scores on scales that it was not trained on."""

    model: Seq2SeqLSTM
    conditional: Evaluation
    """With the scale as the condition."""
    unconditional: Evaluation


@dataclass(frozen=True)
class Share:
    """The share of the notes of some continuations that are in a scale."""

    scale: str
    unconditional: float
    conditional: float
    """With the scale as the condition."""
    guided: float
    """With the scale as the condition, and guidance."""


def windows_of(settings: Settings, rolls: Sequence[PianoRoll], *, conditional: bool = True) -> SlidingWindows:
    """Windows with the scale of their piece as the condition, or without."""
    return SlidingWindows(
        rolls,
        input_frames=settings.input_frames,
        target_frames=settings.target_frames,
        hop=settings.hop,
        augmentation=settings.augmentation,
        conditions=[pitch_class_vector(pitch_class_set(roll)) for roll in rolls] if conditional else None,
        pitch_classes=conditional,
        layout=FrameLayout.of(rolls[0], onsets=False),  # the active plane alone
    )


def train(settings: Settings, *, seed: int) -> Trained:
    """Trains a model on the built-in pieces. No scale is in two parts of the split."""
    rolls = [
        PianoRoll.from_score(score, grid=settings.grid, pitches=settings.pitches) for score in scale_chords().values()
    ]
    split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.1, test=0.1, seed=seed, group=pitch_class_set)
    windows = windows_of(settings, split.train)
    torch.manual_seed(seed)
    model = Seq2SeqLSTM(
        windows.layout,
        hidden_size=settings.hidden_size,
        num_encoder_layers=1,
        num_decoder_layers=1,
        dropout=settings.dropout,
        input_noise=settings.input_noise,
        condition_size=windows.condition_size,
        condition_dropout=settings.condition_dropout,
    )
    fit(
        model,
        windows,
        windows_of(settings, split.valid),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimizer=torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01, fused=True),
        schedule=cosine_schedule(),
        seed=seed,
    )
    conditional, unconditional = (
        evaluate(model, windows_of(settings, split.test, conditional=conditional)) for conditional in (True, False)
    )
    return Trained(model, conditional, unconditional)


def in_scale(rolls: Sequence[PianoRoll], scale: Sequence[int]) -> float:
    """The share of the notes of some rolls that are in a scale."""
    played = np.concatenate([roll.notes().pitch % 12 for roll in rolls])
    return float(np.isin(played, scale).mean()) if len(played) else 0.0


def play(settings: Settings, model: Seq2SeqLSTM, name: str, folder: Path | None, *, seed: int) -> Share:
    """Generates music in a scale and measures it. Writes one piece to the folder, if there is one."""
    scale = scale_of(name)
    primers = [
        PianoRoll.silent(settings.input_frames, grid=settings.grid, pitches=settings.pitches)
    ] * settings.continuations
    num_frames, condition = settings.continuation_frames, pitch_class_vector(scale)
    guided_model = GuidedModel(model, settings.guidance)
    unconditional = generate(model, primers, num_frames=num_frames, seed=seed)
    conditional = generate(model, primers, num_frames=num_frames, seed=seed, condition=condition)
    guided = generate(guided_model, primers, num_frames=num_frames, seed=seed, condition=condition)
    if folder is not None:
        conditional[0].to_midi(folder / f"{name.replace(' ', '_').replace('#', 'sharp')}.mid", overwrite=True)
    return Share(name, *(in_scale(rolls, scale) for rolls in (unconditional, conditional, guided)))


def scale_of(text: str) -> list[int]:
    """The pitch classes of a scale: ``D major``, ``F# harmonic_minor``, or the numbers themselves.

    Raises:
        SettingsError: an unknown scale.
    """
    words = text.lower().replace("#", "sharp").split()
    if words and all(word.isdecimal() for word in words):
        return [int(word) for word in words]
    root, kind = (words[0], "_".join(words[1:])) if words else ("", "")
    if root not in ROOTS or kind not in SCALES:
        raise SettingsError(
            f"unknown scale {text!r}. Give a root ({', '.join(ROOTS)}) and a scale ({', '.join(SCALES)}), such as "
            f"'D major', or pitch classes, such as '0 2 4 7 9'."
        )
    return [(ROOTS.index(root) + step) % 12 for step in SCALES[kind]]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", action="append", help="a scale to play in; may be given several times")
    parser.add_argument("--epochs", type=int, help="passes over the training windows")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, the weights, the training and the music"
    )
    parser.add_argument("--output", type=Path, help="folder for a piece of music in each scale; none by default")
    given = parser.parse_args(arguments)
    settings = default_settings()
    if given.epochs is not None:
        settings = replace(settings, epochs=given.epochs)
    names: list[str] = given.scale or ["C major", "D major", "F# harmonic minor", "G# major pentatonic"]
    torch.set_num_threads(1)  # fastest for a small model
    try:
        for name in names:
            pitch_class_vector(scale_of(name))  # finds a misspelled name before training
        trained = train(settings, seed=given.seed)
        conditional, unconditional = trained.conditional.model.all.nats, trained.unconditional.model.all.nats
        print(f"held-out scales: {conditional:.3f} nats per frame with the scale, {unconditional:.3f} without")
        print(f"\n{'share of notes in':22}{'unconditional':>14}{'conditional':>13}{'guided':>10}")
        for name in names:
            share = play(settings, trained.model, name, given.output, seed=given.seed)
            print(f"{share.scale:22}{share.unconditional:14.1%}{share.conditional:13.1%}{share.guided:10.1%}")
    except PianoRollSeq2SeqError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
