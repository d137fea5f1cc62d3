"""Folders of ``save_pretrained``: what is written, and what is refused."""

import json
import os
import pickle
import re
from collections.abc import Callable
from functools import partial
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
    CausalTransformer,
    CopyingLSTM,
    FrameLayout,
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
    open_model,
    save_pretrained,
)
from pianoroll_seq2seq.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    CheckpointWriteError,
    GridError,
    OverwriteError,
    SettingsError,
)
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.models.pretrained_mixin import PretrainedMixin
from pianoroll_seq2seq.pretrained import pretrained_path

pytestmark = pytest.mark.usefixtures("one_thread")

PITCHES = PitchRange(60, 66)
LAYOUT = FrameLayout(BeatGrid(4), PITCHES, planes=("active",))
BOTH = FrameLayout.of(LAYOUT, onsets=True)
FILES = {"README.md", "config.json", "model.safetensors"}
MODELS: dict[str, Callable[[], Any]] = {
    "independent pitches": lambda: Seq2SeqLSTM(7, hidden_size=6),
    "parallel": lambda: ParallelSeq2SeqLSTM(7, hidden_size=6, block_frames=4, batch_norm=True),
    "attention and NADE": lambda: Seq2SeqLSTM(7, hidden_size=6, attention=True, head=NADEHead),
    "relative": lambda: Seq2SeqLSTM(7, hidden_size=6, head=RelativeBernoulliHead),
    "relative window": lambda: Seq2SeqLSTM(7, hidden_size=6, head=partial(RelativeWindowHead, channels=8)),
    "onsets": lambda: Seq2SeqLSTM(14, hidden_size=6, head=NotesHead),
    "conditions": lambda: Seq2SeqLSTM(7, hidden_size=6, condition_size=3, condition_dropout=0.1),
    "guided": lambda: GuidedModel(Seq2SeqLSTM(7, hidden_size=6, condition_size=3, condition_dropout=0.1), weight=0.5),
    "copying": lambda: CopyingLSTM(7, hidden_size=6, num_copy_heads=2),
    "no copy heads": lambda: CopyingLSTM(7, hidden_size=6, num_copy_heads=0),
    "transformer": lambda: CausalTransformer(7, hidden_size=8, num_layers=1),
}


class Own(PretrainedMixin, nn.Module):
    """A custom model."""

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
    """The model with random weights, unlike any other of its class."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        for parameter in model.parameters():
            nn.init.normal_(parameter)
    return model.train(False)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder of a small model."""
    return save_pretrained(varied(Seq2SeqLSTM(LAYOUT, hidden_size=6)), tmp_path / "small")


