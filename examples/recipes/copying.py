"""The best we know: one LSTM over whole pieces, attention that copies, pitches decided from low to high."""

from collections.abc import Sequence
from typing import Any

from recipes.recipe import Recipe, quickest, sounding

from pianoroll_seq2seq import (
    Augmentation,
    CopyingLSTM,
    OutputHead,
    PianoRoll,
    RelativeBernoulliHead,
    RelativeWindowHead,
    WholePieces,
)

_SMALL = 50_000
"""Frames below which a set of pieces is small: it is soon known by heart."""
_LONGEST = 2048
"""Frames beyond which a piece is cut for training: attention takes memory by the square of them."""


def copying(
    rolls: Sequence[PianoRoll],
    *,
    independent: bool = False,
    hidden: int = 192,
    copies: int = 6,
    channels: int | None = None,
    window: int = 18,
    frames: int = 4,
    decays: tuple[float, ...] = (0.8, 0.95, 0.995),
    dropout: float | None = None,
    weight_decay: float | None = None,
    deafness: float | None = None,
    wrong_notes: float = 0.0,
    ema_decay: float | None = None,
    transposed_share: float | None = None,
    semitones: int = 6,
    group_frames: int | None = None,
    scored_pitches: int | None = 24,
    counted: int = 0,
    steps: int | None = None,
    passes: int | None = None,
) -> Recipe:
    """The recipe for some training pieces.

    What is None depends on how much music there is. A small set (below 50,000 frames) is known by heart before it is
    understood: every piece is heard in all keys, and more is left to chance. The two kinds were found on the validation
    pieces of the JSB chorales and of the Nottingham tunes.

    Args:
        rolls: the training pieces.
        independent: decide each pitch of a frame without the others, from earlier frames alone. ``scored_pitches``
            and ``counted`` say nothing then.
        hidden: units of the LSTM.
        copies: heads of the attention that proposes earlier frames.
        channels: width of the network shared by all pitches; 96, or 64 where they are independent.
        window: semitones that it sees to either side of a pitch.
        frames: past frames that it sees.
        decays: how fast its tonal context forgets.
        dropout: share of units silenced.
        weight_decay: of AdamW.
        deafness: share of frames that the LSTM does not hear.
        wrong_notes: share of frames that it hears with wrong notes.
        ema_decay: of the average of the weights.
        transposed_share: share of the pieces that are transposed, each time they are heard.
        semitones: by how far, up or down.
        group_frames: frames a step, at most.
        scored_pitches: pitches of a frame that are scored in training; None for all.
        counted: decide first how many pitches sound, told apart up to so many; 0 decides which alone.
        steps: steps of training, about.
        passes: how often an epoch goes through the pieces.
    """
    small = sum(map(len, rolls)) < _SMALL
    dropout = (0.3 if small else 0.15) if dropout is None else dropout
    deafness = (0.05 if small else 0.0) if deafness is None else deafness
    share = (1.0 if small else 0.5) if transposed_share is None else transposed_share
    size = (512 if small else 1280) if group_frames is None else group_frames
    passes = (5 if small else 1) if passes is None else passes
    channels = (64 if independent else 96) if channels is None else channels
    within = sounding(rolls, margin=semitones)
    augmentation = Augmentation(semitones=(-semitones, semitones), share=share)

    def examples(pieces: Sequence[PianoRoll], training: bool) -> WholePieces:
        if not training:
            return WholePieces(pieces, group_frames=4 * size)
        cut = [piece[begin : begin + _LONGEST] for piece in pieces for begin in range(0, len(piece), _LONGEST)]
        return WholePieces(cut, group_frames=size, passes=passes, augmentation=augmentation)

    of_both: dict[str, Any] = {
        "channels": channels,
        "window": window,
        "frames": frames,
        "decays": decays,
        "dropout": dropout,
        "proposals": copies,
    }

    def head(features: int, pitches: int) -> OutputHead:
        if independent:
            return RelativeBernoulliHead(features, pitches, **of_both)
        return RelativeWindowHead(
            features, pitches, within=within, scored_pitches=scored_pitches, counted=counted, **of_both
        )

    def model(pitches: int) -> CopyingLSTM:
        return CopyingLSTM(
            pitches,
            hidden=hidden,
            copies=copies,
            dropout=dropout,
            deafness=deafness,
            wrong_notes=wrong_notes,
            head=head(CopyingLSTM.features(pitches, hidden, copies), pitches),
        )

    steps = (2900 if small else 1500) if steps is None else steps
    return Recipe(
        name=f"copying{', independent' if independent else ''}",
        model=model,
        examples=examples,
        epochs=max(1, round(steps / len(examples(rolls, True)))),
        batch_size=1,
        weight_decay=(0.03 if small else 0.01) if weight_decay is None else weight_decay,
        ema_decay=(0.995 if small else 0.99) if ema_decay is None else ema_decay,
        precision=quickest(),
    )
