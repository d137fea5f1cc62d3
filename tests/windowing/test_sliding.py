"""Windows: a leak or a lost frame would falsify every score, without an error."""

import copy
import itertools
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from large_corpus import write_large_corpus
from layouts import active_windows
from torch.utils.data import DataLoader
from typechecker import as_users_have_it
from written_corpus import write_corpus

from pianoroll_seq2seq.data.augmentation import Augmentation
from pianoroll_seq2seq.data.corpus import build_corpus
from pianoroll_seq2seq.errors import GridError, PieceTooShortError, PitchRangeError, SettingsError
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid, SecondsGrid
from pianoroll_seq2seq.layout import FrameLayout, OnGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.windowing import SlidingWindows

PITCHES = PitchRange(60, 71)
"""Twelve columns: a frame can encode its own number, in binary, up to 4095."""


def numbered(lengths: list[int]) -> list[PianoRoll]:
    """Pieces in which every frame is its own number, 1, 2, 3, ... through all pieces: 0 is silence."""
    ends = np.cumsum(lengths)
    return [
        PianoRoll.from_active(
            (np.arange(end - length + 1, end + 1)[:, None] >> np.arange(12) & 1).astype(bool),
            pitches=PITCHES,
            name=f"piece {index}",
        )
        for index, (length, end) in enumerate(zip(lengths, ends, strict=True))
    ]


def numbers(frames: torch.Tensor) -> list[int]:
    """The numbers that frames encode."""
    return (frames.reshape(-1, 12).to(torch.int64) @ (1 << torch.arange(12))).tolist()


def noise(frames: int, *, seed: int = 0, name: str = "", pitches: PitchRange = PITCHES) -> PianoRoll:
    active = np.random.default_rng(seed).random((frames, len(pitches))) < 0.4
    return PianoRoll.from_active(active, pitches=pitches, name=name)


sizes = st.integers(1, 6)


