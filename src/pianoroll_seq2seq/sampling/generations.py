"""A batch of pieces that a model wrote: continuations with their primers, or whole pieces."""

from collections.abc import Iterable

from pianoroll_seq2seq._internal.display_hook import html_of
from pianoroll_seq2seq.errors import ShapeError
from pianoroll_seq2seq.pianoroll import PianoRoll


class Generations(list[PianoRoll]):
    """A list of rolls that displays each piece in a notebook, as a picture with a player.

    It is a list in every other respect. Slices of it are plain lists.

    Args:
        rolls: continuations, or whole pieces.
        primers: the primer of each continuation, in the same order; None if the rolls are whole pieces.

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
    """The primer of each continuation; empty if the rolls are whole pieces."""

    def __init__(self, rolls: Iterable[PianoRoll], primers: Iterable[PianoRoll] | None = None) -> None:
        """Stores both."""
        super().__init__(rolls)
        self.primers = () if primers is None else tuple(primers)
        if primers is not None and len(self) != len(self.primers):
            raise ShapeError(f"Generations need a primer for each continuation: {len(self)}, {len(self.primers)}.")

    def _repr_html_(self) -> str:
        return html_of(self)
