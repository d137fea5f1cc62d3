"""Are the parts of the examples monophonic, if the model's head says that they are?"""

import numpy as np
import torch

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.train.examples import Examples

_EXAMPLES = 20_000
_BATCH = 64


def check_monophonic(model: object, examples: Examples, label: str) -> None:
    """Refuses examples in which a part sounds several pitches at once, for a head with a method ``chords``.

    They would have probability zero, and the loss would be infinite. Of more than 20,000 examples some are checked.

    Args:
        model: the model, whose head may be a :class:`~pianoroll_seq2seq.models.heads.monophonic.MonophonicHead`.
        examples: the examples.
        label: what the error message calls them.

    Raises:
        SettingsError: names the piece, the part and the fix.
    """
    find = getattr(getattr(model, "head", None), "chords", None)
    if find is None:
        return
    indices = np.unique(np.linspace(0, len(examples) - 1, min(len(examples), _EXAMPLES)).astype(np.int64))
    for begin in range(0, len(indices), _BATCH):
        batch = indices[begin : begin + _BATCH]
        frames = torch.cat(examples.batch(batch), dim=1)
        for part, chords in find(frames).items():
            if chords.any():
                row, frame = (int(place) for place in chords.nonzero()[0])
                named = f"part {part!r} of" if part else "the only part of"
                raise SettingsError(
                    f"{label}: {named} {_piece(examples, batch, row)} has several pitches at once (frame {frame} of "
                    f"the example), but MonophonicHead describes parts of one pitch at a time. Leave the part out, "
                    f"such as roll[['melody', 'bass']], or use a head for chords, such as RelativeWindowHead."
                )


def _piece(examples: Examples, batch: np.ndarray, row: int) -> str:
    """The piece of a row of a batch, by name if the examples know it."""
    piece_of, names = getattr(examples, "piece_of", None), getattr(examples, "names", None)
    if piece_of is not None:
        return repr(piece_of(int(batch[row])).name)
    if names is not None:  # an example is a group of pieces
        return repr([name for index in batch.tolist() for name in names(index)][row])
    return f"example {int(batch[row])}"
