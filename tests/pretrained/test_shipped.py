"""The models that come with the library are what their cards say, and play."""

from importlib.resources import files

import numpy as np
import pytest
import torch

from pianoroll_seq2seq import (
    BeatGrid,
    CopyingLSTM,
    Draw,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    generate,
    load_pretrained,
    model_card,
    pretrained_names,
)
from pianoroll_seq2seq.checkpoint import read_header, save
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.music_metrics import polyphony, scale_consistency

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", pretrained_names())
class TestEveryModel:
    def test_its_card_says_what_one_must_know(self, name):
        """A model without a card is a riddle."""
        card = model_card(name)
        assert {"name", "what", "data", "recipe", "parameters", "scores", "not_for"} <= card.keys()
        assert card["name"] == name
        assert card["parameters"] == sum(each.numel() for each in load_pretrained(name).parameters())

    def test_it_is_small(self, name):
        """Whoever installs the library downloads it, wanted or not."""
        assert len(files("pianoroll_seq2seq.pretrained").joinpath(f"{name}.safetensors").read_bytes()) < 2e6

    def test_its_grid_and_pitches_are_known(self, name):
        """Whoever gets other frames than it learned from hears noise."""
        path = files("pianoroll_seq2seq.pretrained").joinpath(f"{name}.safetensors")
        details = read_header(str(path))["details"]
        assert {"grid", "pitches"} <= details.keys()
        lowest, highest = details["pitches"]["lowest"], details["pitches"]["highest"]
        assert load_pretrained(name).pitches == highest - lowest + 1


def test_the_chorales_model_begins_a_chorale() -> None:
    """Four parts, in a key: what the README promises."""
    model = Seq2SeqLSTM.from_pretrained("bach-chorales")
    assert not model.training
    silence = PianoRoll.silent(64, grid=BeatGrid(4), pitches=PitchRange(36, 81))
    pieces = generate(model, [silence] * 4, num_frames=96, sampler=Draw(0.9), seed=1)
    assert np.mean([polyphony(roll) for roll in pieces]) > 3.4
    assert np.mean([scale_consistency(roll, weight="frames") for roll in pieces]) > 0.85


def test_names_that_are_not_there_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"'bach'.*bach-chorales"):
        load_pretrained("bach")
    with pytest.raises(SettingsError, match="mozart"):
        Seq2SeqLSTM.from_pretrained("mozart")


def test_a_model_of_another_kind_is_not_passed_off_as_this_one(tmp_path, monkeypatch) -> None:
    """A class method that returns something else misleads type checkers and people."""
    save(CopyingLSTM(5, hidden_size=4, num_copy_heads=0), tmp_path / "other.safetensors")
    monkeypatch.setattr("pianoroll_seq2seq.pretrained._FOLDER", tmp_path)
    assert isinstance(load_pretrained("other"), CopyingLSTM)
    with pytest.raises(SettingsError, match="CopyingLSTM"):
        Seq2SeqLSTM.from_pretrained("other")
    assert torch.is_grad_enabled()