class TestSlidingWindows:
    @given(extra=st.lists(st.integers(0, 25), min_size=1, max_size=5), input_frames=sizes, target_frames=sizes)
    def test_every_target_frame_occurs_once_at_a_hop_of_target_frames(self, extra, input_frames, target_frames):
        """Otherwise published scores would count some frames twice and others never."""
        lengths = [input_frames + target_frames + more for more in extra]
        windows = active_windows(
            numbered(lengths), input_frames=input_frames, target_frames=target_frames, hop=target_frames
        )
        _, targets = windows.batch(range(len(windows)))
        expected, first = [], 1
        for length in lengths:
            whole = (length - input_frames) // target_frames * target_frames
            expected += range(first + input_frames, first + input_frames + whole)
            first += length
        assert numbers(targets) == expected

    @given(
        lengths=st.lists(st.integers(0, 30), min_size=1, max_size=5), input_frames=sizes, target_frames=sizes, hop=sizes
    )
    @pytest.mark.filterwarnings("ignore:.*skipped")
    def test_windows_are_slices_of_one_piece(self, lengths, input_frames, target_frames, hop):
        """Otherwise the model would learn jumps from the end of one piece into the next."""
        rolls = numbered(lengths)
        size = input_frames + target_frames
        expected = [
            (roll, roll[begin : begin + input_frames].active, roll[begin + input_frames : begin + size].active)
            for roll in rolls
            for begin in range(0, len(roll) - size + 1, hop)
        ]
        if not expected:
            with pytest.raises(PieceTooShortError):
                active_windows(rolls, input_frames=input_frames, target_frames=target_frames, hop=hop, short="skip")
            return
        windows = active_windows(rolls, input_frames=input_frames, target_frames=target_frames, hop=hop, short="skip")
        assert len(windows) == len(expected)
        for index, (roll, first, second) in enumerate(expected):
            inputs, targets = windows[index]
            assert inputs.dtype == targets.dtype == torch.float32
            np.testing.assert_array_equal(inputs.numpy(), first)
            np.testing.assert_array_equal(targets.numpy(), second)
            assert windows.piece_of(index) is roll

    @given(picked=st.lists(st.integers(0, 20), min_size=1, max_size=8))
    def test_a_batch_is_its_items_stacked(self, picked):
        """Otherwise fit, which fetches batches, and a DataLoader, which fetches items, would train on other data."""
        windows = active_windows(numbered([12, 20]), input_frames=3, target_frames=2, hop=1)
        picked = [index % len(windows) for index in picked]
        inputs, targets = windows.batch(np.array(picked))
        assert torch.equal(inputs, torch.stack([windows[index][0] for index in picked]))
        assert torch.equal(targets, torch.stack([windows[index][1] for index in picked]))
        assert torch.equal(inputs, windows.batch(picked)[0])

    def test_negative_indices_and_iteration(self):
        """windows[-1] or a loop over the data set would give wrong windows, or never end."""
        windows = active_windows(numbered([9]), input_frames=2, target_frames=2, hop=1)
        assert torch.equal(windows[-1][0], windows[len(windows) - 1][0])
        assert len(list(iter(windows))) == len(windows)
        for beyond in (len(windows), -len(windows) - 1):
            with pytest.raises(IndexError, match=str(len(windows))):
                windows[beyond]

    def test_changing_a_batch_leaves_the_dataset_alone(self):
        """Augmentation in place would change the training data."""
        windows = active_windows(numbered([9]), input_frames=2, target_frames=2, hop=1)
        inputs, targets = windows.batch([0, 1])
        before = inputs.clone(), targets.clone()
        inputs.zero_()
        targets.zero_()
        again = windows.batch([0, 1])
        assert torch.equal(again[0], before[0])
        assert torch.equal(again[1], before[1])

    @pytest.mark.parametrize("workers", [0, 1])
    def test_works_in_a_data_loader(self, workers):
        """Custom training loops use PyTorch's DataLoader, with workers too."""
        windows = active_windows(numbered([20, 13]), input_frames=4, target_frames=3, hop=2)
        loaded = list(DataLoader(windows, batch_size=4, num_workers=workers))
        inputs, targets = windows.batch(range(len(windows)))
        assert torch.equal(torch.cat([batch[0] for batch in loaded]), inputs)
        assert torch.equal(torch.cat([batch[1] for batch in loaded]), targets)

    def test_shuffled_in_a_data_loader_every_window_comes_once(self):
        windows = active_windows(numbered([20, 13]), input_frames=4, target_frames=3, hop=2)
        loader = DataLoader(windows, batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(1))
        firsts = [numbers(inputs[:, 0]) for inputs, _ in loader]
        assert sorted(itertools.chain(*firsts)) == numbers(windows.batch(range(len(windows)))[0][:, 0])

    def test_repr(self):
        """In a notebook it must show the hop and the sizes."""
        windows = active_windows(numbered([5, 7]), input_frames=2, target_frames=1, hop=2)
        shown = "SlidingWindows(5 windows of 2 + 1 frames, hop 2, from 2 pieces, BeatGrid(frames_per_beat=4), "
        assert repr(windows) == shown + "PitchRange(lowest=60, highest=71))"

    def test_can_be_pickled(self):
        """Workers that are spawned, as on macOS and Windows, get the dataset pickled."""
        windows = active_windows(numbered([12]), input_frames=4, target_frames=3, hop=2)
        again = pickle.loads(pickle.dumps(windows))
        assert torch.equal(again.batch([0, 1, 2])[1], windows.batch([0, 1, 2])[1])

    def test_short_pieces_are_an_error_that_names_them(self):
        """A user with 500 files must learn which of them is too short, and how short."""
        rolls = [noise(10, name="long"), noise(4, name="tiny"), noise(3)]
        with pytest.raises(PieceTooShortError, match=r"2 of 3 pieces.* 5 frames: tiny \(4\), \(no name\) \(3\)"):
            active_windows(rolls, input_frames=3, target_frames=2, hop=1)

    def test_many_short_pieces_do_not_flood_the_message(self):
        rolls = [noise(2, name=f"piece {index}") for index in range(9)]
        with pytest.raises(PieceTooShortError, match="and 4 more") as raised:
            active_windows(rolls, input_frames=3, target_frames=2, hop=1)
        assert "piece 5" not in str(raised.value)

    def test_padding_appends_silence_and_says_so(self):
        """A user must be able to report which pieces were padded; the music itself must stay at the front."""
        rolls = numbered([3, 6])
        with pytest.warns(UserWarning, match=r"1 of 2 pieces.*piece 0 \(3\); padded"):
            windows = active_windows(rolls, input_frames=3, target_frames=2, hop=1, short="pad")
        assert (windows.padded, windows.skipped) == (("piece 0",), ())
        assert [numbers(torch.cat(windows[index])) for index in range(3)] == [
            [1, 2, 3, 0, 0],
            [4, 5, 6, 7, 8],
            [5, 6, 7, 8, 9],
        ]

    def test_skipping_leaves_out_and_says_so(self):
        rolls = numbered([3, 6])
        with pytest.warns(UserWarning, match=r"1 of 2 pieces.*piece 0 \(3\); skipped"):
            windows = active_windows(rolls, input_frames=3, target_frames=2, hop=1, short="skip")
        assert (windows.padded, windows.skipped) == ((), ("piece 0",))
        assert numbers(torch.cat(windows[0])) == [4, 5, 6, 7, 8]

    def test_no_window_at_all_is_an_error(self):
        """An empty dataset would fail much later, in the middle of training."""
        with pytest.raises(PieceTooShortError, match="No windows: none of 2 pieces has 5 frames"):
            active_windows(numbered([3, 2]), input_frames=3, target_frames=2, hop=1, short="skip")
        with pytest.raises(PieceTooShortError, match="No windows"):
            active_windows([], input_frames=3, target_frames=2, hop=1)

    @given(hop=st.integers(1, 9), other=st.integers(1, 9))
    def test_with_hop_is_the_dataset_made_anew(self, hop, other):
        """evaluate sets the hop; it must not lose the padded piece, nor warn of it again (warnings fail tests)."""
        with pytest.warns(UserWarning, match="padded"):
            windows = active_windows(numbered([3, 14]), input_frames=3, target_frames=2, hop=hop, short="pad")
        with pytest.warns(UserWarning, match="padded"):
            expected = active_windows(numbered([3, 14]), input_frames=3, target_frames=2, hop=other, short="pad")
        again = windows.with_hop(other)
        everything = range(len(expected))
        assert (len(again), again.hop, again.padded) == (len(expected), other, windows.padded)
        assert numbers(torch.cat(again.batch(everything), 1)) == numbers(torch.cat(expected.batch(everything), 1))

    def test_has_a_layout(self):
        """Checkpoints store the layout of the windows."""
        roll = PianoRoll.from_active(np.ones((5, 12), bool), pitches=PITCHES, grid=SecondsGrid(0.05))
        windows = active_windows([roll], input_frames=3, target_frames=2, hop=1)
        assert (windows.layout, windows.window_frames) == (
            FrameLayout(SecondsGrid(0.05), PITCHES, planes=("active",)),
            5,
        )

    def test_rolls_of_other_grids_and_pitches_are_errors_that_name_them(self):
        """Frames of 20 ms and sixteenths must never be in one batch."""
        first = noise(9, name="first")
        on_seconds = PianoRoll(first.active, first.onset, SecondsGrid(0.02), PITCHES, name="second")
        higher = PianoRoll(first.active, first.onset, first.grid, PitchRange(61, 72), name="third")
        with pytest.raises(GridError, match=r"first .*BeatGrid.*second .*SecondsGrid"):
            active_windows([first, on_seconds], input_frames=2, target_frames=2, hop=1)
        with pytest.raises(PitchRangeError, match=r"first .*60.*third .*61"):
            active_windows([first, higher], input_frames=2, target_frames=2, hop=1)

    @pytest.mark.parametrize("wrong", ["input_frames", "target_frames", "hop"])
    @pytest.mark.parametrize("value", [0, -1])
    def test_sizes_below_one_are_errors(self, wrong, value):
        sizes = {"input_frames": 2, "target_frames": 2, "hop": 1} | {wrong: value}
        with pytest.raises(SettingsError, match=f"{wrong}.*{value}"):
            active_windows(numbered([9]), **sizes)


