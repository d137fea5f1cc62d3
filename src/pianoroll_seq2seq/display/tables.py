"""HTML tables of training histories, of scores and of generated music."""

from collections.abc import Mapping
from html import escape

from pianoroll_seq2seq.evaluation.likelihood import VelocityScores
from pianoroll_seq2seq.evaluation.music_summary import MusicSummary
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation, Predictor
from pianoroll_seq2seq.train.history import Epoch, History

_MAX_EPOCHS = 50


def epochs_table(history: History) -> str:
    """A table of at most fifty epochs, with the best and the last among them."""
    epochs = history.epochs
    step = -(-len(epochs) // _MAX_EPOCHS)
    rows = "".join(
        _epoch_row(epoch, best=epoch.epoch == history.best_epoch)
        for index, epoch in enumerate(epochs, start=1)
        if index % step == 0 or epoch.epoch == history.best_epoch or epoch is epochs[-1]
    )
    names = ("epoch", "training loss", "validation loss", "learning rate", "seconds")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return f'<table class="pr-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def epochs_summary(history: History) -> str:
    """The number of epochs and the best of them."""
    best = "" if history.best_epoch is None else f", the best after epoch {history.best_epoch}"
    epochs = f"{len(history.epochs)} epoch{'s' * (len(history.epochs) != 1)}"
    return f"{epochs}{best}; losses in nats per frame"


def evaluation_table(evaluation: Evaluation) -> str:
    """A model's scores beside those of the copying baselines, and those of its velocities."""
    return evaluations_table({"model": evaluation}) + velocities_table(evaluation.velocities)


def evaluations_table(evaluations: Mapping[str, Evaluation]) -> str:
    """The scores of models by name, and of the copying baselines: once, if those of all models are equal."""
    names = ("", "nats per frame", "precision", "recall", "F1", "nats per frame", "F1")
    head = "".join(f'<th scope="col">{name}</th>' if name else "<td></td>" for name in names)
    rows = [(name, evaluation.model) for name, evaluation in evaluations.items()]
    for label, baseline in (("copy last", "copy_last"), ("copy input", "copy_input")):
        found: dict[Predictor, list[str]] = {}
        for name, evaluation in evaluations.items():
            found.setdefault(getattr(evaluation, baseline), []).append(name)
        rows += [(label if len(found) == 1 else f"{label}, {', '.join(of)}", one) for one, of in found.items()]
    body = "".join(f'<tr><th scope="row">{escape(name)}</th>{_score_cells(scores)}</tr>' for name, scores in rows)
    counts = {(one.num_frames, one.num_changed_frames) for one in evaluations.values()}
    caption = "; or ".join(f"{frames:,} frames, {changed:,} of them changed" for frames, changed in sorted(counts))
    if len(counts) > 1:
        caption += ": the models were scored on different frames"
    if any(evaluation.velocities for evaluation in evaluations.values()):
        caption += "; scores of the notes, without their velocities"
    return (
        f'<table class="pr-table"><caption>{caption}</caption>'
        f'<thead><tr><td></td><th scope="colgroup" colspan="4">all frames</th>'
        f'<th scope="colgroup" colspan="2">changed frames</th></tr><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _score_cells(scores: Predictor) -> str:
    every, changed = scores.all, scores.changed
    numbers = (every.nats, every.precision, every.recall, every.f1, changed.nats, changed.f1)
    return "".join(f"<td>{number:.3f}</td>" for number in numbers)


def velocities_table(velocities: Mapping[str, VelocityScores]) -> str:
    """The scores of the velocities of each part; nothing without velocities."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name) or "all notes"}</th><td>{scores.nats:.3f}</td>'
        f"<td>{scores.mean_absolute_error:.1f}</td><td>{scores.num_notes:,}</td></tr>"
        for name, scores in velocities.items()
    )
    columns = ("velocities", "nats per note", "mean absolute error", "notes")
    return _table(columns, rows, caption="velocities, 1 to 127, each given the notes before it") if rows else ""


def summary_table(summary: MusicSummary) -> str:
    """The metrics of generated music beside those of the data."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name.replace("_", " "))}</th>{_number(summary.generated.get(name))}'
        f"{_number(summary.data.get(name))}</tr>"
        for name in dict.fromkeys((*summary.generated, *summary.data))
    )
    overlaps = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in summary.overlaps.items())
    pieces = f"{summary.generated_pieces} generated piece{'s' * (summary.generated_pieces != 1)}"
    caption = f"means over {pieces} and {summary.data_pieces} of the data"
    if overlaps:
        caption += f"; overlap of histograms (1 if they are equal): {overlaps}"
    return _table(("", "generated", "data"), rows, caption=caption)


def note_lengths_table(summary: MusicSummary) -> str:
    """The share of the notes of each length, in generated music and in the data."""
    rows = "".join(
        f'<tr><th scope="row">{"other" if row.length is None else f"{row.length:g}"}</th><td>{row.generated:.1%}</td>'
        f"<td>{row.data:.1%}</td></tr>"
        for row in summary.note_lengths
    )
    caption = "share of the notes of each length"
    return _table((f"length in {escape(summary.unit)}", "generated", "data"), rows, caption=caption) if rows else ""


def _table(columns: tuple[str, ...], rows: str, *, caption: str) -> str:
    head = "".join(f'<th scope="col">{name}</th>' if name else "<td></td>" for name in columns)
    return (
        f'<table class="pr-table"><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _number(value: float | None) -> str:
    return "<td></td>" if value is None else f"<td>{value:.3f}</td>"


def _epoch_row(epoch: Epoch, *, best: bool) -> str:
    valid = "" if epoch.valid_loss is None else f"{epoch.valid_loss:.4f}"
    cells = (f"{epoch.train_loss:.4f}", valid, f"{epoch.learning_rate:.2e}", f"{epoch.seconds:.1f}")
    number = f"{epoch.epoch} (best)" if best else str(epoch.epoch)
    return f'<tr><th scope="row">{number}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
