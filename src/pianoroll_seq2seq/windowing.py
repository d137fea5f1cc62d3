"""Pieces to training examples: splits without leaks, and sliding windows over the frames.

A window is ``input_frames`` that the encoder reads, then the ``target_frames`` that follow, which the
decoder shall write. Windows of a piece begin every ``hop`` frames and never reach into another piece.
"""

import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from pianoroll_seq2seq.errors import GridError, PieceTooShortError, PitchRangeError, SettingsError, SplitError
from pianoroll_seq2seq.pianoroll import PianoRoll


class Split(NamedTuple):
    """Three lists of whole pieces."""

    train: list[PianoRoll]
    valid: list[PianoRoll]
    test: list[PianoRoll]


class Deduplicated(NamedTuple):
    """Distinct rolls, and the names of those left out by the name of the one that was kept."""

    rolls: list[PianoRoll]
    duplicates: dict[str, list[str]]


def drop_duplicates(rolls: Sequence[PianoRoll]) -> Deduplicated:
    """Keeps the first of all rolls that hold the same notes in the same frames.

    Example:
        >>> roll = PianoRoll.from_active(np.ones((4, 88), dtype=bool), name="a")
        >>> len(drop_duplicates([roll, roll]).rolls)
        1
    """
    kept: dict[tuple[object, ...], PianoRoll] = {}
    duplicates: dict[str, list[str]] = {}
    for roll in rolls:
        planes = (np.packbits(roll.active).tobytes(), np.packbits(roll.onset).tobytes())
        key = (roll.grid, roll.pitches, len(roll), *planes)
        if key in kept:
            duplicates.setdefault(kept[key].name, []).append(roll.name)
        else:
            kept[key] = roll
    return Deduplicated(list(kept.values()), duplicates)


def pitch_class_set(roll: PianoRoll) -> frozenset[int]:
    """The pitch classes (0 is C) that sound in a roll: equal for a scale and its modes and relatives."""
    columns = np.nonzero(roll.active.any(axis=0))[0]
    return frozenset(int(pitch_class) for pitch_class in (columns + roll.pitches.lowest) % 12)


def split_by_piece(
    rolls: Sequence[PianoRoll],
    *,
    valid: float,
    test: float,
    seed: int,
    group: Callable[[PianoRoll], Hashable] | None = None,
) -> Split:
    """Deals whole pieces to training, validation and test, so that nothing leaks between them.

    Args:
        rolls: the pieces; drop duplicates first.
        valid: share of the pieces for validation, 0 <= valid < 1.
        test: share for the test, 0 <= test < 1, with valid + test < 1.
        seed: of the shuffle; equal seeds give equal splits.
        group: pieces for which this gives the same key stay together, as :func:`pitch_class_set` keeps the
            modes of a scale together. By default every piece stands alone.

    Raises:
        SettingsError: shares out of range.
        SplitError: too few pieces or groups to give each part that was asked for at least one.
    """
    if not (0 <= valid < 1 and 0 <= test < 1 and valid + test < 1):
        raise SettingsError(f"valid and test must be shares >= 0 of a sum below 1, got {valid} and {test}.")
    groups: dict[Hashable, list[PianoRoll]] = {}
    for index, roll in enumerate(rolls):
        groups.setdefault(index if group is None else group(roll), []).append(roll)
    keys = list(groups)
    np.random.default_rng(seed).shuffle(keys)
    parts: list[list[PianoRoll]] = []
    for share, parts_to_come in ((test, 1 + (valid > 0)), (valid, 1)):
        part: list[PianoRoll] = []
        while share > 0 and len(keys) > parts_to_come and len(part) < max(1, round(share * len(rolls))):
            part += groups[keys.pop()]
        parts.append(part)
    train = [roll for key in keys for roll in groups[key]]
    if not train or (test > 0 and not parts[0]) or (valid > 0 and not parts[1]):
        raise SplitError(
            f"{len(rolls)} pieces in {len(groups)} groups are too few for the shares valid={valid}, test={test}: "
            f"every part needs at least one group. Add pieces, ask for fewer parts, or group less coarsely."
        )
    return Split(train, parts[1], parts[0])