def changed(folder: Path, **changes: Any) -> Path:
    """The folder with other entries in its configuration; None removes one."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    return folder


@pytest.mark.parametrize("kind", MODELS)
def test_a_shared_model_predicts_what_the_saved_one_does(tmp_path: Path, kind: str) -> None:
    """Shared models of every kind must open, and give the same music."""
    model = varied(MODELS[kind]())
    layout = FrameLayout.of(FrameLayout(SecondsGrid(0.02), PITCHES, planes=("active",)), onsets=kind == "onsets")
    folder = save_pretrained(model, tmp_path / "shared", layout=layout)
    trained = open_model(folder)
    assert type(trained.model) is type(model)
    assert not trained.model.training
    assert (trained.layout, trained.name) == (layout, str(folder))
    assert (trained.grid, trained.pitches) == (SecondsGrid(0.02), PITCHES)
    assert trained.condition_size == (3 if kind in ("conditions", "guided") else 0)
    frames = (torch.rand(2, 8, layout.frame_size) < 0.3).float()
    condition = [torch.rand(2, 8, 3)] if trained.condition_size else []
    with torch.no_grad():
        if layout.has_onsets:  # onsets are active
            frames[..., 7:] *= frames[..., :7]
        expected = model(frames[:, :4], frames[:, 4:], *condition).log_prob(frames[:, 4:])
        got = trained.model(frames[:, :4], frames[:, 4:], *condition).log_prob(frames[:, 4:])
    assert torch.equal(got, expected)


def test_other_tools_read_the_weights(shared: Path) -> None:
    """Other libraries need the names of the model's state_dict."""
    model = varied(Seq2SeqLSTM(7, hidden_size=6))
    weights = safetensors.torch.load_file(shared / "model.safetensors")
    assert weights.keys() == model.state_dict().keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    with safetensors.safe_open(shared / "model.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
    assert {path.name for path in shared.iterdir()} == FILES


def test_the_page_has_the_hubs_front_matter_and_the_card(tmp_path: Path) -> None:
    """The Hub must accept the page, and a reader must learn what the model is not for."""
    card = {
        "name": "Seven notes",
        "license": "mit",
        "tags": ["bells"],
        "what": "Rings: bells.",
        "scores": {"test_nats": 1.23456, "music": {"polyphony": 2}},
        "examples": ["a bell", "another"],
        "best_epoch": 3,
    }
    model = Seq2SeqLSTM(BOTH, hidden_size=6, condition_size=2, head=NotesHead)
    folder = model.save_pretrained(tmp_path / "bells", card=card)
    _, head, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    meta = yaml.safe_load(head)
    assert (meta["license"], meta["library_name"]) == ("mit", "pianoroll-seq2seq")
    assert {"midi", "bells"} <= set(meta["tags"])
    for line in ("# Seven notes", "## What it is\n\nRings: bells.", "- test nats: 1.235", "- music: polyphony 2"):
        assert line in text
    for line in (
        "- a bell",
        "- best epoch: 3",
        "- pitches: C4 to F#4",
        "- planes: active, onset",
        "- conditions: 2 numbers",
    ):
        assert line in text
    assert open_model(folder).card == card


def test_a_card_of_other_kinds_of_text(tmp_path: Path) -> None:
    """Ends of lines make headings of facts, a name becomes code, or a notebook fetches pictures from anywhere."""
    card = {
        "name": "a\n---\n# b",
        "what": "![](http://x/y.png)",
        "scores": {"a\n# b": 1},
        "data": ["a\n# b"],
        "k\n# b": 2,
    }
    folder = save_pretrained(Own(1.0), tmp_path / 'a"); exit("', card=card, layout=LAYOUT)
    page = (folder / "README.md").read_text()
    assert not re.search("^# b", page, re.MULTILINE)
    assert 'open_model("a\\"); exit(\\"")' in page
    shown = open_model(folder, classes=[Own]).card._repr_markdown_()
    assert not re.search("^# b", shown, re.MULTILINE)
    assert "![" not in shown


def test_the_example_on_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader pastes the example of the page."""
    monkeypatch.chdir(tmp_path)
    varied(Seq2SeqLSTM(LAYOUT, hidden_size=6)).save_pretrained("small")
    PianoRoll.from_active(np.ones((8, 7), bool), grid=BeatGrid(4), pitches=PITCHES).to_midi("primer.mid")
    page = Path("small/README.md").read_text(encoding="utf-8")
    assert "license: unknown" in page
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    exec(code, {})
    assert Path("music.mid").exists()


def test_from_pretrained_returns_its_own_class(shared: Path, tmp_path: Path) -> None:
    """The two methods that users of other libraries expect."""
    assert isinstance(Seq2SeqLSTM.from_pretrained(shared), Seq2SeqLSTM)
    with pytest.raises(SettingsError, match="is a Seq2SeqLSTM, not a CopyingLSTM"):
        CopyingLSTM.from_pretrained(shared)
    again = open_model(shared).save_pretrained(tmp_path / "again", card={"what": "the same"})
    assert open_model(again).card == {"what": "the same"}
    assert open_model(open_model(again).save_pretrained(tmp_path / "third")).card == {"what": "the same"}


def test_custom_classes_are_built_if_they_are_passed(tmp_path: Path) -> None:
    """Opening a folder must not import foreign code; custom classes can be passed."""
    folder = Own(2.5).save_pretrained(tmp_path / "own", layout=LAYOUT)
    with pytest.raises(CheckpointError, match="not part of pianoroll_seq2seq"):
        open_model(folder)
    model = open_model(folder, classes=[Own]).model
    assert isinstance(model, Own)
    assert model.certainty == 2.5
    assert Own.from_pretrained(folder).certainty == 2.5


# ---- Writing


def test_nothing_is_overwritten(shared: Path) -> None:
    """A typo in the folder must not delete another model, or a thesis."""
    model = open_model(shared)
    weights = (shared / "model.safetensors").read_bytes()
    with pytest.raises(OverwriteError, match=r"README\.md, config\.json, model\.safetensors: .*overwrite=True"):
        model.save_pretrained(shared)
    other = varied(Seq2SeqLSTM(FrameLayout(BeatGrid(2), PITCHES, planes=("active",)), hidden_size=3))
    other.save_pretrained(shared, overwrite=True)
    assert open_model(shared).grid == BeatGrid(2)
    assert (shared / "model.safetensors").read_bytes() != weights
    (shared / "thesis.txt").write_text("years of work")
    with pytest.raises(OverwriteError, match=r"thesis\.txt"):
        model.save_pretrained(shared, overwrite=True)
    assert {path.name for path in shared.iterdir()} == FILES | {"thesis.txt"}
    with pytest.raises(OverwriteError):
        model.save_pretrained(shared / "thesis.txt", overwrite=True)
    assert [path.name for path in shared.parent.iterdir()] == ["small"]


def test_a_model_that_could_not_be_opened_is_not_written(tmp_path: Path) -> None:
    """A shared folder that nobody can open would be noticed too late."""
    with pytest.raises(SettingsError, match=r"frames of 14 columns, but .* has 7"):
        save_pretrained(Seq2SeqLSTM(14, hidden_size=6), tmp_path / "a", layout=LAYOUT)
    with pytest.raises(SettingsError, match=r"layout is unknown. Pass layout=windows.layout"):
        save_pretrained(Seq2SeqLSTM(7, hidden_size=6), tmp_path / "a")
    with pytest.raises(GridError):
        save_pretrained(
            Seq2SeqLSTM(LAYOUT, hidden_size=6),
            tmp_path / "a",
            layout=FrameLayout(BeatGrid(2), PITCHES, planes=("active",)),
        )
    with pytest.raises(CheckpointError, match=r"card cannot be JSON"):
        save_pretrained(Own(1.0), tmp_path / "a", card={"what": object()}, layout=LAYOUT)
    with pytest.raises(CheckpointError, match=r"card cannot be JSON"):
        save_pretrained(Own(float("nan")), tmp_path / "a", layout=LAYOUT)
    with pytest.raises(CheckpointError, match=r"config\.json would be 8\.\d MB, and is read with at most 8 MB"):
        save_pretrained(Own(1.0), tmp_path / "a", card={"what": "a" * 2**23}, layout=LAYOUT)
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_settings_is_refused(tmp_path: Path) -> None:
    """Nobody could open its folder."""

    class Bare(nn.Module):
        forward, start, advance = Own.forward, Own.start, Own.advance

    with pytest.raises(CheckpointError, match=r"Bare has no method settings\(\)"):
        save_pretrained(Bare(), tmp_path / "a", layout=LAYOUT)


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk must not leave half a model."""
    before = Path.write_text

    def full(path: Path, *arguments: Any, **options: Any) -> int:
        if path.name == "config.json":
            raise OSError(28, "No space left on device")
        return before(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(CheckpointWriteError, match=r"a: a model of 0\.0 MB could not be written.*No space left"):
        save_pretrained(Own(1.0), tmp_path / "a", layout=LAYOUT)
    assert list(tmp_path.iterdir()) == []


# ---- Wrong and damaged folders


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_files_are_named(shared: Path, name: str) -> None:
    """The error must name the missing file."""
    (shared / name).unlink()
    with pytest.raises(CheckpointNotFoundError, match=rf"{name}: no such file.*download both"):
        open_model(shared)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated_weights_are_named(shared: Path, share: float) -> None:
    """An interrupted download must not be taken for a model."""
    path = shared / "model.safetensors"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged.*Download the folder again"):
        open_model(shared)


def test_changed_weights_are_detected(shared: Path) -> None:
    """A flipped bit would change the music; the error says what to do about intended changes."""
    path = shared / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"checksums differ.*delete weights_sha256 from config\.json"):
        open_model(shared)
    changed(shared, weights_sha256=None)
    assert isinstance(open_model(shared).model, Seq2SeqLSTM)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format_version": 1}, "of format version 1, this pianoroll_seq2seq reads version 2"),
        ({"format_version": None}, "has no format_version"),
        ({"card": 3}, r"at \$\.card: expected object, got int \(3\)"),
        ({"card": {"tags": 5}}, r"the card, at \$\.tags: expected array, got int \(5\)"),
        ({"model": None}, "damaged: object missing required field model"),
        ({"model": "Seq2SeqLSTM"}, r"damaged, at \$\.model: expected object, got str \('Seq2SeqLSTM'\)"),
        ({"layout": [], "card": {"name": "a"}}, r"damaged, at \$\.layout: expected object, got array"),
        ({"condition_size": "many"}, r"at \$\.condition_size: expected int, got str"),
        ({"layout": None}, "damaged: object missing required field layout"),
        ({"model": {"class": "pianoroll_seq2seq.grid:BeatGrid", "settings": {"frames_per_beat": 4}}}, "not a sequence"),
        ({"model": {"class": "pianoroll_seq2seq.models.seq2seq_lstm:Seq2SeqLSTM", "settings": {"layout": 5}}}, "fit"),
        ({"model": {"class": "pianoroll_seq2seq.models.seq2seq_lstm:Seq2SeqLSTM", "settings": {}}}, "cannot be built"),
    ],
)
def test_other_configurations_are_named(shared: Path, changes: dict[str, Any], reason: str) -> None:
    """A damaged or foreign configuration must be refused, not fail somewhere inside."""
    changed(shared, **changes)
    with pytest.raises(CheckpointError, match=reason):
        open_model(shared)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000, b"\xff\xfe\x00".decode("latin1")])
