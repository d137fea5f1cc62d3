"""Full disks and closed streams: what only watches the work does not end it."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pytest
import small_run
import torch
from command_line import SMALL, SMALL_MODEL
from optional_packages import needs
from safetensors.torch import load_file

from pianoroll_seq2seq import JsonlTracker, PianoRoll, PitchRange, SampleMusic, TensorBoardTracker, write_midi
from pianoroll_seq2seq.cli.main import main
from pianoroll_seq2seq.data.corpus import build_corpus
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords

pytestmark = pytest.mark.usefixtures("one_thread")

FULL = Path("/dev/full")
"""A file that can be opened, and whose disk is full."""
PROGRAM = """
import json, sys
from pathlib import Path
from pianoroll_seq2seq.cli.main import main
given = json.loads(sys.argv[1])
Path(sys.argv[2]).write_text(json.dumps([main(arguments) for arguments in given]))
"""


@pytest.fixture(scope="module")
def undisturbed() -> tuple[dict[str, torch.Tensor], list[float]]:
    return small_run.run(None)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    for name, score in scale_chords().items():
        if name.endswith("major_pentatonic"):
            write_midi(score, folder / f"{name}.mid")
    return folder


@dataclass(frozen=True)
class Ended:
    """What five commands have left, run one after another by one process."""

    folder: Path
    codes: dict[str, int]
    out: str
    err: str

    def results(self, run: str = "run") -> dict[str, Any]:
        """All that does not depend on the time: weights, losses, scores, music, sound and frames."""
        history = [json.loads(line) for line in (self.folder / run / "history.jsonl").read_text().splitlines()]
        files = ["corpus/manifest.json", "new.mid", "new.wav", f"{run}/generated.mid", f"{run}/scores.json"]
        return {
            "losses": [[line.get("train_loss"), line.get("valid_loss")] for line in history],
            "weights": {name: t.tolist() for name, t in load_file(self.folder / run / "best.safetensors").items()},
            **{name.removeprefix(run): (self.folder / name).read_bytes() for name in files},
        }


def commands(songs: Path) -> dict[str, list[str]]:
    train = ["train", "--data", songs, *SMALL, *SMALL_MODEL]
    given: dict[str, list[object]] = {
        "train": [*train, "--output", "run"],
        "train with a tracker": [
            *(*train, "--output", "tracked"),
            *("--tracker", "JsonlTracker", "--tracker.path", FULL),
        ],
        "ingest": ["ingest", songs, "corpus"],
        "evaluate": ["evaluate", songs, "--model", "run", "--continuations", 0],
        "generate": ["generate", "--model", "run", "--beats", 2, "--seed", 1, "--output", "new.mid"],
        "render": ["render", "new.mid", "--output", "new.wav", "--synthesizer", "plain"],
    }
    return {name: [str(argument) for argument in arguments] for name, arguments in given.items()}


def run_all(songs: Path, folder: Path, redirection: str = "") -> Ended:
    """Runs all commands in one process whose streams the shell has redirected."""
    given = commands(songs)
    arguments = [sys.executable, "-c", PROGRAM, json.dumps(list(given.values())), "codes"]
    shell = ["sh", "-c", f'exec "$@" {redirection}', "sh", *arguments]
    done = subprocess.run(shell, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    codes = json.loads((folder / "codes").read_text())
    return Ended(folder, dict(zip(given, codes, strict=True)), done.stdout, done.stderr)


@pytest.fixture(scope="module")
def normal(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    return run_all(songs, tmp_path_factory.mktemp("normal"))


@pytest.mark.parametrize("redirection", ["2>&-", pytest.param("2>/dev/full", marks=pytest.mark.slow)])
def test_no_standard_error(normal: Ended, songs: Path, tmp_path: Path, redirection: str) -> None:
    """Hours of training end, because their log's disk is full or nobody wants the messages."""
    ended = run_all(songs, tmp_path, redirection)
    assert ended.codes == dict.fromkeys(ended.codes, 0)
    assert ended.results() == normal.results()
    reason = "it is closed" if redirection == "2>&-" else "No space left on device"
    warned = f"warning: standard error cannot be written to ({reason})"
    assert ended.out.count("warning: ") == ended.out.count(warned) == 4  # of commands that show progress


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
@pytest.mark.slow
def test_no_standard_output(normal: Ended, songs: Path, tmp_path: Path, redirection: str) -> None:
    """A finished run counts as failed; or scores that nobody has seen count as printed."""
    ended = run_all(songs, tmp_path, redirection)
    assert ended.codes == {**dict.fromkeys(ended.codes, 0), "evaluate": 1}
    assert ended.results() == normal.results()
    assert ended.err.count("warning: the result cannot be written to standard output") == 5
    assert ended.err.count("error: the result cannot be written to standard output") == 1
    assert "Traceback" not in ended.err