def test_a_misspelt_policy_for_short_pieces_is_an_error() -> None:
    """A typo must not skip pieces."""
    roll = PianoRoll.from_active(np.ones((8, 88), dtype=bool))
    begin = as_users_have_it(SlidingWindows.__init__)
    with pytest.raises(SettingsError, match="'paad'"):
        begin(object.__new__(SlidingWindows), [roll], input_frames=2, target_frames=2, hop=1, short="paad")


# ---- Windows of a corpus


CORPUS_LENGTHS = [[12, 3, 40], [5], [7, 90, 4, 9], [2, 2], [64, 8]]


@pytest.fixture(scope="module", params=[12, 88, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in (8, 61))])
def corpus_and_rolls(request, tmp_path_factory):
    """Pieces of one frame and more in shards of all kinds, on disk and in memory."""
    pitches = PitchRange(20, 19 + request.param)
    seeds = itertools.count()
    shards = [
        [noise(frames, seed=(seed := next(seeds)), name=f"piece {seed}", pitches=pitches) for frames in lengths]
        for lengths in CORPUS_LENGTHS
    ]
    rolls = list(itertools.chain(*shards))
    return write_corpus(tmp_path_factory.mktemp("windows") / "corpus", shards), rolls


class TestWindowsOfACorpus:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data(), sizes=st.tuples(sizes, sizes, sizes), short=st.sampled_from(["pad", "skip"]))
    @pytest.mark.filterwarnings("ignore:.*pieces have fewer")
    def test_are_those_of_the_rolls_in_memory(self, corpus_and_rolls, data, sizes, short):
        """A corpus would train on other music than the same files in memory."""
        corpus, rolls = corpus_and_rolls
        arguments = dict(zip(("input_frames", "target_frames", "hop"), sizes, strict=True), short=short)
        mapped, held = active_windows(corpus, **arguments), active_windows(rolls, **arguments)
        assert (len(mapped), mapped.padded, mapped.skipped) == (len(held), held.padded, held.skipped)
        assert mapped.layout == held.layout
        picked = data.draw(st.lists(st.integers(0, len(held) - 1), max_size=30))
        for found, expected in zip(mapped.batch(picked), held.batch(picked), strict=True):
            assert torch.equal(found, expected)
        everything = np.random.default_rng(len(picked)).permutation(len(held))
        for found, expected in zip(mapped.batch(everything), held.batch(everything), strict=True):
            assert torch.equal(found, expected)
        for index in picked[:3]:
            assert torch.equal(torch.cat(mapped[index]), torch.cat(held[index]))
            assert mapped.piece_of(index) == held.piece_of(index)
            assert mapped.piece_of(index).name == held.piece_of(index).name

    def test_of_some_pieces_in_any_order(self, corpus_and_rolls):
        """The training part of a split would have windows of the test part."""
        corpus, rolls = corpus_and_rolls
        chosen = [10, 2, 5, 2]
        mapped = active_windows(corpus.select(chosen), input_frames=3, target_frames=4, hop=2)
        held = active_windows([rolls[index] for index in chosen], input_frames=3, target_frames=4, hop=2)
        assert len(mapped) == len(held)
        for found, expected in zip(mapped.batch(range(len(held))), held.batch(range(len(held))), strict=True):
            assert torch.equal(found, expected)

    @pytest.mark.filterwarnings("ignore:.*pieces have fewer")
    def test_short_pieces_are_named(self, corpus_and_rolls):
        """A user with a million files must learn which are too short before all of them are read."""
        corpus, rolls = corpus_and_rolls
        messages = []
        for pieces in (corpus, rolls):
            with pytest.raises(PieceTooShortError, match="9 of 12 pieces") as raised:
                active_windows(pieces, input_frames=7, target_frames=7, hop=1)
            messages.append(str(raised.value))
        assert messages[0] == messages[1]
        with pytest.raises(PieceTooShortError, match="No windows"):
            active_windows(corpus, input_frames=90, target_frames=7, hop=1, short="skip")
        with pytest.raises(PieceTooShortError, match="there are no pieces"):
            active_windows(corpus[:0], input_frames=1, target_frames=1, hop=1)

    def test_a_batch_of_nothing(self, corpus_and_rolls):
        """A sampler that runs out gives an empty batch."""
        for pieces in corpus_and_rolls:
            windows = active_windows(pieces[:1], input_frames=3, target_frames=4, hop=2)
            assert [half.shape for half in windows.batch([])] == [
                (0, 3, windows.layout.frame_size),
                (0, 4, windows.layout.frame_size),
            ]

    @pytest.mark.parametrize("beyond", [[-1], [0, 10**6], [3, 0]])
    def test_indices_out_of_range_are_errors(self, corpus_and_rolls, beyond):
        """A wrong index would give frames of some other window."""
        for pieces in corpus_and_rolls:
            windows = active_windows(pieces[:1], input_frames=3, target_frames=4, hop=2)
            assert len(windows) == 3
            with pytest.raises(IndexError, match="of 3"):
                windows.batch(beyond)

    @pytest.mark.filterwarnings("ignore:.*pieces have fewer")
    def test_pickles_do_not_contain_the_corpus(self, corpus_and_rolls):
        """Each spawned worker of a DataLoader would get all the music, and hold it in memory."""
        corpus, _ = corpus_and_rolls
        windows = active_windows(corpus, input_frames=3, target_frames=4, hop=2, short="pad")
        before = windows.batch(range(len(windows)))
        data = pickle.dumps(windows)
        assert np.load(corpus.folder / "00002.npy")[0].tobytes() not in data
        again = pickle.loads(data)
        assert again.padded == windows.padded
        for found, expected in zip(again.batch(range(len(again))), before, strict=True):
            assert torch.equal(found, expected)

    @pytest.mark.parametrize("augmentation", [None, Augmentation(semitones=(-2, 3))])
    def test_batches_into_reused_memory(self, corpus_and_rolls, augmentation):
        """A batch written over the last one would keep some of it."""
        corpus, _ = corpus_and_rolls
        windows = active_windows(corpus[5:6], input_frames=3, target_frames=4, hop=2, augmentation=augmentation)
        again = torch.full((40, 7, windows.layout.frame_size), torch.nan)
        for picked in (range(40), range(3, 5), []):
            first, second = (np.random.default_rng(1) for _ in range(2))
            fresh = windows.batch(picked, generator=first)
            for found, expected in zip(windows.batch(picked, generator=second, out=again), fresh, strict=True):
                assert torch.equal(found, expected)
                assert found.untyped_storage().data_ptr() == again.untyped_storage().data_ptr()


