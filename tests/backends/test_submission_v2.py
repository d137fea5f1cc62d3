"""Submitting by SDK v2: the real client, in a process of its own, against a stand-in of the resource manager."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from azureml_service import REGION, WORKSPACE, Request
from azureml_v2_service import run, running, sent

from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords

pytestmark = pytest.mark.azureml_v2


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as service:
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "train.py").write_text("print('trained')\n")
        yield service


def job() -> dict[str, Any]:
    (found,) = sent("jobs")
    return found


def test_a_job_on_a_cluster(service):
    out = run(
        service,
        """
done = submit(
    "train.py", ["--epochs", 10, "--title", "two words"], workspace=workspace, experiment="scale-chords",
    compute="cluster", source_directory="source", nodes=2, processes_per_node=4, gpu=True, sdk="v2",
    data={"--midi-dir": StoredFolder("music", "scales/midi"), "--more": StoredFolder("music", "more", "download")},
    environment_variables={"OMP_NUM_THREADS": "1"}, shared_memory="4g", tags={"article": "2017"},
)
print(done.id)
print(done.url)
print(repr(done))
""",
    )
    found = job()
    command = shlex.split(found["command"])
    assert command[:6] == ["python", "train.py", "--epochs", "10", "--title", "two words"]
    assert command[6:] == ["--midi-dir", "${{inputs.midi_dir}}", "--more", "${{inputs.more}}"]
    assert found["computeId"].endswith("/computes/cluster")
    assert found["experimentName"] == "scale-chords"
    assert found["distribution"] == {"distributionType": "PyTorch", "processCountPerInstance": 4}  # on each
    assert found["resources"]["instanceCount"] == 2
    assert found["resources"]["shmSize"] == "4g"
    assert found["environmentVariables"] == {"PYTHONPATH": ".", "OMP_NUM_THREADS": "1"}
    assert found["tags"] == {"article": "2017"}
    inputs = {name: (each["jobInputType"], each["mode"], each["uri"]) for name, each in found["inputs"].items()}
    assert inputs["midi_dir"][:2] == ("uri_folder", "ReadOnlyMount")
    assert inputs["midi_dir"][2].endswith("datastores/music/paths/scales/midi")
    assert inputs["more"][:2] == ("uri_folder", "Download")
    (environment,) = sent("environments")
    assert "cuda" in environment["image"]
    assert "azureml-mlflow==" in environment["condaFile"]
    assert "azureml-core" not in environment["condaFile"]
    (code,) = sent("codes")
    place = code["codeUri"].removeprefix("https://account.blob.core.windows.net/stored").lstrip("/")
    assert service.files[f"{place}/train.py"] == b"print('trained')\n"
    assert f"{place}/pianoroll_seq2seq/train/__init__.py" in service.files
    assert out.splitlines()[1].startswith(f"{service.url}/runs/")
    assert "c2lnbmF0dXJl" not in out


def test_one_process_is_no_distribution(service):
    run(
        service,
        "submit('train.py', workspace=workspace, experiment='e', compute='cluster', source_directory='source', "
        "gpu=True, sdk='v2')",
    )
    assert not job().get("distribution")
    assert job()["resources"]["instanceCount"] == 1


def test_invalid_arguments_are_refused_before_any_request(service):
    out = run(
        service,
        """
right = dict(workspace=workspace, experiment="e", compute="cluster", source_directory="source", sdk="v2")
for arguments, changes in [
    (("missing.py",), {}),
    (("train.py",), {"nodes": 0}),
    (("train.py", ["--device", "cuda"]), {}),
    (("train.py", ["AccountKey=c2VjcmV0"]), {}),
    (("train.py", ["${{inputs.midi_dir}}.mid"]), {}),
    (("train.py",), {"workspace": None}),
    (("train.py",), {"shared_memory": "much"}),
]:
    try:
        submit(*arguments, **right | changes)
    except SettingsError as error:
        print("refused:", str(error)[:60])
try:
    submit("train.py", **right | {"sdk": "v1"})
except MissingExtraError as error:
    print(error)
""",
    )
    assert out.count("refused:") == 7
    assert "pianoroll-seq2seq[azureml]" in out
    assert not service.requests


def test_nothing_is_sent_to_a_cluster_that_cannot_run_it(service):
    service.add_cluster("cpus", vm_size="STANDARD_D2_V2")
    out = run(
        service,
        """
