"""The tracker of Weights & Biases, with its client, its process and its files; nothing is sent."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from layouts import active_windows
from optional_packages import needs
from wandb_records import WandbRun, ended_runs

from pianoroll_seq2seq import PianoRoll, PitchRange, SampleMusic, Seq2SeqLSTM, fit
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.trackers.wandb import WandbTracker

pytestmark = [pytest.mark.wandb, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without accounts, and with a service that is not there."""
    needs("wandb", "trackers")
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "WANDB_BASE_URL": "http://127.0.0.1:9",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "HOME": str(tmp_path / "home"),
        "NETRC": str(tmp_path / "home" / "netrc"),
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module", autouse=True)
def process() -> Iterator[None]:
    """Ends the process of W&B's client after the tests."""
    yield
    if "wandb" in sys.modules:
        import wandb

        wandb.teardown()


def tracker_of(folder: Path, **options: str) -> WandbTracker:
    return WandbTracker("scales", mode="offline", folder=folder, **options)  # type: ignore[arg-type]


def only_run(folder: Path) -> WandbRun:
    (run,) = ended_runs(folder)
    return run


def test_metrics_and_parameters_come_back(tmp_path: Path) -> None:
    """A metric is lost or stands at another step, or runs cannot be compared by their parameters."""
    with tracker_of(tmp_path) as tracker:
        tracker.log_params({"rate": 1e-3, "head": "NADEHead", "onsets": True, "schedule": None})
        tracker.log_metrics({"train_loss": 1.5, "valid_loss": float("nan")}, step=10)
        tracker.log_params({"rate": 1e-4})
        tracker.log_metrics({"train_loss": np.float32(0.5)}, step=20)
        tracker.flush()
    run = only_run(tmp_path)
    assert run.series("train_loss") == [(10, 1.5), (20, 0.5)]
    assert run.series("valid_loss")[0][0] == 10
    assert {name: run.config[name] for name in ("rate", "head", "onsets", "schedule")} == {
        "rate": 1e-4,
        "head": "NADEHead",
        "onsets": True,
        "schedule": None,
    }
    assert (run.project, run.run_id, run.step_metric) == ("scales", tracker.run_id, "step")


@pytest.mark.parametrize("fails", [False, True])
def test_the_end_says_whether_the_run_failed(tmp_path: Path, fails: bool) -> None:
    """A run that failed looks as if it had ended well."""

    def run() -> None:
        with tracker_of(tmp_path) as tracker:
            tracker.log_metrics({"train_loss": 1.0}, step=1)
            if fails:
                raise ValueError("out of memory")

    if fails:
        with pytest.raises(ValueError, match="out of memory"):
            run()
    else:
        run()
    assert only_run(tmp_path).exit_code == int(fails)


def test_a_resumed_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    """W&B drops what is logged below the last step, so a run that goes back to its checkpoint loses its metrics."""
    with tracker_of(tmp_path, run_id="scales-1") as tracker:
        for step in (10, 20, 30):
            tracker.log_metrics({"train_loss": step / 10}, step=step)
        tracker.log_metrics({"train_loss": -2.0}, step=20)
    with tracker_of(tmp_path, run_id="scales-1") as tracker:
        tracker.log_metrics({"train_loss": -3.0}, step=30)
    runs = ended_runs(tmp_path)
    assert {run.run_id for run in runs} == {"scales-1"}
    assert [pair for run in runs for pair in run.series("train_loss")] == [
        (10, 1.0),
        (20, 2.0),
        (30, 3.0),
        (20, -2.0),
        (30, -3.0),
    ]


def test_samples_are_seen_and_heard(tmp_path: Path) -> None:
    """One cannot follow in W&B how the music changes while the model learns."""
    random = np.random.default_rng(0)
    roll = PianoRoll.from_active(random.random((20, 12)) < 0.3, pitches=PitchRange(60, 71))
    windows = active_windows([roll], input_frames=8, target_frames=8, hop=4)
    sample = SampleMusic([roll[:8]], num_frames=8, folder=tmp_path / "samples", sound=True)
    model = Seq2SeqLSTM(12, hidden_size=4)
    with tracker_of(tmp_path) as tracker:
        fit(model, windows, epochs=2, batch_size=8, tracker=tracker, on_epoch=[sample], progress=False)
    run = only_run(tmp_path)
    steps = [step for step, _ in run.series("train_loss")]
    for name, kind, ending in (("picture", "image-file", "png"), ("sound", "audio-file", "wav")):
        shown = run.series(f"piece_1/{name}")
        assert [(step, value["_type"]) for step, value in shown] == [(step, kind) for step in steps]
        kept = (run.folder / "files" / shown[1][1]["path"]).read_bytes()
        assert kept == (tmp_path / "samples" / f"epoch_0002_piece_1.{ending}").read_bytes()
    assert "artifacts/epoch_0002_piece_1.mid" in run.files


