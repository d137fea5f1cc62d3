"""Voices of which some are given: an encoder of what is given, and a decoder that writes the rest."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from recipes.monophonic import CHORALE_ORDER
from recipes.recipe import Recipe, fastest_precision
from recipes.whole_pieces import whole_pieces

from pianoroll_seq2seq import Augmentation, FillingLSTM, FillTasks, MonophonicHead, PianoRoll
from pianoroll_seq2seq.data.condition_sources import ConditionSource


def filling(
    rolls: Sequence[PianoRoll],
    *,
    order: Sequence[str] | None = CHORALE_ORDER,
    onsets: bool = False,
    tasks: FillTasks = FillTasks(),
    look_ahead: Sequence[int] | None = (4, 8, 16),
    condition_source: ConditionSource | None = None,
    condition_of: Callable[[PianoRoll], np.ndarray] | None = None,
    condition_dropout: float = 0.5,
    hidden_size: int = 192,
    encoder_size: int = 32,
    num_copy_heads: int = 6,
    channels: int = 64,
    num_layers: int = 1,
    dropout: float = 0.3,
    weight_decay: float = 0.02,
    input_dropout: float = 0.0,
    input_noise: float = 0.0,
    ema_decay: float = 0.99,
    learning_rate: float = 3e-3,
    transposed_share: float = 1.0,
    semitones: int = 5,
    max_frames_per_batch: int = 1024,
    steps: int = 1800,
    repeats: int = 1,
) -> Recipe:
    """The recipe for some training pieces, each of several parts that sound one pitch at a time.

    Args:
        rolls: the training pieces.
        order: the names of the parts in the order in which they are decided, those that are given first; None draws an
            order for every frame in training.
        onsets: whether the model also says where notes begin. Published likelihoods are of sounding pitches alone.
        tasks: what is given in training.
        look_ahead: how many frames on the head reads given pitches; None if it reads none of the given frames to come.
        condition_source: what computes the condition of every frame; None for no conditions.
        condition_of: the condition of every frame of a training or validation piece, where more is known of it than the
            source can know, such as the ends of phrases; by default what the source computes.
        condition_dropout: probability that what is optional of a condition is unknown in training.
        hidden_size: units of the decoder's LSTM.
        encoder_size: units of each direction of the encoder.
        num_copy_heads: heads of the copy attention.
        channels: width of the network that all pitches and parts share.
        num_layers: its residual layers.
        dropout: dropout probability.
        weight_decay: of AdamW.
        input_dropout: probability that the decoder does not read a frame in training.
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
        tasks=tasks,
        condition_of=condition_of or condition_source,
    )
    head = partial(
        MonophonicHead,
        order=None if order is None else list(order),
        look_ahead=None if look_ahead is None else list(look_ahead),
        channels=channels,
        num_layers=num_layers,
        dropout=dropout,
    )
    return Recipe(
        name="filling",
        model=partial(
            FillingLSTM,
            hidden_size=hidden_size,
            encoder_size=encoder_size,
            num_copy_heads=num_copy_heads,
            dropout=dropout,
            input_dropout=input_dropout,
            input_noise=input_noise,
            condition_source=condition_source,
            condition_dropout=0.0 if condition_source is None else condition_dropout,
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
