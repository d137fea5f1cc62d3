"""The tracker for Azure ML: the real client, in a process of its own, against a stand-in of the service."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from azureml_service import Request, Service, running

from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.trackers.azureml import AzureMLTracker

pytestmark = pytest.mark.azureml

BEGIN = """
import time
from pianoroll_seq2seq.trackers.azureml import AzureMLTracker
"""
TEN = """
    for step in range(10):
        tracker.log_metrics({"loss": 1 / (step + 1)}, step=step)
"""


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as service:
        yield service


def process(service: Service, script: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + script],
        env=service.environment(**environment),
        cwd=service.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(service: Service, script: str, *, status: int = 0, **environment: str) -> str:
    """Runs a script and returns its standard error."""
    started = process(service, script, **environment)
    out, error = started.communicate(timeout=120)
    assert started.returncode == status, out + error
    assert not service.unknown
    return error


def expected() -> dict[int, float]:
    return {step: 1 / (step + 1) for step in range(10)}


def test_metrics_arrive_each_with_its_step_after_a_normal_end(service):
    error = run(service, "with AzureMLTracker() as tracker:" + TEN)
    assert service.values("loss") == expected()
    assert "UserWarning" not in error


def test_metrics_and_the_error_arrive_after_an_exception(service):
    error = run(service, "with AzureMLTracker() as tracker:" + TEN + "    raise ValueError('broken')", status=1)
    assert service.values("loss") == expected()
    assert "ValueError: broken" in error
    bodies = [request.body.decode() for request in service.sent("POST", "/events")]
    assert any("broken" in body for body in bodies)


def test_metrics_arrive_after_sigterm(service):
    script = "with AzureMLTracker() as tracker:" + TEN + "    print('ready', flush=True)\n    time.sleep(60)"
    started = process(service, script)
    assert started.stdout.readline() == "ready\n"
    started.send_signal(signal.SIGTERM)
    started.communicate(timeout=60)
    assert started.returncode == 143
    assert service.values("loss") == expected()


def test_all_numbers_become_floats_and_those_not_finite_are_dropped_and_counted(service):
    error = run(
        service,
        """
import numpy as np, torch
with AzureMLTracker() as tracker:
    for step, value in enumerate([np.float32(0.5), np.int64(3), torch.tensor(0.25), float("nan"), float("inf")]):
        tracker.log_metrics({"loss": value}, step=step)
    tracker.log_list("nothing", [])
    tracker.log_row("row", {"epochs": np.int64(3), "loss": float("nan")})
""",
    )
    assert service.values("loss") == {0: 0.5, 1: 3.0, 2: 0.25}
    assert all(type(value) is float for value in service.values("loss").values())
    assert service.values("row") == {None: 3.0} or service.values("row") == {None: {"epochs": 3.0}}
    assert "loss (3)" in error


def test_long_lists_are_split_for_the_service(service):
    run(service, "with AzureMLTracker() as tracker:\n    tracker.log_list('long', [float(n) for n in range(600)])")
    posted = [request.json["values"] for request in service.sent("POST", "/metric/")]
    sizes = [len(metric["value"]) for values in posted for metric in values if metric["name"] == "long"]
    assert sorted(sizes) == [100, 250, 250]


def test_files_pictures_and_parameters_are_kept_with_the_run(service):
    (service.folder / "music.mid").write_bytes(b"MThd" + bytes(100))
    (service.folder / "again").mkdir()
    (service.folder / "again" / "music.mid").write_bytes(b"MThd" + bytes(50))
    run(
        service,
        """
import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot
pyplot.figure().savefig("loss.png")
with AzureMLTracker() as tracker:
    tracker.log_params({"epochs": 10, "preset": "azure-2017"})
    tracker.log_artifact("music.mid")
    tracker.log_artifact("again/music.mid")
    tracker.log_artifact("loss.png")
