"""Which files of the working directory, and which names in a configuration, become code that runs."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from command_line import SMALL, SMALL_MODEL, Run

from pianoroll_seq2seq.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
NOT_INSTALLED = {"wandb", "mlflow", "azureml", "triton", "onnx", "apex", "sitecustomize", "usercustomize", "pyodide"}
OWN_MODULE = """
from pianoroll_seq2seq import Seq2SeqLSTM
import triton_of_mine


class Mine(Seq2SeqLSTM):
    pass


def halves(step, total):
    return 0.5


with open("ran", "a") as ran:
    ran.write("my_own_module\\n")
"""


def shadowed_names() -> set[str]:
    """Every module that a program might import."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = {*sys.stdlib_module_names, *packages_distributions(), *NOT_INSTALLED, *extras}
    return {name for name in names if name.isidentifier()}


def write_shadows(folder: Path, names: set[str]) -> None:
    """A file for each module, which records that it ran."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text(f"open({str(folder / 'ran')!r}, 'a').write({name + chr(10)!r})\n")


def what_ran(folder: Path) -> list[str]:
    path = folder / "ran"
    return path.read_text().split() if path.exists() else []


QUICK: list[list[object]] = [
    *(["--help"], ["--version"]),
    *([name, "--help"] for name in COMMANDS),
    ["train", "--model", "CopyingLSTM", "--optimizer", "SGD", "--help"],
    ["train", "--print-config"],
    ["inspect", "midi"],
    ["generate", "--beats", "1", "--output", "new.mid"],
]
THOROUGH: list[list[object]] = [
    *QUICK,
    ["ingest", "midi", "corpus"],
    ["train", "--data", "midi", *SMALL, *SMALL_MODEL, "--output", "run"],
    ["train", "--config", "run/config.yaml", "--print-config"],
    ["generate", "--model", "run", "--beats", "1", "--output", "run.mid", "run.wav", "run.png"],
    ["render", "new.mid", "--output", "again.wav", "again.png"],
    ["evaluate", "midi", "--model", "run", "--continuations", "1"],
    ["report", "run"],
    ["compare", "run", "--picture", "curves.png", "--page", "runs.html"],
]


@pytest.mark.parametrize(
    "commands", [pytest.param(QUICK, id="quick"), pytest.param(THOROUGH, id="all", marks=pytest.mark.slow)]
)
def test_no_command_imports_the_working_directory(here: Path, midi: Path, commands: list[list[object]]) -> None:
    """A file docstring_parser.py beside a downloaded model runs when a command is called in its folder."""
    downloads = here / "downloads"  # a file in place of every module there is
    write_shadows(downloads, shadowed_names())
    shutil.copytree(midi, downloads / "midi")
    program = (
        "import json, sys; from pianoroll_seq2seq.cli.main import main; print([main(c) for c in json.load(sys.stdin)])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],  # as the console script: its path begins with the script's own folder
        input=json.dumps([[str(word) for word in command] for command in commands]),
        capture_output=True,
        text=True,
        check=False,
        cwd=downloads,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout.splitlines()[-1])
    assert codes == [0] * len(commands), done.stderr
    assert what_ran(downloads) == []


@pytest.mark.parametrize("start", ["script", "python -P -m", "python -m"])
def test_however_the_program_is_started(here: Path, start: str) -> None:
    """The same, for what Python does before the program begins.

    ``python -m`` itself finds modules of the working directory first: here it must do so no longer than Python insists.
    """
    names = shadowed_names()
    script = shutil.which("pianoroll-seq2seq", path=Path(sys.executable).parent)
    if start == "script" and script is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the console script is not installed")
    if start == "python -m":
        begin = "import runpy, sys, pianoroll_seq2seq; print(*sys.modules)"
        loaded = subprocess.run([sys.executable, "-P", "-c", begin], capture_output=True, text=True, check=True).stdout
        names -= {name.partition(".")[0] for name in loaded.split()}
        assert {"docstring_parser", "yaml", "cyclopts", "torch", "json"} <= names
    write_shadows(here, names)
    flags = ["-P"] if "-P" in start else []
    command = [script] if start == "script" else [sys.executable, *flags, "-m", "pianoroll_seq2seq"]
    done = subprocess.run(
        [*map(str, command), "train", "--help"], capture_output=True, text=True, check=False, cwd=here
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--epochs" in done.stdout
    assert what_ran(here) == []


def test_a_class_that_the_user_named_is_found_there_and_shadows_nothing(here: Path) -> None:
    """Own classes are not found, or a file beside them runs in place of an installed module."""
    write_shadows(here, shadowed_names())
    (here / "my_own_module.py").write_text(OWN_MODULE)
    (here / "triton_of_mine.py").write_text("")
    program = (
        "import sys; before = list(sys.path); from pianoroll_seq2seq.cli.main import main\n"
        "code = main(['train', '--model', 'my_own_module.Mine', '--help'])\n"
        "assert sys.path == before; import cyclopts, torch.nn; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False, cwd=here)
    assert done.returncode == 0, done.stderr
    assert "--model.hidden-size INT" in done.stdout
    assert what_ran(here) == ["my_own_module"]


# ---- Configurations


NAMED = {
    "model": "{class: my_own_module.Mine, hidden_size: 3}",
    "head": "my_own_module.Mine",
    "optimizer": "my_own_module:Mine",
    "tracker": "{class: my_own_module.Mine}",
    "on_epoch": "my_own_module.Mine",
    "schedule": "my_own_module.halves",
}


@pytest.mark.parametrize("option", NAMED)
def test_a_configuration_imports_no_code_of_others(run: Run, here: Path, option: str) -> None:
    """A configuration from somebody else runs code, even if its class is then refused."""
    (here / "my_own_module.py").write_text(OWN_MODULE)
    (here / "run.yaml").write_text(f"{option}: {NAMED[option]}\n")
    message = run("train", "--config", "run.yaml", "--print-config").refused()
    assert f"run.yaml: {option}: the configuration names my_own_module." in message
    assert "--classes my_own_module." in message
    assert what_ran(here) == []
    assert "my_own_module" not in sys.modules


@pytest.mark.parametrize(
    "name", ["os.kill", "os:kill", "torch.load", "torch.optimum.X", "pianoroll_seq2seq_evil.X", "5"]
)
def test_a_configuration_names_no_function_of_python(run: Run, here: Path, name: object) -> None:
    """``schedule: os.kill`` is called with the number of the step as a process."""
    (here / "run.yaml").write_text(f"schedule: {name}\n")
    assert "run.yaml: schedule: " in run("train", "--config", "run.yaml", "--print-config").refused()


def test_a_configuration_uses_code_that_the_user_named(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with own classes cannot be repeated."""
    monkeypatch.delitem(sys.modules, "own_for_config", raising=False)
    (here / "own_for_config.py").write_text(OWN_MODULE.replace("import triton_of_mine\n", ""))
    (here / "run.yaml").write_text(
        "model: {class: own_for_config.Mine, hidden_size: 3}\nschedule: own_for_config.halves\n"
    )
    command = ("train", "--config", "run.yaml", "--print-config", "--json")
    for classes in (("own_for_config",), ("own_for_config.Mine", "own_for_config.halves")):
        found = run(*command, "--classes", *classes).json
        assert (found["model"]["class"], found["model"]["hidden_size"]) == ("own_for_config.Mine", 3)
        assert found["schedule"] == "own_for_config.halves"
    assert "schedule: " in run(*command, "--classes", "own_for_config.Mine").refused()
    assert "model: " in run(*command, "--classes", "own_for_config.halves", "own_for").refused()
    instead = run(*command, "--model", "CopyingLSTM", "--schedule", "constant").json
    assert instead["model"]["class"] == "pianoroll_seq2seq.CopyingLSTM"


