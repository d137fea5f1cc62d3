"""Whole pieces, dealt to training, validation and test: no duplicates, no leaks."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from pianoroll_seq2seq.corpus import Corpus
from pianoroll_seq2seq.errors import SettingsError, SplitError
from pianoroll_seq2seq.pianoroll import PianoRoll


class Split(NamedTuple):
    """Three lists of whole pieces; or three corpora, if it was a corpus that was split."""

    train: Sequence[PianoRoll]
    valid: Sequence[PianoRoll]
    test: Sequence[PianoRoll]


class Deduplicated(NamedTuple):
    """Distinct rolls, and the names of those left out by the name of the one that was kept."""

    rolls: Sequence[PianoRoll]
    duplicates: dict[str, list[str]]


def drop_duplicates(rolls: Sequence[PianoRoll]) -> Deduplicated:
    """Keeps the first of all rolls that hold the same notes in the same frames.

    Example:
        >>> roll = PianoRoll.from_active(np.ones((4, 88), dtype=bool), name="a")
        >>> len(drop_duplicates([roll, roll]).rolls)
        1
    """
    kept: dict[Hashable, int] = {}
    names = rolls.names if isinstance(rolls, Corpus) else [roll.name for roll in rolls]
    duplicates: dict[str, list[str]] = {}
    for index, key in enumerate(rolls.roll_hashes if isinstance(rolls, Corpus) else map(_content, rolls)):
        first = kept.setdefault(key, index)
        if first != index:
            duplicates.setdefault(names[first], []).append(names[index])
    return Deduplicated(_picked(rolls, kept.values()), duplicates)


def _content(roll: PianoRoll) -> Hashable:
    return roll.grid, roll.pitches, len(roll), np.packbits(roll.active).tobytes(), np.packbits(roll.onset).tobytes()


def _picked(rolls: Sequence[PianoRoll], indices: Iterable[int]) -> Sequence[PianoRoll]:
    """Some of the rolls: a corpus stays one, and none of it is read."""
    return rolls.select(indices) if isinstance(rolls, Corpus) else [rolls[index] for index in indices]


def pitch_class_set(roll: PianoRoll) -> frozenset[int]:
    """The pitch classes (0 is C) that sound in a roll: equal for a scale and its modes and relatives.

    Example:
        >>> from pianoroll_seq2seq.datasets.scale_chords import scale_chords
        >>> sorted(pitch_class_set(PianoRoll.from_score(scale_chords()["scale_d_major"])))
        [1, 2, 4, 6, 7, 9, 11]
    """
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

    Example:
        >>> from pianoroll_seq2seq.datasets.scale_chords import scale_chords
        >>> rolls = [PianoRoll.from_score(score) for score in list(scale_chords().values())[:13]]
        >>> split = split_by_piece(rolls, valid=0.2, test=0.2, seed=0, group=pitch_class_set)
        >>> sum(len(part) for part in split)
        13
    """
    if not (0 <= valid < 1 and 0 <= test < 1 and valid + test < 1):
        raise SettingsError(f"valid and test must be shares >= 0 of a sum below 1, got {valid} and {test}.")
    groups: dict[Hashable, list[int]] = {}
    for index in range(len(rolls)):
        groups.setdefault(index if group is None else group(rolls[index]), []).append(index)
    keys = list(groups)
    np.random.default_rng(seed).shuffle(keys)
    parts: list[list[int]] = []
    for share, parts_to_come in ((test, 1 + (valid > 0)), (valid, 1)):
        part: list[int] = []
        while share > 0 and len(keys) > parts_to_come and len(part) < max(1, round(share * len(rolls))):
            part += groups[keys.pop()]
        parts.append(part)
    train = [index for key in keys for index in groups[key]]
    if not train or (test > 0 and not parts[0]) or (valid > 0 and not parts[1]):
        raise SplitError(
            f"{len(rolls)} pieces in {len(groups)} groups are too few for the shares valid={valid}, test={test}: "
            f"every part needs at least one group. Add pieces, ask for fewer parts, or group less coarsely."
        )
    return Split(*(_picked(rolls, part) for part in (train, parts[1], parts[0])))