def performed(frames: int, *, seed: int = 0, pitches: PitchRange = PITCHES, grid: FrameGrid = SIXTEENTHS) -> PianoRoll:
    """Noise in which some notes are repeated without a gap."""
    random = np.random.default_rng(seed)
    active = random.random((frames, len(pitches))) < 0.5
    onset = active & (random.random(active.shape) < 0.4)
    onset[1:] |= active[1:] & ~active[:-1]
    return PianoRoll(active, onset, grid, pitches, name=f"piece {seed}")


def both_planes(roll: PianoRoll) -> np.ndarray:
    return np.hstack([roll.active, roll.onset])


def with_onsets(music: OnGrid) -> FrameLayout:
    return FrameLayout.of(music, onsets=True)


class TestLayout:
    @pytest.mark.parametrize(
        ("layout", "error"),
        [
            (FrameLayout(SecondsGrid(0.02), PITCHES, planes=("active",)), GridError),
            (FrameLayout(pitches=PitchRange(61, 72), planes=("active",)), PitchRangeError),
        ],
    )
    def test_rolls_of_another_layout_are_refused(self, tmp_path, layout, error):
        """A model would be trained on frames that mean something else than it says."""
        rolls = numbered([20, 13])
        for pieces in (rolls, write_corpus(tmp_path / "corpus", [rolls])):
            with pytest.raises(error):
                SlidingWindows(pieces, input_frames=3, target_frames=4, hop=2, layout=layout)

    def test_with_hop_keeps_it(self):
        layout = with_onsets(performed(9))
        windows = SlidingWindows([performed(9)], input_frames=2, target_frames=3, hop=1, layout=layout)
        assert windows.with_hop(3).layout == layout


