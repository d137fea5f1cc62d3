"""``compare``: compares runs side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.config_file import flat_options, read_config
from pianoroll_seq2seq.cli.left_out import left_out_lines
from pianoroll_seq2seq.cli.music_files import PICTURE, check_outputs
from pianoroll_seq2seq.cli.wording import message_of
from pianoroll_seq2seq.display.runs_table import RunsTable, TableColumn, runs_table
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.train.history import Epoch, History
from pianoroll_seq2seq.train.run_files import CONFIG, HISTORY, SCORES

if TYPE_CHECKING:
    from pianoroll_seq2seq.evaluation.run_scores import RunScores

_RUN_COLUMNS = (
    TableColumn("epochs", "epochs"),
    TableColumn("best epoch", "best_epoch"),
    TableColumn("batch size", "batch_size"),
    TableColumn("minutes", "minutes", ".1f"),
    TableColumn("validation", "valid_loss", ".4f", better="lower"),
    TableColumn("training", "train_loss", ".4f", better="lower"),
    TableColumn("test nats", "test_nats", ".4f", better="lower"),
    TableColumn("test F1", "test_f1", ".3f", better="higher"),
    TableColumn("in scale", "music_scale_consistency", ".3f"),
    TableColumn("polyphony", "music_polyphony", ".2f"),
    TableColumn("repeated", "music_repeated_frames", ".3f"),
    TableColumn("note beats", "music_mean_note_beats", ".2f"),
    TableColumn("grade", "music_bach_or_mock", ".2f", better="lower"),
    TableColumn("parallel 5ths", "music_parallel_fifths", ".2f"),
    TableColumn("parallel 8ves", "music_parallel_octaves", ".2f"),
    TableColumn("consonance", "music_pitch_consonance", ".3f"),
)
"""The columns of the table. Those without a value in any run, such as the grade of music in one voice, are left out."""
_SHOWN_OPTIONS = frozenset({"epochs", "batch_size"})
"""Options with columns of their own."""


@dataclass(frozen=True)
class RunFacts:
    """The figures of a run."""

    folder: Path
    history: History
    config: Mapping[str, Any]
    """Its options by names such as ``model.hidden_size``; empty without a configuration."""
    scores: "RunScores"
    """The content of its ``scores.json``."""

    @property
    def best(self) -> Epoch:
        """The best epoch."""
        return self.history.epochs[(self.history.best_epoch or 1) - 1]

    @property
    def loss(self) -> float:
        """The loss that runs are sorted by: the validation loss of the best epoch, or the training loss without one."""
        return self.best.train_loss if self.best.valid_loss is None else self.best.valid_loss

    def figures(self) -> dict[str, Any]:
        """A row of the table."""
        test = None if self.scores.test is None else self.scores.test.model.all
        return {
            "best_epoch": self.best.epoch,
            "epochs": len(self.history.epochs),
            "batch_size": self.config.get("batch_size"),
            "valid_loss": self.best.valid_loss,
            "train_loss": self.best.train_loss,
            "test_nats": None if test is None else test.nats,
            "test_f1": None if test is None else test.f1,
            **{f"music_{name}": value for name, value in self.scores.music.items() if isinstance(value, float)},
            "minutes": round(sum(epoch.seconds for epoch in self.history.epochs) / 60, 2),
        }


@dataclass(frozen=True)
class Comparison:
    """Runs, the best first."""

    runs: tuple[RunFacts, ...]
    names: tuple[str, ...]
    """The shortest ends of their paths that differ."""
    files: tuple[str, ...] = ()
    """The picture and the page that were written."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why folders are left out, by their paths."""

    def differing(self) -> dict[str, list[Any]]:
        """The values of the options in which the runs differ."""
        keys = dict.fromkeys(key for run in self.runs for key in run.config)
        values = {key: [run.config.get(key) for run in self.runs] for key in keys}
        return {key: row for key, row in values.items() if any(value != row[0] for value in row)}

    def to_json(self) -> dict[str, Any]:
        """The rows of the table, and the folders that are left out."""
        differing = self.differing()
        rows = [
            {
                "run": str(run.folder),
                **run.figures(),
                "options": {key: values[place] for key, values in differing.items()},
            }
            for place, run in enumerate(self.runs)
        ]
        return {"runs": rows, "files": list(self.files), "refused": dict(self.refused)}

    def table(self) -> RunsTable:
        """The figures of the runs, then the options in which they differ."""
        differing = {name: row for name, row in self.differing().items() if name not in _SHOWN_OPTIONS}
        columns = [*_RUN_COLUMNS, *(TableColumn(name, name) for name in differing)]
        rows = [
            {**run.figures(), **{name: _shown(row[place]) for name, row in differing.items()}}
            for place, run in enumerate(self.runs)
        ]
        return runs_table(self.names, columns, rows)

    def __str__(self) -> str:
        """The table."""
        left_out = left_out_lines(self.refused, len(self.runs), kind="folders")
        return "\n".join([str(self.table()), *(f"written: {file}" for file in self.files), *left_out])