right = dict(workspace=workspace, experiment="e", compute="cluster", source_directory="source", gpu=True, sdk="v2")
for changes in [{"compute": "missing"}, {"nodes": 3}, {"gpu": False}, {"compute": "cpus"}]:
    try:
        submit("train.py", **right | changes)
    except SettingsError as error:
        print("refused:", error)
""",
    )
    refusals = [line for line in out.splitlines() if line.startswith("refused:")]
    for refusal, message in zip(refusals, ("no cluster", "at most 2", "has GPUs", "has no GPU"), strict=True):
        assert message in refusal
    assert not sent("jobs")
    assert not sent("codes")


def test_a_job_can_be_found_and_cancelled(service):
    out = run(
        service,
        """
begun = submit("train.py", workspace=workspace, experiment="e", compute="cluster", source_directory="source",
               gpu=True, sdk="v2")
again = find_submission(begun.id, workspace=workspace, sdk="v2")
print(again == begun, again.status())
again.cancel()
print(begun.status())
""",
    )
    assert out.splitlines()[-2:] == ["True Starting", "Canceled"]
    assert len(service.cancelled) == 1


def test_metrics_and_files_are_read_with_mlflow(service):
    """The workspace's own store is not available here; every store of MLflow has the same interface."""
    (service.folder / "generated.mid").write_bytes(b"MThd")
    out = run(
        service,
        """
import os
from pathlib import Path
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
from mlflow import MlflowClient
from pianoroll_seq2seq.backends.azureml.sdk_v2 import SubmittedJob
from pianoroll_seq2seq.trackers.mlflow import MLflowTracker
store = Path("runs").absolute().as_uri()
with MLflowTracker("scales", tracking_uri=store) as tracker:
    for step, loss in ((20, 1.0), (10, 2.0)):
        tracker.log_metrics({"train_loss": loss}, step=step)
client = MlflowClient(tracking_uri=store)
client.log_artifact(tracker.run_id, "generated.mid", "outputs/run")
client.log_artifact(tracker.run_id, "generated.mid")
job = SubmittedJob(tracker.run_id, "", workspace, store)
print(job.metrics())
print([path.as_posix() for path in job.fetch("music")])
print([path.as_posix() for path in job.fetch("music")])
""",
    )
    fetched = "['music/run/generated.mid']"
    assert out.splitlines()[-3:] == ["{'train_loss': [2.0, 1.0]}", fetched, fetched]
    assert (service.folder / "music" / "run" / "generated.mid").read_bytes() == b"MThd"
    assert [path.name for path in (service.folder / "music" / "run").iterdir()] == ["generated.mid"]


def test_waiting_shows_the_log_only_if_show_log(service):
    def begin(request: Request) -> None:
        if request.method == "PUT" and "/jobs/" in request.path:
            name = request.path.partition("/jobs/")[2].partition("?")[0]
            service.statuses[name] = ["Running", "Failed"]
            service.logs[name] = "epoch 1\nepoch 2\n"

    service.fault = begin
    out = run(
        service,
        """
right = dict(workspace=workspace, experiment="e", compute="cluster", source_directory="source", gpu=True, sdk="v2")
print(submit("train.py", **right).wait(show_log=True))
print("in silence:")
print(submit("train.py", **right).wait())
""",
    )
    assert "epoch 1\nepoch 2" in out.partition("in silence:")[0]
    assert out.splitlines()[-2:] == ["in silence:", "Failed"]


def test_a_registered_checkpoint_comes_with_its_card_and_metrics(service):
    out = run(
        service,
        """
from pianoroll_seq2seq import Seq2SeqLSTM, checkpoint
checkpoint.save(Seq2SeqLSTM(18, hidden_size=8), "best.safetensors")
print(register_checkpoint("best.safetensors", workspace=workspace, name="scale-chords",
                          metrics={"test_nats": 0.25}, tags={"article": "2017"}, sdk="v2"))
""",
    )
    assert "RegisteredModel(name='scale-chords', version='1')" in out
    (model,) = sent("models")
    assert model["tags"] == {"test_nats": "0.25", "model": "Seq2SeqLSTM", "article": "2017"}
    assert model["modelType"] == "custom_model"
    folder = model["modelUri"].partition("/paths/")[2]
    assert {name for name in service.files if name.startswith(folder)} == {
        f"{folder}/best.safetensors",
        f"{folder}/card.json",
    }
    assert service.files[f"{folder}/best.safetensors"] == (service.folder / "best.safetensors").read_bytes()


