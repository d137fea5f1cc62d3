"""Fewer parallel fifths and octaves: which motions count, how likely they are left, and the pieces of a batch."""

from itertools import product

import numpy as np
import pytest
import torch

from pianoroll_seq2seq import (
    Bernoulli,
    FillingLSTM,
    FrameLayout,
    Given,
    ParallelControl,
    Part,
    PianoRoll,
    PitchRange,
    RepetitionControl,
    TopP,
    VoiceLeading,
    fill,
    generate,
)
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.sampling.samplers.parallel_control import moves_in_parallel

UPPER, LOWER = PitchRange(66, 70), PitchRange(59, 63)
PARTS = (Part("upper", pitches=UPPER), Part("lower", pitches=LOWER))
LAYOUT = FrameLayout(planes=("active",), parts=PARTS)

pytestmark = pytest.mark.usefixtures("one_thread")


def frame(upper: int, lower: int) -> torch.Tensor:
    """A frame (1, frame_size) with a pitch in each part; 0 for a rest."""
    cells = [
        pitch == one for part, pitch in ((UPPER, upper), (LOWER, lower)) for one in range(part.lowest, part.highest + 1)
    ]
    return torch.tensor([cells], dtype=torch.float32)


def test_motions_are_those_of_the_measure_of_voice_leading() -> None:
    """A unison, a twelfth, a rest, a held note or crossed voices are judged otherwise than in the measure."""
    pitches = [0, 60, 62, 67, 69]
    for upper, lower, later_upper, later_lower in product(pitches, repeat=4):
        rows = [np.eye(128, dtype=bool)[pair] * (pair[0] > 0) for pair in ([upper], [later_upper])]
        upper_part = PianoRoll.from_active(np.concatenate(rows), pitches=PitchRange(0, 127))
        rows = [np.eye(128, dtype=bool)[pair] * (pair[0] > 0) for pair in ([lower], [later_lower])]
        lower_part = PianoRoll.from_active(np.concatenate(rows), pitches=PitchRange(0, 127))
        if not upper_part.active.any() or not lower_part.active.any():
            continue
        counts = VoiceLeading.of(PianoRoll.stack({"upper": upper_part, "lower": lower_part})).counts()
        before, after = (
            torch.tensor([[pitch or -1 for pitch in pair]]) for pair in ((upper, lower), (later_upper, later_lower))
        )
        expected = bool(counts["parallel fifths"] + counts["parallel octaves"])
        assert bool(moves_in_parallel(before, after)) == expected, (upper, lower, later_upper, later_lower)


@pytest.mark.parametrize(("upper", "lower"), [(72, 60), (79, 60), (84, 60), (60, 72)])
def test_compound_intervals_count(upper: int, lower: int) -> None:
    before = torch.tensor([[upper, lower]])
    assert moves_in_parallel(before, before + 2).tolist() == [True]
    assert moves_in_parallel(before, before).tolist() == [False]
    assert moves_in_parallel(before, before + torch.tensor([[12, -12]])).tolist() == [False]  # apart


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_the_odds_of_a_parallel_are_multiplied(weight: float) -> None:
    """From C and G, up to D and A or with the upper voice alone: half and half without control."""
    logits = torch.full((1, 10), -30.0)
    logits[0, 69 - 66] = 30.0  # the upper part sounds A
    logits[0, 5 + 62 - 59] = 0.0  # the lower part sounds D, or rests
    control = ParallelControl(LAYOUT, weight=weight).start(frame(67, 60)[None])
    generator = torch.Generator().manual_seed(0)
    drawn = [control(Bernoulli(logits), generator=generator)[0, 5 + 62 - 59].item() for _ in range(1000)]
    assert np.mean(drawn) == pytest.approx(weight / (1 + weight), abs=0.05)


def filling() -> FillingLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FillingLSTM(LAYOUT, hidden_size=8, encoder_size=4, num_copy_heads=1).double().eval()


def pieces(count: int, frames: int = 12) -> list[PianoRoll]:
    chance = np.random.default_rng(1)
    rolls = []
    for _ in range(count):
        parts = {
            part.name: PianoRoll.from_active(
                np.eye(5, dtype=bool)[chance.integers(5, size=frames)], pitches=part.pitches
            )
            for part in PARTS
            if part.pitches is not None
        }
        rolls.append(PianoRoll.stack(parts))
    return rolls


def parallels(roll: PianoRoll) -> int:
    counts = VoiceLeading.of(roll).counts()
    return counts["parallel fifths"] + counts["parallel octaves"]


def one_at_a_time(distribution: FrameDistribution, *, generator: torch.Generator) -> torch.Tensor:
    """A sampler that is called for each piece on its own, since it does not say otherwise."""
    return distribution.sample(generator=generator)


def test_what_is_written_to_given_notes_has_none() -> None:
    """The given part is not seen, or notes of it are changed."""
    model, given = filling(), pieces(8, frames=24)
    free = fill(model, given, Given.parts("upper"), seed=0)
    assert sum(map(parallels, free)) > 0
    for inner in (one_at_a_time, TopP(1.0, num_samples=1)):
        sampler = ParallelControl(LAYOUT, inner, weight=0.0)
        controlled = fill(model, given, Given.parts("upper"), seed=0, sampler=sampler)
        assert sum(map(parallels, controlled)) == 0
    for before, after in zip(given, controlled, strict=True):
        assert np.array_equal(before[["upper"]].active, after[["upper"]].active)


def test_a_piece_does_not_depend_on_the_others() -> None:
    """The latest frame of one piece is taken for that of another."""
    model, primers = filling(), pieces(3)
    sampler = ParallelControl(LAYOUT, weight=0.0)
    together = generate(model, primers, num_frames=6, sampler=sampler, seed=4)
    assert generate(model, primers[:2], num_frames=6, sampler=sampler, seed=4) == together[:2]
    whole = [primer + written for primer, written in zip(primers, together, strict=True)]
    assert [parallels(roll[11:]) for roll in whole] == [0, 0, 0]  # from the last frame of the primer on


@pytest.mark.parametrize("arguments", [{"weight": -0.1}, {"weight": 1.1}, {"weight": float("nan")}, {"tries": 0}])
def test_arguments_out_of_range_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=r"ParallelControl needs a weight in \[0, 1\]"):
        ParallelControl(LAYOUT, **arguments)  # type: ignore[arg-type]


def test_one_part_and_other_frames_are_refused() -> None:
    with pytest.raises(SettingsError, match="the layout has one"):
        ParallelControl(FrameLayout(pitches=UPPER, planes=("active",)))
    with pytest.raises(ShapeError, match=r"expects frames of 10 columns .*, got 7\. Pass the model's layout"):
        ParallelControl(LAYOUT).start(torch.zeros(1, 2, 7))


def test_another_order_of_parts_is_refused() -> None:
    """As many columns, of which each half would be taken for the other part."""
    reversed_layout = FrameLayout(planes=("active",), parts=PARTS[::-1])
    for sampler in (
        ParallelControl(reversed_layout),
        RepetitionControl(ParallelControl(reversed_layout), weight=0.5),
    ):
        with pytest.raises(SettingsError, match=r"ParallelControl has another layout than the model: .*model's layout"):
            generate(filling(), pieces(1), num_frames=2, sampler=sampler)
