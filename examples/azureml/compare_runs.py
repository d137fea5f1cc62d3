"""Lays the logged loss curves of submitted runs over one another, and prints a table.

    python examples/azureml/compare_runs.py             # what they have logged so far
    python examples/azureml/compare_runs.py --wait      # when all have ended

The curves come from the runs' pages, by the names that ``submit_epochs.py`` noted; the picture is
``runs/azureml/comparison.png``.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from records import Record, read_record, submissions

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.backends.azureml import open_workspace
from pianoroll_seq2seq.display.plot import plot_histories, save_figure
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.train.history import Epoch, History

Row = dict[str, str | int | float | None]


def history_of(metrics: dict[str, list[float]]) -> History:
    """The curves that a run has logged, one value an epoch; as much of it as all curves have."""
    train, valid = metrics.get("train_loss", []), metrics.get("valid_loss", [])
    if valid:
        train = train[: len(valid)]
    epochs = tuple(
        Epoch(number, number, loss, valid[number - 1] if valid else None, 0.0, 0.0)
        for number, loss in enumerate(train, start=1)
    )
    watched = valid[: len(train)] or train
    return History(epochs, best_epoch=watched.index(min(watched)) + 1 if watched else None)


def row(name: str, status: str, metrics: dict[str, list[float]]) -> Row:
    """One line of the table; losses in nats per frame."""
    history = history_of(metrics)
    last = history.epochs[-1]
    return {
        "epochs": name,
        "status": status,
        "logged": len(history.epochs),
        "best epoch": history.best_epoch,
        "train loss": round(last.train_loss, 3),
        "valid loss": None if last.valid_loss is None else round(last.valid_loss, 3),
        "test nats": round(metrics["test_nats"][-1], 3) if metrics.get("test_nats") else None,
    }


def table(rows: list[Row]) -> str:
    """The rows in columns."""
    cells = [list(rows[0]), *([str(value) for value in entry.values()] for entry in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def compare(record: Record, workspace: Any, folder: Path, *, wait: bool = False) -> list[Row]:
    """Reads the runs, draws their curves into ``folder`` and prints the table.

    Raises:
        SettingsError: no run has logged anything yet.
    """
    rows, histories = [], {}
    for epochs, run in submissions(record, workspace):
        status = run.wait() if wait else run.status()
        metrics = run.metrics()
        if history_of(metrics).epochs:
            rows.append(row(epochs, status, metrics))
            histories[f"{epochs} epochs"] = history_of(metrics)
        else:
            print(f"{epochs} epochs: {run.id} is {status}, and has logged nothing yet")
    if not rows:
        raise SettingsError("No run has logged a loss yet. Wait for them with --wait.")
    with writing(folder / "comparison.json", overwrite=True) as temporary:
        temporary.write_text(json.dumps({"rows": rows}, indent=2) + "\n", encoding="utf-8")
    save_figure(plot_histories(histories), folder / "comparison.png", overwrite=True)
    print(f"{table(rows)}\n\nLook at {folder / 'comparison.png'}.")
    return rows


def main(arguments: list[str] | None = None) -> int:
    """The command; a user's mistake is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/azureml"), help="where the names are (%(default)s)")
    parser.add_argument("--wait", action="store_true", help="until the runs have ended")
    given = parser.parse_args(arguments)
    try:
        record = read_record(given.output)
        compare(record, open_workspace(sdk=record.sdk), given.output, wait=given.wait)
    except PianoRollSeq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
