"""How much a file may make the library build: settings are held against the weights before memory is taken."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from checkpoint_models import HEADER, Echo, rewrite_header, tiny_model
from mutations import peak_growth
from torch import nn

from pianoroll_seq2seq import (
    BernoulliHead,
    CausalTransformer,
    CopyingLSTM,
    FrameLayout,
    NADEHead,
    NotesHead,
    ParallelSeq2SeqLSTM,
    PitchRange,
    RelativeBernoulliHead,
    Seq2SeqLSTM,
    open_model,
    save,
    save_pretrained,
)
from pianoroll_seq2seq.checkpoint import build, describe, load, restore
from pianoroll_seq2seq.checkpoint.files import CHECKSUM, checksum
from pianoroll_seq2seq.errors import CheckpointError
from pianoroll_seq2seq.models.classifier_free_guidance import GuidedModel
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead

pytestmark = pytest.mark.usefixtures("one_thread")

LAYOUT = FrameLayout(pitches=PitchRange(60, 66), planes=("active",))
ONSETS = FrameLayout(pitches=PitchRange(60, 66), planes=("active", "onset"))
MODELS: dict[str, Callable[[], nn.Module]] = {
    "default": lambda: Seq2SeqLSTM(LAYOUT, hidden_size=4),
    "copies": lambda: Seq2SeqLSTM(LAYOUT, hidden_size=4, num_copy_heads=2, attention=True, head=RelativeBernoulliHead),
    "NADE": lambda: Seq2SeqLSTM(LAYOUT, hidden_size=4, condition_size=3, condition_dropout=0.5, head=NADEHead),
    "notes": lambda: Seq2SeqLSTM(ONSETS, hidden_size=4, head=NotesHead),
    "parallel": lambda: ParallelSeq2SeqLSTM(LAYOUT, hidden_size=4, block_frames=2, batch_norm=True),
    "copying": lambda: CopyingLSTM(LAYOUT, hidden_size=4),
    "transformer": lambda: CausalTransformer(LAYOUT, hidden_size=8, num_layers=2),
    "polyphony": lambda: CopyingLSTM(
        LAYOUT, hidden_size=4, head=partial(RelativeWindowHead, max_polyphony=3, active_columns=(1, 5), channels=4)
    ),
    "guided": lambda: GuidedModel(Seq2SeqLSTM(LAYOUT, hidden_size=4, condition_size=3, condition_dropout=0.1), 0.5),
}
ABSURD: dict[str, tuple[str, dict[str, Any]]] = {
    "hidden_size": ("default", {"hidden_size": 7000, "head": {"in_features": 7000}}),
    "num_encoder_layers": ("default", {"num_encoder_layers": 10**9}),
    "num_decoder_layers": ("default", {"num_decoder_layers": 10**18}),
    "frame_size": ("default", {"layout": 10**9, "head": {"layout": 10**9}}),
    "a size beyond 64 bits": ("default", {"hidden_size": 10**30}),
    "condition_size": ("NADE", {"condition_size": 10**8}),
    "num_copy_heads": ("copies", {"num_copy_heads": 10**7}),
    "CopyingLSTM.num_copy_heads": ("copying", {"num_copy_heads": 10**7}),
    "CausalTransformer.hidden_size": ("transformer", {"hidden_size": 8000, "head": {"in_features": 8048}}),
    "CausalTransformer.num_layers": ("transformer", {"num_layers": 10**12}),
    "channels": ("copies", {"head": {"channels": 10**9}}),
    "window": ("copying", {"head": {"window": 10**9}}),
    "num_frames": ("copying", {"head": {"num_frames": 10**9}}),
    "num_layers": ("copying", {"head": {"num_layers": 10**9}}),
    "max_polyphony": ("polyphony", {"head": {"max_polyphony": 10**9}}),
    "NADE.hidden_size": ("NADE", {"head": {"hidden_size": 10**9}}),
    "decays": ("copying", {"head": {"decays": [0.5] * 50_000}}),
    "block_frames": ("parallel", {"block_frames": 10**12}),
    "in_features": ("NADE", {"head": {"in_features": 10**9}}),
}
WRONG_TYPES: dict[str, tuple[str, dict[str, Any]]] = {
    "a part of a frame": ("parallel", {"block_frames": 2.5}),
    "a text": ("default", {"hidden_size": "4"}),
    "a truth": ("default", {"attention": "no"}),
    "a truth as a number": ("default", {"num_encoder_layers": True}),
    "a list": ("default", {"dropout": [0.1]}),
    "nothing": ("default", {"dropout": None}),
    "columns in parts": ("polyphony", {"head": {"active_columns": [1.0, 5.0]}}),
    "three columns": ("polyphony", {"head": {"active_columns": [1, 5, 6]}}),
    "decays of texts": ("copying", {"head": {"decays": ["a", "b"]}}),
    "no head": ("default", {"head": 5}),
    "a layout of texts": ("default", {"layout": "LAYOUT"}),
    "an unknown plane": ("default", {"layout": {"planes": ["active", "loud"]}}),
    "frames in parts": ("default", {"layout": {"grid": {"frames_per_beat": 4.5}}}),
    "pitches in parts": ("default", {"layout": {"pitches": {"lowest": 60.5}}}),
    "an unknown setting": ("default", {"volume": 11}),
}


def changed(settings: dict[str, Any], changes: dict[str, Any]) -> None:
    """Changes settings, also those of descriptions in them."""
    for name, value in changes.items():
        if isinstance(value, dict):
            changed(settings[name]["settings"], value)
        else:
            settings[name] = value


@pytest.mark.parametrize("name", MODELS)
def test_each_model_of_the_library_passes(tmp_path: Path, name: str) -> None:
    """A model of the library is refused, or changes, because its settings are tried without memory first."""
    model = MODELS[name]()
    loaded = load(save(model, tmp_path / "model.safetensors"))
    assert describe(loaded) == describe(model)
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    assert {tensor.device.type for tensor in (*loaded.parameters(), *loaded.buffers())} == {"cpu"}
    folder = save_pretrained(model, tmp_path / "shared", layout=ONSETS if name == "notes" else LAYOUT)
    assert describe(open_model(folder).model) == describe(model)


@pytest.mark.parametrize("kind", ["checkpoint", "folder"])
@pytest.mark.parametrize("name", ABSURD)
def test_settings_of_a_larger_model_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    """A file of 13 KB takes 5 GB, or all time, before its weights are found not to fit."""
    model, changes = ABSURD[name]
    path = write(tmp_path, MODELS[model](), kind, changes)
    grown, begin = peak_growth(), time.process_time()
    with pytest.raises(CheckpointError) as caught:
        open_model(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 5000
    assert grown() < 100
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("kind", ["checkpoint", "folder"])
@pytest.mark.parametrize("name", WRONG_TYPES)
def test_settings_of_another_type_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    """A model opens that fails, with an error of Python, when it generates."""
    model, changes = WRONG_TYPES[name]
    path = write(tmp_path, MODELS[model](), kind, changes)
    with pytest.raises(CheckpointError, match="cannot be built with the settings"):
        open_model(path)


def write(folder: Path, model: nn.Module, kind: str, changes: dict[str, Any]) -> Path:
    """A checkpoint or a shared folder of a model, with other settings."""
    if kind == "checkpoint":
        path = save(model, folder / "model.safetensors")
        rewrite_header(path, lambda header: changed(header["model"]["settings"], changes))
        return path
    path = save_pretrained(model, folder / "shared")
    config = json.loads((path / "config.json").read_text())
    changed(config["model"]["settings"], changes)
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_many_parts_share_one_budget(tmp_path: Path) -> None:
    """Each of a thousand heads is as large as the file, and all are built."""
    path = save(Echo(7, heads=[tiny_model().head]), tmp_path / "echo.safetensors")
    head = describe(BernoulliHead(2_000, 7))

    def multiply(header: dict[str, Any]) -> None:
        header["model"]["settings"]["heads"] = [head] * 3_000

    rewrite_header(path, multiply)
    grown = peak_growth()
    with pytest.raises(CheckpointError, match="larger than its weights"):
        load(path, classes=[Echo])
    assert grown() < 100


def test_settings_that_are_nested_deep(tmp_path: Path) -> None:
    """A file ends in a RecursionError."""
    path = save(tiny_model(), tmp_path / "model.safetensors")

    def nest(header: dict[str, Any]) -> None:
        for _ in range(200):
            header["model"] = {"class": f"{GuidedModel.__module__}:GuidedModel", "settings": {"model": header["model"]}}

    rewrite_header(path, nest)
    with pytest.raises(CheckpointError, match="nested"):
        load(path)


def test_a_layout_is_no_model(tmp_path: Path) -> None:
    """The layout of a file is a large model, which is built before it is refused."""
    large = {"class": f"{Seq2SeqLSTM.__module__}:Seq2SeqLSTM", "settings": {"layout": 12, "hidden_size": 7000}}
    path = save(tiny_model(), tmp_path / "model.safetensors", details={"layout": large})
    grown = peak_growth()
    with pytest.raises(CheckpointError, match="larger than its weights"):
        open_model(path)
    assert grown() < 100
    with pytest.raises(CheckpointError):
        build(large)


def test_own_classes_have_room(tmp_path: Path) -> None:
    """A model of the user's that replaces parts of itself, or is built in another thread beside, is refused."""
    path = save(Replacing(7), tmp_path / "own.safetensors")
    assert isinstance(load(path, classes=[Replacing]), Replacing)


