"""From a trained model to new music: samplers, and the loop that feeds frames back."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, overload, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor
from tqdm.auto import tqdm

from pianoroll_seq2seq.conditions import pitch_class_vector, side_by_side
from pianoroll_seq2seq.corpus.packing import struck
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.generations import Generations
from pianoroll_seq2seq.heads.base import FrameDistribution
from pianoroll_seq2seq.models.base import SequenceModel, device_of, hearing, inference
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange


@runtime_checkable
class Sampler(Protocol):
    """Chooses frames from distributions: any callable of this form."""

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """Frames (..., pitches) of zeros and ones for distributions of batch shape (...)."""
        ...


@dataclass(frozen=True)
class Threshold:
    """Every pitch whose marginal probability reaches a threshold sounds. No chance is involved.

    The article's choice, with 0.1. It tends to freeze the music: what is most likely next is mostly what
    sounds now.

    Args:
        probability: the threshold, 0 < probability <= 1.

    Raises:
        SettingsError: a threshold out of range.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli
        >>> even = Bernoulli(torch.tensor([-1.0, 0.0, 1.0]))  # probabilities of 0.27, 0.5 and 0.73
        >>> Threshold(0.5)(even, generator=torch.Generator())
        tensor([0., 1., 1.])
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        """Checks the threshold."""
        if not 0 < self.probability <= 1:
            raise SettingsError(f"Threshold needs 0 < probability <= 1, got {self.probability}.")

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The frames; the generator is not used."""
        return (distribution.mean >= self.probability).float()


@dataclass(frozen=True)
class Draw:
    """Draws whole frames at random, each as often as the model finds it likely.

    Args:
        temperature: below 1 safer, above 1 bolder.

    Raises:
        SettingsError: a temperature that is not above 0.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli
        >>> sure = Bernoulli(torch.tensor([-50.0, 50.0]))
        >>> Draw(temperature=0.9)(sure, generator=torch.Generator().manual_seed(0))
        tensor([0., 1.])
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Checks the temperature."""
        if not self.temperature > 0:
            raise SettingsError(f"Draw needs a temperature above 0, got {self.temperature}.")

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The frames drawn."""
        if self.temperature != 1.0:
            distribution = distribution.tempered(self.temperature)
        return distribution.sample(generator=generator)


