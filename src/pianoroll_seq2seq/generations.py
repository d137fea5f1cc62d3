"""Several continuations at once, which remember what they continue."""

from collections.abc import Iterable

from pianoroll_seq2seq.errors import ShapeError
from pianoroll_seq2seq.pianoroll import PianoRoll


class Generations(list[PianoRoll]):
    """A list of continuations that shows itself in a notebook: each after its primer, to look at and to listen to.

    It is a list in every other respect, and parts of it are plain lists.

    Args:
        continuations: what was written, in order.
        primers: what each continues, in the same order.

    Raises:
        ShapeError: not as many primers as continuations.

    Example:
        >>> from pianoroll_seq2seq import PitchRange, Seq2SeqLSTM, generate
        >>> primers = [PianoRoll.silent(8, pitches=PitchRange(60, 71))] * 2
        >>> written = generate(Seq2SeqLSTM(pitches=12, hidden=8), primers, frames=4, seed=0)
        >>> isinstance(written, Generations), [len(roll) for roll in written], len(written.primers)
        (True, [4, 4], 2)
    """

    primers: tuple[PianoRoll, ...]
    """What each continues."""

    def __init__(self, continuations: Iterable[PianoRoll], primers: Iterable[PianoRoll]) -> None:
        """Takes both."""
        super().__init__(continuations)
        self.primers = tuple(primers)
        if len(self) != len(self.primers):
            raise ShapeError(f"Generations need a primer for each continuation: {len(self)}, {len(self.primers)}.")

    def _repr_html_(self) -> str:
        """All of them in a notebook; see :mod:`pianoroll_seq2seq.showing`."""
        from pianoroll_seq2seq.showing import Piece, pieces_html

        pairs = zip(self.primers, self, strict=False)  # some may have been removed since
        return pieces_html([Piece.continued(primer, continuation) for primer, continuation in pairs])
