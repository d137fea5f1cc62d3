"""The page of a run's folder: what lies in it is what is shown."""

import json
import os
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import safetensors
import yaml

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation import Evaluation
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.history import History
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.report.page import model_facts, write_report
from pianoroll_seq2seq.showing import Piece

_MODEL, _HISTORY, _SCORES, _SETTINGS = "best.safetensors", "history.jsonl", "scores.json", "run.json"
_CONFIGURATION = "config.yaml"
_GENERATED, _PRIMER = "generated.mid", "primer.mid"
_ALL_PITCHES = PitchRange(0, 127)


def report_run(
    folder: str | os.PathLike[str],
    *,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
    classes: Iterable[type] = (),
    max_pieces: int = 12,
    wav: bool = True,
    overwrite: bool = False,
) -> Path:
    """Writes the page of a run from its folder, as ``fit`` and ``examples/train_scale_chords.py`` leave it.

    What of it is there is shown: ``history.jsonl``, ``best.safetensors`` (its settings, not its weights),
    ``scores.json``, ``run.json`` or the command line's ``config.yaml``, ``generated.mid`` with ``primer.mid``, and the
    folder's other MIDI files.

    Args:
        folder: of the run.
        path: of the page; ``report.html`` in the folder by default.
        title: stands at the top; the folder's name by default.
        classes: grids of your own that the run may be on.
        max_pieces: how many MIDI files to show, the last by name, ``generated.mid`` before all others.
        wav: whether each piece can be saved as WAV too.
        overwrite: whether a file that stands there may be replaced.

    Raises:
        SettingsError: no folder of a run, or a file in it that holds something else.
        CheckpointError: a damaged checkpoint.
        MidiError: a MIDI file that cannot be read.
        OverwriteError: a file stands there and ``overwrite`` is false.
    """
    folder = Path(folder)
    present = [name for name in (_MODEL, _HISTORY, _SCORES, _GENERATED) if (folder / name).is_file()]
    if not present:
        raise SettingsError(
            f"{folder}: no run to report on. Give a folder with {_HISTORY}, {_MODEL}, {_SCORES} or {_GENERATED} in it, "
            f"such as the checkpoint_dir of fit."
        )
    scores = _json(folder / _SCORES)
    model = _model(folder / _MODEL)
    grid = model.get("data", {}).get("grid")
    read_on = SIXTEENTHS if grid is None else checkpoint.build(grid, classes=classes, label=str(folder / _MODEL))
    settings = {**_yaml(folder / _CONFIGURATION), **_json(folder / _SETTINGS)}
    trained_on = _trained_on(model, scores, settings)
    return write_report(
        folder / "report.html" if path is None else path,
        title=title or folder.resolve().name,
        pieces=_pieces(folder, read_on, scores, max_pieces),
        evaluation=_evaluation(folder / _SCORES, scores),
        history=History.load(folder / _HISTORY) if _HISTORY in present else None,
        trained_on=trained_on,
        wav=wav,
        overwrite=overwrite,
    )


def _json(path: Path) -> Mapping[str, Any]:
    """What a file holds; nothing where it is not there."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingsError(f"{path}: not JSON ({error}). Remove it, or run again.") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected names and values, got {type(content).__name__}.")
    return content


def _yaml(path: Path) -> Mapping[str, Any]:
    """What a configuration says; nothing where it is not there."""
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: not YAML ({error}). Remove it, or run again.") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected names and values, got {type(content).__name__}.")
    return content


def _model(path: Path) -> Mapping[str, Any]:
    """What a checkpoint says of its model, and of the data and the run it comes from."""
    if not path.is_file():
        return {}
    header = checkpoint.read_header(path)
    with safetensors.safe_open(path, framework="pt") as file:
        sizes = [prod(file.get_slice(name).get_shape()) for name in file.keys()]  # noqa: SIM118 (not a mapping)
    details = header["details"]
    return {
        "card": details.get("card", {}),
        "model": model_facts(header["model"], sum(sizes)),
        "data": details.get("data") or {name: details[name] for name in ("grid", "pitches") if name in details},
        "run": details.get("run", {}),
    }


def _trained_on(
    model: Mapping[str, Any], scores: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    data = {**scores.get("data", {}), **model.get("data", {})}
    if "pitches" in data:
        pitches = PitchRange(**data["pitches"])
        data["pitches"] = f"{pitches.name_of(0)} to {pitches.name_of(len(pitches) - 1)} ({len(pitches)})"
    other = {name: value for name, value in scores.items() if isinstance(value, float)}
    found = {
        "In its maker's words": model.get("card", {}),
        "Data": data,
        "Model": model.get("model", {}),
        "Training": model.get("run", {}),
        "The run's own settings": settings,
        "The continuation, in figures": scores.get("continuation", {}),
        "Other scores": other,
    }
    return {heading: facts for heading, facts in found.items() if facts}


def _evaluation(path: Path, scores: Mapping[str, Any]) -> Evaluation | None:
    if "test" not in scores:
        return None
    try:
        return Evaluation.from_json(scores["test"])
    except (TypeError, KeyError) as error:
        raise SettingsError(f"{path}: its 'test' is not what Evaluation.to_json gives ({error!r}).") from error


def _pieces(folder: Path, grid: FrameGrid, scores: Mapping[str, Any], most: int) -> list[Piece]:
    files = sorted(path for path in folder.glob("*.mid") if path.name not in (_GENERATED, _PRIMER))
    pieces = [Piece(_read(path, grid)) for path in files[max(len(files) - most + 1, 0) :]]
    if (folder / _GENERATED).is_file():
        whole = _read(folder / _GENERATED, grid)
        primer = int(scores.get("primer_frames", 0))
        if not primer and (folder / _PRIMER).is_file():
            primer = len(_read(folder / _PRIMER, grid))  # silence at its end is not in the file
        pieces.insert(0, Piece(whole, min(primer, len(whole)), name=whole.name))
    return pieces[:most]


def _read(path: Path, grid: FrameGrid) -> PianoRoll:
    return PianoRoll.from_midi(path, grid=grid, pitches=_ALL_PITCHES)
