"""Models on disk."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import pianoroll_seq2seq.train  # noqa: F401 (what the library itself imports is no stranger's doing)
from pianoroll_seq2seq import (
    BeatGrid,
    BernoulliHead,
    Draw,
    FrameDistribution,
    PianoRoll,
    PitchRange,
    RelativeBernoulliHead,
    Seq2SeqLSTM,
    generate,
    load,
    read_midi,
    save,
)
from pianoroll_seq2seq.checkpoint import FORMAT_VERSION, build, describe, read_header, restore
from pianoroll_seq2seq.checkpoint.files import CHECKSUM, checksum
from pianoroll_seq2seq.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    CheckpointWriteError,
    OverwriteError,
)

PITCHES = PitchRange(60, 66)
HEADER = "pianoroll_seq2seq"


pytestmark = pytest.mark.usefixtures("one_thread")


def _model(**changes: Any) -> Seq2SeqLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = Seq2SeqLSTM(**{"pitches": 7, "hidden": 6, "num_encoder_layers": 1, "num_decoder_layers": 2} | changes)
        for parameter in model.parameters():
            nn.init.normal_(parameter)  # so that no two models are alike, and music comes out
    return model


def _frames(count: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((2, count, 7)) < 0.3).float()


def _primer() -> PianoRoll:
    return PianoRoll.from_active(np.random.default_rng(3).random((8, 7)) < 0.4, pitches=PITCHES)


def _rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Alters what a checkpoint says of itself, and nothing else."""
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()[HEADER])
    header = change(header) or header
    text, tensors = json.dumps(header), safetensors.torch.load_file(path)
    metadata = {HEADER: text, CHECKSUM: checksum(text, tensors)}  # it shall not be refused for the checksum alone
    safetensors.torch.save_file(tensors, path, metadata=metadata)


class Echo(nn.Module):
    """Somebody's own model, of parts of their own: says that the last frame goes on."""

    def __init__(self, pitches: int, certainty: float = 2.0, heads: list[BernoulliHead] | None = None) -> None:
        super().__init__()
        self.pitches, self.certainty = pitches, certainty
        self.heads = nn.ModuleList(heads or [BernoulliHead(pitches, pitches)])

    def _after(self, frames: Tensor) -> FrameDistribution:
        return self.heads[0](self.certainty * frames, frames)

    def forward(self, inputs: Tensor, targets: Tensor) -> FrameDistribution:
        return self._after(torch.cat([inputs, targets], dim=1)[:, inputs.shape[1] - 1 : -1])

    def start(self, primer: Tensor) -> tuple[FrameDistribution, Any]:
        return self._after(primer)[:, -1], None

    def advance(self, frame: Tensor, state: Any) -> tuple[FrameDistribution, Any]:
        return self._after(frame.unsqueeze(1))[:, 0], None

    def settings(self) -> dict[str, Any]:
        return {"pitches": self.pitches, "certainty": self.certainty, "heads": list(self.heads)}


class Shy(Echo):
    """One that does not tell its settings."""

    settings = None  # type: ignore[assignment]


@given(
    hidden=st.integers(1, 5),
    num_encoder_layers=st.integers(1, 2),
    num_decoder_layers=st.integers(1, 3),
    kind=st.sampled_from(["autoregressive", "parallel", "parallel with batch norm", "relative head"]),
)
def test_a_loaded_model_answers_as_the_saved_one(
    tmp_path_factory: pytest.TempPathFactory,
    hidden: int,
    num_encoder_layers: int,
    num_decoder_layers: int,
    kind: str,
) -> None:
    """A model sounds different after it was saved and loaded."""
    changes: dict[str, Any] = {
        "autoregressive": {"dropout": 0.5},
        "parallel": {"decoder": "parallel", "block_frames": 4},
        "parallel with batch norm": {"decoder": "parallel", "block_frames": 4, "batch_norm": True},
        "relative head": {"head": RelativeBernoulliHead(hidden, 7, channels=3)},
    }[kind]
    model = _model(hidden=hidden, num_encoder_layers=num_encoder_layers, num_decoder_layers=num_decoder_layers, **changes)
    if kind == "parallel with batch norm":
        with torch.random.fork_rng():
            model(_frames(6), _frames(6, seed=1))  # gives the statistics values of their own
    path = save(model, tmp_path_factory.mktemp("checkpoint") / "model.safetensors")
    loaded = load(path)
    assert type(loaded) is Seq2SeqLSTM
    assert not loaded.training
    assert describe(loaded) == describe(model)
    model.eval()
    inputs, targets = _frames(6), _frames(4, seed=1)
    with torch.no_grad():
        assert torch.equal(model(inputs, targets).mean, loaded(inputs, targets).mean)


