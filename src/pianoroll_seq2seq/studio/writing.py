"""A piece while it is being written: frames in, notes out as soon as they are known."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool

from pianoroll_seq2seq.corpus.packing import struck
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling import generate_frames
from pianoroll_seq2seq.studio.wishes import Wish
from pianoroll_seq2seq.web import VELOCITY, Music

PART_SECONDS = 0.04
"""How long the model writes between two parts that are sent; within it nothing can stop it."""


@dataclass
class Draft:
    """A primer and what has been written after it so far.

    Attributes:
        primer: where it begins.
        active: what sounds in each frame written, (pitches,) each.
        onset: what is struck in it.
    """

    primer: PianoRoll
    active: list[Bool[np.ndarray, " pitches"]] = field(default_factory=list)
    onset: list[Bool[np.ndarray, " pitches"]] = field(default_factory=list)

    def add(self, active: Bool[np.ndarray, " pitches"], onset: Bool[np.ndarray, " pitches"]) -> None:
        """One frame more."""
        self.active.append(active)
        self.onset.append(onset)

    def roll(self) -> PianoRoll:
        """All of it, as far as it has come."""
        count = min(len(self.active), len(self.onset))  # another thread may be adding
        primer = self.primer
        return PianoRoll(
            np.vstack([primer.active, *self.active[:count]]),
            np.vstack([primer.onset, *self.onset[:count]]),
            primer.grid,
            primer.pitches,
            primer.tempo,
            "",
        )


class OpenNotes:
    """Notes as they begin and end, frame by frame: what :meth:`PianoRoll.notes` finds in the whole."""

    def __init__(self) -> None:
        """Before the first frame."""
        self.frames: int = 0
        self._began: dict[int, int] = {}

    def hear(
        self, active: Bool[np.ndarray, " pitches"], onset: Bool[np.ndarray, " pitches"]
    ) -> list[tuple[int, int, int]]:
        """One frame more: the notes that ended before it, as (first frame, frame after the last, column)."""
        ended = [
            (self._began.pop(column), self.frames, column)
            for column in sorted(self._began)
            if not active[column] or onset[column]
        ]
        for column in np.flatnonzero(active).tolist():
            self._began.setdefault(column, self.frames)
        self.frames += 1
        return ended

    def end(self) -> list[tuple[int, int, int]]:
        """The notes that sound to the end."""
        ended = [(began, self.frames, column) for column, began in sorted(self._began.items())]
        self._began.clear()
        return ended

    @property
    def known_until(self) -> int:
        """The frame up to which every note is known whole: the first of those that still sound, or the next."""
        return min(self._began.values(), default=self.frames)


def written(wish: Wish, draft: Draft) -> Iterator[dict[str, Any]]:
    """Writes a piece, and tells of it in parts that a page can play and draw as they come.

    Args:
        wish: what to write.
        draft: where to put it.

    Yields:
        First ``{"music": ...}`` with the notes of the primer (:class:`~pianoroll_seq2seq.web.Music`), then ``{"notes":
        ..., "seconds": ..., "frames": ...}``: more notes, how many seconds of the piece are known with them, and how
        many frames are written; at last ``{"done": true}``. Where the model cannot go on, ``{"error": ...}``.
    """
    notes = OpenNotes()
    primer = wish.primer
    lines = np.arange(len(primer) + wish.frames + 1)
    times = [round(second, 3) for second in primer.grid.seconds_at(lines, primer.tempo).tolist()]

    def told(ended: list[tuple[int, int, int]]) -> list[list[float]]:
        lowest = primer.pitches.lowest
        return [[times[start], times[stop], column + lowest, VELOCITY] for start, stop, column in sorted(ended)]

    heard = [note for row in zip(primer.active, primer.onset, strict=True) for note in notes.hear(*row)]
    yield {"music": _opening(wish, told(heard), times[notes.known_until], times[len(primer)])}
    frames = _frames(wish)
    try:
        while len(draft.active) < wish.frames:
            ended = []
            deadline = time.monotonic() + PART_SECONDS
            while len(draft.active) < wish.frames:
                frame = next(frames)
                draft.add(*frame)
                ended += notes.hear(*frame)
                if time.monotonic() >= deadline:
                    break
            if len(draft.active) == wish.frames:
                ended += notes.end()
            yield {"notes": told(ended), "seconds": times[notes.known_until], "frames": len(draft.active)}
    except (PianoRollSeq2SeqError, RuntimeError, ValueError, IndexError) as error:
        yield {"error": {"message": f"The model could not go on: {' '.join(str(error).split())}"}}
        return
    yield {"done": True}


def _opening(wish: Wish, notes: list[list[float]], seconds: float, primer_seconds: float) -> Music:
    """The beginning of a piece: the notes of its primer that have ended."""
    primer = wish.primer
    end_tick = int(primer.grid.ticks_at(np.array([len(primer)]), primer.tempo)[0])
    beats = primer.tempo.seconds(np.arange(0, end_tick + 2 * primer.tempo.ticks_per_beat, primer.tempo.ticks_per_beat))
    return Music(
        name="",
        seconds=seconds,
        primer_seconds=primer_seconds,
        lowest=primer.pitches.lowest,
        highest=primer.pitches.highest,
        beats=[round(beat, 3) for beat in beats.tolist()],
        notes=notes,
    )


def _frames(wish: Wish) -> Iterator[tuple[Bool[np.ndarray, " pitches"], Bool[np.ndarray, " pitches"]]]:
    """What sounds and what is struck in each frame that follows the primer."""
    primer, onsets = wish.primer, wish.trained.onsets
    heard = np.hstack([primer.active, struck(primer)]) if onsets else primer.active
    before = primer.active[-1]
    for (frame,) in generate_frames(
        wish.trained.model,
        heard[np.newaxis],
        sampler=wish.sampler,
        seed=wish.seed,
        onsets=onsets,
        condition=wish.condition,
    ):
        if onsets:
            active, onset = np.split(frame, 2)
        else:
            active, onset = frame, frame & ~before
        yield active, onset
        before = active
