"""Pieces to training examples: sliding windows over the frames.

A window is ``input_frames`` that the encoder reads, then the ``target_frames`` that follow, which the
decoder shall write. Windows of a piece begin every ``hop`` frames and never reach into another piece.
"""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from pianoroll_seq2seq.augmentation import Augmentation, moved
from pianoroll_seq2seq.conditions import Conditions, turned
from pianoroll_seq2seq.corpus import Corpus, PackedPieces, pack_rolls
from pianoroll_seq2seq.errors import PieceTooShortError, SettingsError
from pianoroll_seq2seq.grid import FrameGrid, SecondsGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange


class SlidingWindows(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """All windows of some rolls: a map-style dataset for PyTorch that also fetches whole batches.

    ``windows[i]`` is a pair of float32 tensors, ``(input_frames, pitches)`` and ``(target_frames, pitches)``,
    of zeros and ones; ``windows.batch(indices)`` stacks many at once. The frames are kept once, an eighth of a
    byte a cell, however much the windows overlap; those of a :class:`~pianoroll_seq2seq.corpus.Corpus` stay on
    disk, and no more than a batch of them is held.

    With ``onsets=True`` a frame has two columns for each pitch: first whether each sounds, then whether each is
    struck in this frame. So a note that is repeated without a gap is told from one that is held. What is struck
    sounds, and what begins to sound within a piece is struck.

    Args:
        rolls: the pieces, on one grid and of one pitch range; or a corpus.
        input_frames: frames the model reads.
        target_frames: frames it shall continue with.
        hop: frames from the start of one window to the next.
        short: what becomes of pieces of fewer than ``input_frames + target_frames`` frames: an error that
            names them, or they are padded with silence at the end, or skipped. The last two warn, and
            ``padded`` and ``skipped`` hold their names.
        augmentation: variations of the windows, drawn in :meth:`batch` from the generator given there;
            :func:`~pianoroll_seq2seq.train.fit` gives one.
        onsets: whether a frame says which pitches are struck, beside which sound.
        conditions: what a model is told of each piece besides, one array a piece: (size,) for all of it or
            (frames, size); see :mod:`~pianoroll_seq2seq.conditions`. Frames of silence after a short piece have the
            condition of its last. :meth:`conditioned_batch` fetches them.
        pitch_classes: whether the first twelve numbers of a condition are pitch classes, counted from C: they turn with
            the transposition that is drawn for a window. All other numbers stay as they are.

    Raises:
        SettingsError: a size below 1, another ``short``, a tempo to vary on a grid in beats, or pitch classes without
            conditions of at least twelve numbers.
        ShapeError: conditions of another number or length than the pieces, or of different sizes.
        PieceTooShortError: short pieces and ``short="error"``, or no window at all.
        GridError, PitchRangeError: rolls that do not fit one another.

    Example:
        >>> import numpy as np
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> windows = SlidingWindows([scale], input_frames=4, target_frames=2, hop=3)
        >>> inputs, targets = windows[1]  # frames 3 to 6, and the two after them
        >>> len(windows), inputs.shape, targets.shape
        (3, torch.Size([4, 12]), torch.Size([2, 12]))
    """

    def __init__(
        self,
        rolls: Sequence[PianoRoll],
        *,
        input_frames: int,
        target_frames: int,
        hop: int,
        short: Literal["error", "pad", "skip"] = "error",
        augmentation: Augmentation | None = None,
        onsets: bool = False,
        conditions: Sequence[np.ndarray] | np.ndarray | None = None,
        pitch_classes: bool = False,
    ) -> None:
        """Packs the rolls, unless they are a corpus, and notes where windows begin."""
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
        self.onsets = onsets
        self.conditions = conditions
        self.pitch_classes = pitch_classes
        self.rolls: Sequence[PianoRoll] = rolls if isinstance(rolls, Corpus) else tuple(rolls)
        self.padded: tuple[str, ...] = ()
        self.skipped: tuple[str, ...] = ()
        if not self.rolls:
            raise PieceTooShortError("No windows: there are no pieces.")
        packed = self._packed()
        self.grid: FrameGrid = packed.grid
        self.pitches: PitchRange = packed.pitches
        if augmentation is not None and augmentation.tempo != (1.0, 1.0) and not isinstance(self.grid, SecondsGrid):
            raise SettingsError(f"A tempo can be varied on a SecondsGrid; {self.grid} follows the beat at any tempo.")
        self._conditions = None if conditions is None else Conditions.of(conditions)
        if self._conditions is not None:
            self._conditions.check_fit(packed.frames, packed.names)
        if pitch_classes and self.condition_size < 12:
            raise SettingsError(
                f"pitch_classes=True needs conditions whose first twelve numbers are pitch classes, got conditions of "
                f"{self.condition_size}. Put pitch_class_vector(...) first."
            )
        kept = self._handle_short_pieces(packed)
        if not len(kept):
            raise PieceTooShortError(
                f"No windows: none of {len(self.rolls)} pieces has {self.window_frames} frames. "
                f"Use shorter windows, a finer grid, or short='pad'."
            )
        self._pieces = kept
        self._shard, self._offset = packed.shard[kept], packed.offset[kept]
        self._frames = np.maximum(packed.frames[kept], self.window_frames)
        self._shards, self._onset_shards = list(packed.shards), list(packed.onset_shards)
        self._pad(packed.frames[kept])
        self._bytes = self._buffers()
        counts = (self._frames - self.window_frames) // hop + 1
        self._first_window = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])

    @property
    def window_frames(self) -> int:
        """Frames of a whole window, input and target."""
        return self.input_frames + self.target_frames

    @property
    def frame_size(self) -> int:
        """Columns of a frame: one for each pitch, or two with ``onsets``."""
        return len(self.pitches) * len(self._planes)

    @property
    def condition_size(self) -> int:
        """Numbers of a condition, 0 where there are none."""
        return 0 if self._conditions is None else self._conditions.size

    @property
    def frames(self) -> int:
        """Target frames of all windows together."""
        return len(self) * self.target_frames

    def with_hop(self, hop: int) -> "SlidingWindows":
        """The same windows at another hop; ``hop=target_frames`` makes each target frame stand once."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the same short pieces were named before
            return SlidingWindows(
                self.rolls,
                input_frames=self.input_frames,
                target_frames=self.target_frames,
                hop=hop,
                short=self.short,
                augmentation=self.augmentation,
                onsets=self.onsets,
                conditions=self.conditions,
                pitch_classes=self.pitch_classes,
            )

    def __len__(self) -> int:
        """The number of windows."""
        return int(self._first_window[-1])

    def __repr__(self) -> str:
        """How many windows of what size, and of what."""
        return (
            f"SlidingWindows({len(self)} windows of {self.input_frames} + {self.target_frames} frames, hop {self.hop}, "
            f"from {len(self._pieces)} pieces, {self.grid}, {self.pitches}{', with onsets' if self.onsets else ''})"
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without what is mapped from a corpus: a worker maps it anew."""
        kept = {
            name: [shard for shard in getattr(self, name) if not isinstance(shard, np.memmap)]
            for name in ("_shards", "_onset_shards")
        }
        return {**self.__dict__, **kept, "_bytes": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Maps a corpus anew."""
        self.__dict__.update(state)
        if isinstance(self.rolls, Corpus):
            packed = self._packed()
            self._shards = [*packed.shards, *self._shards]
            self._onset_shards = [*packed.onset_shards, *self._onset_shards]
        self._bytes = self._buffers()

    def __getitem__(self, index: int) -> tuple[Float32[Tensor, "input pitches"], Float32[Tensor, "target pitches"]]:
        """One window's input and target."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"Window {index} of {len(self)}.")
        inputs, targets = self.batch(np.array([index % len(self)]))
        return inputs[0], targets[0]

    def batch(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
        out: Float32[Tensor, "most window pitches"] | None = None,
    ) -> tuple[Float32[Tensor, "batch input pitches"], Float32[Tensor, "batch target pitches"]]:
        """The inputs and targets of many windows.

        Args:
            indices: which windows, 0 <= index < len(windows).
            generator: what variations are drawn from, if there is an ``augmentation``; without it the windows
                are as they stand in the pieces.
            out: memory to use again, of at least as many windows: a fifth more windows a second. The batch is a
                view of it, good until it is used the next time. New memory by default.
        """
        inputs, targets, _ = self._fetched(indices, generator, out)
        return inputs, targets

    def conditioned_batch(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
        out: Float32[Tensor, "most window pitches"] | None = None,
    ) -> tuple[
        Float32[Tensor, "batch input pitches"],
        Float32[Tensor, "batch target pitches"],
        Float32[Tensor, "batch window size"] | None,
    ]:
        """The same, and the conditions of all their frames, input and target; None where there are none.

        They vary as the windows do: at another pace with the frames that are taken, and pitch classes with the key.
        """
        if self._conditions is None:
            return (*self.batch(indices, generator=generator, out=out), None)
        return self._fetched(indices, generator, out)

    def _fetched(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        generator: np.random.Generator | None,
        out: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Inputs, targets and conditions of many windows."""
        window = np.asarray(indices, dtype=np.int64)
        if len(window) and not 0 <= window.min() <= window.max() < len(self):
            raise IndexError(f"Windows {window.min()} to {window.max()} of {len(self)}.")
        piece = np.searchsorted(self._first_window, window, side="right") - 1
        within = (window - self._first_window[piece]) * self.hop
        start = self._offset[piece] + within
        drawn = None if generator is None else self.augmentation
        frames, steps = np.arange(self.window_frames)[None], np.zeros(len(window), dtype=np.int64)
        if drawn is None or generator is None or drawn.tempo == (1.0, 1.0):
            packed = self._windows(self._shard[piece], start)
        else:
            frames = drawn.frames(self._frames[piece] - within, self.window_frames, generator)
            packed = self._picked(self._shard[piece], start[:, None] + frames)
        if drawn is not None and generator is not None:
            # What is struck lies beside what sounds and moves by as many bits; it sounds, so it stays in the range too.
            steps = drawn.steps(packed, len(self.pitches), generator)
            packed = moved(packed, steps)
        width = packed.shape[2]
        cells = np.unpackbits(packed.reshape(len(packed), self.window_frames * width), axis=1)
        planes = len(self._planes)
        cells = cells.reshape(len(packed), self.window_frames, planes, 8 * width // planes)[..., : len(self.pitches)]
        cells = cells.reshape(len(packed), self.window_frames, self.frame_size)
        if out is None:
            windows = torch.from_numpy(cells.astype(np.float32))
        else:
            windows = out[: len(cells)].copy_(torch.from_numpy(cells))
        condition = None
        if self._conditions is not None:
            told = self._conditions.at(self._pieces[piece], within[:, None] + frames)
            condition = torch.from_numpy(turned(told, steps) if self.pitch_classes else told)
        return windows[:, : self.input_frames], windows[:, self.input_frames :], condition

    def counted(self, indices: Int64[np.ndarray, " batch"] | Sequence[int]) -> None:
        """Nothing: all target frames of a window count (see :class:`~pianoroll_seq2seq.train.examples.Examples`)."""

    def piece_of(self, index: int) -> PianoRoll:
        """The piece from which a window was cut."""
        piece = int(np.searchsorted(self._first_window, index, side="right")) - 1
        return self.rolls[int(self._pieces[piece])]

    @property
    def _planes(self) -> list[list[np.ndarray]]:
        """The shards of each plane that a frame tells."""
        return [self._shards, self._onset_shards] if self.onsets else [self._shards]

    def _packed(self) -> PackedPieces:
        """The pieces as bits."""
        if isinstance(self.rolls, Corpus):
            return self.rolls.packed(onsets=self.onsets)
        return pack_rolls(self.rolls, onsets=self.onsets)

    def _buffers(self) -> list[list[memoryview]]:
        """The bytes of each plane's shards."""
        return [[shard.reshape(-1).data for shard in plane] for plane in self._planes]

    def _windows(self, shard: np.ndarray, start: np.ndarray) -> np.ndarray:
        """The packed frames of whole windows, from their first ones on; of two planes, side by side in each frame."""
        width = self._shards[0].shape[1]
        size = self.window_frames * width
        places = list(zip(shard.tolist(), (start * width).tolist(), strict=True))
        planes = []
        for buffers in self._bytes:
            packed = b"".join([buffers[number][begin : begin + size] for number, begin in places])
            planes.append(np.frombuffer(packed, dtype=np.uint8).reshape(len(start), self.window_frames, width))
        return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)

    def _picked(self, shard: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """The same of windows that take some frames of their shard, (windows, frames)."""
        width = self._shards[0].shape[1]
        packed = np.empty((*frames.shape, width * len(self._planes)), dtype=np.uint8)
        for number in np.unique(shard).tolist():
            here = np.flatnonzero(shard == number)
            active = self._shards[number][frames[here]]
            packed[here, :, :width] = active
            if self.onsets:
                packed[here, :, width:] = active & _struck_since(self._onset_shards[number], frames[here])
        return packed

    def _handle_short_pieces(self, packed: PackedPieces) -> np.ndarray:
        """The indices of the pieces that give windows."""
        short = packed.frames < self.window_frames
        if not short.any():
            return np.arange(len(short))
        names = [packed.names[index] for index in np.flatnonzero(short).tolist()]
        lengths = packed.frames[short].tolist()
        shown = zip(names[:5], lengths, strict=False)
        named = ", ".join(f"{name or '(no name)'} ({length})" for name, length in shown)
        named += f" and {len(names) - 5} more" if len(names) > 5 else ""
        message = f"{len(names)} of {len(short)} pieces have fewer than {self.window_frames} frames: {named}"
        if self.short == "error":
            raise PieceTooShortError(
                f"{message}. Use shorter windows, or pass short='pad' (with silence) or short='skip'."
            )
        if self.short == "pad":
            warnings.warn(f"{message}; padded with silence.", stacklevel=3)
            self.padded = tuple(names)
            return np.arange(len(short))
        warnings.warn(f"{message}; skipped.", stacklevel=3)
        self.skipped = tuple(names)
        return np.flatnonzero(~short)

    def _pad(self, frames: np.ndarray) -> None:
        """Copies pieces of fewer frames than a window to a shard of their own, with silence after each."""
        short = np.flatnonzero(frames < self.window_frames)
        if not len(short):
            return
        for shards in self._planes:
            padding = np.zeros((len(short), self.window_frames, shards[0].shape[1]), dtype=np.uint8)
            for place, piece in enumerate(short.tolist()):
                begin, count = self._offset[piece], frames[piece]
                padding[place, :count] = shards[self._shard[piece]][begin : begin + count]
            shards.append(padding.reshape(-1, padding.shape[2]))
        self._shard[short] = len(self._shards) - 1
        self._offset[short] = np.arange(len(short)) * self.window_frames


def _struck_since(onsets: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """What was struck since the frame before, in frames that repeat some of the original or leave some out.

    So a note is struck once, in the first frame that is taken of it.

    Args:
        onsets: the onset plane as bits, (frames of the shard, bytes).
        frames: which of its frames are taken, in order, (windows, frames).
    """
    passed = np.diff(frames, axis=1, prepend=frames[:, :1] - 1)  # 0 for a frame that is repeated
    struck = np.zeros((*frames.shape, onsets.shape[1]), dtype=np.uint8)
    for back in range(int(passed.max(initial=0))):
        here = passed > back
        struck[here] |= onsets[frames[here] - back]
    return struck
