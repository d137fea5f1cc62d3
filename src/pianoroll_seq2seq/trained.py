"""A trained model together with what one must know to use it: the grid and the pitches of its frames."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import CheckpointError, CheckpointNotFoundError, PitchRangeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.models.base import SequenceModel
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.pretrained import pretrained_names, pretrained_path, save_pretrained
from pianoroll_seq2seq.pretrained.folders import CONFIG, is_model_folder, load_folder, read_config

DEFAULT_MODEL = "bach-chorales"
"""The model that is used where none is named."""
_BEST = "best.safetensors"


@dataclass(frozen=True)
class TrainedModel:
    """A model, and the frames that it knows.

    Args:
        model: on the CPU and ready to generate.
        grid: where its frames lie in time.
        pitches: what the columns of its frames stand for.
        name: what it was opened as.
        onsets: whether it hears and writes what is struck beside what sounds (``generate(..., onsets=True)``).
        condition_size: numbers that it may be told of every frame; 0 for none.
        card: what it was trained on and how good it is, as its maker wrote it; empty where nothing was written.

    Example:
        A model of your own, with what it was trained on: ::

            TrainedModel(model, BeatGrid(4), PitchRange(36, 81), name="mine")
    """

    model: SequenceModel
    grid: FrameGrid
    pitches: PitchRange
    name: str = ""
    onsets: bool = False
    condition_size: int = 0
    card: Mapping[str, Any] = field(default_factory=dict)

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, card: Mapping[str, Any] | None = None, overwrite: bool = False
    ) -> Path:
        """Writes the model into a folder to share it: see :func:`~pianoroll_seq2seq.pretrained.save_pretrained`.

        Args:
            folder: where.
            card: what a stranger must know of it; the card that it has by default.
            overwrite: whether a folder that holds such a model, and nothing else, may be replaced.
        """
        return save_pretrained(
            self.model,
            folder,
            grid=self.grid,
            pitches=self.pitches,
            onsets=self.onsets,
            card=self.card if card is None else card,
            overwrite=overwrite,
        )


def open_model(source: str | os.PathLike[str] = DEFAULT_MODEL, *, classes: Iterable[type] = ()) -> TrainedModel:
    """Opens a trained model: one that comes with the library, one of a run, one that was shared, or one in a file.

    Args:
        source: a name such as ``bach-chorales``; the folder of a run of ``fit``, whose best model is taken; a folder
            of ``save_pretrained``; or a checkpoint.
        classes: models, heads and grids of your own that it may be built of.

    Raises:
        CheckpointNotFoundError: neither a name that is known nor a file or folder of a run.
        CheckpointError: not a checkpoint, a damaged one, or one that does not say which grid and pitches its model
            knows.

    Example:
        >>> open_model("bach-chorales").grid
        BeatGrid(frames_per_beat=4)
    """
    classes = tuple(classes)
    path = _located(source)
    label = os.fspath(source)
    shared = path.is_dir()
    details = read_config(path) if shared else checkpoint.read_header(path)["details"]
    data = details.get("data", details)
    try:
        grid = checkpoint.build(data["grid"], classes=classes, label=label)
        pitches = PitchRange(**data["pitches"])
    except (TypeError, KeyError, PitchRangeError) as error:
        raise CheckpointError(
            f"{label}: does not say which grid and pitches its model was trained on, as checkpoints of fit do. "
            f'Save it with save(model, path, details={{"grid": grid, "pitches": asdict(pitches)}}), or say it '
            f"yourself: TrainedModel(load(path), grid, pitches)."
        ) from error
    return TrainedModel(
        load_folder(path, classes=classes) if shared else checkpoint.load(path, classes=classes),
        grid,
        pitches,
        name=label,
        onsets=bool(data.get("onsets", False)),
        condition_size=int(data.get("condition_size", 0)),
        card=details.get("card", {}),
    )


def _located(source: str | os.PathLike[str]) -> Path:
    """The checkpoint, or the folder of ``save_pretrained``."""
    if isinstance(source, str) and source in pretrained_names():
        return pretrained_path(source)
    path = Path(source)
    if path.is_dir() and not (path / _BEST).exists() and is_model_folder(path):
        return path
    if path.is_dir():
        path /= _BEST
    if not path.is_file():
        raise CheckpointNotFoundError(
            f"{os.fspath(source)}: no model there. Give a checkpoint, the folder of a run (with {_BEST} in it) or of "
            f"save_pretrained (with {CONFIG}), or the name of a model that comes with the library: "
            f"{', '.join(pretrained_names())}."
        )
    return path
