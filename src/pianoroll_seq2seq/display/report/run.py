"""The report of a run's folder."""

import os
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq._internal.documents import convert, read_json
from pianoroll_seq2seq._internal.yaml_files import read_yaml
from pianoroll_seq2seq.checkpoint.files import read_index
from pianoroll_seq2seq.display.piece import Piece
from pianoroll_seq2seq.display.report.page import model_facts, write_report
from pianoroll_seq2seq.errors import CheckpointError, SettingsError
from pianoroll_seq2seq.evaluation.run_scores import RunScores, read_scores
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.parts import Part
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
    scores = read_scores(folder / SCORES)
    model = _model(folder / BEST)
    layout = _layout(model, classes, str(folder / BEST))
    settings = {
        **(read_yaml(folder / CONFIG) if (folder / CONFIG).is_file() else {}),
        **(read_json(folder / SETTINGS, dict[str, Any], SettingsError) if (folder / SETTINGS).is_file() else {}),
    }
    return write_report(
        folder / "report.html" if path is None else path,
        title=title or folder.resolve().name,
        pieces=_pieces(folder, SIXTEENTHS if layout is None else layout.grid, scores, max_pieces),
        evaluation=scores.test,
        summary=scores.summary,
        history=History.load(folder / HISTORY) if HISTORY in present else None,
        trained_on=_trained_on(model, layout, scores, settings),
        wav=wav,
        overwrite=overwrite,
    )


class _Details(Struct, frozen=True):
    """What the report shows of a checkpoint's details; those of ``save`` hold what the user likes."""

    card: dict[str, Any] = {}
    data: dict[str, Any] = {}
    run: dict[str, Any] = {}


def _model(path: Path) -> Mapping[str, Any]:
    """The facts in a checkpoint about its model, data and training; empty if there is no file."""
    if not path.is_file():
        return {}
    header, shapes = read_index(path)
    parameters = sum(map(prod, shapes.values()))
    details = convert(header["details"], _Details, f"{path}: the details", CheckpointError)
    return {"model": model_facts(header["model"], parameters), **asdict(details)}


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
    model: Mapping[str, Any], layout: FrameLayout | None, scores: RunScores, settings: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    data = {**scores.data, **model.get("data", {})}
    if layout is not None:
        data["grid"] = repr(layout.grid)
        if len(layout.parts) == 1:
            data["pitches"] = _pitches(layout.parts[0])
        else:
            data["parts"] = [f"{part.name}: {_pitches(part)}" for part in layout.parts]
        data["planes"] = ", ".join(layout.planes)
        del data["layout"]
    found = {
        "Model card": model.get("card", {}),
        "Data": data,
        "Model": model.get("model", {}),
        "Training": model.get("run", {}),
        "Settings of the run": settings,
        "Continuation": scores.continuation,
        "Other scores": scores.other,
    }
    return {heading: facts for heading, facts in found.items() if facts}


def _pitches(part: Part) -> str:
    """The pitches of a part in words."""
    pitches = part.pitches
    if part.drums:
        return f"drums {pitches.lowest} to {pitches.highest} ({len(pitches)})"
    return f"{pitches.name_of(0)} to {pitches.name_of(len(pitches) - 1)} ({len(pitches)})"


def _pieces(folder: Path, grid: FrameGrid, scores: RunScores, max_pieces: int) -> list[Piece]:
    files = sorted(path for path in folder.glob("*.mid") if path.name not in (GENERATED, PRIMER))
    pieces = [Piece(_read(path, grid)) for path in files[max(len(files) - max_pieces + 1, 0) :]]
    if (folder / GENERATED).is_file():
        whole = _read(folder / GENERATED, grid)
        primer = scores.primer_frames
        if not primer and (folder / PRIMER).is_file():
            primer = len(_read(folder / PRIMER, grid))  # a file does not contain silence at the end
        pieces.insert(0, Piece(whole, min(primer, len(whole)), name=whole.name))
    return pieces[:max_pieces]


def _read(path: Path, grid: FrameGrid) -> PianoRoll:
    return PianoRoll.from_midi(path, grid=grid, pitches=ALL_PITCHES, parts="tracks")
