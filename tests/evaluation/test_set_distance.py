"""Distances between sets of pieces: densities and distances against slow direct computations."""

import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq.errors import GridError, MissingExtraError, SettingsError
from pianoroll_seq2seq.evaluation import set_distance
from pianoroll_seq2seq.evaluation.music_metrics import METRICS, polyphony, polyphony_rate
from pianoroll_seq2seq.evaluation.set_distance import compare_sets
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange

BAR = 4


def chords(*frames: set[int], grid: BeatGrid | SecondsGrid = BeatGrid(4), pitches: PitchRange = PitchRange()):
    """A roll from the MIDI pitches of each frame."""
    active = np.zeros((len(frames), len(pitches)), bool)
    for frame, chord in enumerate(frames):
        active[frame, [pitch - pitches.lowest for pitch in chord]] = True
    return PianoRoll.from_active(active, grid=grid, pitches=pitches)


# ---- Slow direct computation


def random_pieces(seed: int, pieces: int, *, density: float = 0.3, frames: int = 16) -> list[PianoRoll]:
    numbers = np.random.default_rng(seed)
    pitches = PitchRange(60, 71)
    return [PianoRoll.from_active(numbers.random((frames, 12)) < density, pitches=pitches) for _ in range(pieces)]


def estimate(values: list[float], at: float, bandwidth: float | None = None) -> float:
    """A Gaussian kernel estimate in a loop, by default with the bandwidth of Scott's rule."""
    mean = sum(values) / len(values)
    if bandwidth is None:
        variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
        bandwidth = math.sqrt(variance) * len(values) ** (-1 / 5)
    kernels = [math.exp(-0.5 * ((at - value) / bandwidth) ** 2) for value in values]
    return sum(kernels) / (len(values) * bandwidth * math.sqrt(2 * math.pi))


def shared(one: list[float], other: list[float]) -> tuple[float, float]:
    """Overlapped area and KL(one || other), by summing narrow strips."""
    low, high = min(one + other) - 1, max(one + other) + 1
    strips = 1500
    width = (high - low) / strips
    area = divergence = 0.0
    for strip in range(strips):
        p, q = (estimate(values, low + (strip + 0.5) * width) for values in (one, other))
        area += min(p, q) * width
        divergence += p * math.log(p / q) * width if p > 1e-30 and q > 1e-300 else 0.0
    return area, divergence


def test_distances_are_those_of_yang_and_lerch() -> None:
    """The whole row against loops, for a metric with spread."""
    generated, data = random_pieces(0, 5, density=0.34), random_pieces(1, 6)
    row = compare_sets(generated, data).metrics["polyphony_rate"]
    first, second = [polyphony_rate(roll) for roll in generated], [polyphony_rate(roll) for roll in data]
    assert row.generated_mean == pytest.approx(sum(first) / 5)
    assert row.data_mean == pytest.approx(sum(second) / 6)
    assert row.generated_std == pytest.approx(math.sqrt(sum((x - row.generated_mean) ** 2 for x in first) / 5))
    assert row.data_std == pytest.approx(math.sqrt(sum((x - row.data_mean) ** 2 for x in second) / 6))
    intra = [abs(second[i] - second[j]) for i in range(6) for j in range(i)]
    inter = [abs(x - y) for x in first for y in second]
    area, divergence = shared(intra, inter)
    assert row.overlapped_area == pytest.approx(area, abs=2e-3)
    assert row.kl_divergence == pytest.approx(divergence, abs=2e-3)
    assert row.overlap == pytest.approx(shared(first, second)[0], abs=2e-3)
    assert (row.generated_pieces, row.data_pieces) == (5, 6)


