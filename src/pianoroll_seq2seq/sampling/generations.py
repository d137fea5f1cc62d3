"""A batch of continuations with their primers."""

from collections.abc import Iterable

from pianoroll_seq2seq._internal.display_hook import html_of
from pianoroll_seq2seq.errors import ShapeError
from pianoroll_seq2seq.pianoroll import PianoRoll


class Generations(list[PianoRoll]):
    """A list of continuations that displays each after its primer in a notebook, as a picture with a player.

    It is a list in every other respect. Slices of it are plain lists.

    Args:
        continuations: the generated rolls.
        primers: the primer of each, in the same order.

    Raises:
        ShapeError: not as many primers as continuations.

    Example:
        >>> from pianoroll_seq2seq import PitchRange, Seq2SeqLSTM, generate
        >>> primers = [PianoRoll.silent(8, pitches=PitchRange(60, 71))] * 2
        >>> written = generate(Seq2SeqLSTM(12, hidden_size=8), primers, num_frames=4, seed=0)
        >>> isinstance(written, Generations), [len(roll) for roll in written], len(written.primers)
        (True, [4, 4], 2)
    """

    primers: tuple[PianoRoll, ...]
    """The primer of each continuation."""

    def __init__(self, continuations: Iterable[PianoRoll], primers: Iterable[PianoRoll]) -> None:
        """Stores both."""
        super().__init__(continuations)
        self.primers = tuple(primers)
        if len(self) != len(self.primers):
            raise ShapeError(f"Generations need a primer for each continuation: {len(self)}, {len(self.primers)}.")

    def _repr_html_(self) -> str:
        return html_of(self)
