"""Windows and splits: a leak or a lost frame here spoils every figure that follows, and nothing would show it."""

import itertools
import json
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
from torch.utils.data import DataLoader
from typechecker import as_users_have_it

from pianoroll_seq2seq.augmentation import Augmentation
from pianoroll_seq2seq.corpus import Corpus
from pianoroll_seq2seq.datasets.folder import read_folder
from pianoroll_seq2seq.datasets.scale_chords import SCALES, scale_chords
from pianoroll_seq2seq.errors import GridError, PieceTooShortError, PitchRangeError, SettingsError, SplitError
from pianoroll_seq2seq.grid import SIXTEENTHS, BeatGrid, FrameGrid, SecondsGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.splitting import drop_duplicates, pitch_class_set, split_by_piece
from pianoroll_seq2seq.tempo import TempoMap
from pianoroll_seq2seq.windowing import SlidingWindows

PITCHES = PitchRange(60, 71)
"""Twelve columns: a frame can spell its own number, in binary, up to 4095."""


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
    """What frames spell."""
    return (frames.reshape(-1, 12).to(torch.int64) @ (1 << torch.arange(12))).tolist()


def noise(frames: int, *, seed: int = 0, name: str = "", pitches: PitchRange = PITCHES) -> PianoRoll:
    active = np.random.default_rng(seed).random((frames, len(pitches))) < 0.4
    return PianoRoll.from_active(active, pitches=pitches, name=name)


sizes = st.integers(1, 6)


