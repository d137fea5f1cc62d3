"""Models in a workspace: the real client, in a process of its own, against a stand-in of the service."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from layouts import active_windows

from pianoroll_seq2seq.backends.azureml.models import register_checkpoint, write_model_folder
from pianoroll_seq2seq.errors import CheckpointError, CheckpointNotFoundError, OverwriteError, SettingsError
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.serving import load_service
from pianoroll_seq2seq.train import fit

PITCHES = PitchRange(55, 72)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    active = np.random.default_rng(0).random((60, len(PITCHES))) < 0.2
    windows = active_windows([PianoRoll.from_active(active, pitches=PITCHES)], input_frames=8, target_frames=4, hop=2)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    fit(
        Seq2SeqLSTM(len(PITCHES), hidden_size=8), windows, epochs=1, batch_size=8, checkpoint_dir=folder, progress=False
    )
    return folder / "best.safetensors"


def test_the_folder_has_the_checkpoint_and_its_card(checkpoint: Path, tmp_path: Path) -> None:
    folder = write_model_folder(checkpoint, tmp_path / "model", metrics={"test_nats": 0.25})
    assert sorted(path.name for path in folder.iterdir()) == ["best.safetensors", "card.json"]
    card = json.loads((folder / "card.json").read_text())
    assert card["model"]["class"].endswith(":Seq2SeqLSTM")
    assert card["metrics"] == {"test_nats": 0.25}
    assert card["trained"]["data"]["layout"]["settings"]["pitches"]["settings"] == {"lowest": 55, "highest": 72}
    assert load_service(folder / card["checkpoint"]).layout.pitches == PITCHES


def test_a_file_that_is_not_a_model_is_not_registered(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError):
        write_model_folder(tmp_path / "missing.safetensors", tmp_path / "model")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(checkpoint.read_bytes()[:-1])
    with pytest.raises(CheckpointError):
        write_model_folder(damaged, tmp_path / "model")
    with pytest.raises(SettingsError, match="test_nats must be finite"):
        write_model_folder(checkpoint, tmp_path / "model", metrics={"test_nats": float("nan")})
    assert not (tmp_path / "model").exists()
    (tmp_path / "model").mkdir()
    with pytest.raises(OverwriteError):
        write_model_folder(checkpoint, tmp_path / "model")


@pytest.mark.parametrize("name", ["", "my model", "-model", "x" * 256])
def test_names_that_the_workspace_does_not_accept(checkpoint: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="name must be"):
        register_checkpoint(checkpoint, workspace=None, name=name)


@pytest.mark.azureml
def test_a_registered_checkpoint_has_its_card_and_metrics_and_can_be_served(checkpoint, tmp_path):
    from azureml_processes import run
    from azureml_service import running

    with running(tmp_path) as service:
        out = run(
            service,
            f"""
for nats in (0.5, 0.25):
    print(register_checkpoint({str(checkpoint)!r}, workspace=workspace, name="scale-chords",
                              metrics={{"test_nats": nats}}, tags={{"article": "2017"}}))
""",
        )
    assert "RegisteredModel(name='scale-chords', version='2')" in out
    first, second = service.models
    assert first["kvTags"] | {"test_nats": "0.25"} == second["kvTags"]
    assert second["kvTags"] == {"test_nats": "0.25", "model": "Seq2SeqLSTM", "article": "2017"}
    assert len(second["properties"]["sha256"]) == 64
    assert second["url"] == "aml://asset/1"
    ((prefix,),) = [[each["prefix"] for each in asset["artifacts"]] for asset in service.assets[1:]]
    stored = {name: content for name, content in service.files.items() if name.startswith(prefix.partition("/")[2])}
    model_dir = tmp_path / "azureml-models"  # as the service lays it out
    for name, content in stored.items():
        place = model_dir / "scale-chords" / "2" / name.rpartition("/")[2]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (found,) = model_dir.rglob("*.safetensors")
    assert found.read_bytes() == checkpoint.read_bytes()
    assert load_service(found).layout.pitches == PITCHES
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".register-")]
