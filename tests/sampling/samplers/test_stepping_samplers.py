"""Samplers that depend on earlier frames: temperature by schedule and repetition control, alone and in batches."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pianoroll_seq2seq import (
    Bernoulli,
    BernoulliHead,
    Draw,
    FillingLSTM,
    FrameLayout,
    Given,
    MonophonicHead,
    Part,
    PianoRoll,
    PitchRange,
    RepetitionControl,
    ScaleConstrained,
    Seq2SeqLSTM,
    TemperatureSchedule,
    TopP,
    fill,
    generate,
    longest_run,
)
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators
from pianoroll_seq2seq.sampling.samplers import next_sampler, sample_rows, start_sampler

PITCHES = PitchRange(60, 65)
LAYOUT = FrameLayout(pitches=PITCHES, planes=("active",))
ONSETS = FrameLayout(pitches=PITCHES, planes=("active", "onset"))

pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def primers(count: int) -> list[PianoRoll]:
    chance = np.random.default_rng(0)
    return [PianoRoll.from_active(chance.random((5, 6)) < 0.3, pitches=PITCHES) for _ in range(count)]


def model() -> Seq2SeqLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Seq2SeqLSTM(LAYOUT, hidden_size=6, head=BernoulliHead).double().eval()


def pick(distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
    """A sampler of a user's that is called for each row."""
    frames = distribution.sample(generator=generator)
    return distribution.sample(generator=generator) if torch.rand((), generator=generator) < 0.5 else frames


def falling(frame: int) -> float:
    return max(0.05, 1.5 - 0.2 * frame)


SAMPLERS: dict[str, Any] = {
    "TemperatureSchedule": TemperatureSchedule(falling),
    "TemperatureSchedule of TopP": TemperatureSchedule(falling, TopP(0.8, num_samples=8)),
    "TopP": TopP(0.8, num_samples=8),
    "RepetitionControl": RepetitionControl(weight=0.2, window=3, max_run=2),
    "RepetitionControl of a user's": RepetitionControl(pick, weight=3.0),
    "ScaleConstrained of all": ScaleConstrained(
        RepetitionControl(TemperatureSchedule(falling), weight=0.3), (0, 2, 4, 5), LAYOUT, tries=3
    ),
}


def test_a_set_is_a_scale() -> None:
    """A set counts as one pitch class that no note has, so that every note is dropped."""
    given = primers(1)[0]
    of_tuple, of_set = (
        generate(model(), given, num_frames=16, sampler=ScaleConstrained(Draw(), scale, LAYOUT), seed=1)
        for scale in ((0, 2, 4, 5), frozenset({0, 2, 4, 5}))
    )
    assert of_set == of_tuple
    assert of_set.active.any()


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_a_piece_does_not_depend_on_the_others(sampler: Any) -> None:
    """Latest frames of one piece, or their number, are taken for those of another."""
    built, given = model(), primers(4)
    arguments: dict[str, Any] = {"num_frames": 8, "sampler": sampler, "seed": 3}
    whole = generate(built, given, **arguments)
    assert generate(built, given, **arguments) == whole  # a sampler is a value: the first call has changed nothing
    assert generate(built, given[:2], **arguments) == whole[:2]
    assert generate(built, given[0], **arguments) == whole[0]
    assert len({roll.active.tobytes() for roll in generate(built, [given[0]] * 3, **arguments)}) > 1


def test_a_schedule_gives_each_frame_its_temperature() -> None:
    distribution, frames = Bernoulli(torch.randn(3, 6, generator=seeded())), []
    sampler, generators = start_sampler(TemperatureSchedule(falling), torch.zeros(3, 2, 6)), RowGenerators(0, 3)
    expected_generators = RowGenerators(0, 3)
    for number in range(9):
        frames.append(sample_rows(sampler, distribution, generators))
        expected = sample_rows(Draw(falling(number)), distribution, expected_generators)
        assert torch.equal(frames[-1], expected)
        sampler = next_sampler(sampler, frames[-1])


def test_a_schedule_counts_the_new_frames_of_every_generation_from_0() -> None:
    asked: list[int] = []

    def temperature(frame: int) -> float:
        asked.append(frame)
        return 1.0

    for _ in range(2):
        generate(model(), primers(2), num_frames=4, sampler=TemperatureSchedule(temperature))
    assert asked == [0, 1, 2, 3] * 2
    with pytest.raises(SettingsError, match="temperature"):
        generate(model(), primers(1)[0], num_frames=2, sampler=TemperatureSchedule(lambda frame: -1.0))


@pytest.mark.parametrize("weight", [0.0, 0.4, 3.0])
@pytest.mark.parametrize("window", [1, 2])
def test_repetitions_have_the_weight_that_was_chosen(weight: float, window: int) -> None:
    """The distribution is the model's with other weights, not only 'fewer repetitions'."""
    logits, draws = torch.tensor([[0.3, -0.5]]).double(), 4000
    frames = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).double()
    past = frames[None, [3, 1, 2]]
    repeated = (frames[:, None] == past[0, -window:]).all(dim=2).any(dim=1)
    probs = torch.stack([Bernoulli(logits[0]).log_prob(frame).exp() for frame in frames])
    expected = probs * torch.where(repeated, weight, 1.0)
    expected /= expected.sum()
    sampler = RepetitionControl(weight=weight, window=window).start(past.expand(draws, -1, -1))
    drawn = sampler(Bernoulli(logits.expand(draws, -1)), generator=seeded())
    seen = (drawn[:, None] == frames).all(dim=2).double().mean(dim=0)
    assert ((seen - expected).abs() < 5 * (expected * (1 - expected) / draws).sqrt() + 1e-9).all()


