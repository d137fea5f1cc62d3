"""Submitting to Azure ML: the real client, in a process of its own, against a stand-in of the service."""

import json
from pathlib import Path
from typing import Any

import pytest
from azureml_processes import run
from azureml_service import Metric, Service, running

pytestmark = pytest.mark.azureml


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as service:
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "train.py").write_text("print('trained')\n")
        service.add_cluster("cluster")
        yield service


def configuration(service: Service) -> dict[str, Any]:
    """The run's, as it was sent: as JSON to a cluster, within a form for this machine."""
    (request,) = service.sent("POST", "/execution/")
    text = request.body.decode(errors="replace")
    content, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    found: dict[str, Any] = content["Configuration"]
    return found


def test_a_run_on_a_cluster(service):
    out = run(
        service,
        """
done = submit(
    "train.py", ["--epochs", 10, "--device", "cuda"], workspace=workspace, experiment="scale-chords",
    compute="cluster", source_directory="source", nodes=2, processes_per_node=4, gpu=True,
    data={"--midi-dir": StoredFolder("music", "scales/midi"), "--more": StoredFolder("music", "more", "download")},
    environment_variables={"OMP_NUM_THREADS": "1"}, shared_memory="4g", tags={"article": "2017"},
)
print(done.id)
print(done.url)
print(repr(done))
""",
    )
    sent = configuration(service)
    assert sent["script"] == "train.py"
    options = ["--midi-dir", "$AZUREML_DATAREFERENCE_midi_dir", "--more", "$AZUREML_DATAREFERENCE_more"]
    assert sent["arguments"] == ["--epochs", 10, "--device", "cuda", *options]
    mounted = {"dataStoreName": "music", "pathOnDataStore": "scales/midi", "mode": "mount"}
    downloaded = {"dataStoreName": "music", "pathOnDataStore": "more", "mode": "download"}
    found = {
        name: {key: value for key, value in each.items() if key in mounted}
        for name, each in sent["dataReferences"].items()
    }
    assert found == {"midi_dir": mounted, "more": downloaded}
    assert sent["target"] == "cluster"
    assert sent["framework"].lower() == "pytorch"
    assert sent["nodeCount"] == 2
    assert sent["pytorch"] == {"communicationBackend": "nccl", "processCount": 8, "nodeCount": 2}  # 8 in all
    assert sent["docker"]["shmSize"] == "4g"
    environment = sent["environment"]
    assert sent["environmentVariables"]["OMP_NUM_THREADS"] == "1"
    assert "cuda" in environment["docker"]["baseImage"]
    dependencies = environment["python"]["condaDependencies"]["dependencies"]
    (pip,) = [each["pip"] for each in dependencies if isinstance(each, dict)]
    assert not any(each.startswith("pianoroll") for each in pip)  # it is sent
    assert sent["environmentVariables"]["PYTHONPATH"] == "."
    assert any(each.startswith("torch==") and "+" not in each for each in pip)
    assert out.splitlines()[0].startswith("scale-chords_")
    files = str([request.json for request in service.sent("POST", "/snapshots/getblob")])
    assert "train.py" in files
    assert "pianoroll_seq2seq/train/" in files
    assert b"article" in b"".join(request.body for request in service.requests)


def test_a_run_on_this_machine(service):
    run(
        service,
        "submit('train.py', ['--epochs', 1], workspace=workspace, experiment='e', compute='local', "
        "source_directory='source')",
    )
    sent = configuration(service)
    assert sent["target"] == "local"
    assert sent["nodeCount"] == 1
    assert sent["arguments"] == ["--epochs", 1]


def test_invalid_arguments_are_refused_before_any_request(service):
    (service.folder / "source" / "large.bin").write_bytes(b"")
    out = run(
        service,
        """
import os
os.truncate("source/large.bin", 400_000_000)
right = dict(workspace=workspace, experiment="e", compute="cluster", source_directory="source")
for arguments, changes in [
    (("missing.py",), {}),
    (("train.py",), {"source_directory": "nowhere"}),
    (("train.py",), {"nodes": 0}),
    (("train.py",), {"nodes": 2, "compute": "local"}),
    (("train.py", ["--device", "cuda"]), {}),
    (("train.py", ["AccountKey=c2VjcmV0"]), {}),
    (("train.py", ["--midi-dir", "x"]), {"data": {"--midi-dir": StoredFolder("music", "midi")}}),
    (("train.py",), {"environment": "missing.yml"}),
    (("train.py",), {"workspace": None}),
    (("train.py",), {"sdk": "v3"}),
    (("train.py",), {}),  # the folder is too large
]:
    try:
        submit(*arguments, **right | changes)
    except SettingsError as error:
        print("refused:", str(error)[:60])
""",
    )
    assert out.count("refused:") == 11
    assert not [request for request in service.requests if "/execution/" in request.path or "/history/" in request.path]


