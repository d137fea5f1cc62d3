"""What a model has read and written, frame by frame. Any of the latest frames can be returned to."""

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq.data.conditions import stack_conditions
from pianoroll_seq2seq.live.part_keys import PartKeys
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.models.contract import FillingModel, source_of
from pianoroll_seq2seq.models.given_frames import GivenFrames, given_columns
from pianoroll_seq2seq.models.heads.contract import FillingDistribution, FrameDistribution
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.sampling import Length, Sampler
from pianoroll_seq2seq.sampling.frame_loop import FrameLoop, GivenCells
from pianoroll_seq2seq.sampling.generation import start_after
from pianoroll_seq2seq.sampling.model_conditions import conditions_of_pieces, extended
from pianoroll_seq2seq.sampling.samplers import Draw, next_sampler
from pianoroll_seq2seq.signatures import TimeSignature
from pianoroll_seq2seq.tempo import TempoMap

KEPT_FRAMES = 256
"""At least so many of the latest frames are read."""
_CONTEXTS = 3  # a context of so many times the frames that are kept begins anew with these
_SILENCE_BEATS = 16  # what a model that only continues reads before the first note


@dataclass(frozen=True)
class _Step:
    """What is known before a frame: its distribution, the model's state, and how the frame is chosen."""

    distribution: FrameDistribution
    state: Any
    sampler: Sampler


