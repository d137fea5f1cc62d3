"""Models on the Hugging Face Hub, with its own client and a stand-in of the service."""

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from documents import DOCS, blocks_of
from hub_server import READER, WRITER, HubServer, Repo

from pianoroll_seq2seq import FrameLayout, PitchRange, Seq2SeqLSTM, TrainedModel, open_model, push_to_hub
from pianoroll_seq2seq.cli.submit_music import _send_model
from pianoroll_seq2seq.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    MissingExtraError,
    SettingsError,
    StoreAccessError,
    StoreError,
)
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM
from pianoroll_seq2seq.pretrained.hub import hub_name

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning"),  # by the client
]

LAYOUT = FrameLayout(pitches=PitchRange(60, 66), planes=("active",))
NAME = "somebody/small"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """The Hub, without models, and a user who is not logged in, in an empty folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with HubServer().used(monkeypatch, tmp_path / "cache") as server:
        yield server


def model(seed: int = 0) -> Seq2SeqLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Seq2SeqLSTM(LAYOUT, hidden_size=6).eval()


def is_same(one: object, other: Seq2SeqLSTM) -> bool:
    assert isinstance(one, Seq2SeqLSTM)
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


@pytest.mark.parametrize("large_files", [True, False])
def test_a_model_comes_back_from_the_hub(hub: HubServer, large_files: bool) -> None:
    """What one sends is not what another opens, or the Hub's page does not say what it is."""
    hub.large_files = large_files
    trained = TrainedModel(model(), LAYOUT, card={"what": "Continues.", "license": "mit", "tags": ["test"]})
    assert trained.push_to_hub(NAME, token=WRITER) == f"hf://{NAME}"
    assert bool(hub.blobs) == large_files
    again = open_model(NAME)
    assert is_same(again.model, model())
    assert (again.layout, again.name, again.card["what"]) == (LAYOUT, NAME, "Continues.")
    assert is_same(Seq2SeqLSTM.from_pretrained(f"hf://{NAME}"), model())
    page = hub.repos[NAME].commits[hub.repos[NAME].branches["main"]]["README.md"].decode()
    head = yaml.safe_load(page.split("---\n")[1])
    assert (head["library_name"], head["license"]) == ("pianoroll-seq2seq", "mit")
    assert {"midi", "test"} <= set(head["tags"])
    assert f'open_model("hf://{NAME}")' in page
    assert "this folder" not in page


def test_a_name_without_a_user_is_one_of_the_user(hub: HubServer) -> None:
    """The name that push_to_hub returns, and the page, do not open the model."""
    assert model().push_to_hub("mine", token=WRITER) == "hf://somebody/mine"
    assert is_same(open_model("hf://somebody/mine").model, model())


def test_revisions(hub: HubServer) -> None:
    """A paper's model changes under its name."""
    model(0).push_to_hub(NAME, token=WRITER)
    first = hub.repos[NAME].branches["main"]
    assert model(1).push_to_hub(NAME, token=WRITER, revision="v2") == f"hf://{NAME}@v2"
    assert is_same(open_model(NAME).model, model(0))
    assert is_same(open_model(NAME, revision="v2").model, model(1))
    assert is_same(open_model(f"hf://{NAME}@v2").model, model(1))
    model(2).push_to_hub(NAME, token=WRITER)
    assert is_same(open_model(NAME).model, model(2))
    assert is_same(Seq2SeqLSTM.from_pretrained(NAME, revision=first), model(0))
    with pytest.raises(CheckpointNotFoundError, match="no revision 'v3'"):
        open_model(NAME, revision="v3")
    with pytest.raises(SettingsError, match=r"'v2'.*revision='v3'"):
        open_model(f"hf://{NAME}@v2", revision="v3")
    with pytest.raises(SettingsError, match="bach-chorales: not a model of the Hub"):
        open_model("bach-chorales", revision="v2")