class Replacing(Echo):
    """A model that builds more than it keeps, and reads its own numbers as it is built."""

    def __init__(self, frame_size: int) -> None:
        super().__init__(frame_size)
        for _ in range(3):
            self.extra = nn.Linear(frame_size, frame_size)
        self.largest = float(self.extra.weight.detach().max())  # has no value on the meta device

    def settings(self) -> dict[str, Any]:
        return {"frame_size": self.frame_size}


# ---- Weights


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("kind", ["checkpoint", "folder"])
def test_weights_that_are_no_numbers_are_named(tmp_path: Path, kind: str, value: float) -> None:
    """A model with NaN in its weights opens, and generates silence."""
    model = Seq2SeqLSTM(LAYOUT, hidden_size=4)
    with torch.no_grad():
        model.encoder.lstm.weight_hh_l1[2, 1] = value
    with pytest.raises(CheckpointError, match=r"weights encoder\.lstm\.weight_hh_l1 are not finite"):
        open_model(write(tmp_path, model, kind, {}))


def test_a_mask_may_be_infinite(tmp_path: Path) -> None:
    """A model of the user's with a mask of minus infinities cannot be loaded again."""
    model = Echo(7)
    model.register_buffer("mask", torch.full((3,), -torch.inf))
    path = save(model, tmp_path / "own.safetensors")
    other = Echo(7)
    other.register_buffer("mask", torch.zeros(3))
    restore(path, other)
    assert torch.equal(other.mask, model.mask)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", ["missing", "extra", "another shape", "whole numbers", "swapped"])
