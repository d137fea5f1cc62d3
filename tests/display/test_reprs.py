"""What a user prints, or leaves as the last line of a cell, is short and says what it is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from layouts import active_windows

from pianoroll_seq2seq import (
    Audio,
    BeatGrid,
    FrameLayout,
    History,
    NoteTable,
    Part,
    PianoRoll,
    PitchRange,
    Score,
    Seq2SeqLSTM,
    TempoMap,
    TrainedModel,
    drop_duplicates,
    model_card,
    open_model,
    split_by_piece,
)
from pianoroll_seq2seq.data.datasets.folder import Folder
from pianoroll_seq2seq.pretrained.cards import Card
from pianoroll_seq2seq.train.history import Epoch
from pianoroll_seq2seq.train.learning_rates import LearningRates

PITCHES = PitchRange(60, 84)


def rolls(count: int) -> list[PianoRoll]:
    random = np.random.default_rng(0)
    return [
        PianoRoll.from_active(random.random((64, 25)) < 0.2, grid=BeatGrid(2), pitches=PITCHES, name=f"piece {number}")
        for number in range(count)
    ]


def score() -> Score:
    onsets = np.arange(1000) * 120
    notes = NoteTable(onsets, onsets + 120, np.full(1000, 60), np.full(1000, 90), np.zeros(1000, dtype=int))
    tempo = TempoMap(480, [(tick, 400_000 + tick) for tick in range(0, 100_000, 480)])
    return Score(notes, tempo, (Part("piano"),), "a song")


def trained() -> TrainedModel:
    layout = FrameLayout(BeatGrid(2), PITCHES, planes=("active",))
    return TrainedModel(Seq2SeqLSTM(layout, hidden_size=8), layout, name="mine")


def history() -> History:
    return History(tuple(Epoch(n, n, 2 / n, 3 / n, 1e-3, 1.0) for n in range(1, 101)), 100, "epochs")


PRINTED: dict[str, tuple[Callable[[], Any], str]] = {
    "split": (
        lambda: split_by_piece(rolls(20), valid=0.1, test=0.2, seed=0),
        "Split(14 training, 2 validation and 4 test pieces)",
    ),
    "duplicates": (lambda: drop_duplicates(rolls(20) + rolls(20)), "Deduplicated(20 rolls, 20 duplicates dropped)"),
    "folder": (
        lambda: Folder(rolls(20), {f"{n}.mid": "broken" for n in range(5)}),
        "Folder(20 rolls, 5 files not read: 0.mid, 1.mid, 2.mid, ...)",
    ),
    "history": (history, "History(100 epochs, best 100: training 0.0200, validation 0.0300 nats per frame, stopped by"),
    "no history": (History, "History(0 epochs)"),
    "windows": (lambda: active_windows(rolls(3), input_frames=8, target_frames=8, hop=8), "SlidingWindows(21 windows"),
    "score": (score, "Score('a song', 1000 notes, 1 part, "),
    "notes": (lambda: score().notes, "NoteTable(1000 notes, ticks 0 to 120000)"),
    "no notes": (NoteTable.empty, "NoteTable(0 notes)"),
    "tempo": (lambda: score().tempo, "TempoMap(ticks_per_beat=480, changes=((0, 400000), (480, 400480), "),
    "roll": (lambda: rolls(1)[0], "PianoRoll('piece 0', 64 frames"),
    "roll notes": (rolls(1)[0].notes, "RollNotes("),
    "audio": (lambda: Audio(np.zeros((48000, 2), np.float32), 48000), "Audio(1.00 s, stereo, 48000 Hz, "),
    "trained": (trained, "TrainedModel('mine', Seq2SeqLSTM, FrameLayout("),
    "rates": (lambda: LearningRates((1e-5, 1e-3, 1e-1), (3.0, 1.0, 9.0)), "LearningRates(1e-05 to 0.1, 3 steps, "),
}


@pytest.mark.parametrize("name", PRINTED)
def test_what_is_printed_is_one_line(name: str) -> None:
    """print() of a value fills the screen with arrays or with a list of pieces."""
    make, begin = PRINTED[name]
    value = make()
    for text in (repr(value), str(value)):
        assert text.startswith(begin)
        assert "\n" not in text
        assert len(text) <= 200


def test_a_short_tempo_map_is_printed_as_it_is_written() -> None:
    """The tempo of an ordinary file cannot be pasted back."""
    tempo = TempoMap(480, [(480, 250_000)])
    assert eval(repr(tempo)) == tempo
    assert eval(repr(TempoMap())) == TempoMap()


def test_a_card_is_text() -> None:
    """print(trained.card) is a raw dict."""
    card = open_model("bach-chorales").card
    assert card == model_card("bach-chorales")
    text = str(card)
    assert text == repr(card)
    assert text.startswith("bach-chorales\nWhat it is: Harmonizes melodies, continues, infills and begins music")
    assert "\nHow good it is\n  - valid nats: 1.528\n" in text
    assert "{" not in text
    assert max(map(len, text.splitlines())) <= 88
    markdown = card._repr_markdown_()  # type: ignore[attr-defined]  # what a notebook shows
    assert "**What it is**\n\nHarmonizes melodies" in markdown
    assert str(Card(license="mit", extra={"a": 1})) == "License: mit\nExtra\n  - a: 1"
    assert str(Card()) == ""
