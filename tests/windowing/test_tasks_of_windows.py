"""What is given of windows, for a model that fills."""

import numpy as np
import pytest

from pianoroll_seq2seq import FillingLSTM, FillTasks, Part, PianoRoll, PitchRange, SlidingWindows, fit
from pianoroll_seq2seq.errors import SettingsError

PARTS = (Part("high", pitches=PitchRange(60, 63)), Part("low", pitches=PitchRange(48, 51)))


def windows_of(tasks: FillTasks | None, *, seed: int = 0) -> SlidingWindows:
    rng = np.random.default_rng(seed)
    planes = [rng.integers(4, size=(60, 1)) == np.arange(4) for _ in PARTS]
    roll = PianoRoll.from_active(np.concatenate(planes, axis=1), parts=PARTS, name="tune")
    return SlidingWindows([roll], input_frames=4, target_frames=12, hop=4, tasks=tasks)


def test_input_frames_are_given_and_something_is_left_to_fill() -> None:
    windows = windows_of(FillTasks(stretch_frames=(2, 6)))
    indices = np.arange(len(windows))
    masks, ends = windows.given(indices)
    assert masks.shape == (len(windows), 16, 2)
    assert masks[:, :4].all()
    assert (~masks[:, 4:]).any(dim=1).any(dim=1).all()
    assert not ends.any()
    assert (masks == windows.given(indices)[0]).all()
    assert (masks[2:5] == windows.given(indices[2:5])[0]).all()
    drawn = [windows.given(indices, generator=np.random.default_rng(seed))[0] for seed in (1, 2)]
    assert not (drawn[0] == drawn[1]).all()
    assert windows.num_target_frames == int((~masks[:, 4:].all(dim=2)).sum())
    assert windows.with_hop(12).tasks == windows.tasks
    assert windows.fingerprint() != windows_of(None).fingerprint()
    assert not windows_of(None).has_tasks


def test_a_model_that_fills_learns_from_windows() -> None:
    windows = windows_of(FillTasks(stretch_frames=(2, 6)))
    model = FillingLSTM(windows.layout, hidden_size=8, encoder_size=4, num_copy_heads=1)
    history = fit(model, windows, windows, epochs=3, batch_size=4, progress=False)
    first, last = history.epochs[0].valid_loss, history.epochs[-1].valid_loss
    assert first is not None
    assert last is not None
    assert last < first


def test_refuses_parts_that_the_windows_do_not_have() -> None:
    with pytest.raises(SettingsError, match="names of some parts"):
        windows_of(FillTasks(subsets=(("middle",),)))