def test_a_new_process_makes_the_same_music(tmp_path: Path) -> None:
    """A model trained yesterday plays other music today: something of it lives outside the file."""
    model = _model(head=RelativeBernoulliHead(6, 7, channels=4), block_frames=3, input_noise=0.1)
    path = save(model, tmp_path / "model.safetensors", details={"grid": BeatGrid(4)})
    here = generate(model, _primer(), num_frames=12, sampler=Draw(1.3), seed=5)
    assert here.active.any()
    _primer().to_midi(tmp_path / "primer.mid")
    script = """
import sys
from pianoroll_seq2seq import Draw, PianoRoll, PitchRange, generate, load
folder = sys.argv[1]
primer = PianoRoll.from_midi(f"{folder}/primer.mid", pitches=PitchRange(60, 66))
music = generate(load(f"{folder}/model.safetensors"), primer, frames=12, sampler=Draw(1.3), seed=5)
music.to_midi(f"{folder}/there.mid")
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=120)
    assert path.exists()
    here.to_midi(tmp_path / "here.mid")
    assert read_midi(tmp_path / "there.mid").notes == read_midi(tmp_path / "here.mid").notes


def test_a_checkpoint_is_a_plain_safetensors_file(tmp_path: Path) -> None:
    """Loading a file from a stranger may run the stranger's code; or other tools cannot read the weights."""
    model = _model()
    optimizer = _stepped(model, torch.optim.Adam(model.parameters()))
    path = save(model, tmp_path / "model.safetensors", optimizer=optimizer, details={"note": "mine"})
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    index = json.loads(data[8 : 8 + length])  # the whole format: a length, JSON, and numbers
    json.loads(index.pop("__metadata__")[HEADER])
    assert len(data) == 8 + length + max(entry["data_offsets"][1] for entry in index.values())
    tensors = safetensors.torch.load_file(path)
    for name, weights in model.state_dict().items():
        assert torch.equal(tensors[f"model.{name}"], weights)


def test_details_come_back(tmp_path: Path) -> None:
    """A loaded model does not know the grid and pitches it was trained on."""
    details = {"grid": BeatGrid(4), "notes": {"by": "me", "scores": [1.5, None, True]}}
    path = save(_model(), tmp_path / "model.safetensors", details=details)
    found = restore(path, _model())
    assert found == read_header(path)["details"]
    assert found["notes"] == details["notes"]
    assert build(found["grid"]) == BeatGrid(4)
    assert read_header(path)["version"] == FORMAT_VERSION


@pytest.mark.parametrize("details", [{"x": object()}, {"x": float("nan")}, {"x": np.float32(1)}, {"x": {(1, 2): 3}}])
def test_details_that_json_cannot_hold_are_refused(tmp_path: Path, details: dict[Any, Any]) -> None:
    """A checkpoint is written that cannot be read again, or the error comes from deep inside."""
    with pytest.raises(CheckpointError, match="cannot be JSON"):
        save(_model(), tmp_path / "model.safetensors", details=details)
    assert not list(tmp_path.iterdir())


def test_saving_does_not_overwrite_unasked(tmp_path: Path) -> None:
    """A second training silently replaces the model of the first."""
    path = tmp_path / "models" / "model.safetensors"
    first, second = _model(), _model(hidden=3)
    assert save(first, path) == path
    before = path.read_bytes()
    with pytest.raises(OverwriteError):
        save(second, path)
    assert path.read_bytes() == before
    save(second, path, overwrite=True)
    assert load(path).hidden == 3


