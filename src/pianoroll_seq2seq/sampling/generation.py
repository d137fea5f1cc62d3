"""Generation: a model continues primers, frame by frame."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.data.conditions import stack_conditions
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import (
    SequenceModel,
    choose_layout,
    layout_for,
    require_conditional,
    source_of,
)
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.modes import inference
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling.frame_loop import AutoregressiveModel, FrameLoop
from pianoroll_seq2seq.sampling.generations import Generations
from pianoroll_seq2seq.sampling.model_conditions import conditions_of_pieces, extended
from pianoroll_seq2seq.sampling.samplers import Draw, Sampler


@overload
def generate(
    model: AutoregressiveModel,
    primer: PianoRoll,
    *,
    num_frames: int,
    sampler: Sampler = ...,
    seed: int = ...,
    progress: bool = ...,
    condition: np.ndarray | None = ...,
    layout: FrameLayout | None = ...,
) -> PianoRoll: ...
@overload
def generate(
    model: AutoregressiveModel,
    primer: Sequence[PianoRoll],
    *,
    num_frames: int,
    sampler: Sampler = ...,
    seed: int = ...,
    progress: bool = ...,
    condition: np.ndarray | Sequence[np.ndarray] | None = ...,
    layout: FrameLayout | None = ...,
) -> Generations: ...
def generate(
    model: AutoregressiveModel,
    primer: PianoRoll | Sequence[PianoRoll],
    *,
    num_frames: int,
    sampler: Sampler = Draw(),
    seed: int = 0,
    progress: bool = False,
    condition: np.ndarray | Sequence[np.ndarray] | None = None,
    layout: FrameLayout | None = None,
) -> PianoRoll | Generations:
    """Continues a primer, or many at once.

    Args:
        model: any sequence model.
        primer: the music to continue. Many primers of equal length are continued in one batch, and each may occur
            several times for several continuations.
        num_frames: how many frames to generate.
        sampler: how to choose each frame from its distribution.
        seed: the seed of the sampler. Equal arguments and seeds give equal music on one kind of device. Each piece of a
            batch has random numbers of its own: those of piece ``k`` depend on the seed and on ``k`` alone.
        progress: whether to show a progress bar.
        condition: conditions (:mod:`~pianoroll_seq2seq.data.conditions`). For one primer an array of shape (size,), or
            (frames, size) with a row for each frame of the primer and of the music. For a list of primers one array of
            shape (size,) for all, or one array for each. By default those that the model's ``condition_source``
            computes, if it has one.
        layout: what the columns of a frame mean. The default is the layout that the model was built from. For a model
            without one it is the primer's grid and pitches, with the active plane.

    Returns:
        The new music alone, of ``num_frames`` frames, at the tempo at the primer's end: ``primer + generate(...)`` is
        the whole piece. Notes held over from the primer continue. For a list of primers a list, which displays each
        whole piece in a notebook.

    Raises:
        GridError, PitchRangeError: a primer or a layout on another grid or of other pitches than the model's layout.
        SettingsError: fewer than one frame, a condition that the model does not read, or none for a model trained
            without ``condition_dropout``.
        ShapeError: no primers, primers without frames or of different lengths, or conditions of another number or
            length.
        ModelInUseError: ``fit`` trains the model in another thread.

    Example:
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange, Seq2SeqLSTM
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> model = Seq2SeqLSTM(FrameLayout.of(scale), hidden_size=8)
        >>> song = generate(model, scale, num_frames=32, sampler=Draw(0.9), seed=1)
        >>> len(song), song.pitches == scale.pitches
        (32, True)
    """
    if num_frames < 1:
        raise SettingsError(f"num_frames must be at least 1, got {num_frames}.")
    primers = [primer] if isinstance(primer, PianoRoll) else list(primer)
    _check_primers(primers)
    layout = layout_for(model, primers[0], layout)
    past = np.stack([roll.to_frames(layout) for roll in primers])
    if condition is not None:
        given = [np.asarray(condition)] if isinstance(primer, PianoRoll) else condition
        condition = stack_conditions(given, len(primers), num_frames=len(primers[0]) + num_frames)
    elif source_of(model) is not None:
        whole = [extended(roll, num_frames) for roll in primers]
        condition = conditions_of_pieces(None, whole, model, is_one=False)
    steps = generate_frames(model, past, sampler=sampler, seed=seed, condition=condition, layout=layout)
    bar = tqdm(range(num_frames), "generate", disable=not progress)
    with inference(model) if isinstance(model, SequenceModel) else nullcontext():
        written = np.stack([frame for _, frame in zip(bar, steps, strict=False)], axis=1)
    continuations = [_continuation(*pair, layout) for pair in zip(primers, written, strict=True)]
    return continuations[0] if isinstance(primer, PianoRoll) else Generations(continuations, primers)


def generate_frames(
    model: AutoregressiveModel,
    primers: np.ndarray,
    *,
    sampler: Sampler = Draw(),
    seed: int = 0,
    condition: np.ndarray | Sequence[np.ndarray] | None = None,
    layout: FrameLayout | None = None,
) -> Iterator[np.ndarray]:
    """The endless stream of frames behind :func:`generate`. Each is yielded as soon as it is sampled, for live use.

    A model in evaluation mode (``model.eval()``, or a loaded one) is fastest.

    Args:
        model: any sequence model.
        primers: the frames to continue, ``roll.to_frames(layout)`` of each primer: bool of shape (batch, frames,
            frame_size), or uint8 if the layout has a velocity plane.
        sampler: how to choose each frame from its distribution.
        seed: the seed of the sampler; see :func:`generate`.
        condition: conditions: one array of shape (size,) for all continuations, or one for each, (size,) or (frames,
            size) from the first frame of the primer on. The last row is repeated.
        layout: what the columns of a frame mean; by default the layout that the model was built from. If it has an
            onset plane, an onset is set for every pitch that begins to sound, and removed from silent pitches.

    Yields:
        The next frame of every continuation, of the type of ``primers`` and of shape (batch, frame_size).

    Raises:
        ShapeError: no primers, frames of another size than the layout's, or conditions of another number.
        SettingsError: a condition that the model does not read, or none for a model trained without
            ``condition_dropout``.
        ModelInUseError: ``fit`` trains the model in another thread.

    Example:
        >>> from itertools import islice
        >>> from pianoroll_seq2seq import Seq2SeqLSTM
        >>> stream = generate_frames(Seq2SeqLSTM(12, hidden_size=8), np.zeros((1, 4, 12), dtype=bool), seed=1)
        >>> [frame.shape for frame in islice(stream, 2)]
        [(1, 12), (1, 12)]
    """
    if not len(primers):
        raise ShapeError("generate_frames needs at least one primer.")
    layout = choose_layout(model, layout)
    if layout is not None and primers.shape[-1] != layout.frame_size:
        raise ShapeError(
            f"Expected frames of {layout.frame_size} columns for {layout}, got {primers.shape[-1]}. Convert the primer "
            f"with roll.to_frames(layout)."
        )
    loop = FrameLoop.of(model, sampler, layout, seed=seed, count=len(primers))
    past = loop.tensor(primers)
    conditions = None if condition is None else stack_conditions(condition, len(primers))
    yield from loop.after(past).frames(lambda: start_after(model, past, conditions), past[:, -1])


def start_after(
    model: AutoregressiveModel, past: Tensor, conditions: np.ndarray | None
) -> tuple[FrameDistribution, Any]:
    """The distribution of the frame after primers, and the model's state.

    Args:
        model: the model.
        past: the primers, (batch, frames, frame_size).
        conditions: of all frames, (batch, frames, size).

    Raises:
        SettingsError: a condition that the model does not read.
    """
    if conditions is None:
        return model.start(past)
    tensor = torch.from_numpy(conditions).to(past.device)
    return require_conditional(model, tensor.shape[-1]).start(past, tensor)


def _check_primers(primers: Sequence[PianoRoll]) -> None:
    if not primers:
        raise ShapeError("generate needs at least one primer.")
    first = primers[0]
    if not all(isinstance(roll, PianoRoll) for roll in primers):
        raise SettingsError(
            "A primer is a PianoRoll. Read a file with PianoRoll.from_midi(path, grid=..., pitches=...), or call "
            "TrainedModel.generate(path)."
        )
    for roll in primers:
        if not len(roll):
            raise ShapeError(
                f"The primer {roll.name!r} has no frames. To begin from silence, use PianoRoll.silent(64)."
            )
        if len(roll) != len(first):
            raise ShapeError(
                f"Primers of one batch must have equal lengths: {first.name!r} has {len(first)} frames, {roll.name!r} "
                f"has {len(roll)}. Cut them to one length with roll[-n:]."
            )


def _continuation(primer: PianoRoll, written: np.ndarray, layout: FrameLayout) -> PianoRoll:
    end = primer[len(primer) :]  # the tempo and the signatures from there on
    written_roll = PianoRoll.from_frames(
        written,
        layout,
        tempo=end.tempo,
        before=primer.active[-1],
        name=f"{primer.name} continued" if primer.name else "",
    )
    return replace(written_roll, parts=primer.parts, meter=end.meter)
