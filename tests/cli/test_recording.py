"""What ``generate`` and ``train`` keep of their music beside the files: metrics, a tracker's run, copies in a store."""

import json
from pathlib import Path
from typing import Any

import pytest
from azurite import ACCOUNT, KEY, Azurite, azurite
from command_line import SMALL, SMALL_MODEL, Run
from voice_music import in_beats, voices

from pianoroll_seq2seq import History, PianoRoll, PitchRange
from pianoroll_seq2seq.evaluation.music_metrics import METRICS, mean_metrics

__all__ = ["azurite"]


def logged(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_metrics_of_the_music_beside_the_loss(run: Run, small_run: Path, tmp_path: Path) -> None:
    """Two models' music cannot be compared where their losses are."""
    given = ("generate", "--model", small_run, "--beats", 8, "--count", 2, "--output", tmp_path / "a.mid")
    tracker = ("--tracker", "JsonlTracker", "--tracker.path", tmp_path / "log.jsonl")
    done = run(*given, "--metrics", tmp_path / "metrics.json", *tracker, "--json").json
    assert json.loads((tmp_path / "metrics.json").read_text()) == done
    rolls = [PianoRoll.from_midi(tmp_path / f"a-{number}.mid", pitches=PitchRange(48, 80)) for number in (1, 2)]
    assert done["metrics"]["polyphony"] == pytest.approx(mean_metrics(rolls)["polyphony"])
    assert done["metrics"].keys() <= METRICS.keys()
    best = History.load(small_run / "history.jsonl").epochs[0]
    assert done["trained"]["valid_loss"] == best.valid_loss
    lines = logged(tmp_path / "log.jsonl")
    (metrics,) = [line["metrics"] for line in lines if "metrics" in line]
    assert metrics["music_polyphony"] == done["metrics"]["polyphony"]
    assert (metrics["valid_loss"], metrics["train_loss"]) == (best.valid_loss, best.train_loss)
    assert [line["step"] for line in lines if "metrics" in line] == [best.step]


def test_music_in_voices_is_graded(run: Run, tmp_path: Path) -> None:
    """The runs of two chorale models are compared without the one number that says which sounds more like Bach."""
    for number in range(12):
        lines = {"s": in_beats(67, 69 + number % 5, 71, 72), "b": in_beats(60, 62 + number % 7, 62 - number // 3, 64)}
        voices(**lines).to_midi(tmp_path / "midi" / f"{number}.mid")
    options = (*SMALL, *SMALL_MODEL, "--parts", "s,b", "--test", 0.2, "--output", tmp_path / "run")
    assert run("train", "--data", tmp_path / "midi", *options).code == 0
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert scores["music"]["bach_or_mock"] == scores["summary"]["generated"]["bach_or_mock"] >= 0
    assert scores["summary"]["data"]["bach_or_mock"] >= 0
    head, row = run("compare", tmp_path / "run").out.splitlines()
    assert "grade" in head.split()
    assert f"{scores['music']['bach_or_mock']:.2f}" in row.split()


def test_training_logs_the_metrics_of_its_music(run: Run, midi: Path, tmp_path: Path) -> None:
    """Runs that sample music are compared by their losses alone."""
    folder = tmp_path / "run"
    options = (*SMALL, *SMALL_MODEL, "--epochs", 2, "--sample-every", 1)
    assert run("train", "--data", midi, *options[2:], "--output", folder).code == 0
    lines = [line for line in logged(folder / "metrics.jsonl") if "metrics" in line]
    steps = [line["step"] for line in lines if "music_polyphony" in line["metrics"]]
    epochs = History.load(folder / "history.jsonl").epochs
    assert steps == [epochs[0].step, epochs[1].step, epochs[1].step]  # of each epoch, and of the finished run
    last = lines[-1]["metrics"]
    assert {"test_nats", "music_polyphony"} <= last.keys()
    music = json.loads((folder / "scores.json").read_text())["music"]
    assert last["music_polyphony"] == music["polyphony"]
    compared = run("compare", folder, "--json").json["runs"][0]
    assert compared["music_polyphony"] == music["polyphony"]
    table = run("compare", folder).out
    assert "polyphony" in table.splitlines()[0]
    assert f"{music['polyphony']:.2f}" in table


def test_copies_in_a_container(
    run: Run, small_run: Path, azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Music is replaced in the container without a word, or two runs write into one folder."""
    monkeypatch.setenv("STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("STORAGE_ACCOUNT_KEY", KEY)
    container = azurite.new_container()
    store = ("--store", f"{azurite.url}/{container}/music")
    given = ("generate", "--model", small_run, "--beats", 2, "--metrics", tmp_path / "m.json")
    assert run(*given, *store, "--output", tmp_path / "a.mid", tmp_path / "a.png").code == 0
    before = (tmp_path / "a.mid").read_bytes()
    assert "m.json exists already" in run(*given, *store, "--output", tmp_path / "x" / "a.mid").refused()
    (tmp_path / "m.json").unlink()
    refused = run(*given, *store, "--output", tmp_path / "x" / "a.mid").refused()
    assert "a.mid is in AzureBlobStore" in refused
    assert "--overwrite" in refused
    assert not (tmp_path / "x").exists()  # before any work is done
    monkeypatch.setenv("AZUREML_RUN_ID", "calm_bean_1")
    assert run(*given, *store, "--output", tmp_path / "y" / "a.mid").code == 0
    with azurite.container_client(container) as client:
        assert [blob.name for blob in client.list_blobs()] == [
            "music/a.mid",
            "music/a.png",
            "music/calm_bean_1/a.mid",
            "music/calm_bean_1/m.json",
            "music/m.json",
        ]
        assert client.download_blob("music/a.mid").readall() == before
    twice = ("--output", tmp_path / "p" / "a.mid", tmp_path / "q" / "a.mid")
    assert "two files have the name a.mid" in run(*given, *store, *twice, "--overwrite").refused()
    assert "https://ACCOUNT" in run(*given, "--store", "music", "--output", tmp_path / "z.mid").refused()
    assert ".json" in run("generate", "--metrics", tmp_path / "m.txt", "--output", tmp_path / "z.mid").refused()