def compare(
    runs: Annotated[list[Path], Parameter(name="RUNS")],
    /,
    *,
    picture: Path | None = None,
    page: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
) -> Comparison:
    """Compares runs, the lowest validation loss first: their losses, scores, and the options in which they differ.

    Folders of something else, and damaged ones, are left out and named.

    Args:
        runs: Folders of runs.
        picture: PNG file for the loss curves (extra plot).
        page: HTML file for curves, scores and music.
        overwrite: Replace existing files.

    Raises:
        SettingsError: a folder that is missing, or none that can be compared.
    """
    if picture is not None and picture.suffix.lower() not in PICTURE:
        raise SettingsError(f"--picture {picture}: the ending must be {PICTURE[0]}.")
    check_outputs([] if picture is None else [picture], overwrite=overwrite)
    found, refused = _readable(runs)
    names = _short_names([run.folder for run in found])
    files = []
    if picture is not None:
        from pianoroll_seq2seq.display.plot import plot_histories, save_figure

        histories = {name: run.history for name, run in zip(names, found, strict=True)}
        files.append(save_figure(plot_histories(histories), picture, overwrite=overwrite))
    if page is not None:
        from pianoroll_seq2seq.cli.compare_page import write_page

        files.append(write_page(Comparison(tuple(found), names, refused=refused), page, overwrite=overwrite))
    return Comparison(tuple(found), names, tuple(map(str, files)), refused)


def _readable(folders: Sequence[Path]) -> tuple[list[RunFacts], dict[str, str]]:
    """The runs that can be read, the best first, and why the others cannot.

    Raises:
        PianoRollSeq2SeqError, OSError: no such folder; or none can be read, and the first of them has this error.
    """
    for folder in folders:
        if not folder.exists():
            raise SettingsError(f"{folder}: no such folder. Check the path.")
    found: list[RunFacts] = []
    errors: dict[str, Exception] = {}
    for folder in folders:
        try:
            found.append(_facts(folder))
        except (PianoRollSeq2SeqError, OSError) as error:
            errors[str(folder)] = error
    if not found:
        raise next(iter(errors.values()))
    return sorted(found, key=lambda run: run.loss), {path: message_of(error) for path, error in errors.items()}


def _facts(folder: Path) -> RunFacts:
    from pianoroll_seq2seq.evaluation.run_scores import read_scores

    path = folder / HISTORY
    if not path.is_file():
        raise SettingsError(f"{folder}: not the folder of a run, because it has no {HISTORY}.")
    history = History.load(path)
    if not history.epochs:
        raise SettingsError(f"{folder}: no epoch of this run has ended yet.")
    config = flat_options(read_config(folder / CONFIG)) if (folder / CONFIG).is_file() else {}
    config.pop("output", None)
    return RunFacts(folder, history, config, read_scores(folder / SCORES))


def _short_names(folders: Sequence[Path]) -> tuple[str, ...]:
    """The shortest ends of paths that differ."""
    parts = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, parts)) + 1):
        names = tuple("/".join(part[-length:]) for part in parts)
        if len(set(names)) == len(names):
            return names
    raise SettingsError(f"a run is named twice: {', '.join(map(str, folders))}.")


def _shown(value: Any) -> str | None:
    """The value of an option; of the path of a class, its name."""
    if value is None:
        return None
    words = str(value).split(".")
    return words[-1] if all(word.isidentifier() for word in words) else str(value)


COMMAND = Command(
    compare,
    examples="""
    pianoroll-seq2seq compare runs/*
    pianoroll-seq2seq compare runs/narrow runs/wide --picture curves.png --page comparison.html
    pianoroll-seq2seq compare runs/* --json
    """,
)
