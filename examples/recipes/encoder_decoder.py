"""The encoder-decoder LSTM over windows, with any head."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from recipes.recipe import Recipe, fastest_precision

from pianoroll_seq2seq import (
    Augmentation,
    BernoulliHead,
    FrameLayout,
    NADEHead,
    PianoRoll,
    RelativeBernoulliHead,
    RelativeWindowHead,
    Seq2SeqLSTM,
    SlidingWindows,
)
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.heads.contract import HeadFactory
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM

HEADS: dict[str, HeadFactory] = {
    "bernoulli": BernoulliHead,
    "relative-bernoulli": RelativeBernoulliHead,
    "nade": NADEHead,
    "relative-window": RelativeWindowHead,
}
"""Heads by name."""


def head_factory(name: str, *, dropout: float, num_copy_heads: int) -> HeadFactory:
    """One of ``HEADS`` with the hyperparameters that it takes."""
    if name == "relative-window":
        return partial(RelativeWindowHead, dropout=dropout, num_scored_pitches=24)
    if name == "relative-bernoulli" and num_copy_heads:  # a wider network, because it has more to compare
        return partial(RelativeBernoulliHead, channels=64, window=18, num_frames=4, dropout=dropout)
    return HEADS[name]


def encoder_decoder(
    *,
    head: str = "bernoulli",
    attention: bool = False,
    num_copy_heads: int = 0,
    parallel: bool = False,
    onsets: bool = False,
    hidden_size: int = 256,
    num_layers: int = 1,
    dropout: float = 0.3,
    input_noise: float = 0.0,
    input_frames: int = 16,
    target_frames: int = 32,
    semitones: int = 6,
    epochs: int = 60,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.01,
    ema_decay: float | None = 0.99,
) -> Recipe:
    """The recipe.

    Args:
        head: one of ``HEADS``.
        attention: whether the decoder attends to the encoder's outputs.
        num_copy_heads: heads of the copy attention over the input frames and those generated since, 0 for none.
        parallel: whether the decoder writes all target frames at once, as in the 2017 model.
        onsets: whether the model also says where notes begin. Published likelihoods are of sounding pitches alone.
        hidden_size: units of each LSTM layer.
        num_layers: layers of the encoder, and of the decoder.
        dropout: dropout probability.
        input_noise: probability to flip a cell of the frames that the model reads in training.
        input_frames: frames that the encoder reads; those before a piece are silent.
        target_frames: frames that the decoder writes.
        semitones: largest transposition of a window, up or down.
        epochs: passes over the windows, whose hop is half of ``target_frames``.
        batch_size: windows per step.
        learning_rate: highest learning rate of AdamW.
        weight_decay: of AdamW.
        ema_decay: decay of the averaged weights.

    Raises:
        SettingsError: a parallel decoder with copy heads; when the model is built, one with a head that reads past
            frames.
    """
    augmentation = Augmentation(semitones=(-semitones, semitones)) if semitones else None
    settings: dict[str, Any] = {
        "hidden_size": hidden_size,
        "num_encoder_layers": num_layers,
        "num_decoder_layers": num_layers,
        "dropout": dropout,
        "input_noise": input_noise,
        "block_frames": target_frames,
        "attention": attention,
        "head": head_factory(head, dropout=dropout, num_copy_heads=num_copy_heads),
    }
    if parallel and num_copy_heads:
        raise SettingsError("A parallel decoder has no copy heads. Use num_copy_heads=0, or parallel=False.")
    model = (
        partial(ParallelSeq2SeqLSTM, **settings)
        if parallel
        else partial(Seq2SeqLSTM, num_copy_heads=num_copy_heads, **settings)
    )

    extras = {"attention": attention, f"{num_copy_heads} copy heads": num_copy_heads, "parallel": parallel}
    return Recipe(
        name=", ".join(["encoder-decoder", head, *(word for word, on in extras.items() if on)]),
        model=model,
        examples=partial(
            _examples,
            onsets=onsets,
            input_frames=input_frames,
            target_frames=target_frames,
            augmentation=augmentation,
        ),
        epochs=epochs,
        batch_size=batch_size,
        input_frames=input_frames,
        target_frames=target_frames,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        ema_decay=ema_decay,
        precision=fastest_precision(),
    )


def _examples(
    pieces: Sequence[PianoRoll],
    training: bool,
    *,
    onsets: bool,
    input_frames: int,
    target_frames: int,
    augmentation: Augmentation | None,
) -> SlidingWindows:
    """Windows of pieces with silence before them."""
    hop = max(1, target_frames // 2) if training else target_frames
    padded = [with_silence(piece, input_frames) for piece in pieces]
    return SlidingWindows(
        [*padded, *last_windows(padded, input_frames + target_frames, hop)],
        input_frames=input_frames,
        target_frames=target_frames,
        hop=hop,
        short="skip",
        augmentation=augmentation if training else None,
        layout=FrameLayout.of(padded[0], onsets=onsets),
    )


def last_windows(rolls: Sequence[PianoRoll], num_frames: int, hop: int) -> list[PianoRoll]:
    """The last frames of each piece whose end no window reaches, so that its cadence is trained too."""
    return [roll[-num_frames:] for roll in rolls if len(roll) > num_frames and (len(roll) - num_frames) % hop]


def with_silence(roll: PianoRoll, num_frames: int) -> PianoRoll:
    """A piece with silence before it."""
    return PianoRoll.silent(num_frames, grid=roll.grid, tempo=roll.tempo, parts=roll.parts) + roll