class TestSlidingWindows:
    @settings(deadline=None)
    @given(extra=st.lists(st.integers(0, 25), min_size=1, max_size=5), input_frames=sizes, target_frames=sizes)
    def test_every_target_frame_stands_exactly_once_at_a_hop_of_target_frames(self, extra, input_frames, target_frames):
        """Otherwise published scores would count some frames twice and others never."""
        lengths = [input_frames + target_frames + more for more in extra]
        windows = SlidingWindows(
            numbered(lengths), input_frames=input_frames, target_frames=target_frames, hop=target_frames
        )
        _, targets = windows.batch(range(len(windows)))
        expected, first = [], 1
        for length in lengths:
            whole = (length - input_frames) // target_frames * target_frames
            expected += range(first + input_frames, first + input_frames + whole)
            first += length
        assert numbers(targets) == expected

    @settings(deadline=None)
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
                SlidingWindows(rolls, input_frames=input_frames, target_frames=target_frames, hop=hop, short="skip")
            return
        windows = SlidingWindows(rolls, input_frames=input_frames, target_frames=target_frames, hop=hop, short="skip")
        assert len(windows) == len(expected)
        for index, (roll, heard, follows) in enumerate(expected):
            inputs, targets = windows[index]
            assert inputs.dtype == targets.dtype == torch.float32
            np.testing.assert_array_equal(inputs.numpy(), heard)
            np.testing.assert_array_equal(targets.numpy(), follows)
            assert windows.piece_of(index) is roll

    @given(picked=st.lists(st.integers(0, 20), min_size=1, max_size=8))
    @settings(deadline=None)
    def test_a_batch_is_its_items_stacked(self, picked):
        """Otherwise fit, which fetches batches, and a DataLoader, which fetches items, would train on other data."""
        windows = SlidingWindows(numbered([12, 20]), input_frames=3, target_frames=2, hop=1)
        picked = [index % len(windows) for index in picked]
        inputs, targets = windows.batch(np.array(picked))
        assert torch.equal(inputs, torch.stack([windows[index][0] for index in picked]))
        assert torch.equal(targets, torch.stack([windows[index][1] for index in picked]))
        assert torch.equal(inputs, windows.batch(picked)[0])

    def test_counts_from_the_end_and_ends(self):
        """A loop over windows[-1] or over the dataset itself would give wrong windows, or never end."""
        windows = SlidingWindows(numbered([9]), input_frames=2, target_frames=2, hop=1)
        assert torch.equal(windows[-1][0], windows[len(windows) - 1][0])
        assert len(list(iter(windows))) == len(windows)
        for beyond in (len(windows), -len(windows) - 1):
            with pytest.raises(IndexError, match=str(len(windows))):
                windows[beyond]

    def test_changing_a_batch_leaves_the_dataset_alone(self):
        """Augmentation in place would silently eat the training data."""
        windows = SlidingWindows(numbered([9]), input_frames=2, target_frames=2, hop=1)
        inputs, targets = windows.batch([0, 1])
        before = inputs.clone(), targets.clone()
        inputs.zero_()
        targets.zero_()
        again = windows.batch([0, 1])
        assert torch.equal(again[0], before[0])
        assert torch.equal(again[1], before[1])

    @pytest.mark.parametrize("workers", [0, 1])
    def test_works_in_a_data_loader(self, workers):
        """People with training loops of their own hand it to PyTorch's DataLoader, with workers too."""
        windows = SlidingWindows(numbered([20, 13]), input_frames=4, target_frames=3, hop=2)
        loaded = list(DataLoader(windows, batch_size=4, num_workers=workers))
        inputs, targets = windows.batch(range(len(windows)))
        assert torch.equal(torch.cat([batch[0] for batch in loaded]), inputs)
        assert torch.equal(torch.cat([batch[1] for batch in loaded]), targets)

    def test_shuffled_in_a_data_loader_every_window_comes_once(self):
        windows = SlidingWindows(numbered([20, 13]), input_frames=4, target_frames=3, hop=2)
        loader = DataLoader(windows, batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(1))
        firsts = [numbers(inputs[:, 0]) for inputs, _ in loader]
        assert sorted(itertools.chain(*firsts)) == numbers(windows.batch(range(len(windows)))[0][:, 0])

    def test_shows_itself(self):
        """In a notebook, an object at 0x7f49b46ed050 says nothing of hop or sizes."""
        windows = SlidingWindows(numbered([5, 7]), input_frames=2, target_frames=1, hop=2)
        shown = "SlidingWindows(5 windows of 2 + 1 frames, hop 2, from 2 pieces, BeatGrid(frames_per_beat=4), "
        assert repr(windows) == shown + "PitchRange(lowest=60, highest=71))"

    def test_can_be_pickled(self):
        """Workers that are spawned, as on macOS and Windows, get the dataset pickled."""
        windows = SlidingWindows(numbered([12]), input_frames=4, target_frames=3, hop=2)
        again = pickle.loads(pickle.dumps(windows))
        assert torch.equal(again.batch([0, 1, 2])[1], windows.batch([0, 1, 2])[1])

    def test_short_pieces_are_an_error_that_names_them(self):
        """A user with 500 files must learn which of them is too short, and how short."""
        rolls = [noise(10, name="long"), noise(4, name="tiny"), noise(3)]
        with pytest.raises(PieceTooShortError, match=r"2 of 3 pieces.* 5 frames: tiny \(4\), \(no name\) \(3\)"):
            SlidingWindows(rolls, input_frames=3, target_frames=2, hop=1)

    def test_many_short_pieces_do_not_flood_the_message(self):
        rolls = [noise(2, name=f"piece {index}") for index in range(9)]
        with pytest.raises(PieceTooShortError, match="and 4 more") as raised:
            SlidingWindows(rolls, input_frames=3, target_frames=2, hop=1)
        assert "piece 5" not in str(raised.value)

    def test_padding_appends_silence_and_says_so(self):
        """A user must be able to report which pieces were padded; the music itself must stay at the front."""
        rolls = numbered([3, 6])
        with pytest.warns(UserWarning, match=r"1 of 2 pieces.*piece 0 \(3\); padded"):
            windows = SlidingWindows(rolls, input_frames=3, target_frames=2, hop=1, short="pad")
        assert (windows.padded, windows.skipped) == (("piece 0",), ())
        assert [numbers(torch.cat(windows[index])) for index in range(3)] == [
            [1, 2, 3, 0, 0],
            [4, 5, 6, 7, 8],
            [5, 6, 7, 8, 9],
        ]

    def test_skipping_leaves_out_and_says_so(self):
        rolls = numbered([3, 6])
        with pytest.warns(UserWarning, match=r"1 of 2 pieces.*piece 0 \(3\); skipped"):
            windows = SlidingWindows(rolls, input_frames=3, target_frames=2, hop=1, short="skip")
        assert (windows.padded, windows.skipped) == ((), ("piece 0",))
        assert numbers(torch.cat(windows[0])) == [4, 5, 6, 7, 8]

    def test_no_window_at_all_is_an_error(self):
        """An empty dataset would fail much later, in the middle of training."""
        with pytest.warns(UserWarning, match="skipped"), pytest.raises(PieceTooShortError, match="No windows"):
            SlidingWindows(numbered([3, 2]), input_frames=3, target_frames=2, hop=1, short="skip")
        with pytest.raises(PieceTooShortError, match="No windows"):
            SlidingWindows([], input_frames=3, target_frames=2, hop=1)

    @given(hop=st.integers(1, 9), other=st.integers(1, 9))
    @settings(deadline=None)
    def test_with_hop_is_the_dataset_made_anew(self, hop, other):
        """evaluate sets the hop; it must not lose the padded piece, nor warn of it again (warnings fail tests)."""
        with pytest.warns(UserWarning, match="padded"):
            windows = SlidingWindows(numbered([3, 14]), input_frames=3, target_frames=2, hop=hop, short="pad")
        with pytest.warns(UserWarning, match="padded"):
            expected = SlidingWindows(numbered([3, 14]), input_frames=3, target_frames=2, hop=other, short="pad")
        again = windows.with_hop(other)
        everything = range(len(expected))
        assert (len(again), again.hop, again.padded) == (len(expected), other, windows.padded)
        assert numbers(torch.cat(again.batch(everything), 1)) == numbers(torch.cat(expected.batch(everything), 1))

    def test_knows_grid_and_pitches(self):
        """Checkpoints say what a model was trained on by asking the windows."""
        roll = PianoRoll.from_active(np.ones((5, 12), bool), pitches=PITCHES, grid=SecondsGrid(0.05))
        windows = SlidingWindows([roll], input_frames=3, target_frames=2, hop=1)
        assert (windows.grid, windows.pitches, windows.window_frames) == (SecondsGrid(0.05), PITCHES, 5)

    def test_other_grids_and_pitches_are_errors_that_name_the_pieces(self):
        """Frames of 20 ms and of sixteenths must never meet in one batch."""
        first = noise(9, name="first")
        on_seconds = PianoRoll(first.active, first.onset, SecondsGrid(0.02), PITCHES, name="second")
        higher = PianoRoll(first.active, first.onset, first.grid, PitchRange(61, 72), name="third")
        with pytest.raises(GridError, match=r"first .*BeatGrid.*second .*SecondsGrid"):
            SlidingWindows([first, on_seconds], input_frames=2, target_frames=2, hop=1)
        with pytest.raises(PitchRangeError, match=r"first .*60.*third .*61"):
            SlidingWindows([first, higher], input_frames=2, target_frames=2, hop=1)

    @pytest.mark.parametrize("wrong", ["input_frames", "target_frames", "hop"])
    @pytest.mark.parametrize("value", [0, -1])
    def test_sizes_below_one_are_errors(self, wrong, value):
        sizes = {"input_frames": 2, "target_frames": 2, "hop": 1} | {wrong: value}
        with pytest.raises(SettingsError, match=f"{wrong}.*{value}"):
            SlidingWindows(numbered([9]), **sizes)