@pytest.mark.parametrize("name", ["scores.json", "config.yaml", "wandb-summary.json", "output.log"])
def test_files_are_kept_as_they_were(tmp_path: Path, name: str) -> None:
    """A file of an offline run is gone, or another one, when the run is sent; W&B has files of such names itself."""
    path = tmp_path / name
    path.write_text('{"f1": 0.5}')
    with tracker_of(tmp_path) as tracker:
        tracker.log_artifact(path)
        path.unlink()
    run = only_run(tmp_path)
    assert json.loads((run.folder / "files" / "artifacts" / name).read_text()) == {"f1": 0.5}
    assert f"artifacts/{name}" in run.files


def test_two_files_of_one_name(tmp_path: Path) -> None:
    """Of the music of two models only the last is kept."""
    paths = [tmp_path / model / "generated.mid" for model in ("one", "two")]
    with tracker_of(tmp_path) as tracker:
        for path in (*paths, paths[0]):
            path.parent.mkdir(exist_ok=True)
            path.write_text(path.parent.name)
            tracker.log_artifact(path)
        tracker.log_params({"account_key": "abcdef", "seed": 7})
    run = only_run(tmp_path)
    kept = {path.name: path.read_text() for path in (run.folder / "files" / "artifacts").iterdir()}
    assert kept == {"generated.mid": "one", "generated-2.mid": "two"}
    assert {"artifacts/generated.mid", "artifacts/generated-2.mid"} <= set(run.files)
    assert not any(b"abcdef" in path.read_bytes() for path in run.folder.rglob("*") if path.is_file())


def test_what_cannot_be_logged_is_a_warning(tmp_path: Path) -> None:
    """A missing picture, or a name that is not UTF-8, ends hours of training."""
    odd = os.fsdecode(b"B\xe4r.mid")
    with tracker_of(tmp_path) as tracker:
        with pytest.warns(UserWarning, match="W&B does not get everything: .*not there"):
            tracker.log_artifact(tmp_path / "not there.mid")
        tracker.log_media("piece_1", tmp_path / "not there.png", step=2)
        tracker.log_params({"data": odd})
        tracker.log_metrics({odd: 1.0}, step=1)
        tracker.log_metrics({"train_loss": 2.0}, step=3)
    assert only_run(tmp_path).series("train_loss") == [(3, 2.0)]


def test_a_process_that_died_is_a_warning(tmp_path: Path) -> None:
    """The process of W&B's client is ended for want of memory, and training with it, or it waits for ever."""
    script = f"""
import os, signal, subprocess
from pianoroll_seq2seq import WandbTracker
with WandbTracker("scales", mode="offline", folder={str(tmp_path)!r}, flush_seconds=2) as tracker:
    tracker.log_metrics({{"train_loss": 1.0}}, step=1)
    children = subprocess.run(["pgrep", "-P", str(os.getpid()), "wandb-core"], capture_output=True, text=True).stdout
    for child in children.split():
        os.kill(int(child), signal.SIGKILL)
    for step in range(2, 50):
        tracker.log_metrics({{"train_loss": 1.0}}, step=step)
print("trained")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert "trained" in ended.stdout, ended.stderr
    assert "W&B does not get everything" in ended.stderr


def test_without_a_login_the_error_says_what_to_do(tmp_path: Path) -> None:
    """A user without an account reads a traceback of W&B's, or waits at a prompt."""
    with pytest.raises(SettingsError, match=r"wandb login.*mode=\"offline\""), WandbTracker("scales", folder=tmp_path):
        pytest.fail("not reached")


def test_a_service_that_is_not_there_does_not_stop_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compute node without a network cannot train, or its run is lost."""
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setenv("WANDB_X_DISABLE_VIEWER", "true")
    begun = time.monotonic()
    with (
        pytest.warns(UserWarning, match="W&B cannot be reached, and the run is kept on this machine"),
        WandbTracker("scales", folder=tmp_path, flush_seconds=2) as tracker,
    ):
        tracker.log_metrics({"train_loss": 1.0}, step=1)
    assert time.monotonic() - begun < 60
    assert only_run(tmp_path).series("train_loss") == [(1, 1.0)]
