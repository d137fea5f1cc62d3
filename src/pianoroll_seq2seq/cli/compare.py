"""``compare``: runs side by side."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.outputs import PICTURE, check_outputs
from pianoroll_seq2seq.cli.run_config import CONFIG, read
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.history import Epoch, History

_NOT_OF_INTEREST = frozenset({"output", "json"})
_COLUMNS = (
    ("best epoch", "best_epoch", "d"),
    ("validation", "valid_loss", ".4f"),
    ("training", "train_loss", ".4f"),
    ("test nats", "test_nats", ".4f"),
    ("test F1", "test_f1", ".3f"),
    ("minutes", "minutes", ".1f"),
)


@dataclass(frozen=True)
class RunFacts:
    """A run's figures.

    Args:
        run: its folder.
        history: its losses.
        config: its options, flat, by names such as ``model.init_args.hidden``; empty where it has no configuration.
        scores: what its ``scores.json`` holds; empty without one.
    """

    run: Path
    history: History
    config: Mapping[str, Any]
    scores: Mapping[str, Any]

    @property
    def best(self) -> Epoch:
        """The best epoch."""
        return self.history.epochs[(self.history.best_epoch or 1) - 1]

    @property
    def loss(self) -> float:
        """What runs are sorted by: the validation loss at the best epoch, without one the training loss."""
        return self.best.train_loss if self.best.valid_loss is None else self.best.valid_loss

    def figures(self) -> dict[str, Any]:
        """The table's row."""
        test = self.scores.get("test", {}).get("model", {}).get("all", {})
        return {
            "best_epoch": self.best.epoch,
            "epochs": len(self.history.epochs),
            "valid_loss": self.best.valid_loss,
            "train_loss": self.best.train_loss,
            "test_nats": test.get("nats"),
            "test_f1": test.get("f1"),
            "minutes": round(sum(epoch.seconds for epoch in self.history.epochs) / 60, 2),
        }


@dataclass(frozen=True)
class Comparison:
    """Runs, the best first.

    Args:
        runs: the runs.
        names: what each is called: what tells the folders apart.
        files: the picture and the page that were written.
    """

    runs: tuple[RunFacts, ...]
    names: tuple[str, ...]
    files: tuple[str, ...] = ()

    def differing(self) -> dict[str, list[Any]]:
        """The options that are not the same in all runs, with their values."""
        keys = dict.fromkeys(key for run in self.runs for key in run.config)
        values = {key: [run.config.get(key) for run in self.runs] for key in keys}
        return {key: row for key, row in values.items() if any(value != row[0] for value in row)}

    def to_json(self) -> dict[str, Any]:
        """The rows, with what differs."""
        differing = self.differing()
        rows = [
            {"run": str(run.run), **run.figures(), "options": {key: values[place] for key, values in differing.items()}}
            for place, run in enumerate(self.runs)
        ]
        return {"runs": rows, "files": list(self.files)}

    def __str__(self) -> str:
        """The table."""
        differing = self.differing()
        head = ["run", *(title for title, _, _ in _COLUMNS), *(key.replace(".init_args", "") for key in differing)]
        rows = []
        for place, run in enumerate(self.runs):
            figures = run.figures()
            cells = [("-" if figures[key] is None else format(figures[key], form)) for _, key, form in _COLUMNS]
            rows.append([self.names[place], *cells, *(_shown(values[place]) for values in differing.values())])
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in pairs
            ).rstrip()
            for pairs in (enumerate(zip(row, widths, strict=True)) for row in (head, *rows))
        ]
        return "\n".join([*lines, *(f"written: {file}" for file in self.files)])


def compare(
    runs: list[str], *, picture: Path | None = None, page: Path | None = None, overwrite: bool = False
) -> Comparison:
    """Holds runs side by side, the lowest validation loss first: their losses, scores, and the options that differ.

    Args:
        runs: folders of runs.
        picture: a PNG file for the loss curves of all (extra plot).
        page: an HTML file with curves, scores and music of all.
        overwrite: whether files that are there may be replaced.

    Raises:
        SettingsError: a folder without the history of a run.
    """
    if picture is not None and picture.suffix.lower() not in PICTURE:
        raise SettingsError(f"{picture}: a picture is written as {PICTURE[0]}.")
    check_outputs([] if picture is None else [picture], overwrite=overwrite)
    found = sorted((_facts(Path(run)) for run in runs), key=lambda run: run.loss)
    names = _short_names([run.run for run in found])
    files = []
    if picture is not None:
        from pianoroll_seq2seq.plot import plot_histories, save_figure

        histories = {name: run.history for name, run in zip(names, found, strict=True)}
        files.append(save_figure(plot_histories(histories), picture, overwrite=overwrite))
    if page is not None:
        from pianoroll_seq2seq.cli.compare_page import write_page

        files.append(write_page(Comparison(tuple(found), names), page, overwrite=overwrite))
    return Comparison(tuple(found), names, tuple(map(str, files)))


def _facts(run: Path) -> RunFacts:
    path = run / "history.jsonl"
    if not path.is_file():
        raise SettingsError(f"{run}: no run there. Give the folder of a run, with history.jsonl in it.")
    history = History.load(path)
    if not history.epochs:
        raise SettingsError(f"{run}: no epoch of this run is done yet.")
    config = _flat(read(run / CONFIG)) if (run / CONFIG).is_file() else {}
    scores = _json(run / "scores.json")
    return RunFacts(run, history, {key: value for key, value in config.items() if key not in _NOT_OF_INTEREST}, scores)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingsError(f"{path}: not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected scores by their names, got {content!r:.80}.")
    return content


def _flat(options: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Options by their whole names."""
    flat: dict[str, Any] = {}
    for name, value in options.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _short_names(folders: Sequence[Path]) -> tuple[str, ...]:
    """The ends of paths, as long as they must be to differ."""
    parts = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, parts)) + 1):
        names = tuple("/".join(part[-length:]) for part in parts)
        if len(set(names)) == len(names):
            return names
    raise SettingsError(f"A run is named twice: {', '.join(map(str, folders))}.")


def _shown(value: Any) -> str:
    text = str(value).rpartition(".")[2] if isinstance(value, str) else str(value)
    return "-" if value is None else text


COMMAND = Command(
    compare,
    examples="""
    pianoroll-seq2seq compare runs/*
    pianoroll-seq2seq compare runs/narrow runs/wide --picture curves.png --page comparison.html
    pianoroll-seq2seq compare runs/* --json
    """,
)
