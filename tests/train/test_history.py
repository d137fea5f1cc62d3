"""The record of a training run."""

import dataclasses
import json
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot

from pianoroll_seq2seq import History
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.train.history import Epoch

_numbers = st.floats(allow_nan=False, allow_infinity=False)
_epochs = st.builds(
    Epoch,
    epoch=st.integers(1),
    step=st.integers(1),
    train_loss=_numbers,
    valid_loss=st.none() | _numbers,
    learning_rate=_numbers,
    seconds=_numbers,
)
_given_parts = given(
    epochs=st.lists(_epochs, max_size=6),
    best_epoch=st.none() | st.integers(1),
    stopped_by=st.sampled_from(["epochs", "patience", None]),
)


@pytest.fixture(autouse=True)
def _close_figures() -> object:
    yield
    pyplot.close("all")


@_given_parts
def test_a_saved_history_is_loaded_exactly(
    tmp_path_factory: pytest.TempPathFactory,
    epochs: list[Epoch],
    best_epoch: int | None,
    stopped_by: Literal["epochs", "patience"] | None,
) -> None:
    """The losses read from a run's folder are not those of the run, down to the last digit."""
    history = History(tuple(epochs), best_epoch, stopped_by)
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    assert history.save(path) == path
    assert History.load(path) == history


@_given_parts
def test_a_history_in_json_is_restored_exactly(
    epochs: list[Epoch], best_epoch: int | None, stopped_by: Literal["epochs", "patience"] | None
) -> None:
    """A resumed run starts from other losses than it stopped with."""
    history = History(tuple(epochs), best_epoch, stopped_by)
    assert History.from_json(json.loads(json.dumps(history.to_json(), allow_nan=False))) == history


def test_one_line_of_json_for_each_epoch(tmp_path: Path) -> None:
    """pandas.read_json(path, lines=True) and the like cannot read the file."""
    history = _history([3.0, 2.0], [3.5, 2.5])
    lines = [json.loads(line) for line in history.save(tmp_path / "runs" / "history.jsonl").read_text().splitlines()]
    assert [line["train_loss"] for line in lines[:-1]] == [3.0, 2.0]
    assert lines[0] == dataclasses.asdict(history.epochs[0])
    assert lines[-1] == {"best_epoch": 2, "stopped_by": "epochs"}


def test_saving_again_replaces_the_older_one(tmp_path: Path) -> None:
    """The history in a run's folder stays that of the first epoch."""
    _history([3.0]).save(tmp_path / "history.jsonl")
    longer = _history([3.0, 2.0])
    assert History.load(longer.save(tmp_path / "history.jsonl")) == longer


def test_losses_by_name() -> None:
    """Curves plotted from the losses are those of other epochs."""
    history = _history([3.0, 2.0, 1.0], [3.5, None, 1.5])
    assert history.train_losses == [3.0, 2.0, 1.0]
    assert history.valid_losses == [3.5, 1.5]
    assert History().train_losses == History().valid_losses == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]\n", b"{}\n", b"3\n", b'{"epoch": 1}\n{"best_epoch": 1, "stopped_by": null}\n'],
    ids=["empty", "torn", "not text", "list", "nothing in it", "number", "half an epoch"],
)
def test_other_files_are_named(tmp_path: Path, content: bytes) -> None:
    """A wrong or torn file gives a bare KeyError that does not say which file."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"history\.jsonl: not a history"):
        History.load(path)


@pytest.mark.parametrize("lines", [1, 2])
def test_a_file_cut_short_is_named(tmp_path: Path, lines: int) -> None:
    """Half a history is taken for a complete one."""
    path = _history([3.0, 2.0]).save(tmp_path / "history.jsonl")
    path.write_text("\n".join(path.read_text().splitlines()[:lines]))
    with pytest.raises(SettingsError, match=r"history\.jsonl"):
        History.load(path)


def test_missing_file(tmp_path: Path) -> None:
    """A wrong path looks like a damaged file."""
    with pytest.raises(FileNotFoundError):
        History.load(tmp_path / "none.jsonl")


def test_plots_itself() -> None:
    """history.plot() in a notebook shows nothing, or other numbers than the history's."""
    ax = _history([3.0, 2.0], [3.5, 2.5]).plot()
    curves = {line.get_label(): list(line.get_ydata()) for line in ax.get_lines()}
    assert curves["training"] == [3.0, 2.0]
    assert curves["validation"] == [3.5, 2.5]


def test_plots_into_given_axes() -> None:
    """Two histories cannot be drawn next to each other."""
    _, ax = pyplot.subplots()
    assert _history([3.0]).plot(ax) is ax


def _history(train: list[float], valid: list[float | None] | list[float] | None = None) -> History:
    valid = valid or [None] * len(train)
    epochs = tuple(
        Epoch(number, number * 10, loss, validation, 1e-3, 0.5)
        for number, (loss, validation) in enumerate(zip(train, valid, strict=True), start=1)
    )
    return History(epochs, len(train), "epochs")