@pytest.mark.parametrize(("distance", "spread"), [(0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (1.0, 4.0), (0.0, 50.0)])
def test_areas_and_divergences_of_normal_samples_are_those_of_the_formulas(distance: float, spread: float) -> None:
    """A kernel estimate of normal quantiles is a normal density, a little wider because of its kernels."""
    from scipy.stats import norm

    quantiles = norm.ppf((np.arange(1500) + 0.5) / 1500)
    one, other = quantiles, distance + spread * quantiles
    area, divergence = set_distance._overlap_and_divergence(one, other)
    wider = math.sqrt(1 + 1500 ** (-2 / 5))
    at = np.linspace(-400, 400, 800_001)
    smaller = np.minimum(norm.pdf(at, 0, wider), norm.pdf(at, distance, spread * wider))
    assert area == pytest.approx(smaller.sum() * 0.001, abs=0.01)
    exact = math.log(spread) + (wider**2 + distance**2) / (2 * (spread * wider) ** 2) - 0.5
    assert divergence == pytest.approx(exact, rel=0.05, abs=0.01)


def test_a_set_is_like_itself() -> None:
    data = random_pieces(0, 12)
    comparison = compare_sets(data, list(reversed(data)), frames_per_bar=BAR)
    assert comparison.polyphony_overlap == pytest.approx(1)
    assert set(comparison.metrics) == {*METRICS, "groove_consistency"}
    for name, row in comparison.metrics.items():
        assert row.overlap == pytest.approx(1, abs=1e-6), name
        assert row.generated_mean == pytest.approx(row.data_mean), name
        assert row.overlapped_area > 0.8, name  # the distance of each piece to itself is in one of the sets


def test_other_music_has_a_larger_distance_than_music_of_the_same_kind() -> None:
    data = random_pieces(0, 15)
    similar, different = compare_sets(random_pieces(1, 15), data), compare_sets(random_pieces(2, 15, density=0.7), data)
    for name in ("polyphony", "semitone_clashes"):
        assert different.metrics[name].overlap < 0.3, name
        assert similar.metrics[name].overlap > 0.5, name
        assert different.metrics[name].overlapped_area < similar.metrics[name].overlapped_area, name
        assert different.metrics[name].kl_divergence > similar.metrics[name].kl_divergence, name
    assert different.polyphony_overlap < 0.3
    assert similar.polyphony_overlap > 0.9


def test_polyphony_overlap_is_that_of_the_shares_of_frames() -> None:
    generated, data = [chords({60}, {60, 62}), chords(set(), {60})], [chords({60, 62}, {60, 62, 64})]
    assert compare_sets(generated, data).polyphony_overlap == pytest.approx(1 / 4)  # only frames of two pitches


def test_sets_without_spread_are_equal_or_disjoint() -> None:
    """Equal values have no kernel estimate."""
    scale = [chords({60}, {62}, {64})] * 3
    sixths = [chords({60, 69}, {62, 71}, {64, 72})] * 2
    row = compare_sets(scale, scale).metrics["polyphony"]
    assert (row.overlap, row.overlapped_area, row.kl_divergence) == (1.0, 1.0, 0.0)
    row = compare_sets(scale, sixths).metrics["polyphony"]
    assert (row.overlap, row.overlapped_area, row.kl_divergence) == (0.0, 0.0, math.inf)


def test_equal_values_take_the_bandwidth_of_the_others() -> None:
    """A single value among values with spread must still have a distance."""
    values = np.array([0.0, 0.1, 0.2, 0.1, 0.05, 0.15])
    bandwidth = float(values.std(ddof=1)) * 6 ** (-1 / 5)
    width = 0.001
    for point in (0.1, 0.4, 9.0):
        strips = np.arange(-1, 10, width)
        least = [min(estimate(list(values), at), estimate([point], at, bandwidth)) * width for at in strips]
        for first, second in ((np.full(3, point), values), (values, np.array([point]))):
            area, divergence = set_distance._overlap_and_divergence(first, second)
            assert area == pytest.approx(sum(least), abs=2e-3)
            assert math.isfinite(divergence)


@pytest.mark.parametrize(("generated", "data"), [(1, 1), (1, 4), (4, 1), (2, 2), (1, 2)])
def test_few_pieces_have_the_metrics_that_are_defined(generated: int, data: int) -> None:
    comparison = compare_sets(random_pieces(3, generated), random_pieces(4, data), frames_per_bar=BAR)
    for row in comparison.metrics.values():
        assert 0 <= row.overlap <= 1
        if data == 1:
            assert math.isnan(row.overlapped_area)
            assert math.isnan(row.kl_divergence)
        else:
            assert 0 <= row.overlapped_area <= 1
            assert row.kl_divergence >= 0


def test_pieces_with_undefined_metrics_are_left_out() -> None:
    silence = chords(*[set()] * 4)
    comparison = compare_sets([silence, chords({60}, {62}, {64, 65})], [silence, silence])
    row = comparison.metrics["polyphony"]
    assert (row.generated_mean, row.generated_pieces, row.data_pieces) == (4 / 3, 1, 0)
    assert math.isnan(row.data_mean)
    assert math.isnan(row.overlap)
    assert comparison.metrics["empty_frames"].generated_mean == 0.5
    assert math.isnan(compare_sets([silence[:0]], [silence]).polyphony_overlap)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8))
