"""Opening trained models from every kind of source, and generating with them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pianoroll_seq2seq import (
    BeatGrid,
    FrameLayout,
    GuidedModel,
    NotesHead,
    PianoRoll,
    PitchRange,
    SecondsGrid,
    Seq2SeqLSTM,
    SlidingWindows,
    TempoMap,
    TrainedModel,
    fit,
    generate,
    open_model,
    save_pretrained,
)
from pianoroll_seq2seq.checkpoint import save
from pianoroll_seq2seq.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    GridError,
    PitchRangeError,
    SettingsError,
    ShapeError,
)

pytestmark = pytest.mark.usefixtures("one_thread")

LAYOUT = FrameLayout(BeatGrid(2), PitchRange(60, 66), planes=("active",))


def some_roll(num_frames: int = 8, layout: FrameLayout = LAYOUT, tempo: TempoMap = TempoMap()) -> PianoRoll:
    active = np.random.default_rng(3).random((num_frames, len(layout.pitches))) < 0.4
    return PianoRoll.from_active(active, grid=layout.grid, pitches=layout.pitches, tempo=tempo)


def test_opens_the_default_model() -> None:
    """Without a name there is still music."""
    trained = open_model()
    assert (trained.name, trained.grid, trained.pitches) == ("bach-chorales", BeatGrid(4), PitchRange(34, 83))
    assert not trained.model.training
    assert "chorales" in trained.card["what"]


@pytest.mark.parametrize("from_layout", [True, False])
def test_opens_a_run(tmp_path: Path, from_layout: bool) -> None:
    """A run's folder and its best checkpoint are the same model, with its layout."""
    both = FrameLayout.of(LAYOUT, onsets=True)
    windows = SlidingWindows([some_roll(24)], input_frames=8, target_frames=8, hop=8, layout=both)
    model = Seq2SeqLSTM(both if from_layout else both.frame_size, hidden_size=4)
    fit(model, windows, epochs=1, batch_size=8, checkpoint_dir=tmp_path, progress=False)
    for source in (tmp_path, str(tmp_path), tmp_path / "best.safetensors"):
        trained = open_model(source)
        assert trained.layout == both
        assert not trained.card
        assert len(trained.generate(num_frames=5)) == 5


def test_opens_a_checkpoint(tmp_path: Path) -> None:
    """The layout is that of the model, of the details, or the one that is passed; a wrong one is refused."""
    save(Seq2SeqLSTM(LAYOUT, hidden_size=4), tmp_path / "own.safetensors", details={"card": {"what": "a test"}})
    trained = open_model(tmp_path / "own.safetensors")
    assert (trained.layout, trained.card) == (LAYOUT, {"what": "a test"})
    assert open_model(tmp_path / "own.safetensors", layout=LAYOUT).layout == LAYOUT
    with pytest.raises(GridError):
        open_model(tmp_path / "own.safetensors", layout=FrameLayout(BeatGrid(4), LAYOUT.pitches, planes=("active",)))
    save(Seq2SeqLSTM(7, hidden_size=4, condition_size=2), tmp_path / "details.safetensors", details={"layout": LAYOUT})
    assert (
        open_model(tmp_path / "details.safetensors").layout,
        open_model(tmp_path / "details.safetensors").condition_size,
    ) == (
        LAYOUT,
        2,
    )
    save(Seq2SeqLSTM(7, hidden_size=4), tmp_path / "bare.safetensors")
    with pytest.raises(CheckpointError, match=r"layout of its frames is unknown.*open_model\(path, layout="):
        open_model(tmp_path / "bare.safetensors")
    assert open_model(tmp_path / "bare.safetensors", layout=LAYOUT).layout == LAYOUT
    assert Seq2SeqLSTM.from_pretrained(tmp_path / "bare.safetensors", layout=LAYOUT).frame_size == 7
    with pytest.raises(SettingsError, match=r"frames of 7 columns, but .* has 88"):
        open_model(tmp_path / "bare.safetensors", layout=FrameLayout(planes=("active",)))


def test_opens_a_shared_folder(tmp_path: Path) -> None:
    folder = save_pretrained(Seq2SeqLSTM(LAYOUT, hidden_size=4), tmp_path / "shared")
    for source in (folder, str(folder)):
        assert open_model(source).layout == LAYOUT
    with pytest.raises(PitchRangeError):
        open_model(folder, layout=FrameLayout(BeatGrid(2), planes=("active",)))


def test_unknown_sources_are_errors(tmp_path: Path) -> None:
    """The error names what was not found, and what there is."""
    for source in ("bach", tmp_path, tmp_path / "none.safetensors"):
        with pytest.raises(CheckpointNotFoundError, match=r"no such model.*bach-chorales"):
            open_model(source)