shares = st.integers(0, 9).map(lambda twentieths: twentieths / 20)


class TestSplitByPiece:
    @settings(deadline=None)
    @given(
        labels=st.lists(st.integers(0, 8), max_size=40),
        valid=shares,
        test=shares,
        seed=st.integers(0, 2**32 - 1),
        grouped=st.booleans(),
    )
    def test_is_a_seeded_partition_that_cuts_no_group(self, labels, valid, test, seed, grouped):
        """A piece (or a relative of it) in two parts would make held-out scores a lie; a lost one wastes data."""
        rolls = [noise(2, name=f"{label}/{index}") for index, label in enumerate(labels)]

        def label_of(roll):
            return roll.name.split("/")[0]

        group = label_of if grouped else None
        parts_asked_for = 1 + (valid > 0) + (test > 0)
        if len(set(labels) if grouped else labels) < parts_asked_for:
            with pytest.raises(SplitError, match=f"{len(rolls)} pieces"):
                split_by_piece(rolls, valid=valid, test=test, seed=seed, group=group)
            return
        split = split_by_piece(rolls, valid=valid, test=test, seed=seed, group=group)
        assert sorted(id(roll) for part in split for roll in part) == sorted(id(roll) for roll in rolls)
        if grouped:
            for one, other in itertools.combinations(split, 2):
                assert not {label_of(roll) for roll in one} & {label_of(roll) for roll in other}
        assert split.train
        assert (bool(split.valid), bool(split.test)) == (valid > 0, test > 0)
        again = split_by_piece(rolls, valid=valid, test=test, seed=seed, group=group)
        assert [[roll.name for roll in part] for part in again] == [[roll.name for roll in part] for part in split]
        largest = max(labels.count(label) for label in labels) if grouped else 1
        for part, share in ((split.valid, valid), (split.test, test)):
            assert len(part) < max(1, round(share * len(rolls))) + largest

    @settings(deadline=None)
    @given(count=st.integers(10, 60), valid=shares, test=shares)
    def test_shares_are_kept(self, count, valid, test):
        """A user who asks for a tenth must get a tenth."""
        split = split_by_piece([noise(1)] * count, valid=valid, test=test, seed=0)
        for part, share in ((split.valid, valid), (split.test, test)):
            assert len(part) == (max(1, round(share * count)) if share else 0)

    def test_other_seeds_deal_otherwise(self):
        """Otherwise repeating an experiment over seeds would repeat the same split."""
        rolls = [noise(1, name=str(index)) for index in range(40)]
        dealt = {tuple(roll.name for roll in split_by_piece(rolls, valid=0.2, test=0, seed=s).valid) for s in range(9)}
        assert len(dealt) == 9

    @pytest.mark.parametrize(
        ("valid", "test"), [(-0.1, 0.1), (0.1, -0.1), (1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (float("nan"), 0.1)]
    )
    def test_shares_out_of_range_are_errors(self, valid, test):
        with pytest.raises(SettingsError, match="shares"):
            split_by_piece([noise(1)] * 9, valid=valid, test=test, seed=0)

    @pytest.mark.parametrize(("valid", "test"), [(0.3, 0.5), (0.5, 0.3), (0.05, 0.94), (0.01, 0.01)])
    def test_three_pieces_are_enough_for_three_parts(self, valid, test):
        """Rounding must not take the last piece from training: the documented error is for too few pieces only."""
        split = split_by_piece([noise(1)] * 3, valid=valid, test=test, seed=0)
        assert [len(part) for part in split] == [1, 1, 1]

    def test_one_group_cannot_be_split(self):
        with pytest.raises(SplitError, match="5 pieces in 1 groups"):
            split_by_piece([noise(1)] * 5, valid=0.2, test=0.2, seed=0, group=lambda roll: "all the same")


class TestDropDuplicates:
    @settings(deadline=None)
    @given(
        pool=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12),
        lowest=st.integers(0, 2),
    )
    def test_keeps_the_first_of_each_and_names_the_others(self, pool, lowest):
        """A duplicate that stays leaks from training into the test; a distinct piece that goes is lost."""
        pitches = PitchRange(60, 60 + lowest)
        rolls = [
            noise(frames, seed=seed, name=str(index), pitches=pitches) for index, (frames, seed) in enumerate(pool)
        ]
        kept, duplicates = drop_duplicates(rolls)
        expected: list[PianoRoll] = []
        left_out: dict[str, list[str]] = {}
        for roll in rolls:
            same = [other for other in expected if other == roll]  # one grid, range and tempo: equal planes
            if same:
                left_out.setdefault(same[0].name, []).append(roll.name)
            else:
                expected.append(roll)
        assert [id(roll) for roll in kept] == [id(roll) for roll in expected]
        assert duplicates == left_out

    def test_what_makes_a_piece_distinct(self):
        """Repeated notes, the grid and the range are music; tempo and name are not."""
        active = np.ones((4, 12), bool)
        held = PianoRoll.from_active(active, pitches=PITCHES, name="held")
        struck = PianoRoll(active, active, pitches=PITCHES)
        finer = PianoRoll.from_active(active, pitches=PITCHES, grid=BeatGrid(8))
        higher = PianoRoll.from_active(active, pitches=PitchRange(61, 72))
        longer = PianoRoll.from_active(np.ones((5, 12), bool), pitches=PITCHES)
        faster = PianoRoll.from_active(active, pitches=PITCHES, tempo=TempoMap.from_bpm(200), name="faster")
        distinct = drop_duplicates([held, struck, finer, higher, longer, faster])
        assert [id(roll) for roll in distinct.rolls] == [id(roll) for roll in (held, struck, finer, higher, longer)]
        assert distinct.duplicates == {"held": ["faster"]}


