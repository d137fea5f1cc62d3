"""The record of a training run."""

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot

from pianoroll_seq2seq import History, Seq2SeqLSTM, save
from pianoroll_seq2seq.checkpoint import load, read_header
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.train.history import Epoch, StoppedBy

_numbers = st.floats(allow_nan=False, allow_infinity=False)
_parts = st.tuples(st.integers(0, 2**53), _numbers, st.none() | _numbers, _numbers, _numbers)


@st.composite
def _histories(draw: st.DrawFn) -> History:
    """Histories of some epochs, numbered from 1, of which one is the best."""
    epochs = tuple(Epoch(number, *parts) for number, parts in enumerate(draw(st.lists(_parts, max_size=6)), start=1))
    best = draw(st.integers(1, len(epochs))) if epochs else None
    return History(epochs, best, draw(st.sampled_from(get_args(StoppedBy)) | st.none()))


@pytest.fixture(autouse=True)
def _close_figures() -> object:
    yield
    pyplot.close("all")


@given(history=_histories())
def test_a_saved_history_is_loaded_exactly(tmp_path_factory: pytest.TempPathFactory, history: History) -> None:
    """The losses read from a run's folder are not those of the run, down to the last digit."""
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    assert history.save(path) == path
    assert History.load(path) == history


@given(history=_histories())
def test_a_history_in_json_is_restored_exactly(history: History) -> None:
    """A resumed run starts from other losses than it stopped with."""
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


@pytest.mark.parametrize(
    ("line", "changes", "message"),
    [
        (0, {"train_loss": "low"}, r"at \$\.epochs\[0\]\.train_loss: expected float, got str \('low'\)"),
        (0, {"epoch": 7}, r"epochs numbered 1, 2, 3 and so on, got \[7, 2\]"),
        (1, {"epoch": 10**30}, r"at \$\.epochs\[1\]\.epoch: expected int <= 9007199254740992"),
        (2, {"best_epoch": 5}, "expected a best_epoch among 2 epochs, got 5"),
        (2, {"stopped_by": "me"}, r"at \$\.stopped_by: invalid enum value 'me'"),
        (2, {"more": 1}, r"unknown field more"),
    ],
)
def test_other_values_are_named(tmp_path: Path, line: int, changes: dict[str, Any], message: str) -> None:
    """A history with such values ends compare and report in a raw exception."""
    path = _history([3.0, 2.0]).save(tmp_path / "history.jsonl")
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    lines[line] |= changes
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    with pytest.raises(SettingsError, match=rf"history\.jsonl: not a history written by History\.save.*{message}"):
        History.load(path)


def test_a_file_of_many_epochs(tmp_path: Path) -> None:
    """A history that can be written cannot be read: of 60,000 epochs, or more bytes for other reasons."""
    path = _history([3.0, 2.0]).save(tmp_path / "history.jsonl")
    path.write_text(" " * 2**23 + path.read_text())
    assert History.load(path) == _history([3.0, 2.0])


@pytest.mark.slow
def test_very_long_histories(tmp_path: Path) -> None:
    """The history and the checkpoints of a run of many short epochs can be written, and not be read again."""
    epochs = tuple(Epoch(number, 37 * number, 1 / 3, 2 / 3, 0.003, 1 / 7) for number in range(1, 60_001))
    history = History(epochs, 1, None)
    assert History.load(history.save(tmp_path / "history.jsonl")) == history
    path = save(Seq2SeqLSTM(7, hidden_size=2), tmp_path / "last.safetensors", details={"history": history.to_json()})
    load(path)
    assert History.from_json(read_header(path)["details"]["history"]) == history


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
