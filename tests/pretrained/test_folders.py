"""Models in folders, to share."""

import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml
from torch import Tensor, nn

from pianoroll_seq2seq import (
    BeatGrid,
    Bernoulli,
    CopyingLSTM,
    GuidedModel,
    NADEHead,
    NotesHead,
    PianoRoll,
    PitchRange,
    RelativeBernoulliHead,
    RelativeWindowHead,
    SecondsGrid,
    Seq2SeqLSTM,
    SequenceModel,
    load_pretrained,
    open_model,
    save_pretrained,
)
from pianoroll_seq2seq.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    CheckpointWriteError,
    OverwriteError,
    SettingsError,
)
from pianoroll_seq2seq.models.pretrained_mixin import PretrainedMixin

pytestmark = pytest.mark.usefixtures("one_thread")

PITCHES = PitchRange(60, 66)
FILES = {"README.md", "config.json", "model.safetensors"}
MODELS: dict[str, Callable[[], Any]] = {
    "independent pitches": lambda: Seq2SeqLSTM(7, hidden_size=6),
    "all frames at once": lambda: Seq2SeqLSTM(7, hidden_size=6, decoder="parallel", block_frames=4, batch_norm=True),
    "attention and NADE": lambda: Seq2SeqLSTM(7, hidden_size=6, attention=True, head=NADEHead(6, 7)),
    "relative": lambda: Seq2SeqLSTM(7, hidden_size=6, head=RelativeBernoulliHead(6, 7)),
    "relative window": lambda: Seq2SeqLSTM(7, hidden_size=6, head=RelativeWindowHead(6, 7, channels=8)),
    "onsets": lambda: Seq2SeqLSTM(14, hidden_size=6, head=NotesHead(6, 14)),
    "conditions": lambda: Seq2SeqLSTM(7, hidden_size=6, condition_size=3, condition_dropout=0.1),
    "guided": lambda: GuidedModel(Seq2SeqLSTM(7, hidden_size=6, condition_size=3, condition_dropout=0.1), weight=0.5),
    "copying": lambda: CopyingLSTM(7, hidden_size=6, num_copy_heads=2),
    "not copying": lambda: CopyingLSTM(7, hidden_size=6, num_copy_heads=0),
}


class Own(PretrainedMixin, nn.Module):
    """A model of a user's own."""

    def __init__(self, certainty: float) -> None:
        super().__init__()
        self.certainty = certainty
        self.bias = nn.Parameter(torch.zeros(7))

    def forward(self, inputs: Tensor, targets: Tensor) -> Bernoulli:
        return Bernoulli(targets * self.certainty + self.bias)

    def start(self, primer: Tensor) -> tuple[Bernoulli, None]:
        return self.advance(primer[:, -1], None)

    def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
        return Bernoulli(frame * self.certainty + self.bias), None

    def settings(self) -> dict[str, Any]:
        return {"certainty": self.certainty}


def varied(model: Any) -> Any:
    """The model, unlike any other of its class."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        for parameter in model.parameters():
            nn.init.normal_(parameter)
    return model.train(False)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder of a small model."""
    return save_pretrained(varied(Seq2SeqLSTM(7, hidden_size=6)), tmp_path / "small", grid=BeatGrid(4), pitches=PITCHES)