def test_any_two_sets_of_values_are_compared_without_a_warning(one: list[float], other: list[float]) -> None:
    area, divergence = set_distance._overlap_and_divergence(np.array(one), np.array(other))
    assert 0 <= area <= 1
    assert divergence >= 0
    assert area == pytest.approx(set_distance._overlap_and_divergence(np.array(other), np.array(one))[0], abs=1e-9)


def test_the_table_prints_and_is_json() -> None:
    comparison = compare_sets([chords({60}, {62})], [chords({60, 64}, {62, 65}), chords({60, 64}, {59, 62})])
    text = str(comparison)
    assert text.splitlines()[0].startswith("1 generated pieces and 2 of the data")
    assert {line.split()[0] for line in text.splitlines()[2:]} == set(METRICS)
    assert len({len(line) for line in text.splitlines()[1:]}) == 1, "columns are aligned"
    read = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert read["metrics"]["polyphony"]["data_mean"] == 2
    assert read["metrics"]["polyphony"]["kl_divergence"] is None  # infinite
    assert (read["generated_pieces"], read["data_pieces"]) == (1, 2)
    assert math.isinf(comparison.metrics["polyphony"].kl_divergence), "the comparison itself is unchanged"


def test_large_values_keep_the_columns_of_the_table() -> None:
    comparison = compare_sets(
        random_pieces(0, 3), random_pieces(1, 3), metrics={"large": lambda roll: 1e9 * roll.active.mean()}
    )
    header, row = str(comparison).splitlines()[1:]
    assert len(header) == len(row)
    assert "e+0" in row


def test_other_metrics_can_be_passed() -> None:
    comparison = compare_sets(
        random_pieces(0, 3), random_pieces(1, 3), metrics={"frames": lambda roll: float(len(roll))}
    )
    assert set(comparison.metrics) == {"frames"}
    assert comparison.metrics["frames"].data_mean == 16


def test_sets_that_cannot_be_compared_are_refused() -> None:
    roll = chords({60})
    with pytest.raises(SettingsError, match="got 0 generated and 1 of the data"):
        compare_sets([], [roll])
    with pytest.raises(SettingsError, match="got 1 generated and 0 of the data"):
        compare_sets([roll], [])
    with pytest.raises(GridError, match=r"Piece 1 is on BeatGrid\(frames_per_beat=2\)"):
        compare_sets([roll], [roll, chords({60}, grid=BeatGrid(2))])


def test_without_scipy_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingExtraError, match=r"pianoroll-seq2seq\[metrics\]"):
        compare_sets([chords({60})], [chords({60})])
    assert polyphony(chords({60})) == 1
