"""How a model builds its head, or checks one that is built already."""

import re

import pytest
from torch import nn

from pianoroll_seq2seq.errors import GridError, PitchRangeError, SettingsError, ShapeError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.bernoulli import BernoulliHead
from pianoroll_seq2seq.models.heads.notes import NotesHead
from pianoroll_seq2seq.models.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pitches import PitchRange

LAYOUT = FrameLayout(pitches=PitchRange(60, 71), planes=("active",))


@pytest.mark.parametrize(
    ("other", "error"),
    [
        (FrameLayout(BeatGrid(8), PitchRange(60, 71), planes=("active",)), GridError),
        (FrameLayout(pitches=PitchRange(48, 59), planes=("active",)), PitchRangeError),
    ],
    ids=["grid", "pitches"],
)
def test_a_head_for_another_layout_of_the_same_size_is_refused(other: FrameLayout, error: type[Exception]) -> None:
    """A head that was built for other frames of equal size is trained, and the music is nonsense."""
    with pytest.raises(error, match="The head's layout"):
        Seq2SeqLSTM(LAYOUT, hidden_size=4, head=BernoulliHead(4, other))


def test_a_head_for_other_planes_of_the_same_size_is_refused() -> None:
    """12 pitches with onsets have as many columns as 24 pitches without."""
    onsets = FrameLayout(pitches=PitchRange(60, 71), planes=("active", "onset"))
    with pytest.raises((PitchRangeError, ShapeError), match="The head's layout"):
        Seq2SeqLSTM(
            FrameLayout(pitches=PitchRange(60, 83), planes=("active",)), hidden_size=4, head=NotesHead(4, onsets)
        )


def test_a_factory_with_any_keywords_gets_the_candidates() -> None:
    """A lambda with **kwargs loses the copy candidates in silence."""
    model = Seq2SeqLSTM(
        LAYOUT,
        hidden_size=4,
        num_copy_heads=2,
        head=lambda size, layout, **more: RelativeBernoulliHead(size, layout, channels=2, **more),
    )
    assert model.head.settings()["num_candidates"] == 2


@pytest.mark.parametrize("head", [5, "NADEHead"], ids=repr)
def test_what_is_no_head_is_refused(head: object) -> None:
    """A head by name ends in Python's own words."""
    with pytest.raises(SettingsError, match=re.escape(f"got {head!r}")):
        Seq2SeqLSTM(LAYOUT, hidden_size=4, head=head)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", ["12", None, PitchRange(60, 71), 12.0, nn.Identity()], ids=repr)
def test_what_is_no_layout_is_refused(layout: object) -> None:
    """A model is built from pitches instead of a layout, and the error is about torch."""
    with pytest.raises(SettingsError, match=r"FrameLayout.*or from a number of columns"):
        Seq2SeqLSTM(layout, hidden_size=4)  # type: ignore[arg-type]
