"""Saving and loading models: library models and custom ones."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from checkpoint_models import (
    HEADER,
    PITCHES,
    Echo,
    WithoutSettings,
    rewrite_header,
    same_weights,
    some_frames,
    some_primer,
    stepped,
    tiny_model,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pianoroll_seq2seq import (
    BernoulliHead,
    Draw,
    FrameLayout,
    RelativeBernoulliHead,
    SecondsGrid,
    Seq2SeqLSTM,
    generate,
    read_midi,
    save,
)
from pianoroll_seq2seq.checkpoint import FORMAT_VERSION, build, describe, load, read_header, restore
from pianoroll_seq2seq.errors import (
    CheckpointError,
    OverwriteError,
)
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM

pytestmark = pytest.mark.usefixtures("one_thread")


@given(
    hidden_size=st.integers(1, 5),
    num_encoder_layers=st.integers(1, 2),
    num_decoder_layers=st.integers(1, 3),
    kind=st.sampled_from(["autoregressive", "parallel", "parallel with batch norm", "relative head"]),
)
def test_a_loaded_model_predicts_what_the_saved_one_does(
    tmp_path_factory: pytest.TempPathFactory,
    hidden_size: int,
    num_encoder_layers: int,
    num_decoder_layers: int,
    kind: str,
) -> None:
    """Music would change after saving and loading."""
    changes: dict[str, Any] = {
        "autoregressive": {"dropout": 0.5},
        "parallel": {"kind": ParallelSeq2SeqLSTM, "block_frames": 4},
        "parallel with batch norm": {"kind": ParallelSeq2SeqLSTM, "block_frames": 4, "batch_norm": True},
        "relative head": {"head": partial(RelativeBernoulliHead, channels=3)},
    }[kind]
    changes |= {"num_encoder_layers": num_encoder_layers, "num_decoder_layers": num_decoder_layers}
    model = tiny_model(hidden_size=hidden_size, **changes)
    if kind == "parallel with batch norm":
        with torch.random.fork_rng():
            model(some_frames(6), some_frames(6, seed=1))  # changes the running statistics
    path = save(model, tmp_path_factory.mktemp("checkpoint") / "model.safetensors")
    loaded = load(path)
    assert type(loaded) is type(model)
    assert not loaded.training
    assert describe(loaded) == describe(model)
    model.eval()
    inputs, targets = some_frames(6), some_frames(4, seed=1)
    with torch.no_grad():
        assert torch.equal(model(inputs, targets).mean, loaded(inputs, targets).mean)


def test_a_new_process_generates_the_same_music(tmp_path: Path) -> None:
    """A checkpoint must hold everything of a model."""
    model = tiny_model(
        layout=FrameLayout(pitches=PITCHES, planes=("active",)),
        head=partial(RelativeBernoulliHead, channels=4),
        block_frames=3,
        input_noise=0.1,
    )
    path = save(model, tmp_path / "model.safetensors")
    here = generate(model, some_primer(), num_frames=12, sampler=Draw(1.3), seed=5)
    assert here.active.any()
    some_primer().to_midi(tmp_path / "primer.mid")
    script = """
import sys
from pianoroll_seq2seq import Draw, open_model
folder = sys.argv[1]
trained = open_model(f"{folder}/model.safetensors")
music = trained.generate(f"{folder}/primer.mid", num_frames=12, sampler=Draw(1.3), seed=5)
music.to_midi(f"{folder}/there.mid")
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=120)
    assert path.exists()
    here.to_midi(tmp_path / "here.mid")
    assert read_midi(tmp_path / "there.mid").notes == read_midi(tmp_path / "here.mid").notes


def test_a_checkpoint_is_a_plain_safetensors_file(tmp_path: Path) -> None:
    """Loading must not execute anything, and other tools must be able to read the weights."""
    model = tiny_model()
    optimizer = stepped(model, torch.optim.Adam(model.parameters()))
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
    """A checkpoint must keep facts about a model."""
    layout = FrameLayout(SecondsGrid(0.02), PITCHES, ("active", "onset"))
    details = {"layout": layout, "notes": {"by": "me", "scores": [1.5, None, True]}}
    path = save(tiny_model(), tmp_path / "model.safetensors", details=details)
    found = restore(path, tiny_model())
    assert found == read_header(path)["details"]
    assert found["notes"] == details["notes"]
    assert build(json.loads(json.dumps(found["layout"]))) == layout
    assert read_header(path)["version"] == FORMAT_VERSION