def test_saving_leaves_the_model_alone(tmp_path: Path) -> None:
    """Saving in the middle of training disturbs it."""
    model = _model(dropout=0.5)
    before = {name: (value.clone(), value.data_ptr()) for name, value in model.state_dict().items()}
    save(model.train(), tmp_path / "model.safetensors")
    assert model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name][0])
        assert value.data_ptr() == before[name][1]


@pytest.mark.parametrize("layout", ["transposed", "shared", "sliced"])
def test_weights_in_any_layout_can_be_saved(tmp_path: Path, layout: str) -> None:
    """A model with tied or transposed weights trains for hours and then cannot be saved."""
    model = Echo(7)
    weight = torch.arange(49.0).view(7, 7)
    model.heads[0].logits.weight = nn.Parameter(weight.t() if layout == "transposed" else weight)
    if layout == "shared":
        model.tied = model.heads[0].logits.weight
    if layout == "sliced":
        model.heads[0].logits.weight = nn.Parameter(torch.arange(98.0).view(7, 14)[:, ::2])
    path = save(model, tmp_path / "model.safetensors")
    found = safetensors.torch.load_file(path)["model.heads.0.logits.weight"]
    assert torch.equal(found, model.heads[0].logits.weight)


# ---- Files that are not what they should be


def test_missing_file(tmp_path: Path) -> None:
    """A typing error in the path looks like a damaged file."""
    for path in (tmp_path / "none.safetensors", tmp_path):
        for use in (load, read_header, lambda path: restore(path, _model())):
            with pytest.raises(CheckpointNotFoundError, match="no such checkpoint") as caught:
                use(path)
            assert str(path) in str(caught.value)
            assert isinstance(caught.value, FileNotFoundError)


