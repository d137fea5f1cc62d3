"""Whole pieces as training examples, a few of similar length at a time.

Sliding windows cut a piece, and what was said before is out of sight. A model that may look back as far as it likes
(:class:`~pianoroll_seq2seq.models.copying_lstm.CopyingLSTM`) learns from whole pieces.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from pianoroll_seq2seq.augmentation import Augmentation
from pianoroll_seq2seq.corpus import pack_rolls
from pianoroll_seq2seq.errors import PieceTooShortError, SettingsError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange


class WholePieces(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Groups of whole pieces, to be given to :func:`~pianoroll_seq2seq.train.fit` in place of windows.

    An example is a group: pieces of similar length side by side, the shorter ones filled up with silence, which counts
    for nothing. A ``batch_size`` of 1 is thus a step over one group.

    Args:
        rolls: the pieces, on one grid and of one pitch range.
        group_frames: frames of a group, at most, silence included; a longer piece makes a group of its own.
        input_frames: frames of silence before each piece, which a model hears and need not predict; 0 for a model that
            predicts a piece from its first frame on.
        passes: how often each piece stands among the examples, each time in other company: with short pieces an epoch
            of one pass is soon over, and validation takes more of the time than training.
        augmentation: transpositions, drawn for every piece in :meth:`batch` from the generator given there.

    Raises:
        SettingsError: sizes out of range, or an augmentation that varies the tempo.
        PieceTooShortError: no pieces, or one without frames.
        GridError, PitchRangeError: rolls that do not fit one another.

    Example:
        >>> import numpy as np
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> inputs, targets = WholePieces([scale, scale[:8]], group_frames=24)[0]
        >>> targets.shape  # two pieces side by side, the shorter filled up with silence
        torch.Size([2, 12, 12])
    """

    def __init__(
        self,
        rolls: Sequence[PianoRoll],
        *,
        group_frames: int,
        input_frames: int = 0,
        passes: int = 1,
        augmentation: Augmentation | None = None,
    ) -> None:
        """Sorts the pieces by length and packs them into groups."""
        if min(group_frames, passes) < 1 or input_frames < 0:
            raise SettingsError(
                f"group_frames and passes must be at least 1 and input_frames at least 0, got {group_frames}, {passes} "
                f"and {input_frames}."
            )
        if augmentation is not None and augmentation.tempo != (1.0, 1.0):
            raise SettingsError("Whole pieces keep their tempo: leave augmentation.tempo as it is, or use windows.")
        self.rolls: tuple[PianoRoll, ...] = tuple(rolls)
        empty = [roll.name for roll in self.rolls if not len(roll)]
        if not self.rolls or empty:
            raise PieceTooShortError(f"Pieces without frames: {empty}." if empty else "There are no pieces.")
        packed = pack_rolls(self.rolls)
        self.grid: FrameGrid = packed.grid
        self.pitches: PitchRange = packed.pitches
        self.input_frames = input_frames
        self.augmentation = augmentation
        self.group_frames = group_frames
        self._shards = packed.shards
        self._shard, self._offset, self._frames = packed.shard, packed.offset, packed.frames
        self._passes = passes
        self._groups = [group for number in range(passes) for group in _groups(self._frames, group_frames, number)]

    def __len__(self) -> int:
        """The number of groups."""
        return len(self._groups)

    def __repr__(self) -> str:
        """How many pieces in how many groups."""
        return f"WholePieces({len(self.rolls)} pieces in {len(self)} groups, {self.grid}, {self.pitches})"

    @property
    def target_frames(self) -> int:
        """Frames of the longest piece."""
        return int(self._frames.max())

    @property
    def frame_size(self) -> int:
        """Columns of a frame: the pitches."""
        return len(self.pitches)

    @property
    def frames(self) -> int:
        """Frames of all pieces together, as often as they stand among the examples: those that count."""
        return int(self._frames.sum()) * self._passes

    def __getitem__(self, index: int) -> tuple[Float32[Tensor, "pieces input pitches"], Tensor]:
        """One group's inputs and targets."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"Group {index} of {len(self)}.")
        return self.batch(np.array([index % len(self)]))

    def batch(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
        out: Tensor | None = None,
    ) -> tuple[Float32[Tensor, "pieces input pitches"], Float32[Tensor, "pieces target pitches"]]:
        """The inputs and targets of some groups, side by side.

        Args:
            indices: which groups, 0 <= index < len(self).
            generator: what transpositions are drawn from, if there is an ``augmentation``.
            out: not used, as groups are of different sizes.
        """
        pieces = self._pieces(indices)
        frames = np.zeros((len(pieces), int(self._frames[pieces].max()), self._shards[0].shape[1]), dtype=np.uint8)
        for row, piece in enumerate(pieces.tolist()):
            begin, count = int(self._offset[piece]), int(self._frames[piece])
            frames[row, :count] = self._shards[int(self._shard[piece])][begin : begin + count]
        if generator is not None and self.augmentation is not None:
            frames = self.augmentation.transpose(frames, len(self.pitches), generator)
        targets = torch.from_numpy(np.unpackbits(frames, axis=2)[:, :, : len(self.pitches)].astype(np.float32))
        return torch.zeros(len(pieces), self.input_frames, len(self.pitches)), targets

    def counted(self, indices: Int64[np.ndarray, " batch"] | Sequence[int]) -> Bool[Tensor, "pieces target"]:
        """Which target frames of the batch are of pieces, and not silence after their ends."""
        frames = torch.from_numpy(self._frames[self._pieces(indices)])
        return torch.arange(int(frames.max())) < frames[:, None]

    def names(self, index: int) -> tuple[str, ...]:
        """The names of a group's pieces."""
        return tuple(self.rolls[piece].name for piece in self._groups[index].tolist())

    def _pieces(self, indices: Int64[np.ndarray, " batch"] | Sequence[int]) -> np.ndarray:
        return np.concatenate([self._groups[index] for index in np.asarray(indices).tolist()])


def _groups(frames: np.ndarray, most: int, number: int) -> list[np.ndarray]:
    """Pieces by length, in groups of as many as have room for the longest of them; by length within a fifth or so."""
    jitter = np.random.default_rng(number).uniform(0.9, 1.1, size=len(frames))
    order = np.argsort(frames * jitter, kind="stable")[::-1]
    groups = []
    while len(order):
        longest = np.maximum.accumulate(frames[order])
        size = max(1, int((longest * np.arange(1, len(order) + 1) <= most).sum()))
        groups.append(order[:size])
        order = order[size:]
    return groups
