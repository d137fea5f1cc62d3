"""What a model has read and written: the same as reading the same frames at once, wherever it returns to."""

import numpy as np
import pytest
import torch
from live_models import KINDS, SOURCE, trained

from pianoroll_seq2seq import Given, PianoRoll, fill_frames, generate_frames
from pianoroll_seq2seq.live import context as context_module
from pianoroll_seq2seq.live.context import ModelContext
from pianoroll_seq2seq.live.keys import KeyFrame
from pianoroll_seq2seq.live.part_keys import PartKeys
from pianoroll_seq2seq.models.modes import inference

pytestmark = pytest.mark.usefixtures("one_thread")


def context_of(kind: str, **given: object) -> tuple[ModelContext, PartKeys]:
    model = trained(kind)
    part = PartKeys.of(model, None)
    return ModelContext(model, part, bar=8, seed=3, **given), part


def played(part: PartKeys, *pitches: int) -> list[np.ndarray]:
    return [part.frame(KeyFrame({pitch: 90}, frozenset({pitch}))) for pitch in pitches]


def written(context: ModelContext, count: int) -> np.ndarray:
    return np.stack([context.write() for _ in range(count)])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_after_a_return_is_what_is_written_at_first(kind: str) -> None:
    """An interrupted model continues from another state than that of the frames that sounded."""
    context, part = context_of(kind)
    for frame in played(part, 60, 62, 64):
        context.read(frame)
    context.begin_turn()
    first = written(context, 12)
    assert context.length == 15
    assert first.dtype == (np.uint8 if kind == "velocities" else bool)
    context.rewind(7)
    assert context.length == 7
    again, part = context_of(kind)
    for frame in played(part, 60, 62, 64):
        again.read(frame)
    again.begin_turn()
    np.testing.assert_array_equal(written(again, 4), first[:4])
    context.begin_turn()
    again.begin_turn()
    np.testing.assert_array_equal(written(context, 6), written(again, 6))


@pytest.mark.parametrize("kind", ["continuing", "copying", "velocities", "parts"])
def test_a_model_that_continues_reads_what_generate_reads(kind: str) -> None:
    """Live, a model writes other music than generate does after the same frames."""
    context, part = context_of(kind)
    frames = played(part, 60, 60, 65, 62)
    for frame in frames:
        context.read(frame)
    silence = np.zeros((64, len(frames[0])), dtype=frames[0].dtype)
    model = trained(kind)
    past = np.concatenate([silence, frames])[np.newaxis]
    stream = generate_frames(model.model, past, seed=3, layout=model.layout)
    expected = np.stack([next(stream)[0] for _ in range(9)])
    np.testing.assert_array_equal(written(context, 9), expected)


def test_a_model_that_fills_writes_the_other_parts_beside_the_player() -> None:
    """The model reads a melody without the voices that it always had in training; or changes what the player plays."""
    context, part = context_of("filling")
    frames = played(part, 60, 62, 62, 64, 65, 67)
    for frame in frames:
        context.read(frame)
    layout = trained("filling").layout
    read = np.stack(context.frames)
    melody = [layout.columns(plane, "melody") for plane in layout.planes]
    for columns in melody:
        np.testing.assert_array_equal(read[:, columns], np.stack(frames)[:, columns])
    assert read[:, layout.columns("active", "bass")].any()
    alone, part = context_of("parts")
    for frame in played(part, 60, 62):
        alone.read(frame)
    assert not np.stack(alone.frames)[:, layout.columns("active", "bass")].any()


def test_a_model_that_fills_reads_its_metric_position_from_silence_on() -> None:
    """Beats of the model are not those of the player: it writes other music than fill does from nothing."""
    context, _ = context_of("filling", tempo=None)
    model = trained("filling")
    silent = PianoRoll.silent(context.num_known_frames, parts=model.parts)
    stream = fill_frames(model.model, silent, Given.nothing(), seed=3, ends=False)
    expected = np.stack([next(stream)[0] for _ in range(20)])
    np.testing.assert_array_equal(written(context, 20), expected)


@pytest.mark.parametrize("kind", ["continuing", "filling"])
def test_a_long_conversation_keeps_its_latest_frames_and_its_beat(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After minutes the model gets slower and slower, forgets all, or loses the beat."""
    monkeypatch.setattr(context_module, "KEPT_FRAMES", 24)
    context, part = context_of(kind, returns=4)
    most = 0
    for number in range(130):
        context.read(played(part, 60 + number % 8)[0])
        assert context.length == number + 1
        most = max(most, len(context.frames))
        assert len(context.frames) >= min(number, 24)
    assert most < 3 * 40 < 130
    while len(context.frames) < 73:
        context.write()
    before = context.length
    context.rest()  # between two turns, before it must
    assert len(context.frames) < 48
    assert context.length == before
    context.rest()
    assert len(context.frames) >= 36
    assert (len(context.frames) - context.length) % 8 == 0
    context.rewind(120)
    context.write()
    context.rewind(2)  # further back than it remembers
    assert context.length == 2
    context.write()
    assert context.length == 3


def test_silence_leads_to_the_players_place_in_the_bar() -> None:
    """After a pause, the model's bar begins elsewhere than the player's."""
    context, part = context_of("copying")
    for frame in played(part, 60, 62, 64):
        context.read(frame)
    context.align(3)
    assert context.length == 3
    context.align(1)
    assert context.length == 9
    assert not np.stack(context.frames)[-6:].any()


def test_conditions_that_are_passed_are_those_of_every_frame() -> None:
    """A model that follows a scale cannot be played with, or follows another."""
    scale = np.zeros(12, dtype=np.float32)
    context, _ = context_of("conditional", condition=scale + 100)
    other, _ = context_of("conditional", condition=scale)
    assert (written(context, 30) != written(other, 30)).any()
    assert SOURCE.size == 11


def test_the_next_frame_is_known_before_it_is_asked_for() -> None:
    """The first frame of an answer comes as late as the model's start takes."""
    context, _ = context_of("continuing")
    model = trained("continuing").model
    context.prepare()
    calls: list[str] = []
    with inference(model), pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "start", lambda *_: calls.append("start"))
        context.write()
    assert not calls
    assert torch.is_grad_enabled()
