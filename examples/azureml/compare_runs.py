"""Draws the logged loss curves of submitted runs into one picture, and prints a table.

    python examples/azureml/compare_runs.py             # with what they have logged so far
    python examples/azureml/compare_runs.py --wait      # when all have ended

The runs are those that ``submit_epochs.py`` has recorded; the picture is ``runs/azureml/comparison.png``.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from commands import make_parser, run
from records import Record, read_record, submissions

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.backends.azureml import open_workspace
from pianoroll_seq2seq.display.plot import plot_histories, save_figure
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.train.history import Epoch, History

Row = dict[str, str | int | float | None]


def history_of(metrics: dict[str, list[float]]) -> History:
    """The loss curves that a run has logged, one value per epoch, up to the last epoch that both curves have."""
    train, valid = metrics.get("train_loss", []), metrics.get("valid_loss", [])
    if valid:
        train = train[: len(valid)]
    epochs = tuple(
        Epoch(number, number, loss, valid[number - 1] if valid else None, 0.0, 0.0)
        for number, loss in enumerate(train, start=1)
    )
    watched = valid[: len(train)] or train
    return History(epochs, best_epoch=watched.index(min(watched)) + 1 if watched else None)


def make_row(name: str, status: str, metrics: dict[str, list[float]]) -> Row:
    """A row of the table: losses in nats per frame, and figures of the music."""
    history = history_of(metrics)
    last = history.epochs[-1]
    return {
        "epochs": name,
        "status": status,
        "logged": len(history.epochs),
        "best epoch": history.best_epoch,
        "train loss": round(last.train_loss, 3),
        "valid loss": None if last.valid_loss is None else round(last.valid_loss, 3),
        "test nats": _last(metrics, "test_nats"),
        "in scale": _last(metrics, "music_scale_consistency"),
        "polyphony": _last(metrics, "music_polyphony"),
    }


def _last(metrics: dict[str, list[float]], name: str) -> float | None:
    """The last value of a metric, if there is one."""
    return round(metrics[name][-1], 3) if metrics.get(name) else None


def format_table(rows: list[Row]) -> str:
    """Aligns the rows in columns."""
    cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def compare(record: Record, workspace: Any, folder: Path, *, wait: bool = False) -> list[Row]:
    """Draws the curves of the runs into ``folder``, prints the table and returns its rows.

    Raises:
        SettingsError: no run has logged a loss yet.
    """
    rows, histories = [], {}
    for epochs, submission in submissions(record, workspace):
        status = submission.wait() if wait else submission.status()
        metrics = submission.metrics()
        if history_of(metrics).epochs:
            rows.append(make_row(epochs, status, metrics))
            histories[f"{epochs} epochs"] = history_of(metrics)
        else:
            print(f"{epochs} epochs: {submission.id} is {status}, and has logged nothing yet")
    if not rows:
        raise SettingsError("No run has logged a loss yet. Wait for them with --wait.")
    with writing(folder / "comparison.json", overwrite=True) as temporary:
        temporary.write_text(json.dumps({"rows": rows}, indent=2) + "\n", encoding="utf-8")
    save_figure(plot_histories(histories), folder / "comparison.png", overwrite=True)
    print(f"{format_table(rows)}\n\nLook at {folder / 'comparison.png'}.")
    return rows


def compare_all(options: argparse.Namespace) -> None:
    """Compares the recorded runs."""
    record = read_record(options.output)
    compare(record, open_workspace(sdk=record.sdk), options.output, wait=options.wait)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command."""
    parser = make_parser(__doc__, output="runs.json and of the comparison")
    parser.add_argument("--wait", action="store_true", help="wait until the runs have ended")
    return run(compare_all, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
