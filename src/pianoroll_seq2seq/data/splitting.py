"""Split of whole pieces into training, validation and test pieces, without duplicates."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from pianoroll_seq2seq.data.corpus import Corpus
from pianoroll_seq2seq.errors import SettingsError, SplitError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll


class Split(NamedTuple):
    """Training, validation and test pieces: three sequences, or three corpora if a corpus was split."""

    train: Sequence[PianoRoll]
    valid: Sequence[PianoRoll]
    test: Sequence[PianoRoll]

    def __repr__(self) -> str:
        """The number of pieces of each part."""
        return f"Split({len(self.train)} training, {len(self.valid)} validation and {len(self.test)} test pieces)"


class Deduplicated(NamedTuple):
    """Distinct rolls, and the names of the dropped duplicates by the name of the roll that was kept."""

    rolls: Sequence[PianoRoll]
    duplicates: dict[str, list[str]]

    def __repr__(self) -> str:
        """The number of rolls that were kept and that were dropped."""
        return f"Deduplicated({len(self.rolls)} rolls, {sum(map(len, self.duplicates.values()))} duplicates dropped)"


def drop_duplicates(rolls: Sequence[PianoRoll]) -> Deduplicated:
    """Keeps the first of all rolls with the same notes in the same frames and parts; velocities are not compared.

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
    return Deduplicated(_select(rolls, kept.values()), duplicates)


def _content(roll: PianoRoll) -> Hashable:
    ranges = tuple(part.pitches for part in roll.parts)
    return roll.grid, ranges, len(roll), np.packbits(roll.active).tobytes(), np.packbits(roll.onset).tobytes()


def _select(rolls: Sequence[PianoRoll], indices: Iterable[int]) -> Sequence[PianoRoll]:
    """Some of the rolls: a corpus for a corpus, without reading it."""
    return rolls.select(indices) if isinstance(rolls, Corpus) else [rolls[index] for index in indices]


def pitch_class_set(roll: PianoRoll) -> frozenset[int]:
    """The pitch classes (0 is C) of a roll: equal for a scale and its modes and relatives. Drums do not count.

    Example:
        >>> from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords
        >>> sorted(pitch_class_set(PianoRoll.from_score(scale_chords()["scale_d_major"])))
        [1, 2, 4, 6, 7, 9, 11]
    """
    pitched = np.repeat([not part.drums for part in roll.parts], [len(part.pitches) for part in roll.parts])
    pitches = FrameLayout.of(roll, onsets=False).column_pitches()
    return frozenset((pitches[roll.active.any(axis=0) & pitched] % 12).tolist())


def split_by_piece(
    rolls: Sequence[PianoRoll],
    *,
    valid: float,
    test: float,
    seed: int,
    group: Callable[[PianoRoll], Hashable] | None = None,
) -> Split:
    """Split whole pieces into training, validation and test pieces.

    Args:
        rolls: the pieces; drop duplicates first.
        valid: share of the pieces for validation, 0 <= valid < 1.
        test: share for the test, 0 <= test < 1, with valid + test < 1.
        seed: of the shuffle; equal seeds give equal splits.
        group: pieces for which this function returns the same key stay together, as :func:`pitch_class_set` keeps the
            modes of a scale together. By default every piece is a group of its own.

    Raises:
        SettingsError: shares out of range.
        SplitError: too few pieces or groups for a share above 0 to have at least one.

    Example:
        >>> from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords
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
            f"every part needs at least one group. Add pieces, set a share to 0, or use smaller groups."
        )
    return Split(*(_select(rolls, part) for part in (train, parts[1], parts[0])))
