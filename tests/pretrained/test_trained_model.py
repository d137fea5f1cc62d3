"""Opening trained models, wherever they lie."""

from dataclasses import asdict
from pathlib import Path

import pytest

from pianoroll_seq2seq import BeatGrid, PianoRoll, PitchRange, SecondsGrid, Seq2SeqLSTM, SlidingWindows, fit, open_model
from pianoroll_seq2seq.checkpoint import save
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords
from pianoroll_seq2seq.errors import CheckpointError, CheckpointNotFoundError

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_model_that_comes_with_the_library() -> None:
    """Nobody who names no model hears anything."""
    trained = open_model()
    assert (trained.name, trained.grid, trained.pitches) == ("bach-chorales", BeatGrid(4), PitchRange(36, 81))
    assert not trained.model.training
    assert "chorales" in trained.card["what"]


def test_of_a_run(tmp_path: Path) -> None:
    """A run's folder and its best checkpoint are the same model, with its grid, pitches and planes."""
    piece = PianoRoll.from_score(next(iter(scale_chords().values())), grid=BeatGrid(2), pitches=PitchRange(36, 96))
    windows = SlidingWindows([piece], input_frames=8, target_frames=8, hop=8, onsets=True)
    fit(Seq2SeqLSTM(122, hidden_size=4), windows, epochs=1, batch_size=8, checkpoint_dir=tmp_path, progress=False)
    for source in (tmp_path, str(tmp_path), tmp_path / "best.safetensors"):
        trained = open_model(source)
        assert (trained.grid, trained.pitches, trained.onsets) == (BeatGrid(2), PitchRange(36, 96), True)
        assert not trained.card


def test_what_is_no_model(tmp_path: Path) -> None:
    """What is missing is named, with what there is."""
    for source in ("bach", tmp_path, tmp_path / "none.safetensors"):
        with pytest.raises(CheckpointNotFoundError, match=r"no model there.*bach-chorales"):
            open_model(source)
    save(Seq2SeqLSTM(3, hidden_size=4), tmp_path / "bare.safetensors")
    with pytest.raises(CheckpointError, match="does not say which grid and pitches"):
        open_model(tmp_path / "bare.safetensors")
    details = {"grid": SecondsGrid(0.02), "pitches": asdict(PitchRange(60, 62)), "condition_size": 2}
    save(Seq2SeqLSTM(3, hidden_size=4, condition_size=2), tmp_path / "whole.safetensors", details=details)
    assert open_model(tmp_path / "whole.safetensors").condition_size == 2
