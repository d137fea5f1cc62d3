"""Hashes that tell whether two runs are trained on the same pieces."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from pianoroll_seq2seq.data.conditions import Conditions
from pianoroll_seq2seq.data.corpus import Corpus
from pianoroll_seq2seq.data.corpus.packing import hash_planes, hash_velocities, pack
from pianoroll_seq2seq.pianoroll import PianoRoll


def piece_hashes(rolls: Sequence[PianoRoll], *, velocity: bool = False) -> list[str]:
    """A hash of each piece's planes; names and tempi do not count. Those of a corpus come from its index.

    Args:
        rolls: the pieces.
        velocity: whether velocities count.

    Raises:
        CorpusError: velocities of a corpus without them.
    """
    if isinstance(rolls, Corpus):
        hashes = rolls.roll_hashes
        return [a + b for a, b in zip(hashes, rolls.velocity_hashes, strict=True)] if velocity else hashes
    return [_piece_hash(roll, velocity) for roll in rolls]


def _piece_hash(roll: PianoRoll, velocity: bool) -> str:
    planes = hash_planes(pack(roll.active), pack(roll.onset))
    if not velocity or roll.velocity is None:
        return planes
    return planes + hash_velocities(roll.velocity[roll.onset])


def fingerprint_pieces(rolls: Sequence[PianoRoll], *, velocity: bool = False) -> dict[str, int | str]:
    """The number of pieces and two hashes of them, for JSON.

    ``content`` is equal for the same pieces in any order, ``order`` only for the same pieces in the same order.

    Args:
        rolls: the pieces.
        velocity: whether velocities count.

    Example:
        >>> one, other = (PianoRoll.from_active(np.full((4, 88), value)) for value in (True, False))
        >>> first, second = fingerprint_pieces([one, other]), fingerprint_pieces([other, one])
        >>> first["content"] == second["content"], first["order"] == second["order"]
        (True, False)
    """
    hashes = piece_hashes(rolls, velocity=velocity)
    return {"pieces": len(hashes), "content": _hash(sorted(hashes)), "order": _hash(hashes)}


def fingerprint_conditions(conditions: Conditions, pieces: Iterable[int]) -> str:
    """A hash of the conditions of some pieces, in order."""
    return _hash(
        f"{table.shape} {hashlib.sha256(np.ascontiguousarray(table).data).hexdigest()}"
        for table in (conditions.values[conditions.first[piece] : conditions.last[piece] + 1] for piece in pieces)
    )


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
