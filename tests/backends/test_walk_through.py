"""The scripts of examples/azureml, one after another: the real client against a stand-in of the service."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from azureml_processes import run
from azureml_service import Metric, running
from layouts import active_windows

from pianoroll_seq2seq.backends.azureml import environments
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.train import fit

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "azureml"
BEGIN = f"""
import sys
sys.path.insert(0, {str(EXAMPLES)!r})
Workspace.from_config = lambda: workspace
"""


@pytest.mark.parametrize("script", ["make_cluster", "submit_epochs", "compare_runs", "fetch_music", "generate_music"])
def test_help_needs_no_client(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{script}.py", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "examples/azureml/" in done.stdout


@pytest.mark.parametrize(("name", "sdk"), [("environment.yml", "v1"), ("environment-v2.yml", "v2")])
def test_the_environment_files_have_what_is_tested(name: str, sdk: environments.Sdk) -> None:
    """An outdated file has versions that were never tested together."""
    listed = re.findall(r"^ {6}- (\S+)$", (EXAMPLES / name).read_text(), flags=re.MULTILINE)
    assert [re.split("==", each)[0] for each in listed] == [
        re.split("==", each)[0] for each in environments.packages(sdk)
    ]
    pins = set((ROOT / "constraints.txt").read_text().splitlines())
    tested = {each.partition("==")[0] for each in pins}
    # The packages of SDK v2 need older versions of some.
    here = [each for each in listed if sdk == "v1" or not each.startswith(("azure", "mlflow"))]
    assert not [each for each in here if each.partition("==")[0] in tested and each not in pins]


def made(folder: Path) -> dict[str, bytes]:
    """The files of a run."""
    active = np.random.default_rng(0).random((60, 18)) < 0.2
    rolls = [PianoRoll.from_active(active, pitches=PitchRange(55, 72))]
    windows = active_windows(rolls, input_frames=8, target_frames=4, hop=2)
    torch.manual_seed(0)
    fit(Seq2SeqLSTM(18, hidden_size=8), windows, epochs=1, batch_size=8, checkpoint_dir=folder, progress=False)
    scores = {"test": {"model": {"all": {"nats": 0.5, "f1": 0.75}}}}
    return {
        "generated.mid": b"MThd",
        "scores.json": json.dumps(scores).encode(),
        "best.safetensors": (folder / "best.safetensors").read_bytes(),
    }


@pytest.mark.azureml
def test_from_a_cluster_to_music_and_a_registered_model(tmp_path):
    with running(tmp_path) as service:
        out = run(
            service,
            BEGIN
            + """
import make_cluster, submit_epochs
print(make_cluster.main(["gpu-cluster", "--max-nodes", "2"]))
print(submit_epochs.main(["--gpu"]))
print(submit_epochs.main(["--gpu"]))
""",
        )
        assert "gpu-cluster created: up to 2 of STANDARD_NC4AS_T4_V3, 1 GPUs each" in out
        assert out.count("was submitted before") == 3
        runs = json.loads((tmp_path / "runs" / "azureml" / "runs.json").read_text())["runs"]
        assert list(runs) == ["10", "50", "100"]
        assert len(set(runs.values())) == 3
        sent = {run: found["arguments"] for run, found in service.definitions.items()}
        assert [sent[run][sent[run].index("--epochs") + 1] for run in runs.values()] == [10, 50, 100]

        files = made(tmp_path / "run")
        for epochs, name in runs.items():
            if epochs != "100":  # that one has only begun
                service.statuses[name] = ["Completed"]
                for metric, start in (("train_loss", 6.0), ("valid_loss", 7.0)):
                    service.kinds[name, metric] = {
                        "columns": {metric: "Double"},
                        "properties": {"uxMetricType": "azureml.v1.scalar"},
                    }
                    values = [Metric(name, metric, step, start / step) for step in range(1, int(epochs) + 1)]
                    service.metrics += reversed(values)
                service.files |= {f"dcid.{name}/outputs/scale_chords/{key}": data for key, data in files.items()}
        out = run(
            service,
            BEGIN
            + """
import compare_runs, fetch_music
print(compare_runs.main([]))
print(fetch_music.main(["--register", "scale-chords"]))
""",
        )
    rows = json.loads((tmp_path / "runs" / "azureml" / "comparison.json").read_text())["rows"]
    assert [(row["epochs"], row["logged"], row["best epoch"]) for row in rows] == [("10", 10, 10), ("50", 50, 50)]
    assert [(row["train loss"], row["valid loss"]) for row in rows] == [(0.6, 0.7), (0.12, 0.14)]
    assert (tmp_path / "runs" / "azureml" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert "has logged nothing yet" in out
    assert "Listen to runs/azureml/epochs-10/generated.mid." in out
    assert (tmp_path / "runs" / "azureml" / "epochs-50" / "generated.mid").read_bytes() == b"MThd"
    assert [model["kvTags"]["epochs"] for model in service.models] == ["10", "50"]
    assert service.models[0]["kvTags"]["test_nats"] == "0.5"
    assert "registered as scale-chords, version 2" in out
