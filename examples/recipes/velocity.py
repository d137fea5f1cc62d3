"""Notes with velocities: one LSTM over long passages, copy attention, and a distribution over each velocity."""

from collections.abc import Sequence
from functools import partial

from recipes.recipe import Recipe, fastest_precision
from recipes.whole_pieces import whole_pieces

from pianoroll_seq2seq import (
    Augmentation,
    CopyingLSTM,
    NADEHead,
    NotesHead,
    PianoRoll,
    RelativeWindowHead,
    VelocityHead,
)
from pianoroll_seq2seq.models.heads.contract import HeadFactory

INNER: dict[str, HeadFactory] = {
    "notes": NotesHead,
    "nade": NADEHead,
    "relative-window": partial(RelativeWindowHead, channels=64, num_layers=1, num_scored_pitches=20),
}
"""Heads for the notes, by name: pitches that are independent, that depend on those below, and by their surroundings.

Music of the first fills up with notes until all sound: its chords are drawn pitch by pitch, and wrong notes stay. The
last one takes about twice as long to train, and is by far the best.
"""


def velocity(
    rolls: Sequence[PianoRoll],
    *,
    inner: str = "relative-window",
    velocities: bool = True,
    bins: int = 32,
    detach: bool = True,
    hidden_size: int = 128,
    num_copy_heads: int = 4,
    channels: int = 96,
    dropout: float = 0.1,
    weight_decay: float = 0.01,
    input_dropout: float = 0.0,
    input_noise: float = 0.1,
    ema_decay: float = 0.99,
    learning_rate: float = 3e-3,
    transposed_share: float = 0.5,
    semitones: int = 5,
    max_piece_frames: int = 384,
    max_frames_per_batch: int = 1152,
    steps: int = 900,
    repeats: int = 1,
) -> Recipe:
    """The recipe for some training pieces with velocities.

    Args:
        rolls: the training pieces.
        inner: one of ``INNER``: the head that decides the notes.
        velocities: whether to model velocities; without, the same model of notes alone, for comparison.
        bins: velocity bins.
        detach: whether the gradients of velocities stay away from the LSTM.
        hidden_size: units of the LSTM.
        num_copy_heads: heads of the copy attention.
        channels: width of the network that decides the velocities.
        dropout: dropout probability of the LSTM and of that network.
        weight_decay: of AdamW.
        input_dropout: probability that the LSTM does not read a frame in training.
        input_noise: probability that a frame is read with wrong notes in training.
        ema_decay: decay of the averaged weights.
        learning_rate: highest learning rate of AdamW.
        transposed_share: share of the passages that are transposed, sampled anew in every epoch.
        semitones: largest transposition, up or down. A passage stays within the pitches of its parts.
        max_piece_frames: pieces are cut into passages of this length for training.
        max_frames_per_batch: largest number of frames in a step.
        steps: approximate number of training steps.
        repeats: how often an epoch contains each passage.
    """
    examples = partial(
        whole_pieces,
        onsets=True,
        velocity=velocities,
        max_frames_per_batch=max_frames_per_batch,
        max_piece_frames=max_piece_frames,
        repeats=repeats,
        augmentation=Augmentation(semitones=(-semitones, semitones), share=transposed_share),
    )
    head: HeadFactory = INNER[inner]
    if velocities:
        head = partial(VelocityHead, inner=head, bins=bins, channels=channels, dropout=dropout, detach=detach)
    return Recipe(
        name=f"velocity, {inner}" if velocities else f"velocity, {inner} alone",
        model=partial(
            CopyingLSTM,
            hidden_size=hidden_size,
            num_copy_heads=num_copy_heads,
            dropout=dropout,
            input_dropout=input_dropout,
            input_noise=input_noise,
            head=head,
        ),
        examples=examples,
        epochs=max(1, round(steps / len(examples(rolls, True)))),
        batch_size=1,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        ema_decay=ema_decay,
        precision=fastest_precision(),
    )
