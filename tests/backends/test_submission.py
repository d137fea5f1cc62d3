"""Submitting to Azure ML: the real client, in a process of its own, against a stand-in of the service."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from azureml_service import Metric, Service, running

pytestmark = pytest.mark.azureml

BEGIN = """
import azureml_service
from azureml.core import Workspace
from azureml.core.authentication import TokenAuthentication
from pianoroll_seq2seq.backends.azureml import submit
from pianoroll_seq2seq.errors import SettingsError
workspace = Workspace(
    "sub", "group", "ws", auth=TokenAuthentication(lambda audience: azureml_service.token()),
    _location="westeurope", _disable_service_check=True,
)
"""


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as service:
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "train.py").write_text("print('trained')\n")
        service.targets["cluster"] = {
            "id": "cluster",
            "name": "cluster",
            "location": "westeurope",
            "properties": {
                "computeType": "AmlCompute",
                "provisioningState": "Succeeded",
                "properties": {"vmSize": "STANDARD_NC6S_V3", "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 2}},
            },
        }
        yield service


def run(service: Service, script: str) -> str:
    environment = {name: value for name, value in service.environment().items() if not name.startswith("AZUREML_")}
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script],
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[1])},
        cwd=service.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not service.unknown
    return done.stdout


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
    environment_variables={"OMP_NUM_THREADS": "1"}, shared_memory="4g", tags={"article": "2017"},
)
print(done.id)
print(done.url)
print(repr(done))
""",
    )
    sent = configuration(service)
    assert sent["script"] == "train.py"
    assert sent["arguments"] == ["--epochs", 10, "--device", "cuda"]
    assert sent["target"] == "cluster"
    assert sent["framework"].lower() == "pytorch"
    assert sent["nodeCount"] == 2
    assert sent["pytorch"] == {"communicationBackend": "nccl", "processCount": 8, "nodeCount": 2}  # 8 in all
    assert sent["docker"]["shmSize"] == "4g"
    environment = sent["environment"]
    assert sent["environmentVariables"]["OMP_NUM_THREADS"] == "1"
    assert "cuda" in environment["docker"]["baseImage"]
    (pip,) = [each["pip"] for each in environment["python"]["condaDependencies"]["dependencies"] if "pip" in each]
    assert any(each.startswith("pianoroll-seq2seq[plot,azureml]==") for each in pip)
    assert any(each.startswith("torch==") and "+" not in each for each in pip)
    assert out.splitlines()[0].startswith("scale-chords_")
    assert "train.py" in str(service.sent("POST", "/snapshots/getblob")[0].json)
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


def test_nonsense_is_refused_before_any_request(service):
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
    (("train.py",), {}),  # the folder is too large
]:
    try:
        submit(*arguments, **right | changes)
    except SettingsError as error:
        print("refused:", str(error)[:60])
""",
    )
    assert out.count("refused:") == 7
    assert not [request for request in service.requests if "/execution/" in request.path or "/history/" in request.path]


def test_the_handle_waits_reads_and_fetches(service):
    """A run that has logged two figures and left two files, one of which was fetched before."""
    run_id = "known-run"
    service.statuses[run_id] = ["Completed"]
    service.metrics += [Metric(run_id, "train_loss", step, loss) for step, loss in ((10, 2.0), (20, 1.0))]
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
from azureml.core import Experiment, Run
from pianoroll_seq2seq.backends.azureml import Submission
done = Submission("known-run", "", Run(Experiment(workspace, "e"), "known-run"))
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


def test_the_example_submits_itself_and_is_told_to_run_there(service):
    """What arrives on the node is the same script with the same arguments, but for where to run."""
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