@pytest.mark.parametrize("details", [{"x": object()}, {"x": float("nan")}, {"x": np.float32(1)}, {"x": {(1, 2): 3}}])
def test_details_that_json_cannot_hold_are_refused(tmp_path: Path, details: dict[Any, Any]) -> None:
    """A checkpoint that cannot be read again must not be written."""
    with pytest.raises(CheckpointError, match="cannot be JSON"):
        save(tiny_model(), tmp_path / "model.safetensors", details=details)
    assert not list(tmp_path.iterdir())


def test_saving_does_not_overwrite_by_default(tmp_path: Path) -> None:
    """A second training would silently replace the model of the first."""
    path = tmp_path / "models" / "model.safetensors"
    first, second = tiny_model(), tiny_model(hidden_size=3)
    assert save(first, path) == path
    before = path.read_bytes()
    with pytest.raises(OverwriteError):
        save(second, path)
    assert path.read_bytes() == before
    save(second, path, overwrite=True)
    assert load(path).hidden_size == 3


def test_saving_leaves_the_model_alone(tmp_path: Path) -> None:
    """Saving must not disturb training."""
    model = tiny_model(dropout=0.5)
    before = {name: (value.clone(), value.data_ptr()) for name, value in model.state_dict().items()}
    save(model.train(), tmp_path / "model.safetensors")
    assert model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name][0])
        assert value.data_ptr() == before[name][1]


@pytest.mark.parametrize("memory", ["transposed", "shared", "sliced"])
def test_weights_in_any_memory_layout_can_be_saved(tmp_path: Path, memory: str) -> None:
    """A model with tied or transposed weights would train for hours and then fail to be saved."""
    model = Echo(7)
    weight = torch.arange(49.0).view(7, 7)
    model.heads[0].logits.weight = nn.Parameter(weight.t() if memory == "transposed" else weight)
    if memory == "shared":
        model.tied = model.heads[0].logits.weight
    if memory == "sliced":
        model.heads[0].logits.weight = nn.Parameter(torch.arange(98.0).view(7, 14)[:, ::2])
    path = save(model, tmp_path / "model.safetensors")
    found = safetensors.torch.load_file(path)["model.heads.0.logits.weight"]
    assert torch.equal(found, model.heads[0].logits.weight)


# ---- Custom models


def test_custom_models_are_loaded_if_their_class_is_passed(tmp_path: Path) -> None:
    """Custom models and parts must be saved and loaded like those of the library."""
    model = Echo(7, certainty=3.5, heads=[BernoulliHead(7, 7), BernoulliHead(2, 3)])
    path = save(model, tmp_path / "echo.safetensors")
    loaded = load(path, classes=iter([Seq2SeqLSTM, Echo]))
    assert type(loaded) is Echo
    assert loaded.certainty == 3.5
    assert [(head.in_features, head.frame_size) for head in loaded.heads] == [(7, 7), (2, 3)]
    with torch.no_grad():
        assert torch.equal(model(some_frames(3), some_frames(2)).mean, loaded(some_frames(3), some_frames(2)).mean)
    assert generate(loaded, some_primer(), num_frames=4) == generate(model, some_primer(), num_frames=4)


def test_custom_models_are_refused_otherwise(tmp_path: Path) -> None:
    """The error must say how to load a custom model."""
    path = save(Echo(7), tmp_path / "echo.safetensors")
    with pytest.raises(CheckpointError, match=r"classes=\[Echo\]"):
        load(path)


def test_custom_models_without_settings_can_be_restored(tmp_path: Path) -> None:
    """The error must say how to load a model without settings()."""
    model = WithoutSettings(7)
    path = save(model, tmp_path / "shy.safetensors", details={"by": "me"})
    with pytest.raises(CheckpointError, match=r"no method settings\(\).*restore\(path, model\)"):
        load(path, classes=[WithoutSettings])
    again = WithoutSettings(7)
    assert restore(path, again) == {"by": "me"}
    assert same_weights(model, again)


def test_custom_models_whose_constructor_has_changed(tmp_path: Path) -> None:
    """The error must name the settings that an old checkpoint was saved with."""
    path = save(Echo(7), tmp_path / "echo.safetensors")
    rewrite_header(path, lambda header: header["model"]["settings"].update(volume=11))
    with pytest.raises(CheckpointError, match=r"cannot be built with the settings .*'volume': 11"):
        load(path, classes=[Echo])


# ---- Restoring into an existing model


@pytest.mark.parametrize(
    "changes", [{"hidden_size": 5}, {"layout": 6}, {"num_decoder_layers": 1}, {"num_encoder_layers": 2}]
)
def test_weights_of_another_shape_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """The error must name the file."""
    path = save(tiny_model(), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: does not fit"):
        restore(path, tiny_model(**changes))
