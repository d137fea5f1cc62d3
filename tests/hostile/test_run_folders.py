"""Run folders from strangers: each of their files changed at random. Only errors of the library, in little time."""

import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from checkpoint_mutations import mutate_checkpoint, other_bytes
from command_line import SMALL_MODEL, SMALL_WINDOWS
from layouts import active_windows
from mutations import other_json, peak_growth

from pianoroll_seq2seq import LocalStore, PianoRoll, PitchRange, Seq2SeqLSTM, fit, write_midi
from pianoroll_seq2seq.cli.main import main
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.train.remote_checkpoints import POINTER
from pianoroll_seq2seq.train.run_files import (
    BEST,
    CONFIG,
    GENERATED,
    HISTORY,
    LAST,
    PREVIOUS,
    PRIMER,
    SCORES,
    SETTINGS,
)

pytestmark = pytest.mark.usefixtures("one_thread")

MOST_SECONDS, MOST_MEGABYTES = 5, 1000
WORDS = ("[", "{", "}", '"', ",", "\n", "\0", "\\udce9", "1e999", "NaN", "-Infinity", "[" * 9_999, "9" * 999, "0xF" * 9)
READERS = {
    HISTORY: ("report", "compare"),
    SCORES: ("report", "compare"),
    SETTINGS: ("report",),
    CONFIG: ("report", "compare", "train"),
    GENERATED: ("report", "compare"),
    PRIMER: ("report",),
    BEST: ("report", "compare", "evaluate", "generate", "train"),
    LAST: ("train",),
}
"""The commands that read a file."""


def train(midi: Path, run: Path, epochs: int) -> list[object]:
    """The arguments of the command that trains and resumes the run."""
    options = ("--ema-decay", 0.9, "--schedule", "constant", "--epochs", epochs)
    return ["train", "--data", midi, *SMALL_WINDOWS, *SMALL_MODEL, *options, "--output", run]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two epochs, with all files that a run may have. Its six short pieces are beside it."""
    folder = tmp_path_factory.mktemp("original") / "run"
    for name, score in list(scale_chords().items())[:60:10]:
        write_midi(score, folder.with_name("midi") / f"{name}.mid")
    assert call(train(folder.with_name("midi"), folder, 2)) == 0
    (folder / SETTINGS).write_text(json.dumps({"hidden_size": 8, "lr": 1e-3, "names": ["a", "b"], "deep": {"x": 1}}))
    return folder


def call(arguments: list[object]) -> int:
    return main([str(argument) for argument in arguments])


def commands(midi: Path, run: Path, file: str, choice: random.Random) -> list[list[object]]:
    """One or two command lines that read a file of the run."""
    page, music = run.parent / "page.html", run.parent / "music.mid"
    known: dict[str, list[object]] = {
        "report": ["report", run, "--no-wav", "--output", page, "--overwrite"],
        "compare": ["compare", run, "--page", page, "--overwrite"],
        "evaluate": ["evaluate", midi, "--model", run, "--continuations", 0],
        "generate": ["generate", "--model", run, "--beats", 1, "--output", music, "--overwrite"],
        "train": train(midi, run, choice.choice((2, 3))),
    }
    readers = READERS[file]
    return [known[name] for name in choice.sample(readers, min(len(readers), 2))]


@pytest.mark.no_cover
@pytest.mark.parametrize("count", [pytest.param(40, id="quick"), pytest.param(1_000, id="all", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["texts", "checkpoints"])
def test_mutants(original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, count: int) -> None:
    """A folder from a stranger ends a command in a raw exception, or takes the machine's memory or time."""
    files = (BEST, LAST) if kind == "checkpoints" else tuple(READERS.keys() - {BEST, LAST})
    run, accepted, failures, grown = tmp_path / "run", 0, list[str](), peak_growth()
    for seed in range(count):
        choice = random.Random(seed)
        file = sorted(files)[seed % len(files)]
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(original, run)
        mutate(run / file, choice)
        if choice.random() < 0.5:
            (run / PREVIOUS).unlink(missing_ok=True)
        for arguments in commands(original.with_name("midi"), run, file, choice):
            label = f"seed {seed}: {file}: {arguments[0]}"
            try:
                accepted += is_accepted(arguments, label, capsys)
            except Exception as error:
                failures.append(f"{label}: {error!r:.300}")
    assert not failures, "\n".join(failures)
    assert accepted < 2 * count
    assert grown() < MOST_MEGABYTES


