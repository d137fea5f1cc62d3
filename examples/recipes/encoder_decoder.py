"""The encoder and decoder of the library's name, over windows, with any head."""

from collections.abc import Callable, Sequence

from recipes.recipe import Recipe, quickest

from pianoroll_seq2seq import (
    Augmentation,
    BernoulliHead,
    NADEHead,
    OutputHead,
    PianoRoll,
    RelativeBernoulliHead,
    RelativeWindowHead,
    Seq2SeqLSTM,
    SlidingWindows,
)


def _relative_bernoulli(features: int, pitches: int, *, dropout: float, copies: int) -> RelativeBernoulliHead:
    if not copies:
        return RelativeBernoulliHead(features, pitches)
    return RelativeBernoulliHead(  # a wide one: there is more to weigh
        features, pitches, channels=64, window=18, frames=4, dropout=dropout, proposals=copies
    )


HEADS: dict[str, Callable[..., OutputHead]] = {
    "bernoulli": lambda features, pitches, **_: BernoulliHead(features, pitches),
    "relative-bernoulli": _relative_bernoulli,
    "nade": lambda features, pitches, **_: NADEHead(features, pitches),
    "relative-window": lambda features, pitches, *, dropout, copies: RelativeWindowHead(
        features, pitches, dropout=dropout, scored_pitches=24, proposals=copies
    ),
}
"""Heads by name: (features, pitches, dropout=, copies=) to the head."""


def encoder_decoder(
    *,
    head: str = "bernoulli",
    attention: bool = False,
    copies: int = 0,
    parallel: bool = False,
    hidden: int = 256,
    layers: int = 1,
    dropout: float = 0.3,
    frame_noise: float = 0.0,
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
        attention: whether the decoder looks at every frame of the input.
        copies: heads of the attention that proposes frames of the input, and those written since.
        parallel: whether it writes all target frames at once, as the model of 2017 did.
        hidden: units of each LSTM layer.
        layers: of the encoder, and of the decoder.
        dropout: share of units silenced.
        frame_noise: share of the cells heard that are flipped in training.
        input_frames: frames that the encoder hears; before a piece they are silent.
        target_frames: frames that the decoder writes.
        semitones: windows are transposed by up to so many, up or down.
        epochs: passes over the windows, which begin half a target apart.
        batch_size: windows a step.
        learning_rate: of AdamW, at its highest.
        weight_decay: of AdamW.
        ema_decay: of the average of the weights.
    """
    augmentation = Augmentation(semitones=(-semitones, semitones)) if semitones else None

    def examples(pieces: Sequence[PianoRoll], training: bool) -> SlidingWindows:
        hop = max(1, target_frames // 2) if training else target_frames
        begun = [with_silence(piece, input_frames) for piece in pieces]
        return SlidingWindows(
            [*begun, *ends(begun, input_frames + target_frames, hop)],
            input_frames=input_frames,
            target_frames=target_frames,
            hop=hop,
            short="skip",
            augmentation=augmentation if training else None,
        )

    def model(pitches: int) -> Seq2SeqLSTM:
        return Seq2SeqLSTM(
            pitches,
            hidden=hidden,
            encoder_layers=layers,
            decoder_layers=layers,
            dropout=dropout,
            frame_noise=frame_noise,
            decoder="parallel" if parallel else "autoregressive",
            block_frames=target_frames,
            attention=attention,
            copies=copies,
            head=HEADS[head](Seq2SeqLSTM.features(pitches, hidden, copies), pitches, dropout=dropout, copies=copies),
        )

    extras = {"attention": attention, f"{copies} copies": copies, "parallel": parallel}
    return Recipe(
        name=", ".join(["encoder-decoder", head, *(word for word, on in extras.items() if on)]),
        model=model,
        examples=examples,
        epochs=epochs,
        batch_size=batch_size,
        input_frames=input_frames,
        target_frames=target_frames,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        ema_decay=ema_decay,
        precision=quickest(),
    )


def ends(rolls: Sequence[PianoRoll], frames: int, hop: int) -> list[PianoRoll]:
    """The last frames of each piece whose end no window of so many frames reaches: a piece's cadence is learned too."""
    return [roll[-frames:] for roll in rolls if len(roll) > frames and (len(roll) - frames) % hop]


def with_silence(roll: PianoRoll, frames: int) -> PianoRoll:
    """A piece with silence before it."""
    return PianoRoll.silent(frames, grid=roll.grid, pitches=roll.pitches, tempo=roll.tempo) + roll
