"""Runs that write music by SDK v2: the real clients against a stand-in of the service."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from azureml_service import REGION, WORKSPACE, Request, Service, token
from azureml_v2_service import kept, run, running, sent

pytestmark = pytest.mark.azureml_v2
TRAIN = """
import numpy as np, torch
from pianoroll_seq2seq import PianoRoll, PitchRange, Seq2SeqLSTM, SlidingWindows, fit
pitches = PitchRange(55, 72)
active = np.random.default_rng(0).random((120, len(pitches))) < 0.2
windows = SlidingWindows([PianoRoll.from_active(active, pitches=pitches)], input_frames=8, target_frames=8, hop=2)
torch.manual_seed(0)
fit(Seq2SeqLSTM(windows.layout, hidden_size=8), windows, windows, epochs=2, batch_size=8, checkpoint_dir="trained",
    progress=False)
register_checkpoint("trained/best.safetensors", workspace=workspace, name="scale-chords", sdk="v2")
"""
BEGIN = """
from pianoroll_seq2seq.cli.main import main
from pianoroll_seq2seq.backends.azureml import find_model
MLClient.from_config = lambda credential: workspace
job = ["--compute", "cluster", "--gpu", "--sdk", "v2"]
short = ["--beats", "4", "--count", "2", "--seed", "3"]
"""


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as service:
        yield service


def with_files(service: Service, *names: str) -> None:
    """Gives every job these files when it is submitted."""

    def begin(request: Request) -> None:
        if request.method == "PUT" and "/jobs/" in request.path:
            name = request.path.partition("/jobs/")[2].partition("?")[0]
            service.files |= {f"dcid.{name}/{file}": b"checkpoint" for file in names}

    service.fault = begin


def node(service: Service, job: dict, place: Path, folder: Path) -> str:
    """Runs a job as the service does, with ``folder`` as the model's; returns what it prints."""
    (code,) = sent("codes")
    start = code["codeUri"].removeprefix("https://account.blob.core.windows.net/stored").lstrip("/") + "/"
    for name, content in service.files.items():
        if name.startswith(start):
            (place / name.removeprefix(start)).parent.mkdir(parents=True, exist_ok=True)
            (place / name.removeprefix(start)).write_bytes(content)
    program, *words = shlex.split(job["command"].replace("${{inputs.model}}", shlex.quote(str(folder))))
    assert program == "python"
    variables = {
        "MLFLOW_TRACKING_URI": f"azureml://{REGION}/mlflow/v1.0{WORKSPACE}",
        "MLFLOW_TRACKING_TOKEN": token(),
        "MLFLOW_RUN_ID": "job",
        "MLFLOW_EXPERIMENT_ID": "1",
        "AZUREML_RUN_ID": "job",
        "SSL_CERT_FILE": os.fspath(service.folder / "ca.pem"),
    }
    environment = {name: value for name, value in service.environment().items() if not name.startswith("AZUREML_")}
    done = subprocess.run(
        [sys.executable, *words],
        env=environment | variables | job["environmentVariables"],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not service.unknown
    return done.stdout + done.stderr


def test_a_registered_model_writes_music(service, tmp_path):
    """The job does not get the model, or its music and metrics are lost."""
    words = '"submit", "generate", "--model", "azureml:scale-chords", *job, *short'
    run(service, f"{TRAIN}{BEGIN}assert main([{words}]) == 0")
    (job,) = sent("jobs")
    found = job["inputs"]["model"]
    assert (found["jobInputType"], found["mode"]) == ("custom_model", "Download")
    assert found["uri"].endswith("/models/scale-chords/versions/1")
    assert job["tags"] == {"model": "azureml:scale-chords:1"}
    (model,) = sent("models")
    folder = tmp_path / "mounted"
    for name, content in service.files.items():
        if name.startswith(model["modelUri"].partition("/paths/")[2]):
            (folder / Path(name).name).parent.mkdir(exist_ok=True)
            (folder / Path(name).name).write_bytes(content)
    assert (folder / "best.safetensors").is_file()
    printed = node(service, job, tmp_path / "node", folder)
    assert "c2lnbmF0dXJl" not in printed
    music = tmp_path / "node" / "outputs" / "music"
    record = json.loads((music / "metrics.json").read_text())
    step = record["trained"]["step"]
    assert service.values("music_polyphony", "job") == {step: record["metrics"]["polyphony"]}
    assert service.values("valid_loss", "job") == {step: record["trained"]["valid_loss"]}
    assert {path.name for path in music.iterdir()} == {
        "metrics.json",
        *(f"piece-{number}.{ending}" for number in (1, 2) for ending in ("mid", "png")),
    }
    assert service.files["dcid.job/piece-1.mid"] == (music / "piece-1.mid").read_bytes()


def test_the_other_places_of_a_model(service):
    """The job gets another checkpoint, or a missing one is found when a machine has started."""
    with_files(service, "outputs/run/best.safetensors", "outputs/run/last.safetensors", "best.safetensors")
    out = run(
        service,
        TRAIN
        + BEGIN
        + """
open("train.py", "w").write("print()")
earlier = submit("train.py", workspace=workspace, experiment="e", compute="cluster", source_directory=".", gpu=True,
                 sdk="v2")
print(earlier.file_names())
print([path.as_posix() for path in earlier.fetch("here", prefix="outputs/")])
for address in (f"azureml://jobs/{earlier.id}", "azureml://datastores/music/paths/runs/7",
                "https://acme.blob.core.windows.net/music/runs/7"):
    assert main(["submit", "generate", "--model", address, *job]) == 0
for address in ("azureml:scale-chrods", "azureml:scale-chords:2", "azureml://jobs/none",
                "azureml://datastores/muzik/paths/runs/7",
                f"azureml://jobs/{earlier.id}/outputs/artifacts/paths/outputs/walk"):
    print("refused:", main(["submit", "generate", "--model", address, *job]))
""",
    )
    assert "['best.safetensors', 'outputs/run/best.safetensors', 'outputs/run/last.safetensors']" in out
    assert "['here/run/best.safetensors', 'here/run/last.safetensors']" in out
    assert out.count("refused: 2") == 5
    earlier, of_run, stored, blob = (each for name, each in kept.items() if "/jobs/" in name)
    files = of_run["properties"]["inputs"]["model"]
    assert files["jobInputType"] == "uri_file"
    place = f"datastores/workspaceartifactstore/paths/ExperimentRun/dcid.{earlier['name']}/outputs/run/best.safetensors"
    assert files["uri"].endswith(place)
    assert stored["properties"]["inputs"]["model"]["uri"].endswith("datastores/music/paths/runs/7")
    assert not blob["properties"].get("inputs")
    words = shlex.split(blob["properties"]["command"])
    assert words[words.index("--model") + 1] == "https://acme.blob.core.windows.net/music/runs/7"
