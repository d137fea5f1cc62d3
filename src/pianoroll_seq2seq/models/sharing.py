"""``from_pretrained`` and ``save_pretrained``, as methods of a model."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.models.base import SequenceModel
from pianoroll_seq2seq.pitches import PitchRange

Model = TypeVar("Model")


class Shareable:
    """The two methods that users of other libraries look for at a model's class; any model may derive from it."""

    @classmethod
    def from_pretrained(cls: type[Model], source: str | os.PathLike[str], *, classes: Iterable[type] = ()) -> Model:
        """A trained model that comes with the library or lies in a folder, on the CPU and ready to generate.

        :func:`~pianoroll_seq2seq.trained.open_model` gives it with the grid and the pitches that it knows.

        Args:
            source: a name such as ``bach-chorales`` (:func:`~pianoroll_seq2seq.pretrained.model_card` says what it was
                trained on, how good it is, and what it is not for), or a folder that ``save_pretrained`` wrote.
            classes: heads of your own that it may be built of.

        Raises:
            SettingsError: neither a name nor a folder that is known, or a model of another class.
            CheckpointError: a file is damaged or missing, or a class is not named.
        """
        from pianoroll_seq2seq.pretrained import load_pretrained

        model: object = load_pretrained(source, classes=(cls, *classes))
        if not isinstance(model, cls):
            raise SettingsError(
                f"The model {os.fspath(source)!r} is a {type(model).__name__}, not a {cls.__name__}: "
                f"load it with load_pretrained."
            )
        return model

    def save_pretrained(
        self: SequenceModel,
        folder: str | os.PathLike[str],
        *,
        grid: FrameGrid,
        pitches: PitchRange,
        onsets: bool = False,
        card: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Writes the model into a folder to share it: see :func:`~pianoroll_seq2seq.pretrained.save_pretrained`."""
        from pianoroll_seq2seq.pretrained import save_pretrained

        return save_pretrained(self, folder, grid=grid, pitches=pitches, onsets=onsets, card=card, overwrite=overwrite)