def test_other_files_than_configurations_are_named(shared: Path, text: str) -> None:
    """Not a traceback of json."""
    (shared / "config.json").write_text(text, encoding="latin1")
    with pytest.raises(CheckpointError, match=r"config\.json.*\. (Download|Open) the folder"):
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
def test_only_models_are_built(shared: Path, tmp_path: Path, path: str) -> None:
    """Opening an untrusted folder must not write files, open connections or run commands."""
    changed(shared, model={"class": path, "settings": {"path": str(tmp_path / "x"), "folder": str(tmp_path / "x")}})
    with pytest.raises(CheckpointError, match="not part of pianoroll_seq2seq"):
        open_model(shared)
    assert not (tmp_path / "x").exists()


def test_pickles_are_not_read(shared: Path, tmp_path: Path) -> None:
    """Weights in a pickle may run any program. The error names them."""

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
    with pytest.raises(CheckpointNotFoundError, match="no such model"):
        open_model(shared)
    assert not (tmp_path / "executed").exists()


def test_a_folder_of_links_is_a_folder(shared: Path, tmp_path: Path) -> None:
    """The Hub's cache has links to its files."""
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for name in FILES:
        (snapshot / name).symlink_to(os.path.relpath(shared / name, snapshot))
    assert isinstance(open_model(snapshot).model, Seq2SeqLSTM)


def test_names_are_not_paths() -> None:
    """A name must not lead to files outside the library."""
    for name in ("../checkpoint", "bach-chorales/../../x", "/etc/passwd"):
        with pytest.raises((SettingsError, CheckpointError)):
            open_model(name)
        with pytest.raises(SettingsError):
            pretrained_path(name)


def test_models_fit_the_contract() -> None:
    """PretrainedMixin must not change the contract."""
    assert isinstance(Seq2SeqLSTM(7, hidden_size=3), SequenceModel)
    assert isinstance(Own(1.0), SequenceModel)
