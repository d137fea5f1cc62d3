"""Filling: a model writes what is not given of a piece, to continue, harmonize, accompany or infill it."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict, overload

import numpy as np
import torch

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.given import Given
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import FillingModel, SequenceModel, require_conditional
from pianoroll_seq2seq.models.given_frames import GivenFrames
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.modes import inference
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling.frame_loop import AutoregressiveModel, FrameLoop, GivenCells
from pianoroll_seq2seq.sampling.generation import start_after
from pianoroll_seq2seq.sampling.generations import Generations
from pianoroll_seq2seq.sampling.given_pieces import GivenPieces, filled_roll, given_pieces
from pianoroll_seq2seq.sampling.model_conditions import conditions_of_pieces
from pianoroll_seq2seq.sampling.samplers import Draw, Sampler


class FillOptions(TypedDict, total=False):
    """The options of :func:`fill` for one piece."""

    sampler: Sampler
    seed: int
    condition: np.ndarray | None
    ends: bool
    progress: bool
    layout: FrameLayout | None


@overload
def fill(
    model: AutoregressiveModel | FillingModel,
    roll: PianoRoll,
    given: Given,
    *,
    sampler: Sampler = ...,
    seed: int = ...,
    condition: np.ndarray | None = ...,
    ends: bool = ...,
    progress: bool = ...,
    layout: FrameLayout | None = ...,
) -> PianoRoll: ...
@overload
def fill(
    model: AutoregressiveModel | FillingModel,
    roll: Sequence[PianoRoll],
    given: Given | Sequence[Given],
    *,
    sampler: Sampler = ...,
    seed: int = ...,
    condition: np.ndarray | Sequence[np.ndarray] | None = ...,
    ends: bool = ...,
    progress: bool = ...,
    layout: FrameLayout | None = ...,
) -> Generations: ...
def fill(
    model: AutoregressiveModel | FillingModel,
    roll: PianoRoll | Sequence[PianoRoll],
    given: Given | Sequence[Given],
    *,
    sampler: Sampler = Draw(),
    seed: int = 0,
    condition: np.ndarray | Sequence[np.ndarray] | None = None,
    ends: bool = True,
    progress: bool = False,
    layout: FrameLayout | None = None,
) -> PianoRoll | Generations:
    """Writes what is not given of a piece, or of many at once.

    The given cells come back as they are, in every plane. What is not given of ``roll`` is not read: it may hold
    anything. :func:`generate` is the special case in which a beginning is given.

    Where a given note meets new music, the given one stays as it is. A new pitch that begins gets an onset. A new note
    that goes on into a given cell of its pitch without an onset is held there. If a given cell holds a pitch that the
    new music before it does not sound, it keeps its missing onset; as everywhere in a roll, a note then begins there.

    Args:
        model: a model that fills, such as :class:`~pianoroll_seq2seq.models.filling_lstm.FillingLSTM`. Any other
            sequence model fills only what comes after a given beginning.
        roll: the piece, with the frames that are to be written. Many pieces, of any lengths, are filled in one batch,
            and each may occur several times for several versions.
        given: what is given; of many pieces for all, or for each.
        sampler: how to choose each frame from its distribution. It decides about the free cells alone.
        seed: the seed of the sampler. Equal arguments and seeds give equal music on one kind of device. Each piece of a
            batch has random numbers of its own: those of piece ``k`` depend on the seed and on ``k`` alone.
        condition: conditions (:mod:`~pianoroll_seq2seq.data.conditions`). For one piece an array of shape (size,), or
            (frames, size) with a row for each frame. For a list of pieces one array of shape (size,) for all, or one
            array for each. By default those that the model's ``condition_source`` computes, if it has one.
        ends: whether the pieces end with their rolls. If not, the model does not know how they go on.
        progress: whether to show a progress bar.
        layout: what the columns of a frame mean. The default is the layout that the model was built from. For a model
            without one it is the roll's grid and pitches.

    Returns:
        The whole piece, with the name, the tempo, the meter and the parts of ``roll``. For a list of pieces a list,
        which displays each in a notebook. If the model writes no velocities and the roll has some, new notes get the
        median of the given ones.

    Raises:
        GridError, PitchRangeError: a roll or a layout on another grid, or of other parts or pitches than the model's.
        SettingsError: frames, bars or parts that the roll does not have; a model that only continues, if what is given
            is no beginning; a condition that the model does not read.
        ShapeError: no pieces, pieces without frames, or masks or conditions of another number or shape.
        ModelInUseError: ``fit`` trains the model in another thread.

    Example:
        >>> from pianoroll_seq2seq import FillingLSTM, MonophonicHead, Part, PitchRange
        >>> parts = (Part("melody", pitches=PitchRange(60, 71)), Part("bass", pitches=PitchRange(40, 59)))
        >>> roll = PianoRoll.silent(16, parts=parts)
        >>> model = FillingLSTM(FrameLayout.of(roll), hidden_size=8, encoder_size=4, head=MonophonicHead)
        >>> song = fill(model, roll, Given.parts("bass"), seed=1)
        >>> len(song), song["bass"] == roll["bass"]
        (16, True)
    """
    rolls = [roll] if isinstance(roll, PianoRoll) else list(roll)
    pieces = given_pieces(model, rolls, given, layout)
    conditions = conditions_of_pieces(condition, pieces.rolls, model, is_one=isinstance(roll, PianoRoll))
    steps = _steps(model, pieces, conditions, sampler=sampler, seed=seed, ends=ends)
    bar = tqdm(range(pieces.num_frames), "fill", disable=not progress)
    with inference(model) if isinstance(model, SequenceModel) else nullcontext():
        written = np.stack([frame for _, frame in zip(bar, steps, strict=False)], axis=1)
    filled = [filled_roll(pieces, index, written[index]) for index in range(len(rolls))]
    return filled[0] if isinstance(roll, PianoRoll) else Generations(filled)


def fill_frames(
    model: AutoregressiveModel | FillingModel,
    roll: PianoRoll | Sequence[PianoRoll],
    given: Given | Sequence[Given],
    *,
    sampler: Sampler = Draw(),
    seed: int = 0,
    condition: np.ndarray | Sequence[np.ndarray] | None = None,
    ends: bool = True,
    layout: FrameLayout | None = None,
) -> Iterator[np.ndarray]:
    """The stream of frames behind :func:`fill`. Each is yielded as soon as it is known, for live use.

    Args:
        model: as for :func:`fill`.
        roll: the piece, or several.
        given: what is given; of several pieces for all, or for each.
        sampler: how to choose each frame from its distribution.
        seed: the seed of the sampler; see :func:`fill`.
        condition: the conditions; see :func:`fill`.
        ends: whether the pieces end with their rolls.
        layout: what the columns of a frame mean; see :func:`fill`.

    Yields:
        Each frame of every piece, up to the end of the longest, in the layout: bool of shape (batch, frame_size), or
        uint8 if the layout has a velocity plane. Frames after the end of a piece are silent.

    Raises:
        GridError, PitchRangeError, SettingsError, ShapeError, ModelInUseError: as :func:`fill`, at the first frame.

    Example:
        >>> from pianoroll_seq2seq import PitchRange, Seq2SeqLSTM
        >>> roll = PianoRoll.silent(8, pitches=PitchRange(60, 71))
        >>> model = Seq2SeqLSTM(FrameLayout.of(roll), hidden_size=8)
        >>> [frame.shape for frame in fill_frames(model, roll, Given.before(6), seed=1)][:2]
        [(1, 24), (1, 24)]
    """
    rolls = [roll] if isinstance(roll, PianoRoll) else list(roll)
    pieces = given_pieces(model, rolls, given, layout)
    conditions = conditions_of_pieces(condition, pieces.rolls, model, is_one=isinstance(roll, PianoRoll))
    yield from _steps(model, pieces, conditions, sampler=sampler, seed=seed, ends=ends)


@dataclass(frozen=True)
class _Stream:
    """Frames of some pieces of a batch, from ``begin`` up to, but not including, ``end``."""

    rows: np.ndarray
    begin: int
    end: int
    frames: Iterator[np.ndarray]


def _steps(
    model: AutoregressiveModel | FillingModel,
    pieces: GivenPieces,
    conditions: np.ndarray | None,
    *,
    sampler: Sampler,
    seed: int,
    ends: bool,
) -> Iterator[np.ndarray]:
    """The frames of all pieces, (batch, frame_size) each."""
    loop = FrameLoop.of(model, sampler, pieces.layout, seed=seed, count=len(pieces.rolls))
    if isinstance(model, FillingModel):
        streams = _filling(model, loop, pieces, conditions, ends=ends)
    else:
        streams = _continuing(model, loop, pieces, conditions)
    for step in range(pieces.num_frames):
        frame = pieces.frames[:, step].copy()
        for stream in streams:
            if stream.begin <= step < stream.end:
                frame[stream.rows] = next(stream.frames)
        frame[pieces.lengths <= step] = 0
        yield frame


def _filling(
    model: FillingModel, loop: FrameLoop, pieces: GivenPieces, conditions: np.ndarray | None, *, ends: bool
) -> list[_Stream]:
    """One stream of all pieces, from the first frame that is to be written in one of them to the last."""
    has_free = pieces.has_free
    if not has_free.any():
        return []
    begin, end = np.flatnonzero(has_free.any(axis=0))[[0, -1]] + (0, 1)
    frames, cells = loop.tensor(pieces.frames), torch.from_numpy(pieces.cells).to(loop.device)
    given = GivenFrames(
        frames,
        torch.from_numpy(pieces.mask).to(loop.device),
        torch.from_numpy(pieces.lengths if ends else np.zeros_like(pieces.lengths)).to(loop.device),
    )
    before = frames[:, begin - 1] if begin else torch.zeros_like(frames[:, 0])
    cut = GivenCells(frames[:, begin:end], cells[:, begin:end], has_free[:, begin:end])
    started = partial(_start, model, given, conditions, int(begin))
    written = loop.after(frames[:, :begin]).frames(started, before, cut)
    return [_Stream(np.arange(len(pieces.rolls)), int(begin), int(end), written)]


def _start(
    model: FillingModel, given: GivenFrames, conditions: np.ndarray | None, begin: int
) -> tuple[FrameDistribution, Any]:
    """The distribution of the first frame that is to be written, and the model's state."""
    if conditions is None:
        return model.start_filling(given, begin=begin)
    tensor = torch.from_numpy(conditions).to(given.frames.device)
    require_conditional(model, tensor.shape[-1])
    return model.start_filling(given, tensor, begin=begin)