@pytest.mark.parametrize("kind", ["checkpoint", "folder"])
def test_weights_that_do_not_fit_are_named(tmp_path: Path, kind: str, change: str) -> None:
    """Weights of another model are loaded, or refused with an error of PyTorch."""
    path = write(tmp_path, Seq2SeqLSTM(LAYOUT, hidden_size=4), kind, {})
    file = path if kind == "checkpoint" else path / "model.safetensors"
    tensors, prefix = safetensors.torch.load_file(file), "model." if kind == "checkpoint" else ""
    first, second = f"{prefix}encoder.lstm.weight_hh_l0", f"{prefix}encoder.lstm.weight_ih_l0"
    if change == "missing":
        del tensors[first]
    elif change == "extra":
        tensors[f"{prefix}more"] = torch.zeros(1)
    elif change == "another shape":
        tensors[first] = tensors[first].T.contiguous()
    elif change == "whole numbers":
        tensors[first] = tensors[first].to(torch.int8)
    else:
        tensors[first], tensors[second] = tensors[second], tensors[first]
    write_tensors(file, tensors, kind)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: does not fit this model"):
        open_model(path)


def write_tensors(file: Path, tensors: dict[str, torch.Tensor], kind: str) -> None:
    with safetensors.safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    safetensors.torch.save_file(tensors, file, metadata=metadata)
    if kind == "checkpoint":
        rewrite_header(file, lambda header: None)  # with the checksum of these tensors
    else:
        config = json.loads((file.parent / "config.json").read_text())
        del config["weights_sha256"]
        (file.parent / "config.json").write_text(json.dumps(config))


