"""Pieces that share a tune, which must not be in different parts of a split."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pianoroll_seq2seq.score import Score

_NUM_INTERVALS = 6
_SHARE = 0.25


class Titled(Protocol):
    """A piece with a title."""

    @property
    def name(self) -> str:
        """Its name; no other piece has it."""
        ...

    @property
    def title(self) -> str:
        """Its title."""
        ...

    @property
    def score(self) -> Score:
        """Its notes; those of the first part are the melody."""
        ...


def tune_groups(pieces: Sequence[Titled]) -> dict[str, str]:
    """The name of the first piece of each piece's group, by name.

    Two pieces are in one group if they have the same title, or if they share at least a quarter of the melody's runs
    of six intervals from beat to beat (of the piece with fewer runs). Groups with a common piece are joined.
    """
    runs = {piece.name: _runs(piece.score) for piece in pieces}
    holders: dict[object, list[str]] = defaultdict(list)
    for piece in pieces:
        for run in (piece.title, *runs[piece.name]):
            holders[run].append(piece.name)
    titles = {piece.name: piece.title for piece in pieces}
    shared: dict[tuple[str, str], int] = defaultdict(int)
    for alike in holders.values():
        for index, second in enumerate(alike):
            for first in alike[:index]:
                shared[first, second] += 1
    tune = {piece.name: piece.name for piece in pieces}

    def first_of(name: str) -> str:
        while tune[name] != name:
            name = tune[name]
        return name

    order = {piece.name: index for index, piece in enumerate(pieces)}
    for (first, second), count in shared.items():
        same_title = titles[first] == titles[second]
        if same_title or count >= _SHARE * min(len(runs[first]), len(runs[second])):
            earlier, later = sorted((first_of(first), first_of(second)), key=order.__getitem__)
            tune[later] = earlier
    return {name: first_of(name) for name in tune}


def _runs(score: Score) -> set[tuple[int, ...]]:
    """All runs of intervals, in semitones, between the notes of the first part on consecutive beats."""
    melody = score.notes.where(score.notes.part == 0)
    beats = np.arange(0, int(melody.end_tick.max()), score.ticks_per_beat)
    note = np.maximum(np.searchsorted(melody.onset_tick, beats, side="right") - 1, 0)
    sounding = (melody.onset_tick[note] <= beats) & (melody.end_tick[note] > beats)
    intervals = np.diff(melody.pitch[note[sounding]]).tolist()
    return {tuple(intervals[start : start + _NUM_INTERVALS]) for start in range(len(intervals) - _NUM_INTERVALS + 1)}