def test_no_output_at_all(normal: Ended, songs: Path, tmp_path: Path) -> None:
    """The two of before, in one process."""
    ended = run_all(songs, tmp_path, ">/dev/full 2>/dev/full")
    assert ended.codes == {**dict.fromkeys(ended.codes, 0), "evaluate": 1}
    assert ended.results() == normal.results()


def test_a_tracker_on_a_full_disk(normal: Ended) -> None:
    """The numbers of a run cannot be written, and the run ends."""
    assert normal.codes == dict.fromkeys(normal.codes, 0)
    assert normal.results("tracked") == normal.results("run")
    expected = "warning: /dev/full: the lines of the run are not complete: No space left on device"
    assert [line for line in normal.err.splitlines() if "/dev/full" in line or "The tracker" in line] == [expected]


@pytest.fixture
def broken_pipe() -> Iterator[TextIO]:
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w", buffering=1)
    yield stream
    os.dup2(os.open(os.devnull, os.O_WRONLY), writer)
    stream.close()


@pytest.fixture(params=["full", "closed", "nobody reads", "none"])
def bad_stream(request: pytest.FixtureRequest, broken_pipe: TextIO) -> Iterator[TextIO | None]:
    """What may take the place of standard error."""
    if request.param == "none":
        yield None
    elif request.param == "nobody reads":
        yield broken_pipe
    else:
        with FULL.open("w", buffering=1) as stream:
            if request.param == "closed":
                stream.close()
            yield stream
            if not stream.closed:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def test_progress_of_the_library(
    bad_stream: TextIO | None, undisturbed: Any, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script's progress bar ends its training."""
    monkeypatch.setattr(sys, "stderr", bad_stream)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = small_run.run(None, progress=True)
        with ThreadPoolExecutor(1) as executor:
            build_corpus(songs, tmp_path / "corpus", executor=executor)
    small_run.assert_same(found, undisturbed)
    assert (tmp_path / "corpus" / "manifest.json").is_file()
    shown = [str(each.message) for each in caught]
    expected = 0 if bad_stream is None else 1  # a program without a standard error needs no warning
    assert [text.startswith("The progress is not shown (") for text in shown] == [True] * expected, shown


def test_a_reader_of_messages_who_leaves(
    broken_pipe: TextIO, songs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``train 2>&1 | head -1`` ends with success, and has trained nothing."""
    monkeypatch.setattr(sys, "stderr", broken_pipe)
    assert main(["inspect", str(songs), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["files"]) == 12


def test_samples_of_a_run(undisturbed: Any, tmp_path: Path) -> None:
    """The music of an epoch does not fit on the disk, and the run ends."""
    (tmp_path / "samples").write_text("no folder")
    primer = PianoRoll.from_active(np.eye(4, 7, dtype=bool), pitches=PitchRange(60, 66))
    sample = SampleMusic([primer], num_frames=2, folder=tmp_path / "samples", picture=False)
    with pytest.warns(UserWarning, match="the samples cannot be written; training goes on") as caught:
        found = small_run.run(None, on_epoch=[sample])
    small_run.assert_same(found, undisturbed)
    assert len(caught) == 1


def test_lines_of_a_run(undisturbed: Any) -> None:
    """The disk of the lines is full, and the run ends."""
    with pytest.warns(UserWarning, match="No space left on device") as caught:
        found = small_run.run(None, tracker=JsonlTracker(FULL))
    small_run.assert_same(found, undisturbed)
    assert len(caught) == 1


def test_events_of_a_run(undisturbed: Any, tmp_path: Path) -> None:
    """TensorBoard's disk is full, and does not allow to remove half an event."""
    needs("tensorboard", "trackers")
    with TensorBoardTracker(tmp_path) as tracker:
        assert tracker._file is not None
        with FULL.open("wb") as full:
            os.dup2(full.fileno(), tracker._file.fileno())
        with pytest.warns(UserWarning, match="TensorBoard does not get everything: .* No space left") as caught:
            found = small_run.run(None, tracker=tracker)
    small_run.assert_same(found, undisturbed)
    assert len(caught) == 1
