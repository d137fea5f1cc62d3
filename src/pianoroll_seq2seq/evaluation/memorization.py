"""How much of a piece is copied: the share of its passages that are in other pieces, or earlier in the same piece."""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.pianoroll import PianoRoll


def memorized_share(
    rolls: Iterable[PianoRoll], training: Iterable[PianoRoll], *, num_frames: int = 16, transposed: bool = False
) -> float:
    """The share of the passages of some pieces that are also in training pieces, note for note.

    Data that a model was not trained on is the measure of how much is too much: pieces of one style share passages.

    Args:
        rolls: pieces, such as generated ones.
        training: the pieces that the model was trained on.
        num_frames: the length of a passage; a piece has one that begins in each frame, up to its end.
        transposed: whether passages that are the same but for a transposition of all parts count too.

    Returns:
        A share of the passages of all pieces together, those of silence aside; NaN if there are none.

    Raises:
        SettingsError: ``num_frames`` below 1.

    Example:
        >>> scale = PianoRoll.from_active(np.eye(32, 88, dtype=bool))
        >>> memorized_share([scale[10:28]], [scale])
        1.0
        >>> memorized_share([scale[:20].transpose(40)], [scale], transposed=False)
        0.0
        >>> memorized_share([scale[:20].transpose(40)], [scale], transposed=True)
        1.0
    """
    known = {passage for roll in training for passage in passages(roll, num_frames, transposed=transposed)}
    found = [passage in known for roll in rolls for passage in passages(roll, num_frames, transposed=transposed)]
    return sum(found) / len(found) if found else math.nan


def repeated_share(rolls: Iterable[PianoRoll], *, num_frames: int = 16, transposed: bool = False) -> float:
    """The share of the passages that occur earlier in the same piece; arguments as of :func:`memorized_share`.

    Example:
        >>> scale = PianoRoll.from_active(np.eye(32, 88, dtype=bool))
        >>> repeated_share([scale + scale], num_frames=32)
        0.030303030303030304
    """
    pieces = [list(passages(roll, num_frames, transposed=transposed)) for roll in rolls]
    total = sum(map(len, pieces))
    return sum(len(piece) - len(set(piece)) for piece in pieces) / total if total else math.nan


def passages(roll: PianoRoll, num_frames: int, *, transposed: bool = False) -> Iterator[bytes]:
    """A key for each passage of a roll that is not silent. Passages in which the same pitches sound have the same key.

    Onsets do not count, so that rolls with and without them can be compared. Parts are known by their place, and their
    pitch ranges do not matter.

    Args:
        roll: the piece.
        num_frames: the length of a passage.
        transposed: whether passages that are the same but for a transposition have the same key. Drums stay as they
            are.

    Raises:
        SettingsError: ``num_frames`` below 1.
    """
    if num_frames < 1:
        raise SettingsError(f"num_frames must be at least 1, got {num_frames}. Use 16 for a bar of 4/4 in sixteenths.")
    sizes = [len(part.pitches) for part in roll.parts]
    pitches = np.concatenate([np.arange(part.pitches.lowest, part.pitches.highest + 1) for part in roll.parts])
    frame, column = np.nonzero(roll.active)
    part = np.repeat(np.arange(len(sizes)), sizes)[column]
    is_drum = np.repeat([one.drums for one in roll.parts], sizes)[column]
    pitch = pitches[column]
    ends = np.searchsorted(frame, np.arange(len(roll) + 1))
    for begin in range(len(roll) - num_frames + 1):
        cells = slice(ends[begin], ends[begin + num_frames])
        if cells.start == cells.stop:
            continue
        sounding = pitch[cells]
        if transposed and not is_drum[cells].all():
            shift = sounding[~is_drum[cells]].min()
            sounding = np.where(is_drum[cells], sounding, sounding - shift)
        yield np.stack([frame[cells] - begin, part[cells], sounding]).astype(np.int32).tobytes()