def altered(folder: Path, **changes: Any) -> Path:
    """The folder with other entries in its configuration; None takes one out."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    return folder


@pytest.mark.parametrize("kind", MODELS)
def test_a_shared_model_answers_as_the_saved_one(tmp_path: Path, kind: str) -> None:
    """Whoever opens a shared model hears another one, or cannot open it."""
    model = varied(MODELS[kind]())
    folder = save_pretrained(
        model, tmp_path / "shared", grid=SecondsGrid(0.02), pitches=PITCHES, onsets=kind == "onsets"
    )
    trained = open_model(folder)
    assert type(trained.model) is type(model)
    assert not trained.model.training
    assert (trained.grid, trained.pitches, trained.name) == (SecondsGrid(0.02), PITCHES, str(folder))
    assert trained.onsets == (kind == "onsets")
    assert trained.condition_size == (3 if kind in ("conditions", "guided") else 0)
    frames = (torch.rand(2, 8, 14 if trained.onsets else 7) < 0.3).float()
    told = [torch.rand(2, 8, 3)] if trained.condition_size else []
    with torch.no_grad():
        if trained.onsets:  # what is struck sounds
            frames[..., 7:] *= frames[..., :7]
        expected = model(frames[:, :4], frames[:, 4:], *told).log_prob(frames[:, 4:])
        got = trained.model(frames[:, :4], frames[:, 4:], *told).log_prob(frames[:, 4:])
    assert torch.equal(got, expected)


def test_other_tools_read_the_weights(shared: Path) -> None:
    """Whoever does not use this library, or fine-tunes with another, finds names that mean nothing."""
    model = varied(Seq2SeqLSTM(7, hidden_size=6))
    weights = safetensors.torch.load_file(shared / "model.safetensors")
    assert weights.keys() == model.state_dict().keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    with safetensors.safe_open(shared / "model.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
    assert {path.name for path in shared.iterdir()} == FILES


def test_the_page_says_what_the_hub_asks_and_what_its_maker_said(tmp_path: Path) -> None:
    """The Hub refuses the page, or a stranger does not learn what the model is not for."""
    card = {
        "name": "Seven notes",
        "license": "mit",
        "tags": ["bells"],
        "what": "Rings: bells.",
        "scores": {"test_nats": 1.23456, "music": {"polyphony": 2}},
        "heard": ["a bell", "another"],
        "best_epoch": 3,
    }
    model = Seq2SeqLSTM(14, hidden_size=6, condition_size=2, head=NotesHead(6, 14))
    folder = model.save_pretrained(tmp_path / "bells", grid=BeatGrid(4), pitches=PITCHES, onsets=True, card=card)
    _, head, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    meta = yaml.safe_load(head)
    assert (meta["license"], meta["library_name"]) == ("mit", "pianoroll-seq2seq")
    assert {"midi", "bells"} <= set(meta["tags"])
    for line in ("# Seven notes", "## What it is\n\nRings: bells.", "- test nats: 1.235", "- music: polyphony 2"):
        assert line in text
    for line in ("- a bell", "- best epoch: 3", "- pitches: C4 to F#4", "second column", "- conditions: 2 numbers"):
        assert line in text
    assert open_model(folder).card == card


def test_what_the_page_says_to_do_is_what_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger pastes the page's example, and it fails."""
    monkeypatch.chdir(tmp_path)
    model = varied(Seq2SeqLSTM(7, hidden_size=6))
    model.save_pretrained("small", grid=BeatGrid(4), pitches=PITCHES)
    PianoRoll.from_active(np.ones((8, 7), bool), grid=BeatGrid(4), pitches=PITCHES).to_midi("primer.mid")
    page = Path("small/README.md").read_text(encoding="utf-8")
    assert "license: unknown" in page
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    exec(code, {})
    assert Path("music.mid").exists()


def test_classes_give_their_own(shared: Path, tmp_path: Path) -> None:
    """The two methods that users of other libraries look for are missing, or give something else."""
    assert isinstance(Seq2SeqLSTM.from_pretrained(shared), Seq2SeqLSTM)
    assert isinstance(load_pretrained(str(shared)), Seq2SeqLSTM)
    with pytest.raises(SettingsError, match="is a Seq2SeqLSTM, not a CopyingLSTM"):
        CopyingLSTM.from_pretrained(shared)
    again = open_model(shared).save_pretrained(tmp_path / "again", card={"what": "the same"})
    assert open_model(again).card == {"what": "the same"}
    assert open_model(open_model(again).save_pretrained(tmp_path / "third")).card == {"what": "the same"}


def test_own_classes_are_built_when_they_are_named(tmp_path: Path) -> None:
    """Opening a stranger's folder must not import the stranger's code; one's own can be named."""
    folder = Own(2.5).save_pretrained(tmp_path / "own", grid=BeatGrid(4), pitches=PITCHES)
    with pytest.raises(CheckpointError, match="not pianoroll_seq2seq's own"):
        open_model(folder)
    model = open_model(folder, classes=[Own]).model
    assert isinstance(model, Own)
    assert model.certainty == 2.5
    assert Own.from_pretrained(folder).certainty == 2.5


