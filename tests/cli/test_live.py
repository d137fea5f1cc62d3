"""``live``: its options, its ports, and its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import Run, write_chorale_files

from pianoroll_seq2seq.live import LiveSettings, LiveSummary
from pianoroll_seq2seq.live import run as run_module
from pianoroll_seq2seq.live.memory_backend import MEMORY, NAME
from pianoroll_seq2seq.sampling import Draw


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyboard and a synthesizer."""
    monkeypatch.setenv("MIDO_BACKEND", NAME)
    monkeypatch.setattr(MEMORY, "inputs", ["Keystation"])
    monkeypatch.setattr(MEMORY, "outputs", ["FLUID Synth"])


def test_options_become_settings(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ports: None) -> None:
    """An option has no effect on what is played."""
    received: list[dict[str, Any]] = []

    def conversation(trained: Any, **given: Any) -> LiveSummary:
        received.append({"model": trained.name, **given})
        return LiveSummary(2, 30, 0, (0.4, 1.5), (3.0, 9.0), (2.0, 5.0), 125.0)

    monkeypatch.setattr(run_module, "run_live", conversation)
    write_chorale_files(tmp_path)
    done = run("live", "--model", tmp_path / "filling")
    assert done.out == "2 answers, 30 frames; behind their time by 0.4 ms (median), at most 1.5 ms\n"
    turns = ("--tempo", 90, "--metronome", "--beats-per-bar", 3, "--pause", 2, "--answer", 8, "--part", "bass")
    options = ("--in", "key", "--out", "fluid", "--through", "--temperature", 0.5, "--seed", 3, "--threads", 2)
    assert run("live", "--model", tmp_path / "filling", *turns, *options, "--json").json["frame_ms"] == 125.0
    for one in received:
        del one["say"]
    assert received[0] == {
        "model": str(tmp_path / "filling"),
        "input_name": None,
        "output_name": None,
        "settings": LiveSettings(),
        "sampler": Draw(),
        "seed": 0,
        "condition": None,
        "threads": 1,
    }
    settings = LiveSettings(90, 3, pause_beats=2, answer_beats=8, part="bass", through=True, metronome=True)
    expected = {"input_name": "key", "output_name": "fluid", "settings": settings, "sampler": Draw(0.5)}
    assert received[1].items() >= {**expected, "seed": 3, "threads": 2}.items()


def test_the_ports_are_listed(run: Run, ports: None) -> None:
    """The user does not learn the names of the ports."""
    assert run("live", "--list").out == "  input 'Keystation'\n  output 'FLUID Synth'\n"
    assert run("live", "--list", "--json").json == {"inputs": ["Keystation"], "outputs": ["FLUID Synth"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--in", "organ"), "--in: no MIDI port has the name 'organ'.\n  input 'Keystation'\n  output 'FLUID Synth'"),
        (("--tempo", 5), 'Invalid value "5.0" for --tempo'),
        (("--part", "oboe"), "has no part 'oboe'. Its parts are ['soprano', 'alto', 'tenor', 'bass']"),
        (("--pause", 65), 'Invalid value "65.0" for --pause'),
    ],
)
def test_mistakes_are_explained(
    run: Run, tmp_path: Path, ports: None, options: tuple[object, ...], message: str
) -> None:
    """A mistake ends with a traceback, or with words of the library instead of options."""
    write_chorale_files(tmp_path)
    assert message in run("live", "--model", tmp_path / "filling", *options).refused()


def test_without_the_extra_it_names_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is opened first, which takes seconds, or the error does not say what to install."""
    monkeypatch.delenv("MIDO_BACKEND", raising=False)
    for name in ("rtmidi", "mido.backends.rtmidi"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "pip install 'pianoroll-seq2seq[live]'" in run("live", "--model", "no/such/model").refused()


def test_a_port_that_is_gone_is_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch, ports: None) -> None:
    """A script cannot tell a cable that is out from a mistake in the command."""
    monkeypatch.setattr(MEMORY, "failure", "no sequencer")
    done = run("live", "--list")
    assert done.code == 1
    assert done.err.startswith("error: This machine has no MIDI (no sequencer).")


@pytest.mark.skipif(os.name == "nt", reason="SIGINT is sent to one process")
def test_ctrl_c_ends_it_with_a_summary(tmp_path: Path) -> None:
    """Ctrl-C, the only way to end, ends with an error or a traceback."""
    write_chorale_files(tmp_path)
    command = [sys.executable, "-m", "pianoroll_seq2seq", "live", "--model", str(tmp_path / "filling")]
    process = subprocess.Popen(
        command, env={**os.environ, "MIDO_BACKEND": NAME}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    greeting = process.stderr.readline()
    assert "Connect your keyboard and your synthesizer to the virtual input 'pianoroll-seq2seq'" in greeting
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "The model did not answer.\n"), err
    assert err == "The conversation has ended.\n"