""",
    )
    assert service.tags["run-1"] == {"epochs": "10", "preset": "azure-2017"}
    assert service.files["dcid.run-1/tracked/music.mid"] == b"MThd" + bytes(100)
    assert service.files["dcid.run-1/tracked/music-2.mid"] == b"MThd" + bytes(50)
    assert [metric.name for metric in service.metrics] == ["loss"]  # the picture
    assert any(name.endswith(".png") and content[1:4] == b"PNG" for name, content in service.files.items())


def test_a_restarted_run_uses_new_names_for_its_files(service):
    (service.folder / "music.mid").write_bytes(b"MThd")
    script = "with AzureMLTracker() as tracker:\n    tracker.log_artifact('music.mid')"
    assert "UserWarning" not in run(service, script) + run(service, script)
    assert {"dcid.run-1/tracked/music.mid", "dcid.run-1/tracked/music-2.mid"} <= set(service.files)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_service_gets_everything_and_training_does_not_wait(service, status):
    failures = iter([status] * 3)

    def fault(request: Request) -> int | None:
        return next(failures, None) if "/metric/" in request.path else None

    service.fault = fault
    script = """
with AzureMLTracker() as tracker:
    begin = time.monotonic()  # by default the client waits for 32 seconds and more
    for step in range(10):
        tracker.log_metrics({"loss": 1 / (step + 1)}, step=step)
        time.sleep(0.02)
    assert time.monotonic() - begin < 10
"""
    error = run(service, script)
    assert service.values("loss") == expected()
    assert "UserWarning" not in error


def test_a_service_that_is_down_causes_a_warning_and_the_local_file_is_complete(service):
    service.fault = lambda request: 503 if "/metric/" in request.path else None
    begin = time.monotonic()
    error = run(service, "with AzureMLTracker(flush_seconds=2) as tracker:" + TEN)
    assert time.monotonic() - begin < 60
    assert "Azure ML did not accept metrics" in error
    assert (service.folder / "outputs" / "metrics.jsonl").read_text().count('"loss"') == 10


def test_an_upload_that_hangs_delays_neither_metrics_nor_the_end_of_the_process(service):
    """A script that has finished keeps its machine running until the storage answers."""
    (service.folder / "music.mid").write_bytes(b"MThd")

    def fault(request: Request) -> None:
        if request.path.startswith("account.blob."):
            time.sleep(60)

    service.fault = fault
    begin = time.monotonic()
    script = "with AzureMLTracker(flush_seconds=3) as tracker:\n    tracker.log_artifact('music.mid')" + TEN
    error = run(service, script)
    assert time.monotonic() - begin < 45
    assert service.values("loss") == expected()
    assert "did not accept the file music.mid: within 3 s" in error
    assert "did not accept metrics" not in error


def test_a_refusal_is_reported_once_and_is_not_fatal(service):
    service.fault = lambda request: 400 if "/metric/" in request.path else None
    script = "with AzureMLTracker(flush_seconds=5) as tracker:" + TEN + "    tracker.flush()\n    tracker.flush()"
    assert run(service, script).count("Azure ML did not accept metrics") == 1


def test_a_service_that_cannot_be_reached_at_the_start_is_not_fatal(service):
    service.fault = lambda request: 401
    error = run(service, "with AzureMLTracker(flush_seconds=5) as tracker:" + TEN)
    assert "Azure ML" in error
    assert (service.folder / "outputs" / "metrics.jsonl").read_text().count('"loss"') == 10


def test_two_ranks_deliver_each_metric_once(service):
    script = "with AzureMLTracker() as tracker:" + TEN + "    tracker.log_params({'a': 1})"
    both = [process(service, script, RANK=rank, WORLD_SIZE="2") for rank in ("0", "1")]
    assert [each.wait(timeout=120) for each in both] == [0, 0]
    for each in both:
        each.communicate()
    assert service.values("loss") == expected()
    assert len(service.sent("PATCH", "/runs/")) == 1
    assert (service.folder / "outputs" / "metrics.jsonl").read_text().count('"loss"') == 10


def test_more_names_than_the_service_keeps_cause_a_warning(service):
    script = """
with AzureMLTracker() as tracker:
    for number in range(52):
        tracker.log_metrics({f"m{number}": 1.0}, step=0)
