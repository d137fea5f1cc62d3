"""A model that fills what is not given: exact, causal, the same step by step, and it looks ahead."""

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq import (
    BernoulliHead,
    CopyingLSTM,
    FillingLSTM,
    FillTasks,
    FrameLayout,
    Given,
    GivenFrames,
    MonophonicHead,
    NADEHead,
    NotesHead,
    Part,
    PianoRoll,
    PitchRange,
    RelativeBernoulliHead,
    RelativeWindowHead,
    VelocityHead,
    WholePieces,
    checkpoint,
    fit,
    likelihood,
)
from pianoroll_seq2seq.data.condition_sources import JoinedConditions, MetricPosition, PhraseEnds
from pianoroll_seq2seq.errors import SettingsError, ShapeError

pytestmark = pytest.mark.usefixtures("one_thread")

PARTS = (Part("high", pitches=PitchRange(60, 62)), Part("low", pitches=PitchRange(50, 51)))
PLANES = ("active", "onset", "velocity")
AHEAD = partial(MonophonicHead, channels=5, lags=(2,), look_ahead=(2, 3))
RELATIVE = partial(RelativeBernoulliHead, channels=5, window=2)
WINDOW = partial(RelativeWindowHead, channels=5, window=2)
HEADS: dict[str, tuple[int, Any]] = {
    "BernoulliHead": (1, BernoulliHead),
    "NADEHead": (1, partial(NADEHead, hidden_size=5)),
    "NADEHead with onsets": (2, partial(NADEHead, hidden_size=5)),
    "NotesHead": (2, NotesHead),
    "MonophonicHead": (1, AHEAD),
    "MonophonicHead that does not look ahead": (1, partial(MonophonicHead, channels=5)),
    "MonophonicHead with onsets": (2, AHEAD),
    "RelativeBernoulliHead": (1, RELATIVE),
    "RelativeBernoulliHead with onsets": (2, RELATIVE),
    "RelativeWindowHead": (1, WINDOW),
    "RelativeWindowHead with max_polyphony and onsets": (2, partial(WINDOW, max_polyphony=2)),
    "velocities of MonophonicHead": (3, partial(VelocityHead, channels=5, bins=3, inner=AHEAD)),
    "velocities of NotesHead": (3, partial(VelocityHead, channels=5, bins=3)),
    "velocities of RelativeWindowHead": (3, partial(VelocityHead, channels=5, bins=3, inner=WINDOW)),
}
every_head = pytest.mark.parametrize(("num_planes", "head"), HEADS.values(), ids=HEADS)


def layout_of(num_planes: int) -> FrameLayout:
    return FrameLayout(planes=PLANES[:num_planes], parts=PARTS)


def model_of(head: Any, layout: FrameLayout, **settings: Any) -> FillingLSTM:
    torch.manual_seed(0)
    sizes = {"hidden_size": 7, "encoder_size": 5, "num_copy_heads": 2} | settings
    model = FillingLSTM(layout, head=head, **sizes).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def frames_of(layout: FrameLayout, frames: int, *, batch: int = 3, seed: int = 0) -> Tensor:
    """Notes of one pitch or none in each part, of which some are held."""
    rng = np.random.default_rng(seed)
    active = np.zeros((batch, frames, layout.plane_size), dtype=bool)
    for part in layout.parts:
        pitch = rng.integers(-1, len(part.pitches), size=(batch, frames))
        for frame in range(1, frames):
            pitch[:, frame] = np.where(rng.random(batch) < 0.5, pitch[:, frame - 1], pitch[:, frame])
        place = np.arange(len(part.pitches))
        active[..., layout.columns("active", part.name)] = pitch[..., None] == place
    before = np.pad(active[:, :-1], ((0, 0), (1, 0), (0, 0)))
    onset = active & (~before | (rng.random(active.shape) < 0.3))
    velocity = onset * rng.integers(1, 128, size=onset.shape) / 127
    return torch.from_numpy(np.concatenate([active, onset, velocity][: len(layout.planes)], axis=2)).double()


def mask_of(frames: int, *, batch: int = 3, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((batch, frames, len(PARTS))) < 0.4)


def nothing(frames: Tensor) -> Tensor:
    return torch.zeros(*frames.shape[:2], len(PARTS), dtype=torch.bool)


@every_head
def test_writes_step_by_step_what_it_scores(num_planes: int, head: Any) -> None:
    """Music is written frame by frame, and scored all at once: both must be one distribution."""
    layout = layout_of(num_planes)
    model, frames, mask = model_of(head, layout), frames_of(layout, 9), mask_of(9)
    given = GivenFrames.of(frames, mask, layout, end=torch.tensor([9, 0, 7]))
    with torch.no_grad():
        expected = model(frames[:, :0], frames, given=given).log_prob(frames)
        assert expected.isfinite().all()
        distribution, state = model.start_filling(given)
        for step in range(9):
            torch.testing.assert_close(distribution.log_prob(frames[:, step]), expected[:, step])
            model.advance(frames[:, step] * 0, state)  # another way to fill it, which changes nothing here
            distribution, state = model.advance(frames[:, step], state)
        assert distribution.log_prob(frames[:, 0]).shape == (3,)  # after the end