class TestPitchClassSet:
    @settings(deadline=None)
    @given(lowest=st.integers(0, 80), width=st.integers(1, 40), seed=st.integers(0, 99))
    def test_names_the_pitch_classes_that_sound(self, lowest, width, seed):
        roll = noise(3, seed=seed, pitches=PitchRange(lowest, lowest + width - 1))
        _, _, column = roll.notes()
        assert pitch_class_set(roll) == {(lowest + int(one)) % 12 for one in column}

    def test_is_shared_by_relatives_and_octaves(self):
        """C major and A minor must land in one part: they hold the same chords."""
        scores = scale_chords()
        c_major = pitch_class_set(PianoRoll.from_score(scores["scale_c_major"]))
        assert c_major == {0, 2, 4, 5, 7, 9, 11}
        assert pitch_class_set(PianoRoll.from_score(scores["scale_a_minor"])) == c_major
        assert pitch_class_set(PianoRoll.from_score(scores["scale_g_major"])) != c_major

    def test_of_silence_is_empty(self):
        assert pitch_class_set(PianoRoll.from_active(np.zeros((3, 12), bool), pitches=PITCHES)) == set()


def check_pack(rolls: list[PianoRoll]) -> None:
    """12 roots of 13 scales, of which aeolian is minor and ionian is major: 11 scales are distinct."""
    assert len(rolls) == 12 * len(SCALES) == 156
    distinct = drop_duplicates(rolls)
    assert len(distinct.rolls) == 12 * 11 == 132
    assert sum(len(names) for names in distinct.duplicates.values()) == 24
    for seed in range(5):
        split = split_by_piece(distinct.rolls, valid=0.15, test=0.15, seed=seed, group=pitch_class_set)
        assert sum(len(part) for part in split) == 132
        sounding = [{pitch_class_set(roll) for roll in part} for part in split]
        for one, other in itertools.combinations(sounding, 2):
            assert not one & other


