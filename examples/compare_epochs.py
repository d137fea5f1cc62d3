"""Compares runs by their epochs and batch sizes, as the 2017 article did with 10, 50 and 100 epochs.

    python examples/compare_epochs.py                                         # 10, 50 and 100 epochs
    python examples/compare_epochs.py --epochs 20 --batch-sizes 16 64 256     # batch sizes instead

Each combination is a run in its own folder below ``--output``. ``comparison.png`` has their loss curves, and
``comparison.json`` the table that is printed. The same command resumes after an interruption.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from train_scale_chords import PRESETS, Run, log, prepare_folder, run, write_json

from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords
from pianoroll_seq2seq.display.plot import plot_histories, save_figure
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError


def row(name: str, result: Run) -> dict[str, str | int | float]:
    """One line of the table; losses in nats per frame."""
    epochs = result.history.epochs
    return {
        "run": name,
        "epochs": len(epochs),
        "steps": epochs[-1].step,
        "best epoch": result.history.best_epoch or 0,
        "train loss": round(epochs[-1].train_loss, 3),
        "valid loss": round(epochs[-1].valid_loss or 0.0, 3),
        "test nats": round(result.scores.model.all.nats, 3),
        "copy last": round(result.scores.copy_last.all.nats, 3),
        "copy input": round(result.scores.copy_input.all.nats, 3),
        "test F1": round(result.scores.model.all.f1, 3),
        "seconds": round(sum(epoch.seconds for epoch in epochs), 1),
    }


def table(rows: list[dict[str, str | int | float]]) -> str:
    """The rows in columns."""
    cells = [list(rows[0]), *([str(value) for value in entry.values()] for entry in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def compare(given: argparse.Namespace) -> None:
    """Runs all combinations, prints the table and draws the curves."""
    arguments = {"preset": given.preset, "midi_dir": str(given.midi_dir or ""), "seed": given.seed}
    prepare_folder(given.output, arguments)
    midi_dir = given.midi_dir or write_scale_chords(given.output / "midi")
    preset = PRESETS[given.preset]()
    results: dict[str, Run] = {}
    for epochs in given.epochs:
        for batch_size in given.batch_sizes or [preset.batch_size]:
            name = f"{epochs} epochs, batch {batch_size}"
            log(f"\n{name}")
            # Without early stopping, so that all runs have their full length.
            variant = replace(preset, epochs=epochs, batch_size=batch_size, patience=None)
            folder = given.output / f"epochs-{epochs}-batch-{batch_size}"
            results[name] = run(variant, midi_dir, folder, seed=given.seed, device=given.device)
    rows = [row(name, result) for name, result in results.items()]
    write_json(given.output / "comparison.json", {"rows": rows})
    axes = plot_histories({name: result.history for name, result in results.items()})
    save_figure(axes, given.output / "comparison.png", overwrite=True)
    log(f"\n{table(rows)}\n\nLook at {given.output / 'comparison.png'}.")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. A mistake of the user is one line on standard error and exit code 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, default="azure-2017", help="the hyperparameters (%(default)s)")
    parser.add_argument("--midi-dir", type=Path, help="a folder of MIDI files; the built-in pieces by default")
    parser.add_argument("--epochs", type=int, nargs="+", default=[10, 50, 100], help="numbers of epochs (%(default)s)")
    parser.add_argument("--batch-sizes", type=int, nargs="+", help="batch sizes; the preset's by default")
    parser.add_argument("--seed", type=int, default=0, help="seed of all runs")
    parser.add_argument(
        "--output", type=Path, default=Path("runs/compare"), help="folder for the results (%(default)s)"
    )
    parser.add_argument("--device", default="cpu", help="such as cpu or cuda (%(default)s)")
    try:
        compare(parser.parse_args(arguments))
    except PianoRollSeq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command resumes the run", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