@given(data=st.data())
def test_truncated_or_garbled_files_are_named(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Half a download gives an error that names neither the file nor the cause, or loads as a wrong model."""
    path = save(_model(hidden=2), tmp_path_factory.mktemp("checkpoint") / "model.safetensors")
    whole = path.read_bytes()
    if data.draw(st.booleans()):
        broken = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
        broken = whole[:at] + bytes([byte]) + whole[at + 1 :]
    path.write_bytes(broken)
    try:
        loaded = load(path)
    except CheckpointError as error:
        assert str(path) in str(error)  # noqa: PT017 (white space between the parts of the header is not summed up)
    else:
        assert at < 8 + int.from_bytes(whole[:8], "little")
        assert _same_weights(loaded, _model(hidden=2))


def test_altered_weights_are_found(tmp_path: Path) -> None:
    """One flipped bit on a worn-out disk, and the model plays something else for ever."""
    path = save(_model(), tmp_path / "model.safetensors")
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    for use in (load, lambda path: restore(path, _model())):
        with pytest.raises(CheckpointError, match=r"model\.safetensors: altered since it was written"):
            use(path)


def test_disk_full_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    """A full disk ends in another library's error, and the older checkpoint is gone or half a file stays."""
    path = save(_model(), tmp_path / "model.safetensors")
    before = path.read_bytes()
    script = """
import resource, signal, sys
import torch
from pianoroll_seq2seq import Seq2SeqLSTM, save
from pianoroll_seq2seq.errors import CheckpointWriteError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save(Seq2SeqLSTM(7, hidden=64), sys.argv[1], overwrite=True)
except CheckpointWriteError as error:
    assert isinstance(error, OSError)
    print(error)
"""
    command = [sys.executable, "-c", script, str(path)]
    said = subprocess.run(command, check=True, timeout=120, capture_output=True, text=True).stdout
    assert "model.safetensors: a checkpoint of 0.4 MB could not be written" in said
    assert "Make room" in said
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    """The error names no file where one cannot write."""
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CheckpointWriteError, match="could not be written"):
        save(_model(), tmp_path / "file" / "model.safetensors")


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\x80\x04\x95 a pickle", b"PK\x03\x04 a torch.save zip"])
def test_other_files_are_named(tmp_path: Path, content: bytes) -> None:
    """A .pt file, or an empty one, gives an error that does not say which file."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not a checkpoint"):
        load(path)


def test_safetensors_of_other_programs_are_named(tmp_path: Path) -> None:
    """Weights of another program are half loaded, or refused with a KeyError."""
    path = tmp_path / "other.safetensors"
    for metadata in (None, {"format": "pt"}):
        safetensors.torch.save_file(_model().state_dict(), path, metadata=metadata)
        with pytest.raises(CheckpointError, match="not a checkpoint of pianoroll_seq2seq"):
            load(path)


@pytest.mark.parametrize("version", [0, FORMAT_VERSION + 1, "1", None])
def test_other_versions_are_named(tmp_path: Path, version: object) -> None:
    """A checkpoint of a future version loads as nonsense."""
    path = save(_model(), tmp_path / "model.safetensors")
    _rewrite(path, lambda header: header | {"version": version})
    with pytest.raises(CheckpointError, match=f"version {version}, this .* reads version {FORMAT_VERSION}"):
        load(path)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["class", "settings", "x"]), inner),
    max_leaves=6,
)


@given(
    place=st.sampled_from(
        [[], ["version"], ["model"], ["details"], ["model", "class"], ["model", "settings"]]
        + [["model", "settings", name] for name in ("pitches", "hidden", "head", "decoder", "dropout", "block_frames")]
        + [["model", "settings", "head", name] for name in ("class", "settings")]
        + [["model", "settings", "head", "settings", name] for name in ("features", "pitches", "new")]
    ),
    value=_json,
)
def test_altered_headers_are_named(tmp_path_factory: pytest.TempPathFactory, place: list[str], value: object) -> None:
    """A header that was edited by hand, or on purpose, fails somewhere inside instead of being refused."""
    path = save(_model(), tmp_path_factory.mktemp("checkpoint") / "model.safetensors")

    def alter(header: dict[str, Any]) -> Any:
        inner = header
        for key in place[:-1]:
            inner = inner[key]
        if place:
            inner[place[-1]] = value
            return header
        return value if value else [value]

    _rewrite(path, alter)
    try:
        loaded = load(path)
    except CheckpointError as error:
        assert str(path) in str(error)  # noqa: PT017 (some alterations still make sense)
    else:
        assert type(loaded) is Seq2SeqLSTM


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", "17", '"version"', "{}"])
def test_headers_that_are_not_a_description_are_named(tmp_path: Path, text: str) -> None:
    """A damaged header fails with a KeyError, or exhausts the stack."""
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file({"x": torch.zeros(1)}, path, metadata={HEADER: text})
    with pytest.raises(CheckpointError, match="header is damaged"):
        load(path)


# ---- Nothing is executed


@pytest.mark.parametrize(
    "path",
    [
        "os:system",
        "subprocess:Popen",
        "builtins:eval",
        "torch:load",
        "torch.nn:Linear",
        "pianoroll_seq2seq_evil:Model",
        "pianoroll_seq2seq.checkpoint:load",
        "pianoroll_seq2seq.checkpoint:os.system",
        "pianoroll_seq2seq.checkpoint:importlib",
        "pianoroll_seq2seq._internal.atomic:Path",
        "pianoroll_seq2seq.midi_io:defaultdict",
        "pianoroll_seq2seq.train:tqdm",
        "pianoroll_seq2seq.errors:CheckpointError",
        "pianoroll_seq2seq.stores.local:LocalStore",
        "pianoroll_seq2seq.nothing:Model",
        "pianoroll_seq2seq.:Model",
        "pianoroll_seq2seq..os:system",
        "pianoroll_seq2seq.\0:Model",
        "pianoroll_seq2seq:",
        "",
    ],
)
@pytest.mark.parametrize("within", ["model", "head"])
def test_foreign_classes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, within: str) -> None:
    """Loading a model from a stranger runs the stranger's command."""
    evil = {"class": path, "settings": {"command": f"touch {tmp_path / 'executed'}", "args": ["touch", "executed"]}}
    checkpoint = save(_model(), tmp_path / "model.safetensors")

    def alter(header: dict[str, Any]) -> None:
        if within == "model":
            header["model"] = evil
        else:
            header["model"]["settings"]["head"] = evil

    _rewrite(checkpoint, alter)
    monkeypatch.setattr(os, "system", lambda command: pytest.fail("executed"))
    before = set(sys.modules)
    with pytest.raises(CheckpointError) as caught:
        load(checkpoint)
    assert "not pianoroll_seq2seq's own" in str(caught.value)
    assert {name for name in set(sys.modules) - before if not name.startswith("pianoroll_seq2seq")} == set()
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("pianoroll_seq2seq.grid:BeatGrid", {"frames_per_beat": 4}),
        ("pianoroll_seq2seq.models.heads.bernoulli:BernoulliHead", {"features": 3, "pitches": 3}),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, path: str, settings: dict[str, Any]) -> None:
    """A grid or a head comes back in place of a model, and fails far from here."""
    checkpoint = save(_model(), tmp_path / "model.safetensors")
    _rewrite(checkpoint, lambda header: header | {"model": {"class": path, "settings": settings}})
    with pytest.raises(CheckpointError, match="not a sequence model"):
        load(checkpoint)