def test_no_scale_of_our_pack_leaks_between_the_parts():
    check_pack([PianoRoll.from_score(score) for score in scale_chords().values()])


def test_no_scale_of_the_original_pack_leaks_between_the_parts(scale_chords_dir: Path):
    """The 2017 article cut windows of all pieces before splitting, so that its test set had been trained on."""
    check_pack(read_folder(scale_chords_dir).rolls)


def test_a_misspelt_policy_for_short_pieces_is_an_error() -> None:
    """A typo must not skip pieces."""
    roll = PianoRoll.from_active(np.ones((8, 88), dtype=bool))
    begin = as_users_have_it(SlidingWindows.__init__)
    with pytest.raises(SettingsError, match="'paad'"):
        begin(object.__new__(SlidingWindows), [roll], input_frames=2, target_frames=2, hop=1, short="paad")


# ---- Windows over a corpus


def write_corpus(folder: Path, shards: list[list[PianoRoll]]) -> Corpus:
    """A corpus of these rolls, written by the description of the format alone."""
    folder.mkdir()
    first = shards[0][0]
    totals = []
    for number, rolls in enumerate(shards):
        planes = np.array([np.concatenate([getattr(roll, plane) for roll in rolls]) for plane in ("active", "onset")])
        np.save(folder / f"{number:05}.npy", np.packbits(planes, axis=2))
        pieces = [
            {
                "source": f"{roll.name}.mid",
                "offset": sum(map(len, rolls[:index])),
                "frames": len(roll),
                "ticks_per_beat": roll.tempo.ticks_per_beat,
                "tempo": roll.tempo.changes,
                "roll_sha256": f"{number:032x}{index:032x}",
                "labels": {},
            }
            for index, roll in enumerate(rolls)
        ]
        totals.append({"name": f"{number:05}", "pieces": len(rolls), "frames": planes.shape[1]})
        index = {"frames": planes.shape[1], "pieces": pieces, "failures": []}
        (folder / f"{number:05}.json").write_text(json.dumps(index))
    manifest = {
        "format": "pianoroll_seq2seq corpus",
        "version": 1,
        "grid": {"class": type(first.grid).__name__, **first.grid.settings()},
        "pitches": [first.pitches.lowest, first.pitches.highest],
        "shards": totals,
        "failures": [],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Corpus(folder)


CORPUS_LENGTHS = [[12, 3, 40], [5], [7, 90, 4, 9], [2, 2], [64, 8]]


@pytest.fixture(scope="module", params=[12, 61, 88, 1, 8], ids="{} pitches".format)
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


class TestWindowsOverACorpus:
    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
    @given(data=st.data(), sizes=st.tuples(sizes, sizes, sizes), short=st.sampled_from(["pad", "skip"]))
    @pytest.mark.filterwarnings("ignore:.*pieces have fewer")
    def test_are_those_over_the_rolls_in_memory(self, corpus_and_rolls, data, sizes, short):
        """A model trained on a corpus learns other music than one trained on the same files in memory."""
        corpus, rolls = corpus_and_rolls
        arguments = dict(zip(("input_frames", "target_frames", "hop"), sizes, strict=True), short=short)
        mapped, held = SlidingWindows(corpus, **arguments), SlidingWindows(rolls, **arguments)
        assert (len(mapped), mapped.padded, mapped.skipped) == (len(held), held.padded, held.skipped)
        assert (mapped.grid, mapped.pitches) == (held.grid, held.pitches)
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
        """The training part of a split has windows of the test part."""
        corpus, rolls = corpus_and_rolls
        chosen = [10, 2, 5, 2]
        mapped = SlidingWindows(corpus.select(chosen), input_frames=3, target_frames=4, hop=2)
        held = SlidingWindows([rolls[index] for index in chosen], input_frames=3, target_frames=4, hop=2)
        assert len(mapped) == len(held)
        for found, expected in zip(mapped.batch(range(len(held))), held.batch(range(len(held))), strict=True):
            assert torch.equal(found, expected)

    @pytest.mark.filterwarnings("ignore:.*pieces have fewer")
    def test_short_pieces_are_named(self, corpus_and_rolls):
        """A user with a million files must learn which are too short without all being read."""
        corpus, rolls = corpus_and_rolls
        said = []
        for pieces in (corpus, rolls):
            with pytest.raises(PieceTooShortError, match="9 of 12 pieces") as raised:
                SlidingWindows(pieces, input_frames=7, target_frames=7, hop=1)
            said.append(str(raised.value))
        assert said[0] == said[1]
        with pytest.raises(PieceTooShortError, match="No windows"):
            SlidingWindows(corpus, input_frames=90, target_frames=7, hop=1, short="skip")
        with pytest.raises(PieceTooShortError, match="there are no pieces"):
            SlidingWindows(corpus[:0], input_frames=1, target_frames=1, hop=1)

    def test_a_batch_of_nothing(self, corpus_and_rolls):
        """A sampler that runs out gives an empty batch."""
        for pieces in corpus_and_rolls:
            windows = SlidingWindows(pieces[:1], input_frames=3, target_frames=4, hop=2)
            assert [half.shape for half in windows.batch([])] == [
                (0, 3, len(windows.pitches)),
                (0, 4, len(windows.pitches)),
            ]

    @pytest.mark.parametrize("beyond", [[-1], [0, 10**6], [3, 0]])
    def test_windows_that_are_not_there(self, corpus_and_rolls, beyond):
        """A wrong index gives frames of some other window."""
        for pieces in corpus_and_rolls:
            windows = SlidingWindows(pieces[:1], input_frames=3, target_frames=4, hop=2)
            assert len(windows) == 3
            with pytest.raises(IndexError, match="of 3"):
                windows.batch(beyond)

    @pytest.mark.filterwarnings("ignore:.*pieces have fewer")
    def test_workers_get_no_copy_of_it(self, corpus_and_rolls):
        """Each worker of a DataLoader that is spawned is sent all the music, and holds it in memory."""
        corpus, _ = corpus_and_rolls
        windows = SlidingWindows(corpus, input_frames=3, target_frames=4, hop=2, short="pad")
        before = windows.batch(range(len(windows)))
        data = pickle.dumps(windows)
        assert np.load(corpus.folder / "00002.npy")[0].tobytes() not in data
        again = pickle.loads(data)
        assert again.padded == windows.padded
        for found, expected in zip(again.batch(range(len(again))), before, strict=True):
            assert torch.equal(found, expected)

    @pytest.mark.parametrize("augmentation", [None, Augmentation(semitones=(-2, 3))])
    def test_into_memory_that_is_used_again(self, corpus_and_rolls, augmentation):
        """A batch written over the last one keeps some of it."""
        corpus, _ = corpus_and_rolls
        windows = SlidingWindows(corpus[5:6], input_frames=3, target_frames=4, hop=2, augmentation=augmentation)
        again = torch.full((40, 7, len(windows.pitches)), torch.nan)
        for picked in (range(40), range(3, 5), []):
            first, second = (np.random.default_rng(1) for _ in range(2))
            fresh = windows.batch(picked, generator=first)
            for found, expected in zip(windows.batch(picked, generator=second, out=again), fresh, strict=True):
                assert torch.equal(found, expected)
                assert found.untyped_storage().data_ptr() == again.untyped_storage().data_ptr()


def played(frames: int, *, seed: int = 0, pitches: PitchRange = PITCHES, grid: FrameGrid = SIXTEENTHS) -> PianoRoll:
    """Noise in which some notes are repeated without a gap."""
    random = np.random.default_rng(seed)
    active = random.random((frames, len(pitches))) < 0.5
    onset = active & (random.random(active.shape) < 0.4)
    onset[1:] |= active[1:] & ~active[:-1]
    return PianoRoll(active, onset, grid, pitches, name=f"piece {seed}")


def both_planes(roll: PianoRoll) -> np.ndarray:
    return np.hstack([roll.active, roll.onset])


class TestOnsets:
    @settings(deadline=None, max_examples=40)
    @given(
        lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
        target_frames=sizes,
        hop=sizes,
        count=st.sampled_from([1, 5, 8, 12, 88]),
    )
    @pytest.mark.filterwarnings("ignore:.*pieces have fewer")
    def test_windows_are_slices_of_both_planes(self, lengths, target_frames, hop, count):
        """A model is told that notes are struck which are held, or of other pitches."""
        rolls = [played(length, seed=seed, pitches=PitchRange(20, 19 + count)) for seed, length in enumerate(lengths)]
        windows = SlidingWindows(rolls, input_frames=3, target_frames=target_frames, hop=hop, short="pad", onsets=True)
        size = 3 + target_frames
        expected = []
        for roll in rolls:
            frames = both_planes(roll)
            frames = np.concatenate([frames, np.zeros((max(0, size - len(roll)), 2 * count), bool)])
            expected += [frames[begin : begin + size] for begin in range(0, len(frames) - size + 1, hop)]
        found = torch.cat(windows.batch(range(len(windows))), dim=1)
        assert windows.frame_size == 2 * count
        np.testing.assert_array_equal(found.numpy(), expected)
        # In front stands what there is without onsets; at a hop of target_frames all frames once, of either plane.
        plain = SlidingWindows(rolls, input_frames=3, target_frames=target_frames, hop=hop, short="pad")
        assert plain.frame_size == count
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
        """A model trained on a corpus hears other onsets than one trained on the same files in memory."""
        pitches = PitchRange(20, 19 + count)
        numbers = itertools.count()
        shards = [
            [played(frames, seed=next(numbers), pitches=pitches, grid=SecondsGrid(0.02)) for frames in lengths]
            for lengths in CORPUS_LENGTHS
        ]
        corpus, rolls = write_corpus(tmp_path / "corpus", shards), list(itertools.chain(*shards))
        mapped, held = (
            SlidingWindows(
                pieces, input_frames=3, target_frames=4, hop=2, short="pad", augmentation=augmentation, onsets=True
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

    def test_both_planes_move_by_the_same_step(self):
        """In another key other notes are struck than sound."""
        pitches = PitchRange(40, 68)
        middle = played(60, pitches=PitchRange(50, 57)).with_pitches(pitches)
        windows = SlidingWindows(
            [middle], input_frames=3, target_frames=4, hop=1, augmentation=Augmentation((-20, 20)), onsets=True
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

    @settings(deadline=None, max_examples=60)
    @given(slowest=st.floats(0.25, 1), fastest=st.floats(1, 4), frames=st.integers(9, 60), seed=st.integers(0, 99))
    def test_at_another_pace_each_note_is_struck_once(self, slowest, fastest, frames, seed):
        """A note is struck in each of the frames to which its first one is stretched, or in none."""
        augmentation = Augmentation(tempo=(slowest, fastest))
        roll = played(frames, seed=seed, grid=SecondsGrid(0.02))
        windows = SlidingWindows([roll], input_frames=4, target_frames=5, hop=1, augmentation=augmentation, onsets=True)
        starts = np.arange(len(windows))
        found = torch.cat(windows.batch(starts, generator=np.random.default_rng(seed)), dim=1).numpy()
        taken = starts[:, None] + augmentation.frames(frames - starts, 9, np.random.default_rng(seed))
        first, end, column = roll.notes()
        notes = list(zip(first.tolist(), end.tolist(), column.tolist(), strict=True))
        for window, of_window in zip(found, taken.tolist(), strict=True):
            expected = np.zeros((9, 24), dtype=bool)
            for begin, stop, pitch in notes:
                places = [place for place, frame in enumerate(of_window) if begin <= frame < stop]
                expected[places, pitch] = True
                if places and begin >= of_window[0] and roll.onset[begin, pitch]:
                    expected[places[0], 12 + pitch] = True
            np.testing.assert_array_equal(window, expected)

    def test_what_begins_to_sound_is_struck(self):
        """A piece put together of cut ones has notes that begin unstruck, which a model may find impossible."""
        held = PianoRoll(np.ones((3, 12), bool), np.zeros((3, 12), bool), pitches=PITCHES)
        silence = PianoRoll.from_active(np.zeros((2, 12), bool), pitches=PITCHES)
        windows = SlidingWindows([held + silence + held], input_frames=4, target_frames=4, hop=1, onsets=True)
        onset = torch.cat(windows[0])[:, 12:]
        assert onset.all(dim=1).tolist() == [frame == 5 for frame in range(8)]
        assert onset.any(dim=1).tolist() == [frame == 5 for frame in range(8)]

    def test_says_so(self):
        windows = SlidingWindows([played(9)], input_frames=2, target_frames=3, hop=1, onsets=True)
        assert repr(windows).endswith("with onsets)")
        assert "onsets" not in repr(SlidingWindows([played(9)], input_frames=2, target_frames=3, hop=1))


def test_a_corpus_in_a_data_loader_that_spawns(tmp_path: Path) -> None:
    """Training on a corpus with workers of PyTorch does not run, or on other windows."""
    corpus = write_corpus(tmp_path / "corpus", [numbered([20, 13]), numbered([9])])
    windows = SlidingWindows(corpus, input_frames=3, target_frames=4, hop=2)
    loader = DataLoader(windows, batch_size=8, num_workers=1, multiprocessing_context="spawn")
    loaded = torch.cat([targets for _, targets in loader])
    assert torch.equal(loaded, windows.batch(range(len(windows)))[1])


_LARGE = """
import resource, sys
import numpy as np
from pathlib import Path
from pianoroll_seq2seq import Augmentation, Corpus, PianoRoll, SecondsGrid, SlidingWindows

def memory(name):
    return 1024 * int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1])

def windows_of(pieces):
    return SlidingWindows(
        pieces, input_frames=64, target_frames=64, hop=32, augmentation=Augmentation((-5, 6), (0.8, 1.25))
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
def test_a_corpus_larger_than_memory(tmp_path: Path) -> None:
    """Training on a large corpus runs out of memory, since its frames are copied or kept."""
    folder = tmp_path / "corpus"
    write_large_corpus(folder, shards=100)
    assert sum(path.stat().st_size for path in folder.glob("*.npy")) > 400e6
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _LARGE, str(folder)], check=False, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    limited, read, windows, grown = done.stdout.split()
    assert (limited, read) == ("limited", "True")
    assert int(windows) > 600_000
    assert int(grown) < 48 * 2**20
