"""``from_pretrained`` and ``save_pretrained``, as methods of a model."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import SequenceModel

Model = TypeVar("Model")


class PretrainedMixin:
    """Loading and sharing, as methods of a model's class. Any model may derive from it."""

    @classmethod
    def from_pretrained(
        cls: type[Model],
        source: str | os.PathLike[str],
        *,
        classes: Iterable[type] = (),
        layout: FrameLayout | None = None,
    ) -> Model:
        """A trained model, on the CPU and in evaluation mode.

        :func:`~pianoroll_seq2seq.pretrained.trained_model.open_model` also returns its layout and its card.

        Args:
            source: a name such as ``bach-chorales``, a folder that ``save_pretrained`` wrote, the folder of a run, or a
                checkpoint.
            classes: heads of your own that the model is built of.
            layout: what the columns of its frames mean, for a model that was built from a frame size.

        Raises:
            CheckpointNotFoundError: no such name, folder or file.
            SettingsError: a model of another class.
            CheckpointError: a damaged or missing file, a class that is not passed, or an unknown layout.
        """
        from pianoroll_seq2seq.pretrained import open_model

        model: object = open_model(source, classes=(cls, *classes), layout=layout).model
        if not isinstance(model, cls):
            raise SettingsError(
                f"The model {os.fspath(source)!r} is a {type(model).__name__}, not a {cls.__name__}: use "
                f"{type(model).__name__}.from_pretrained, or open_model."
            )
        return model

    def save_pretrained(
        self: SequenceModel,
        folder: str | os.PathLike[str],
        *,
        layout: FrameLayout | None = None,
        card: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Writes the model to a folder to share: see :func:`~pianoroll_seq2seq.pretrained.save_pretrained`."""
        from pianoroll_seq2seq.pretrained import save_pretrained

        return save_pretrained(self, folder, layout=layout, card=card, overwrite=overwrite)
