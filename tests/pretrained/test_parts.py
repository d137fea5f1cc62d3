"""Trained models of several parts and of velocities: opened, shared, and generating."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pianoroll_seq2seq import (
    FrameLayout,
    Part,
    PianoRoll,
    PitchRange,
    SecondsGrid,
    Seq2SeqLSTM,
    TrainedModel,
    open_model,
)
from pianoroll_seq2seq.errors import PitchRangeError, ShapeError

pytestmark = pytest.mark.usefixtures("one_thread")

PARTS = (
    Part("high", 40, pitches=PitchRange(60, 65)),
    Part("`low`", 32, pitches=PitchRange(40, 44)),
    Part("kit", drums=True, pitches=PitchRange(36, 38)),
)
LAYOUT = FrameLayout(planes=("active", "onset", "velocity"), parts=PARTS)


def trained_model(layout: FrameLayout = LAYOUT) -> TrainedModel:
    torch.manual_seed(0)
    return TrainedModel(Seq2SeqLSTM(layout, hidden_size=4), layout, name="band")


def song(*, velocity: int | None = 70) -> PianoRoll:
    active = np.random.default_rng(3).random((16, LAYOUT.plane_size)) < 0.3
    active[0] = True
    roll = PianoRoll.from_active(active, parts=PARTS)
    return roll.with_velocity(velocity)


def test_a_shared_model_has_its_parts(tmp_path: Path) -> None:
    """Parts become one, or lose their programs or their pitches."""
    folder = trained_model().save_pretrained(tmp_path / "band")
    opened = open_model(folder)
    assert opened.layout == LAYOUT
    assert [(part.name, part.program, part.drums, part.pitches) for part in opened.parts] == [
        (part.name, part.program, part.drums, part.pitches) for part in PARTS
    ]
    assert opened.pitches == PitchRange(40, 65)
    assert [part.name for part in open_model().parts] == ["soprano", "alto", "tenor", "bass"]


def test_the_page_lists_the_parts(tmp_path: Path) -> None:
    """The page of a model of several parts cannot be written, or the name of a part is mark-up."""
    text = (trained_model().save_pretrained(tmp_path / "band") / "README.md").read_text(encoding="utf-8")
    for line in (
        "- part `high`: program 40, C4 to F4, `PitchRange(lowest=60, highest=65)`",
        "- part `'low'`: program 32, E2 to G#2, `PitchRange(lowest=40, highest=44)`",
        "- part `kit`: drums, C2 to D2, `PitchRange(lowest=36, highest=38)`",
        "- planes: active, onset, velocity",
    ):
        assert line in text.splitlines()
    one = FrameLayout(pitches=PitchRange(60, 65))
    text = (trained_model(one).save_pretrained(tmp_path / "one") / "README.md").read_text(encoding="utf-8")
    assert "- pitches: C4 to F4, `PitchRange(lowest=60, highest=65)`" in text.splitlines()


def test_it_begins_from_silence_and_continues_a_roll() -> None:
    """Silence is not of the model's parts, or has no velocities; or the music is in other parts."""
    trained = trained_model()
    for music in (trained.generate(num_frames=12, seed=1), trained.generate(song(), num_frames=12, seed=1)):
        assert music.parts == LAYOUT.parts
        assert music.velocity is not None
        assert len(set(music.velocity[music.onset].tolist())) > 3
    with pytest.raises(ShapeError, match="has no velocities"):
        trained.generate(song(velocity=None), num_frames=1)
    with pytest.raises(PitchRangeError, match="expects the parts high, `low`, kit"):
        trained.generate(song().merged(), num_frames=1)


def test_silence_is_a_primer_on_any_grid() -> None:
    layout = FrameLayout(SecondsGrid(0.05), planes=("active", "onset", "velocity"), parts=PARTS)
    assert len(trained_model(layout).generate(seconds=0.5, seed=1)) == 10


def test_a_roll_without_notes_has_no_unknown_velocities() -> None:
    """A primer that is silent is refused, because its velocities are unknown."""
    silence = PianoRoll.silent(3, parts=PARTS)
    frames = silence.to_frames(LAYOUT)
    assert frames.dtype == np.uint8
    assert not frames.any()
    held = song(velocity=None)[0:1]
    with pytest.raises(ShapeError, match="has no velocities"):
        held.to_frames(LAYOUT)


def test_a_file_of_the_parts_is_a_primer(tmp_path: Path) -> None:
    path = song().to_midi(tmp_path / "song.mid")
    trained = trained_model()
    assert trained.read_primer(path) == song()[: len(trained.read_primer(path))]
    assert len(trained.generate(path, num_frames=4)) == 4
