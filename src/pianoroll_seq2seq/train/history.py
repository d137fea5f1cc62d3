"""The losses of a training run, epoch by epoch."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.display_hook import html_of, plot_of
from pianoroll_seq2seq._internal.documents import convert, parse_json, read_bytes
from pianoroll_seq2seq.errors import MissingExtraError, PianoRollSeq2SeqError, SettingsError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_MOST = 2**53
_MAX_BYTES = 16 * 2**20

StoppedBy: TypeAlias = Literal["epochs", "patience", "callback"]
"""Why training stopped: all ``epochs`` are done, the ``patience`` is exhausted, or a ``callback`` returned True."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training windows."""

    epoch: Annotated[int, Meta(ge=1, le=_MOST)]
    """Counted from 1."""
    step: Annotated[int, Meta(ge=0, le=_MOST)]
    """Optimizer steps since the start of training."""
    train_loss: float
    """Nats per frame, the mean over the steps of the epoch."""
    valid_loss: float | None
    """Nats per frame at the end of the epoch; None without validation windows."""
    learning_rate: float
    """At the end of the epoch."""
    seconds: float
    """The epoch's wall-clock time, validation included."""


@dataclass(frozen=True)
class History:
    """All epochs of a run.

    Args:
        epochs: in order.
        best_epoch: number of the epoch with the lowest monitored loss, whose weights the model ends with.
        stopped_by: why training stopped: all ``epochs`` are done, the ``patience`` is exhausted, or a ``callback``
            returned True; None during training.

    Example:
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange, Seq2SeqLSTM, SlidingWindows, fit
        >>> silence = PianoRoll.silent(20, pitches=PitchRange(60, 71))
        >>> windows = SlidingWindows([silence], input_frames=4, target_frames=4, hop=4)
        >>> model = Seq2SeqLSTM(windows.layout, hidden_size=8)
        >>> history = fit(model, windows, windows, epochs=3, batch_size=4, progress=False)
        >>> len(history.epochs), history.best_epoch, history.stopped_by
        (3, 3, 'epochs')
        >>> history.valid_losses == sorted(history.valid_losses, reverse=True)
        True
    """

    epochs: tuple[Epoch, ...] = ()
    best_epoch: int | None = None
    stopped_by: StoppedBy | None = None

    def __repr__(self) -> str:
        """The number of epochs, the best of them, and why training stopped."""
        count = f"{len(self.epochs)} epoch{'s' * (len(self.epochs) != 1)}"
        best = next((epoch for epoch in self.epochs if epoch.epoch == self.best_epoch), None)
        if best is not None:
            valid = "" if best.valid_loss is None else f", validation {best.valid_loss:.4f}"
            count += f", best {best.epoch}: training {best.train_loss:.4f}{valid} nats per frame"
        return f"History({count}{'' if self.stopped_by is None else f', stopped by {self.stopped_by}'})"

    @property
    def train_losses(self) -> list[float]:
        """Training loss of each epoch, in nats per frame."""
        return [epoch.train_loss for epoch in self.epochs]

    @property
    def valid_losses(self) -> list[float]:
        """Validation loss of each epoch that has one, in nats per frame."""
        return [epoch.valid_loss for epoch in self.epochs if epoch.valid_loss is not None]

    def to_json(self) -> dict[str, Any]:
        """The history for JSON."""
        return asdict(self)

    @classmethod
    def from_json(
        cls,
        data: Mapping[str, Any],
        *,
        where: str = "the history",
        error: type[PianoRollSeq2SeqError] = SettingsError,
    ) -> "History":
        """The inverse of :meth:`to_json`.

        Args:
            data: what :meth:`to_json` returned.
            where: where the data is from, for the message of an error.
            error: the class of the error.

        Raises:
            SettingsError: other data, or epochs that are not numbered 1, 2, 3 and so on; or ``error``.
        """
        record = convert(data, _Record, where, error)
        return cls(record.epochs, record.best_epoch, record.stopped_by)

    def to_frame(self) -> "DataFrame":
        """A pandas table with a row for each epoch: losses, learning rate and seconds, indexed by the epoch's number.

        Raises:
            MissingExtraError: pandas is not installed (extra ``pandas``).

        Example:
            The five best epochs: ::

                history.to_frame().nsmallest(5, "valid_loss")
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("pandas", "pandas", "History.to_frame") from error
        rows = [asdict(epoch) for epoch in self.epochs]
        types = {field.name: int if field.name in ("epoch", "step") else float for field in fields(Epoch)}
        return pd.DataFrame(rows, columns=list(types)).astype(types).set_index("epoch")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes JSON lines: one for each epoch, then one with the rest. Replaces an existing file."""
        path = Path(path)
        data = self.to_json()
        lines = [*data.pop("epochs"), data]
        with writing(path, overwrite=True) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "History":
        """The inverse of :meth:`save`.

        Raises:
            SettingsError: the file was not written by :meth:`save`.
            OSError: the file cannot be read.
        """
        where = f"{os.fspath(path)}: not a history written by History.save"
        Path(path).stat()  # raises FileNotFoundError
        *lines, last = read_bytes(path, SettingsError, max_bytes=_MAX_BYTES).splitlines() or [b""]
        epochs = [
            parse_json(line, dict[str, Any], f"{where}: line {number}", SettingsError, max_bytes=_MAX_BYTES)
            for number, line in enumerate(lines, start=1)
        ]
        ending = parse_json(last, dict[str, Any], f"{where}: the last line", SettingsError)
        return cls.from_json(ending | {"epochs": epochs}, where=where)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the loss curves; see :func:`pianoroll_seq2seq.display.plot.plot_histories`."""
        return plot_of(self, ax=ax)

    def _repr_html_(self) -> str:
        return html_of(self)


class _Record(Struct, frozen=True, forbid_unknown_fields=True):
    """A history in JSON."""

    epochs: tuple[Epoch, ...]
    best_epoch: int | None
    stopped_by: StoppedBy | None

    def __post_init__(self) -> None:
        """Checks the numbers of the epochs."""
        numbers = [epoch.epoch for epoch in self.epochs]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError(f"expected epochs numbered 1, 2, 3 and so on, got {numbers!r:.60}")
        if (self.best_epoch is None) != (not numbers) or (numbers and self.best_epoch not in numbers):
            raise ValueError(f"expected a best_epoch among {len(numbers)} epochs, got {self.best_epoch!r:.60}")
