"""Variations of windows: the same music in other keys and at other paces, and never other music."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layouts import active_windows

from pianoroll_seq2seq import (
    Augmentation,
    BeatGrid,
    History,
    PianoRoll,
    PitchRange,
    SecondsGrid,
    Seq2SeqLSTM,
    SlidingWindows,
    evaluate,
    fit,
)
from pianoroll_seq2seq.data.corpus.packing import PackedFrames
from pianoroll_seq2seq.errors import CheckpointError, SettingsError
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.train import mean_loss

seeds = st.integers(0, 2**32 - 1)


pytestmark = pytest.mark.usefixtures("one_thread")


def shifted(window: np.ndarray, step: int) -> np.ndarray | None:
    """A window moved by so many pitches, pitch by pitch; None where a note would be lost."""
    moved = np.zeros_like(window)
    for column in np.flatnonzero(window.any(axis=0)):
        if not 0 <= column + step < window.shape[1]:
            return None
        moved[:, column + step] = window[:, column]
    return moved


def random_windows(draw: st.DrawFn) -> np.ndarray:
    """Some of which are silent, and some sound at the very edges."""
    count, frames, pitches = draw(st.integers(0, 6)), draw(st.integers(1, 5)), draw(st.integers(1, 20))
    random = np.random.default_rng(draw(seeds))
    windows = random.random((count, frames, pitches)) < 0.4
    for window in windows:
        low, high = sorted(random.integers(0, pitches + 1, 2))
        window[:, :low] = False
        window[:, high:] = False
    return windows.astype(np.uint8)


def transposed(windows: np.ndarray, semitones: tuple[int, int], seed: int) -> np.ndarray:
    """Of cells and to cells."""
    packed = np.packbits(windows, axis=2)
    parts = [Part(pitches=PitchRange(40, 39 + windows.shape[2]))]
    moved = Augmentation(semitones).transpose(PackedFrames(packed), parts, np.random.default_rng(seed)).active
    assert moved.shape == packed.shape
    assert np.array_equal(packed, np.packbits(windows, axis=2))
    return np.unpackbits(moved, axis=2)[:, :, : windows.shape[2]]


bounds = st.tuples(st.integers(-14, 0), st.integers(0, 14))


# ---- Keys


@given(windows=st.composite(random_windows)(), semitones=bounds, seed=seeds)
def test_each_window_is_moved_as_a_whole(windows: np.ndarray, semitones: tuple[int, int], seed: int) -> None:
    """A transposed piece lacks notes, has others, or goes beyond the bounds."""
    moved = transposed(windows, semitones, seed)
    for window, found in zip(windows, moved, strict=True):
        steps = [step for step in range(semitones[0], semitones[1] + 1) if shifted(window, step) is not None]
        assert any(np.array_equal(found, shifted(window, step)) for step in steps)


@given(low=st.integers(0, 19), width=st.integers(1, 20), semitones=bounds, seed=seeds)
def test_every_step_that_fits_is_as_likely(low: int, width: int, semitones: tuple[int, int], seed: int) -> None:
    """Some keys are seldom or never learned."""
    window = np.zeros((1, 2, 20), np.uint8)
    window[0, 0, low] = window[0, 1, min(19, low + width - 1)] = 1
    steps = [step for step in range(semitones[0], semitones[1] + 1) if shifted(window[0], step) is not None]
    count = 400 * len(steps)
    moved = transposed(np.repeat(window, count, axis=0), semitones, seed)
    found = Counter((moved[:, 0].argmax(axis=1) - low).tolist())
    assert set(found) == set(steps)
    chi_square = sum((found[step] - 400) ** 2 / 400 for step in steps)
    free = len(steps) - 1
    assert chi_square < free + 6 * math.sqrt(2 * free) + 20


def test_silence_stays_silent() -> None:
    """A window without a note, as at a rest, ends the training with an error."""
    windows = np.zeros((50, 4, 12), np.uint8)
    for semitones in ((-100, 100), (0, 5), (-3, 0)):
        moved = transposed(windows, semitones, 0)
        np.testing.assert_array_equal(moved, windows)


def _song(frames: int, seed: int = 0, grid: Any = BeatGrid(4), pitches: PitchRange = PitchRange(40, 79)) -> PianoRoll:
    active = np.zeros((frames, len(pitches)), bool)
    active[:, 12:28] = np.random.default_rng(seed).random((frames, 16)) < 0.3
    return PianoRoll.from_active(active, grid=grid, pitches=pitches, name=f"song {seed}")


def _windows(augmentation: Augmentation | None, **changes: Any) -> SlidingWindows:
    rolls = changes.pop("rolls", None) or [_song(40), _song(25, 1)]
    return active_windows(
        rolls, **{"input_frames": 5, "target_frames": 3, "hop": 1, "augmentation": augmentation} | changes
    )


def _whole(batch: tuple[torch.Tensor, torch.Tensor]) -> np.ndarray:
    return torch.cat(batch, dim=1).numpy()


def test_input_and_target_move_together() -> None:
    """A model learns that music changes its key between the input and the target."""
    windows = _windows(Augmentation(semitones=(-12, 12)))
    everything = range(len(windows))
    plain = _whole(windows.batch(everything))
    moved = _whole(windows.batch(everything, generator=np.random.default_rng(0)))
    steps = set()
    for before, after in zip(plain, moved, strict=True):
        fitting = [
            step
            for step in range(-12, 13)
            if (candidate := shifted(before, step)) is not None and np.array_equal(candidate, after)
        ]
        assert fitting
        steps.add(fitting[0])
    assert len(steps) > 15


def test_without_a_generator_windows_are_as_they_stand() -> None:
    """Validation and evaluation, which give no generator, measure on other music each time."""
    plain, varied = _windows(None), _windows(Augmentation(semitones=(-12, 12)))
    everything = range(len(plain))
    assert np.array_equal(_whole(plain.batch(everything)), _whole(varied.batch(everything)))
    for index in (0, 7, -1):
        assert all(torch.equal(one, other) for one, other in zip(plain[index], varied[index], strict=True))
    model = Seq2SeqLSTM(40, hidden_size=4)
    assert mean_loss(model, plain) == mean_loss(model, varied)
    assert evaluate(model, plain) == evaluate(model, varied)


@pytest.mark.parametrize("augmentation", [None, Augmentation(), Augmentation((0, 0), (1.0, 1.0))])
@pytest.mark.parametrize("grid", [BeatGrid(4), SecondsGrid(0.02)], ids=str)
def test_no_variation_leaves_windows_alone(augmentation: Augmentation | None, grid: Any) -> None:
    """Settings that ask for nothing change the music."""
    windows = _windows(augmentation, rolls=[_song(40, grid=grid)])
    everything = range(len(windows))
    varied = windows.batch(everything, generator=np.random.default_rng(0))
    assert np.array_equal(_whole(varied), _whole(windows.batch(everything)))


def test_equal_generators_give_equal_windows() -> None:
    """A training run cannot be repeated."""
    windows = _windows(Augmentation((-5, 6), (0.7, 1.4)), rolls=[_song(60, grid=SecondsGrid(0.02))])
    everything = range(len(windows))
    first, second, other = (_whole(windows.batch(everything, generator=np.random.default_rng(n))) for n in (3, 3, 4))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    generator = np.random.default_rng(3)
    assert np.array_equal(_whole(windows.batch(everything, generator=generator)), first)
    assert not np.array_equal(_whole(windows.batch(everything, generator=generator)), first)


# ---- Tempo


SPEEDS = st.tuples(st.floats(0.25, 1), st.floats(1, 4)) | st.tuples(st.floats(0.3, 3), st.floats(0, 2)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)


@given(
    available=st.lists(st.integers(0, 60), min_size=1, max_size=8), count=st.integers(1, 40), tempo=SPEEDS, seed=seeds
)
def test_frames_are_those_of_another_pace(
    available: list[int], count: int, tempo: tuple[float, float], seed: int
) -> None:
    """Music at another tempo skips, exceeds the bounds, or reads on into another piece."""
    left = np.array(available) + count
    frames = Augmentation(tempo=tempo).draw_frame_indices(left, count, np.random.default_rng(seed))
    assert frames.shape == (len(left), count)
    assert (frames[:, 0] == 0).all()
    assert (frames < left[:, None]).all()
    drawn = np.exp(np.random.default_rng(seed).uniform(*np.log(tempo), size=len(left)))
    for row, wished, most in zip(frames.tolist(), drawn.tolist(), (left / count).tolist(), strict=True):
        factor = min(wished, most)
        assert row == [math.floor(time * factor) for time in range(count)]
        assert min(tempo[0], most) * (1 - 1e-9) <= factor <= tempo[1] * (1 + 1e-9)
        # What factors give these frames? One within the bounds does.
        lowest = max((frame / time for time, frame in enumerate(row) if time), default=0)
        highest = min(((frame + 1) / time for time, frame in enumerate(row) if time), default=math.inf)
        assert lowest <= tempo[1] * (1 + 1e-9)
        assert highest > min(tempo[0], most) * (1 - 1e-9)


def test_paces_are_spread_evenly() -> None:
    """Slow paces are learned more than fast ones."""
    frames = Augmentation(tempo=(0.5, 2.0)).draw_frame_indices(np.full(20_000, 10_000), 1000, np.random.default_rng(0))
    factors = np.log2((frames[:, -1] + 0.5) / 999)
    shares, _ = np.histogram(factors, bins=8, range=(-1, 1))
    assert shares.sum() >= 19_990
    assert (abs(shares - 2500) < 250).all()


PITCHES = PitchRange(60, 71)


def _numbered(lengths: list[int]) -> list[PianoRoll]:
    """Pieces in which every frame spells its own number, from 1 through all pieces."""
    ends = np.cumsum(lengths).tolist()
    return [
        PianoRoll.from_active(
            (np.arange(end - length + 1, end + 1)[:, None] >> np.arange(12) & 1).astype(bool),
            grid=SecondsGrid(0.02),
            pitches=PITCHES,
            name=f"piece {end}",
        )
        for length, end in zip(lengths, ends, strict=True)
    ]


def _numbers(batch: tuple[torch.Tensor, torch.Tensor]) -> np.ndarray:
    return _whole(batch).astype(np.int64) @ (1 << np.arange(12))


@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=5), hop=st.integers(1, 7), tempo=SPEEDS, seed=seeds)
@pytest.mark.filterwarnings("ignore:.*pieces have fewer")
def test_windows_at_another_pace(lengths: list[int], hop: int, tempo: tuple[float, float], seed: int) -> None:
    """A faster window runs into the next piece, or takes its frames from the wrong place."""
    windows = active_windows(
        _numbered(lengths),
        input_frames=5,
        target_frames=4,
        hop=hop,
        short="pad",
        augmentation=Augmentation((0, 0), tempo),
    )
    order = np.random.default_rng(seed).permutation(len(windows))
    plain = _numbers(windows.batch(order))
    found = _numbers(windows.batch(order, generator=np.random.default_rng(seed)))
    ends = np.cumsum(lengths)
    for before, after in zip(plain.tolist(), found.tolist(), strict=True):
        piece = int(np.searchsorted(ends, before[0]))
        piece_frames = [*range(before[0], ends[piece] + 1)]
        piece_frames += [0] * (9 - len(piece_frames))
        assert after[0] == before[0]
        assert set(after) <= set(piece_frames)
        places = [piece_frames.index(number) for number in after]
        assert places == sorted(places) or 0 in after
        candidates = np.linspace(min(tempo[0], len(piece_frames) / 9), min(tempo[1], len(piece_frames) / 9), 4001)
        times = (np.arange(9) * candidates[:, None]).astype(int)
        taken = np.array(piece_frames)[np.minimum(times, len(piece_frames) - 1)]
        near = np.abs(taken - np.array(after)).max(axis=1).min()
        assert near <= 1 or 0 in after  # between two of the candidates a frame may change


def test_a_tempo_on_a_grid_of_beats_is_refused() -> None:
    """Sixteenths stretched by a tenth are no sixteenths any more, and no error says so."""
    with pytest.raises(SettingsError, match=r"SecondsGrid: BeatGrid\(frames_per_beat=4\)"):
        _windows(Augmentation(tempo=(0.9, 1.1)))
    assert len(_windows(Augmentation(semitones=(-1, 1)))) == len(_windows(None))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"semitones": (1, 5)}, "semitones.*(1, 5)"),
        ({"semitones": (-5, -1)}, "semitones"),
        ({"semitones": (5, -5)}, "semitones"),
        ({"tempo": (1.1, 0.9)}, "tempo"),
        ({"tempo": (0.0, 1.0)}, "tempo"),
        ({"tempo": (-1.0, 1.0)}, "tempo"),
        ({"tempo": (0.9, math.inf)}, "tempo"),
        ({"tempo": (0.9, math.nan)}, "tempo"),
        ({"tempo": (math.nan, 1.1)}, "tempo"),
    ],
    ids=str,
)
def test_bounds_out_of_order_are_named(arguments: dict[str, Any], named: str) -> None:
    """A mistake in the bounds is met in the middle of training, or varies nothing."""
    with pytest.raises(SettingsError, match=named):
        Augmentation(**arguments)


# ---- Memory


def test_no_copy_is_kept() -> None:
    """Twelve keys take twelve times the memory, or the pieces themselves are changed."""
    rolls = [_song(40, grid=SecondsGrid(0.02)), _song(25, 1, grid=SecondsGrid(0.02))]
    windows = _windows(Augmentation((-12, 12), (0.5, 2.0)), rolls=rolls)
    (shards,) = windows._gatherer._planes
    shards = list(shards)
    before = [shard.copy() for shard in shards]
    size = len(vars(windows))
    for seed in range(20):
        windows.batch(range(len(windows)), generator=np.random.default_rng(seed))
    assert len(vars(windows)) == size
    assert [id(shard) for shard in windows._gatherer._planes[0]] == [id(shard) for shard in shards]
    assert all(np.array_equal(shard, copy) for shard, copy in zip(shards, before, strict=True))
    assert sum(shard.nbytes for shard in shards) == 65 * 5
    assert windows.with_hop(3).augmentation == windows.augmentation


# ---- Training


VARIED = Augmentation(semitones=(-5, 6), tempo=(0.8, 1.25))


def _train(folder: Path | None, augmentation: Augmentation | None, epochs: int = 4) -> tuple[Seq2SeqLSTM, History]:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = Seq2SeqLSTM(40, hidden_size=6, dropout=0.3)
    grid = SecondsGrid(0.02)
    windows = _windows(augmentation, rolls=[_song(40, grid=grid), _song(25, 1, grid=grid)], hop=2)
    valid = _windows(augmentation, rolls=[_song(30, 2, grid=grid)])
    history = fit(model, windows, valid, epochs=epochs, batch_size=6, checkpoint_dir=folder, progress=False, seed=3)
    return model, history


def _weights(model: Seq2SeqLSTM) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())


def _losses(history: History) -> list[Any]:
    return [replace(epoch, seconds=0.0) for epoch in history.epochs]


def test_a_run_with_variations_is_gone_on_with(tmp_path: Path) -> None:
    """After a restart, the variations are others than without, and so is the model; or they repeat."""
    whole, history = _train(None, VARIED)
    assert _losses(_train(tmp_path, VARIED, epochs=2)[1]) == _losses(history)[:2]
    resumed, again = _train(tmp_path, VARIED)
    assert _losses(again) == _losses(history)
    assert _weights(resumed) == _weights(whole)


def test_variations_reach_the_training() -> None:
    """fit ignores the augmentation and trains on the plain windows."""
    plain, varied = _train(None, None), _train(None, VARIED)
    assert _weights(plain[0]) != _weights(varied[0])
    assert plain[1].train_losses[0] != varied[1].train_losses[0]


def test_each_epoch_has_other_variations() -> None:
    """The model reads each window in one key only, epoch after epoch."""
    seen: list[np.ndarray] = []

    class Recorder(Seq2SeqLSTM):
        def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
            seen.append(_whole((inputs, targets)).copy())
            return super().forward(inputs, targets)

    windows = _windows(Augmentation(semitones=(-12, 12)), rolls=[_song(8)])
    fit(Recorder(40, hidden_size=4), windows, epochs=40, batch_size=1, progress=False)
    assert len(seen) == 40
    assert len({window.tobytes() for window in seen}) > 12


@pytest.mark.parametrize("other", [None, Augmentation((-5, 5), (0.8, 1.25)), Augmentation((-5, 6))], ids=str)
def test_a_run_with_another_augmentation_is_not_resumed(tmp_path: Path, other: Augmentation | None) -> None:
    """A run resumes with another augmentation, and its history mixes both."""
    _train(tmp_path, VARIED, epochs=1)
    with pytest.raises(CheckpointError, match=r"run\.augmentation was .* and is now"):
        _train(tmp_path, other)