def test_no_run_is_longer_than_allowed() -> None:
    """The frames of the primer count too; and a sampler that can choose nothing else ends."""
    likely = Bernoulli(torch.tensor([[4.0]]))
    for max_run in (1, 3):
        sampler, drawn = start_sampler(RepetitionControl(max_run=max_run, tries=2000), torch.ones(1, 2, 1)), [1, 1]
        for seed in range(40):
            frame = sampler(likely, generator=seeded(seed))
            sampler = next_sampler(sampler, frame)
            drawn.append(int(frame))
        runs = np.diff(np.flatnonzero(np.diff(drawn, prepend=-1, append=-1)))
        assert runs[1:].max() == max_run or max_run == 1
        assert (runs[1:] <= max_run).all()
        assert runs[0] == max(2, max_run)
    certain = RepetitionControl(max_run=1, weight=0.0, tries=3).start(torch.ones(1, 1, 1))
    assert certain(Bernoulli(torch.tensor([[99.0]])), generator=seeded()).tolist() == [[1.0]]


def test_without_earlier_frames_nothing_is_a_repetition() -> None:
    sampler = RepetitionControl(weight=0.0, max_run=1).start(torch.zeros(1, 0, 1))
    certain = Bernoulli(torch.tensor([[99.0]]))
    assert sampler(certain, generator=seeded()).tolist() == [[1.0]]
    assert sampler.after(torch.ones(1, 1)).run.tolist() == [1]


def test_with_a_layout_a_held_chord_repeats_the_chord_that_began() -> None:
    """With onsets the first frame of a chord differs from the next ones in the onset plane only."""
    began, held = torch.tensor([[[1.0] * 12]]), torch.tensor([[1.0] * 6 + [0.0] * 6])
    whole, active = (
        RepetitionControl().start(began).after(held),
        RepetitionControl(layout=ONSETS).start(began).after(held),
    )
    assert (whole.run.tolist(), active.run.tolist()) == ([1], [2])
    with pytest.raises(ShapeError, match=r"12 columns.*got 6.*model's layout"):
        RepetitionControl(layout=ONSETS).start(began[..., :6])


def test_music_repeats_as_often_as_its_weight_says() -> None:
    """The purpose: music that moves more, or less, than the data's."""

    def share(sampler: Any) -> float:
        written = generate(model(), primers(4), num_frames=60, sampler=sampler, seed=0)
        return float(np.mean([(roll.active[1:] == roll.active[:-1]).all(axis=1) for roll in written]))

    shares = [share(RepetitionControl(weight=weight)) for weight in (0.0, 1.0, 20.0)]
    assert shares[0] == 0 < shares[1] < shares[2]


def test_the_longest_run_of_music() -> None:
    rolls = [PianoRoll.from_active(np.eye(6, dtype=bool)[rows], pitches=PITCHES) for rows in ([0, 0, 1], [2, 3, 3, 3])]
    assert longest_run(rolls) == 3
    assert longest_run(rolls[:1]) == 2
    assert longest_run([]) == 0
    assert longest_run([rolls[0][:0]]) == 0
    written = generate(
        model(), rolls[0], num_frames=60, sampler=RepetitionControl(max_run=longest_run(rolls), tries=999), seed=1
    )
    assert longest_run([written]) <= 3


@pytest.mark.parametrize(
    "wrong", [{"weight": -0.1}, {"weight": float("inf")}, {"window": 0}, {"max_run": 0}, {"tries": 0}]
)
def test_wrong_arguments_are_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        partial(RepetitionControl)(**wrong)


@pytest.mark.parametrize("sampler", [RepetitionControl(weight=0.0, tries=200), TemperatureSchedule(falling), TopP(0.7)])
def test_a_filled_piece_does_not_depend_on_the_others(sampler: Any) -> None:
    """Pieces of other lengths, with other cells given, in frames in which some pieces have nothing to write."""
    parts = (Part("high", pitches=PitchRange(60, 64)), Part("low", pitches=PitchRange(40, 44)))
    chance = np.random.default_rng(0)
    rolls = []
    for length in (9, 6, 12):
        active = np.zeros((length, 10), dtype=bool)
        active[np.arange(length), chance.integers(5, size=length)] = True
        active[np.arange(length), 5 + chance.integers(5, size=length)] = True
        rolls.append(PianoRoll.from_active(active, parts=parts))
    given = [Given.frames(2, 4), Given.parts("high"), Given.before(5)]
    layout = FrameLayout.of(rolls[0], onsets=False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = FillingLSTM(layout, hidden_size=6, encoder_size=4, num_copy_heads=1, head=MonophonicHead)
    built.double().eval()
    whole = fill(built, rolls, given, sampler=sampler, seed=4)
    for row, roll in enumerate(rolls):
        mask = given[row].mask(roll)
        cells = mask.repeat(5, axis=1)
        np.testing.assert_array_equal(whole[row].active[cells], roll.active[cells])
    assert fill(built, rolls[:2], given[:2], sampler=sampler, seed=4) == whole[:2]
    assert fill(built, rolls[0], given[0], sampler=sampler, seed=4) == whole[0]
    if isinstance(sampler, RepetitionControl):
        new = whole[2].active[4:]  # the last given frame, and the new ones
        assert not (new[1:] == new[:-1]).all(axis=1).any()
