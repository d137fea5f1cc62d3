"""The bits that are set in packed planes: where they are, and how many."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from pianoroll_seq2seq._internal import compiled as loops

_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)  # of each byte
_NUM_BITS = _BITS.sum(axis=1, dtype=np.int64)
_FIRST_BITS = np.argsort(1 - _BITS, axis=1, kind="stable")  # the places of the bits that are set come first


def bit_positions(packed: UInt8[np.ndarray, "..."]) -> Int64[np.ndarray, " bits"]:
    """The positions of the bits that are set, counted through all bytes.

    Example:
        >>> bit_positions(np.packbits([0, 1, 0, 0, 0, 0, 0, 0, 1]))
        array([1, 8])
    """
    cells = packed.reshape(-1)
    if loops.is_active():
        found = np.empty(8 * len(cells), dtype=np.int64)  # what is not written takes no memory
        count = loops.compiled(find_bits)(found, cells, _NUM_BITS, _FIRST_BITS)
        return found[:count].copy()
    used = np.flatnonzero(cells != 0)
    bits = np.flatnonzero(np.unpackbits(cells.take(used)).view(np.bool_))
    positions: Int64[np.ndarray, " bits"] = used.take(bits >> 3)
    positions <<= 3
    bits &= 7
    positions += bits
    return positions


def count_bits(spans: Sequence[memoryview]) -> Int64[np.ndarray, " spans"]:
    """The number of bits that are set in each of some short spans of bytes.

    Example:
        >>> count_bits([memoryview(b"abc"), memoryview(b"")])
        array([10,  0])
    """
    if loops.is_active():
        counts = np.zeros(len(spans), dtype=np.int64)
        ends = np.cumsum([len(span) for span in spans], dtype=np.int64)
        loops.compiled(add_bits)(counts, np.frombuffer(b"".join(spans), dtype=np.uint8), ends, _NUM_BITS)
        return counts
    # As one large integer: faster than counting the bits of so few bytes with NumPy.
    return np.array([int.from_bytes(span, "little").bit_count() for span in spans], dtype=np.int64)


def find_bits(found: Any, cells: Any, num_bits: Any, first_bits: Any) -> int:
    """Writes the positions of the bits that are set, and gives their number; to be compiled.

    Args:
        found: memory for all positions.
        cells: the bytes.
        num_bits: of each byte the number of bits that are set, (256,).
        first_bits: of each byte the places of those bits, and then others, (256, 8).
    """
    used = np.empty(len(cells), dtype=np.int64)
    count = 0
    for place in range(len(cells)):
        used[count] = place
        count += cells[place] != 0  # not a branch, which the processor would often guess wrong
    end = 0
    for place in used[:count]:
        byte = cells[place]
        for bit in range(num_bits[byte]):
            found[end] = 8 * place + first_bits[byte, bit]
            end += 1
    return end


def add_bits(counts: Any, cells: Any, ends: Any, num_bits: Any) -> None:
    """Adds the number of bits of each span to its count; to be compiled.

    Args:
        counts: of each span, (spans,).
        cells: the bytes of all spans, one after another.
        ends: where each span ends, (spans,).
        num_bits: of each byte the number of bits that are set, (256,).
    """
    begin = 0
    for span in range(len(ends)):
        for place in range(begin, ends[span]):
            counts[span] += num_bits[cells[place]]
        begin = ends[span]