def test_nothing_is_sent_to_a_cluster_that_cannot_run_it(service):
    """The run waits for ever, or pays for GPUs that it does not use."""
    service.add_cluster("cpus", vm_size="STANDARD_D2_V2")
    out = run(
        service,
        """
right = dict(workspace=workspace, experiment="e", compute="cluster", source_directory="source", gpu=True)
for changes in [{"compute": "missing"}, {"nodes": 3}, {"gpu": False}, {"compute": "cpus"}]:
    try:
        submit("train.py", **right | changes)
    except SettingsError as error:
        print("refused:", error)
try:
    submit("train.py", **right, sdk="v2")
except MissingExtraError as error:
    print(error)
""",
    )
    refusals = [line for line in out.splitlines() if line.startswith("refused:")]
    for refusal, message in zip(refusals, ("no cluster", "at most 2", "has GPUs", "has no GPU"), strict=True):
        assert message in refusal
    assert "pianoroll-seq2seq[azureml-v2]" in out
    assert not [request for request in service.requests if "/execution/" in request.path or "/content/" in request.path]


def test_an_environment_file_is_sent_as_it_is(service):
    (service.folder / "environment.yml").write_text("name: mine\ndependencies: [python=3.11, {pip: [torch==2.13.0]}]\n")
    run(
        service,
        "submit('train.py', workspace=workspace, experiment='e', compute='cluster', source_directory='source', "
        "gpu=True, environment='environment.yml')",
    )
    environment = configuration(service)["environment"]
    assert environment["python"]["condaDependencies"]["dependencies"] == ["python=3.11", {"pip": ["torch==2.13.0"]}]
    assert "cuda" in environment["docker"]["baseImage"]


def test_waiting_shows_the_log_and_a_run_can_be_cancelled(service):
    service.statuses["known-run"] = ["Running", "Completed"]
    service.logs["known-run"] = "epoch 1\nepoch 2\n"
    out = run(
        service,
        """
from pianoroll_seq2seq.backends.azureml import find_submission
done = find_submission("known-run", workspace=workspace)
print(done.wait(show_log=True))
begun = submit("train.py", workspace=workspace, experiment="e", compute="cluster", source_directory="source", gpu=True)
again = find_submission(begun.id, workspace=workspace)
again.cancel()
print(again.id == begun.id, begun.status())
""",
    )
    assert "epoch 1\nepoch 2" in out
    assert "Completed" in out
    assert out.splitlines()[-1] == "True Canceled"
    assert len(service.cancelled) == 1


def test_the_handle_waits_reads_and_fetches(service):
    """A run that has logged two figures and left two files, one of which was fetched before."""
    run_id = "known-run"
    service.statuses[run_id] = ["Completed"]
    service.metrics += [Metric(run_id, "roll", None, "a picture")]
    service.kinds[run_id, "roll"] = {
        "columns": {"roll": "Artifact"},
        "properties": {"uxMetricType": "azureml.v1.image"},
    }
    service.metrics += [Metric(run_id, "train_loss", step, loss) for step, loss in ((20, 1.0), (10, 2.0))]
    kind = {"columns": {"train_loss": "Double"}, "properties": {"uxMetricType": "azureml.v1.scalar"}}
    service.kinds[run_id, "train_loss"] = kind
    service.files[f"dcid.{run_id}/outputs/run/generated.mid"] = b"MThd"
    service.files[f"dcid.{run_id}/outputs/run/scores.json"] = b"{}"
    service.files[f"dcid.{run_id}/logs/azureml.log"] = b"log"
    (service.folder / "music" / "run").mkdir(parents=True)
    (service.folder / "music" / "run" / "scores.json").write_bytes(b"mine")
    out = run(
        service,
        """
import json
from pianoroll_seq2seq.backends.azureml import find_submission
done = find_submission("known-run", workspace=workspace)
print(done.wait())
print(json.dumps(done.metrics()))
print([path.as_posix() for path in done.fetch("music")])
""",
    )
    assert out.splitlines()[-3:] == [
        "Completed",
        '{"train_loss": [2.0, 1.0]}',
        "['music/run/generated.mid', 'music/run/scores.json']",
    ]
    assert (service.folder / "music" / "run" / "generated.mid").read_bytes() == b"MThd"
    assert (service.folder / "music" / "run" / "scores.json").read_bytes() == b"mine"
    assert {path.name for path in (service.folder / "music" / "run").iterdir()} == {"generated.mid", "scores.json"}


def test_the_example_submits_itself_to_run_there(service):
    """The node gets the same script with the same arguments, without those that say where to run."""
    service.add_cluster("cluster", vm_size="STANDARD_D2_V2")
    example = Path(__file__).parents[2] / "examples" / "train_scale_chords.py"
    out = run(
        service,
        f"""
import runpy
Workspace.from_config = lambda: workspace
main = runpy.run_path({str(example)!r})["main"]
print(main(["--compute", "azureml", "--cluster", "cluster", "--nodes", "2", "--epochs", "50", "--seed", "3"]))
print(main(["--compute", "azureml", "--midi-dir", "my_midi"]))
""",
    )
    sent = configuration(service)
    assert sent["script"] == "train_scale_chords.py"
    arguments = [str(argument) for argument in sent["arguments"]]
    assert "--compute" not in arguments
    assert arguments[arguments.index("--epochs") + 1] == "50"
    assert arguments[arguments.index("--seed") + 1] == "3"
    assert arguments[arguments.index("--output") + 1] == "outputs/scale_chords"
    assert sent["pytorch"] == {"communicationBackend": "gloo", "processCount": 2, "nodeCount": 2}
    assert "submitted scale-chords_" in out
    assert out.splitlines()[-1] == "2"  # a folder on this machine is refused
