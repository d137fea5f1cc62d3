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
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> Model:
        """A trained model, on the CPU and in evaluation mode.

        :func:`~pianoroll_seq2seq.pretrained.opening.open_model` also returns its layout and its card.

        Args:
            source: a name such as ``bach-chorales``, a folder that ``save_pretrained`` wrote, the folder of a run, a
                checkpoint, or a model of the Hugging Face Hub, ``user/name``.
            classes: heads of your own that the model is built of.
            layout: what the columns of its frames mean, for a model that was built from a frame size.
            revision: branch, tag or commit of a model of the Hub.
            token: token of the Hub; the one of ``hf auth login`` by default.

        Raises:
            CheckpointNotFoundError: no such name, folder or file.
            SettingsError: a model of another class.
            CheckpointError: a damaged or missing file, a class that is not passed, or an unknown layout.
        """
        from pianoroll_seq2seq.pretrained import open_model

        opened = open_model(source, classes=(cls, *classes), layout=layout, revision=revision, token=token)
        model: object = opened.model
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

    def push_to_hub(
        self: SequenceModel,
        name: str,
        *,
        layout: FrameLayout | None = None,
        card: Mapping[str, Any] | None = None,
        private: bool | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> str:
        """Sends the model to the Hugging Face Hub: see :func:`~pianoroll_seq2seq.pretrained.push_to_hub`."""
        from pianoroll_seq2seq.pretrained import push_to_hub

        return push_to_hub(self, name, layout=layout, card=card, private=private, revision=revision, token=token)
