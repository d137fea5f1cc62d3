"""How a trained model is opened: a shipped one, a run, a folder, a checkpoint, or one of the Hugging Face Hub."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq._internal.file_kinds import kind_of
from pianoroll_seq2seq.errors import CheckpointError, CheckpointNotFoundError, SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import choose_layout
from pianoroll_seq2seq.pretrained.cards import check_card
from pianoroll_seq2seq.pretrained.folders import CONFIG, is_model_folder, load_folder, read_config
from pianoroll_seq2seq.pretrained.hub import download, hub_name
from pianoroll_seq2seq.pretrained.shipped import pretrained_names, pretrained_path
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.train.run_files import BEST

DEFAULT_MODEL = "bach-chorales"
"""The model of every function and command that is called without one, but for those that read music of any kind."""
READS_ANY = "bach-chords"
"""The model of ``evaluate``, and of ``generate`` after a primer, without one: it reads all parts as one."""


def open_model(
    source: str | os.PathLike[str] = DEFAULT_MODEL,
    *,
    classes: Iterable[type] = (),
    layout: FrameLayout | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
) -> TrainedModel:
    """Opens a trained model: a shipped one, the best one of a run, a shared folder, a checkpoint, or one of the Hub.

    Args:
        source: a name such as ``bach-chorales``; the folder of a run of ``fit``; a folder of ``save_pretrained``; a
            checkpoint; or a model of the Hugging Face Hub (extra ``hub``), ``hf://user/name``. ``user/name`` is one of
            the Hub too if there is no such path and no folder ``user``.
        classes: models, heads and grids of your own that it is built of.
        layout: what the columns of its frames mean, for a model that was built from a frame size.
        revision: branch, tag or commit of a model of the Hub; also ``hf://user/name@revision``.
        token: token of the Hub; the one of ``hf auth login`` by default, none if False.

    Raises:
        CheckpointNotFoundError: no such name, file or folder, or no such model or revision on the Hub.
        StoreError: the Hub cannot be reached or refuses access, and the model is not in its client's cache.
        CheckpointError: not a checkpoint, a damaged one, or one whose layout is unknown.
        SettingsError, GridError, PitchRangeError, ShapeError: a layout that is not the model's.

    Example:
        >>> open_model("bach-chorales").grid
        BeatGrid(frames_per_beat=4)
    """
    classes = tuple(classes)
    path, label = _locate(source, revision, token), os.fspath(source)
    if path.is_dir():
        details = read_config(path)
        model, described = load_folder(path, classes=classes), details["layout"]
    else:
        details = checkpoint.read_header(path)["details"]
        model, described = checkpoint.load(path, classes=classes), _described_layout(details)
    layout = choose_layout(model, layout)
    if described is not None:
        recorded = checkpoint.build(described, classes=classes, label=label)
        if layout is not None and isinstance(recorded, FrameLayout):
            recorded.check_same(layout, f"{label}: the layout")
        layout = recorded
    if not isinstance(layout, FrameLayout):
        raise CheckpointError(
            f"{label}: the layout of its frames is unknown, because the model was built from a frame size. Pass it: "
            f"open_model(path, layout=FrameLayout(grid, pitches))."
        )
    frame_size = getattr(model, "frame_size", None)
    if frame_size not in (None, layout.frame_size):
        raise SettingsError(
            f"{label}: the model has frames of {frame_size} columns, but {layout} has {layout.frame_size}."
        )
    return TrainedModel(model, layout, name=label, card=check_card(details.get("card", {}), label))


def _described_layout(details: Mapping[str, Any]) -> Any:
    """The description of the layout in a checkpoint's details: their own, or that of the run's data."""
    data = details.get("data")
    return details.get("layout") or (data.get("layout") if isinstance(data, Mapping) else None)


def _locate(source: str | os.PathLike[str], revision: str | None, token: str | bool | None) -> Path:
    """The checkpoint, or the folder of ``save_pretrained``, downloaded if it is on the Hub."""
    on_hub = hub_name(source)
    if on_hub is not None:
        return download(on_hub, revision=revision, token=token)
    if revision is not None:
        raise SettingsError(
            f"{os.fspath(source)}: not a model of the Hub, so it has no revision {revision!r}. Leave revision= out, or "
            f"pass hf://user/name."
        )
    if isinstance(source, str) and source in pretrained_names():
        return pretrained_path(source)
    path = Path(source)
    if path.is_dir() and not (path / BEST).exists() and is_model_folder(path):
        return path
    if path.is_dir():
        path /= BEST
    if not path.is_file():
        raise CheckpointNotFoundError(
            f"{os.fspath(source)}: no such model. Pass a checkpoint, the folder of a run (which holds {BEST}) or of "
            f"save_pretrained (which holds {CONFIG}), a model of the Hub as hf://user/name, or the name of a shipped "
            f"model: {', '.join(pretrained_names())}."
        )
    with path.open("rb") as file:
        kind = kind_of(file.read(64))
    if kind is not None:
        raise CheckpointError(
            f"{os.fspath(source)}: not a model; it is {kind}. Music to continue is the primer, beside the model."
        )
    return path
