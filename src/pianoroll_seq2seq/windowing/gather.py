"""Windows of packed frames, copied out of the shards that hold whole pieces."""

from typing import Any

import numpy as np
from jaxtyping import Int64

from pianoroll_seq2seq.data.corpus import PackedPieces
from pianoroll_seq2seq.data.corpus.bits import bit_positions, count_bits
from pianoroll_seq2seq.data.corpus.packing import (
    BLOCK_FRAMES,
    PackedFrames,
    PackedVelocities,
    first_onsets,
    num_bit_planes,
)
from pianoroll_seq2seq.errors import CorpusError


class WindowGatherer:
    """Copies windows out of shards, with the planes of each frame concatenated.

    Args:
        packed: pieces as bits, with onset planes and velocities if their layout has them.
        pieces: the pieces to cut, by their numbers, (kept,).
        window_frames: frames of a window. A shorter piece is copied to a shard of its own and padded with silence.
    """

    def __init__(self, packed: PackedPieces, pieces: Int64[np.ndarray, " kept"], *, window_frames: int) -> None:
        """Stores views of the shards."""
        self.window_frames = window_frames
        self.num_planes: int = num_bit_planes(packed.layout)
        self._shard, self._offset = packed.shard[pieces], packed.offset[pieces]
        self._planes = _planes(packed, self.num_planes)
        self._velocities = list(packed.velocities)
        self._open()
        if self._pad(packed.num_frames[pieces]):
            self._open()

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame of one plane."""
        return int(self._planes[0][0].shape[1])

    def __getstate__(self) -> dict[str, Any]:
        """Without memory-mapped shards: another process maps them again with :meth:`attach`."""
        own = [[shard for shard in plane if not isinstance(shard, np.memmap)] for plane in self._planes]
        velocities = [shard for shard in self._velocities if not isinstance(shard.values, np.memmap)]
        rest = dict.fromkeys(("_buffers", "_values", "_onsets_before", "_first_block"))
        return {**self.__dict__, **rest, "_planes": own, "_velocities": velocities}

    def attach(self, packed: PackedPieces | None) -> None:
        """Completes an unpickled copy: puts the mapped shards of ``packed``, if any, before its own."""
        if packed is not None:
            mapped = _planes(packed, self.num_planes)
            self._planes = [[*first, *own] for first, own in zip(mapped, self._planes, strict=True)]
            self._velocities = [*packed.velocities, *self._velocities]
        self._open()

    def _open(self) -> None:
        """The bytes of the shards, and where their velocities begin."""
        self._buffers = [[shard.reshape(-1).data for shard in plane] for plane in self._planes]
        self._values = [shard.values.data for shard in self._velocities]
        counts = [shard.onsets_before for shard in self._velocities]
        self._onsets_before = np.concatenate(counts) if counts else np.zeros(0, np.int64)
        self._first_block = np.cumsum([0, *map(len, counts)])

    def contiguous(self, piece: Int64[np.ndarray, " batch"], start: Int64[np.ndarray, " batch"]) -> PackedFrames:
        """Windows of consecutive frames, each from frame ``start`` of a piece on."""
        shard, first = self._shard[piece], self._offset[piece] + start
        shape = (len(piece), self.window_frames, self.frame_bytes)
        numbers, begins = shard.tolist(), (first * self.frame_bytes).tolist()
        size = self.window_frames * self.frame_bytes
        planes = []
        for buffers in self._buffers:
            joined = b"".join([buffers[number][a : a + size] for number, a in zip(numbers, begins, strict=True)])
            planes.append(np.frombuffer(joined, dtype=np.uint8).reshape(shape))
        if not self._values:
            return PackedFrames(*planes)
        positions = bit_positions(planes[1])
        ends = np.searchsorted(positions, np.arange(1, len(piece) + 1) * (8 * size))
        velocities = self._velocities_from(shard, first, np.diff(ends, prepend=0))
        return PackedFrames(planes[0], planes[1], velocities, positions)

    def selected(self, piece: Int64[np.ndarray, " batch"], frames: Int64[np.ndarray, "batch window"]) -> PackedFrames:
        """Windows of any frames, in ascending order, each counted from the beginning of its piece."""
        shard, frames = self._shard[piece], self._offset[piece][:, None] + frames
        planes = [np.empty((*frames.shape, self.frame_bytes), dtype=np.uint8) for _ in range(self.num_planes)]
        for number in np.unique(shard).tolist():
            here = np.flatnonzero(shard == number)
            active = planes[0][here] = self._planes[0][number][frames[here]]
            if self.num_planes > 1:
                planes[1][here] = active & _onsets_since(self._planes[1][number], frames[here])
        if not self._values:
            return PackedFrames(*planes)
        positions = bit_positions(planes[1])
        return PackedFrames(planes[0], planes[1], self._selected_velocities(shard, frames, positions), positions)

    def _selected_velocities(self, shard: np.ndarray, frames: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The velocities of the onsets of windows of selected frames; of two that become one, the louder.

        Args:
            shard: the shard of each window, (batch,).
            frames: the frames of the shard that each window takes, (batch, frames).
            positions: the cells of the onsets of the windows.
        """
        width, buffers = self.frame_bytes, self._buffers[1]
        lengths = frames[:, -1] + 1 - frames[:, 0]
        spans = zip(shard.tolist(), (frames[:, [0, -1]] * width).tolist(), strict=True)
        onsets = bit_positions(
            np.frombuffer(b"".join([buffers[number][a : b + width] for number, (a, b) in spans]), dtype=np.uint8)
        )
        row, column = np.divmod(onsets, 8 * width)
        # Frames of all windows, one window after the other, numbered so that the first frame of a window follows the
        # last one of the window before it.
        begins = np.cumsum(lengths) - lengths
        taken = (frames - frames[:, :1] + begins[:, None]).reshape(-1)
        target = np.searchsorted(taken, row)  # the first frame that is taken at or after the onset
        values = self._velocities_from(shard, frames[:, 0], np.diff(np.searchsorted(row, begins), append=len(row)))
        cells = np.zeros(frames.size * 8 * width, dtype=np.uint8)
        order = np.argsort(values, kind="stable")  # of several values for one cell the last one is stored
        cells[(target * (8 * width) + column)[order]] = values[order]
        loudest: np.ndarray = cells[positions]
        return loudest

    def _velocities_from(self, shard: np.ndarray, frame: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The velocities of as many onsets of each window as ``counts`` says, from a frame of its shard on."""
        width, buffers = self.frame_bytes, self._buffers[1]
        numbers, first_block = shard.tolist(), self._first_block[shard]
        # The nearest frame whose number of onsets before it is known, and the onsets between that frame and this one.
        block = np.minimum((frame + BLOCK_FRAMES // 2) // BLOCK_FRAMES, self._first_block[shard + 1] - first_block - 1)
        known = block * BLOCK_FRAMES
        begins, ends = np.minimum(known, frame) * width, np.maximum(known, frame) * width
        spans = zip(numbers, begins.tolist(), ends.tolist(), strict=True)
        between = count_bits([buffers[number][a:b] for number, a, b in spans])
        first = self._onsets_before[first_block + block] + np.where(known < frame, between, -between)
        places = zip(numbers, first.tolist(), (first + counts).tolist(), strict=True)
        joined = b"".join([self._values[number][a:b] for number, a, b in places])
        values: np.ndarray = np.frombuffer(joined, dtype=np.uint8)
        if len(values) != counts.sum() or values.max(initial=1) > 127:
            raise CorpusError(
                f"{len(values)} velocities, up to {values.max(initial=0)}, of {counts.sum()} onsets: the corpus is "
                f"damaged. Corpus(folder).verify() says where."
            )
        return values

    def _pad(self, num_frames: np.ndarray) -> bool:
        """Copies pieces that are shorter than a window to a shard of their own, each followed by silence."""
        short = np.flatnonzero(num_frames < self.window_frames)
        if not len(short):
            return False
        shard, offset, counts = self._shard[short], self._offset[short], num_frames[short]
        for shards in self._planes:
            padded = np.zeros((len(short), self.window_frames, shards[0].shape[1]), dtype=np.uint8)
            for place, (number, begin, count) in enumerate(zip(shard, offset, counts, strict=True)):
                padded[place, :count] = shards[number][begin : begin + count]
            shards.append(padded.reshape(-1, padded.shape[2]))
        if self._velocities:
            onset = self._planes[1][-1]
            first = first_onsets(onset, np.arange(len(short)) * self.window_frames)
            values = self._velocities_from(shard, offset, np.diff(first))
            self._velocities.append(PackedVelocities.of(values, onset))
        self._shard[short] = len(self._planes[0]) - 1
        self._offset[short] = np.arange(len(short)) * self.window_frames
        return True


def _planes(packed: PackedPieces, num_planes: int) -> list[list[np.ndarray]]:
    """The shards of each plane."""
    return [list(packed.shards), list(packed.onset_shards)][:num_planes]


def _onsets_since(onsets: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Onsets since the frame before, in windows that repeat some frames of the original or leave some out.

    Each onset occurs once, in the first frame that is taken at or after it.

    Args:
        onsets: the onset plane as bits, (frames of the shard, bytes).
        frames: the frames of the shard that are taken, in ascending order, (windows, frames).
    """
    passed = np.diff(frames, axis=1, prepend=frames[:, :1] - 1)  # 0 for a repeated frame
    since = np.zeros((*frames.shape, onsets.shape[1]), dtype=np.uint8)
    for back in range(int(passed.max(initial=0))):
        here = passed > back
        since[here] |= onsets[frames[here] - back]
    return since