# ---- Models of one's own


def test_own_models_are_loaded_when_they_are_named(tmp_path: Path) -> None:
    """A model of one's own cannot be saved and loaded like those of the library, its parts included."""
    model = Echo(7, certainty=3.5, heads=[BernoulliHead(7, 7), BernoulliHead(2, 3)])
    path = save(model, tmp_path / "echo.safetensors")
    loaded = load(path, classes=iter([Seq2SeqLSTM, Echo]))
    assert type(loaded) is Echo
    assert loaded.certainty == 3.5
    assert [(head.features, head.pitches) for head in loaded.heads] == [(7, 7), (2, 3)]
    with torch.no_grad():
        assert torch.equal(model(_frames(3), _frames(2)).mean, loaded(_frames(3), _frames(2)).mean)
    assert generate(loaded, _primer(), num_frames=4) == generate(model, _primer(), num_frames=4)


def test_own_models_are_refused_when_they_are_not_named(tmp_path: Path) -> None:
    """One is not told how to load a model of one's own."""
    path = save(Echo(7), tmp_path / "echo.safetensors")
    with pytest.raises(CheckpointError, match=r"classes=\[Echo\]"):
        load(path)


def test_own_models_without_settings_can_be_restored(tmp_path: Path) -> None:
    """A model without settings() is lost once saved, and the error does not say how to get it back."""
    model = Shy(7)
    path = save(model, tmp_path / "shy.safetensors", details={"by": "me"})
    with pytest.raises(CheckpointError, match=r"no method settings\(\).*restore\(path, model\)"):
        load(path, classes=[Shy])
    again = Shy(7)
    assert restore(path, again) == {"by": "me"}
    assert _same_weights(model, again)


def test_own_models_whose_constructor_has_changed(tmp_path: Path) -> None:
    """After a change to one's model an old checkpoint fails without a word on which settings it was saved with."""
    path = save(Echo(7), tmp_path / "echo.safetensors")
    _rewrite(path, lambda header: header["model"]["settings"].update(volume=11))
    with pytest.raises(CheckpointError, match=r"cannot be built with the settings .*'volume': 11"):
        load(path, classes=[Echo])


# ---- Restoring into what is there


