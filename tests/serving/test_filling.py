"""Requests with ``given``: the service fills a piece as the library does, within its limits."""

import base64
from typing import Any

import numpy as np
import pytest
import torch

from pianoroll_seq2seq import (
    FillingLSTM,
    FrameLayout,
    Given,
    MonophonicHead,
    Part,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    fill,
)
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.pretrained.pieces import piece_of_score
from pianoroll_seq2seq.serving import RequestError, RequestLimits, Service

PARTS = (Part("soprano", pitches=PitchRange(60, 71)), Part("bass", pitches=PitchRange(40, 51)))
LAYOUT = FrameLayout(parts=PARTS)


@pytest.fixture(scope="module")
def service() -> Service:
    torch.manual_seed(0)
    model = FillingLSTM(LAYOUT, hidden_size=8, encoder_size=4, num_copy_heads=0, head=MonophonicHead)
    return Service(model, LAYOUT, limits=RequestLimits(max_num_frames=80, max_frame_pairs=80 * 80))


def note(pitch: int, start: float, part: str, **more: Any) -> dict[str, Any]:
    return {"pitch": pitch, "start_beat": start, "duration_beats": 1, "part": part} | more


MELODY = [note(60 + beat % 8, beat, "soprano", velocity=70) for beat in range(16)]


def encoded(roll: PianoRoll) -> str:
    return base64.b64encode(to_midi_bytes(roll.to_score())).decode()


def test_a_melody_is_harmonized(service: Service) -> None:
    """The answer has other notes than were sent, or other music than ``fill`` writes."""
    answer = service.answer({"piece_notes": MELODY, "given": {"parts": ["soprano"]}, "seed": 3})
    assert answer.keys() == {"midi", "notes", "num_frames", "seed"}
    assert (answer["num_frames"], answer["seed"]) == (64, 3)
    sent = [
        (each["pitch"], each["start_beat"], each["velocity"]) for each in answer["notes"] if each["part"] == "soprano"
    ]
    assert sent == [(each["pitch"], each["start_beat"], 70) for each in MELODY]
    assert any(each["part"] == "bass" for each in answer["notes"])
    again = service.answer({"piece_notes": answer["notes"], "given": {"parts": ["soprano"]}, "seed": 3})
    assert again["midi"] == answer["midi"]


def test_bars_of_a_file_are_written_anew(service: Service) -> None:
    """Other bars than were asked for."""
    whole = service.answer({"piece_notes": MELODY, "given": {"parts": ["soprano"]}})
    piece = PianoRoll.from_midi(base64.b64decode(whole["midi"]), parts=PARTS)
    request = {"piece_midi": whole["midi"], "given": {"outside_bars": [2, 3]}, "seed": 1}
    answer = service.answer(request)
    made = PianoRoll.from_midi(base64.b64decode(answer["midi"]), parts=PARTS)
    expected = fill(service.model, piece, Given.outside((2, 3)), seed=1)
    assert np.array_equal(made.active, expected.active[: len(made)])
    assert np.array_equal(made.active[:16], piece.active[:16])
    both = service.answer(request | {"given": {"parts": ["soprano"], "outside_bars": [2, 3]}})
    assert [each for each in both["notes"] if each["part"] == "soprano"] == [
        each for each in whole["notes"] if each["part"] == "soprano"
    ]


def test_the_parts_to_write_may_be_missing_and_the_piece_longer(service: Service) -> None:
    """A MIDI file of a tune alone is refused, or the music ends with its last note."""
    tune = PianoRoll.from_active(np.eye(8, dtype=bool), pitches=PitchRange(60, 67))
    answer = service.answer({"piece_midi": encoded(tune), "given": {"parts": ["soprano"]}, "num_frames": 40})
    assert answer["num_frames"] == 40
    assert [each["pitch"] for each in answer["notes"] if each["part"] == "soprano"] == list(range(60, 68))
    assert service.answer({"piece_notes": MELODY[:1], "given": {}, "num_frames": 16})["num_frames"] == 16
    score = tune.to_score()
    assert piece_of_score(score, LAYOUT, missing="silent", alone="soprano")["soprano"].active.any()


@pytest.mark.parametrize(
    ("request_", "status", "field"),
    [
        ({"piece_notes": MELODY, "given": {"parts": ["alto"]}}, 422, "given"),
        ({"piece_notes": MELODY, "given": {"outside_bars": [3, 5]}}, 422, "given"),
        ({"piece_notes": MELODY, "given": {"outside_bars": [3]}}, 400, "given.outside_bars"),
        ({"piece_notes": MELODY, "given": {"outside_bars": [3, 2]}}, 422, "given.outside_bars[1]"),
        ({"piece_notes": MELODY, "given": {"outside_bars": [1, 2.5]}}, 400, "given.outside_bars[1]"),
        ({"piece_notes": MELODY, "given": {"parts": "soprano"}}, 400, "given.parts"),
        ({"piece_notes": MELODY, "given": {"bars": [1, 2]}}, 400, "given"),
        ({"piece_notes": MELODY, "given": []}, 400, "given"),
        ({"primer_notes": MELODY, "given": {}}, 400, "request"),
        ({"piece_notes": MELODY, "num_frames": 8}, 400, "request"),
        ({"given": {}}, 400, "request"),
        ({"piece_notes": MELODY, "given": {}, "num_frames": 8}, 422, "num_frames"),
        ({"piece_notes": MELODY, "given": {}, "num_frames": 81}, 413, "num_frames"),
        ({"piece_notes": [note(60, 21, "soprano")], "given": {}}, 413, "piece"),
        ({"piece_notes": [note(90, 0, "soprano")], "given": {}}, 422, "piece_notes[0].pitch"),
        ({"piece_notes": [note(60, 0, "alto")], "given": {}}, 422, "piece_notes[0].part"),
        ({"piece_midi": "!", "given": {}}, 400, "piece_midi"),
        ({"piece_midi": "TVRoZA==", "given": {}}, 400, "piece_midi"),
    ],
)
def test_requests_that_cannot_be_filled(service: Service, request_: dict[str, Any], status: int, field: str) -> None:
    """A client gets a 500, or an error about a field that it did not send."""
    with pytest.raises(RequestError) as refused:
        service.answer(request_)
    assert (refused.value.status, refused.value.field) == (status, field)


def test_a_model_that_continues_refuses() -> None:
    """It would answer with a continuation of the melody."""
    service = Service(Seq2SeqLSTM(LAYOUT, hidden_size=8), LAYOUT)
    with pytest.raises(RequestError, match="only continues") as refused:
        service.answer({"piece_notes": MELODY, "given": {"parts": ["soprano"]}})
    assert (refused.value.status, refused.value.field) == (422, "given")
