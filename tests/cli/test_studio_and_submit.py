"""``studio`` and ``submit``: what is handed on."""

import json
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import Run, write_chorale_files

from pianoroll_seq2seq import FrameLayout, History, PitchRange, Seq2SeqLSTM, studio, write_midi
from pianoroll_seq2seq.backends import azureml
from pianoroll_seq2seq.backends.azureml import RegisteredModel, StoredFolder, model_addresses
from pianoroll_seq2seq.checkpoint import save
from pianoroll_seq2seq.cli.generate_options import SamplingOptions
from pianoroll_seq2seq.cli.submit_options import as_arguments
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords


def test_the_studio_gets_its_models(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The studio opens with other models, or on another port."""
    received: list[dict[str, Any]] = []
    monkeypatch.setattr(studio, "run_studio", lambda **given: received.append(given))
    assert run("studio").code == 0
    assert run("studio", "runs/a", "runs/b", "--port", 0, "--no-browser", "--no-token", "--threads", 2).code == 0
    assert received == [
        {"models": (), "port": 8765, "open_browser": True, "threads": 1, "token": True},
        {"models": ["runs/a", "runs/b"], "port": 0, "open_browser": False, "threads": 2, "token": False},
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
    done = run("submit", "train", small_run / "config.yaml", *options, "--json")
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
    assert "data on this machine" in run("submit", "train", config, "--compute", "c").refused()
    assert "azureml://" in run("submit", "train", config, "--compute", "c", "--data", "my_midi").refused()
    music = ("--data", "azureml://datastores/music/paths/midi")
    missing = ("--send", tmp_path / "none.py")
    assert "--send" in run("submit", "train", config, "--compute", "c", *music, *missing).refused()
    assert "none.yaml" in run("submit", "train", tmp_path / "none.yaml", "--compute", "c").refused()
    assert "compute" in run("submit", "train", config).refused()
    assert not sent


def test_a_set_by_name_needs_no_data(run: Run, sent: dict[str, Any], tmp_path: Path) -> None:
    """The built-in pieces must be uploaded."""
    (tmp_path / "run.yaml").write_text("epochs: 2\n")
    given = ("submit", "train", tmp_path / "run.yaml", "--compute", "cluster", "--sdk", "v2", "--wait")
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
    done = run("submit", "train", tmp_path / "run.yaml", "--compute", "cluster")
    assert "pip install 'pianoroll-seq2seq[azureml]'" in done.refused()


def test_what_is_sent_generates_as_it_would_here(
    run: Run, small_run: Path, sent: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The music of the other machine is not that of this one, or a file that it needs was not sent."""
    song = write_midi(scale_chords()["scale_c_major_pentatonic"], tmp_path / "song.mid")
    options = ("--primer", song, "--primer-beats", 4, "--beats", 8, "--seed", 3, "--count", 2, "--scale", "C major")
    job = ("--compute", "cluster", "--experiment", "music", "--wav", "--program", 11)
    store = ("--store", "https://acme.blob.core.windows.net/music/2017")
    assert run("submit", "generate", "--model", small_run, *options, *job, *store).code == 0
    assert (sent["compute"], sent["experiment"], sent["gpu"], sent["data"]) == ("cluster", "music", False, {})
    arguments = sent["arguments"]
    assert arguments[arguments.index("--model") + 1] == "model/best.safetensors"
    assert arguments[arguments.index("--store") + 1] == store[1]
    assert not [argument for argument in arguments if str(tmp_path.parent) in argument]  # no path of this machine
    there = tmp_path / "there"
    assert {path.name for path in there.rglob("*") if path.is_file()} == {"generate.py", "best.safetensors", song.name}
    monkeypatch.chdir(there)
    here = tmp_path / "here"
    assert run("generate", "--model", small_run, *options, "--program", 11, "--output", here / "piece.mid").code == 0
    for option in ("--store", "--tracker"):  # there is no service here
        del arguments[arguments.index(option) : arguments.index(option) + 2]
    monkeypatch.setattr(sys, "argv", [sent["script"], *arguments])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(sent["script"], run_name="__main__")
    music = there / "outputs" / "music"
    written = [f"piece-{number}.{ending}" for number in (1, 2) for ending in ("mid", "png", "wav")]
    assert {path.name for path in music.iterdir()} == {*written, "metrics.json"}
    for number in (1, 2):
        assert (music / f"piece-{number}.mid").read_bytes() == (here / f"piece-{number}.mid").read_bytes()
    record = json.loads((music / "metrics.json").read_text())
    assert record["metrics"].keys() >= {"polyphony", "scale_consistency"}
    assert record["trained"]["epoch"] == 1
    assert record["trained"]["valid_loss"] > 0


@pytest.mark.parametrize(
    "what",
    [
        ("melody.mid", "--harmonize", "--part", "bass", "--octaves", "-1"),
        ("piece.mid", "--bars", "2-3", "--parts", "bass"),
        ("piece.mid", "--vary", "2-3", "--strength", 0.4, "--count", 2),
    ],
)
def test_what_is_sent_fills_as_it_would_here(
    run: Run, sent: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: tuple[object, ...]
) -> None:
    """The filling of the other machine is not that of this one, or the piece or the model was not sent."""
    write_chorale_files(tmp_path)
    song, model = tmp_path / str(what[0]), tmp_path / "filling"
    options = ("--model", model, *what[1:], "--seed", 3, "--temperature", 0.8, "--program", 11)
    done = run("submit", "fill", song, *options, "--compute", "cluster", "--sdk", "v2", "--json")
    assert done.json["id"] == Job.id
    assert (sent["script"], sent["data"]) == ("fill.py", {})
    arguments = sent["arguments"]
    assert arguments[0] == f"inputs/{song.name}"
    assert not [argument for argument in arguments if str(tmp_path.parent) in argument]  # no path of this machine
    there, here = tmp_path / "there", tmp_path / "here"
    done = run("fill", song, *options, "--output", here / "piece.mid")
    assert done.code == 0, done.err
    place = arguments.index("--tracker")
    assert arguments[place : place + 2] == ["--tracker", "pianoroll_seq2seq.MLflowTracker"]
    arguments[place + 1 :] = ["JsonlTracker", "--tracker.path", "log.jsonl"]  # there is no service here
    monkeypatch.chdir(there)
    monkeypatch.setattr(sys, "argv", [sent["script"], *arguments])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(sent["script"], run_name="__main__")
    music = there / "outputs" / "music"
    names = sorted(path.name for path in here.iterdir())
    assert len(names) == (2 if "--count" in what else 1)
    for name in names:
        assert (music / name).read_bytes() == (here / name).read_bytes()
    assert json.loads((music / "metrics.json").read_text())["metrics"]["polyphony"] > 0
    assert "music_polyphony" in (there / "log.jsonl").read_text()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ((), "Nothing is to be written"),
        (("--parts", "viola"), "no part 'viola'"),
        (("--bars", "90-91"), "90"),
        (("--vary", "90-91"), "90"),
        (("--harmonize", "--model", "continuing"), "only continues music"),
        (("--harmonize", "--model", "nosuch"), "azureml:NAME:VERSION"),
        (("--harmonize", "--scale", "H major"), "H major"),
        (("--harmonize", "--scale", "H major", "--model", "azureml:voices:1"), "H major"),
        (("--model", "azureml:voices:1"), "Nothing is to be written"),
        (("--harmonize", "--soundfont", "none.sf2"), "none.sf2"),
    ],
)
def test_filling_that_would_fail_is_not_sent(
    run: Run, sent: dict[str, Any], tmp_path: Path, changes: tuple[str, ...], reason: str
) -> None:
    """A run waits for a machine, only to fail with a mistake that could be seen before."""
    write_chorale_files(tmp_path)
    save(Seq2SeqLSTM(FrameLayout(pitches=PitchRange(60, 72)), hidden_size=4), tmp_path / "continuing")
    changes = tuple(str(tmp_path / change) if change == "continuing" else change for change in changes)
    model = () if "--model" in changes else ("--model", tmp_path / "filling")
    song = tmp_path / ("melody.mid" if "--harmonize" in changes else "piece.mid")
    assert reason in run("submit", "fill", song, *model, *changes, "--compute", "cluster").refused()
    assert not sent


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (("--model", "scale-chords:2"), "azureml:NAME:VERSION"),
        (("--model", "azure://music/best.safetensors"), "Unknown address"),
        (("--model", "https://acme.blob.core.windows.net/music/best.safetensors?sig=c2VjcmV0"), "signature"),
        (("--store", "https://acme.blob.core.windows.net/music?sv=1&sig=c2VjcmV0"), "signature"),
        (("--store", "music"), "https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH"),
        (("--primer", "none.mid"), "none.mid"),
        (("--scale", "H major"), "H major"),
        (("--threshold", "0"), "threshold"),
        (("--condition", "C major"), "takes no condition"),
        (("--soundfont", "none.sf2"), "none.sf2"),
        (("--send", "none.py"), "none.py"),
        (("--classes", "nowhere.Model"), "nowhere.Model"),
    ],
)
def test_generating_that_would_fail_is_not_sent(
    run: Run, small_run: Path, sent: dict[str, Any], changes: tuple[str, str], reason: str
) -> None:
    """A run waits for a machine, only to fail with a mistake that could be seen before."""
    model = () if changes[0] == "--model" else ("--model", small_run)
    message = run("submit", "generate", *model, *changes, "--compute", "cluster").refused()
    assert reason in message
    assert "c2VjcmV0" not in message
    assert not sent


