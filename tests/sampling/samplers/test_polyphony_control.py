"""``PolyphonyControl``: the distribution that it samples from, and the weights that are found."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pianoroll_seq2seq import (
    Bernoulli,
    BernoulliHead,
    Draw,
    FrameDistribution,
    FrameLayout,
    PianoRoll,
    PitchRange,
    PolyphonyControl,
    RepetitionControl,
    ScaleConstrained,
    Seq2SeqLSTM,
    TemperatureSchedule,
    TopP,
    Typical,
    generate,
)
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators
from pianoroll_seq2seq.sampling import polyphony_weights
from pianoroll_seq2seq.sampling.samplers import next_sampler, sample_rows, start_sampler


def test_frames_have_the_weighted_distribution() -> None:
    """Beside the probabilities of all frames of three pitches, reweighted and normalized."""
    logits = torch.tensor([0.4, -0.3, 1.0])
    weights = {0: 0.5, 1: 2.0, 3: 0.25}
    control = PolyphonyControl(weights)
    count = 20_000
    frames = control(Bernoulli(logits.expand(count, 3)), generator=torch.Generator().manual_seed(0))
    possible = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))
    expected = Bernoulli(logits.expand(8, 3)).log_prob(possible).exp()
    expected *= torch.tensor([weights.get(int(frame.sum()), 1.0) for frame in possible])
    expected /= expected.sum()
    for frame, probability in zip(possible, expected.tolist(), strict=True):
        found = float((frames == frame).all(dim=1).double().mean())
        assert found == pytest.approx(probability, abs=4 * (probability / count) ** 0.5)


def test_onsets_are_not_counted() -> None:
    roll = PianoRoll.from_active(np.ones((2, 88), dtype=bool))
    layout = FrameLayout.of(roll)
    control = PolyphonyControl({88: 0.0}, layout, tries=200)
    logits = torch.full((1, layout.frame_size), 9.0)
    logits[:, 0] = 0.0
    frame = control(Bernoulli(logits), generator=torch.Generator().manual_seed(0))
    assert frame[0, :88].sum() < 88
    with pytest.raises(ShapeError, match="expects frames of 176 columns"):
        control(Bernoulli(torch.zeros(1, 88)), generator=torch.Generator())


def test_the_controlled_sampler_may_depend_on_earlier_frames() -> None:
    control = PolyphonyControl({0: 0.0}, sampler=RepetitionControl(weight=0.0))
    started = start_sampler(control, torch.tensor([[[1.0, 0.0]]]))
    even = Bernoulli(torch.zeros(1, 2))
    for seed in range(20):
        frame = started(even, generator=torch.Generator().manual_seed(seed))
        assert frame.tolist() in ([[0.0, 1.0]], [[1.0, 1.0]])
    following = next_sampler(started, torch.tensor([[1.0, 1.0]]))
    assert following(even, generator=torch.Generator().manual_seed(0)).tolist() in ([[0.0, 1.0]], [[1.0, 0.0]])


@pytest.mark.parametrize("arguments", [{"weights": {-1: 1.0}}, {"weights": {1: -0.5}}, {"weights": {}, "tries": 0}])
def test_arguments_out_of_range(arguments: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="PolyphonyControl needs"):
        PolyphonyControl(**arguments)  # type: ignore[arg-type]


def test_weights_that_are_found_give_the_shares_of_the_data() -> None:
    """Frames are sampled as the model writes them, and with the weights as the data has them."""
    rng = np.random.default_rng(0)

    def music(shares: list[float]) -> PianoRoll:
        numbers = rng.choice(4, size=4000, p=shares)
        return PianoRoll.from_active(np.arange(88) < numbers[:, None])

    written, data = music([0.1, 0.2, 0.3, 0.4]), music([0.2, 0.2, 0.6, 0.0])
    weights = polyphony_weights([written], [data])
    assert weights == {
        0: pytest.approx(1.0, abs=0.15),
        1: pytest.approx(0.5, abs=0.08),
        2: pytest.approx(1.0, abs=0.1),
        3: 0.0,
    }
    assert max(weights.values()) == 1.0
    assert 0 not in polyphony_weights([written], [data], fewest_frames=1000)
    with pytest.raises(SettingsError, match="No number of notes has 5000 written frames"):
        polyphony_weights([written], [data], fewest_frames=5000)


def test_each_piece_has_random_numbers_of_its_own() -> None:
    """Music must not depend on how many pieces are generated at once."""
    control = PolyphonyControl({1: 0.2}, sampler=Draw())
    few, many = (sample_rows(control, Bernoulli(torch.zeros(count, 6)), RowGenerators(3, count)) for count in (2, 7))
    assert torch.equal(few, many[:2])


def test_generate_counts_notes_by_the_layout_of_the_model() -> None:
    """Each note that begins has two columns, its onset as well: an even number for the control, an odd one of notes."""
    roll = PianoRoll.from_active(np.tile(np.eye(4, dtype=bool)[0], (8, 1)), pitches=PitchRange(60, 63))
    layout = FrameLayout.of(roll)
    torch.manual_seed(0)
    model = Seq2SeqLSTM(layout, hidden_size=4, head=BernoulliHead)
    torch.nn.init.constant_(model.head.logits.bias, 0.0)
    sampler = RepetitionControl(PolyphonyControl(dict.fromkeys((0, 1, 3, 4), 0.0)), weight=0.5)
    written = generate(model, roll, num_frames=32, sampler=sampler, seed=0)
    assert set(written.active.sum(axis=1).tolist()) == {2}


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (Draw, "^sampler must be a sampler such as Draw"),
        ("draw", "^sampler must be a sampler such as Draw"),
        (RepetitionControl(2.0), "^RepetitionControl.sampler must be a sampler such as Draw.*got 2.0"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_sampler_is_named(sampler: Any, message: str) -> None:
    primer = PianoRoll.silent(2, pitches=PitchRange(60, 63))
    model = Seq2SeqLSTM(FrameLayout.of(primer, onsets=False), hidden_size=4)
    with pytest.raises(SettingsError, match=message):
        generate(model, primer, num_frames=2, sampler=sampler)


def test_frames_of_another_size_are_named() -> None:
    def narrow(distribution: FrameDistribution, *, generator: torch.Generator) -> torch.Tensor:
        return distribution.sample(generator=generator)[:, 1:]

    primer = PianoRoll.silent(2, pitches=PitchRange(60, 63))
    model = Seq2SeqLSTM(FrameLayout.of(primer, onsets=False), hidden_size=4)
    with pytest.raises(ShapeError, match=r"sampler narrow chose frames of shape \(1, 3\); the model has \(1, 4\)"):
        generate(model, primer, num_frames=2, sampler=narrow)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TopP("0.9"),
        lambda: TopP(0.9, temperature=float("inf")),
        lambda: Typical(0.9, num_samples=2.5),
        lambda: PolyphonyControl([1, 2]),
        lambda: PolyphonyControl({"3": 1.0}),
        lambda: TemperatureSchedule(0.9),
        lambda: ScaleConstrained(Draw(), "C major", FrameLayout()),
        lambda: Draw(float("inf"))(Bernoulli(torch.zeros(1)), generator=torch.Generator()),
    ],
)
def test_arguments_of_another_type_are_named(make: Callable[[], object]) -> None:
    with pytest.raises(SettingsError):
        make()
