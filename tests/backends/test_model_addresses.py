"""Addresses of models: what they name, and which checkpoint is meant."""

import socket
import time
from pathlib import Path

import pytest
from azurite import ACCOUNT, KEY, Azurite, azurite

from pianoroll_seq2seq import FrameLayout, Seq2SeqLSTM, checkpoint, open_model, save_pretrained
from pianoroll_seq2seq.backends.azureml import sdk_v1
from pianoroll_seq2seq.backends.azureml.data import BlobFile, RegisteredModel, RunFile, StoredFolder
from pianoroll_seq2seq.backends.azureml.model_addresses import (
    choose_checkpoint,
    fetch_model,
    find_model,
    is_model_address,
    parse_model_address,
)
from pianoroll_seq2seq.errors import CheckpointNotFoundError, SettingsError, StoreAccessError
from pianoroll_seq2seq.pitches import PitchRange

__all__ = ["azurite"]
BLOB = "https://acme.blob.core.windows.net/music/runs/7"


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("azureml:scale-chords", RegisteredModel("scale-chords", "latest")),
        ("azureml:scale-chords@latest", RegisteredModel("scale-chords", "latest")),
        ("azureml:scale-chords:12", RegisteredModel("scale-chords", "12")),
        ("azureml://jobs/calm_bean_1", RunFile("calm_bean_1", "")),
        ("azureml://jobs/r/outputs/artifacts/paths/outputs/run/", RunFile("r", "outputs/run")),
        ("azureml://datastores/music/paths/runs/7", StoredFolder("music", "runs/7", "download")),
        (BLOB, BlobFile(BLOB)),
    ],
)
def test_what_an_address_names(address: str, named: object) -> None:
    """Another model than the one that was named writes the music."""
    assert is_model_address(address)
    assert parse_model_address(address) == named


@pytest.mark.parametrize(
    "address", ["azure://music/x", "runs:/1/model", "azureml:", "azureml:a:b:c", "azureml://runs/1"]
)
def test_other_addresses_are_refused(address: str) -> None:
    """A misspelt address is taken for a path, and the error speaks of a missing file."""
    with pytest.raises(SettingsError, match="Expected azureml:NAME:VERSION"):
        parse_model_address(address)


@pytest.mark.parametrize(
    "address",
    [
        f"{BLOB}?sv=1&sig=c2VjcmV0",
        "azureml://datastores/music?sig=c2VjcmV0",
        "azureml://datastores/music?sig=c2VjcmV0/paths/7",
        "azureml://datastores/music/paths/7?sig=c2VjcmV0",
        "azureml:scale-chords?sig=c2VjcmV0",
        "azureml://jobs/scale-chords_1?sig=c2VjcmV0",
    ],
)
def test_an_address_with_a_secret_is_refused(address: str) -> None:
    """The signature is sent with the run, for everyone to read, or printed."""
    with pytest.raises(SettingsError) as refused:
        parse_model_address(address)
    assert "c2VjcmV0" not in str(refused.value)


@pytest.mark.parametrize("path", ["runs/mine", "bach-chorales", "best.safetensors", "C:\\runs\\mine"])
def test_paths_and_names_are_no_addresses(path: str) -> None:
    assert not is_model_address(path)


def test_which_checkpoint_is_meant() -> None:
    """The newest checkpoint writes the music instead of the best."""
    names = ["a/last.safetensors", "a/best.safetensors", "a/music.mid"]
    assert choose_checkpoint(names, "the run", "") == "a/best.safetensors"
    assert choose_checkpoint(["model.safetensors"], "the run", "") == "model.safetensors"
    with pytest.raises(CheckpointNotFoundError, match="the run has no checkpoint"):
        choose_checkpoint(["a/music.mid"], "the run", "")
    with pytest.raises(CheckpointNotFoundError, match=r"2 checkpoints: a/1\.safetensors, a/2\.safetensors\. Name one"):
        choose_checkpoint(["a/2.safetensors", "a/1.safetensors"], "the run", "Name one.")
    with pytest.raises(CheckpointNotFoundError, match="2 checkpoints"):
        choose_checkpoint(["a/best.safetensors", "b/best.safetensors"], "the run", "")


def test_a_folder_on_this_machine(tmp_path: Path) -> None:
    """The folder that the service has downloaded is not opened."""
    model = Seq2SeqLSTM(FrameLayout(pitches=PitchRange(60, 71), planes=("active",)), hidden_size=8)
    (tmp_path / "run").mkdir()
    checkpoint.save(model, tmp_path / "run" / "best.safetensors")
    assert fetch_model(tmp_path) == tmp_path / "run" / "best.safetensors"
    assert fetch_model(tmp_path / "run" / "best.safetensors") == tmp_path / "run" / "best.safetensors"
    shared = save_pretrained(model, tmp_path / "registered" / "shared")
    assert fetch_model(tmp_path / "registered") == shared
    assert open_model(fetch_model(tmp_path / "registered")).pitches == PitchRange(60, 71)
    with pytest.raises(SettingsError, match="gets as a path"):
        fetch_model("azureml://datastores/music/paths/runs/7")


def test_a_checkpoint_in_a_container(azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model in Azure Storage cannot be opened by its address, or a missing one is found when the run has begun."""
    monkeypatch.setenv("STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("STORAGE_ACCOUNT_KEY", KEY)
    layout = FrameLayout(pitches=PitchRange(60, 71), planes=("active",))
    shared = save_pretrained(Seq2SeqLSTM(layout, hidden_size=8), tmp_path / "shared")
    checkpoint.save(Seq2SeqLSTM(layout, hidden_size=8), tmp_path / "best.safetensors")
    container = azurite.new_container()
    with azurite.container_client(container) as client:
        client.create_container()
        for name in ("best.safetensors", "last.safetensors"):
            client.upload_blob(f"runs/7/{name}", (tmp_path / "best.safetensors").read_bytes())
        for path in shared.iterdir():
            client.upload_blob(f"shared/{path.name}", path.read_bytes())
        client.upload_blob("notes/readme.txt", b"none here")
    root = f"{azurite.url}/{container}"
    for number, place in enumerate(("runs/7", "runs/7/best.safetensors", "runs/7/last.safetensors", "shared")):
        path = fetch_model(f"{root}/{place}", tmp_path / str(number))
        assert open_model(path).pitches == PitchRange(60, 71)
        assert path.name == {2: "last.safetensors", 3: "3"}.get(number, "best.safetensors")
    for place in ("notes", "runs/8", "runs/7/none.safetensors"):
        with pytest.raises(CheckpointNotFoundError, match="no checkpoint"):
            fetch_model(f"{root}/{place}", tmp_path / "none")
    monkeypatch.setenv("STORAGE_ACCOUNT_KEY", "b3RoZXI=")
    with pytest.raises(StoreAccessError):
        fetch_model(f"{root}/runs/7", tmp_path / "refused")


def test_an_unknown_client() -> None:
    with pytest.raises(SettingsError, match="sdk must be one of"):
        find_model("azureml:a", workspace=None, sdk="v3")  # type: ignore[arg-type]


def test_a_container_out_of_reach_does_not_hold_up_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A private network, which only the cluster is in, costs minutes of trying again, and the run is not sent."""
    monkeypatch.setenv("STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("STORAGE_ACCOUNT_KEY", KEY)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"waits {seconds} s to try again"))
    monkeypatch.setattr(sdk_v1, "check_workspace", lambda workspace: None)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and never listens
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/{ACCOUNT}/music/runs/7"
        with pytest.warns(UserWarning, match="was not checked before the run is sent"):
            assert find_model(address, workspace=None, sdk="v1") == BlobFile(address)