class TestOnsets:
    @given(
        lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
        target_frames=sizes,
        hop=sizes,
        count=st.sampled_from([1, 5, 8, 12, 88]),
    )
    @pytest.mark.filterwarnings("ignore:.*pieces have fewer")
    def test_windows_are_slices_of_both_planes(self, lengths, target_frames, hop, count):
        """A model would read onsets of held notes, or of other pitches."""
        rolls = [
            performed(length, seed=seed, pitches=PitchRange(20, 19 + count)) for seed, length in enumerate(lengths)
        ]
        windows = SlidingWindows(
            rolls, input_frames=3, target_frames=target_frames, hop=hop, short="pad", layout=with_onsets(rolls[0])
        )
        size = 3 + target_frames
        expected = []
        for roll in rolls:
            frames = both_planes(roll)
            frames = np.concatenate([frames, np.zeros((max(0, size - len(roll)), 2 * count), bool)])
            expected += [frames[begin : begin + size] for begin in range(0, len(frames) - size + 1, hop)]
        found = torch.cat(windows.batch(range(len(windows))), dim=1)
        assert windows.layout.frame_size == 2 * count
        np.testing.assert_array_equal(found.numpy(), expected)
        # The first columns are those of windows without onsets.
        plain = active_windows(rolls, input_frames=3, target_frames=target_frames, hop=hop, short="pad")
        assert plain.layout.frame_size == count
        assert torch.equal(found[..., :count], torch.cat(plain.batch(range(len(plain))), dim=1))
        assert torch.equal(torch.cat(windows.with_hop(1)[0]), found[0])
        again = torch.full((len(windows), size, 2 * count), torch.nan)
        assert torch.equal(torch.cat(windows.batch(range(len(windows)), out=again), dim=1), found)

    @pytest.mark.parametrize("count", [8, 12])
    @pytest.mark.parametrize(
        "augmentation", [None, Augmentation((-4, 4)), Augmentation((-2, 3), (0.5, 2.5))], ids=["plain", "key", "tempo"]
    )
    @pytest.mark.filterwarnings("ignore:.*pieces have fewer")
    def test_a_corpus_gives_those_of_the_rolls(self, tmp_path, count, augmentation):
        """A corpus would train on other onsets than the same files in memory."""
        pitches = PitchRange(20, 19 + count)
        numbers = itertools.count()
        shards = [
            [performed(frames, seed=next(numbers), pitches=pitches, grid=SecondsGrid(0.02)) for frames in lengths]
            for lengths in CORPUS_LENGTHS
        ]
        corpus, rolls = write_corpus(tmp_path / "corpus", shards), list(itertools.chain(*shards))
        layout = with_onsets(corpus)
        mapped, held = (
            SlidingWindows(
                pieces, input_frames=3, target_frames=4, hop=2, short="pad", augmentation=augmentation, layout=layout
            )
            for pieces in (corpus, rolls)
        )
        order = np.random.default_rng(1).permutation(len(held))
        expected = held.batch(order, generator=np.random.default_rng(2))
        data = pickle.dumps(mapped)
        assert np.load(corpus.folder / "00002.npy")[1].tobytes() not in data
        for windows in (mapped, pickle.loads(data), pickle.loads(pickle.dumps(held))):
            for one, other in zip(windows.batch(order, generator=np.random.default_rng(2)), expected, strict=True):
                assert torch.equal(one, other)

    def test_both_planes_are_transposed_alike(self):
        """Transposed onsets would be of other notes than the active ones."""
        pitches = PitchRange(40, 68)
        middle = performed(60, pitches=PitchRange(50, 57)).with_pitches(pitches)
        windows = SlidingWindows(
            [middle],
            input_frames=3,
            target_frames=4,
            hop=1,
            augmentation=Augmentation((-20, 20)),
            layout=with_onsets(middle),
        )
        everything = range(len(windows))
        plain = torch.cat(windows.batch(everything), dim=1)
        moved = torch.cat(windows.batch(everything, generator=np.random.default_rng(0)), dim=1)
        steps = set()
        for before, after in zip(plain.unflatten(-1, (2, 29)), moved.unflatten(-1, (2, 29)), strict=True):
            fitting = [step for step in range(-20, 21) if torch.equal(before.roll(step, dims=-1), after)]
            assert fitting
            steps.add(fitting[0])
        assert len(steps) > 10

    @given(slowest=st.floats(0.25, 1), fastest=st.floats(1, 4), frames=st.integers(9, 60), seed=st.integers(0, 99))
    def test_at_another_tempo_each_note_has_one_onset(self, slowest, fastest, frames, seed):
        """A stretched note would have an onset in each frame to which its first one is stretched, or in none."""
        augmentation = Augmentation(tempo=(slowest, fastest))
        roll = performed(frames, seed=seed, grid=SecondsGrid(0.02))
        layout = with_onsets(roll)
        windows = SlidingWindows(
            [roll], input_frames=4, target_frames=5, hop=1, augmentation=augmentation, layout=layout
        )
        starts = np.arange(len(windows))
        found = torch.cat(windows.batch(starts, generator=np.random.default_rng(seed)), dim=1).numpy()
        taken = starts[:, None] + augmentation.draw_frame_indices(frames - starts, 9, np.random.default_rng(seed))
        first, end, pitch = roll.notes()[:3]
        notes = list(zip(first.tolist(), end.tolist(), (pitch - roll.pitches.lowest).tolist(), strict=True))
        for window, indices in zip(found, taken.tolist(), strict=True):
            expected = np.zeros((9, 24), dtype=bool)
            for begin, stop, pitch in notes:
                places = [place for place, frame in enumerate(indices) if begin <= frame < stop]
                expected[places, pitch] = True
                if places and begin >= indices[0] and roll.onset[begin, pitch]:
                    expected[places[0], 12 + pitch] = True
            np.testing.assert_array_equal(window, expected)

    def test_notes_that_begin_within_a_piece_have_onsets(self):
        """A piece put together of cut ones has notes without an onset, which a model may find impossible."""
        held = PianoRoll(np.ones((3, 12), bool), np.zeros((3, 12), bool), pitches=PITCHES)
        silence = PianoRoll.from_active(np.zeros((2, 12), bool), pitches=PITCHES)
        windows = SlidingWindows(
            [held + silence + held], input_frames=4, target_frames=4, hop=1, layout=with_onsets(held)
        )
        onset = torch.cat(windows[0])[:, 12:]
        assert onset.all(dim=1).tolist() == [frame == 5 for frame in range(8)]
        assert onset.any(dim=1).tolist() == [frame == 5 for frame in range(8)]

    def test_repr(self):
        layout = with_onsets(performed(9))
        windows = SlidingWindows([performed(9)], input_frames=2, target_frames=3, hop=1, layout=layout)
        assert repr(windows).endswith("with onsets)")
        assert "onsets" not in repr(active_windows([performed(9)], input_frames=2, target_frames=3, hop=1))