EXAMPLE = Path(__file__).parents[2] / "examples" / "train_scale_chords.py"


def test_the_example_submits_itself_with_its_pieces_from_a_datastore(service):
    out = run(
        service,
        f"""
import runpy
MLClient.from_config = lambda credential: workspace
main = runpy.run_path({str(EXAMPLE)!r})["main"]
right = ["--compute", "azureml", "--sdk", "v2", "--cluster", "cluster", "--gpu"]
print(main([*right, "--epochs", "50", "--midi-dir", "azureml://datastores/music/paths/scales"]))
print(main([*right, "--midi-dir", "my_midi"]))
""",
    )
    command = shlex.split(job()["command"])
    assert command[:2] == ["python", "train_scale_chords.py"]
    assert command[command.index("--epochs") + 1] == "50"
    assert command[command.index("--midi-dir") + 1] == "${{inputs.midi_dir}}"
    assert "--compute" not in command
    assert "--sdk" not in command
    assert out.splitlines()[-1] == "2"  # a folder on this machine is refused


def test_the_example_in_a_job_tracks_by_mlflow(service):
    """A job of SDK v2 finds its run by MLflow's variables, and has no client of SDK v1."""
    for path in write_scale_chords(service.folder / "scales").glob("*.mid"):
        if not path.stem.endswith(("_major", "_minor")) or "sharp" in path.stem:
            path.unlink()
    run(
        service,
        f"""
import os, runpy
from pathlib import Path
store = Path("runs").absolute().as_uri()
os.environ |= {{"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_TRACKING_URI": store, "AZUREML_RUN_ID": "job"}}
from mlflow import MlflowClient
client = MlflowClient()
os.environ["MLFLOW_RUN_ID"] = client.create_run(client.create_experiment("scales")).info.run_id
main = runpy.run_path({str(EXAMPLE)!r})["main"]
arguments = ["--epochs", "2", "--batch-size", "512", "--output", "outputs/run", "--midi-dir", "scales"]
assert main(arguments) == 0
logged = client.get_run(os.environ["MLFLOW_RUN_ID"])
assert logged.info.status == "FINISHED", logged.info
assert len(client.get_metric_history(logged.info.run_id, "valid_loss")) == 2
assert "test_nats" in logged.data.metrics
assert logged.data.params["batch_size"] == "512"
files = {{file.path for file in client.list_artifacts(logged.info.run_id)}}
assert {{"generated.mid", "loss.png", "best.safetensors"}} <= files, files
""",
    )


def test_in_a_job_metrics_go_to_the_workspace_and_can_be_read_back(service):
    """On the machine of a job, azureml-mlflow finds the run by the variables that the service sets."""
    uri = f"azureml://{REGION}/mlflow/v1.0{WORKSPACE}"
    out = run(
        service,
        f"""
import os
os.environ |= {{"MLFLOW_TRACKING_URI": {uri!r}, "MLFLOW_TRACKING_TOKEN": azureml_service.token(),
               "MLFLOW_RUN_ID": "job", "MLFLOW_EXPERIMENT_ID": "1", "AZUREML_RUN_ID": "job"}}
from pianoroll_seq2seq.trackers.mlflow import MLflowTracker
with MLflowTracker() as tracker:
    tracker.log_params({{"epochs": 10}})
    for step in range(10):
        tracker.log_metrics({{"loss": 1 / (step + 1)}}, step=step)
from pianoroll_seq2seq.backends.azureml.sdk_v2 import SubmittedJob
print(len(SubmittedJob("job", "", workspace).metrics()["loss"]))
""",
    )
    assert service.values("loss", "job") == {step: pytest.approx(1 / (step + 1)) for step in range(10)}
    assert service.tags["job"]["epochs"] == "10"
    assert "job" not in service.statuses  # the service sets a job's status
    assert out.splitlines()[-1] == "10"
