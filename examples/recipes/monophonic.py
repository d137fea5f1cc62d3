"""Voices that sound one pitch at a time: one LSTM over whole pieces, copy attention, and one voice after another."""

from collections.abc import Sequence
from functools import partial

from recipes.recipe import Recipe, fastest_precision
from recipes.whole_pieces import whole_pieces

from pianoroll_seq2seq import Augmentation, CopyingLSTM, MonophonicHead, PianoRoll

CHORALE_ORDER = ("soprano", "bass", "alto", "tenor")
"""The outer voices of a chorale first."""


def monophonic(
    rolls: Sequence[PianoRoll],
    *,
    order: Sequence[str] | None = CHORALE_ORDER,
    onsets: bool = False,
    hidden_size: int = 192,
    num_copy_heads: int = 6,
    channels: int = 64,
    num_layers: int = 1,
    dropout: float = 0.2,
    weight_decay: float = 0.02,
    input_dropout: float = 0.0,
    input_noise: float = 0.0,
    ema_decay: float = 0.99,
    learning_rate: float = 3e-3,
    transposed_share: float = 1.0,
    semitones: int = 5,
    max_frames_per_batch: int = 1024,
    steps: int = 1500,
    repeats: int = 1,
) -> Recipe:
    """The recipe for some training pieces, each of several parts that sound one pitch at a time.

    Args:
        rolls: the training pieces.
        order: the names of the parts in the order in which they are decided; None draws an order for every frame in
            training, and the model can then decide them in any order.
        onsets: whether the model also says where notes begin. Published likelihoods are of sounding pitches alone.
        hidden_size: units of the LSTM.
        num_copy_heads: heads of the copy attention.
        channels: width of the network that all pitches and parts share.
        num_layers: its residual layers.
        dropout: dropout probability.
        weight_decay: of AdamW.
        input_dropout: probability that the LSTM does not read a frame in training.
        input_noise: probability that it reads a frame with wrong notes in training.
        ema_decay: decay of the averaged weights.
        learning_rate: highest learning rate of AdamW.
        transposed_share: share of the pieces that are transposed, sampled anew in every epoch.
        semitones: largest transposition, up or down. A piece stays within the pitches of its parts.
        max_frames_per_batch: largest number of frames in a step.
        steps: approximate number of training steps.
        repeats: how often an epoch contains each piece.
    """
    examples = partial(
        whole_pieces,
        onsets=onsets,
        max_frames_per_batch=max_frames_per_batch,
        repeats=repeats,
        augmentation=Augmentation(semitones=(-semitones, semitones), share=transposed_share),
    )
    head = partial(
        MonophonicHead,
        order=None if order is None else list(order),
        channels=channels,
        num_layers=num_layers,
        dropout=dropout,
    )
    return Recipe(
        name="monophonic",
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
