"""``studio`` and ``submit``: what is handed on."""

import json
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import Run

from pianoroll_seq2seq import History, studio
from pianoroll_seq2seq.backends import azureml
from pianoroll_seq2seq.backends.azureml import StoredFolder


def test_the_studio_gets_its_models(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The studio opens with other models, or on another port."""
    received: list[dict[str, Any]] = []
    monkeypatch.setattr(studio, "run_studio", lambda **given: received.append(given))
    assert run("studio").code == 0
    assert run("studio", "runs/a", "runs/b", "--port", 0, "--no-browser", "--threads", 2).code == 0
    assert received == [
        {"models": (), "port": 8765, "open_browser": True, "threads": 1},
        {"models": ["runs/a", "runs/b"], "port": 0, "open_browser": False, "threads": 2},
    ]


class Job:
    """A run that was submitted."""

    id, url = "scale-chords_1", "https://ml.azure.com/runs/scale-chords_1"

    def status(self) -> str:
        return "Queued"

    def wait(self) -> str:
        return "Completed"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What was submitted, and a copy of the folder that went along."""
    found: dict[str, Any] = {}

    def take(script: str, arguments: list[str], *, source_directory: Path, **given: Any) -> Job:
        shutil.copytree(source_directory, tmp_path / "there")
        found.update(given, script=script, arguments=arguments)
        return Job()

    monkeypatch.setattr(azureml, "open_workspace", lambda *, sdk: f"workspace of {sdk}")
    monkeypatch.setattr(azureml, "submit", take)
    return found


def test_what_is_sent_trains_as_it_would_here(
    run: Run, small_run: Path, sent: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script on the other machine does not run, or trains something else."""
    (tmp_path / "own.py").write_text("value = 3\n")
    music = "azureml://datastores/music/paths/midi"
    options = ("--compute", "cluster", "--data", music, "--send", tmp_path / "own.py", "--gpu", "--nodes", 2)
    done = run("submit", small_run / "config.yaml", *options, "--json")
    assert done.json == {"id": Job.id, "url": Job.url, "status": "Queued"}
    assert sent["workspace"] == "workspace of v1"
    assert (sent["compute"], sent["gpu"], sent["nodes"]) == ("cluster", True, 2)
    assert sent["data"] == {"--data": StoredFolder("music", "midi", "download")}
    there = tmp_path / "there"
    assert (there / "own.py").is_file()
    options_there = yaml.safe_load((there / "config.yaml").read_text())
    assert options_there["tracker"] == {"class": "pianoroll_seq2seq.AzureMLTracker"}
    assert not {"output", "device", "data"} & options_there.keys()
    here = yaml.safe_load((small_run / "config.yaml").read_text())
    del options_there["tracker"]  # there is no service to report to
    (there / "config.yaml").write_text(yaml.safe_dump(options_there))
    monkeypatch.chdir(there)
    monkeypatch.setattr(sys, "argv", [sent["script"], *sent["arguments"], "--data", here["data"]])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(there / "train.py"), run_name="__main__")
    first, second = (History.load(folder / "history.jsonl") for folder in (small_run, there / "outputs" / "run"))
    assert first.train_losses == second.train_losses


def test_what_is_not_sent(run: Run, small_run: Path, sent: dict[str, Any], tmp_path: Path) -> None:
    """A run begins there that cannot find its music or its model."""
    config = small_run / "config.yaml"
    assert "data on this machine" in run("submit", config, "--compute", "c").refused()
    assert "azureml://" in run("submit", config, "--compute", "c", "--data", "my_midi").refused()
    music = ("--data", "azureml://datastores/music/paths/midi")
    assert "--send" in run("submit", config, "--compute", "c", *music, "--send", tmp_path / "none.py").refused()
    assert "none.yaml" in run("submit", tmp_path / "none.yaml", "--compute", "c").refused()
    assert "compute" in run("submit", config).refused()
    assert not sent


def test_a_set_by_name_needs_no_data(run: Run, sent: dict[str, Any], tmp_path: Path) -> None:
    """The built-in pieces must be uploaded."""
    (tmp_path / "run.yaml").write_text("epochs: 2\n")
    given = ("submit", tmp_path / "run.yaml", "--compute", "cluster", "--sdk", "v2", "--wait")
    assert "Completed" in run(*given).out
    assert sent["data"] == {}
    assert yaml.safe_load((tmp_path / "there" / "config.yaml").read_text()) == {
        "epochs": 2,
        "tracker": {"class": "pianoroll_seq2seq.MLflowTracker"},
    }
    assert json.dumps(sent["arguments"]) == '["--output", "outputs/run"]'


def test_without_the_client(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is a traceback instead of the command that installs it."""
    monkeypatch.setitem(sys.modules, "azureml.core", None)
    monkeypatch.setitem(sys.modules, "azureml", None)
    (tmp_path / "run.yaml").write_text("epochs: 2\n")
    done = run("submit", tmp_path / "run.yaml", "--compute", "cluster")
    assert "pip install 'pianoroll-seq2seq[azureml]'" in done.refused()