@pytest.mark.parametrize(
    "text",
    [
        "tracker: {class: JsonlTracker, path: /etc/cron.d/x}",
        "tracker: {class: JsonlTracker, path: ../x}",
        "tracker: {class: JsonlTracker, path: 'a/../../x'}",
        "tracker: {class: JsonlTracker, path: '~/.bashrc'}",
        "tracker: {class: JsonlTracker, path: 'C:\\x'}",
        "tracker: {class: MLflowTracker, tracking_uri: 'https://collects.example'}",
        "tracker: {class: MLflowTracker, tracking_uri: 'file:/etc'}",
    ],
)
def test_a_tracker_of_a_configuration_stays_here(run: Run, here: Path, text: str) -> None:
    """A configuration from somebody else writes over files, or sends what a run logs to its author."""
    (here / "run.yaml").write_text(text)
    message = run("train", "--config", "run.yaml", "--print-config").refused()
    assert "not in the working directory" in message
    flag = message.partition("command line: ")[2].split()
    assert run("train", "--config", "run.yaml", "--print-config", *flag).code == 0
    (here / "run.yaml").write_text("tracker: {class: JsonlTracker, path: runs/log.jsonl}")
    assert run("train", "--config", "run.yaml", "--print-config").code == 0


@pytest.mark.parametrize(
    "text", ["config: other.yaml", "classes: [os.kill]", "on-epoch: os.kill", "'tracker.path': /x", "1: 2"]
)
def test_a_configuration_holds_options_only(run: Run, here: Path, text: str) -> None:
    """A configuration reads another one, or allows its own code, or has two spellings of which one is not checked."""
    (here / "run.yaml").write_text(text)
    (here / "other.yaml").write_text("epochs: 3")
    assert run("train", "--config", "run.yaml", "--print-config").refused().startswith("run.yaml: ")


@pytest.mark.parametrize("path", ["pianoroll_seq2seq.cli.training.ExitStack", "torch.optim.lr_scheduler.partial"])
def test_a_foreign_class_under_a_name_of_the_library(run: Run, here: Path, path: str) -> None:
    """Any class is built that a module of the library has imported for itself."""
    (here / "run.yaml").write_text(f"on_epoch: {path}\n")
    assert "Name it where it is defined" in run("train", "--config", "run.yaml", "--print-config").refused()


def test_a_submitted_configuration_is_checked_here(run: Run, here: Path) -> None:
    """A job waits for a machine, and then fails because its configuration names an own class."""
    (here / "run.yaml").write_text("model: my_own_module.Mine\n")
    command = ("submit", "train", "run.yaml", "--compute", "cluster")
    assert "--classes my_own_module.Mine" in run(*command).refused()