def _continuing(
    model: AutoregressiveModel, loop: FrameLoop, pieces: GivenPieces, conditions: np.ndarray | None
) -> list[_Stream]:
    """A stream for each length of the given beginning.

    Raises:
        SettingsError: what is given is not a beginning.
    """
    begins = np.array([_given_beginning(model, pieces, index) for index in range(len(pieces.rolls))])
    streams = []
    for begin in np.unique(begins[begins < pieces.lengths]).tolist():
        rows = np.flatnonzero((begins == begin) & (begins < pieces.lengths))
        past = loop.tensor(pieces.frames[rows, :begin])
        here = None if conditions is None else conditions[rows]
        of_rows = loop.select(torch.from_numpy(rows))
        written = of_rows.after(past).frames(partial(start_after, model, past, here), past[:, -1])
        streams.append(_Stream(rows, begin, int(pieces.lengths[rows].max()), written))
    return streams


def _given_beginning(model: object, pieces: GivenPieces, index: int) -> int:
    """How many frames of a piece are given, if they are its beginning.

    Raises:
        SettingsError: other cells are given, or none.
    """
    mask = pieces.mask[index, : pieces.lengths[index]]
    begin = int(mask.all(axis=1).argmin()) if not mask.all() else len(mask)
    if not begin or mask[begin:].any():
        fix = (
            f"What is given here are not the first frames. Fill with a model that can, such as FillingLSTM, or give "
            f"the first frames alone: Given.before({begin or 16})."
            if mask.any()
            else "Give it at least one frame, as Given.before(1), or use a model that fills, such as FillingLSTM."
        )
        raise SettingsError(f"This {type(model).__name__} only continues from a given beginning. {fix}")
    return begin
