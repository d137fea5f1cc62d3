"""Runs that write music, from the command to the files: the real clients, a stand-in of the service, and Azurite.

The node is a process in a folder with the files that were sent, started as the service starts it.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from azureml_processes import run
from azureml_service import Service, running
from azurite import ACCOUNT, KEY, Azurite, azurite
from layouts import active_windows

from pianoroll_seq2seq.cli.main import main
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.train import fit

__all__ = ["azurite"]
pytestmark = pytest.mark.azureml
EXAMPLES = Path(__file__).parents[2] / "examples" / "azureml"
PITCHES = PitchRange(55, 72)
BEGIN = """
from pianoroll_seq2seq.cli.main import main
Workspace.from_config = lambda: workspace
job = ["--compute", "cluster", "--gpu"]
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two epochs."""
    active = np.random.default_rng(0).random((120, len(PITCHES))) < 0.2
    windows = active_windows([PianoRoll.from_active(active, pitches=PITCHES)], input_frames=8, target_frames=8, hop=2)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    fit(
        Seq2SeqLSTM(windows.layout, hidden_size=8),
        windows,
        windows,
        epochs=2,
        batch_size=8,
        checkpoint_dir=folder,
        progress=False,
    )
    return folder


@pytest.fixture
def service(tmp_path, trained):
    """A workspace with a cluster, and with an earlier run that a tracker has given a copy of its best checkpoint."""
    with running(tmp_path) as service:
        service.add_cluster("cluster")
        for name in ("outputs/run/best.safetensors", "outputs/run/last.safetensors", "tracked/best.safetensors"):
            service.files[f"dcid.earlier/{name}"] = (trained / Path(name).name).read_bytes()
        service.files["dcid.without/outputs/run/music.mid"] = b"MThd"
        service.missing_runs.add("none")
        yield service


def node(service: Service, run_id: str, place: Path, *, stored: Path | None = None, **variables: str) -> str:
    """Runs what was sent, as the service does; returns what it prints."""
    definition = service.definitions[run_id]
    for name, content in service.files.items():
        if name.startswith("snapshot/"):
            path = place / name.removeprefix("snapshot/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    arguments = [str(word) for word in definition["arguments"]]
    if stored is not None:
        arguments = [word.replace("$AZUREML_DATAREFERENCE_model", str(stored)) for word in arguments]
    assert not [word for word in arguments if "$" in word]
    done = subprocess.run(
        [sys.executable, definition["script"], *arguments],
        env=service.environment(run_id, **variables) | definition["environmentVariables"],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not service.unknown
    return done.stdout + done.stderr


def check(service: Service, run_id: str, folder: Path) -> dict[str, Any]:
    """Checks the files of a run, and that it has logged their metrics beside the losses; returns the metrics."""
    for number in (1, 2):
        assert (folder / f"piece-{number}.mid").read_bytes().startswith(b"MThd")
        assert (folder / f"piece-{number}.png").read_bytes().startswith(b"\x89PNG")
    record: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    for name in ("polyphony", "scale_consistency", "repeated_frames"):
        (logged,) = service.values(f"music_{name}", run_id).values()
        assert logged == record["metrics"][name]
    for name in ("train_loss", "valid_loss"):
        assert list(service.values(name, run_id)) == [record["trained"]["step"]]
    return record


@pytest.mark.parametrize(
    "named",
    [
        ("azureml:scale-chords", "azureml:scale-chords:1"),
        ("azureml://jobs/earlier", "azureml://jobs/earlier/outputs/artifacts/paths/outputs/run/best.safetensors"),
        ("azureml://datastores/music/paths/runs/7", "$AZUREML_DATAREFERENCE_model"),
        ("BLOB/runs/7", "BLOB/runs/7"),
    ],
    ids=["registered", "run", "datastore", "container"],
)
def test_the_places_of_a_model(service, trained, tmp_path, azurite: Azurite, named):
    """A model cannot be opened on the node, another one is, or its music does not get into the container."""
    container = azurite.new_container()
    root = f"{azurite.url}/{container}"
    address, argument = (text.replace("BLOB", root) for text in named)
    with azurite.container_client(container) as client:
        client.create_container()
        for name in ("best.safetensors", "last.safetensors"):
            client.upload_blob(f"runs/7/{name}", (trained / name).read_bytes())
    account = {"STORAGE_ACCOUNT_NAME": ACCOUNT, "STORAGE_ACCOUNT_KEY": KEY}
    options = ["--beats", "4", "--count", "2", "--seed", "3"]
    run(
        service,
        f"""import os; os.environ |= {account!r}
{BEGIN}
if "scale-chords" in {address!r}:
    register_checkpoint({str(trained / "best.safetensors")!r}, workspace=workspace, name="scale-chords")