def test_a_corpus_in_a_data_loader_with_spawned_workers(tmp_path: Path) -> None:
    """Training on a corpus with PyTorch's workers would fail, or use other windows."""
    corpus = write_corpus(tmp_path / "corpus", [numbered([20, 13]), numbered([9])])
    windows = active_windows(corpus, input_frames=3, target_frames=4, hop=2)
    loader = DataLoader(windows, batch_size=8, num_workers=1, multiprocessing_context="spawn")
    loaded = torch.cat([targets for _, targets in loader])
    assert torch.equal(loaded, windows.batch(range(len(windows)))[1])


_LARGE = """
import resource, sys
import numpy as np
from pathlib import Path
from pianoroll_seq2seq import Augmentation, Corpus, FrameLayout, PianoRoll, SecondsGrid, SlidingWindows

def memory(name):
    return 1024 * int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1])

def windows_of(pieces):
    layout = FrameLayout(SecondsGrid(0.02), planes=("active",))
    augmentation = Augmentation((-5, 6), (0.8, 1.25))
    return SlidingWindows(
        pieces, input_frames=64, target_frames=64, hop=32, augmentation=augmentation, layout=layout
    )

random = np.random.default_rng(0)
some = windows_of([PianoRoll.from_active(np.ones((200, 88), bool), grid=SecondsGrid(0.02))])
some.batch(np.zeros(256, int), generator=random)
before = memory("RssAnon")
limit = memory("VmData") + 64 * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.ones(100 * 2**20, np.uint8)
except MemoryError:
    print("limited")
windows = windows_of(Corpus(sys.argv[1]))
order = random.permutation(len(windows))
sounding = 0.0
for number, begin in enumerate(range(0, len(order), 256)):
    generator = random if number % 8 == 0 else None
    inputs, targets = windows.batch(order[begin : begin + 256], generator=generator)
    sounding += float(inputs.sum()) + float(targets.sum())
print(sounding > 0, len(order), memory("RssAnon") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize("shards", [25, pytest.param(100, marks=pytest.mark.slow)])
def test_a_corpus_larger_than_memory(tmp_path: Path, shards: int) -> None:
    """Training on a large corpus would run out of memory if frames were copied or kept."""
    folder = tmp_path / "corpus"
    write_large_corpus(folder, shards=shards)
    assert sum(path.stat().st_size for path in folder.glob("*.npy")) > 4e6 * shards
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _LARGE, str(folder)], check=False, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    limited, read, windows, grown = done.stdout.split()
    assert (limited, read) == ("limited", "True")
    assert int(windows) > 6000 * shards
    assert int(grown) < 48 * 2**20


def test_a_shallow_copy_over_a_corpus_is_as_the_original(tmp_path: Path) -> None:
    """copy.copy(windows) shares the shards, and short pieces are cut out of other music."""
    rng = np.random.default_rng(0)
    rolls = [PianoRoll.from_active(rng.random((count, 12)) < 0.3, pitches=PitchRange(60, 71)) for count in (40, 5, 30)]
    folder = tmp_path / "midi"
    for number, roll in enumerate(rolls):
        roll.to_midi(folder / f"{number}.mid")
    corpus = build_corpus(folder, tmp_path / "corpus", pitches=PitchRange(60, 71), progress=False)
    with pytest.warns(UserWarning, match="padded"):
        windows = active_windows(corpus, input_frames=8, target_frames=8, hop=4, short="pad")
    everything = np.arange(len(windows))
    expected, _ = windows.batch(everything)
    copied = copy.copy(windows)
    assert torch.equal(copied.batch(everything)[0], expected)
    assert torch.equal(windows.batch(everything)[0], expected)