def is_accepted(arguments: list[object], label: str, capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether a command succeeds. Otherwise it ends in an error of the library, with a message of some lines."""
    capsys.readouterr()
    begin = time.process_time()
    code = call(arguments)  # raises what is no error of the library
    assert time.process_time() - begin < MOST_SECONDS, label
    out, err = capsys.readouterr()
    assert code == 0 or "error: " in err, label
    assert len(err) < 40_000, label
    assert "\x1b]" not in out + err, label
    return code == 0


def mutate(path: Path, choice: random.Random) -> None:
    """Changes a file of a run: its values, or its characters."""
    if path.suffix == ".mid":
        path.write_bytes(other_bytes(path.read_bytes(), choice))
    elif path.suffix == ".safetensors":
        parts = () if path.name == BEST else ("state", "optimizer", "details", "details.history")
        mutate_checkpoint(path, choice, *parts)
    elif choice.random() < 0.25:
        text = path.read_text(encoding="utf-8")
        for _ in range(choice.randint(1, 3)):
            at = choice.randrange(len(text))
            text = text[:at] + choice.choice(WORDS) + text[at + choice.randint(0, 3) :]
        path.write_text(text, encoding="utf-8")
    else:
        read, write = FORMATS[path.suffix]
        changed = other_json(read(path.read_text(encoding="utf-8")), choice)
        path.write_text(write(changed), encoding="utf-8", errors="surrogatepass")


FORMATS: dict[str, tuple[Callable[[str], Any], Callable[[Any], str]]] = {
    ".json": (json.loads, json.dumps),
    ".yaml": (yaml.safe_load, lambda content: yaml.dump(content, sort_keys=False)),
    ".jsonl": (
        lambda text: [json.loads(line) for line in text.splitlines()],
        lambda content: "".join(json.dumps(line) + "\n" for line in content),
    ),
}


def small_fit(folder: Path, store: LocalStore) -> None:
    """A run of a few steps in a store, resumed if it holds one."""
    torch.manual_seed(1)
    silence = PianoRoll.silent(20, pitches=PitchRange(60, 66))
    windows = active_windows([silence], input_frames=4, target_frames=4, hop=4)
    model = Seq2SeqLSTM(windows.layout, hidden_size=4)
    fit(model, windows, epochs=1, batch_size=4, progress=False, checkpoint_dir=folder, checkpoint_store=store)


@pytest.mark.parametrize("count", [pytest.param(40, id="quick"), pytest.param(500, id="all", marks=pytest.mark.slow)])
def test_mutants_in_a_store(tmp_path: Path, count: int) -> None:
    """A store from a stranger ends training in a raw exception, or leads it out of the store."""
    original, store, failures, grown = tmp_path / "original", tmp_path / "store", list[str](), peak_growth()
    small_fit(tmp_path / "first", LocalStore(original))
    for seed in range(count):
        choice = random.Random(seed)
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(original, store)
        mutate(store / POINTER, choice)
        begin = time.process_time()
        try:
            small_fit(tmp_path / f"again-{seed}", LocalStore(store))
        except PianoRollSeq2SeqError as error:
            assert len(str(error)) < 20_000, f"seed {seed}"  # noqa: PT017 (some mutants are valid)
        except Exception as error:
            failures.append(f"seed {seed}: {error!r:.300}")
        assert time.process_time() - begin < MOST_SECONDS, f"seed {seed}"
    assert not failures, "\n".join(failures)
    assert grown() < MOST_MEGABYTES