class SlidingWindows(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """All windows of some rolls: a map-style dataset for PyTorch that also fetches whole batches.

    ``windows[i]`` is a pair of float32 tensors, ``(input_frames, pitches)`` and ``(target_frames, pitches)``,
    of zeros and ones; ``windows.batch(indices)`` stacks many at once. The frames are kept once, one byte a
    cell, however much the windows overlap.

    Args:
        rolls: the pieces, on one grid and of one pitch range.
        input_frames: frames the model reads.
        target_frames: frames it shall continue with.
        hop: frames from the start of one window to the next.
        short: what becomes of pieces of fewer than ``input_frames + target_frames`` frames: an error that
            names them, or they are padded with silence at the end, or skipped. The last two warn, and
            ``padded`` and ``skipped`` hold their names.

    Raises:
        SettingsError: a size below 1, or another ``short``.
        PieceTooShortError: short pieces and ``short="error"``, or no window at all.
        GridError, PitchRangeError: rolls that do not fit one another.
    """

    def __init__(
        self,
        rolls: Sequence[PianoRoll],
        *,
        input_frames: int,
        target_frames: int,
        hop: int,
        short: Literal["error", "pad", "skip"] = "error",
    ) -> None:
        """Lays the rolls end to end and notes where windows begin."""
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
        self.rolls = tuple(rolls)
        self.padded: tuple[str, ...] = ()
        self.skipped: tuple[str, ...] = ()
        kept = self._handle_short_pieces()
        if not kept:
            raise PieceTooShortError(
                f"No windows: none of {len(self.rolls)} pieces has {self.window_frames} frames. "
                f"Use shorter windows, a finer grid, or short='pad'."
            )
        _check_alike(kept)
        self.grid = kept[0].grid
        self.pitches = kept[0].pitches
        lengths = np.array([max(len(roll), self.window_frames) for roll in kept])
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        frames = np.zeros((int(offsets[-1]), len(self.pitches)), dtype=np.uint8)
        for offset, roll in zip(offsets, kept, strict=False):
            frames[offset : offset + len(roll)] = roll.active
        counts = (lengths - self.window_frames) // hop + 1
        self._piece = np.repeat(np.arange(len(kept)), counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        self._start = offsets[self._piece] + within * hop
        self._pieces = kept
        # A view of every possible window; picking rows of it copies just those.
        views = np.lib.stride_tricks.sliding_window_view(frames, self.window_frames, axis=0)
        self._views = views.transpose(0, 2, 1)  # (window, frames, pitches)

    @property
    def window_frames(self) -> int:
        """Frames of a whole window: input and target."""
        return self.input_frames + self.target_frames

    def with_hop(self, hop: int) -> "SlidingWindows":
        """The same windows at another hop; ``hop=target_frames`` makes each target frame stand once."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the same short pieces were named before
            return SlidingWindows(
                self.rolls, input_frames=self.input_frames, target_frames=self.target_frames, hop=hop, short=self.short
            )

    def __len__(self) -> int:
        """The number of windows."""
        return len(self._start)

    def __getitem__(self, index: int) -> tuple[Float32[Tensor, "input pitches"], Float32[Tensor, "target pitches"]]:
        """One window's input and target."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"Window {index} of {len(self)}.")
        inputs, targets = self.batch(np.array([index % len(self)]))
        return inputs[0], targets[0]

    def batch(
        self, indices: Int64[np.ndarray, " batch"] | Sequence[int]
    ) -> tuple[Float32[Tensor, "batch input pitches"], Float32[Tensor, "batch target pitches"]]:
        """The inputs and targets of many windows."""
        windows = torch.from_numpy(self._views[self._start[np.asarray(indices, dtype=np.int64)]]).float()
        return windows[:, : self.input_frames], windows[:, self.input_frames :]

    def piece_of(self, index: int) -> PianoRoll:
        """The piece from which a window was cut."""
        return self._pieces[int(self._piece[index])]

    def _handle_short_pieces(self) -> list[PianoRoll]:
        short = [roll for roll in self.rolls if len(roll) < self.window_frames]
        if not short:
            return list(self.rolls)
        named = ", ".join(f"{roll.name or '(no name)'} ({len(roll)})" for roll in short[:5])
        named += f" and {len(short) - 5} more" if len(short) > 5 else ""
        message = f"{len(short)} of {len(self.rolls)} pieces have fewer than {self.window_frames} frames: {named}"
        if self.short == "error":
            raise PieceTooShortError(
                f"{message}. Use shorter windows, or pass short='pad' (with silence) or short='skip'."
            )
        names = tuple(roll.name for roll in short)
        if self.short == "pad":
            warnings.warn(f"{message}; padded with silence.", stacklevel=3)
            self.padded = names
            return list(self.rolls)
        warnings.warn(f"{message}; skipped.", stacklevel=3)
        self.skipped = names
        return [roll for roll in self.rolls if len(roll) >= self.window_frames]


def _check_alike(rolls: Sequence[PianoRoll]) -> None:
    first = rolls[0]
    for roll in rolls[1:]:
        if roll.grid != first.grid:
            raise GridError(f"{first.name} is on {first.grid}, {roll.name} on {roll.grid}. Read all on one grid.")
        if roll.pitches != first.pitches:
            raise PitchRangeError(
                f"{first.name} has {first.pitches}, {roll.name} {roll.pitches}. Read all with one PitchRange."
            )
