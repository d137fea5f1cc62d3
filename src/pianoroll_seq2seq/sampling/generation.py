"""The generation loop: a model predicts a frame, a sampler chooses it, and the model reads it back."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Protocol, overload, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq._internal.whole_numbers import is_whole
from pianoroll_seq2seq.data.conditions import stack_conditions
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import (
    SequenceModel,
    choose_layout,
    device_of,
    dtype_of,
    layout_for,
    require_conditional,
)
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators
from pianoroll_seq2seq.models.modes import Evaluation, inference
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pianoroll.conversions import DEFAULT_VELOCITY
from pianoroll_seq2seq.sampling.generations import Generations
from pianoroll_seq2seq.sampling.samplers import Draw, Sampler, sample_rows


@runtime_checkable
class AutoregressiveModel(Protocol):
    """The methods of a model that generation calls. Every sequence model has them."""

    def start(self, primer: Tensor) -> tuple[FrameDistribution, Any]:
        """Reads a primer (batch, frames, frame_size): the distribution of the next frame, and a state."""
        ...

    def advance(self, frame: Tensor, state: Any) -> tuple[FrameDistribution, Any]:
        """Reads one more frame (batch, frame_size): the distribution of the frame after it, and a new state."""
        ...


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
            shape (size,) for all, or one array for each.
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
    if not is_whole(seed) or not -(2**63) <= seed < 2**63:
        raise SettingsError(f"seed must be a 64-bit integer, got {seed!r}.")
    if not len(primers):
        raise ShapeError("generate_frames needs at least one primer.")
    layout = choose_layout(model, layout)
    if layout is not None and primers.shape[-1] != layout.frame_size:
        raise ShapeError(
            f"Expected frames of {layout.frame_size} columns for {layout}, got {primers.shape[-1]}. Convert the primer "
            f"with roll.to_frames(layout)."
        )
    trained = model if isinstance(model, SequenceModel) else None
    device = torch.device("cpu") if trained is None else device_of(trained)
    dtype = torch.float32 if trained is None else dtype_of(trained)
    generators = RowGenerators(seed, len(primers), device)
    evaluating = nullcontext() if trained is None else Evaluation(trained)
    with evaluating, torch.inference_mode():
        values = primers if layout is None else layout.to_float(primers)
        past = torch.tensor(values, dtype=dtype, device=device)
        if condition is None:
            distribution, state = model.start(past)
        else:
            conditions = torch.from_numpy(stack_conditions(condition, len(primers))).to(device)
            distribution, state = require_conditional(model, conditions.shape[-1]).start(past, conditions)
        frame = sample_rows(sampler, distribution, generators).to(dtype)
        if layout is not None and layout.has_onsets:
            frame = _consistent_onsets(frame, past[:, -1], layout)
        array = _to_array(frame, layout)
    while True:
        yield array
        # Gradients are on again while the caller has the frame: the caller may be training.
        with evaluating, torch.inference_mode():
            distribution, state = model.advance(frame, state)
            before, frame = frame, sample_rows(sampler, distribution, generators).to(dtype)
            if layout is not None and layout.has_onsets:
                frame = _consistent_onsets(frame, before, layout)
            array = _to_array(frame, layout)


def _to_array(frame: Tensor, layout: FrameLayout | None) -> np.ndarray:
    values = frame.float().cpu().numpy()
    return values > 0 if layout is None else layout.from_float(values)


def _consistent_onsets(frame: Tensor, before: Tensor, layout: FrameLayout) -> Tensor:
    """A frame (batch, frame_size) with an onset for every pitch that begins to sound, and none for silent pitches.

    An onset that is added gets the default velocity.
    """
    active, onset = frame[:, layout.columns("active")], frame[:, layout.columns("onset")]
    begins = active > before[:, layout.columns("active")]
    onset = active * torch.maximum(onset, begins.to(onset.dtype))
    if not layout.has_velocity:
        return torch.cat([active, onset], dim=-1)
    velocity = frame[:, layout.columns("velocity")]
    velocity = torch.where(velocity > 0, velocity, DEFAULT_VELOCITY / 127) * onset
    return torch.cat([active, onset, velocity], dim=-1)


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