@every_head
def test_reads_a_given_beginning_at_once_as_it_does_step_by_step(num_planes: int, head: Any) -> None:
    """The first frame of a late bar comes after as many steps as there are frames before it."""
    layout = layout_of(num_planes)
    model, frames, mask = model_of(head, layout), frames_of(layout, 9), mask_of(9)
    mask[:, :5] = True
    given = GivenFrames.of(frames, mask, layout, end=torch.tensor([9, 0, 7]))
    with torch.no_grad():
        stepped, state = model.start_filling(given)
        for step in range(5):
            stepped, state = model.advance(frames[:, step], state)
        at_once, begun = model.start_filling(given, begin=5)
        for step in range(5, 9):
            torch.testing.assert_close(at_once.log_prob(frames[:, step]), stepped.log_prob(frames[:, step]))
            stepped, state = model.advance(frames[:, step], state)
            at_once, begun = model.advance(frames[:, step], begun)


@every_head
def test_continues_a_primer_as_it_scores_it(num_planes: int, head: Any) -> None:
    layout = layout_of(num_planes)
    model, frames = model_of(head, layout), frames_of(layout, 9)
    with torch.no_grad():
        expected = model(frames[:, :4], frames[:, 4:]).log_prob(frames[:, 4:])
        distribution, state = model.start(frames[:, :4])
        for step in range(5):
            torch.testing.assert_close(distribution.log_prob(frames[:, 4 + step]), expected[:, step])
            distribution, state = model.advance(frames[:, 4 + step], state)


@every_head
def test_knows_what_is_given_and_nothing_else_of_later_frames(num_planes: int, head: Any) -> None:
    """A leak gives splendid losses and a model that cannot fill; no look ahead is no reason to have an encoder."""
    layout = layout_of(num_planes)
    model, frames, mask = model_of(head, layout), frames_of(layout, 9), mask_of(9)
    mask[:, 6] = torch.tensor([True, False])
    others = frames_of(layout, 9, seed=5)
    cells = GivenFrames.of(torch.ones_like(frames), mask, layout).frames > 0
    with torch.no_grad():
        expected = model(frames[:, :0], frames, given=GivenFrames.of(frames, mask, layout)).log_prob(frames)
        # Cells of frames 5 and later that are not given are other ones.
        later = torch.arange(9)[:, None] >= 5
        changed = torch.where(later & ~cells, others, frames)
        scored = model(changed[:, :0], changed, given=GivenFrames.of(changed, mask, layout)).log_prob(frames)
        torch.testing.assert_close(scored[:, :5], expected[:, :5])
        # The given cells of frame 6 are other ones.
        high = layout.columns("active", "high")
        changed = frames.clone()
        changed[:, 6] = 0
        changed[:, 6, high.start : high.stop] = 1 - frames[:, 6, high.start : high.stop]
        given = GivenFrames.of(changed, mask, layout)
        scored = model(changed[:, :0], frames, given=given).log_prob(frames)
        free = ~mask.all(dim=2)[:, :6]
        assert ((scored[:, :6] - expected[:, :6]).abs() > 1e-9)[free].all()


@every_head
def test_samples_keep_what_is_given(num_planes: int, head: Any) -> None:
    layout = layout_of(num_planes)
    model, frames, mask = model_of(head, layout), frames_of(layout, 9), mask_of(9)
    cells = GivenFrames.of(torch.ones_like(frames), mask, layout).frames > 0
    with torch.no_grad():
        distribution = model(frames[:, :0], frames, given=GivenFrames.of(frames, mask, layout))
        for chosen in (distribution, distribution.tempered(0.5)):
            sample = chosen.sample(generator=torch.Generator().manual_seed(0)).double()
            assert torch.equal(sample[cells], frames[cells])
            assert chosen.log_prob(sample).isfinite().all()
        mean = distribution[:2, :3].mean.double()
    torch.testing.assert_close(mean[cells[:2, :3]], frames[:2, :3][cells[:2, :3]])