class ModelContext:
    """The frames of a conversation as the model reads them.

    The player's frames are given. If the player plays one part of several and the model can fill, it writes the other
    parts beside it, which do not sound: so it reads music like that of its training. Otherwise they are silent.

    Call it in one thread, in the context of ``evaluating``.

    Args:
        trained: the model.
        keys: the part that the player plays.
        bar: frames in a bar.
        returns: the most frames by which it returns.
        beats_per_bar: quarter notes in a bar.
        tempo: the tempo.
        sampler: chooses each frame.
        seed: of the sampler.
        condition: the condition of every frame, (size,); by default that of the model's source, if it has one.
    """

    def __init__(
        self,
        trained: TrainedModel,
        keys: PartKeys,
        *,
        bar: int,
        returns: int = 64,
        beats_per_bar: int = 4,
        tempo: TempoMap | None = None,
        sampler: Sampler = Draw(),
        seed: int = 0,
        condition: np.ndarray | None = None,
    ) -> None:
        """Begins without frames, or for a model that only continues with silence."""
        self._layout, self._model = trained.layout, trained.model
        self._bar, self._seed, self._condition = bar, seed, condition
        self._kept_steps = returns + 1
        self._kept_frames = max(KEPT_FRAMES, returns + 4 * bar)
        self.num_known_frames: int = _CONTEXTS * self._kept_frames
        """Frames of which the conditions are known. A context of so many begins anew with the latest ones."""
        self._tempo = tempo or TempoMap()
        self._meter = Meter([TimeSignature(0, beats_per_bar, 4)])
        self._loop = FrameLoop.of(self._model, sampler, self._layout, seed=seed, count=1)
        self._num_turns = 0
        given = torch.tensor([[part is keys.part for part in self._layout.parts]])
        self._cells = given_columns(given, self._layout).to(self._loop.device)
        self._fills = isinstance(self._model, FillingModel) and len(self._layout.parts) > 1
        self.frames: list[np.ndarray] = self._silence()
        """The latest frames, (frame_size,) each."""
        self._num_dropped = -len(self.frames)
        self._steps: dict[int, _Step] = {}
        self._latest_step: tuple[Tensor, _Step] | None = None  # the latest frame, and what was known before it

    @property
    def evaluating(self) -> Any:
        """A context in which the model is in evaluation mode."""
        return self._loop.evaluating

    @property
    def length(self) -> int:
        """Frames read and written so far, without those from before the conversation."""
        return self._num_dropped + len(self.frames)

    def begin_turn(self) -> None:
        """Begins the random numbers of a turn, so that they do not depend on how far an interrupted answer came."""
        self._num_turns += 1
        seed = int(np.random.SeedSequence([self._seed % 2**64, self._num_turns]).generate_state(1, np.uint64)[0])
        generators = RowGenerators(seed, 1, self._loop.device)
        self._loop = replace(self._loop, generators=generators)

    def prepare(self) -> None:
        """Computes the distribution of the next frame, if it is not known."""
        with torch.inference_mode():
            self._step()

    def read(self, frame: np.ndarray) -> None:
        """Reads a frame of the player, (frame_size,)."""
        with torch.inference_mode():
            step, given = self._step(), self._loop.tensor(frame[np.newaxis])
            if self._fills:
                distribution = cast(FillingDistribution, step.distribution).given(given, self._cells)
                cells = GivenCells(given[:, None], self._cells[:, None], np.ones((1, 1), dtype=bool))
                given = self._loop.choose(step.sampler, distribution, self._latest(), cells, 0)
            self._add(given, step)

    def write(self) -> np.ndarray:
        """Writes a frame and returns it, (frame_size,): bool, or uint8 with a velocity plane."""
        with torch.inference_mode():
            step = self._step()
            frame = self._loop.choose(step.sampler, step.distribution, self._latest(), None, 0)
            return self._add(frame, step)

    def align(self, position: int) -> None:
        """Reads silence until so many frames follow the latest bar line."""
        while (self.length - position) % self._bar:
            self.read(np.zeros(self._layout.frame_size, self._dtype))

    def rest(self) -> None:
        """Begins anew with the latest frames if the context is long, which takes the time of several frames."""
        if len(self.frames) > self._kept_frames * (_CONTEXTS + 1) // 2:
            self._cut()
            self.prepare()

    def rewind(self, length: int) -> None:
        """Returns to a length, which is not above the present one."""
        count = max(length - self._num_dropped, 0)
        if count < len(self.frames):
            self._latest_step = None
        del self.frames[count:]
        for later in [one for one in self._steps if one > count]:
            del self._steps[later]
        if not self.frames:  # all that is kept came later
            self.frames = self._silence()
            self._num_dropped = length - len(self.frames)

    @property
    def _dtype(self) -> type:
        return np.uint8 if self._layout.has_velocity else bool

    def _silence(self) -> list[np.ndarray]:
        """What the model reads before the first note: silence for a model that only continues, else nothing."""
        if isinstance(self._model, FillingModel):
            return []
        num_frames = Length(beats=_SILENCE_BEATS).in_frames(self._layout.grid, self._tempo)
        return [np.zeros(self._layout.frame_size, self._dtype)] * (-(-num_frames // self._bar) * self._bar)

    def _latest(self) -> Tensor:
        """The frame before the next, (1, frame_size)."""
        if not self.frames:
            return self._loop.tensor(np.zeros((1, self._layout.frame_size), self._dtype))
        return self._loop.tensor(self.frames[-1][np.newaxis])

    def _add(self, frame: Tensor, step: _Step) -> np.ndarray:
        """Adds a frame, (1, frame_size). What is known of the next is computed when it is needed."""
        row: np.ndarray = self._loop.to_array(frame)[0]
        self.frames.append(row)
        self._latest_step = (frame, step)
        if len(self.frames) >= self.num_known_frames:
            self._cut()
        return row

    def _cut(self) -> None:
        """Forgets all but the latest frames, by whole bars."""
        dropped = (len(self.frames) - self._kept_frames) // self._bar * self._bar
        del self.frames[:dropped]
        self._num_dropped += dropped
        self._steps.clear()
        self._latest_step = None

    def _step(self) -> _Step:
        """What is known of the next frame."""
        length = len(self.frames)
        if length not in self._steps:
            if self._latest_step is None:
                self._steps[length] = self._started()
            else:
                frame, step = self._latest_step
                distribution, state = self._model.advance(frame, step.state)
                self._steps[length] = _Step(distribution, state, next_sampler(step.sampler, frame))
            self._steps.pop(length - self._kept_steps, None)
        return self._steps[length]

    def _started(self) -> _Step:
        """The same, from all frames."""
        conditions = self._conditions()
        if not self.frames:
            model = cast(FillingModel, self._model)
            frames = torch.zeros(1, self.num_known_frames, self._layout.frame_size, dtype=self._loop.dtype)
            mask = torch.zeros(1, self.num_known_frames, len(self._layout.parts), dtype=torch.bool)
            given = GivenFrames.of(frames, mask, self._layout).to(self._loop.device, self._loop.dtype)
            past = given.frames[:, :0]
            tensor = None if conditions is None else torch.from_numpy(conditions).to(self._loop.device)
            started = model.start_filling(given, tensor)
        else:
            past = self._loop.tensor(np.stack(self.frames)[np.newaxis])
            started = start_after(self._model, past, conditions)
        return _Step(*started, self._loop.after(past).sampler)

    def _conditions(self) -> np.ndarray | None:
        """The conditions of all frames, also of those to come, (1, frames, size) or (1, 1, size)."""
        if self._condition is not None:
            return stack_conditions([self._condition], 1)
        if source_of(self._model) is None:
            return None
        layout, count = self._layout, len(self.frames)
        roll = PianoRoll.silent(0, grid=layout.grid, parts=layout.parts, tempo=self._tempo)
        if count:
            roll = PianoRoll.from_frames(np.stack(self.frames), layout, tempo=self._tempo)
        whole = extended(replace(roll, meter=self._meter), self.num_known_frames - count)
        return conditions_of_pieces(None, [whole], self._model, is_one=False)
