"""The most likely of several continuations."""

from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from jaxtyping import Float64

from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import layout_for
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling.frame_loop import AutoregressiveModel, FrameLoop
from pianoroll_seq2seq.sampling.generation import generate, start_after
from pianoroll_seq2seq.sampling.generations import Generations
from pianoroll_seq2seq.sampling.model_conditions import conditions_of_pieces
from pianoroll_seq2seq.sampling.samplers import Draw, Sampler


@overload
def best_of(
    model: AutoregressiveModel,
    primer: PianoRoll,
    *,
    n: int,
    num_frames: int,
    scorer: AutoregressiveModel | None = ...,
    sampler: Sampler = ...,
    seed: int = ...,
    progress: bool = ...,
    condition: np.ndarray | None = ...,
    layout: FrameLayout | None = ...,
) -> PianoRoll: ...
@overload
def best_of(
    model: AutoregressiveModel,
    primer: Sequence[PianoRoll],
    *,
    n: int,
    num_frames: int,
    scorer: AutoregressiveModel | None = ...,
    sampler: Sampler = ...,
    seed: int = ...,
    progress: bool = ...,
    condition: np.ndarray | Sequence[np.ndarray] | None = ...,
    layout: FrameLayout | None = ...,
) -> Generations: ...
def best_of(
    model: AutoregressiveModel,
    primer: PianoRoll | Sequence[PianoRoll],
    *,
    n: int,
    num_frames: int,
    scorer: AutoregressiveModel | None = None,
    sampler: Sampler = Draw(),
    seed: int = 0,
    progress: bool = False,
    condition: np.ndarray | Sequence[np.ndarray] | None = None,
    layout: FrameLayout | None = None,
) -> PianoRoll | Generations:
    """Generates ``n`` continuations of each primer, and returns the most likely one.

    For music without slips: a wrong note makes a whole continuation less likely. The choice is between whole pieces,
    which no sampler of single frames can make. Likely music is also plain: it repeats more than the average, so compare
    it with the data (:func:`~pianoroll_seq2seq.evaluation.set_distance.compare_sets`).

    All continuations are generated in one batch, so the memory is that of ``n`` times as many pieces.

    Args:
        model: any sequence model.
        primer: the music to continue, or several primers of equal length.
        n: how many continuations of each primer.
        num_frames: how many frames to generate.
        scorer: the model whose log-probability of a continuation decides; by default the same model, at temperature 1.
        sampler: how to choose each frame from its distribution.
        seed: the seed of the sampler. The continuations of primer ``k`` depend on the seed, ``n`` and ``k`` alone.
        progress: whether to show a progress bar.
        condition: conditions, as for :func:`~pianoroll_seq2seq.sampling.generate`; the scorer reads them too.
        layout: what the columns of a frame mean, as for ``generate``.

    Returns:
        The new music alone, as of ``generate``; for a list of primers a list.

    Raises:
        SettingsError: fewer than one continuation, and as ``generate``.
        GridError, PitchRangeError, ShapeError, ModelInUseError: as ``generate``.

    Example:
        >>> from pianoroll_seq2seq import PitchRange, Seq2SeqLSTM
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> model = Seq2SeqLSTM(FrameLayout.of(scale), hidden_size=8)
        >>> len(best_of(model, scale, n=4, num_frames=16, seed=1))
        16
    """
    if n < 1:
        raise SettingsError(f"best_of needs n of at least 1, got {n}.")
    primers = [primer] if isinstance(primer, PianoRoll) else list(primer)
    repeated = [roll for roll in primers for _ in range(n)]
    if isinstance(primer, PianoRoll) and condition is not None:
        condition = [np.asarray(condition)] * n
    elif condition is not None and np.ndim(condition[0]) > 0:
        condition = [each for each in condition for _ in range(n)]
    written = generate(
        model,
        repeated,
        num_frames=num_frames,
        sampler=sampler,
        seed=seed,
        progress=progress,
        condition=condition,
        layout=layout,
    )
    scores = continuation_log_probs(
        model if scorer is None else scorer, repeated, written, condition=condition, layout=layout
    )
    best = scores.reshape(len(primers), n).argmax(axis=1).tolist()
    chosen = [written[row * n + place] for row, place in enumerate(best)]
    return chosen[0] if isinstance(primer, PianoRoll) else Generations(chosen, primers)


def continuation_log_probs(
    model: AutoregressiveModel,
    primers: Sequence[PianoRoll],
    continuations: Sequence[PianoRoll],
    *,
    condition: np.ndarray | Sequence[np.ndarray] | None = None,
    layout: FrameLayout | None = None,
) -> Float64[np.ndarray, " pieces"]:
    """The log-probability of each continuation under a model, given its primer, in nats.

    The probability is exact, and that of all planes of the layout.

    Args:
        model: any sequence model.
        primers: the primers, of equal length.
        continuations: the music after each, of equal length.
        condition: the conditions of each piece, one array of shape (size,) for all, or one array for each.
        layout: what the columns of a frame mean, for a model that was built from a number of columns.

    Raises:
        ShapeError: not as many continuations as primers, or of different lengths.
        GridError, PitchRangeError: rolls on another grid or of other pitches than the model's.

    Example:
        >>> from pianoroll_seq2seq import PitchRange, Seq2SeqLSTM
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> model = Seq2SeqLSTM(FrameLayout.of(scale), hidden_size=8)
        >>> continuation_log_probs(model, [scale[:4]], [scale[4:]]).shape
        (1,)
    """
    lengths = {(len(before), len(after)) for before, after in zip(primers, continuations, strict=False)}
    if len(primers) != len(continuations) or len(lengths) != 1:
        raise ShapeError(
            f"Expected a continuation for each primer, all of equal lengths, got {len(primers)} primers and "
            f"{len(continuations)} continuations with (primer, continuation) lengths {sorted(lengths)}."
        )
    begin, count = next(iter(lengths))
    layout = layout_for(model, primers[0], layout)
    pieces = [before + after for before, after in zip(primers, continuations, strict=True)]
    loop = FrameLoop.of(model, Draw(), layout, seed=0, count=len(pieces))
    frames = loop.tensor(np.stack([piece.to_frames(layout) for piece in pieces]))
    conditions = conditions_of_pieces(condition, pieces, model, is_one=False)
    scores = torch.zeros(len(pieces), dtype=torch.float64)
    with loop.evaluating, torch.inference_mode():
        distribution, state = start_after(model, frames[:, :begin], conditions)
        for step in range(begin, begin + count):
            scores += distribution.log_prob(frames[:, step]).double().cpu()
            if step + 1 < begin + count:
                distribution, state = model.advance(frames[:, step], state)
    log_probs: np.ndarray = scores.numpy()
    return log_probs