"""
    assert run(service, script).count("at most 50 names") == 1


def test_outside_azure_ml_it_warns_once_and_writes_the_local_file(service):
    outside = {name: "" for name in service.environment() if name.startswith("AZUREML_")}
    environment = {name: value for name, value in service.environment().items() if name not in outside}
    script = "with AzureMLTracker(local='here.jsonl') as tracker:" + TEN + "    tracker.flush()"
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script],
        env=environment,
        cwd=service.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Not a run of Azure ML") == 1
    assert "here.jsonl" in done.stderr
    assert "Attempted" not in done.stdout
    assert (service.folder / "here.jsonl").read_text().count('"loss"') == 10
    assert not service.requests


def test_an_error_of_the_service_does_not_show_a_signature(service):
    (service.folder / "music.mid").write_bytes(b"MThd")
    service.fault = lambda request: 403 if "blob.core" in request.path else None
    error = run(service, "with AzureMLTracker(flush_seconds=20) as tracker:\n    tracker.log_artifact('music.mid')")
    assert "did not accept the file music.mid" in error
    assert "c2lnbmF0dXJl" not in error.split("did not accept the file")[1].splitlines()[0]


def test_settings_are_checked():
    with pytest.raises(SettingsError, match="flush_seconds"):
        AzureMLTracker(flush_seconds=0)
    with pytest.raises(SettingsError, match="at most 15 columns"):
        AzureMLTracker().log_row("row", {str(number): 1.0 for number in range(16)})


EXAMPLE = Path(__file__).parents[2] / "examples" / "train_scale_chords.py"
SMALL = ["--epochs", "2", "--batch-size", "512", "--output", "outputs/run", "--midi-dir", "scales"]


def example(service: Service, *arguments: str, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    for path in write_scale_chords(service.folder / "scales").glob("*.mid"):
        if not path.stem.endswith(("_major", "_minor")) or "sharp" in path.stem:
            path.unlink()
    return subprocess.Popen(
        [sys.executable, *launcher, str(EXAMPLE), *SMALL, *arguments],
        env=service.environment(OMP_NUM_THREADS="1"),
        cwd=service.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def history(service: Service) -> list[dict[str, float]]:
    lines = (service.folder / "outputs" / "run" / "history.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if "train_loss" in record]


def test_the_example_in_a_submitted_run_delivers_everything(service):
    started = example(service)
    out, error = started.communicate(timeout=300)
    assert started.returncode == 0, out + error
    epochs = history(service)
    assert len(epochs) == 2
    for name in ("train_loss", "valid_loss", "learning_rate"):
        assert service.values(name) == {epoch["step"]: pytest.approx(epoch[name]) for epoch in epochs}
    scores = json.loads((service.folder / "outputs" / "run" / "scores.json").read_text())
    assert service.values("test_nats") == {epochs[-1]["step"]: scores["test"]["model"]["all"]["nats"]}
    for name in ("generated.mid", "primer.mid", "best.safetensors", "scores.json"):
        assert service.files[f"dcid.run-1/tracked/{name}"] == (service.folder / "outputs/run" / name).read_bytes()
    assert {metric.name for metric in service.metrics} >= {"loss", "roll"}  # the pictures
    assert service.tags["run-1"]["batch_size"] == "512"
    assert "UserWarning" not in error


def test_the_example_delivers_its_metrics_when_it_is_terminated(service):
    started = example(service, "--epochs", "200")
    deadline = time.monotonic() + 120
    while not (service.folder / "outputs" / "run" / "history.jsonl").exists():
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    started.send_signal(signal.SIGTERM)
    _, error = started.communicate(timeout=120)
    assert started.returncode == 143, error
    epochs = history(service)
    assert service.values("train_loss") == {epoch["step"]: pytest.approx(epoch["train_loss"]) for epoch in epochs}


def test_the_example_in_two_processes_delivers_each_metric_once(service):
    started = example(service, launcher=("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"))
    out, error = started.communicate(timeout=300)
    assert started.returncode == 0, out + error
    epochs = history(service)
    assert service.values("train_loss") == {epoch["step"]: pytest.approx(epoch["train_loss"]) for epoch in epochs}