@dataclass(frozen=True)
class InScale:
    """Keeps what another sampler chooses to a scale, whatever model and head it draws from.

    A frame with a note outside the scale is chosen again, up to ``tries`` times; what then still lies outside is
    silent. A frame that was drawn and accepted is an exact draw from the model's own distribution, given that all of it
    lies in the scale; only where no try succeeds is a frame thinner than the model meant it. The model hears what was
    kept.

    Args:
        sampler: chooses the frames.
        scale: pitch classes that may sound, 0..11 with 0 for C.
        pitches: what the columns of a frame stand for.
        tries: how often a frame is chosen at most.

    Raises:
        SettingsError: no pitch classes, one out of range, or fewer than one try.

    Example:
        >>> from pianoroll_seq2seq.heads.bernoulli import Bernoulli
        >>> only_c = InScale(Draw(), (0,), PitchRange(60, 62))
        >>> only_c(Bernoulli(torch.full((3,), 9.0)), generator=torch.Generator()).tolist()
        [1.0, 0.0, 0.0]
    """

    sampler: Sampler
    scale: tuple[int, ...]
    pitches: PitchRange
    tries: int = 16

    def __post_init__(self) -> None:
        """Checks the scale and the tries."""
        if not pitch_class_vector(self.scale).any() or self.tries < 1:
            raise SettingsError(
                f"InScale needs at least one pitch class and one try, got {self.scale} and tries={self.tries}."
            )

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The frames kept; with two columns for each pitch, both planes are."""
        frame = self.sampler(distribution, generator=generator)
        inside = self._inside(frame)
        for _ in range(self.tries - 1):
            strays = (frame * (1 - inside)).any(dim=-1, keepdim=True)
            if not strays.any():
                return frame
            frame = torch.where(strays, self.sampler(distribution, generator=generator), frame)
        return frame * inside

    def _inside(self, frame: Tensor) -> Tensor:
        """1 for each column of a frame that may sound."""
        of_column = (np.arange(len(self.pitches)) + self.pitches.lowest) % 12
        inside = np.tile(np.isin(of_column, self.scale), frame.shape[-1] // len(self.pitches))
        return torch.as_tensor(inside, dtype=frame.dtype, device=frame.device)


@runtime_checkable
class Continues(Protocol):
    """All that generating asks of a model. Every sequence model fits, and so does an exported one."""

    def start(self, primer: Tensor) -> tuple[FrameDistribution, Any]:
        """Hears a primer (batch, frames, pitches): the distribution of the next frame, and a state."""
        ...

    def advance(self, frame: Tensor, state: Any) -> tuple[FrameDistribution, Any]:
        """Hears one more frame (batch, pitches): the distribution of the frame after it, and a new state."""
        ...


@overload
def generate(
    model: Continues,
    primer: PianoRoll,
    *,
    frames: int,
    sampler: Sampler = ...,
    seed: int = ...,
    progress: bool = ...,
    onsets: bool = ...,
    condition: np.ndarray | None = ...,
) -> PianoRoll: ...
@overload
def generate(
    model: Continues,
    primer: Sequence[PianoRoll],
    *,
    frames: int,
    sampler: Sampler = ...,
    seed: int = ...,
    progress: bool = ...,
    onsets: bool = ...,
    condition: np.ndarray | Sequence[np.ndarray] | None = ...,
) -> Generations: ...
def generate(
    model: Continues,
    primer: PianoRoll | Sequence[PianoRoll],
    *,
    frames: int,
    sampler: Sampler = Draw(),
    seed: int = 0,
    progress: bool = False,
    onsets: bool = False,
    condition: np.ndarray | Sequence[np.ndarray] | None = None,
) -> PianoRoll | Generations:
    """Continues a primer, or many at once.

    Args:
        model: any sequence model.
        primer: what it hears first; many primers of equal length are continued side by side, and each
            may stand several times for several continuations.
        frames: how many frames to write.
        sampler: how to choose each frame from its distribution.
        seed: equal arguments and seed give equal music (on one kind of device).
        progress: whether to show a progress bar.
        onsets: whether the model was trained on windows with ``onsets=True``. It then hears and writes what is
            struck beside what sounds, so that notes may be repeated without a gap. Otherwise a note is struck
            where it begins to sound.
        condition: what the model is told besides (:mod:`~pianoroll_seq2seq.conditions`): for a primer an array of
            shape (size,), or (frames, size) with a row for each frame of the primer and of what follows; for a list of
            primers one array of shape (size,) for all, or one for each. None tells nothing.

    Returns:
        The continuation alone, of ``frames`` frames, at the tempo on which the primer ends: ``primer +
        generate(...)`` is the whole piece. Notes held over from the primer go on. For a list of primers a
        list, which in a notebook shows each piece as a whole.

    Raises:
        SettingsError: fewer than one frame, a condition that the model does not hear, or none for one that has not
            learned to do without.
        ShapeError: primers of different lengths or none, or not of the columns the model knows; or conditions of
            another number or length.

    Example:
        >>> import numpy as np
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange, Seq2SeqLSTM
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> song = generate(Seq2SeqLSTM(12, hidden=8), scale, frames=32, sampler=Draw(0.9), seed=1)
        >>> len(song), song.pitches == scale.pitches
        (32, True)
    """
    if frames < 1:
        raise SettingsError(f"frames must be at least 1, got {frames}.")
    primers = [primer] if isinstance(primer, PianoRoll) else list(primer)
    _check_primers(primers)
    heard = np.stack([np.hstack([roll.active, struck(roll)]) if onsets else roll.active for roll in primers])
    if condition is not None:
        given = [np.asarray(condition)] if isinstance(primer, PianoRoll) else condition
        condition = side_by_side(given, len(primers), frames=len(primers[0]) + frames)
    steps = generate_frames(model, heard, sampler=sampler, seed=seed, onsets=onsets, condition=condition)
    bar = tqdm(range(frames), "generate", disable=not progress)
    with inference(model) if isinstance(model, SequenceModel) else nullcontext():
        written = np.stack([frame for _, frame in zip(bar, steps, strict=False)], axis=1)
    continuations = [_continuation(*pair, onsets) for pair in zip(primers, written, strict=True)]
    return continuations[0] if isinstance(primer, PianoRoll) else Generations(continuations, primers)


def generate_frames(
    model: Continues,
    primers: Bool[np.ndarray, "batch frames columns"],
    *,
    sampler: Sampler = Draw(),
    seed: int = 0,
    onsets: bool = False,
    condition: np.ndarray | Sequence[np.ndarray] | None = None,
) -> Iterator[Bool[np.ndarray, "batch columns"]]:
    """The endless stream of frames behind :func:`generate`: each is there as soon as it is drawn, for live use.

    A model in evaluation mode (``model.eval()``, or loaded) is quickest.

    Args:
        model: any sequence model.
        primers: what it hears first, one continuation for each.
        sampler: how to choose each frame from its distribution.
        seed: equal arguments and seed give equal frames (on one kind of device).
        onsets: whether frames have two columns for each pitch: first which sound, then which are struck. Of what the
            sampler chooses, that is then struck which also sounds, and so is all that begins to sound.
        condition: what the model is told besides: one array of shape (size,) for all continuations, or one for each,
            (size,) or (frames, size) from the first frame of the primer on. Its last row stands for all frames beyond.

    Yields:
        The next frame of every continuation, of as many columns as the primers.

    Raises:
        ShapeError: an odd number of columns, with ``onsets``; or conditions of another number.
        SettingsError: a condition that the model does not hear, or none for one that has not learned to do without.

    Example:
        >>> from itertools import islice
        >>> from pianoroll_seq2seq import Seq2SeqLSTM
        >>> stream = generate_frames(Seq2SeqLSTM(12, hidden=8), np.zeros((1, 4, 12), dtype=bool), seed=1)
        >>> [frame.shape for frame in islice(stream, 2)]
        [(1, 12), (1, 12)]
    """
    if onsets and primers.shape[-1] % 2:
        raise ShapeError(
            f"With onsets a frame has two columns for each pitch, got {primers.shape[-1]}, an odd number. Put the "
            f"onset plane to the right of the active one: np.concatenate([active, onset], axis=-1)."
        )
    trained = model if isinstance(model, SequenceModel) else None
    device = torch.device("cpu") if trained is None else device_of(trained)
    generator = torch.Generator(device).manual_seed(seed)
    with _listening(trained):
        heard = torch.tensor(primers, dtype=torch.float32, device=device)
        if condition is None:
            distribution, state = model.start(heard)
        else:
            told = torch.from_numpy(side_by_side(condition, len(primers))).to(device)
            distribution, state = hearing(model, told.shape[-1]).start(heard, told)
        frame = sampler(distribution, generator=generator)
        if onsets:
            frame = _sounded(frame, heard[:, -1])
        shown = frame.bool().cpu().numpy()
    while True:
        yield shown
        # Not while the caller has the frame, who may be training meanwhile.
        with _listening(trained):
            distribution, state = model.advance(frame, state)
            before, frame = frame, sampler(distribution, generator=generator)
            if onsets:
                frame = _sounded(frame, before)
            shown = frame.bool().cpu().numpy()


def _sounded(frame: Tensor, before: Tensor) -> Tensor:
    """A frame of both planes, (batch, 2 * pitches), in which what begins is struck, and only what sounds is."""
    active, onset = frame.chunk(2, dim=-1)
    begins = active > before.chunk(2, dim=-1)[0]
    return torch.cat([active, active * torch.maximum(onset, begins.to(onset.dtype))], dim=-1)


def _listening(model: SequenceModel | None) -> AbstractContextManager[Any]:
    """Without gradients, and in evaluation mode; to go through all of a model and change its mode takes time."""
    if model is not None and model.training:
        return inference(model)
    return torch.inference_mode()


def _check_primers(primers: Sequence[PianoRoll]) -> None:
    if not primers:
        raise ShapeError("generate needs at least one primer.")
    first = primers[0]
    for roll in primers:
        if not len(roll):
            raise ShapeError(f"The primer {roll.name!r} has no frames. Give the model something to hear.")
        if (len(roll), roll.grid, roll.pitches) != (len(first), first.grid, first.pitches):
            raise ShapeError(
                f"Primers continued side by side must be alike: {first.name!r} has {len(first)} frames on {first.grid} "
                f"of {first.pitches}, {roll.name!r} has {len(roll)} on {roll.grid} of {roll.pitches}. "
                f"Cut them to one length with roll[-n:]."
            )


def _continuation(primer: PianoRoll, written: Bool[np.ndarray, "frames columns"], onsets: bool) -> PianoRoll:
    end_tick = int(primer.grid.ticks_at(np.array([len(primer)]), primer.tempo)[0])
    tempo = primer.tempo.from_tick(end_tick)
    name = f"{primer.name} continued" if primer.name else ""
    if onsets:
        active, onset = np.split(written, 2, axis=1)
        return PianoRoll(active, onset, primer.grid, primer.pitches, tempo, name)
    return PianoRoll.from_active(
        written, grid=primer.grid, pitches=primer.pitches, tempo=tempo, before=primer.active[-1], name=name
    )