@pytest.mark.parametrize("changes", [{"hidden": 5}, {"pitches": 6}, {"num_decoder_layers": 1}, {"num_encoder_layers": 2}])
def test_weights_of_another_shape_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """The wrong checkpoint gives a page of tensor shapes and no file name."""
    path = save(_model(), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: does not fit"):
        restore(path, _model(**changes))


def _stepped(model: Seq2SeqLSTM, optimizer: torch.optim.Optimizer, steps: int = 3) -> torch.optim.Optimizer:
    for step in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(-model(_frames(4, step), _frames(3, step + 9)).log_prob(_frames(3, step + 9)).mean())
        optimizer.step()
    return optimizer


def _same_weights(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01),
    "AdamW, amsgrad": lambda parameters: torch.optim.AdamW(parameters, lr=0.01, betas=(0.8, 0.9), amsgrad=True),
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.01),
    "SGD with momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9, nesterov=True),
    "RMSprop": lambda parameters: torch.optim.RMSprop(parameters, lr=0.01, momentum=0.5),
    "Adagrad": lambda parameters: torch.optim.Adagrad(parameters, lr=0.01),
    "NAdam": lambda parameters: torch.optim.NAdam(parameters, lr=0.01),
    "RAdam": lambda parameters: torch.optim.RAdam(parameters, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_with_the_optimizers_memory(tmp_path: Path, name: str) -> None:
    """A run that goes on from a checkpoint takes other steps than one that never stopped."""
    model = _model()
    optimizer = _stepped(model, OPTIMIZERS[name](model.parameters()))
    path = save(model, tmp_path / "model.safetensors", optimizer=optimizer)
    again = _model(dropout=0.0)
    for parameter in again.parameters():
        nn.init.zeros_(parameter)
    optimizer_again = OPTIMIZERS[name](again.parameters())
    restore(path, again, optimizer_again)
    assert optimizer_again.state_dict()["param_groups"] == json.loads(
        json.dumps(optimizer.state_dict()["param_groups"])
    )
    _stepped(model, optimizer)
    _stepped(again, optimizer_again)
    assert _same_weights(model, again)


def test_several_parameter_groups(tmp_path: Path) -> None:
    """Parts trained at rates of their own go on at the rate of others."""
    model = _model()

    def groups(model: Seq2SeqLSTM) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            [
                {"params": model.encoder_lstm.parameters(), "lr": 0.1},
                {"params": [*model.decoder_lstm.parameters(), *model.head.parameters()]},  # type: ignore[attr-defined]
            ],
            lr=0.01,
        )

    optimizer = _stepped(model, groups(model))
    path = save(model, tmp_path / "model.safetensors", optimizer=optimizer)
    again = _model()
    optimizer_again = groups(again)
    restore(path, again, optimizer_again)
    assert [group["lr"] for group in optimizer_again.param_groups] == [0.1, 0.01]
    assert _same_weights(model, again)
    _stepped(model, optimizer)
    _stepped(again, optimizer_again)
    assert _same_weights(model, again)


def test_a_checkpoint_without_optimizer_says_so(tmp_path: Path) -> None:
    """Training silently begins anew with an optimizer that has forgotten everything."""
    path = save(_model(), tmp_path / "model.safetensors")
    model = _model()
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        restore(path, model, torch.optim.Adam(model.parameters()))


def test_an_optimizer_of_other_groups_is_refused(tmp_path: Path) -> None:
    """The memory of some weights is used for others."""
    model = _model()
    path = save(model, tmp_path / "model.safetensors", optimizer=_stepped(model, torch.optim.Adam(model.parameters())))
    with pytest.raises(CheckpointError, match="does not fit the model or optimizer"):
        restore(path, model, torch.optim.Adam(list(model.parameters())[:2]))


@given(plain=_json.filter(lambda value: "class" not in json.dumps(value)))
def test_settings_come_back_as_they_were(plain: object) -> None:
    """A model is built again with other settings than it was saved with, or its parts are mixed up."""
    part = Part({"plain": plain, "grids": [BeatGrid(4), {"inner": BeatGrid(3)}], "class": "a word, not a class"})
    text = json.dumps(describe(part))
    assert build(json.loads(text), classes=[Part]).content == part.content


class Part:
    """Something with settings."""

    def __init__(self, content: object) -> None:
        self.content = content

    def settings(self) -> dict[str, Any]:
        return {"content": self.content}