# ---- The header of the file


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


@pytest.mark.parametrize("change", ["overlap", "a gap", "a shape of another size", "a length beyond the file", "huge"])
def test_headers_that_contradict_themselves(tmp_path: Path, change: str) -> None:
    """Tensors share bytes, read past the end, or their list takes all memory."""
    path = save(tiny_model(), tmp_path / "model.safetensors")
    header, rest = header_of(path.read_bytes())
    names = [name for name in header if name != "__metadata__"]
    if change == "overlap":
        header[names[1]]["data_offsets"] = header[names[0]]["data_offsets"]
    elif change == "a gap":
        rest += b"\0" * 8
    elif change == "a shape of another size":
        header[names[0]]["shape"] = [2**40, 2**40]
    elif change == "a length beyond the file":
        rest = rest[:-4]
    else:
        header["__metadata__"] |= {str(number): "x" * 100 for number in range(160_000)}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + rest)
    grown = peak_growth()
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not a checkpoint, or a damaged one"):
        load(path)
    assert grown() < 200


@pytest.mark.parametrize("change", ["many", "long", "long and overlapping"])
def test_names_of_tensors_in_messages(tmp_path: Path, change: str) -> None:
    """The message of an error is megabytes of names from the file, with characters that control a terminal."""
    path = save(tiny_model(), tmp_path / "model.safetensors")
    header, rest = header_of(path.read_bytes())
    text = header["__metadata__"][HEADER]
    tensors = safetensors.torch.load_file(path)
    names = [f"model.{number}" for number in range(20_000)] if change == "many" else ["model.\x1b]0;" + "a" * 10**6]
    more = {name: torch.zeros(0) for name in names}
    safetensors.torch.save_file(tensors | more, path, metadata={HEADER: text, CHECKSUM: checksum(text, tensors | more)})
    if change == "long and overlapping":
        header, rest = header_of(path.read_bytes())
        header[names[0]] = header["model.head.logits.bias"] | {"data_offsets": [0, 4]}
        whole = json.dumps(header).encode()
        path.write_bytes(len(whole).to_bytes(8, "little") + whole + rest)
    for use in (load, lambda path: restore(path, tiny_model())):
        with pytest.raises(CheckpointError, match=r"model\.safetensors: ") as caught:
            use(path)
        assert len(str(caught.value)) < 3_000
        assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("text", ['{"version": NaN}', '{"version": 3, "x": 1e400}', '{"version": -Infinity}'])
def test_numbers_that_are_not_finite(tmp_path: Path, text: str) -> None:
    """Settings are infinite, which no constructor expects."""
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file({"x": torch.zeros(1)}, path, metadata={"pianoroll_seq2seq": text})
    with pytest.raises(CheckpointError, match="header is damaged"):
        load(path)
