"""The command line, called in-process as a program is: arguments in, an exit code and two streams out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from command_line import SMALL, SMALL_MODEL, Done, Run

from pianoroll_seq2seq import write_midi
from pianoroll_seq2seq.cli.main import main
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> Done:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def midi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve short pieces."""
    folder = tmp_path_factory.mktemp("midi")
    for name, score in scale_chords().items():
        if name.endswith("major_pentatonic"):
            write_midi(score, folder / f"{name}.mid")
    return folder


@pytest.fixture(scope="session")
def small_run(midi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, which tests only read."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    arguments = ["train", "--data", midi, *SMALL, *SMALL_MODEL, "--output", folder]
    assert main([str(argument) for argument in arguments]) == 0
    return folder


@pytest.fixture(scope="session")
def scale_run(midi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of a model with the scale as its condition."""
    folder = tmp_path_factory.mktemp("runs") / "scale"
    options = ("--condition", "scale", "--model.condition-dropout", 0.1)
    arguments = ["train", "--data", midi, *SMALL, *SMALL_MODEL, *options, "--output", folder]
    assert main([str(argument) for argument in arguments]) == 0
    return folder


@pytest.fixture(scope="session", autouse=True)
def _keep_threads() -> Iterator[None]:
    """Commands set the number of threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
