"""Heads that decide pitch by pitch, in layouts with onset planes and several parts."""

import itertools
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pianoroll_seq2seq import FrameLayout, Part, PitchRange
from pianoroll_seq2seq.models.heads.nade import NADEHead
from pianoroll_seq2seq.models.heads.notes import Notes
from pianoroll_seq2seq.models.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead
from pianoroll_seq2seq.models.layers.exponential_average import chroma
from pianoroll_seq2seq.models.note_columns import note_columns

pytestmark = pytest.mark.usefixtures("one_thread")

FEATURES = 5
HIGH, LOW = Part("high", pitches=PitchRange(62, 69)), Part("low", pitches=PitchRange(55, 61))
KIT = Part("kit", drums=True, pitches=PitchRange(35, 38))
LAYOUTS = {
    "onsets": FrameLayout(planes=("active", "onset"), pitches=PitchRange(60, 68)),
    "parts": FrameLayout(parts=(HIGH, LOW, KIT), planes=("active",)),
    "onsets of parts": FrameLayout(planes=("active", "onset"), parts=(HIGH, LOW)),
}
HEADS: dict[str, Any] = {
    "NADEHead": partial(NADEHead, hidden_size=6),
    "RelativeBernoulliHead": partial(RelativeBernoulliHead, channels=6, window=3),
    "RelativeWindowHead": partial(RelativeWindowHead, channels=6, window=3, num_frames=2),
    "RelativeWindowHead with max_polyphony": partial(RelativeWindowHead, channels=6, window=3, max_polyphony=3),
}
every_head = pytest.mark.parametrize("make", HEADS.values(), ids=HEADS)
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def head_of(make: Any, layout: FrameLayout, *, std: float = 0.4, features: int = FEATURES, **settings: Any) -> Any:
    torch.manual_seed(0)
    head = make(features, layout, **settings).double().eval()
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=std)
    return head


