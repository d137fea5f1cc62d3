"""What is given in training: tasks drawn from a mixture, so that one model learns to continue, harmonize and infill."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.parts import Part, listed


@dataclass(frozen=True)
class FillTasks:
    """A mixture of tasks. Each example draws one.

    The first four arguments are the shares of the tasks; they are divided by their sum.

    Args:
        continuing: the beginning is given, of a length that is drawn; in half of these examples nothing is.
        harmonizing: some parts are given throughout.
        infilling: everything is given but some stretches.
        both: some parts are given throughout, and the others outside some stretches.
        subsets: the names of the parts that may be given throughout, each a tuple of names, drawn with equal
            probability; any of the parts, but not all, by default.
        stretch_frames: the shortest and the longest stretch that is left out, and that is given between two of them.
            The last frames of a stretch depend most on what follows it, and many short stretches have many of these. A
            piece of no more frames than the shortest is left out as a whole.
        known_end: probability that the model knows where the piece ends, in tasks other than continuing.

    Raises:
        SettingsError: shares that are negative or all zero, or lengths out of range.

    Example:
        >>> tasks = FillTasks(continuing=0, harmonizing=1, infilling=0, both=0, subsets=(("soprano",),))
        >>> mask, end = tasks.draw(3, (Part("soprano"), Part("bass")), np.random.default_rng(0))
        >>> mask.tolist()
        [[True, False], [True, False], [True, False]]
    """

    continuing: float = 0.3
    harmonizing: float = 0.4
    infilling: float = 0.2
    both: float = 0.1
    subsets: tuple[tuple[str, ...], ...] = ()
    stretch_frames: tuple[int, int] = (8, 64)
    known_end: float = 0.75

    def __post_init__(self) -> None:
        """Validates the numbers. Lists, as in JSON, become tuples."""
        object.__setattr__(self, "subsets", tuple(tuple(subset) for subset in self.subsets))
        object.__setattr__(self, "stretch_frames", tuple(self.stretch_frames))
        shares = self._shares
        if not _is_range(self.stretch_frames):
            raise SettingsError(
                f"stretch_frames must be two whole numbers of frames, the shortest at least 1 and the longest no less, "
                f"such as (8, 64), got {self.stretch_frames}."
            )
        if min(shares) < 0 or not sum(shares) or not 0 <= self.known_end <= 1:
            raise SettingsError(
                f"The shares of the tasks must be at least 0 and not all 0, and known_end in [0, 1], got {self}."
            )

    @property
    def _shares(self) -> tuple[float, ...]:
        return (self.continuing, self.harmonizing, self.infilling, self.both)

    def check(self, parts: Sequence[Part]) -> None:
        """Refuses subsets that are not of these parts, or of all.

        Raises:
            SettingsError: names the parts.
        """
        names = [part.name for part in parts]
        for subset in self.subsets:
            if not subset or not set(subset) < set(names):
                raise SettingsError(
                    f"subsets must have the names of some parts, but not of all, got {subset!r} for the parts "
                    f"{listed(names)}."
                )

    def draw(
        self, num_frames: int, parts: Sequence[Part], generator: np.random.Generator
    ) -> tuple[Bool[np.ndarray, "frames parts"], bool]:
        """What is given of a piece, and whether it is known where the piece ends.

        Args:
            num_frames: frames of the piece.
            parts: its parts. With one part there is nothing to harmonize: these examples infill.
            generator: draws the task.
        """
        shares = np.array(self._shares) / sum(self._shares)
        task = int(generator.choice(len(shares), p=shares))
        known_end = task != 0 and bool(generator.random() < self.known_end)
        mask = np.zeros((num_frames, len(parts)), dtype=bool)
        if task == 0:
            mask[: int(generator.integers(num_frames)) if generator.random() < 0.5 else 0] = True
            return mask, known_end
        if task in (1, 3) and len(parts) > 1:
            mask[:, self._draw_parts(parts, generator)] = True
        if task in (2, 3) or len(parts) == 1:
            mask[self._draw_stretches(num_frames, generator)] = True
        return mask, known_end

    def _draw_stretches(self, num_frames: int, generator: np.random.Generator) -> Bool[np.ndarray, " frames"]:
        """Frames that are given: every second stretch of a piece. At least one is left out.

        With one stretch in each piece, few frames would be learned from.
        """
        shortest, longest = (min(length, num_frames) for length in self.stretch_frames)
        given = np.zeros(num_frames, dtype=bool)
        if shortest == num_frames:
            return given
        lengths = generator.integers(shortest, longest + 1, size=2 + num_frames // shortest)
        ends = np.cumsum(lengths) - int(generator.integers(lengths[0] + 1))  # the first one has begun before the piece
        number = np.searchsorted(ends, np.arange(num_frames), side="right")
        given[number % 2 == int(generator.integers(2))] = True
        if given.all():
            begin = int(generator.integers(num_frames - shortest + 1))
            given[begin : begin + shortest] = False
        return given

    def _draw_parts(self, parts: Sequence[Part], generator: np.random.Generator) -> Bool[np.ndarray, " parts"]:
        if self.subsets:
            subset = self.subsets[int(generator.integers(len(self.subsets)))]
            return np.array([part.name in subset for part in parts])
        number = int(generator.integers(1, 2 ** len(parts) - 1))  # not none, and not all
        return number >> np.arange(len(parts)) & 1 > 0


def _is_range(lengths: Sequence[object]) -> bool:
    """Whether there are two whole numbers from 1 on, the second no less than the first."""
    match lengths:
        case [int(shortest), int(longest)]:
            return 1 <= shortest <= longest
    return False