class TestGenerate:
    def trained(self, layout: FrameLayout = LAYOUT, **settings: Any) -> TrainedModel:
        return TrainedModel(Seq2SeqLSTM(layout, hidden_size=4, **settings).eval(), layout)

    @pytest.mark.parametrize(
        ("length", "num_frames"),
        [({}, 64), ({"beats": 3}, 6), ({"beats": 1.5}, 3), ({"seconds": 2.0}, 8), ({"num_frames": 5}, 5)],
    )
    @pytest.mark.parametrize("primer", [None, some_roll()])
    def test_the_length_may_be_in_beats_seconds_or_frames(self, primer, length, num_frames):
        """At 120 beats per minute; 32 beats by default."""
        music = self.trained().generate(primer, **length)
        assert (len(music), music.grid, music.pitches) == (num_frames, LAYOUT.grid, LAYOUT.pitches)

    def test_seconds_are_at_the_tempo_of_the_end_of_the_primer(self):
        """A slow piece would get twice the music."""
        tempo = TempoMap(480, [(0, 500_000), (960, 1_000_000)])
        assert len(self.trained().generate(some_roll(tempo=tempo), seconds=2.0)) == 4

    def test_is_generate_with_the_layout(self):
        trained, primer = self.trained(FrameLayout.of(LAYOUT, onsets=True), head=NotesHead), some_roll()
        assert trained.generate(primer, num_frames=9, seed=4) == generate(trained.model, primer, num_frames=9, seed=4)
        again = TrainedModel(Seq2SeqLSTM(14, hidden_size=4, head=NotesHead), trained.layout)
        again.model.load_state_dict(trained.model.state_dict())
        assert again.generate(primer, num_frames=9, seed=4) == trained.generate(primer, num_frames=9, seed=4)

    def test_a_path_is_read_in_the_layout(self, tmp_path):
        some_roll().to_midi(tmp_path / "primer.mid")
        primer = PianoRoll.from_midi(tmp_path / "primer.mid", grid=LAYOUT.grid, pitches=LAYOUT.pitches)
        for path in (tmp_path / "primer.mid", str(tmp_path / "primer.mid")):
            assert self.trained(block_frames=4).layout == LAYOUT
            trained = self.trained()
            assert trained.generate(path, num_frames=6) == trained.generate(primer, num_frames=6)

    @pytest.mark.parametrize("grid", [BeatGrid(4), SecondsGrid(0.25)])
    def test_without_a_primer_it_begins_from_16_beats_of_silence(self, grid):
        layout = FrameLayout(grid, LAYOUT.pitches, planes=("active",))
        trained = self.trained(layout)
        num_frames = 64 if isinstance(grid, BeatGrid) else 32
        silence = PianoRoll.silent(num_frames, grid=grid, pitches=LAYOUT.pitches)
        assert trained.generate(num_frames=6, seed=2) == trained.generate(silence, num_frames=6, seed=2)

    @pytest.mark.parametrize(
        ("primer", "error"),
        [
            (some_roll(layout=FrameLayout(BeatGrid(4), LAYOUT.pitches, planes=("active",))), GridError),
            (some_roll(layout=FrameLayout(BeatGrid(2), PitchRange(61, 67), planes=("active",))), PitchRangeError),
            (some_roll(0), ShapeError),
        ],
    )
    def test_a_primer_of_another_layout_is_refused(self, primer, error):
        """The model would read frames that mean something else, and answer nonsense."""
        bare = TrainedModel(Seq2SeqLSTM(7, hidden_size=4).eval(), LAYOUT)
        for trained in (self.trained(), bare):
            with pytest.raises(error):
                trained.generate(primer, num_frames=3)

    @pytest.mark.parametrize("wrong", [{"beats": 1, "seconds": 1}, {"num_frames": 0}, {"beats": -1}])
    def test_wrong_lengths_are_errors(self, wrong):
        with pytest.raises(SettingsError, match="one number above 0"):
            self.trained().generate(**wrong)

    def test_conditions(self):
        trained = self.trained(condition_size=2)
        assert trained.condition_size == 2
        assert len(trained.generate(num_frames=3, condition=np.array([1.0, 0.0]))) == 3
        with pytest.raises(SettingsError, match="Pass one"):
            trained.generate(num_frames=3)


@pytest.mark.parametrize("shared", [False, True], ids=["checkpoint", "folder"])
def test_a_layout_that_contradicts_the_recorded_one_is_refused(tmp_path: Path, shared: bool) -> None:
    """A model built from a number is opened with another grid than its file says, and its music has another tempo."""
    layout = FrameLayout(pitches=PitchRange(60, 71), planes=("active",))
    model = Seq2SeqLSTM(12, hidden_size=4)
    if shared:
        path = save_pretrained(model, tmp_path / "shared", layout=layout)
    else:
        path = save(model, tmp_path / "model.safetensors", details={"layout": layout, "data": {"source": "jsb"}})
    assert open_model(path).layout == layout
    with pytest.raises(GridError, match="the layout is on"):
        open_model(path, layout=FrameLayout(BeatGrid(2), PitchRange(60, 71), planes=("active",)))


def test_a_layout_of_another_size_than_a_guided_model_is_refused(tmp_path: Path) -> None:
    """A wrapped model is shared with a layout of twice its columns."""
    guided = GuidedModel(Seq2SeqLSTM(12, hidden_size=4, condition_size=2, condition_dropout=0.1), 0.5)
    onsets = FrameLayout(pitches=PitchRange(60, 71), planes=("active", "onset"))
    with pytest.raises(SettingsError, match="frames of 12 columns"):
        save_pretrained(guided, tmp_path / "shared", layout=onsets)