@pytest.mark.parametrize("name", ["generate.py", "config.yaml", "model", "twice.py"])
def test_own_files_are_not_replaced(run: Run, small_run: Path, sent: dict[str, Any], tmp_path: Path, name: str) -> None:
    """The run's script, or another file of the user, replaces a module that was to be sent."""
    places = [tmp_path / "one" / name, tmp_path / "other" / name][: 1 + (name == "twice.py")]
    for path in places:
        path.parent.mkdir()
        path.write_text("") if path.suffix else path.mkdir()
    given = ("--model", small_run, "--compute", "cluster")
    refused = run("submit", "generate", *given, *(word for path in places for word in ("--send", path))).refused()
    assert f"another file of the name {name}" in refused
    assert not sent


def test_a_threshold_of_zero_is_not_left_out() -> None:
    """Options whose value is 0 are not sent, and the run samples instead."""
    assert as_arguments(SamplingOptions(threshold=0.0)) == ["--threshold", "0.0"]


def test_an_address_is_checked_by_the_workspace(
    run: Run, sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model of another address, or of a version that was replaced meanwhile, writes the music."""
    asked: list[tuple[str, object, str]] = []

    def find(address: str, *, workspace: object, sdk: str) -> RegisteredModel:
        asked.append((address, workspace, sdk))
        return RegisteredModel("scale-chords", "2")

    monkeypatch.setattr(model_addresses, "find_model", find)
    given = ("--model", "azureml:scale-chords", "--compute", "cluster", "--sdk", "v2")
    assert run("submit", "generate", *given).code == 0
    assert asked == [("azureml:scale-chords", "workspace of v2", "v2")]
    assert sent["data"] == {"--model": RegisteredModel("scale-chords", "2")}
    assert sent["tags"] == {"model": "azureml:scale-chords:2"}
    assert "--model" not in sent["arguments"]
    assert "pianoroll_seq2seq.MLflowTracker" in sent["arguments"]


@pytest.mark.parametrize("words", [(), ("--help",)])
def test_the_commands_of_submit(run: Run, words: tuple[str, ...]) -> None:
    """A newcomer does not learn what can be submitted."""
    shown = run("submit", *words).out
    assert all(f"\n  {name} " in shown for name in ("train", "generate", "fill"))
    assert "expects the name of a command" in run("submit", "run.yaml").refused()
