"""Piece k depends on the seed and on k alone, not on how many pieces are generated at once."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli, BernoulliHead
from pianoroll_seq2seq.models.heads.nade import NADEHead
from pianoroll_seq2seq.models.heads.notes import NotesHead
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators, is_rowwise, uniform
from pianoroll_seq2seq.models.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.models.transformer import CausalTransformer
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import (
    Draw,
    Sampler,
    ScaleConstrained,
    Threshold,
    TopP,
    Typical,
    generate,
    generate_frames,
)

PITCHES = PitchRange(60, 71)
ACTIVE = FrameLayout(pitches=PITCHES, planes=("active",))
BOTH = FrameLayout(pitches=PITCHES, planes=("active", "onset"))

pytestmark = pytest.mark.usefixtures("one_thread")


class TorchBernoulli(Bernoulli):
    """A distribution of a user's, who knows ``torch.Generator`` alone."""

    def sample(self, *, generator: torch.Generator) -> Tensor:
        return torch.bernoulli(self.mean, generator=generator)

    def __getitem__(self, index: Any) -> "TorchBernoulli":
        return TorchBernoulli(self.logits[index])

    def tempered(self, temperature: float) -> "TorchBernoulli":
        return TorchBernoulli(self.logits / temperature)


class TorchHead(BernoulliHead):
    def forward(self, features: Tensor, past: Tensor) -> TorchBernoulli:
        return TorchBernoulli(self.logits(features))


HEADS: dict[str, Any] = {
    "Bernoulli": BernoulliHead,
    "NADE": partial(NADEHead, hidden_size=5),
    "Notes": NotesHead,
    "RelativeBernoulli": partial(RelativeBernoulliHead, channels=4, window=3, num_frames=2),
    "RelativeWindow": partial(RelativeWindowHead, channels=6, window=3),
    "RelativeWindow, number first": partial(RelativeWindowHead, channels=6, window=3, max_polyphony=4),
    "a user's": TorchHead,
}


def model(head: str, kind: Any = Seq2SeqLSTM) -> tuple[Any, FrameLayout]:
    """A model with likely notes, in float64, so that no rounding depends on the size of the batch."""
    layout = BOTH if head == "Notes" else ACTIVE
    with torch.random.fork_rng():
        torch.manual_seed(1)
        built = kind(layout, hidden_size=6, head=HEADS[head])
    for name, parameter in built.head.named_parameters():
        if name in ("logit.bias", "bias.bias", "logits.bias") and head != "Notes":
            torch.nn.init.constant_(parameter, -0.7)
    return built.double().eval(), layout


def primers(count: int) -> list[PianoRoll]:
    chance = np.random.default_rng(0)
    return [PianoRoll.from_active(chance.random((5, 12)) < 0.3, pitches=PITCHES) for _ in range(count)]


def pick(distribution: Any, *, generator: torch.Generator) -> Tensor:
    """A sampler of a user's: of two samples the denser one, tried again at random."""
    frames = distribution.sample(generator=generator)
    while torch.rand((), generator=generator) < 0.3:
        again = distribution.sample(generator=generator)
        frames = torch.where((again.sum(-1) > frames.sum(-1)).unsqueeze(-1), again, frames)
    return frames


SAMPLERS: dict[str, Any] = {
    "Draw": lambda layout: Draw(),
    "Draw, cooler": lambda layout: Draw(0.8),
    "Threshold": lambda layout: Threshold(0.4),
    "TopP": lambda layout: TopP(0.8, num_samples=5),
    "TopP of one sample": lambda layout: TopP(0.8, num_samples=1),
    "Typical, cooler": lambda layout: Typical(0.8, temperature=0.9, num_samples=6),
    "ScaleConstrained": lambda layout: ScaleConstrained(Draw(), (0, 2, 4, 5, 7, 9, 11), layout, tries=3),
    "a user's": lambda layout: pick,
    "ScaleConstrained, a user's": lambda layout: ScaleConstrained(pick, (0, 2, 4, 5, 7, 9, 11), layout, tries=3),
}


def check(built: Any, layout: FrameLayout, sampler: Sampler, *, num_frames: int = 12) -> list[PianoRoll]:
    """Compares batches of several sizes, and a live stream."""
    given = primers(5)
    arguments: dict[str, Any] = {"sampler": sampler, "seed": 3, "layout": layout}
    whole = generate(built, given, num_frames=num_frames, **arguments)
    for count in (1, 2, 4):
        assert generate(built, given[:count], num_frames=num_frames, **arguments) == whole[:count]
    assert generate(built, given[0], num_frames=num_frames, **arguments) == whole[0]
    stream = generate_frames(built, np.stack([roll.to_frames(layout) for roll in given[:3]]), **arguments)
    pitches = slice(0, len(PITCHES))
    live = np.stack([next(stream) for _ in range(num_frames)], axis=1)
    np.testing.assert_array_equal(live[..., pitches], np.stack([roll.active for roll in whole[:3]]))
    return list(whole)


