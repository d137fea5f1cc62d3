"""Sliding windows as a PyTorch data set.

A window is ``input_frames`` that the encoder reads and the ``target_frames`` that follow, which the decoder writes.
Windows of a piece begin every ``hop`` frames and never reach into another piece.
"""

import copy
import warnings
from collections.abc import Iterator, Sequence
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
from pianoroll_seq2seq.data.corpus import Corpus, PackedPieces, pack_rolls
from pianoroll_seq2seq.data.fingerprint import fingerprint_conditions, fingerprint_pieces
from pianoroll_seq2seq.data.stray_notes import warn_of_stray_notes
from pianoroll_seq2seq.data.tasks import FillTasks
from pianoroll_seq2seq.data.tensors import frames_to_tensor
from pianoroll_seq2seq.errors import PieceTooShortError, SettingsError
from pianoroll_seq2seq.grid import SecondsGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.windowing.gather import WindowGatherer
from pianoroll_seq2seq.windowing.index import WindowIndex
from pianoroll_seq2seq.windowing.short_pieces import Short, pieces_with_windows

_VERY_LONG = 10
"""Times the median length of the pieces."""


class SlidingWindows(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """All windows of some rolls: a map-style data set that also fetches whole batches.

    ``windows[i]`` is a pair of float32 tensors, ``(input_frames, frame_size)`` and ``(target_frames, frame_size)``;
    ``windows.batch(indices)`` stacks many. They are zeros and ones; the columns of a velocity plane hold velocity / 127
    at onsets. The frames are stored once, as bits, however much the windows overlap. The frames of a
    :class:`~pianoroll_seq2seq.data.corpus.Corpus` stay on disk.

    Args:
        rolls: the pieces, on one grid and with the same parts; or a corpus.
        input_frames: frames that the model reads.
        target_frames: frames that it predicts.
        hop: frames from the start of one window to the next.
        layout: what the columns of a frame mean. The default is the grid and parts of the rolls, with the active and
            the onset plane, in which the onset of every note that begins within a piece is set.
            ``FrameLayout.of(rolls[0], velocity=True)`` has the velocity of each onset too, and ``onsets=False`` only
            the active plane.
        short: what to do with pieces of fewer than ``input_frames + target_frames`` frames: ``error`` names them,
            ``pad`` appends silence, ``skip`` leaves them out. The last two warn, and ``padded`` and ``skipped`` hold
            their names.
        augmentation: random variations of the windows. :meth:`batch` draws them from the generator that it is given;
            :func:`~pianoroll_seq2seq.train.fit` passes one.
        conditions: the condition of each piece, an array of shape (size,) for the whole piece, or (frames, size); see
            :mod:`~pianoroll_seq2seq.data.conditions`. Or a source that computes them, such as ``MetricPosition()``
            (:mod:`~pianoroll_seq2seq.data.condition_sources`). Padding has the condition of the last frame.
            :meth:`conditioned_batch` fetches them.
        pitch_classes: whether the first twelve numbers of a condition are pitch classes, counted from C. They are
            transposed with the window. All other numbers stay as they are.
        tasks: what is given of the target frames in training, for a model that fills the rest, such as
            :class:`~pianoroll_seq2seq.models.filling_lstm.FillingLSTM`; nothing by default. The input frames are given
            always, and a model never knows that a piece ends with its window.

    Attributes:
        layout: the layout.
        padded: names of the pieces that were padded.
        skipped: names of the skipped pieces.

    Warns:
        UserWarning: pieces that are padded or skipped, or that have a few notes after a long silence
            (:func:`~pianoroll_seq2seq.data.stray_notes.find_stray_notes`).

    Raises:
        SettingsError: a size below 1, an unknown ``short``, an augmentation of the tempo on a grid in beats, or pitch
            classes without conditions of at least twelve numbers.
        ShapeError: conditions of another number or length than the pieces, or of different sizes.
        PieceTooShortError: short pieces and ``short="error"``, or no window at all.
        GridError, PitchRangeError: rolls that differ from each other or from the layout.
        ShapeError, CorpusError: a velocity plane, and rolls or a corpus without velocities.

    Example:
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> windows = SlidingWindows([scale], input_frames=4, target_frames=2, hop=3)
        >>> inputs, targets = windows[1]  # frames 3 to 6, and the two after them
        >>> len(windows), inputs.shape, targets.shape
        (3, torch.Size([4, 24]), torch.Size([2, 24]))
    """

    def __init__(
        self,
        rolls: Sequence[PianoRoll],
        *,
        input_frames: int,
        target_frames: int,
        hop: int,
        layout: FrameLayout | None = None,
        short: Short = "error",
        augmentation: Augmentation | None = None,
        conditions: ConditionSource | Sequence[np.ndarray] | np.ndarray | None = None,
        pitch_classes: bool = False,
        tasks: FillTasks | None = None,
    ) -> None:
        """Packs the rolls, unless they are a corpus, and numbers the windows."""
        if min(input_frames, target_frames, hop) < 1:
            raise SettingsError(
                f"input_frames, target_frames and hop must be at least 1, got {input_frames}, {target_frames}, {hop}."
            )
        if short not in ("error", "pad", "skip"):
            raise SettingsError(f"short must be 'error', 'pad' or 'skip', got {short!r}.")
        self.input_frames = input_frames
        self.target_frames = target_frames
        self.hop = hop
        self.short = short
        self.augmentation = augmentation
        self.conditions = conditions
        self.pitch_classes = pitch_classes
        self.tasks = tasks
        self.rolls: Sequence[PianoRoll] = rolls if isinstance(rolls, Corpus) else tuple(rolls)
        if not self.rolls:
            raise PieceTooShortError("No windows: there are no pieces.")
        packed = _pack(self.rolls, layout)
        self.layout: FrameLayout = packed.layout
        if tasks is not None:
            tasks.check(self.layout.parts)
        self._check_tempo()
        given = None if conditions is None else compute_conditions(conditions, self.rolls)
        self._conditions = Conditions.of_pieces(given, packed.num_frames, packed.names, pitch_classes=pitch_classes)
        used = pieces_with_windows(packed, self.window_frames, short, stacklevel=3)
        self.padded: tuple[str, ...] = used.padded
        self.skipped: tuple[str, ...] = used.skipped
        self._pieces = used.indices
        self._gatherer = WindowGatherer(packed, self._pieces, window_frames=self.window_frames)
        warn_of_stray_notes(self._unusual_pieces(packed.num_frames), stacklevel=2)
        num_frames = np.maximum(packed.num_frames[self._pieces], self.window_frames)
        self._index = WindowIndex(num_frames, self.window_frames, hop)

    @property
    def window_frames(self) -> int:
        """Frames of a window, input and target."""
        return self.input_frames + self.target_frames

    @property
    def condition_size(self) -> int:
        """Size of a condition, 0 for none."""
        return 0 if self._conditions is None else self._conditions.size

    @property
    def num_target_frames(self) -> int:
        """Target frames of all windows together.

        With ``tasks``, without those that are given as a whole in the tasks of validation.
        """
        return len(self) * self.target_frames if self.tasks is None else self._num_frames_to_fill

    @cached_property
    def _num_frames_to_fill(self) -> int:
        masks = (self.given([index])[0][0, self.input_frames :] for index in range(len(self)))
        return sum(int((~mask.all(dim=1)).sum()) for mask in masks)

    def with_hop(self, hop: int) -> "SlidingWindows":
        """The same windows at another hop. With ``hop=target_frames`` each target frame occurs once."""
        return self._with(hop=hop, conditions=self.conditions)

    def with_conditions(self, conditions: ConditionSource | Sequence[np.ndarray] | np.ndarray) -> "SlidingWindows":
        """The same windows with other conditions, such as those that a model's ``condition_source`` computes."""
        return self._with(hop=self.hop, conditions=conditions)

    def _with(
        self, *, hop: int, conditions: ConditionSource | Sequence[np.ndarray] | np.ndarray | None
    ) -> "SlidingWindows":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the warning about short pieces was given before
            return SlidingWindows(
                self.rolls,
                input_frames=self.input_frames,
                target_frames=self.target_frames,
                hop=hop,
                layout=self.layout,
                short=self.short,
                augmentation=self.augmentation,
                conditions=conditions,
                pitch_classes=self.pitch_classes,
                tasks=self.tasks,
            )

    def __len__(self) -> int:
        """The number of windows."""
        return len(self._index)

    def __repr__(self) -> str:
        """The number and size of the windows, and their layout."""
        return (
            f"SlidingWindows({len(self)} windows of {self.input_frames} + {self.target_frames} frames, hop {self.hop}, "
            f"from {len(self._pieces)} pieces, {self.layout.grid}, {_describe_columns(self.layout)})"
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Maps a corpus again."""
        self.__dict__.update(state)
        self._gatherer = copy.copy(self._gatherer)  # a shallow copy of the windows would share it
        corpus = isinstance(self.rolls, Corpus)
        self._gatherer.attach(_pack(self.rolls, self.layout) if corpus else None)

    def __getitem__(
        self, index: int
    ) -> tuple[Float32[Tensor, "input frame_size"], Float32[Tensor, "target frame_size"]]:
        """The input and target of one window."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"Window {index} of {len(self)}.")
        inputs, targets = self.batch(np.array([index % len(self)]))
        return inputs[0], targets[0]

    def batch(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
        out: Float32[Tensor, "capacity window frame_size"] | None = None,
    ) -> tuple[Float32[Tensor, "batch input frame_size"], Float32[Tensor, "batch target frame_size"]]:
        """The inputs and targets of many windows.

        Args:
            indices: numbers of the windows, 0 <= index < len(windows).
            generator: the generator for the augmentation. Without it the windows are not varied.
            out: memory to reuse, for at least as many windows, which is faster. The batch is a view of it, valid until
                it is used again. New memory by default.
        """
        inputs, targets, _ = self._fetch(indices, generator, out)
        return inputs, targets

    def conditioned_batch(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
        out: Float32[Tensor, "capacity window frame_size"] | None = None,
    ) -> tuple[
        Float32[Tensor, "batch input frame_size"],
        Float32[Tensor, "batch target frame_size"],
        Float32[Tensor, "batch window size"] | None,
    ]:
        """As :meth:`batch`, with the conditions of all input and target frames, or None if there are none.

        Conditions follow the augmentation: they belong to the frames that are taken, and pitch classes are transposed.
        """
        return self._fetch(indices, generator, out)

    def target_mask(self, indices: Int64[np.ndarray, " batch"] | Sequence[int]) -> None:
        """None: all target frames count (see :class:`~pianoroll_seq2seq.train.examples.Examples`)."""

    @property
    def has_tasks(self) -> bool:
        """Whether something is given of the windows beside the input frames."""
        return self.tasks is not None

    def given(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
    ) -> tuple[Bool[Tensor, "batch window parts"], Int64[Tensor, " batch"]]:
        """What is given of each window: see :class:`~pianoroll_seq2seq.train.examples.FillingExamples`.

        Args:
            indices: numbers of the windows.
            generator: draws the tasks; None for tasks that depend on the number of the window alone.
        """
        tasks = self.tasks or FillTasks()
        numbers = np.asarray(indices).tolist()
        masks = np.ones((len(numbers), self.window_frames, len(self.layout.parts)), dtype=bool)
        for mask, number in zip(masks, numbers, strict=True):
            each = generator or np.random.default_rng(number)
            mask[self.input_frames :], _ = tasks.draw(self.target_frames, self.layout.parts, each)
        return torch.from_numpy(masks), torch.zeros(len(masks), dtype=torch.int64)

    def fingerprint(self) -> dict[str, Any]:
        """The sizes of the windows, and hashes of their pieces and conditions, for JSON.

        They say whether a run of :func:`~pianoroll_seq2seq.train.fit` is resumed with the same windows.
        """
        pieces = self._pieces.tolist()
        used = self.rolls.select(pieces) if isinstance(self.rolls, Corpus) else [self.rolls[place] for place in pieces]
        conditions = None if self._conditions is None else fingerprint_conditions(self._conditions, pieces)
        return fingerprint_pieces(used, velocity=self.layout.has_velocity) | {
            "input_frames": self.input_frames,
            "target_frames": self.target_frames,
            "hop": self.hop,
            "pitch_classes": self.pitch_classes,
            "conditions": conditions,
            "tasks": None if self.tasks is None else asdict(self.tasks),
        }

    def piece_of(self, index: int) -> PianoRoll:
        """The piece of a window."""
        piece, _ = self._index.locate(np.array([index]))
        return self.rolls[int(self._pieces[piece[0]])]

    def _fetch(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        generator: np.random.Generator | None,
        out: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Inputs, targets and conditions of many windows."""
        piece, start = self._index.locate(np.asarray(indices, dtype=np.int64))
        augmentation = None if generator is None else self.augmentation
        frames, semitones = np.arange(self.window_frames)[None], np.zeros(len(piece), dtype=np.int64)
        if augmentation is None or generator is None or augmentation.tempo == (1.0, 1.0):
            packed = self._gatherer.contiguous(piece, start)
        else:
            frames = augmentation.draw_frame_indices(
                self._index.num_frames[piece] - start, self.window_frames, generator
            )
            packed = self._gatherer.selected(piece, start[:, None] + frames)
        if augmentation is not None and generator is not None:
            semitones = augmentation.draw_semitones(packed.active, self.layout.parts, generator)
            packed = transpose_packed(packed, self.layout.parts, semitones)
        windows = frames_to_tensor(packed, self.layout, out)
        condition = None
        if self._conditions is not None:
            values = self._conditions.at(self._pieces[piece], start[:, None] + frames)
            condition = torch.from_numpy(transpose_chroma(values, semitones) if self.pitch_classes else values)
        return windows[:, : self.input_frames], windows[:, self.input_frames :], condition

    def _check_tempo(self) -> None:
        varies_tempo = self.augmentation is not None and self.augmentation.tempo != (1.0, 1.0)
        if varies_tempo and not isinstance(self.layout.grid, SecondsGrid):
            raise SettingsError(
                f"augmentation.tempo needs a SecondsGrid: {self.layout.grid} has the same frames at every tempo."
            )

    def _unusual_pieces(self, num_frames: np.ndarray) -> Iterator[PianoRoll]:
        """The pieces to be looked through for stray notes: all; of a corpus, which is on disk, only very long ones."""
        limit = _VERY_LONG * float(np.median(num_frames)) if isinstance(self.rolls, Corpus) else 0
        return (self.rolls[piece] for piece in self._pieces.tolist() if num_frames[piece] > limit)


def _pack(rolls: Sequence[PianoRoll], layout: FrameLayout | None) -> PackedPieces:
    """The pieces as bits, in a layout or by default in that of the first."""
    return rolls.packed(layout) if isinstance(rolls, Corpus) else pack_rolls(rolls, layout)


def _describe_columns(layout: FrameLayout) -> str:
    """The parts or the pitches, and the planes."""
    parts = layout.parts
    columns = f"parts {', '.join(part.name for part in parts)}" if len(parts) > 1 else str(layout.pitches)
    planes = {"active": "", "onset": ", with onsets", "velocity": ", with onsets and velocities"}
    return columns + planes[layout.planes[-1]]
