"""Objects as JSON: settings are restored, and nothing foreign is built or executed."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from checkpoint_models import (
    rewrite_header,
    tiny_model,
)
from hypothesis import given
from hypothesis import strategies as st

import pianoroll_seq2seq.stores.local
import pianoroll_seq2seq.train  # noqa: F401 (modules that the library itself imports are not foreign)
from pianoroll_seq2seq import (
    BeatGrid,
    save,
)
from pianoroll_seq2seq.checkpoint import build, describe, load
from pianoroll_seq2seq.errors import (
    CheckpointError,
)

pytestmark = pytest.mark.usefixtures("one_thread")


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["class", "settings", "x"]), inner),
    max_leaves=6,
)


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
@pytest.mark.parametrize("part", ["model", "head"])
def test_foreign_classes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, part: str) -> None:
    """Loading an untrusted file would execute it."""
    evil = {"class": path, "settings": {"command": f"touch {tmp_path / 'executed'}", "args": ["touch", "executed"]}}
    checkpoint = save(tiny_model(), tmp_path / "model.safetensors")

    def change(header: dict[str, Any]) -> None:
        if part == "model":
            header["model"] = evil
        else:
            header["model"]["settings"]["head"] = evil

    rewrite_header(checkpoint, change)
    monkeypatch.setattr(os, "system", lambda command: pytest.fail("executed"))
    before = set(sys.modules)
    with pytest.raises(CheckpointError) as caught:
        load(checkpoint)
    assert "not part of pianoroll_seq2seq" in str(caught.value)
    assert {name for name in set(sys.modules) - before if not name.startswith("pianoroll_seq2seq")} == set()
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("pianoroll_seq2seq.grid:BeatGrid", {"frames_per_beat": 4}),
        ("pianoroll_seq2seq.models.heads.bernoulli:BernoulliHead", {"in_features": 3, "layout": 3}),
    ],
)
def test_other_classes_than_models_are_refused(tmp_path: Path, path: str, settings: dict[str, Any]) -> None:
    """A grid or a head would be returned in place of a model."""
    checkpoint = save(tiny_model(), tmp_path / "model.safetensors")
    rewrite_header(checkpoint, lambda header: header | {"model": {"class": path, "settings": settings}})
    with pytest.raises(CheckpointError, match="not a sequence model"):
        load(checkpoint)


@given(plain=_json.filter(lambda value: "class" not in json.dumps(value)))
def test_settings_are_restored(plain: object) -> None:
    """A model must be built with the settings that it was saved with."""
    part = Part({"plain": plain, "grids": [BeatGrid(4), {"inner": BeatGrid(3)}], "class": "a word, not a class"})
    text = json.dumps(describe(part))
    assert build(json.loads(text), classes=[Part]).content == part.content


class Part:
    """Something with settings."""

    def __init__(self, content: object) -> None:
        self.content = content

    def settings(self) -> dict[str, Any]:
        return {"content": self.content}