def frames_of(layout: FrameLayout, *shape: int, seed: int = 0, share: float = 0.3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    active = torch.rand(*shape, layout.plane_size, generator=generator) < share
    onset = active & (torch.rand(active.shape, generator=generator) < 0.5)
    return torch.cat([active, onset] if layout.has_onsets else [active], dim=-1).double()


def after(layout: FrameLayout, past: Tensor, *shape: int, seed: int = 0) -> Tensor:
    """Frames that are possible after the last one of ``past``: what did not sound has an onset."""
    frames = frames_of(layout, *shape, seed=seed)
    if layout.has_onsets:
        size = layout.plane_size
        begins = (frames[..., :size] > 0) & (past[:, -1:, :size] == 0)
        frames[..., size:] = torch.maximum(frames[..., size:], begins.double())
    return frames


def features_of(*shape: int, size: int = FEATURES) -> Tensor:
    return torch.randn(*shape, size, generator=torch.Generator().manual_seed(1)).double()


@every_head
@every_layout
def test_samples_have_their_probabilities(make: Any, layout: FrameLayout) -> None:
    """Frames are too many to enumerate: the mean of p(drawn) / q(drawn) of another distribution is 1 if p sums to 1."""
    head, past, count = head_of(make, layout, std=0.25), frames_of(layout, 1, 5), 3000
    distribution = head(features_of(1, 1), past)[:, 0]
    other = head(features_of(1, 1) + 0.3, past)[:, 0]
    rows = torch.zeros(count, dtype=torch.long)
    with torch.no_grad():
        drawn = other[rows].sample(generator=torch.Generator().manual_seed(0))
        ratio = (distribution[rows].log_prob(drawn) - other[rows].log_prob(drawn)).exp()
        assert abs(float(ratio.mean()) - 1) < 5 * float(ratio.std()) / count**0.5
        own = distribution[rows].sample(generator=torch.Generator().manual_seed(1))
    assert distribution[rows].log_prob(own).isfinite().all()
    error = own.mean(dim=0) - distribution.mean[0].detach()
    assert error.abs().max() < 0.15


@every_head
@every_layout
def test_a_column_depends_on_the_columns_decided_before_only(make: Any, layout: FrameLayout) -> None:
    """Otherwise the conditionals are no distribution. Parts come one after another, each from low to high."""
    head, past = head_of(make, layout), frames_of(layout, 1, 5)
    distribution = head(features_of(1, 1), past)
    if isinstance(head, RelativeBernoulliHead) or (isinstance(head, RelativeWindowHead) and head.polyphony is not None):
        return  # independent, or decided after the number of pitches
    frame, size = after(layout, past, 1, 1, seed=3), layout.plane_size

    def logits_given(frame: Tensor) -> Tensor:
        if isinstance(head, NADEHead):
            logits: Tensor = distribution.logits_given(frame)[0, 0]
            return logits
        flat = distribution.context.map(lambda values: values.flatten(0, 1))
        return head.logits(flat, frame.flatten(0, 1))[0]  # type: ignore[no-any-return]

    plain = logits_given(frame)
    for column in range(size):
        changed = frame.clone()
        changed[..., column::size] = 1 - frame[..., [column]]
        difference = (logits_given(changed) - plain).detach().abs().unflatten(0, (len(layout.planes), size))
        assert difference[:, : column + 1].max() < 1e-12
        assert column == size - 1 or difference[0, column + 1 :].max() > 0


@pytest.mark.parametrize("make", [HEADS["NADEHead"], HEADS["RelativeWindowHead"]], ids=["NADE", "RelativeWindow"])
@pytest.mark.parametrize("layout", [LAYOUTS["onsets"], LAYOUTS["onsets of parts"]], ids=["onsets", "parts"])
def test_samples_equal_those_of_a_loop_over_pitches_and_onsets(make: Any, layout: FrameLayout) -> None:
    """Sampling skips from one sounding pitch to the next; its onset is decided right after it."""
    head, past, size = head_of(make, layout), frames_of(layout, 1, 5), layout.plane_size
    distribution = head(features_of(1, 1), past)[:, 0]
    sample = distribution.sample(generator=torch.Generator().manual_seed(4))[0]
    numbers = torch.rand(1, 2 * size, generator=torch.Generator().manual_seed(4))[0]
    frame = torch.zeros(1, 2 * size).double()
    for column in range(size):
        for place in (column, column + size):
            logits = (
                distribution.logits_given(frame)
                if isinstance(head, NADEHead)
                else head.logits(distribution.context, frame)
            )
            sounds = place == column or frame[0, column] > 0
            frame[0, place] = float(bool(sounds) and bool(numbers[place] < torch.sigmoid(logits)[0, place]))
    assert torch.equal(sample.double(), frame[0])
    assert 0 < frame.mean() < 0.9


@every_head
@pytest.mark.parametrize("layout", [LAYOUTS["onsets"], LAYOUTS["onsets of parts"]], ids=["onsets", "parts"])
def test_only_what_sounded_can_be_held(make: Any, layout: FrameLayout) -> None:
    """A note appears without an onset."""
    head, past, size = head_of(make, layout), frames_of(layout, 3, 6), layout.plane_size
    samples = head(features_of(3, 4), past).sample(generator=torch.Generator().manual_seed(0))
    active, onset = (plane > 0 for plane in samples.chunk(2, dim=-1))
    assert not (onset & ~active).any()
    assert not (active & ~onset & (past[:, -4:, :size] == 0)).any()
    held = torch.zeros(1, 1, 2 * size).double()
    held[..., 0] = 1
    silence = torch.zeros_like(held)
    assert float(head(features_of(1, 1), silence).log_prob(held).detach()) < -1e3
    noisy = head.train()(features_of(1, 1), silence).log_prob(held).detach()
    assert -40 < float(noisy) < -9, "input noise may have removed the note: the loss must stay finite"


@every_head
@every_layout
def test_every_weight_learns_also_from_candidates(make: Any, layout: FrameLayout) -> None:
    takes = not issubclass(make.func, NADEHead)
    size = FEATURES + (2 * layout.frame_size if takes else 0)
    head = head_of(make, layout, features=size, **({"num_candidates": 2} if takes else {}))
    past = frames_of(layout, 2, 8)
    features = torch.sigmoid(features_of(2, 4, size=size))
    log_prob = head(features, past).log_prob(after(layout, past, 2, 4, seed=2))
    log_prob[log_prob.isfinite()].sum().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_parts_read_one_another_and_never_as_neighbours() -> None:
    """The lowest pitch of one part lies beside the highest of the other in memory, but not in music."""
    layout = LAYOUTS["parts"]
    for make in (HEADS["RelativeBernoulliHead"], HEADS["RelativeWindowHead"]):
        head, past = head_of(make, layout), torch.zeros(1, 3, layout.frame_size).double()
        nn.init.zeros_(head.merged_proj.weight)
        nn.init.zeros_(
            head.chroma_proj[0].weight if make is HEADS["RelativeBernoulliHead"] else head.chroma_proj.weight
        )
        plain = head(features_of(1, 1), past).mean.detach()
        past[0, -1, 7] = 1  # the highest pitch of the upper part
        changed = (head(features_of(1, 1), past).mean - plain).detach().abs()[0, 0]
        assert changed[4:8].max() > 1e-6
        if isinstance(head, RelativeBernoulliHead):
            assert changed[8:].max() < 1e-12
        head = head_of(make, layout)
        past[0, -1, 7] = 0
        plain = head(features_of(1, 1), past).mean.detach()
        past[0, -1, 7] = 1
        assert (head(features_of(1, 1), past).mean - plain).detach().abs()[0, 0, 8:].max() > 1e-6


def test_independent_pitches_with_onsets_are_notes() -> None:
    layout = LAYOUTS["onsets of parts"]
    head = head_of(HEADS["RelativeBernoulliHead"], layout)
    past = frames_of(layout, 1, 4)
    distribution = head(features_of(1, 1), past)
    assert isinstance(distribution, Notes)
    frame = after(layout, past, 1, 1, seed=4)
    assert distribution.log_prob(frame).isfinite().all()


def test_columns_of_parts() -> None:
    columns = note_columns(LAYOUTS["parts"])
    assert [(block.name, block.start, block.size, block.lowest) for block in columns.blocks] == [
        ("high", 0, 8, 27),
        ("low", 8, 7, 20),
        ("kit", 15, 4, 0),
    ]
    plane = torch.zeros(1, 19)
    plane[0, [0, 9, 16]] = 1  # 62, 56 and a drum
    assert (columns.merged(plane)[0].nonzero()[:, 0] + 35).tolist() == [36, 56, 62]
    spread = columns.spread(plane, 5)
    assert spread.shape[1] == columns.spread_length(5) == 29
    assert spread[0, columns.positions(5)].tolist() == plane[0].tolist()
    classes = (plane @ columns.chroma_weights())[0]
    assert sorted((classes.nonzero()[:, 0] + 35).remainder(12).tolist()) == [62 % 12, 56 % 12], (
        "drums have no pitch class"
    )
    one = note_columns(7)
    assert torch.equal(plane[:, :7] @ one.chroma_weights(), chroma(plane[:, :7]))
    assert all(torch.equal(one.spread(plane[:, :7], 3), plane[:, :7]) for _ in itertools.repeat(None, 1))
