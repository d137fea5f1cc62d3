"""Windows of packed frames, copied out of the shards that hold whole pieces."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from pianoroll_seq2seq.data.corpus import PackedPieces

Packed = UInt8[np.ndarray, "batch frames bytes"]


class WindowGatherer:
    """Copies windows out of shards, with the planes of each frame concatenated.

    Args:
        packed: pieces as bits, with onset planes if ``has_onsets``.
        pieces: the pieces to cut, by their numbers, (kept,).
        window_frames: frames of a window. A shorter piece is copied to a shard of its own and padded with silence.
        has_onsets: whether windows have the onset plane after the active one.
    """

    def __init__(
        self, packed: PackedPieces, pieces: Int64[np.ndarray, " kept"], *, window_frames: int, has_onsets: bool
    ) -> None:
        """Stores views of the shards."""
        self.window_frames = window_frames
        self.num_planes: int = 2 if has_onsets else 1
        self._shard, self._offset = packed.shard[pieces], packed.offset[pieces]
        self._planes = _planes(packed, self.num_planes)
        self._pad(packed.num_frames[pieces])
        self._buffers = _buffers(self._planes)

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame of one plane."""
        return int(self._planes[0][0].shape[1])

    def __getstate__(self) -> dict[str, Any]:
        """Without memory-mapped shards: another process maps them again with :meth:`attach`."""
        own = [[shard for shard in plane if not isinstance(shard, np.memmap)] for plane in self._planes]
        return {**self.__dict__, "_planes": own, "_buffers": None}

    def attach(self, packed: PackedPieces | None) -> None:
        """Completes an unpickled copy: puts the mapped shards of ``packed``, if any, before its own."""
        if packed is not None:
            mapped = _planes(packed, self.num_planes)
            self._planes = [[*first, *own] for first, own in zip(mapped, self._planes, strict=True)]
        self._buffers = _buffers(self._planes)

    def contiguous(self, piece: Int64[np.ndarray, " batch"], start: Int64[np.ndarray, " batch"]) -> Packed:
        """Windows of consecutive frames, each from frame ``start`` of a piece on."""
        width = self.frame_bytes
        size = self.window_frames * width
        begin = ((self._offset[piece] + start) * width).tolist()
        places = list(zip(self._shard[piece].tolist(), begin, strict=True))
        planes = []
        for buffers in self._buffers:
            packed = b"".join([buffers[number][first : first + size] for number, first in places])
            planes.append(np.frombuffer(packed, dtype=np.uint8).reshape(len(places), self.window_frames, width))
        return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)

    def selected(self, piece: Int64[np.ndarray, " batch"], frames: Int64[np.ndarray, "batch window"]) -> Packed:
        """Windows of any frames, in ascending order, each counted from the beginning of its piece."""
        width = self.frame_bytes
        shard, frames = self._shard[piece], self._offset[piece][:, None] + frames
        packed = np.empty((*frames.shape, width * self.num_planes), dtype=np.uint8)
        for number in np.unique(shard).tolist():
            here = np.flatnonzero(shard == number)
            active = self._planes[0][number][frames[here]]
            packed[here, :, :width] = active
            if self.num_planes > 1:
                packed[here, :, width:] = active & _onsets_since(self._planes[1][number], frames[here])
        return packed

    def _pad(self, num_frames: np.ndarray) -> None:
        """Copies pieces that are shorter than a window to a shard of their own, each followed by silence."""
        short = np.flatnonzero(num_frames < self.window_frames)
        if not len(short):
            return
        for shards in self._planes:
            padded = np.zeros((len(short), self.window_frames, shards[0].shape[1]), dtype=np.uint8)
            for place, piece in enumerate(short.tolist()):
                begin, count = self._offset[piece], num_frames[piece]
                padded[place, :count] = shards[self._shard[piece]][begin : begin + count]
            shards.append(padded.reshape(-1, padded.shape[2]))
        self._shard[short] = len(self._planes[0]) - 1
        self._offset[short] = np.arange(len(short)) * self.window_frames


def _planes(packed: PackedPieces, num_planes: int) -> list[list[np.ndarray]]:
    """The shards of each plane."""
    return [list(packed.shards), list(packed.onset_shards)][:num_planes]


def _buffers(planes: Sequence[Sequence[np.ndarray]]) -> list[list[memoryview]]:
    """The bytes of each shard of each plane."""
    return [[shard.reshape(-1).data for shard in plane] for plane in planes]


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