# ---- Writing


def test_nothing_is_overwritten(shared: Path) -> None:
    """A mistyped folder costs a user another model, or a thesis."""
    model = open_model(shared)
    weights = (shared / "model.safetensors").read_bytes()
    with pytest.raises(OverwriteError, match=r"README\.md, config\.json, model\.safetensors: .*overwrite=True"):
        model.save_pretrained(shared)
    other = varied(Seq2SeqLSTM(7, hidden_size=3))
    other.save_pretrained(shared, grid=BeatGrid(2), pitches=PITCHES, overwrite=True)
    assert open_model(shared).grid == BeatGrid(2)
    assert (shared / "model.safetensors").read_bytes() != weights
    (shared / "thesis.txt").write_text("years of work")
    with pytest.raises(OverwriteError, match=r"thesis\.txt"):
        model.save_pretrained(shared, overwrite=True)
    assert {path.name for path in shared.iterdir()} == FILES | {"thesis.txt"}
    with pytest.raises(OverwriteError):
        model.save_pretrained(shared / "thesis.txt", overwrite=True)
    assert [path.name for path in shared.parent.iterdir()] == ["small"]


def test_what_cannot_be_opened_again_is_not_written(tmp_path: Path) -> None:
    """A folder is shared that nobody can use, which comes out when its maker has left."""
    place = {"grid": BeatGrid(4), "pitches": PITCHES}
    with pytest.raises(SettingsError, match=r"14 columns.*onsets=False makes 7.*onsets=True"):
        save_pretrained(Seq2SeqLSTM(14, hidden_size=6), tmp_path / "a", **place)
    with pytest.raises(CheckpointError, match=r"card cannot be JSON"):
        save_pretrained(Own(1.0), tmp_path / "a", card={"what": object()}, **place)
    with pytest.raises(CheckpointError, match=r"card cannot be JSON"):
        save_pretrained(Own(float("nan")), tmp_path / "a", **place)
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_settings_is_refused(tmp_path: Path) -> None:
    """Its folder could be opened by nobody."""

    class Bare(nn.Module):
        forward, start, advance = Own.forward, Own.start, Own.advance

    with pytest.raises(CheckpointError, match=r"Bare has no method settings\(\)"):
        save_pretrained(Bare(), tmp_path / "a", grid=BeatGrid(4), pitches=PITCHES)


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves half a model, which somebody takes for a whole one."""
    before = Path.write_text

    def full(path: Path, *arguments: Any, **options: Any) -> int:
        if path.name == "config.json":
            raise OSError(28, "No space left on device")
        return before(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(CheckpointWriteError, match=r"a: a model of 0\.0 MB could not be written.*No space left"):
        save_pretrained(Own(1.0), tmp_path / "a", grid=BeatGrid(4), pitches=PITCHES)
    assert list(tmp_path.iterdir()) == []


# ---- Reading what is not as it should be


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_files_are_named(shared: Path, name: str) -> None:
    """Half a download fails without saying which half is missing."""
    (shared / name).unlink()
    with pytest.raises(CheckpointNotFoundError, match=rf"{name}: no such file.*fetch both"):
        open_model(shared)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_weights_cut_short_are_named(shared: Path, share: float) -> None:
    """A download that broke off is taken for a model."""
    path = shared / "model.safetensors"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged.*Fetch the folder again"):
        open_model(shared)


def test_altered_weights_are_found(shared: Path) -> None:
    """A flipped bit plays wrong notes for ever; whoever altered weights on purpose is told what to do."""
    path = shared / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"checksums differ.*take weights_sha256 out of config\.json"):
        open_model(shared)
    altered(shared, weights_sha256=None)
    assert isinstance(open_model(shared).model, Seq2SeqLSTM)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format_version": 2}, "of format version 2, this pianoroll_seq2seq reads version 1"),
        ({"format_version": None}, "has no format_version"),
        ({"model": None}, "not clear what it says of model"),
        ({"model": "Seq2SeqLSTM"}, "not clear what it says of model"),
        ({"grid": [], "card": 3, "onsets": "yes"}, "says of onsets, card, grid"),
        ({"condition_size": "many"}, "says of condition_size"),
        ({"pitches": {"low": 3}}, "which grid and pitches"),
        ({"pitches": None}, "which grid and pitches"),
        ({"pitches": {"lowest": 90, "highest": 3}}, "which grid and pitches"),
        ({"model": {"class": "pianoroll_seq2seq.grid:BeatGrid", "settings": {"frames_per_beat": 4}}}, "not a sequence"),
        ({"model": {"class": "pianoroll_seq2seq.models.seq2seq_lstm:Seq2SeqLSTM", "settings": {"pitches": 5}}}, "fit"),
        ({"model": {"class": "pianoroll_seq2seq.models.seq2seq_lstm:Seq2SeqLSTM", "settings": {}}}, "cannot be built"),
    ],
)
def test_other_configurations_are_named(shared: Path, changes: dict[str, Any], reason: str) -> None:
    """A damaged or foreign configuration fails far from here."""
    altered(shared, **changes)
    with pytest.raises(CheckpointError, match=reason):
        open_model(shared)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000, b"\xff\xfe\x00".decode("latin1")])
def test_what_is_no_configuration_is_named(shared: Path, text: str) -> None:
    """The configuration of another program, or none at all, ends in a traceback of json."""
    (shared / "config.json").write_text(text, encoding="latin1")
    with pytest.raises(CheckpointError, match=r"config\.json: (damaged|not a configuration)"):
        open_model(shared)


@pytest.mark.parametrize(
    "path",
    [
        "os:system",
        "../../evil:Model",
        "pianoroll_seq2seq.../../evil:Model",
        "pianoroll_seq2seq.stores.local:LocalStore",
        "pianoroll_seq2seq.trackers.jsonl:JsonlTracker",
    ],
)
def test_nothing_but_models_is_built(shared: Path, tmp_path: Path, path: str) -> None:
    """A stranger's folder writes files, reaches for a network or runs a command when it is opened."""
    altered(shared, model={"class": path, "settings": {"path": str(tmp_path / "x"), "folder": str(tmp_path / "x")}})
    with pytest.raises(CheckpointError, match="not pianoroll_seq2seq's own"):
        open_model(shared)
    assert not (tmp_path / "x").exists()