@pytest.mark.parametrize("name", [name for name, (num_planes, _) in HEADS.items() if num_planes < 3])
@pytest.mark.parametrize("part", ["high", "low"])
def test_what_is_not_given_of_a_frame_sums_to_one(name: str, part: str) -> None:
    """Nats mean nothing otherwise."""
    num_planes, head = HEADS[name]
    layout = layout_of(num_planes)
    model, frames = model_of(head, layout), frames_of(layout, 4, batch=1)
    mask = mask_of(4, batch=1)
    mask[:, 3] = torch.tensor([one.name == part for one in PARTS])
    cells = GivenFrames.of(torch.ones_like(frames), mask, layout).frames[0, 3] > 0
    free = (~cells).nonzero()[:, 0].tolist()
    given = GivenFrames.of(frames, mask, layout)
    with torch.no_grad():
        distribution = model(frames[:, :0], frames, given=given)[:, 3]
        values = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(free)))).double()
        completed = frames[:, 3].repeat(len(values), 1)
        completed[:, free] = values
        total = float(distribution[[0] * len(values)].log_prob(completed).exp().sum())
    assert total == pytest.approx(1.0)


@every_head
def test_does_not_know_how_long_a_piece_is_unless_told(num_planes: int, head: Any) -> None:
    """A continuation that knew how long the data is would be scored better than it can play."""
    layout = layout_of(num_planes)
    model, frames = model_of(head, layout), frames_of(layout, 12)
    mask = nothing(frames)
    mask[:, :3] = True
    with torch.no_grad():
        expected = model(frames[:, :0], frames, given=GivenFrames.of(frames, mask, layout)).log_prob(frames)
        shorter = model(frames[:, :0], frames[:, :8], given=GivenFrames.of(frames[:, :8], mask[:, :8], layout))
        torch.testing.assert_close(shorter.log_prob(frames[:, :8]), expected[:, :8])
        ends = GivenFrames.of(frames, mask, layout, end=torch.full((3,), 12))
        known = model(frames[:, :0], frames, given=ends).log_prob(frames)
        assert (known[:, 3:] - expected[:, 3:]).abs().max() > 1e-6


def voices(*, frames: int = 40, shift: int = 3, seed: int = 0, count: int = 24) -> list[PianoRoll]:
    """The low part sings what the high part sings ``shift`` frames later."""
    rng = np.random.default_rng(seed)
    parts = (Part("high", pitches=PitchRange(60, 63)), Part("low", pitches=PitchRange(48, 51)))
    pieces = []
    for number in range(count):
        tune = rng.integers(4, size=frames + shift)
        planes = [tune[:frames, None] == np.arange(4), tune[shift:, None] == np.arange(4)]
        pieces.append(PianoRoll.from_active(np.concatenate(planes, axis=1), parts=parts, name=str(number)))
    return pieces


@pytest.mark.parametrize(
    ("look_ahead", "epochs", "nats"), [((3,), 2, 0.6), pytest.param(None, 8, 0.95, marks=pytest.mark.slow)]
)
def test_learns_to_look_ahead(look_ahead: tuple[int, ...] | None, epochs: int, nats: float) -> None:
    """What comes decides what fits now: slowly learned by the encoder alone, at once by a head that looks ahead."""
    pieces, valid = voices(count=160), voices(seed=1, count=6)
    tasks = FillTasks(continuing=0, harmonizing=1, infilling=0, both=0, subsets=(("high",),))
    layout = FrameLayout.of(pieces[0], onsets=False)
    windows = WholePieces(pieces, max_frames_per_batch=240, layout=layout, tasks=tasks)
    torch.manual_seed(0)
    head = partial(MonophonicHead, channels=16, look_ahead=look_ahead)
    model = FillingLSTM(layout, hidden_size=32, encoder_size=32, num_copy_heads=0, head=head)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    fit(model, windows, epochs=epochs, batch_size=1, optimizer=optimizer, progress=False)
    harmonized = likelihood(model, valid, given=Given.parts("high"))
    alone = likelihood(model, valid, given=Given.cells(mask_until(valid[0])))
    assert harmonized.nats < nats < 1.2 < alone.nats  # log(4) is 1.386


