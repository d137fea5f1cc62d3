"""Several trackers as one."""

import json
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.trackers.base import NoTracker, Value, log_media
from pianoroll_seq2seq.trackers.fan_out import FanOut
from pianoroll_seq2seq.trackers.jsonl import JsonlTracker


class Recorder(NoTracker):
    """Records its calls, and fails in the one named ``fails``."""

    def __init__(self, name: str, calls: list[Any], *, fails: str = "") -> None:
        self.name, self.calls, self.fails = name, calls, fails

    def note(self, what: str, *details: Any) -> None:
        self.calls.append((self.name, what, *details))
        if self.fails == what:
            raise OSError(f"{self.name} is full")

    def __enter__(self) -> "Recorder":
        self.note("enter")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.note("exit", kind, error, trace)

    def log_params(self, params: Mapping[str, Value]) -> None:
        self.note("params", params)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        self.note("metrics", metrics, step)

    def log_artifact(self, path: Any) -> None:
        self.note("artifact", path)

    def flush(self) -> None:
        self.note("flush")


def three(calls: list[Any], **fails: str) -> FanOut:
    return FanOut(*(Recorder(name, calls, fails=fails.get(name, "")) for name in "abc"))


def test_all_get_every_call_in_order_and_are_closed_in_reverse() -> None:
    """One tracker gets a metric that another does not."""
    calls: list[Any] = []
    with three(calls) as tracker:
        tracker.log_params({"seed": 1})
        tracker.log_metrics({"loss": 0.5}, step=3)
        tracker.log_artifact("a.mid")
        tracker.flush()
    expected = [("enter",), ("params", {"seed": 1}), ("metrics", {"loss": 0.5}, 3), ("artifact", "a.mid"), ("flush",)]
    assert calls[:-3] == [(name, *call) for call in expected for name in "abc"]
    assert calls[-3:] == [(name, "exit", None, None, None) for name in "cba"]


@pytest.mark.parametrize("what", ["params", "metrics", "artifact", "flush"])
def test_one_that_fails_does_not_stop_the_others(what: str) -> None:
    """One tracker's full disk keeps the metrics from the others, or is not reported."""
    calls: list[Any] = []
    methods = {
        "params": lambda tracker: tracker.log_params({"seed": 1}),
        "metrics": lambda tracker: tracker.log_metrics({"loss": 0.5}, step=3),
        "artifact": lambda tracker: tracker.log_artifact("a.mid"),
        "flush": lambda tracker: tracker.flush(),
    }
    with three(calls, a=what) as tracker:
        with pytest.raises(OSError, match="a is full"):
            methods[what](tracker)
        assert [name for name, called, *_ in calls if called == what] == ["a", "b", "c"]
    with three(calls, a=what, c=what) as tracker, pytest.raises(ExceptionGroup, match="2 trackers failed") as caught:
        methods[what](tracker)
    assert [str(error) for error in caught.value.exceptions] == ["a is full", "c is full"]


def test_one_that_does_not_open_leaves_none_open() -> None:
    """A run that never began is marked as running for ever on a server."""
    calls: list[Any] = []
    with pytest.raises(OSError, match="c is full") as caught, three(calls, c="enter"):
        pytest.fail("not reached")
    assert [(name, what) for name, what, *_ in calls] == [
        *(("a", "enter"), ("b", "enter"), ("c", "enter")),
        *(("b", "exit"), ("a", "exit")),
    ]
    assert calls[-1][2:4] == (OSError, caught.value)


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_every_tracker_gets_the_exception_that_ended_the_run(kind: type[BaseException]) -> None:
    """A tracker that fails to close hides the error of the training, or the next one marks the run as finished."""
    calls: list[Any] = []
    with pytest.raises(kind, match="out of memory") as caught, three(calls, b="exit", c="exit"):
        raise kind("out of memory")
    exits = [(name, *details) for name, what, *details in calls if what == "exit"]
    assert [name for name, *_ in exits] == ["c", "b", "a"]
    for _, its_kind, its_error, its_trace in exits:
        assert (its_kind, its_error) == (kind, caught.value)
        assert traceback.extract_tb(its_trace)[-1].line == 'raise kind("out of memory")'
    assert caught.value.__notes__ == [
        "A tracker failed to close: OSError: c is full",
        "A tracker failed to close: OSError: b is full",
    ]


def test_a_failure_in_closing_does_not_mark_the_other_runs_as_failed() -> None:
    """The training succeeded, one tracker could not close, and the others mark the run as failed."""
    calls: list[Any] = []
    with pytest.raises(OSError, match="b is full"), three(calls, b="exit"):
        pass
    assert calls[-3:] == [(name, "exit", None, None, None) for name in "cba"]


class Interrupted(Recorder):
    """Ctrl-C comes while it closes, such as in its wait for a server."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        super().__exit__(kind, error, trace)
        raise KeyboardInterrupt


@pytest.mark.parametrize("failing", [False, True])
def test_ctrl_c_in_closing_one_leaves_none_open(failing: bool) -> None:
    """Ctrl-C while a server is slow leaves the file of another tracker without its end."""
    calls: list[Any] = []
    trackers = Recorder("a", calls), Interrupted("b", calls), Recorder("c", calls, fails="exit" if failing else "")
    with pytest.raises(KeyboardInterrupt) as caught, FanOut(*trackers):
        pass
    assert calls[-3:] == [(name, "exit", None, None, None) for name in "cba"]
    notes = ["A tracker failed to close: OSError: c is full"] if failing else []
    assert getattr(caught.value, "__notes__", []) == notes


def test_ctrl_c_in_closing_does_not_hide_how_the_run_ended() -> None:
    calls: list[Any] = []
    with pytest.raises(KeyboardInterrupt) as caught, FanOut(Recorder("a", calls), Interrupted("b", calls)):
        raise ValueError("out of memory")
    assert [(name, kind) for name, what, kind, *_ in calls[-2:]] == [("b", ValueError), ("a", ValueError)]
    assert str(caught.value.__context__) == "out of memory"


def test_fan_outs_of_files(tmp_path: Path) -> None:
    """Real trackers, and one fan-out within another."""
    one, two, three = (JsonlTracker(tmp_path / f"{name}.jsonl") for name in ("one", "two", "three"))
    with FanOut(one, FanOut(two, three, NoTracker())) as tracker:
        tracker.log_metrics({"loss": 0.5}, step=3)
    for jsonl in (one, two, three):
        lines = [json.loads(line) for line in jsonl.path.read_text().splitlines()]
        assert [line.get("status") for line in lines] == ["running", None, "finished"]
        assert lines[1]["metrics"] == {"loss": 0.5}


def test_without_trackers_the_error_says_what_to_use() -> None:
    with pytest.raises(SettingsError, match=r"NoTracker\(\)"):
        FanOut()


def test_pictures_and_sounds_go_to_all_in_the_way_of_each() -> None:
    """A tracker beside another that can show pictures gets no file, or the other shows none."""
    calls: list[Any] = []

    class Gallery(Recorder):
        def log_media(self, name: str, path: Any, *, step: int) -> None:
            self.note("media", name, path, step)

    with FanOut(Recorder("a", calls), FanOut(Gallery("b", calls))) as tracker:
        calls.clear()
        log_media(tracker, "piece_1", "epoch_1.png", step=7)
        assert calls == [("a", "artifact", "epoch_1.png"), ("b", "media", "piece_1", "epoch_1.png", 7)]