words = [*{options!r}, "--store", "{root}/music", "--wav"]
assert main(["submit", "generate", "--model", {address!r}, *words, *job]) == 0
""",
    )
    ((run_id, definition),) = service.definitions.items()
    assert definition["arguments"][definition["arguments"].index("--model") + 1] == argument
    if argument.startswith("$"):
        reference = definition["dataReferences"]["model"]
        assert (reference["dataStoreName"], reference["pathOnDataStore"]) == ("music", "runs/7")
        assert reference["mode"] == "download"
    printed = node(service, run_id, tmp_path / "node", stored=trained, **account)
    music = tmp_path / "node" / "outputs" / "music"
    record = check(service, run_id, music)
    assert record["model"] == argument.replace("$AZUREML_DATAREFERENCE_model", str(trained))
    assert main(["generate", "--model", str(trained), *options, "--output", str(tmp_path / "here.mid")]) == 0
    here, there = (
        PianoRoll.from_midi(path, pitches=PITCHES) for path in (tmp_path / "here-2.mid", music / "piece-2.mid")
    )
    assert here == there
    written = ["metrics.json", *(f"piece-{n}.{ending}" for n in (1, 2) for ending in ("mid", "png", "wav"))]
    with azurite.container_client(container) as client:
        assert [blob.name for blob in client.list_blobs("music/")] == [f"music/{run_id}/{name}" for name in written]
        copied = client.download_blob(f"music/{run_id}/piece-2.mid").readall()
    assert copied == (music / "piece-2.mid").read_bytes()
    assert KEY not in printed
    assert not [request.path for request in service.requests if KEY.encode() in request.body]
    assert not [name for name, content in service.files.items() if KEY.encode() in content]


def test_a_model_that_is_not_there_is_not_sent(service, trained):
    """A run waits for a machine, and fails for a misspelt name, a wrong version, or a run without a checkpoint."""
    out = run(
        service,
        BEGIN
        + f"""
from pianoroll_seq2seq.backends.azureml import find_model
register_checkpoint({str(trained / "best.safetensors")!r}, workspace=workspace, name="scale-chords")
for address in (
    "azureml:scale-chrods", "azureml:scale-chords:2", "azureml://jobs/none", "azureml://jobs/without",
    "azureml://jobs/earlier/outputs/artifacts/paths/outputs/walk", "azureml://datastores/muzik/paths/runs/7",
    "azureml://datastores/music/paths/runs/best.safetensors",
):
    print("refused:", main(["submit", "generate", "--model", address, *job]))
print(find_model("azureml://jobs/earlier/outputs/artifacts/paths/outputs/run/last.safetensors", workspace=workspace))
""",
    )
    assert out.count("refused: 2") == 7
    assert "RunFile(run_id='earlier', path='outputs/run/last.safetensors')" in out
    assert not service.definitions
    assert not service.sent("POST", "/snapshots/")


def test_the_example_submits_itself_and_runs_there(service, tmp_path):
    run(
        service,
        BEGIN
        + f"""
import sys
sys.path.insert(0, {str(EXAMPLES)!r})
import generate_music
words = ["--submit-to", "cluster", "--gpu", "--count", "2", "--beats", "4"]
assert generate_music.main(["--model", "azureml://jobs/earlier", *words]) == 0
assert generate_music.main(["--model", "azureml://jobs/none", *words]) == 2
""",
    )
    (run_id,) = service.definitions
    assert service.definitions[run_id]["script"] == "azureml/generate_music.py"
    printed = node(service, run_id, tmp_path / "node")
    assert "music_polyphony" in printed
    music = tmp_path / "node" / "outputs" / "music"
    figures = json.loads((music / "metrics.json").read_text())
    assert list(service.values("music_polyphony", run_id).values()) == [figures["music_polyphony"]]
    assert {path.name for path in music.iterdir()} >= {"piece-1.mid", "piece-2.mid", "piece-2.png"}