def test_pickles_are_not_read(shared: Path, tmp_path: Path) -> None:
    """Weights in a pickle may run any program: they are refused by name, beside weights that are read."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "executed"),)

    for name in ("pytorch_model.bin", "model.pt"):
        (shared / name).write_bytes(pickle.dumps(Evil()))
    assert open_model(shared).model is not None
    (shared / "model.safetensors").unlink()
    with pytest.raises(CheckpointNotFoundError, match=r"model\.pt is not read: a pickle may run any program"):
        open_model(shared)
    (shared / "model.safetensors").write_bytes((shared / "model.pt").read_bytes())
    with pytest.raises(CheckpointError, match="damaged, or not safetensors"):
        open_model(shared)
    (shared / "model.safetensors").unlink()
    (shared / "config.json").unlink()
    with pytest.raises(CheckpointNotFoundError, match="no model there"):
        open_model(shared)
    assert not (tmp_path / "executed").exists()


def test_a_folder_of_links_is_a_folder(shared: Path, tmp_path: Path) -> None:
    """The Hub's cache has links to its files, wherever they lie."""
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for name in FILES:
        (snapshot / name).symlink_to(os.path.relpath(shared / name, snapshot))
    assert isinstance(open_model(snapshot).model, Seq2SeqLSTM)


def test_names_lead_out_of_nowhere() -> None:
    """A name is no way to files outside the library."""
    for name in ("../checkpoint", "bach-chorales/../../x", "/etc/passwd", ""):
        with pytest.raises((SettingsError, CheckpointNotFoundError)):
            load_pretrained(name)


def test_models_fit_the_contract() -> None:
    """A model that may be shared is still a model."""
    assert isinstance(Seq2SeqLSTM(7, hidden_size=3), SequenceModel)
    assert isinstance(Own(1.0), SequenceModel)
