"""The shipped models agree with their cards, and generate music."""

from importlib.resources import files

import numpy as np
import pytest
import torch

from pianoroll_seq2seq import (
    BeatGrid,
    CopyingLSTM,
    Draw,
    FillingLSTM,
    FrameLayout,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    generate,
    model_card,
    open_model,
    pretrained_names,
)
from pianoroll_seq2seq.checkpoint import save
from pianoroll_seq2seq.errors import CheckpointNotFoundError, SettingsError
from pianoroll_seq2seq.evaluation.music_metrics import polyphony, scale_consistency

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", pretrained_names())
class TestEveryModel:
    def test_its_card_is_complete(self, name):
        """A model without a card cannot be used well."""
        card = model_card(name)
        assert {"name", "what", "data", "recipe", "parameters", "scores", "not_for"} <= card.keys()
        assert card["name"] == name
        assert card["parameters"] == sum(each.numel() for each in open_model(name).model.parameters())

    def test_it_is_small(self, name):
        """Every installation downloads it."""
        most = {"airds-airs": 1.5e6, "bach-chorales": 3e6, "bach-chords": 2e6}[name]
        assert len(files("pianoroll_seq2seq.pretrained").joinpath(f"{name}.safetensors").read_bytes()) < most

    def test_its_layout_is_known(self, name):
        """Frames of another layout would give noise."""
        trained = open_model(name)
        assert trained.model.layout == trained.layout
        assert trained.layout.frame_size == trained.model.frame_size


def test_the_chorales_model_generates_a_chorale() -> None:
    """Four parts in a key, as the README says."""
    model = FillingLSTM.from_pretrained("bach-chorales")
    assert not model.training
    silence = PianoRoll.silent(64, grid=BeatGrid(4), parts=model.layout.parts)
    pieces = generate(model, [silence] * 4, num_frames=96, sampler=Draw(0.9), seed=1)
    assert np.mean([polyphony(roll) for roll in pieces]) > 3.7
    assert np.mean([scale_consistency(roll, weight="frames") for roll in pieces]) > 0.85


def test_the_airs_model_continues_infills_and_varies_a_tune() -> None:
    """One note at a time, in a key, and what is given stays."""
    trained = open_model("airds-airs")
    tune = trained.generate(beats=32, sampler=Draw(0.9), seed=2)
    assert tune.active.sum(axis=1).max() == 1
    assert scale_consistency(tune, weight="frames") > 0.9
    filled, varied = trained.infill(tune, bars=(3, 4), seed=1), trained.vary(tune, seed=1)
    assert np.array_equal(filled.active[:32], tune.active[:32])
    assert np.array_equal(filled.active[64:], tune.active[64:])
    for roll in (filled, varied):
        assert 0.3 < (roll.active == tune.active).all(axis=1).mean() < 1


def test_unknown_names_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"'bach'.*bach-chorales"):
        model_card("bach")
    with pytest.raises(CheckpointNotFoundError, match=r"mozart: no such model.*bach-chorales"):
        Seq2SeqLSTM.from_pretrained("mozart")


def test_a_model_of_another_class_is_refused(tmp_path, monkeypatch) -> None:
    """A class method that returns something else misleads type checkers and readers."""
    layout = FrameLayout(pitches=PitchRange(60, 64), planes=("active",))
    save(CopyingLSTM(layout, hidden_size=4, num_copy_heads=0), tmp_path / "other.safetensors")
    monkeypatch.setattr("pianoroll_seq2seq.pretrained.shipped._FOLDER", tmp_path)
    assert isinstance(open_model("other").model, CopyingLSTM)
    with pytest.raises(SettingsError, match="CopyingLSTM"):
        Seq2SeqLSTM.from_pretrained("other")
    assert torch.is_grad_enabled()
