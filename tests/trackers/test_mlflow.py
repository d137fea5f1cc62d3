"""The MLflow tracker, against MLflow's own server and its local store."""

import math
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from layouts import active_windows
from mlflow_server import MlflowServer, free_port, needs_mlflow

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.trackers.mlflow import MLflowTracker
from pianoroll_seq2seq.trackers.mlflow_run import MlflowRun
from pianoroll_seq2seq.train import fit
from pianoroll_seq2seq.train.events import EpochEnd
from pianoroll_seq2seq.train.history import History

pytestmark = [
    pytest.mark.mlflow,
    # The local store itself calls a deprecated function.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    needs_mlflow()
    with MlflowServer(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow reads many environment variables, and writes files to the working directory."""
    needs_mlflow()
    for name in os.environ:
        if name.startswith("MLFLOW_") or name in ("RANK", "OMPI_COMM_WORLD_RANK"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def client_of(address: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=address)


def runs_of(address: str, experiment: str) -> dict[str, Any]:
    """All runs of an experiment, by their names."""
    client = client_of(address)
    found = client.get_experiment_by_name(experiment)
    return {run.info.run_name: run for run in client.search_runs([found.experiment_id])}


def curve(address: str, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in client_of(address).get_metric_history(run_id, name)]


def train(tracker: MLflowTracker, epochs: int, **others: Any) -> History:
    rolls = np.random.default_rng(0).random((2, 30, 4)) < 0.4
    train, valid = (
        active_windows(
            [PianoRoll.from_active(roll, pitches=PitchRange(60, 63))], input_frames=5, target_frames=3, hop=2
        )
        for roll in rolls
    )
    torch.manual_seed(0)
    model = Seq2SeqLSTM(4, hidden_size=5)
    return fit(model, train, valid, epochs=epochs, batch_size=4, tracker=tracker, progress=False, **others)


@contextmanager
def user_warnings() -> Iterator[list[str]]:
    """The messages of all user warnings within."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
    texts.extend(str(warning.message) for warning in caught if warning.category is UserWarning)


def losses(history: History, name: str) -> list[tuple[int, float]]:
    return [(epoch.step, getattr(epoch, name)) for epoch in history.epochs]


def test_runs_are_compared_in_mlflow(server: MlflowServer, tmp_path: Path) -> None:
    """The curves on the server differ from the history, or all runs look alike."""
    histories: dict[str, History] = {}
    for epochs in (1, 2, 4):
        name = f"{epochs} epochs"
        with MLflowTracker(
            "compare", run_name=name, tracking_uri=server.address, tags={"project": "scales"}
        ) as tracker:
            histories[name] = train(tracker, epochs)
            music = tmp_path / "generated.mid"
            music.write_bytes(b"MThd")
            tracker.log_artifact(music)
    runs = runs_of(server.address, "compare")
    assert runs.keys() == histories.keys()
    for name, history in histories.items():
        run = runs[name]
        assert run.info.status == "FINISHED"
        assert run.info.end_time >= run.info.start_time
        assert run.data.params["epochs"] == name.split()[0]
        assert run.data.params["model"] == "Seq2SeqLSTM"
        assert run.data.tags["project"] == "scales"
        assert run.data.tags["mlflow.source.name"]
        for loss in ("train_loss", "valid_loss"):
            assert curve(server.address, run.info.run_id, loss) == losses(history, loss)
        assert [file.path for file in client_of(server.address).list_artifacts(run.info.run_id)] == ["generated.mid"]
    best = client_of(server.address).search_runs(
        [runs["4 epochs"].info.experiment_id], filter_string="params.epochs = '4'", order_by=["metrics.train_loss"]
    )
    assert [run.info.run_name for run in best] == ["4 epochs"]


def test_a_local_store_needs_no_server(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'runs.db'}"
    with MLflowTracker("local", run_name="one", tracking_uri=address) as tracker:
        history = train(tracker, 2)
        (tmp_path / "notes.txt").write_text("some")
        tracker.log_artifact("notes.txt")
    run = runs_of(address, "local")["one"]
    assert run.info.run_id == tracker.run_id
    assert curve(address, run.info.run_id, "valid_loss") == losses(history, "valid_loss")
    assert [file.path for file in client_of(address).list_artifacts(run.info.run_id)] == ["notes.txt"]


def test_training_continues_without_the_server_which_gets_everything_later(tmp_path: Path) -> None:
    """A restart of the server stops the training, or the metrics of that time are lost."""
    with MlflowServer(tmp_path / "server") as server:
        at_epoch: list[int] = []

        def die(end: EpochEnd) -> None:
            at_epoch.append(len(end.history.epochs))
            if len(at_epoch) == 2:
                tracker.flush()
                server.kill()

        with MLflowTracker("dies", run_name="one", tracking_uri=server.address, flush_seconds=30) as tracker:
            begin = time.monotonic()
            with user_warnings() as texts:
                history = train(tracker, 6, on_epoch=[die])
            assert time.monotonic() - begin < 25
            assert sum("did not receive everything" in text for text in texts) == 1
            assert sum("metrics in all) could not be sent to" in text and "kept" in text for text in texts) == 1
            assert len(texts) == 2
            assert at_epoch == [1, 2, 3, 4, 5, 6]
            server.start()
        run = runs_of(server.address, "dies")["one"]
        assert run.info.status == "FINISHED"
        for loss in ("train_loss", "valid_loss"):
            assert curve(server.address, run.info.run_id, loss) == losses(history, loss)


def test_a_server_that_never_comes_back_only_causes_warnings(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    tracker = MLflowTracker("nowhere", tracking_uri=address, flush_seconds=20)
    begin = time.monotonic()
    with user_warnings() as texts, tracker:
        history = train(tracker, 2)
    assert "is lost" in texts[-1]
    assert len(texts) == 3
    assert time.monotonic() - begin < 30
    assert tracker.run_id is None
    assert len(history.epochs) == 2
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_a_server_that_hangs_does_not_slow_the_training() -> None:
    """Each metric waits for a time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tracker = MLflowTracker(tracking_uri=f"http://127.0.0.1:{silent.getsockname()[1]}", flush_seconds=0.5)
        with user_warnings() as texts, tracker:
            begin = time.monotonic()
            for step in range(1000):
                tracker.log_metrics({"loss": 0.5}, step=step)
            assert time.monotonic() - begin < 0.5
            begin = time.monotonic()
        assert time.monotonic() - begin < 3
    assert "did not answer" in texts[0]
    assert "1000 metrics in all" in texts[1]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("out of memory"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),
        (SystemExit(2), "FAILED"),
        (SystemExit(0), "FINISHED"),
        (SystemExit(), "FINISHED"),
    ],
    ids=repr,
)
def test_the_run_ends_as_the_training_did(server: MlflowServer, error: BaseException, status: str) -> None:
    """A run that died looks finished, or runs for ever."""

    def work() -> None:
        with MLflowTracker("ends", run_name=repr(error), tracking_uri=server.address) as tracker:
            tracker.log_metrics({"loss": 1.0}, step=1)
            raise error

    with pytest.raises(type(error)):
        work()
    run = runs_of(server.address, "ends")[repr(error)]
    assert run.info.status == status
    assert curve(server.address, run.info.run_id, "loss") == [(1, 1.0)]


def test_sigterm_ends_the_run_as_killed_with_all_its_metrics(server: MlflowServer) -> None:
    """A job that is stopped loses its last metrics, and its run is never closed."""
    script = f"""
import os, signal, sys, time
from pianoroll_seq2seq.trackers.mlflow import MLflowTracker
with MLflowTracker("terminated", run_name="one", tracking_uri={server.address!r}) as tracker:
    for step in range(100):
        tracker.log_metrics({{"loss": 1.0}}, step=step)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=90)
    assert ended.returncode == 128 + signal.SIGTERM
    run = runs_of(server.address, "terminated")["one"]
    assert run.info.status == "KILLED"
    assert len(curve(server.address, run.info.run_id, "loss")) == 100


def test_resumed_training_continues_its_run(server: MlflowServer, tmp_path: Path) -> None:
    """It is refused because one parameter has changed, or begins a second run."""
    with MLflowTracker("resumed", run_name="one", tracking_uri=server.address) as tracker:
        train(tracker, 2, checkpoint_dir=tmp_path / "run")
    first = tracker.run_id
    again = MLflowTracker(run_id=first, tracking_uri=server.address, tags={"night": "second"})
    with user_warnings() as texts, again as tracker:
        assert runs_of(server.address, "resumed")["one"].info.status == "RUNNING"
        history = train(tracker, 4, checkpoint_dir=tmp_path / "run")
    assert [text.endswith("MLflow keeps the first values: epochs: 2, now 4") for text in texts] == [True]
    runs = runs_of(server.address, "resumed")
    assert list(runs) == ["one"]
    assert (tracker.run_id, runs["one"].info.run_id, runs["one"].info.status) == (first, first, "FINISHED")
    assert runs["one"].data.params["epochs"] == "2"
    assert runs["one"].data.tags["resumed.epochs"] == "4"
    assert runs["one"].data.tags["night"] == "second"
    assert curve(server.address, runs["one"].info.run_id, "train_loss") == losses(history, "train_loss")


def test_one_tracker_entered_twice_is_one_run(server: MlflowServer) -> None:
    tracker = MLflowTracker("twice", tracking_uri=server.address)
    for step in (1, 2):
        with tracker:
            tracker.log_metrics({"loss": 1.0}, step=step)
    (run,) = runs_of(server.address, "twice").values()
    assert curve(server.address, run.info.run_id, "loss") == [(1, 1.0), (2, 1.0)]


def test_in_a_job_the_run_is_that_of_the_job(server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metrics of a job of Azure ML are in another run than the job's, or arguments are ignored."""
    client = client_of(server.address)
    job = client.create_run(client.create_experiment("job")).info.run_id
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    monkeypatch.setenv("MLFLOW_RUN_ID", job)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "job")
    with MLflowTracker() as tracker:
        tracker.log_metrics({"loss": 1.0}, step=1)
    assert tracker.run_id == job
    assert curve(server.address, job, "loss") == [(1, 1.0)]
    with MLflowTracker("another experiment", run_name="own") as tracker:
        pass
    assert tracker.run_id == runs_of(server.address, "another experiment")["own"].info.run_id != job
    monkeypatch.delenv("MLFLOW_RUN_ID")
    with MLflowTracker(run_name="second") as tracker:
        pass
    assert tracker.run_id == runs_of(server.address, "job")["second"].info.run_id


def test_more_than_one_batch_of_everything(server: MlflowServer) -> None:
    """Limits of the service: 100 parameters and 1000 metrics in a batch, 6000 characters, letters in names."""
    with MLflowTracker("much", run_name="one", tracking_uri=server.address) as tracker:
        tracker.log_params({f"param {number}": number for number in range(250)})
        tracker.log_params({"long": "x" * 9000, "odd @name": None, "yes": True})
        tracker.log_params({"long": "x" * 9000})
        for step in range(2500):
            tracker.log_metrics({"loss": step / 2, "odd @name": 1}, step=step)
    run = runs_of(server.address, "much")["one"]
    assert len(run.data.params) == 253
    assert run.data.params["param 249"] == "249"
    assert run.data.params["long"] == "x" * 6000
    assert (run.data.params["odd _name"], run.data.params["yes"]) == ("None", "True")
    assert curve(server.address, run.info.run_id, "loss") == [(step, step / 2) for step in range(2500)]
    assert not [tag for tag in run.data.tags if tag.startswith("resumed.")]


def test_metrics_that_are_not_finite_are_skipped_and_counted(server: MlflowServer) -> None:
    """One NaN, and the curve on the server falls to zero, or the whole batch is refused."""
    with user_warnings() as texts, MLflowTracker("kinds", run_name="one", tracking_uri=server.address) as tracker:
        for step, value in enumerate([1, True, np.float64(0.5), math.nan, -math.inf]):
            tracker.log_metrics({"loss": value}, step=step)
        tracker.log_metrics({"gone": math.inf, "kept": 2.0}, step=9)
    assert [text.endswith("gone (1), loss (2)") for text in texts] == [True]
    run = runs_of(server.address, "kinds")["one"]
    assert curve(server.address, run.info.run_id, "loss") == [(0, 1.0), (1, 1.0), (2, 0.5)]
    assert curve(server.address, run.info.run_id, "kept") == [(9, 2.0)]
    assert tracker.dropped == {"loss": 2, "gone": 1}


def test_a_missing_file_causes_a_warning(server: MlflowServer, tmp_path: Path) -> None:
    with user_warnings() as texts, MLflowTracker("no file", run_name="one", tracking_uri=server.address) as tracker:
        tracker.log_artifact("nothing.mid")
    assert texts == [f"There is no such file to send to MLflow: {tmp_path / 'nothing.mid'}"]
    assert runs_of(server.address, "no file")["one"].info.status == "FINISHED"


def test_a_refusal_at_the_beginning_is_an_error(server: MlflowServer) -> None:
    """After hours of training it turns out that nothing was stored."""
    for wrong in (
        MLflowTracker(run_id="0" * 32, tracking_uri=server.address),
        MLflowTracker("scales", tracking_uri="nowhere://at/all"),
        MLflowTracker("scales", tracking_uri=f"{server.address}/not/mlflow"),
    ):
        with pytest.raises(SettingsError, match="MLflow refuses the run"), wrong:
            pytest.fail("not reached")
    client = client_of(server.address)
    deleted = client.create_run(client.create_experiment("deleted")).info.run_id
    client.delete_run(deleted)
    with pytest.raises(SettingsError, match="deleted"), MLflowTracker(run_id=deleted, tracking_uri=server.address):
        pytest.fail("not reached")


def test_a_run_that_is_deleted_meanwhile_causes_warnings_only(server: MlflowServer) -> None:
    with user_warnings() as texts, MLflowTracker("vanishes", tracking_uri=server.address) as tracker:
        client_of(server.address).delete_run(tracker.run_id)
        for step in range(3):
            tracker.log_metrics({"loss": 1.0}, step=step)
            tracker.flush()
    assert [text.partition(":")[0] for text in texts] == [
        "MLflow refused metrics",
        "MLflow refused the end of the run",
    ]


def test_passwords_are_shown_nowhere(server: MlflowServer, capfd: pytest.CaptureFixture[str]) -> None:
    """They are in the log of a job, which many people can read."""
    address = f"http://me:pa55word@127.0.0.1:{server.port}"
    with MLflowTracker("secret", run_name="one", tracking_uri=address) as tracker:
        tracker.log_metrics({"loss": 1.0}, step=1)
    with user_warnings() as texts:
        with pytest.raises(SettingsError) as refused, MLflowTracker(run_id="0" * 32, tracking_uri=address):
            pytest.fail("not reached")
        nobody = f"http://me:pa55word@127.0.0.1:{free_port()}"
        with MLflowTracker("secret", tracking_uri=nobody, flush_seconds=10) as tracker:
            tracker.log_metrics({"loss": 1.0}, step=1)
    assert len(texts) == 2
    captured = capfd.readouterr()
    texts_shown = [str(refused.value), repr(tracker), captured.out, captured.err, *texts]
    assert not [text for text in texts_shown if "pa55word" in text]
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert runs_of(server.address, "secret")["one"].info.status == "FINISHED"


class OlderServer:
    """Accepts parameters of 500 characters, and refuses a batch with a longer one."""

    def __init__(self) -> None:
        self.params: dict[str, str] = {}

    def create_run(self, experiment_id: str, **others: Any) -> Any:
        from types import SimpleNamespace

        return SimpleNamespace(info=SimpleNamespace(run_id="17"))

    def log_batch(self, run_id: str, params: Any = (), tags: Any = ()) -> None:
        from mlflow.exceptions import MlflowException

        if any(len(one.value) > 500 for one in params):
            raise MlflowException.invalid_parameter_value("longer than 500")
        self.params |= {one.key: one.value for one in params}


def test_an_older_server_gets_shorter_parameters() -> None:
    client = OlderServer()
    run = MlflowRun(client, run_id=None, experiment=None, run_name=None, tags={})
    params = {"seed": "1", "long": "x" * 700, "last": "2"}
    assert run.send_params(params) == {}
    assert client.params == {"seed": "1", "long": "x" * 500, "last": "2"}
    assert run.send_params(params) == {}


def test_without_the_full_package_a_local_store_says_what_to_install(tmp_path: Path) -> None:
    """The extra installs the client only, which supports no databases."""
    script = """
import sys
sys.modules["sqlalchemy"] = None
from pianoroll_seq2seq.trackers.mlflow import MLflowTracker
with MLflowTracker(tracking_uri="sqlite:///runs.db") as tracker:
    pass
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=60, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.rstrip().endswith("A store without a server needs the full package: pip install mlflow.")
    assert "SettingsError" in ended.stderr.splitlines()[-1]
