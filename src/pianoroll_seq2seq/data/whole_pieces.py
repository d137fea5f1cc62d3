"""Whole pieces as training examples, a few of similar length at a time.

Sliding windows cut a piece, so a model cannot see what came long before. A model that reads everything so far
(:class:`~pianoroll_seq2seq.models.copying_lstm.CopyingLSTM`) learns from whole pieces.
"""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from pianoroll_seq2seq.data.augmentation import Augmentation, transpose_packed
from pianoroll_seq2seq.data.condition_sources import ConditionSource, compute_conditions
from pianoroll_seq2seq.data.conditions import Conditions, transpose_chroma
from pianoroll_seq2seq.data.corpus import PackedPieces, pack_rolls
from pianoroll_seq2seq.data.corpus.packing import PackedFrames, first_onsets
from pianoroll_seq2seq.data.fingerprint import fingerprint_conditions, fingerprint_pieces
from pianoroll_seq2seq.data.stray_notes import warn_of_stray_notes
from pianoroll_seq2seq.data.tasks import FillTasks
from pianoroll_seq2seq.data.tensors import frames_to_tensor
from pianoroll_seq2seq.errors import PieceTooShortError, SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll


class WholePieces(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Groups of whole pieces: the examples of :func:`~pianoroll_seq2seq.train.fit` in place of windows.

    An example is a group: pieces of similar length, the shorter ones padded with silence, which is left out of the loss
    (:meth:`target_mask`). So a ``batch_size`` of 1 is a step over one group.

    Args:
        rolls: the pieces, on one grid and with the same parts.
        max_frames_per_batch: frames of a group, padding included; a longer piece is a group of its own.
        input_frames: frames of silence before each piece, which a model reads and need not predict; 0 for a model that
            predicts a piece from its first frame on.
        repeats: how often an epoch contains each piece, each time in another group. With short pieces an epoch without
            repeats takes less time than validation.
        augmentation: random transpositions, drawn for every piece in :meth:`batch` from its generator.
        layout: what the columns of frames mean; that of the first roll, with an onset plane, by default. With a
            velocity plane its columns hold velocity / 127 at onsets.
        conditions: the condition of each piece, an array of shape (size,) for the whole piece, or (frames, size); or a
            source that computes them, such as ``MetricPosition()``
            (:mod:`~pianoroll_seq2seq.data.condition_sources`). Silence before a piece has the condition of its first
            frame, padding that of its last. :meth:`conditioned_batch` fetches them.
        pitch_classes: whether the first twelve numbers of a condition are pitch classes, counted from C. They are
            transposed with the piece. All other numbers stay as they are.
        tasks: what is given of each piece in training, for a model that fills the rest, such as
            :class:`~pianoroll_seq2seq.models.filling_lstm.FillingLSTM`; nothing by default.

    Attributes:
        rolls: the pieces.
        layout: what the columns of frames mean.

    Raises:
        SettingsError: sizes out of range, an augmentation that varies the tempo, or pitch classes without conditions
            of at least twelve numbers.
        ShapeError: conditions of another number or length than the pieces, or of different sizes.
        PieceTooShortError: no pieces, or a piece without frames.
        GridError, PitchRangeError: rolls that differ in grid, parts or pitches, or that do not fit the layout.
        ShapeError: a velocity plane, and rolls without velocities.

    Example:
        >>> import numpy as np
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> inputs, targets = WholePieces([scale, scale[:8]], max_frames_per_batch=24)[0]
        >>> targets.shape  # two pieces, the shorter one padded with silence
        torch.Size([2, 12, 24])
    """

    def __init__(
        self,
        rolls: Sequence[PianoRoll],
        *,
        max_frames_per_batch: int,
        input_frames: int = 0,
        repeats: int = 1,
        augmentation: Augmentation | None = None,
        layout: FrameLayout | None = None,
        conditions: ConditionSource | Sequence[np.ndarray] | np.ndarray | None = None,
        pitch_classes: bool = False,
        tasks: FillTasks | None = None,
    ) -> None:
        """Sorts the pieces by length and groups them."""
        if min(max_frames_per_batch, repeats) < 1 or input_frames < 0:
            raise SettingsError(
                f"max_frames_per_batch and repeats must be at least 1 and input_frames at least 0, got "
                f"{max_frames_per_batch}, {repeats} and {input_frames}."
            )
        if augmentation is not None and augmentation.tempo != (1.0, 1.0):
            raise SettingsError("Whole pieces keep their tempo. Use Augmentation(tempo=(1.0, 1.0)), or SlidingWindows.")
        self.rolls: tuple[PianoRoll, ...] = tuple(rolls)
        empty = [roll.name for roll in self.rolls if not len(roll)]
        if not self.rolls or empty:
            raise PieceTooShortError(f"Pieces without frames: {empty}." if empty else "There are no pieces.")
        packed = pack_rolls(self.rolls, layout)
        self.layout: FrameLayout = packed.layout
        self.input_frames = input_frames
        self.augmentation = augmentation
        self.max_frames_per_batch = max_frames_per_batch
        self.repeats = repeats
        self.pitch_classes = pitch_classes
        self.tasks = tasks
        given = None if conditions is None else compute_conditions(conditions, self.rolls)
        self._conditions = Conditions.of_pieces(given, packed.num_frames, packed.names, pitch_classes=pitch_classes)
        self._packed: PackedPieces = packed
        if tasks is not None:
            tasks.check(self.layout.parts)
        self._first_onsets = first_onsets(packed.onset_shards[0], packed.offset) if packed.velocities else None
        warn_of_stray_notes(self.rolls, stacklevel=2)
        self._groups = [
            group for seed in range(repeats) for group in _groups(packed.num_frames, max_frames_per_batch, seed)
        ]

    def __len__(self) -> int:
        """The number of groups."""
        return len(self._groups)

    def __repr__(self) -> str:
        """The number of pieces and of groups, and the layout."""
        return f"WholePieces({len(self.rolls)} pieces in {len(self)} groups, {self.layout})"

    @property
    def condition_size(self) -> int:
        """Size of a condition, 0 for none."""
        return 0 if self._conditions is None else self._conditions.size

    @property
    def target_frames(self) -> int:
        """Frames of the longest piece."""
        return int(self._packed.num_frames.max())

    @property
    def has_tasks(self) -> bool:
        """Whether something is given of the pieces."""
        return self.tasks is not None

    @property
    def num_target_frames(self) -> int:
        """Frames of all pieces of an epoch together, without padding.

        With ``tasks``, without those that are given as a whole in the tasks of validation.
        """
        if self.tasks is None:
            return int(self._packed.num_frames.sum()) * self.repeats
        return self._num_frames_to_fill

    @cached_property
    def _num_frames_to_fill(self) -> int:
        count = 0
        for group in range(len(self)):
            mask, _ = self.given([group])
            count += int((~mask[:, self.input_frames :].all(dim=2) & self.target_mask([group])).sum())
        return count

    def __getitem__(self, index: int) -> tuple[Float32[Tensor, "pieces input columns"], Tensor]:
        """One group's inputs and targets.

        Raises:
            IndexError: no such group.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"Group {index} of {len(self)}.")
        return self.batch(np.array([index % len(self)]))

    def batch(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
        out: Tensor | None = None,
    ) -> tuple[Float32[Tensor, "pieces input columns"], Float32[Tensor, "pieces target columns"]]:
        """The inputs and targets of some groups, stacked: a row for each piece.

        Args:
            indices: numbers of the groups, 0 <= index < len(self).
            generator: draws the transpositions, if there is an ``augmentation``; None for no transposition.
            out: not used, since groups differ in size.
        """
        inputs, targets, _ = self.conditioned_batch(indices, generator=generator)
        return inputs, targets

    def conditioned_batch(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
        out: Tensor | None = None,
    ) -> tuple[
        Float32[Tensor, "pieces input columns"],
        Float32[Tensor, "pieces target columns"],
        Float32[Tensor, "pieces frames size"] | None,
    ]:
        """As :meth:`batch`, with the conditions of all input and target frames, or None if there are none."""
        pieces = self._pieces(indices)
        frames, semitones = self._frames(pieces), np.zeros(len(pieces), dtype=np.int64)
        if generator is not None and self.augmentation is not None:
            semitones = self.augmentation.draw_semitones(frames.active, self.layout.parts, generator)
            frames = transpose_packed(frames, self.layout.parts, semitones)
        inputs = torch.zeros(len(pieces), self.input_frames, self.layout.frame_size)
        targets = frames_to_tensor(frames, self.layout)
        condition = None
        if self._conditions is not None:
            at = np.maximum(np.arange(-self.input_frames, targets.shape[1]), 0)
            values = self._conditions.at(pieces, np.broadcast_to(at, (len(pieces), len(at))))
            condition = torch.from_numpy(transpose_chroma(values, semitones) if self.pitch_classes else values)
        return inputs, targets, condition

    def _frames(self, pieces: Int64[np.ndarray, " pieces"]) -> PackedFrames:
        """The frames of some pieces, each followed by silence up to the length of the longest."""
        packed = self._packed
        shards = [packed.shards[0], *packed.onset_shards]
        shape = (len(pieces), int(packed.num_frames[pieces].max()), shards[0].shape[1])
        planes = [np.zeros(shape, dtype=np.uint8) for _ in shards]
        velocities = []
        for row, piece in enumerate(pieces.tolist()):
            begin, count = int(packed.offset[piece]), int(packed.num_frames[piece])
            for plane, shard in zip(planes, shards, strict=True):
                plane[row, :count] = shard[begin : begin + count]
            if self._first_onsets is not None:
                first, last = self._first_onsets[[piece, piece + 1]]
                velocities.append(packed.velocities[0].values[first:last])
        onset = planes[1] if len(planes) > 1 else None
        return PackedFrames(planes[0], onset, np.concatenate(velocities) if velocities else None)

    def target_mask(self, indices: Int64[np.ndarray, " batch"] | Sequence[int]) -> Bool[Tensor, "pieces target"]:
        """Which target frames of a batch belong to pieces, and are no padding."""
        num_frames = torch.from_numpy(self._packed.num_frames[self._pieces(indices)])
        return torch.arange(int(num_frames.max())) < num_frames[:, None]

    def given(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
    ) -> tuple[Bool[Tensor, "pieces frames parts"], Int64[Tensor, " pieces"]]:
        """What is given of each piece: see :class:`~pianoroll_seq2seq.train.examples.FillingExamples`.

        Args:
            indices: numbers of the groups.
            generator: draws the tasks; None for tasks that depend on the number of the group alone.
        """
        tasks = self.tasks or FillTasks(continuing=1.0)
        groups = np.asarray(indices).tolist()
        generators = [
            each for group in groups for each in [generator or np.random.default_rng(group)] * len(self._groups[group])
        ]
        num_frames = self._packed.num_frames[self._pieces(indices)].tolist()
        masks = torch.zeros(
            len(num_frames), self.input_frames + max(num_frames), len(self.layout.parts), dtype=torch.bool
        )
        masks[:, : self.input_frames] = True
        ends = torch.zeros(len(num_frames), dtype=torch.int64)
        for row, (count, each) in enumerate(zip(num_frames, generators, strict=True)):
            mask, known_end = tasks.draw(count, self.layout.parts, each)
            masks[row, self.input_frames : self.input_frames + count] = torch.from_numpy(mask)
            ends[row] = (self.input_frames + count) * known_end
        return masks, ends

    def fingerprint(self) -> dict[str, Any]:
        """The sizes of the groups, and hashes of the pieces and their conditions, for JSON.

        They say whether a run of :func:`~pianoroll_seq2seq.train.fit` is resumed with the same pieces.
        """
        pieces = range(len(self.rolls))
        conditions = None if self._conditions is None else fingerprint_conditions(self._conditions, pieces)
        return fingerprint_pieces(self.rolls, velocity=self.layout.has_velocity) | {
            "pitch_classes": self.pitch_classes,
            "conditions": conditions,
            "input_frames": self.input_frames,
            "max_frames_per_batch": self.max_frames_per_batch,
            "repeats": self.repeats,
            "tasks": None if self.tasks is None else asdict(self.tasks),
        }

    def names(self, index: int) -> tuple[str, ...]:
        """The names of a group's pieces."""
        return tuple(self.rolls[piece].name for piece in self._groups[index].tolist())

    def _pieces(self, indices: Int64[np.ndarray, " batch"] | Sequence[int]) -> np.ndarray:
        return np.concatenate([self._groups[index] for index in np.asarray(indices).tolist()])


def _groups(num_frames: np.ndarray, max_frames: int, seed: int) -> list[np.ndarray]:
    """Groups of pieces of similar length, as large as ``max_frames`` allows.

    Pieces are sorted by a length that is randomly changed by up to a tenth, so that groups differ with the seed.
    """
    jitter = np.random.default_rng(seed).uniform(0.9, 1.1, size=len(num_frames))
    order = np.argsort(num_frames * jitter, kind="stable")[::-1]
    groups = []
    while len(order):
        longest = np.maximum.accumulate(num_frames[order])
        size = max(1, int((longest * np.arange(1, len(order) + 1) <= max_frames).sum()))
        groups.append(order[:size])
        order = order[size:]
    return groups
