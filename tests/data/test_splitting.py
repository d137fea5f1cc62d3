"""Splits and duplicates: a leak between training and test pieces would falsify every score, without an error."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq.data.datasets.folder import read_folder
from pianoroll_seq2seq.data.datasets.scale_chords import SCALES, scale_chords
from pianoroll_seq2seq.data.splitting import drop_duplicates, pitch_class_set, split_by_piece
from pianoroll_seq2seq.errors import SettingsError, SplitError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.tempo import TempoMap

PITCHES = PitchRange(60, 71)


def noise(frames: int, *, seed: int = 0, name: str = "", pitches: PitchRange = PITCHES) -> PianoRoll:
    active = np.random.default_rng(seed).random((frames, len(pitches))) < 0.4
    return PianoRoll.from_active(active, pitches=pitches, name=name)


shares = st.integers(0, 9).map(lambda twentieths: twentieths / 20)


class TestSplitByPiece:
    @given(
        labels=st.lists(st.integers(0, 8), max_size=40),
        valid=shares,
        test=shares,
        seed=st.integers(0, 2**32 - 1),
        grouped=st.booleans(),
    )
    def test_is_a_seeded_partition_that_cuts_no_group(self, labels, valid, test, seed, grouped):
        """A piece (or a relative of it) in two parts would falsify held-out scores; a lost one wastes data."""
        rolls = [noise(2, name=f"{label}/{index}") for index, label in enumerate(labels)]

        def label_of(roll):
            return roll.name.split("/")[0]

        group = label_of if grouped else None
        num_parts = 1 + (valid > 0) + (test > 0)
        if len(set(labels) if grouped else labels) < num_parts:
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

    @given(count=st.integers(10, 60), valid=shares, test=shares)
    def test_shares_are_kept(self, count, valid, test):
        """A user who asks for a tenth must get a tenth."""
        split = split_by_piece([noise(1)] * count, valid=valid, test=test, seed=0)
        for part, share in ((split.valid, valid), (split.test, test)):
            assert len(part) == (max(1, round(share * count)) if share else 0)

    def test_other_seeds_give_other_splits(self):
        """Otherwise repeating an experiment over seeds would repeat the same split."""
        rolls = [noise(1, name=str(index)) for index in range(40)]
        splits = {tuple(roll.name for roll in split_by_piece(rolls, valid=0.2, test=0, seed=s).valid) for s in range(9)}
        assert len(splits) == 9

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
    @given(
        pool=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12),
        lowest=st.integers(0, 2),
    )
    def test_keeps_the_first_of_each_and_names_the_duplicates(self, pool, lowest):
        """A duplicate that stays leaks from training into the test pieces; a distinct piece that is dropped is lost."""
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
        repeated = PianoRoll(active, active, pitches=PITCHES)
        finer = PianoRoll.from_active(active, pitches=PITCHES, grid=BeatGrid(8))
        higher = PianoRoll.from_active(active, pitches=PitchRange(61, 72))
        longer = PianoRoll.from_active(np.ones((5, 12), bool), pitches=PITCHES)
        faster = PianoRoll.from_active(active, pitches=PITCHES, tempo=TempoMap.from_bpm(200), name="faster")
        distinct = drop_duplicates([held, repeated, finer, higher, longer, faster])
        assert [id(roll) for roll in distinct.rolls] == [id(roll) for roll in (held, repeated, finer, higher, longer)]
        assert distinct.duplicates == {"held": ["faster"]}


class TestPitchClassSet:
    @given(lowest=st.integers(0, 80), width=st.integers(1, 40), seed=st.integers(0, 99))
    def test_names_the_pitch_classes_that_sound(self, lowest, width, seed):
        roll = noise(3, seed=seed, pitches=PitchRange(lowest, lowest + width - 1))
        assert pitch_class_set(roll) == {int(pitch) % 12 for pitch in roll.notes().pitch}

    def test_is_shared_by_relatives_and_octaves(self):
        """C major and A minor must be in one part: they have the same chords."""
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
        scales = [{pitch_class_set(roll) for roll in part} for part in split]
        for one, other in itertools.combinations(scales, 2):
            assert not one & other


def test_no_scale_of_our_pack_leaks_between_the_parts():
    check_pack([PianoRoll.from_score(score) for score in scale_chords().values()])


def test_no_scale_of_the_original_pack_leaks_between_the_parts(scale_chords_dir: Path):
    """The 2017 article cut windows of all pieces before it split them, so it trained on its test set."""
    check_pack(read_folder(scale_chords_dir).rolls)
