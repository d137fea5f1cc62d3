"""HTML tables of training histories and of scores."""

from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation
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
    return f"{len(history.epochs)} epochs{best}; losses in nats per frame"


def evaluation_table(evaluation: Evaluation) -> str:
    """A model's scores beside those of the copying baselines."""
    names = ("", "nats per frame", "precision", "recall", "F1", "nats per frame", "F1")
    head = "".join(f'<th scope="col">{name}</th>' if name else "<td></td>" for name in names)
    rows = []
    for label, row in (
        ("model", evaluation.model),
        ("copy last", evaluation.copy_last),
        ("copy input", evaluation.copy_input),
    ):
        numbers = (row.all.nats, row.all.precision, row.all.recall, row.all.f1, row.changed.nats, row.changed.f1)
        cells = "".join(f"<td>{number:.3f}</td>" for number in numbers)
        rows.append(f'<tr><th scope="row">{label}</th>{cells}</tr>')
    counts = f"{evaluation.num_frames:,} frames, {evaluation.num_changed_frames:,} of them changed"
    return (
        f'<table class="pr-table"><caption>{counts}</caption>'
        f'<thead><tr><td></td><th scope="colgroup" colspan="4">all frames</th>'
        f'<th scope="colgroup" colspan="2">changed frames</th></tr><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _epoch_row(epoch: Epoch, *, best: bool) -> str:
    valid = "" if epoch.valid_loss is None else f"{epoch.valid_loss:.4f}"
    cells = (f"{epoch.train_loss:.4f}", valid, f"{epoch.learning_rate:.2e}", f"{epoch.seconds:.1f}")
    number = f"{epoch.epoch} (best)" if best else str(epoch.epoch)
    return f'<tr><th scope="row">{number}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
