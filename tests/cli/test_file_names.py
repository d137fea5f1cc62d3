"""File names that are no text, in every command that reads or writes files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import SMALL, SMALL_MODEL, Run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse names that are not UTF-8")

LATIN = os.fsdecode(b"caf\xe9")
"""A name in Latin-1, as older collections have them."""


@pytest.fixture(scope="module")
def latin(midi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Music under names that are not UTF-8, in a folder of such a name, and a file that cannot be read."""
    folder = tmp_path_factory.mktemp("names") / LATIN
    folder.mkdir()
    for number, path in enumerate(sorted(midi.iterdir())):
        shutil.copy(path, folder / f"{LATIN}{number}.mid")
    (folder / f"{LATIN}.mid").write_bytes(b"no music")
    return folder


def test_a_run_from_its_training_to_its_report(run: Run, latin: Path, small_run: Path, tmp_path: Path) -> None:
    """The training of hours ends in a traceback, without scores, because of the name of one file."""
    output = tmp_path / LATIN
    trained = run("train", "--data", latin, *SMALL, *SMALL_MODEL, "--output", output)
    assert trained.code == 0, trained.err
    assert "nats/frame" in trained.out
    assert {"scores.json", "primer.mid", "generated.mid"} < {path.name for path in output.iterdir()}
    piece = tmp_path / f"{LATIN}.mid"
    for command in (
        ("generate", "--model", output, "--primer", latin / f"{LATIN}1.mid", "--beats", 2, "--output", piece),
        ("evaluate", "--model", output, latin),
        ("compare", output, small_run),
        ("report", output, "--output", tmp_path / f"{LATIN}.html"),
        ("render", piece, "--output", tmp_path / f"{LATIN}.png"),
    ):
        done = run(*command)
        assert done.code == 0, done.err
        done.out.encode("utf-8")
    assert (tmp_path / f"{LATIN}.png").stat().st_size > 1000


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_are_printed_in_any_encoding(latin: Path, tmp_path: Path, encoding: str) -> None:
    """A terminal or log without UTF-8 turns a finished command into a traceback."""
    command = [sys.executable, "-m", "pianoroll_seq2seq", "ingest", str(latin), str(tmp_path / "corpus")]
    environment = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"}
    done = subprocess.run(command, check=False, capture_output=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "caf\\udce9.mid" in done.stdout.decode(encoding)


def test_a_mid_beside_a_kar(run: Run, midi: Path, tmp_path: Path) -> None:
    """Of two files that differ in their endings only, one overwrites the other's sound or picture."""
    (tmp_path / "in").mkdir()
    one, other = sorted(midi.iterdir())[:2]
    shutil.copy(one, tmp_path / "in" / "a.mid")
    shutil.copy(other, tmp_path / "in" / "a.kar")
    done = run("render", tmp_path / "in", "--output", tmp_path / "out", "--endings", ".png")
    assert done.code == 0, done.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.mid.png", "a.kar.png"}