@pytest.mark.parametrize("head", HEADS)
def test_a_piece_does_not_depend_on_the_others(head: str) -> None:
    """Of a batch that a user liked, a piece cannot be made again without all the others."""
    built, layout = model(head)
    whole = check(built, layout, Draw())
    same = generate(built, [primers(1)[0]] * 5, num_frames=12, seed=3, layout=layout)
    assert len({roll.active.tobytes() for roll in same}) == 5  # and yet each is another
    assert same[0] == whole[0]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("head", ["Bernoulli", "NADE", "a user's"])
def test_whatever_the_sampler(head: str, sampler: str) -> None:
    """A rejected frame of one piece changes the others."""
    built, layout = model(head)
    check(built, layout, SAMPLERS[sampler](layout), num_frames=6)


@pytest.mark.parametrize(
    "kind",
    [CopyingLSTM, partial(CausalTransformer, num_heads=3), partial(ParallelSeq2SeqLSTM, block_frames=4)],
    ids=["copying", "transformer", "block"],
)
def test_whatever_the_model(kind: Any) -> None:
    check(*model("Bernoulli", kind), Draw())


def test_in_float32_too() -> None:
    """The steps of one piece and of several are computed by different code, which agrees up to rounding."""
    built, layout = model("Bernoulli")
    check(built.float(), layout, Draw())


def test_seeds_that_differ_in_their_upper_bits_give_other_music() -> None:
    """Of a 64-bit seed only the lower half counts."""
    built, layout = model("Bernoulli")
    seeds = (5, 5 + 2**32, 5 + 2**62, -5, -(2**63))
    pieces = [generate(built, primers(1)[0], num_frames=20, seed=seed, layout=layout) for seed in seeds]
    assert len({piece.active.tobytes() for piece in pieces}) == len(seeds)


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint64])
def test_a_seed_of_numpy_is_the_same_seed(kind: Any) -> None:
    built, layout = model("Bernoulli")
    one, other = (generate(built, primers(1)[0], num_frames=9, seed=seed, layout=layout) for seed in (5, kind(5)))
    assert (one.active == other.active).all()


@pytest.mark.parametrize("seed", [1.5, "5", None, 2**63])
def test_other_seeds_are_refused(seed: Any) -> None:
    built, layout = model("Bernoulli")
    with pytest.raises(SettingsError, match="seed must be a 64-bit integer, got"):
        generate(built, primers(1)[0], num_frames=9, seed=seed, layout=layout)


@pytest.mark.parametrize("head", ["Bernoulli", "a user's"])
def test_samples_have_the_probabilities_of_the_model(head: str) -> None:
    """Random numbers of different rows or frames are related."""
    built, layout = model(head)
    with torch.no_grad():
        built.head.logits.weight.zero_()
    written = generate(built, [primers(1)[0]] * 60, num_frames=60, seed=0, layout=layout)
    active = np.stack([roll.active for roll in written]).astype(float)
    expected, cells = 1 / (1 + np.exp(0.7)), active.size
    assert abs(active.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / cells)
    neighbours = np.mean((active[1:] - expected) * (active[:-1] - expected))
    later = np.mean((active[:, 1:] - expected) * (active[:, :-1] - expected))
    assert max(abs(neighbours), abs(later)) < 4 * expected * (1 - expected) / np.sqrt(cells * 0.9)


def test_the_numbers_of_a_row_are_its_own() -> None:
    """A row that asks for more numbers takes those of another, or gets some twice."""
    alone = uniform((1, 6000), generator=RowGenerators(7, 1))[0].tolist()
    assert len(set(alone)) > 5990
    many = RowGenerators(7, 4)
    first = uniform((4, 10), generator=many)
    some = many.select(torch.tensor([0, 3]))
    more = uniform((2, 10), generator=some)
    last = uniform((1, 10), generator=some.select(torch.tensor([1])))
    again = uniform((4, 2, 5), generator=many).flatten(1)
    rows = RowGenerators(7, 5)
    expected = uniform((5, 40), generator=rows)
    for row, parts in enumerate(
        (
            [first[0], more[0], again[0]],
            [first[1], again[1]],
            [first[2], again[2]],
            [first[3], more[1], last[0], again[3]],
        )
    ):
        found = torch.cat(parts)
        assert torch.equal(found, expected[row, : len(found)])
    assert uniform((4, 3000), generator=many).shape == (4, 3000)


def test_numbers_in_use_do_not_change() -> None:
    """Numbers drawn in advance are replaced while a frame is compared with them."""
    generator = RowGenerators(1, 2)
    first = uniform((2, 700), generator=generator)
    kept = first.clone()
    uniform((2, 700), generator=generator)
    assert torch.equal(first, kept)


def test_a_subclass_with_its_own_sample_is_called_for_each_row() -> None:
    assert is_rowwise(Bernoulli(torch.zeros(2, 3)), "sample")
    assert not is_rowwise(TorchBernoulli(torch.zeros(2, 3)), "sample")
    assert not is_rowwise(pick, "__call__")
    assert is_rowwise(ScaleConstrained(Draw(), (0,), ACTIVE), "__call__")
    assert not is_rowwise(ScaleConstrained(pick, (0,), ACTIVE), "__call__")
