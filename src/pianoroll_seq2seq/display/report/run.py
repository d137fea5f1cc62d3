"""The report of a run's folder."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq._internal.yaml_files import read_yaml
from pianoroll_seq2seq.checkpoint.files import read_index
from pianoroll_seq2seq.display.piece import Piece
from pianoroll_seq2seq.display.report.page import model_facts, write_report
from pianoroll_seq2seq.errors import CheckpointError, SettingsError
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES
from pianoroll_seq2seq.train.history import History
from pianoroll_seq2seq.train.run_files import BEST, CONFIG, GENERATED, HISTORY, PRIMER, SCORES, SETTINGS


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
    """Writes the report of a run from the files in its folder.

    It shows the files of ``fit``, of the command line and of ``examples/train_scale_chords.py``, if they exist:
    ``history.jsonl``, ``best.safetensors`` (its settings, not its weights), ``scores.json``, ``run.json`` or
    ``config.yaml``, ``generated.mid`` with ``primer.mid``, and other MIDI files.

    Args:
        folder: the run's folder.
        path: the page; ``report.html`` in the folder by default.
        title: the title of the page; the folder's name by default.
        classes: your own grids that the run may use.
        max_pieces: how many MIDI files to show: ``generated.mid`` and the last ones by name.
        wav: whether each piece has a WAV download.
        overwrite: whether an existing file may be replaced.

    Raises:
        SettingsError: not the folder of a run, or a file in it with other contents.
        CheckpointError: a damaged checkpoint.
        MidiError: a MIDI file that cannot be read.
        OverwriteError: the file exists and ``overwrite`` is false.
    """
    folder = Path(folder)
    present = [name for name in (BEST, HISTORY, SCORES, GENERATED) if (folder / name).is_file()]
    if not folder.exists():
        raise SettingsError(f"{folder}: no such folder. Check the path.")
    if not present:
        raise SettingsError(
            f"{folder}: not the folder of a run. Expected a folder with {HISTORY}, {BEST}, {SCORES} or "
            f"{GENERATED}, such as the checkpoint_dir of fit."
        )
    scores = _mapping(folder / SCORES, json.loads, "JSON")
    model = _model(folder / BEST)
    layout = _layout(model, classes, str(folder / BEST))
    settings = {
        **(read_yaml(folder / CONFIG) if (folder / CONFIG).is_file() else {}),
        **_mapping(folder / SETTINGS, json.loads, "JSON"),
    }
    return write_report(
        folder / "report.html" if path is None else path,
        title=title or folder.resolve().name,
        pieces=_pieces(folder, SIXTEENTHS if layout is None else layout.grid, scores, max_pieces),
        evaluation=_evaluation(folder / SCORES, scores),
        history=History.load(folder / HISTORY) if HISTORY in present else None,
        trained_on=_trained_on(model, layout, scores, settings),
        wav=wav,
        overwrite=overwrite,
    )


def _mapping(path: Path, parse: Callable[[str], Any], kind: str) -> Mapping[str, Any]:
    """The mapping in a JSON or YAML file; empty if there is no file."""
    if not path.is_file():
        return {}
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingsError(f"{path}: not {kind} ({error}). Remove it, or run again.") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected an object with names and values, got {type(content).__name__}.")
    return content


def _model(path: Path) -> Mapping[str, Any]:
    """The facts in a checkpoint about its model, data and training; empty if there is no file."""
    if not path.is_file():
        return {}
    header, shapes = read_index(path)
    sizes = [prod(shape) for shape in shapes.values()]
    details = header["details"]
    return {
        "card": details.get("card", {}),
        "model": model_facts(header["model"], sum(sizes)),
        "data": details.get("data", {}),
        "run": details.get("run", {}),
    }


def _layout(model: Mapping[str, Any], classes: Iterable[type], label: str) -> FrameLayout | None:
    """The frame layout in a checkpoint's facts, if there is one."""
    description = model.get("data", {}).get("layout")
    if description is None:
        return None
    layout = checkpoint.build(description, classes=classes, label=label)
    if not isinstance(layout, FrameLayout):
        raise CheckpointError(f"{label}: expected a FrameLayout as its layout, got {type(layout).__name__}.")
    return layout


def _trained_on(
    model: Mapping[str, Any], layout: FrameLayout | None, scores: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    data = {**scores.get("data", {}), **model.get("data", {})}
    if layout is not None:
        pitches = layout.pitches
        data["grid"] = repr(layout.grid)
        data["pitches"] = f"{pitches.name_of(0)} to {pitches.name_of(len(pitches) - 1)} ({len(pitches)})"
        data["planes"] = ", ".join(layout.planes)
        del data["layout"]
    other = {name: value for name, value in scores.items() if isinstance(value, float)}
    found = {
        "Model card": model.get("card", {}),
        "Data": data,
        "Model": model.get("model", {}),
        "Training": model.get("run", {}),
        "Settings of the run": settings,
        "Continuation": scores.get("continuation", {}),
        "Other scores": other,
    }
    return {heading: facts for heading, facts in found.items() if facts}


def _evaluation(path: Path, scores: Mapping[str, Any]) -> Evaluation | None:
    if "test" not in scores:
        return None
    try:
        return Evaluation.from_json(scores["test"])
    except (TypeError, KeyError) as error:
        raise SettingsError(f"{path}: its 'test' was not written by Evaluation.to_json ({error!r}).") from error


def _pieces(folder: Path, grid: FrameGrid, scores: Mapping[str, Any], max_pieces: int) -> list[Piece]:
    files = sorted(path for path in folder.glob("*.mid") if path.name not in (GENERATED, PRIMER))
    pieces = [Piece(_read(path, grid)) for path in files[max(len(files) - max_pieces + 1, 0) :]]
    if (folder / GENERATED).is_file():
        whole = _read(folder / GENERATED, grid)
        primer = int(scores.get("primer_frames", 0))
        if not primer and (folder / PRIMER).is_file():
            primer = len(_read(folder / PRIMER, grid))  # a file does not contain silence at the end
        pieces.insert(0, Piece(whole, min(primer, len(whole)), name=whole.name))
    return pieces[:max_pieces]


def _read(path: Path, grid: FrameGrid) -> PianoRoll:
    return PianoRoll.from_midi(path, grid=grid, pitches=ALL_PITCHES)