def mask_until(roll: PianoRoll) -> np.ndarray:
    """The high part up to the middle."""
    mask = np.zeros((len(roll), 2), dtype=bool)
    mask[: len(roll) // 2, 0] = True
    mask[: len(roll) // 2, 1] = True
    return mask


def test_a_model_with_conditions_trains_and_comes_back(tmp_path: Path) -> None:
    pieces = voices(count=4)
    source = JoinedConditions((MetricPosition(), PhraseEnds()))
    layout = FrameLayout.of(pieces[0])
    examples = WholePieces(pieces, max_frames_per_batch=80, layout=layout, tasks=FillTasks(), conditions=source)
    model = FillingLSTM(
        layout, hidden_size=8, encoder_size=4, condition_source=source, condition_dropout=0.5, head=AHEAD
    )
    history = fit(model, examples, examples, epochs=2, batch_size=1, checkpoint_dir=tmp_path, progress=False)
    loaded = checkpoint.load(tmp_path / "best.safetensors")
    assert isinstance(loaded, FillingLSTM)
    assert loaded.condition_source == source
    scored = [likelihood(each, pieces, given=Given.parts("low")).nats for each in (model, loaded)]
    assert scored[0] == pytest.approx(scored[1])
    assert np.isfinite(history.epochs[-1].valid_loss or np.nan)


def test_generating_reads_the_conditions_of_the_frames_to_come() -> None:
    """For a generated frame the model reads the metric position of the first one: every beat is a downbeat."""
    source = MetricPosition()
    layout = FrameLayout(parts=PARTS, planes=PLANES[:2])
    model = model_of(AHEAD, layout, condition_source=source)
    roll = PianoRoll.from_active(np.tile([False, True, False, False, True], (24, 1)), parts=PARTS)
    primer = torch.from_numpy(layout.to_float(roll[:6].to_frames(layout))).double()[None]
    condition = torch.from_numpy(source(roll)).double()[None]
    mask = (torch.arange(24) < 6)[None, :, None].expand(1, 24, len(PARTS))
    frames = functional.pad(primer, (0, 0, 0, 18))
    with torch.no_grad():
        filled, filling = model.start_filling(GivenFrames.of(frames, mask, layout), condition)
        for step in range(6):
            filled, filling = model.advance(primer[:, step], filling)
        generated, generating = model.start(primer, condition)
        for _ in range(18):
            frame = torch.zeros(1, layout.frame_size).double()
            torch.testing.assert_close(generated.log_prob(frame), filled.log_prob(frame))
            filled, filling = model.advance(frame, filling)
            generated, generating = model.advance(frame, generating)


def test_what_is_optional_of_a_condition_is_unknown_for_some_examples_in_training() -> None:
    source = JoinedConditions((MetricPosition(), PhraseEnds()))
    layout = layout_of(1)
    model = model_of(AHEAD, layout, condition_source=source, condition_dropout=0.5)
    condition = torch.ones(200, 1, source.size).double()
    model.train()
    dropped = model._dropped(condition)
    assert dropped is not None
    assert dropped[:, :, :8].all()
    assert 60 < int(dropped[:, 0, 8].sum()) < 140
    assert torch.equal(dropped[:, :, 8], dropped[:, :, 10])
    model.eval()
    assert torch.equal(model._dropped(condition), condition)  # type: ignore[arg-type]


def test_input_noise_leaves_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layout_of(2)
    model, frames = model_of(AHEAD, layout, input_noise=0.9), frames_of(layout, 9)
    mask = mask_of(9)
    seen = []
    states = model._states
    monkeypatch.setattr(model, "_states", lambda read, added: seen.append(read) or states(read, added))
    model.train()
    model(frames[:, :0], frames, given=GivenFrames.of(frames, mask, layout))
    cells = GivenFrames.of(torch.ones_like(frames), mask, layout).frames[:, :8] > 0
    assert torch.equal(seen[0][cells], frames[:, :8][cells])
    assert not torch.equal(seen[0], frames[:, :8])


class OfYourOwn(BernoulliHead):
    """A head that takes no given cells."""

    def __init__(self, in_features: int, layout: FrameLayout | int) -> None:
        super().__init__(in_features, layout)
        self.takes_given = False


def test_refuses_what_it_cannot_do() -> None:
    layout = layout_of(1)
    with pytest.raises(SettingsError, match="OfYourOwn cannot take given cells"):
        FillingLSTM(layout, head=OfYourOwn)
    with pytest.raises(SettingsError, match="encoder_size must be at least 1"):
        FillingLSTM(layout, encoder_size=0, head=AHEAD)
    model, frames = model_of(AHEAD, layout), frames_of(layout, 4)
    with pytest.raises(ShapeError, match="The model expects frames of 5 columns"):
        model.start_filling(GivenFrames.of(torch.zeros(1, 4, 6), torch.zeros(1, 4, 1, dtype=torch.bool), 6))
    with pytest.raises(ShapeError, match="The mask has 3 parts, the layout 2"):
        GivenFrames.of(frames, torch.zeros(3, 4, 3, dtype=torch.bool), layout)
    with pytest.raises(ShapeError, match="need a mask of shape"):
        GivenFrames.of(frames, torch.zeros(3, 5, 2, dtype=torch.bool), layout)
    pieces = voices(count=2)
    examples = WholePieces(pieces, max_frames_per_batch=80, tasks=FillTasks())
    with pytest.raises(SettingsError, match=r"CopyingLSTM only continues music.*Train a FillingLSTM"):
        fit(CopyingLSTM(examples.layout, hidden_size=4), examples, epochs=1, batch_size=1, progress=False)
