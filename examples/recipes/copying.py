"""The best recipe so far: one LSTM over whole pieces, copy attention, and pitches decided from low to high."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from recipes.recipe import Recipe, active_columns, fastest_precision
from recipes.whole_pieces import whole_pieces

from pianoroll_seq2seq import (
    Augmentation,
    CopyingLSTM,
    PianoRoll,
    RelativeBernoulliHead,
    RelativeWindowHead,
)
from pianoroll_seq2seq.models.heads.contract import HeadFactory


@dataclass(frozen=True)
class _Defaults:
    """The defaults of arguments of :func:`copying` that depend on the size of the set; see there."""

    hidden_size: int = 192
    channels: int = 96
    dropout: float = 0.15
    weight_decay: float = 0.01
    input_dropout: float = 0.0
    ema_decay: float = 0.99
    transposed_share: float = 0.5
    max_frames_per_batch: int = 1280
    steps: int = 1500
    repeats: int = 1


_SMALL, _LARGE = 50_000, 200_000
"""Frames of a set: a smaller set is small, and a larger one large."""
_OF_SMALL = _Defaults(
    dropout=0.3,
    weight_decay=0.03,
    input_dropout=0.05,
    ema_decay=0.995,
    transposed_share=1.0,
    max_frames_per_batch=512,
    steps=2900,
    repeats=5,
)
_OF_LARGE = _Defaults(hidden_size=256, channels=128, dropout=0.1, max_frames_per_batch=768, steps=4300, repeats=3)


def defaults_of(rolls: Sequence[PianoRoll]) -> _Defaults:
    """The defaults for some training pieces."""
    frames = sum(map(len, rolls))
    return _OF_SMALL if frames < _SMALL else _OF_LARGE if frames >= _LARGE else _Defaults()


def copying(
    rolls: Sequence[PianoRoll],
    *,
    independent: bool = False,
    onsets: bool = False,
    hidden_size: int | None = None,
    num_copy_heads: int = 6,
    channels: int | None = None,
    window: int = 18,
    num_frames: int = 4,
    decays: tuple[float, ...] = (0.8, 0.95, 0.995),
    dropout: float | None = None,
    weight_decay: float | None = None,
    input_dropout: float | None = None,
    input_noise: float = 0.0,
    ema_decay: float | None = None,
    transposed_share: float | None = None,
    semitones: int = 6,
    max_frames_per_batch: int | None = None,
    num_scored_pitches: int | None = 24,
    max_polyphony: int = 0,
    steps: int | None = None,
    repeats: int | None = None,
) -> Recipe:
    """The recipe for some training pieces.

    The defaults of arguments that are None depend on the size of the set. A model memorises a small set (below 50,000
    frames) before it generalises, so there it is regularised more, and reads every piece in all keys. For a large one
    (from 200,000 frames on) the model is larger, and is trained longer. The defaults were found on the validation
    pieces of the JSB chorales (small), the Nottingham tunes, and MuseData (large).

    Args:
        rolls: the training pieces.
        independent: whether to predict the pitches of a frame independently, from past frames only.
            ``num_scored_pitches`` and ``max_polyphony`` have no effect then.
        onsets: whether the model also says where notes begin. Published likelihoods are of sounding pitches alone.
        hidden_size: units of the LSTM; 192 by default, 256 for a large set.
        num_copy_heads: heads of the copy attention.
        channels: width of the network that all pitches share; 96 by default, 128 for a large set, 64 for independent
            pitches.
        window: semitones to either side of a pitch that the network reads.
        num_frames: past frames that it reads.
        decays: decay rates of its tonal context.
        dropout: dropout probability.
        weight_decay: of AdamW.
        input_dropout: probability that the LSTM does not read a frame in training.
        input_noise: probability that it reads a frame with wrong notes in training.
        ema_decay: decay of the averaged weights.
        transposed_share: share of the pieces that are transposed, sampled anew in every epoch.
        semitones: largest transposition, up or down.
        max_frames_per_batch: largest number of frames in a step.
        num_scored_pitches: pitches of a frame that are scored in training; None for all.
        max_polyphony: decide the number of pitches first, distinguished up to this many; 0 decides only which.
        steps: approximate number of training steps.
        repeats: how often an epoch contains each piece.
    """
    default = defaults_of(rolls)
    dropout = default.dropout if dropout is None else dropout
    share = default.transposed_share if transposed_share is None else transposed_share
    size = default.max_frames_per_batch if max_frames_per_batch is None else max_frames_per_batch
    repeats = default.repeats if repeats is None else repeats
    if channels is None:
        channels = 64 if independent else default.channels
    augmentation = Augmentation(semitones=(-semitones, semitones), share=share)
    examples = partial(
        whole_pieces, onsets=onsets, max_frames_per_batch=size, repeats=repeats, augmentation=augmentation
    )
    head: HeadFactory = partial(
        RelativeBernoulliHead if independent else RelativeWindowHead,
        channels=channels,
        window=window,
        num_frames=num_frames,
        decays=decays,
        dropout=dropout,
    )
    if not independent:
        head = partial(
            head,
            active_columns=active_columns(rolls, margin=semitones) if len(rolls[0].parts) == 1 else None,
            num_scored_pitches=num_scored_pitches,
            max_polyphony=max_polyphony,
        )
    steps = default.steps if steps is None else steps
    return Recipe(
        name=f"copying{', independent' if independent else ''}",
        model=partial(
            CopyingLSTM,
            hidden_size=default.hidden_size if hidden_size is None else hidden_size,
            num_copy_heads=num_copy_heads,
            dropout=dropout,
            input_dropout=default.input_dropout if input_dropout is None else input_dropout,
            input_noise=input_noise,
            head=head,
        ),
        examples=examples,
        epochs=max(1, round(steps / len(examples(rolls, True)))),
        batch_size=1,
        weight_decay=default.weight_decay if weight_decay is None else weight_decay,
        ema_decay=default.ema_decay if ema_decay is None else ema_decay,
        precision=fastest_precision(),
    )