@pytest.mark.parametrize("trouble", ["broken", "offline"])
def test_a_download_that_was_cut(hub: HubServer, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    """Without a connection, the message says that the model is none."""
    from huggingface_hub import constants, hf_hub_download

    model().push_to_hub(NAME, token=WRITER)
    hf_hub_download(NAME, "config.json")
    hub.broken = trouble == "broken"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", trouble == "offline")
    with pytest.raises(StoreError, match="cannot be reached, and the model is not in the cache"):
        open_model(NAME)
    hub.broken = False
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert is_same(open_model(NAME).model, model())


def test_only_weights_and_settings_are_downloaded_and_nothing_runs(hub: HubServer, tmp_path: Path) -> None:
    """A model of a stranger runs a program on this machine, or fills its disk."""

    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harm"),)

    model().push_to_hub(NAME, token=WRITER)
    hub.repos[NAME].commit(
        "main", {"pytorch_model.bin": pickle.dumps(Harm()), "code.py": b"1 / 0", "notes.json": b"{}"}
    )
    hub.requests.clear()
    open_model(NAME)
    fetched = {request.rpartition("/")[2] for request in hub.requests if "/resolve/" in request}
    assert fetched == {"config.json", "model.safetensors"}
    assert not (tmp_path / "harm").exists()
    hub.repos["somebody/other"] = Repo()
    hub.repos["somebody/other"].commit("main", {"pytorch_model.bin": pickle.dumps(Harm()), "config.json": b"{}"})
    with pytest.raises(CheckpointError, match=r"hf://somebody/other: not a model .* no model\.safetensors.*pickle"):
        open_model("somebody/other")
    assert not (tmp_path / "harm").exists()


def test_private_models_need_a_token(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private model is opened by everybody, or its owner does not learn what is missing."""
    model().push_to_hub(NAME, token=WRITER, private=True)
    assert hub.repos[NAME].private
    with pytest.raises(CheckpointNotFoundError, match=r"hf://somebody/small: .* private.*hf auth login.*token="):
        open_model(NAME)
    assert is_same(open_model(NAME, token=READER).model, model())
    monkeypatch.setenv("HF_TOKEN", READER)
    assert is_same(open_model(NAME).model, model())


def test_a_public_model_does_not_become_private_in_silence(hub: HubServer) -> None:
    """A model that should be private is published, because there is a public one of this name."""
    hub.repos[NAME] = Repo()
    with pytest.raises(SettingsError, match=r"is public.*Nothing was sent"):
        model().push_to_hub(NAME, token=WRITER, private=True)
    assert hub.repos[NAME].commits.keys() == {"0" * 40}


@pytest.mark.parametrize(("token", "status"), [(None, 401), (READER, 403), ("hf_wrong", 401)])
def test_sending_without_the_right_to_is_refused(hub: HubServer, token: str | None, status: int) -> None:
    """A newcomer reads a traceback of an HTTP client, and does not learn where to log in."""
    with pytest.raises(StoreAccessError, match="hf auth login"):
        push_to_hub(model(), NAME, token=token)
    hub.repos[NAME] = Repo()
    with pytest.raises(StoreAccessError, match="hf auth login"):
        push_to_hub(model(), NAME, token=token)
    assert hub.repos[NAME].commits.keys() == {"0" * 40}


def test_a_gated_model_says_where_access_is_granted(hub: HubServer) -> None:
    hub.repos[NAME] = Repo(gated=True)
    with pytest.raises(StoreAccessError, match="access must be granted"):
        open_model(NAME, token=READER)


def test_a_model_that_is_not_there_is_an_error_at_once(hub: HubServer) -> None:
    with pytest.raises(CheckpointNotFoundError, match="hf://somebody/else: the Hub has no such model"):
        open_model("somebody/else")
    with pytest.raises(SettingsError, match="not a name of a model on the Hub"):
        open_model("hf://some body/else")
    with pytest.raises(SettingsError, match="not a name of a model on the Hub"):
        push_to_hub(model(), "a/b/c", token=WRITER)


def test_a_model_of_another_class_is_refused(hub: HubServer) -> None:
    model().push_to_hub(NAME, token=WRITER)
    with pytest.raises(SettingsError, match="is a Seq2SeqLSTM, not a CopyingLSTM"):
        CopyingLSTM.from_pretrained(NAME)


def test_without_a_network_the_cache_is_opened(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that was downloaded cannot be opened in the train, and one that was not is a traceback."""
    from huggingface_hub import constants

    model().push_to_hub(NAME, token=WRITER)
    open_model(NAME)
    model(1).push_to_hub("somebody/other", token=WRITER)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert is_same(open_model(NAME).model, model())
        with pytest.raises(StoreError, match="hf://somebody/other: the Hub cannot be reached"):
            open_model("somebody/other")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert is_same(open_model(NAME).model, model())
    with pytest.raises(StoreError, match="hf://somebody/other: the Hub cannot be reached"):
        open_model("somebody/other")


def test_a_hub_that_is_broken_says_so(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.broken = True
    with pytest.raises(StoreError, match="hf://somebody/small: the Hub"):
        open_model(NAME)
    with pytest.raises(StoreError, match="500"):
        push_to_hub(model(), NAME, token=WRITER)


def test_a_local_folder_wins_and_a_mistyped_one_is_not_looked_up(hub: HubServer) -> None:
    """A run that does not exist is downloaded from a stranger of this name, or a local model is passed over."""
    model(0).push_to_hub(NAME, token=WRITER)
    model(1).save_pretrained(NAME)
    assert is_same(open_model(NAME).model, model(1))
    assert is_same(open_model(f"hf://{NAME}").model, model(0))
    hub.requests.clear()
    with pytest.raises(CheckpointNotFoundError, match=r"somebody/smal: no such model.*hf://user/name"):
        open_model("somebody/smal")
    with pytest.raises(CheckpointNotFoundError):
        open_model(Path("nobody/small"))
    assert hub.requests == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("somebody/small", "somebody/small"),
        ("some.body/small-v1.5", "some.body/small-v1.5"),
        ("hf://somebody/small/", "somebody/small"),
        ("hf://somebody/small@refs/pr/1", "somebody/small@refs/pr/1"),
        ("./somebody/small", None),
        ("../small", None),
        ("/somebody/small", None),
        ("a/b/c", None),
        ("models/best.safetensors", None),
        ("bach-chorales", None),
        (f"{'x' * 300}/small", f"{'x' * 300}/small"),
        ("C:\\models", None),
        (Path("somebody/small"), None),
    ],
)
def test_names_of_the_hub(
    source: str | Path, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hub_name(source) == expected


def test_without_the_client_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for use in (lambda: open_model(NAME), lambda: model().push_to_hub(NAME)):
        with pytest.raises(MissingExtraError, match=r"pianoroll-seq2seq\[hub\]"):
            use()


def test_the_block_on_the_hub_runs(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The block that a reader copies out of docs/sharing.md does not run."""
    monkeypatch.setenv("HF_TOKEN", WRITER)
    (block,) = (block for block in blocks_of(DOCS / "sharing.md") if block.what == "the Hub")
    exec(compile(block.text, block.place, "exec"), {})
    assert hub.repos["somebody/chorales"].private


def test_the_command_line_opens_a_model_of_the_hub(hub: HubServer, tmp_path: Path) -> None:
    model().push_to_hub(NAME, token=WRITER, revision="v1")
    environment = os.environ | {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home")}
    command = ["-m", "pianoroll_seq2seq", "generate", "--model", f"hf://{NAME}@v1", "--beats", "2", "--output", "a.mid"]
    ended = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert Path("a.mid").exists()


def test_a_model_of_the_hub_is_sent_with_a_job(hub: HubServer, tmp_path: Path) -> None:
    """A job on another machine looks for a folder that is not there, or gets links into this machine's cache."""
    model().push_to_hub(NAME, token=WRITER)
    (tmp_path / "job").mkdir()
    sent = tmp_path / "job" / _send_model(tmp_path / "job", f"hf://{NAME}")
    assert not any(path.is_symlink() for path in sent.rglob("*"))
    assert is_same(open_model(sent).model, model())
