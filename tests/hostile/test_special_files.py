"""Named pipes, sockets, devices, folders and links in circles, wherever a command takes a file or a folder."""

import os
import signal
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pianoroll_seq2seq import PianoRoll, PitchRange, Seq2SeqLSTM, SlidingWindows, fit, open_model, read_midi
from pianoroll_seq2seq.cli.main import main
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.interop.pypianoroll import read_pypianoroll
from pianoroll_seq2seq.midi_io import source as midi_source
from pianoroll_seq2seq.midi_io import write_midi
from pianoroll_seq2seq.train.run_files import BEST, HISTORY, LAST, METRICS, PREVIOUS, SAMPLES

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has none of these")

KINDS = (
    *("pipe", "/dev/zero", "circle"),
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("socket", "/dev/null", "folder")),
)
COMMANDS = (
    ("inspect", "HERE"),
    ("render", "HERE", "--output", "OUT.png"),
    ("render", "song.mid", "--soundfont", "HERE", "--output", "OUT.wav"),
    ("report", "HERE", "--output", "OUT.html"),
    ("compare", "HERE", "HERE"),
    ("evaluate", "--model", "HERE", "folder"),
    ("evaluate", "HERE"),
    ("generate", "--model", "HERE", "--beats", "1", "--output", "OUT.mid"),
    ("generate", "--primer", "HERE", "--beats", "1", "--output", "OUT.mid"),
    ("train", "--data", "HERE", "--output", "OUT"),
    ("train", "--data", "folder", "--config", "HERE", "--output", "OUT"),
    ("ingest", "HERE", "OUT"),
    ("studio", "HERE", "--no-browser"),
    ("generate", "--beats", "1", "--output", "HERE/song.mid"),
    ("generate", "--beats", "1", "--output", "HERE"),
    ("report", "folder", "--output", "HERE"),
)


@pytest.fixture
def special(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with one of each, and a file of music."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(midi_source, "_WRITER_SECONDS", 0.05, raising=False)
    os.mkfifo("pipe")
    Path("circle").symlink_to("circle")
    Path("folder").mkdir()
    write_midi(scale_chords()["scale_c_major"], "song.mid")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        yield tmp_path


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Ends what waits for ever."""

    def end(*_: object) -> None:
        pytest.fail("it waits for ever")  # no OSError, which the program might catch

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", KINDS)
def test_commands(special: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``inspect PIPE`` hangs for ever; a device is read to its end; the command ends in a traceback."""
    for command in COMMANDS:
        if kind == "folder" and command[-1] == "HERE/song.mid":
            continue  # which is fine
        before = set(special.rglob("*"))
        with at_most(20):
            code = main([argument.replace("HERE", kind).replace("OUT", "made") for argument in command])
        said = capsys.readouterr()
        assert code in (1, 2), (command, kind, said)
        assert "Traceback" not in said.err, (command, kind, said)
        assert "error: " in said.err, (command, kind, said)
        assert set(special.rglob("*")) == before, (command, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [LAST, PREVIOUS, BEST, HISTORY])
def test_files_of_a_run(special: Path, kind: str, name: str) -> None:
    """Training waits for ever, or takes all memory, before it says that the checkpoint is none."""
    small_run(special / "run", epochs=2)
    (special / "run" / name).unlink()
    (special / "run" / name).symlink_to(special / kind)
    if name == PREVIOUS:
        (special / "run" / LAST).write_bytes(b"cut")
    with at_most(20), suppress(PianoRollSeq2SeqError, OSError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it goes on from the other checkpoint
        small_run(special / "run", epochs=3)


def small_run(folder: Path, epochs: int) -> None:
    silence = PianoRoll.silent(20, pitches=PitchRange(60, 66))
    windows = SlidingWindows([silence], input_frames=4, target_frames=4, hop=4)
    model = Seq2SeqLSTM(windows.layout, hidden_size=4)
    fit(model, windows, epochs=epochs, batch_size=4, progress=False, checkpoint_dir=folder)


@pytest.mark.parametrize("kind", ["pipe", "link", "/dev/null"])
@pytest.mark.parametrize("name", [METRICS, SAMPLES])
def test_places_to_write_to(special: Path, kind: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A run in a stranger's folder writes to the user's own files, or waits for a reader."""
    Path("run").mkdir()
    Path("run/config.yaml").write_text("epochs: 1\n")
    Path("mine").write_text("mine")
    os.mkfifo(f"run/{name}") if kind == "pipe" else Path("run", name).symlink_to("../mine" if kind == "link" else kind)
    with at_most(20):
        assert main(["train", "--data", "scales", "--epochs", "1", "--output", "run"]) == 2
    assert f"{Path('run', name)}: a link, a pipe or a device" in capsys.readouterr().err
    assert Path("mine").read_text() == "mine"


@pytest.mark.parametrize("kind", KINDS)
def test_readers(special: Path, kind: str) -> None:
    """The same in Python."""
    for read in (open_model, read_midi, read_pypianoroll):
        for path in (kind, f"folder/{kind}"):
            with at_most(20), pytest.raises(PianoRollSeq2SeqError):
                read(path)
