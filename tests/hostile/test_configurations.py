"""Configurations from strangers: changed at random. Only errors of the library, in little memory and time."""

import json
import random
import time
from pathlib import Path

import pytest
import yaml
from mutations import other_json, peak_growth

from pianoroll_seq2seq.cli.command import parse
from pianoroll_seq2seq.cli.main import main
from pianoroll_seq2seq.cli.train import COMMAND
from pianoroll_seq2seq.cli.wording import message_of
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.train.history import Epoch, History

MOST_SECONDS, MOST_MEGABYTES = 5, 1000
WORDS = (
    *("&a", "*a", "!!python/object:os.system", "!!binary", "[", "{", "]", "}", ": ", "- ", "\t", "\n", "|", ">", "? "),
    *("<<: ", "'", '"', "#", "---\n", "\0", "\u2028", "=", "1e999", "~", "0x", "1:30", "2001-01-01", "x" * 500),
)
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{here}: &{here} [{','.join([f'*{before}'] * 9)}]\n" for before, here in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.fixture(scope="module")
def original() -> str:
    """All options with their values."""
    return str(parse("train", COMMAND, ["--print-config", "--tracker", "JsonlTracker", "--tracker.path", "x"]).run())


@pytest.mark.no_cover
@pytest.mark.parametrize("count", [pytest.param(25, id="quick"), pytest.param(1_000, id="all", marks=pytest.mark.slow)])
def test_mutants(original: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A configuration from a stranger ends in a raw exception, runs code, or takes the machine's memory or time."""
    monkeypatch.chdir(tmp_path)
    grown, path, accepted = peak_growth(), tmp_path / "config.yaml", 0
    for seed in range(count):
        path.write_text(mutant(original, random.Random(seed)), encoding="utf-8")
        begin = time.process_time()
        try:
            str(parse("train", COMMAND, ["--config", "config.yaml", "--print-config"]).run())
            accepted += 1
        except PianoRollSeq2SeqError as error:
            assert len(message_of(error)) < 20_000, f"seed {seed}"  # noqa: PT017 (some mutants are valid)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__} is no error of the library") from error
        assert time.process_time() - begin < MOST_SECONDS, f"seed {seed}"
    assert accepted < count / 2
    assert grown() < MOST_MEGABYTES
    assert list(tmp_path.iterdir()) == [path]  # nothing was written


def mutant(text: str, choice: random.Random) -> str:
    """Other values, or other characters."""
    if choice.random() < 0.6:
        changed = other_json(yaml.safe_load(text), choice)
        return json.dumps(changed) if choice.random() < 0.5 else yaml.dump(changed, sort_keys=False)
    for _ in range(choice.randint(1, 3)):
        at = choice.randrange(len(text))
        text = text[:at] + choice.choice(WORDS) * choice.choice((1, 1, 50)) + text[at + choice.randint(0, 3) :]
    return text


@pytest.mark.parametrize("command", ["report", "compare", "train"])
def test_aliases(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run's configuration of 735 bytes fills the memory of whoever reads it."""
    run = tmp_path / "run"
    run.mkdir()
    History((Epoch(1, 10, 0.5, 0.6, 1e-3, 2.0),), 1, "epochs").save(run / "history.jsonl")
    (run / "config.yaml").write_text(BOMB)
    grown, begin = peak_growth(), time.process_time()
    arguments = ["--config", str(run / "config.yaml")] if command == "train" else [str(run)]
    assert main([command, *arguments]) == 2
    assert "found the alias *a" in capsys.readouterr().err
    assert grown() < 200
    assert time.process_time() - begin < MOST_SECONDS
